/*
** core.store: bytes of tensors and checksums, for ym2612ml.store.
*/
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "lua_ym.h"
#include "replace.h"
#include "sha256.h"
#include "store.h"

/* Pushes the tensor at this place (from 1) in the list at arg, or a contiguous one of
** the same elements. */
static struct ym_tensor *push_listed(lua_State *L, int arg, lua_Integer place) {
	struct ym_tensor *tensor, *copy;
	lua_rawgeti(L, arg, place);
	tensor = luaL_testudata(L, -1, YM_TENSOR);
	if (tensor == NULL) {
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "element %I is %s, expected a tensor", place,
		                              luaL_typename(L, -1)));
		return NULL; /* never: the error is raised */
	}
	if (ym_tensor_contiguous(tensor))
		return tensor;
	copy = ym_push_tensor(L, tensor->type, tensor->rank, tensor->shape);
	ym_tensor_copy(copy, tensor);
	lua_replace(L, -2);
	return copy;
}

static struct ym_tensor *check_contiguous(lua_State *L, int arg) {
	struct ym_tensor *tensor = ym_check_tensor(L, arg);
	luaL_argcheck(L, ym_tensor_contiguous(tensor), arg, "expected a contiguous tensor");
	return tensor;
}

static size_t byte_count(const struct ym_tensor *tensor) {
	return ym_tensor_count(tensor) * ym_type_size(tensor->type);
}

/* write(path, header, tensors) -> true: a file of the header's bytes and then those of
** each tensor in the list */
static int store_write(lua_State *L) {
	const char *path = luaL_checkstring(L, 1);
	const struct ym_tensor **tensors;
	struct ym_error error;
	size_t size, count;
	const char *header = luaL_checklstring(L, 2, &size);
	luaL_checktype(L, 3, LUA_TTABLE);
	lua_settop(L, 3);
	count = lua_rawlen(L, 3);
	tensors = lua_newuserdatauv(L, (count + 1) * sizeof *tensors, 0);
	lua_createtable(L, (int)count, 0); /* keeps contiguous copies alive */
	for (size_t which = 0; which < count; which++) {
		tensors[which] = push_listed(L, 3, (lua_Integer)which + 1);
		lua_rawseti(L, 5, (lua_Integer)which + 1);
	}
	if (ym_store_write(path, header, size, tensors, count, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushboolean(L, true);
	return 1;
}

/* fill(source, offset, tensor, [stored]) -> true: reads the tensor's elements from a
** string at that offset (from 0), or from an open file where it stands. */
static int store_fill(lua_State *L) {
	struct ym_tensor *tensor = check_contiguous(L, 3);
	enum ym_stored stored = (enum ym_stored)luaL_checkoption(L, 4, "same",
	                                                         ym_stored_names);
	size_t count = ym_tensor_count(tensor), bytes, size;
	struct ym_error error;
	enum ym_status status;
	luaL_argcheck(L,
	              stored == YM_STORED_SAME ||
	                  tensor->type == (stored == YM_STORED_I64 ? YM_I32 : YM_F32),
	              3, "does not suit what is stored");
	bytes = count * ym_stored_size(stored, tensor);
	if (lua_type(L, 1) == LUA_TSTRING) {
		const char *source = lua_tolstring(L, 1, &size);
		lua_Integer offset = luaL_checkinteger(L, 2);
		luaL_argcheck(
			L, offset >= 0 && (size_t)offset <= size && bytes <= size - (size_t)offset,
			2, "outside the string");
		status = ym_store_put(tensor, 0, count, stored, source + offset, &error);
	} else {
		luaL_Stream *stream = luaL_checkudata(L, 1, LUA_FILEHANDLE);
		luaL_argcheck(L, stream->closef != NULL, 1, "the file is closed");
		status = ym_store_fill(stream->f, tensor, stored, &error);
	}
	if (status != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushboolean(L, true);
	return 1;
}

/* finite(tensor) -> false when an element is not a finite number */
static int store_finite(lua_State *L) {
	lua_pushboolean(L, ym_store_finite(check_contiguous(L, 1)));
	return 1;
}

/* checksum(header, tensors) -> CRC-32 of those bytes, as 8 hexadecimal digits */
static int store_checksum(lua_State *L) {
	size_t size;
	const Bytef *header = (const Bytef *)luaL_checklstring(L, 1, &size);
	uLong sum = crc32_z(0, header, size);
	char text[9];
	lua_Integer count;
	luaL_checktype(L, 2, LUA_TTABLE);
	count = (lua_Integer)lua_rawlen(L, 2);
	for (lua_Integer which = 1; which <= count; which++) {
		const struct ym_tensor *tensor = push_listed(L, 2, which);
		sum = crc32_z(sum, tensor->data, byte_count(tensor));
		lua_pop(L, 1);
	}
	snprintf(text, sizeof text, "%08lx", sum & 0xFFFFFFFFu);
	lua_pushstring(L, text);
	return 1;
}

/* Pushes the digest as text; returns 1, the number of results. */
static int push_digest(lua_State *L, struct ym_sha256 *sum) {
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[YM_SHA256_SIZE];
	char text[2 * YM_SHA256_SIZE];
	ym_sha256_end(sum, digest);
	for (int i = 0; i < YM_SHA256_SIZE; i++) {
		text[2 * i] = digits[digest[i] >> 4];
		text[2 * i + 1] = digits[digest[i] & 15];
	}
	lua_pushlstring(L, text, sizeof text);
	return 1;
}

/* sha256(bytes) -> digest as 64 hexadecimal digits */
static int store_sha256(lua_State *L) {
	struct ym_sha256 sum;
	size_t size;
	const char *bytes = luaL_checklstring(L, 1, &size);
	ym_sha256_begin(&sum);
	ym_sha256_add(&sum, bytes, size);
	return push_digest(L, &sum);
}

/* sha256_file(path) -> digest of the bytes of a regular file as 64 hexadecimal digits */
static int store_sha256_file(lua_State *L) {
	const char *path = luaL_checkstring(L, 1);
	char buffer[16384];
	struct ym_sha256 sum;
	struct ym_error error;
	ssize_t size;
	int descriptor, number;
	if (ym_open_regular(path, &descriptor, &error) != YM_OK)
		return ym_push_failure(L, &error);
	ym_sha256_begin(&sum);
	while ((size = read(descriptor, buffer, sizeof buffer)) > 0)
		ym_sha256_add(&sum, buffer, (size_t)size);
	number = size < 0 ? errno : 0;
	close(descriptor);
	if (number != 0) {
		ym_fail_system(&error, path, number);
		return ym_push_failure(L, &error);
	}
	return push_digest(L, &sum);
}

static const luaL_Reg functions[] = {
	{"write", store_write},
	{"fill", store_fill},
	{"finite", store_finite},
	{"checksum", store_checksum},
	{"sha256", store_sha256},
	{"sha256_file", store_sha256_file},
	{NULL, NULL},
};

void ym_open_store(lua_State *L) {
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "store");
}

/* ym.gzip and ym.gunzip: packed bytes. */
#include "gzip.h"
#include "lua_ym.h"

enum { MOST = 1 << 26 }; /* bytes that are unpacked unless told otherwise */

/* gzip(bytes) -> string: bytes, at most 2^30, as a gzip file without name and time. */
static int gzip(lua_State *L) {
	size_t size, count;
	const char *bytes = luaL_checklstring(L, 1, &size);
	struct ym_error error;
	luaL_Buffer buffer;
	char *out;
	luaL_argcheck(L, size <= YM_GZIP_MOST, 1, "expected at most 2^30 bytes");
	out = luaL_buffinitsize(L, &buffer, ym_gzip_bound(size));
	if (ym_gzip(bytes, size, out, &count, &error) != YM_OK)
		return ym_push_failure(L, &error);
	luaL_pushresultsize(&buffer, count);
	return 1;
}

/* gunzip(bytes, [most = 2^26]) -> string: what a gzip file or a zlib stream holds; or
** nil, message, "format" when it is neither, damaged, cut short, or holds more than
** `most` bytes. */
static int gunzip(lua_State *L) {
	size_t size, count;
	const char *bytes = luaL_checklstring(L, 1, &size);
	lua_Integer most = luaL_optinteger(L, 2, MOST);
	struct ym_error error;
	luaL_Buffer buffer;
	char *out;
	luaL_argcheck(L, most >= 0, 2, "expected a count of bytes");
	if (ym_gunzip_count(bytes, size, (size_t)most, &count, &error) != YM_OK)
		return ym_push_failure(L, &error);
	out = luaL_buffinitsize(L, &buffer, count);
	if (ym_gunzip(bytes, size, out, count, &error) != YM_OK)
		return ym_push_failure(L, &error);
	luaL_pushresultsize(&buffer, count);
	return 1;
}

void ym_open_gzip(lua_State *L) {
	lua_pushcfunction(L, gzip);
	lua_setfield(L, -2, "gzip");
	lua_pushcfunction(L, gunzip);
	lua_setfield(L, -2, "gunzip");
}

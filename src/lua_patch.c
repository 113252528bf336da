/*
** Patches as Lua tables: checks, canonical form, register writes, the packed tensor
** and the Y12 codec. Reading and writing files is lua/ym2612ml/patch.lua.
*/
#include <string.h>

#include "lua_ym.h"

/* patch.check(patch) -> patch; raises naming the operator and field that is missing
** or out of range. */
static int patch_check(lua_State *L) {
	struct ym_patch patch;
	ym_check_patch(L, 1, &patch);
	lua_settop(L, 1);
	return 1;
}

/* Pushes a packed tensor of the canonical forms of the packed patches at 1. */
static int canonical_packed(lua_State *L) {
	const struct ym_tensor *packed = ym_check_packed(L, 1);
	const uint8_t *from = packed->data;
	uint8_t *to = ym_push_tensor(L, YM_U8, 2, packed->shape)->data;
	struct ym_patch patch;
	for (size_t at = 0; at < packed->shape[0] * YM_FIELDS; at += YM_FIELDS) {
		ym_patch_unpack(&patch, from + at);
		ym_patch_canonical(&patch);
		ym_patch_pack(&patch, to + at);
	}
	return 1;
}

/* patch.canonical(patch) -> a new patch table: the one that stands for all patches
** that give the same samples for a note from silence. Names are not kept. Of a packed
** tensor of patches, a new one of theirs. */
static int patch_canonical(lua_State *L) {
	struct ym_patch patch;
	if (lua_type(L, 1) == LUA_TUSERDATA)
		return canonical_packed(L);
	ym_check_patch(L, 1, &patch);
	ym_patch_canonical(&patch);
	ym_push_patch(L, &patch);
	return 1;
}

/* patch.registers(patch, [channel]) -> list of {port, register, value}, the writes
** that set channel 1..6 (default 1) up, both outputs on. */
static int patch_registers(lua_State *L) {
	struct ym_patch patch;
	struct ym_write writes[YM_PATCH_WRITES];
	lua_Integer channel = luaL_optinteger(L, 2, 1);
	ym_check_patch(L, 1, &patch);
	luaL_argcheck(L, channel >= 1 && channel <= 6, 2, "expected a channel 1..6");
	ym_patch_writes(&patch, (int)channel - 1, writes);
	lua_createtable(L, YM_PATCH_WRITES, 0);
	for (int i = 0; i < YM_PATCH_WRITES; i++) {
		lua_createtable(L, 3, 0);
		lua_pushinteger(L, writes[i].port);
		lua_rawseti(L, -2, 1);
		lua_pushinteger(L, writes[i].reg);
		lua_rawseti(L, -2, 2);
		lua_pushinteger(L, writes[i].value);
		lua_rawseti(L, -2, 3);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* owner: the operator 1..4 that has the field, or 0. */
static void push_field(lua_State *L, const struct ym_field *field, int owner) {
	lua_createtable(L, 0, 9);
	lua_pushstring(L, field->name);
	lua_setfield(L, -2, "name");
	lua_pushinteger(L, field->minimum);
	lua_setfield(L, -2, "minimum");
	lua_pushinteger(L, field->maximum);
	lua_setfield(L, -2, "maximum");
	lua_pushboolean(L, field->optional);
	lua_setfield(L, -2, "optional");
	lua_pushstring(L, field->meaning);
	lua_setfield(L, -2, "meaning");
	lua_pushinteger(L, field->base);
	lua_setfield(L, -2, "register");
	lua_pushinteger(L, field->shift);
	lua_setfield(L, -2, "shift");
	lua_pushinteger(L, field->width);
	lua_setfield(L, -2, "width");
	if (owner > 0) {
		lua_pushinteger(L, owner);
		lua_setfield(L, -2, "operator");
	}
}

/* patch.fields() -> list of the 49 fields in the order of a packed patch: {name,
** minimum, maximum, optional, meaning, register, shift, width, operator = 1..4 or
** nil}; register is the chip's of operator 1 and channel 1. */
static int patch_fields(lua_State *L) {
	lua_createtable(L, YM_FIELDS, 0);
	for (int i = 0; i < YM_FIELDS; i++) {
		bool whole = i < YM_PATCH_FIELDS; /* the patch's own */
		int owner = whole ? 0 : 1 + (i - YM_PATCH_FIELDS) / YM_OPERATOR_FIELDS;
		push_field(L, ym_field_at(i), owner);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

/* patch.carriers(algorithm) -> list of the operators that are heard, algorithm 0..7 */
static int patch_carriers(lua_State *L) {
	lua_Integer algorithm = luaL_checkinteger(L, 1);
	int count = 0;
	luaL_argcheck(L, algorithm >= 0 && algorithm <= 7, 1, "expected algorithm 0..7");
	lua_newtable(L);
	for (int o = 0; o < YM_OPERATORS; o++)
		if (ym_carriers[algorithm] >> o & 1) {
			lua_pushinteger(L, o + 1);
			lua_rawseti(L, -2, ++count);
		}
	return 1;
}

/* patch.pack(list of patches) -> u8 tensor (patches, 49): each field's value less
** its minimum, in the order of patch.fields(). */
static int patch_pack(lua_State *L) {
	size_t shape[2] = {0, YM_FIELDS};
	struct ym_patch patch;
	uint8_t *bytes;
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	shape[0] = lua_rawlen(L, 1);
	bytes = ym_push_tensor(L, YM_U8, 2, shape)->data;
	for (size_t i = 0; i < shape[0]; i++) {
		ym_check_listed_patch(L, 1, (lua_Integer)i + 1, &patch);
		ym_patch_pack(&patch, bytes + i * YM_FIELDS);
	}
	return 1;
}

/* patch.unpack(tensor) -> list of patch tables; the tensor is one pack made. */
static int patch_unpack(lua_State *L) {
	const struct ym_tensor *tensor = ym_check_packed(L, 1);
	const uint8_t *bytes = tensor->data;
	struct ym_patch patch;
	lua_createtable(L, (int)tensor->shape[0], 0);
	for (size_t i = 0; i < tensor->shape[0]; i++) {
		ym_patch_unpack(&patch, bytes + i * YM_FIELDS);
		ym_push_patch(L, &patch);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

/* Sets field key of the table on top of the stack to a NUL-padded name. */
static void set_name(lua_State *L, const char *key, const char *name) {
	const char *end = memchr(name, 0, YM_Y12_NAME);
	lua_pushlstring(L, name, end == NULL ? YM_Y12_NAME : (size_t)(end - name));
	lua_setfield(L, -2, key);
}

/* decode_y12(bytes) -> patch, and a note in words when the file held bits that no
** field has; or nil, message, "format". */
static int patch_decode_y12(lua_State *L) {
	size_t size;
	const uint8_t *bytes = (const uint8_t *)luaL_checklstring(L, 1, &size);
	struct ym_y12 y12;
	struct ym_y12_stray stray;
	struct ym_error error;
	if (ym_y12_decode(bytes, size, &y12, &stray, &error) != YM_OK)
		return ym_push_failure(L, &error);
	ym_push_patch(L, &y12.patch);
	set_name(L, "name", y12.name);
	set_name(L, "dumper", y12.dumper);
	set_name(L, "game", y12.game);
	if (stray.count == 0)
		return 1;
	lua_pushfstring(
		L, "bits outside the fields in %d byte(s), first at offset %d: %d read as %d",
		stray.count, stray.first, stray.found, stray.kept);
	return 2;
}

/* Copies name key of the patch table at 1 into a padded field. */
static void get_name(lua_State *L, const char *key, char *name) {
	size_t size = 0;
	int type = lua_getfield(L, 1, key);
	const char *text = type == LUA_TSTRING ? lua_tolstring(L, -1, &size) : "";
	if (type != LUA_TSTRING && type != LUA_TNIL)
		luaL_argerror(L, 1,
		              lua_pushfstring(L, "field '%s' is %s, expected a string", key,
		                              luaL_typename(L, -1)));
	memset(name, 0, YM_Y12_NAME);
	memcpy(name, text, size < YM_Y12_NAME ? size : YM_Y12_NAME);
	lua_pop(L, 1);
}

/* encode_y12(patch) -> string of 128 bytes. Names longer than 16 bytes are cut; ams,
** fms and lfo have no place in a Y12. */
static int patch_encode_y12(lua_State *L) {
	struct ym_y12 y12;
	uint8_t bytes[YM_Y12_SIZE];
	ym_check_patch(L, 1, &y12.patch);
	get_name(L, "name", y12.name);
	get_name(L, "dumper", y12.dumper);
	get_name(L, "game", y12.game);
	ym_y12_encode(&y12, bytes);
	lua_pushlstring(L, (const char *)bytes, sizeof bytes);
	return 1;
}

static const luaL_Reg functions[] = {
	{"check", patch_check},           {"canonical", patch_canonical},
	{"registers", patch_registers},   {"fields", patch_fields},
	{"carriers", patch_carriers},     {"pack", patch_pack},
	{"unpack", patch_unpack},         {"decode_y12", patch_decode_y12},
	{"encode_y12", patch_encode_y12}, {NULL, NULL},
};

void ym_open_patch(lua_State *L) {
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "patch");
}

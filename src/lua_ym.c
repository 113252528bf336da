#include "lua_ym.h"

#include <limits.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

void ym_check_options(lua_State *L, int arg, const char *const known[]) {
	if (lua_isnoneornil(L, arg))
		return;
	luaL_checktype(L, arg, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
		bool found = false;
		if (lua_type(L, -2) == LUA_TSTRING)
			for (int i = 0; known[i] != NULL && !found; i++)
				found = strcmp(known[i], lua_tostring(L, -2)) == 0;
		if (!found) {
			const char *key = luaL_tolstring(L, -2, NULL);
			luaL_argerror(L, arg, lua_pushfstring(L, "unknown option '%s'", key));
		}
	}
}

int ym_push_option(lua_State *L, int arg, const char *key) {
	if (lua_isnoneornil(L, arg)) {
		lua_pushnil(L);
		return LUA_TNIL;
	}
	return lua_getfield(L, arg, key);
}

/* Raises about the option whose value is on top of the stack. */
static int option_error(lua_State *L, int arg, const char *key, const char *expected) {
	const char *found = luaL_tolstring(L, -1, NULL);
	return luaL_argerror(
		L, arg,
		lua_pushfstring(L, "option '%s' is %s, expected %s", key, found, expected));
}

lua_Number ym_option_number(lua_State *L, int arg, const char *key, lua_Number fallback,
                            lua_Number minimum, lua_Number maximum) {
	lua_Number value = fallback;
	int type = ym_push_option(L, arg, key);
	if (type == LUA_TNUMBER)
		value = lua_tonumber(L, -1);
	if (type != LUA_TNIL &&
	    (type != LUA_TNUMBER || !(value >= minimum && value <= maximum))) {
		lua_pushfstring(L, "a number %f..%f", minimum, maximum);
		lua_insert(L, -2);
		option_error(L, arg, key, lua_tostring(L, -2));
	}
	lua_pop(L, 1);
	return value;
}

lua_Integer ym_option_integer(lua_State *L, int arg, const char *key,
                              lua_Integer fallback, lua_Integer minimum,
                              lua_Integer maximum) {
	lua_Integer value = fallback;
	if (ym_push_option(L, arg, key) != LUA_TNIL) {
		int whole = 0;
		if (lua_type(L, -1) == LUA_TNUMBER)
			value = lua_tointegerx(L, -1, &whole);
		if (!whole || value < minimum || value > maximum) {
			lua_pushfstring(L, "a whole number %I..%I", minimum, maximum);
			lua_insert(L, -2);
			option_error(L, arg, key, lua_tostring(L, -2));
		}
	}
	lua_pop(L, 1);
	return value;
}

bool ym_option_boolean(lua_State *L, int arg, const char *key, bool fallback) {
	bool value = fallback;
	int type = ym_push_option(L, arg, key);
	if (type == LUA_TBOOLEAN)
		value = lua_toboolean(L, -1);
	else if (type != LUA_TNIL)
		option_error(L, arg, key, "true or false");
	lua_pop(L, 1);
	return value;
}

int ym_option_choice(lua_State *L, int arg, const char *key, int fallback,
                     const char *const names[]) {
	int choice = fallback;
	if (ym_push_option(L, arg, key) != LUA_TNIL) {
		const char *found = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
		for (choice = 0; names[choice] != NULL; choice++)
			if (strcmp(names[choice], found) == 0)
				break;
		if (names[choice] == NULL) {
			luaL_Buffer list;
			luaL_buffinit(L, &list);
			for (int i = 0; names[i] != NULL; i++) {
				luaL_addstring(&list, i == 0 ? "'" : ", '");
				luaL_addstring(&list, names[i]);
				luaL_addstring(&list, "'");
			}
			luaL_pushresult(&list);
			lua_insert(L, -2);
			option_error(L, arg, key, lua_tostring(L, -2));
		}
	}
	lua_pop(L, 1);
	return choice;
}

void ym_new_class(lua_State *L, const char *name, const luaL_Reg *methods,
                  const luaL_Reg *metamethods) {
	luaL_newmetatable(L, name);
	luaL_setfuncs(L, metamethods, 0);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

/* Where a patch table is, and how messages about it name it. */
struct patch_place {
	int index;        /* in the stack */
	int arg;          /* the argument that it is, or is in the list of */
	const char *name; /* "", or "patch N: " in a list */
};

/* Sets *value to the field on top of the stack, popping it; raises when it is not
** a whole number in range. owner is "" or " of operator N". */
static void check_field(lua_State *L, const struct patch_place *place,
                        const struct ym_field *field, const char *owner,
                        int8_t *value) {
	int whole = 0;
	lua_Integer number = field->fallback;
	if (lua_type(L, -1) == LUA_TNUMBER)
		number = lua_tointegerx(L, -1, &whole);
	else
		whole = lua_isnil(L, -1) && field->optional;
	if (!whole || number < field->minimum || number > field->maximum) {
		const char *found = luaL_tolstring(L, -1, NULL);
		luaL_argerror(L, place->arg,
		              lua_pushfstring(L, "%sfield '%s'%s is %s, expected %d..%d",
		                              place->name, field->name, owner, found,
		                              field->minimum, field->maximum));
	}
	*value = (int8_t)number;
	lua_pop(L, 1);
}

/* What ym_check_patch says, of the table at place. */
static void check_fields(lua_State *L, const struct patch_place *place,
                         struct ym_patch *patch) {
	for (int f = 0; f < YM_PATCH_FIELDS; f++) {
		lua_getfield(L, place->index, ym_patch_fields[f].name);
		check_field(L, place, &ym_patch_fields[f], "", &patch->field[f]);
	}
	for (int o = 0; o < YM_OPERATORS; o++) {
		const char *owner = lua_pushfstring(L, " of operator %d", o + 1);
		if (lua_rawgeti(L, place->index, o + 1) != LUA_TTABLE)
			luaL_argerror(L, place->arg,
			              lua_pushfstring(L, "%soperator %d is %s, expected a table",
			                              place->name, o + 1, luaL_typename(L, -1)));
		for (int f = 0; f < YM_OPERATOR_FIELDS; f++) {
			lua_getfield(L, -1, ym_operator_fields[f].name);
			check_field(L, place, &ym_operator_fields[f], owner, &patch->op[o][f]);
		}
		lua_pop(L, 2);
	}
}

void ym_check_patch(lua_State *L, int arg, struct ym_patch *patch) {
	struct patch_place place = {arg, arg, ""};
	luaL_checktype(L, arg, LUA_TTABLE);
	check_fields(L, &place, patch);
}

void ym_check_listed_patch(lua_State *L, int arg, lua_Integer place,
                           struct ym_patch *patch) {
	struct patch_place listed = {.arg = arg};
	listed.name = lua_pushfstring(L, "patch %I: ", place);
	if (lua_rawgeti(L, arg, place) != LUA_TTABLE)
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "%sis %s, expected a table", listed.name,
		                              luaL_typename(L, -1)));
	listed.index = lua_gettop(L);
	check_fields(L, &listed, patch);
	lua_pop(L, 2);
}

void ym_push_patch(lua_State *L, const struct ym_patch *patch) {
	lua_createtable(L, YM_OPERATORS, YM_PATCH_FIELDS + 3);
	for (int f = 0; f < YM_PATCH_FIELDS; f++)
		if (f != YM_LFO || patch->field[f] >= 0) {
			lua_pushinteger(L, patch->field[f]);
			lua_setfield(L, -2, ym_patch_fields[f].name);
		}
	for (int o = 0; o < YM_OPERATORS; o++) {
		lua_createtable(L, 0, YM_OPERATOR_FIELDS);
		for (int f = 0; f < YM_OPERATOR_FIELDS; f++) {
			lua_pushinteger(L, patch->op[o][f]);
			lua_setfield(L, -2, ym_operator_fields[f].name);
		}
		lua_rawseti(L, -2, o + 1);
	}
}

struct ym_tensor *ym_check_packed(lua_State *L, int arg) {
	struct ym_tensor *tensor = ym_check_tensor(L, arg);
	luaL_argcheck(L,
	              tensor->type == YM_U8 && tensor->rank == 2 &&
	                  tensor->shape[1] == YM_FIELDS && ym_tensor_contiguous(tensor),
	              arg, "expected a packed patch tensor (see patch.pack)");
	return tensor;
}

void ym_tell_collector(lua_State *L, size_t bytes) {
	size_t kib = bytes / 1024;
	if (kib > 0 && lua_gc(L, LUA_GCISRUNNING))
		lua_gc(L, LUA_GCSTEP, kib < INT_MAX / 2 ? (int)kib : INT_MAX / 2);
}

#define POOL "ym2612ml.pool"

static int pool_gc(lua_State *L) {
	struct ym_pool **pool = luaL_checkudata(L, 1, POOL);
	ym_pool_free(*pool);
	*pool = NULL;
	return 0;
}

/* The state's pool lies in its registry, under the class name's own key. */
static struct ym_pool **push_pool(lua_State *L) {
	static const luaL_Reg none[] = {{NULL, NULL}};
	static const luaL_Reg metamethods[] = {{"__gc", pool_gc}, {NULL, NULL}};
	struct ym_pool **pool;
	if (lua_getfield(L, LUA_REGISTRYINDEX, POOL ".state") == LUA_TUSERDATA)
		return lua_touserdata(L, -1);
	lua_pop(L, 1);
	ym_new_class(L, POOL, none, metamethods);
	pool = lua_newuserdatauv(L, sizeof *pool, 0);
	*pool = NULL;
	luaL_setmetatable(L, POOL);
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, POOL ".state");
	return pool;
}

static void resize_pool(lua_State *L, struct ym_pool **pool, int threads) {
	ym_pool_free(*pool);
	*pool = ym_pool_new(threads);
	if (*pool == NULL)
		ym_raise_no_memory(L);
}

/* The machine's processors in use; 1 where that is not known. */
static int processors(void) {
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	return count < 1 ? 1 : count > YM_THREADS ? YM_THREADS : (int)count;
}

struct ym_pool *ym_state_pool(lua_State *L) {
	struct ym_pool **pool = push_pool(L);
	if (*pool == NULL)
		resize_pool(L, pool, processors());
	lua_pop(L, 1);
	return *pool;
}

/* threads([count]) -> count: sets (1..64) and tells how many threads long work of
** this Lua state may use; at first as many as there are processors. Results never
** depend on it. */
static int ym_threads(lua_State *L) {
	lua_Integer count = luaL_optinteger(L, 1, 0);
	luaL_argcheck(L, lua_isnoneornil(L, 1) || (count >= 1 && count <= YM_THREADS), 1,
	              "expected 1..64 threads");
	if (count != 0)
		resize_pool(L, push_pool(L), (int)count);
	lua_pushinteger(L, ym_pool_threads(ym_state_pool(L)));
	return 1;
}

/* tell_collector(bytes): the collector works as far as if Lua had been asked for so many,
** unless it is stopped. */
static int tell_collector(lua_State *L) {
	lua_Integer bytes = luaL_checkinteger(L, 1);
	luaL_argcheck(L, bytes >= 0, 1, "expected 0 or more bytes");
	ym_tell_collector(L, (size_t)bytes);
	return 0;
}

#define SIMD "ym2612ml.simd"

enum ym_simd ym_state_simd(lua_State *L) {
	enum ym_simd level = ym_simd_best();
	if (lua_getfield(L, LUA_REGISTRYINDEX, SIMD) == LUA_TNUMBER)
		level = (enum ym_simd)lua_tointeger(L, -1);
	lua_pop(L, 1);
	return level;
}

/* simd([level]) -> level: sets and tells which instructions the kernels of this Lua
** state use: "baseline", "avx2" or "avx512"; at first the most the CPU has. Raises for
** a level it does not have. */
static int ym_simd(lua_State *L) {
	if (!lua_isnoneornil(L, 1)) {
		int level = luaL_checkoption(L, 1, NULL, ym_simd_names);
		if (level > (int)ym_simd_best())
			luaL_argerror(
				L, 1,
				lua_pushfstring(L, "this CPU has no '%s', expected up to '%s'",
			                    ym_simd_names[level], ym_simd_names[ym_simd_best()]));
		lua_pushinteger(L, level);
		lua_setfield(L, LUA_REGISTRYINDEX, SIMD);
	}
	lua_pushstring(L, ym_simd_names[ym_state_simd(L)]);
	return 1;
}

void ym_open_threads(lua_State *L) {
	lua_pushcfunction(L, ym_threads);
	lua_setfield(L, -2, "threads");
	lua_pushcfunction(L, tell_collector);
	lua_setfield(L, -2, "tell_collector");
	lua_pushcfunction(L, ym_simd);
	lua_setfield(L, -2, "simd");
}

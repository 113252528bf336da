#include "lua_ym.h"

int ym_raise_no_memory(lua_State *L) {
	lua_pushliteral(L, "not enough memory");
	return lua_error(L);
}

void ym_need_stack(lua_State *L, int count) {
	if (!lua_checkstack(L, count))
		ym_raise_no_memory(L);
}

int ym_push_failure(lua_State *L, const struct ym_error *error) {
	const char *kind = ym_status_kind(error->status);
	if (error->status == YM_MEMORY)
		return ym_raise_no_memory(L);
	if (kind == NULL)
		return luaL_error(L, "%s", error->message);
	luaL_pushfail(L);
	lua_pushstring(L, error->message);
	lua_pushstring(L, kind);
	return 3;
}

int ym_push_outcome(lua_State *L, const struct ym_error *error) {
	if (error->status != YM_ARGUMENT)
		return ym_push_failure(L, error);
	luaL_pushfail(L);
	lua_pushstring(L, error->message);
	lua_pushliteral(L, "argument");
	return 3;
}

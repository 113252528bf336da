#include "lua_ym.h"

int ym_push_failure(lua_State *L, const struct ym_error *error) {
	const char *kind = ym_status_kind(error->status);
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

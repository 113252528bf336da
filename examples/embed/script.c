/* Lua states, never called but in protected mode: an error outside of it would end the
** process. */
#include "host.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

struct opening {
	struct script *script;
	char path[LETTER];
};

static int run_script(lua_State *L) {
	const struct opening *opening = lua_touserdata(L, 1);
	luaL_openlibs(L);
	if (luaL_loadfile(L, opening->path) != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 1);
	luaL_checktype(L, -1, LUA_TFUNCTION);
	opening->script->function = luaL_ref(L, LUA_REGISTRYINDEX);
	return 0;
}

bool script_open(struct script *script, const char *folder, const char *name) {
	struct opening opening = {.script = script};
	snprintf(opening.path, sizeof opening.path, "%s/%s", folder, name);
	script->L = luaL_newstate();
	if (!script->L) {
		snprintf(script->problem, sizeof script->problem, "%s: no memory", name);
		return false;
	}
	return script_protect(script, run_script, &opening);
}

bool script_protect(struct script *script, lua_CFunction function, void *data) {
	lua_State *L = script->L;
	lua_pushcfunction(L, function);
	lua_pushlightuserdata(L, data);
	if (lua_pcall(L, 1, 0, 0) == LUA_OK)
		return true;
	/* luaL_tolstring could raise: what is no string is not shown */
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1)
	                                                  : "an error";
	snprintf(script->problem, sizeof script->problem, "%s", text);
	lua_pop(L, 1);
	return false;
}

void script_push(lua_State *L, const struct script *script) {
	lua_rawgeti(L, LUA_REGISTRYINDEX, script->function);
}

void script_close(struct script *script) {
	if (script->L)
		lua_close(script->L);
	script->L = NULL;
}

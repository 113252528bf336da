#include <time.h>

#include "lua_ym.h"

/* clock() -> seconds since some moment in the past; never goes back. */
static int clock_read(lua_State *L) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	lua_pushnumber(L, (lua_Number)now.tv_sec + 1e-9 * (lua_Number)now.tv_nsec);
	return 1;
}

void ym_open_clock(lua_State *L) {
	lua_pushcfunction(L, clock_read);
	lua_setfield(L, -2, "clock");
}

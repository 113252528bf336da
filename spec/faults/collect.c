/*
** An interpreter, for busted and the specs, whose garbage is collected all the time: what
** is held by a C pointer alone does not last.
**
**   collect RATE SCRIPT [ARGUMENT...]
**
** At the first try of every RATE-th request for a new object the allocator has no memory: Lua
** collects all garbage, and tries again. Such collections call no finalizers, so that every
** 1000 RATE instructions a hook collects everything once more, finalizers and all. The script
** sets another rate with the global function collect_every(RATE). At the
** end it tells on stderr how many collections there were.
*/
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { INSTRUCTIONS = 1000 };

struct collector {
	unsigned long rate, requests, refused, finalized;
	size_t wanted; /* by the request that was refused and is about to be tried again */
	bool begun; /* before a state is complete there is nothing that it could collect */
	pid_t process;
};

/* Every RATE-th request for a new object (which comes with a kind in place of a size) is
** refused once. Lua asks for the same again after a collection, in which it asks for no
** object. Blocks that grow are left alone: luaL_Buffer asks for its own but once. */
static void *allocate(void *user, void *block, size_t before, size_t size) {
	struct collector *collector = user;
	if (size == 0) {
		free(block);
		return NULL;
	}
	if (collector->begun && block == NULL && before != 0) {
		if (collector->wanted == size)
			collector->wanted = 0;
		else if (++collector->requests % collector->rate == 0) {
			collector->wanted = size;
			collector->refused++;
			return NULL;
		}
	}
	return realloc(block, size);
}

static struct collector *collector_of(lua_State *L) {
	void *user;
	lua_getallocf(L, &user);
	return user;
}

/* A collection's finalizers run Lua, too, and the hook is off meanwhile. */
static void collect(lua_State *L, lua_Debug *event) {
	(void)event;
	collector_of(L)->finalized++;
	lua_gc(L, LUA_GCCOLLECT);
}

static int collect_every(lua_State *L) {
	lua_Integer rate = luaL_checkinteger(L, 1);
	luaL_argcheck(L, rate >= 1 && rate <= 1000000, 1, "expected 1..1000000");
	collector_of(L)->rate = (unsigned long)rate;
	lua_sethook(L, collect, LUA_MASKCOUNT, INSTRUCTIONS * (int)rate);
	return 0;
}

/* What lua5.4 does with a script: the table arg, and a message with a traceback. */
static int trace(lua_State *L) {
	luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

static int run(lua_State *L) {
	int count = (int)lua_tointeger(L, 1);
	char **arguments = lua_touserdata(L, 2);
	luaL_openlibs(L);
	lua_newtable(L);
	for (int i = 0; i < count; i++) {
		lua_pushstring(L, arguments[i]);
		lua_rawseti(L, -2, i);
	}
	lua_setglobal(L, "arg");
	lua_register(L, "collect_every", collect_every);
	lua_pushcfunction(L, trace);
	if (luaL_loadfile(L, arguments[0]) != LUA_OK)
		return lua_error(L);
	luaL_checkstack(L, count, "too many arguments");
	for (int i = 1; i < count; i++)
		lua_pushstring(L, arguments[i]);
	lua_sethook(L, collect, LUA_MASKCOUNT, INSTRUCTIONS * (int)collector_of(L)->rate);
	if (lua_pcall(L, count - 1, 0, -count - 1) != LUA_OK)
		return lua_error(L);
	return 0;
}

/* busted ends by os.exit, so that what is told is told at the exit. */
static struct collector collector;

static void tell(void) {
	if (collector.process == getpid())
		fprintf(stderr,
		        "collect: %lu requests, %lu refused, %lu collections with finalizers\n",
		        collector.requests, collector.refused, collector.finalized);
}

int main(int count, char **arguments) {
	lua_State *L;
	int status;
	collector.rate = count > 2 ? strtoul(arguments[1], NULL, 10) : 0;
	if (collector.rate < 1 || collector.rate > 1000000) {
		fprintf(stderr,
		        "usage: collect RATE SCRIPT [ARGUMENT...], RATE in 1..1000000\n");
		return 2;
	}
	L = lua_newstate(allocate, &collector);
	if (L == NULL) {
		fprintf(stderr, "collect: no memory for a state\n");
		return 2;
	}
	collector.begun = true;
	collector.process = getpid();
	atexit(tell);
	lua_pushcfunction(L, run);
	lua_pushinteger(L, count - 2);
	lua_pushlightuserdata(L, arguments + 2);
	status = lua_pcall(L, 2, 0, 0);
	if (status != LUA_OK)
		fprintf(stderr, "collect: %s\n", lua_tostring(L, -1));
	lua_close(L);
	return status != LUA_OK;
}

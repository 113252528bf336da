/*
** The estimator: a thread with a Lua state that looks for patches, a slice of some tens
** of milliseconds at a time, at low priority. Between two slices it takes requests, and
** hands over a patch that is better than the last.
*/
#include <lauxlib.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "host.h"

enum { NICE = 10 };

struct slice {
	struct host *host;
	bool busy; /* there is more to do */
};

/* Calls the script's function with a path, when one is asked for; it returns whether it
** is at work and, when it has a better one, a patch, and what to tell the user. */
static int run_slice(lua_State *L) {
	struct slice *slice = lua_touserdata(L, 1);
	struct host *host = slice->host;
	const struct letter *request = mailbox_fetch(&host->requests);
	script_push(L, &host->estimator);
	if (request)
		lua_pushlstring(L, request->bytes, request->size);
	lua_call(L, request ? 1 : 0, 3);
	slice->busy = lua_toboolean(L, -3);
	if (!lua_isnil(L, -2)) {
		size_t size;
		const char *bytes = luaL_checklstring(L, -2, &size);
		if (!mailbox_send(&host->patches, bytes, size))
			return luaL_error(L, "a patch of %d bytes", (int)size);
		host->sent++;
	}
	if (!lua_isnil(L, -1))
		printf("%s\n", luaL_checkstring(L, -1));
	return 0;
}

void *host_estimator(void *argument) {
	struct host *host = argument;
	struct slice slice = {.host = host};
	const struct timespec pause = {.tv_nsec = 10000000};
	setpriority(PRIO_PROCESS, 0, NICE); /* on Linux this is the thread's own */
	bool fine = !atomic_load(&host->stopping) &&
	            script_open(&host->estimator, host->folder, "estimator.lua");
	while (fine && !atomic_load(&host->stopping)) {
		int64_t before = host_clock();
		fine = script_protect(&host->estimator, run_slice, &slice);
		int64_t took = host_clock() - before;
		host->slices += slice.busy;
		host->longest = took > host->longest ? took : host->longest;
		if (!slice.busy)
			nanosleep(&pause, NULL);
	}
	atomic_store(&host->stopping, true);
	script_close(&host->estimator); /* in the middle of a search, as it may be */
	return NULL;
}

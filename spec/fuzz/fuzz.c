/*
** A libFuzzer target for the readers of readers.lua: FUZZ_READER names one, FUZZ_FILE a
** file that gets each input. The lines of Lua that run are counted as the branches of C
** are, so that both lead the search. An input may take a second of processor time and
** 256 MiB.
*/
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <sanitizer/allocator_interface.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	COUNTERS = 1 << 14,
	LIFE = 50000, /* executions of one Lua state */
};
static const double longest = 1;            /* seconds of processor time */
static const int64_t largest = 256LL << 20; /* bytes */

__attribute__((
	section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

static lua_State *state;
static int64_t in_use, peak; /* bytes of all allocations */
static int descriptor = -1;
static uint32_t previous;

int luaopen_ym2612ml_core(lua_State *L);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void allocated(const volatile void *block, size_t size) {
	(void)block;
	in_use += (int64_t)size;
	if (in_use > peak)
		peak = in_use;
}

static void freed(const volatile void *block) {
	if (block != NULL)
		in_use -= (int64_t)__sanitizer_get_allocated_size(block);
}

/* Counts the step from the line before to this one, whatever their files. */
static void on_line(lua_State *L, lua_Debug *where) {
	uint32_t line = (uint32_t)where->currentline;
	(void)L;
	counters[(previous * 2654435761u ^ line * 40503u) >> 7 & (COUNTERS - 1)]++;
	previous = line;
}

_Noreturn static void fail(const char *why) {
	fprintf(stderr, "finding: %s\n", why);
	abort();
}

static int with_trace(lua_State *L) {
	luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

static void close_state(void) {
	if (state != NULL)
		lua_close(state);
	state = NULL;
}

/* A state with the function that gives an input to the reader on its stack. */
static void open_state(void) {
	const char *reader = getenv("FUZZ_READER"), *path = getenv("FUZZ_FILE");
	if (reader == NULL || path == NULL)
		fail("FUZZ_READER and FUZZ_FILE are not set");
	state = luaL_newstate();
	luaL_openlibs(state);
	luaL_getsubtable(state, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_pushcfunction(state, luaopen_ym2612ml_core);
	lua_setfield(state, -2, "ym2612ml.core");
	lua_settop(state, 0);
	lua_pushcfunction(state, with_trace);
	if (luaL_loadfile(state, "spec/fuzz/execute.lua") != LUA_OK)
		fail(lua_tostring(state, -1));
	lua_pushstring(state, reader);
	lua_pushstring(state, path);
	if (lua_pcall(state, 2, 1, 1) != LUA_OK)
		fail(lua_tostring(state, -1));
	if (descriptor < 0)
		descriptor = open(path, O_RDWR | O_CREAT, 0600);
	if (descriptor < 0)
		fail("FUZZ_FILE cannot be written");
}

static double seconds(void) {
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static int executions;
	int64_t before;
	double started;
	if (executions == 0) {
		__sanitizer_install_malloc_and_free_hooks(allocated, freed);
		atexit(close_state);
	}
	if (executions++ % LIFE == 0) {
		close_state();
		open_state();
	}
	if (pwrite(descriptor, data, size, 0) != (ssize_t)size ||
	    ftruncate(descriptor, (off_t)size) != 0)
		fail("FUZZ_FILE cannot be written");
	before = peak = in_use;
	started = seconds();
	previous = 0;
	lua_pushvalue(state, 2);
	lua_pushlstring(state, (const char *)data, size);
	lua_sethook(state, on_line, LUA_MASKLINE, 0);
	if (lua_pcall(state, 1, 0, 1) != LUA_OK)
		fail(lua_tostring(state, -1));
	lua_sethook(state, NULL, 0, 0);
	if (seconds() - started > longest)
		fail("more than a second");
	if (peak - before > largest)
		fail("more than 256 MiB");
	return 0;
}

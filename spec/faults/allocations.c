/*
** Runs a Lua script in a state whose memory, and the module's, can be made to fail:
**     allocations SCRIPT [ARGUMENT...]
** The module knows nothing of it: calloc, free and pthread_create are defined here, and so
** found before those of the C library. Calls of calloc from elsewhere than a file core.so are
** passed on. The script has a table `faults`:
**   attempt(what, how, number, f) -> status, requests, refused, ...
**     calls f while requests fail: of "lua" (its allocator), "module" (ym_alloc), "threads"
**     (their starts) or "all"; `how` is "once" (the request of this number), "onwards" (that
**     and all after it) or a share 0..1 of all, drawn from this number as seed. status is
**     "ok", before the results of f, or "error", before the error
**   fresh(what, how, number, text) -> status, requests, refused, ...
**     the same of a chunk in a state made and closed meanwhile; its result, or the error, is
**     a string
**   alive() -> blocks of the module that are not freed
**   leaks() -> whether the leak checker knows blocks that nobody can reach; nil without it
*/
#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LUA = 1, MODULE = 2, THREADS = 4, ALL = 7 };

static const char *const names[] = {"lua", "module", "threads", "all", NULL};
static const unsigned kinds[] = {LUA, MODULE, THREADS, ALL};

/* Which requests fail. Workers of the pool may ask, too. */
static struct {
	unsigned kinds; /* 0: none fails */
	bool onwards;
	long number; /* of the first that fails; 0 where the share says it */
	uint64_t seed, bound;
	atomic_long requests, refused;
} plan;

/* A number drawn for a request: the finaliser of MurmurHash3. */
static uint64_t drawn(uint64_t seed, uint64_t request) {
	uint64_t z = seed * 0x9E3779B97F4A7C15u + request;
	z = (z ^ z >> 33) * 0xFF51AFD7ED558CCDu;
	z = (z ^ z >> 33) * 0xC4CEB9FE1A85EC53u;
	return z ^ z >> 33;
}

/* Counts a request; true when it must fail. */
static bool refuse(unsigned kind) {
	long request;
	bool fails;
	if ((plan.kinds & kind) == 0)
		return false;
	request = atomic_fetch_add(&plan.requests, 1) + 1;
	if (plan.number == 0)
		fails = drawn(plan.seed, (uint64_t)request) < plan.bound;
	else
		fails = plan.onwards ? request >= plan.number : request == plan.number;
	if (fails)
		atomic_fetch_add(&plan.refused, 1);
	return fails;
}

/* The blocks of the module that are alive: a table of addresses, open addressing. Its
** lock spins, since free is called before those of the sanitizers are there. */
enum { SLOTS = 1 << 18 };

static struct {
	atomic_flag locked;
	uintptr_t slots[SLOTS];
	long count;
} blocks = {.locked = ATOMIC_FLAG_INIT};

static void lock_blocks(void) {
	while (atomic_flag_test_and_set(&blocks.locked))
		sched_yield();
}

static void unlock_blocks(void) {
	atomic_flag_clear(&blocks.locked);
}

static size_t slot_of(uintptr_t address) {
	size_t slot = (size_t)drawn(1, address) % SLOTS;
	while (blocks.slots[slot] != 0 && blocks.slots[slot] != address)
		slot = (slot + 1) % SLOTS;
	return slot;
}

static void note_block(uintptr_t address) {
	lock_blocks();
	if (blocks.count > SLOTS / 2)
		abort();
	blocks.slots[slot_of(address)] = address;
	blocks.count++;
	unlock_blocks();
}

/* Forgets a block if it is one; those behind it in its run move up. */
static void forget_block(uintptr_t address) {
	size_t slot;
	lock_blocks();
	slot = slot_of(address);
	if (address != 0 && blocks.slots[slot] == address) {
		blocks.slots[slot] = 0;
		blocks.count--;
		for (size_t next = (slot + 1) % SLOTS; blocks.slots[next] != 0;
		     next = (next + 1) % SLOTS) {
			uintptr_t moved = blocks.slots[next];
			blocks.slots[next] = 0;
			blocks.slots[slot_of(moved)] = moved;
		}
	}
	unlock_blocks();
}

/* The definition of this name after ours, as a pointer to a function in *function. */
static void find_next(const char *name, void *function) {
	void *found = dlsym(RTLD_NEXT, name);
	if (found == NULL)
		abort();
	memcpy(function, &found, sizeof found);
}

/* Whether this is code of the module. */
static bool is_module(const void *address) {
	Dl_info found;
	return dladdr(address, &found) != 0 && found.dli_fname != NULL &&
	       strstr(found.dli_fname, "/core.so") != NULL;
}

/* While the next one is looked for, dlsym itself may ask for memory: it does without. */
void *calloc(size_t count, size_t size) {
	static void *(*next)(size_t, size_t);
	static bool finding;
	bool ours = is_module(__builtin_return_address(0));
	void *memory;
	if (next == NULL) {
		if (finding)
			return NULL;
		finding = true;
		find_next("calloc", &next);
	}
	memory = ours && refuse(MODULE) ? NULL : next(count, size);
	if (ours && memory != NULL)
		note_block((uintptr_t)memory);
	return memory;
}

/* ... and may free a message: it is let go. */
void free(void *memory) {
	static void (*next)(void *);
	static bool finding;
	if (next == NULL) {
		if (finding)
			return;
		finding = true;
		find_next("free", &next);
	}
	forget_block((uintptr_t)memory);
	next(memory);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*start)(void *), void *argument) {
	static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	if (next == NULL)
		find_next("pthread_create", &next);
	return refuse(THREADS) ? 11 /* EAGAIN */
	                       : next(thread, attributes, start, argument);
}

/* A request that Lua repeats after a collection. */
static struct {
	bool pending;
	void *block;
	size_t size;
} again;

/* Lua's allocator. Where a request fails, so does the next one if it is the same. */
static void *allocate(void *context, void *block, size_t old, size_t size) {
	(void)context;
	if (size == 0) {
		free(block);
		return NULL;
	}
	if (plan.kinds != 0 && (block == NULL || size > old)) {
		bool same = again.pending && again.block == block && again.size == size;
		again.pending = false;
		if (same)
			return NULL;
		if (refuse(LUA)) {
			again.pending = true;
			again.block = block;
			again.size = size;
			return NULL;
		}
	}
	return realloc(block, size);
}

/* What runs, for who finds that it crashed. */
static char running[120];

static void crashed(int number) {
	ssize_t written = write(STDERR_FILENO, running, strlen(running));
	signal(number, SIG_DFL);
	raise(number + 0 * (int)written);
}

/* Reads the plan from the first three arguments; what and how fail from now on. */
static void arm(lua_State *L) {
	unsigned chosen = kinds[luaL_checkoption(L, 1, NULL, names)];
	bool share = lua_type(L, 2) == LUA_TNUMBER;
	const char *how = share ? "share" : luaL_checkstring(L, 2);
	lua_Integer number = luaL_checkinteger(L, 3);
	plan.onwards = strcmp(how, "onwards") == 0;
	plan.number = share ? 0 : (long)number;
	plan.seed = (uint64_t)number;
	plan.bound = share ? (uint64_t)(lua_tonumber(L, 2) * 0x1p63) * 2 : 0;
	snprintf(running, sizeof running, "crashed while failing: %s %s %lld\n",
	         lua_tostring(L, 1), how, (long long)number);
	atomic_store(&plan.requests, 0);
	atomic_store(&plan.refused, 0);
	again.pending = false;
	plan.kinds = chosen;
}

static void disarm(void) {
	plan.kinds = 0;
	again.pending = false;
	running[0] = '\0';
}

static int attempt(lua_State *L) {
	int status;
	luaL_checktype(L, 4, LUA_TFUNCTION);
	lua_settop(L, 4);
	luaL_checkstack(L, 10, NULL);
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushnil(L);
	lua_pushvalue(L, 4);
	arm(L);
	status = lua_pcall(L, 0, LUA_MULTRET, 0);
	disarm();
	lua_pushstring(L, status == LUA_OK ? "ok" : "error");
	lua_replace(L, 5);
	lua_pushinteger(L, atomic_load(&plan.requests));
	lua_replace(L, 6);
	lua_pushinteger(L, atomic_load(&plan.refused));
	lua_replace(L, 7);
	return lua_gettop(L) - 4;
}

static int open_libraries(lua_State *L) {
	luaL_openlibs(L);
	return 0;
}

static int fresh(lua_State *L) {
	const char *text = luaL_checkstring(L, 4);
	char result[200] = "not enough memory";
	int status = LUA_ERRMEM;
	lua_State *other;
	arm(L);
	other = lua_newstate(allocate, NULL);
	if (other != NULL) {
		lua_pushcfunction(other, open_libraries);
		status = lua_pcall(other, 0, 0, 0);
		if (status == LUA_OK)
			status = luaL_loadstring(other, text);
		if (status == LUA_OK)
			status = lua_pcall(other, 0, 1, 0);
		if (lua_type(other, -1) == LUA_TSTRING)
			snprintf(result, sizeof result, "%s", lua_tostring(other, -1));
		lua_close(other);
	}
	disarm();
	lua_pushstring(L, status == LUA_OK ? "ok" : "error");
	lua_pushinteger(L, atomic_load(&plan.requests));
	lua_pushinteger(L, atomic_load(&plan.refused));
	lua_pushstring(L, result);
	return 4;
}

static int alive(lua_State *L) {
	lua_pushinteger(L, blocks.count);
	return 1;
}

/* There with the address sanitizer only. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

/* lua-cjson loses its buffer where Lua has no memory while it decodes: nothing of ours. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void) {
	return "leak:strbuf_new\n";
}

const char *__lsan_default_options(void);

const char *__lsan_default_options(void) {
	return "print_suppressions=0";
}

static int leaks(lua_State *L) {
	if (__lsan_do_recoverable_leak_check == NULL)
		return 0;
	lua_pushboolean(L, __lsan_do_recoverable_leak_check() != 0);
	return 1;
}

static int run(lua_State *L) {
	static const luaL_Reg functions[] = {{"attempt", attempt},
	                                     {"fresh", fresh},
	                                     {"alive", alive},
	                                     {"leaks", leaks},
	                                     {NULL, NULL}};
	const char *const *arguments = lua_touserdata(L, 1);
	luaL_openlibs(L);
	luaL_newlib(L, functions);
	lua_setglobal(L, "faults");
	lua_newtable(L);
	for (int i = 1; arguments[i] != NULL; i++) {
		lua_pushstring(L, arguments[i]);
		lua_rawseti(L, -2, i - 1);
	}
	lua_setglobal(L, "arg");
	if (luaL_loadfile(L, arguments[1]) != LUA_OK)
		return lua_error(L);
	lua_call(L, 0, 0);
	return 0;
}

int main(int count, char **arguments) {
	lua_State *L = lua_newstate(allocate, NULL);
	int status;
	if (count < 2 || L == NULL) {
		fprintf(stderr, "usage: allocations SCRIPT [ARGUMENT...]\n");
		return EXIT_FAILURE;
	}
	signal(SIGSEGV, crashed);
	signal(SIGABRT, crashed);
	lua_pushcfunction(L, run);
	lua_pushlightuserdata(L, arguments);
	status = lua_pcall(L, 1, 0, 0);
	if (status != LUA_OK)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	lua_close(L);
	return status == LUA_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

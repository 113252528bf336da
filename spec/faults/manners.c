/*
** A thread of a host that is not as Lua programs find it: with a small stack, another mode
** of floating point, signals of its own. Runs a script in it, and looks afterwards at what
** belongs to the host.
**
**   manners [-k KiB] [-f] [-r up|down|zero] SCRIPT [ARGUMENT]
**
** -k  the stack of the thread; the deepest use of it is printed on stderr
** -f  numbers too small are zero (FTZ and DAZ), as audio programs have it
** -r  another direction of rounding
**
** Prints what the script returned. The exit status is 1 when it failed, or when signals,
** the mode of floating point, the locale, the environment, the folder it works in, the
** umask or the open files are not what they were.
*/
#include <dirent.h>
#include <fenv.h>
#include <lauxlib.h>
#include <locale.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

extern char **environ;

enum { SIGNALS = 65, UNTOUCHED = 0xA5 };

struct settings {
	size_t stack; /* bytes; 0: as usual */
	bool flush;
	int rounding;
	const char *script, *argument;
	bool failed;
};

/* What a module must leave as it is. */
struct state {
	struct sigaction actions[SIGNALS];
	sigset_t blocked;
	int rounding, files, variables;
	unsigned control; /* of SSE */
	mode_t mask;
	char locale[256], folder[1024];
};

static int count_files(void) {
	int count = 0;
	DIR *folder = opendir("/proc/self/fd");
	while (folder && readdir(folder))
		count++;
	if (folder)
		closedir(folder);
	return count;
}

static void look(struct state *state) {
	memset(state, 0, sizeof *state);
	for (int i = 1; i < SIGNALS; i++)
		sigaction(i, NULL, &state->actions[i]);
	pthread_sigmask(SIG_SETMASK, NULL, &state->blocked);
	state->rounding = fegetround();
	state->files = count_files();
	for (char **variable = environ; *variable; variable++)
		state->variables++;
#ifdef __SSE__
	state->control = _mm_getcsr() & ~0x3Fu; /* without the flags of what happened */
#endif
	state->mask = umask(0);
	umask(state->mask);
	snprintf(state->locale, sizeof state->locale, "%s", setlocale(LC_ALL, NULL));
	if (!getcwd(state->folder, sizeof state->folder))
		state->folder[0] = 0;
}

/* What differs, or NULL. */
static const char *difference(const struct state *a, const struct state *b) {
	for (int i = 1; i < SIGNALS; i++)
		if (a->actions[i].sa_handler != b->actions[i].sa_handler)
			return "the handler of a signal";
	if (memcmp(&a->blocked, &b->blocked, sizeof a->blocked) != 0)
		return "the signals that are blocked";
	if (a->rounding != b->rounding || a->control != b->control)
		return "the mode of floating point";
	if (a->files != b->files)
		return "the files that are open";
	if (a->variables != b->variables)
		return "the environment";
	if (a->mask != b->mask)
		return "the umask";
	if (strcmp(a->locale, b->locale) != 0)
		return "the locale";
	return strcmp(a->folder, b->folder) != 0 ? "the folder" : NULL;
}

static void set_mode(const struct settings *settings) {
#ifdef __SSE__
	if (settings->flush)
		_mm_setcsr(_mm_getcsr() | 0x8040);
#endif
	fesetround(settings->rounding);
}

static void *run(void *argument) {
	struct settings *settings = argument;
	struct state before, after;
	lua_State *L = luaL_newstate();
	set_mode(settings);
	look(&before);
	luaL_openlibs(L);
	settings->failed = luaL_loadfile(L, settings->script) != LUA_OK;
	if (!settings->failed) {
		lua_pushstring(L, settings->argument);
		settings->failed = lua_pcall(L, 1, 1, 0) != LUA_OK;
	}
	printf("%s\n", luaL_tolstring(L, -1, NULL));
	lua_close(L);
	look(&after);
	const char *changed = difference(&before, &after);
	if (changed)
		printf("changed: %s\n", changed);
	settings->failed |= changed != NULL;
	return NULL;
}

/* The bytes of a stack, which grows downwards, that were ever written. */
static size_t used(const unsigned char *stack, size_t size) {
	size_t free = 0;
	while (free < size && stack[free] == UNTOUCHED)
		free++;
	return size - free;
}

static bool run_in_thread(struct settings *settings) {
	pthread_t thread;
	pthread_attr_t attributes;
	unsigned char *stack = NULL;
	pthread_attr_init(&attributes);
	if (settings->stack) {
		/* Below it is a page that nobody may touch. */
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		stack = mmap(NULL, page + settings->stack, PROT_NONE,
		             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (stack == MAP_FAILED ||
		    mprotect(stack += page, settings->stack, PROT_READ | PROT_WRITE) != 0)
			return false;
		memset(stack, UNTOUCHED, settings->stack);
		pthread_attr_setstack(&attributes, stack, settings->stack);
	}
	if (pthread_create(&thread, &attributes, run, settings) != 0)
		return false;
	pthread_join(thread, NULL);
	if (stack)
		fprintf(stderr, "stack: %zu of %zu KiB\n",
		        (used(stack, settings->stack) + 1023) / 1024, settings->stack / 1024);
	return !settings->failed;
}

int main(int count, char **arguments) {
	struct settings settings = {.rounding = FE_TONEAREST};
	for (int letter; (letter = getopt(count, arguments, "k:fr:")) != -1;) {
		if (letter == 'k')
			settings.stack = (size_t)atol(optarg) * 1024;
		else if (letter == 'f')
			settings.flush = true;
		else if (letter == 'r')
			settings.rounding = *optarg == 'u'   ? FE_UPWARD
			                    : *optarg == 'd' ? FE_DOWNWARD
			                                     : FE_TOWARDZERO;
	}
	settings.script = optind < count ? arguments[optind] : NULL;
	settings.argument = optind + 1 < count ? arguments[optind + 1] : NULL;
	if (!settings.script) {
		fprintf(stderr,
		        "usage: manners [-k KiB] [-f] [-r up|down|zero] SCRIPT [ARGUMENT]\n");
		return 2;
	}
	setlocale(LC_ALL, "");
	return run_in_thread(&settings) ? 0 : 1;
}

/*
** A host that does to the module what hosts do: Lua states on several threads, forks,
** signals, a state closed in the middle of its work.
**
**   threads same SCRIPT STATES          what SCRIPT returns in so many states at once
**   threads mix WORKS SECONDS [SEED]    eight threads do pieces of work at random
**   threads fork WORKS                  the pieces before a fork, and in the child after it
**   threads signals WORKS SECONDS       the pieces while a timer interrupts 1,000 times a
**                                       second
**   threads close SCRIPT                closes a state whose SCRIPT left work half done
**
** WORKS is works.lua, or another that returns a list of {name =, run = function that gives
** a string}; the answers must be those of the same work done alone. The exit status is 1
** when something is not as it should be.
*/
#define _GNU_SOURCE /* gettid */

#include <dirent.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_STATES = 64, MOST_WORKS = 64, ANSWER = 512, THREADS = 8, PATIENCE = 120 };

struct work {
	char name[32], answer[ANSWER]; /* answer: that of the work done alone */
	atomic_int rounds;
};

struct plan {
	const char *script;
	double end; /* when the rounds end */
	int works;
	atomic_int faults;
	struct work work[MOST_WORKS];
};

struct job {
	pthread_t thread;
	struct plan *plan;
	unsigned seed;
	int index;
	bool failed;
	char answer[ANSWER];
};

static double now(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Runs a script in a new state, with the text of what it returned or of why it failed, and
** the value itself on the stack. */
static lua_State *open_state(const char *script, bool *failed, char *answer) {
	lua_State *L = luaL_newstate();
	*failed = true;
	snprintf(answer, ANSWER, "no memory for a state");
	if (L == NULL)
		return NULL;
	luaL_openlibs(L);
	*failed = luaL_loadfile(L, script) != LUA_OK || lua_pcall(L, 0, 1, 0) != LUA_OK;
	snprintf(answer, ANSWER, "%s", luaL_tolstring(L, -1, NULL));
	lua_pop(L, 1);
	return L;
}

static lua_State *open_works(struct plan *plan) {
	char answer[ANSWER];
	bool failed;
	lua_State *L = open_state(plan->script, &failed, answer);
	if (failed || !lua_istable(L, -1)) {
		fprintf(stderr, "threads: %s: %s\n", plan->script, answer);
		exit(2);
	}
	return L;
}

/* Does a piece of work of the list on top of the stack. */
static bool perform(lua_State *L, int index, char *answer) {
	bool done;
	lua_geti(L, -1, index + 1);
	lua_getfield(L, -1, "run");
	done = lua_pcall(L, 0, 1, 0) == LUA_OK;
	snprintf(answer, ANSWER, "%s", luaL_tolstring(L, -1, NULL));
	lua_pop(L, 3);
	return done;
}

/* Does it and compares the answer. */
static void judge(struct plan *plan, lua_State *L, int index, const char *where) {
	struct work *work = &plan->work[index];
	char answer[ANSWER];
	bool done = perform(L, index, answer);
	work->rounds++;
	if (!done || strcmp(answer, work->answer) != 0) {
		plan->faults++;
		fprintf(stderr, "threads: %s %s: %s, alone %s\n", work->name, where, answer,
		        work->answer);
	}
}

/* Every piece alone, which gives the answers to compare to; with the state it was done in. */
static lua_State *learn_answers(struct plan *plan) {
	lua_State *L = open_works(plan);
	plan->works = (int)luaL_len(L, -1);
	if (plan->works > MOST_WORKS)
		plan->works = MOST_WORKS;
	for (int i = 0; i < plan->works; i++) {
		struct work *work = &plan->work[i];
		lua_geti(L, -1, i + 1);
		lua_getfield(L, -1, "name");
		snprintf(work->name, sizeof work->name, "%s", lua_tostring(L, -1));
		lua_pop(L, 2);
		if (!perform(L, i, work->answer)) {
			fprintf(stderr, "threads: %s alone: %s\n", work->name, work->answer);
			exit(2);
		}
	}
	return L;
}

static int report(const struct plan *plan) {
	int rounds = 0;
	for (int i = 0; i < plan->works; i++) {
		printf("%s %d\n", plan->work[i].name, plan->work[i].rounds);
		rounds += plan->work[i].rounds;
	}
	printf("rounds %d, faults %d\n", rounds, plan->faults);
	return plan->faults != 0;
}

static void *run_same(void *argument) {
	struct job *job = argument;
	lua_State *L = open_state(job->plan->script, &job->failed, job->answer);
	if (L != NULL)
		lua_close(L);
	return NULL;
}

static int same(struct plan *plan, int states) {
	struct job jobs[MOST_STATES] = {0};
	bool failed = false;
	states = states < 1 ? 1 : states > MOST_STATES ? MOST_STATES : states;
	for (int i = 0; i < states; i++) {
		jobs[i].plan = plan;
		if (pthread_create(&jobs[i].thread, NULL, run_same, &jobs[i]) != 0)
			exit(2);
	}
	for (int i = 0; i < states; i++) {
		pthread_join(jobs[i].thread, NULL);
		printf("state %d: %s\n", i + 1, jobs[i].answer);
		failed |= jobs[i].failed || strcmp(jobs[i].answer, jobs[0].answer) != 0;
	}
	return failed;
}

/* Rounds begin after a random wait; the first is each thread's own piece, so that all
** differ. Now and then the state is closed and another one opened. */
static void *run_mix(void *argument) {
	struct job *job = argument;
	struct plan *plan = job->plan;
	lua_State *L = open_works(plan);
	int next = job->index % plan->works;
	while (now() < plan->end) {
		struct timespec wait = {0, (long)(rand_r(&job->seed) % 5000) * 1000};
		nanosleep(&wait, NULL);
		judge(plan, L, next, "among others");
		next = rand_r(&job->seed) % plan->works;
		if (rand_r(&job->seed) % 4 == 0) {
			lua_close(L);
			L = open_works(plan);
		}
	}
	lua_close(L);
	return NULL;
}

static int mix(struct plan *plan, double seconds, unsigned seed) {
	struct job jobs[THREADS] = {0};
	lua_close(learn_answers(plan));
	plan->end = now() + seconds;
	for (int i = 0; i < THREADS; i++) {
		jobs[i].plan = plan;
		jobs[i].index = i;
		jobs[i].seed = seed * THREADS + (unsigned)i;
		if (pthread_create(&jobs[i].thread, NULL, run_mix, &jobs[i]) != 0)
			exit(2);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(jobs[i].thread, NULL);
	return report(plan);
}

/* The child goes on with the state whose pool had threads, and closes it. The parent goes
** on, too. A child that hangs is ended by its alarm. */
static int fork_after_use(struct plan *plan) {
	lua_State *L = learn_answers(plan);
	int status = 0;
	fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		alarm(PATIENCE);
	for (int i = 0; i < plan->works; i++)
		judge(plan, L, i, child == 0 ? "in the child" : "in the parent");
	lua_close(L);
	if (child == 0)
		_exit(plan->faults != 0);
	waitpid(child, &status, 0);
	if (status != 0) {
		printf("child: %s %d\n", WIFSIGNALED(status) ? "signal" : "exit status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		plan->faults++;
	}
	return report(plan);
}

static atomic_int signals, strays;

/* Signals are for the threads of the host, of which there is one. */
static void on_signal(int number) {
	(void)number;
	signals++;
	if (gettid() != getpid())
		strays++;
}

/* Other signals come by the way of the timer's, in turn. */
static void *send_others(void *argument) {
	static const int numbers[] = {SIGINT, SIGTERM, SIGUSR1};
	const struct plan *plan = argument;
	for (int i = 0; now() < plan->end; i++) {
		struct timespec wait = {0, 700000};
		nanosleep(&wait, NULL);
		kill(getpid(), numbers[i % 3]);
	}
	return NULL;
}

static int interrupt(struct plan *plan, double seconds) {
	static const int numbers[] = {SIGALRM, SIGINT, SIGTERM, SIGCHLD, SIGUSR1};
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: EINTR */
	struct itimerval timer = {{0, 1000}, {0, 1000}};
	pthread_t sender;
	sigset_t all, before;
	lua_State *L = learn_answers(plan);
	plan->end = now() + seconds;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &action, NULL);
	sigfillset(&all); /* the sender is no thread to be interrupted */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&sender, NULL, send_others, plan) != 0)
		exit(2);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	do {
		for (int i = 0; i < plan->works; i++)
			judge(plan, L, i, "under signals");
	} while (now() < plan->end);
	pthread_join(sender, NULL);
	timer.it_value.tv_usec = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	lua_close(L);
	printf("signals %d, on threads that are not the host's %d\n", signals, strays);
	return report(plan) || strays != 0 || signals == 0;
}

static int entries(const char *folder) {
	int count = 0;
	DIR *directory = opendir(folder);
	while (directory != NULL && readdir(directory) != NULL)
		count++;
	if (directory != NULL)
		closedir(directory);
	return count;
}

/* What the script holds when it returns goes with its state: threads and open files are
** as many as before. */
static int close_half_done(struct plan *plan) {
	int threads = entries("/proc/self/task"), files = entries("/proc/self/fd");
	char answer[ANSWER];
	bool failed;
	lua_State *L = open_state(plan->script, &failed, answer);
	if (L != NULL)
		lua_close(L);
	printf("%s\n", answer);
	/* the kernel may show a thread for a moment after it was joined */
	for (int look = 0; look < 100 && entries("/proc/self/task") > threads; look++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	threads = entries("/proc/self/task") - threads;
	files = entries("/proc/self/fd") - files;
	printf("threads left %d, files left open %d\n", threads, files);
	return failed || threads != 0 || files != 0;
}

int main(int count, char **arguments) {
	static struct plan plan;
	const char *mode = count > 2 ? arguments[1] : "";
	double number = count > 3 ? atof(arguments[3]) : 1;
	if (count > 2)
		plan.script = arguments[2];
	if (strcmp(mode, "same") == 0)
		return same(&plan, (int)number);
	if (strcmp(mode, "mix") == 0)
		return mix(&plan, number, count > 4 ? (unsigned)atoi(arguments[4]) : 1);
	if (strcmp(mode, "fork") == 0)
		return fork_after_use(&plan);
	if (strcmp(mode, "signals") == 0)
		return interrupt(&plan, number);
	if (strcmp(mode, "close") == 0)
		return close_half_done(&plan);
	fprintf(stderr,
	        "usage: threads same|mix|fork|signals|close SCRIPT [NUMBER [SEED]]\n");
	return 2;
}

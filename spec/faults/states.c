/*
** Several Lua states, each on a thread of its own, all at work in one process at once.
**
**   states SCRIPT [STATES]
**
** Runs SCRIPT in STATES states (default 8) and prints what each returned. The exit
** status is 1 when a script fails or two states return different strings.
*/
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STATES = 64 };

struct job {
	pthread_t thread;
	const char *script;
	bool failed;
	char answer[256]; /* what the script returned, or why it failed */
};

/* A thread: one state from its first byte to its last. */
static void *run_state(void *argument) {
	struct job *job = argument;
	lua_State *L = luaL_newstate();
	if (!L) {
		job->failed = true;
		snprintf(job->answer, sizeof job->answer, "no memory for a state");
		return NULL;
	}
	luaL_openlibs(L);
	job->failed = luaL_dofile(L, job->script) != LUA_OK;
	const char *text = luaL_tolstring(L, -1, NULL);
	snprintf(job->answer, sizeof job->answer, "%s", text);
	lua_close(L);
	return NULL;
}

int main(int count, char **arguments) {
	int states = count > 2 ? atoi(arguments[2]) : 8;
	if (count < 2 || states < 1 || states > MOST_STATES) {
		fprintf(stderr, "usage: states SCRIPT [STATES], 1..%d states\n", MOST_STATES);
		return 2;
	}
	struct job jobs[MOST_STATES] = {0};
	for (int i = 0; i < states; i++) {
		jobs[i].script = arguments[1];
		if (pthread_create(&jobs[i].thread, NULL, run_state, &jobs[i])) {
			fprintf(stderr, "states: no thread for state %d\n", i + 1);
			return 1;
		}
	}
	bool failed = false;
	for (int i = 0; i < states; i++) {
		pthread_join(jobs[i].thread, NULL);
		printf("state %d: %s\n", i + 1, jobs[i].answer);
		failed |= jobs[i].failed || strcmp(jobs[i].answer, jobs[0].answer) != 0;
	}
	return failed;
}

/* What the parts of the host share. */
#ifndef HOST_H
#define HOST_H

#include <lua.h>
#include <stdint.h>

#include "queue.h"

/* A Lua state with a script that returned a function. */
struct script {
	lua_State *L;
	int function; /* its place in the registry */
	char problem[512];
};

struct host {
	const char *folder; /* of the scripts */
	atomic_bool stopping;
	struct ring ahead;       /* from the player to the audio thread */
	struct ring recorded;    /* from there to the file; no blocks when there is none */
	struct mailbox patches;  /* from the estimator to the player */
	struct mailbox requests; /* paths of sounds, from the user to the estimator */
	struct script player, estimator;
	/* Counts, read when the threads have ended. */
	uint64_t blocks;  /* played */
	uint64_t late;    /* of these, those done only after the next one had to begin */
	uint64_t empty;   /* those that were silent since the player was behind */
	uint64_t unsaved; /* those that are not in the file since the disk was behind */
	int64_t latest;   /* nanoseconds, from when a block was due to its end */
	bool realtime;    /* whether the audio thread was given SCHED_FIFO */
	uint64_t sent, taken, slices;
	int64_t longest; /* nanoseconds that a slice took */
};

/* Makes a state and runs a script of the folder in it; false, and problem says why. */
bool script_open(struct script *script, const char *folder, const char *name);
/* Calls a function with data as its light userdata, so that whatever goes wrong in it, no
** memory included, ends here: false, and problem says what. */
bool script_protect(struct script *script, lua_CFunction function, void *data);
/* Pushes the script's function. */
void script_push(lua_State *L, const struct script *script);
void script_close(struct script *script);

/* Nanoseconds since some moment in the past. */
int64_t host_clock(void);

/* The threads. Each takes a struct host, and ends when it is stopping. */
void *host_audio(void *host);
void *host_player(void *host);
void *host_estimator(void *host);

#endif

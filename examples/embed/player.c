/*
** The player: a thread with a Lua state that plays the song on the chip, a few blocks
** ahead of what is heard. It keeps the ring full; how long the ring is, is how long
** Lua may take for its garbage, or the machine for something else, without a gap, and
** also how much later a new patch is heard.
**
** The chip's own rate is 53267 Hz; libsamplerate makes the host's of it, and asks for
** more of the song when it needs some.
*/
#include <lauxlib.h>
#include <pthread.h>
#include <samplerate.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "host.h"

enum { PRIORITY = 50, FRAMES = 284, MOST = 4096 }; /* frames of the chip at a time */
static const double CHIP_RATE = 7670454.0 / 144;

struct player {
	struct host *host;
	long frames; /* in samples */
	float samples[MOST * SIDES];
};

/* Calls the script's function with a count of frames and, when there is a new one, a
** patch; takes the samples, pairs of floats in a string. */
static int play_frames(lua_State *L) {
	struct player *player = lua_touserdata(L, 1);
	const struct letter *patch = mailbox_fetch(&player->host->patches);
	script_push(L, &player->host->player);
	lua_pushinteger(L, FRAMES);
	if (patch)
		lua_pushlstring(L, patch->bytes, patch->size);
	lua_call(L, patch ? 2 : 1, 1);
	size_t size;
	const char *bytes = luaL_checklstring(L, -1, &size);
	if (size > sizeof player->samples)
		return luaL_error(L, "%d bytes of sound at once", (int)size);
	memcpy(player->samples, bytes, size);
	player->frames = (long)(size / (SIDES * sizeof(float)));
	player->host->taken += patch != NULL;
	return 0;
}

/* What libsamplerate asks for its input; 0 frames end it. */
static long more_frames(void *argument, float **samples) {
	struct player *player = argument;
	player->frames = 0;
	if (!script_protect(&player->host->player, play_frames, player))
		atomic_store(&player->host->stopping, true);
	*samples = player->samples;
	return player->frames;
}

static void keep_full(struct player *player, SRC_STATE *resampler) {
	struct host *host = player->host;
	const struct timespec half_a_block = {.tv_nsec = 500000000L * BLOCK / RATE};
	while (!atomic_load(&host->stopping)) {
		struct block *block = ring_to_write(&host->ahead);
		if (!block) {
			nanosleep(&half_a_block, NULL);
		} else if (src_callback_read(resampler, RATE / CHIP_RATE, BLOCK,
		                             block->samples) == BLOCK) {
			ring_wrote(&host->ahead);
		} else {
			if (!host->player.problem[0])
				snprintf(host->player.problem, sizeof host->player.problem,
				         "the script plays no more");
			return;
		}
	}
}

void *host_player(void *argument) {
	struct host *host = argument;
	struct player player = {.host = host};
	struct sched_param priority = {.sched_priority = PRIORITY};
	int failure = 0;
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority); /* where permitted */
	SRC_STATE *resampler = src_callback_new(more_frames, SRC_SINC_MEDIUM_QUALITY, SIDES,
	                                        &failure, &player);
	if (!resampler)
		snprintf(host->player.problem, sizeof host->player.problem, "resampler: %s",
		         src_strerror(failure));
	else if (script_open(&host->player, host->folder, "player.lua"))
		keep_full(&player, resampler);
	atomic_store(&host->stopping, true);
	script_close(&host->player);
	src_delete(resampler);
	return NULL;
}

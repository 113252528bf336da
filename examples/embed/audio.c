/*
** The audio thread, in place of a sound card's callback. It only copies blocks from a
** ring: nothing in it allocates, locks or waits for another thread, and it knows no Lua,
** since any call into a Lua state may collect garbage or ask for memory.
*/
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "host.h"

enum { PRIORITY = 60 };
static const int64_t SECOND = 1000000000;

int64_t host_clock(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

/* Sleeps until a time on the clock, so that the time a block takes adds up to nothing. */
static void sleep_until(int64_t when) {
	struct timespec at = {.tv_sec = when / SECOND, .tv_nsec = when % SECOND};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

/* Plays the next block on `device`, or silence when it is not there. */
static void play_block(struct host *host, struct block *device) {
	static const struct block silence;
	const struct block *block = ring_to_read(&host->ahead);
	memcpy(device, block ? block : &silence, sizeof *device);
	if (block)
		ring_did_read(&host->ahead);
	else
		host->empty++;
	if (!host->recorded.blocks)
		return;
	struct block *copy = ring_to_write(&host->recorded);
	if (copy) {
		memcpy(copy, device, sizeof *copy);
		ring_wrote(&host->recorded);
	} else {
		host->unsaved++;
	}
}

void *host_audio(void *argument) {
	struct host *host = argument;
	struct sched_param priority = {.sched_priority = PRIORITY};
	host->realtime = pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0;
	struct block device;
	int64_t start = host_clock();
	while (!atomic_load_explicit(&host->stopping, memory_order_relaxed)) {
		int64_t due = start + (int64_t)(host->blocks + 1) * BLOCK * SECOND / RATE;
		sleep_until(due);
		play_block(host, &device);
		int64_t lateness = host_clock() - due;
		if (lateness > host->latest)
			host->latest = lateness;
		host->late += lateness > BLOCK * SECOND / RATE;
		host->blocks++;
	}
	return NULL;
}

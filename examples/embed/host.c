/*
** A tracker in small: a program that plays a song on the chip while it looks for the
** patch of a recorded sound, and takes better ones over as they are found.
**
**   host [-s seconds] [-b blocks] [-w file.wav] [-f folder] sound...
**
** Four threads: one plays, and waits for nothing (audio.c); one renders ahead of it in a
** Lua state (player.c, player.lua); one estimates in slices in another (estimator.c,
** estimator.lua); this one is the user's, who wants another sound every few seconds,
** and writes the file. No lock is shared, and no Lua value leaves its state.
**
** -s  how long, default 10; Ctrl-C ends it before
** -b  blocks of 256 frames that are played ahead, default 16: 85 ms
** -w  keeps what was played
** -f  where the scripts are, default examples/embed
*/
#include "host.h"

#include <pthread.h>
#include <signal.h>
#include <sndfile.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { RECORDED = 512, MOST_AHEAD = 1024 }; /* blocks */
enum { EACH = 5 }; /* seconds until another sound is asked for */

struct user {
	struct host host;
	double seconds;
	const char *record;
	SNDFILE *file;
	long unwritten; /* blocks that did not go into it */
	char **sounds;
	int count, asked;
	sigset_t signals;
};

static bool read_arguments(struct user *user, int count, char **arguments) {
	long ahead = 16;
	user->seconds = 10;
	user->host.folder = "examples/embed";
	for (int letter; (letter = getopt(count, arguments, "s:b:w:f:")) != -1;) {
		if (letter == 's')
			user->seconds = atof(optarg);
		else if (letter == 'b')
			ahead = atol(optarg);
		else if (letter == 'w')
			user->record = optarg;
		else if (letter == 'f')
			user->host.folder = optarg;
		else
			return false;
	}
	user->sounds = arguments + optind;
	user->count = count - optind;
	return user->count >= 1 && user->seconds > 0 && ahead >= 1 && ahead <= MOST_AHEAD &&
	       ring_open(&user->host.ahead, (size_t)ahead);
}

static bool open_file(struct user *user) {
	SF_INFO info = {.samplerate = RATE, .channels = SIDES};
	if (!user->record)
		return true;
	info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
	user->file = sf_open(user->record, SFM_WRITE, &info);
	if (!user->file)
		fprintf(stderr, "host: %s: %s\n", user->record, sf_strerror(NULL));
	return user->file && ring_open(&user->host.recorded, RECORDED);
}

/* Writes what the audio thread left for the file. */
static void write_recorded(struct user *user) {
	const struct block *block;
	while (user->file && (block = ring_to_read(&user->host.recorded))) {
		if (sf_writef_float(user->file, block->samples, BLOCK) != BLOCK)
			user->unwritten++;
		ring_did_read(&user->host.recorded);
	}
}

/* Waits a moment; true when a signal came instead. */
static bool interrupted(struct user *user) {
	const struct timespec moment = {.tv_nsec = 20000000};
	return sigtimedwait(&user->signals, NULL, &moment) > 0;
}

/* Asks for the next sound, round and round. */
static void ask(struct user *user) {
	const char *path = user->sounds[user->asked++ % user->count];
	if (!mailbox_send(&user->host.requests, path, strlen(path)))
		fprintf(stderr, "host: %s: this path is too long\n", path);
}

/* Until the time is over, a thread stops, or the user does. */
static void run(struct user *user) {
	struct host *host = &user->host;
	int64_t start = host_clock();
	for (double now = 0; now < user->seconds && !atomic_load(&host->stopping);) {
		if (now >= (double)user->asked * EACH)
			ask(user);
		write_recorded(user);
		if (interrupted(user))
			break;
		now = (double)(host_clock() - start) / 1e9;
	}
}

static void start(struct host *host, pthread_t *thread, void *(*function)(void *)) {
	if (pthread_create(thread, NULL, function, host) != 0) {
		fprintf(stderr, "host: no thread\n");
		exit(1);
	}
}

/* The audio thread begins when the ring is full. */
static void begin(struct user *user, pthread_t threads[3]) {
	struct host *host = &user->host;
	mailbox_open(&host->patches);
	mailbox_open(&host->requests);
	start(host, &threads[0], host_player);
	while (ring_to_write(&host->ahead) && !atomic_load(&host->stopping))
		if (interrupted(user))
			atomic_store(&host->stopping, true);
	start(host, &threads[1], host_estimator);
	start(host, &threads[2], host_audio);
}

static void report(const struct host *host) {
	printf("%llu blocks of %d frames at %d Hz (%.1f s), %zu ahead (%.1f ms), %s\n",
	       (unsigned long long)host->blocks, BLOCK, RATE,
	       (double)host->blocks * BLOCK / RATE, host->ahead.size,
	       1e3 * (double)host->ahead.size * BLOCK / RATE,
	       host->realtime ? "SCHED_FIFO" : "normal priority (no right to SCHED_FIFO)");
	printf(
		"%llu missed: %llu late, %llu not rendered in time; latest %.3f ms of %.3f\n",
		(unsigned long long)(host->late + host->empty), (unsigned long long)host->late,
		(unsigned long long)host->empty, (double)host->latest / 1e6,
		1e3 * BLOCK / RATE);
	printf("%llu patches handed over, %llu taken; %llu slices, the longest %.1f ms\n",
	       (unsigned long long)host->sent, (unsigned long long)host->taken,
	       (unsigned long long)host->slices, (double)host->longest / 1e6);
}

int main(int count, char **arguments) {
	static struct user user;
	pthread_t threads[3];
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!read_arguments(&user, count, arguments)) {
		fprintf(stderr,
		        "usage: host [-s seconds] [-b blocks] [-w file.wav] [-f folder] "
		        "sound...\n");
		return 2;
	}
	/* Blocked here, and so in every thread made from here; asked for in `interrupted`. */
	sigemptyset(&user.signals);
	sigaddset(&user.signals, SIGINT);
	sigaddset(&user.signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &user.signals, NULL);
	if (!open_file(&user))
		return 1;
	begin(&user, threads);
	run(&user);
	atomic_store(&user.host.stopping, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	write_recorded(&user);
	report(&user.host);
	bool fine = (!user.file || sf_close(user.file) == 0) && user.unwritten == 0;
	if (!fine)
		fprintf(stderr, "host: %s: could not be written whole\n", user.record);
	if (user.host.unsaved > 0)
		fprintf(stderr, "host: %llu blocks are not in %s\n",
		        (unsigned long long)user.host.unsaved, user.record);
	const char *problems[] = {user.host.player.problem, user.host.estimator.problem};
	for (int i = 0; i < 2; i++) {
		if (problems[i][0])
			fprintf(stderr, "host: %s\n", problems[i]);
		fine = fine && !problems[i][0];
	}
	free(user.host.ahead.blocks);
	free(user.host.recorded.blocks);
	return fine ? 0 : 1;
}

/*
** The engine as a client of a JACK server (the only file that includes JACK's headers):
** MIDI in and out, two sides of sound, and queues to and from the thread that made it.
** The audio callback allocates nothing and locks nothing.
*/
#ifndef LIVE_CLIENT_H
#define LIVE_CLIENT_H

#include "live/engine.h"

struct ym_client;

struct ym_client_settings {
	const char *name;
	const char *server; /* NULL: the default one */
	int send;           /* MIDI channels that the patch is sent to, 0..6 */
	struct ym_engine_settings engine; /* but for the rate, which is the server's */
};

/* A MIDI message for the other thread: a controller or a program change. */
struct ym_client_event {
	uint32_t frame; /* of the server's clock, in which it came */
	uint8_t bytes[3];
};

/* What happened so far, as far as the callback has come. */
struct ym_client_counts {
	struct ym_engine_counts engine;
	uint64_t frames, periods;
	uint64_t dropped; /* events that the other thread did not take in time */
	uint64_t sent;    /* MIDI messages */
	uint64_t xruns;
};

/* Joins a running server, none is started: YM_IO when there is none, or it refuses. */
enum ym_status ym_client_open(const struct ym_client_settings *settings,
                              struct ym_client **client, struct ym_error *error);
/* Leaves the server, if it is still there. */
void ym_client_close(struct ym_client *client);

/* False, with the reason, when the server has gone or changed its rate. */
bool ym_client_alive(const struct ym_client *client, struct ym_error *error);

const char *
ym_client_name(const struct ym_client *client); /* the server may change it */
unsigned ym_client_rate(const struct ym_client *client);
unsigned ym_client_period(const struct ym_client *client); /* frames */

/* For the callback, in order; false when its queue is full. */
bool ym_client_patch(struct ym_client *client, const struct ym_patch *patch);
bool ym_client_silence(struct ym_client *client);

/* The next event: false when there is none. */
bool ym_client_event(struct ym_client *client, struct ym_client_event *event);

/* Waits until there is an event, or the server goes, or with `input` something to be read
** on the standard input, or for so long. */
void ym_client_wait(struct ym_client *client, double seconds, bool input);

void ym_client_counted(const struct ym_client *client, struct ym_client_counts *counts);

/* Connects the sound to the first two physical outputs, and every physical MIDI source to
** the input; tells how many connections that made. */
int ym_client_connect(struct ym_client *client);

#endif

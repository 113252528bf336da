#include "live/client.h"

#include <fcntl.h>
#include <jack/jack.h>
#include <jack/midiport.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "live/ring.h"
#include "live/send.h"

enum command_kind { COMMAND_PATCH, COMMAND_SILENCE };

struct command {
	enum command_kind kind;
	struct ym_patch patch;
};

enum end { END_NOT, END_SERVER, END_RATE };

/* The counts that the callback publishes, each on its own. */
enum { COUNTS = sizeof(struct ym_client_counts) / sizeof(uint64_t) };

struct ym_client {
	jack_client_t *jack;
	jack_port_t *midi_in, *midi_out, *side[2];
	struct ym_engine *engine;
	struct ym_ring commands, events;
	struct ym_send send;
	int listeners; /* connections of midi_out */
	double wait;   /* frames till the next message may be sent */
	unsigned rate;
	int pipe[2]; /* a byte in it wakes the other thread */
	struct ym_client_counts counts;
	_Atomic uint64_t published[COUNTS];
	_Atomic uint64_t xruns;
	atomic_int end; /* enum end */
};

/* One system call, only where there is news. It never waits: the pipe does not block, and
** one byte in it is as good as many. */
static void wake(struct ym_client *client) {
	ssize_t ignored = write(client->pipe[1], "", 1);
	(void)ignored;
}

static void take_commands(struct ym_client *client) {
	struct command command;
	while (ym_ring_take(&client->commands, &command))
		switch (command.kind) {
		case COMMAND_PATCH:
			ym_engine_patch(client->engine, &command.patch);
			ym_send_patch(&client->send, &command.patch);
			break;
		case COMMAND_SILENCE: ym_engine_silence(client->engine, false); break;
		}
}

/* Tells the other thread of a message; true when it is to be woken. */
static bool pass_on(struct ym_client *client, const jack_midi_event_t *midi,
                    jack_nframes_t start) {
	struct ym_client_event event = {.frame = start + midi->time};
	memcpy(event.bytes, midi->buffer, midi->size < 3 ? midi->size : 3);
	if (ym_ring_push(&client->events, &event))
		return true;
	client->counts.dropped++;
	return false;
}

/* Sends what is due of the patch in these frames. */
static void send_patch(struct ym_client *client, jack_nframes_t frames) {
	void *buffer = jack_port_get_buffer(client->midi_out, frames);
	int listeners = jack_port_connected(client->midi_out);
	uint8_t message[3];
	jack_midi_clear_buffer(buffer);
	if (listeners > client->listeners)
		ym_send_forget(&client->send);
	client->listeners = listeners;
	while (listeners > 0 && client->wait < frames &&
	       jack_midi_max_event_size(buffer) >= sizeof message &&
	       ym_send_next(&client->send, message)) {
		jack_nframes_t time = (jack_nframes_t)client->wait;
		jack_midi_event_write(buffer, time, message, sizeof message);
		client->wait += YM_SEND_PERIOD * client->rate;
		client->counts.sent++;
	}
	client->wait = client->wait > frames ? client->wait - frames : 0;
}

static void publish(struct ym_client *client) {
	uint64_t values[COUNTS];
	client->counts.engine = *ym_engine_counted(client->engine);
	memcpy(values, &client->counts, sizeof values);
	for (int i = 0; i < COUNTS; i++)
		atomic_store_explicit(&client->published[i], values[i], memory_order_relaxed);
}

/* The audio callback. */
static int process(jack_nframes_t frames, void *context) {
	struct ym_client *client = context;
	void *midi = jack_port_get_buffer(client->midi_in, frames);
	float *left = jack_port_get_buffer(client->side[0], frames);
	float *right = jack_port_get_buffer(client->side[1], frames);
	jack_nframes_t start = jack_last_frame_time(client->jack), at = 0;
	jack_nframes_t count = jack_midi_get_event_count(midi);
	bool news = false;
	take_commands(client);
	for (jack_nframes_t i = 0; i < count; i++) {
		jack_midi_event_t event;
		if (jack_midi_event_get(&event, midi, i) != 0)
			break;
		if (event.time > at && event.time < frames) {
			ym_engine_run(client->engine, event.time - at, left + at, right + at);
			at = event.time;
		}
		if (ym_engine_midi(client->engine, event.buffer, event.size) ==
		    YM_HEARD_CONTROL)
			news |= pass_on(client, &event, start);
	}
	ym_engine_run(client->engine, frames - at, left + at, right + at);
	send_patch(client, frames);
	client->counts.frames += frames;
	client->counts.periods++;
	publish(client);
	if (news)
		wake(client);
	return 0;
}

static void end(struct ym_client *client, enum end reason) {
	atomic_store(&client->end, reason);
	wake(client);
}

/* The server goes, or throws the client out. */
static void on_shutdown(jack_status_t code, const char *reason, void *context) {
	(void)code;
	(void)reason;
	end(context, END_SERVER);
}

static int on_rate(jack_nframes_t rate, void *context) {
	struct ym_client *client = context;
	if (rate != client->rate)
		end(client, END_RATE);
	return 0;
}

static int on_xrun(void *context) {
	struct ym_client *client = context;
	atomic_fetch_add(&client->xruns, 1);
	return 0;
}

/* libjack prints what goes wrong, which a library must not; what it means for the caller
** is in the status. */
static void say_nothing(const char *message) {
	(void)message;
}

static jack_port_t *add_port(jack_client_t *jack, const char *name, const char *type,
                             unsigned long flags) {
	return jack_port_register(jack, name, type, flags, 0);
}

static bool add_ports(struct ym_client *client) {
	client->midi_in = add_port(client->jack, "midi_in", JACK_DEFAULT_MIDI_TYPE,
	                           JackPortIsInput);
	client->midi_out = add_port(client->jack, "midi_out", JACK_DEFAULT_MIDI_TYPE,
	                            JackPortIsOutput);
	client->side[0] = add_port(client->jack, "left", JACK_DEFAULT_AUDIO_TYPE,
	                           JackPortIsOutput);
	client->side[1] = add_port(client->jack, "right", JACK_DEFAULT_AUDIO_TYPE,
	                           JackPortIsOutput);
	return client->midi_in && client->midi_out && client->side[0] && client->side[1];
}

static bool open_pipe(struct ym_client *client) {
	if (pipe(client->pipe) != 0) {
		client->pipe[0] = client->pipe[1] = -1;
		return false;
	}
	for (int i = 0; i < 2; i++) {
		fcntl(client->pipe[i], F_SETFL, O_NONBLOCK);
		fcntl(client->pipe[i], F_SETFD, FD_CLOEXEC);
	}
	return true;
}

static enum ym_status join(struct ym_client *client,
                           const struct ym_client_settings *settings,
                           struct ym_error *error) {
	const char *server = settings->server ? settings->server : "default";
	jack_options_t options = JackNoStartServer;
	jack_status_t status = 0;
	jack_set_error_function(say_nothing);
	jack_set_info_function(say_nothing);
	if (settings->server)
		client->jack = jack_client_open(settings->name, options | JackServerName,
		                                &status, settings->server);
	else
		client->jack = jack_client_open(settings->name, options, &status);
	if (client->jack != NULL)
		client->rate = jack_get_sample_rate(client->jack);
	else if (status & (JackServerFailed | JackServerError))
		return ym_fail(error, YM_IO, "%s: no JACK server of this name is running",
		               server);
	else
		return ym_fail(error, YM_IO,
		               "%s: the JACK server refused a client '%s' (status 0x%x)",
		               server, settings->name, (unsigned)status);
	if (client->rate < YM_RESAMPLE_LOWEST || client->rate > YM_RESAMPLE_HIGHEST)
		return ym_fail(error, YM_IO,
		               "%s: the JACK server runs at %u Hz, expected %d..%d", server,
		               client->rate, YM_RESAMPLE_LOWEST, YM_RESAMPLE_HIGHEST);
	return YM_OK;
}

/* All that the callbacks use. */
static enum ym_status prepare(struct ym_client *client,
                              const struct ym_client_settings *settings,
                              struct ym_error *error) {
	struct ym_engine_settings engine = settings->engine;
	engine.rate = client->rate;
	client->engine = ym_engine_new(&engine);
	ym_send_open(&client->send, settings->send, &engine.patch);
	if (client->engine == NULL ||
	    !ym_ring_open(&client->commands, sizeof(struct command)) ||
	    !ym_ring_open(&client->events, sizeof(struct ym_client_event)))
		return ym_no_memory(error);
	if (!open_pipe(client))
		return ym_fail(error, YM_IO, "%s: no pipe for its events", settings->name);
	return YM_OK;
}

static enum ym_status start(struct ym_client *client, struct ym_error *error) {
	jack_set_process_callback(client->jack, process, client);
	jack_on_info_shutdown(client->jack, on_shutdown, client);
	jack_set_sample_rate_callback(client->jack, on_rate, client);
	jack_set_xrun_callback(client->jack, on_xrun, client);
	if (!add_ports(client) || jack_activate(client->jack) != 0)
		return ym_fail(error, YM_IO, "%s: the JACK server gave it no ports",
		               ym_client_name(client));
	return YM_OK;
}

enum ym_status ym_client_open(const struct ym_client_settings *settings,
                              struct ym_client **opened, struct ym_error *error) {
	struct ym_client *client = ym_alloc(1, sizeof *client);
	if (client == NULL)
		return ym_no_memory(error);
	client->pipe[0] = client->pipe[1] = -1;
	if (join(client, settings, error) != YM_OK ||
	    prepare(client, settings, error) != YM_OK || start(client, error) != YM_OK) {
		ym_client_close(client);
		return error->status;
	}
	*opened = client;
	return YM_OK;
}

void ym_client_close(struct ym_client *client) {
	if (client == NULL)
		return;
	if (client->jack)
		jack_client_close(client->jack);
	ym_engine_free(client->engine);
	ym_ring_close(&client->commands);
	ym_ring_close(&client->events);
	for (int i = 0; i < 2; i++)
		if (client->pipe[i] >= 0)
			close(client->pipe[i]);
	ym_free(client);
}

bool ym_client_alive(const struct ym_client *client, struct ym_error *error) {
	switch (atomic_load(&client->end)) {
	case END_NOT: return true;
	case END_RATE:
		ym_fail(error, YM_IO, "the JACK server changed its rate");
		return false;
	default: ym_fail(error, YM_IO, "the JACK server has gone"); return false;
	}
}

const char *ym_client_name(const struct ym_client *client) {
	return jack_get_client_name(client->jack);
}

unsigned ym_client_rate(const struct ym_client *client) {
	return client->rate;
}

unsigned ym_client_period(const struct ym_client *client) {
	return jack_get_buffer_size(client->jack);
}

bool ym_client_patch(struct ym_client *client, const struct ym_patch *patch) {
	struct command command = {.kind = COMMAND_PATCH, .patch = *patch};
	return ym_ring_push(&client->commands, &command);
}

bool ym_client_silence(struct ym_client *client) {
	struct command command = {.kind = COMMAND_SILENCE};
	return ym_ring_push(&client->commands, &command);
}

bool ym_client_event(struct ym_client *client, struct ym_client_event *event) {
	return ym_ring_take(&client->events, event);
}

void ym_client_wait(struct ym_client *client, double seconds, bool input) {
	struct pollfd watched[2] = {{.fd = client->pipe[0], .events = POLLIN},
	                            {.fd = STDIN_FILENO, .events = POLLIN}};
	char bytes[64];
	poll(watched, input ? 2 : 1, (int)(seconds * 1000 + 0.5));
	while (read(client->pipe[0], bytes, sizeof bytes) > 0)
		;
}

void ym_client_counted(const struct ym_client *client,
                       struct ym_client_counts *counts) {
	uint64_t values[COUNTS] = {0};
	for (int i = 0; i < COUNTS; i++)
		values[i] = atomic_load_explicit(&client->published[i], memory_order_relaxed);
	memcpy(counts, values, sizeof values);
	counts->xruns = atomic_load(&client->xruns);
}

/* Connects ports that are there to one of ours, as many as `most`. */
static int connect_to(struct ym_client *client, const char *type, unsigned long flags,
                      jack_port_t *const *ours, int most) {
	const char **names = jack_get_ports(client->jack, NULL, type,
	                                    flags | JackPortIsPhysical);
	int made = 0;
	for (int i = 0; names != NULL && names[i] != NULL && (most == 0 || i < most); i++) {
		const char *own = jack_port_name(ours[most == 0 ? 0 : i]);
		bool into = flags & JackPortIsInput;
		made += jack_connect(client->jack, into ? own : names[i],
		                     into ? names[i] : own) == 0;
	}
	jack_free(names);
	return made;
}

int ym_client_connect(struct ym_client *client) {
	return connect_to(client, JACK_DEFAULT_AUDIO_TYPE, JackPortIsInput, client->side,
	                  2) +
	       connect_to(client, JACK_DEFAULT_MIDI_TYPE, JackPortIsOutput,
	                  &client->midi_in, 0);
}

/*
** Plays MIDI to the live instrument through a JACK server, at exact frames, and records
** what comes back:
**
**   player SERVER INSTRUMENT SCRIPT SECONDS [RECORDING]
**
** SCRIPT has a line `FRAME HEX HEX [HEX]` for each message, frames from 0 in order. After
** that many seconds it ends, with every message sent. RECORDING becomes two sides of raw
** 32-bit floats, one after the other in turn, from frame 0 on. Prints `origin FRAME`: the
** server's clock at frame 0; `midi FRAME HEX...` for what the instrument sent; and
** `sent COUNT late COUNT gaps COUNT`: messages, those whose period had passed, and periods
** that were not recorded.
*/
#include <jack/jack.h>
#include <jack/midiport.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_HEARD = 100000 };

struct message {
	long frame;
	unsigned size;
	unsigned char bytes[3];
};

/* Two clients, so that no connection leads back to where it came from, which would cost a
** period. */
struct player {
	jack_client_t *sender, *recorder;
	jack_port_t *out, *in, *side[2];
	struct message *script, *heard;
	size_t count, next, heard_count;
	float *samples; /* (frames, 2) */
	long frames, late, gaps, expected;
	_Atomic long origin; /* -1: not begun; -2: begin with the next period */
	atomic_bool done;
};

static int send(jack_nframes_t frames, void *context) {
	struct player *player = context;
	void *buffer = jack_port_get_buffer(player->out, frames);
	long now = (long)jack_last_frame_time(player->sender), begin = -2;
	jack_midi_clear_buffer(buffer);
	if (atomic_load(&player->origin) == -1)
		return 0;
	if (atomic_compare_exchange_strong(&player->origin, &begin, now + (long)frames))
		return 0;
	now -= atomic_load(&player->origin);
	for (; player->next < player->count; player->next++) {
		const struct message *message = &player->script[player->next];
		long time = message->frame - now;
		if (time >= (long)frames)
			break;
		player->late += time < 0;
		if (jack_midi_event_write(buffer, time < 0 ? 0 : (jack_nframes_t)time,
		                          message->bytes, message->size) != 0)
			break;
	}
	if (now >= player->frames)
		atomic_store(&player->done, true);
	return 0;
}

static void hear(struct player *player, jack_nframes_t frames, long now) {
	void *buffer = jack_port_get_buffer(player->in, frames);
	jack_nframes_t count = jack_midi_get_event_count(buffer);
	for (jack_nframes_t i = 0; i < count && player->heard_count < MOST_HEARD; i++) {
		struct message *message = &player->heard[player->heard_count++];
		jack_midi_event_t event;
		if (jack_midi_event_get(&event, buffer, i) != 0)
			break;
		message->frame = now + (long)event.time;
		message->size = event.size < 3 ? (unsigned)event.size : 3;
		memcpy(message->bytes, event.buffer, message->size);
	}
}

static int record(jack_nframes_t frames, void *context) {
	struct player *player = context;
	const float *left = jack_port_get_buffer(player->side[0], frames);
	const float *right = jack_port_get_buffer(player->side[1], frames);
	long now = (long)jack_last_frame_time(player->recorder);
	long origin = atomic_load(&player->origin);
	if (origin < 0)
		return 0;
	now -= origin;
	player->gaps += player->expected > 0 && now != player->expected;
	player->expected = now + (long)frames;
	hear(player, frames, now);
	for (long i = 0; i < (long)frames && player->samples; i++)
		if (now + i >= 0 && now + i < player->frames) {
			player->samples[2 * (now + i)] = left[i];
			player->samples[2 * (now + i) + 1] = right[i];
		}
	return 0;
}

static bool read_script(struct player *player, const char *path) {
	FILE *file = fopen(path, "r");
	struct message message = {0};
	unsigned bytes[3];
	char line[256];
	size_t room = 0;
	while (file && fgets(line, sizeof line, file)) {
		int fields = sscanf(line, "%ld %x %x %x", &message.frame, &bytes[0], &bytes[1],
		                    &bytes[2]);
		if (fields < 3)
			continue;
		message.size = (unsigned)fields - 1;
		for (unsigned i = 0; i < message.size; i++)
			message.bytes[i] = (unsigned char)bytes[i];
		if (player->count == room) {
			room = room ? 2 * room : 1024;
			player->script = realloc(player->script, room * sizeof *player->script);
			if (!player->script)
				return false;
		}
		player->script[player->count++] = message;
	}
	if (file)
		fclose(file);
	return file != NULL;
}

static bool open_clients(struct player *player, const char *server) {
	jack_options_t options = JackNoStartServer | JackServerName;
	player->sender = jack_client_open("sender", options, NULL, server);
	player->recorder = jack_client_open("recorder", options, NULL, server);
	if (!player->sender || !player->recorder)
		return false;
	player->out = jack_port_register(player->sender, "out", JACK_DEFAULT_MIDI_TYPE,
	                                 JackPortIsOutput, 0);
	player->in = jack_port_register(player->recorder, "in", JACK_DEFAULT_MIDI_TYPE,
	                                JackPortIsInput, 0);
	for (int side = 0; side < 2; side++)
		player->side[side] = jack_port_register(
			player->recorder, side ? "right" : "left", JACK_DEFAULT_AUDIO_TYPE,
			JackPortIsInput, 0);
	jack_set_process_callback(player->sender, send, player);
	jack_set_process_callback(player->recorder, record, player);
	return jack_activate(player->sender) == 0 && jack_activate(player->recorder) == 0;
}

static bool connect_to(struct player *player, const char *instrument) {
	const char *const names[4][3] = {{NULL, "midi_in", "sender:out"},
	                                 {NULL, "left", "recorder:left"},
	                                 {NULL, "right", "recorder:right"},
	                                 {NULL, "midi_out", "recorder:in"}};
	for (int i = 0; i < 4; i++) {
		char port[256];
		snprintf(port, sizeof port, "%s:%s", instrument, names[i][1]);
		if (jack_connect(player->sender, i == 0 ? names[i][2] : port,
		                 i == 0 ? port : names[i][2]) != 0)
			return false;
	}
	return true;
}

static bool save(const struct player *player, const char *path) {
	FILE *file = fopen(path, "wb");
	size_t count = 2 * (size_t)player->frames;
	bool fine = file && fwrite(player->samples, sizeof(float), count, file) == count;
	return (!file || fclose(file) == 0) && fine;
}

int main(int argc, char **argv) {
	static struct player player;
	if (argc < 5)
		return 2;
	atomic_init(&player.origin, -1);
	if (!read_script(&player, argv[3]) || !open_clients(&player, argv[1]) ||
	    !connect_to(&player, argv[2])) {
		fprintf(stderr, "player: no script, server or instrument\n");
		return 1;
	}
	player.frames = (long)(atof(argv[4]) * jack_get_sample_rate(player.sender));
	player.heard = calloc(MOST_HEARD, sizeof *player.heard);
	if (argc > 5)
		player.samples = calloc(2 * (size_t)player.frames, sizeof *player.samples);
	atomic_store(&player.origin, -2);
	while (!atomic_load(&player.done))
		usleep(10000);
	jack_deactivate(player.sender);
	jack_deactivate(player.recorder);
	printf("origin %ld\n", atomic_load(&player.origin));
	for (size_t i = 0; i < player.heard_count; i++) {
		printf("midi %ld", player.heard[i].frame);
		for (unsigned b = 0; b < player.heard[i].size; b++)
			printf(" %02x", player.heard[i].bytes[b]);
		printf("\n");
	}
	printf("sent %zu late %ld gaps %ld\n", player.next, player.late, player.gaps);
	jack_client_close(player.sender);
	jack_client_close(player.recorder);
	return argc > 5 && !save(&player, argv[5]);
}

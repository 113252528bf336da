#include "live/engine.h"

#include <math.h>
#include <string.h>

#include "voice.h"

/* A chip, and what is known of it without asking. */
struct layer {
	struct ym_opn2 chip;
	struct ym_patch patch;
	uint8_t written[2][256];  /* by port and register: the last value queued */
	bool behind[YM_CHANNELS]; /* channels that do not have the patch yet */
};

struct voice {
	uint8_t note, velocity;
	bool key;   /* down */
	bool pedal; /* key up, but held by the pedal */
	bool cut;   /* silenced at once: its release is the shortest till the next note */
	uint64_t started, released; /* when, in notes and releases counted */
	unsigned block, fnum;
};

struct ym_engine {
	struct ym_resample resample;
	struct layer layer[2];
	int front; /* the layer that sounds; during a fade the one that goes */
	bool fading;
	int fade;     /* frames of the fade; below 0, till the other layer may be heard */
	bool waiting; /* a patch for the end of the fade, in next */
	struct ym_patch next;
	struct voice voice[YM_CHANNELS];
	bool pedal;
	double bend, wheel; /* semitones: at the end of the wheel's way, and now */
	float gain;
	uint64_t clock; /* notes and releases so far */
	struct ym_engine_counts counts;
	int32_t *raw[2]; /* a step's chip samples of both sides */
};

enum { SETTLE = 256 };   /* frames in which a new chip takes its first patch */
enum { NOTE_ROOM = 40 }; /* writes of a note at most: key off, 31, pitch, key on, off */
#define MOST_CENTS 0.9

static double exact_fnum(double note, unsigned block) {
	return 440 * exp2((note - 69) / 12) * YM_CLOCKS_PER_SAMPLE * 0x1p20 /
	       YM_CLOCK_NTSC / exp2((double)block - 1);
}

/* Block 0 drops the lowest bit of fnum. */
static double nearest_fnum(double note, unsigned block) {
	double step = block == 0 ? 2 : 1;
	return step * nearbyint(exact_fnum(note, block) / step);
}

void ym_live_bend(double note, unsigned block, unsigned *new_block, unsigned *fnum) {
	double nearest = nearest_fnum(note, block);
	while (nearest > 2047 && block < 7)
		nearest = nearest_fnum(note, ++block);
	*new_block = block;
	*fnum = nearest > 2047 ? 2047 : (unsigned)nearest;
}

void ym_live_pitch(double note, unsigned *block, unsigned *fnum) {
	double octave = floor(note / 12) - 1, error;
	ym_live_bend(note, octave < 0 ? 0 : octave > 7 ? 7 : (unsigned)octave, block, fnum);
	error = 1200 * log2(*fnum / exact_fnum(note, *block));
	if (*block > 1 && 2 * *fnum <= 2047 && fabs(error) > MOST_CENTS)
		ym_live_bend(note, *block - 1, block, fnum);
}

/* The octave of a MIDI note that sounds: its own, or the highest that the chip plays. */
static double playable(uint8_t note) {
	return note <= YM_LIVE_HIGHEST
	           ? note
	           : YM_LIVE_HIGHEST - 11 + (note - YM_LIVE_HIGHEST - 1) % 12;
}

static void write(struct layer *layer, int port, int reg, int value) {
	layer->written[port][reg] = (uint8_t)value;
	ym_opn2_write(&layer->chip, port, reg, value);
}

static void write_new(struct layer *layer, int port, int reg, int value) {
	if (layer->written[port][reg] != value)
		write(layer, port, reg, value);
}

static bool is_held(const struct voice *voice) {
	return voice->key || voice->pedal;
}

/* Gives channel c the layer's patch at its voice's velocity. */
static void program(struct layer *layer, int c, const struct voice *voice) {
	struct ym_write writes[YM_PATCH_WRITES];
	struct ym_patch patch = layer->patch;
	if (voice->velocity > 0)
		ym_patch_velocity(&patch, voice->velocity);
	for (int o = 0; o < YM_OPERATORS && voice->cut; o++)
		patch.op[o][YM_RR] = ym_operator_fields[YM_RR].maximum;
	ym_patch_writes(&patch, c, writes);
	for (int i = 0; i < YM_PATCH_WRITES; i++)
		write_new(layer, writes[i].port, writes[i].reg, writes[i].value);
	layer->behind[c] = false;
}

static void write_key(struct layer *layer, int c, bool down) {
	ym_opn2_write(&layer->chip, 0, 0x28, (down ? 0xF0 : 0) | (c < 3 ? c : c + 1));
}

/* The upper bits go into a latch that the channels of both ports share, and act with the
** lower ones. */
static void write_pitch(struct layer *layer, int c, const struct voice *voice) {
	int port = c / 3, high = (int)(voice->block << 3 | voice->fnum >> 8);
	bool same = layer->written[port][0xA4 + c % 3] == high &&
	            layer->written[port][0xA0 + c % 3] == (voice->fnum & 255);
	if (!same) {
		write(layer, port, 0xA4 + c % 3, high);
		write(layer, port, 0xA0 + c % 3, (int)(voice->fnum & 255));
	}
}

/* The layers that notes go to: one, or both in a fade. */
static int layers(const struct ym_engine *engine) {
	return engine->fading ? 2 : 1;
}

static struct layer *layer_at(struct ym_engine *engine, int i) {
	return &engine->layer[i == 0 ? engine->front : !engine->front];
}

struct ym_engine *ym_engine_new(const struct ym_engine_settings *settings) {
	struct ym_engine *engine = ym_alloc(1, sizeof *engine);
	struct layer *layer;
	if (engine == NULL)
		return NULL;
	if (!ym_resample_open(&engine->resample, settings->rate)) {
		ym_engine_free(engine);
		return NULL;
	}
	for (int side = 0; side < 2; side++) {
		size_t room = engine->resample.capacity;
		engine->raw[side] = ym_alloc(room > SETTLE ? room : SETTLE, sizeof(int32_t));
	}
	if (!engine->raw[0] || !engine->raw[1]) {
		ym_engine_free(engine);
		return NULL;
	}
	engine->bend = settings->bend;
	engine->gain = (float)settings->gain;
	layer = &engine->layer[0];
	ym_opn2_reset(&layer->chip, settings->stage);
	layer->patch = settings->patch;
	for (int c = 0; c < YM_CHANNELS; c++) {
		layer->written[c / 3][0xB4 + c % 3] = 0xC0; /* as a reset leaves it */
		program(layer, c, &engine->voice[c]);
	}
	ym_opn2_run(&layer->chip, SETTLE, engine->raw[0], engine->raw[1]);
	return engine;
}

void ym_engine_free(struct ym_engine *engine) {
	if (engine == NULL)
		return;
	ym_resample_close(&engine->resample);
	ym_free(engine->raw[0]);
	ym_free(engine->raw[1]);
	ym_free(engine);
}

/* The channel for a note: the one that has it already, or the one that was let go of the
** longest ago, or else the one that was struck the longest ago. */
static int choose_voice(const struct ym_engine *engine, uint8_t note) {
	const struct voice *voice = engine->voice;
	int best = 0;
	for (int c = 0; c < YM_CHANNELS; c++)
		if (voice[c].started > 0 && voice[c].note == note)
			return c;
	for (int c = 1; c < YM_CHANNELS; c++) {
		bool held = is_held(&voice[c]), best_held = is_held(&voice[best]);
		bool older = held ? voice[c].started < voice[best].started
		                  : voice[c].released < voice[best].released;
		if (held == best_held ? older : best_held)
			best = c;
	}
	return best;
}

/* Whether all of a note can be queued, and after it that every key is let go of: the room
** of those key-offs is never given to anything else, so that no note hangs. */
static bool has_room(struct ym_engine *engine) {
	const int needed = NOTE_ROOM + YM_CHANNELS;
	for (int i = 0; i < layers(engine); i++)
		if (layer_at(engine, i)->chip.queue_count + needed > YM_WRITE_QUEUE)
			return false;
	return true;
}

/* Sets a voice's pitch to its note and the wheel. */
static void tune(struct voice *voice, double wheel) {
	double note = playable(voice->note);
	ym_live_pitch(note, &voice->block, &voice->fnum);
	if (wheel != 0)
		ym_live_bend(note + wheel, voice->block, &voice->block, &voice->fnum);
}

static void note_on(struct ym_engine *engine, uint8_t note, uint8_t velocity) {
	int c = choose_voice(engine, note);
	struct voice *voice = &engine->voice[c];
	if (!has_room(engine)) {
		engine->counts.lost++;
		return;
	}
	engine->counts.started++;
	if (is_held(voice) && voice->note != note)
		engine->counts.stolen++;
	for (int i = 0; i < layers(engine) && is_held(voice); i++)
		write_key(layer_at(engine, i), c, false);
	voice->note = note;
	voice->velocity = velocity;
	voice->key = true;
	voice->pedal = voice->cut = false;
	voice->started = ++engine->clock;
	tune(voice, engine->wheel);
	for (int i = 0; i < layers(engine); i++) {
		struct layer *layer = layer_at(engine, i);
		program(layer, c, voice);
		write_pitch(layer, c, voice);
		write_key(layer, c, true);
	}
}

static void release(struct ym_engine *engine, int c) {
	struct voice *voice = &engine->voice[c];
	voice->key = voice->pedal = false;
	voice->released = ++engine->clock;
	for (int i = 0; i < layers(engine); i++)
		write_key(layer_at(engine, i), c, false);
}

static void note_off(struct ym_engine *engine, uint8_t note) {
	for (int c = 0; c < YM_CHANNELS; c++) {
		struct voice *voice = &engine->voice[c];
		if (!voice->key || voice->note != note)
			continue;
		if (engine->pedal) {
			voice->key = false;
			voice->pedal = true;
		} else
			release(engine, c);
	}
}

static void set_pedal(struct ym_engine *engine, bool down) {
	engine->pedal = down;
	for (int c = 0; c < YM_CHANNELS && !down; c++)
		if (engine->voice[c].pedal)
			release(engine, c);
}

/* Where there is no room now, catch_up writes the pitch. */
static void set_wheel(struct ym_engine *engine, double semitones) {
	engine->wheel = semitones;
	for (int c = 0; c < YM_CHANNELS; c++) {
		struct voice *voice = &engine->voice[c];
		if (voice->started == 0)
			continue;
		tune(voice, semitones);
		for (int i = 0; i < layers(engine) && has_room(engine); i++)
			write_pitch(layer_at(engine, i), c, voice);
	}
}

void ym_engine_silence(struct ym_engine *engine, bool at_once) {
	engine->pedal = false;
	for (int c = 0; c < YM_CHANNELS; c++) {
		if (is_held(&engine->voice[c]))
			release(engine, c);
		if (!at_once || !has_room(engine))
			continue;
		engine->voice[c].cut = true;
		for (int i = 0; i < layers(engine); i++)
			program(layer_at(engine, i), c, &engine->voice[c]);
	}
}

static enum ym_heard controller(struct ym_engine *engine, uint8_t number,
                                uint8_t value) {
	if (number == 64)
		set_pedal(engine, value >= 64);
	else if (number == 121) {
		set_pedal(engine, false);
		set_wheel(engine, 0);
	} else if (number == 120 || number >= 123)
		ym_engine_silence(engine, number == 120);
	else if (number < 120)
		return YM_HEARD_CONTROL;
	return YM_HEARD_PLAYED;
}

enum ym_heard ym_engine_midi(struct ym_engine *engine, const uint8_t *bytes,
                             size_t size) {
	int kind = size > 0 ? bytes[0] >> 4 : 0;
	if (kind == 0xC && size >= 2)
		return YM_HEARD_CONTROL;
	if (size < 3)
		return YM_HEARD_NOTHING;
	switch (kind) {
	case 0x8: note_off(engine, bytes[1] & 127); return YM_HEARD_PLAYED;
	case 0x9:
		if (bytes[2] == 0)
			note_off(engine, bytes[1] & 127);
		else
			note_on(engine, bytes[1] & 127, bytes[2] & 127);
		return YM_HEARD_PLAYED;
	case 0xB: return controller(engine, bytes[1] & 127, bytes[2] & 127);
	case 0xE: {
		int wheel = (bytes[1] & 127) + 128 * (bytes[2] & 127) - 8192;
		set_wheel(engine, engine->bend * wheel / (wheel < 0 ? 8192 : 8191));
		return YM_HEARD_PLAYED;
	}
	default: return YM_HEARD_NOTHING;
	}
}

/* Whether anything of a channel can be heard, or will be. */
static bool sounds(const struct layer *layer, int c) {
	const struct ym_slot *slot = layer->chip.channel[c].slot;
	for (int s = 0; s < 4; s++)
		if (slot[s].level < YM_LEVEL_INAUDIBLE || slot[s].state != YM_RELEASE)
			return true;
	return false;
}

static void begin_fade(struct ym_engine *engine, const struct ym_patch *patch) {
	struct layer *layer = &engine->layer[!engine->front];
	*layer = engine->layer[engine->front];
	layer->patch = *patch;
	engine->fading = true; /* so that both layers need room */
	for (int c = 0; c < YM_CHANNELS; c++)
		layer->behind[c] = true;
	for (int pass = 0; pass < 2; pass++) /* keys that are down, then what rings on */
		for (int c = 0; c < YM_CHANNELS; c++)
			if (layer->behind[c] &&
			    (pass == 0 ? is_held(&engine->voice[c]) : sounds(layer, c)) &&
			    has_room(engine))
				program(layer, c, &engine->voice[c]);
	/* One more for the last write to act, two for the output to show it. */
	engine->fade = -(layer->chip.queue_count + 3);
	engine->counts.patches++;
}

void ym_engine_patch(struct ym_engine *engine, const struct ym_patch *patch) {
	const struct ym_patch *last = &layer_at(engine, engine->fading)->patch;
	if (engine->waiting)
		last = &engine->next;
	if (memcmp(last, patch, sizeof *patch) == 0)
		return;
	if (!engine->fading) {
		begin_fade(engine, patch);
		return;
	}
	engine->counts.replaced += engine->waiting;
	engine->waiting = true;
	engine->next = *patch;
}

/* Gives a channel the patch, and the pitch if the wheel found no room for it, where the
** chip has nothing else to take, so that notes need not wait for it. */
static void catch_up(struct ym_engine *engine) {
	for (int i = 0; i < layers(engine); i++) {
		struct layer *layer = layer_at(engine, i);
		for (int c = 0; c < YM_CHANNELS && layer->chip.queue_count == 0; c++) {
			if (layer->behind[c])
				program(layer, c, &engine->voice[c]);
			if (engine->voice[c].started > 0)
				write_pitch(layer, c, &engine->voice[c]);
		}
	}
}

/* How much of the layer that comes is heard in a frame of the fade. */
static float fade_share(int frame) {
	if (frame < 0)
		return 0;
	return frame < YM_FADE ? (float)frame / YM_FADE : 1;
}

/* Runs a layer, whose samples, from 0 at rest and all times gain, take the place of those
** in out: of the layer that comes in a fade, as far as it is heard. */
static void run_layer(struct ym_engine *engine, bool comes, size_t count,
                      float *out[2]) {
	struct ym_opn2 *chip = &layer_at(engine, comes)->chip;
	const int rest = ym_stage_rest(chip->stage);
	const float scale = engine->gain /
	                    (float)(YM_CHANNELS * ym_stage_swing(chip->stage));
	ym_opn2_run(chip, count, engine->raw[0], engine->raw[1]);
	for (size_t i = 0; i < count; i++) {
		float share = comes ? fade_share(engine->fade + (int)i) : 1;
		for (int side = 0; side < 2; side++) {
			float value = (float)(engine->raw[side][i] - rest) * scale;
			out[side][i] = share * value + (1 - share) * out[side][i];
		}
	}
}

static void end_fade(struct ym_engine *engine) {
	engine->front = !engine->front;
	engine->fading = false;
	if (engine->waiting) {
		engine->waiting = false;
		begin_fade(engine, &engine->next);
	}
}

void ym_engine_run(struct ym_engine *engine, size_t frames, float *left, float *right) {
	float *room[2] = {ym_resample_room(&engine->resample, 0),
	                  ym_resample_room(&engine->resample, 1)};
	for (size_t at = 0; at < frames;) {
		size_t count = frames - at < YM_RESAMPLE_STEP ? frames - at : YM_RESAMPLE_STEP;
		size_t needed = ym_resample_need(&engine->resample, count);
		catch_up(engine);
		run_layer(engine, false, needed, room);
		if (engine->fading) {
			run_layer(engine, true, needed, room);
			engine->fade += (int)needed;
			if (engine->fade >= YM_FADE)
				end_fade(engine);
		}
		ym_resample_step(&engine->resample, count, left + at, right + at);
		at += count;
	}
}

const struct ym_engine_counts *ym_engine_counted(const struct ym_engine *engine) {
	return &engine->counts;
}

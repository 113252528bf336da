/*
** The sound of the live instrument: MIDI in, samples out, six voices on the six channels
** of the chip, all with one patch. Knows neither JACK nor Lua. Once made it allocates
** nothing and waits for nothing, so that it may run in an audio callback.
**
** A change of the patch is a cross-fade between two chips: a copy of the one that sounds
** takes the new registers unheard, one a frame, those of sounding channels first; then
** both run for YM_FADE frames while the one goes over into the other. So there is no
** click, whatever changes, and the notes go on. A patch that comes meanwhile waits for
** the end of the fade; of several the newest wins.
*/
#ifndef LIVE_ENGINE_H
#define LIVE_ENGINE_H

#include "live/resample.h"
#include "patch.h"

enum { YM_FADE = 266 };         /* frames: 5 ms */
enum { YM_LIVE_HIGHEST = 116 }; /* MIDI note that the chip plays */

struct ym_engine_settings {
	unsigned rate; /* Hz, YM_RESAMPLE_LOWEST..YM_RESAMPLE_HIGHEST */
	enum ym_stage stage;
	double bend; /* semitones at the end of the pitch wheel's way */
	double gain;
	struct ym_patch patch;
};

/* What happened since the engine was made. */
struct ym_engine_counts {
	uint64_t started;  /* notes */
	uint64_t stolen;   /* of these, those that took the channel of a note still held */
	uint64_t lost;     /* notes that came when nearly a thousand writes of others were
	                   ** waiting for the chip, which takes one a frame */
	uint64_t patches;  /* that were faded to, or are being */
	uint64_t replaced; /* that were not, since a newer one came first */
};

struct ym_engine;

/* NULL when there is no memory. */
struct ym_engine *ym_engine_new(const struct ym_engine_settings *settings);
void ym_engine_free(struct ym_engine *engine);

/* What a MIDI message, whole and with its status byte, was to the engine. */
enum ym_heard { YM_HEARD_NOTHING, YM_HEARD_PLAYED, YM_HEARD_CONTROL };

/* Takes a MIDI message, which acts from the next sample on. Notes, pitch wheel, sustain
** pedal (64) and the channel mode messages (120 to 127) are played, whatever their MIDI
** channel; other controllers and program changes are YM_HEARD_CONTROL, for the caller to
** act on. */
enum ym_heard ym_engine_midi(struct ym_engine *engine, const uint8_t *bytes,
                             size_t size);

/* Goes over to a patch, unless it is the last one. */
void ym_engine_patch(struct ym_engine *engine, const struct ym_patch *patch);

/* Lets go of all keys; with `at once`, whatever the patch's release. */
void ym_engine_silence(struct ym_engine *engine, bool at_once);

/* Runs on for `frames` samples at the settings' rate. 1 is the largest swing of six
** channels, times gain. */
void ym_engine_run(struct ym_engine *engine, size_t frames, float *left, float *right);

const struct ym_engine_counts *ym_engine_counted(const struct ym_engine *engine);

/* Block and fnum of a MIDI note (fractions allowed, at most YM_LIVE_HIGHEST) for a key-on:
** those of trackers (ym_note_pitch), or where these err by more than 0.9 cents, which are
** D and D# (0.94 and 0.96), the block below with twice the fnum, whose steps are half as
** large (0.26 and 0.18). So notes from 24 (C1) on err by at most 0.82 cents, but for D1
** and D#1: block 0 is no help, since it drops the lowest bit of fnum, and errs by up to
** 1.9 cents. */
void ym_live_pitch(double note, unsigned *block, unsigned *fnum);

/* The same while the key is down: the block stays, since it decides, with fnum's upper
** bits, about rates and detune; but fnum has 11 bits, and beyond them the next block is
** taken. */
void ym_live_bend(double note, unsigned block, unsigned *new_block, unsigned *fnum);

#endif

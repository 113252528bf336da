/*
** One patch on one channel, as fast as it goes and in every sample equal to the
** six-channel chip: envelopes are stepped only where they can change, the envelope
** timer and the LFO are closed forms, and between two changes all is constant.
**
** What is rendered, in terms of the chip just reset: the patch is written to channel
** 1 from frame 0 on (0x22 in frame 0), the key-on in frame YM_KEY_FRAME, the key-off
** `held` frames later. Sample 0 is the first that the key-on can change, that is the
** chip's sample YM_KEY_FRAME + 3. So every note meets the same phase of the envelope
** clock and of the LFO.
*/
#ifndef VOICE_H
#define VOICE_H

#include "opn2.h"
#include "patch.h"

enum { YM_KEY_FRAME = 48 };

/* A note on a patch. */
struct ym_note {
	enum ym_stage stage;
	uint16_t fnum;  /* 0..2047 */
	uint8_t block;  /* 0..7 */
	size_t held;    /* frames from key-on to key-off, at least 1 */
	size_t release; /* frames rendered after it */
};

/* Tables of the sample loop, filled once and read by any number of threads. Log-sines
** by angle, then amplitudes by log-sine plus attenuation. Angles of the negative half
** wave point into a second, negated copy of the amplitudes, so that no sign is
** handled. Attenuations from YM_LEVEL_INAUDIBLE on are as good as that one. */
enum {
	YM_LOG_SINE_MAX = 2137,
	YM_AMPLITUDES = 4 * YM_LEVEL_INAUDIBLE + YM_LOG_SINE_MAX + 1,
};

struct ym_voice_tables {
	/* each with one more: some read 32 bits for 16 */
	uint16_t wave[1024 + 1];
	int16_t amplitude[2 * YM_AMPLITUDES + 1];
};

/* Makes the tables: the same in every process. */
void ym_voice_tables_fill(struct ym_voice_tables *tables);

/* Renders held + release samples into out: the sum of both idle and sounding
** channels on one side, with both outputs on, as the chip's integers. */
void ym_voice_render(const struct ym_voice_tables *tables, const struct ym_patch *patch,
                     const struct ym_note *note, int16_t *out);

/* The slots of a patch's operators, in diagram order, once its registers are written
** and no key was ever on. */
void ym_voice_slots(const struct ym_patch *patch, struct ym_slot slots[YM_OPERATORS]);

/* Frame in which an operator sees the key-on: operator 1 sees its key a frame late. */
static inline uint64_t ym_voice_key_on(int o) {
	return YM_KEY_FRAME + 1 + (o == 0);
}

/* The output at rest, all channels idle; and the largest swing that one channel makes
** from there. */
static inline int ym_stage_rest(enum ym_stage stage) {
	return YM_CHANNELS * ym_stage_output(stage, 0, true);
}

static inline int ym_stage_swing(enum ym_stage stage) {
	int low = stage == YM_STAGE_CLEAN ? -8192 : -256;
	return ym_stage_output(stage, 0, true) - ym_stage_output(stage, low, true);
}

/* The chip's integers as floats: (sample - output at rest) / largest swing of one
** channel, so -1..1. */
void ym_voice_scale(enum ym_stage stage, const int16_t *samples, size_t count,
                    float *out);

/* Block and fnum of a MIDI note (60 = C4, block 4; fractions allowed) at a master
** clock in Hz: block is the octave, limited to 0..7, and
** fnum = f * 144 * 2^20 / clock / 2^(block - 1), f = 440 * 2^((note - 69) / 12),
** rounded. False when fnum would exceed 2047. */
bool ym_note_pitch(double note, double clock, struct ym_note *pitch);

/* Frequency in Hz of multiple 1 at this block and fnum. */
double ym_note_frequency(const struct ym_note *pitch, double clock);

/* Adds the attenuation of a MIDI velocity 1..127 to the carriers' total levels:
** 40 log10(127 / velocity) dB (the square law most synthesizers use), in steps of
** 0.75 dB. */
void ym_patch_velocity(struct ym_patch *patch, int velocity);

#endif

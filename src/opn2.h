/*
** The chip: registers in, samples out. Six channels of four slots, LFO, SSG-EG,
** channel 3's special mode and CSM with timer A, the DAC and three output stages.
** In the stages YM2612 and YM3438 the samples are those of Nuked-OPN2 1.0.12, bit
** for bit. Knows no patches.
**
** Not modelled: the test registers 0x21 and 0x2C (but bit 3 of 0x2C, the DAC's
** lowest bit), reading status, interrupts, timer B.
*/
#ifndef OPN2_H
#define OPN2_H

#include "slot.h"

enum { YM_CHANNELS = 6 };

enum ym_stage {
	YM_STAGE_YM2612, /* 9-bit DAC with the ladder's step at every change of sign */
	YM_STAGE_YM3438, /* 9-bit DAC */
	YM_STAGE_CLEAN,  /* the 14-bit sum itself, as into an ideal DAC */
	YM_STAGES
};

/* "ym2612", "ym3438", "clean", then NULL: indexed by enum ym_stage. */
extern const char *const ym_stage_names[];

enum { YM_CLOCK_NTSC = 7670454, YM_CLOCK_PAL = 7600489, YM_CLOCKS_PER_SAMPLE = 144 };

/* What one channel adds to a side of the output for its value (9 bits; clean: 14). */
static inline int ym_stage_output(enum ym_stage stage, int value, bool pan) {
	int sign = value < 0 ? -1 : 1;
	if (stage != YM_STAGE_YM2612)
		return pan ? (stage == YM_STAGE_YM3438 ? 3 * value : value) : 0;
	return 3 * ((pan ? (value < 0 ? value : value + 1) : sign) + 3 * sign);
}

/* Adds a carrier's output to a channel's accumulator. */
static inline int ym_accumulate(enum ym_stage stage, int sum, int output) {
	int low = stage == YM_STAGE_CLEAN ? -8192 : -256, high = -1 - low;
	sum += stage == YM_STAGE_CLEAN ? output : output >> 5;
	return sum < low ? low : sum > high ? high : sum;
}

enum { YM_WRITE_QUEUE = 1024 }; /* writes that can wait */

struct ym_channel {
	struct ym_slot slot[4]; /* in the order they are evaluated: S1, S3, S2, S4 */
	struct ym_pitch_registers pitch;
	uint8_t algorithm, feedback, ams, fms;
	uint8_t feedback_now; /* what S1 uses: one frame behind the register */
	uint8_t keys;         /* bits 0..3: S1..S4, as written to 0x28 */
	uint8_t keys_last;    /* the same a frame ago: S1's key lags */
	bool left, right;
	int16_t sum[2]; /* accumulators of the last frame and the one before */
};

struct ym_opn2 {
	enum ym_stage stage;
	uint64_t frame;
	struct ym_channel channel[YM_CHANNELS];
	struct ym_pitch_registers special[3]; /* A8, A9, AA: channel 3's S3, S1, S2 */
	uint8_t pitch_latch, special_latch;   /* A4-A6 and AC-AE */
	uint8_t mode;                         /* 0x27 bits 7-6 */
	uint8_t lfo_enable, lfo_frequency, lfo_counter, lfo_divider;
	uint8_t dac_data, dac_low; /* 0x2A; 0x2C bit 3 */
	bool dac_enable;
	bool timer_load;
	uint16_t timer;      /* timer A's 10 bits */
	uint16_t timer_left; /* frames to its next overflow; 0: stopped */
	struct {
		uint8_t port, reg, value;
	} queue[YM_WRITE_QUEUE];
	uint16_t queue_first, queue_count;
};

/* Makes the chip as it is after a reset, with that output stage: silent, no key down,
** both outputs of every channel on, no write waiting, at frame 0. */
void ym_opn2_reset(struct ym_opn2 *chip, enum ym_stage stage);

/* Queues a write of value to register reg of port 0 or 1. Each frame takes one write
** from the queue, which acts from the next frame on. False when the queue is full. */
bool ym_opn2_write(struct ym_opn2 *chip, int port, int reg, int value);

/* Runs count frames. left and right get a sample each; 16 bits hold every sample of
** YM2612 (-4662..4662) and YM3438, clean needs 17. */
void ym_opn2_run(struct ym_opn2 *chip, size_t count, int32_t *left, int32_t *right);

/* A write and the frame, from 0 at the next one to run, in which it is queued. */
struct ym_timed_write {
	int32_t frame, port, reg, value;
};

/* Frames that playing these writes takes: `frames`, or more where the queue is full when
** a write's time has come, since then the chip runs until there is room. */
size_t ym_opn2_play_length(const struct ym_opn2 *chip,
                           const struct ym_timed_write *writes, size_t count,
                           size_t frames);

/* Runs that many frames, queueing each write in its frame; writes are in order of time. */
void ym_opn2_play(struct ym_opn2 *chip, const struct ym_timed_write *writes,
                  size_t count, size_t frames, int32_t *left, int32_t *right);

/* True when every field that indexes a table is in range, so that a state from
** outside can be run. */
bool ym_opn2_valid(const struct ym_opn2 *chip);

#endif

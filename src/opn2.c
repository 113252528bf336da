#include "opn2.h"

#include <string.h>

const char *const ym_stage_names[] = {"ym2612", "ym3438", "clean", NULL};

/* Positions in ym_channel.slot. */
enum { S1, S3, S2, S4 };

void ym_opn2_reset(struct ym_opn2 *chip, enum ym_stage stage) {
	memset(chip, 0, sizeof *chip);
	chip->stage = stage;
	chip->dac_data = 0x80;
	for (int c = 0; c < YM_CHANNELS; c++) {
		struct ym_channel *channel = &chip->channel[c];
		channel->left = channel->right = true;
		for (int s = 0; s < 4; s++) {
			channel->slot[s].level = YM_LEVEL_MAX;
			channel->slot[s].state = YM_RELEASE;
		}
	}
}

bool ym_opn2_write(struct ym_opn2 *chip, int port, int reg, int value) {
	int place;
	if (chip->queue_count == YM_WRITE_QUEUE)
		return false;
	place = (chip->queue_first + chip->queue_count++) % YM_WRITE_QUEUE;
	chip->queue[place].port = port & 1;
	chip->queue[place].reg = (uint8_t)reg;
	chip->queue[place].value = (uint8_t)value;
	return true;
}

/* One cycle's check of the LFO's divider: a bitwise match, not a comparison. */
static void lfo_check(struct ym_opn2 *chip) {
	int period = ym_lfo_period[chip->lfo_frequency];
	if ((chip->lfo_divider & period) == period) {
		chip->lfo_divider = 0;
		chip->lfo_counter = (chip->lfo_counter + 1) & 127;
	}
	if (!chip->lfo_enable)
		chip->lfo_counter = 0;
}

static void set_pitch(struct ym_pitch_registers *pitch, uint8_t low, uint8_t latch) {
	pitch->fnum = (uint16_t)((latch & 7) << 8 | low);
	pitch->block = latch >> 3 & 7;
	pitch->keycode = ym_keycode(pitch->fnum, pitch->block);
}

static void write_global(struct ym_opn2 *chip, uint8_t reg, uint8_t value) {
	int channel;
	switch (reg) {
	case 0x22:
		chip->lfo_enable = value >> 3 & 1;
		chip->lfo_frequency = value & 7;
		lfo_check(chip);
		break;
	case 0x24: chip->timer = (uint16_t)(value << 2 | (chip->timer & 3)); break;
	case 0x25: chip->timer = (uint16_t)((chip->timer & 0x3FC) | (value & 3)); break;
	case 0x27:
		chip->mode = value >> 6;
		if (!(value & 1))
			chip->timer_left = 0;
		else if (!chip->timer_load)
			chip->timer_left = 1; /* the first overflow comes at once */
		chip->timer_load = value & 1;
		break;
	case 0x28:
		channel = (value & 3) + (value & 4 ? 3 : 0);
		if ((value & 3) != 3)
			chip->channel[channel].keys = value >> 4;
		break;
	case 0x2A: chip->dac_data = value; break;
	case 0x2B: chip->dac_enable = value >> 7; break;
	case 0x2C: chip->dac_low = value >> 3 & 1; break;
	default: break;
	}
}

static void write_channel(struct ym_opn2 *chip, int index, uint8_t reg, uint8_t value) {
	struct ym_channel *channel = &chip->channel[index];
	switch (reg & 0xFC) {
	case 0xA0: set_pitch(&channel->pitch, value, chip->pitch_latch); break;
	case 0xA4: chip->pitch_latch = value & 63; break;
	case 0xA8:
		if (index < 3)
			set_pitch(&chip->special[index], value, chip->special_latch);
		break;
	case 0xAC: chip->special_latch = value & 63; break;
	case 0xB0:
		channel->algorithm = value & 7;
		channel->feedback = value >> 3 & 7;
		break;
	case 0xB4:
		channel->left = value >> 7;
		channel->right = value >> 6 & 1;
		channel->ams = value >> 4 & 3;
		channel->fms = value & 7;
		break;
	default: break;
	}
}

static void apply_write(struct ym_opn2 *chip, uint8_t port, uint8_t reg,
                        uint8_t value) {
	int index = (reg & 3) + 3 * port;
	if (reg < 0x30) {
		if (port == 0)
			write_global(chip, reg, value);
	} else if ((reg & 3) == 3)
		return;
	else if (reg < 0xA0)
		ym_slot_write(&chip->channel[index].slot[reg >> 2 & 3], reg >> 4, value);
	else
		write_channel(chip, index, reg, value);
}

/* What a frame gives every channel. */
struct frame {
	int pm, am;
	bool stepping;  /* an envelope frame */
	unsigned timer; /* the envelope's timer in it */
};

/* Pitch of a slot: channel 3 has one a slot in its special modes. */
static struct ym_pitch_registers slot_pitch(const struct ym_opn2 *chip, int c, int s) {
	static const uint8_t special[] = {[S1] = 1, [S3] = 0, [S2] = 2};
	if (c == 2 && chip->mode != 0 && s != S4)
		return chip->special[special[s]];
	return chip->channel[c].pitch;
}

static int modulation(const struct ym_channel *channel, int s) {
	const struct ym_slot *slot = channel->slot;
	int s1 = slot[S1].out, s2_last = slot[S2].last, s3 = slot[S3].out,
		s2 = slot[S2].out;
	if (s == S1)
		return channel->feedback_now
		           ? (slot[S1].out + slot[S1].last) >> (10 - channel->feedback_now)
		           : 0;
	/* S3 goes before S2, so S2's output is still that of the last frame there. */
	switch (channel->algorithm * 4 + s) {
	case 0 * 4 + S3: return s2 >> 1;
	case 0 * 4 + S2: return s1 >> 1;
	case 0 * 4 + S4: return s3 >> 1;
	case 1 * 4 + S3: return (slot[S1].last + s2) >> 1;
	case 1 * 4 + S4: return s3 >> 1;
	case 2 * 4 + S3: return s2 >> 1;
	case 2 * 4 + S4: return (s1 + s3) >> 1;
	case 3 * 4 + S2: return s1 >> 1;
	case 3 * 4 + S4: return (s2_last + s3) >> 1;
	case 4 * 4 + S2: return s1 >> 1;
	case 4 * 4 + S4: return s3 >> 1;
	case 5 * 4 + S3: return slot[S1].last >> 1;
	case 5 * 4 + S2: return s1 >> 1;
	case 5 * 4 + S4: return s1 >> 1;
	case 6 * 4 + S2: return s1 >> 1;
	default: return 0;
	}
}

static void step_slot(struct ym_opn2 *chip, int c, int s, bool forced,
                      const struct frame *frame) {
	static const uint8_t key_bit[] = {[S1] = 0, [S2] = 1, [S3] = 2, [S4] = 3};
	struct ym_channel *channel = &chip->channel[c];
	struct ym_slot *slot = &channel->slot[s];
	struct ym_pitch_registers pitch = slot_pitch(chip, c, s);
	uint32_t step = ym_phase_step(slot, pitch, frame->pm, channel->fms);
	int keys = s == S1 ? channel->keys_last : channel->keys;
	bool key = forced || (keys >> key_bit[s] & 1);
	struct ym_ssg ssg = ym_slot_ssg(slot, key);
	int total_level = c == 2 && chip->mode == 2 ? 0 : slot->tl;
	int attenuation = ym_slot_attenuation(
		slot, ssg.invert, frame->am >> ym_am_shift[channel->ams], total_level);
	bool reset = ym_slot_envelope(slot, ssg, key, forced, pitch.keycode,
	                              frame->stepping, frame->timer);
	int output = ym_slot_output(slot->phase, modulation(channel, s), attenuation);
	slot->last = slot->out;
	slot->out = (int16_t)output;
	slot->phase = reset ? 0 : (slot->phase + step) & 0xFFFFF;
}

static void step_channel(struct ym_opn2 *chip, int c, bool forced,
                         const struct frame *frame) {
	/* carriers by algorithm: bits by position, in the order they are added */
	static const uint8_t carriers[8] = {8, 8, 8, 8, 12, 14, 14, 15};
	struct ym_channel *channel = &chip->channel[c];
	int sum = 0;
	for (int s = 0; s < 4; s++)
		step_slot(chip, c, s, forced, frame);
	for (int s = 0; s < 4; s++)
		if (carriers[channel->algorithm] >> s & 1)
			sum = ym_accumulate(chip->stage, sum, channel->slot[s].out);
	channel->sum[1] = channel->sum[0];
	channel->sum[0] = (int16_t)sum;
	channel->feedback_now = channel->feedback;
	channel->keys_last = channel->keys;
}

/* The value of channel c that this frame's sample carries: odd channels are a frame
** late, even ones two, the DAC none. */
static int output_value(const struct ym_opn2 *chip, int c) {
	if (c == 5 && chip->dac_enable) {
		int value = (chip->dac_data - 0x80) * 2 + chip->dac_low;
		return chip->stage == YM_STAGE_CLEAN ? value * 32 : value;
	}
	return chip->channel[c].sum[c & 1];
}

static void output(const struct ym_opn2 *chip, int32_t *left, int32_t *right) {
	*left = *right = 0;
	for (int c = 0; c < YM_CHANNELS; c++) {
		int value = output_value(chip, c);
		*left += ym_stage_output(chip->stage, value, chip->channel[c].left);
		*right += ym_stage_output(chip->stage, value, chip->channel[c].right);
	}
}

/* True in a frame in which CSM forces the keys of channel 3. */
static bool step_timer(struct ym_opn2 *chip) {
	if (chip->timer_left == 0 || --chip->timer_left != 0)
		return false;
	chip->timer_left = (uint16_t)(1024 - chip->timer);
	return chip->mode == 2;
}

static void step_frame(struct ym_opn2 *chip) {
	struct frame frame = {chip->lfo_counter >> 2, ym_lfo_am(chip->lfo_counter),
	                      ym_envelope_frame(chip->frame),
	                      ym_envelope_timer(chip->frame)};
	bool forced = step_timer(chip);
	lfo_check(chip);
	for (int c = 0; c < YM_CHANNELS; c++)
		step_channel(chip, c, forced && c == 2, &frame);
	if (chip->queue_count > 0) {
		int first = chip->queue_first;
		chip->queue_first = (uint16_t)((first + 1) % YM_WRITE_QUEUE);
		chip->queue_count--;
		apply_write(chip, chip->queue[first].port, chip->queue[first].reg,
		            chip->queue[first].value);
	}
	chip->lfo_divider++;
	chip->frame++;
}

void ym_opn2_run(struct ym_opn2 *chip, size_t count, int32_t *left, int32_t *right) {
	for (size_t i = 0; i < count; i++) {
		output(chip, &left[i], &right[i]);
		step_frame(chip);
	}
}

/* Frames that the chip runs, from frame `at` on, before a write can be queued when
** `waiting` are in the queue. */
static size_t frames_before(const struct ym_timed_write *write, size_t at,
                            size_t waiting) {
	size_t time = (size_t)write->frame;
	if (time > at)
		return time - at;
	return waiting == YM_WRITE_QUEUE;
}

size_t ym_opn2_play_length(const struct ym_opn2 *chip,
                           const struct ym_timed_write *writes, size_t count,
                           size_t frames) {
	size_t at = 0, waiting = chip->queue_count;
	for (size_t i = 0; i < count; i++) {
		size_t run = frames_before(&writes[i], at, waiting);
		at += run;
		waiting -= run < waiting ? run : waiting;
		waiting++;
	}
	return at > frames ? at : frames;
}

void ym_opn2_play(struct ym_opn2 *chip, const struct ym_timed_write *writes,
                  size_t count, size_t frames, int32_t *left, int32_t *right) {
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		size_t run = frames_before(&writes[i], at, chip->queue_count);
		ym_opn2_run(chip, run, left + at, right + at);
		at += run;
		ym_opn2_write(chip, writes[i].port, writes[i].reg, writes[i].value);
	}
	ym_opn2_run(chip, frames - at, left + at, right + at);
}

static bool valid_slot(const struct ym_slot *slot) {
	return slot->mul < 16 && slot->dt < 8 && slot->tl < 128 && slot->rs < 4 &&
	       slot->ar < 32 && slot->am < 2 && slot->dr < 32 && slot->sr < 32 &&
	       slot->rr < 16 && slot->sl < 16 && slot->ssg < 16 && slot->state < 4 &&
	       slot->level <= YM_LEVEL_MAX && slot->phase <= 0xFFFFF;
}

static bool valid_pitch(const struct ym_pitch_registers *pitch) {
	return pitch->fnum < 2048 && pitch->block < 8 && pitch->keycode < 32;
}

bool ym_opn2_valid(const struct ym_opn2 *chip) {
	bool valid = (unsigned)chip->stage <= YM_STAGE_CLEAN && chip->mode < 4 &&
	             chip->lfo_enable < 2 && chip->lfo_frequency < 8 &&
	             chip->lfo_counter < 128 && chip->timer < 1024 && chip->dac_low < 2 &&
	             chip->queue_first < YM_WRITE_QUEUE &&
	             chip->queue_count <= YM_WRITE_QUEUE;
	for (int i = 0; i < YM_WRITE_QUEUE; i++)
		valid = valid && chip->queue[i].port < 2;
	for (int i = 0; i < 3; i++)
		valid = valid && valid_pitch(&chip->special[i]);
	for (int c = 0; c < YM_CHANNELS; c++) {
		const struct ym_channel *channel = &chip->channel[c];
		valid = valid && valid_pitch(&channel->pitch) && channel->algorithm < 8 &&
		        channel->feedback < 8 && channel->feedback_now < 8 &&
		        channel->ams < 4 && channel->fms < 8;
		for (int s = 0; s < 4; s++)
			valid = valid && valid_slot(&channel->slot[s]);
	}
	return valid;
}

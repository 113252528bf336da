/*
** One operator (slot) of the chip: its registers, its phase and envelope, and the
** steps it takes in a frame. Inline, because the six-channel chip (opn2) and the
** one-channel renderer (voice) run the same steps, one in every frame and the other
** only where something can change. The rules are those of Nuked-OPN2 1.0.12,
** bit for bit, written from a description of its behaviour.
**
** A frame is one output sample: 144 master clocks. Levels and attenuations are 10
** bits, 0 loud, 0x3FF silent; phases 20 bits; outputs 14 bits, -8168..8168.
*/
#ifndef SLOT_H
#define SLOT_H

#include "ym.h"

enum { YM_LEVEL_MAX = 0x3FF };
/* Attenuation from which the output is exactly 0. */
enum { YM_LEVEL_INAUDIBLE = 0x340 };

enum ym_envelope_state { YM_ATTACK, YM_DECAY, YM_SUSTAIN, YM_RELEASE };

/* -256 log2 sin of the first quarter wave and 1024 (2^(i/256) - 1), both rounded. */
extern const uint16_t ym_log_sine[256];
extern const uint16_t ym_exponent[256];
/* Detune of magnitude 0..3 by key code. */
extern const uint8_t ym_detune[4][32];

/* What a channel gives its slots: the pitch. */
struct ym_pitch_registers {
	uint16_t fnum;   /* 11 bits */
	uint8_t block;   /* 3 bits */
	uint8_t keycode; /* 5 bits, see ym_keycode */
};

struct ym_slot {
	/* registers */
	uint8_t mul, dt, tl, rs, ar, am, dr, sr, rr, sl, ssg;
	/* state */
	uint8_t state; /* enum ym_envelope_state */
	bool key;      /* the key latch of the last frame */
	bool down;     /* SSG-EG direction */
	uint16_t level;
	uint32_t phase;
	int16_t out, last; /* outputs of this frame and the one before */
};

/* What the SSG-EG says in a frame. */
struct ym_ssg {
	bool reset;  /* phase goes to 0 */
	bool repeat; /* the envelope starts again */
	bool hold;   /* the level is kept up */
	bool invert;
};

static inline uint8_t ym_keycode(unsigned fnum, unsigned block) {
	unsigned top = fnum >> 7;
	return (uint8_t)(block << 2 | (top >= 9 ? 3 : top >= 8 ? 2 : top >= 7 ? 1 : 0));
}

/* The timer that divides envelope steps. Envelopes step in frames f with f mod 3 ==
** 1; there the timer is 0 once (f = 1), then runs 1..4095 round and round. */
static inline unsigned ym_envelope_timer(uint64_t frame) {
	uint64_t step = (frame - 1) / 3;
	return step == 0 ? 0 : (unsigned)((step - 1) % 4095) + 1;
}

static inline bool ym_envelope_frame(uint64_t frame) {
	return frame % 3 == 1;
}

/* Size class 0..4 of the envelope step at effective rate 0..63: 0 none, else a step
** of 1 << (class - 1). timer is that of an envelope frame. */
static inline int ym_envelope_class(int rate, unsigned timer) {
	if (rate < 48) {
		int shift = timer ? __builtin_ctz(timer) + 1 : 0;
		switch ((rate >> 2) + shift) {
		case 12: return 1;
		case 13: return rate >> 1 & 1;
		case 14: return rate & 1;
		default: return 0;
		}
	} else {
		static const uint8_t extra[4][4] = {
			{0, 0, 0, 0}, {1, 0, 0, 0}, {1, 0, 1, 0}, {1, 1, 1, 0}};
		int class = extra[rate & 3][timer & 3] + (rate >> 2) - 11;
		return class < 4 ? class : 4;
	}
}

/* The register rate, 0..31, that a state uses. */
static inline int ym_slot_rate(const struct ym_slot *slot, int state) {
	switch (state) {
	case YM_ATTACK: return slot->ar;
	case YM_DECAY: return slot->dr;
	case YM_SUSTAIN: return slot->sr;
	default: return 2 * slot->rr + 1;
	}
}

/* Effective rate 0..63 of a register rate under rate scaling. */
static inline int ym_scaled_rate(const struct ym_slot *slot, int rate, int keycode) {
	int scaled = 2 * rate + (keycode >> (3 - slot->rs));
	return scaled < 63 ? scaled : 63;
}

/* First step of a frame: the SSG-EG, from the level before the envelope's step. key
** is this frame's latch, slot->key still the last one's. */
static inline struct ym_ssg ym_slot_ssg(struct ym_slot *slot, bool key) {
	struct ym_ssg ssg = {false, false, false, false};
	if (slot->ssg & 8) {
		if (slot->level & 0x200) {
			ssg.reset = (slot->ssg & 3) == 0;
			ssg.repeat = (slot->ssg & 1) == 0;
			if ((slot->ssg & 3) == 2)
				slot->down = !slot->down;
			else if ((slot->ssg & 3) == 3)
				slot->down = true;
		}
		ssg.hold = key && ((slot->ssg & 7) == 3 || (slot->ssg & 7) == 5);
		slot->down = slot->down && slot->key;
		ssg.invert = slot->key && slot->down != ((slot->ssg & 4) != 0);
	} else
		slot->down = false;
	return ssg;
}

static inline int ym_fold_level(int level) {
	return (0x200 - level) & YM_LEVEL_MAX;
}

/* Attenuation from the level before the envelope's step. am is the LFO's, already
** shifted; total_level is 0 where the chip leaves TL out. */
static inline int ym_slot_attenuation(const struct ym_slot *slot, bool invert, int am,
                                      int total_level) {
	int level = invert ? ym_fold_level(slot->level) : slot->level;
	level += (slot->am ? am : 0) + (total_level << 3);
	return level < YM_LEVEL_MAX ? level : YM_LEVEL_MAX;
}

/* The envelope's step in a frame. key is this frame's latch; stepping tells whether
** this is an envelope frame; forced marks a key frame of CSM. Returns true when the
** phase goes back to 0. */
static inline bool ym_slot_envelope(struct ym_slot *slot, struct ym_ssg ssg, bool key,
                                    bool forced, int keycode, bool stepping,
                                    unsigned timer) {
	bool edge = key && !slot->key;
	bool start = edge || (slot->key && ssg.repeat);
	int old = slot->state, level = slot->level, add = 0;
	int rate = ym_slot_rate(slot, start ? YM_ATTACK : old), scaled, class;
	bool instant, off;
	scaled = ym_scaled_rate(slot, rate, keycode);
	class = rate && stepping ? ym_envelope_class(scaled, timer) : 0;
	instant = scaled >= 62;
	if (slot->key && !key && ssg.invert)
		level = ym_fold_level(level);
	off = slot->ssg & 8 ? level >= 0x200 : level >= 0x3F0;
	if (start) {
		slot->state = YM_ATTACK;
		if (instant)
			level = 0;
	}
	if (old == YM_ATTACK && (start || level != 0)) {
		if (!instant && key && level != 0 && class)
			add = (int)((unsigned)~level << class) >> 5;
	} else if (!start && old == YM_ATTACK)
		slot->state = YM_DECAY;
	else if (!start && old == YM_DECAY &&
	         level >> 4 == 2 * (slot->sl == 15 ? 31 : slot->sl))
		slot->state = YM_SUSTAIN;
	else if (!start && !off && class)
		add = 1 << (class - 1) << (slot->ssg & 8 ? 2 : 0);
	if (!start && !key)
		slot->state = YM_RELEASE;
	if (forced)
		level |= slot->tl << 3;
	if (!start && !ssg.hold && old != YM_ATTACK && off) {
		slot->state = YM_RELEASE;
		level = YM_LEVEL_MAX;
	}
	slot->level = (uint16_t)((level + add) & YM_LEVEL_MAX);
	slot->key = key;
	return edge || ssg.reset;
}

/* |output| at logarithmic attenuation 0..0x1FFF (256 to a factor of 2). */
static inline int ym_amplitude(int attenuation) {
	return ((ym_exponent[~attenuation & 255] | 0x400) << 2) >> (attenuation >> 8);
}

/* The operator's output for a phase, a modulation and an attenuation. */
static inline int ym_slot_output(uint32_t phase, int modulation, int attenuation) {
	int angle = (int)(phase >> 10) + modulation;
	int index = angle & 0x100 ? ~angle & 0xFF : angle & 0xFF;
	int value = ym_amplitude(ym_log_sine[index] + 4 * attenuation);
	return angle & 0x200 ? -value : value;
}

/* Phase step of a slot; pm is the LFO's frequency modulation 0..31, fms 0..7. */
uint32_t ym_phase_step(const struct ym_slot *slot, struct ym_pitch_registers pitch,
                       int pm, int fms);

/* Shift of the LFO's amplitude by AMS, and frames a step by LFO frequency. */
extern const uint8_t ym_am_shift[4];
extern const uint8_t ym_lfo_period[8];

/* LFO amplitude 0..126 from its counter 0..127; at rest the counter is 0. */
static inline int ym_lfo_am(unsigned counter) {
	return (int)(2 * (counter & 0x40 ? counter & 0x3F : ~counter & 0x3F));
}

/* Writes one of registers 30..9F of the slot: group 3..9 is reg >> 4. */
void ym_slot_write(struct ym_slot *slot, int group, uint8_t value);

#endif

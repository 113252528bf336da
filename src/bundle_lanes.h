/*
** The lanes of a bundle: what bundle.c fills and the kernels (bundle_kernel.h) run.
** Values lie by operator and lane; a kernel with fewer lanes leaves the rest alone.
**
** Time is counted in samples: sample s is the chip's frame s + YM_FIRST_FRAME, and
** what an envelope tick in frame f changes is heard from sample f + 1 -
** YM_FIRST_FRAME on.
*/
#ifndef BUNDLE_LANES_H
#define BUNDLE_LANES_H

#include "bundle.h"

enum {
	/* Envelope ticks come in this many kinds, by the timer's lowest set bit and, where
	** it is odd, by the bit above. */
	YM_TICKS = 13,
	YM_RATES = 64, /* effective rates; 0 stands for no movement */
	YM_SEGMENTS = 32,
};

/* What a tick of one kind does, by effective rate. */
struct ym_tick {
	_Alignas(64) int16_t add[YM_RATES]; /* to a level that decays */
	int16_t attack[YM_RATES];           /* 2^(10 + class), 0 for none */
	uint64_t moving;                    /* bit r is set when rate r moves */
};

struct ym_bundle_tables {
	struct ym_voice_tables voice;
	/* The mantissa of an amplitude, ym_exponent[~i & 255] | 0x400 for the low 8 bits i
	** of its attenuation, is exactly (mantissa[i >> 3] - slope[i >> 3] * (i & 7)) >> 5. */
	_Alignas(64) uint16_t mantissa[YM_SEGMENTS];
	uint16_t slope[YM_SEGMENTS];
	struct ym_tick ticks[YM_TICKS];
};

/* Which outputs modulate which operator, and what is heard: all ones where it is so. */
enum ym_gate {
	YM_1_TO_2,      /* operator 1 modulates operator 2 */
	YM_LAST_1_TO_3, /* its output of the frame before modulates operator 3 */
	YM_LAST_2_TO_3,
	YM_1_TO_4,
	YM_LAST_2_TO_4,
	YM_3_TO_4,
	YM_1_HEARD,
	YM_2_HEARD,
	YM_3_HEARD,
	YM_GATES
};

/* The algorithms in which each is so, a bit for each. */
static const uint8_t ym_gate_algorithms[YM_GATES] = {
	[YM_1_TO_2] = 0x79,  [YM_LAST_1_TO_3] = 0x22, [YM_LAST_2_TO_3] = 0x07,
	[YM_1_TO_4] = 0x24,  [YM_LAST_2_TO_4] = 0x08, [YM_3_TO_4] = 0x1F,
	[YM_1_HEARD] = 0x80, [YM_2_HEARD] = 0xF0,     [YM_3_HEARD] = 0xE0,
};

typedef int16_t ym_lane_values[YM_BUNDLE_LANES];

struct ym_bundle {
	int16_t *alone; /* samples of a note that is rendered by itself */

	/* The vectors of the sample loop. Phases are 20 bits: the upper 16, and the lower 4,
	** which add up above them until they are carried over. */
	_Alignas(64) ym_lane_values phase[YM_OPERATORS];
	ym_lane_values fraction[YM_OPERATORS], step[YM_OPERATORS],
		step_fraction[YM_OPERATORS];
	ym_lane_values attenuation[YM_OPERATORS]; /* 4 times, at most YM_LEVEL_INAUDIBLE */
	ym_lane_values feedback;                  /* 2^(6 + FB), 0 for none */
	ym_lane_values out1, last1, out2;         /* outputs of the last frames */
	ym_lane_values gate[YM_GATES];            /* of mixed algorithms */

	/* The vectors of an envelope tick. */
	ym_lane_values level[YM_OPERATORS], base[YM_OPERATORS]; /* base: TL and LFO */
	ym_lane_values rate[YM_OPERATORS];      /* effective, of the state it is in */
	ym_lane_values target[YM_OPERATORS];    /* level >> 4 where decay ends; -1: none */
	ym_lane_values limit[YM_OPERATORS];     /* level from which nothing is heard */
	ym_lane_values attacking[YM_OPERATORS]; /* all ones in the attack */

	/* Where envelopes change their state, lane by lane. */
	uint8_t state[YM_OPERATORS][YM_BUNDLE_LANES];
	uint8_t rates[4][YM_OPERATORS][YM_BUNDLE_LANES]; /* by state */
	uint8_t sustain[YM_OPERATORS][YM_BUNDLE_LANES];  /* target of the decay */
	bool sounding[YM_OPERATORS][YM_BUNDLE_LANES]; /* carriers that may be heard yet */
	uint64_t release[YM_OPERATORS][YM_BUNDLE_LANES]; /* frame of the key-off */
	uint64_t present[YM_OPERATORS];                  /* bit r: a lane has rate r */
	int attacks[YM_OPERATORS];                       /* lanes in the attack */
	int alive;                                 /* carriers that may be heard yet */
	ym_lane_values second_level;               /* of operator 1 in samples 1 and 2 */
	ym_lane_values steady_level[YM_OPERATORS]; /* of all in sample 3 */

	/* The LFO, lane by lane: only where it does something. */
	struct ym_lane_lfo {
		size_t next; /* sample of its counter's next step; or YM_NEVER */
		uint8_t counter, period, ams, fms;
	} lfo[YM_BUNDLE_LANES];
	struct ym_slot slot[YM_OPERATORS][YM_BUNDLE_LANES];
	struct ym_pitch_registers pitch[YM_BUNDLE_LANES];

	/* The SSG-EG, where a lane has it. A lane is busy while the SSG-EG moves: then it is
	** stepped by itself in every frame, and stands still for the ticks. */
	bool cycling;                /* a lane has it */
	uint32_t busy[YM_OPERATORS]; /* bit l: lane l is */
	_Alignas(64) ym_lane_values
		boost[YM_OPERATORS];             /* what a decay is multiplied with: 1 or 4 */
	ym_lane_values invert[YM_OPERATORS]; /* all ones where the level is inverted */
	struct ym_ssg ssg[YM_OPERATORS][YM_BUNDLE_LANES]; /* of a busy lane's frame */
	bool turned[YM_OPERATORS][YM_BUNDLE_LANES];       /* it changed the direction */

	const struct ym_bundle_tables *tables;
	enum ym_stage stage;
	int algorithm; /* or YM_BUNDLE_MIXED */
	int lanes;     /* in use */
	double sample_rate;
	size_t samples[YM_BUNDLE_LANES], longest;
};

#define YM_NEVER SIZE_MAX

enum { YM_FIRST_FRAME = YM_KEY_FRAME + 2 };

/* The kernel of a level. */
struct ym_bundle_kernel {
	int lanes;
	/* Renders all samples of the bundle; out[l] are those of lane l. */
	void (*render)(struct ym_bundle *bundle, enum ym_bundle_form form,
	               void *const out[]);
};

extern const struct ym_bundle_kernel ym_bundle_baseline, ym_bundle_avx2,
	ym_bundle_avx512;

/* Sets the level and the pitch of a lane's operators by its LFO's counter. */
void ym_bundle_modulate(struct ym_bundle *bundle, int lane);

/* True where a lane's operator has an SSG-EG at work. */
static inline bool ym_lane_cycles(const struct ym_bundle *bundle, int o, int lane) {
	return (bundle->slot[o][lane].ssg & 8) != 0;
}

/* The first step of a new state, or of a level no longer heard: sets what the tick of
** an operator in a lane depends on. */
static inline void ym_lane_follow(struct ym_bundle *bundle, int o, int lane) {
	int state = bundle->state[o][lane], rate = bundle->rates[state][o][lane];
	bool attack = state == YM_ATTACK;
	/* an attack that does not move never gets louder */
	bool silent = bundle->level[o][lane] >= bundle->limit[o][lane] &&
	              (!attack || rate == 0 || bundle->limit[o][lane] == 0);
	if (silent) {
		bundle->level[o][lane] = YM_LEVEL_MAX;
		if (bundle->sounding[o][lane])
			bundle->alive--;
		bundle->sounding[o][lane] = false;
	}
	bundle->rate[o][lane] = (int16_t)(silent ? 0 : rate);
	bundle->attacking[o][lane] = attack && !silent ? -1 : 0;
	bundle->target[o][lane] = state == YM_DECAY && !silent ? bundle->sustain[o][lane]
	                                                       : (int16_t)-1;
}

/* Counts anew what the lanes of an operator are doing. */
static inline void ym_lanes_count(struct ym_bundle *bundle, int o) {
	bundle->present[o] = 0;
	bundle->attacks[o] = 0;
	for (int lane = 0; lane < bundle->lanes; lane++) {
		bundle->present[o] |= (uint64_t)1 << bundle->rate[o][lane];
		bundle->attacks[o] += bundle->attacking[o][lane] != 0;
	}
	bundle->present[o] &= ~(uint64_t)1;
}

#endif

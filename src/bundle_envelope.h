/*
** Between two runs of the sample loop: envelope ticks, key-offs, LFO and SSG-EG of the
** bundles' lanes, and when the next of them is due. Only for bundle_kernel.h.
*/
#ifndef BUNDLE_ENVELOPE_H
#define BUNDLE_ENVELOPE_H

#include <string.h>

#include "bundle_vectors.h"

static inline void set_attenuation(struct ym_bundle *bundle, int o) {
	const values most = (values){0} + YM_LEVEL_INAUDIBLE;
	values level = load(bundle->level[o]), sum;
	if (bundle->cycling)
		level = choose(load(bundle->invert[o]), (0x200 - level) & YM_LEVEL_MAX, level);
	sum = level + load(bundle->base[o]);
	store(bundle->attenuation[o], smaller(sum, most) << 2);
}

/* From the next frame on a lane's SSG-EG is stepped by itself. */
static void wake(struct ym_bundle *bundle, int o, int lane) {
	struct ym_slot *slot = &bundle->slot[o][lane];
	slot->level = (uint16_t)bundle->level[o][lane];
	slot->state = bundle->state[o][lane];
	bundle->rate[o][lane] = 0;
	bundle->attacking[o][lane] = 0;
	bundle->target[o][lane] = -1;
	bundle->busy[o] |= (uint32_t)1 << lane;
}

/* Lanes whose state an envelope tick in one frame ends, one after the other. */
static void follow(struct ym_bundle *bundle, int o, uint32_t lanes, uint64_t frame) {
	for (; lanes != 0; lanes &= lanes - 1) {
		int lane = __builtin_ctz(lanes);
		uint8_t *state = &bundle->state[o][lane];
		int level = bundle->level[o][lane];
		uint64_t release = bundle->release[o][lane];
		/* a key-off with SSG-EG depends on the state in its very frame */
		if (ym_lane_cycles(bundle, o, lane) &&
		    (level >= 0x200 || (release > frame && release <= frame + 2))) {
			wake(bundle, o, lane);
			continue;
		}
		if (*state == YM_ATTACK && level == 0)
			*state = YM_DECAY;
		if (*state == YM_DECAY && level >> 4 == bundle->sustain[o][lane])
			*state = YM_SUSTAIN;
		ym_lane_follow(bundle, o, lane);
	}
	ym_lanes_count(bundle, o);
}

/* An operator's envelope tick, together with the two frames after it, in which states
** may change but no level moves. */
static void tick_operator(struct ym_bundle *bundle, int o, const struct ym_tick *tick,
                          uint64_t frame) {
	values level = load(bundle->level[o]), rate = load(bundle->rate[o]);
	values add = look_up_rate(tick->add, rate), events;
	if (bundle->cycling)
		add *= load(bundle->boost[o]);
	if (bundle->attacks[o] > 0) {
		values attacking = load(bundle->attacking[o]);
		/* (~level << class) >> 5 */
		values rise = multiply_high(~level << 1, look_up_rate(tick->attack, rate));
		add = choose(attacking, rise, add);
		level += add;
		events = (level == 0) & attacking;
	} else {
		level += add;
		events = (values){0};
	}
	events |= (level >> 4 == load(bundle->target[o])) |
	          ((level >= load(bundle->limit[o])) & (add > 0));
	store(bundle->level[o], level);
	if (lanes_of(events) != 0)
		follow(bundle, o, lanes_of(events), frame);
	set_attenuation(bundle, o);
}

static int tick_kind(unsigned timer) {
	return timer & 1 ? (int)(timer >> 1 & 1) : __builtin_ctz(timer) + 1;
}

/* The envelope frame that a frame belongs to: itself or one of the two before. */
static uint64_t tick_frame(uint64_t frame) {
	return frame - (frame + 2) % 3;
}

/* Key-offs in the envelope frame or the two after it. Those in the frame itself end
** the attack before its tick, and all end the state after it. */
static void let_go(struct ym_bundle *bundle, uint64_t frame, bool before) {
	for (int o = 0; o < YM_OPERATORS; o++) {
		bool any = false;
		for (int lane = 0; lane < bundle->lanes; lane++) {
			uint64_t release = bundle->release[o][lane];
			if (ym_lane_cycles(bundle, o, lane) || release < frame ||
			    release > frame + 2)
				continue;
			if (before && release == frame && bundle->attacking[o][lane])
				bundle->rate[o][lane] = 0;
			else if (!before) {
				bundle->state[o][lane] = YM_RELEASE;
				ym_lane_follow(bundle, o, lane);
				any = true;
			}
		}
		if (any) {
			ym_lanes_count(bundle, o);
			set_attenuation(bundle, o);
		}
	}
}

/* The first key-off after a frame, of the lanes with an SSG-EG or of the others;
** UINT64_MAX when there is none. */
static uint64_t next_release(const struct ym_bundle *bundle, uint64_t frame,
                             bool cycling) {
	uint64_t next = UINT64_MAX;
	for (int o = 0; o < YM_OPERATORS; o++)
		for (int lane = 0; lane < bundle->lanes; lane++) {
			uint64_t release = bundle->release[o][lane];
			if (release > frame && release < next &&
			    ym_lane_cycles(bundle, o, lane) == cycling)
				next = release;
		}
	return next;
}

/* The envelope frame that the first key-off beyond an envelope frame and the two after
** it belongs to. */
static uint64_t next_release_tick(const struct ym_bundle *bundle, uint64_t frame) {
	uint64_t release = next_release(bundle, frame + 2, false);
	return release == UINT64_MAX ? release : tick_frame(release);
}

/* What ends a run of samples, and when: samples for the LFO, frames for envelopes. */
struct agenda {
	uint64_t tick, release; /* envelope frames */
	uint64_t cycle_release; /* the first key-off of a lane with an SSG-EG */
	size_t lfo;
};

/* The next envelope frame after a frame in which any envelope moves, but not beyond
** `last`. */
static uint64_t next_tick(const struct ym_bundle *bundle, uint64_t frame,
                          uint64_t last) {
	uint64_t present = 0;
	unsigned timer;
	for (int o = 0; o < YM_OPERATORS; o++)
		present |= bundle->present[o];
	if (present == 0)
		return last;
	frame += 3;
	timer = ym_envelope_timer(frame);
	while (frame < last &&
	       (present & bundle->tables->ticks[tick_kind(timer)].moving) == 0) {
		frame += 3;
		timer = timer == 4095 ? 1 : timer + 1;
	}
	return frame;
}

static void tick(struct ym_bundle *bundle, struct agenda *agenda) {
	uint64_t frame = agenda->tick;
	const struct ym_tick *tick =
		&bundle->tables->ticks[tick_kind(ym_envelope_timer(frame))];
	bool releasing = frame == agenda->release;
	if (releasing)
		let_go(bundle, frame, true);
	for (int o = 0; o < YM_OPERATORS; o++)
		if (bundle->present[o] & tick->moving)
			tick_operator(bundle, o, tick, frame);
	if (releasing) {
		let_go(bundle, frame, false);
		agenda->release = next_release_tick(bundle, frame);
	}
	agenda->tick = next_tick(bundle, frame, agenda->release);
}

static size_t next_lfo(const struct ym_bundle *bundle) {
	size_t next = YM_NEVER;
	for (int lane = 0; lane < bundle->lanes; lane++)
		if (bundle->lfo[lane].next < next)
			next = bundle->lfo[lane].next;
	return next;
}

static void step_lfo(struct ym_bundle *bundle, struct agenda *agenda) {
	for (int lane = 0; lane < bundle->lanes; lane++) {
		struct ym_lane_lfo *lfo = &bundle->lfo[lane];
		if (lfo->next != agenda->lfo)
			continue;
		lfo->next += lfo->period;
		lfo->counter = (lfo->counter + 1) & 127;
		ym_bundle_modulate(bundle, lane);
	}
	for (int o = 0; o < YM_OPERATORS; o++)
		set_attenuation(bundle, o);
	agenda->lfo = next_lfo(bundle);
}

/* Wakes the lanes with an SSG-EG whose key goes up in a frame. */
static void release_cycles(struct ym_bundle *bundle, struct agenda *agenda,
                           uint64_t frame) {
	for (int o = 0; o < YM_OPERATORS; o++) {
		for (int lane = 0; lane < bundle->lanes; lane++)
			if (ym_lane_cycles(bundle, o, lane) && bundle->release[o][lane] == frame &&
			    (bundle->busy[o] >> lane & 1) == 0)
				wake(bundle, o, lane);
		ym_lanes_count(bundle, o);
	}
	agenda->cycle_release = next_release(bundle, frame, true);
}

static bool any_busy(const struct ym_bundle *bundle) {
	return (bundle->busy[0] | bundle->busy[1] | bundle->busy[2] | bundle->busy[3]) != 0;
}

static bool key_at(const struct ym_bundle *bundle, int o, int lane, uint64_t frame) {
	return frame >= ym_voice_key_on(o) && frame < bundle->release[o][lane];
}

/* The first steps of a frame of the busy lanes, up to their attenuation. */
static void begin_cycles(struct ym_bundle *bundle, uint64_t frame) {
	for (int o = 0; o < YM_OPERATORS; o++)
		for (uint32_t busy = bundle->busy[o]; busy != 0; busy &= busy - 1) {
			int lane = __builtin_ctz(busy), level;
			struct ym_slot *slot = &bundle->slot[o][lane];
			bool down = slot->down;
			struct ym_ssg ssg = ym_slot_ssg(slot, key_at(bundle, o, lane, frame));
			bundle->turned[o][lane] = slot->down != down;
			level = ssg.invert ? ym_fold_level(slot->level) : slot->level;
			level += bundle->base[o][lane];
			if (level > YM_LEVEL_INAUDIBLE)
				level = YM_LEVEL_INAUDIBLE;
			bundle->attenuation[o][lane] = (int16_t)(level << 2);
			bundle->ssg[o][lane] = ssg;
		}
}

/* A lane goes back to the ticks: nothing but these changes it now. */
static void settle(struct ym_bundle *bundle, int o, int lane) {
	const struct ym_slot *slot = &bundle->slot[o][lane];
	bool still = slot->level >= 0x200 && slot->state != YM_ATTACK;
	bundle->level[o][lane] = (int16_t)slot->level;
	bundle->state[o][lane] = slot->state;
	bundle->invert[o][lane] = bundle->ssg[o][lane].invert ? -1 : 0;
	bundle->rate[o][lane] = still ? 0 : bundle->rates[slot->state][o][lane];
	bundle->attacking[o][lane] = slot->state == YM_ATTACK ? -1 : 0;
	bundle->target[o][lane] = slot->state == YM_DECAY ? bundle->sustain[o][lane]
	                                                  : (int16_t)-1;
	bundle->busy[o] &= ~((uint32_t)1 << lane);
	ym_lanes_count(bundle, o);
}

/* The last steps of a frame of the busy lanes; those that have come to rest wait for
** ticks again. Not in an envelope frame, whose tick is yet to come for the others. */
static void end_cycles(struct ym_bundle *bundle, struct agenda *agenda,
                       uint64_t frame) {
	for (int o = 0; o < YM_OPERATORS; o++)
		for (uint32_t busy = bundle->busy[o]; busy != 0; busy &= busy - 1) {
			int lane = __builtin_ctz(busy);
			struct ym_slot *slot = &bundle->slot[o][lane], before = *slot;
			struct ym_ssg ssg = bundle->ssg[o][lane];
			bool reset = ym_slot_envelope(slot, ssg, key_at(bundle, o, lane, frame),
			                              false, bundle->pitch[lane].keycode,
			                              ym_envelope_frame(frame),
			                              ym_envelope_timer(frame));
			if (reset) {
				bundle->phase[o][lane] = 0;
				bundle->fraction[o][lane] = 0;
			}
			if (!reset && !bundle->turned[o][lane] && slot->level == before.level &&
			    slot->state == before.state && slot->key == before.key &&
			    !(slot->key && (ssg.reset || ssg.repeat)) &&
			    frame > YM_FIRST_FRAME + 2 && !ym_envelope_frame(frame)) {
				uint64_t next;
				settle(bundle, o, lane);
				next = next_tick(bundle, tick_frame(frame), agenda->release);
				if (next < agenda->tick)
					agenda->tick = next;
			}
		}
}

/* The sample from which on a tick is heard. */
static size_t heard_from(uint64_t frame) {
	return frame == UINT64_MAX ? YM_NEVER : (size_t)(frame + 1 - YM_FIRST_FRAME);
}

/* What happens before a sample. The first envelope frame, with the two after it, was
** stepped beforehand: operator 1's key comes a frame late, in the middle of them. */
static void attend(struct ym_bundle *bundle, struct agenda *agenda, size_t sample) {
	if (sample == 1) {
		memcpy(bundle->level[0], bundle->second_level, sizeof bundle->level[0]);
		set_attenuation(bundle, 0);
	} else if (sample == 3) {
		memcpy(bundle->level, bundle->steady_level, sizeof bundle->level);
		for (int o = 0; o < YM_OPERATORS; o++)
			set_attenuation(bundle, o);
	}
	if (sample == agenda->lfo)
		step_lfo(bundle, agenda);
	if (sample == heard_from(agenda->tick))
		tick(bundle, agenda);
	if (sample + YM_FIRST_FRAME == agenda->cycle_release)
		release_cycles(bundle, agenda, sample + YM_FIRST_FRAME);
	begin_cycles(bundle, sample + YM_FIRST_FRAME);
}

#endif

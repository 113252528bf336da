#include "bundle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bundle_lanes.h"
#include "spectrum.h"

size_t ym_bundle_tables_size(void) {
	return sizeof(struct ym_bundle_tables);
}

/* Finds a line whose whole part is the mantissa at all eight places of a segment. There
** is one for each. */
static void fit_mantissa(struct ym_bundle_tables *tables, int segment) {
	int low = 0, high = -1;
	for (int slope = 0; low > high; slope++) {
		low = 0;
		high = UINT16_MAX;
		for (int i = 0; i < 8; i++) {
			int mantissa = ym_exponent[~(8 * segment + i) & 255] | 0x400;
			int least = 32 * mantissa + slope * i;
			low = low > least ? low : least;
			high = high < least + 31 ? high : least + 31;
		}
		tables->mantissa[segment] = (uint16_t)low;
		tables->slope[segment] = (uint16_t)slope;
	}
}

void ym_bundle_tables_fill(struct ym_bundle_tables *tables) {
	ym_voice_tables_fill(&tables->voice);
	for (int segment = 0; segment < YM_SEGMENTS; segment++)
		fit_mantissa(tables, segment);
	for (int kind = 0; kind < YM_TICKS; kind++) {
		struct ym_tick *tick = &tables->ticks[kind];
		unsigned timer = kind == 0 ? 1 : kind == 1 ? 3 : 1u << (kind - 1);
		memset(tick, 0, sizeof *tick);
		for (int rate = 1; rate < YM_RATES; rate++) {
			int class = ym_envelope_class(rate, timer);
			if (class == 0)
				continue;
			tick->add[rate] = (int16_t)(1 << (class - 1));
			tick->attack[rate] = (int16_t)(1 << (10 + class));
			tick->moving |= (uint64_t)1 << rate;
		}
	}
}

const struct ym_voice_tables *
ym_bundle_voice_tables(const struct ym_bundle_tables *tables) {
	return &tables->voice;
}

/* The envelope's rates by state as a tick uses them: 0 where it does not move. */
static int tick_rate(const struct ym_slot *slot, int state, int keycode) {
	int rate = ym_slot_rate(slot, state), scaled;
	if (rate == 0)
		return 0;
	scaled = ym_scaled_rate(slot, rate, keycode);
	return state == YM_ATTACK && scaled >= 62 ? 0 : scaled;
}

/* Level from which an operator is not heard, whatever the LFO does. */
static int level_limit(const struct ym_slot *slot) {
	int limit = YM_LEVEL_INAUDIBLE - (slot->tl << 3);
	return limit > 0 ? limit : 0;
}

static int sustain_target(const struct ym_slot *slot) {
	return 2 * (slot->sl == 15 ? 31 : slot->sl);
}

/* Levels an envelope moves at each tick, on average. */
static double tick_average(int rate) {
	return rate == 0 ? 0 : ldexp((4 + (rate & 3)) / 4.0, (rate >> 2) - 12);
}

/* About how many ticks after the key-on an operator is still heard; never is beyond
** `last`. Only for sorting. */
static double ticks_heard(const struct ym_slot *slot, int keycode, double held,
                          double last) {
	double limit = level_limit(slot), level, time = 0;
	double target = fmin(16.0 * sustain_target(slot), limit);
	double speed = tick_average(tick_rate(slot, YM_DECAY, keycode));
	if (limit == 0 || slot->ar == 0)
		return 0;
	if (tick_rate(slot, YM_ATTACK, keycode) != 0) /* it takes some 110 moves */
		time = fmin(110 / tick_average(tick_rate(slot, YM_ATTACK, keycode)), held);
	level = fmin(target, (held - time) * speed);
	if (speed > 0)
		time = fmin(held, time + target / speed);
	speed = tick_average(tick_rate(slot, YM_SUSTAIN, keycode));
	if (level >= target && level + (held - time) * speed >= limit)
		return speed > 0 ? time + (limit - level) / speed : time;
	level = fmin(limit, level + (held - time) * speed);
	speed = tick_average(tick_rate(slot, YM_RELEASE, keycode));
	return fmin(last, held + (limit - level) / speed);
}

/* A note among those to be sorted into bundles. */
struct entry {
	uint32_t end; /* about the last sample that is heard, over 64 */
	uint8_t group;
	uint32_t note;
};

/* Groups are numbered by stage, LFO and algorithm; those of a class, that is with
** different algorithms, may be mixed. The last class is of notes too long for bundles. */
enum { CLASS = 8, ALONE_GROUP = 2 * YM_STAGES * CLASS };

static struct entry entry_of(const struct ym_bundle_job *job, size_t i) {
	const struct ym_note *note = &job->notes[i];
	struct entry entry = {.note = (uint32_t)i};
	double samples = (double)(note->held + note->release), end = 0;
	int keycode = ym_keycode(note->fnum, note->block);
	struct ym_slot slots[YM_OPERATORS];
	struct ym_patch patch;
	bool swinging = false, cycling = false;
	ym_patch_unpack(&patch, job->patches + i * YM_FIELDS);
	ym_voice_slots(&patch, slots);
	for (int o = 0; o < YM_OPERATORS; o++) {
		swinging |= slots[o].am != 0 && patch.field[YM_AMS] != 0;
		cycling |= (slots[o].ssg & 8) != 0;
		if (ym_carriers[patch.field[YM_ALGORITHM]] >> o & 1)
			end = fmax(end, 3 * ticks_heard(&slots[o], keycode, (double)note->held / 3,
			                                samples / 3));
	}
	swinging |= patch.field[YM_FMS] != 0;
	swinging = swinging && patch.field[YM_LFO] >= 0;
	entry.group = (uint8_t)((2 * (int)note->stage + swinging) * CLASS +
	                        patch.field[YM_ALGORITHM]);
	if (note->held + note->release > YM_BUNDLE_LONGEST)
		entry.group = ALONE_GROUP;
	if (cycling)
		end = samples;
	entry.end = (uint32_t)fmin(fmin(end, samples) / 64, (double)UINT32_MAX);
	return entry;
}

/* By group, then the longest first, then in the order given. */
static int compare(const void *a, const void *b) {
	const struct entry *x = a, *y = b;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return x->note < y->note ? -1 : x->note > y->note;
}

/* Adds parts of up to `lanes` notes each from entries of one kind. */
static void add_parts(struct ym_bundle_plan *plan, const struct entry *entries,
                      size_t count, size_t lanes, int algorithm) {
	struct ym_bundle_part *last = plan->parts > 0 ? &plan->part[plan->parts - 1] : NULL;
	uint32_t place = last != NULL ? last->first + last->count : 0;
	for (size_t i = 0; i < count; i += lanes) {
		size_t size = count - i < lanes ? count - i : lanes;
		plan->part[plan->parts++] = (struct ym_bundle_part){place, (uint32_t)size,
		                                                    (uint8_t)algorithm};
		for (size_t k = 0; k < size; k++)
			plan->order[place++] = entries[i + k].note;
	}
}

/* The entries of one class: full bundles by algorithm, then what is left over, mixed,
** then what is left of that, alone. rest has room for all. */
static void plan_class(struct ym_bundle_plan *plan, const struct entry *entries,
                       size_t count, size_t lanes, struct entry *rest) {
	size_t rests = 0, kept;
	for (size_t i = 0, size; i < count; i += size) {
		size_t full;
		for (size = 1; i + size < count && entries[i + size].group == entries[i].group;)
			size++;
		full = size % lanes >= lanes / 2 ? size : size / lanes * lanes;
		add_parts(plan, entries + i, full, lanes, entries[i].group % CLASS);
		for (size_t k = full; k < size; k++) {
			rest[rests] = entries[i + k];
			rest[rests++].group = 0;
		}
	}
	qsort(rest, rests, sizeof *rest, compare);
	kept = rests % lanes >= lanes / 3 ? rests : rests / lanes * lanes;
	add_parts(plan, rest, kept, lanes, YM_BUNDLE_MIXED);
	add_parts(plan, rest + kept, rests - kept, 1, YM_BUNDLE_ALONE);
}

static void make_plan(struct ym_bundle_plan *plan, const struct ym_bundle_job *job,
                      struct entry *entries, struct entry *rest) {
	size_t lanes = (size_t)YM_SIMD_UNIT(ym_bundle, job->level)->lanes, first = 0,
		   end = 0;
	for (size_t i = 0; i < job->count; i++)
		entries[i] = entry_of(job, i);
	qsort(entries, job->count, sizeof *entries, compare);
	for (int class = 0; class < ALONE_GROUP / CLASS; class ++, first = end) {
		while (end < job->count && entries[end].group / CLASS == class)
			end++;
		plan_class(plan, entries + first, end - first, lanes, rest);
	}
	add_parts(plan, entries + first, job->count - first, 1, YM_BUNDLE_ALONE);
}

enum ym_status ym_bundle_plan_new(struct ym_bundle_plan **result,
                                  const struct ym_bundle_job *job,
                                  struct ym_error *error) {
	struct ym_bundle_plan *plan = ym_alloc(1, sizeof *plan);
	struct entry *entries = ym_alloc(job->count, sizeof *entries);
	struct entry *rest = ym_alloc(job->count, sizeof *rest);
	enum ym_status status = YM_OK;
	if (plan != NULL) {
		plan->order = ym_alloc(job->count, sizeof *plan->order);
		plan->part = ym_alloc(job->count, sizeof *plan->part);
	}
	if (plan == NULL || plan->order == NULL || plan->part == NULL || entries == NULL ||
	    rest == NULL) {
		ym_bundle_plan_free(plan);
		status = ym_no_memory(error);
	} else {
		make_plan(plan, job, entries, rest);
		*result = plan;
	}
	ym_free(entries);
	ym_free(rest);
	return status;
}

void ym_bundle_plan_free(struct ym_bundle_plan *plan) {
	if (plan == NULL)
		return;
	ym_free(plan->order);
	ym_free(plan->part);
	ym_free(plan);
}

enum ym_status ym_bundle_new(struct ym_bundle **result, size_t longest,
                             struct ym_error *error) {
	struct ym_bundle *bundle = ym_alloc(1, sizeof *bundle);
	if (bundle != NULL)
		bundle->alone = ym_alloc(longest, sizeof *bundle->alone);
	if (bundle == NULL || bundle->alone == NULL) {
		ym_bundle_free(bundle);
		return ym_no_memory(error);
	}
	*result = bundle;
	return YM_OK;
}

void ym_bundle_free(struct ym_bundle *bundle) {
	if (bundle == NULL)
		return;
	ym_free(bundle->alone);
	ym_free(bundle);
}

void ym_bundle_modulate(struct ym_bundle *bundle, int lane) {
	const struct ym_lane_lfo *lfo = &bundle->lfo[lane];
	int am = ym_lfo_am(lfo->counter) >> ym_am_shift[lfo->ams];
	for (int o = 0; o < YM_OPERATORS; o++) {
		const struct ym_slot *slot = &bundle->slot[o][lane];
		uint32_t step = ym_phase_step(slot, bundle->pitch[lane], lfo->counter >> 2,
		                              lfo->fms);
		bundle->base[o][lane] = (int16_t)((slot->tl << 3) + (slot->am ? am : 0));
		bundle->step[o][lane] = (int16_t)(uint16_t)(step >> 4);
		bundle->step_fraction[o][lane] = (int16_t)(step & 15);
	}
}

/* Steps an operator's envelope through its key-on, and its key-off where that comes so
** early, up to two frames after the first tick; notes the levels on the way. */
static void start_envelope(struct ym_bundle *bundle, int o, int lane) {
	const struct ym_ssg none = {false, false, false, false};
	struct ym_slot slot = bundle->slot[o][lane];
	uint64_t on = ym_voice_key_on(o), off = bundle->release[o][lane];
	int16_t first = YM_LEVEL_MAX;
	for (uint64_t frame = YM_KEY_FRAME + 1; frame <= YM_FIRST_FRAME + 4; frame++) {
		if (frame == YM_FIRST_FRAME)
			first = (int16_t)slot.level;
		else if (frame == YM_FIRST_FRAME + 1 && o == 0)
			bundle->second_level[lane] = (int16_t)slot.level;
		ym_slot_envelope(&slot, none, frame >= on && frame < off, false,
		                 bundle->pitch[lane].keycode, ym_envelope_frame(frame),
		                 ym_envelope_timer(frame));
	}
	bundle->level[o][lane] = (int16_t)slot.level;
	bundle->state[o][lane] = slot.state;
	ym_lane_follow(bundle, o, lane);
	bundle->steady_level[o][lane] = bundle->level[o][lane];
	bundle->level[o][lane] = first;
}

/* The same where the SSG-EG is at work: only the frame before sample 0 is stepped, and
** the lane starts busy. */
static void start_cycle(struct ym_bundle *bundle, int o, int lane) {
	struct ym_slot *slot = &bundle->slot[o][lane];
	uint64_t on = ym_voice_key_on(o), frame = YM_FIRST_FRAME - 1;
	struct ym_ssg ssg = ym_slot_ssg(slot, frame >= on);
	ym_slot_envelope(slot, ssg, frame >= on, false, bundle->pitch[lane].keycode,
	                 ym_envelope_frame(frame), ym_envelope_timer(frame));
	bundle->target[o][lane] = -1;
	bundle->limit[o][lane] = 0x200;
	bundle->boost[o][lane] = 4;
	bundle->busy[o] |= (uint32_t)1 << lane;
	bundle->cycling = true;
}

static void set_lfo(struct ym_bundle *bundle, int lane, const struct ym_patch *patch) {
	struct ym_lane_lfo *lfo = &bundle->lfo[lane];
	*lfo = (struct ym_lane_lfo){.next = YM_NEVER,
	                            .ams = (uint8_t)patch->field[YM_AMS],
	                            .fms = (uint8_t)patch->field[YM_FMS]};
	if (patch->field[YM_LFO] >= 0) {
		size_t gone = YM_FIRST_FRAME - 1; /* frames it has counted before sample 0 */
		lfo->period = ym_lfo_period[patch->field[YM_LFO]];
		lfo->counter = (uint8_t)(gone / lfo->period % 128);
		lfo->next = lfo->period - gone % lfo->period;
	}
}

static void set_gates(struct ym_bundle *bundle, int lane, int algorithm) {
	for (int gate = 0; gate < YM_GATES; gate++)
		bundle->gate[gate][lane] = ym_gate_algorithms[gate] >> algorithm & 1 ? -1 : 0;
}

static void set_lane(struct ym_bundle *bundle, int lane, const struct ym_patch *patch,
                     const struct ym_note *note) {
	int algorithm = patch->field[YM_ALGORITHM], feedback = patch->field[YM_FEEDBACK];
	struct ym_slot slots[YM_OPERATORS];
	bundle->samples[lane] = note->held + note->release;
	if (bundle->samples[lane] > bundle->longest)
		bundle->longest = bundle->samples[lane];
	bundle->pitch[lane] = (struct ym_pitch_registers){
		note->fnum, note->block, ym_keycode(note->fnum, note->block)};
	bundle->feedback[lane] = (int16_t)(feedback ? 1 << (6 + feedback) : 0);
	set_gates(bundle, lane, algorithm);
	set_lfo(bundle, lane, patch);
	ym_voice_slots(patch, slots);
	for (int o = 0; o < YM_OPERATORS; o++) {
		bool carrier = ym_carriers[algorithm] >> o & 1;
		bundle->slot[o][lane] = slots[o];
		if (level_limit(&slots[o]) == 0) /* never heard */
			bundle->slot[o][lane].ssg = 0;
		for (int state = YM_ATTACK; state <= YM_RELEASE; state++)
			bundle->rates[state][o][lane] = (uint8_t)tick_rate(
				&slots[o], state, bundle->pitch[lane].keycode);
		bundle->sustain[o][lane] = (uint8_t)sustain_target(&slots[o]);
		bundle->limit[o][lane] = (int16_t)level_limit(&slots[o]);
		bundle->sounding[o][lane] = carrier;
		bundle->alive += carrier;
		bundle->boost[o][lane] = 1;
		bundle->release[o][lane] = ym_voice_key_on(o) + note->held;
		if (ym_lane_cycles(bundle, o, lane))
			start_cycle(bundle, o, lane);
		else
			start_envelope(bundle, o, lane);
	}
	ym_bundle_modulate(bundle, lane);
	/* the phase of operator 1 starts with its key, in sample 1 */
	bundle->phase[0][lane] = (int16_t)~bundle->step[0][lane];
	bundle->fraction[0][lane] = (int16_t)(16 - bundle->step_fraction[0][lane]);
}

static void render_alone(const struct ym_bundle *bundle,
                         const struct ym_bundle_job *job, uint32_t i,
                         enum ym_bundle_form form, void *out) {
	const struct ym_note *note = &job->notes[i];
	size_t count = note->held + note->release;
	struct ym_patch patch;
	int16_t *raw = form == YM_BUNDLE_RAW ? out : bundle->alone;
	ym_patch_unpack(&patch, job->patches + i * YM_FIELDS);
	ym_voice_render(&job->tables->voice, &patch, note, raw);
	if (form != YM_BUNDLE_RAW)
		ym_voice_scale(note->stage, raw, count, out);
	if (form == YM_BUNDLE_FILTERED)
		ym_highpass(job->rate, out, count, out);
}

void ym_bundle_render(struct ym_bundle *bundle, const struct ym_bundle_job *job,
                      const struct ym_bundle_plan *plan, size_t part,
                      enum ym_bundle_form form, void *const out[]) {
	const struct ym_bundle_part *wanted = &plan->part[part];
	int16_t *alone;
	if (wanted->algorithm == YM_BUNDLE_ALONE) {
		render_alone(bundle, job, plan->order[wanted->first], form, out[0]);
		return;
	}
	alone = bundle->alone;
	memset(bundle, 0, sizeof *bundle);
	bundle->alone = alone;
	bundle->tables = job->tables;
	bundle->stage = job->notes[plan->order[wanted->first]].stage;
	bundle->algorithm = wanted->algorithm;
	bundle->lanes = (int)wanted->count;
	bundle->sample_rate = job->rate;
	for (int lane = 0; lane < bundle->lanes; lane++) {
		uint32_t i = plan->order[wanted->first + (uint32_t)lane];
		struct ym_patch patch;
		ym_patch_unpack(&patch, job->patches + i * YM_FIELDS);
		set_lane(bundle, lane, &patch, &job->notes[i]);
	}
	for (int o = 0; o < YM_OPERATORS; o++)
		ym_lanes_count(bundle, o);
	YM_SIMD_UNIT(ym_bundle, job->level)->render(bundle, form, out);
}

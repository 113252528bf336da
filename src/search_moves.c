/* The moves of the search: what they change is what matters on this chip. */
#include <math.h>
#include <string.h>

#include "draw.h"
#include "fft.h"
#include "search_state.h"

/* How often a step falls on each field of an operator. */
static const double field_weight[YM_OPERATOR_FIELDS] = {
	[YM_MUL] = 3, [YM_DT] = 1, [YM_TL] = 6, [YM_RS] = 0.7, [YM_AR] = 1.2,
	[YM_DR] = 2,  [YM_SR] = 2, [YM_RR] = 1, [YM_SL] = 1.5,
};

/* How often each move is tried where all pay alike. */
static const double move_weight[YM_MOVES] = {
	[YM_MOVE_STEP] = 10,     [YM_MOVE_CARRIERS] = 1.5, [YM_MOVE_ENVELOPE] = 1.5,
	[YM_MOVE_SWAP] = 0.7,    [YM_MOVE_COPY] = 1.5,     [YM_MOVE_ALGORITHM] = 0.5,
	[YM_MOVE_OPERATORS] = 2, [YM_MOVE_CROSS] = 1.5,    [YM_MOVE_BLEND] = 2,
	[YM_MOVE_RATIO] = 1,     [YM_MOVE_REST] = 1.2,     [YM_MOVE_DETUNE] = 1,
	[YM_MOVE_RARE] = 0.3,
};

static int below(struct ym_rng *rng, int limit) {
	return (int)ym_rng_below(rng, (uint64_t)limit);
}

static bool chance(struct ym_rng *rng, double probability) {
	return ym_rng_uniform(rng) < probability;
}

static bool is_carrier(const struct ym_patch *patch, int o) {
	return ym_carriers[patch->field[YM_ALGORITHM]] >> o & 1;
}

/* A step up or down: mostly one, now and then far (Cauchy's distribution). */
static int step(struct ym_rng *rng, const struct ym_field *field) {
	double range = field->maximum - field->minimum, moved;
	int whole;
	if (chance(rng, 0.4))
		return chance(rng, 0.5) ? 1 : -1;
	moved = tan(YM_PI * (ym_rng_uniform(rng) - 0.5)) * range / 16;
	whole = (int)nearbyint(fmax(-range, fmin(range, moved)));
	return whole != 0 ? whole : moved < 0 ? -1 : 1;
}

static void add(int8_t *value, const struct ym_field *field, int change) {
	int moved = *value + change;
	moved = moved < field->minimum ? field->minimum : moved;
	*value = (int8_t)(moved > field->maximum ? field->maximum : moved);
}

static void step_operator(struct ym_rng *rng, int8_t *op) {
	size_t f = ym_rng_choose(rng, field_weight, YM_OPERATOR_FIELDS);
	add(&op[f], &ym_operator_fields[f], step(rng, &ym_operator_fields[f]));
}

static void step_feedback(struct ym_rng *rng, struct ym_patch *patch) {
	add(&patch->field[YM_FEEDBACK], &ym_patch_fields[YM_FEEDBACK],
	    chance(rng, 0.7) ? (chance(rng, 0.5) ? 1 : -1) : below(rng, 8) - 4);
}

static void move_step(struct ym_rng *rng, struct ym_patch *patch) {
	do {
		if (chance(rng, 0.08))
			step_feedback(rng, patch);
		else
			step_operator(rng, patch->op[below(rng, YM_OPERATORS)]);
	} while (chance(rng, 0.45));
}

static void move_carriers(const struct ym_search *search, struct ym_rng *rng,
                          struct ym_patch *patch) {
	static const double weight[YM_OPERATOR_FIELDS] = {
		[YM_AR] = 1, [YM_DR] = 1.5, [YM_SR] = 1.5, [YM_RR] = 1.5, [YM_SL] = 1};
	size_t f = ym_rng_choose(rng, weight, YM_OPERATOR_FIELDS);
	int change;
	if (search->settings.level && chance(rng, 0.5))
		f = YM_TL;
	change = step(rng, &ym_operator_fields[f]);
	for (int o = 0; o < YM_OPERATORS; o++)
		if (is_carrier(patch, o))
			add(&patch->op[o][f], &ym_operator_fields[f], change);
}

/* Moves rates and sustain level of one operator together. */
static void move_envelope(struct ym_rng *rng, struct ym_patch *patch) {
	static const enum ym_operator_field rates[] = {YM_AR, YM_DR, YM_SR, YM_RR, YM_SL};
	int8_t *op = patch->op[below(rng, YM_OPERATORS)];
	for (int i = 0; i < 5; i++)
		if (chance(rng, 0.5))
			add(&op[rates[i]], &ym_operator_fields[rates[i]],
			    step(rng, &ym_operator_fields[rates[i]]));
}

static void swap_operators(struct ym_patch *patch, int a, int b) {
	int8_t kept[YM_OPERATOR_FIELDS];
	memcpy(kept, patch->op[a], sizeof kept);
	memcpy(patch->op[a], patch->op[b], sizeof kept);
	memcpy(patch->op[b], kept, sizeof kept);
}

/* Two operators change places, or two pairs; in half of the cases levels stay where they
** are. */
static void move_swap(struct ym_rng *rng, struct ym_patch *patch) {
	int a = below(rng, YM_OPERATORS), b = (a + 1 + below(rng, 3)) % YM_OPERATORS;
	if (chance(rng, 0.3)) {
		swap_operators(patch, 0, 2);
		swap_operators(patch, 1, 3);
		return;
	}
	swap_operators(patch, a, b);
	if (chance(rng, 0.5)) {
		int8_t level = patch->op[a][YM_TL];
		patch->op[a][YM_TL] = patch->op[b][YM_TL];
		patch->op[b][YM_TL] = level;
	}
}

static void copy_envelope(int8_t *to, const int8_t *from) {
	static const enum ym_operator_field shape[] = {YM_RS, YM_AR, YM_DR, YM_SR,
	                                               YM_RR, YM_SL, YM_SSG};
	for (int i = 0; i < 7; i++)
		to[shape[i]] = from[shape[i]];
}

/* Another operator than `from`: one of the same role if there is one, more often than
** not. */
static int partner(struct ym_rng *rng, const struct ym_patch *patch, int from) {
	int other = from;
	for (int tries = 0; tries < 4; tries++) {
		other = (from + 1 + below(rng, 3)) % YM_OPERATORS;
		if (is_carrier(patch, other) == is_carrier(patch, from) || chance(rng, 0.25))
			break;
	}
	return other;
}

/* Most patches repeat operators, or at least their envelopes. */
static void move_copy(struct ym_rng *rng, struct ym_patch *patch) {
	int from = below(rng, YM_OPERATORS), to = partner(rng, patch, from);
	double kind = ym_rng_uniform(rng);
	int8_t level = patch->op[to][YM_TL], multiple = patch->op[to][YM_MUL];
	if (kind < 0.4) {
		copy_envelope(patch->op[to], patch->op[from]);
		return;
	}
	if (kind < 0.55) {
		for (int o = 0; o < YM_OPERATORS; o++)
			copy_envelope(patch->op[o], patch->op[from]);
		return;
	}
	memcpy(patch->op[to], patch->op[from], sizeof patch->op[to]);
	if (chance(rng, 0.6))
		patch->op[to][YM_TL] = level;
	if (chance(rng, 0.5))
		patch->op[to][YM_MUL] = multiple;
	if (chance(rng, 0.3)) /* beside the other: a chorus */
		patch->op[to][YM_DT] = (int8_t)(below(rng, 7) - 3);
}

/* Another algorithm, half of the time with the operators in another order. */
static void move_algorithm(struct ym_rng *rng, struct ym_patch *patch) {
	patch->field[YM_ALGORITHM] =
		(int8_t)((patch->field[YM_ALGORITHM] + 1 + below(rng, 7)) % 8);
	if (chance(rng, 0.5))
		for (int o = YM_OPERATORS - 1; o > 0; o--)
			swap_operators(patch, o, below(rng, o + 1));
}

static void move_ratio(struct ym_rng *rng, struct ym_patch *patch) {
	int8_t *op = patch->op[below(rng, YM_OPERATORS)];
	op[YM_MUL] = (int8_t)below(rng, 16);
	if (chance(rng, 0.3)) { /* another's ratio follows */
		int multiple = below(rng, 16);
		patch->op[below(rng, YM_OPERATORS)][YM_MUL] = (int8_t)multiple;
	}
	if (chance(rng, 0.3))
		add(&op[YM_TL], &ym_operator_fields[YM_TL],
		    step(rng, &ym_operator_fields[YM_TL]));
}

/* Detunes act by their differences, which make operators beat: all are turned around or
** moved alike, or some drawn anew. */
static void move_detune(struct ym_rng *rng, struct ym_patch *patch) {
	const struct ym_field *field = &ym_operator_fields[YM_DT];
	double kind = ym_rng_uniform(rng);
	int change = chance(rng, 0.5) ? 1 : -1;
	for (int o = 0; o < YM_OPERATORS; o++) {
		int8_t *detune = &patch->op[o][YM_DT];
		if (kind < 0.2)
			*detune = (int8_t) - *detune;
		else if (kind < 0.4)
			add(detune, field, change);
		else if (chance(rng, 0.5))
			*detune = (int8_t)(below(rng, 7) - 3);
	}
}

/* One field of an operator, or of all, takes the value that is most common. */
static void move_rest(struct ym_rng *rng, struct ym_patch *patch) {
	static const int8_t common[][2] = {{YM_DT, 0},  {YM_RS, 0},  {YM_AR, 31},
	                                   {YM_DR, 0},  {YM_SR, 0},  {YM_SL, 0},
	                                   {YM_SL, 15}, {YM_RR, 15}, {YM_TL, 127}};
	enum { FOR_ALL = 5 }; /* of them, those that all operators may take at once */
	do {
		int i = below(rng, (int)(sizeof common / sizeof *common));
		int o = below(rng, YM_OPERATORS);
		bool all = i < FOR_ALL && chance(rng, 0.3);
		for (int k = 0; k < YM_OPERATORS; k++)
			if (all || k == o)
				patch->op[k][common[i][0]] = common[i][1];
	} while (chance(rng, 0.4));
}

static void move_rare(const struct ym_search *search, struct ym_rng *rng,
                      struct ym_patch *patch) {
	int8_t *op = patch->op[below(rng, YM_OPERATORS)];
	if (search->settings.ssg && (!search->settings.lfo || chance(rng, 0.4))) {
		op[YM_SSG] = (int8_t)(chance(rng, 0.3) ? 0 : 8 + below(rng, 8));
		return;
	}
	if (!search->settings.lfo)
		return;
	if (patch->field[YM_LFO] < 0 || chance(rng, 0.3))
		patch->field[YM_LFO] = (int8_t)(below(rng, 9) - 1);
	if (chance(rng, 0.5))
		patch->field[YM_FMS] = (int8_t)below(rng, 8);
	else {
		patch->field[YM_AMS] = (int8_t)below(rng, 4);
		op[YM_AM] = (int8_t)(chance(rng, 0.8) ? 1 : 0);
	}
}

/* Each operator from one of two. */
static void move_operators(struct ym_rng *rng, struct ym_patch *patch,
                           const struct ym_patch *other) {
	for (int o = 0; o < YM_OPERATORS; o++)
		if (chance(rng, 0.5))
			memcpy(patch->op[o], other->op[o], sizeof patch->op[o]);
	if (chance(rng, 0.5))
		patch->field[YM_FEEDBACK] = other->field[YM_FEEDBACK];
}

static void move_cross(struct ym_rng *rng, struct ym_patch *patch,
                       const struct ym_patch *other) {
	for (int o = 0; o < YM_OPERATORS; o++)
		if (chance(rng, 0.75))
			copy_envelope(patch->op[o], other->op[o]);
}

/* Adds to each field, some of the time, what another member has more than a third. */
static void move_blend(struct ym_rng *rng, struct ym_patch *patch,
                       const struct ym_patch *more, const struct ym_patch *less) {
	for (int o = 0; o < YM_OPERATORS; o++)
		for (int f = 0; f < YM_OPERATOR_FIELDS; f++)
			if (field_weight[f] > 0 && chance(rng, 0.4))
				add(&patch->op[o][f], &ym_operator_fields[f],
				    more->op[o][f] - less->op[o][f]);
}

/* A member of the island: the better of two. */
static const struct ym_candidate *pick(struct ym_search *search,
                                       const struct ym_island *island) {
	int a = below(&search->rng, island->count), b = below(&search->rng, island->count);
	return &island->member[a < b ? a : b];
}

/* Any member's patch, now and then one of those kept from all islands. */
static void pick_other(struct ym_search *search, const struct ym_island *island,
                       struct ym_patch *patch) {
	const struct ym_candidate *other =
		&island->member[below(&search->rng, island->count)];
	int algorithm = below(&search->rng, 8), count = search->kept_count[algorithm];
	if (count > 0 && chance(&search->rng, 0.2))
		other = &search->kept[algorithm][below(&search->rng, count)];
	ym_patch_unpack(patch, other->genes);
}

static enum ym_move choose_move(struct ym_search *search) {
	double weight[YM_MOVES];
	for (int move = 0; move < YM_MOVES; move++)
		weight[move] = move_weight[move] * (0.05 + search->credit[move]);
	if (!search->settings.ssg && !search->settings.lfo)
		weight[YM_MOVE_RARE] = 0;
	return (enum ym_move)ym_rng_choose(&search->rng, weight, YM_MOVES);
}

void ym_search_move(struct ym_search *search, int i, struct ym_candidate *child) {
	const struct ym_island *island = &search->island[i];
	const struct ym_candidate *parent = pick(search, island);
	struct ym_rng *rng = &search->rng;
	enum ym_move move = choose_move(search);
	struct ym_patch patch, other, third;
	*child = (struct ym_candidate){.take = parent->take, .move = (uint8_t)move};
	ym_patch_unpack(&patch, parent->genes);
	switch (move) {
	case YM_MOVE_CARRIERS: move_carriers(search, rng, &patch); break;
	case YM_MOVE_ENVELOPE: move_envelope(rng, &patch); break;
	case YM_MOVE_SWAP: move_swap(rng, &patch); break;
	case YM_MOVE_COPY: move_copy(rng, &patch); break;
	case YM_MOVE_ALGORITHM: move_algorithm(rng, &patch); break;
	case YM_MOVE_RATIO: move_ratio(rng, &patch); break;
	case YM_MOVE_REST: move_rest(rng, &patch); break;
	case YM_MOVE_DETUNE: move_detune(rng, &patch); break;
	case YM_MOVE_RARE: move_rare(search, rng, &patch); break;
	case YM_MOVE_OPERATORS:
		pick_other(search, island, &other);
		move_operators(rng, &patch, &other);
		break;
	case YM_MOVE_CROSS:
		pick_other(search, island, &other);
		move_cross(rng, &patch, &other);
		break;
	case YM_MOVE_BLEND:
		pick_other(search, island, &other);
		pick_other(search, island, &third);
		move_blend(rng, &patch, &other, &third);
		break;
	default: move_step(rng, &patch); break;
	}
	if (move >= YM_MOVE_OPERATORS && chance(rng, 0.4))
		move_step(rng, &patch);
	ym_patch_pack(&patch, child->genes);
}

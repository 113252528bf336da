#include "draw.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

/* The fields that are drawn, in the order of drawing. */
static const uint8_t drawn[] = {YM_MUL, YM_DT, YM_TL, YM_RS, YM_AR,
                                YM_DR,  YM_SR, YM_RR, YM_SL};
enum { DRAWN = sizeof drawn };

/* low..high, both included */
static int integer(struct ym_rng *rng, int low, int high) {
	return low + (int)ym_rng_below(rng, (uint64_t)(high - low + 1));
}

static enum ym_draw_role role_of(const struct ym_patch *patch, int o) {
	return ym_carriers[patch->field[YM_ALGORITHM]] >> o & 1 ? YM_CARRIER : YM_MODULATOR;
}

static int8_t draw_algorithm(struct ym_draw *draw) {
	return (int8_t)ym_rng_choose(&draw->rng, draw->algorithm, YM_ALGORITHMS);
}

static int8_t draw_field(struct ym_draw *draw, enum ym_draw_role role, int f) {
	const struct ym_field *field = &ym_operator_fields[f];
	size_t chosen = ym_rng_choose(&draw->rng, draw->weight[role][f],
	                              (size_t)ym_field_values(field));
	return (int8_t)(field->minimum + (int)chosen);
}

static void draw_prior(struct ym_draw *draw, struct ym_patch *patch) {
	const int8_t *last[YM_ROLES] = {NULL, NULL};
	int level;
	patch->field[YM_ALGORITHM] = draw_algorithm(draw);
	patch->field[YM_FEEDBACK] = (int8_t)ym_rng_choose(&draw->rng, draw->feedback,
	                                                  YM_FEEDBACKS);
	level = (int)ym_rng_choose(&draw->rng, draw->level, YM_LEVELS);
	for (int o = 0; o < YM_OPERATORS; o++) {
		enum ym_draw_role role = role_of(patch, o);
		int8_t *op = patch->op[o];
		for (int i = 0; i < DRAWN; i++) {
			int f = drawn[i];
			if (last[role] != NULL && ym_rng_uniform(&draw->rng) < draw->repeats[f]) {
				op[f] = last[role][f];
				continue;
			}
			op[f] = draw_field(draw, role, f);
			if (f == YM_TL && role == YM_CARRIER)
				op[f] = (int8_t)(op[f] + level < 127 ? op[f] + level : 127);
		}
		last[role] = op;
	}
}

/* A real patch of an algorithm drawn as for the prior, so that rare ones are met. */
static void pick(struct ym_draw *draw, struct ym_patch *patch) {
	int algorithm = draw_algorithm(draw);
	size_t first = draw->first[algorithm], count = draw->first[algorithm + 1] - first;
	size_t which = ym_rng_below(&draw->rng, count > 0 ? count : draw->count);
	if (count > 0)
		which = draw->order[first + which];
	ym_patch_unpack(patch, draw->patches + which * YM_FIELDS);
}

/* Moves a value by a few steps, more seldom by many: Cauchy's distribution. */
static void nudge(struct ym_rng *rng, int8_t *value, const struct ym_field *field) {
	int range = ym_field_values(field) - 1, moved;
	double step = tan(PI * (ym_rng_uniform(rng) - 0.5)) * range / 12;
	moved = *value + (int)floor(fmax(-range, fmin(range, step)) + 0.5);
	if (moved < field->minimum)
		moved = field->minimum;
	*value = (int8_t)(moved < field->maximum ? moved : field->maximum);
}

static void copy_envelope(int8_t *to, const int8_t *from) {
	static const uint8_t envelope[] = {YM_RS, YM_AR, YM_DR, YM_SR, YM_RR, YM_SL};
	for (size_t i = 0; i < sizeof envelope; i++)
		to[envelope[i]] = from[envelope[i]];
}

static void swap_operators(int8_t *a, int8_t *b) {
	int8_t kept[YM_OPERATOR_FIELDS];
	memcpy(kept, a, sizeof kept);
	memmove(a, b, sizeof kept); /* they may be the same */
	memcpy(b, kept, sizeof kept);
}

static void mutate(struct ym_draw *draw, struct ym_patch *patch) {
	struct ym_rng *rng = &draw->rng;
	double kind;
	for (int left = integer(rng, 1, 14); left > 0; left--) {
		int o = integer(rng, 0, YM_OPERATORS - 1);
		int f = drawn[integer(rng, 0, DRAWN - 1)];
		if (ym_rng_uniform(rng) < 0.6)
			nudge(rng, &patch->op[o][f], &ym_operator_fields[f]);
		else
			patch->op[o][f] = draw_field(draw, role_of(patch, o), f);
	}
	kind = ym_rng_uniform(rng);
	if (kind < 0.15)
		patch->field[YM_FEEDBACK] = (int8_t)integer(rng, 0, YM_FEEDBACKS - 1);
	else if (kind < 0.35) {
		int a = integer(rng, 0, YM_OPERATORS - 1);
		int b = integer(rng, 0, YM_OPERATORS - 1);
		if (kind < 0.25)
			copy_envelope(patch->op[b], patch->op[a]);
		else
			swap_operators(patch->op[a], patch->op[b]);
	} else if (kind < 0.45)
		patch->field[YM_ALGORITHM] = draw_algorithm(draw);
}

/* Each operator from one of two patches, the rest from the first. */
static void cross(struct ym_rng *rng, struct ym_patch *patch,
                  const struct ym_patch *other) {
	for (int o = 0; o < YM_OPERATORS; o++)
		if (ym_rng_uniform(rng) < 0.5)
			memcpy(patch->op[o], other->op[o], sizeof patch->op[o]);
}

void ym_draw_next(struct ym_draw *draw, struct ym_patch *patch) {
	struct ym_patch other;
	size_t kind = YM_DRAW_PRIOR;
	if (draw->count > 0)
		kind = ym_rng_choose(&draw->rng, draw->mix, YM_DRAW_KINDS);
	if (kind == YM_DRAW_PRIOR)
		draw_prior(draw, patch);
	else
		pick(draw, patch);
	if (kind == YM_DRAW_MUTATED)
		mutate(draw, patch);
	if (kind == YM_DRAW_CROSSED) {
		pick(draw, &other);
		cross(&draw->rng, patch, &other);
	}
	patch->field[YM_AMS] = patch->field[YM_FMS] = 0;
	patch->field[YM_LFO] = -1;
	for (int o = 0; o < YM_OPERATORS; o++)
		patch->op[o][YM_AM] = patch->op[o][YM_SSG] = 0;
}

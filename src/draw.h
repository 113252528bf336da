/*
** Random patches: draws from the statistics of real ones, real ones mutated or crossed,
** and real ones as they are; none with LFO, AM or SSG-EG.
*/
#ifndef DRAW_H
#define DRAW_H

#include "patch.h"
#include "rng.h"

enum ym_draw_kind {
	YM_DRAW_PRIOR,
	YM_DRAW_MUTATED,
	YM_DRAW_CROSSED,
	YM_DRAW_REAL,
	YM_DRAW_KINDS
};

/* What is heard itself and what modulates it have statistics of their own. */
enum ym_draw_role { YM_MODULATOR, YM_CARRIER, YM_ROLES };

enum { YM_ALGORITHMS = 8, YM_FEEDBACKS = 8, YM_LEVELS = 128, YM_FIELD_VALUES = 128 };

/* A source of patches. Weights are of the values of a field from its minimum on: finite,
** not negative and not all 0. */
struct ym_draw {
	struct ym_rng rng;
	double mix[YM_DRAW_KINDS]; /* weights; not used without real patches */
	double algorithm[YM_ALGORITHMS], feedback[YM_FEEDBACKS];
	double level[YM_LEVELS]; /* total level of the loudest carrier */
	/* Of carriers' total levels: relative to the loudest. Those of AM and SSG-EG are
	** not used. */
	double weight[YM_ROLES][YM_OPERATOR_FIELDS][YM_FIELD_VALUES];
	/* How often an operator has the value of the one before it in the same role. */
	double repeats[YM_OPERATOR_FIELDS];
	const uint8_t *patches; /* real ones, YM_FIELDS bytes each */
	size_t count;
	/* Their numbers, those of algorithm a from first[a] to before first[a + 1]. */
	const uint32_t *order;
	size_t first[YM_ALGORITHMS + 1];
};

/* The values that a field of an operator has: at most YM_FIELD_VALUES. */
static inline int ym_field_values(const struct ym_field *field) {
	return field->maximum - field->minimum + 1;
}

/* Whether draws vary this field of an operator. */
static inline bool ym_draw_varies(int field) {
	return field != YM_AM && field != YM_SSG;
}

/* The next patch. */
void ym_draw_next(struct ym_draw *draw, struct ym_patch *patch);

#endif

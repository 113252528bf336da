#include "heads.h"

#include <math.h>
#include <string.h>

#include "rng.h"

enum { ALGORITHMS = 8, TEMPERATURES = 4 };

static uint8_t algorithm_of(const struct ym_opinion *opinion, size_t row) {
	return (uint8_t)(row * ALGORITHMS / opinion->rows);
}

/* exp of a head's logits over the temperature, the largest 1. */
static void weigh(const struct ym_head *head, const float *logits, double temperature,
                  double weights[YM_HEAD_WIDTH]) {
	double top = -INFINITY;
	for (int i = 0; i < head->width; i++)
		top = fmax(top, (double)logits[head->first + i]);
	for (int i = 0; i < head->width; i++)
		weights[i] = exp(((double)logits[head->first + i] - top) / temperature);
}

/* The largest value that a head's byte may have. */
static int most(const struct ym_head *head) {
	const struct ym_field *field;
	if (head->position == YM_HEAD_LEVEL)
		return ym_operator_fields[YM_TL].maximum;
	field = ym_field_at(head->position);
	return field->maximum - field->minimum;
}

static int at_most(int value, int limit) {
	return value < limit ? value : limit;
}

/* The middle of a class, in values from the minimum. */
static double middle(const struct ym_head *head, int class) {
	return class * head->size + (head->size - 1) / 2.0;
}

static int most_likely(const struct ym_head *head, const float *logits) {
	double weights[YM_HEAD_WIDTH], sum = 0, total = 0, value;
	int mode = 0;
	weigh(head, logits, 1, weights);
	for (int i = 1; i < head->width; i++)
		if (weights[i] > weights[mode])
			mode = i;
	value = middle(head, mode);
	if (head->ordered && head->size > 1) {
		for (int i = mode - 1; i <= mode + 1; i++)
			if (i >= 0 && i < head->width) {
				sum += weights[i] * middle(head, i);
				total += weights[i];
			}
		value = sum / total;
	}
	return at_most((int)floor(value + 0.5), most(head));
}

static size_t total_level(int o) {
	return (size_t)(YM_PATCH_FIELDS + o * YM_OPERATOR_FIELDS + YM_TL);
}

int ym_heads_level(const uint8_t *packed) {
	int carriers = ym_carriers[packed[YM_ALGORITHM] & 7], loudest = 127;
	for (int o = 0; o < YM_OPERATORS; o++)
		if (carriers >> o & 1)
			loudest = at_most(loudest, packed[total_level(o)]);
	return loudest;
}

void ym_heads_set_level(uint8_t *packed, int level) {
	int carriers = ym_carriers[packed[YM_ALGORITHM] & 7];
	int change = level - ym_heads_level(packed);
	for (int o = 0; o < YM_OPERATORS; o++)
		if (carriers >> o & 1) {
			uint8_t *own = &packed[total_level(o)];
			*own = (uint8_t)at_most(*own + change, 127);
		}
}

/* Puts a head's value into a packed patch, or into *level. */
static void put(const struct ym_opinion *opinion, const struct ym_head *head, int value,
                uint8_t *packed, int *level) {
	if (head->position != YM_HEAD_LEVEL)
		packed[head->position] = (uint8_t)value;
	else if (opinion->level)
		*level = value;
}

void ym_heads_modes(const struct ym_opinion *opinion, uint8_t *packed) {
	const struct ym_heads *heads = opinion->heads;
	for (size_t row = 0; row < opinion->rows; row++, packed += YM_FIELDS) {
		const float *logits = opinion->logits + row * heads->logits;
		int level = 0;
		memset(packed, 0, YM_FIELDS);
		packed[YM_ALGORITHM] = algorithm_of(opinion, row);
		for (int h = 0; h < heads->count; h++)
			put(opinion, &heads->head[h], most_likely(&heads->head[h], logits), packed,
			    &level);
		ym_heads_set_level(packed, level);
	}
}

/* A table of the sums of a head's weights up to each class, for all heads. */
static void accumulate(const struct ym_heads *heads, const float *logits,
                       double temperature, float *sums) {
	double weights[YM_HEAD_WIDTH];
	for (int h = 0; h < heads->count; h++) {
		const struct ym_head *head = &heads->head[h];
		double sum = 0;
		weigh(head, logits, temperature, weights);
		for (int i = 0; i < head->width; i++)
			sums[head->first + i] = (float)(sum += weights[i]);
	}
}

/* A value of a head from one uniform number: the class it falls in, and in the class
** as far as it lies there. */
static int drawn(const struct ym_head *head, const float *sums, double uniform) {
	const float *own = sums + head->first;
	float at = (float)uniform * own[head->width - 1], below;
	int bin = 0;
	while (bin < head->width - 1 && at >= own[bin])
		bin++;
	if (head->size == 1)
		return bin;
	below = bin > 0 ? own[bin - 1] : 0;
	at = own[bin] > below ? (at - below) / (own[bin] - below) : 0;
	return at_most(bin * head->size +
	                   at_most((int)(at * (float)head->size), head->size - 1),
	               most(head));
}

static void draw_one(const struct ym_opinion *opinion, const float *sums,
                     struct ym_rng *rng, uint8_t *packed) {
	const struct ym_heads *heads = opinion->heads;
	int level = 0;
	for (int h = 0; h < heads->count; h++) {
		const struct ym_head *head = &heads->head[h];
		put(opinion, head, drawn(head, sums, ym_rng_uniform(rng)), packed, &level);
	}
	ym_heads_set_level(packed, level);
}

enum ym_status ym_heads_draw(const struct ym_opinion *opinion,
                             const struct ym_heads_draw *draw, uint8_t *packed,
                             struct ym_error *error) {
	const struct ym_heads *heads = opinion->heads;
	size_t tables = opinion->rows * TEMPERATURES;
	double step = (draw->warmest - draw->coldest) / (TEMPERATURES - 1);
	float *sums = ym_alloc(tables * heads->logits, sizeof *sums);
	bool *made = ym_alloc(tables, sizeof *made);
	struct ym_rng rng;
	ym_rng_seed(&rng, draw->seed, draw->stream);
	for (size_t i = 0; i < draw->count && sums != NULL && made != NULL; i++) {
		size_t row = ym_rng_choose(&rng, draw->weights, opinion->rows);
		size_t warmth = ym_rng_below(&rng, TEMPERATURES);
		size_t table = row * TEMPERATURES + warmth;
		float *own = sums + table * heads->logits;
		if (!made[table])
			accumulate(heads, opinion->logits + row * heads->logits,
			           draw->coldest + (double)warmth * step, own);
		made[table] = true;
		memset(packed, 0, YM_FIELDS);
		packed[YM_ALGORITHM] = algorithm_of(opinion, row);
		draw_one(opinion, own, &rng, packed);
		packed += YM_FIELDS;
	}
	ym_free(sums);
	ym_free(made);
	return sums == NULL || made == NULL ? ym_no_memory(error) : YM_OK;
}

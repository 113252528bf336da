/*
** From rows of lanes to each note's samples: the output stage, scaling, the high-pass.
** Only for bundle_kernel.h.
*/
#ifndef BUNDLE_DELIVER_H
#define BUNDLE_DELIVER_H

#include <math.h>
#include <string.h>

#include "bundle_vectors.h"
#include "fft.h"

/* The lanes as floats: two vectors of them. */
typedef int16_t half_values __attribute__((vector_size(LANES)));
typedef int32_t integers __attribute__((vector_size(2 * LANES)));
typedef float floats __attribute__((vector_size(2 * LANES)));

/* Eight lanes, or eight samples of one. */
typedef int16_t eight_shorts __attribute__((vector_size(16)));
typedef float eight_floats __attribute__((vector_size(32)));

/* From a channel's value to the chip's output, and to floats. */
struct delivery {
	enum ym_bundle_form form;
	void *const *out;
	values gain, zero, below; /* below: added for values below 0 */
	float scale;
	/* The high-pass, a state-variable filter (Zavalishin, The Art of VA Filter Design):
	** from the input less `base` to the band and the low-pass, whose state is kept as
	** base, moved every eight samples, plus a small rest; so floats are precise enough.
	*/
	float a2, a3, loss, damping;
	floats band[2], base[2], rest[2]; /* rest: what base cannot hold */
};

static struct delivery delivery_of(const struct ym_bundle *bundle,
                                   enum ym_bundle_form form, void *const *out) {
	struct delivery delivery;
	enum ym_stage stage = bundle->stage;
	int gain = ym_stage_output(stage, 1, true) - ym_stage_output(stage, 0, true);
	int rest = ym_stage_rest(stage);
	double g = tan(YM_PI * 20 / bundle->sample_rate), a1 = 1 / (1 + g * (g + sqrt(2)));
	memset(&delivery, 0, sizeof delivery);
	delivery.form = form;
	delivery.out = out;
	delivery.gain += (int16_t)gain;
	delivery.zero += (int16_t)(form == YM_BUNDLE_RAW ? rest : 0);
	delivery.below += (int16_t)(ym_stage_output(stage, -1, true) -
	                            ym_stage_output(stage, 0, true) + gain);
	delivery.scale = 1.0f / (float)ym_stage_swing(stage);
	delivery.loss = (float)(1 - a1);
	delivery.a2 = (float)(g * a1);
	delivery.a3 = (float)(g * g * a1);
	delivery.damping = (float)sqrt(2);
	return delivery;
}

static inline values output_of(const struct delivery *delivery, values value) {
	return delivery->gain * value + delivery->zero + (delivery->below & (value < 0));
}

static inline __attribute__((always_inline)) void
transpose_shorts(eight_shorts row[8]) {
	for (int round = 0; round < 3; round++) {
		eight_shorts next[8];
		for (int i = 0; i < 4; i++) {
			next[2 * i] = __builtin_shufflevector(row[i], row[i + 4], 0, 8, 1, 9, 2, 10,
			                                      3, 11);
			next[2 * i + 1] = __builtin_shufflevector(row[i], row[i + 4], 4, 12, 5, 13,
			                                          6, 14, 7, 15);
		}
		memcpy(row, next, sizeof next);
	}
}

static inline __attribute__((always_inline)) void
transpose_floats(eight_floats row[8]) {
	eight_floats pair[8], quad[8];
	for (int i = 0; i < 8; i += 2) {
		pair[i] = __builtin_shufflevector(row[i], row[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
		pair[i + 1] = __builtin_shufflevector(row[i], row[i + 1], 2, 10, 3, 11, 6, 14,
		                                      7, 15);
	}
	for (int i = 0; i < 8; i += 4)
		for (int j = 0; j < 2; j++) {
			quad[i + 2 * j] = __builtin_shufflevector(pair[i + j], pair[i + j + 2], 0,
			                                          1, 8, 9, 4, 5, 12, 13);
			quad[i + 2 * j + 1] = __builtin_shufflevector(pair[i + j], pair[i + j + 2],
			                                              2, 3, 10, 11, 6, 7, 14, 15);
		}
	for (int i = 0; i < 4; i++) {
		row[i] = __builtin_shufflevector(quad[i], quad[i + 4], 0, 1, 2, 3, 8, 9, 10,
		                                 11);
		row[i + 4] = __builtin_shufflevector(quad[i], quad[i + 4], 4, 5, 6, 7, 12, 13,
		                                     14, 15);
	}
}

/* Half of the lanes of a row, scaled. */
static inline __attribute__((always_inline)) floats
scaled(const struct delivery *delivery, const values *row, int half) {
	integers whole = __builtin_convertvector(((const half_values *)row)[half],
	                                         integers);
	return __builtin_convertvector(whole, floats) * delivery->scale;
}

/* Sets what is next to nothing to zero: it would sink into denormal numbers, which are
** slow. */
static inline __attribute__((always_inline)) floats heard(floats value) {
	return (floats)((integers)value & ((value > 1e-12f) | (value < -1e-12f)));
}

/* Eight samples of half of the lanes, scaled and high-passed. Written so that a sample
** waits for two operations of the one before only. */
static inline __attribute__((always_inline)) void filter(struct delivery *delivery,
                                                         int half, bool start,
                                                         const values rows[8],
                                                         float out[8][LANES]) {
	const float a2 = 2 * delivery->a2, a3 = 2 * delivery->a3, loss = 2 * delivery->loss;
	floats band = delivery->band[half], base = delivery->base[half], low = {0};
	if (start) /* the first sample is subtracted from all */
		base = scaled(delivery, rows, half);
	for (int i = 0; i < 8; i++) {
		floats high = scaled(delivery, &rows[i], half) - base - low;
		floats next_band = a2 * high + (band - loss * band);
		floats next_low = a3 * high + (low + a2 * band);
		/* what the band and the low-pass are in the middle of the step */
		floats result = high - delivery->damping * (0.5f * (band + next_band)) -
		                0.5f * (next_low - low);
		memcpy(&out[i][half * LANES / 2], &result, sizeof result);
		band = next_band;
		low = next_low;
	}
	low += delivery->rest[half];
	delivery->band[half] = heard(band);
	delivery->base[half] = heard(base + low);
	delivery->rest[half] = heard(low - (delivery->base[half] - base));
}

/* Stores eight values of a lane, or as many as its note has. */
static inline void put(const struct ym_bundle *bundle, const struct delivery *delivery,
                       int lane, size_t at, const void *from, size_t size) {
	char *to = delivery->out[lane];
	size_t left = bundle->samples[lane] > at ? bundle->samples[lane] - at : 0;
	if (left >= 8)
		memcpy(to + at * size, from, 8 * size);
	else if (left > 0)
		memcpy(to + at * size, from, left * size);
}

static void put_shorts(const struct ym_bundle *bundle, const struct delivery *delivery,
                       size_t at, const values rows[8]) {
	for (int lane = 0; lane < bundle->lanes; lane += 8) {
		eight_shorts block[8];
		for (int row = 0; row < 8; row++)
			block[row] = *(const eight_shorts *)((const int16_t *)&rows[row] + lane);
		transpose_shorts(block);
		for (int i = 0; i < 8 && lane + i < bundle->lanes; i++)
			put(bundle, delivery, lane + i, at, &block[i], sizeof(int16_t));
	}
}

static void put_floats(const struct ym_bundle *bundle, const struct delivery *delivery,
                       size_t at, float rows[8][LANES]) {
	for (int lane = 0; lane < bundle->lanes; lane += 8) {
		eight_floats block[8];
		for (int row = 0; row < 8; row++)
			memcpy(&block[row], &rows[row][lane], sizeof block[row]);
		transpose_floats(block);
		for (int i = 0; i < 8 && lane + i < bundle->lanes; i++)
			put(bundle, delivery, lane + i, at, &block[i], sizeof(float));
	}
}

/* Writes rows, eight at a time, to where each lane's note is wanted. */
static void deliver(const struct ym_bundle *bundle, struct delivery *delivery,
                    size_t first, size_t count, const values *rows) {
	for (size_t i = 0; i < count; i += 8) {
		_Alignas(64) float out[8][LANES];
		values block[8];
		for (int row = 0; row < 8; row++)
			block[row] = output_of(delivery, rows[i + row]);
		if (delivery->form == YM_BUNDLE_RAW) {
			put_shorts(bundle, delivery, first + i, block);
			continue;
		}
		for (int half = 0; half < 2; half++) {
			if (delivery->form == YM_BUNDLE_FILTERED)
				filter(delivery, half, first + i == 0, block, out);
			else
				for (int row = 0; row < 8; row++) {
					floats result = scaled(delivery, &block[row], half);
					memcpy(&out[row][half * LANES / 2], &result, sizeof result);
				}
		}
		put_floats(bundle, delivery, first + i, out);
	}
}

#endif

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

/* Eight lanes or eight samples. */
typedef int16_t shorts __attribute__((vector_size(16)));
typedef int32_t integers __attribute__((vector_size(32)));
typedef float floats __attribute__((vector_size(32)));

enum { GROUPS = LANES / 8 };

/* From a channel's value to the chip's output, and to floats. */
struct delivery {
	enum ym_bundle_form form;
	void *const *out;
	shorts gain, zero, below; /* below: added for values below 0 */
	float scale;
	/* The high-pass, a state-variable filter (Zavalishin, The Art of VA Filter Design):
	** from the input less `base` to the band and the low-pass, whose state is kept as
	** base, moved every eight samples, plus a small rest; so floats are precise enough. */
	float a2, a3, loss, damping;
	floats band[GROUPS], base[GROUPS], rest[GROUPS]; /* rest: what base cannot hold */
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

static inline shorts output_of(const struct delivery *delivery, shorts value) {
	return delivery->gain * value + delivery->zero + (delivery->below & (value < 0));
}

static inline __attribute__((always_inline)) void transpose_shorts(shorts row[8]) {
	const shorts low = {0, 8, 1, 9, 2, 10, 3, 11}, high = {4, 12, 5, 13, 6, 14, 7, 15};
	for (int round = 0; round < 3; round++) {
		shorts next[8];
		for (int i = 0; i < 4; i++) {
			next[2 * i] = __builtin_shuffle(row[i], row[i + 4], low);
			next[2 * i + 1] = __builtin_shuffle(row[i], row[i + 4], high);
		}
		memcpy(row, next, sizeof next);
	}
}

static inline __attribute__((always_inline)) void transpose_floats(floats row[8]) {
	const integers low = {0, 8, 1, 9, 4, 12, 5, 13},
				   high = {2, 10, 3, 11, 6, 14, 7, 15};
	const integers left = {0, 1, 8, 9, 4, 5, 12, 13},
				   right = {2, 3, 10, 11, 6, 7, 14, 15};
	const integers lower = {0, 1, 2, 3, 8, 9, 10, 11},
				   upper = {4, 5, 6, 7, 12, 13, 14, 15};
	floats pair[8], quad[8];
	for (int i = 0; i < 8; i += 2) {
		pair[i] = __builtin_shuffle(row[i], row[i + 1], low);
		pair[i + 1] = __builtin_shuffle(row[i], row[i + 1], high);
	}
	for (int i = 0; i < 8; i += 4)
		for (int j = 0; j < 2; j++) {
			quad[i + 2 * j] = __builtin_shuffle(pair[i + j], pair[i + j + 2], left);
			quad[i + 2 * j + 1] = __builtin_shuffle(pair[i + j], pair[i + j + 2],
			                                        right);
		}
	for (int i = 0; i < 4; i++) {
		row[i] = __builtin_shuffle(quad[i], quad[i + 4], lower);
		row[i + 4] = __builtin_shuffle(quad[i], quad[i + 4], upper);
	}
}

/* Sets what is next to nothing to zero: it would sink into denormal numbers, which are
** slow. */
static inline __attribute__((always_inline)) floats heard(floats value) {
	return (floats)((integers)value & ((value > 1e-12f) | (value < -1e-12f)));
}

/* Eight samples of eight lanes, scaled and high-passed. */
static inline __attribute__((always_inline)) void filter(struct delivery *delivery,
                                                         int group, bool start,
                                                         const shorts in[8],
                                                         floats out[8]) {
	floats band = delivery->band[group], base = delivery->base[group], low = {0};
	for (int i = 0; i < 8; i++) {
		integers value = __builtin_convertvector(output_of(delivery, in[i]), integers);
		floats x = __builtin_convertvector(value, floats) * delivery->scale, high,
			   band_step, low_step;
		if (start && i == 0)
			base = x; /* the first sample is subtracted from all */
		x -= base;
		high = x - low;
		band_step = delivery->a2 * high - delivery->loss * band;
		low_step = delivery->a2 * band + delivery->a3 * high;
		out[i] = high - delivery->damping * (band + band_step) - low_step;
		band += 2 * band_step;
		low += 2 * low_step;
	}
	low += delivery->rest[group];
	delivery->band[group] = heard(band);
	delivery->base[group] = heard(base + low);
	delivery->rest[group] = heard(low - (delivery->base[group] - base));
}

/* Stores eight values of a lane, or as many as its note has. */
static inline void put(const struct ym_bundle *bundle, const struct delivery *delivery,
                       int lane, size_t at, const void *from, size_t size) {
	char *to = delivery->out[lane];
	size_t left = bundle->samples[lane] > at ? bundle->samples[lane] - at : 0;
	if (left >= 8)
		memcpy(to + at * size, from, 8 * size);
	else
		memcpy(to + at * size, from, left * size);
}

/* Writes rows, sample by sample, to where each lane's note is wanted. */
static void deliver(const struct ym_bundle *bundle, struct delivery *delivery,
                    size_t first, size_t count, const values *rows) {
	for (size_t i = 0; i < count; i += 8)
		for (int group = 0; 8 * group < bundle->lanes; group++) {
			shorts block[8];
			floats scaled[8];
			int lanes = bundle->lanes - 8 * group;
			for (int row = 0; row < 8; row++)
				block[row] = *((const shorts *)(rows + i + row) + group);
			if (delivery->form == YM_BUNDLE_FILTERED) {
				filter(delivery, group, first + i == 0, block, scaled);
				transpose_floats(scaled);
			} else {
				transpose_shorts(block);
				for (int lane = 0; lane < 8; lane++) {
					block[lane] = output_of(delivery, block[lane]);
					scaled[lane] = __builtin_convertvector(
									   __builtin_convertvector(block[lane], integers),
									   floats) *
					               delivery->scale;
				}
			}
			for (int lane = 0; lane < 8 && lane < lanes; lane++)
				if (delivery->form == YM_BUNDLE_RAW)
					put(bundle, delivery, 8 * group + lane, first + i, &block[lane],
					    sizeof(int16_t));
				else
					put(bundle, delivery, 8 * group + lane, first + i, &scaled[lane],
					    sizeof(float));
		}
}

#endif

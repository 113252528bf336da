#include <float.h>
#include <math.h>

#include "distance_target.h"

#define FLOOR   YM_DISTANCE_FLOOR
#define SILENCE 1e-20f /* a loudest frame with less power than this is silence */

/* Samples in a frame (the hop is a quarter of it), mel bands from 20 to 18,000 Hz. */
static const struct {
	int size, bands;
} shapes[YM_DISTANCE_SCALES] = {{512, 40}, {1024, 64}, {2048, YM_DISTANCE_ROW}};

/* Frames centred inside a sound of count samples or on its end. */
static size_t inner_frames(size_t count, int hop) {
	return 1 + count / (size_t)hop;
}

/* Frames that reach into it, up to two hops from their centre. */
static size_t touching_frames(size_t count, int hop) {
	return inner_frames(count, hop) + 2;
}

static size_t smaller(size_t a, size_t b) {
	return a < b ? a : b;
}

static size_t larger(size_t a, size_t b) {
	return a > b ? a : b;
}

static size_t row_length(int bands) {
	const size_t lanes = YM_SPECTRA_LANES;
	return ((size_t)bands + lanes - 1) / lanes * lanes;
}

/* Mel power (rows) and its sum of the first frames of length samples. */
static void analyse(const struct ym_distance_scale *scale, float *work,
                    const float *samples, size_t length, size_t count, float *power,
                    float *frame_sum) {
	struct ym_spectra_frames frames = {
		.samples = samples, .length = length, .count = count, .hop = scale->hop};
	size_t bands = (size_t)scale->bank->bands;
	ym_spectra_bands(scale->spectra, &frames, scale->bank, work, power, scale->row,
	                 frame_sum);
	for (size_t k = 0; k < count; k++)
		for (size_t i = bands; i < scale->row; i++)
			power[k * scale->row + i] = 0;
}

/* Makes room for a sound of count samples. */
static enum ym_status grow(struct ym_distance_scratch *scratch, size_t count,
                           struct ym_error *error) {
	size_t values = 0;
	if (count <= scratch->room)
		return YM_OK;
	for (int i = 0; i < YM_DISTANCE_SCALES; i++)
		values = larger(values, touching_frames(count, shapes[i].size / 4) *
		                            row_length(shapes[i].bands));
	ym_free(scratch->samples);
	ym_free(scratch->power);
	ym_free(scratch->frame_sum);
	scratch->samples = ym_alloc(count + 1, sizeof(float));
	scratch->power = ym_alloc(values, sizeof(float));
	scratch->frame_sum = ym_alloc(touching_frames(count, shapes[0].size / 4),
	                              sizeof(float));
	scratch->room = 0;
	if (scratch->samples == NULL || scratch->power == NULL ||
	    scratch->frame_sum == NULL)
		return ym_no_memory(error);
	scratch->room = count;
	return YM_OK;
}

enum ym_status ym_distance_scratch_new(struct ym_distance_scratch **result,
                                       struct ym_error *error) {
	struct ym_distance_scratch *scratch = ym_alloc(1, sizeof *scratch);
	enum ym_status status;
	if (scratch == NULL)
		return ym_no_memory(error);
	scratch->row = ym_alloc(YM_DISTANCE_ROW, sizeof(float));
	status = scratch->row == NULL ? ym_no_memory(error) : grow(scratch, 1, error);
	if (status != YM_OK) {
		ym_distance_scratch_free(scratch);
		return status;
	}
	*result = scratch;
	return YM_OK;
}

void ym_distance_scratch_free(struct ym_distance_scratch *scratch) {
	if (scratch == NULL)
		return;
	ym_free(scratch->work);
	ym_free(scratch->row);
	ym_free(scratch->samples);
	ym_free(scratch->power);
	ym_free(scratch->frame_sum);
	ym_free(scratch);
}

/* Makes room for work on the frames of a target. */
static enum ym_status grow_work(struct ym_distance_scratch *scratch,
                                const struct ym_distance_target *target,
                                struct ym_error *error) {
	size_t work = 0;
	for (int i = 0; i < YM_DISTANCE_SCALES; i++)
		work = larger(work, ym_spectra_work(target->scales[i].spectra,
		                                    target->scales[i].bank->bands));
	if (work <= scratch->work_room)
		return YM_OK;
	ym_free(scratch->work);
	scratch->work = ym_alloc(work, sizeof(float));
	scratch->work_room = scratch->work == NULL ? 0 : work;
	return scratch->work == NULL ? ym_no_memory(error) : YM_OK;
}

enum ym_status ym_distance_scratch_grow(struct ym_distance_scratch *scratch,
                                        const struct ym_distance_target *target,
                                        size_t count, struct ym_error *error) {
	enum ym_status status = grow(scratch, count, error);
	return status == YM_OK ? grow_work(scratch, target, error) : status;
}

/* Puts count samples, above 20 Hz, into scratch->samples. */
static enum ym_status prepare(struct ym_distance_scratch *scratch, const float *samples,
                              size_t count, struct ym_error *error) {
	enum ym_status status = grow(scratch, count, error);
	if (status == YM_OK &&
	    !ym_highpass(YM_DISTANCE_RATE, samples, count, scratch->samples))
		return ym_fail(error, YM_INPUT,
		               "the samples hold values that are not numbers or far too large");
	return status;
}

/* log2 of power / reference, in the same steps as a candidate's. */
static void take_logs(const struct ym_distance_scale *scale, const float *power,
                      float reference, float *logs, size_t count) {
	scale->spectra->kernel->logarithms(power, 1 / reference, FLOOR, 1, 0, logs, count);
}

static enum ym_status plan_scale(struct ym_distance_scale *scale, int number,
                                 double limit, enum ym_simd level,
                                 struct ym_error *error) {
	int size = shapes[number].size;
	enum ym_status status = ym_spectra_new(&scale->spectra, size, YM_WINDOW_HANN, level,
	                                       error);
	scale->hop = size / 4;
	if (status == YM_OK)
		status = ym_bank_mel(&scale->bank, YM_DISTANCE_RATE, size, shapes[number].bands,
		                     20, 18000, limit, error);
	return status;
}

/* The target itself on a planned scale, from count samples in the scratch. */
static enum ym_status make_scale(struct ym_distance_scale *scale,
                                 const struct ym_distance_scratch *scratch,
                                 size_t count, struct ym_error *error) {
	size_t inner = inner_frames(count, scale->hop), values;
	double total = 0;
	float loudest = 0;
	scale->row = row_length(scale->bank->bands);
	scale->known = touching_frames(count, scale->hop);
	values = scale->known * scale->row;
	scale->power = ym_alloc(values, sizeof(float));
	scale->logs = ym_alloc(values, sizeof(float));
	scale->frame_sum = ym_alloc(scale->known, sizeof(float));
	scale->total = ym_alloc(scale->known, sizeof(double));
	scale->loudest = ym_alloc(scale->known, sizeof(float));
	if (scale->power == NULL || scale->logs == NULL || scale->frame_sum == NULL ||
	    scale->total == NULL || scale->loudest == NULL)
		return ym_no_memory(error);
	analyse(scale, scratch->work, scratch->samples, count, scale->known, scale->power,
	        scale->frame_sum);
	for (size_t k = 0; k < scale->known; k++) {
		scale->total[k] = total += (double)scale->frame_sum[k];
		scale->loudest[k] = loudest = fmaxf(loudest, scale->frame_sum[k]);
	}
	scale->reference = scale->loudest[inner - 1];
	if (!(scale->reference > SILENCE))
		return ym_fail(error, YM_INPUT, "the target is silent");
	take_logs(scale, scale->power, scale->reference, scale->logs, values);
	return YM_OK;
}

enum ym_status ym_distance_target_new(struct ym_distance_target **result,
                                      const float *samples, size_t count,
                                      double source_rate, enum ym_simd level,
                                      struct ym_error *error) {
	struct ym_distance_target *target = ym_alloc(1, sizeof *target);
	struct ym_distance_scratch *scratch = NULL;
	double limit = source_rate > 0 ? 0.45 * source_rate : HUGE_VAL;
	enum ym_status status;
	if (target == NULL)
		return ym_no_memory(error);
	target->count = count;
	status = ym_distance_scratch_new(&scratch, error);
	if (status == YM_OK && count == 0)
		status = ym_fail(error, YM_INPUT, "the target is empty");
	if (status == YM_OK)
		status = prepare(scratch, samples, count, error);
	for (int i = 0; i < YM_DISTANCE_SCALES && status == YM_OK; i++)
		status = plan_scale(&target->scales[i], i, limit, level, error);
	if (status == YM_OK)
		status = grow_work(scratch, target, error);
	for (int i = 0; i < YM_DISTANCE_SCALES && status == YM_OK; i++)
		status = make_scale(&target->scales[i], scratch, count, error);
	ym_distance_scratch_free(scratch);
	if (status != YM_OK) {
		ym_distance_target_free(target);
		return status;
	}
	*result = target;
	return YM_OK;
}

void ym_distance_target_free(struct ym_distance_target *target) {
	if (target == NULL)
		return;
	for (int i = 0; i < YM_DISTANCE_SCALES; i++) {
		struct ym_distance_scale *scale = &target->scales[i];
		ym_spectra_free(scale->spectra);
		ym_bank_free(scale->bank);
		ym_free(scale->power);
		ym_free(scale->logs);
		ym_free(scale->frame_sum);
		ym_free(scale->total);
		ym_free(scale->loudest);
	}
	ym_free(target);
}

size_t ym_distance_target_size(const struct ym_distance_target *target) {
	size_t values = 0, most = 0;
	for (int i = 0; i < YM_DISTANCE_SCALES; i++) {
		size_t count = target->scales[i].known * target->scales[i].row;
		values += 2 * count;
		most = larger(most, count);
	}
	return (values + most + target->count) * sizeof(float);
}

/* The distance on one scale between the target and count samples, both padded with
** zeros to longer samples. */
static double measure_scale(const struct ym_distance_scale *scale,
                            struct ym_distance_scratch *scratch, const float *samples,
                            size_t count, size_t longer) {
	static const float silence[YM_DISTANCE_ROW] = {0};
	float floors[YM_DISTANCE_ROW];
	const struct ym_spectra_kernel *kernel = scale->spectra->kernel;
	size_t frames = inner_frames(longer, scale->hop), row = scale->row, active = 0;
	size_t theirs = smaller(frames, scale->known);
	size_t ours = smaller(frames, touching_frames(count, scale->hop));
	float reference = scale->loudest[theirs - 1];
	double target_total = scale->total[theirs - 1], total = 0, sum = 0, gain;
	float factor;
	analyse(scale, scratch->work, samples, count, ours, scratch->power,
	        scratch->frame_sum);
	for (size_t k = 0; k < ours; k++)
		total += (double)scratch->frame_sum[k];
	for (size_t i = 0; i < row; i++)
		floors[i] = FLOOR;
	gain = target_total / fmax(total, 1e-12 * target_total);
	factor = (float)fmin(gain / (double)reference, FLT_MAX);
	for (size_t k = 0; k < frames; k++) {
		const float *target_row = scratch->row;
		float target_sum = k < theirs ? scale->frame_sum[k] : 0;
		double candidate_sum = k < ours ? gain * (double)scratch->frame_sum[k] : 0;
		if (fmax((double)target_sum, candidate_sum) <= (double)(FLOOR * reference))
			continue;
		if (k < theirs && reference == scale->reference)
			target_row = scale->logs + k * row;
		else
			take_logs(scale, k < theirs ? scale->power + k * row : silence, reference,
			          scratch->row, row);
		sum += (double)kernel->difference(k < ours ? scratch->power + k * row : silence,
		                                  factor, floors, target_row, row);
		active++;
	}
	return (double)YM_OCTAVE * sum / ((double)active * scale->bank->bands);
}

enum ym_status ym_distance_measure_filtered(const struct ym_distance_target *target,
                                            struct ym_distance_scratch *scratch,
                                            const float *samples, size_t count,
                                            double *distance,
                                            double scales[YM_DISTANCE_SCALES],
                                            struct ym_error *error) {
	enum ym_status status = ym_distance_scratch_grow(scratch, target, count, error);
	double sum = 0;
	if (status != YM_OK)
		return status;
	for (int i = 0; i < YM_DISTANCE_SCALES; i++) {
		double value = measure_scale(&target->scales[i], scratch, samples, count,
		                             larger(target->count, count));
		if (scales != NULL)
			scales[i] = value;
		sum += value;
	}
	*distance = sum / YM_DISTANCE_SCALES;
	return YM_OK;
}

enum ym_status ym_distance_measure(const struct ym_distance_target *target,
                                   struct ym_distance_scratch *scratch,
                                   const float *samples, size_t count, double *distance,
                                   double scales[YM_DISTANCE_SCALES],
                                   struct ym_error *error) {
	enum ym_status status = prepare(scratch, samples, count, error);
	if (status != YM_OK)
		return status;
	return ym_distance_measure_filtered(target, scratch, scratch->samples, count,
	                                    distance, scales, error);
}

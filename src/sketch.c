#include "sketch.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "distance_target.h"

/* The frames of one scale. */
struct part {
	const struct ym_distance_scale *scale;
	size_t count, early; /* frames; those of the first part */
	ptrdiff_t *centres;
	float *weight;             /* frames of D that each stands for */
	float *frame_sum;          /* of the target, its noise left out */
	float *logs;               /* of the target, rows */
	float *floors;             /* of each band, relative to the reference: a row */
	double total, early_total; /* weighted sums of frame_sum */
	float share; /* of one band and frame of weight 1 in the distance, in dB */
};

struct ym_sketch {
	const struct ym_distance_target *target;
	size_t early; /* samples */
	struct part parts[YM_DISTANCE_SCALES];
};

/* Noise that a target holds counts this often as a floor, so that what it adds at random
** counts little. */
#define NOISE_FLOORS 3

/* Frames are spread evenly but for these shares of them, which stand in this many seconds
** after the onset and after the key-off. */
#define ONSET_SHARE   0.15
#define KEY_OFF_SHARE 0.1
#define DENSE_SECONDS 0.08

/* The share of the chosen frames that stand before frame number k, fractions allowed, of
** all that D has. hop and held are samples. */
static double frames_before(double k, double all, double hop, double held) {
	double dense = DENSE_SECONDS * YM_DISTANCE_RATE / hop, off = held / hop;
	double even = fmin(k / all, 1), share = 1;
	double onset = fmin(k / fmin(dense, all), 1), release = 0;
	if (off + 1 < all) {
		release = fmin(fmax(0, k - off) / fmin(dense, all - off), 1);
		share -= KEY_OFF_SHARE;
	}
	share -= ONSET_SHARE;
	return share * even + ONSET_SHARE * onset + (1 - ONSET_SHARE - share) * release;
}

/* The frame number, fractions allowed, before which this share of the frames stands. */
static double quantile(double share, double all, double hop, double held) {
	double low = 0, high = all;
	for (int i = 0; i < 40; i++) {
		double middle = 0.5 * (low + high);
		if (frames_before(middle, all, hop, held) < share)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Chooses at most `wanted` of the `all` frames that D has, each with its weight. */
static void choose(struct part *part, size_t wanted, size_t all, double held) {
	double hop = part->scale->hop, last = 0;
	size_t previous = SIZE_MAX;
	part->count = 0;
	for (size_t i = 0; i < wanted; i++) {
		double share = (double)(i + 1) / (double)wanted;
		double next = i + 1 == wanted ? (double)all
		                              : quantile(share, (double)all, hop, held);
		size_t frame = (size_t)fmin(0.5 * (last + next), (double)(all - 1));
		if (wanted == all)
			frame = i;
		if (frame != previous) {
			part->centres[part->count] = (ptrdiff_t)frame * part->scale->hop;
			part->weight[part->count++] = 0;
		}
		part->weight[part->count - 1] += wanted == all ? 1 : (float)(next - last);
		previous = frame;
		last = next;
	}
}

/* The power in each band of white noise with this mean square s: a bin of a Hann frame
** whose window adds up to 2 has 6 s / size of it. */
static enum ym_status band_noise(const struct ym_bank *bank, double noise, float *out,
                                 struct ym_error *error) {
	float *power = ym_alloc(ym_power_room(bank->size), sizeof *power);
	if (power == NULL)
		return ym_no_memory(error);
	for (int i = 0; i <= bank->size / 2; i++)
		power[i] = (float)(6 * noise / bank->size);
	ym_bank_apply(bank, power, out);
	ym_free(power);
	return YM_OK;
}

/* Memory for a part of count frames. */
static enum ym_status allocate(struct part *part, size_t count,
                               struct ym_error *error) {
	size_t row = part->scale->row;
	part->centres = ym_alloc(count, sizeof *part->centres);
	part->weight = ym_alloc(count, sizeof(float));
	part->frame_sum = ym_alloc(count, sizeof(float));
	part->logs = ym_alloc(count * row, sizeof(float));
	part->floors = ym_alloc(row, sizeof(float));
	if (part->centres == NULL || part->weight == NULL || part->frame_sum == NULL ||
	    part->logs == NULL || part->floors == NULL)
		return ym_no_memory(error);
	return YM_OK;
}

/* Takes the target's chosen frames over. */
static void take_frames(struct part *part, const struct ym_sketch_shape *shape,
                        const float *noise) {
	const struct ym_distance_scale *scale = part->scale;
	float reference = scale->reference, noise_sum = 0;
	double active = 0;
	size_t row = scale->row;
	for (size_t i = 0; i < row; i++) {
		noise_sum += noise[i];
		part->floors[i] = YM_DISTANCE_FLOOR + (NOISE_FLOORS + 1) * noise[i] / reference;
	}
	for (size_t k = 0; k < part->count; k++) {
		size_t frame = (size_t)(part->centres[k] / scale->hop);
		float *logs = part->logs + k * row, sum = scale->frame_sum[frame] - noise_sum;
		for (size_t i = 0; i < row; i++)
			logs[i] = scale->power[frame * row + i] + NOISE_FLOORS * noise[i];
		scale->spectra->kernel->logarithms(logs, 1 / reference, YM_DISTANCE_FLOOR, 1, 0,
		                                   logs, row);
		part->frame_sum[k] = fmaxf(sum, 0);
		part->total += (double)(part->weight[k] * part->frame_sum[k]);
		if (part->frame_sum[k] > YM_DISTANCE_FLOOR * reference)
			active += (double)part->weight[k];
		if (part->centres[k] + scale->spectra->half <= (ptrdiff_t)shape->early) {
			part->early = k + 1;
			part->early_total = part->total;
		}
	}
	part->share = (float)((double)YM_OCTAVE /
	                      (fmax(active, 1) * scale->bank->bands * YM_DISTANCE_SCALES));
}

static enum ym_status make_part(struct part *part, const struct ym_sketch_shape *shape,
                                size_t samples, int wanted, struct ym_error *error) {
	size_t all = 1 + samples / (size_t)part->scale->hop;
	size_t count = (size_t)wanted < all ? (size_t)wanted : all;
	float noise[YM_DISTANCE_ROW] = {0};
	enum ym_status status = allocate(part, count, error);
	if (status == YM_OK && shape->noise > 0)
		status = band_noise(part->scale->bank, shape->noise, noise, error);
	if (status != YM_OK)
		return status;
	choose(part, count, all, (double)shape->held);
	take_frames(part, shape, noise);
	return YM_OK;
}

enum ym_status ym_sketch_new(struct ym_sketch **result,
                             const struct ym_distance_target *target,
                             const struct ym_sketch_shape *shape,
                             struct ym_error *error) {
	struct ym_sketch *sketch = ym_alloc(1, sizeof *sketch);
	enum ym_status status = YM_OK;
	if (sketch == NULL)
		return ym_no_memory(error);
	sketch->target = target;
	sketch->early = shape->early < target->count ? shape->early : 0;
	for (int i = 0; i < YM_DISTANCE_SCALES && status == YM_OK; i++) {
		sketch->parts[i].scale = &target->scales[i];
		status = make_part(&sketch->parts[i], shape, target->count, shape->frames[i],
		                   error);
		if (sketch->parts[i].early_total <= 0) /* silent so far: nothing to tell by */
			sketch->early = 0;
	}
	if (status != YM_OK) {
		ym_sketch_free(sketch);
		return status;
	}
	*result = sketch;
	return YM_OK;
}

void ym_sketch_free(struct ym_sketch *sketch) {
	if (sketch == NULL)
		return;
	for (int i = 0; i < YM_DISTANCE_SCALES; i++) {
		ym_free(sketch->parts[i].centres);
		ym_free(sketch->parts[i].weight);
		ym_free(sketch->parts[i].frame_sum);
		ym_free(sketch->parts[i].logs);
		ym_free(sketch->parts[i].floors);
	}
	ym_free(sketch);
}

size_t ym_sketch_length(const struct ym_sketch *sketch, bool early) {
	return early ? sketch->early : sketch->target->count;
}

/* Power of the candidate's frames into the scratch; the gain that makes it as strong as
** the target. */
static double analyse(const struct part *part, struct ym_distance_scratch *scratch,
                      const float *samples, size_t length, bool early) {
	const struct ym_distance_scale *scale = part->scale;
	struct ym_spectra_frames frames = {.samples = samples,
	                                   .length = length,
	                                   .count = early ? part->early : part->count,
	                                   .centres = part->centres};
	double wanted = early ? part->early_total : part->total, total = 0;
	size_t bands = (size_t)scale->bank->bands;
	ym_spectra_bands(scale->spectra, &frames, scale->bank, scratch->work,
	                 scratch->power, scale->row, scratch->frame_sum);
	for (size_t k = 0; k < frames.count; k++) {
		total += (double)(part->weight[k] * scratch->frame_sum[k]);
		for (size_t i = bands; i < scale->row; i++)
			scratch->power[k * scale->row + i] = 0;
	}
	return wanted / fmax(total, 1e-12 * wanted);
}

/* The distance of the first count frames in the scratch, scaled by factor. */
static double measure(const struct part *part,
                      const struct ym_distance_scratch *scratch, float factor,
                      size_t count) {
	const struct ym_distance_scale *scale = part->scale;
	const struct ym_spectra_kernel *kernel = scale->spectra->kernel;
	double sum = 0, active = 0;
	float reference = scale->reference;
	for (size_t k = 0; k < count; k++) {
		float ours = scratch->frame_sum[k] * factor * reference;
		if (fmaxf(part->frame_sum[k], ours) <= YM_DISTANCE_FLOOR * reference)
			continue;
		active += (double)part->weight[k];
		sum += (double)(part->weight[k] *
		                kernel->difference(scratch->power + k * scale->row, factor,
		                                   part->floors, part->logs + k * scale->row,
		                                   scale->row));
	}
	return (double)YM_OCTAVE * sum / (fmax(active, 1e-9) * scale->bank->bands);
}

enum ym_status ym_sketch_measure(const struct ym_sketch *sketch,
                                 struct ym_distance_scratch *scratch,
                                 const float *samples, bool early, float *distance,
                                 struct ym_error *error) {
	enum ym_status status = ym_distance_scratch_grow(scratch, sketch->target,
	                                                 sketch->target->count, error);
	double sum = 0;
	if (status != YM_OK)
		return status;
	for (int i = 0; i < YM_DISTANCE_SCALES; i++) {
		const struct part *part = &sketch->parts[i];
		double gain = analyse(part, scratch, samples, ym_sketch_length(sketch, early),
		                      early);
		float factor = (float)fmin(gain / (double)part->scale->reference, FLT_MAX);
		sum += measure(part, scratch, factor, early ? part->early : part->count);
	}
	*distance = (float)(sum / YM_DISTANCE_SCALES);
	return YM_OK;
}

size_t ym_sketch_values(const struct ym_sketch *sketch) {
	size_t values = 0;
	for (int i = 0; i < YM_DISTANCE_SCALES; i++)
		values += sketch->parts[i].count * sketch->parts[i].scale->row;
	return values;
}

/* Scales logs to what they are worth in the distance. */
static void weigh(const struct part *part, float *values) {
	for (size_t k = 0; k < part->count; k++)
		for (size_t i = 0; i < part->scale->row; i++)
			values[k * part->scale->row + i] *= part->weight[k] * part->share;
}

enum ym_status ym_sketch_view(const struct ym_sketch *sketch,
                              struct ym_distance_scratch *scratch, const float *samples,
                              float *distance, float *values, struct ym_error *error) {
	size_t length = sketch->target->count;
	enum ym_status status = ym_distance_scratch_grow(scratch, sketch->target, length,
	                                                 error);
	double sum = 0;
	if (status != YM_OK)
		return status;
	for (int i = 0; i < YM_DISTANCE_SCALES; i++) {
		const struct part *part = &sketch->parts[i];
		const struct ym_distance_scale *scale = part->scale;
		size_t row = scale->row;
		double gain = analyse(part, scratch, samples, length, false);
		float factor = (float)fmin(gain / (double)scale->reference, FLT_MAX);
		sum += measure(part, scratch, factor, part->count);
		for (size_t k = 0; k < part->count; k++) {
			float *power = scratch->power + k * row;
			for (size_t j = 0; j < row; j++)
				power[j] = power[j] * factor + part->floors[j] - YM_DISTANCE_FLOOR;
			scale->spectra->kernel->logarithms(power, 1, YM_DISTANCE_FLOOR, 1, 0,
			                                   values + k * row, row);
		}
		weigh(part, values);
		values += part->count * row;
	}
	*distance = (float)(sum / YM_DISTANCE_SCALES);
	return YM_OK;
}

void ym_sketch_target_view(const struct ym_sketch *sketch, float *values) {
	for (int i = 0; i < YM_DISTANCE_SCALES; i++) {
		const struct part *part = &sketch->parts[i];
		size_t count = part->count * part->scale->row;
		memcpy(values, part->logs, count * sizeof *values);
		weigh(part, values);
		values += count;
	}
}

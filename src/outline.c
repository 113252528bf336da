#include "outline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spectrum.h"

#define SILENT_PEAK 1e-7f /* -140 dB */

void ym_outline_free(struct ym_outline *outline) {
	ym_free(outline->samples);
	ym_free(outline->level);
	ym_free(outline->spare);
}

enum ym_status ym_outline_new(struct ym_outline *outline, const float *samples,
                              size_t count, double rate, double milliseconds,
                              struct ym_error *error) {
	outline->step = (size_t)fmax(1, nearbyint(rate * milliseconds / 1000));
	outline->count = (count + outline->step - 1) / outline->step;
	outline->length = count;
	outline->peak = 0;
	outline->samples = ym_alloc(count + 1, sizeof(float));
	outline->level = ym_alloc(outline->count, sizeof(float));
	outline->spare = ym_alloc(outline->count, sizeof(float));
	if (outline->samples == NULL || outline->level == NULL || outline->spare == NULL) {
		ym_outline_free(outline);
		return ym_no_memory(error);
	}
	if (!ym_highpass(rate, samples, count, outline->samples)) {
		ym_outline_free(outline);
		return ym_fail(error, YM_INPUT,
		               "the samples hold values that are not numbers or far too large");
	}
	for (size_t i = 0; i < count; i++) {
		float *level = &outline->level[i / outline->step];
		*level = fmaxf(*level, fabsf(outline->samples[i]));
		outline->peak = fmaxf(outline->peak, *level);
	}
	if (outline->peak > SILENT_PEAK)
		return YM_OK;
	ym_outline_free(outline);
	return ym_fail(error, YM_INPUT, "the sound is silent");
}

static int compare_floats(const void *a, const void *b) {
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

/* The value that a share (0..1) of the first count levels lies below; 0 of none. */
static float quantile(struct ym_outline *outline, size_t count, double share) {
	if (count == 0)
		return 0;
	memcpy(outline->spare, outline->level, count * sizeof(float));
	qsort(outline->spare, count, sizeof(float), compare_floats);
	return outline->spare[(size_t)(share * (double)(count - 1))];
}

size_t ym_outline_above(const struct ym_outline *outline, float threshold) {
	size_t k = 0;
	while (k + 1 < outline->count && outline->level[k] <= threshold)
		k++;
	return k;
}

/* The first sample of what passes threshold up to level number last, without a pause of
** more than 40 levels (10 ms). */
static size_t emergence(const struct ym_outline *outline, size_t last,
                        float threshold) {
	size_t earliest = last, i;
	for (size_t k = last; k-- > 0 && earliest - k <= 40;)
		if (outline->level[k] > threshold)
			earliest = k;
	i = earliest * outline->step;
	while (i < last * outline->step + outline->step - 1 && i + 1 < outline->length &&
	       fabsf(outline->samples[i]) <= threshold)
		i++;
	return i;
}

enum ym_status ym_note_onset(const float *samples, size_t count, double rate,
                             size_t *onset, struct ym_error *error) {
	struct ym_outline outline;
	enum ym_status status = ym_outline_new(&outline, samples, count, rate, 0.25, error);
	float clear, threshold;
	double depth, rise, found;
	size_t first;
	if (status != YM_OK)
		return status;
	clear = 3 * quantile(&outline, outline.count, 0.1);
	clear = fminf(fmaxf(clear, 0.01f * outline.peak), 0.1f * outline.peak);
	first = ym_outline_above(&outline, clear);
	threshold = fmaxf(2 * quantile(&outline, first, 0.25), 0.001f * outline.peak);
	found = (double)emergence(&outline, first, fminf(threshold, clear));
	/* an attack of -96 exp(-t / T) dB passes -depth at T log(96 / depth), and half of
	** it T log(2) later */
	depth = -20 * log10((double)(clear / outline.peak));
	rise = (double)((ym_outline_above(&outline,
	                                  outline.peak * (float)pow(10, -depth / 40)) -
	                 first) *
	                outline.step);
	if (rise > 0.0005 * rate)
		found = fmin(found, fmax(0, (double)(first * outline.step) -
		                                rise / log(2) * log(96 / depth)));
	if (found < fmax(0.0005 * rate, 2 * rise))
		found = 0;
	*onset = (size_t)found;
	ym_outline_free(&outline);
	return YM_OK;
}

/* A straight line through count values, by least squares. */
struct line {
	double slope; /* per value */
	double error; /* sum of squares that it leaves */
};

static struct line fit_line(const float *values, size_t count) {
	double middle = ((double)count - 1) / 2, mean = 0;
	double product = 0, square = 0, total = 0;
	for (size_t i = 0; i < count; i++)
		mean += (double)values[i] / (double)count;
	for (size_t i = 0; i < count; i++) {
		double x = (double)i - middle, y = (double)values[i] - mean;
		product += x * y;
		square += x * x;
		total += y * y;
	}
	return (struct line){product / square, total - product * product / square};
}

/* Turns levels into dB below the peak, 0..-60, of their mean square over five. */
static void smooth_decibels(const struct ym_outline *outline, float *decibels) {
	for (size_t k = 0; k < outline->count; k++) {
		size_t from = k < 2 ? 0 : k - 2,
			   to = k + 3 < outline->count ? k + 3 : outline->count;
		double sum = 0;
		for (size_t i = from; i < to; i++) {
			double value = (double)(outline->level[i] / outline->peak);
			sum += value * value;
		}
		decibels[k] = (float)(10 * log10(sum / (double)(to - from) + 1e-6));
	}
}

enum { BEFORE = 40, AFTER = 60, LEAST = 4, SETTLED = 12 }; /* levels, of 5 ms */

/* How much better than one line two fit that meet at level k, or 0 where they do not
** bend downwards for good. loudest is the loudest level from k + SETTLED on. */
static double bend_at(const float *decibels, size_t k, size_t first, size_t count,
                      float loudest) {
	const double bend = 25 * 0.005; /* dB a level */
	size_t before = k - first < BEFORE ? k - first : BEFORE;
	size_t after = count - k < AFTER ? count - k : AFTER;
	struct line left, right, both;
	if (decibels[k] - loudest < 1 || decibels[k] - decibels[count - 1] < 6)
		return 0;
	left = fit_line(decibels + k - before, before + 1);
	right = fit_line(decibels + k, after);
	both = fit_line(decibels + k - before, before + after);
	if (fmin(left.slope, 0) - right.slope < bend)
		return 0;
	return both.error - left.error - right.error;
}

/* The level at which the key was let go, or 0. What comes before first is attack. The
** bend that explains most is taken, so that a slow release counts for more than a short
** dip; it then moves to where both lines fit best. */
static size_t find_release(const float *decibels, size_t first, size_t count) {
	float loudest = -60;
	double most = 10, least = HUGE_VAL; /* dB^2 */
	size_t found = 0, from, to, best = 0;
	for (size_t k = count; k-- > first + LEAST;) {
		double gain;
		if (k + SETTLED < count)
			loudest = fmaxf(loudest, decibels[k + SETTLED]);
		gain = k + LEAST > count ? 0 : bend_at(decibels, k, first, count, loudest);
		if (gain > most) {
			most = gain;
			found = k;
		}
	}
	if (found == 0)
		return 0;
	from = found - first < BEFORE ? first : found - BEFORE;
	to = count - found < AFTER ? count : found + AFTER;
	for (size_t k = from + LEAST; k + LEAST <= to; k++) {
		double error = fit_line(decibels + from, k - from + 1).error +
		               fit_line(decibels + k, to - k).error;
		if (error < least) {
			least = error;
			best = k;
		}
	}
	return best;
}

enum ym_status ym_note_held(const float *samples, size_t count, double rate,
                            double *held, struct ym_error *error) {
	struct ym_outline outline;
	enum ym_status status = ym_outline_new(&outline, samples, count, rate, 5, error);
	float *decibels = outline.spare;
	size_t found, first = 0, last;
	if (status != YM_OK)
		return status;
	smooth_decibels(&outline, decibels);
	while (first + 1 < outline.count && decibels[first] < -3)
		first++;
	last = outline.count;
	while (last > 0 && decibels[last - 1] <= -59)
		last--;
	/* The end, where a sound sinks below the chip's last bit, falls faster than the
	** release; it is looked at only when there is nothing else. */
	found = find_release(decibels, first, last > LEAST ? last - LEAST : 0);
	if (found == 0)
		found = find_release(decibels, first,
		                     last + LEAST < outline.count ? last + LEAST
		                                                  : outline.count);
	*held = found > 0 ? (double)(found * outline.step) / rate : (double)count / rate;
	ym_outline_free(&outline);
	return YM_OK;
}

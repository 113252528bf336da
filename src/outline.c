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

/* The first sample from start on that passes threshold, or the last one. */
static size_t passing(const struct ym_outline *outline, size_t start, float threshold) {
	while (start + 1 < outline->length && fabsf(outline->samples[start]) <= threshold)
		start++;
	return start;
}

enum { QUIETEST = 60, STEP = 10, SHARP = 40, LOUDEST = 20 }; /* dB below the peak */

/* When in samples the note begins whose attack passes quietest, of these levels, at
** start. Attenuation falls as 96 exp(-t / *rise) dB on the chip: a line through the
** times at which levels are passed. Of levels passed in one jump only the loudest
** tells. */
static double attack_begin(const struct ym_outline *outline, size_t start, int quietest,
                           size_t jump, double *rise) {
	double n = 0, sum_x = 0, sum_t = 0, sum_xx = 0, sum_xt = 0;
	for (int level = quietest; level >= LOUDEST; level -= STEP) {
		double x = log(96.0 / level), t = (double)start;
		size_t next = start;
		if (level > LOUDEST)
			next = passing(outline, start,
			               outline->peak * (float)pow(10, (STEP - level) / 20.0));
		if (level == LOUDEST || next > start + jump) {
			n++;
			sum_x += x;
			sum_t += t;
			sum_xx += x * x;
			sum_xt += x * t;
		}
		start = next;
	}
	*rise = 0;
	if (n > 1)
		*rise = fmax(0, (n * sum_xt - sum_x * sum_t) / (n * sum_xx - sum_x * sum_x));
	return (sum_t - *rise * sum_x) / n;
}

enum ym_status ym_note_onset(const float *samples, size_t count, double rate,
                             size_t *onset, struct ym_error *error) {
	struct ym_outline outline;
	enum ym_status status = ym_outline_new(&outline, samples, count, rate, 0.25, error);
	float clear, threshold;
	double found, rise, slow;
	size_t first, start, jump = (size_t)(0.0001 * rate);
	int quietest = QUIETEST, sharp;
	if (status != YM_OK)
		return status;
	clear = 3 * quantile(&outline, outline.count, 0.1);
	clear = fminf(fmaxf(clear, 0.01f * outline.peak), 0.1f * outline.peak);
	first = ym_outline_above(&outline, clear);
	threshold = fmaxf(2 * quantile(&outline, first, 0.25), 0.001f * outline.peak);
	threshold = fminf(threshold, clear);
	start = emergence(&outline, first, threshold);
	while (quietest > LOUDEST + STEP &&
	       outline.peak * (float)pow(10, -quietest / 20.0) < 0.999f * threshold)
		quietest -= STEP;
	/* what rings before a sharp attack, where a file was resampled, is not heard */
	sharp = quietest < SHARP ? quietest : SHARP;
	found = attack_begin(
		&outline,
		passing(&outline, start, outline.peak * (float)pow(10, -sharp / 20.0)), sharp,
		jump, &rise);
	if (rise > 0.001 * rate && quietest > SHARP) {
		slow = attack_begin(&outline, start, quietest, jump, &rise);
		found = fmin(found, slow);
	}
	if (found < fmax(0.001 * rate, 0.3 * rise))
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

/* levels, of 5 ms */
enum { BEFORE = 40, AFTER = 60, LEAST = 4, SETTLED = 12, APART = 16 };

/* What a bend must have to be taken for a key-off. */
struct bounds {
	double bend; /* dB a level */
	float fall;  /* dB, after it */
	double gain; /* dB^2 */
};

static const struct bounds clear_bend = {25 * 0.005, 6, 10};
static const struct bounds slight_bend = {8 * 0.005, 1, 2};

/* How much better than one line two fit that meet at level k, or 0 where they do not
** bend downwards for good. loudest is the loudest level from k + SETTLED on. */
static double bend_at(const float *decibels, size_t k, size_t first, size_t count,
                      float loudest, const struct bounds *bounds) {
	size_t before = k - first < BEFORE ? k - first : BEFORE;
	size_t after = count - k < AFTER ? count - k : AFTER;
	struct line left, right, both;
	if (decibels[k] - loudest < 1 || decibels[k] - decibels[count - 1] < bounds->fall)
		return 0;
	left = fit_line(decibels + k - before, before + 1);
	right = fit_line(decibels + k, after);
	both = fit_line(decibels + k - before, before + after);
	if (fmin(left.slope, 0) - right.slope < bounds->bend)
		return 0;
	return both.error - left.error - right.error;
}

/* Where both lines fit best around level found. */
static size_t settle(const float *decibels, size_t found, size_t first, size_t count) {
	size_t from = found - first < BEFORE ? first : found - BEFORE, best = found;
	size_t to = count - found < AFTER ? count : found + AFTER;
	double least = HUGE_VAL; /* dB^2 */
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

/* A place where the level bends, and how much two lines explain there. */
struct bend {
	size_t level;
	double gain; /* dB^2 */
};

/* Lists the levels at which the key may have been let go, the best first, APART from
** each other; returns how many. What comes before first is attack. The bend that
** explains most is taken first, so that a slow release counts for more than a short
** dip; each then moves to where both lines fit best. */
static int find_releases(const float *decibels, size_t first, size_t count,
                         const struct bounds *bounds, size_t found[YM_HELD_GUESSES]) {
	struct bend best[YM_HELD_GUESSES] = {{0, 0}};
	float loudest = -60;
	int number = 0, kept = 0;
	for (size_t k = count; k-- > first + LEAST;) {
		struct bend bend = {k, 0};
		int place = number, same = number;
		if (k + SETTLED < count)
			loudest = fmaxf(loudest, decibels[k + SETTLED]);
		if (k + LEAST <= count)
			bend.gain = bend_at(decibels, k, first, count, loudest, bounds);
		if (bend.gain <= bounds->gain)
			continue;
		for (int i = 0; i < number; i++)
			if (best[i].level < k + APART)
				same = i;
		if (same < number && best[same].gain >= bend.gain)
			continue;
		if (same == number && number < YM_HELD_GUESSES)
			number++;
		else if (same == number && best[--same].gain >= bend.gain)
			continue;
		for (place = same; place > 0 && best[place - 1].gain < bend.gain; place--)
			best[place] = best[place - 1];
		best[place] = bend;
	}
	for (int i = 0; i < number; i++) {
		size_t level = settle(decibels, best[i].level, first, count);
		bool known = false;
		for (int k = 0; k < kept; k++)
			known = known || found[k] == level;
		if (!known)
			found[kept++] = level;
	}
	return kept;
}

enum ym_status ym_note_held(const float *samples, size_t count, double rate,
                            double held[YM_HELD_GUESSES], int *number,
                            struct ym_error *error) {
	struct ym_outline outline;
	enum ym_status status = ym_outline_new(&outline, samples, count, rate, 5, error);
	float *decibels = outline.spare;
	size_t found[YM_HELD_GUESSES], first = 0, last;
	int length;
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
	*number = find_releases(decibels, first, last > LEAST ? last - LEAST : 0,
	                        &clear_bend, found);
	last = last + LEAST < outline.count ? last + LEAST : outline.count;
	if (*number == 0)
		*number = find_releases(decibels, first, last, &clear_bend, found);
	length = *number < YM_HELD_GUESSES - 1 ? *number : YM_HELD_GUESSES - 1;
	if (*number == 0)
		*number = find_releases(decibels, first, last, &slight_bend, found);
	if (*number == YM_HELD_GUESSES)
		--*number;
	for (int i = 0; i < *number; i++)
		held[i] = (double)(found[i] * outline.step) / rate;
	/* the length of the sound: after clear bends, before slight ones */
	for (int i = (*number)++; i > length; i--)
		held[i] = held[i - 1];
	held[length] = (double)count / rate;
	ym_outline_free(&outline);
	return YM_OK;
}

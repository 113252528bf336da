#include "partials.h"

#include <math.h>

#include "spectrum.h"

enum { FRAMES = 3, MULTIPLES = 16, NEAR = 12 };

#define FLOOR  60.0 /* dB below the strongest partial: no partial any more */
#define LOWEST 25.0 /* Hz */

void ym_partials_free(struct ym_partials *partials) {
	ym_free(partials->frequency);
	ym_free(partials->height);
}

/* Adds the power of up to FRAMES frames of samples from .. to - 1 to sum. */
static void add_frames(const struct ym_frames *frames, float *work, float *power,
                       const float *samples, size_t count, size_t from, size_t to,
                       float *sum) {
	size_t length = to - from;
	int bins = frames->size / 2 + 1,
		number = length > (size_t)frames->size ? FRAMES : 1;
	for (int k = 0; k < number; k++) {
		size_t centre = from + length * (size_t)(k + 1) / (size_t)(number + 1);
		ym_frames_power(frames, work, samples, count, (ptrdiff_t)centre, bins, power);
		for (int i = 0; i < bins; i++)
			sum[i] += power[i];
	}
}

/* Lists the peaks of power; their frequency is that of the parabola through its
** logarithm around the peak. */
static void list_peaks(struct ym_partials *partials, const float *power, int bins) {
	float strongest = 0;
	int first = (int)ceil(LOWEST / partials->bin);
	first = first < 1 ? 1 : first;
	for (int i = first; i + 1 < bins; i++)
		strongest = fmaxf(strongest, power[i]);
	for (int i = first; i + 1 < bins; i++) {
		double left, middle, right, decibels, height;
		if (power[i] < power[i - 1] || power[i] <= power[i + 1])
			continue;
		decibels = 10 * log10((double)(power[i] / strongest) + 1e-30);
		height = 1 + decibels / FLOOR;
		if (height <= 0)
			continue;
		left = log((double)power[i - 1] + 1e-30);
		middle = log((double)power[i] + 1e-30);
		right = log((double)power[i + 1] + 1e-30);
		partials->frequency[partials->count] =
			(i + 0.5 * (left - right) / (left - 2 * middle + right - 1e-12)) *
			partials->bin;
		partials->height[partials->count] = (float)height;
		partials->total += (float)(height * height);
		partials->count++;
	}
}

enum ym_status ym_partials_find(struct ym_partials *partials, const float *samples,
                                size_t count, double rate, size_t from, size_t to,
                                struct ym_error *error) {
	struct ym_frames *frames = NULL;
	float *work, *power, *sum;
	enum ym_status status;
	int size = 64;
	*partials = (struct ym_partials){0};
	while (size < rate / 4 && 2 * (size_t)size <= count)
		size *= 2;
	partials->bin = rate / size;
	status = ym_frames_new(&frames, size, YM_WINDOW_HANN, error);
	if (status != YM_OK)
		return status;
	work = ym_alloc(ym_fft_work(size), sizeof(float));
	power = ym_alloc(ym_power_room(size), sizeof(float));
	sum = ym_alloc(ym_power_room(size), sizeof(float));
	partials->frequency = ym_alloc((size_t)size / 4 + 1, sizeof(double));
	partials->height = ym_alloc((size_t)size / 4 + 1, sizeof(float));
	if (work == NULL || power == NULL || sum == NULL || partials->frequency == NULL ||
	    partials->height == NULL) {
		ym_partials_free(partials);
		status = ym_no_memory(error);
	} else {
		add_frames(frames, work, power, samples, count, from, to, sum);
		list_peaks(partials, sum, size / 2 + 1);
	}
	ym_free(work);
	ym_free(power);
	ym_free(sum);
	ym_frames_free(frames);
	return status;
}

double ym_partials_strongest(const struct ym_partials *partials) {
	int best = 0;
	for (int i = 1; i < partials->count; i++)
		if (partials->height[i] > partials->height[best])
			best = i;
	return partials->count > 0 ? partials->frequency[best] : 0;
}

double ym_partials_lowest(const struct ym_partials *partials) {
	for (int i = 0; i < partials->count; i++)
		if (partials->height[i] > 0.5f)
			return partials->frequency[i];
	return 0;
}

/* How far a partial may lie from a multiple of f0, or of its half, to be taken for it:
** reach, but no less than the spectrum tells apart. */
static double tolerance(const struct ym_partials *partials, double f0, double reach) {
	return fmin(fmax(reach, 1.5 * partials->bin), f0 / 8);
}

double ym_partials_score(const struct ym_partials *partials, double f0, bool periodic) {
	float at[2 * MULTIPLES + 1] = {0}; /* the largest height at k f0 / 2 */
	double explained = 0, below = 0, odd = 0, even = 0, half = 0;
	double octave = log2(f0 / 261.6); /* above middle C */
	for (int i = 0; i < partials->count; i++) {
		double frequency = partials->frequency[i], near = nearbyint(frequency / f0);
		float height = partials->height[i];
		int halves = (int)fmin(nearbyint(2 * frequency / f0), 2 * MULTIPLES + 1);
		if (near >= 1 &&
		    fabs(frequency - near * f0) <= tolerance(partials, f0, 0.03 * f0))
			explained += (double)(height * height);
		if (frequency < 0.9 * f0)
			below = fmax(below, (double)height);
		if (halves >= 1 && halves <= 2 * MULTIPLES &&
		    fabs(frequency - halves * f0 / 2) <=
		        tolerance(partials, f0, fmin(0.006 * halves, 0.06) * f0))
			at[halves] = fmaxf(at[halves], height);
	}
	if (partials->count > 0)
		explained /= (double)partials->total;
	for (int k = 1; k <= MULTIPLES; k++) {
		*(k % 2 ? &odd : &even) += (double)at[2 * k] / (MULTIPLES / 2);
		half += (double)at[2 * k - 1] / MULTIPLES;
	}
	return 1.72 * (double)at[2] + 3.5 * explained + 2.04 * below + 6.23 * odd +
	       4.59 * even + 0.37 * half + (periodic ? 1 : 0) - 0.62 * octave +
	       5 * fmin(0, octave + 2.2) - 0.5 * fmax(0, octave - 1.6);
}

double ym_partials_near(const struct ym_partials *partials, double f0, double *found) {
	struct {
		double cents, weight;
	} list[NEAR];
	double sum = 0, half = 0, agree = 0;
	int count = 0, i = 0;
	for (int k = 1; k <= NEAR; k++) {
		int best = -1, place = count;
		for (; i < partials->count; i++) {
			double cents = 1200 * log2(partials->frequency[i] / (k * f0));
			if (cents > 60)
				break;
			if (cents >= -60 &&
			    (best < 0 || partials->height[i] > partials->height[best]))
				best = i;
		}
		if (best < 0)
			continue;
		/* kept in order of cents */
		double cents = 1200 * log2(partials->frequency[best] / (k * f0));
		for (; place > 0 && list[place - 1].cents > cents; place--)
			list[place] = list[place - 1];
		list[place].cents = cents;
		list[place].weight = (double)(partials->height[best] * partials->height[best]);
		sum += list[place].weight;
		count++;
	}
	*found = f0;
	if (count == 0)
		return 0;
	for (i = 0; i + 1 < count && half + list[i].weight < sum / 2; i++)
		half += list[i].weight;
	for (int k = 0; k < count; k++)
		if (fabs(list[k].cents - list[i].cents) <= 8)
			agree += list[k].weight;
	*found = f0 * exp2(list[i].cents / 1200);
	return fmin(1, agree / (double)partials->total);
}

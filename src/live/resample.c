#include "live/resample.h"

#include <math.h>
#include <string.h>

/* Weights are interpolated between this many places, which errs by less than -100 dB. */
enum { PHASES = 512 };
/* Half a kernel, in samples of the slower of both rates: with a Kaiser window of beta 8
** (-80 dB) the way from passing to stopping is 4.3 kHz at the chip's rate. */
enum { HALF = 32 };

#define BETA   8.0
#define CHIP   (YM_CLOCK_NTSC / (double)YM_CLOCKS_PER_SAMPLE)
#define PASS   0.91 /* of half the slower rate: where the weights are at -6 dB */
#define PI     3.14159265358979323846
#define SERIES 60 /* terms of the Bessel function: beyond double's precision */
#define TINY   1e-9

/* Modified Bessel function of the first kind, order 0, by its series. */
static double bessel(double x) {
	double term = 1, sum = 1;
	for (int k = 1; k < SERIES; k++) {
		term *= x * x / (4.0 * k * k);
		sum += term;
	}
	return sum;
}

/* Row `phase` of the kernel: the weights of the taps for a point `phase / PHASES` behind
** tap taps / 2 - 1, so that they sum up to 1. */
static void fill_row(float *row, int phase, int taps, double cutoff) {
	double sum = 0, centre = taps / 2 - 1 + phase / (double)PHASES;
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < taps; i++) {
			double x = i - centre, across = x / (taps / 2);
			double window = across * across < 1
			                    ? bessel(BETA * sqrt(1 - across * across))
			                    : 0;
			double angle = PI * cutoff * x;
			double weight = window * (fabs(angle) < TINY ? 1 : sin(angle) / angle);
			if (pass == 0)
				sum += weight;
			else
				row[i] = (float)(weight / sum);
		}
}

bool ym_resample_open(struct ym_resample *resample, unsigned rate) {
	double slower = rate < CHIP ? rate : CHIP;
	memset(resample, 0, sizeof *resample);
	resample->step = YM_CLOCK_NTSC;
	resample->whole = (uint64_t)rate * YM_CLOCKS_PER_SAMPLE;
	resample->taps = 2 * (int)ceil(HALF * CHIP / slower);
	resample->capacity = (size_t)ceil(YM_RESAMPLE_STEP * CHIP / rate) + 1;
	resample->kernel = ym_alloc((size_t)(PHASES + 1) * (size_t)resample->taps,
	                            sizeof *resample->kernel);
	for (int side = 0; side < 2; side++)
		resample->kept[side] = ym_alloc((size_t)resample->taps + resample->capacity,
		                                sizeof *resample->kept[side]);
	if (!resample->kernel || !resample->kept[0] || !resample->kept[1]) {
		ym_resample_close(resample);
		return false;
	}
	for (int phase = 0; phase <= PHASES; phase++)
		fill_row(resample->kernel + phase * resample->taps, phase, resample->taps,
		         PASS * slower / CHIP);
	return true;
}

void ym_resample_close(struct ym_resample *resample) {
	ym_free(resample->kernel);
	ym_free(resample->kept[0]);
	ym_free(resample->kept[1]);
	memset(resample, 0, sizeof *resample);
}

size_t ym_resample_need(const struct ym_resample *resample, size_t count) {
	return (size_t)((resample->place + count * resample->step) / resample->whole);
}

float *ym_resample_room(const struct ym_resample *resample, int side) {
	return resample->kept[side] + resample->taps;
}

void ym_resample_step(struct ym_resample *resample, size_t count, float *left,
                      float *right) {
	const int taps = resample->taps;
	const double scale = (double)PHASES / (double)resample->whole;
	size_t used = ym_resample_need(resample, count);
	uint64_t at = resample->place;
	for (size_t n = 0; n < count; n++) {
		at += resample->step;
		const size_t first = (size_t)(at / resample->whole);
		const double phase = (double)(at % resample->whole) * scale;
		const int row = (int)phase;
		const float share = (float)(phase - row);
		const float *low = resample->kernel + row * taps, *high = low + taps;
		const float *one = resample->kept[0] + first, *two = resample->kept[1] + first;
		float l = 0, r = 0;
		for (int i = 0; i < taps; i++) {
			const float weight = low[i] + share * (high[i] - low[i]);
			l += weight * one[i];
			r += weight * two[i];
		}
		left[n] = l;
		right[n] = r;
	}
	resample->place = at % resample->whole;
	for (int side = 0; side < 2; side++)
		memmove(resample->kept[side], resample->kept[side] + used,
		        (size_t)taps * sizeof *resample->kept[side]);
}

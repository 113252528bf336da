#include "hearing.h"

#include <math.h>

#include "fft.h"
#include "rng.h"

/* Sums of two uniform numbers: the bands that hear them take sums of many more, so that
** they need not be normal themselves. */
static void add_noise(const struct ym_hearing *hearing, float *samples, size_t count) {
	const double variance = 2 * 65536.0 * 65536.0 / 12; /* of a sum of two 16 bits */
	struct ym_rng rng;
	double square = 0;
	float scale;
	for (size_t i = 0; i < count; i++)
		square += (double)samples[i] * (double)samples[i];
	scale = (float)sqrt(hearing->noise * square / (double)(count > 0 ? count : 1) /
	                    variance);
	ym_rng_seed(&rng, hearing->seed, hearing->note);
	for (size_t i = 0; i < count; i += 2) {
		uint64_t bits = ym_rng_bits(&rng);
		int first = (int)(bits & 0xFFFF) + (int)(bits >> 16 & 0xFFFF);
		int second = (int)(bits >> 32 & 0xFFFF) + (int)(bits >> 48);
		samples[i] += scale * (float)(first - 0xFFFF);
		if (i + 1 < count)
			samples[i + 1] += scale * (float)(second - 0xFFFF);
	}
}

enum { PAIRS = 3 }; /* of poles */

/* A low-pass of second order by the bilinear transform. */
struct section {
	double b0, a1, a2;   /* b1 = 2 b0, b2 = b0 */
	double kept1, kept2; /* what the samples so far leave for the next two */
};

/* The sections of Butterworth's filter that is 3 dB down at `turn` radians a sample. */
static void plan_sections(struct section section[PAIRS], double turn) {
	for (int pair = 0; pair < PAIRS; pair++) {
		double quality = 1 / (2 * cos(YM_PI * (2 * pair + 1) / (4 * PAIRS)));
		double alpha = sin(turn) / (2 * quality), a0 = 1 + alpha;
		section[pair] = (struct section){.b0 = (1 - cos(turn)) / 2 / a0,
		                                 .a1 = -2 * cos(turn) / a0,
		                                 .a2 = (1 - alpha) / a0};
	}
}

/* What is left long after a note's end becomes 0, since tiny floats are slow. */
static void low_pass(double turn, float *samples, size_t count) {
	struct section section[PAIRS];
	plan_sections(section, turn);
	for (size_t i = 0; i < count; i++) {
		double x = (double)samples[i];
		for (int pair = 0; pair < PAIRS; pair++) {
			struct section *s = &section[pair];
			double y = s->b0 * x + s->kept1;
			s->kept1 = 2 * s->b0 * x - s->a1 * y + s->kept2;
			s->kept2 = s->b0 * x - s->a2 * y;
			x = y;
		}
		samples[i] = fabs(x) < 1e-20 ? 0 : (float)x;
	}
}

void ym_hearing_disturb(const struct ym_hearing *hearing, double rate, float *samples,
                        size_t count) {
	if (hearing->noise > 0)
		add_noise(hearing, samples, count);
	if (hearing->limit > 0)
		low_pass(2 * YM_PI * fmin(0.9 * hearing->limit / rate, 0.49), samples, count);
}

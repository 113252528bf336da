/*
** Elementary functions written without branches or calls, so that loops over them are
** done in vectors. Polynomials are least relative error fits of our own.
*/
#ifndef ELEMENTARY_H
#define ELEMENTARY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* e^x within 2e-7 of its value; 0 below -86.9, infinite above 88.7, NaN of NaN. */
static inline float ym_exp(float x) {
	const float shift =
		12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
	float clamped = x < -86.9f ? -86.9f : x > 88.7f ? 88.7f : x;
	float whole = clamped * 1.44269504f + shift - shift;
	/* log 2 in two parts, the first with few digits: the product is exact */
	float r = clamped - whole * 0.693359375f + whole * 2.12194440e-4f;
	float p = 1.38368406e-3f;
	int32_t power = (int32_t)(whole == whole ? whole : 0) + 126;
	uint32_t bits = (uint32_t)power << 23;
	float scale; /* half of 2^whole, which is never too large */
	memcpy(&scale, &bits, sizeof scale);
	p = p * r + 8.37481778e-3f;
	p = p * r + 4.16682258e-2f;
	p = p * r + 0.166664201f;
	p = p * r + 0.499999921f;
	p = p * r + 1.0f;
	p = p * r + 1.0f;
	p = p * scale * 2.0f;
	return x < -86.9f ? 0.0f : x > 88.7f ? INFINITY : p;
}

/* 1 / (1 + e^-x) */
static inline float ym_logistic(float x) {
	return 1.0f / (1.0f + ym_exp(-x));
}

/* Within 3e-7 of its value, relative: the exponential form loses digits near 0. */
static inline float ym_tanh(float x) {
	float size = fabsf(x), t = x * x, p = 1.72413848e-2f;
	float far = 1.0f - 2.0f / (ym_exp(2.0f * size) + 1.0f);
	p = p * t - 5.30454479e-2f;
	p = p * t + 0.13325879f;
	p = p * t - 0.333331436f;
	p = p * t * x + x;
	return size < 0.5f ? p : copysignf(far, x);
}

/* The normal distribution's function, within 1e-5 of its value, given density = its
** density at x: the ratio of the tail to the density is smooth (Mills). */
static inline float ym_normal_below(float x, float density) {
	float t = 1.0f / (1.0f + 0.3f * fabsf(x)), p = 3.83777491e-2f, tail;
	p = p * t - 0.169163747f;
	p = p * t + 0.228655713f;
	p = p * t - 7.65020373e-2f;
	p = p * t + 0.142532815f;
	p = p * t + 9.46845374e-2f;
	p = p * t + 0.121920115f;
	p = p * t + 0.119487717f;
	p = p * t + 7.16745735e-6f;
	tail = p * density * 2.50662827f; /* the fit is to e^(-x^2 / 2) */
	return x < 0 ? tail : 1.0f - tail;
}

static inline float ym_normal_density(float x) {
	return 0.39894228f * ym_exp(-0.5f * x * x);
}

/* What is left of a number of turns, |turns| < 2^51, without the whole ones: -1/2..1/2. */
static inline double ym_turn(double turns) {
	const double shift = 6755399441055744.0; /* as in ym_exp, of double precision */
	return turns - (turns + shift - shift);
}

/* The angle in -1/4..1/4 turns that has the same sine; turns within +-1/2. */
static inline double ym_turn_fold(double turns) {
	return copysign(0.25 - fabs(fabs(turns) - 0.25), turns);
}

/* sin(2 pi turns) within 3e-11 of its value, relative; turns within +-1/2. */
static inline double ym_sine(double turns) {
	double q = ym_turn_fold(turns), t = q * q, p = -14.38139073315045;
	p = p * t + 42.00779713431614;
	p = p * t - 76.70417025210745;
	p = p * t + 81.60522369012727;
	p = p * t - 41.341702096925997;
	p = p * t + 6.2831853070466906;
	return p * q;
}

#endif

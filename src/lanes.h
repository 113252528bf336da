/*
** Four floats at a time, in the compiler's portable vectors: SSE2 on any x86-64,
** NEON on ARM. Arrays worked on this way are padded to whole lanes.
*/
#ifndef LANES_H
#define LANES_H

#include <stddef.h>
#include <stdint.h>

enum { YM_LANES = 4 };

/* Aligned to one float, so that a pointer into any array may be read as lanes. */
typedef float ym_lanes __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t ym_lane_bits __attribute__((vector_size(16)));

/* count rounded up to whole lanes. */
static inline size_t ym_lanes_padded(size_t count) {
	return (count + YM_LANES - 1) / YM_LANES * YM_LANES;
}

static inline ym_lanes ym_lanes_load(const float *from) {
	return *(const ym_lanes *)from;
}

static inline void ym_lanes_store(float *to, ym_lanes value) {
	*(ym_lanes *)to = value;
}

static inline float ym_lanes_sum(ym_lanes value) {
	return (value[0] + value[1]) + (value[2] + value[3]);
}

static inline ym_lanes ym_lanes_absolute(ym_lanes value) {
	return (ym_lanes)((ym_lane_bits)value & INT32_MAX);
}

/* log2 of positive normal numbers. x = 2^e m with m in [sqrt(1/2), sqrt(2)), and
** log m = 2 atanh s, s = (m - 1) / (m + 1): four terms of its series leave 4e-8. */
static inline ym_lanes ym_lanes_log2(ym_lanes x) {
	const float unit = 2.88539008f;  /* 2 / ln 2 */
	const int32_t root = 0x3F3504F3; /* the bits of sqrt(1/2) */
	ym_lane_bits bits = (ym_lane_bits)x;
	ym_lane_bits exponent = (bits - root) & (int32_t)~0x7FFFFF;
	ym_lanes mantissa = (ym_lanes)(bits - exponent);
	ym_lanes s = (mantissa - 1.0f) / (mantissa + 1.0f), q = s * s;
	ym_lanes series = 1.0f + q * (1.0f / 3 + q * (1.0f / 5 + q * (1.0f / 7)));
	return __builtin_convertvector(exponent >> 23, ym_lanes) + unit * s * series;
}

#endif

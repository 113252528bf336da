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

#endif

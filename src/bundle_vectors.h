/*
** The vectors of the bundles' kernels at the level being compiled, one patch in each
** lane, and the chip's tables as each level looks them up best. Only for
** bundle_kernel.h.
*/
#ifndef BUNDLE_VECTORS_H
#define BUNDLE_VECTORS_H

#include "bundle_lanes.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

#if defined(__AVX512BW__)
enum { LANES = 32 };
#elif defined(__AVX2__)
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif

typedef int16_t values __attribute__((vector_size(2 * LANES)));
typedef uint16_t unsigned_values __attribute__((vector_size(2 * LANES)));

static inline values load(const int16_t *from) {
	return *(const values *)from;
}

static inline void store(int16_t *to, values value) {
	*(values *)to = value;
}

static inline values choose(values mask, values yes, values no) {
	return (yes & mask) | (no & ~mask);
}

static inline values shift_logical(values value, int count) {
	return (values)((unsigned_values)value >> count);
}

#if defined(__AVX512BW__)

static inline values smaller(values a, values b) {
	return (values)_mm512_min_epi16((__m512i)a, (__m512i)b);
}

static inline values larger(values a, values b) {
	return (values)_mm512_max_epi16((__m512i)a, (__m512i)b);
}

static inline values multiply_high(values a, values b) {
	return (values)_mm512_mulhi_epi16((__m512i)a, (__m512i)b);
}

/* Bit l is set where lane l of a mask is. */
static inline uint32_t lanes_of(values mask) {
	return _mm512_movepi16_mask((__m512i)mask);
}

static inline values look_up_rate(const int16_t table[YM_RATES], values rate) {
	return (values)_mm512_permutex2var_epi16(_mm512_load_si512(table), (__m512i)rate,
	                                         _mm512_load_si512(table + 32));
}

/* The tables, in registers. */
struct wave {
	__m512i log_sine[8], mantissa, slope;
};

static inline struct wave load_wave(const struct ym_bundle_tables *tables) {
	struct wave wave;
	for (int i = 0; i < 8; i++)
		wave.log_sine[i] = _mm512_loadu_si512(ym_log_sine + 32 * i);
	wave.mantissa = _mm512_load_si512(tables->mantissa);
	wave.slope = _mm512_load_si512(tables->slope);
	return wave;
}

/* Log-sines of the low 8 bits of index. */
static inline __attribute__((always_inline)) __m512i
look_up_log_sine(const __m512i table[8], __m512i index) {
	__mmask32 bit6 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(0x40));
	__mmask32 bit7 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(0x80));
	__m512i a = _mm512_permutex2var_epi16(table[0], index, table[1]);
	__m512i b = _mm512_permutex2var_epi16(table[2], index, table[3]);
	__m512i c = _mm512_permutex2var_epi16(table[4], index, table[5]);
	__m512i d = _mm512_permutex2var_epi16(table[6], index, table[7]);
	return _mm512_mask_blend_epi16(bit7, _mm512_mask_blend_epi16(bit6, a, b),
	                               _mm512_mask_blend_epi16(bit6, c, d));
}

/* Amplitudes by attenuation, 256 to a factor of 2: the mantissa, times 4, shifted. */
static inline __attribute__((always_inline)) __m512i
amplitude_of(const struct wave *wave, __m512i attenuation) {
	__m512i segment = _mm512_srli_epi16(attenuation, 3);
	__m512i place = _mm512_and_si512(attenuation, _mm512_set1_epi16(7));
	__m512i slope = _mm512_permutexvar_epi16(segment, wave->slope);
	__m512i line = _mm512_sub_epi16(_mm512_permutexvar_epi16(segment, wave->mantissa),
	                                _mm512_mullo_epi16(slope, place));
	__m512i mantissa = _mm512_and_si512(_mm512_srli_epi16(line, 3),
	                                    _mm512_set1_epi16(~3));
	return _mm512_srlv_epi16(mantissa, _mm512_srli_epi16(attenuation, 8));
}

/* Outputs of an operator for angles (10 bits and whatever above) and attenuations. */
static inline __attribute__((always_inline)) values
look_up(const struct wave *wave, values angles, values attenuations) {
	__m512i angle = (__m512i)angles;
	__mmask32 falling = _mm512_test_epi16_mask(angle, _mm512_set1_epi16(0x100));
	__mmask32 negative = _mm512_test_epi16_mask(angle, _mm512_set1_epi16(0x200));
	__m512i index = _mm512_mask_sub_epi16(angle, falling, _mm512_set1_epi16(-1), angle);
	__m512i log_sine = look_up_log_sine(wave->log_sine, index);
	__m512i amplitude = amplitude_of(wave,
	                                 _mm512_add_epi16(log_sine, (__m512i)attenuations));
	return (values)_mm512_mask_sub_epi16(amplitude, negative, _mm512_setzero_si512(),
	                                     amplitude);
}

#else /* tables in memory */

#if defined(__AVX2__)

static inline values smaller(values a, values b) {
	return (values)_mm256_min_epi16((__m256i)a, (__m256i)b);
}

static inline values larger(values a, values b) {
	return (values)_mm256_max_epi16((__m256i)a, (__m256i)b);
}

static inline values multiply_high(values a, values b) {
	return (values)_mm256_mulhi_epi16((__m256i)a, (__m256i)b);
}

static inline uint32_t lanes_of(values mask) {
	uint32_t bytes = (uint32_t)_mm256_movemask_epi8((__m256i)mask), lanes = 0;
	if (bytes != 0)
		for (int lane = 0; lane < LANES; lane++)
			lanes |= (bytes >> 2 * lane & 1) << lane;
	return lanes;
}

#else

static inline values smaller(values a, values b) {
	return choose(a < b, a, b);
}

static inline values larger(values a, values b) {
	return choose(a > b, a, b);
}

static inline values multiply_high(values a, values b) {
	typedef int32_t products __attribute__((vector_size(4 * LANES)));
	products product = __builtin_convertvector(a, products) *
	                   __builtin_convertvector(b, products);
	return __builtin_convertvector(product >> 16, values);
}

static inline uint32_t lanes_of(values mask) {
	uint32_t lanes = 0;
	for (int lane = 0; lane < LANES; lane++)
		lanes |= (uint32_t)(mask[lane] != 0) << lane;
	return lanes;
}

#endif

/* 16 bits at each index, as if unsigned. */
static inline __attribute__((always_inline)) values gather(const void *table,
                                                           values index) {
	values found = {0};
	for (int lane = 0; lane < LANES; lane++)
		found[lane] = ((const int16_t *)table)[(uint16_t)index[lane]];
	return found;
}

static inline values look_up_rate(const int16_t table[YM_RATES], values rate) {
	return gather(table, rate);
}

#if defined(__AVX2__)

/* Tables of 16 or twice 16 values, byte by byte. */
struct wave {
	__m256i mantissa_low[2], mantissa_high[2], slope[2], power_low, power_high;
};

/* The low or the high bytes of 16 values, for both halves of a register. */
static inline __m256i bytes_of(const uint16_t words[16], int shift) {
	_Alignas(16) uint8_t bytes[16];
	for (int i = 0; i < 16; i++)
		bytes[i] = (uint8_t)(words[i] >> shift);
	return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)bytes));
}

static inline struct wave load_wave(const struct ym_bundle_tables *tables) {
	uint16_t power[16];
	struct wave wave;
	for (int half = 0; half < 2; half++) {
		wave.mantissa_low[half] = bytes_of(tables->mantissa + 16 * half, 0);
		wave.mantissa_high[half] = bytes_of(tables->mantissa + 16 * half, 8);
		wave.slope[half] = bytes_of(tables->slope + 16 * half, 0);
	}
	for (int i = 0; i < 16; i++)
		power[i] = (uint16_t)(1 << (15 - i));
	wave.power_low = bytes_of(power, 0);
	wave.power_high = bytes_of(power, 8);
	return wave;
}

/* A value of 16 by each index: low is the index with its upper byte's top bit set, high
** the index in the upper byte with the lower byte's top bit set. */
static inline __m256i pick(__m256i table_low, __m256i table_high, __m256i low,
                           __m256i high) {
	return _mm256_or_si256(_mm256_shuffle_epi8(table_low, low),
	                       _mm256_shuffle_epi8(table_high, high));
}

/* Amplitudes by attenuation, 256 to a factor of 2: 8 mantissas times 2^(15 - shift),
** over 2^16. */
static inline __attribute__((always_inline)) __m256i
amplitude_of(const struct wave *wave, __m256i attenuation) {
	const __m256i no_high = _mm256_set1_epi16((int16_t)0x8000);
	const __m256i no_low = _mm256_set1_epi16(0x80);
	__m256i place = _mm256_and_si256(attenuation, _mm256_set1_epi16(7));
	__m256i upper = _mm256_srai_epi16(_mm256_slli_epi16(attenuation, 8), 15);
	__m256i segment = _mm256_and_si256(_mm256_srli_epi16(attenuation, 3),
	                                   _mm256_set1_epi16(15));
	__m256i low = _mm256_or_si256(segment, no_high);
	__m256i high = _mm256_or_si256(_mm256_slli_epi16(segment, 8), no_low);
	__m256i start = _mm256_blendv_epi8(
		pick(wave->mantissa_low[0], wave->mantissa_high[0], low, high),
		pick(wave->mantissa_low[1], wave->mantissa_high[1], low, high), upper);
	__m256i slope = _mm256_blendv_epi8(_mm256_shuffle_epi8(wave->slope[0], low),
	                                   _mm256_shuffle_epi8(wave->slope[1], low), upper);
	__m256i line = _mm256_sub_epi16(start, _mm256_mullo_epi16(slope, place));
	__m256i mantissa = _mm256_and_si256(_mm256_srli_epi16(line, 2),
	                                    _mm256_set1_epi16(~7));
	__m256i bounded = _mm256_min_epi16(attenuation, _mm256_set1_epi16(0xFFF));
	__m256i power = pick(
		wave->power_low, wave->power_high,
		_mm256_or_si256(_mm256_srli_epi16(bounded, 8), no_high),
		_mm256_or_si256(_mm256_and_si256(bounded, _mm256_set1_epi16(0xF00)), no_low));
	return _mm256_mulhi_epu16(mantissa, power);
}

static inline __attribute__((always_inline)) values
look_up(const struct wave *wave, values angles, values attenuations) {
	values falling = (angles << 7) >> 15, negative = (angles << 6) >> 15;
	values log_sine = gather(ym_log_sine, (angles ^ falling) & 0xFF);
	values amplitude = (values)amplitude_of(wave, (__m256i)(log_sine + attenuations));
	return (amplitude ^ negative) - negative;
}

#else

struct wave {
	const struct ym_voice_tables *tables;
};

static inline struct wave load_wave(const struct ym_bundle_tables *tables) {
	return (struct wave){&tables->voice};
}

static inline __attribute__((always_inline)) values
look_up(const struct wave *wave, values angles, values attenuations) {
	values level = gather(wave->tables->wave, angles & 0x3FF) + attenuations;
	return gather(wave->tables->amplitude, level);
}

#endif

#endif

static inline values limit(values sum, int16_t high) {
	values top = {0};
	top += high;
	return larger(smaller(sum, top), ~top);
}

#endif

#include "convert.h"

#include <string.h>

/* As ym_f16_to_f32, without branches, so that it is done in vectors. */
static void from_f16(const uint16_t *from, float *restrict to, size_t count) {
	for (size_t at = 0; at < count; at++) {
		uint32_t half = from[at], exponent = half >> 10 & 31, fraction = half & 0x3FF;
		uint32_t normal = (exponent == 31 ? 255 : exponent + 112) << 23 | fraction
		                                                                      << 13;
		float small = (float)(int32_t)fraction * 0x1p-24f;
		uint32_t bits;
		memcpy(&bits, &small, sizeof bits);
		bits = (exponent == 0 ? bits : normal) | (half & 0x8000u) << 16;
		memcpy(&to[at], &bits, sizeof bits);
	}
}

/* Without branches too. Below 2^-14 binary16 has multiples of 2^-24: these are what the
** fraction of a float in 0.5 .. 1 counts, so that adding 0.5 rounds to them. */
void ym_convert_halves(const float *from, uint16_t *restrict to, size_t count) {
	for (size_t at = 0; at < count; at++) {
		uint32_t bits, magnitude, normal, small;
		float value;
		memcpy(&bits, &from[at], sizeof bits);
		magnitude = bits & 0x7FFFFFFFu;
		memcpy(&value, &magnitude, sizeof value);
		value += 0.5f;
		memcpy(&small, &value, sizeof small);
		normal = (magnitude + 0xFFFu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13;
		normal = magnitude >= 0x477FF000u ? 0x7C00u : normal;
		normal = magnitude > 0x7F800000u ? 0x7E00u : normal;
		to[at] = (uint16_t)((magnitude < 0x38800000u ? small - 0x3F000000u : normal) |
		                    (bits >> 16 & 0x8000u));
	}
}

/* Whole numbers up to 2^24 are exact. */
void ym_convert(enum ym_type type, const void *from, float *to, size_t count) {
	switch (type) {
	case YM_F32: memcpy(to, from, count * sizeof *to); break;
	case YM_F16: from_f16(from, to, count); break;
	case YM_U8:
		for (size_t at = 0; at < count; at++)
			to[at] = ((const uint8_t *)from)[at];
		break;
	case YM_I16:
		for (size_t at = 0; at < count; at++)
			to[at] = ((const int16_t *)from)[at];
		break;
	case YM_I32:
		for (size_t at = 0; at < count; at++)
			to[at] = (float)((const int32_t *)from)[at];
		break;
	}
}

void ym_convert_row(const struct ym_tensor *tensor, size_t row, size_t first, float *to,
                    size_t count) {
	ptrdiff_t at = tensor->stride[0] * (ptrdiff_t)row + (ptrdiff_t)first;
	const char *from = tensor->data;
	ym_convert(tensor->type, from + at * (ptrdiff_t)ym_type_size(tensor->type), to,
	           count);
}

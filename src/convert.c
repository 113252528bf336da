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

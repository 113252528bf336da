#include "tensor.h"

#include <math.h>
#include <string.h>

#include "convert.h"

const char *const ym_type_names[] = {"f32", "f16", "u8", "i16", "i32", NULL};

size_t ym_type_size(enum ym_type type) {
	static const unsigned char size[] = {4, 2, 1, 2, 4};
	return size[type];
}

void ym_tensor_shape(struct ym_tensor *tensor, enum ym_type type, int rank,
                     const size_t *shape) {
	ptrdiff_t stride = 1;
	tensor->type = type;
	tensor->rank = rank;
	for (int axis = rank - 1; axis >= 0; axis--) {
		tensor->shape[axis] = shape[axis];
		tensor->stride[axis] = stride;
		stride *= (ptrdiff_t)shape[axis];
	}
}

bool ym_shape_count(int rank, const size_t *shape, size_t *count) {
	size_t product = 1; /* of the sizes that are not 0: strides are made of them */
	bool empty = false;
	for (int axis = 0; axis < rank; axis++) {
		empty = empty || shape[axis] == 0;
		if (shape[axis] != 0 && __builtin_mul_overflow(product, shape[axis], &product))
			return false;
	}
	*count = empty ? 0 : product;
	return product <= PTRDIFF_MAX / sizeof(float);
}

size_t ym_tensor_count(const struct ym_tensor *tensor) {
	size_t count = 1;
	for (int axis = 0; axis < tensor->rank; axis++)
		count *= tensor->shape[axis];
	return count;
}

bool ym_tensor_contiguous(const struct ym_tensor *tensor) {
	ptrdiff_t stride = 1;
	for (int axis = tensor->rank - 1; axis >= 0; axis--) {
		if (tensor->shape[axis] != 1 && tensor->stride[axis] != stride)
			return false;
		stride *= (ptrdiff_t)tensor->shape[axis];
	}
	return true;
}

void *ym_tensor_at(const struct ym_tensor *tensor, const size_t *index) {
	ptrdiff_t offset = 0;
	for (int axis = 0; axis < tensor->rank; axis++)
		offset += tensor->stride[axis] * (ptrdiff_t)index[axis];
	return (char *)tensor->data + offset * (ptrdiff_t)ym_type_size(tensor->type);
}

double ym_element_get(enum ym_type type, const void *element) {
	switch (type) {
	case YM_F32: return (double)*(const float *)element;
	case YM_F16: return (double)ym_f16_to_f32(*(const uint16_t *)element);
	case YM_U8: return *(const uint8_t *)element;
	case YM_I16: return *(const int16_t *)element;
	case YM_I32: return *(const int32_t *)element;
	}
	return 0;
}

/* value rounded into low..high; NaN becomes low. */
static double into(double value, double low, double high) {
	value = nearbyint(value);
	return value >= low ? (value <= high ? value : high) : low;
}

void ym_element_set(enum ym_type type, void *element, double value) {
	switch (type) {
	case YM_F32: *(float *)element = (float)value; break;
	case YM_F16: *(uint16_t *)element = ym_f32_to_f16((float)value); break;
	case YM_U8: *(uint8_t *)element = (uint8_t)into(value, 0, UINT8_MAX); break;
	case YM_I16:
		*(int16_t *)element = (int16_t)into(value, INT16_MIN, INT16_MAX);
		break;
	case YM_I32:
		*(int32_t *)element = (int32_t)into(value, INT32_MIN, INT32_MAX);
		break;
	}
}

/* Steps index to the next position in row-major order; false after the last. */
static bool next_index(const struct ym_tensor *tensor, size_t *index) {
	for (int axis = tensor->rank - 1; axis >= 0; axis--) {
		if (++index[axis] < tensor->shape[axis])
			return true;
		index[axis] = 0;
	}
	return false;
}

void ym_tensor_copy(struct ym_tensor *destination, const struct ym_tensor *source) {
	size_t index[YM_RANK] = {0};
	size_t count = ym_tensor_count(source);
	if (count == 0)
		return;
	if (ym_tensor_contiguous(destination) && ym_tensor_contiguous(source)) {
		if (destination->type == source->type) {
			memmove(destination->data, source->data,
			        count * ym_type_size(source->type));
			return;
		} else if (destination->type == YM_F32) {
			ym_convert(source->type, source->data, destination->data, count);
			return;
		} else if (destination->type == YM_F16 && source->type == YM_F32) {
			ym_convert_halves(source->data, destination->data, count);
			return;
		}
	}
	do {
		ym_element_set(destination->type, ym_tensor_at(destination, index),
		               ym_element_get(source->type, ym_tensor_at(source, index)));
	} while (next_index(source, index));
}

float ym_f16_to_f32(uint16_t half) {
	uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31u;
	uint32_t fraction = half & 0x3FFu, bits;
	float value;
	if (exponent == 0) /* zero or subnormal: a multiple of 2^-24 */
		return copysignf((float)fraction * 0x1p-24f, half & 0x8000u ? -1.0f : 1.0f);
	exponent = exponent == 31 ? 255 : exponent + 127 - 15;
	bits = sign | exponent << 23 | fraction << 13;
	memcpy(&value, &bits, sizeof value);
	return value;
}

uint16_t ym_f32_to_f16(float value) {
	uint32_t bits, sign, magnitude;
	memcpy(&bits, &value, sizeof bits);
	sign = bits >> 16 & 0x8000u;
	magnitude = bits & 0x7FFFFFFFu;
	if (magnitude > 0x7F800000u) /* NaN stays NaN */
		return (uint16_t)(sign | 0x7E00u);
	if (magnitude >= 0x477FF000u) /* 65520 and above round to infinity */
		return (uint16_t)(sign | 0x7C00u);
	if (magnitude < 0x38800000u) /* below 2^-14: subnormal */
		return (uint16_t)(sign | (uint32_t)nearbyintf(fabsf(value) * 0x1p24f));
	magnitude += 0xFFFu + (magnitude >> 13 & 1u);
	return (uint16_t)(sign | (magnitude - 0x38000000u) >> 13);
}

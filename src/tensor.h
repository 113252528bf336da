/*
** Tensors: a shape and strides over one block of numbers. Arithmetic is done in
** float (f32); the other types only store data (weights as f16, patches as u8,
** chip samples as i16 or i32).
*/
#ifndef TENSOR_H
#define TENSOR_H

#include "ym.h"

enum { YM_RANK = 6 }; /* the most axes a tensor has */

enum ym_type { YM_F32, YM_F16, YM_U8, YM_I16, YM_I32 };

/* Element i0, i1, ... lies at data + stride[0] * i0 + stride[1] * i1 + ...; strides
** count elements. A tensor owns nothing: whoever made it keeps the memory. */
struct ym_tensor {
	enum ym_type type;
	int rank;              /* 1..YM_RANK */
	size_t shape[YM_RANK]; /* elements along each axis; 0 is allowed */
	ptrdiff_t stride[YM_RANK];
	void *data;
};

/* "f32", "f16", "u8", "i16", "i32", then NULL: indexed by enum ym_type. */
extern const char *const ym_type_names[];

size_t ym_type_size(enum ym_type type); /* bytes an element */

/* Sets type, shape and row-major strides; data stays. */
void ym_tensor_shape(struct ym_tensor *tensor, enum ym_type type, int rank,
                     const size_t *shape);

/* Elements in a shape; false when they, or strides along it, could not be counted:
** even with an axis of size 0 the others must not be too large together. */
bool ym_shape_count(int rank, const size_t *shape, size_t *count);

/* Elements in a tensor, whose shape is known to be countable. */
size_t ym_tensor_count(const struct ym_tensor *tensor);

/* True when the elements lie row-major without gaps. */
bool ym_tensor_contiguous(const struct ym_tensor *tensor);

/* Address of an element; index counts from 0, one per axis, unchecked. */
void *ym_tensor_at(const struct ym_tensor *tensor, const size_t *index);

/* One element as a double, or rounded and clamped into the type. */
double ym_element_get(enum ym_type type, const void *element);
void ym_element_set(enum ym_type type, void *element, double value);

/* Copies every element of source into destination, converting the type; the shapes
** must be equal. */
void ym_tensor_copy(struct ym_tensor *destination, const struct ym_tensor *source);

/* IEEE 754 binary16 to and from float, round to nearest even. */
float ym_f16_to_f32(uint16_t half);
uint16_t ym_f32_to_f16(float value);

#endif

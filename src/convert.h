/*
** Stored numbers to the f32 that arithmetic is done in and back, a run of them at a
** time.
*/
#ifndef CONVERT_H
#define CONVERT_H

#include "tensor.h"

/* Converts count elements that lie side by side. */
void ym_convert(enum ym_type type, const void *from, float *to, size_t count);

/* Rounds count floats to binary16, each as ym_f32_to_f16. */
void ym_convert_halves(const float *from, uint16_t *to, size_t count);

/* Converts count elements from column `first` of a row of a tensor whose rows (all axes
** but the first) are contiguous. */
void ym_convert_row(const struct ym_tensor *tensor, size_t row, size_t first, float *to,
                    size_t count);

#endif

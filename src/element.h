/*
** Loops over elements that pay for wide vectors, for operators: the same formulas
** (elementary.h) compiled for each level of simd.h.
*/
#ifndef ELEMENT_H
#define ELEMENT_H

#include "simd.h"

struct ym_element {
	/* y = f(x), n elements */
	void (*exp)(size_t n, const float *x, float *y);
	void (*tanh)(size_t n, const float *x, float *y);
	void (*sigmoid)(size_t n, const float *x, float *y);
	/* y = x times the normal distribution's function, and the slope of that */
	void (*gelu)(size_t n, const float *x, float *y, float *slope);
	/* y = e^(x - *top), where *top is the largest of n > 0 elements; returns the sum */
	double (*exp_sum)(size_t n, const float *x, float *y, float *top);
	/* One step of one row of op_recurrent.c: gates (4 hidden) in place, cells, tanh of
	** the cells and y (hidden); before: the cells of the step before */
	void (*lstm)(size_t hidden, float *gates, const float *before, float *cells,
	             float *squashed, float *y);
};

extern const struct ym_element ym_element_baseline, ym_element_avx2, ym_element_avx512;

const struct ym_element *ym_element_at(enum ym_simd level);

#endif

/*
** What is done to many sounds of equal length at once, a row of samples each.
*/
#ifndef ROWS_H
#define ROWS_H

#include "pool.h"

/* Sounds at a rate. */
struct ym_rows {
	const float *samples; /* (count, length) */
	size_t count, length;
	double rate; /* Hz */
};

/* Changes the rate of all with ym_audio_resample_quickly, a row a part of the pool, into
** out (count, length): of what comes out as much as there is room for, then zeros. Rates
** within a thousandth of a percent of each other count as one. */
enum ym_status ym_rows_resample(struct ym_pool *pool, const struct ym_rows *rows,
                                double rate, size_t length, float *out,
                                struct ym_error *error);

/* The root mean square of a - b, of the larger one of a and b; 0 of two silent ones. */
double ym_rows_difference(const float *a, const float *b, size_t count);

#endif

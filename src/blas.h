/*
** The few BLAS and LAPACK routines in use, row-major, on the serial library: all
** threads are the pool's. The only file that knows their names.
*/
#ifndef BLAS_H
#define BLAS_H

#include <cblas.h>

#include "ym.h"

/* LAPACK's divide-and-conquer eigenvalue solver for symmetric matrices, single
** precision, under its Fortran name (arguments by address, column-major). */
void ssyevd_(const char *job, const char *triangle, const int *order, float *matrix,
             const int *stride, float *values, float *work, const int *work_size,
             int *integers, const int *integers_size, int *info);

/* The same in double precision. */
void dsyevd_(const char *job, const char *triangle, const int *order, double *matrix,
             const int *stride, double *values, double *work, const int *work_size,
             int *integers, const int *integers_size, int *info);

/* A dense or strided matrix operand; transposed means it is used as its transpose. */
struct ym_matrix {
	const float *data;
	size_t stride; /* floats from row to row as stored */
	bool transposed;
};

/* c (rows, columns; rows c_stride apart) = a (rows, inner) b (inner, columns) + beta c.
** Sizes must fit an int. */
static inline void ym_multiply(size_t rows, size_t columns, size_t inner,
                               struct ym_matrix a, struct ym_matrix b, float beta,
                               float *c, size_t c_stride) {
	if (rows == 0 || columns == 0)
		return;
	cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans,
	            b.transposed ? CblasTrans : CblasNoTrans, (int)rows, (int)columns,
	            (int)inner, 1.0f, a.data, (int)a.stride, b.data, (int)b.stride, beta, c,
	            (int)c_stride);
}

#endif

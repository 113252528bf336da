/*
** The few BLAS and LAPACK routines in use. Callers stand between ym_arithmetic_begin
** and ym_arithmetic_end, so that no threads but the pool's are at work.
*/
#ifndef BLAS_H
#define BLAS_H

#include <cblas.h>

#include "ym.h"

/* LAPACK's solver for some eigenvalues of a symmetric matrix, largest last, under its
** Fortran name: arguments by address, column-major, vectors as columns. */
void dsyevr_(const char *job, const char *range, const char *triangle, const int *order,
             double *matrix, const int *stride, const double *low, const double *high,
             const int *first, const int *last, const double *tolerance, int *found,
             double *values, double *vectors, const int *vector_stride, int *support,
             double *work, const int *work_size, int *integers, const int *integer_size,
             int *info);

/* LAPACK's Cholesky factor, in place; info is not 0 where there is none. */
void dpotrf_(const char *triangle, const int *order, double *matrix, const int *stride,
             int *info);

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

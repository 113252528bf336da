/*
** Eigenvectors of symmetric matrices, by LAPACK.
*/
#ifndef EIGEN_H
#define EIGEN_H

#include "ym.h"

/* The `count` largest eigenvalues of a symmetric matrix (order, order), of which only
** the part from the diagonal on is read, and which is destroyed. values (order) gets
** them first, ascending; vectors (count, order) their vectors, of unit length. Sizes
** must fit an int 32 times. YM_INPUT when there are none to be found. */
enum ym_status ym_eigen_largest(double *matrix, size_t order, size_t count,
                                double *values, double *vectors,
                                struct ym_error *error);

#endif

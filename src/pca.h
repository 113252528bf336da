/*
** Principal component analysis (Pearson 1901, Hotelling 1933). The exact way is by
** eigenvectors of the covariance, or where there are fewer rows than columns of the
** Gram matrix: products are in single precision, sums over blocks and the eigenvectors
** in double. The random way (pca_random.c) is for large matrices.
*/
#ifndef PCA_H
#define PCA_H

#include "pool.h"
#include "tensor.h"

/* What a fit finds; the caller brings the memory. */
struct ym_pca {
	size_t columns, components;
	float *mean; /* (columns) */
	float *axes; /* (components, columns): orthonormal rows, largest variance first */
	float *variance; /* (components): along each axis, with divisor rows - 1 */
	double total;    /* variance of all columns together */
};

enum ym_pca_method {
	/* Random where rows and columns are at least 1,024 and exact would be four times
	** slower or more. */
	YM_PCA_AUTO,
	YM_PCA_EXACT,
	YM_PCA_RANDOM, /* misses about 1e-4 of the variance the exact axes explain */
};

/* "auto", "exact", "random", then NULL: indexed by enum ym_pca_method. */
extern const char *const ym_pca_method_names[];

/* Fits to x (rows, columns), of any type, its rows contiguous. components must be
** 1..min(rows, columns) and rows at least 2. The sign of an axis is such that its
** largest element is positive. seed is of the random way. YM_INPUT when x holds a value
** that is not finite. */
enum ym_status ym_pca_fit(struct ym_pca *pca, const struct ym_tensor *x,
                          enum ym_pca_method method, uint64_t seed,
                          struct ym_pool *pool, struct ym_error *error);

/* y (rows, components) = (x - mean) axes', each component times factor[component]
** where factor is not NULL. YM_MEMORY when there is no scratch memory. */
enum ym_status ym_pca_transform(const struct ym_pca *pca, const struct ym_tensor *x,
                                const float *factor, float *y, struct ym_pool *pool,
                                struct ym_error *error);

/* x (rows, columns) = (y, each component times factor) axes + mean */
enum ym_status ym_pca_restore(const struct ym_pca *pca, const struct ym_tensor *y,
                              const float *factor, float *x, struct ym_pool *pool,
                              struct ym_error *error);

#endif

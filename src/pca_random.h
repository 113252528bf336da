/*
** Principal components by random projection and subspace iteration: for matrices whose
** exact decomposition would take many times as long.
*/
#ifndef PCA_RANDOM_H
#define PCA_RANDOM_H

#include "pca.h"

/* Fills axes (of about unit length; zeros where there is no variance), variance and
** total of pca, whose mean is known. columns and components must suit x; the random
** numbers are of the seed. YM_INPUT when the values are too large. */
enum ym_status ym_pca_random(struct ym_pca *pca, const struct ym_tensor *x,
                             uint64_t seed, struct ym_pool *pool,
                             struct ym_error *error);

#endif

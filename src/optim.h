/*
** Optimisers over one flat block of parameters: one pass over memory a step, in pieces
** of fixed size, so that the bits do not depend on the threads.
*/
#ifndef OPTIM_H
#define OPTIM_H

#include "pool.h"
#include "ym.h"

enum ym_method { YM_SGD, YM_ADAM, YM_ADAMW };

/* "sgd", "adam", "adamw", then NULL: indexed by enum ym_method. */
extern const char *const ym_method_names[];

struct ym_optim {
	enum ym_method method;
	double rate;
	double momentum;      /* sgd: of the velocity; 0: none */
	double beta1, beta2;  /* adam, adamw: decay of the mean and of the mean square */
	double epsilon;       /* adam, adamw: added to the root of the mean square */
	double decay;         /* of weights: by the gradient, or (adamw) apart from it */
	double clip;          /* largest norm of the whole gradient; 0: no limit */
	uint64_t steps;       /* taken */
	size_t count;         /* parameters */
	float *mean, *square; /* (count) each, the caller's; square is unused by sgd */
};

/* Updates values from gradients, and stores the gradient's norm (before clipping) in
** *norm. YM_DIVERGED, and nothing is changed, when the norm is not finite. YM_MEMORY
** when there is none for a few sums. */
enum ym_status ym_optim_step(struct ym_optim *optim, struct ym_pool *pool,
                             float *values, const float *gradients, double *norm,
                             struct ym_error *error);

/* The same in pieces of so many parameters, where several processes share the step. */
enum { YM_PIECE = 16384 };
size_t ym_optim_pieces(const struct ym_optim *optim);
/* The sums of the squared gradients of pieces first .. first + count - 1. */
void ym_optim_squares(const struct ym_optim *optim, struct ym_pool *pool,
                      const float *gradients, size_t first, size_t count, double *sums);
/* The norm of the gradient out of the sums of all pieces; YM_DIVERGED as above. */
enum ym_status ym_optim_norm(const struct ym_optim *optim, const double *sums,
                             double *norm, struct ym_error *error);
/* Takes the step for these pieces; once a step, also of none. */
void ym_optim_update(struct ym_optim *optim, struct ym_pool *pool, float *values,
                     const float *gradients, double norm, size_t first, size_t count);

#endif

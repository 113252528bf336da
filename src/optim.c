/*
** A step is two walks over the block: the norm of the gradient, which has to be known
** before anything is clipped, and the update.
*/
#include "optim.h"

#include <math.h>

#include "arithmetic.h"

const char *const ym_method_names[] = {"sgd", "adam", "adamw", NULL};

struct step {
	const struct ym_optim *optim;
	float *values;
	const float *gradients;
	double *sums; /* of squared gradients, one a piece from the first on */
	size_t first; /* piece */
	float scale;  /* what clipping makes of the gradient */
};

/* One past the last parameter of a piece. */
static size_t piece_end(const struct step *step, size_t piece) {
	size_t end = (piece + 1) * YM_PIECE;
	return end < step->optim->count ? end : step->optim->count;
}

/* The square of the gradient's norm over a piece, in several sums at once. */
static void sum_piece(void *context, size_t which, int worker) {
	enum { SUMS = 16 };
	struct step *step = context;
	size_t piece = step->first + which;
	size_t end = piece_end(step, piece), at = piece * YM_PIECE;
	double sums[SUMS] = {0};
	(void)worker;
	for (; at + SUMS <= end; at += SUMS)
		for (int sum = 0; sum < SUMS; sum++) {
			double slope = (double)step->gradients[at + sum];
			sums[sum] += slope * slope;
		}
	for (; at < end; at++)
		sums[0] += (double)step->gradients[at] * (double)step->gradients[at];
	step->sums[which] = 0;
	for (int sum = 0; sum < SUMS; sum++)
		step->sums[which] += sums[sum];
}

/* v = momentum v + g, x -= rate v */
static void sgd_piece(const struct step *step, size_t at, size_t end) {
	const struct ym_optim *optim = step->optim;
	float rate = (float)optim->rate, momentum = (float)optim->momentum;
	float decay = (float)optim->decay;
	for (; at < end; at++) {
		float slope = step->gradients[at] * step->scale + decay * step->values[at];
		optim->mean[at] = momentum * optim->mean[at] + slope;
		step->values[at] -= rate * optim->mean[at];
	}
}

/* Kingma and Ba, Adam, 2015, algorithm 1; AdamW's decay as Loshchilov and Hutter,
** Decoupled Weight Decay Regularization, 2019. */
static void adam_piece(const struct step *step, size_t at, size_t end) {
	const struct ym_optim *optim = step->optim;
	double taken = (double)optim->steps + 1;
	float keep1 = (float)optim->beta1, take1 = (float)(1 - optim->beta1);
	float keep2 = (float)optim->beta2, take2 = (float)(1 - optim->beta2);
	float rate = (float)(optim->rate / (1 - pow(optim->beta1, taken)));
	float root = (float)(1 / sqrt(1 - pow(optim->beta2, taken)));
	float epsilon = (float)optim->epsilon, scale = step->scale;
	bool apart = optim->method == YM_ADAMW;
	float inside = apart ? 0 : (float)optim->decay;
	float shrink = apart ? (float)(1 - optim->rate * optim->decay) : 1;
	float *restrict mean = optim->mean, *restrict square = optim->square;
	float *restrict values = step->values;
	const float *restrict gradients = step->gradients;
	for (; at < end; at++) {
		float slope = gradients[at] * scale + inside * values[at];
		mean[at] = keep1 * mean[at] + take1 * slope;
		square[at] = keep2 * square[at] + take2 * slope * slope;
		values[at] = values[at] * shrink -
		             rate * mean[at] / (sqrtf(square[at]) * root + epsilon);
	}
}

/* A small mean square that fades would become denormal, and slow: see arithmetic.h. */
static void update_piece(void *context, size_t which, int worker) {
	const struct step *step = context;
	size_t piece = step->first + which;
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	if (step->optim->method == YM_SGD)
		sgd_piece(step, piece * YM_PIECE, piece_end(step, piece));
	else
		adam_piece(step, piece * YM_PIECE, piece_end(step, piece));
	ym_arithmetic_end(before);
}

size_t ym_optim_pieces(const struct ym_optim *optim) {
	return (optim->count + YM_PIECE - 1) / YM_PIECE;
}

void ym_optim_squares(const struct ym_optim *optim, struct ym_pool *pool,
                      const float *gradients, size_t first, size_t count,
                      double *sums) {
	struct step step = {optim, NULL, gradients, sums, first, 1};
	ym_pool_run(pool, count, sum_piece, &step);
}

enum ym_status ym_optim_norm(const struct ym_optim *optim, const double *sums,
                             double *norm, struct ym_error *error) {
	double sum = 0;
	for (size_t piece = 0; piece < ym_optim_pieces(optim); piece++)
		sum += sums[piece];
	*norm = sqrt(sum);
	return isfinite(*norm) ? YM_OK
	                       : ym_fail(error, YM_DIVERGED, "the gradient is not finite");
}

void ym_optim_update(struct ym_optim *optim, struct ym_pool *pool, float *values,
                     const float *gradients, double norm, size_t first, size_t count) {
	struct step step = {optim, values, gradients, NULL, first, 1};
	if (optim->clip > 0 && norm > optim->clip)
		step.scale = (float)(optim->clip / norm);
	ym_pool_run(pool, count, update_piece, &step);
	optim->steps++;
}

enum ym_status ym_optim_step(struct ym_optim *optim, struct ym_pool *pool,
                             float *values, const float *gradients, double *norm,
                             struct ym_error *error) {
	size_t pieces = ym_optim_pieces(optim);
	double *sums = ym_alloc(pieces, sizeof *sums);
	enum ym_status status;
	if (sums == NULL)
		return ym_no_memory(error);
	ym_optim_squares(optim, pool, gradients, 0, pieces, sums);
	status = ym_optim_norm(optim, sums, norm, error);
	ym_free(sums);
	if (status == YM_OK)
		ym_optim_update(optim, pool, values, gradients, *norm, 0, pieces);
	return status;
}

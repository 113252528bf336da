/*
** A step is two walks over the block: the norm of the gradient, which has to be known
** before anything is clipped, and the update.
*/
#include "optim.h"

#include <math.h>

#include "arithmetic.h"

/* Parameters of one piece. */
enum { PIECE = 16384 };

const char *const ym_method_names[] = {"sgd", "adam", "adamw", NULL};

struct step {
	struct ym_optim *optim;
	float *values;
	const float *gradients;
	double *sums; /* of squared gradients, one a piece */
	float scale;  /* what clipping makes of the gradient */
};

/* One past the last parameter of a piece. */
static size_t piece_end(const struct step *step, size_t piece) {
	size_t end = (piece + 1) * PIECE;
	return end < step->optim->count ? end : step->optim->count;
}

/* The square of the gradient's norm over a piece, in several sums at once. */
static void sum_piece(void *context, size_t piece, int worker) {
	enum { SUMS = 16 };
	struct step *step = context;
	size_t end = piece_end(step, piece), at = piece * PIECE;
	double sums[SUMS] = {0};
	(void)worker;
	for (; at + SUMS <= end; at += SUMS)
		for (int which = 0; which < SUMS; which++) {
			double slope = (double)step->gradients[at + which];
			sums[which] += slope * slope;
		}
	for (; at < end; at++)
		sums[0] += (double)step->gradients[at] * (double)step->gradients[at];
	step->sums[piece] = 0;
	for (int which = 0; which < SUMS; which++)
		step->sums[piece] += sums[which];
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
static void update_piece(void *context, size_t piece, int worker) {
	const struct step *step = context;
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	if (step->optim->method == YM_SGD)
		sgd_piece(step, piece * PIECE, piece_end(step, piece));
	else
		adam_piece(step, piece * PIECE, piece_end(step, piece));
	ym_arithmetic_end(before);
}

enum ym_status ym_optim_step(struct ym_optim *optim, struct ym_pool *pool,
                             float *values, const float *gradients, double *norm,
                             struct ym_error *error) {
	size_t pieces = (optim->count + PIECE - 1) / PIECE;
	struct step step = {optim, values, gradients, NULL, 1};
	double sum = 0;
	step.sums = ym_alloc(pieces, sizeof *step.sums);
	if (step.sums == NULL)
		return ym_no_memory(error);
	ym_pool_run(pool, pieces, sum_piece, &step);
	for (size_t piece = 0; piece < pieces; piece++)
		sum += step.sums[piece];
	ym_free(step.sums);
	*norm = sqrt(sum);
	if (!isfinite(*norm))
		return ym_fail(error, YM_DIVERGED, "the gradient is not finite");
	if (optim->clip > 0 && *norm > optim->clip)
		step.scale = (float)(optim->clip / *norm);
	ym_pool_run(pool, pieces, update_piece, &step);
	optim->steps++;
	return YM_OK;
}

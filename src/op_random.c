/*
** Randomness, in training only: dropout {rate}; randn (x), normal numbers in the shape
** of x, zeros outside training. Numbers come from the seed of the step, the node and
** the part, so that they do not depend on the threads.
*/
#include "op.h"

/* The random numbers of a node for a job. The first parts have streams side by side, as
** when there were no more; every YM_PARTS further ones begin far away. */
static struct ym_rng node_rng(const struct ym_job *job, const struct ym_node *node) {
	struct ym_rng rng;
	uint64_t part = (uint64_t)job->part, far = part / YM_PARTS << 32;
	ym_rng_seed(&rng, job->draw,
	            far + (uint64_t)node->index * YM_PARTS + part % YM_PARTS);
	return rng;
}

static enum ym_status need_batch(const struct ym_node *nodes, struct ym_node *node,
                                 struct ym_error *error) {
	ym_shape_same(nodes, node, error);
	if (!node->batched)
		return ym_fail(error, YM_ARGUMENT, "needs a batched input");
	return YM_OK;
}

static enum ym_status dropout_shape(const struct ym_node *nodes, struct ym_node *node,
                                    struct ym_error *error) {
	double rate = ym_node_number(node, "rate", 0.5);
	if (!(rate >= 0 && rate < 1))
		return ym_fail(error, YM_ARGUMENT,
		               "option 'rate' is %g, expected 0 <= rate < 1", rate);
	node->scratch = ym_node_input(nodes, node, 0)->row;
	return need_batch(nodes, node, error);
}

/* In training each element is dropped with probability rate, and the others grow so
** that the mean stays. The factors are kept for backward. */
static void dropout_forward(const struct ym_job *job, const struct ym_node *node) {
	const float *x = ym_input_value(job, node, 0);
	float *y = ym_job_value(job, node), *factor = ym_job_scratch(job, node);
	double rate = ym_node_number(node, "rate", 0.5);
	float grown = (float)(1 / (1 - rate));
	size_t count = ym_job_count(job, node);
	struct ym_rng rng = node_rng(job, node);
	for (size_t at = 0; at < count; at++) {
		factor[at] = !job->training ? 1 : ym_rng_uniform(&rng) < rate ? 0 : grown;
		y[at] = x[at] * factor[at];
	}
}

/* dx = dy times the factor of forward */
static void dropout_backward(const struct ym_job *job, const struct ym_node *node) {
	const float *factor = ym_job_scratch(job, node), *dy = ym_job_gradient(job, node);
	float *dx = ym_input_gradient(job, node, 0);
	size_t count = ym_job_count(job, node);
	for (size_t at = 0; at < count; at++)
		dx[at] += dy[at] * factor[at];
}

/* Zeros outside training: with z = mean + deviation * randn that gives the mean. */
static void randn_forward(const struct ym_job *job, const struct ym_node *node) {
	float *y = ym_job_value(job, node);
	size_t count = ym_job_count(job, node);
	struct ym_rng rng = node_rng(job, node);
	for (size_t at = 0; at < count; at++)
		y[at] = job->training ? (float)ym_rng_normal(&rng) : 0;
}

const struct ym_operator ym_random_operators[] = {
	{"dropout", "rate", 1, 1, dropout_shape, dropout_forward, dropout_backward, NULL,
     0},
	{"randn", "", 1, 1, need_batch, randn_forward, NULL, NULL, 0},
	{0},
};

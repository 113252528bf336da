/*
** Losses: each gives one number a row, (batch).
**   mse, smooth_l1 {beta}, bce_logits   of two nodes of one shape: the mean over a row
**   head_cross_entropy {widths, weights}   of the logits of several softmax heads, side
**     by side, and the class of each head
*/
#include <math.h>

#include "element.h"
#include "elementary.h"
#include "op.h"

/* (batch, ...) (batch, ...) -> (batch) */
static enum ym_status pair_shape(const struct ym_node *nodes, struct ym_node *node,
                                 struct ym_error *error) {
	const struct ym_node *a = ym_node_input(nodes, node, 0);
	const struct ym_node *b = ym_node_input(nodes, node, 1);
	bool same = a->rank == b->rank && a->batched && b->batched;
	char text[2][96];
	for (int axis = 0; same && axis < a->rank; axis++)
		same = a->shape[axis] == b->shape[axis];
	if (!same)
		return ym_fail(error, YM_ARGUMENT, "shapes %s and %s must be alike and batched",
		               ym_node_describe(a, text[0]), ym_node_describe(b, text[1]));
	node->batched = true;
	node->rank = 1;
	node->shape[0] = 1;
	return YM_OK;
}

/* A loss of pairs, from an expression in x and t, and its slopes by x and by t. */
#define PAIR_LOSS(name, setup, expression, slope_x, slope_t)                           \
	static void name##_forward(const struct ym_job *job, const struct ym_node *node) { \
		const float *left = ym_input_value(job, node, 0);                              \
		const float *right = ym_input_value(job, node, 1);                             \
		float *y = ym_job_value(job, node);                                            \
		size_t n = ym_node_input(job->nodes, node, 0)->row;                            \
		setup;                                                                         \
		for (size_t row = 0; row < job->rows; row++, left += n, right += n) {          \
			double sum = 0;                                                            \
			for (size_t at = 0; at < n; at++) {                                        \
				float x = left[at], t = right[at];                                     \
				sum += (double)(expression);                                           \
			}                                                                          \
			y[row] = (float)(sum / (double)n);                                         \
		}                                                                              \
	}                                                                                  \
	static void name##_backward(const struct ym_job *job,                              \
	                            const struct ym_node *node) {                          \
		const float *left = ym_input_value(job, node, 0);                              \
		const float *right = ym_input_value(job, node, 1);                             \
		const float *dy = ym_job_gradient(job, node);                                  \
		float *dx = ym_input_gradient(job, node, 0);                                   \
		float *dt = ym_input_gradient(job, node, 1);                                   \
		size_t n = ym_node_input(job->nodes, node, 0)->row;                            \
		setup;                                                                         \
		for (size_t at = 0; at < job->rows * n; at++) {                                \
			float x = left[at], t = right[at], share = dy[at / n] / (float)n;          \
			if (dx != NULL)                                                            \
				dx[at] += share * (slope_x);                                           \
			if (dt != NULL)                                                            \
				dt[at] += share * (slope_t);                                           \
			(void)t;                                                                   \
		}                                                                              \
	}

PAIR_LOSS(mse, (void)0, (x - t) * (x - t), 2 * (x - t), 2 * (t - x))

/* Quadratic within beta of the target, linear beyond, as in Girshick's Fast R-CNN. */
static float smooth(float difference, float beta) {
	float size = fabsf(difference);
	return size < beta ? 0.5f * difference * difference / beta : size - 0.5f * beta;
}

static float smooth_slope(float difference, float beta) {
	return fminf(fmaxf(difference / beta, -1), 1);
}

PAIR_LOSS(smooth_l1, float beta = (float)ym_node_number(node, "beta", 1),
          smooth(x - t, beta), smooth_slope(x - t, beta), smooth_slope(t - x, beta))

static enum ym_status smooth_l1_shape(const struct ym_node *nodes, struct ym_node *node,
                                      struct ym_error *error) {
	double beta = ym_node_number(node, "beta", 1);
	if ((float)beta <= 0)
		return ym_fail(error, YM_ARGUMENT, "option 'beta' is %g, expected more than 0",
		               beta);
	return pair_shape(nodes, node, error);
}

/* -t log(s) - (1 - t) log(1 - s) of s = sigmoid(x), without computing s. */
static float binary_loss(float x, float t) {
	return fmaxf(x, 0) - x * t + log1pf(ym_exp(-fabsf(x)));
}

PAIR_LOSS(bce_logits, (void)0, binary_loss(x, t), ym_logistic(x) - t, -x)

/* The heads of one row: head h has width[h] logits from first[h] on. */
struct head {
	size_t first, width;
	float weight;
};

/* (batch, sum of widths) (batch, heads) -> (batch) */
static enum ym_status heads_shape(const struct ym_node *nodes, struct ym_node *node,
                                  struct ym_error *error) {
	const struct ym_node *logits = ym_node_input(nodes, node, 0);
	const struct ym_node *targets = ym_node_input(nodes, node, 1);
	const struct ym_attribute *widths = ym_node_attribute(node, "widths");
	const struct ym_attribute *weights = ym_node_attribute(node, "weights");
	struct head *heads;
	size_t total = 0;
	char text[2][96];
	if (widths == NULL || widths->count == 0)
		return ym_fail(error, YM_ARGUMENT, "option 'widths' must be a list of numbers");
	if (weights != NULL && weights->count != widths->count)
		return ym_fail(error, YM_ARGUMENT,
		               "option 'weights' has %zu numbers, expected %zu", weights->count,
		               widths->count);
	heads = ym_node_plan(node, widths->count * sizeof *heads, error);
	if (heads == NULL)
		return YM_MEMORY;
	for (size_t head = 0; head < widths->count; head++) {
		double width = widths->numbers[head];
		if (!(width >= 1 && width <= 0x1p24) || width != (double)(size_t)width)
			return ym_fail(error, YM_ARGUMENT,
			               "width %zu is %g, expected a whole number", head + 1, width);
		heads[head].first = total;
		heads[head].width = (size_t)width;
		heads[head].weight = weights == NULL ? 1 : (float)weights->numbers[head];
		total += (size_t)width;
	}
	if (!logits->batched || logits->rank != 2 || logits->row != total ||
	    !targets->batched || targets->rank != 2 || targets->row != widths->count)
		return ym_fail(error, YM_ARGUMENT,
		               "shapes are %s and %s, expected (batch, %zu) and (batch, %zu)",
		               ym_node_describe(logits, text[0]),
		               ym_node_describe(targets, text[1]), total, widths->count);
	node->batched = true;
	node->rank = 1;
	node->shape[0] = 1;
	node->scratch = total;
	return YM_OK;
}

/* Softmax of one head into p; returns the cross-entropy of one of its classes. */
static double head_loss(const struct ym_element *element, const float *x, float *p,
                        size_t width, size_t target) {
	float top, scale;
	double sum = element->exp_sum(width, x, p, &top);
	scale = (float)(1 / sum);
	for (size_t at = 0; at < width; at++)
		p[at] *= scale;
	return log(sum) - (double)(x[target] - top);
}

/* Each row's sum over heads of weight times cross-entropy. A target below 0 masks its
** head. The softmax of every head that counts is kept for backward. */
static void heads_forward(const struct ym_job *job, const struct ym_node *node) {
	const struct head *heads = node->plan;
	size_t count = ym_node_input(job->nodes, node, 1)->row;
	const float *logits = ym_input_value(job, node, 0);
	const float *targets = ym_input_value(job, node, 1);
	float *softmax = ym_job_scratch(job, node), *y = ym_job_value(job, node);
	const struct ym_element *element = ym_element_at(job->level);
	for (size_t row = 0; row < job->rows; row++) {
		double sum = 0;
		for (size_t head = 0; head < count; head++) {
			size_t first = heads[head].first, width = heads[head].width;
			float target = targets[head];
			if (target < 0)
				continue;
			if (!(target < (float)width) || target != floorf(target)) {
				ym_fail(job->error, YM_INPUT,
				        "the target of head %zu is %g, expected a class 0..%zu or -1",
				        head + 1, (double)target, width - 1);
				target = 0;
			}
			sum += (double)heads[head].weight * head_loss(element, logits + first,
			                                              softmax + first, width,
			                                              (size_t)target);
		}
		y[row] = (float)sum;
		logits += node->scratch;
		softmax += node->scratch;
		targets += count;
	}
}

/* dx = dy weight (softmax - 1 at the class), for heads that are not masked. Nothing
** goes back to the targets. */
static void heads_backward(const struct ym_job *job, const struct ym_node *node) {
	const struct head *heads = node->plan;
	size_t count = ym_node_input(job->nodes, node, 1)->row;
	const float *targets = ym_input_value(job, node, 1);
	const float *softmax = ym_job_scratch(job, node), *dy = ym_job_gradient(job, node);
	float *dx = ym_input_gradient(job, node, 0);
	for (size_t row = 0; dx != NULL && row < job->rows; row++) {
		for (size_t head = 0; head < count; head++) {
			size_t first = heads[head].first, width = heads[head].width;
			float share = dy[row] * heads[head].weight, target = targets[head];
			if (!(target >= 0 && target < (float)width))
				continue;
			for (size_t at = first; at < first + width; at++)
				dx[at] += share * softmax[at];
			dx[first + (size_t)target] -= share;
		}
		dx += node->scratch;
		softmax += node->scratch;
		targets += count;
	}
}

const struct ym_operator ym_loss_operators[] = {
	{"mse", "", 2, 2, pair_shape, mse_forward, mse_backward, NULL, 0},
	{"smooth_l1", "beta", 2, 2, smooth_l1_shape, smooth_l1_forward, smooth_l1_backward,
     NULL, 0},
	{"bce_logits", "", 2, 2, pair_shape, bce_logits_forward, bce_logits_backward, NULL,
     0},
	{"head_cross_entropy", "widths weights", 2, 2, heads_shape, heads_forward,
     heads_backward, NULL, 0},
	{0},
};

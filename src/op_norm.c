/*
** Normalising: to mean 0 and variance 1. Scale and shift are mul and add, outside.
**   layer_norm (x) {epsilon}   along the last axis (Ba et al. 2016)
**   batch_norm (x, mean, variance) {epsilon, momentum}   each channel (the last axis)
**     over the minibatch and all other axes (Ioffe and Szegedy 2015). mean and variance
**     (channels) are states: each step of training moves them by momentum towards the
**     minibatch's, and runs without training use them
** epsilon (1e-5) is added to the variance.
*/
#include <math.h>

#include "op.h"

static enum ym_status read_epsilon(const struct ym_node *node, struct ym_error *error) {
	double epsilon = ym_node_number(node, "epsilon", 1e-5);
	if (!(epsilon > 0 && epsilon <= 1))
		return ym_fail(error, YM_ARGUMENT,
		               "option 'epsilon' is %g, expected 0 < epsilon <= 1", epsilon);
	return YM_OK;
}

static enum ym_status layer_norm_shape(const struct ym_node *nodes,
                                       struct ym_node *node, struct ym_error *error) {
	enum ym_status status = ym_shape_lines(nodes, node, error);
	if (status != YM_OK)
		return status;
	node->scratch = ym_node_input(nodes, node, 0)->row / node->shape[node->rank - 1];
	return read_epsilon(node, error);
}

/* y = (x - mean) scale, line by line; scale = 1 / deviation is kept for backward. */
static void layer_norm_forward(const struct ym_job *job, const struct ym_node *node) {
	const float *x = ym_input_value(job, node, 0);
	float *y = ym_job_value(job, node), *scale = ym_job_scratch(job, node);
	size_t n = node->shape[node->rank - 1], lines = ym_job_count(job, node) / n;
	double epsilon = ym_node_number(node, "epsilon", 1e-5);
	for (size_t line = 0; line < lines; line++, x += n, y += n) {
		double sum = 0, squares = 0, mean;
		for (size_t at = 0; at < n; at++)
			sum += (double)x[at];
		mean = sum / (double)n;
		for (size_t at = 0; at < n; at++)
			squares += ((double)x[at] - mean) * ((double)x[at] - mean);
		scale[line] = (float)(1 / sqrt(squares / (double)n + epsilon));
		for (size_t at = 0; at < n; at++)
			y[at] = (x[at] - (float)mean) * scale[line];
	}
}

/* dx = scale (dy - mean(dy) - y mean(y dy)) */
static void layer_norm_backward(const struct ym_job *job, const struct ym_node *node) {
	const float *y = ym_job_value(job, node), *dy = ym_job_gradient(job, node);
	const float *scale = ym_job_scratch(job, node);
	float *dx = ym_input_gradient(job, node, 0);
	size_t n = node->shape[node->rank - 1], lines = ym_job_count(job, node) / n;
	for (size_t line = 0; line < lines; line++, y += n, dy += n, dx += n) {
		double sum = 0, product = 0;
		float mean, along;
		for (size_t at = 0; at < n; at++) {
			sum += (double)dy[at];
			product += (double)y[at] * (double)dy[at];
		}
		mean = (float)(sum / (double)n);
		along = (float)(product / (double)n);
		for (size_t at = 0; at < n; at++)
			dx[at] += scale[line] * (dy[at] - mean - y[at] * along);
	}
}

/* Of a minibatch, each a number a channel: mean and variance; means of dy and y dy. */
enum { MEAN, VARIANCE, SLOPE, ALONG, NUMBERS };

static double *channel_numbers(const struct ym_node *node, int which) {
	double *numbers = node->plan;
	return numbers + (size_t)which * node->shape[node->rank - 1];
}

/* How many numbers a channel has in the job: lines of all channels side by side. */
static size_t channel_lines(const struct ym_job *job, const struct ym_node *node) {
	return job->rows * (node->row / node->shape[node->rank - 1]);
}

/* Means over all rows of the minibatch, in order, of x and of x y. */
static void mean_channels(const struct ym_job *job, const struct ym_node *node,
                          size_t first, size_t count, const float *x, const float *y,
                          double *mean, double *product) {
	size_t channels = node->shape[node->rank - 1], lines = channel_lines(job, node);
	for (size_t at = first; at < first + count; at++)
		mean[at] = product[at] = 0;
	for (size_t line = 0; line < lines; line++, x += channels, y += channels)
		for (size_t at = first; at < first + count; at++) {
			mean[at] += (double)x[at];
			product[at] += (double)x[at] * (double)y[at];
		}
	for (size_t at = first; at < first + count; at++) {
		mean[at] /= (double)lines;
		product[at] /= (double)lines;
	}
}

/* Sums are double, so that mean square less squared mean keeps its digits. */
static void batch_norm_measure(const struct ym_job *job, const struct ym_node *node,
                               size_t first, size_t count) {
	const float *x = ym_input_value(job, node, 0);
	double *mean = channel_numbers(node, MEAN);
	double *variance = channel_numbers(node, VARIANCE);
	mean_channels(job, node, first, count, x, x, mean, variance);
	for (size_t at = first; at < first + count; at++)
		variance[at] = fmax(variance[at] - mean[at] * mean[at], 0);
}

static void batch_norm_slopes(const struct ym_job *job, const struct ym_node *node,
                              size_t first, size_t count) {
	mean_channels(job, node, first, count, ym_job_gradient(job, node),
	              ym_job_value(job, node), channel_numbers(node, SLOPE),
	              channel_numbers(node, ALONG));
}

/* The states move towards the minibatch; the variance is unbiased, as in PyTorch. */
static void batch_norm_learn(const struct ym_job *job, const struct ym_node *node) {
	double lines = (double)channel_lines(job, node);
	double momentum = ym_node_number(node, "momentum", 0.1);
	double unbias = lines > 1 ? lines / (lines - 1) : 1;
	for (size_t at = 0; at < node->shape[node->rank - 1]; at++) {
		float *mean = ym_node_input(job->nodes, node, 1)->value + at;
		float *variance = ym_node_input(job->nodes, node, 2)->value + at;
		double spread = channel_numbers(node, VARIANCE)[at] * unbias;
		double change = channel_numbers(node, MEAN)[at] - (double)*mean;
		*mean += (float)(momentum * change);
		*variance += (float)(momentum * (spread - (double)*variance));
	}
}

static const struct ym_whole batch_norm_whole = {batch_norm_measure, batch_norm_slopes,
                                                 batch_norm_learn};

/* (batch, ..., channels) (channels) (channels) -> the first */
static enum ym_status batch_norm_shape(const struct ym_node *nodes,
                                       struct ym_node *node, struct ym_error *error) {
	const struct ym_node *x = ym_node_input(nodes, node, 0);
	double momentum = ym_node_number(node, "momentum", 0.1);
	size_t channels;
	char text[96];
	ym_shape_same(nodes, node, error);
	if (!x->batched || x->rank < 2)
		return ym_fail(error, YM_ARGUMENT,
		               "shape is %s, expected (batch, ..., channels)",
		               ym_node_describe(x, text));
	channels = x->shape[x->rank - 1];
	for (int input = 1; input < 3; input++) {
		const struct ym_node *state = ym_node_input(nodes, node, input);
		if (!ym_node_is_leaf(state, "state") || state->rank != 1 ||
		    state->shape[0] != channels)
			return ym_fail(error, YM_ARGUMENT,
			               "input %d is %s %s, expected state (%zu)", input + 1,
			               state->kind->name, ym_node_describe(state, text), channels);
	}
	if (!(momentum >= 0 && momentum <= 1))
		return ym_fail(error, YM_ARGUMENT, "option 'momentum' is %g, expected 0..1",
		               momentum);
	node->whole = &batch_norm_whole;
	if (ym_node_plan(node, channels * NUMBERS * sizeof(double), error) == NULL)
		return YM_MEMORY;
	return read_epsilon(node, error);
}

/* Channels are gone through in blocks of this many. */
enum { BLOCK = 64 };

/* What x is multiplied by after its mean is taken off, of `count` channels: of the
** minibatch in training, else of the states. */
static void read_block(const struct ym_job *job, const struct ym_node *node,
                       size_t first, size_t count, float *mean, float *scale) {
	double epsilon = ym_node_number(node, "epsilon", 1e-5);
	for (size_t at = first; at < first + count; at++, mean++, scale++) {
		double variance = job->training ? channel_numbers(node, VARIANCE)[at]
		                                : (double)ym_input_value(job, node, 2)[at];
		*mean = job->training ? (float)channel_numbers(node, MEAN)[at]
		                      : ym_input_value(job, node, 1)[at];
		*scale = (float)(1 / sqrt(variance + epsilon));
	}
}

/* y = (x - mean) / deviation */
static void batch_norm_forward(const struct ym_job *job, const struct ym_node *node) {
	size_t channels = node->shape[node->rank - 1], lines = channel_lines(job, node);
	for (size_t first = 0; first < channels; first += BLOCK) {
		const float *x = ym_input_value(job, node, 0) + first;
		float *y = ym_job_value(job, node) + first, mean[BLOCK], scale[BLOCK];
		size_t count = channels - first < BLOCK ? channels - first : BLOCK;
		read_block(job, node, first, count, mean, scale);
		for (size_t line = 0; line < lines; line++, x += channels, y += channels)
			for (size_t at = 0; at < count; at++)
				y[at] = (x[at] - mean[at]) * scale[at];
	}
}

/* dx = (dy - mean(dy) - y mean(y dy)) / deviation */
static void batch_norm_backward(const struct ym_job *job, const struct ym_node *node) {
	size_t channels = node->shape[node->rank - 1], lines = channel_lines(job, node);
	for (size_t first = 0; first < channels; first += BLOCK) {
		const float *y = ym_job_value(job, node) + first;
		const float *dy = ym_job_gradient(job, node) + first;
		float *dx = ym_input_gradient(job, node, 0) + first;
		float mean[BLOCK], scale[BLOCK], slope[BLOCK], along[BLOCK];
		size_t count = channels - first < BLOCK ? channels - first : BLOCK;
		read_block(job, node, first, count, mean, scale);
		for (size_t at = 0; at < count; at++) {
			slope[at] = (float)channel_numbers(node, SLOPE)[first + at];
			along[at] = (float)channel_numbers(node, ALONG)[first + at];
		}
		for (size_t line = 0; line < lines; line++) {
			for (size_t at = 0; at < count; at++)
				dx[at] += scale[at] * (dy[at] - slope[at] - y[at] * along[at]);
			y += channels;
			dy += channels;
			dx += channels;
		}
	}
}

const struct ym_operator ym_norm_operators[] = {
	{"layer_norm", "epsilon", 1, 1, layer_norm_shape, layer_norm_forward,
     layer_norm_backward, NULL, 0},
	{"batch_norm", "epsilon momentum", 3, 3, batch_norm_shape, batch_norm_forward,
     batch_norm_backward, NULL, 0},
	{0},
};

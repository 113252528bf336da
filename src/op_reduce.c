/*
** Along an axis: sum, mean and max {axis, keep}, over all of a row where axis is
** missing; softmax and log_softmax along the last axis.
*/
#include <math.h>

#include "element.h"
#include "elementary.h"
#include "op.h"

/* Drops the axis, or with keep leaves it with size 1; without an axis drops all but the
** batch. */
static enum ym_status reduce_shape(const struct ym_node *nodes, struct ym_node *node,
                                   struct ym_error *error) {
	const struct ym_node *input = ym_node_input(nodes, node, 0);
	struct ym_walk *walk = ym_node_plan(node, sizeof *walk, error);
	bool keep = ym_node_number(node, "keep", 0) != 0;
	size_t axis;
	enum ym_status status;
	if (walk == NULL)
		return YM_MEMORY;
	ym_shape_same(nodes, node, error);
	if (ym_node_attribute(node, "axis") == NULL) {
		*walk = (struct ym_walk){.outer = 1, .size = input->row, .inner = 1};
		for (int at = 0; at < node->rank; at++)
			node->shape[at] = 1;
		if (!keep)
			node->rank = node->batched ? 1 : 0;
		return YM_OK;
	}
	status = ym_node_axis(node, input, &axis, error);
	if (status != YM_OK)
		return status;
	*walk = ym_node_walk(input, axis);
	node->shape[axis] = 1;
	if (keep)
		return YM_OK;
	for (size_t at = axis; at + 1 < (size_t)node->rank; at++)
		node->shape[at] = node->shape[at + 1];
	node->rank--;
	return YM_OK;
}

/* y (outer, inner) = factor times the sum over the middle of x (outer, size, inner) */
static void reduce_forward(const struct ym_job *job, const struct ym_node *node,
                           double factor) {
	const struct ym_walk *walk = node->plan;
	const float *x = ym_input_value(job, node, 0);
	float *y = ym_job_value(job, node);
	size_t outer = walk->outer * ym_job_rows(job, node);
	for (size_t line = 0; line < outer; line++, x += walk->size * walk->inner)
		for (size_t at = 0; at < walk->inner; at++) {
			double sum = 0;
			for (size_t step = 0; step < walk->size; step++)
				sum += (double)x[step * walk->inner + at];
			*y++ = (float)(sum * factor);
		}
}

/* dx (outer, size, inner) += factor times dy (outer, inner), for each of size */
static void reduce_backward(const struct ym_job *job, const struct ym_node *node,
                            double factor) {
	const struct ym_walk *walk = node->plan;
	const float *dy = ym_job_gradient(job, node);
	float *dx = ym_input_gradient(job, node, 0);
	size_t outer = walk->outer * ym_job_rows(job, node);
	for (size_t line = 0; line < outer; line++, dy += walk->inner)
		for (size_t step = 0; step < walk->size; step++)
			for (size_t at = 0; at < walk->inner; at++)
				*dx++ += dy[at] * (float)factor;
}

static void sum_forward(const struct ym_job *job, const struct ym_node *node) {
	reduce_forward(job, node, 1);
}

static void sum_backward(const struct ym_job *job, const struct ym_node *node) {
	reduce_backward(job, node, 1);
}

static double one_over_size(const struct ym_node *node) {
	const struct ym_walk *walk = node->plan;
	return 1 / (double)walk->size;
}

static void mean_forward(const struct ym_job *job, const struct ym_node *node) {
	reduce_forward(job, node, one_over_size(node));
}

static void mean_backward(const struct ym_job *job, const struct ym_node *node) {
	reduce_backward(job, node, one_over_size(node));
}

/* The largest of each `size`; what is not a number counts as largest. */
static void max_forward(const struct ym_job *job, const struct ym_node *node) {
	const struct ym_walk *walk = node->plan;
	const float *x = ym_input_value(job, node, 0);
	float *y = ym_job_value(job, node);
	size_t outer = walk->outer * ym_job_rows(job, node);
	for (size_t line = 0; line < outer; line++, x += walk->size * walk->inner)
		for (size_t at = 0; at < walk->inner; at++) {
			float top = x[at];
			for (size_t step = 1; step < walk->size; step++) {
				float other = x[step * walk->inner + at];
				top = other > top || isnan(other) ? other : top;
			}
			*y++ = top;
		}
}

/* All of dy goes to the first that is as large. */
static void max_backward(const struct ym_job *job, const struct ym_node *node) {
	const struct ym_walk *walk = node->plan;
	const float *x = ym_input_value(job, node, 0), *y = ym_job_value(job, node);
	const float *dy = ym_job_gradient(job, node);
	float *dx = ym_input_gradient(job, node, 0);
	size_t outer = walk->outer * ym_job_rows(job, node);
	for (size_t line = 0; line < outer; line++) {
		for (size_t at = 0; at < walk->inner; at++, y++, dy++) {
			size_t step = at, end = walk->size * walk->inner;
			while (step < end && x[step] != *y)
				step += walk->inner;
			if (step < end)
				dx[step] += *dy;
		}
		x += walk->size * walk->inner;
		dx += walk->size * walk->inner;
	}
}

static size_t last_axis(const struct ym_node *node) {
	return node->shape[node->rank - 1];
}

static void log_softmax_forward(const struct ym_job *job, const struct ym_node *node) {
	const float *x = ym_input_value(job, node, 0);
	float *y = ym_job_value(job, node), top;
	size_t n = last_axis(node), count = ym_job_count(job, node);
	for (size_t line = 0; line < count; line += n) {
		double base = log(
			ym_element_at(job->level)->exp_sum(n, x + line, y + line, &top));
		base += (double)top;
		for (size_t at = line; at < line + n; at++)
			y[at] = (float)((double)x[at] - base);
	}
}

/* dx = dy - e^y sum(dy) */
static void log_softmax_backward(const struct ym_job *job, const struct ym_node *node) {
	const float *y = ym_job_value(job, node), *dy = ym_job_gradient(job, node);
	float *dx = ym_input_gradient(job, node, 0);
	size_t n = last_axis(node), count = ym_job_count(job, node);
	for (size_t line = 0; line < count; line += n) {
		double sum = 0;
		for (size_t at = line; at < line + n; at++)
			sum += (double)dy[at];
		for (size_t at = line; at < line + n; at++)
			dx[at] += dy[at] - ym_exp(y[at]) * (float)sum;
	}
}

static void softmax_forward(const struct ym_job *job, const struct ym_node *node) {
	const float *x = ym_input_value(job, node, 0);
	float *y = ym_job_value(job, node), top;
	size_t n = last_axis(node), count = ym_job_count(job, node);
	for (size_t line = 0; line < count; line += n) {
		double sum = ym_element_at(job->level)->exp_sum(n, x + line, y + line, &top);
		float scale = (float)(1 / sum);
		for (size_t at = line; at < line + n; at++)
			y[at] *= scale;
	}
}

/* dx = y (dy - sum(y dy)) */
static void softmax_backward(const struct ym_job *job, const struct ym_node *node) {
	const float *y = ym_job_value(job, node), *dy = ym_job_gradient(job, node);
	float *dx = ym_input_gradient(job, node, 0);
	size_t n = last_axis(node), count = ym_job_count(job, node);
	for (size_t line = 0; line < count; line += n) {
		double sum = 0;
		for (size_t at = line; at < line + n; at++)
			sum += (double)y[at] * (double)dy[at];
		for (size_t at = line; at < line + n; at++)
			dx[at] += y[at] * (dy[at] - (float)sum);
	}
}

const struct ym_operator ym_reduce_operators[] = {
	{"sum", "axis keep", 1, 1, reduce_shape, sum_forward, sum_backward, NULL, 0},
	{"mean", "axis keep", 1, 1, reduce_shape, mean_forward, mean_backward, NULL, 0},
	{"max", "axis keep", 1, 1, reduce_shape, max_forward, max_backward, NULL, 0},
	{"softmax", "", 1, 1, ym_shape_lines, softmax_forward, softmax_backward, NULL, 0},
	{"log_softmax", "", 1, 1, ym_shape_lines, log_softmax_forward, log_softmax_backward,
     NULL, 0},
	{0},
};

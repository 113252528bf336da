/*
** lstm (x, w) {reverse}: long short-term memory (Hochreiter and Schmidhuber 1997; with
** forget gates, Gers et al. 2000) along axis 2 of x, from a state of zeros; reverse:
** from the last step to the first.
**   x (batch, steps, 4 hidden)   what the input adds to the gates: its product with the
**     input weights, and the biases. One product does all steps, so it is a node before
**   w (hidden, 4 hidden)   recurrent weights
** Gates lie in PyTorch's order: input, forget, cell, output.
*/
#include <string.h>

#include "blas.h"
#include "element.h"
#include "op.h"
#include "product.h"

/* What is kept of one row, all steps one after another: the gates' values (backward
** turns them into their gradients), cells, and tanh of the cells; then zeros, the cells
** before the first step; then the gradients that one step hands to the step before. */
struct trace {
	size_t steps, hidden, size; /* size: floats a row */
	float *gates, *cells, *squashed, *zeros, *hidden_slope, *cell_slope;
};

static struct trace find_trace(const struct ym_job *job, const struct ym_node *node) {
	size_t steps = node->shape[1], hidden = node->shape[2];
	struct trace trace = {.steps = steps, .hidden = hidden, .size = node->scratch};
	trace.gates = ym_job_scratch(job, node);
	trace.cells = trace.gates + steps * 4 * hidden;
	trace.squashed = trace.cells + steps * hidden;
	trace.zeros = trace.squashed + steps * hidden;
	trace.hidden_slope = trace.zeros + hidden;
	trace.cell_slope = trace.hidden_slope + hidden;
	return trace;
}

/* (batch, steps, 4 hidden) (hidden, 4 hidden) -> (batch, steps, hidden) */
static enum ym_status lstm_shape(const struct ym_node *nodes, struct ym_node *node,
                                 struct ym_error *error) {
	const struct ym_node *x = ym_node_input(nodes, node, 0);
	const struct ym_node *w = ym_node_input(nodes, node, 1);
	char text[2][96];
	if (!x->batched || x->rank != 3 || w->batched || w->rank != 2 ||
	    w->shape[1] != x->shape[2] || w->shape[1] != 4 * w->shape[0])
		return ym_fail(error, YM_ARGUMENT,
		               "shapes %s and %s do not go together: expected "
		               "(batch, steps, 4 hidden) and (hidden, 4 hidden)",
		               ym_node_describe(x, text[0]), ym_node_describe(w, text[1]));
	ym_shape_same(nodes, node, error);
	node->shape[2] = w->shape[0];
	node->scratch = (x->shape[1] * 6 + 3) * w->shape[0];
	node->prepare = ym_turn_weights;
	node->prepared = w->row;
	return YM_OK;
}

/* c (rows, columns) = a (rows, inner) b (inner, columns), or added to what is there,
** for the rows of the job, which lie apart in a and c. They are too few for BLAS to be
** worth its rearranging b. */
static void multiply_rows(const struct ym_job *job, size_t columns, size_t inner,
                          const float *a, size_t a_row, const float *b, float *c,
                          size_t c_row, bool added) {
	const struct ym_matrices matrices = {.rows = job->rows,
	                                     .columns = columns,
	                                     .inner = inner,
	                                     .a = a,
	                                     .a_row = a_row,
	                                     .a_inner = 1,
	                                     .b = b,
	                                     .b_inner = columns,
	                                     .c = c,
	                                     .c_row = c_row,
	                                     .added = added};
	ym_product_run(ym_product_at(job->level), &matrices);
}

/* The step that comes at place `at`, counted from 0. */
static size_t step_at(const struct ym_node *node, size_t at) {
	bool reverse = ym_node_number(node, "reverse", 0) != 0;
	return reverse ? node->shape[1] - 1 - at : at;
}

/* Step by step: gates = x + y of the step before times w, one product for all rows. */
static void lstm_forward(const struct ym_job *job, const struct ym_node *node) {
	struct trace trace = find_trace(job, node);
	size_t hidden = trace.hidden, wide = 4 * hidden;
	const float *x = ym_input_value(job, node, 0);
	float *y = ym_job_value(job, node);
	const float *w = ym_input_value(job, node, 1);
	const struct ym_element *element = ym_element_at(job->level);
	for (size_t row = 0; row < job->rows; row++) {
		memcpy(trace.gates + row * trace.size, x + row * trace.steps * wide,
		       trace.steps * wide * sizeof *x);
		memset(trace.zeros + row * trace.size, 0, hidden * sizeof *x);
	}
	for (size_t at = 0; at < trace.steps; at++) {
		size_t step = step_at(node, at), last = at > 0 ? step_at(node, at - 1) : 0;
		const float *before = at > 0 ? trace.cells + last * hidden : trace.zeros;
		float *gates = trace.gates + step * wide;
		if (at > 0)
			multiply_rows(job, wide, hidden, y + last * hidden, node->row, w, gates,
			              trace.size, true);
		for (size_t row = 0; row < job->rows; row++) {
			size_t skip = row * trace.size;
			element->lstm(hidden, gates + skip, before + skip,
			              trace.cells + skip + step * hidden,
			              trace.squashed + skip + step * hidden,
			              y + row * node->row + step * hidden);
		}
	}
}

/* One row of one step back: gates become their gradients before the functions. slope
** and cell_slope come from the step after (0 at the last), and cell_slope goes on to
** the step before. */
static void step_backward(size_t hidden, float *restrict gates,
                          const float *restrict before, const float *restrict squashed,
                          const float *restrict dy, const float *restrict slope,
                          float *restrict cell_slope) {
	for (size_t at = 0; at < hidden; at++) {
		float in = gates[at], forget = gates[hidden + at];
		float cell = gates[2 * hidden + at], out = gates[3 * hidden + at];
		float dh = dy[at] + slope[at];
		float dc = cell_slope[at] + dh * out * (1 - squashed[at] * squashed[at]);
		gates[at] = dc * cell * in * (1 - in);
		gates[hidden + at] = dc * before[at] * forget * (1 - forget);
		gates[2 * hidden + at] = dc * in * (1 - cell * cell);
		gates[3 * hidden + at] = dh * squashed[at] * out * (1 - out);
		cell_slope[at] = dc * forget;
	}
}

static void lstm_backward(const struct ym_job *job, const struct ym_node *node) {
	struct trace trace = find_trace(job, node);
	size_t hidden = trace.hidden, wide = 4 * hidden;
	const float *dy = ym_job_gradient(job, node);
	float *dx = ym_input_gradient(job, node, 0);
	for (size_t row = 0; row < job->rows; row++)
		memset(trace.hidden_slope + row * trace.size, 0,
		       2 * hidden * sizeof *trace.hidden_slope);
	for (size_t at = trace.steps; at-- > 0;) {
		size_t step = step_at(node, at), last = at > 0 ? step_at(node, at - 1) : 0;
		const float *before = at > 0 ? trace.cells + last * hidden : trace.zeros;
		float *gates = trace.gates + step * wide;
		for (size_t row = 0; row < job->rows; row++) {
			size_t skip = row * trace.size;
			step_backward(hidden, gates + skip, before + skip,
			              trace.squashed + skip + step * hidden,
			              dy + row * node->row + step * hidden,
			              trace.hidden_slope + skip, trace.cell_slope + skip);
		}
		if (at > 0)
			multiply_rows(job, hidden, wide, gates, trace.size, node->prepared_memory,
			              trace.hidden_slope, trace.size, false);
	}
	for (size_t row = 0; dx != NULL && row < job->rows; row++)
		for (size_t at = 0; at < trace.steps * wide; at++)
			*dx++ += trace.gates[row * trace.size + at];
}

/* dw (count of hidden, 4 hidden) += for every step but the first, y of the step before
** times the gates' gradients. */
static void lstm_backward_shared(const struct ym_job *job, const struct ym_node *node,
                                 int input, size_t first, size_t count,
                                 float *gradient) {
	struct trace trace = find_trace(job, node);
	size_t hidden = trace.hidden, wide = 4 * hidden;
	bool reverse = step_at(node, 0) > 0;
	const float *y = ym_job_value(job, node) + first + (reverse ? hidden : 0);
	const float *gates = trace.gates + (reverse ? 0 : wide);
	(void)input;
	for (size_t row = 0; trace.steps > 1 && row < job->rows; row++) {
		struct ym_matrix before = {y + row * node->row, hidden, true};
		struct ym_matrix slopes = {gates + row * trace.size, wide, false};
		ym_multiply(count, wide, trace.steps - 1, before, slopes, 1, gradient, wide);
	}
}

const struct ym_operator ym_recurrent_operators[] = {
	{"lstm", "reverse", 2, 2, lstm_shape, lstm_forward, lstm_backward,
     lstm_backward_shared, 1},
	{0},
};

/*
** Products of matrices.
**   linear (x, w, b)   x (batch, ..., in) times w (in, out), plus b (out) if given;
**     option activation, "relu"
**   matmul (a, b)   matrices in the last two axes, option transpose_a, transpose_b;
**     the axes before are alike, or one operand is a single matrix that is not batched
*/
#include <string.h>

#include "blas.h"
#include "op.h"
#include "product.h"

/* In place: nobody else reads the gradient of a node whose backward has begun. */
void ym_relu_gradient(const struct ym_job *job, const struct ym_node *node) {
	const float *restrict y = ym_job_value(job, node);
	float *restrict dy = ym_job_gradient(job, node);
	size_t count = node->relu ? ym_job_count(job, node) : 0;
	for (size_t at = 0; at < count; at++)
		dy[at] = y[at] > 0 ? dy[at] : 0;
}

/* In strips, so that each line is read as a whole. */
void ym_sum_columns(size_t lines, size_t width, const float *values, size_t count,
                    float *sums) {
	enum { STRIP = 64 };
	for (size_t start = 0; start < count; start += STRIP) {
		size_t strip = count - start < STRIP ? count - start : STRIP;
		double sum[STRIP] = {0};
		for (size_t line = 0; line < lines; line++)
			for (size_t at = 0; at < strip; at++)
				sum[at] += (double)values[line * width + start + at];
		for (size_t at = 0; at < strip; at++)
			sums[start + at] += (float)sum[at];
	}
}

void ym_turn_weights(const struct ym_job *job, const struct ym_node *node) {
	const struct ym_product *product = ym_product_at(job->level);
	const struct ym_node *w = ym_node_input(job->nodes, node, 1);
	size_t in = w->shape[w->rank - 2], out = w->shape[w->rank - 1];
	for (size_t at = 0; at < w->row; at += in * out)
		product->transpose(in, out, w->value + at, out, node->prepared_memory + at, in);
}

/* (batch, ..., in) (in, out) (out) -> (batch, ..., out) */
static enum ym_status linear_shape(const struct ym_node *nodes, struct ym_node *node,
                                   struct ym_error *error) {
	const struct ym_node *x = ym_node_input(nodes, node, 0);
	const struct ym_node *w = ym_node_input(nodes, node, 1);
	const struct ym_node *b = node->input_count > 2 ? ym_node_input(nodes, node, 2)
	                                                : NULL;
	char text[2][96];
	if (!x->batched || x->rank < 2 || w->batched || w->rank != 2 ||
	    w->shape[0] != x->shape[x->rank - 1])
		return ym_fail(error, YM_ARGUMENT,
		               "shapes %s and %s do not go together: expected (batch, ..., in) "
		               "and (in, out)",
		               ym_node_describe(x, text[0]), ym_node_describe(w, text[1]));
	if (b != NULL && (b->batched || b->rank != 1 || b->shape[0] != w->shape[1]))
		return ym_fail(error, YM_ARGUMENT, "the bias is %s, expected (%zu)",
		               ym_node_describe(b, text[0]), w->shape[1]);
	ym_shape_same(nodes, node, error);
	node->shape[node->rank - 1] = w->shape[1];
	node->sliced = x->row * w->shape[1] >= YM_SLICED;
	if (x->wants_gradient) {
		node->prepare = ym_turn_weights;
		node->prepared = w->row;
	}
	return ym_node_relu(node, &node->relu, error);
}

/* Sizes of a linear node for a job: lines of x, and what each maps to. */
struct linear {
	size_t lines, in, out;
};

/* A job for all rows (shared gradients) has as many lines as the minibatch. */
static struct linear linear_size(const struct ym_job *job, const struct ym_node *node) {
	const struct ym_node *w = ym_node_input(job->nodes, node, 1);
	struct linear size = {.in = w->shape[0], .out = w->shape[1]};
	size.lines = job->rows * (node->row / size.out);
	return size;
}

/* y (lines, out) = x (lines, in) w (in, out) + b; of a slice of the columns. */
static void linear_forward(const struct ym_job *job, const struct ym_node *node) {
	struct linear size = linear_size(job, node);
	size_t first = size.out * job->slice / job->slices;
	struct ym_matrices product = {
		.rows = size.lines,
		.columns = size.out * (job->slice + 1) / job->slices - first,
		.inner = size.in,
		.a = ym_input_value(job, node, 0),
		.a_row = size.in,
		.a_inner = 1,
		.b = ym_input_value(job, node, 1) + first,
		.b_inner = size.out,
		.c = ym_job_value(job, node) + first,
		.c_row = size.out,
		.relu = node->relu,
	};
	if (node->input_count > 2)
		product.bias = ym_input_value(job, node, 2) + first;
	ym_product_run(ym_product_at(job->level), &product);
}

/* dx (lines, in) += dy (lines, out) w' (out, in). The weights' share comes later, from
** all rows at once: summing it over parts would cost more than computing it. */
static void linear_backward(const struct ym_job *job, const struct ym_node *node) {
	struct linear size = linear_size(job, node);
	const struct ym_matrices product = {
		.rows = size.lines,
		.columns = size.in,
		.inner = size.out,
		.a = ym_job_gradient(job, node),
		.a_row = size.out,
		.a_inner = 1,
		.b = node->prepared_memory,
		.b_inner = size.in,
		.c = ym_input_gradient(job, node, 0),
		.c_row = size.in,
		.added = true,
	};
	ym_relu_gradient(job, node);
	if (product.c != NULL)
		ym_product_run(ym_product_at(job->level), &product);
}

/* dw (count lines of in, out) += x' dy, or db (count) += sum of dy over the lines. Some
** terms are taken at a time, so that they stay in the cache. */
static void linear_backward_shared(const struct ym_job *job, const struct ym_node *node,
                                   int input, size_t first, size_t count,
                                   float *gradient) {
	enum { TERMS = 256 };
	struct linear size = linear_size(job, node);
	const float *dy = ym_job_gradient(job, node);
	struct ym_matrices product = {
		.rows = count,
		.columns = size.out,
		.a_row = 1,
		.a_inner = size.in,
		.b_inner = size.out,
		.c = gradient,
		.c_row = size.out,
		.added = true,
	};
	if (input == 2)
		ym_sum_columns(size.lines, size.out, dy + first, count, gradient);
	for (size_t at = 0; input == 1 && at < size.lines; at += TERMS) {
		product.inner = size.lines - at < TERMS ? size.lines - at : TERMS;
		product.a = ym_input_value(job, node, 0) + first + at * size.in;
		product.b = dy + at * size.out;
		ym_product_run(ym_product_at(job->level), &product);
	}
}

/* Of one operand: rows and columns as used, and how far apart its matrices are. */
struct product {
	size_t rows, inner, columns, matrices; /* matrices: in a row of the result */
	size_t step[2];
	bool transposed[2];
};

/* (..., m, k) (..., k, n) -> (..., m, n) */
static enum ym_status matmul_shape(const struct ym_node *nodes, struct ym_node *node,
                                   struct ym_error *error) {
	const struct ym_node *side[2] = {ym_node_input(nodes, node, 0),
	                                 ym_node_input(nodes, node, 1)};
	const struct ym_node *longer = side[0]->rank >= side[1]->rank ? side[0] : side[1];
	struct product *plan = ym_node_plan(node, sizeof *plan, error);
	size_t size[2][2]; /* rows and columns as used */
	bool fits = true;
	char text[2][96];
	if (plan == NULL)
		return YM_MEMORY;
	plan->transposed[0] = ym_node_number(node, "transpose_a", 0) != 0;
	plan->transposed[1] = ym_node_number(node, "transpose_b", 0) != 0;
	for (int which = 0; which < 2; which++) {
		const struct ym_node *a = side[which];
		bool alone = a->rank == 2 && !a->batched;
		fits = fits && a->rank >= (a->batched ? 3 : 2) &&
		       (alone || (a->rank == longer->rank && a->batched == longer->batched));
		for (int axis = 0; fits && !alone && axis < a->rank - 2; axis++)
			fits = a->shape[axis] == longer->shape[axis];
		for (int axis = 0; fits && axis < 2; axis++)
			size[which][plan->transposed[which] ? 1 - axis : axis] =
				a->shape[a->rank - 2 + axis];
		plan->step[which] = alone || !fits ? 0 : size[which][0] * size[which][1];
	}
	if (!fits || size[0][1] != size[1][0])
		return ym_fail(error, YM_ARGUMENT, "shapes %s and %s do not go together",
		               ym_node_describe(side[0], text[0]),
		               ym_node_describe(side[1], text[1]));
	node->batched = longer->batched;
	node->rank = longer->rank;
	memcpy(node->shape, longer->shape, sizeof node->shape);
	node->shape[node->rank - 2] = plan->rows = size[0][0];
	node->shape[node->rank - 1] = plan->columns = size[1][1];
	plan->inner = size[0][1];
	plan->matrices = 1;
	for (int axis = 0; axis < node->rank - 2; axis++)
		plan->matrices *= node->shape[axis];
	return YM_OK;
}

/* Matrix number `which` of an operand; turned: as its transpose. */
static struct ym_matrix operand(const struct product *plan, const float *data, int side,
                                size_t which, bool turned) {
	size_t columns = side == 0 ? plan->inner : plan->columns;
	size_t rows = side == 0 ? plan->rows : plan->inner;
	return (struct ym_matrix){
		.data = data + which * plan->step[side],
		.stride = plan->transposed[side] ? rows : columns,
		.transposed = plan->transposed[side] != turned,
	};
}

/* One product a matrix: in a row of the minibatch there may be several (heads). */
static void matmul_forward(const struct ym_job *job, const struct ym_node *node) {
	const struct product *plan = node->plan;
	const float *a = ym_input_value(job, node, 0), *b = ym_input_value(job, node, 1);
	float *y = ym_job_value(job, node);
	size_t size = plan->rows * plan->columns;
	size_t count = plan->matrices * ym_job_rows(job, node);
	for (size_t which = 0; which < count; which++)
		ym_multiply(
			plan->rows, plan->columns, plan->inner, operand(plan, a, 0, which, false),
			operand(plan, b, 1, which, false), 0, y + which * size, plan->columns);
}

/* With y = a b: da = dy b', db = a' dy; of an operand stored transposed, the transpose
** of that. */
static void matmul_backward(const struct ym_job *job, const struct ym_node *node) {
	const struct product *plan = node->plan;
	const float *a = ym_input_value(job, node, 0), *b = ym_input_value(job, node, 1);
	const float *dy = ym_job_gradient(job, node);
	float *da = ym_input_gradient(job, node, 0), *db = ym_input_gradient(job, node, 1);
	size_t size = plan->rows * plan->columns;
	size_t count = plan->matrices * ym_job_rows(job, node);
	for (size_t which = 0; which < count; which++) {
		struct ym_matrix above = {dy + which * size, plan->columns, false};
		struct ym_matrix turned = {dy + which * size, plan->columns, true};
		if (da != NULL && !plan->transposed[0])
			ym_multiply(plan->rows, plan->inner, plan->columns, above,
			            operand(plan, b, 1, which, true), 1, da + which * plan->step[0],
			            plan->inner);
		else if (da != NULL)
			ym_multiply(plan->inner, plan->rows, plan->columns,
			            operand(plan, b, 1, which, false), turned, 1,
			            da + which * plan->step[0], plan->rows);
		if (db != NULL && !plan->transposed[1])
			ym_multiply(plan->inner, plan->columns, plan->rows,
			            operand(plan, a, 0, which, true), above, 1,
			            db + which * plan->step[1], plan->columns);
		else if (db != NULL)
			ym_multiply(plan->columns, plan->inner, plan->rows, turned,
			            operand(plan, a, 0, which, false), 1,
			            db + which * plan->step[1], plan->inner);
	}
}

const struct ym_operator ym_linear_operators[] = {
	{"linear", "activation", 2, 3, linear_shape, linear_forward, linear_backward,
     linear_backward_shared, 1},
	{"matmul", "transpose_a transpose_b", 2, 2, matmul_shape, matmul_forward,
     matmul_backward, NULL, 0},
	{0},
};

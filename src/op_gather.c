/*
** gather (table, indices): row indices[i], counted from 0, of a table that is not
** batched, for each of the batched indices: an embedding. Indices have no gradient.
*/
#include <math.h>
#include <string.h>

#include "op.h"

/* (count, ...) (batch, ...) -> (batch, axes of the indices, axes of a table row) */
static enum ym_status gather_shape(const struct ym_node *nodes, struct ym_node *node,
                                   struct ym_error *error) {
	const struct ym_node *table = ym_node_input(nodes, node, 0);
	const struct ym_node *indices = ym_node_input(nodes, node, 1);
	char text[2][96];
	if (table->batched || table->rank < 1 || !indices->batched ||
	    indices->rank + table->rank - 1 > YM_RANK)
		return ym_fail(error, YM_ARGUMENT,
		               "shapes are %s and %s, expected a table (count, ...) and "
		               "indices (batch, ...)",
		               ym_node_describe(table, text[0]),
		               ym_node_describe(indices, text[1]));
	node->batched = true;
	node->rank = indices->rank;
	memcpy(node->shape, indices->shape, sizeof node->shape);
	for (int axis = 1; axis < table->rank; axis++)
		node->shape[node->rank++] = table->shape[axis];
	return YM_OK;
}

static void gather_forward(const struct ym_job *job, const struct ym_node *node) {
	const struct ym_node *table = ym_node_input(job->nodes, node, 0);
	const struct ym_node *indices = ym_node_input(job->nodes, node, 1);
	size_t width = table->row / table->shape[0], count = ym_job_count(job, indices);
	const float *from = ym_job_value(job, table), *index = ym_job_value(job, indices);
	float *y = ym_job_value(job, node);
	for (size_t at = 0; at < count; at++, y += width) {
		float row = index[at];
		if (!(row >= 0 && row < (float)table->shape[0]) || row != floorf(row)) {
			ym_fail(job->error, YM_INPUT, "an index is %g, expected 0..%zu",
			        (double)row, table->shape[0] - 1);
			row = 0;
		}
		memcpy(y, from + (size_t)row * width, width * sizeof *y);
	}
}

/* Of lines first .. first + count - 1 of the table: the sum of dy over all places that
** show them, in the order of the places. */
static void gather_backward_shared(const struct ym_job *job, const struct ym_node *node,
                                   int input, size_t first, size_t count,
                                   float *gradient) {
	const struct ym_node *table = ym_node_input(job->nodes, node, 0);
	const struct ym_node *indices = ym_node_input(job->nodes, node, 1);
	size_t width = table->row / table->shape[0], places = ym_job_count(job, indices);
	size_t line = ym_node_line(table), least = first * line,
		   most = least + count * line;
	const float *index = ym_job_value(job, indices), *dy = ym_job_gradient(job, node);
	(void)input;
	for (size_t at = 0; at < places; at++, dy += width) {
		size_t start = (size_t)index[at] * width, end = start + width;
		size_t to = start > least ? start : least;
		for (end = end < most ? end : most; to < end; to++)
			gradient[to - least] += dy[to - start];
	}
}

const struct ym_operator ym_gather_operators[] = {
	{"gather", "", 2, 2, gather_shape, gather_forward, NULL, gather_backward_shared, 0},
	{0},
};

/*
** Leaves: what comes from outside the graph.
**   input {name, shape, gradient}   rows of a tensor fed to the run; shape is one row's
**   param {name, shape, init, value}   trained
**   const {name, shape}   not trained
**   state {name, shape, init, value}   not trained, but changed by training: see
**     struct ym_whole
*/
#include <string.h>

#include "convert.h"
#include "op.h"

/* The shape, after `first` axes of the batch, and the name all leaves have. */
static enum ym_status read_leaf(struct ym_node *node, int first,
                                struct ym_error *error) {
	if (ym_node_text(node, "name", "")[0] == 0)
		return ym_fail(error, YM_ARGUMENT, "option 'name' must be a text");
	return ym_node_read_shape(node, first, error);
}

static enum ym_status input_shape(const struct ym_node *nodes, struct ym_node *node,
                                  struct ym_error *error) {
	(void)nodes;
	node->batched = true;
	node->wants_gradient = ym_node_number(node, "gradient", 0) != 0;
	return read_leaf(node, 1, error);
}

/* Gathers the job's rows from the tensor fed, converting them. */
static void input_forward(const struct ym_job *job, const struct ym_node *node) {
	float *to = ym_job_value(job, node);
	for (size_t at = 0; at < job->rows; at++, to += node->row) {
		size_t fed = job->first - job->base + at;
		size_t row = job->order != NULL ? (size_t)job->order[fed] - 1
		                                : job->offset + fed;
		ym_convert_row(node->feed, row, 0, to, node->row);
	}
}

/* The initial values are filled in by ym_graph_initialise; here the name is checked. */
static enum ym_status state_shape(const struct ym_node *nodes, struct ym_node *node,
                                  struct ym_error *error) {
	static const char *const known[] = {
		"zeros",  "ones",          "constant", "normal",          "uniform",
		"glorot", "glorot_normal", "kaiming",  "kaiming_uniform",
	};
	const char *kind = ym_node_text(node, "init", "zeros");
	(void)nodes;
	for (size_t which = 0; which < sizeof known / sizeof known[0]; which++)
		if (strcmp(kind, known[which]) == 0)
			return read_leaf(node, 0, error);
	return ym_fail(error, YM_ARGUMENT,
	               "init is '%.40s', expected zeros, ones, constant, normal, uniform, "
	               "glorot, glorot_normal, kaiming or kaiming_uniform",
	               kind);
}

static enum ym_status param_shape(const struct ym_node *nodes, struct ym_node *node,
                                  struct ym_error *error) {
	node->wants_gradient = true;
	return state_shape(nodes, node, error);
}

static enum ym_status const_shape(const struct ym_node *nodes, struct ym_node *node,
                                  struct ym_error *error) {
	(void)nodes;
	return read_leaf(node, 0, error);
}

const struct ym_operator ym_leaf_operators[] = {
	{"input", "name shape gradient", 0, 0, input_shape, input_forward, NULL, NULL, 0},
	{"param", "name shape init value", 0, 0, param_shape, NULL, NULL, NULL, 0},
	{"const", "name shape", 0, 0, const_shape, NULL, NULL, NULL, 0},
	{"state", "name shape init value", 0, 0, state_shape, NULL, NULL, NULL, 0},
	{0},
};

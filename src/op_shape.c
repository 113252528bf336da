/*
** Moving elements: reshape {shape}, permute {axes}, slice {axis, first, last}, concat
** {axis}. Axes count from 1, and axis 1 of a batched node is the batch, which stays
** whole and first.
*/
#include <string.h>

#include "op.h"

/* The same elements in the same order: within a row, when it is batched. */
static enum ym_status reshape_shape(const struct ym_node *nodes, struct ym_node *node,
                                    struct ym_error *error) {
	const struct ym_node *input = ym_node_input(nodes, node, 0);
	enum ym_status status;
	size_t count;
	char text[2][96];
	node->batched = node->view = input->batched;
	status = ym_node_read_shape(node, node->batched ? 1 : 0, error);
	if (status != YM_OK)
		return status;
	if (!ym_shape_count(node->rank, node->shape, &count) || count != input->row)
		return ym_fail(error, YM_ARGUMENT, "shapes %s and %s have different sizes",
		               ym_node_describe(input, text[0]),
		               ym_node_describe(node, text[1]));
	return YM_OK;
}

/* Only what is not batched comes here; the rest are views. */
static void reshape_forward(const struct ym_job *job, const struct ym_node *node) {
	memcpy(node->value, ym_input_value(job, node, 0), node->row * sizeof(float));
}

static void reshape_backward(const struct ym_job *job, const struct ym_node *node) {
	const float *dy = ym_job_gradient(job, node);
	float *dx = ym_input_gradient(job, node, 0);
	for (size_t at = 0; at < node->row; at++)
		dx[at] += dy[at];
}

/* Axes of one row of the result, with steps into the input. */
struct permute {
	int rank;
	size_t size[YM_RANK], step[YM_RANK];
};

/* Axis i of the result is axis axes[i] of the input. */
static enum ym_status permute_shape(const struct ym_node *nodes, struct ym_node *node,
                                    struct ym_error *error) {
	const struct ym_node *input = ym_node_input(nodes, node, 0);
	const struct ym_attribute *axes = ym_node_attribute(node, "axes");
	struct permute *plan = ym_node_plan(node, sizeof *plan, error);
	unsigned seen = 0;
	bool fits;
	if (plan == NULL)
		return YM_MEMORY;
	ym_shape_same(nodes, node, error);
	plan->rank = node->rank;
	fits = axes != NULL && node->rank > 0 && axes->count == (size_t)node->rank &&
	       !(node->batched && axes->numbers[0] != 1);
	for (int axis = 0; fits && axis < node->rank; axis++) {
		double from = axes->numbers[axis];
		fits = from >= 1 && from <= node->rank && from == (double)(int)from &&
		       (seen & 1u << (int)from) == 0;
		if (!fits)
			break;
		seen |= 1u << (int)from;
		node->shape[axis] = plan->size[axis] = input->shape[(int)from - 1];
		plan->step[axis] = ym_node_walk(input, (size_t)from - 1).inner;
	}
	if (!fits)
		return ym_fail(error, YM_ARGUMENT,
		               "option 'axes' must list the axes 1..%d, each once%s",
		               node->rank, node->batched ? ", the batch first" : "");
	return YM_OK;
}

/* Copies the input's elements (rows of `row`) to their places, or adds those of the
** result's gradient where they came from. */
static void move_elements(const struct permute *plan, size_t rows, size_t row,
                          float *input, float *result, bool back) {
	int last = plan->rank - 1;
	size_t width = plan->size[last], step = plan->step[last];
	for (size_t line = 0; line < rows * row / width; line++, result += width) {
		size_t rest = line % (row / width);
		float *from = input + line / (row / width) * row;
		for (int axis = last - 1; axis >= 0; axis--) {
			from += rest % plan->size[axis] * plan->step[axis];
			rest /= plan->size[axis];
		}
		for (size_t at = 0; back && at < width; at++)
			from[at * step] += result[at];
		for (size_t at = 0; !back && at < width; at++)
			result[at] = from[at * step];
	}
}

static void permute_forward(const struct ym_job *job, const struct ym_node *node) {
	move_elements(node->plan, ym_job_rows(job, node), node->row,
	              ym_job_value(job, ym_node_input(job->nodes, node, 0)),
	              ym_job_value(job, node), false);
}

static void permute_backward(const struct ym_job *job, const struct ym_node *node) {
	move_elements(node->plan, ym_job_rows(job, node), node->row,
	              ym_input_gradient(job, node, 0), ym_job_gradient(job, node), true);
}

/* What slice and concat share: block elements of each outer step, `stride` apart in
** the larger node, starting at skip. */
struct cut {
	size_t outer, block, stride, skip;
};

/* Copies a part into the whole or out of it, for the job's rows. */
static void copy_cut(const struct cut *cut, size_t rows, float *part, float *whole,
                     bool into_whole) {
	whole += cut->skip;
	for (size_t at = 0; at < rows * cut->outer; at++) {
		memcpy(into_whole ? whole : part, into_whole ? part : whole,
		       cut->block * sizeof *part);
		part += cut->block;
		whole += cut->stride;
	}
}

/* Adds the gradient of one side to that of the other. */
static void add_cut(const struct cut *cut, size_t rows, float *part, float *whole,
                    bool into_whole) {
	whole += cut->skip;
	for (size_t at = 0; at < rows * cut->outer; at++) {
		float *to = into_whole ? whole : part;
		const float *from = into_whole ? part : whole;
		for (size_t element = 0; element < cut->block; element++)
			to[element] += from[element];
		part += cut->block;
		whole += cut->stride;
	}
}

/* Elements first..last of an axis, both counted from 1 and included. */
static enum ym_status slice_shape(const struct ym_node *nodes, struct ym_node *node,
                                  struct ym_error *error) {
	const struct ym_node *input = ym_node_input(nodes, node, 0);
	struct cut *cut = ym_node_plan(node, sizeof *cut, error);
	enum ym_status status = cut == NULL ? YM_MEMORY : YM_OK;
	size_t axis = 0, first = 1, last = 1;
	struct ym_walk walk;
	if (status == YM_OK)
		status = ym_node_axis(node, input, &axis, error);
	if (status == YM_OK)
		status = ym_node_integer(node, "first", true, 1, input->shape[axis], &first,
		                         error);
	if (status == YM_OK)
		status = ym_node_integer(node, "last", true, first, input->shape[axis], &last,
		                         error);
	if (status != YM_OK)
		return status;
	walk = ym_node_walk(input, axis);
	ym_shape_same(nodes, node, error);
	node->shape[axis] = last - first + 1;
	cut->outer = walk.outer;
	cut->block = node->shape[axis] * walk.inner;
	cut->stride = walk.size * walk.inner;
	cut->skip = (first - 1) * walk.inner;
	return YM_OK;
}

static void slice_forward(const struct ym_job *job, const struct ym_node *node) {
	copy_cut(node->plan, ym_job_rows(job, node), ym_job_value(job, node),
	         ym_job_value(job, ym_node_input(job->nodes, node, 0)), false);
}

static void slice_backward(const struct ym_job *job, const struct ym_node *node) {
	add_cut(node->plan, ym_job_rows(job, node), ym_job_gradient(job, node),
	        ym_input_gradient(job, node, 0), true);
}

/* Nodes alike in all axes but one, joined along that one. Each is a cut of the
** result. */
static enum ym_status concat_shape(const struct ym_node *nodes, struct ym_node *node,
                                   struct ym_error *error) {
	const struct ym_node *input = ym_node_input(nodes, node, 0);
	size_t count = (size_t)node->input_count, axis = 0, size = 0, skip = 0;
	struct cut *cuts = ym_node_plan(node, count * sizeof *cuts, error);
	enum ym_status status = cuts == NULL ? YM_MEMORY
	                                     : ym_node_axis(node, input, &axis, error);
	char text[2][96];
	if (status != YM_OK)
		return status;
	for (size_t which = 0; which < count; which++) {
		const struct ym_node *other = ym_node_input(nodes, node, (int)which);
		bool same = other->rank == input->rank && other->batched == input->batched;
		for (size_t at = 0; same && at < (size_t)input->rank; at++)
			same = at == axis || other->shape[at] == input->shape[at];
		if (!same)
			return ym_fail(error, YM_ARGUMENT, "shapes %s and %s do not go together",
			               ym_node_describe(input, text[0]),
			               ym_node_describe(other, text[1]));
		size += other->shape[axis];
	}
	ym_shape_same(nodes, node, error);
	node->shape[axis] = size;
	for (size_t which = 0; which < count; which++) {
		const struct ym_node *other = ym_node_input(nodes, node, (int)which);
		struct ym_walk walk = ym_node_walk(other, axis);
		cuts[which].outer = walk.outer;
		cuts[which].block = walk.size * walk.inner;
		cuts[which].stride = size * walk.inner;
		cuts[which].skip = skip;
		skip += cuts[which].block;
	}
	return YM_OK;
}

static void concat_forward(const struct ym_job *job, const struct ym_node *node) {
	const struct cut *cuts = node->plan;
	for (int input = 0; input < node->input_count; input++)
		copy_cut(&cuts[input], ym_job_rows(job, node),
		         ym_job_value(job, ym_node_input(job->nodes, node, input)),
		         ym_job_value(job, node), true);
}

static void concat_backward(const struct ym_job *job, const struct ym_node *node) {
	const struct cut *cuts = node->plan;
	for (int input = 0; input < node->input_count; input++) {
		float *dx = ym_input_gradient(job, node, input);
		if (dx != NULL)
			add_cut(&cuts[input], ym_job_rows(job, node), dx,
			        ym_job_gradient(job, node), false);
	}
}

const struct ym_operator ym_shape_operators[] = {
	{"reshape", "shape", 1, 1, reshape_shape, reshape_forward, reshape_backward, NULL,
     0},
	{"permute", "axes", 1, 1, permute_shape, permute_forward, permute_backward, NULL,
     0},
	{"slice", "axis first last", 1, 1, slice_shape, slice_forward, slice_backward, NULL,
     0},
	{"concat", "axis", 1, -1, concat_shape, concat_forward, concat_backward, NULL, 0},
	{0},
};

/*
** Running: memory, and the order of the work. Everything batched is done part by part,
** parts of the minibatch on different threads; then the gradients of what all parts
** share (run_task), task by task; then, backward, what is not batched.
*/
#include "graph.h"

#include <string.h>

#include "arithmetic.h"
#include "op.h"

/* What the workers of one run share. */
struct run {
	struct ym_graph *graph;
	const struct ym_rows *rows;
	bool training;
	uint64_t draw;
	size_t parts;
	double loss[YM_PARTS]; /* sums over the part */
	struct ym_error error[YM_PARTS];
};

/* The node whose memory this one uses. */
static struct ym_node *owner(struct ym_graph *graph, int index) {
	while (graph->nodes[index].view)
		index = graph->nodes[index].inputs[0];
	return &graph->nodes[index];
}

/* Hands out places in a block of memory, or (base NULL) only measures it. */
struct layout {
	float *base;
	size_t used; /* floats */
	bool overflow;
};

/* Room for rows of `row` floats, from the start of a cache line. */
static float *take(struct layout *layout, size_t rows, size_t row) {
	size_t at = layout->used, floats;
	if (__builtin_mul_overflow(rows, row, &floats) ||
	    __builtin_add_overflow(at, (floats + 15) / 16 * 16, &layout->used))
		layout->overflow = true;
	return layout->base == NULL ? NULL : layout->base + at;
}

/* One node's value, gradient and scratch memory. */
static void place_node(struct layout *layout, struct ym_node *node, size_t rows,
                       bool training) {
	const char *name = node->kind->name;
	bool param = strcmp(name, "param") == 0,
		 fixed = param || strcmp(name, "const") == 0;
	size_t height = node->batched ? rows : 1;
	struct ym_node place = {0};
	if (!fixed)
		place.value = take(layout, height, node->row);
	if (training && node->wants_gradient && !param)
		place.gradient = take(layout, height, node->row);
	if (training && node->needs_sums)
		place.sums = take(layout, YM_PARTS, node->row);
	if (node->scratch > 0)
		place.scratch_memory = take(layout, height, node->scratch);
	if (layout->base == NULL)
		return;
	if (!fixed)
		node->value = place.value;
	if (!param)
		node->gradient = place.gradient;
	node->sums = place.sums;
	node->scratch_memory = place.scratch_memory;
}

/* The gradients of all parameters come first and lie as the weights do, so that an
** optimiser walks over both side by side; then each node in turn. A view has the
** addresses of the node it shows. */
static void place_all(struct ym_graph *graph, size_t rows, bool training,
                      struct layout *layout) {
	float *gradients = training ? take(layout, 1, graph->parameters) : NULL;
	for (int index = 0; index < graph->count; index++) {
		struct ym_node *node = &graph->nodes[index];
		if (!node->view) {
			if (layout->base != NULL && strcmp(node->kind->name, "param") == 0)
				node->gradient = training ? gradients + node->offset : NULL;
			place_node(layout, node, rows, training);
		} else if (layout->base != NULL) {
			node->value = owner(graph, index)->value;
			node->gradient = owner(graph, index)->gradient;
		}
	}
	if (layout->base != NULL)
		graph->gradients = gradients;
}

size_t ym_graph_measure(struct ym_graph *graph, size_t rows, bool training) {
	struct layout layout = {0};
	place_all(graph, rows, training, &layout);
	if (layout.overflow || layout.used > PTRDIFF_MAX / sizeof(float))
		return 0;
	return layout.used == 0 ? 1 : layout.used;
}

void ym_graph_place(struct ym_graph *graph, size_t rows, bool training, float *memory) {
	struct layout layout = {.base = memory};
	place_all(graph, rows, training, &layout);
	if (training) /* what lies between parameters counts in the gradient's norm */
		memset(graph->gradients, 0, graph->parameters * sizeof *graph->gradients);
}

void ym_graph_unfeed(struct ym_graph *graph) {
	for (int index = 0; index < graph->count; index++)
		graph->nodes[index].feed = NULL;
}

enum ym_status ym_graph_feed(struct ym_graph *graph, int index,
                             const struct ym_tensor *tensor, struct ym_error *error) {
	struct ym_node *node = &graph->nodes[index];
	struct ym_tensor row = *tensor;
	const char *name = ym_node_text(node, "name", "");
	bool same = tensor->rank == node->rank;
	char text[96];
	for (int axis = 1; same && axis < node->rank; axis++)
		same = tensor->shape[axis] == node->shape[axis];
	if (!same)
		return ym_fail(error, YM_ARGUMENT,
		               "input '%.60s' must have the shape %s, and has rank %d, row %zu",
		               name, ym_node_describe(node, text), tensor->rank,
		               tensor->rank > 1 ? tensor->shape[tensor->rank - 1] : 1);
	row.shape[0] = 1;
	if (!ym_tensor_contiguous(&row))
		return ym_fail(error, YM_ARGUMENT, "input '%.60s' must have contiguous rows",
		               name);
	node->feed = tensor;
	return YM_OK;
}

bool ym_graph_ready(struct ym_graph *graph, int index) {
	for (int at = 0; at <= index; at++) {
		struct ym_node *node = &graph->nodes[at];
		node->ready = node->feed != NULL || node->input_count > 0 || !node->batched;
		for (int input = 0; input < node->input_count; input++)
			node->ready = node->ready && graph->nodes[node->inputs[input]].ready;
	}
	return graph->nodes[index].ready;
}

/* Marks what the nodes listed need, and checks that it is there. */
static enum ym_status mark_needed(struct ym_graph *graph, const struct ym_rows *rows,
                                  const int *nodes, int count, struct ym_error *error) {
	for (int index = 0; index < graph->count; index++) {
		graph->nodes[index].needed = false;
		graph->nodes[index].last_use = -1;
	}
	for (int which = 0; which < count; which++)
		graph->nodes[nodes[which]].needed = true;
	for (int index = graph->count - 1; index >= 0; index--) {
		const struct ym_node *node = &graph->nodes[index];
		for (int input = 0; node->needed && input < node->input_count; input++) {
			struct ym_node *source = owner(graph, node->inputs[input]);
			graph->nodes[node->inputs[input]].needed = true;
			if (!node->view && node->wants_gradient && source->last_use < 0)
				source->last_use = index;
		}
	}
	for (int index = 0; index < graph->count; index++) {
		const struct ym_node *node = &graph->nodes[index];
		const char *name = ym_node_text(node, "name", "");
		size_t least = SIZE_MAX, most = 0;
		if (!node->needed || !node->batched || node->input_count > 0)
			continue;
		if (node->feed == NULL)
			return ym_fail(error, YM_ARGUMENT, "input '%.60s' is missing", name);
		for (size_t at = 0; rows->order != NULL && at < rows->rows; at++) {
			size_t row = (size_t)rows->order[at]; /* negative becomes huge */
			least = row < least ? row : least;
			most = row > most ? row : most;
		}
		if (rows->order == NULL) {
			least = rows->offset + 1;
			most = rows->offset + rows->rows;
		}
		if (least < 1 || most > node->feed->shape[0])
			return ym_fail(error, YM_ARGUMENT,
			               "input '%.60s' has %zu rows, and row %zu is asked for", name,
			               node->feed->shape[0], least < 1 ? least : most);
	}
	return YM_OK;
}

/* A job about the nodes that are not batched, and all rows. */
static struct ym_job make_job(const struct run *run, struct ym_error *error) {
	return (struct ym_job){
		.nodes = run->graph->nodes,
		.part = -1,
		.rows = run->rows->rows,
		.order = run->rows->order,
		.offset = run->rows->offset,
		.training = run->training,
		.draw = run->draw,
		.error = error,
	};
}

/* Nodes are in an order in which each comes after its inputs. */
static void forward_nodes(const struct ym_job *job, const struct ym_graph *graph,
                          bool batched) {
	for (int index = 0; index < graph->count; index++) {
		const struct ym_node *node = &graph->nodes[index];
		if (node->needed && node->batched == batched && !node->view &&
		    node->kind->forward != NULL)
			node->kind->forward(job, node);
	}
}

/* From the last node to the first, each gradient being complete when its node is
** reached. A batched gradient is cleared just before the first node adds to it, while
** its memory is at hand. */
static void backward_nodes(const struct ym_job *job, struct ym_graph *graph,
                           bool batched) {
	for (int index = graph->count - 1; index >= 0; index--) {
		const struct ym_node *node = &graph->nodes[index];
		bool used = owner(graph, index)->last_use >= 0 || index == graph->loss;
		if (!node->needed || !node->wants_gradient || node->batched != batched ||
		    node->view || !(used || owner(graph, graph->loss) == node))
			continue;
		for (int input = 0; input < node->input_count; input++) {
			const struct ym_node *source = owner(graph, node->inputs[input]);
			float *gradient = ym_job_gradient(job, source);
			if (source->batched && gradient != NULL && source->last_use == index)
				memset(gradient, 0, ym_job_count(job, source) * sizeof *gradient);
		}
		if (node->kind->backward != NULL)
			node->kind->backward(job, node);
	}
}

/* Sums the loss over a part and starts its gradient: the loss is the mean of all
** elements of its node. */
static double begin_backward(const struct ym_job *job, struct ym_graph *graph,
                             size_t rows) {
	const struct ym_node *loss = &graph->nodes[graph->loss];
	const float *value = ym_job_value(job, loss);
	float *gradient = ym_job_gradient(job, loss);
	size_t count = ym_job_count(job, loss);
	float each = (float)(1 / ((double)rows * (double)loss->row));
	double sum = 0;
	for (size_t at = 0; at < count; at++) {
		sum += (double)value[at];
		gradient[at] = each;
	}
	for (int index = 0; index < graph->count; index++) {
		const struct ym_node *node = &graph->nodes[index];
		if (node->needed && node->needs_sums)
			memset(ym_job_gradient(job, node), 0, node->row * sizeof(float));
	}
	return sum;
}

/* What one part does: forward through all batched nodes and, in training, back, its
** rows still in the cache of its core. */
static void run_part(void *context, size_t part, int worker) {
	struct run *run = context;
	struct ym_job job = make_job(run, &run->error[part]);
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	run->error[part].status = YM_OK;
	job.part = (int)part;
	job.first = run->rows->rows * part / run->parts;
	job.rows = run->rows->rows * (part + 1) / run->parts - job.first;
	forward_nodes(&job, run->graph, true);
	if (run->training) {
		run->loss[part] = begin_backward(&job, run->graph, run->rows->rows);
		backward_nodes(&job, run->graph, true);
	}
	ym_arithmetic_end(before);
}

/* One task: part of the gradient of a node that is not batched, from every node that
** uses it, in the order of the nodes and then of the parts. */
static void run_task(void *context, size_t which, int worker) {
	struct run *run = context;
	const struct ym_graph *graph = run->graph;
	const struct ym_task *task = &graph->tasks[which];
	const struct ym_node *target = &graph->nodes[task->node];
	size_t stride = target->row / (target->rank > 0 ? target->shape[0] : 1);
	size_t count = task->count * stride, first = task->first * stride;
	float *gradient = target->gradient + first;
	struct ym_job job = make_job(run, NULL);
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	memset(gradient, 0, count * sizeof *gradient);
	for (int index = 0; target->needed && index < graph->count; index++) {
		const struct ym_node *node = &graph->nodes[index];
		int inputs = node->kind->backward_shared == NULL ? 0 : node->input_count;
		bool used = node->needed && node->batched && node->wants_gradient;
		for (int input = node->kind->shared; used && input < inputs; input++)
			if (node->inputs[input] == task->node)
				node->kind->backward_shared(&job, node, input, task->first, task->count,
				                            gradient);
	}
	for (size_t part = 0; target->needed && target->needs_sums && part < run->parts;
	     part++) {
		const float *sums = target->sums + part * target->row + first;
		for (size_t at = 0; at < count; at++)
			gradient[at] += sums[at];
	}
	ym_arithmetic_end(before);
}

/* What is not batched is computed once, before the parts that use it; of their errors
** the first part's counts, whichever was found first. */
static enum ym_status run_forward(struct run *run, struct ym_pool *pool,
                                  struct ym_error *error) {
	struct ym_arithmetic before;
	struct ym_job fixed;
	run->parts = run->rows->rows < YM_PARTS ? run->rows->rows : YM_PARTS;
	error->status = YM_OK;
	fixed = make_job(run, error);
	before = ym_arithmetic_begin();
	forward_nodes(&fixed, run->graph, false);
	ym_arithmetic_end(before);
	ym_pool_run(pool, run->parts, run_part, run);
	for (size_t part = 0; part < run->parts && error->status == YM_OK; part++)
		if (run->error[part].status != YM_OK)
			*error = run->error[part];
	return error->status;
}

enum ym_status ym_graph_forward(struct ym_graph *graph, struct ym_pool *pool,
                                const struct ym_rows *rows, const int *nodes, int count,
                                struct ym_error *error) {
	struct run run = {.graph = graph, .rows = rows};
	enum ym_status status = mark_needed(graph, rows, nodes, count, error);
	return status == YM_OK ? run_forward(&run, pool, error) : status;
}

enum ym_status ym_graph_backward(struct ym_graph *graph, struct ym_pool *pool,
                                 const struct ym_rows *rows, uint64_t draw,
                                 double *loss, struct ym_error *error) {
	struct run run = {.graph = graph, .rows = rows, .training = true, .draw = draw};
	struct ym_arithmetic before;
	struct ym_job fixed;
	double sum = 0;
	enum ym_status status;
	if (graph->loss < 0)
		return ym_fail(error, YM_ARGUMENT, "the graph has no loss");
	if (rows->rows == 0)
		return ym_fail(error, YM_ARGUMENT, "there are no rows to learn from");
	status = mark_needed(graph, rows, &graph->loss, 1, error);
	if (status == YM_OK)
		status = run_forward(&run, pool, error);
	if (status != YM_OK)
		return status;
	ym_pool_run(pool, graph->task_count, run_task, &run);
	fixed = make_job(&run, error);
	before = ym_arithmetic_begin();
	backward_nodes(&fixed, graph, false);
	ym_arithmetic_end(before);
	for (size_t part = 0; part < run.parts; part++)
		sum += run.loss[part];
	*loss = sum / ((double)rows->rows * (double)graph->nodes[graph->loss].row);
	return error->status;
}

float *ym_graph_value(const struct ym_graph *graph, int index, size_t *row) {
	*row = graph->nodes[index].row;
	return graph->nodes[index].value;
}

float *ym_graph_gradient(const struct ym_graph *graph, int index) {
	const struct ym_node *node = &graph->nodes[index];
	bool reached = !node->batched || node->last_use >= 0;
	return node->wants_gradient && reached ? node->gradient : NULL;
}

float *ym_graph_gradients(const struct ym_graph *graph) {
	return graph->gradients;
}

/*
** Running: memory, and the order of the work. Everything batched is done part by part,
** parts of the minibatch on different threads; then the gradients of what all parts
** share (run_task), task by task; then, backward, what is not batched.
** Nodes that need the whole minibatch at once (struct ym_whole) cut a training run in
** stretches: all parts go through one before any starts the next. A forward run of
** fewer rows than parts goes node by node instead, and shares the work of each.
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
	int first, last;       /* the stretch: nodes first .. last - 1 */
	bool forward, back;    /* which ways to go through it */
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
	bool param = ym_node_is_leaf(node, "param");
	bool fixed = param || ym_node_is_leaf(node, "const") ||
	             ym_node_is_leaf(node, "state");
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
	if (training && node->wants_gradient)
		place.prepared_memory = take(layout, 1, node->prepared);
	if (layout->base == NULL)
		return;
	if (!fixed)
		node->value = place.value;
	if (!param)
		node->gradient = place.gradient;
	node->sums = place.sums;
	node->scratch_memory = place.scratch_memory;
	node->prepared_memory = place.prepared_memory;
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
			if (layout->base != NULL && ym_node_is_leaf(node, "param"))
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

void ym_graph_level(struct ym_graph *graph, enum ym_simd level) {
	graph->level = level;
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
		.slices = 1,
		.order = run->rows->order,
		.offset = run->rows->offset,
		.level = run->graph->level,
		.training = run->training,
		.draw = run->draw,
		.error = error,
	};
}

/* Nodes are in an order in which each comes after its inputs. */
static void forward_nodes(const struct ym_job *job, const struct ym_graph *graph,
                          bool batched, int first, int last) {
	for (int index = first; index < last; index++) {
		const struct ym_node *node = &graph->nodes[index];
		if (node->needed && node->batched == batched && !node->view &&
		    node->kind->forward != NULL)
			node->kind->forward(job, node);
	}
}

/* True when the gradient of a needed node is computed: the loss depends on it. */
static bool reached(struct ym_graph *graph, int index) {
	const struct ym_node *node = &graph->nodes[index];
	return node->needed && node->wants_gradient && !node->view &&
	       (owner(graph, index)->last_use >= 0 || index == graph->loss ||
	        owner(graph, graph->loss) == node);
}

/* From the last node to the first, each gradient being complete when its node is
** reached. A batched gradient is cleared just before the first node adds to it, while
** its memory is at hand. */
static void backward_nodes(const struct ym_job *job, struct ym_graph *graph,
                           bool batched, int first, int last) {
	for (int index = last - 1; index >= first; index--) {
		const struct ym_node *node = &graph->nodes[index];
		if (node->batched != batched || !reached(graph, index))
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

/* What one part does: forward through the batched nodes of a stretch, or back, or both,
** its rows still in the cache of its core. The nodes of a stretch but its first, and
** the first of the next, are what goes back together: see run_stretches. */
static void run_part(void *context, size_t part, int worker) {
	struct run *run = context;
	struct ym_job job = make_job(run, &run->error[part]);
	struct ym_arithmetic before = ym_arithmetic_begin();
	int back = run->first > 0 ? run->first + 1 : 0, count = run->graph->count;
	(void)worker;
	job.part = (int)part;
	job.first = run->rows->rows * part / run->parts;
	job.rows = run->rows->rows * (part + 1) / run->parts - job.first;
	if (run->forward)
		forward_nodes(&job, run->graph, true, run->first, run->last);
	if (run->back && run->last == count)
		run->loss[part] = begin_backward(&job, run->graph, run->rows->rows);
	if (run->back)
		backward_nodes(&job, run->graph, true, back,
		               run->last < count ? run->last + 1 : count);
	ym_arithmetic_end(before);
}

/* One task: part of the gradient of a node that is not batched, from every node that
** uses it, in the order of the nodes and then of the parts. */
static void run_task(void *context, size_t which, int worker) {
	struct run *run = context;
	const struct ym_graph *graph = run->graph;
	const struct ym_task *task = &graph->tasks[which];
	const struct ym_node *target = &graph->nodes[task->node];
	size_t line = ym_node_line(target);
	size_t count = task->count * line, first = task->first * line;
	float *gradient = target->gradient + first;
	struct ym_job job = make_job(run, NULL);
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	memset(gradient, 0, count * sizeof *gradient);
	for (int index = 0; target->needed && index < graph->count; index++) {
		const struct ym_node *node = &graph->nodes[index];
		int inputs = node->kind->backward_shared == NULL ? 0 : node->input_count;
		bool used = node->batched && reached(run->graph, index);
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

/* The work for the whole minibatch of the node run->first, channel by channel. */
static void run_whole(void *context, size_t part, int worker) {
	struct run *run = context;
	const struct ym_node *node = &run->graph->nodes[run->first];
	struct ym_job job = make_job(run, NULL);
	struct ym_arithmetic before = ym_arithmetic_begin();
	size_t channels = node->shape[node->rank - 1];
	size_t first = channels * part / YM_PARTS;
	size_t count = channels * (part + 1) / YM_PARTS - first;
	(void)worker;
	if (run->forward)
		node->whole->measure(&job, node, first, count);
	else
		node->whole->slopes(&job, node, first, count);
	ym_arithmetic_end(before);
}

/* True for a node that has to see the whole minibatch. */
static bool is_whole(const struct ym_graph *graph, int index) {
	return graph->nodes[index].whole != NULL && graph->nodes[index].needed;
}

/* A stretch starts at a node that has to see the whole minibatch, and ends before the
** next. Forward, that node's inputs are there in all rows when the stretch starts;
** back, its gradient is when the rest of the stretch is done, so it goes back with the
** stretch before. */
static void run_stretches(struct run *run, struct ym_pool *pool) {
	const struct ym_graph *graph = run->graph;
	run->forward = true;
	for (run->last = 0; run->last < graph->count;) {
		run->first = run->last++;
		while (run->last < graph->count &&
		       !(run->training && is_whole(graph, run->last)))
			run->last++;
		if (run->training && is_whole(graph, run->first))
			ym_pool_run(pool, YM_PARTS, run_whole, run);
		run->back = run->training && run->last == graph->count;
		ym_pool_run(pool, run->parts, run_part, run);
	}
	run->forward = false;
	while (run->training && run->first > 0) {
		if (reached(run->graph, run->first))
			ym_pool_run(pool, YM_PARTS, run_whole, run);
		run->last = run->first--;
		while (run->first > 0 && !is_whole(graph, run->first))
			run->first--;
		ym_pool_run(pool, run->parts, run_part, run);
	}
}

/* What a node wants of its weights before the parts. */
static void run_prepare(void *context, size_t index, int worker) {
	struct run *run = context;
	const struct ym_node *node = &run->graph->nodes[index];
	struct ym_job job = make_job(run, NULL);
	(void)worker;
	if (node->prepare != NULL && node->needed && node->wants_gradient)
		node->prepare(&job, node);
}

/* A share of the work for the node run->first and all rows. */
static void run_slice(void *context, size_t slice, int worker) {
	struct run *run = context;
	const struct ym_graph *graph = run->graph;
	struct ym_job job = make_job(run, &run->error[0]);
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	job.part = 0;
	job.slice = slice;
	job.slices = graph->nodes[run->first].sliced ? YM_PARTS : 1;
	forward_nodes(&job, graph, true, run->first, run->last);
	ym_arithmetic_end(before);
}

/* Nodes that are worth it are shared, the others are not. */
static void run_slices(struct run *run, struct ym_pool *pool) {
	const struct ym_graph *graph = run->graph;
	for (run->last = 0; run->last < graph->count;) {
		bool sliced = graph->nodes[run->last].sliced;
		run->first = run->last++;
		ym_pool_run(pool, sliced ? YM_PARTS : 1, run_slice, run);
	}
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
	forward_nodes(&fixed, run->graph, false, 0, run->graph->count);
	ym_arithmetic_end(before);
	for (size_t part = 0; part < run->parts; part++)
		run->error[part].status = YM_OK;
	if (run->training)
		ym_pool_run(pool, (size_t)run->graph->count, run_prepare, run);
	if (run->training || run->rows->rows >= YM_PARTS)
		run_stretches(run, pool);
	else if (run->rows->rows > 0)
		run_slices(run, pool);
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
	backward_nodes(&fixed, graph, false, 0, graph->count);
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
	bool computed = !node->batched || node->last_use >= 0;
	return node->wants_gradient && computed ? node->gradient : NULL;
}

float *ym_graph_gradients(const struct ym_graph *graph) {
	return graph->gradients;
}

void ym_graph_learn(struct ym_graph *graph, size_t rows) {
	const struct ym_rows whole = {.rows = rows};
	const struct run run = {.graph = graph, .rows = &whole, .training = true};
	struct ym_job job = make_job(&run, NULL);
	for (int index = 0; index < graph->count; index++)
		if (is_whole(graph, index))
			graph->nodes[index].whole->learn(&job, &graph->nodes[index]);
}

/*
** Training. Parts of the minibatch go forward and back on different threads; then the
** gradients of what all parts share are summed, task by task, each part's on its own and
** then those of the parts, in a fixed order; then, back, what is not batched. So it does not
** matter which thread, or which of several processes, computed a part.
** Nodes that need the whole minibatch at once (struct ym_whole) cut a run in stretches:
** all parts go through one before any starts the next.
*/
#include <string.h>

#include "arithmetic.h"
#include "graph_run.h"

size_t ym_graph_parts(size_t rows) {
	size_t parts = rows / YM_PART_ROWS;
	parts = parts < YM_PARTS ? YM_PARTS : parts > YM_MOST_PARTS ? YM_MOST_PARTS : parts;
	return rows < parts ? rows : parts;
}

/* The first row of a part, from 0. */
static size_t part_start(const struct ym_share *share, size_t part) {
	return share->rows == 0 ? 0 : share->rows * part / ym_graph_parts(share->rows);
}

size_t ym_share_rows(const struct ym_share *share, size_t *first) {
	*first = part_start(share, share->first);
	return part_start(share, share->first + share->count) - *first;
}

size_t ym_graph_height(const struct ym_graph *graph, const struct ym_extent *extent) {
	for (int index = 0; extent->training && index < graph->count; index++)
		if (graph->nodes[index].whole != NULL)
			return extent->share.rows;
	return extent->rows;
}

/* A job about part number `own` of those computed here. */
static struct ym_job part_job(struct ym_run *run, size_t own) {
	const struct ym_share *share = &run->share;
	struct ym_job job = ym_run_job(run, &run->error[own]);
	size_t skipped = part_start(share, share->first) - run->base;
	job.own = (int)own;
	job.part = (int)(share->first + own);
	job.first = part_start(share, share->first + own) - skipped;
	job.rows = part_start(share, share->first + own + 1) - skipped - job.first;
	return job;
}

/* True when the gradient of a needed node is computed: the loss depends on it. */
static bool reached(struct ym_graph *graph, int index) {
	const struct ym_node *node = &graph->nodes[index];
	return node->needed && node->wants_gradient && !node->view &&
	       (ym_graph_owner(graph, index)->last_use >= 0 || index == graph->loss ||
	        ym_graph_owner(graph, graph->loss) == node);
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
			const struct ym_node *source = ym_graph_owner(graph, node->inputs[input]);
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
** the first of the next, are what goes back together: see ym_graph_advance. */
static void run_part(void *context, size_t own, int worker) {
	struct ym_run *run = context;
	struct ym_job job = part_job(run, own);
	struct ym_arithmetic before = ym_arithmetic_begin();
	int start = run->first > 0 ? run->first + 1 : 0, count = run->graph->count;
	bool turns = run->forward && run->last == count;
	(void)worker;
	if (run->forward)
		ym_run_nodes(&job, run->graph, true, run->first, run->last);
	if (turns)
		run->loss[own] = begin_backward(&job, run->graph, run->share.rows);
	if (turns || !run->forward)
		backward_nodes(&job, run->graph, true, start,
		               run->last < count ? run->last + 1 : count);
	ym_arithmetic_end(before);
}

/* The work for the whole minibatch of the node run->first, channel by channel. */
static void run_whole(void *context, size_t part, int worker) {
	struct ym_run *run = context;
	const struct ym_node *node = &run->graph->nodes[run->first];
	struct ym_job job = ym_run_job(run, NULL);
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

/* What a node wants of its weights before the parts. */
static void run_prepare(void *context, size_t index, int worker) {
	struct ym_run *run = context;
	const struct ym_node *node = &run->graph->nodes[index];
	struct ym_job job = ym_run_job(run, NULL);
	(void)worker;
	if (node->prepare != NULL && node->needed && node->wants_gradient)
		node->prepare(&job, node);
}

enum ym_status ym_graph_begin(struct ym_graph *graph, struct ym_pool *pool,
                              const struct ym_rows *rows, const struct ym_share *share,
                              uint64_t draw, struct ym_error *error) {
	struct ym_run *run = graph->run;
	const struct ym_extent extent = {rows->rows, true, true, *share, 0};
	size_t first, height = ym_graph_height(graph, &extent);
	enum ym_status status = YM_OK;
	if (graph->loss < 0)
		return ym_fail(error, YM_ARGUMENT, "the graph has no loss");
	if (share->rows == 0)
		return ym_fail(error, YM_ARGUMENT, "there are no rows to learn from");
	if (ym_share_rows(share, &first) != rows->rows)
		return ym_fail(error, YM_ARGUMENT, "has %zu rows, and its share is %zu",
		               rows->rows, ym_share_rows(share, &first));
	*run = (struct ym_run){
		.graph = graph,
		.rows = *rows,
		.training = true,
		.draw = draw,
		.height = height,
		.base = height == rows->rows ? 0 : first,
		.share = *share,
		.forward = true,
	};
	ym_run_mark(graph, &graph->loss, 1);
	if (rows->rows > 0)
		status = ym_run_check(graph, rows, error);
	if (status == YM_OK)
		status = ym_run_begin(run, error);
	if (status == YM_OK)
		ym_pool_run(pool, (size_t)graph->count, run_prepare, run);
	return status;
}

/* Stores what run_whole reads of the node that the next stretch begins with: forward its
** input, back its value and gradient. */
static int wanted(const struct ym_run *run, float *blocks[2], size_t row[2]) {
	const struct ym_node *node = &run->graph->nodes[run->first];
	const struct ym_node *read = run->forward
	                                 ? ym_node_input(run->graph->nodes, node, 0)
	                                 : node;
	blocks[0] = read->value;
	blocks[1] = node->gradient;
	row[0] = row[1] = read->row;
	return run->forward ? 1 : 2;
}

/* A stretch starts at a node that has to see the whole minibatch, and ends before the
** next. Forward, that node's inputs are there in all rows when the stretch starts;
** back, its gradient is when the rest of the stretch is done, so it goes back with the
** stretch before. */
int ym_graph_advance(struct ym_graph *graph, struct ym_pool *pool, float *blocks[2],
                     size_t row[2]) {
	struct ym_run *run = graph->run;
	do {
		if (is_whole(graph, run->first) && (run->forward || reached(graph, run->first)))
			ym_pool_run(pool, YM_PARTS, run_whole, run);
		if (run->forward) {
			run->last = run->first + 1;
			while (run->last < graph->count && !is_whole(graph, run->last))
				run->last++;
		} else {
			run->last = run->first--;
			while (run->first > 0 && !is_whole(graph, run->first))
				run->first--;
		}
		ym_pool_run(pool, run->share.count, run_part, run);
		if (run->forward && run->last < graph->count)
			run->first = run->last;
		else
			run->forward = false;
	} while (run->first > 0 && !run->forward && !reached(graph, run->first));
	return run->first > 0 ? wanted(run, blocks, row) : 0;
}

/* Adds to a task's gradient what one part gives, from every node that uses it, in the
** order of the nodes. */
static void add_part(struct ym_run *run, const struct ym_task *task, size_t own,
                     float *gradient) {
	const struct ym_graph *graph = run->graph;
	const struct ym_node *target = &graph->nodes[task->node];
	struct ym_job job = part_job(run, own);
	size_t line = ym_node_line(target), count = task->count * line;
	for (int index = 0; target->needed && index < graph->count; index++) {
		const struct ym_node *node = &graph->nodes[index];
		int inputs = node->kind->backward_shared == NULL ? 0 : node->input_count;
		bool used = node->batched && reached(run->graph, index);
		for (int input = node->kind->shared; used && input < inputs; input++)
			if (node->inputs[input] == task->node)
				node->kind->backward_shared(&job, node, input, task->first, task->count,
				                            gradient);
	}
	if (target->needed && target->needs_sums) {
		const float *sums = target->sums + own * target->row + task->first * line;
		for (size_t at = 0; at < count; at++)
			gradient[at] += sums[at];
	}
}

static void add_floats(float *restrict to, const float *restrict from, size_t count) {
	for (size_t at = 0; at < count; at++)
		to[at] += from[at];
}

/* The order in which parts are summed is that of a tree, so that whoever has parts side by
** side can sum most of them: two neighbouring blocks of 1, 2, 4, ... parts are one as soon
** as both are there, the first starting at a multiple of twice their size; what is left at
** the end is summed from the last to the first. The blocks so far are a stack. */
struct blocks {
	size_t start[2 * YM_LEVELS], size[2 * YM_LEVELS];
	int depth;
};

/* Puts a block on the stack. Returns how many times what is on top has to be added to what
** is below it. */
static int push(struct blocks *blocks, size_t start, size_t size) {
	int merged = 0;
	for (; blocks->depth > 0; blocks->depth--, merged++) {
		int top = blocks->depth - 1;
		if (blocks->size[top] != size || blocks->start[top] % (2 * size) != 0)
			break;
		start = blocks->start[top];
		size *= 2;
	}
	blocks->start[blocks->depth] = start;
	blocks->size[blocks->depth++] = size;
	return merged;
}

/* The blocks that parts first .. first + count - 1 amount to. */
static struct blocks blocks_of(size_t first, size_t count) {
	struct blocks blocks = {.depth = 0};
	for (size_t part = first; part < first + count; part++)
		push(&blocks, part, 1);
	return blocks;
}

size_t ym_share_blocks(const struct ym_share *share) {
	return (size_t)blocks_of(share->first, share->count).depth;
}

/* One task: the gradients of the own parts become sums, in blocks: one, or those that are
** wanted apart. Blocks on the stack lie where they will be wanted, or on the worker's own
** memory. */
static void run_task(void *context, size_t which, int worker) {
	struct ym_run *run = context;
	const struct ym_graph *graph = run->graph;
	const struct ym_task *task = &graph->tasks[which];
	const struct ym_node *target = &graph->nodes[task->node];
	size_t line = ym_node_line(target), count = task->count * line;
	size_t kept = graph->partials == NULL ? 1 : ym_share_blocks(&run->share);
	float *workspace = graph->workspace + (size_t)worker * YM_LEVELS * graph->task_size;
	float *at[3 * YM_LEVELS];
	struct blocks blocks = {.depth = 0};
	struct ym_arithmetic before = ym_arithmetic_begin();
	for (size_t slot = 0; slot < kept; slot++)
		at[slot] = (graph->partials == NULL ? graph->gradients
		                                    : graph->partials + slot * graph->summed) +
		           target->slope_offset + task->first * line;
	for (size_t slot = 0; slot < YM_LEVELS; slot++)
		at[kept + slot] = workspace + slot * graph->task_size;
	for (size_t own = 0; own < run->share.count; own++) {
		float **top = &at[blocks.depth];
		memset(*top, 0, count * sizeof **top);
		add_part(run, task, own, *top);
		for (int left = push(&blocks, run->share.first + own, 1); left > 0;
		     left--, top--)
			add_floats(top[-1], *top, count);
	}
	while (graph->partials == NULL && blocks.depth > 1) {
		blocks.depth--;
		add_floats(at[blocks.depth - 1], at[blocks.depth], count);
	}
	ym_arithmetic_end(before);
}

void ym_graph_slopes(struct ym_graph *graph, struct ym_pool *pool) {
	ym_pool_run(pool, graph->run->share.count > 0 ? graph->task_count : 0, run_task,
	            graph->run);
}

void ym_graph_sum(struct ym_graph *graph, float *columns, const size_t *starts,
                  size_t shares, size_t first, size_t count) {
	float *at[2 * YM_LEVELS];
	struct blocks all = {.depth = 0};
	struct ym_arithmetic before = ym_arithmetic_begin();
	for (size_t share = 0; share < shares; share++) {
		struct blocks own = blocks_of(starts[share], starts[share + 1] - starts[share]);
		for (int block = 0; block < own.depth; block++, columns += count) {
			float **top = &at[all.depth];
			*top = columns;
			for (int left = push(&all, own.start[block], own.size[block]); left > 0;
			     left--, top--)
				add_floats(top[-1], *top, count);
		}
	}
	for (; all.depth > 1; all.depth--)
		add_floats(at[all.depth - 2], at[all.depth - 1], count);
	memcpy(graph->gradients + first, at[0], count * sizeof **at);
	ym_arithmetic_end(before);
}

enum ym_status ym_graph_settle(struct ym_graph *graph, struct ym_error *error) {
	struct ym_job fixed = ym_run_job(graph->run, error);
	struct ym_arithmetic before = ym_arithmetic_begin();
	error->status = YM_OK;
	backward_nodes(&fixed, graph, false, 0, graph->count);
	ym_arithmetic_end(before);
	return ym_run_errors(graph->run, graph->run->share.count, error);
}

double ym_graph_part_loss(const struct ym_graph *graph, size_t own) {
	return graph->run->loss[own];
}

double ym_graph_mean_loss(const struct ym_graph *graph, const double *sums,
                          size_t parts) {
	double sum = 0;
	for (size_t part = 0; part < parts; part++)
		sum += sums[part];
	return sum /
	       ((double)graph->run->share.rows * (double)graph->nodes[graph->loss].row);
}

enum ym_status ym_graph_backward(struct ym_graph *graph, struct ym_pool *pool,
                                 const struct ym_rows *rows, uint64_t draw,
                                 double *loss, struct ym_error *error) {
	const struct ym_share all = {rows->rows, 0, ym_graph_parts(rows->rows)};
	float *blocks[2];
	size_t row[2];
	enum ym_status status = ym_graph_begin(graph, pool, rows, &all, draw, error);
	if (status != YM_OK)
		return status;
	while (ym_graph_advance(graph, pool, blocks, row) > 0)
		continue; /* all rows are here */
	ym_graph_slopes(graph, pool);
	*loss = ym_graph_mean_loss(graph, graph->run->loss, all.count);
	return ym_graph_settle(graph, error);
}

void ym_graph_learn(struct ym_graph *graph) {
	struct ym_job job = ym_run_job(graph->run, NULL);
	for (int index = 0; index < graph->count; index++)
		if (is_whole(graph, index))
			graph->nodes[index].whole->learn(&job, &graph->nodes[index]);
}

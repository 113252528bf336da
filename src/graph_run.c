/*
** Running forward. Everything batched is done part by part, parts of the minibatch on
** different threads. A run of fewer rows than parts goes node by node instead, and shares
** the work of each. What training needs besides is in graph_train.c.
*/
#include "graph_run.h"

#include "arithmetic.h"

struct ym_job ym_run_job(const struct ym_run *run, struct ym_error *error) {
	return (struct ym_job){
		.nodes = run->graph->nodes,
		.part = -1,
		.rows = run->height,
		.base = run->base,
		.slices = 1,
		.order = run->rows.order,
		.offset = run->rows.offset,
		.level = run->graph->level,
		.training = run->training,
		.draw = run->draw,
		.error = error,
	};
}

/* Nodes are in an order in which each comes after its inputs. */
void ym_run_nodes(const struct ym_job *job, const struct ym_graph *graph, bool batched,
                  int first, int last) {
	for (int index = first; index < last; index++) {
		const struct ym_node *node = &graph->nodes[index];
		if (node->needed && node->batched == batched && !node->view &&
		    node->kind->forward != NULL)
			node->kind->forward(job, node);
	}
}

enum ym_status ym_run_begin(struct ym_run *run, struct ym_error *error) {
	struct ym_job fixed = ym_run_job(run, error);
	struct ym_arithmetic before = ym_arithmetic_begin();
	error->status = YM_OK;
	ym_run_nodes(&fixed, run->graph, false, 0, run->graph->count);
	ym_arithmetic_end(before);
	for (size_t part = 0; part < YM_MOST_PARTS; part++)
		run->error[part].status = YM_OK;
	return error->status;
}

enum ym_status ym_run_errors(const struct ym_run *run, size_t count,
                             struct ym_error *error) {
	for (size_t part = 0; part < count && error->status == YM_OK; part++)
		if (run->error[part].status != YM_OK)
			*error = run->error[part];
	return error->status;
}

static size_t forward_parts(size_t rows) {
	return rows < YM_PARTS ? rows : YM_PARTS;
}

/* All batched nodes for one part, its rows still in the cache of its core. */
static void run_part(void *context, size_t part, int worker) {
	struct ym_run *run = context;
	struct ym_job job = ym_run_job(run, &run->error[part]);
	struct ym_arithmetic before = ym_arithmetic_begin();
	size_t parts = forward_parts(run->height);
	(void)worker;
	job.part = (int)part;
	job.first = run->height * part / parts;
	job.rows = run->height * (part + 1) / parts - job.first;
	ym_run_nodes(&job, run->graph, true, 0, run->graph->count);
	ym_arithmetic_end(before);
}

/* A share of the work for the node run->first and all rows. */
static void run_slice(void *context, size_t slice, int worker) {
	struct ym_run *run = context;
	const struct ym_graph *graph = run->graph;
	struct ym_job job = ym_run_job(run, &run->error[0]);
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	job.part = 0;
	job.slice = slice;
	job.slices = graph->nodes[run->first].sliced ? YM_PARTS : 1;
	ym_run_nodes(&job, graph, true, run->first, run->last);
	ym_arithmetic_end(before);
}

/* Nodes that are worth it are shared, the others are not. */
static void run_slices(struct ym_run *run, struct ym_pool *pool) {
	const struct ym_graph *graph = run->graph;
	for (run->last = 0; run->last < graph->count;) {
		bool sliced = graph->nodes[run->last].sliced;
		run->first = run->last++;
		ym_pool_run(pool, sliced ? YM_PARTS : 1, run_slice, run);
	}
}

enum ym_status ym_graph_forward(struct ym_graph *graph, struct ym_pool *pool,
                                const struct ym_rows *rows, const int *nodes, int count,
                                struct ym_error *error) {
	struct ym_run *run = graph->run;
	enum ym_status status;
	*run = (struct ym_run){.graph = graph, .rows = *rows, .height = rows->rows};
	ym_run_mark(graph, nodes, count);
	status = ym_run_check(graph, rows, error);
	if (status == YM_OK)
		status = ym_run_begin(run, error);
	if (status != YM_OK)
		return status;
	if (rows->rows >= YM_PARTS)
		ym_pool_run(pool, YM_PARTS, run_part, run);
	else if (rows->rows > 0)
		run_slices(run, pool);
	return ym_run_errors(run, forward_parts(rows->rows), error);
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

size_t ym_graph_summed(const struct ym_graph *graph) {
	return graph->summed;
}

float *ym_graph_partials(const struct ym_graph *graph) {
	return graph->partials;
}

/*
** What the files that run a graph share. Only graph*.c include this.
*/
#ifndef GRAPH_RUN_H
#define GRAPH_RUN_H

#include "graph.h"
#include "op.h"

/* What the workers of one run share. */
struct ym_run {
	struct ym_graph *graph;
	struct ym_rows rows; /* those that are computed here */
	bool training;
	uint64_t draw;
	size_t height;         /* of the batched nodes' memory: rows, or the minibatch */
	size_t base;           /* row of that memory which the first of rows goes to */
	struct ym_share share; /* in training: parts that are computed here */
	int first, last;       /* the stretch: nodes first .. last - 1 */
	bool forward;          /* it is gone through this way, and not only back */
	double loss[YM_MOST_PARTS]; /* sums over the part */
	struct ym_error error[YM_MOST_PARTS];
};

/* The node whose memory this one uses. */
struct ym_node *ym_graph_owner(struct ym_graph *graph, int index);

/* Marks what the nodes listed need. */
void ym_run_mark(struct ym_graph *graph, const int *nodes, int count);

/* Checks that the inputs marked are fed, and have these rows. */
enum ym_status ym_run_check(const struct ym_graph *graph, const struct ym_rows *rows,
                            struct ym_error *error);

/* A job about the nodes that are not batched, and all rows in memory. */
struct ym_job ym_run_job(const struct ym_run *run, struct ym_error *error);

/* The batched nodes first .. last - 1 forward, or those that are not. */
void ym_run_nodes(const struct ym_job *job, const struct ym_graph *graph, bool batched,
                  int first, int last);

/* Computes what is not batched, before the parts that use it. */
enum ym_status ym_run_begin(struct ym_run *run, struct ym_error *error);

/* Of the errors of count parts the first one's counts, whichever was found first. */
enum ym_status ym_run_errors(const struct ym_run *run, size_t count,
                             struct ym_error *error);

#endif

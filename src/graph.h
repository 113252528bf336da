/*
** The network core: a graph of operators recorded once, then run forward and
** backward on minibatches of any size.
**
** Record: ym_graph_new, ym_graph_add for every node, ym_graph_finish.
** Memory: the caller brings two blocks, one for weights (ym_graph_place_weights) and
** one for each run's values (ym_graph_place); nothing else is allocated in a run.
** Run: ym_graph_feed for every input, ym_graph_forward or ym_graph_backward, then
** read values and gradients by node.
*/
#ifndef GRAPH_H
#define GRAPH_H

#include "pool.h"
#include "simd.h"
#include "tensor.h"

struct ym_graph;
struct ym_attribute;

/* NULL when there is no memory. */
struct ym_graph *ym_graph_new(void);
void ym_graph_free(struct ym_graph *graph);

/* An attribute to record: text, or count numbers. */
struct ym_setting {
	const char *name, *text;
	const double *numbers;
	size_t count;
};

/* Adds a node of the operator of that name and stores its index. YM_ARGUMENT when there
** is no such operator, or the inputs or settings do not suit it. Not after a finish. */
enum ym_status ym_graph_add(struct ym_graph *graph, const char *name, const int *inputs,
                            int input_count, const struct ym_setting *settings,
                            int setting_count, int *index, struct ym_error *error);

/* Calls visit for the name of every operator. */
void ym_graph_operators(void (*visit)(void *context, const char *name), void *context);

/* How many nodes were added: their indices are 0 .. that less 1. */
int ym_graph_nodes(const struct ym_graph *graph);

/* What a node is. A leaf has a name; others NULL. */
enum ym_leaf {
	YM_LEAF_NONE,
	YM_LEAF_INPUT,
	YM_LEAF_PARAM,
	YM_LEAF_CONST,
	YM_LEAF_STATE,
};
enum ym_leaf ym_graph_leaf(const struct ym_graph *graph, int index, const char **name);

/* Shape of a node without the batch axis; returns its rank (0 for one number a row).
** *batched tells whether there is a batch axis. */
int ym_graph_shape(const struct ym_graph *graph, int index, size_t shape[YM_RANK],
                   bool *batched);

/* No more nodes. loss (-1: none) is the node whose mean over all its elements is to
** be made small; YM_ARGUMENT when it cannot be. Before it and ym_graph_place_weights,
** none of what follows. */
enum ym_status ym_graph_finish(struct ym_graph *graph, int loss,
                               struct ym_error *error);

/* Floats in the block of weights: all parameters, contiguous, then all constants and
** states. */
size_t ym_graph_weights(const struct ym_graph *graph);
size_t ym_graph_parameters(const struct ym_graph *graph); /* of these, parameters */
void ym_graph_place_weights(struct ym_graph *graph, float *weights);

/* Fills every parameter and state by its own "init" setting. */
void ym_graph_initialise(struct ym_graph *graph, uint64_t seed);

/* Which parts of a minibatch of so many rows are computed here: parts first ..
** first + count - 1 of those that ym_graph_parts tells. */
struct ym_share {
	size_t rows, first, count;
};

/* In how many parts, of neighbouring rows, a training run splits so many rows. */
size_t ym_graph_parts(size_t rows);

/* The rows of these parts: *first (from 0), and how many. */
size_t ym_share_rows(const struct ym_share *share, size_t *first);

/* What a run needs memory for. */
struct ym_extent {
	size_t rows;           /* computed here */
	bool training;         /* of a forward run the rest is nothing */
	bool apart;            /* the gradients of its parts are wanted one by one */
	struct ym_share share; /* its rows are those of these parts */
	int threads;           /* that work on it */
};

/* Floats that takes; 0 when the size overflows. */
size_t ym_graph_measure(struct ym_graph *graph, const struct ym_extent *extent);
/* Lays a run out in that much memory. Must precede every run. Gradients have a place
** only in a training run. */
void ym_graph_place(struct ym_graph *graph, const struct ym_extent *extent,
                    float *memory);

/* The instructions that kernels use from now on; at first the best the CPU has. */
void ym_graph_level(struct ym_graph *graph, enum ym_simd level);

/* Forgets what was fed. */
void ym_graph_unfeed(struct ym_graph *graph);
/* The rows (axis 1) of tensor become those of an input; any element type. The tensor
** must stay until the run is over. */
enum ym_status ym_graph_feed(struct ym_graph *graph, int index,
                             const struct ym_tensor *tensor, struct ym_error *error);
/* True when the inputs fed suffice to compute a node. */
bool ym_graph_ready(struct ym_graph *graph, int index);

/* Which rows of the fed tensors make the minibatch: order[0..rows-1] (from 1) where
** order is not NULL, else rows from offset (from 0) on. */
struct ym_rows {
	const int32_t *order;
	size_t offset, rows;
};

/* Computes the nodes listed. YM_ARGUMENT when an input they need is not fed or a row
** does not exist; YM_INPUT when an operator finds its data unusable. */
enum ym_status ym_graph_forward(struct ym_graph *graph, struct ym_pool *pool,
                                const struct ym_rows *rows, const int *nodes, int count,
                                struct ym_error *error);

/* Computes the loss and the gradient of it by every parameter. draw seeds the random
** numbers of dropout. *loss may be not finite: that is for the caller to judge. */
enum ym_status ym_graph_backward(struct ym_graph *graph, struct ym_pool *pool,
                                 const struct ym_rows *rows, uint64_t draw,
                                 double *loss, struct ym_error *error);

/* The same where several processes share a minibatch, in pieces between which they tell
** each other what they have found. The results are the bits of ym_graph_backward.
** 1. ym_graph_begin; the rows are those of the share, of a run laid out for it, apart.
** 2. ym_graph_advance until it is 0: at each stop, its blocks are wanted in all rows.
** 3. ym_graph_slopes: sums of gradients over blocks of parts are in ym_graph_partials then.
** 4. ym_graph_sum of all processes' blocks, in their order, into ym_graph_gradients; each
**    needs those beyond the parameters, and of these those that it learns.
** 5. ym_graph_settle, ym_graph_part_loss. */
enum ym_status ym_graph_begin(struct ym_graph *graph, struct ym_pool *pool,
                              const struct ym_rows *rows, const struct ym_share *share,
                              uint64_t draw, struct ym_error *error);
/* Stores blocks of (minibatch, row[i]) floats of which the rows of the share are there. */
int ym_graph_advance(struct ym_graph *graph, struct ym_pool *pool, float *blocks[2],
                     size_t row[2]);
void ym_graph_slopes(struct ym_graph *graph, struct ym_pool *pool);
/* (ym_share_blocks, ym_graph_summed) floats. */
float *ym_graph_partials(const struct ym_graph *graph);
/* Blocks of parts that a share amounts to, the fewer the rounder its ends. */
size_t ym_share_blocks(const struct ym_share *share);
/* Gradients first .. first + count - 1 become the sums of as many columns of partials, of
** all blocks: a row each, which are changed. The share of process i has the parts from
** starts[i] to below starts[i + 1]. */
void ym_graph_sum(struct ym_graph *graph, float *columns, const size_t *starts,
                  size_t shares, size_t first, size_t count);
/* The last that can fail: unusable data was met in a part of the share. */
enum ym_status ym_graph_settle(struct ym_graph *graph, struct ym_error *error);
/* The sum of the loss over part number `own` of the share; the mean loss out of the sums
** of all parts. */
double ym_graph_part_loss(const struct ym_graph *graph, size_t own);
double ym_graph_mean_loss(const struct ym_graph *graph, const double *sums,
                          size_t parts);

/* After a training run whose step was taken: lets states follow that minibatch. */
void ym_graph_learn(struct ym_graph *graph);

/* Rows of a batched node's memory in a run: all of the minibatch where some node has to
** see it whole. */
size_t ym_graph_height(const struct ym_graph *graph, const struct ym_extent *extent);

/* A node's memory: (rows, row) floats when batched, else row floats. */
float *ym_graph_value(const struct ym_graph *graph, int index, size_t *row);
/* NULL when it has none, or the loss of the last run did not depend on it, or that run
** was a forward run. */
float *ym_graph_gradient(const struct ym_graph *graph, int index);
/* All gradients that are not batched, ym_graph_summed floats: those of the parameters in
** the order of the weights, then of what is computed from these alone. */
float *ym_graph_gradients(const struct ym_graph *graph);
size_t ym_graph_summed(const struct ym_graph *graph);

#endif

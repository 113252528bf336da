/*
** Between the graph and its operators: nodes, jobs, and the row each operator has in
** a table. Only graph*.c and op_*.c include this.
**
** A batched node has the minibatch as its first axis, of any size, and everything
** else about its shape is fixed; shape[0] is then 1, so that the product of a shape is
** always the elements of one row. Parameters, constants and what is computed from
** them alone are not batched: they have one value whatever the minibatch.
*/
#ifndef OP_H
#define OP_H

#include "rng.h"
#include "simd.h"
#include "tensor.h"

/* A minibatch is split in this many parts of neighbouring rows (fewer when it has
** fewer rows), whatever the threads; in training in more where these have that many
** rows each, up to the most. */
enum { YM_PARTS = 4, YM_PART_ROWS = 128, YM_MOST_PARTS = 64 };

/* Blocks of 1, 2, 4 ... parts, up to the most. */
enum { YM_LEVELS = 7 };

/* So many products for one row are worth being shared by threads: see ym_node. */
enum { YM_SLICED = 1 << 20 };

/* A number list, or a text (numbers is then NULL). A single number is a list of 1.
** Which of these a name stands for was checked when it was recorded. */
struct ym_attribute {
	char name[16];
	char *text;
	double *numbers;
	size_t count;
};

struct ym_job;
struct ym_node;

/* What an operator asks of the whole minibatch at once. In training, measure is called
** when its inputs are there in all rows and before its forward, slopes when its
** gradient is and before its backward; each for elements first .. first + count - 1 of
** the last axis, of a job for all rows. They leave their results in the plan. learn is
** called after a step of training that succeeded, and may change states. */
struct ym_whole {
	void (*measure)(const struct ym_job *job, const struct ym_node *node, size_t first,
	                size_t count);
	void (*slopes)(const struct ym_job *job, const struct ym_node *node, size_t first,
	               size_t count);
	void (*learn)(const struct ym_job *job, const struct ym_node *node);
};

struct ym_node {
	const struct ym_operator *kind;
	int index, input_count, attribute_count;
	int *inputs; /* indices of earlier nodes */
	struct ym_attribute *attributes;

	/* Set by the operator's shape function; zero before. */
	bool batched;
	int rank;
	size_t shape[YM_RANK];
	size_t scratch; /* floats kept from forward to backward, a row */
	bool view;      /* shares the memory of its first input, in the same order */
	void *plan;     /* what forward and backward need to know; freed with the node */
	const struct ym_whole *whole; /* NULL: rows do not depend on each other */
	/* Fills prepared floats, of the weights alone, once before a training run. */
	void (*prepare)(const struct ym_job *job, const struct ym_node *node);
	size_t prepared;
	bool relu;   /* its option "activation" is "relu" */
	bool sliced; /* forward can do a share of the work of few rows: see struct ym_job */

	/* Set by the graph. */
	size_t row;          /* elements of one row, or of all when not batched */
	size_t offset;       /* of a parameter or constant: place in the weights */
	size_t slope_offset; /* not batched: place in the block of gradients */
	bool wants_gradient;
	bool needs_sums;    /* not batched, but gets gradients from batched nodes */
	bool needed, ready; /* in this run: computed, computable from the inputs fed */
	int last_use;       /* in this run: the last needed node that reads this memory */
	const struct ym_tensor *feed; /* of an input: where its rows come from */
	float *value, *gradient, *scratch_memory, *prepared_memory;
	float *sums; /* (parts computed here, row): each part's gradient */
};

/* Work after the parts went back: lines first .. first + count - 1 of the gradient of
** one node that is not batched. A line is along the last axis, or one element of a
** vector. */
struct ym_task {
	int node;
	size_t first, count;
};

struct ym_graph {
	struct ym_node *nodes;
	int count, capacity, loss;
	size_t parameters, weights; /* floats; see ym_graph_weights */
	enum ym_simd level;         /* of the kernels */
	struct ym_task *tasks;
	size_t task_count, task_size; /* task_size: floats of the largest */
	size_t summed;                /* floats of all gradients that are not batched */
	float *gradients; /* these, of the parameters first, in a training run */
	float
		*partials; /* (blocks, summed): their sums over parts, where these are wanted */
	float *workspace; /* (threads, YM_LEVELS, task_size) */
	struct ym_run *run;
};

/* What a forward or backward call is about: some rows of the minibatch, or (part
** -1) the nodes that are not batched. */
struct ym_job {
	const struct ym_node *nodes;
	int part, own;      /* own: which of the parts computed here it is */
	size_t first, rows; /* rows first .. first + rows - 1 of a batched node's memory */
	size_t base;        /* row of that memory which the first row fed goes to */
	const int32_t
		*order;    /* row base + i is row order[i] - 1 of the fed tensors; or NULL */
	size_t offset; /* it is row offset + i of them when order is NULL */
	size_t slice, slices; /* of a sliced node, forward: do this one of so many shares */
	enum ym_simd level;   /* of the kernels */
	bool training;
	uint64_t draw;          /* seed of this step's random numbers */
	struct ym_error *error; /* where an operator reports unusable data */
};

/* One operator: one row in the table of its file. Arrays are dense and row-major;
** all functions but shape are called for a job's rows. */
struct ym_operator {
	const char *name;
	const char *attributes; /* the names it knows, separated by spaces */
	int least, most;        /* how many inputs; most -1: no limit */
	enum ym_status (*shape)(const struct ym_node *nodes, struct ym_node *node,
	                        struct ym_error *error);
	void (*forward)(const struct ym_job *job, const struct ym_node *node);
	/* Adds to the gradient of each input that has one (ym_job_gradient). NULL: the
	** operator has no gradient, or is a view. */
	void (*backward)(const struct ym_job *job, const struct ym_node *node);
	/* Where one thread a part would be too few: adds to lines first .. first + count - 1
	** (see ym_task) of the gradient of an input that is not batched, from the job's rows.
	** backward then leaves such inputs from number `shared` on alone. */
	void (*backward_shared)(const struct ym_job *job, const struct ym_node *node,
	                        int input, size_t first, size_t count, float *gradient);
	int shared;
};

/* The tables, each ended by a row without a name. */
extern const struct ym_operator ym_leaf_operators[];
extern const struct ym_operator ym_elementwise_operators[];
extern const struct ym_operator ym_linear_operators[];
extern const struct ym_operator ym_shape_operators[];
extern const struct ym_operator ym_reduce_operators[];
extern const struct ym_operator ym_loss_operators[];
extern const struct ym_operator ym_random_operators[];
extern const struct ym_operator ym_norm_operators[];
extern const struct ym_operator ym_gather_operators[];
extern const struct ym_operator ym_recurrent_operators[];
extern const struct ym_operator ym_conv_operators[];
extern const struct ym_operator ym_pool_operators[];

/* The attribute, or NULL. */
const struct ym_attribute *ym_node_attribute(const struct ym_node *node,
                                             const char *name);
/* True for a leaf of this kind ("input", "param", ...). */
bool ym_node_is_leaf(const struct ym_node *node, const char *kind);
/* One number or text, or the fallback. */
double ym_node_number(const struct ym_node *node, const char *name, double fallback);
const char *ym_node_text(const struct ym_node *node, const char *name,
                         const char *fallback);

/* Reads a whole number least..most into *result; least is what a missing attribute
** gives where required is false. */
enum ym_status ym_node_integer(const struct ym_node *node, const char *name,
                               bool required, size_t least, size_t most, size_t *result,
                               struct ym_error *error);

/* Fills node->shape from axis `first` on, and its rank, from option "shape". */
enum ym_status ym_node_read_shape(struct ym_node *node, int first,
                                  struct ym_error *error);

/* Reads option "axis" of an operator on input, and counts it from 0. The batch axis is
** refused. */
enum ym_status ym_node_axis(const struct ym_node *node, const struct ym_node *input,
                            size_t *axis, struct ym_error *error);

/* Reads an option of images: one whole number 1..2^20, or one down and one across.
** fallback: both where there is no such option; 0: it is required. */
enum ym_status ym_node_pair(const struct ym_node *node, const char *name,
                            size_t fallback, size_t pair[2], struct ym_error *error);

/* Whether option "padding" is "same" and not "valid", the default. */
enum ym_status ym_node_padding(const struct ym_node *node, bool *same,
                               struct ym_error *error);

/* Whether option "activation" is "relu" and not missing. */
enum ym_status ym_node_relu(const struct ym_node *node, bool *relu,
                            struct ym_error *error);

/* Takes the activation's share out of the gradient of such a node, before anything
** else in backward. */
void ym_relu_gradient(const struct ym_job *job, const struct ym_node *node);

/* For ym_node.prepare: input 1, weights (..., in, out), as (..., out, in) in the
** prepared floats. */
void ym_turn_weights(const struct ym_job *job, const struct ym_node *node);

/* sums[column] += sum of the first count columns of lines, of `width` floats each. */
void ym_sum_columns(size_t lines, size_t width, const float *values, size_t count,
                    float *sums);

/* A node's axis as three: within a row, outer walks over all axes before it, and inner
** elements lie side by side. */
struct ym_walk {
	size_t outer, size, inner;
};
struct ym_walk ym_node_walk(const struct ym_node *node, size_t axis);

/* Makes node->plan, zeroed; NULL when there is no memory (error is then filled). */
void *ym_node_plan(struct ym_node *node, size_t bytes, struct ym_error *error);

/* "(batch, 3, 4)", for messages. Returns text. */
const char *ym_node_describe(const struct ym_node *node, char text[static 96]);

/* The shape function of operators that keep their first input's shape; and of those
** among them that work along its last axis, which cannot be the batch. */
enum ym_status ym_shape_same(const struct ym_node *nodes, struct ym_node *node,
                             struct ym_error *error);
enum ym_status ym_shape_lines(const struct ym_node *nodes, struct ym_node *node,
                              struct ym_error *error);

static inline const struct ym_node *
ym_node_input(const struct ym_node *nodes, const struct ym_node *node, int input) {
	return &nodes[node->inputs[input]];
}

/* Floats in a line of a gradient: see struct ym_task. */
static inline size_t ym_node_line(const struct ym_node *node) {
	return node->rank > 1 ? node->shape[node->rank - 1] : 1;
}

/* Rows of a node in the job: 1 when it is not batched. */
static inline size_t ym_job_rows(const struct ym_job *job, const struct ym_node *node) {
	return node->batched ? job->rows : 1;
}

/* How many elements of a node the job is about. */
static inline size_t ym_job_count(const struct ym_job *job,
                                  const struct ym_node *node) {
	return ym_job_rows(job, node) * node->row;
}

/* The first of the job's elements in a node's value. */
static inline float *ym_job_value(const struct ym_job *job,
                                  const struct ym_node *node) {
	return node->batched ? node->value + job->first * node->row : node->value;
}

/* The same in its gradient; NULL for a node that wants none. */
static inline float *ym_job_gradient(const struct ym_job *job,
                                     const struct ym_node *node) {
	if (!node->wants_gradient)
		return NULL;
	if (node->batched)
		return node->gradient + job->first * node->row;
	return job->part < 0 ? node->gradient : node->sums + (size_t)job->own * node->row;
}

/* The same in the scratch memory of a batched node. */
static inline float *ym_job_scratch(const struct ym_job *job,
                                    const struct ym_node *node) {
	return node->scratch_memory + job->first * node->scratch;
}

/* Those three of a node's input. */
static inline const float *ym_input_value(const struct ym_job *job,
                                          const struct ym_node *node, int input) {
	return ym_job_value(job, ym_node_input(job->nodes, node, input));
}

static inline float *ym_input_gradient(const struct ym_job *job,
                                       const struct ym_node *node, int input) {
	return ym_job_gradient(job, ym_node_input(job->nodes, node, input));
}

#endif

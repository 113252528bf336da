/*
** Recording: nodes with their settings, shapes and places among the weights. Running is
** in graph_run.c.
*/
#include "graph.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph_run.h"

/* Gradients that are not batched are summed in tasks of about this many floats. */
enum { TASK_SIZE = 32768 };

static const struct ym_operator *const tables[] = {
	ym_leaf_operators,      ym_elementwise_operators, ym_linear_operators,
	ym_shape_operators,     ym_reduce_operators,      ym_loss_operators,
	ym_random_operators,    ym_norm_operators,        ym_gather_operators,
	ym_recurrent_operators, ym_conv_operators,        ym_pool_operators,
};

enum { TABLES = sizeof tables / sizeof tables[0] };

/* Options that are a text, and those that may be a list of any length; all others are
** one number. A name means the same to every operator that has it. */
static const char text_options[] = "activation init method name padding";
static const char list_options[] = "axes shape size stride weights widths";

/* The row of an operator, or NULL. A search is enough: names are looked up when a graph
** is recorded, never when it runs. */
static const struct ym_operator *find_operator(const char *name) {
	for (int table = 0; table < TABLES; table++)
		for (const struct ym_operator *row = tables[table]; row->name != NULL; row++)
			if (strcmp(row->name, name) == 0)
				return row;
	return NULL;
}

void ym_graph_operators(void (*visit)(void *context, const char *name), void *context) {
	for (int table = 0; table < TABLES; table++)
		for (const struct ym_operator *row = tables[table]; row->name != NULL; row++)
			visit(context, row->name);
}

struct ym_graph *ym_graph_new(void) {
	struct ym_graph *graph = ym_alloc(1, sizeof *graph);
	if (graph == NULL)
		return NULL;
	graph->loss = -1;
	graph->level = ym_simd_best();
	graph->run = ym_alloc(1, sizeof *graph->run);
	if (graph->run == NULL) {
		ym_free(graph);
		return NULL;
	}
	return graph;
}

/* Frees what a node owns; not the node, which lies in the graph's array. */
static void free_node(struct ym_node *node) {
	for (int which = 0; which < node->attribute_count; which++) {
		ym_free(node->attributes[which].text);
		ym_free(node->attributes[which].numbers);
	}
	ym_free(node->attributes);
	ym_free(node->inputs);
	ym_free(node->plan);
}

void ym_graph_free(struct ym_graph *graph) {
	if (graph == NULL)
		return;
	for (int index = 0; index < graph->count; index++)
		free_node(&graph->nodes[index]);
	ym_free(graph->nodes);
	ym_free(graph->tasks);
	ym_free(graph->run);
	ym_free(graph);
}

/* True when name is one of the words of list. */
static bool in_list(const char *list, const char *name) {
	size_t length = strlen(name);
	if (length == 0 || strchr(name, ' ') != NULL)
		return false;
	for (const char *at = list; (at = strstr(at, name)) != NULL; at++)
		if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0))
			return true;
	return false;
}

/* Copies a setting; false when there is no memory. Its name is known to fit. */
static bool copy_setting(struct ym_attribute *attribute,
                         const struct ym_setting *setting) {
	snprintf(attribute->name, sizeof attribute->name, "%s", setting->name);
	if (setting->text != NULL) {
		size_t bytes = strlen(setting->text) + 1;
		attribute->text = ym_alloc(bytes, 1);
		if (attribute->text != NULL)
			memcpy(attribute->text, setting->text, bytes);
		return attribute->text != NULL;
	}
	attribute->count = setting->count;
	attribute->numbers = ym_alloc(setting->count, sizeof *attribute->numbers);
	if (attribute->numbers != NULL && setting->count > 0)
		memcpy(attribute->numbers, setting->numbers,
		       setting->count * sizeof *attribute->numbers);
	return attribute->numbers != NULL;
}

/* Refuses a setting that the operator does not know, or of another kind than it is. */
static enum ym_status check_setting(const struct ym_operator *kind,
                                    const struct ym_setting *setting,
                                    struct ym_error *error) {
	const char *name = setting->name;
	bool text = in_list(text_options, name), list = in_list(list_options, name);
	if (!in_list(kind->attributes, name))
		return ym_fail(error, YM_ARGUMENT, "unknown option '%.40s' (known: %s)", name,
		               kind->attributes);
	if (text && setting->text == NULL)
		return ym_fail(error, YM_ARGUMENT,
		               "option '%s' is a number or a list, expected a text", name);
	if (!text && setting->text != NULL)
		return ym_fail(error, YM_ARGUMENT, "option '%s' is '%.40s', expected %s", name,
		               setting->text, list ? "numbers" : "a number");
	if (!text && !list && setting->count != 1)
		return ym_fail(error, YM_ARGUMENT,
		               "option '%s' is a list of %zu, expected a number", name,
		               setting->count);
	for (size_t at = 0; !text && at < setting->count; at++)
		if (!(fabs(setting->numbers[at]) <= (double)FLT_MAX))
			return ym_fail(error, YM_ARGUMENT, "option '%s' is %g, too large", name,
			               setting->numbers[at]);
	return YM_OK;
}

/* Copies the settings of a new node after checking them. What was copied before a
** failure is the node's, and freed with it. */
static enum ym_status copy_settings(struct ym_node *node,
                                    const struct ym_setting *settings, int count,
                                    struct ym_error *error) {
	node->attributes = ym_alloc((size_t)count, sizeof *node->attributes);
	if (node->attributes == NULL)
		return ym_no_memory(error);
	for (int which = 0; which < count; which++) {
		enum ym_status status = check_setting(node->kind, &settings[which], error);
		if (status != YM_OK)
			return status;
		node->attribute_count++;
		if (!copy_setting(&node->attributes[which], &settings[which]))
			return ym_no_memory(error);
	}
	return YM_OK;
}

/* The rest of a new node: its inputs checked, its shape and what follows from it. */
static enum ym_status complete_node(struct ym_graph *graph, struct ym_node *node,
                                    const int *inputs, struct ym_error *error) {
	const struct ym_operator *kind = node->kind;
	bool wants = false;
	enum ym_status status;
	if (node->input_count < kind->least ||
	    (kind->most >= 0 && node->input_count > kind->most))
		return ym_fail(error, YM_ARGUMENT, "has %d inputs, expected %d..%d",
		               node->input_count, kind->least, kind->most);
	node->inputs = ym_alloc((size_t)node->input_count, sizeof *node->inputs);
	if (node->inputs == NULL)
		return ym_no_memory(error);
	for (int input = 0; input < node->input_count; input++) {
		if (inputs[input] < 0 || inputs[input] >= graph->count)
			return ym_fail(error, YM_ARGUMENT, "has no input %d", inputs[input]);
		node->inputs[input] = inputs[input];
		wants = wants || graph->nodes[inputs[input]].wants_gradient;
	}
	status = kind->shape(graph->nodes, node, error);
	if (status != YM_OK)
		return status;
	for (int axis = 0; axis < node->rank; axis++)
		if (node->shape[axis] > INT_MAX) /* BLAS takes no longer ones */
			return ym_fail(error, YM_ARGUMENT, "its shape is too large");
	if (!ym_shape_count(node->rank, node->shape, &node->row))
		return ym_fail(error, YM_ARGUMENT, "its shape is too large");
	/* A leaf has said itself whether it wants one. */
	if (node->input_count > 0)
		node->wants_gradient = wants && (kind->backward != NULL || node->view ||
		                                 kind->backward_shared != NULL);
	return YM_OK;
}

/* Doubles the room for nodes. Nodes refer to each other by index, so they may move. */
static bool grow(struct ym_graph *graph) {
	int capacity = graph->capacity == 0 ? 32 : graph->capacity * 2;
	struct ym_node *nodes = ym_alloc((size_t)capacity, sizeof *nodes);
	if (nodes == NULL)
		return false;
	if (graph->count > 0)
		memcpy(nodes, graph->nodes, (size_t)graph->count * sizeof *nodes);
	ym_free(graph->nodes);
	graph->nodes = nodes;
	graph->capacity = capacity;
	return true;
}

enum ym_status ym_graph_add(struct ym_graph *graph, const char *name, const int *inputs,
                            int input_count, const struct ym_setting *settings,
                            int setting_count, int *index, struct ym_error *error) {
	struct ym_node node = {.index = graph->count, .input_count = input_count};
	struct ym_error inner;
	enum ym_status status;
	node.kind = find_operator(name);
	if (node.kind == NULL)
		return ym_fail(error, YM_ARGUMENT, "unknown operator '%.40s'", name);
	if (graph->count == graph->capacity && !grow(graph))
		return ym_no_memory(error);
	status = copy_settings(&node, settings, setting_count, &inner);
	if (status == YM_OK)
		status = complete_node(graph, &node, inputs, &inner);
	if (status != YM_OK) {
		free_node(&node);
		return ym_fail(error, status, "%s: %.400s", name, inner.message);
	}
	*index = graph->count;
	graph->nodes[graph->count++] = node;
	return YM_OK;
}

int ym_graph_nodes(const struct ym_graph *graph) {
	return graph->count;
}

enum ym_leaf ym_graph_leaf(const struct ym_graph *graph, int index, const char **name) {
	static const char *const kinds[] = {"", "input", "param", "const", "state"};
	const struct ym_node *node = &graph->nodes[index];
	for (int kind = YM_LEAF_INPUT; kind <= YM_LEAF_STATE; kind++)
		if (strcmp(node->kind->name, kinds[kind]) == 0) {
			*name = ym_node_text(node, "name", "");
			return (enum ym_leaf)kind;
		}
	*name = NULL;
	return YM_LEAF_NONE;
}

int ym_graph_shape(const struct ym_graph *graph, int index, size_t shape[YM_RANK],
                   bool *batched) {
	const struct ym_node *node = &graph->nodes[index];
	int skipped = node->batched ? 1 : 0;
	for (int axis = skipped; axis < node->rank; axis++)
		shape[axis - skipped] = node->shape[axis];
	*batched = node->batched;
	return node->rank - skipped;
}

/* Gives parameters, then constants, then states, their places: each starts a new cache
** line. */
static enum ym_status place_leaves(struct ym_graph *graph, struct ym_error *error) {
	size_t offset = 0;
	const char *name;
	for (int kind = YM_LEAF_PARAM; kind <= YM_LEAF_STATE; kind++) {
		for (int index = 0; index < graph->count; index++) {
			struct ym_node *node = &graph->nodes[index];
			if ((int)ym_graph_leaf(graph, index, &name) != kind)
				continue;
			node->offset = offset;
			if (__builtin_add_overflow(offset, (node->row + 15) / 16 * 16, &offset))
				return ym_fail(error, YM_ARGUMENT, "the parameters are too large");
		}
		if (kind == YM_LEAF_PARAM)
			graph->parameters = offset;
	}
	graph->weights = offset;
	return YM_OK;
}

/* Finds which nodes get their gradient as a sum over parts. */
static void mark_sums(struct ym_graph *graph) {
	for (int index = 0; index < graph->count; index++) {
		const struct ym_node *node = &graph->nodes[index];
		for (int input = 0; node->batched && input < node->input_count; input++) {
			struct ym_node *source = &graph->nodes[node->inputs[input]];
			bool shared = node->kind->backward_shared != NULL &&
			              input >= node->kind->shared;
			if (!source->batched && source->wants_gradient && !shared)
				source->needs_sums = true;
		}
	}
}

/* Gives the gradients that are not batched their places: the parameters as the weights
** lie, then the others. */
static enum ym_status place_slopes(struct ym_graph *graph, struct ym_error *error) {
	graph->summed = graph->parameters;
	for (int index = 0; index < graph->count; index++) {
		struct ym_node *node = &graph->nodes[index];
		node->slope_offset = node->offset;
		if (node->batched || !node->wants_gradient || ym_node_is_leaf(node, "param"))
			continue;
		node->slope_offset = graph->summed;
		if (__builtin_add_overflow(graph->summed, (node->row + 15) / 16 * 16,
		                           &graph->summed))
			return ym_fail(error, YM_ARGUMENT, "what is not batched is too large");
	}
	return YM_OK;
}

/* Cuts node's gradient in tasks; returns how many, and writes them where tasks is
** not NULL. */
static size_t cut_tasks(const struct ym_node *node, struct ym_task *tasks) {
	size_t line = ym_node_line(node), lines = node->row / line, count = 0;
	size_t each = TASK_SIZE / line + 1;
	for (size_t first = 0; first < lines; first += each, count++)
		if (tasks != NULL)
			tasks[count] = (struct ym_task){
				.node = node->index,
				.first = first,
				.count = lines - first < each ? lines - first : each,
			};
	return count;
}

enum ym_status ym_graph_finish(struct ym_graph *graph, int loss,
                               struct ym_error *error) {
	enum ym_status status = place_leaves(graph, error);
	if (status != YM_OK)
		return status;
	if (loss >= 0 && !graph->nodes[loss].batched)
		return ym_fail(error, YM_ARGUMENT, "the loss must depend on an input");
	if (loss >= 0 && !graph->nodes[loss].wants_gradient)
		return ym_fail(error, YM_ARGUMENT, "the loss must depend on a parameter");
	graph->loss = loss;
	mark_sums(graph);
	status = place_slopes(graph, error);
	if (status != YM_OK)
		return status;
	for (int pass = 0; pass < 2; pass++) { /* count, then write */
		graph->task_count = 0;
		for (int index = 0; index < graph->count; index++) {
			const struct ym_node *node = &graph->nodes[index];
			if (!node->batched && node->wants_gradient)
				graph->task_count += cut_tasks(
					node, pass == 0 ? NULL : graph->tasks + graph->task_count);
		}
		if (pass == 0) {
			ym_free(graph->tasks); /* of a finish whose caller then failed */
			graph->tasks = ym_alloc(graph->task_count, sizeof *graph->tasks);
		}
		if (graph->tasks == NULL)
			return ym_no_memory(error);
	}
	graph->task_size = 0;
	for (size_t which = 0; which < graph->task_count; which++) {
		const struct ym_task *task = &graph->tasks[which];
		size_t size = task->count * ym_node_line(&graph->nodes[task->node]);
		graph->task_size = size > graph->task_size ? size : graph->task_size;
	}
	return YM_OK;
}

size_t ym_graph_weights(const struct ym_graph *graph) {
	return graph->weights;
}

size_t ym_graph_parameters(const struct ym_graph *graph) {
	return graph->parameters;
}

/* Values of parameters, constants and states stay where they are from now on; all
** others have a new place in every run (ym_graph_place). */
void ym_graph_place_weights(struct ym_graph *graph, float *weights) {
	const char *name;
	for (int index = 0; index < graph->count; index++)
		if (ym_graph_leaf(graph, index, &name) >= YM_LEAF_PARAM)
			graph->nodes[index].value = weights + graph->nodes[index].offset;
}

/* Glorot and Bengio 2010: variance 2 / (in + out), uniform. He et al. 2015 (Kaiming):
** variance 2 / in, normal. Each also with the other distribution. A matrix is
** (in, out), a convolution's weight (height, width, in, out): all its places count. */
static void initialise(struct ym_node *node, struct ym_rng *rng) {
	const char *kind = ym_node_text(node, "init", "zeros");
	bool window = node->rank == 4, glorot = strncmp(kind, "glorot", 6) == 0;
	double last = node->rank > 0 ? (double)node->shape[node->rank - 1] : 1;
	double in = (double)node->row / last;
	double out = window ? (double)node->row / (double)node->shape[2] : last;
	double scale = strcmp(kind, "zeros") == 0 ? 0 : ym_node_number(node, "value", 1);
	bool normal = strcmp(kind, "normal") == 0 || strcmp(kind, "kaiming") == 0 ||
	              strcmp(kind, "glorot_normal") == 0;
	bool uniform = strcmp(kind, "uniform") == 0 || strcmp(kind, "glorot") == 0 ||
	               strcmp(kind, "kaiming_uniform") == 0;
	if (glorot || strncmp(kind, "kaiming", 7) == 0)
		scale *= sqrt((uniform ? 6 : 2) / (glorot ? in + out : fmax(in, 1)));
	for (size_t at = 0; at < node->row; at++) {
		double draw = uniform  ? 2 * ym_rng_uniform(rng) - 1
		              : normal ? ym_rng_normal(rng)
		                       : 1;
		node->value[at] = (float)(scale * draw);
	}
}

/* Each parameter has a random stream of its own, by its number: adding one at the end
** does not change those before. */
void ym_graph_initialise(struct ym_graph *graph, uint64_t seed) {
	uint64_t stream = 0;
	const char *name;
	for (int index = 0; index < graph->count; index++) {
		struct ym_rng rng;
		enum ym_leaf leaf = ym_graph_leaf(graph, index, &name);
		if (leaf != YM_LEAF_PARAM && leaf != YM_LEAF_STATE)
			continue;
		ym_rng_seed(&rng, seed, leaf == YM_LEAF_PARAM ? ++stream : 0);
		initialise(&graph->nodes[index], &rng);
	}
}

/*
** Where a run's values and gradients lie, and what is fed to it.
*/
#include <string.h>

#include "graph_run.h"

struct ym_node *ym_graph_owner(struct ym_graph *graph, int index) {
	while (graph->nodes[index].view)
		index = graph->nodes[index].inputs[0];
	return &graph->nodes[index];
}

/* Hands out places in a block of memory, or (base NULL) only measures it. */
struct layout {
	const struct ym_extent *extent;
	size_t height; /* rows of batched nodes */
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

/* One node's value, gradient and scratch memory. The gradients of what is not batched
** are in a block of their own. */
static void place_node(struct layout *layout, struct ym_node *node) {
	bool fixed = ym_node_is_leaf(node, "param") || ym_node_is_leaf(node, "const") ||
	             ym_node_is_leaf(node, "state");
	bool training = layout->extent->training, slopes = training && node->wants_gradient;
	size_t height = node->batched ? layout->height : 1;
	struct ym_node place = {0};
	if (!fixed)
		place.value = take(layout, height, node->row);
	if (slopes && node->batched)
		place.gradient = take(layout, height, node->row);
	if (training && node->needs_sums)
		place.sums = take(layout, layout->extent->share.count, node->row);
	if (node->scratch > 0)
		place.scratch_memory = take(layout, height, node->scratch);
	if (slopes)
		place.prepared_memory = take(layout, 1, node->prepared);
	if (layout->base == NULL)
		return;
	if (!fixed)
		node->value = place.value;
	if (node->batched || !slopes)
		node->gradient = place.gradient;
	node->sums = place.sums;
	node->scratch_memory = place.scratch_memory;
	node->prepared_memory = place.prepared_memory;
}

/* The gradients that are not batched come first, those of the parameters as the weights
** lie, so that an optimiser walks over both side by side; then each node in turn. A view
** has the addresses of the node it shows. */
static void place_all(struct ym_graph *graph, struct layout *layout) {
	const struct ym_extent *extent = layout->extent;
	bool apart = extent->training && extent->apart;
	size_t threads = extent->training ? (size_t)extent->threads : 0;
	float *gradients = take(layout, extent->training ? 1 : 0, graph->summed);
	float *partials = take(layout, apart ? ym_share_blocks(&extent->share) : 0,
	                       graph->summed);
	float *workspace = take(layout, threads * YM_LEVELS, graph->task_size);
	for (int index = 0; index < graph->count; index++) {
		struct ym_node *node = &graph->nodes[index];
		if (!node->view) {
			if (layout->base != NULL && extent->training && node->wants_gradient)
				node->gradient = gradients + node->slope_offset;
			place_node(layout, node);
		} else if (layout->base != NULL) {
			node->value = ym_graph_owner(graph, index)->value;
			node->gradient = ym_graph_owner(graph, index)->gradient;
		}
	}
	if (layout->base != NULL) {
		graph->gradients = gradients;
		graph->partials = apart ? partials : NULL;
		graph->workspace = workspace;
	}
}

size_t ym_graph_measure(struct ym_graph *graph, const struct ym_extent *extent) {
	struct layout layout = {.extent = extent, .height = ym_graph_height(graph, extent)};
	place_all(graph, &layout);
	if (layout.overflow || layout.used > PTRDIFF_MAX / sizeof(float))
		return 0;
	return layout.used == 0 ? 1 : layout.used;
}

/* What lies between the gradients of parameters counts in the norm, and no task fills it. */
static void clear_gaps(const struct ym_graph *graph, size_t partials) {
	memset(graph->gradients, 0, graph->summed * sizeof *graph->gradients);
	for (int index = 0; partials > 0 && index < graph->count; index++) {
		const struct ym_node *node = &graph->nodes[index];
		size_t gap = (16 - node->row % 16) % 16;
		for (size_t own = 0; !node->batched && node->wants_gradient && own < partials;
		     own++)
			memset(graph->partials + own * graph->summed + node->slope_offset +
			           node->row,
			       0, gap * sizeof *graph->partials);
	}
}

void ym_graph_place(struct ym_graph *graph, const struct ym_extent *extent,
                    float *memory) {
	struct layout layout = {.extent = extent, .height = ym_graph_height(graph, extent)};
	layout.base = memory;
	place_all(graph, &layout);
	if (extent->training)
		clear_gaps(graph, extent->apart ? ym_share_blocks(&extent->share) : 0);
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

void ym_run_mark(struct ym_graph *graph, const int *nodes, int count) {
	for (int index = 0; index < graph->count; index++) {
		graph->nodes[index].needed = false;
		graph->nodes[index].last_use = -1;
	}
	for (int which = 0; which < count; which++)
		graph->nodes[nodes[which]].needed = true;
	for (int index = graph->count - 1; index >= 0; index--) {
		const struct ym_node *node = &graph->nodes[index];
		for (int input = 0; node->needed && input < node->input_count; input++) {
			struct ym_node *source = ym_graph_owner(graph, node->inputs[input]);
			graph->nodes[node->inputs[input]].needed = true;
			if (!node->view && node->wants_gradient && source->last_use < 0)
				source->last_use = index;
		}
	}
}

enum ym_status ym_run_check(const struct ym_graph *graph, const struct ym_rows *rows,
                            struct ym_error *error) {
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

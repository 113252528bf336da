/*
** What shape functions share: reading attributes, describing shapes in messages.
*/
#include "op.h"

#include <stdio.h>
#include <string.h>

/* Nodes have a handful of attributes: a search is enough. */
const struct ym_attribute *ym_node_attribute(const struct ym_node *node,
                                             const char *name) {
	for (int which = 0; which < node->attribute_count; which++)
		if (strcmp(node->attributes[which].name, name) == 0)
			return &node->attributes[which];
	return NULL;
}

bool ym_node_is_leaf(const struct ym_node *node, const char *kind) {
	return strcmp(node->kind->name, kind) == 0;
}

double ym_node_number(const struct ym_node *node, const char *name, double fallback) {
	const struct ym_attribute *attribute = ym_node_attribute(node, name);
	return attribute != NULL ? attribute->numbers[0] : fallback;
}

const char *ym_node_text(const struct ym_node *node, const char *name,
                         const char *fallback) {
	const struct ym_attribute *attribute = ym_node_attribute(node, name);
	return attribute != NULL ? attribute->text : fallback;
}

/* Numbers come from Lua or a file as doubles: range first, then the cast. */
enum ym_status ym_node_integer(const struct ym_node *node, const char *name,
                               bool required, size_t least, size_t most, size_t *result,
                               struct ym_error *error) {
	const struct ym_attribute *attribute = ym_node_attribute(node, name);
	double number;
	*result = least;
	if (attribute == NULL && !required)
		return YM_OK;
	if (attribute == NULL)
		return ym_fail(error, YM_ARGUMENT, "option '%s' is missing", name);
	number = attribute->numbers[0];
	if (!(number >= (double)least && number <= (double)most) ||
	    number != (double)(size_t)number)
		return ym_fail(error, YM_ARGUMENT,
		               "option '%s' is %g, expected a whole number %zu..%zu", name,
		               number, least, most);
	*result = (size_t)number;
	return YM_OK;
}

enum ym_status ym_node_read_shape(struct ym_node *node, int first,
                                  struct ym_error *error) {
	const struct ym_attribute *shape = ym_node_attribute(node, "shape");
	if (shape == NULL || shape->count > (size_t)(YM_RANK - first))
		return ym_fail(error, YM_ARGUMENT, "option 'shape' must be a list of up to %d",
		               YM_RANK - first);
	node->rank = first + (int)shape->count;
	node->shape[0] = 1;
	for (size_t axis = 0; axis < shape->count; axis++) {
		double size = shape->numbers[axis];
		if (!(size >= 1 && size <= 0x1p30) || size != (double)(size_t)size)
			return ym_fail(error, YM_ARGUMENT,
			               "axis %zu of the shape is %g, expected a whole number",
			               axis + 1, size);
		node->shape[first + (int)axis] = (size_t)size;
	}
	return YM_OK;
}

enum ym_status ym_node_axis(const struct ym_node *node, const struct ym_node *input,
                            size_t *axis, struct ym_error *error) {
	size_t least = input->batched ? 2 : 1;
	enum ym_status status;
	if ((size_t)input->rank < least)
		return ym_fail(error, YM_ARGUMENT, "has no axis to work on");
	status = ym_node_integer(node, "axis", true, least, (size_t)input->rank, axis,
	                         error);
	(*axis)--;
	return status;
}

enum ym_status ym_node_pair(const struct ym_node *node, const char *name,
                            size_t fallback, size_t pair[2], struct ym_error *error) {
	const struct ym_attribute *option = ym_node_attribute(node, name);
	pair[0] = pair[1] = fallback;
	if (option == NULL && fallback > 0)
		return YM_OK;
	if (option == NULL || option->count < 1 || option->count > 2)
		return ym_fail(error, YM_ARGUMENT, "option '%s' must be one or two numbers",
		               name);
	for (size_t side = 0; side < 2; side++) {
		double number = option->numbers[side % option->count];
		if (!(number >= 1 && number <= 0x1p20) || number != (double)(size_t)number)
			return ym_fail(error, YM_ARGUMENT,
			               "option '%s' is %g, expected a whole number 1..1048576",
			               name, number);
		pair[side] = (size_t)number;
	}
	return YM_OK;
}

enum ym_status ym_node_padding(const struct ym_node *node, bool *same,
                               struct ym_error *error) {
	const char *padding = ym_node_text(node, "padding", "valid");
	*same = strcmp(padding, "same") == 0;
	if (!*same && strcmp(padding, "valid") != 0)
		return ym_fail(error, YM_ARGUMENT, "padding is '%.40s', expected same or valid",
		               padding);
	return YM_OK;
}

enum ym_status ym_node_relu(const struct ym_node *node, bool *relu,
                            struct ym_error *error) {
	const char *activation = ym_node_text(node, "activation", "");
	*relu = strcmp(activation, "relu") == 0;
	if (!*relu && ym_node_attribute(node, "activation") != NULL)
		return ym_fail(error, YM_ARGUMENT, "activation is '%.40s', expected relu",
		               activation);
	return YM_OK;
}

struct ym_walk ym_node_walk(const struct ym_node *node, size_t axis) {
	struct ym_walk walk = {.outer = 1, .size = node->shape[axis], .inner = 1};
	for (size_t before = 0; before < axis; before++)
		walk.outer *= node->shape[before];
	for (size_t after = axis + 1; after < (size_t)node->rank; after++)
		walk.inner *= node->shape[after];
	return walk;
}

void *ym_node_plan(struct ym_node *node, size_t bytes, struct ym_error *error) {
	node->plan = ym_alloc(bytes, 1);
	if (node->plan == NULL)
		ym_no_memory(error);
	return node->plan;
}

/* Long shapes are cut: text never overflows. */
const char *ym_node_describe(const struct ym_node *node, char text[static 96]) {
	size_t used = (size_t)snprintf(text, 96, "(");
	for (int axis = 0; axis < node->rank && used < 90; axis++) {
		const char *comma = axis > 0 ? ", " : "";
		int wrote = axis == 0 && node->batched
		                ? snprintf(text + used, 96 - used, "%sbatch", comma)
		                : snprintf(text + used, 96 - used, "%s%zu", comma,
		                           node->shape[axis]);
		used += (size_t)wrote;
	}
	if (used < 95)
		snprintf(text + used, 96 - used, ")");
	return text;
}

enum ym_status ym_shape_same(const struct ym_node *nodes, struct ym_node *node,
                             struct ym_error *error) {
	const struct ym_node *input = ym_node_input(nodes, node, 0);
	(void)error;
	node->batched = input->batched;
	node->rank = input->rank;
	memcpy(node->shape, input->shape, sizeof node->shape);
	return YM_OK;
}

enum ym_status ym_shape_lines(const struct ym_node *nodes, struct ym_node *node,
                              struct ym_error *error) {
	ym_shape_same(nodes, node, error);
	if (node->rank < (node->batched ? 2 : 1))
		return ym_fail(error, YM_ARGUMENT, "has no axis to work on");
	return YM_OK;
}

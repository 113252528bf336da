/*
** Images, (batch, height, width, channels), made smaller or larger, each channel for
** itself; of sounds with height 1.
**   max_pool, mean_pool (x)   over windows. Options: size, one number or one down and
**     one across; stride, likewise, default size; padding, "valid" (default) or "same"
**     as in op_conv.c: what lies outside counts neither for maximum nor mean
**   resize (x)   to option size (height and width); option method, "nearest" (default:
**     pixel i of n shows pixel floor(i m / n) of m) or "linear" (between middles of
**     pixels: (i + 1/2) m / n - 1/2). Both are what PyTorch's interpolate does.
*/
#include <math.h>
#include <string.h>

#include "op.h"

enum method { WINDOWS, NEAREST, LINEAR };

/* One direction. */
struct axis {
	enum method method;
	size_t from, to; /* pixels */
	size_t size, stride, before;
};

struct pool {
	struct axis down, across;
};

/* What a pixel of the result is made of: count pixels from first on. In a sum the last
** has the share `last`, and the others equal shares of what is left of 1. */
struct reach {
	size_t first, count;
	float last;
};

static struct reach find_reach(const struct axis *axis, size_t at) {
	struct reach reach = {.count = 1, .last = 1};
	if (axis->method == NEAREST) {
		reach.first = at * axis->from / axis->to;
	} else if (axis->method == LINEAR) {
		double scale = (double)axis->from / (double)axis->to;
		double middle = fmax(((double)at + 0.5) * scale - 0.5, 0);
		reach.first = (size_t)middle;
		if (reach.first + 1 < axis->from) {
			reach.count = 2;
			reach.last = (float)(middle - (double)reach.first);
		}
	} else {
		size_t start = at * axis->stride, end = axis->from + axis->before;
		end = start + axis->size < end ? start + axis->size : end;
		start = start > axis->before ? start : axis->before;
		reach.first = start - axis->before;
		reach.count = end - start;
		reach.last = 1 / (float)reach.count;
	}
	return reach;
}

static float share(const struct reach *reach, size_t at) {
	return at + 1 == reach->count ? reach->last
	                              : (1 - reach->last) / (float)(reach->count - 1);
}

/* Checks x and makes the plan and the shape, whose axes are still to be filled. */
static enum ym_status begin_shape(const struct ym_node *nodes, struct ym_node *node,
                                  struct pool **pool, size_t size[2],
                                  struct ym_error *error) {
	const struct ym_node *x = ym_node_input(nodes, node, 0);
	char text[96];
	*pool = ym_node_plan(node, sizeof **pool, error);
	if (*pool == NULL)
		return YM_MEMORY;
	if (!x->batched || x->rank != 4)
		return ym_fail(error, YM_ARGUMENT,
		               "the shape is %s, expected (batch, height, width, channels)",
		               ym_node_describe(x, text));
	ym_shape_same(nodes, node, error);
	(*pool)->down.from = x->shape[1];
	(*pool)->across.from = x->shape[2];
	return ym_node_pair(node, "size", 0, size, error);
}

static enum ym_status pool_shape(const struct ym_node *nodes, struct ym_node *node,
                                 struct ym_error *error) {
	struct pool *pool;
	size_t size[2], stride[2];
	bool same;
	enum ym_status status = begin_shape(nodes, node, &pool, size, error);
	if (status == YM_OK)
		status = ym_node_padding(node, &same, error);
	if (status == YM_OK)
		status = ym_node_pair(node, "stride", 1, stride, error);
	if (status != YM_OK)
		return status;
	for (int side = 0; side < 2; side++) {
		struct axis *axis = side == 0 ? &pool->down : &pool->across;
		size_t reach;
		axis->size = size[side];
		axis->stride = ym_node_attribute(node, "stride") ? stride[side] : size[side];
		if (!same && axis->size > axis->from)
			return ym_fail(error, YM_ARGUMENT, "the window is %zu, larger than %zu",
			               axis->size, axis->from);
		axis->to = (same ? axis->from - 1 : axis->from - axis->size) / axis->stride + 1;
		reach = (axis->to - 1) * axis->stride + axis->size;
		axis->before = reach > axis->from ? (reach - axis->from) / 2 : 0;
		node->shape[side + 1] = axis->to;
	}
	return YM_OK;
}

/* For backward it keeps which pixel of its window each maximum is. */
static enum ym_status max_shape(const struct ym_node *nodes, struct ym_node *node,
                                struct ym_error *error) {
	enum ym_status status = pool_shape(nodes, node, error);
	node->scratch = node->shape[1] * node->shape[2] * node->shape[3];
	return status;
}

static enum ym_status resize_shape(const struct ym_node *nodes, struct ym_node *node,
                                   struct ym_error *error) {
	const char *method = ym_node_text(node, "method", "nearest");
	bool linear = strcmp(method, "linear") == 0;
	struct pool *pool;
	size_t size[2];
	enum ym_status status = begin_shape(nodes, node, &pool, size, error);
	if (status != YM_OK)
		return status;
	if (!linear && strcmp(method, "nearest") != 0)
		return ym_fail(error, YM_ARGUMENT,
		               "method is '%.40s', expected nearest or linear", method);
	pool->down.method = pool->across.method = linear ? LINEAR : NEAREST;
	node->shape[1] = pool->down.to = size[0];
	node->shape[2] = pool->across.to = size[1];
	return YM_OK;
}

/* Calls visit for every pixel of the result in a job and every pixel it is made of,
** with their places in floats (of their first channels), the latter's number in its
** window, and its share of the sum. */
static void each_pixel(const struct ym_job *job, const struct ym_node *node,
                       void (*visit)(const struct ym_job *job,
                                     const struct ym_node *node, size_t to, size_t from,
                                     size_t number, float share)) {
	const struct pool *pool = node->plan;
	const struct axis *y = &pool->down, *x = &pool->across;
	size_t channels = node->shape[3], lines = job->rows * y->to;
	for (size_t line = 0; line < lines; line++) {
		struct reach down = find_reach(y, line % y->to);
		size_t top = line / y->to * y->from + down.first;
		for (size_t column = 0; column < x->to; column++) {
			struct reach across = find_reach(x, column);
			size_t to = (line * x->to + column) * channels;
			for (size_t at = 0; at < down.count * across.count; at++) {
				size_t row = at / across.count, place = at % across.count;
				size_t from = ((top + row) * x->from + across.first + place) * channels;
				visit(job, node, to, from, at,
				      share(&down, row) * share(&across, place));
			}
		}
	}
}

static void add_forward(const struct ym_job *job, const struct ym_node *node, size_t to,
                        size_t from, size_t number, float part) {
	const float *restrict x = ym_input_value(job, node, 0) + from;
	float *restrict y = ym_job_value(job, node) + to;
	for (size_t at = 0; at < node->shape[3]; at++)
		y[at] = (number == 0 ? 0 : y[at]) + part * x[at];
}

static void add_backward(const struct ym_job *job, const struct ym_node *node,
                         size_t to, size_t from, size_t number, float part) {
	const float *restrict dy = ym_job_gradient(job, node) + to;
	float *restrict dx = ym_input_gradient(job, node, 0) + from;
	(void)number;
	for (size_t at = 0; at < node->shape[3]; at++)
		dx[at] += part * dy[at];
}

/* What is not a number is the maximum. */
static void max_forward_pixel(const struct ym_job *job, const struct ym_node *node,
                              size_t to, size_t from, size_t number, float part) {
	const float *restrict x = ym_input_value(job, node, 0) + from;
	float *restrict y = ym_job_value(job, node) + to;
	float *restrict which = ym_job_scratch(job, node) + to;
	(void)part;
	for (size_t at = 0; at < node->shape[3]; at++) {
		bool larger = number == 0 || !(x[at] <= y[at]);
		which[at] = larger ? (float)number : which[at];
		y[at] = larger ? x[at] : y[at];
	}
}

static void max_backward_pixel(const struct ym_job *job, const struct ym_node *node,
                               size_t to, size_t from, size_t number, float part) {
	const float *restrict dy = ym_job_gradient(job, node) + to;
	const float *restrict which = ym_job_scratch(job, node) + to;
	float *restrict dx = ym_input_gradient(job, node, 0) + from;
	(void)part;
	for (size_t at = 0; at < node->shape[3]; at++)
		dx[at] += which[at] == (float)number ? dy[at] : 0;
}

static void blend_forward(const struct ym_job *job, const struct ym_node *node) {
	each_pixel(job, node, add_forward);
}

static void blend_backward(const struct ym_job *job, const struct ym_node *node) {
	each_pixel(job, node, add_backward);
}

static void max_forward(const struct ym_job *job, const struct ym_node *node) {
	each_pixel(job, node, max_forward_pixel);
}

static void max_backward(const struct ym_job *job, const struct ym_node *node) {
	each_pixel(job, node, max_backward_pixel);
}

const struct ym_operator ym_pool_operators[] = {
	{"max_pool", "size stride padding", 1, 1, max_shape, max_forward, max_backward,
     NULL, 0},
	{"mean_pool", "size stride padding", 1, 1, pool_shape, blend_forward,
     blend_backward, NULL, 0},
	{"resize", "size method", 1, 1, resize_shape, blend_forward, blend_backward, NULL,
     0},
	{0},
};

/*
** Element by element: add sub mul div, which broadcast as NumPy does, and functions of
** one input.
*/
#include <math.h>

#include "element.h"
#include "elementary.h"
#include "op.h"

/* Broadcasting: the axes of one row of the result, with steps into each operand (0
** where it repeats). The last axis is walked in chunks of CHUNK. */
enum { CHUNK = 256 };

struct broadcast {
	int rank;
	size_t size[YM_RANK];
	size_t step[2][YM_RANK];
};

/* What one operator computes for n elements. slope_a and slope_b give the change of
** the loss by a and by b, given that by the result. */
struct arithmetic {
	void (*result)(size_t n, float *y, const float *a, const float *b);
	void (*slope[2])(size_t n, float *d, const float *dy, const float *a,
	                 const float *b);
};

/* Joins neighbouring axes that both operands walk alike, so that most operators have
** one or two left. */
static void collapse(struct broadcast *plan) {
	int kept = 0;
	for (int axis = 0; axis < plan->rank; axis++) {
		bool join = kept > 0;
		if (plan->size[axis] == 1)
			continue;
		for (int side = 0; side < 2 && join; side++)
			join = plan->step[side][kept - 1] ==
			       plan->step[side][axis] * plan->size[axis];
		if (!join)
			kept++;
		plan->size[kept - 1] = plan->size[axis] * (join ? plan->size[kept - 1] : 1);
		plan->step[0][kept - 1] = plan->step[0][axis];
		plan->step[1][kept - 1] = plan->step[1][axis];
	}
	if (kept == 0) {
		plan->size[0] = 1;
		kept = 1;
	}
	plan->rank = kept;
}

/* Axes are aligned at the last; each is as long as the longer side's, and the other's
** must be as long or 1. steps are in elements of the operand, within one row of it. */
static enum ym_status broadcast_shape(const struct ym_node *nodes, struct ym_node *node,
                                      struct ym_error *error) {
	const struct ym_node *side[2] = {ym_node_input(nodes, node, 0),
	                                 ym_node_input(nodes, node, 1)};
	struct broadcast *plan = ym_node_plan(node, sizeof *plan, error);
	size_t step[2] = {1, 1};
	char text[2][96];
	if (plan == NULL)
		return YM_MEMORY;
	node->rank = side[0]->rank > side[1]->rank ? side[0]->rank : side[1]->rank;
	node->batched = side[0]->batched || side[1]->batched;
	plan->rank = node->rank;
	for (int axis = node->rank - 1; axis >= 0; axis--) {
		size_t size[2];
		for (int which = 0; which < 2; which++) {
			int own = axis - (node->rank - side[which]->rank);
			size[which] = own < 0 ? 1 : side[which]->shape[own];
			/* The batch axis is nobody else's: it has to come first. */
			if (side[which]->batched && side[which]->rank < node->rank)
				size[which] = 0;
			plan->step[which][axis] = size[which] == 1 ? 0 : step[which];
			step[which] *= size[which];
		}
		if (size[0] == 0 || size[1] == 0 ||
		    (size[0] != size[1] && size[0] != 1 && size[1] != 1))
			return ym_fail(error, YM_ARGUMENT, "shapes %s and %s do not go together",
			               ym_node_describe(side[0], text[0]),
			               ym_node_describe(side[1], text[1]));
		node->shape[axis] = plan->size[axis] = size[0] > size[1] ? size[0] : size[1];
	}
	if (node->batched && node->shape[0] != 1)
		return ym_fail(error, YM_ARGUMENT, "shapes %s and %s do not go together",
		               ym_node_describe(side[0], text[0]),
		               ym_node_describe(side[1], text[1]));
	collapse(plan);
	return YM_OK;
}

/* n elements from `from`, as an array: itself, or one element repeated into space. */
static const float *spread(const float *from, size_t step, float *space, size_t n) {
	if (step == 1)
		return from;
	for (size_t at = 0; at < n; at++)
		space[at] = *from;
	return space;
}

/* Part of one row: n elements of the result at y, from[] in the operands. A line is one
** walk along the last axis. */
struct chunk {
	size_t n, y, from[2];
};

static struct chunk find_chunk(const struct broadcast *plan, size_t line,
                               size_t start) {
	int last = plan->rank - 1;
	struct chunk chunk = {.n = plan->size[last] - start,
	                      .y = line * plan->size[last] + start};
	if (chunk.n > CHUNK)
		chunk.n = CHUNK;
	for (int side = 0; side < 2; side++)
		chunk.from[side] = start * plan->step[side][last];
	for (int axis = last - 1; axis >= 0; axis--) {
		for (int side = 0; side < 2; side++)
			chunk.from[side] += line % plan->size[axis] * plan->step[side][axis];
		line /= plan->size[axis];
	}
	return chunk;
}

/* y = result(a, b), row by row; an operand that is not batched is the same for all. */
static void run_broadcast(const struct ym_job *job, const struct ym_node *node,
                          const struct arithmetic *arithmetic) {
	const struct broadcast *plan = node->plan;
	size_t width = plan->size[plan->rank - 1], lines = node->row / width;
	size_t rows = ym_job_rows(job, node);
	float *y = ym_job_value(job, node), space[2][CHUNK];
	for (size_t row = 0; row < rows; row++, y += node->row) {
		const float *side[2];
		for (int which = 0; which < 2; which++) {
			const struct ym_node *input = ym_node_input(job->nodes, node, which);
			side[which] = ym_job_value(job, input) +
			              (input->batched ? row * input->row : 0);
		}
		for (size_t line = 0; line < lines; line++)
			for (size_t start = 0; start < width; start += CHUNK) {
				struct chunk at = find_chunk(plan, line, start);
				const float *a = side[0] + at.from[0], *b = side[1] + at.from[1];
				arithmetic->result(
					at.n, y + at.y,
					spread(a, plan->step[0][plan->rank - 1], space[0], at.n),
					spread(b, plan->step[1][plan->rank - 1], space[1], at.n));
			}
	}
}

/* Adds the n slopes of a chunk where they belong: side by side, or all to one. */
static void gather(const float *slope, size_t n, size_t step, float *to) {
	double sum = 0;
	if (step == 1) {
		for (size_t at = 0; at < n; at++)
			to[at] += slope[at];
		return;
	}
	for (size_t at = 0; at < n; at++)
		sum += (double)slope[at];
	*to += (float)sum;
}

/* Adds the slope by one operand (which) to its gradient, if it has one. */
static void slope_broadcast(const struct ym_job *job, const struct ym_node *node,
                            const struct arithmetic *arithmetic, int which) {
	const struct broadcast *plan = node->plan;
	int last = plan->rank - 1;
	size_t width = plan->size[last], lines = node->row / width;
	size_t rows = ym_job_rows(job, node);
	const float *dy = ym_job_gradient(job, node);
	float *gradient = ym_input_gradient(job, node, which), space[2][CHUNK],
		  slope[CHUNK];
	if (gradient == NULL)
		return;
	for (size_t row = 0; row < rows; row++, dy += node->row) {
		const float *side[2];
		float *to = gradient;
		for (int input = 0; input < 2; input++) {
			const struct ym_node *source = ym_node_input(job->nodes, node, input);
			size_t skip = source->batched ? row * source->row : 0;
			side[input] = ym_job_value(job, source) + skip;
			to += input == which ? skip : 0;
		}
		for (size_t line = 0; line < lines; line++)
			for (size_t start = 0; start < width; start += CHUNK) {
				struct chunk at = find_chunk(plan, line, start);
				const float *a = side[0] + at.from[0], *b = side[1] + at.from[1];
				arithmetic->slope[which](
					at.n, slope, dy + at.y,
					spread(a, plan->step[0][last], space[0], at.n),
					spread(b, plan->step[1][last], space[1], at.n));
				gather(slope, at.n, plan->step[which][last], to + at.from[which]);
			}
	}
}

/* The three loops of an operator and its forward and backward, from expressions in
** a, b, y and dy. */
#define ARITHMETIC(name, expression, slope_a, slope_b)                                 \
	static void name##_result(size_t n, float *restrict out, const float *left,        \
	                          const float *right) {                                    \
		for (size_t i = 0; i < n; i++) {                                               \
			float a = left[i], b = right[i];                                           \
			out[i] = expression;                                                       \
		}                                                                              \
	}                                                                                  \
	static void name##_slope_a(size_t n, float *restrict out, const float *above,      \
	                           const float *left, const float *right) {                \
		for (size_t i = 0; i < n; i++) {                                               \
			float a = left[i], b = right[i], dy = above[i];                            \
			(void)a, (void)b;                                                          \
			out[i] = slope_a;                                                          \
		}                                                                              \
	}                                                                                  \
	static void name##_slope_b(size_t n, float *restrict out, const float *above,      \
	                           const float *left, const float *right) {                \
		for (size_t i = 0; i < n; i++) {                                               \
			float a = left[i], b = right[i], dy = above[i];                            \
			(void)a, (void)b;                                                          \
			out[i] = slope_b;                                                          \
		}                                                                              \
	}                                                                                  \
	static const struct arithmetic name##_loops = {name##_result,                      \
	                                               {name##_slope_a, name##_slope_b}};  \
	static void name##_forward(const struct ym_job *job, const struct ym_node *node) { \
		run_broadcast(job, node, &name##_loops);                                       \
	}                                                                                  \
	static void name##_backward(const struct ym_job *job,                              \
	                            const struct ym_node *node) {                          \
		slope_broadcast(job, node, &name##_loops, 0);                                  \
		slope_broadcast(job, node, &name##_loops, 1);                                  \
	}

ARITHMETIC(add, a + b, dy, dy)
ARITHMETIC(sub, a - b, dy, -dy)
ARITHMETIC(mul, (a * b), (dy * b), (dy * a))
ARITHMETIC(div, a / b, dy / b, -dy / (b * b) * a)

/* An operator of one input: y from x, and dy's factor from x and y. setup names what
** both need from the node. */
#define FUNCTION(name, setup, expression, slope)                                       \
	static void name##_forward(const struct ym_job *job, const struct ym_node *node) { \
		const float *restrict in = ym_input_value(job, node, 0);                       \
		float *restrict out = ym_job_value(job, node);                                 \
		size_t n = ym_job_count(job, node);                                            \
		setup;                                                                         \
		for (size_t i = 0; i < n; i++) {                                               \
			float x = in[i];                                                           \
			out[i] = expression;                                                       \
		}                                                                              \
	}                                                                                  \
	SLOPE(name, setup, slope)

/* One whose forward is a loop of element.h. */
#define ELEMENT(name, slope)                                                           \
	static void name##_forward(const struct ym_job *job, const struct ym_node *node) { \
		ym_element_at(job->level)                                                      \
			->name(ym_job_count(job, node), ym_input_value(job, node, 0),              \
		           ym_job_value(job, node));                                           \
	}                                                                                  \
	SLOPE(name, (void)0, slope)

#define SLOPE(name, setup, slope)                                                      \
	static void name##_backward(const struct ym_job *job,                              \
	                            const struct ym_node *node) {                          \
		const float *restrict in = ym_input_value(job, node, 0);                       \
		const float *restrict out = ym_job_value(job, node);                           \
		const float *restrict above = ym_job_gradient(job, node);                      \
		float *restrict to = ym_input_gradient(job, node, 0);                          \
		size_t n = to == NULL ? 0 : ym_job_count(job, node);                           \
		setup;                                                                         \
		for (size_t i = 0; i < n; i++) {                                               \
			float x = in[i], y = out[i];                                               \
			(void)x, (void)y;                                                          \
			to[i] += above[i] * (slope);                                               \
		}                                                                              \
	}

FUNCTION(neg, (void)0, -x, -1.0f)
ELEMENT(exp, y)
FUNCTION(log, (void)0, logf(x), 1 / x)
FUNCTION(square, (void)0, (x * x), 2 * x)
FUNCTION(sqrt, (void)0, sqrtf(x), 0.5f / y)
FUNCTION(abs, (void)0, fabsf(x), x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f)
ELEMENT(tanh, 1 - y * y)
ELEMENT(sigmoid, (y * (1 - y)))
/* relu and clamp are written so that what is not a number stays it. */
static inline float bound(float x, float least, float most) {
	float low = x < least ? least : x;
	return low > most ? most : low;
}

FUNCTION(relu, (void)0, x <= 0 ? 0 : x, x > 0 ? 1.0f : 0.0f)
FUNCTION(leaky_relu, float low = (float)ym_node_number(node, "slope", 0.01),
         x > 0 ? x : low * x, x > 0 ? 1.0f : low)
FUNCTION(elu, float low = (float)ym_node_number(node, "slope", 1),
         x > 0 ? x : low * expm1f(x), x > 0 ? 1.0f : y + low)
FUNCTION(clamp, float least = (float)ym_node_number(node, "least", -INFINITY);
         float most = (float)ym_node_number(node, "most", INFINITY),
         bound(x, least, most), x >= least && x <= most ? 1.0f : 0.0f)

static enum ym_status clamp_shape(const struct ym_node *nodes, struct ym_node *node,
                                  struct ym_error *error) {
	double least = ym_node_number(node, "least", -INFINITY);
	double most = ym_node_number(node, "most", INFINITY);
	if (!(least <= most))
		return ym_fail(error, YM_ARGUMENT,
		               "option 'least' is %g, expected no more than 'most', %g", least,
		               most);
	return ym_shape_same(nodes, node, error);
}

/* log(1 + e^x), kept from overflowing */
FUNCTION(softplus, (void)0, fmaxf(x, 0) + log1pf(ym_exp(-fabsf(x))), ym_logistic(x))

static enum ym_status gelu_shape(const struct ym_node *nodes, struct ym_node *node,
                                 struct ym_error *error) {
	node->scratch = ym_node_input(nodes, node, 0)->row;
	return ym_shape_same(nodes, node, error);
}

/* The exact GELU, x times the normal distribution's function. Its slope costs little
** beside it, and is kept for backward. */
static void gelu_forward(const struct ym_job *job, const struct ym_node *node) {
	ym_element_at(job->level)
		->gelu(ym_job_count(job, node), ym_input_value(job, node, 0),
	           ym_job_value(job, node), ym_job_scratch(job, node));
}

static void gelu_backward(const struct ym_job *job, const struct ym_node *node) {
	const float *restrict slope = ym_job_scratch(job, node);
	const float *restrict above = ym_job_gradient(job, node);
	float *restrict to = ym_input_gradient(job, node, 0);
	size_t n = ym_job_count(job, node);
	for (size_t i = 0; i < n; i++)
		to[i] += above[i] * slope[i];
}

#define ARITHMETIC_ROW(name)                                                           \
	{ #name, "", 2, 2, broadcast_shape, name##_forward, name##_backward, NULL, 0 }
#define FUNCTION_ROW(name, attributes)                                                 \
	{ #name, attributes, 1, 1, ym_shape_same, name##_forward, name##_backward, NULL, 0 }

const struct ym_operator ym_elementwise_operators[] = {
	ARITHMETIC_ROW(add),
	ARITHMETIC_ROW(sub),
	ARITHMETIC_ROW(mul),
	ARITHMETIC_ROW(div),
	FUNCTION_ROW(neg, ""),
	FUNCTION_ROW(exp, ""),
	FUNCTION_ROW(log, ""),
	FUNCTION_ROW(square, ""),
	FUNCTION_ROW(sqrt, ""),
	FUNCTION_ROW(abs, ""),
	FUNCTION_ROW(tanh, ""),
	FUNCTION_ROW(sigmoid, ""),
	FUNCTION_ROW(relu, ""),
	FUNCTION_ROW(leaky_relu, "slope"),
	FUNCTION_ROW(elu, "slope"),
	{"clamp", "least most", 1, 1, clamp_shape, clamp_forward, clamp_backward, NULL, 0},
	{"gelu", "", 1, 1, gelu_shape, gelu_forward, gelu_backward, NULL, 0},
	FUNCTION_ROW(softplus, ""),
	{0},
};

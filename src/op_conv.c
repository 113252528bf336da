/*
** Convolutions of images, (batch, height, width, channels); of sounds with height 1.
**   conv2d (x, w, b)   w (height, width, in, out): out numbers from each window of x
**   conv2d_transpose (x, w, b)   w (height, width, in, out): each pixel of x adds a
**     window to the result; in shape the reverse of conv2d
** b (out) may be left out. Options: stride, one number or one down and one across,
** default 1; padding, "valid" (default: windows lie inside) or "same" (ceil(size /
** stride) windows, zeros around, an odd one right and below); activation, "relu".
**
** Both operators are about windows on a big image, one for each pixel of a small one. A
** line of a window lies side by side in memory, so windows need not be copied: their
** lines are the rows of products (product.h). Where windows reach over an edge only the
** taps inside count, so windows with the same taps inside are dealt with together.
*/
#include <string.h>

#include "op.h"
#include "product.h"

/* One direction: window i is about pixels i * stride - before + (0 .. taps - 1). */
struct axis {
	size_t big, small, taps, stride, before;
};

/* Steps count floats: from a window's pixel to its neighbour's, across, down and in the
** next image. Where the first window reaches over the edge, its first tap would lie
** `origin` before the image. */
struct window {
	struct axis down, across;
	size_t big, small; /* channels of both images */
	size_t step_big[3], step_small[3], origin;
	bool transposed; /* conv2d_transpose: from the small images to the big ones */
};

static size_t place(const size_t step[3], size_t image, size_t row, size_t column) {
	return column * step[0] + row * step[1] + image * step[2];
}

/* From a window's place in the big image to that of a tap; it may wrap below 0. */
static size_t tap_at(const struct window *window, size_t down, size_t across) {
	return (down * window->across.big + across) * window->big - window->origin;
}

/* Neighbouring windows whose taps tap .. tap + taps - 1 are inside. */
struct run {
	size_t first, count, tap, taps;
};

static struct run find_run(const struct axis *axis, size_t first) {
	struct run run = {.first = first};
	for (size_t at = first; at < axis->small; at++, run.count++) {
		size_t start = at * axis->stride, end = axis->big + axis->before - start;
		size_t tap = start < axis->before ? axis->before - start : 0;
		size_t taps = (end < axis->taps ? end : axis->taps) - tap;
		if (at > first && (tap != run.tap || taps != run.taps))
			break;
		run.tap = tap;
		run.taps = taps;
	}
	return run;
}

/* Windows first .. first + count - 1 of the crossing of two runs, counted line by line
** and image by image from the first line of an image on; and what lies between. */
struct sweep {
	const struct ym_product *product;
	const struct window *window;
	struct run down, across;
	size_t image, first, count, tap; /* see tap_at */
	const float *from;
	float *to;
	bool to_small; /* from the big images to the small ones, or back */
};

/* The next crossing, from first = 0 on; false after the last. */
static bool next_crossing(struct sweep *sweep) {
	const struct window *window = sweep->window;
	size_t row = sweep->down.first, column = sweep->across.first + sweep->across.count;
	if (column == window->across.small) {
		column = 0;
		row += sweep->down.count;
	}
	if (row == window->down.small)
		return false;
	sweep->down = find_run(&window->down, row);
	sweep->across = find_run(&window->across, column);
	sweep->tap = tap_at(window, sweep->down.tap, sweep->across.tap);
	return true;
}

/* Runs a tile over them, strip by strip of its columns; its rows are their pixels. */
static void run_sweep(const struct sweep *sweep, const struct ym_tile *whole) {
	const struct window *window = sweep->window;
	const struct run *down = &sweep->down, *across = &sweep->across;
	size_t most = sweep->product->columns;
	for (size_t left = 0; left < whole->columns; left += most) {
		size_t line = sweep->first / across->count, rest = sweep->count;
		size_t column = sweep->first % across->count;
		struct ym_tile tile = *whole;
		tile.columns = whole->columns - left < most ? whole->columns - left : most;
		tile.b += left;
		tile.bias = whole->bias == NULL ? NULL : whole->bias + left;
		tile.rows = 0;
		for (; rest > 0; line++, column = 0) {
			size_t image = sweep->image + line / down->count, end = across->count;
			size_t row = down->first + line % down->count, at = across->first + column;
			size_t big = place(window->step_big, image, row, at) + sweep->tap;
			size_t small = place(window->step_small, image, row, at);
			end = end - column < rest ? end : column + rest;
			rest -= end - column;
			for (; column < end; column++) {
				tile.a[tile.rows] = sweep->from + (sweep->to_small ? big : small);
				tile.c[tile.rows] = sweep->to + (sweep->to_small ? small : big) + left;
				big += window->step_big[0];
				small += window->step_small[0];
				if (++tile.rows == sweep->product->rows) {
					sweep->product->run(&tile);
					tile.rows = 0;
				}
			}
		}
		if (tile.rows > 0)
			sweep->product->run(&tile);
	}
}

static struct sweep begin_sweep(const struct ym_job *job, const struct ym_node *node,
                                const float *from, float *to, bool to_small) {
	return (struct sweep){
		.product = ym_product_at(job->level),
		.window = node->plan,
		.from = from,
		.to = to,
		.to_small = to_small,
	};
}

/* Images whose windows, about so many, share a walk through the weights. */
static size_t block_images(const struct window *window, size_t windows) {
	return windows / (window->down.small * window->across.small) + 1;
}

/* small = start + sum over the taps of big times weights (taps, big, small), of the
** job's slice of the windows. tile says how to start and end. */
static void gather(const struct ym_job *job, const struct ym_node *node,
                   const float *big, const float *weights, float *small,
                   struct ym_tile tile) {
	const struct window *window = node->plan;
	size_t each = block_images(window, 512), tap = window->big * window->small;
	tile.columns = window->small;
	tile.a_outer = window->across.big * window->big;
	tile.a_inner = 1;
	tile.b_outer = window->across.taps * tap;
	tile.b_inner = window->small;
	for (size_t image = 0; image < job->rows; image += each) {
		struct sweep sweep = begin_sweep(job, node, big, small, true);
		size_t count = job->rows - image < each ? job->rows - image : each;
		sweep.image = image;
		while (next_crossing(&sweep)) {
			const struct run *down = &sweep.down, *across = &sweep.across;
			size_t windows = count * down->count * across->count;
			sweep.first = windows * job->slice / job->slices;
			sweep.count = windows * (job->slice + 1) / job->slices - sweep.first;
			tile.outer = down->taps;
			tile.inner = across->taps * window->big;
			tile.b = weights + (down->tap * window->across.taps + across->tap) * tap;
			run_sweep(&sweep, &tile);
		}
	}
}

/* big += for each tap small times weights (taps, small, big): some windows at a time go
** through all taps, while they are in the cache. */
static void scatter(const struct ym_job *job, const struct ym_node *node,
                    const float *small, const float *weights, float *big) {
	enum { WINDOWS = 64 };
	const struct window *window = node->plan;
	size_t each = block_images(window, WINDOWS), tap = window->big * window->small;
	struct ym_tile tile = {.columns = window->big,
	                       .outer = 1,
	                       .inner = window->small,
	                       .a_inner = 1,
	                       .b_inner = window->big,
	                       .added = true};
	for (size_t image = 0; image < job->rows; image += each) {
		struct sweep sweep = begin_sweep(job, node, small, big, false);
		size_t count = job->rows - image < each ? job->rows - image : each;
		sweep.image = image;
		while (next_crossing(&sweep)) {
			const struct run *down = &sweep.down, *across = &sweep.across;
			size_t windows = count * down->count * across->count;
			for (sweep.first = 0; sweep.first < windows; sweep.first += WINDOWS) {
				size_t left = windows - sweep.first;
				sweep.count = left < WINDOWS ? left : WINDOWS;
				for (size_t at = 0; at < down->taps * across->taps; at++) {
					size_t row = down->tap + at / across->taps;
					size_t column = across->tap + at % across->taps;
					sweep.tap = tap_at(window, row, column);
					tile.b = weights + (row * window->across.taps + column) * tap;
					run_sweep(&sweep, &tile);
				}
			}
		}
	}
}

/* Lines first .. first + count - 1 of the weights' gradient, (taps, in, out), += sum
** over all windows of x times dy. In conv2d x is the big image, and a line of taps with
** their channels lies side by side in it; in conv2d_transpose dy is. */
struct slope {
	const struct ym_product *product;
	const struct window *window;
	const float *x, *dy;
	float *gradient;
	size_t images, first, count;
};

/* A block of terms for all those lines: x and dy are the windows' first places in both,
** before the taps move one of them. Piece by piece of the weights, which is a line of
** taps or, in conv2d_transpose, one tap. */
static void add_pieces(const struct slope *slope, const struct sweep *sweep,
                       struct ym_matrices block, size_t x, size_t dy) {
	const struct window *window = slope->window;
	const struct run *down = &sweep->down, *across = &sweep->across;
	size_t in = window->transposed ? window->small : window->big;
	size_t pieces = window->transposed ? across->taps : 1;
	size_t size = window->transposed ? in : across->taps * in;
	for (size_t at = 0; at < down->taps * pieces; at++) {
		size_t row = down->tap + at / pieces, column = across->tap + at % pieces;
		size_t tap = tap_at(window, row, column);
		size_t line = (row * window->across.taps + column) * in, end = line + size;
		size_t last = slope->first + slope->count;
		size_t skip = line < slope->first ? slope->first - line : 0;
		end = end < last ? end : last;
		if (line + skip >= end)
			continue;
		block.a = slope->x + (x + (window->transposed ? 0 : tap) + skip);
		block.b = slope->dy + (dy + (window->transposed ? tap : 0));
		block.c = slope->gradient + (line + skip - slope->first) * block.columns;
		block.rows = end - line - skip;
		ym_product_run(slope->product, &block);
	}
}

/* Terms are taken block by block, so that what a block reads stays in the cache; where
** runs are short, a block goes through the images. */
static void sum_slopes(const struct slope *slope) {
	enum { TERMS = 192 };
	const struct window *window = slope->window;
	const size_t *steps[2] = {window->step_big, window->step_small};
	const size_t *x = steps[window->transposed], *dy = steps[!window->transposed];
	struct sweep sweep = {.window = window};
	while (next_crossing(&sweep)) {
		const struct run *down = &sweep.down, *across = &sweep.across;
		bool by_image = down->count * across->count < TERMS / 2;
		int outer = by_image ? 2 : 1, over = by_image ? 1 : 2;
		size_t outers = by_image ? slope->images : down->count;
		size_t overs = by_image ? down->count : slope->images;
		size_t width = across->count, inner = width < TERMS ? width : TERMS;
		struct ym_matrices block = {
			.columns = window->transposed ? window->big : window->small,
			.a_row = 1,
			.a_outer = x[outer],
			.a_inner = x[0],
			.b_outer = dy[outer],
			.b_inner = dy[0],
			.added = true,
		};
		block.c_row = block.columns;
		for (size_t at = 0; at < overs; at++)
			for (size_t top = 0; top < outers; top += TERMS / inner)
				for (size_t left = 0; left < width; left += inner) {
					size_t row = down->first, column = across->first + left;
					block.outer = outers - top < TERMS / inner ? outers - top
					                                           : TERMS / inner;
					block.inner = width - left < inner ? width - left : inner;
					add_pieces(slope, &sweep, block,
					           place(x, 0, row, column) + at * x[over] + top * x[outer],
					           place(dy, 0, row, column) + at * dy[over] +
					               top * dy[outer]);
				}
	}
}

/* Sizes along one axis, of conv2d (small follows from big) or of conv2d_transpose. */
static bool make_axis(struct axis *axis, bool same, bool transposed) {
	size_t reach;
	if (transposed)
		axis->big = same ? axis->small * axis->stride
		                 : (axis->small - 1) * axis->stride + axis->taps;
	else if (same)
		axis->small = (axis->big - 1) / axis->stride + 1;
	else if (axis->big >= axis->taps)
		axis->small = (axis->big - axis->taps) / axis->stride + 1;
	else
		return false;
	reach = (axis->small - 1) * axis->stride + axis->taps;
	axis->before = reach > axis->big ? (reach - axis->big) / 2 : 0;
	return true;
}

/* Checks the inputs and fills what follows from the weights and options in the plan. */
static enum ym_status read_window(const struct ym_node *nodes,
                                  const struct ym_node *node, struct window *window,
                                  struct ym_error *error) {
	const struct ym_node *x = ym_node_input(nodes, node, 0);
	const struct ym_node *w = ym_node_input(nodes, node, 1);
	const struct ym_node *b = node->input_count > 2 ? ym_node_input(nodes, node, 2)
	                                                : NULL;
	size_t stride[2];
	enum ym_status status = ym_node_pair(node, "stride", 1, stride, error);
	char text[2][96];
	if (!x->batched || x->rank != 4 || w->batched || w->rank != 4 ||
	    w->shape[2] != x->shape[3])
		return ym_fail(error, YM_ARGUMENT,
		               "shapes %s and %s do not go together: expected (batch, height, "
		               "width, in) and (height, width, in, out)",
		               ym_node_describe(x, text[0]), ym_node_describe(w, text[1]));
	if (b != NULL && (b->batched || b->rank != 1 || b->shape[0] != w->shape[3]))
		return ym_fail(error, YM_ARGUMENT, "the bias is %s, expected (%zu)",
		               ym_node_describe(b, text[0]), w->shape[3]);
	window->transposed = strcmp(node->kind->name, "conv2d_transpose") == 0;
	window->big = w->shape[window->transposed ? 3 : 2];
	window->small = w->shape[window->transposed ? 2 : 3];
	window->down.taps = w->shape[0];
	window->across.taps = w->shape[1];
	window->down.stride = stride[0];
	window->across.stride = stride[1];
	return status;
}

static void set_steps(struct window *window) {
	const struct axis *y = &window->down, *x = &window->across;
	size_t line_big = x->big * window->big, line_small = x->small * window->small;
	const size_t big[3] = {x->stride * window->big, y->stride * line_big,
	                       y->big * line_big};
	const size_t small[3] = {window->small, line_small, y->small * line_small};
	memcpy(window->step_big, big, sizeof big);
	memcpy(window->step_small, small, sizeof small);
	window->origin = y->before * line_big + x->before * window->big;
}

static enum ym_status conv_shape(const struct ym_node *nodes, struct ym_node *node,
                                 struct ym_error *error) {
	const struct ym_node *x = ym_node_input(nodes, node, 0);
	const struct ym_node *w = ym_node_input(nodes, node, 1);
	struct window *window = ym_node_plan(node, sizeof *window, error);
	struct axis *axes[2];
	bool same, transposed;
	enum ym_status status = window == NULL ? YM_MEMORY
	                                       : ym_node_padding(node, &same, error);
	if (status == YM_OK)
		status = read_window(nodes, node, window, error);
	if (status != YM_OK)
		return status;
	transposed = window->transposed;
	axes[0] = &window->down;
	axes[1] = &window->across;
	node->batched = true;
	node->rank = 4;
	node->shape[0] = 1;
	node->shape[3] = w->shape[3];
	for (int axis = 0; axis < 2; axis++) {
		*(transposed ? &axes[axis]->small : &axes[axis]->big) = x->shape[axis + 1];
		if (!make_axis(axes[axis], same, transposed))
			return ym_fail(error, YM_ARGUMENT, "the window is %zu, larger than %zu",
			               axes[axis]->taps, axes[axis]->big);
		node->shape[axis + 1] = transposed ? axes[axis]->big : axes[axis]->small;
	}
	set_steps(window);
	node->sliced = !transposed && node->shape[1] * node->shape[2] * w->row >= YM_SLICED;
	if (x->wants_gradient) {
		node->prepare = ym_turn_weights;
		node->prepared = w->row;
	}
	return ym_node_relu(node, &node->relu, error);
}

static void conv_forward(const struct ym_job *job, const struct ym_node *node) {
	const struct window *window = node->plan;
	const float *x = ym_input_value(job, node, 0), *w = ym_input_value(job, node, 1);
	const float *b = node->input_count > 2 ? ym_input_value(job, node, 2) : NULL;
	float *y = ym_job_value(job, node);
	size_t count = ym_job_count(job, node), out = node->shape[3];
	if (!window->transposed) {
		gather(job, node, x, w, y, (struct ym_tile){.bias = b, .relu = node->relu});
		return;
	}
	for (size_t at = 0; at < count; at++)
		y[at] = b == NULL ? 0 : b[at % out];
	scatter(job, node, x, w, y);
	for (size_t at = 0; node->relu && at < count; at++)
		y[at] = y[at] <= 0 ? 0 : y[at];
}

/* The weights' share comes later, from all rows at once. */
static void conv_backward(const struct ym_job *job, const struct ym_node *node) {
	const struct window *window = node->plan;
	const float *dy = ym_job_gradient(job, node), *w = node->prepared_memory;
	float *dx = ym_input_gradient(job, node, 0);
	ym_relu_gradient(job, node);
	if (dx != NULL && window->transposed)
		gather(job, node, dy, w, dx, (struct ym_tile){.added = true});
	else if (dx != NULL)
		scatter(job, node, dy, w, dx);
}

static void conv_backward_shared(const struct ym_job *job, const struct ym_node *node,
                                 int input, size_t first, size_t count,
                                 float *gradient) {
	size_t out = node->shape[3];
	const struct slope slope = {
		.product = ym_product_at(job->level),
		.window = node->plan,
		.x = ym_input_value(job, node, 0),
		.dy = ym_job_gradient(job, node),
		.gradient = gradient,
		.images = job->rows,
		.first = first,
		.count = count,
	};
	if (input == 1)
		sum_slopes(&slope);
	else
		ym_sum_columns(job->rows * node->row / out, out, slope.dy + first, count,
		               gradient);
}

const struct ym_operator ym_conv_operators[] = {
	{"conv2d", "stride padding activation", 2, 3, conv_shape, conv_forward,
     conv_backward, conv_backward_shared, 1},
	{"conv2d_transpose", "stride padding activation", 2, 3, conv_shape, conv_forward,
     conv_backward, conv_backward_shared, 1},
	{0},
};

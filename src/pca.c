/*
** The square matrix is summed block by block: a block is converted and centred by
** parts of rows, then panels of the matrix are multiplied, each by one worker. Every
** sum has a fixed order, whatever the threads.
*/
#include "pca.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "arithmetic.h"
#include "blas.h"
#include "convert.h"
#include "eigen.h"
#include "pca_random.h"

const char *const ym_pca_method_names[] = {"auto", "exact", "random", NULL};

/* Sizes of the pieces work is cut in, the same whatever the threads. */
enum {
	COLUMNS = 256, /* columns one part takes the mean of */
	BLOCK = 1024,  /* rows (covariance) or columns (Gram) summed in single precision */
	PANEL = 192,   /* rows of the square matrix one part computes */
	ROWS = 64,     /* rows one part converts or transforms */
	LARGE = 1024,  /* smaller square matrices are always dealt with exactly */
};

/* Gram eigenvalues below this share of the largest are rounding: the axis is left 0. */
static const double smallest_share = 1e-7;

/* One fit. The square matrix has a row for each of `order` lines: columns of x for the
** covariance, rows of x for the Gram matrix. Along the other axis x is walked in
** blocks. */
struct fit {
	const struct ym_tensor *x;
	struct ym_pca *pca;
	struct ym_pool *pool;
	size_t rows, order;
	bool gram;
	size_t first, count; /* the block in hand */
	float *block;   /* centred: (BLOCK, order), or for the Gram matrix (order, BLOCK) */
	float *panels;  /* (threads, PANEL, order) */
	double *matrix; /* (order, order), filled where column >= row */
	double *vectors; /* (components, order), of unit length, smallest value first */
	double *values;  /* (order) the first `components`, ascending */
	float *turned;   /* (components, order): vectors over the root of their value */
};

/* How many parts of that size cover something, and how large one of them is. */
static size_t count_parts(size_t size, size_t part) {
	return (size + part - 1) / part;
}

static size_t part_size(size_t size, size_t part, size_t which) {
	return size - which * part < part ? size - which * part : part;
}

/* Means of some columns, over all rows, in double. */
static void mean_part(void *context, size_t part, int worker) {
	struct fit *fit = context;
	size_t first = part * COLUMNS, count = part_size(fit->pca->columns, COLUMNS, part);
	double sum[COLUMNS] = {0};
	float row[COLUMNS];
	(void)worker;
	for (size_t at = 0; at < fit->rows; at++) {
		ym_convert_row(fit->x, at, first, row, count);
		for (size_t column = 0; column < count; column++)
			sum[column] += (double)row[column];
	}
	for (size_t column = 0; column < count; column++)
		fit->pca->mean[first + column] = (float)(sum[column] / (double)fit->rows);
}

/* Converts and centres some rows of the block in hand. */
static void centre_part(void *context, size_t part, int worker) {
	struct fit *fit = context;
	size_t high = fit->gram ? fit->rows : fit->count;
	size_t wide = fit->gram ? fit->count : fit->order;
	size_t stride = fit->gram ? BLOCK : fit->order, column = fit->gram ? fit->first : 0;
	size_t end = part * ROWS + part_size(high, ROWS, part);
	const float *mean = fit->pca->mean + column;
	(void)worker;
	for (size_t at = part * ROWS; at < end; at++) {
		float *to = fit->block + at * stride;
		ym_convert_row(fit->x, fit->gram ? at : fit->first + at, column, to, wide);
		for (size_t which = 0; which < wide; which++)
			to[which] -= mean[which];
	}
}

/* Adds the block's share to some rows of the matrix, from the diagonal on. */
static void panel_part(void *context, size_t part, int worker) {
	struct fit *fit = context;
	size_t first = part * PANEL, high = part_size(fit->order, PANEL, part);
	size_t wide = fit->order - first;
	float *panel = fit->panels + (size_t)worker * PANEL * fit->order;
	struct ym_matrix lines = {
		.data = fit->block + first * (fit->gram ? BLOCK : 1),
		.stride = fit->gram ? BLOCK : fit->order,
		.transposed = !fit->gram,
	};
	struct ym_matrix turned = lines;
	struct ym_arithmetic before = ym_arithmetic_begin();
	turned.transposed = fit->gram;
	ym_multiply(high, wide, fit->count, lines, turned, 0, panel, wide);
	for (size_t row = 0; row < high; row++) {
		double *to = fit->matrix + (first + row) * fit->order + first;
		for (size_t at = row; at < wide; at++)
			to[at] += (double)panel[row * wide + at];
	}
	ym_arithmetic_end(before);
}

/* axes = turned times the block, for some columns of the block. */
static void turn_part(void *context, size_t part, int worker) {
	struct fit *fit = context;
	size_t first = part * ROWS, wide = part_size(fit->count, ROWS, part);
	struct ym_matrix turned = {fit->turned, fit->order, false};
	struct ym_matrix block = {fit->block + first, BLOCK, false};
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	ym_multiply(fit->pca->components, wide, fit->order, turned, block, 0,
	            fit->pca->axes + fit->first + first, fit->pca->columns);
	ym_arithmetic_end(before);
}

/* Walks over x block by block, calling work for each, in that many parts. */
static void walk_blocks(struct fit *fit, size_t parts, size_t part,
                        void (*work)(void *context, size_t part, int worker)) {
	size_t size = fit->gram ? fit->pca->columns : fit->rows;
	for (fit->first = 0; fit->first < size; fit->first += BLOCK) {
		fit->count = part_size(size, BLOCK, fit->first / BLOCK);
		ym_pool_run(fit->pool, count_parts(fit->gram ? fit->rows : fit->count, ROWS),
		            centre_part, fit);
		ym_pool_run(fit->pool, parts > 0 ? parts : count_parts(fit->count, part), work,
		            fit);
	}
}

/* Gives an axis unit length (if it has any) and the sign of its largest element. */
static void settle_axis(float *axis, size_t columns) {
	double sum = 0;
	float factor, largest = 0;
	for (size_t at = 0; at < columns; at++) {
		sum += (double)axis[at] * (double)axis[at];
		if (fabsf(axis[at]) > fabsf(largest))
			largest = axis[at];
	}
	factor = sum > 0 ? (float)(copysign(1, (double)largest) / sqrt(sum)) : 0;
	for (size_t at = 0; at < columns; at++)
		axis[at] *= factor;
}

/* Takes what an axis has of another of unit length out of it: in single precision, axes
** of small variance by way of the Gram matrix have a little of the large ones. */
static void straighten(float *axis, const float *other, size_t columns) {
	double common = 0;
	for (size_t at = 0; at < columns; at++)
		common += (double)axis[at] * (double)other[at];
	for (size_t at = 0; at < columns; at++)
		axis[at] -= (float)common * other[at];
}

/* Axes and variances from the eigenvectors, largest first. */
static void take_axes(struct fit *fit) {
	struct ym_pca *pca = fit->pca;
	double top = fmax(fit->values[pca->components - 1], 0);
	for (size_t which = 0; which < pca->components; which++) {
		size_t from = pca->components - 1 - which;
		const double *vector = fit->vectors + from * fit->order;
		float *to = (fit->gram ? fit->turned : pca->axes) + which * fit->order;
		double value = fmax(fit->values[from], 0), factor = 1;
		if (fit->gram)
			factor = value > top * smallest_share ? 1 / sqrt(value) : 0;
		for (size_t at = 0; at < fit->order; at++)
			to[at] = (float)(vector[at] * factor);
		pca->variance[which] = (float)(value / (double)(fit->rows - 1));
	}
	if (fit->gram)
		walk_blocks(fit, 0, ROWS, turn_part);
	for (size_t which = 1; fit->gram && which < pca->components; which++) {
		float *axis = pca->axes + which * pca->columns;
		settle_axis(axis - pca->columns, pca->columns);
		for (size_t other = 0; other < which; other++)
			straighten(axis, pca->axes + other * pca->columns, pca->columns);
	}
}

/* Matrix, eigenvectors, axes. The trace of the matrix is all variance there is, whether
** it has a line a column or a line a row. */
static enum ym_status decompose(struct fit *fit, struct ym_error *error) {
	double trace = 0;
	enum ym_status status;
	walk_blocks(fit, count_parts(fit->order, PANEL), 0, panel_part);
	for (size_t line = 0; line < fit->order; line++)
		trace += fit->matrix[line * fit->order + line];
	if (!isfinite(trace))
		return ym_fail(error, YM_INPUT, "the values are too large");
	fit->pca->total = trace / (double)(fit->rows - 1);
	status = ym_eigen_largest(fit->matrix, fit->order, fit->pca->components,
	                          fit->values, fit->vectors, error);
	if (status == YM_OK)
		take_axes(fit);
	return status;
}

/* The exact way. */
static enum ym_status fit_exactly(struct fit *fit, struct ym_error *error) {
	size_t order = fit->order, components = fit->pca->components;
	size_t threads = (size_t)ym_pool_threads(fit->pool);
	enum ym_status status;
	fit->block = ym_alloc(order * BLOCK, sizeof *fit->block);
	fit->panels = ym_alloc(threads * PANEL * order, sizeof *fit->panels);
	fit->matrix = ym_alloc(order * order, sizeof *fit->matrix);
	fit->values = ym_alloc(order, sizeof *fit->values);
	fit->vectors = ym_alloc(components * order, sizeof *fit->vectors);
	fit->turned = ym_alloc(fit->gram ? components * order : 0, sizeof *fit->turned);
	if (fit->block == NULL || fit->panels == NULL || fit->matrix == NULL ||
	    fit->values == NULL || fit->vectors == NULL || fit->turned == NULL)
		status = ym_no_memory(error);
	else
		status = decompose(fit, error);
	ym_free(fit->turned);
	ym_free(fit->vectors);
	ym_free(fit->values);
	ym_free(fit->matrix);
	ym_free(fit->panels);
	ym_free(fit->block);
	return status;
}

/* Whether the random way is worth its error: small matrices take no time worth saving.
** An operation on the way to eigenvectors takes as long as some twenty of a product;
** the random way makes about four and a half passes of two products each, with a
** quarter more vectors than components. */
static bool random_pays(const struct fit *fit) {
	double order = (double)fit->order, components = (double)fit->pca->components;
	double size = (double)fit->rows * (double)fit->pca->columns;
	double exact = size * order + 27 * order * order * order;
	return fit->order >= LARGE && exact > 4 * 22 * components * size;
}

enum ym_status ym_pca_fit(struct ym_pca *pca, const struct ym_tensor *x,
                          enum ym_pca_method method, uint64_t seed,
                          struct ym_pool *pool, struct ym_error *error) {
	size_t rows = x->shape[0], columns = pca->columns;
	struct fit fit = {.x = x, .pca = pca, .pool = pool, .rows = rows};
	enum ym_status status;
	fit.gram = rows < columns;
	fit.order = fit.gram ? rows : columns;
	if (rows < 2)
		return ym_fail(error, YM_ARGUMENT, "%zu rows are too few, expected 2 or more",
		               rows);
	if (pca->components < 1 || pca->components > fit.order)
		return ym_fail(error, YM_ARGUMENT,
		               "%zu components of %zu rows and %zu columns, expected 1..%zu",
		               pca->components, rows, columns, fit.order);
	if (fit.order > INT_MAX / 32 || columns > INT_MAX)
		return ym_fail(error, YM_ARGUMENT, "the data is too large");
	ym_pool_run(pool, count_parts(columns, COLUMNS), mean_part, &fit);
	for (size_t column = 0; column < columns; column++)
		if (!isfinite(pca->mean[column]))
			return ym_fail(error, YM_INPUT,
			               "column %zu holds a value that is not finite", column + 1);
	if (method == YM_PCA_AUTO)
		method = random_pays(&fit) ? YM_PCA_RANDOM : YM_PCA_EXACT;
	status = method == YM_PCA_RANDOM ? ym_pca_random(pca, x, seed, pool, error)
	                                 : fit_exactly(&fit, error);
	for (size_t which = 0; status == YM_OK && which < pca->components; which++)
		settle_axis(pca->axes + which * columns, columns);
	return status;
}

/* One transform or restore; scratch is (threads, ROWS, inner). */
struct turn {
	const struct ym_pca *pca;
	const struct ym_tensor *from;
	const float *factor;
	float *to, *scratch;
};

/* Some rows: y (rows, components) = (x - mean) (rows, columns) axes' */
static void transform_part(void *context, size_t part, int worker) {
	struct turn *turn = context;
	const struct ym_pca *pca = turn->pca;
	size_t columns = pca->columns, components = pca->components;
	size_t first = part * ROWS, rows = part_size(turn->from->shape[0], ROWS, part);
	float *centred = turn->scratch + (size_t)worker * ROWS * columns;
	float *y = turn->to + first * components;
	struct ym_matrix x = {centred, columns, false}, axes = {pca->axes, columns, true};
	struct ym_arithmetic before = ym_arithmetic_begin();
	for (size_t row = 0; row < rows; row++) {
		float *to = centred + row * columns;
		ym_convert_row(turn->from, first + row, 0, to, columns);
		for (size_t column = 0; column < columns; column++)
			to[column] -= pca->mean[column];
	}
	ym_multiply(rows, components, columns, x, axes, 0, y, components);
	for (size_t at = 0; turn->factor != NULL && at < rows * components; at++)
		y[at] *= turn->factor[at % components];
	ym_arithmetic_end(before);
}

/* Some rows: x (rows, columns) = mean + y (rows, components) axes */
static void restore_part(void *context, size_t part, int worker) {
	struct turn *turn = context;
	const struct ym_pca *pca = turn->pca;
	size_t columns = pca->columns, components = pca->components;
	size_t first = part * ROWS, rows = part_size(turn->from->shape[0], ROWS, part);
	float *scaled = turn->scratch + (size_t)worker * ROWS * components;
	float *x = turn->to + first * columns;
	struct ym_matrix y = {scaled, components, false},
					 axes = {pca->axes, columns, false};
	struct ym_arithmetic before = ym_arithmetic_begin();
	for (size_t row = 0; row < rows; row++) {
		float *to = scaled + row * components;
		ym_convert_row(turn->from, first + row, 0, to, components);
		for (size_t at = 0; turn->factor != NULL && at < components; at++)
			to[at] *= turn->factor[at];
		memcpy(x + row * columns, pca->mean, columns * sizeof *x);
	}
	ym_multiply(rows, columns, components, y, axes, 1, x, columns);
	ym_arithmetic_end(before);
}

/* Parts of ROWS rows over the pool, each worker with scratch of its own. */
static enum ym_status run_turn(struct turn *turn, size_t inner, struct ym_pool *pool,
                               void (*work)(void *context, size_t part, int worker),
                               struct ym_error *error) {
	turn->scratch = ym_alloc((size_t)ym_pool_threads(pool) * ROWS * inner,
	                         sizeof *turn->scratch);
	if (turn->scratch == NULL)
		return ym_no_memory(error);
	ym_pool_run(pool, count_parts(turn->from->shape[0], ROWS), work, turn);
	ym_free(turn->scratch);
	return YM_OK;
}

enum ym_status ym_pca_transform(const struct ym_pca *pca, const struct ym_tensor *x,
                                const float *factor, float *y, struct ym_pool *pool,
                                struct ym_error *error) {
	struct turn turn = {.pca = pca, .from = x, .factor = factor, .to = y};
	return run_turn(&turn, pca->columns, pool, transform_part, error);
}

enum ym_status ym_pca_restore(const struct ym_pca *pca, const struct ym_tensor *y,
                              const float *factor, float *x, struct ym_pool *pool,
                              struct ym_error *error) {
	struct turn turn = {.pca = pca, .from = y, .factor = factor, .to = x};
	return run_turn(&turn, pca->components, pool, restore_part, error);
}

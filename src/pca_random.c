/*
** Halko, Martinsson and Tropp, Finding Structure with Randomness, 2011: a random
** projection of the rows spans nearly what the largest axes span, and every product
** with the covariance brings it nearer. A pass over x makes one such product; by
** Rayleigh and Ritz it tells what variance the span held before, and passes end when
** that hardly grows. The axes are then taken from the product itself, by Nystrom's
** approximation of the covariance (their section 5.5). Blocks of x are converted and
** centred by parts of rows, products summed by parts of columns, so that every sum has
** a fixed order, whatever the threads.
*/
#include "pca_random.h"

#include <math.h>
#include <string.h>

#include "arithmetic.h"
#include "blas.h"
#include "convert.h"
#include "eigen.h"
#include "rng.h"

/* Sizes of the pieces work is cut in, the same whatever the threads. */
enum {
	BLOCK = 512,   /* rows converted at once */
	ROWS = 128,    /* rows one part converts and projects */
	COLUMNS = 512, /* columns one part sums products for */
	LINES = 64,    /* vectors one part multiplies with all */
	SHARES = 16,   /* parts that products of vectors with each other are summed in */
	PASSES = 40,   /* the most passes */
	SPARE = 10,    /* vectors beside the components: at least, and a share of them */
	SPARE_SHARE = 4,
};

/* Passes end when the last one added less than `small_gain` of the variance, and those
** to come, if each adds as much less as the last did, less than `small_rest`. */
static const double small_gain = 2e-3, small_rest = 2e-4;

/* Variances below this share of the largest are rounding. */
static const double smallest_share = 1e-7;

/* Added to the diagonal before Cholesky's factors are taken, as a share of the trace:
** vectors that do not exist come out short instead of not at all. */
static const double shift = 1e-13;

struct search {
	const struct ym_tensor *x;
	struct ym_pca *pca;
	struct ym_pool *pool;
	uint64_t seed;
	size_t rows, columns, width; /* width: vectors that span */
	size_t first, count;         /* the block in hand */
	bool begun;                  /* there is a span to project on */
	float *block;                /* (BLOCK, columns) centred */
	float *projected;            /* (BLOCK, width) */
	float *span;                 /* (width, columns) orthonormal */
	float *product;              /* (width, columns) */
	double *squares;             /* (rows) of centred values, summed */
	double *panels;              /* (threads, width, COLUMNS) */
	double *shares;              /* (SHARES, width, width) */
	double *matrix, *vectors;    /* (width, width) */
	double *values;              /* (width) */
	float *turn;                 /* (width, width) */
	size_t lines;                /* of turn that are in use, */
	float *to;                   /* and where their product goes */
};

static size_t part_size(size_t size, size_t part, size_t which) {
	return size - which * part < part ? size - which * part : part;
}

/* Some rows of the block: centred, and projected on the span, or in the first pass
** given random numbers instead. */
static void project_part(void *context, size_t part, int worker) {
	struct search *search = context;
	size_t columns = search->columns, width = search->width, at = part * ROWS;
	size_t rows = part_size(search->count, ROWS, part);
	float *block = search->block + at * columns, *to = search->projected + at * width;
	struct ym_matrix centred = {block, columns, false};
	struct ym_matrix span = {search->span, columns, true};
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	for (size_t row = 0; row < rows; row++) {
		float *line = block + row * columns;
		ym_convert_row(search->x, search->first + at + row, 0, line, columns);
		for (size_t column = 0; column < columns; column++)
			line[column] -= search->pca->mean[column];
	}
	if (search->begun)
		ym_multiply(rows, width, columns, centred, span, 0, to, width);
	for (size_t row = 0; !search->begun && row < rows; row++) {
		size_t number = search->first + at + row;
		double sum = 0;
		struct ym_rng rng;
		ym_rng_seed(&rng, search->seed, number);
		for (size_t which = 0; which < width; which++)
			to[row * width + which] = (float)ym_rng_normal(&rng);
		for (size_t column = 0; column < columns; column++)
			sum += (double)block[row * columns + column] *
			       (double)block[row * columns + column];
		search->squares[number] = sum;
	}
	ym_arithmetic_end(before);
}

/* product += projected' block, for some columns. */
static void gather_part(void *context, size_t part, int worker) {
	struct search *search = context;
	size_t columns = search->columns, first = part * COLUMNS;
	struct ym_matrix projected = {search->projected, search->width, true};
	struct ym_matrix block = {search->block + first, columns, false};
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	ym_multiply(search->width, part_size(columns, COLUMNS, part), search->count,
	            projected, block, search->first > 0, search->product + first, columns);
	ym_arithmetic_end(before);
}

/* product = span (x - mean)' (x - mean), or before there is a span random numbers times
** (x - mean). */
static void pass(struct search *search, bool begun) {
	size_t parts = (search->columns + COLUMNS - 1) / COLUMNS;
	search->begun = begun;
	for (search->first = 0; search->first < search->rows; search->first += BLOCK) {
		search->count = part_size(search->rows, BLOCK, search->first / BLOCK);
		ym_pool_run(search->pool, (search->count + ROWS - 1) / ROWS, project_part,
		            search);
		ym_pool_run(search->pool, parts, gather_part, search);
	}
}

/* Some columns of vectors, in double: (width, COLUMNS). Returns their number. */
static size_t widen(const struct search *search, const float *vectors, size_t panel,
                    double *to) {
	size_t first = panel * COLUMNS, count = part_size(search->columns, COLUMNS, panel);
	for (size_t which = 0; which < search->width; which++)
		for (size_t at = 0; at < count; at++)
			to[which * COLUMNS + at] = (double)
				vectors[which * search->columns + first + at];
	return count;
}

/* One share of the columns of product product'. */
static void square_part(void *context, size_t share, int worker) {
	struct search *search = context;
	const int width = (int)search->width;
	double *sum = search->shares + share * search->width * search->width;
	double *panel = search->panels + (size_t)worker * search->width * COLUMNS;
	struct ym_arithmetic before = ym_arithmetic_begin();
	memset(sum, 0, search->width * search->width * sizeof *sum);
	for (size_t at = share; at * COLUMNS < search->columns; at += SHARES) {
		int count = (int)widen(search, search->product, at, panel);
		cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, width, count, 1, panel,
		            COLUMNS, 1, sum, width);
	}
	ym_arithmetic_end(before);
}

/* Some columns of span = the inverse of the lower factor times product. */
static void solve_part(void *context, size_t part, int worker) {
	struct search *search = context;
	const int width = (int)search->width;
	double *panel = search->panels + (size_t)worker * search->width * COLUMNS;
	struct ym_arithmetic before = ym_arithmetic_begin();
	size_t count = widen(search, search->product, part, panel);
	cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, width,
	            (int)count, 1, search->matrix, width, panel, COLUMNS);
	for (size_t which = 0; which < search->width; which++)
		for (size_t at = 0; at < count; at++)
			search->span[which * search->columns + part * COLUMNS + at] = (float)
				panel[which * COLUMNS + at];
	ym_arithmetic_end(before);
}

/* matrix = product product', where column >= row; returns its trace. */
static double square(struct search *search) {
	size_t size = search->width * search->width;
	double trace = 0;
	ym_pool_run(search->pool, SHARES, square_part, search);
	memcpy(search->matrix, search->shares, size * sizeof *search->matrix);
	for (size_t share = 1; share < SHARES; share++)
		for (size_t at = 0; at < size; at++)
			search->matrix[at] += search->shares[share * size + at];
	for (size_t which = 0; which < search->width; which++)
		trace += search->matrix[which * (search->width + 1)];
	return trace;
}

/* span = orthonormal vectors that span product. Yamamoto and others, Roundoff Error
** Analysis of the CholeskyQR2 Algorithm, 2015; one round in double is enough here. */
static enum ym_status orthonormalise(struct search *search, struct ym_error *error) {
	const int width = (int)search->width;
	double trace = square(search);
	int info;
	struct ym_arithmetic before;
	if (!isfinite(trace))
		return ym_fail(error, YM_INPUT, "the values are too large");
	for (size_t which = 0; which < search->width; which++)
		search->matrix[which * (search->width + 1)] += trace > 0 ? shift * trace : 1;
	before = ym_arithmetic_begin();
	dpotrf_("L", &width, search->matrix, &width, &info); /* row-major: the upper one */
	ym_arithmetic_end(before);
	if (info != 0)
		return ym_fail(error, YM_INPUT, "no principal components can be found");
	ym_pool_run(search->pool, (search->columns + COLUMNS - 1) / COLUMNS, solve_part,
	            search);
	return YM_OK;
}

/* Some rows of turn = span product'. */
static void overlap_part(void *context, size_t part, int worker) {
	struct search *search = context;
	size_t first = part * LINES, count = part_size(search->width, LINES, part);
	struct ym_matrix product = {search->product, search->columns, true};
	struct ym_matrix span = {search->span + first * search->columns, search->columns,
	                         false};
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	ym_multiply(count, search->width, search->columns, span, product, 0,
	            search->turn + first * search->width, search->width);
	ym_arithmetic_end(before);
}

/* Eigenvalues of span product', the covariance within the span times rows - 1, and
** their vectors; stores the sum of the largest: what the span holds. */
static enum ym_status judge(struct search *search, double *sum,
                            struct ym_error *error) {
	size_t width = search->width;
	enum ym_status status;
	ym_pool_run(search->pool, (width + LINES - 1) / LINES, overlap_part, search);
	for (size_t at = 0; at < width * width; at++) {
		if (!isfinite(search->turn[at]))
			return ym_fail(error, YM_INPUT, "the values are too large");
		search->matrix[at] = (double)search->turn[at];
	}
	status = ym_eigen_largest(search->matrix, width, width, search->values,
	                          search->vectors, error);
	*sum = 0;
	for (size_t at = width - search->pca->components; at < width; at++)
		*sum += fmax(search->values[at], 0);
	return status;
}

/* Passes until the span holds what variance it can: then product is its product with
** the covariance, and values and vectors those of judge. */
static enum ym_status find_span(struct search *search, struct ym_error *error) {
	double held = 0, gain = 0;
	enum ym_status status = YM_OK;
	for (int passes = 0; status == YM_OK && passes < PASSES; passes++) {
		double sum = 0, added;
		if (passes > 0)
			status = orthonormalise(search, error);
		if (status != YM_OK)
			break;
		pass(search, passes > 0);
		if (passes == 0)
			continue;
		status = judge(search, &sum, error);
		added = fmax(sum - held, 0);
		/* the rest of a geometric series: added (added / gain + ...) */
		if (added <= small_gain * sum &&
		    added * added <= small_rest * sum * fmax(gain - added, 0))
			break;
		held = sum;
		gain = added;
	}
	return status;
}

/* Some columns of to (lines, columns) = turn product. */
static void turn_part(void *context, size_t part, int worker) {
	struct search *search = context;
	size_t first = part * COLUMNS;
	struct ym_matrix turn = {search->turn, search->width, false};
	struct ym_matrix product = {search->product + first, search->columns, false};
	struct ym_arithmetic before = ym_arithmetic_begin();
	(void)worker;
	ym_multiply(search->lines, part_size(search->columns, COLUMNS, part), search->width,
	            turn, product, 0, search->to + first, search->columns);
	ym_arithmetic_end(before);
}

/* to (count, columns) = the `count` last vectors, over the root of their value where
** that is not rounding, times product; the last first. */
static void turn_by_vectors(struct search *search, size_t count, float *to) {
	size_t width = search->width;
	double top = fmax(search->values[count - 1], 0);
	for (size_t which = 0; which < count; which++) {
		size_t from = count - 1 - which;
		double value = search->values[from];
		double factor = value > top * smallest_share ? 1 / sqrt(value) : 0;
		for (size_t at = 0; at < width; at++)
			search->turn[which * width + at] =
				(float)(search->vectors[from * width + at] * factor);
	}
	search->lines = count;
	search->to = to;
	ym_pool_run(search->pool, (search->columns + COLUMNS - 1) / COLUMNS, turn_part,
	            search);
}

/* With T = span product' = U t U', the covariance is nearly W' W with
** W = t^(-1/2) U' product. */
static enum ym_status take_axes(struct search *search, struct ym_error *error) {
	struct ym_pca *pca = search->pca;
	float *turned = search->span;
	double total = 0;
	enum ym_status status;
	turn_by_vectors(search, search->width, turned);
	search->span = search->product;
	search->product = turned;
	square(search);
	status = ym_eigen_largest(search->matrix, search->width, pca->components,
	                          search->values, search->vectors, error);
	if (status != YM_OK)
		return status;
	for (size_t which = 0; which < pca->components; which++) {
		double value = search->values[pca->components - 1 - which];
		pca->variance[which] = (float)(fmax(value, 0) / (double)(search->rows - 1));
	}
	turned = search->span;
	turn_by_vectors(search, pca->components, turned);
	search->span = search->product;
	search->product = turned;
	search->width = pca->components;
	status = orthonormalise(search, error); /* of what rounding left */
	memcpy(pca->axes, search->span,
	       search->width * search->columns * sizeof *pca->axes);
	for (size_t row = 0; row < search->rows; row++)
		total += search->squares[row];
	pca->total = total / (double)(search->rows - 1);
	return status;
}

enum ym_status ym_pca_random(struct ym_pca *pca, const struct ym_tensor *x,
                             uint64_t seed, struct ym_pool *pool,
                             struct ym_error *error) {
	size_t rows = x->shape[0], columns = pca->columns;
	size_t order = rows < columns ? rows : columns, components = pca->components;
	size_t spare = components / SPARE_SHARE > SPARE ? components / SPARE_SHARE : SPARE;
	size_t width = order - components < spare ? order : components + spare;
	size_t threads = (size_t)ym_pool_threads(pool);
	struct search search = {.x = x, .pca = pca, .pool = pool, .seed = seed};
	enum ym_status status;
	search.rows = rows;
	search.columns = columns;
	search.width = width;
	search.block = ym_alloc((rows < BLOCK ? rows : BLOCK) * columns,
	                        sizeof *search.block);
	search.projected = ym_alloc(BLOCK * width, sizeof *search.projected);
	search.span = ym_alloc(width * columns, sizeof *search.span);
	search.product = ym_alloc(width * columns, sizeof *search.product);
	search.squares = ym_alloc(rows, sizeof *search.squares);
	search.panels = ym_alloc(threads * width * COLUMNS, sizeof *search.panels);
	search.shares = ym_alloc(SHARES * width * width, sizeof *search.shares);
	search.matrix = ym_alloc(width * width, sizeof *search.matrix);
	search.vectors = ym_alloc(width * width, sizeof *search.vectors);
	search.values = ym_alloc(width, sizeof *search.values);
	search.turn = ym_alloc(width * width, sizeof *search.turn);
	if (search.block == NULL || search.projected == NULL || search.span == NULL ||
	    search.product == NULL || search.squares == NULL || search.panels == NULL ||
	    search.shares == NULL || search.matrix == NULL || search.vectors == NULL ||
	    search.values == NULL || search.turn == NULL)
		status = ym_no_memory(error);
	else
		status = find_span(&search, error);
	if (status == YM_OK)
		status = take_axes(&search, error);
	ym_free(search.turn);
	ym_free(search.values);
	ym_free(search.vectors);
	ym_free(search.matrix);
	ym_free(search.shares);
	ym_free(search.panels);
	ym_free(search.squares);
	ym_free(search.product);
	ym_free(search.span);
	ym_free(search.projected);
	ym_free(search.block);
	return status;
}

/*
** The kernel of product.h, included by one unit for each level, which defines PRODUCT
** (the name of its table). A tile is ROWS lines of two vectors, held in registers.
*/
#include <string.h>

#include "product.h"

#if defined(__AVX512F__)
#include <immintrin.h>
enum { LANES = 16, ROWS = 8 };
#elif defined(__AVX2__)
#include <immintrin.h>
enum { LANES = 8, ROWS = 6 };
#else
enum { LANES = 4, ROWS = 6 };
#endif
enum { WIDE = 8 }; /* vectors of a tile of one row */

/* Aligned to one float, so that a pointer into any array may be read as lanes. */
typedef float lanes __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t lane_bits __attribute__((vector_size(LANES * 4)));

/* The first count lanes; memory beyond them is not touched. */
static inline lanes load_some(const float *from, size_t count) {
#if defined(__AVX512F__)
	return (lanes)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), from);
#else
	lanes value = {0};
	memcpy(&value, from, count * sizeof *from);
	return value;
#endif
}

static inline void store_some(float *to, lanes value, size_t count) {
#if defined(__AVX512F__)
	_mm512_mask_storeu_ps(to, (__mmask16)((1u << count) - 1), (__m512)value);
#else
	memcpy(to, &value, count * sizeof *to);
#endif
}

static inline lanes load(const float *from) {
	return *(const lanes *)from;
}

/* What is not a number stays it. */
static inline lanes rectified(lanes x) {
	return (lanes)((lane_bits)x & ~(x <= 0));
}

/* A tile of constant rows and vectors; the last vector has `some` columns when some is
** not 0. All loops but those over the terms are unrolled. */
static inline __attribute__((always_inline)) void
run_tile(const struct ym_tile *tile, const int rows, const int vectors, size_t some) {
	lanes sum[ROWS][WIDE];
	const float *a[ROWS];
	for (int row = 0; row < rows; row++)
		for (int v = 0; v < vectors; v++) {
			const float *from = tile->bias != NULL ? tile->bias : tile->c[row];
			sum[row][v] = (lanes){0};
			if (tile->bias != NULL || tile->added)
				sum[row][v] = some > 0 && v == vectors - 1
				                  ? load_some(from + v * LANES, some)
				                  : load(from + v * LANES);
		}
	for (size_t outer = 0; outer < tile->outer; outer++) {
		const float *b = tile->b + outer * tile->b_outer;
		size_t step = tile->a_inner, b_step = tile->b_inner;
		for (int row = 0; row < rows; row++)
			a[row] = tile->a[row] + outer * tile->a_outer;
		for (size_t at = 0, end = tile->inner * step; at < end; at += step) {
			lanes line[WIDE];
			for (int v = 0; v < vectors; v++)
				line[v] = some > 0 && v == vectors - 1 ? load_some(b + v * LANES, some)
				                                       : load(b + v * LANES);
			for (int row = 0; row < rows; row++)
				for (int v = 0; v < vectors; v++)
					sum[row][v] += a[row][at] * line[v];
			b += b_step;
		}
	}
	for (int row = 0; row < rows; row++)
		for (int v = 0; v < vectors; v++) {
			float *to = tile->c[row] + v * LANES;
			lanes value = tile->relu ? rectified(sum[row][v]) : sum[row][v];
			if (some > 0 && v == vectors - 1)
				store_some(to, value, some);
			else
				*(lanes *)to = value;
		}
}

/* The same for tiles of a number of rows, with any columns. */
#define TILE(rows)                                                                     \
	static void tile_##rows(const struct ym_tile *tile) {                              \
		if (tile->columns == 2 * LANES)                                                \
			run_tile(tile, rows, 2, 0);                                                \
		else if (tile->columns > LANES)                                                \
			run_tile(tile, rows, 2, tile->columns - LANES);                            \
		else if (tile->columns == LANES)                                               \
			run_tile(tile, rows, 1, 0);                                                \
		else                                                                           \
			run_tile(tile, rows, 1, tile->columns);                                    \
	}

TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)
#if defined(__AVX512F__)
TILE(7)
TILE(8)
#endif

static void run(const struct ym_tile *tile) {
	static void (*const by_rows[])(const struct ym_tile *) = {
		NULL,
		tile_1,
		tile_2,
		tile_3,
		tile_4,
		tile_5,
		tile_6,
#if defined(__AVX512F__)
		tile_7,
		tile_8,
#endif
	};
	if (tile->columns > 2 * LANES)
		run_tile(tile, 1, WIDE, 0);
	else
		by_rows[tile->rows](tile);
}

/* Eklundh's way: quarters change places, then those of all quarters, and so on. */
static inline void turn_square(lanes row[LANES]) {
#pragma GCC unroll 5
	for (int half = LANES / 2; half > 0; half /= 2) {
		lane_bits low = {0}, high = {0}; /* lanes of two rows, counted through both */
		for (int lane = 0; lane < LANES; lane++) {
			bool right = (lane & half) != 0;
			low[lane] = right ? LANES + lane - half : lane;
			high[lane] = right ? LANES + lane : lane + half;
		}
#pragma GCC unroll 16
		for (int at = 0; at < LANES; at++)
			if ((at & half) == 0) {
				lanes a = row[at], b = row[at + half];
				row[at] = __builtin_shuffle(a, b, low);
				row[at + half] = __builtin_shuffle(a, b, high);
			}
	}
}

static void transpose(size_t rows, size_t columns, const float *from,
                      size_t from_stride, float *to, size_t to_stride) {
	for (size_t top = 0; top < rows; top += LANES)
		for (size_t left = 0; left < columns; left += LANES) {
			size_t height = rows - top < LANES ? rows - top : LANES;
			size_t width = columns - left < LANES ? columns - left : LANES;
			lanes square[LANES] = {{0}};
			for (size_t row = 0; row < height; row++)
				square[row] = load_some(from + (top + row) * from_stride + left, width);
			turn_square(square);
			for (size_t column = 0; column < width; column++)
				store_some(to + (left + column) * to_stride + top, square[column],
				           height);
		}
}

const struct ym_product PRODUCT = {
	.rows = ROWS,
	.columns = 2 * LANES,
	.wide = WIDE * LANES,
	.run = run,
	.transpose = transpose,
};

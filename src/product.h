/*
** Products of float matrices in small tiles, for operators whose matrices are not worth
** rearranging for BLAS: few lines, or the overlapping windows of a convolution. Every
** result is one chain of additions in the order of its terms, so its bits do not depend
** on the tile it falls in: work may be cut in any way, by threads or by rows.
*/
#ifndef PRODUCT_H
#define PRODUCT_H

#include "simd.h"

enum { YM_TILE_ROWS = 8 }; /* room for the rows of a tile at any level of simd.h */

/* c[row][column] = start + sum over o < outer, i < inner of
**   a[row][o * a_outer + i * a_inner] * b[o * b_outer + i * b_inner + column]
** and start is bias[column], or with bias NULL what c holds (added) or 0. Rows may be
** anywhere in memory, but must not overlap in c. */
struct ym_tile {
	const float *a[YM_TILE_ROWS];
	float *c[YM_TILE_ROWS];
	const float *b, *bias;
	size_t rows, columns; /* up to those of struct ym_product, or 1 and its wide */
	size_t outer, inner, a_outer, a_inner, b_outer, b_inner;
	bool added;
	bool relu; /* then what is below 0 becomes 0 */
};

/* One level's kernel. */
struct ym_product {
	size_t rows, columns; /* the largest tile */
	size_t wide;          /* columns that a tile of one row may have instead */
	void (*run)(const struct ym_tile *tile);
	/* to (columns, rows) = from (rows, columns), their lines so many floats apart */
	void (*transpose)(size_t rows, size_t columns, const float *from,
	                  size_t from_stride, float *to, size_t to_stride);
};

extern const struct ym_product ym_product_baseline, ym_product_avx2, ym_product_avx512;

const struct ym_product *ym_product_at(enum ym_simd level);

/* The same over whole matrices, whose rows are a_row apart in a and c_row in c. outer 0
** stands for 1. */
struct ym_matrices {
	size_t rows, columns, outer, inner;
	const float *a;
	size_t a_row, a_outer, a_inner;
	const float *b;
	size_t b_outer, b_inner;
	float *c;
	size_t c_row;
	const float *bias;
	bool added, relu;
};
void ym_product_run(const struct ym_product *product,
                    const struct ym_matrices *matrices);

#endif

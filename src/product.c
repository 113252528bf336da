#include "product.h"

const struct ym_product *ym_product_at(enum ym_simd level) {
	return YM_SIMD_UNIT(ym_product, level);
}

/* A strip of columns at a time, whose factors stay in the cache for all rows. */
void ym_product_run(const struct ym_product *product,
                    const struct ym_matrices *matrices) {
	struct ym_tile tile = {.outer = matrices->outer > 0 ? matrices->outer : 1,
	                       .inner = matrices->inner,
	                       .a_outer = matrices->a_outer,
	                       .a_inner = matrices->a_inner,
	                       .b_outer = matrices->b_outer,
	                       .b_inner = matrices->b_inner,
	                       .added = matrices->added,
	                       .relu = matrices->relu};
	for (size_t left = 0; left < matrices->columns; left += tile.columns) {
		size_t width = matrices->columns - left;
		tile.columns = width < product->columns ? width : product->columns;
		if (matrices->rows == 1 && width >= product->wide)
			tile.columns = product->wide;
		tile.b = matrices->b + left;
		tile.bias = matrices->bias == NULL ? NULL : matrices->bias + left;
		for (size_t top = 0; top < matrices->rows; top += tile.rows) {
			size_t height = matrices->rows - top;
			tile.rows = height < product->rows ? height : product->rows;
			for (size_t row = 0; row < tile.rows; row++) {
				tile.a[row] = matrices->a + (top + row) * matrices->a_row;
				tile.c[row] = matrices->c + (top + row) * matrices->c_row + left;
			}
			product->run(&tile);
		}
	}
}

#include "eigen.h"

#include "arithmetic.h"
#include "blas.h"

enum ym_status ym_eigen_largest(double *matrix, size_t size, size_t count,
                                double *values, double *vectors,
                                struct ym_error *error) {
	const int order = (int)size, last = order, first = order - (int)count + 1;
	const int query = -1;
	const double none = 0;
	int found, info = 0, integer_size = 10 * order, work_size, *integers, *support;
	double best, *work = NULL;
	enum ym_status status = YM_OK;
	struct ym_arithmetic before = ym_arithmetic_begin();
	support = ym_alloc(2 * size, sizeof *support);
	integers = ym_alloc((size_t)integer_size, sizeof *integers);
	if (support != NULL && integers != NULL) {
		/* Columns of a row-major upper triangle are a column-major lower one. */
		dsyevr_("V", "I", "L", &order, matrix, &order, &none, &none, &first, &last,
		        &none, &found, values, vectors, &order, support, &best, &query,
		        integers, &integer_size, &info);
		work_size = (int)best;
		work = ym_alloc((size_t)work_size, sizeof *work);
	}
	if (work == NULL)
		status = ym_no_memory(error);
	else {
		dsyevr_("V", "I", "L", &order, matrix, &order, &none, &none, &first, &last,
		        &none, &found, values, vectors, &order, support, work, &work_size,
		        integers, &integer_size, &info);
		if (info != 0 || found != (int)count)
			status = ym_fail(error, YM_INPUT, "no principal components can be found");
	}
	ym_free(work);
	ym_free(integers);
	ym_free(support);
	ym_arithmetic_end(before);
	return status;
}

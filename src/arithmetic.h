/*
** How a thread computes while it works for a network. Denormal numbers make products
** a hundred times slower and mean nothing here: they are flushed to zero. And OpenBLAS
** is kept from starting threads: all threads are the pool's. Its OpenMP build is used
** because Debian's build without threads gives wrong products, now and then, when two
** threads call it at once, and its build with threads starts them when it is loaded.
*/
#ifndef ARITHMETIC_H
#define ARITHMETIC_H

#include <omp.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

/* What a thread did before. */
struct ym_arithmetic {
	int threads;
	unsigned flags;
};

/* Of the calling thread only; to be undone on it. */
static inline struct ym_arithmetic ym_arithmetic_begin(void) {
	struct ym_arithmetic before = {omp_get_max_threads(), 0};
	omp_set_num_threads(1);
#if defined(__SSE__)
	before.flags = _mm_getcsr();
	_mm_setcsr(before.flags | 0x8040u); /* of results (FTZ) and of operands (DAZ) */
#endif
	return before;
}

static inline void ym_arithmetic_end(struct ym_arithmetic before) {
	omp_set_num_threads(before.threads);
#if defined(__SSE__)
	_mm_setcsr(before.flags);
#endif
}

#endif

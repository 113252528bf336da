/*
** Denormal numbers make multiplications a hundred times slower and mean nothing to a
** network: long runs of arithmetic flush them to zero on their own thread.
*/
#ifndef DENORMAL_H
#define DENORMAL_H

#if defined(__SSE__)

#include <xmmintrin.h>

/* Returns what to restore; both flags: results (FTZ) and operands (DAZ). */
static inline unsigned ym_denormals_off(void) {
	unsigned before = _mm_getcsr();
	_mm_setcsr(before | 0x8040u);
	return before;
}

static inline void ym_denormals_restore(unsigned before) {
	_mm_setcsr(before);
}

#else

static inline unsigned ym_denormals_off(void) {
	return 0;
}

static inline void ym_denormals_restore(unsigned before) {
	(void)before;
}

#endif

#endif

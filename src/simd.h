/*
** Which instructions the kernels may use. A kernel is one source, compiled as a unit
** for each level; the units have the level in their name and export one table of
** functions each. Every level gives the same chip samples bit for bit; spectra agree
** within 1e-5.
*/
#ifndef SIMD_H
#define SIMD_H

#include "ym.h"

enum ym_simd {
	YM_SIMD_BASELINE, /* what the compiler uses for any CPU of the kind */
	YM_SIMD_AVX2,     /* AVX2, FMA and F16C */
	YM_SIMD_AVX512,   /* and AVX-512 F, BW, DQ and VL */
	YM_SIMD_LEVELS
};

/* "baseline", "avx2", "avx512", then NULL. */
extern const char *const ym_simd_names[];

/* The table that the unit of a level exports: name_baseline, name_avx2 or name_avx512.
** Other CPUs have the first only. */
#ifdef __x86_64__
#define YM_SIMD_UNIT(name, level)                                                      \
	((level) == YM_SIMD_AVX512 ? &name##_avx512                                        \
	 : (level) == YM_SIMD_AVX2 ? &name##_avx2                                          \
	                           : &name##_baseline)
#else
#define YM_SIMD_UNIT(name, level) ((void)(level), &name##_baseline)
#endif

/* The highest level that this CPU has; all below it may be used too. */
enum ym_simd ym_simd_best(void);

#endif

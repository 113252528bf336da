/* The kernel of spectra.h for CPUs with AVX2, FMA and F16C. */
#ifdef __x86_64__
#define LANES    8
#define KERNEL   ym_spectra_avx2
#define NARROWER NULL
#include "spectra_kernel.h"
#endif

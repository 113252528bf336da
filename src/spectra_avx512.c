/* The kernel of spectra.h for CPUs with AVX-512. */
#ifdef __x86_64__
#define LANES    16
#define KERNEL   ym_spectra_avx512
#define NARROWER &ym_spectra_avx2
#include "spectra_kernel.h"
#endif

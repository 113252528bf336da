/* The kernel of spectra.h for any CPU of the kind. */
#define LANES    4
#define KERNEL   ym_spectra_baseline
#define NARROWER NULL
#include "spectra_kernel.h"

#ifdef __AVX2__
#define KERNEL ym_bundle_avx2
#include "bundle_kernel.h"
#endif

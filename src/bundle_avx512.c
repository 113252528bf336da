#ifdef __AVX512BW__
#define KERNEL ym_bundle_avx512
#include "bundle_kernel.h"
#endif

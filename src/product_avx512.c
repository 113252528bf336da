#ifdef __AVX512F__
#define PRODUCT ym_product_avx512
#include "product_kernel.h"
#endif

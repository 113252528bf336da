#ifdef __AVX2__
#define PRODUCT ym_product_avx2
#include "product_kernel.h"
#endif

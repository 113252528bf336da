#include "product.h"

#ifdef __AVX512F__
#define PRODUCT ym_product_avx512
#include "product_kernel.h"
#else
/* Never chosen where the instructions do not exist. */
const struct ym_product ym_product_avx512 = {0};
#endif

#include "product.h"

#ifdef __AVX2__
#define PRODUCT ym_product_avx2
#include "product_kernel.h"
#else
/* Never chosen where the instructions do not exist. */
const struct ym_product ym_product_avx2 = {0};
#endif

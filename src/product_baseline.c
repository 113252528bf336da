#define PRODUCT ym_product_baseline
#include "product_kernel.h"

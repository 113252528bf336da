#ifdef __AVX2__
#define ELEMENT ym_element_avx2
#include "element_kernel.h"
#endif

#ifdef __AVX512F__
#define ELEMENT ym_element_avx512
#include "element_kernel.h"
#endif

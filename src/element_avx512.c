#include "element.h"

#ifdef __AVX512F__
#define ELEMENT ym_element_avx512
#include "element_kernel.h"
#else
/* Never chosen where the instructions do not exist. */
const struct ym_element ym_element_avx512 = {0};
#endif

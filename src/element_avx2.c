#include "element.h"

#ifdef __AVX2__
#define ELEMENT ym_element_avx2
#include "element_kernel.h"
#else
/* Never chosen where the instructions do not exist. */
const struct ym_element ym_element_avx2 = {0};
#endif

#include "element.h"

#define ELEMENT ym_element_baseline
#include "element_kernel.h"

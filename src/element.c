#include "element.h"

const struct ym_element *ym_element_at(enum ym_simd level) {
	return YM_SIMD_UNIT(ym_element, level);
}

#include "element.h"

const struct ym_element *ym_element_at(enum ym_simd level) {
	static const struct ym_element *const levels[YM_SIMD_LEVELS] = {
		&ym_element_baseline, &ym_element_avx2, &ym_element_avx512};
	return levels[level];
}

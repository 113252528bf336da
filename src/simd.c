#include "simd.h"

const char *const ym_simd_names[] = {"baseline", "avx2", "avx512", NULL};

enum ym_simd ym_simd_best(void) {
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
	    __builtin_cpu_supports("f16c")) {
		if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
			return YM_SIMD_AVX512;
		return YM_SIMD_AVX2;
	}
#endif
	return YM_SIMD_BASELINE;
}

#define KERNEL ym_bundle_baseline
#include "bundle_kernel.h"

#define _DEFAULT_SOURCE /* madvise */

#include "ym.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64 };

enum ym_status ym_fail(struct ym_error *error, enum ym_status status,
                       const char *format, ...) {
	va_list arguments;
	error->status = status;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof error->message, format, arguments);
	va_end(arguments);
	return status;
}

enum ym_status ym_no_memory(struct ym_error *error) {
	return ym_fail(error, YM_MEMORY, "not enough memory");
}

const char *ym_status_kind(enum ym_status status) {
	switch (status) {
	case YM_IO: return "io";
	case YM_FORMAT: return "format";
	case YM_INPUT: return "input";
	case YM_DIVERGED: return "diverged";
	case YM_CANCELLED: return "cancelled";
	case YM_OK:
	case YM_MEMORY:
	case YM_ARGUMENT: break;
	}
	return NULL;
}

void *ym_alloc(size_t count, size_t size) {
	size_t bytes;
	void *memory;
	if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - ALIGNMENT)
		return NULL;
	bytes = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT; /* at least one line */
	memory = aligned_alloc(ALIGNMENT, bytes);
	if (memory != NULL)
		memset(memory, 0, bytes);
	return memory;
}

void ym_free(void *memory) {
	free(memory);
}

void ym_expect_large(void *memory, size_t bytes) {
#ifdef MADV_HUGEPAGE
	const uintptr_t page = (uintptr_t)1 << 21;
	uintptr_t first = ((uintptr_t)memory + page - 1) / page * page;
	uintptr_t end = ((uintptr_t)memory + bytes) / page * page;
	if (end > first)
		madvise((void *)first, end - first, MADV_HUGEPAGE);
#else
	(void)memory;
	(void)bytes;
#endif
}

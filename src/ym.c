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

/* What calloc gives is kept in front of the memory in it that begins at a multiple of
** ALIGNMENT. aligned_alloc would do that, but glibc's, up to 2.37, leaves holes that it does
** not use again: 2,000 targets, one after the other, took 800 MiB. */
void *ym_alloc(size_t count, size_t size) {
	size_t bytes;
	char *block;
	void **memory;
	if (__builtin_mul_overflow(count, size, &bytes) ||
	    bytes > PTRDIFF_MAX - 3 * ALIGNMENT)
		return NULL;
	bytes = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT; /* at least one line */
	block = calloc(1, bytes + 2 * ALIGNMENT);
	if (block == NULL)
		return NULL;
	memory = (void **)(block + 2 * ALIGNMENT - (uintptr_t)block % ALIGNMENT);
	memory[-1] = block;
	return memory;
}

void ym_free(void *memory) {
	if (memory != NULL)
		free(((void **)memory)[-1]);
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

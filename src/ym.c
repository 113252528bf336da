#define _DEFAULT_SOURCE /* madvise */

#include "ym.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define WATCHED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WATCHED
#endif

/* The address sanitizer, where there is one, sees what uses such memory. */
#ifdef WATCHED
#include <sanitizer/asan_interface.h>
#define forbid(memory, bytes) ASAN_POISON_MEMORY_REGION(memory, bytes)
#define allow(memory, bytes)  ASAN_UNPOISON_MEMORY_REGION(memory, bytes)
#else
#define forbid(memory, bytes) ((void)(memory), (void)(bytes))
#define allow(memory, bytes)  ((void)(memory), (void)(bytes))
#endif

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

/* The memory begins at the first multiple of ALIGNMENT in what calloc gives, whose address
** is kept before it. aligned_alloc would do that, but glibc's, up to 2.37, leaves holes that
** it does not use again: 2,000 targets, one after the other, took 800 MiB. */
void *ym_alloc(size_t count, size_t size) {
	size_t bytes, before;
	char *block;
	void **memory;
	if (__builtin_mul_overflow(count, size, &bytes) ||
	    bytes > PTRDIFF_MAX - 2 * ALIGNMENT)
		return NULL;
	bytes = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT; /* at least one line */
	block = calloc(1, bytes + ALIGNMENT);
	if (block == NULL)
		return NULL;
	/* at least the place of a pointer: so calloc aligns */
	before = ALIGNMENT - (uintptr_t)block % ALIGNMENT;
	memory = (void **)(block + before);
	memory[-1] = block;
	forbid(block, before);
	forbid(block + before + bytes, ALIGNMENT - before);
	return memory;
}

void ym_free(void *memory) {
	void **place = memory;
	if (memory == NULL)
		return;
	allow(place - 1, sizeof *place);
	free(place[-1]);
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

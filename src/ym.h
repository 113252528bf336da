/*
** What every part of the core shares: status codes, errors as data and checked
** allocation. Nothing below the Lua bindings prints, exits or knows Lua: a
** function that can fail returns an enum ym_status and fills a struct ym_error.
*/
#ifndef YM_H
#define YM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kinds of failure a caller can tell apart (see ym_status_kind). */
enum ym_status {
	YM_OK,
	YM_MEMORY,    /* no memory: raised as Lua's own error */
	YM_ARGUMENT,  /* misuse by the caller: raised at the caller's line */
	YM_IO,        /* the file system said no */
	YM_FORMAT,    /* a file or string is not what it should be */
	YM_INPUT,     /* well-formed but unusable: silent, empty, not a number */
	YM_DIVERGED,  /* training met a value that is not finite */
	YM_CANCELLED, /* the caller asked to stop */
};

/* Why a call failed, in one line. Valid only after a status other than YM_OK. */
struct ym_error {
	enum ym_status status;
	char message[480];
};

/* Fills *error (printf style) and returns status, so that a function can end in
** `return ym_fail(error, YM_FORMAT, ...)`. */
enum ym_status ym_fail(struct ym_error *error, enum ym_status status,
                       const char *format, ...) __attribute__((format(printf, 3, 4)));

/* YM_MEMORY with its standard message. */
enum ym_status ym_no_memory(struct ym_error *error);

/* The name a failure carries to Lua: "io", "format", "input", "diverged" or
** "cancelled"; NULL for the others, which are raised. */
const char *ym_status_kind(enum ym_status status);

/* count * size bytes, zeroed and 64-byte aligned; NULL when there is no memory or
** the product overflows. Never NULL for count == 0. Freed with ym_free. */
void *ym_alloc(size_t count, size_t size);
void ym_free(void *memory);

/* Tells the system that all of this memory will be written soon: it may then hand it out
** in large pages, whose first use costs less. */
void ym_expect_large(void *memory, size_t bytes);

#endif

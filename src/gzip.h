/*
** Packed bytes: gzip out, gzip and zlib streams in, through zlib.
*/
#ifndef GZIP_H
#define GZIP_H

#include "ym.h"

enum { YM_GZIP_MOST = 1 << 30 }; /* bytes that are packed at once */

/* The most bytes that size bytes, at most YM_GZIP_MOST, become. */
size_t ym_gzip_bound(size_t size);

/* Packs bytes as a gzip file without name and time, so that the same bytes become the
** same file, into out, which has room for ym_gzip_bound(size); *count are written. */
enum ym_status ym_gzip(const void *bytes, size_t size, void *out, size_t *count,
                       struct ym_error *error);

/* How many bytes a gzip or zlib stream unpacks to; the members of a gzip file are one
** after the other, and what follows the last is passed over. YM_FORMAT when it is
** neither, damaged, cut short, or unpacks to more than `most` bytes. */
enum ym_status ym_gunzip_count(const void *bytes, size_t size, size_t most,
                               size_t *count, struct ym_error *error);

/* Unpacks such a stream into out, which has room for exactly the bytes counted. */
enum ym_status ym_gunzip(const void *bytes, size_t size, void *out, size_t count,
                         struct ym_error *error);

#endif

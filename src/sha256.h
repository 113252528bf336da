/*
** SHA-256 (FIPS 180-4), to name data sets and models by what they hold.
*/
#ifndef SHA256_H
#define SHA256_H

#include "ym.h"

enum { YM_SHA256_BLOCK = 64, YM_SHA256_SIZE = 32 };

struct ym_sha256 {
	uint32_t state[8];
	uint64_t size;                        /* bytes added so far */
	unsigned char block[YM_SHA256_BLOCK]; /* the last size % 64 of them */
};

/* Starts the sum of no bytes. */
void ym_sha256_begin(struct ym_sha256 *sum);
/* Adds bytes to those before: cutting them in pieces changes nothing. */
void ym_sha256_add(struct ym_sha256 *sum, const void *bytes, size_t size);
/* After this, begin again. */
void ym_sha256_end(struct ym_sha256 *sum, unsigned char digest[YM_SHA256_SIZE]);

#endif

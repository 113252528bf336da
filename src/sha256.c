#include "sha256.h"

#include <string.h>

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes
** (4.2.2), and of the square roots of the first 8 (5.3.3). */
static const uint32_t round_constants[64] = {
	0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4,
	0xAB1C5ED5, 0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE,
	0x9BDC06A7, 0xC19BF174, 0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F,
	0x4A7484AA, 0x5CB0A9DC, 0x76F988DA, 0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7,
	0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967, 0x27B70A85, 0x2E1B2138, 0x4D2C6DFC,
	0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85, 0xA2BFE8A1, 0xA81A664B,
	0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070, 0x19A4C116,
	0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
	0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7,
	0xC67178F2,
};
static const uint32_t initial_state[8] = {
	0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
	0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
};

static uint32_t rotate_right(uint32_t word, int by) {
	return word >> by | word << (32 - by);
}

/* The hash computation of one block (6.2.2). */
static void add_block(struct ym_sha256 *sum, const unsigned char *block) {
	uint32_t w[64], s[8];
	for (int t = 0; t < 16; t++, block += 4)
		w[t] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 |
		       (uint32_t)block[2] << 8 | block[3];
	for (int t = 16; t < 64; t++) {
		uint32_t a = w[t - 15], b = w[t - 2];
		a = rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3;
		b = rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10;
		w[t] = w[t - 16] + a + w[t - 7] + b;
	}
	memcpy(s, sum->state, sizeof s);
	for (int t = 0; t < 64; t++) {
		uint32_t choose = (s[4] & s[5]) ^ (~s[4] & s[6]);
		uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
		uint32_t high = rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^
		                rotate_right(s[4], 25);
		uint32_t low = rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^
		               rotate_right(s[0], 22);
		uint32_t added = s[7] + high + choose + round_constants[t] + w[t];
		memmove(s + 1, s, 7 * sizeof *s);
		s[4] += added;
		s[0] = added + low + majority;
	}
	for (int i = 0; i < 8; i++)
		sum->state[i] += s[i];
}

void ym_sha256_begin(struct ym_sha256 *sum) {
	memset(sum, 0, sizeof *sum);
	memcpy(sum->state, initial_state, sizeof initial_state);
}

void ym_sha256_add(struct ym_sha256 *sum, const void *bytes, size_t size) {
	const unsigned char *from = bytes;
	while (size > 0) {
		size_t used = sum->size % YM_SHA256_BLOCK, room = YM_SHA256_BLOCK - used;
		size_t count = size < room ? size : room;
		if (count == YM_SHA256_BLOCK)
			add_block(sum, from);
		else
			memcpy(sum->block + used, from, count);
		if (used > 0 && count == room)
			add_block(sum, sum->block);
		sum->size += count;
		from += count;
		size -= count;
	}
}

void ym_sha256_end(struct ym_sha256 *sum, unsigned char digest[YM_SHA256_SIZE]) {
	static const unsigned char padding[YM_SHA256_BLOCK] = {0x80};
	unsigned char length[8];
	size_t used = sum->size % YM_SHA256_BLOCK;
	for (int i = 0; i < 8; i++)
		length[i] = (unsigned char)(sum->size * 8 >> (56 - 8 * i));
	ym_sha256_add(sum, padding, used < 56 ? 56 - used : 120 - used);
	ym_sha256_add(sum, length, sizeof length);
	for (int i = 0; i < YM_SHA256_SIZE; i++)
		digest[i] = (unsigned char)(sum->state[i / 4] >> (24 - 8 * (i % 4)));
}

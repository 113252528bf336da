#include "rng.h"

#include <math.h>

static uint64_t rotate_left(uint64_t bits, int by) {
	return bits << by | bits >> (64 - by);
}

/* SplitMix64: one step of a Weyl sequence, then mixed. */
static uint64_t split_mix(uint64_t *state) {
	uint64_t mixed = *state += 0x9E3779B97F4A7C15u;
	mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
	mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
	return mixed ^ mixed >> 31;
}

void ym_rng_seed(struct ym_rng *rng, uint64_t seed, uint64_t stream) {
	/* The stream is mixed before it meets the seed: (1, 2) is not (2, 1). */
	uint64_t state = seed ^ (stream == 0 ? 0 : split_mix(&stream));
	for (int word = 0; word < 4; word++)
		rng->state[word] = split_mix(&state);
}

uint64_t ym_rng_bits(struct ym_rng *rng) {
	uint64_t *s = rng->state, shifted = s[1] << 17;
	uint64_t bits = rotate_left(s[0] + s[3], 23) + s[0];
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = rotate_left(s[3], 45);
	return bits;
}

double ym_rng_uniform(struct ym_rng *rng) {
	return (double)(ym_rng_bits(rng) >> 11) * 0x1p-53;
}

/* Box and Muller's transform; the second number is dropped, so that the state is
** the generator's alone. */
double ym_rng_normal(struct ym_rng *rng) {
	const double turn = 6.283185307179586;
	double radius = sqrt(-2.0 * log(1.0 - ym_rng_uniform(rng)));
	return radius * cos(turn * ym_rng_uniform(rng));
}

uint64_t ym_rng_below(struct ym_rng *rng, uint64_t limit) {
	/* Draws below this remainder of 2^64 would favour small results. */
	uint64_t excess = (0 - limit) % limit, bits;
	do
		bits = ym_rng_bits(rng);
	while (bits < excess);
	return bits % limit;
}

size_t ym_rng_choose(struct ym_rng *rng, const double *weights, size_t count) {
	double sum = 0, at;
	size_t chosen = 0;
	for (size_t i = 0; i < count; i++)
		sum += weights[i];
	at = ym_rng_uniform(rng) * sum;
	for (size_t i = 0; i < count; i++) {
		if (weights[i] > 0)
			chosen = i; /* the last has what rounding leaves at the end */
		if (at < weights[i])
			break;
		at -= weights[i];
	}
	return chosen;
}

void ym_rng_shuffle(struct ym_rng *rng, int32_t *items, size_t count) {
	for (size_t last = count; last > 1; last--) {
		size_t other = ym_rng_below(rng, last);
		int32_t item = items[other];
		items[other] = items[last - 1];
		items[last - 1] = item;
	}
}

/*
** Random numbers from an explicit seed: xoshiro256++ (Blackman and Vigna, Scrambled
** Linear Pseudorandom Number Generators, 2021), its state filled by SplitMix64.
*/
#ifndef RNG_H
#define RNG_H

#include "ym.h"

/* The whole generator: copy it to save or to fork it. */
struct ym_rng {
	uint64_t state[4];
};

/* Streams of one seed are independent for all practical purposes, so that work
** split in parts can draw in any order. */
void ym_rng_seed(struct ym_rng *rng, uint64_t seed, uint64_t stream);

uint64_t ym_rng_bits(struct ym_rng *rng);  /* 64 random bits */
double ym_rng_uniform(struct ym_rng *rng); /* 0 <= x < 1, a multiple of 2^-53 */
double ym_rng_normal(struct ym_rng *rng);  /* mean 0, standard deviation 1 */

/* 0..limit-1, each equally likely; limit must not be 0. */
uint64_t ym_rng_below(struct ym_rng *rng, uint64_t limit);

/* 0..count-1, each as likely as its weight. Weights must be 0 or more, and their sum
** finite and not 0. */
size_t ym_rng_choose(struct ym_rng *rng, const double *weights, size_t count);

/* Puts items in random order, every order equally likely. */
void ym_rng_shuffle(struct ym_rng *rng, int32_t *items, size_t count);

#endif

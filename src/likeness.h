/*
** How alike many pairs of sounds are, as comparisons of synthesizer parameters measure
** it. Lua's ym2612ml.learner.measure says where the measures come from.
*/
#ifndef LIKENESS_H
#define LIKENESS_H

#include "pool.h"

/* Originals and reconstructions, a sound a row. */
struct ym_pairs {
	const float *originals, *reconstructions; /* (count, length) */
	size_t count, length;
};

/* The frames that pictures are made of, and how far down they show. */
struct ym_likeness_frames {
	int size;     /* samples, even, under a Hann window */
	size_t hop;   /* samples from the middle of one to that of the next */
	double range; /* dB below the original's loudest bin, of the power added to all */
};

struct ym_likeness {
	double pcc_stft; /* Pearson's correlation of the two pictures in dB */
	double pcc_ft; /* the same of the magnitudes of the whole sounds' transforms, which
	                 ** are those of the first YM_FFT_LARGEST samples */
	double lsd;    /* dB: root of the sum of squares of the pictures' difference */
};

/* Measures every pair, a pair a part of the pool. An original whose loudest bin lies
** under -120 dB of full scale is as one that reaches it: silence is no special case.
** YM_INPUT when a sample is not a number. */
enum ym_status ym_likeness_measure(struct ym_pool *pool, const struct ym_pairs *pairs,
                                   const struct ym_likeness_frames *frames,
                                   struct ym_likeness *out, struct ym_error *error);

#endif

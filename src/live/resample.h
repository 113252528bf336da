/*
** From the chip's rate to the server's, a few samples at a time: a windowed sinc whose
** position is kept as a fraction of whole numbers, so that the two clocks never drift
** apart. It allocates only when it is made, and delays by half its length: 32 chip samples
** (0.6 ms) where the server is not slower than the chip.
*/
#ifndef LIVE_RESAMPLE_H
#define LIVE_RESAMPLE_H

#include "opn2.h"

#define YM_RESAMPLE_LOWEST  8000 /* Hz, of the server */
#define YM_RESAMPLE_HIGHEST 768000

enum { YM_RESAMPLE_STEP = 64 }; /* the most output samples of a step */

struct ym_resample {
	/* An output sample is step / whole chip samples long; place, 0..whole-1, is how far
	** the last one was beyond a chip sample. */
	uint64_t step, whole, place;
	int taps;      /* chip samples that an output sample is made of */
	float *kernel; /* (PHASES + 1, taps): weights by place between two chip samples */
	float
		*kept[2]; /* left, right: the last `taps` chip samples, and room for a step's */
	size_t capacity; /* chip samples of a step at most */
};

/* False when there is no memory; then as good as closed. */
bool ym_resample_open(struct ym_resample *resample, unsigned rate);
void ym_resample_close(struct ym_resample *resample);

/* Chip samples that the next `count` (1..YM_RESAMPLE_STEP) output samples need. */
size_t ym_resample_need(const struct ym_resample *resample, size_t count);

/* Where a step's chip samples of a side go, as many as ym_resample_need told. */
float *ym_resample_room(const struct ym_resample *resample, int side);

/* Makes `count` output samples of the chip samples put there. */
void ym_resample_step(struct ym_resample *resample, size_t count, float *left,
                      float *right);

#endif

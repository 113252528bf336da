/*
** Spectra of many frames at once: each lane of a vector is one frame, so a transform
** needs no shuffles and its factors are the same for all lanes. Kernels for a level of
** a CPU's instructions (simd.h) do the work; sizes they do not know go frame by frame
** through FFTW.
*/
#ifndef SPECTRA_H
#define SPECTRA_H

#include "simd.h"
#include "spectrum.h"

/* Frames have at most this many lanes, and rows padded to it serve every kernel. */
enum { YM_SPECTRA_LANES = 16 };
/* The powers of two between these go through the kernels. */
enum { YM_SPECTRA_SMALLEST = 64, YM_SPECTRA_LARGEST = 8192 };

#define YM_OCTAVE 3.01029996f /* 10 log10(2): the decibels of a factor of 2 */

/* A real frame is taken as half complex numbers, z[n] = x[2n] + i x[2n+1], and those as
** a matrix z[columns r + c]: transforms of the columns (of length rows), then of the
** rows, which are matrices of first x second in turn. */
struct ym_spectra {
	int size, half;
	int rows;    /* 4, 8 or 16; 0: a size that no kernel knows */
	int columns; /* first * second */
	int first, second;
	struct ym_frames *frames; /* the window, and what transforms single frames */
	/* Cosine and sine of the angles that each transform leaves to the next. */
	float *column_turn; /* 2 pi c k / half: [c][k], k < rows */
	float *row_turn;    /* 2 pi b k / columns: [b][k], k < first */
	float *real_turn;   /* 2 pi k / size, in the order values lie in memory */
	const struct ym_spectra_kernel *kernel;
};

/* The work of one level. power is [bin][lane], half + 1 bins, and three more that are
** read but do not count; frames are lanes pointers to whole frames. */
struct ym_spectra_kernel {
	int lanes;
	/* Another for blocks of no more frames than it has lanes, with the same bits in
	** each lane; or NULL. */
	const struct ym_spectra_kernel *narrower;
	/* Power of all bins; values is as large as ym_spectra_work says. */
	void (*powers)(const struct ym_spectra *spectra, const float *const *frames,
	               float *values, float *power);
	/* Bands of the first count frames into rows (pitch floats from one to the next)
	** and each row's sum; banded has room for bands x lanes. */
	void (*bands)(const struct ym_bank *bank, const float *power, float *banded,
	              int count, float *rows, size_t pitch, float *sums);
	/* bins of the first count frames into rows. */
	void (*transpose)(const float *power, int bins, int count, float *rows,
	                  size_t pitch);
	/* out[i] = factor log2(scale power[i] + floor) + offset, within 1e-6 factor; the
	** arrays may be one. */
	void (*logarithms)(const float *power, float scale, float floor, float factor,
	                   float offset, float *out, size_t count);
	/* Sum of |log2(scale power[i] + floors[i]) - logs[i]|, count whole lanes: exactly
	** 0 where logarithms made logs with one floor, the factor 1 and the offset 0. */
	float (*difference)(const float *power, float scale, const float *floors,
	                    const float *logs, size_t count);
	/* Sum of |a[i] - b[i]|, count whole lanes. */
	float (*apart)(const float *a, const float *b, size_t count);
	/* Rounds to binary16, to even as the processor does. */
	void (*halves)(const float *from, uint16_t *to, size_t count);
};

extern const struct ym_spectra_kernel ym_spectra_baseline;
#ifdef __x86_64__
extern const struct ym_spectra_kernel ym_spectra_avx2, ym_spectra_avx512;
#endif

/* size: even, 2..YM_FFT_LARGEST; level: one that this CPU has. */
enum ym_status ym_spectra_new(struct ym_spectra **spectra, int size,
                              enum ym_window window, enum ym_simd level,
                              struct ym_error *error);
void ym_spectra_free(struct ym_spectra *spectra); /* NULL is allowed */

/* Floats of work memory, from ym_alloc, that frames seen through up to bands bands need
** (0: spectra alone). Sizes may share one block, made for the largest. */
size_t ym_spectra_work(const struct ym_spectra *spectra, int bands);

/* Which frames: count of them, centred on samples[centres[k]], or on first + k hop
** where centres is NULL; what lies outside the length samples is zero. */
struct ym_spectra_frames {
	const float *samples;
	size_t length;
	size_t count;
	const ptrdiff_t *centres;
	ptrdiff_t first, hop;
};

/* Power of all bins of each frame, as ym_frames_power, into rows of size / 2 + 1. */
void ym_spectra_powers(const struct ym_spectra *spectra,
                       const struct ym_spectra_frames *frames, float *work,
                       float *rows);

/* Bands of each frame, as ym_bank_apply, into rows that are pitch floats apart, and in
** sums the sum of each row. */
void ym_spectra_bands(const struct ym_spectra *spectra,
                      const struct ym_spectra_frames *frames,
                      const struct ym_bank *bank, float *work, float *rows,
                      size_t pitch, float *sums);

#endif

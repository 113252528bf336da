/*
** Fourier transforms of real frames. The only door to FFTW: another library could
** stand behind it.
*/
#ifndef FFT_H
#define FFT_H

#include "ym.h"

#define YM_PI 3.14159265358979323846

/* A plan for frames of one size. Immutable once made: threads may share it. Plans may
** be made and freed by several threads at once. */
struct ym_fft;

enum { YM_FFT_LARGEST = 1 << 20 };

/* size: samples in a frame, even, 2..YM_FFT_LARGEST. */
enum ym_status ym_fft_new(struct ym_fft **fft, int size, struct ym_error *error);
void ym_fft_free(struct ym_fft *fft); /* NULL is allowed */

/* Floats of work memory for a transform of this size; the memory must be from ym_alloc.
** Sizes may share one block, made for the largest. */
size_t ym_fft_work(int size);

/* 4 |X[k]|^2, k = 0 .. bins - 1, of the frame in the first size floats of work, which
** are overwritten. bins is 1 .. size/2 + 1; power has room for whole lanes (lanes.h),
** and what is beyond bins there is undefined but finite. The factor is for the caller
** to fold into the window. */
void ym_fft_power(const struct ym_fft *fft, float *work, int bins, float *power);

#endif

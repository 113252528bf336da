/*
** From samples to spectra: windowed frames, banks of bands over their power, and
** decibels. Plans and banks are immutable once made, so that threads may share them;
** the memory a call works in is the caller's.
*/
#ifndef SPECTRUM_H
#define SPECTRUM_H

#include "fft.h"

enum ym_window {
	YM_WINDOW_HANN,
	YM_WINDOW_HAMMING,
	YM_WINDOW_BLACKMAN,
	YM_WINDOW_TUKEY, /* a quarter of the frame tapered */
	YM_WINDOW_RECTANGULAR,
};

/* "hann", "hamming", "blackman", "tukey", "rectangular", then NULL. */
extern const char *const ym_window_names[];

/* Frames of one size under one window. */
struct ym_frames {
	int size;
	struct ym_fft *fft;
	float *window; /* size weights, periodic, scaled to amplitude (2 / sum) */
};

/* size: even, 2..YM_FFT_LARGEST. */
enum ym_status ym_frames_new(struct ym_frames **frames, int size, enum ym_window window,
                             struct ym_error *error);
void ym_frames_free(struct ym_frames *frames); /* NULL is allowed */

/* Floats a power spectrum needs, with what banks read beyond its end. */
size_t ym_power_room(int size);

/* Power of the first bins (1 .. size/2 + 1) frequencies of the frame centred on
** samples[centre]; what lies outside the count samples is zero. A sine of amplitude A
** on a bin has power A^2 there. work holds ym_fft_work(frames->size) floats and power
** ym_power_room(frames->size), both from ym_alloc. */
void ym_frames_power(const struct ym_frames *frames, float *work, const float *samples,
                     size_t count, ptrdiff_t centre, int bins, float *power);

/* A sparse matrix from the bins of a power spectrum to bands. */
struct ym_bank {
	int size; /* samples in the frames it is for */
	int bands;
	int bins;        /* the bands read bins 0 .. bins - 1 */
	int *first;      /* of each band, its first bin */
	int *end;        /* of each band, the end of its weights (whole lanes) */
	float *weight;   /* band after band */
	size_t capacity; /* floats at weight */
};

/* bands triangles with edges evenly spaced on the HTK mel scale (2595 log10(1 +
** f / 700)) from low to high Hz; each side is at least one bin wide, bin 0 is left
** out. Bands whose upper edge lies above limit Hz are left out of the bank
** (INFINITY: none). YM_ARGUMENT when no band is left. */
enum ym_status ym_bank_mel(struct ym_bank **bank, double rate, int size, int bands,
                           double low, double high, double limit,
                           struct ym_error *error);

/* An empty bank with room for the harmonics of any tone. */
enum ym_status ym_bank_new(struct ym_bank **bank, int size, int bands,
                           struct ym_error *error);

/* Fills a bank of ym_bank_new with triangles centred on k * f0 / 2, k = 1 .. bands,
** that reach to their neighbours' centres (at least one bin); bin 0 is left out, and
** a band with its centre above rate / 2 is empty. Allocates nothing. */
void ym_bank_harmonics(struct ym_bank *bank, double rate, double f0);

void ym_bank_free(struct ym_bank *bank); /* NULL is allowed */

/* out[b] = sum of weights times power over band b; power as ym_frames_power left it. */
void ym_bank_apply(const struct ym_bank *bank, const float *power, float *out);

/* The orthonormal DCT-II, of which MFCCs are the first coefficients: table[k][n] =
** s(k) cos(pi k (n + 1/2) / count), with s(0) = sqrt(1 / count) and s(k) =
** sqrt(2 / count), as an array (coefficients, count). */
void ym_cosine_table(float *table, int count, int coefficients);

/* The coefficients of each of rows rows of count values. */
void ym_cosine_transform(const float *table, int count, int coefficients,
                         const float *values, size_t rows, float *out);

/* Subtracts the first sample, then removes what is below 20 Hz (2nd-order Butterworth,
** forwards): a voice of the chip carries a constant offset. Values within 1e-12 of zero
** become zero. out may be samples itself and has room for an even count. False when the
** result holds a value that is not a number, or has an energy (sum of squares) beyond
** 1e30, where powers might overflow. */
bool ym_highpass(double rate, const float *samples, size_t count, float *out);

#endif

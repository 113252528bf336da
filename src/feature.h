/*
** What the networks hear: the log-power of a note in mel and harmonic bands at
** chosen times after its onset and after its key-off, without its level.
*/
#ifndef FEATURE_H
#define FEATURE_H

#include "simd.h"

enum ym_feature_kind {
	YM_FEATURE_MEL,       /* mel bands from 20 to 18,000 Hz */
	YM_FEATURE_HARMONICS, /* bands around k * f0 / 2, k = 1 .. bands */
};

/* "mel", "harmonics", then NULL. */
extern const char *const ym_feature_kind_names[];

enum { YM_FEATURE_BLOCKS = 16, YM_FEATURE_TIMES = 512 }; /* the most of each */

/* Frames of one size seen through one bank of bands. */
struct ym_feature_block {
	enum ym_feature_kind kind;
	int size;                /* samples in a frame, even, 16..65536 */
	int bands;               /* 1..1024 */
	int on_count, off_count; /* frames, on_count + off_count in 1..512 */
	const double *on;        /* seconds from the onset, 0 or more */
	const double *off;       /* seconds from the key-off, 0 or more */
};

/* A plan: immutable once made, so that any number of threads may share it. */
struct ym_features;
/* The memory one extraction needs: one for each thread. */
struct ym_features_scratch;

/* Plans blocks (1..16 of them, copied with their times) for samples at rate Hz.
** floor is the power, relative to the loudest frame, that becomes 0 (1e-6: -60 dB).
** level: the instructions to use, which this CPU has. YM_ARGUMENT where a value lies
** outside the ranges above. */
enum ym_status ym_features_new(struct ym_features **features, double rate, double floor,
                               const struct ym_feature_block *blocks, int count,
                               enum ym_simd level, struct ym_error *error);
void ym_features_free(struct ym_features *features); /* NULL is allowed */

/* Floats that one extraction writes. */
size_t ym_features_count(const struct ym_features *features);
double ym_features_rate(const struct ym_features *features);

enum ym_status ym_features_scratch_new(struct ym_features_scratch **scratch,
                                       const struct ym_features *features,
                                       struct ym_error *error);
void ym_features_scratch_free(struct ym_features_scratch *scratch); /* or NULL */

/* Writes the features of one note into out: block after block, in a block the frames
** of its on times and then of its off times, in a frame its bands. A value is
** 10 log10(P / reference + floor) dB, scaled so that 0 is the floor and 1 the
** reference: the largest sum over the bands of one of the block's frames.
** samples start at the onset; f0 in Hz; held is the time of the key-off in seconds;
** what lies outside the samples is zero. The first sample is subtracted and
** everything below 20 Hz removed first, as in D. YM_INPUT when all frames are silent
** or a sample is not a number. */
enum ym_status ym_features_extract(const struct ym_features *features,
                                   struct ym_features_scratch *scratch,
                                   const float *samples, size_t count, double f0,
                                   double held, float *out, struct ym_error *error);

/* The same of samples that ym_highpass has been over already. */
enum ym_status ym_features_extract_filtered(const struct ym_features *features,
                                            struct ym_features_scratch *scratch,
                                            const float *samples, size_t count,
                                            double f0, double held, float *out,
                                            struct ym_error *error);

/* The same, rounded to binary16. */
enum ym_status ym_features_extract_halves(const struct ym_features *features,
                                          struct ym_features_scratch *scratch,
                                          const float *samples, size_t count, double f0,
                                          double held, uint16_t *out,
                                          struct ym_error *error);

#endif

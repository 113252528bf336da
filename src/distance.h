/*
** D: how different two sounds are, in dB. Three scales of log-mel spectra are
** compared, each with one gain, down to 60 dB below the target's loudest frame.
** Equal sounds have 0; one level step of an operator makes about 0.5, another
** algorithm about 9, a silent candidate about 13.
*/
#ifndef DISTANCE_H
#define DISTANCE_H

#include "simd.h"

enum { YM_DISTANCE_SCALES = 3 };
#define YM_DISTANCE_RATE 53267.0 /* Hz: the rate of all samples given here */

/* What of D depends on the target alone. Immutable once made, shared by threads. */
struct ym_distance_target;
/* The memory one comparison needs: one for each thread; it serves any target. */
struct ym_distance_scratch;

/* Analyses count samples at 53,267 Hz. source_rate is the rate in Hz the sound had
** before it was resampled (0: at least the full band): bands above 0.45 of it are
** left out on both sides. YM_INPUT when the target is empty, silent or holds a value
** that is not a number; YM_ARGUMENT when source_rate leaves a scale without a band.
** level: the instructions to use, which this CPU has. */
enum ym_status ym_distance_target_new(struct ym_distance_target **target,
                                      const float *samples, size_t count,
                                      double source_rate, enum ym_simd level,
                                      struct ym_error *error);
void ym_distance_target_free(struct ym_distance_target *target); /* NULL is allowed */

/* About how many bytes it takes, with a scratch for sounds of its length. */
size_t ym_distance_target_size(const struct ym_distance_target *target);

enum ym_status ym_distance_scratch_new(struct ym_distance_scratch **scratch,
                                       struct ym_error *error);
void ym_distance_scratch_free(struct ym_distance_scratch *scratch); /* or NULL */

/* D of a candidate of count samples (0 and silence are allowed): *distance is the mean
** of the three scales[]; scales may be NULL. The scratch grows to the longest sound and
** the largest target it has met, then nothing is allocated. YM_INPUT when a sample is
** not a number. */
enum ym_status ym_distance_measure(const struct ym_distance_target *target,
                                   struct ym_distance_scratch *scratch,
                                   const float *samples, size_t count, double *distance,
                                   double scales[YM_DISTANCE_SCALES],
                                   struct ym_error *error);

/* The same of samples that ym_highpass has been over already: fails for want of memory
** only. */
enum ym_status ym_distance_measure_filtered(const struct ym_distance_target *target,
                                            struct ym_distance_scratch *scratch,
                                            const float *samples, size_t count,
                                            double *distance,
                                            double scales[YM_DISTANCE_SCALES],
                                            struct ym_error *error);

#endif

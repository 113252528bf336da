/*
** What published comparisons of synthesizer matching measure between two sounds, once
** their spectra are there: pictures of both, rows of width values, a row a frame. Lua's
** ym2612ml.metrics says which frames and bands each measure takes, and where it comes
** from.
*/
#ifndef METRICS_H
#define METRICS_H

#include "ym.h"

/* The sound above 20 Hz (ym_highpass), divided by the root of its energy over `over`
** samples and 1e-12, then zeros up to length samples. count <= length; out has room for
** length + 1. YM_INPUT when a sample is not a number or the sound is beyond measure. */
enum ym_status ym_metrics_unit(double rate, const float *samples, size_t count,
                               size_t length, size_t over, float *out,
                               struct ym_error *error);

/* Mean difference in dB of count powers, each picture relative to its largest and not
** below -range dB. */
double ym_metrics_level_difference(const float *a, const float *b, size_t count,
                                   double range);

/* Mean over frames of the mean difference of the cumulated magnitudes (roots of the
** powers given), of which those of a frame sum to 1. */
double ym_metrics_transport(const float *a, const float *b, size_t frames,
                            size_t width);

/* Cost of the cheapest path that aligns the frames of two pictures, divided by the sum
** of their frame counts (1 or more each). Two frames cost the mean absolute difference
** of their values; a step on in both costs that twice, in one of them once. */
enum ym_status ym_metrics_warp(const float *a, size_t a_frames, const float *b,
                               size_t b_frames, size_t width, double *cost,
                               struct ym_error *error);

/* Pearson's correlation of count values; 0 where either does not vary. */
double ym_metrics_correlation(const float *a, const float *b, size_t count);

/* Mean over frames of the root of the mean square difference. */
double ym_metrics_spread(const float *a, const float *b, size_t frames, size_t width);

/* Cosine of the angle between the envelopes of two sounds of count samples (1 or more):
** roots of the mean square over size samples, every hop samples, of whole windows only
** unless there is none. */
double ym_metrics_envelope(const float *a, const float *b, size_t count, size_t size,
                           size_t hop);

/* How many of count scores are higher than that of the class truth, and how many are as
** high, its own among them. What is no number is below all that are. */
void ym_metrics_rank(const float *scores, size_t count, size_t truth, size_t *above,
                     size_t *level);

#endif

/*
** D from some of its frames: what a search asks of thousands of candidates. The frames
** stand closer after the onset and after the key-off, and each counts for those of D that
** it stands for, so that the result comes close to D at a fraction of its cost. A first
** part of the frames tells candidates that are far off from the beginning of their notes
** alone.
*/
#ifndef SKETCH_H
#define SKETCH_H

#include "distance.h"

/* Immutable once made, shared by threads. */
struct ym_sketch;

/* How much of D is taken. */
struct ym_sketch_shape {
	/* Of each scale, 1 or more; all where D has fewer. */
	int frames[YM_DISTANCE_SCALES];
	size_t held;  /* samples from the onset to the key-off */
	size_t early; /* samples that the first part of the frames lies in; 0: none */
	/* Mean square of white noise that the target holds, on the scale of its samples:
	** it is expected of candidates too, and what hardly rises from it counts little. */
	double noise;
};

/* target: outlives the sketch. */
enum ym_status ym_sketch_new(struct ym_sketch **sketch,
                             const struct ym_distance_target *target,
                             const struct ym_sketch_shape *shape,
                             struct ym_error *error);
void ym_sketch_free(struct ym_sketch *sketch); /* NULL is allowed */

/* Samples that candidates have: the target's length, or the early part's (0: none). */
size_t ym_sketch_length(const struct ym_sketch *sketch, bool early);

/* About D, in dB, of a candidate of that length, which ym_highpass has been over. Early,
** only the first part's frames are compared. Fails for want of memory only. */
enum ym_status ym_sketch_measure(const struct ym_sketch *sketch,
                                 struct ym_distance_scratch *scratch,
                                 const float *samples, bool early, float *distance,
                                 struct ym_error *error);

/* The candidate as the sketch sees it: values whose weighted mean absolute differences
** to those of the target make the distance, as far as both are active. */
size_t ym_sketch_values(const struct ym_sketch *sketch);
enum ym_status ym_sketch_view(const struct ym_sketch *sketch,
                              struct ym_distance_scratch *scratch, const float *samples,
                              float *distance, float *values, struct ym_error *error);
/* The target's values. */
void ym_sketch_target_view(const struct ym_sketch *sketch, float *values);

#endif

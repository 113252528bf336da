/*
** What D keeps of a target, for distance.c and sketch.c only.
*/
#ifndef DISTANCE_TARGET_H
#define DISTANCE_TARGET_H

#include "distance.h"
#include "spectra.h"

#define YM_DISTANCE_FLOOR 1e-6f /* of the target's loudest frame: -60 dB */

enum { YM_DISTANCE_ROW = 96 }; /* the largest row */

/*
** The target on one scale. A row holds the bands of a frame and zeros up to whole lanes
** of any kernel. The frames that only reach back into the target from beyond its end
** count when the candidate is longer; all later ones are zero.
*/
struct ym_distance_scale {
	int hop;
	struct ym_spectra *spectra;
	struct ym_bank *bank;
	size_t row;
	size_t known;     /* frames that reach into the target */
	float *power;     /* mel power: known rows */
	float *logs;      /* log2 of power / reference: known rows */
	float *frame_sum; /* of the bands of each known frame */
	double *total;    /* of frame_sum over frames 0 .. k */
	float *loudest;   /* largest frame_sum of frames 0 .. k */
	float reference;  /* the loudest frame of a candidate no longer than the target */
};

struct ym_distance_target {
	size_t count; /* samples */
	struct ym_distance_scale scales[YM_DISTANCE_SCALES];
};

struct ym_distance_scratch {
	size_t work_room; /* floats at work */
	float *work;      /* for the largest frame */
	float *row;
	size_t room;    /* samples that what follows is made for */
	float *samples; /* the candidate above 20 Hz */
	float *power;   /* its mel power */
	float *frame_sum;
};

/* Makes room in the scratch for candidates of count samples compared with a target. */
enum ym_status ym_distance_scratch_grow(struct ym_distance_scratch *scratch,
                                        const struct ym_distance_target *target,
                                        size_t count, struct ym_error *error);

#endif

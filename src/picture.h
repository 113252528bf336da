/*
** Pictures of sounds: spectra, bands or cepstra of the frames of many clips, over the
** threads of a pool.
*/
#ifndef PICTURE_H
#define PICTURE_H

#include "pool.h"
#include "spectra.h"

enum ym_scale { YM_SCALE_POWER, YM_SCALE_DECIBELS, YM_SCALE_MAGNITUDE };

/* What is drawn of a frame. */
struct ym_picture {
	const struct ym_spectra *spectra;
	const struct ym_bank *bank; /* NULL: all bins */
	enum ym_scale scale;
	float floor;      /* a power, added before decibels are taken */
	int coefficients; /* of the cosine transform of the bands; 0: the bands themselves */
};

/* count clips of length samples, one after the other, and the frames of each: centred
** on sample k hop, or on centres[k] where that is not NULL. */
struct ym_clips {
	const float *samples;
	size_t count, length;
	size_t frames;
	const ptrdiff_t *centres;
	size_t hop;
};

/* Values drawn of a frame. */
size_t ym_picture_width(const struct ym_picture *picture);

/* Draws (count, frames, width) into out. YM_INPUT when a sample is not a number. */
enum ym_status ym_picture_draw(const struct ym_picture *picture,
                               const struct ym_clips *clips, struct ym_pool *pool,
                               float *out, struct ym_error *error);

#endif

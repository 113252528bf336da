/*
** The course of a note's level, and what it says: when the note began and when its key
** was let go.
*/
#ifndef OUTLINE_H
#define OUTLINE_H

#include "ym.h"

/* Samples above 20 Hz, and the level of every step of them. */
struct ym_outline {
	float *samples;
	size_t length; /* samples */
	size_t step;   /* samples to a level */
	size_t count;  /* levels */
	float *level;  /* largest magnitude within each step */
	float *spare;  /* as many: room to work in */
	float peak;
};

/* Makes levels of that many milliseconds. YM_INPUT when the sound is silent (within
** -140 dB) or holds values that are not numbers. */
enum ym_status ym_outline_new(struct ym_outline *outline, const float *samples,
                              size_t count, double rate, double milliseconds,
                              struct ym_error *error);
void ym_outline_free(struct ym_outline *outline);

/* The first level above threshold, or the last one. */
size_t ym_outline_above(const struct ym_outline *outline, float threshold);

/* *onset is the sample at which the note begins. It is where the sound leaves the noise
** before it: -40 dB of its peak is passed for the first time (higher in noise), and
** from there back to -60 dB or twice the noise. The attack is taken for one of the
** chip, whose attenuation falls exponentially from 96 dB, so that a slow note of the
** chip is not cut where it becomes audible. A sound that starts at once, or nearly so
** for its attack, has onset 0. YM_INPUT for silence and values that are not numbers. */
enum ym_status ym_note_onset(const float *samples, size_t count, double rate,
                             size_t *onset, struct ym_error *error);

enum { YM_HELD_GUESSES = 3 };

/* held[0 .. *number - 1] are times in seconds, from the first sample, at which the key
** may have been let go, the most likely first: where the level, in dB, bends down most
** sharply (by 25 dB/s at least) and never comes back; then the length of the sound;
** where nothing is clear, then slighter bends. *number is at least 1. YM_INPUT as
** above. */
enum ym_status ym_note_held(const float *samples, size_t count, double rate,
                            double held[YM_HELD_GUESSES], int *number,
                            struct ym_error *error);

#endif

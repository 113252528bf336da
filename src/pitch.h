/*
** What a recording says about the note that was played: its pitch, when it began and
** when the key was let go.
*/
#ifndef PITCH_H
#define PITCH_H

#include "ym.h"

/* The fundamental frequency of count samples of one note, between lowest and highest
** Hz. YIN (de Cheveigne and Kawahara 2002: the cumulative mean normalised difference
** function) on up to 16 frames of the note; the loudest half by weight agrees on a
** value, which is then checked against its octaves: when hardly any energy lies on the
** odd multiples it is doubled, when much lies between its multiples it is halved.
** *confidence is 0..1: how periodic the frames are that agree. YM_INPUT when the sound
** is silent, shorter than three periods of highest, or holds a value that is not a
** number. Needs 0 < lowest < highest <= rate / 4. */
enum ym_status ym_pitch(const float *samples, size_t count, double rate, double lowest,
                        double highest, double *f0, double *confidence,
                        struct ym_error *error);

/* *onset is the sample at which the note begins. It is where the sound leaves the
** noise before it: -40 dB of its peak is passed for the first time (higher in noise),
** and from there back to -60 dB or twice the noise. A slow attack is assumed to fall
** exponentially from the chip's -96 dB, so that a slow note of the chip is not cut
** where it becomes audible. A sound that starts at once, or nearly so for its attack,
** has onset 0. YM_INPUT for silence and values that are not numbers. */
enum ym_status ym_note_onset(const float *samples, size_t count, double rate,
                             size_t *onset, struct ym_error *error);

/* *held is the time in seconds, from the first sample, at which the key was let go:
** where the level, in dB, bends down most sharply (by 25 dB/s at least) and never comes
** back. Without such a place it is the length of the sound. YM_INPUT as above. */
enum ym_status ym_note_held(const float *samples, size_t count, double rate, double *held,
                            struct ym_error *error);

#endif

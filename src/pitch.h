/*
** The pitch of a note that was recorded.
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
** is silent, too short, or holds a value that is not a number; three periods of highest
** and 8 samples (at 60 kHz or less) are enough.
** Needs 0 < lowest < highest <= rate / 4. */
enum ym_status ym_pitch(const float *samples, size_t count, double rate, double lowest,
                        double highest, double *f0, double *confidence,
                        struct ym_error *error);

#endif

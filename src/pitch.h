/*
** The pitch of a note that was recorded.
*/
#ifndef PITCH_H
#define PITCH_H

#include "ym.h"

enum { YM_PITCH_GUESSES = 6 };

struct ym_pitch_guess {
	double f0;    /* Hz */
	double share; /* of the likelihood of all that was considered, 0..1 */
};

struct ym_pitch {
	double confidence; /* 0..1: how periodic the sound is, whatever its octave */
	int count;         /* 1..YM_PITCH_GUESSES */
	struct ym_pitch_guess guesses[YM_PITCH_GUESSES]; /* the most likely first */
};

/* The fundamental frequency of count samples of one note, between lowest and highest
** Hz. YIN (de Cheveigne and Kawahara 2002: the cumulative mean normalised difference
** function) on up to 16 frames of the note; the loudest half by weight agrees on a
** period. Which of its multiples and parts is the note, or a part of the strongest or
** the lowest partial, is decided by the spectrum (ym_partials_score). YM_INPUT when the
** sound is silent, too short, or holds a value that is not a number; three periods of
** highest and 8 samples (at 60 kHz or less) are enough. Needs 0 < lowest < highest <=
** rate / 4. */
enum ym_status ym_pitch_guess(const float *samples, size_t count, double rate,
                              double lowest, double highest, struct ym_pitch *pitch,
                              struct ym_error *error);

/* The fundamental frequency of a note of which it is known to within 60 cents: f0 in Hz
** by its partials. *share (0..1) of them agree; below 0.5 *found says little. YM_INPUT
** as above. */
enum ym_status ym_pitch_near(const float *samples, size_t count, double rate, double f0,
                             double *found, double *share, struct ym_error *error);

#endif

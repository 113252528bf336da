/*
** Notes as recordings have them, for networks that are to hear recordings: with noise,
** with nothing above a limit, and with a pitch and a held time that are told a little
** wrong.
*/
#ifndef HEARING_H
#define HEARING_H

#include "ym.h"

struct ym_hearing {
	double f0, held;     /* Hz and seconds, as they are told */
	double noise;        /* mean square of white noise for one of the note; 0: none */
	double limit;        /* Hz from which on little is left; 0: none */
	uint64_t seed, note; /* of the noise: a seed, and the note's number */
};

/* Adds the noise to a note's samples at rate Hz, then takes away what is above the
** limit: by a Butterworth filter of order 6, 3 dB down at 0.9 of the limit. */
void ym_hearing_disturb(const struct ym_hearing *hearing, double rate, float *samples,
                        size_t count);

#endif

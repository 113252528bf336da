/*
** What is to be known of a recording besides its note: how loud it is, the noise that
** it was made with, and where its band ends.
*/
#ifndef SURVEY_H
#define SURVEY_H

#include "ym.h"

struct ym_survey {
	double level; /* RMS of the loudest 100 ms */
	double noise; /* mean square of the white noise in it, 0 where there is none */
	double limit; /* Hz above which there is nothing, 0 where no such edge is found */
};

/* Surveys count samples of a note (20 ms at least, or all is 0 but level), of which
** nothing is expected above band Hz, at most rate / 2.
**
** noise: white noise is the floor that the power in no part of the time-frequency plane
** falls below, and that many parts of it, at many times and frequencies, have in
** common. It is the mean square that noise of this density has over the whole band to
** rate / 2. Noise more than 75 dB below level is 0, and so is what lies within 24 dB of
** it, where the sound itself is noise, and the grit of samples with no more than 600
** values.
**
** limit: an edge of 50 dB within 600 Hz, below which the band was full at some time and
** above which there was never anything. YM_INPUT for silence and values that are not
** numbers. */
enum ym_status ym_survey(const float *samples, size_t count, double rate, double band,
                         struct ym_survey *survey, struct ym_error *error);

#endif

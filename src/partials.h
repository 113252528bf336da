/*
** The partials of a note: the peaks of its spectrum, and how well a fundamental
** frequency explains them.
*/
#ifndef PARTIALS_H
#define PARTIALS_H

#include "ym.h"

struct ym_partials {
	int count;         /* from low to high */
	double *frequency; /* Hz */
	float *height;     /* 0 .. 1: from 60 dB below the strongest to it */
	float total;       /* sum of squared heights */
	double bin;        /* Hz between the frequencies of the spectrum */
};

/* The peaks above 25 Hz of the summed power of up to three frames (a quarter of a
** second or a little more, Hann) of samples from .. to - 1, which lie within the count
** samples. YM_MEMORY only. */
enum ym_status ym_partials_find(struct ym_partials *partials, const float *samples,
                                size_t count, double rate, size_t from, size_t to,
                                struct ym_error *error);
void ym_partials_free(struct ym_partials *partials);

/* The frequency of the strongest partial and of the lowest one within 30 dB of it; 0
** where there are none. */
double ym_partials_strongest(const struct ym_partials *partials);
double ym_partials_lowest(const struct ym_partials *partials);

/* How well f0 in Hz explains the partials: the logarithm of a likelihood, up to a
** constant that candidates for one sound share. periodic: it is a period of the
** waveform. The weights were fitted, by softmax regression over the candidates of each
** sound, to renders of real patches and to General MIDI notes. */
double ym_partials_score(const struct ym_partials *partials, double f0, bool periodic);

/* What f0 is by its partials, when it is known to within 60 cents: their median.
** Returns 0..1, the share of all partials (by squared height) that agree with it within
** 8 cents; where nothing is near, 0 and *found = f0. */
double ym_partials_near(const struct ym_partials *partials, double f0, double *found);

#endif

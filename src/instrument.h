/*
** Two textbook synthesizers of published systems, as one kind of instrument: oscillators
** whose frequency a sine modulates, an envelope, a low-pass filter and a gate. Samples
** are the same bits on every CPU, with one library of sines (the filter takes its own).
*/
#ifndef INSTRUMENT_H
#define INSTRUMENT_H

#include "pool.h"

/* Waves of period 1 and peak 1, as plain as they are named: no band limit. Sine, saw and
** triangle rise through 0 at 0, the square is 1 from there to the half. */
enum ym_wave { YM_WAVE_SINE, YM_WAVE_SAW, YM_WAVE_TRIANGLE, YM_WAVE_SQUARE };

/* level * wave(start + frequency t + index * sin(2 pi (bend_start + bend t))), t in
** seconds: the frequency swings around its own, `bend` times a second. */
struct ym_oscillator {
	enum ym_wave wave;
	double level;
	double frequency;        /* Hz */
	double start;            /* periods */
	double bend, bend_start; /* Hz, periods */
	double index;            /* periods */
};

/* Straight lines from 0 to 1, to the sustain level, and after `held` from wherever it is
** then to 0; of no length they are over at the next sample. */
struct ym_adsr {
	double attack, decay, release; /* seconds */
	double sustain;                /* 0..1 */
	double held;                   /* seconds */
};

enum { YM_OSCILLATORS = 4 };

struct ym_instrument {
	struct ym_oscillator oscillator[YM_OSCILLATORS];
	int oscillators;
	struct ym_adsr envelope;
	double cutoff;    /* Hz of the filter, after the envelope; 0: none */
	double resonance; /* its q */
	double gate;      /* Hz of (1 + sin) / 2, by which all is multiplied; 0: none */
};

/* A synthesizer of this module, whose values (ym2612ml.synths has their meaning) make an
** instrument for a sound of so many seconds. */
struct ym_instrument_kind {
	const char *name;
	size_t values;
	void (*set)(const float *values, double seconds, struct ym_instrument *instrument);
};

extern const struct ym_instrument_kind ym_instrument_simple_fm,
	ym_instrument_inversynth;

/* Renders count rows of values (count, kind->values), finite and in their ranges, into
** samples (count, length) at this rate in Hz, a row a part of the pool. */
void ym_instrument_render(struct ym_pool *pool, const struct ym_instrument_kind *kind,
                          const float *values, size_t count, double rate, size_t length,
                          float *samples);

#endif

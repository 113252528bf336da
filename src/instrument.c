#include "instrument.h"

#include <string.h>

#include "elementary.h"

#define TURN 6.283185307179586

enum { BLOCK = 256 }; /* samples that loops are long */

/* Samples first, first + 1, ... in periods of so many a sample, within +-1/2. */
static inline double phase(double start, double step, double first, int i) {
	return ym_turn(start + step * (first + i));
}

static inline double wave_at(enum ym_wave wave, double turns) {
	switch (wave) {
	case YM_WAVE_SAW: return 2 * turns;
	case YM_WAVE_TRIANGLE: return 4 * ym_turn_fold(turns);
	case YM_WAVE_SQUARE: return turns < 0 ? -1 : 1;
	default: return ym_sine(turns);
	}
}

/* Adds samples from first on of an oscillator whose wave is known when compiled. */
static inline void add_wave(const struct ym_oscillator *oscillator, enum ym_wave wave,
                            double rate, double first, double *restrict sum) {
	double step = oscillator->frequency / rate, bend = oscillator->bend / rate;
	double level = oscillator->level, index = oscillator->index;
	double start = oscillator->start, bend_start = oscillator->bend_start;
	for (int i = 0; i < BLOCK; i++) {
		double swing = index * ym_sine(phase(bend_start, bend, first, i));
		sum[i] += level * wave_at(wave, phase(start + swing, step, first, i));
	}
}

static void add_oscillator(const struct ym_oscillator *oscillator, double rate,
                           double first, double *sum) {
	switch (oscillator->wave) {
	case YM_WAVE_SINE: add_wave(oscillator, YM_WAVE_SINE, rate, first, sum); break;
	case YM_WAVE_SAW: add_wave(oscillator, YM_WAVE_SAW, rate, first, sum); break;
	case YM_WAVE_TRIANGLE:
		add_wave(oscillator, YM_WAVE_TRIANGLE, rate, first, sum);
		break;
	case YM_WAVE_SQUARE: add_wave(oscillator, YM_WAVE_SQUARE, rate, first, sum); break;
	}
}

/* What an envelope is at time t while held, and how far it has gone after. Lengths are
** those of no less than a moment, so that slopes are finite. */
static inline double envelope_on(double attack, double decay, double sustain,
                                 double t) {
	double rise = t / attack, fall = 1 - (t - attack) * ((1 - sustain) / decay);
	double low = fall < sustain ? sustain : fall;
	return rise < low ? rise : low;
}

static inline double moment(double seconds) {
	return seconds < 1e-9 ? 1e-9 : seconds;
}

static void shape(const struct ym_adsr *adsr, double rate, double first,
                  double *restrict sum) {
	double attack = moment(adsr->attack), decay = moment(adsr->decay);
	double sustain = adsr->sustain, held = adsr->held;
	double left = envelope_on(attack, decay, sustain, held);
	double slope = left / moment(adsr->release), second = 1 / rate;
	for (int i = 0; i < BLOCK; i++) {
		double t = (first + i) * second;
		double on = envelope_on(attack, decay, sustain, t);
		double off = left - (t - held) * slope;
		double ended = off < 0 ? 0 : off;
		sum[i] *= t < held ? on : ended;
	}
}

/* A low-pass of second order (Bristow-Johnson, Cookbook formulae for audio EQ biquad
** filter coefficients), transposed direct form II. */
struct filter {
	double b0, b1, a1, a2, z1, z2;
};

static struct filter new_filter(const struct ym_instrument *instrument, double rate) {
	double cutoff = fmin(instrument->cutoff, 0.49 * rate);
	double w = TURN * cutoff / rate, alpha = sin(w) / (2 * instrument->resonance);
	double scale = 1 / (1 + alpha), b0 = (1 - cos(w)) / 2 * scale;
	return (struct filter){b0, 2 * b0, -2 * cos(w) * scale, (1 - alpha) * scale, 0, 0};
}

static void low_pass(struct filter *filter, double *samples) {
	double b0 = filter->b0, b1 = filter->b1, a1 = filter->a1, a2 = filter->a2;
	double z1 = filter->z1, z2 = filter->z2;
	for (int i = 0; i < BLOCK; i++) {
		double x = samples[i], y = b0 * x + z1;
		z1 = b1 * x - a1 * y + z2;
		z2 = b0 * x - a2 * y;
		samples[i] = y;
	}
	filter->z1 = z1;
	filter->z2 = z2;
}

static void open_and_close(double gate, double rate, double first,
                           double *restrict sum) {
	double step = gate / rate;
	for (int i = 0; i < BLOCK; i++)
		sum[i] *= 0.5 + 0.5 * ym_sine(phase(0, step, first, i));
}

static void play(const struct ym_instrument *instrument, double rate, size_t length,
                 float *samples) {
	struct filter filter = {0};
	double block[BLOCK];
	if (instrument->cutoff > 0)
		filter = new_filter(instrument, rate);
	for (size_t first = 0; first < length; first += BLOCK) {
		size_t count = length - first < BLOCK ? length - first : BLOCK;
		memset(block, 0, sizeof block);
		for (int i = 0; i < instrument->oscillators; i++)
			add_oscillator(&instrument->oscillator[i], rate, (double)first, block);
		shape(&instrument->envelope, rate, (double)first, block);
		if (instrument->cutoff > 0)
			low_pass(&filter, block);
		if (instrument->gate > 0)
			open_and_close(instrument->gate, rate, (double)first, block);
		for (size_t i = 0; i < count; i++)
			samples[first + i] = (float)block[i];
	}
}

/* Values: carrier, modulator, amplitude, depth, attack, decay, sustain, sustain_level,
** release. The frequency is carrier * (1 + depth sin(2 pi modulator t)). */
static void set_simple_fm(const float *values, double seconds,
                          struct ym_instrument *instrument) {
	double carrier = (double)values[0], modulator = (double)values[1];
	double index = carrier * (double)values[3] / (TURN * modulator);
	(void)seconds; /* the envelope's times are seconds whatever the length */
	*instrument = (struct ym_instrument){
		/* the integral of sin is 1 - cos, and -cos a sine a quarter of a period back */
		.oscillator = {{YM_WAVE_SINE, (double)values[2], carrier, index, modulator,
	                    -0.25, index}},
		.oscillators = 1,
		.envelope = {.attack = (double)values[4],
	                 .decay = (double)values[5],
	                 .sustain = (double)values[7],
	                 .release = (double)values[8],
	                 .held = (double)values[4] + (double)values[5] + (double)values[6]},
	};
}

/* Values: of sine, saw, triangle and square carrier, modulator, amplitude and depth;
** attack, decay, sustain, release; cutoff, resonance; gate. */
static void set_inversynth(const float *values, double seconds,
                           struct ym_instrument *instrument) {
	const float *after = values + 4 * YM_OSCILLATORS;
	*instrument = (struct ym_instrument){
		.oscillators = YM_OSCILLATORS,
		.envelope = {.attack = (double)after[0],
	                 .decay = (double)after[1],
	                 .sustain = (double)after[2],
	                 .release = (double)after[3],
	                 .held = 0.7 * seconds},
		.cutoff = (double)after[4],
		.resonance = (double)after[5],
		.gate = (double)after[6],
	};
	for (int i = 0; i < YM_OSCILLATORS; i++) {
		const float *value = values + 4 * i;
		instrument->oscillator[i] = (struct ym_oscillator){
			.wave = (enum ym_wave)i,
			.frequency = (double)value[0],
			.bend = (double)value[1],
			.level = (double)value[2] / YM_OSCILLATORS,
			/* depth is in Hz; without the modulator it would be in radians */
			.index = (double)value[3] / ((double)value[1] * TURN),
		};
	}
}

const struct ym_instrument_kind ym_instrument_simple_fm = {"simple_fm", 9,
                                                           set_simple_fm};
const struct ym_instrument_kind ym_instrument_inversynth = {"inversynth", 23,
                                                            set_inversynth};

struct job {
	const struct ym_instrument_kind *kind;
	const float *values;
	double rate;
	size_t length;
	float *samples;
};

static void play_row(void *context, size_t row, int worker) {
	const struct job *job = context;
	struct ym_instrument instrument;
	(void)worker;
	job->kind->set(job->values + row * job->kind->values,
	               (double)job->length / job->rate, &instrument);
	play(&instrument, job->rate, job->length, job->samples + row * job->length);
}

void ym_instrument_render(struct ym_pool *pool, const struct ym_instrument_kind *kind,
                          const float *values, size_t count, double rate, size_t length,
                          float *samples) {
	struct job job = {kind, values, rate, length, samples};
	ym_pool_run(pool, count, play_row, &job);
}

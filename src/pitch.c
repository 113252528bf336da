#include "pitch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lanes.h"
#include "spectrum.h"

#define SILENT_PEAK 1e-7f /* -140 dB */

/* Samples above 20 Hz, and the level of every step of them. */
struct outline {
	float *samples;
	size_t step;  /* samples to a level */
	size_t count; /* levels */
	float *level; /* largest magnitude within each step */
	float peak;
};

static void free_outline(struct outline *outline) {
	ym_free(outline->samples);
	ym_free(outline->level);
}

/* Makes levels every milliseconds of the sound. */
static enum ym_status make_outline(struct outline *outline, const float *samples,
                                   size_t count, double rate, double milliseconds,
                                   struct ym_error *error) {
	outline->step = (size_t)fmax(1, nearbyint(rate * milliseconds / 1000));
	outline->count = (count + outline->step - 1) / outline->step;
	outline->peak = 0;
	outline->samples = ym_alloc(count + 1, sizeof(float));
	outline->level = ym_alloc(outline->count, sizeof(float));
	if (outline->samples == NULL || outline->level == NULL) {
		free_outline(outline);
		return ym_no_memory(error);
	}
	if (!ym_highpass(rate, samples, count, outline->samples)) {
		free_outline(outline);
		return ym_fail(error, YM_INPUT,
		               "the samples hold values that are not numbers or far too large");
	}
	for (size_t i = 0; i < count; i++) {
		float *level = &outline->level[i / outline->step];
		*level = fmaxf(*level, fabsf(outline->samples[i]));
		outline->peak = fmaxf(outline->peak, *level);
	}
	if (outline->peak > SILENT_PEAK)
		return YM_OK;
	free_outline(outline);
	return ym_fail(error, YM_INPUT, "the sound is silent");
}

static int compare_floats(const void *a, const void *b) {
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

/* The value that a share (0..1) of count values lies below; 0 without memory. */
static float quantile(const float *values, size_t count, double share) {
	float *sorted = ym_alloc(count, sizeof *sorted), value = 0;
	if (sorted != NULL && count > 0) {
		memcpy(sorted, values, count * sizeof *sorted);
		qsort(sorted, count, sizeof *sorted, compare_floats);
		value = sorted[(size_t)(share * (double)(count - 1))];
	}
	ym_free(sorted);
	return value;
}

/* The first level above threshold, or the last one. */
static size_t first_above(const struct outline *outline, float threshold) {
	size_t k = 0;
	while (k + 1 < outline->count && outline->level[k] <= threshold)
		k++;
	return k;
}

/* The first sample of what passes threshold before level number last, without a pause of
** more than 40 levels (10 ms). */
static size_t emergence(const struct outline *outline, size_t last, float threshold) {
	size_t earliest = last, i;
	for (size_t k = last; k-- > 0 && earliest - k <= 40;)
		if (outline->level[k] > threshold)
			earliest = k;
	i = earliest * outline->step;
	while (i < last * outline->step && fabsf(outline->samples[i]) <= threshold)
		i++;
	return i;
}

enum ym_status ym_note_onset(const float *samples, size_t count, double rate,
                             size_t *onset, struct ym_error *error) {
	struct outline outline;
	enum ym_status status = make_outline(&outline, samples, count, rate, 0.25, error);
	float clear, threshold;
	double depth, rise, found;
	size_t first;
	if (status != YM_OK)
		return status;
	clear = 3 * quantile(outline.level, outline.count, 0.1);
	clear = fminf(fmaxf(clear, 0.01f * outline.peak), 0.1f * outline.peak);
	first = first_above(&outline, clear);
	threshold = fmaxf(2 * quantile(outline.level, first, 0.25), 0.001f * outline.peak);
	found = (double)emergence(&outline, first, fminf(threshold, clear));
	/* an attack of -96 exp(-t / T) dB passes -depth at T log(96 / depth), and half of
	** it T log(2) later */
	depth = -20 * log10((double)(clear / outline.peak));
	rise = (double)((first_above(&outline, outline.peak * (float)pow(10, -depth / 40)) -
	                 first) *
	                outline.step);
	if (rise > 0.0005 * rate)
		found = fmin(found, fmax(0, (double)(first * outline.step) -
		                                rise / log(2) * log(96 / depth)));
	if (found < fmax(0.0005 * rate, 2 * rise))
		found = 0;
	*onset = (size_t)found;
	free_outline(&outline);
	return YM_OK;
}

/* A straight line through count values, by least squares. */
struct line {
	double slope; /* per value */
	double error; /* sum of squares that it leaves */
};

static struct line fit_line(const float *values, size_t count) {
	double middle = ((double)count - 1) / 2, mean = 0;
	double product = 0, square = 0, total = 0;
	for (size_t i = 0; i < count; i++)
		mean += (double)values[i] / (double)count;
	for (size_t i = 0; i < count; i++) {
		double x = (double)i - middle, y = (double)values[i] - mean;
		product += x * y;
		square += x * x;
		total += y * y;
	}
	return (struct line){product / square, total - product * product / square};
}

/* Turns levels into dB below the peak, 0..-60, of their mean square over five. */
static void smooth_decibels(const struct outline *outline, float *decibels) {
	for (size_t k = 0; k < outline->count; k++) {
		size_t from = k < 2 ? 0 : k - 2, to = k + 3 < outline->count ? k + 3 : outline->count;
		double sum = 0;
		for (size_t i = from; i < to; i++) {
			double value = (double)(outline->level[i] / outline->peak);
			sum += value * value;
		}
		decibels[k] = (float)(10 * log10(sum / (double)(to - from) + 1e-6));
	}
}

/* The level at which the key was let go, or 0: where two lines that bend downwards fit
** better than one. The later one may be long, so that a slow release outweighs the
** sudden end of a sound that sinks below the chip's last bit. */
static size_t find_release(const float *decibels, size_t count) {
	enum { BEFORE = 40, AFTER = 60, LEAST = 4, SETTLED = 12 }; /* of 5 ms */
	const double bend = 25 * 0.005;                            /* dB a level */
	float loudest = -60; /* of what follows */
	double most = 0;
	size_t found = 0;
	for (size_t k = count; k-- > LEAST;) {
		size_t before = k < BEFORE ? k : BEFORE, after = count - k < AFTER ? count - k : AFTER;
		struct line first, second, both;
		if (k + SETTLED < count)
			loudest = fmaxf(loudest, decibels[k + SETTLED]);
		if (after < LEAST || decibels[k] - loudest < 1 ||
		    decibels[k] - decibels[count - 1] < 6)
			continue;
		first = fit_line(decibels + k - before, before + 1);
		second = fit_line(decibels + k, after);
		both = fit_line(decibels + k - before, before + after);
		if (first.slope - second.slope > bend &&
		    both.error - first.error - second.error > most) {
			most = both.error - first.error - second.error;
			found = k;
		}
	}
	return found;
}

enum ym_status ym_note_held(const float *samples, size_t count, double rate, double *held,
                            struct ym_error *error) {
	struct outline outline;
	enum ym_status status = make_outline(&outline, samples, count, rate, 5, error);
	float *decibels;
	size_t found, last;
	if (status != YM_OK)
		return status;
	decibels = ym_alloc(outline.count, sizeof *decibels);
	if (decibels == NULL) {
		free_outline(&outline);
		return ym_no_memory(error);
	}
	smooth_decibels(&outline, decibels);
	last = outline.count;
	while (last > 0 && decibels[last - 1] <= -59)
		last--;
	found = find_release(decibels, last < outline.count && last > 4 ? last - 4 : last);
	*held = found > 0 ? (double)(found * outline.step) / rate : (double)count / rate;
	ym_free(decibels);
	free_outline(&outline);
	return YM_OK;
}

enum { FRAMES = 16, HARMONICS = 12 };

/* One frame's opinion. */
struct opinion {
	double frequency, confidence, weight;
};

/* What the frames of one sound share. */
struct search {
	const float *samples;
	size_t count;
	double rate;
	size_t shortest, longest; /* periods in samples; a frame has twice the longest */
	float *difference;        /* of the lags 0 .. longest */
};

/* The sum of squared differences between the longest samples at start and those lag
** later. */
static float difference(const struct search *search, size_t start, size_t lag) {
	const float *a = search->samples + start, *b = a + lag;
	ym_lanes sum = {0};
	size_t i = 0;
	float rest = 0;
	for (; i + YM_LANES <= search->longest; i += YM_LANES) {
		ym_lanes step = ym_lanes_load(a + i) - ym_lanes_load(b + i);
		sum += step * step;
	}
	for (; i < search->longest; i++)
		rest += (a[i] - b[i]) * (a[i] - b[i]);
	return ym_lanes_sum(sum) + rest;
}

/* The abscissa of the parabola's lowest point through three values around lag. */
static double lowest_point(const float *values, size_t lag) {
	double left = (double)values[lag - 1], middle = (double)values[lag];
	double right = (double)values[lag + 1], bend = left - 2 * middle + right;
	return (double)lag + (bend > 0 ? 0.5 * (left - right) / bend : 0);
}

/* The lag near guess (within a tenth of period) with the smallest difference. */
static size_t nearby_dip(const struct search *search, double guess, double period) {
	size_t from = (size_t)(guess - 0.1 * period), to = (size_t)(guess + 0.1 * period) + 1;
	size_t best = (size_t)nearbyint(guess);
	for (size_t lag = from; lag <= to && lag < search->longest; lag++)
		if (search->difference[lag] < search->difference[best])
			best = lag;
	return best;
}

/* YIN on the frame at start. Difference becomes the normalised d'. */
static struct opinion hear_frame(const struct search *search, size_t start) {
	const float clear = 0.12f; /* a dip below is a period */
	float *values = search->difference;
	double sum = 0, energy = 0, period;
	size_t best = search->shortest;
	struct opinion opinion;
	values[0] = 1;
	for (size_t lag = 1; lag <= search->longest; lag++) {
		float value = difference(search, start, lag);
		sum += (double)value;
		values[lag] = sum > 0 ? (float)((double)value * (double)lag / sum) : 1;
	}
	for (size_t i = start; i < start + search->longest; i++)
		energy += (double)search->samples[i] * (double)search->samples[i];
	for (size_t lag = search->shortest; lag < search->longest; lag++) {
		if (values[lag] < values[best])
			best = lag;
		if (values[best] < clear && values[lag] > values[best])
			break; /* past the first clear dip */
	}
	if (best <= 1 || best >= search->longest)
		best = best <= 1 ? 2 : search->longest - 1;
	opinion.confidence = fmax(0, 1 - (double)values[best]);
	period = lowest_point(values, best);
	/* later multiples of the period tell it more finely */
	for (size_t multiple = 2; multiple <= 8; multiple++) {
		double guess = period * (double)multiple;
		size_t dip;
		if (guess * 1.1 >= (double)search->longest)
			break;
		dip = nearby_dip(search, guess, period);
		if (values[dip] > values[best] + 0.1f)
			break;
		period = lowest_point(values, dip) / (double)multiple;
	}
	opinion.frequency = search->rate / period;
	opinion.weight = sqrt(energy) * opinion.confidence * opinion.confidence;
	return opinion;
}

/* The weighted median of the opinions' frequencies, then the mean of those within a
** semitone of it; confidence counts those that disagree as none. */
static double agree(struct opinion *opinions, int count, double *confidence) {
	double total = 0, sum = 0, logs = 0, sure = 0, median;
	int middle = 0;
	for (int i = 0; i < count; i++) {
		struct opinion opinion = opinions[i];
		int k = i;
		for (; k > 0 && opinions[k - 1].frequency > opinion.frequency; k--)
			opinions[k] = opinions[k - 1];
		opinions[k] = opinion;
		total += opinion.weight;
	}
	for (sum = opinions[0].weight; sum < total / 2 && middle + 1 < count;)
		sum += opinions[++middle].weight;
	median = log(opinions[middle].frequency);
	sum = 0;
	for (int i = 0; i < count; i++) {
		double pitch = log(opinions[i].frequency), weight = opinions[i].weight;
		if (fabs(pitch - median) <= log(2) / 12) {
			sum += weight;
			logs += weight * (pitch - median);
			sure += weight * opinions[i].confidence;
		}
	}
	*confidence = total > 0 ? sure / total : 0;
	return exp(median + (sum > 0 ? logs / sum : 0));
}

/* The largest amplitude within an eighth of frequency around centre Hz. */
static double amplitude_near(const float *power, int bins, double bin, double centre,
                             double frequency) {
	int from = (int)((centre - frequency / 8) / bin), to;
	double most = 0;
	from = from < 0 ? 0 : from;
	to = (int)((centre + frequency / 8) / bin) + 1;
	for (int i = from; i <= to && i < bins; i++)
		most = fmax(most, (double)power[i]);
	return sqrt(most);
}

/* The share of the odd multiples of frequency in the (compressed) amplitude of all its
** multiples, counting only what stands out from the valleys between them. */
static double odd_share(const float *power, int bins, double bin, double frequency) {
	double sum[2] = {0, 0};
	for (int k = 1; k <= 2 * HARMONICS; k++) {
		double valley = fmax(
			amplitude_near(power, bins, bin, (k - 0.5) * frequency, frequency),
			amplitude_near(power, bins, bin, (k + 0.5) * frequency, frequency));
		double peak = amplitude_near(power, bins, bin, k * frequency, frequency);
		if (peak > 3 * valley)
			sum[k % 2] += sqrt(peak);
	}
	return sum[0] + sum[1] > 0 ? sum[1] / (sum[0] + sum[1]) : 0.5;
}

/* Checks frequency against its octaves on the power spectrum around centre. */
static enum ym_status check_octaves(const struct search *search, size_t centre,
                                    double lowest, double highest, double *frequency,
                                    struct ym_error *error) {
	struct ym_frames *frames = NULL;
	int size = 64, bins;
	float *work, *power;
	enum ym_status status;
	while (size < 24 * search->rate / *frequency && size < 65536)
		size *= 2;
	bins = size / 2 + 1;
	status = ym_frames_new(&frames, size, YM_WINDOW_HANN, error);
	if (status != YM_OK)
		return status;
	work = ym_alloc(ym_fft_work(size), sizeof(float));
	power = ym_alloc(ym_power_room(size), sizeof(float));
	if (work == NULL || power == NULL)
		status = ym_no_memory(error);
	else {
		double bin = search->rate / size, f0 = *frequency;
		ym_frames_power(frames, work, search->samples, search->count, (ptrdiff_t)centre, bins,
		                power);
		if (2 * f0 <= highest && odd_share(power, bins, bin, f0) < 0.05)
			*frequency = 2 * f0;
		else if (f0 / 2 >= lowest && odd_share(power, bins, bin, f0 / 2) > 0.25)
			*frequency = f0 / 2;
	}
	ym_free(work);
	ym_free(power);
	ym_frames_free(frames);
	return status;
}

/* Halves the rate by means of pairs, as often as leaves 30 kHz. */
static void thin_out(float *samples, size_t *count, double *rate) {
	for (; *rate >= 60000; *rate /= 2) {
		*count /= 2;
		for (size_t i = 0; i < *count; i++)
			samples[i] = 0.5f * (samples[2 * i] + samples[2 * i + 1]);
	}
}

/* The part of the note where it sounds: from a little after its onset to where it has
** fallen by 20 dB, 1.5 s at most. */
static void sounding_part(const struct outline *outline, size_t *from, size_t *to) {
	size_t first = first_above(outline, 0.1f * outline->peak), last = outline->count;
	while (last > first + 1 && outline->level[last - 1] < 0.1f * outline->peak)
		last--;
	if (last > first + 1500)
		last = first + 1500;
	if (last > first + 60)
		first += 15;
	*from = first * outline->step;
	*to = last * outline->step;
}

static enum ym_status hear(struct search *search, size_t from, size_t to, double lowest,
                           double highest, double *f0, double *confidence,
                           struct ym_error *error) {
	struct opinion opinions[FRAMES];
	size_t frame = 2 * search->longest + 1, range;
	int frames = FRAMES;
	if (to > search->count)
		to = search->count;
	if (from + frame > to)
		to = from + frame < search->count ? from + frame : search->count;
	if (from + frame > to)
		from = to - frame;
	range = to - from - frame;
	if (range < FRAMES)
		frames = 1;
	for (int i = 0; i < frames; i++) {
		size_t start = from + (frames > 1 ? range * (size_t)i / (FRAMES - 1) : 0);
		opinions[i] = hear_frame(search, start);
	}
	*f0 = agree(opinions, frames, confidence);
	return check_octaves(search, from + (to - from) / 2, lowest, highest, f0, error);
}

enum ym_status ym_pitch(const float *samples, size_t count, double rate, double lowest,
                        double highest, double *f0, double *confidence,
                        struct ym_error *error) {
	struct outline outline;
	struct search search;
	size_t from, to, original = count;
	enum ym_status status;
	if ((double)count < 3 * rate / highest + 8)
		return ym_fail(error, YM_INPUT, "%zu samples are too short for a pitch", count);
	status = make_outline(&outline, samples, count, rate, 1, error);
	if (status != YM_OK)
		return status;
	sounding_part(&outline, &from, &to);
	thin_out(outline.samples, &count, &rate);
	from = from * count / original;
	to = to * count / original;
	search.samples = outline.samples;
	search.count = count;
	search.rate = rate;
	search.shortest = (size_t)fmax(2, floor(rate / highest));
	search.longest = (size_t)ceil(rate / lowest) + 2;
	if (search.longest > (count - 1) / 2)
		search.longest = (count - 1) / 2;
	if (search.shortest >= search.longest)
		search.shortest = search.longest - 1;
	search.difference = ym_alloc(search.longest + 2, sizeof(float));
	if (search.difference == NULL)
		status = ym_no_memory(error);
	else
		status = hear(&search, from, to, lowest, highest, f0, confidence, error);
	ym_free(search.difference);
	free_outline(&outline);
	return status;
}

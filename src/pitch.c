#include "pitch.h"

#include <math.h>

#include "lanes.h"
#include "outline.h"
#include "spectrum.h"

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
	if (bend <= 0 || middle > left ||
	    middle > right) /* no dip, but the search's edge */
		return (double)lag;
	return (double)lag + 0.5 * (left - right) / bend;
}

/* The lag near guess (within a tenth of period) with the smallest difference. */
static size_t nearby_dip(const struct search *search, double guess, double period) {
	size_t from = (size_t)(guess - 0.1 * period),
		   to = (size_t)(guess + 0.1 * period) + 1;
	size_t best = (size_t)nearbyint(guess);
	for (size_t lag = from; lag <= to && lag < search->longest; lag++)
		if (search->difference[lag] < search->difference[best])
			best = lag;
	return best;
}

/* YIN on the frame at start. Difference becomes the normalised d'. */
static struct opinion hear_frame(const struct search *search, size_t start) {
	float *values = search->difference;
	double sum = 0, energy = 0, period;
	size_t best = search->shortest;
	struct opinion opinion;
	float lowest = 1;
	values[0] = 1;
	for (size_t lag = 1; lag <= search->longest; lag++) {
		float value = difference(search, start, lag);
		sum += (double)value;
		values[lag] = sum > 0 ? (float)((double)value * (double)lag / sum) : 1;
		if (lag >= search->shortest)
			lowest = fminf(lowest, values[lag]);
	}
	lowest = fmaxf(0.12f, lowest + 0.08f); /* a dip below is a period */
	for (size_t i = start; i < start + search->longest; i++)
		energy += (double)search->samples[i] * (double)search->samples[i];
	for (size_t lag = search->shortest; lag < search->longest; lag++) {
		if (values[lag] < values[best])
			best = lag;
		if (values[best] < lowest && values[lag] > values[best])
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
		ym_frames_power(frames, work, search->samples, search->count, (ptrdiff_t)centre,
		                bins, power);
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

/* How many samples become one: halving stops where 30 kHz would not be left. */
static size_t thinning(double rate) {
	size_t factor = 1;
	while (rate / (double)factor >= 60000)
		factor *= 2;
	return factor;
}

/* Halves the rate by means of pairs until factor samples are one. */
static void thin_out(float *samples, size_t factor, size_t *count, double *rate) {
	for (; factor > 1; factor /= 2, *rate /= 2) {
		*count /= 2;
		for (size_t i = 0; i < *count; i++)
			samples[i] = 0.5f * (samples[2 * i] + samples[2 * i + 1]);
	}
}

/* The part of the note where it sounds: from a little after its onset to where it has
** fallen by 20 dB, 1.5 s at most. */
static void sounding_part(const struct ym_outline *outline, size_t *from, size_t *to) {
	size_t first = ym_outline_above(outline, 0.1f * outline->peak),
		   last = outline->count;
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
	struct opinion opinions[FRAMES] = {{0, 0, 0}};
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
	struct ym_outline outline;
	struct search search;
	size_t from, to, original = count, factor = thinning(rate);
	double thinned = rate / (double)factor;
	enum ym_status status;
	/* a search needs a few lags, whatever the periods */
	if ((double)(count / factor) < 3 * thinned / highest + 8)
		return ym_fail(error, YM_INPUT, "%zu samples are too short for a pitch", count);
	status = ym_outline_new(&outline, samples, count, rate, 1, error);
	if (status != YM_OK)
		return status;
	sounding_part(&outline, &from, &to);
	thin_out(outline.samples, factor, &count, &rate);
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
	ym_outline_free(&outline);
	return status;
}

#include "pitch.h"

#include <math.h>

#include "lanes.h"
#include "outline.h"
#include "partials.h"

enum { FRAMES = 16, CANDIDATES = 16 };

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

/* How many samples become one: halving stops where 30 kHz would not be left, or 20 kHz
** and five samples to the shortest period. */
static size_t thinning(double rate, double highest) {
	size_t factor = 1;
	while (rate / (double)factor >= 60000 ||
	       (rate / (double)factor >= 40000 && highest <= 0.1 * rate / (double)factor))
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

/* The period of the waveform by YIN, as a frequency. */
static double hear(struct search *search, size_t from, size_t to, double *confidence) {
	struct opinion opinions[FRAMES] = {{0, 0, 0}};
	size_t frame = 2 * search->longest + 1, range;
	int frames = FRAMES;
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
	return agree(opinions, frames, confidence);
}

/* Adds a candidate with its score in place of share, unless it lies outside the limits
** or within 30 cents of one that is there already. */
static int add_candidate(struct ym_pitch_guess *list, int count, double f0,
                         double score, double lowest, double highest) {
	if (f0 < lowest || f0 > highest)
		return count;
	for (int i = 0; i < count; i++)
		if (fabs(log2(f0 / list[i].f0)) < 30.0 / 1200)
			return count;
	list[count] = (struct ym_pitch_guess){f0, score};
	return count + 1;
}

/* Judges the period found, what is related to it, and fundamentals of the outstanding
** partials. */
static void judge(const struct ym_partials *partials, double period, double lowest,
                  double highest, struct ym_pitch *pitch) {
	static const double related[] = {1, 0.5, 2, 1 / 3.0, 1.5, 2 / 3.0, 3, 0.25, 4};
	const double loud = ym_partials_strongest(partials);
	const double low = ym_partials_lowest(partials);
	const double heard[] = {loud, loud / 2, loud / 3, loud / 4, 2 * loud, low, low / 2};
	struct ym_pitch_guess list[CANDIDATES];
	int count = 0;
	double sum = 0;
	for (size_t i = 0; i < sizeof related / sizeof *related; i++)
		count = add_candidate(list, count, period * related[i],
		                      ym_partials_score(partials, period * related[i], i == 0),
		                      lowest, highest);
	for (size_t i = 0; i < sizeof heard / sizeof *heard; i++)
		if (heard[i] > 0)
			count = add_candidate(list, count, heard[i],
			                      ym_partials_score(partials, heard[i], false), lowest,
			                      highest);
	if (count == 0)
		list[count++] = (struct ym_pitch_guess){fmin(fmax(period, lowest), highest), 0};
	for (int i = 1; i < count; i++) {
		struct ym_pitch_guess guess = list[i];
		int k = i;
		for (; k > 0 && list[k - 1].share < guess.share; k--)
			list[k] = list[k - 1];
		list[k] = guess;
	}
	for (int i = count; i-- > 0;) {
		list[i].share = exp(list[i].share - list[0].share);
		sum += list[i].share;
	}
	pitch->count = count < YM_PITCH_GUESSES ? count : YM_PITCH_GUESSES;
	for (int i = 0; i < pitch->count; i++)
		pitch->guesses[i] = (struct ym_pitch_guess){list[i].f0, list[i].share / sum};
}

/* What a pitch is sought in: samples above 20 Hz at a lower rate, and where it sounds.
** */
struct extract {
	struct ym_outline outline;
	size_t count, from, to;
	double rate;
};

static enum ym_status listen(struct extract *extract, const float *samples,
                             size_t count, double rate, double highest,
                             struct ym_error *error) {
	size_t factor = thinning(rate, highest);
	enum ym_status status;
	/* a search needs a few lags, whatever the periods */
	if ((double)(count / factor) < 3 * rate / (double)factor / highest + 8)
		return ym_fail(error, YM_INPUT, "%zu samples are too short for a pitch", count);
	status = ym_outline_new(&extract->outline, samples, count, rate, 1, error);
	if (status != YM_OK)
		return status;
	extract->count = count;
	extract->rate = rate;
	sounding_part(&extract->outline, &extract->from, &extract->to);
	thin_out(extract->outline.samples, factor, &extract->count, &extract->rate);
	extract->from = extract->from * extract->count / count;
	extract->to = extract->to * extract->count / count;
	if (extract->to > extract->count)
		extract->to = extract->count;
	return YM_OK;
}

enum ym_status ym_pitch_guess(const float *samples, size_t count, double rate,
                              double lowest, double highest, struct ym_pitch *pitch,
                              struct ym_error *error) {
	struct extract extract;
	struct ym_partials partials;
	struct search search;
	enum ym_status status = listen(&extract, samples, count, rate, highest, error);
	if (status != YM_OK)
		return status;
	search.samples = extract.outline.samples;
	search.count = extract.count;
	search.rate = extract.rate;
	search.shortest = (size_t)fmax(2, floor(extract.rate / highest));
	search.longest = (size_t)ceil(extract.rate / lowest) + 2;
	if (search.longest > (extract.count - 1) / 2)
		search.longest = (extract.count - 1) / 2;
	if (search.shortest >= search.longest)
		search.shortest = search.longest - 1;
	search.difference = ym_alloc(search.longest + 2, sizeof(float));
	status = search.difference == NULL
	             ? ym_no_memory(error)
	             : ym_partials_find(&partials, search.samples, search.count,
	                                search.rate, extract.from, extract.to, error);
	if (status == YM_OK) {
		double period = hear(&search, extract.from, extract.to, &pitch->confidence);
		judge(&partials, period, lowest, highest, pitch);
		ym_partials_free(&partials);
	}
	ym_free(search.difference);
	ym_outline_free(&extract.outline);
	return status;
}

enum ym_status ym_pitch_near(const float *samples, size_t count, double rate, double f0,
                             double *found, double *share, struct ym_error *error) {
	struct extract extract;
	struct ym_partials partials;
	enum ym_status status = listen(&extract, samples, count, rate, 4200, error);
	if (status != YM_OK)
		return status;
	status = ym_partials_find(&partials, extract.outline.samples, extract.count,
	                          extract.rate, extract.from, extract.to, error);
	if (status == YM_OK) {
		*share = ym_partials_near(&partials, f0, found);
		ym_partials_free(&partials);
	}
	ym_outline_free(&extract.outline);
	return status;
}

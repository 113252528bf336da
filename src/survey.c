#include "survey.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spectrum.h"

enum {
	SIZE = 1024, /* samples in a frame, at 53,267 Hz; hops are half of it */
	BINS = 16,   /* and FRAMES make a cell of the time-frequency plane */
	FRAMES = 3,
	EDGE = 12,  /* bins that an edge may take */
	FULL = 24,  /* bins that are full below it */
	LEAST = 40, /* cells below which nothing is said about noise */
};

/* Noise, as a share of the loudest mean square: 75 and 24 dB below it. */
#define FAINTEST 3.16e-8
#define LOUDEST  4e-3

/* The power of a recording over time and frequency. */
struct plane {
	int bins;       /* of one frame, up to the end of the band */
	size_t rows;    /* of cells, over time */
	size_t columns; /* of cells, over frequency */
	float *cells;   /* (rows, columns): mean power of a bin */
	float *most;    /* (bins): largest power at any time */
	float *power;   /* (rows FRAMES, bins) */
};

static void free_plane(struct plane *plane) {
	ym_free(plane->cells);
	ym_free(plane->most);
	ym_free(plane->power);
}

/* Adds the power of one frame. Bins below the first column's, where the high-pass and
** every onset leave their mark, are in no cell. */
static void add_frame(struct plane *plane, size_t frame, const float *power) {
	float *row = plane->cells + frame / FRAMES * plane->columns;
	for (int i = 0; i < plane->bins; i++)
		plane->most[i] = fmaxf(plane->most[i], power[i]);
	if (frame / FRAMES >= plane->rows)
		return;
	memcpy(plane->power + frame * (size_t)plane->bins, power,
	       (size_t)plane->bins * sizeof *power);
	for (size_t column = 0; column < plane->columns; column++)
		for (size_t i = 0; i < BINS; i++)
			row[column] += power[(column + 1) * BINS + i] / (BINS * FRAMES);
}

static enum ym_status fill_plane(struct plane *plane, const float *samples,
                                 size_t count, double rate, double band,
                                 struct ym_error *error) {
	struct ym_frames *frames = NULL;
	float *work, *power;
	size_t number = 1 + (count - SIZE) / (SIZE / 2);
	enum ym_status status = ym_frames_new(&frames, SIZE, YM_WINDOW_HANN, error);
	*plane = (struct plane){.bins = (int)fmin(band / rate * SIZE, SIZE / 2 - 2)};
	if (status != YM_OK)
		return status;
	plane->rows = number / FRAMES;
	plane->columns = plane->bins < 2 * BINS ? 0 : (size_t)plane->bins / BINS - 1;
	plane->cells = ym_alloc(plane->rows * plane->columns + 1, sizeof(float));
	plane->most = ym_alloc((size_t)plane->bins + 1, sizeof(float));
	plane->power = ym_alloc(plane->rows * FRAMES * (size_t)plane->bins + 1,
	                        sizeof(float));
	work = ym_alloc(ym_fft_work(SIZE), sizeof(float));
	power = ym_alloc(ym_power_room(SIZE), sizeof(float));
	if (plane->cells == NULL || plane->most == NULL || plane->power == NULL ||
	    work == NULL || power == NULL) {
		free_plane(plane);
		status = ym_no_memory(error);
	} else
		for (size_t k = 0; k < number; k++) {
			ym_frames_power(frames, work, samples, count,
			                (ptrdiff_t)(SIZE / 2 + k * (SIZE / 2)), plane->bins, power);
			add_frame(plane, k, power);
		}
	ym_free(work);
	ym_free(power);
	ym_frames_free(frames);
	return status;
}

/* The bin above which there is nothing, or 0. */
static int find_edge(const struct plane *plane) {
	float above = 0;
	for (int edge = plane->bins - EDGE; edge > FULL; edge--) {
		float least = INFINITY;
		above = fmaxf(above, plane->most[edge + EDGE - 1]);
		for (int i = edge - FULL; i < edge; i++)
			least = fminf(least, plane->most[i]);
		if (least > 1e5f * above)
			return edge;
	}
	return 0;
}

static int compare_floats(const void *a, const void *b) {
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

/* Whether cells below ceiling are found in a third of the columns and a fifth of the
** rows. */
static bool is_spread(const struct plane *plane, size_t columns, double ceiling) {
	size_t broad = 0, lasting = 0;
	for (size_t column = 0; column < columns; column++)
		for (size_t row = 0; row < plane->rows; row++)
			if ((double)plane->cells[row * plane->columns + column] < ceiling) {
				broad++;
				break;
			}
	for (size_t row = 0; row < plane->rows; row++)
		for (size_t column = 0; column < columns; column++)
			if ((double)plane->cells[row * plane->columns + column] < ceiling) {
				lasting++;
				break;
			}
	return broad >= columns / 3 && lasting >= plane->rows / 5;
}

/* How much the power of the bins in cells below ceiling is as it was a cell before: 0
** of noise, towards 1 of tones. */
static double find_memory(const struct plane *plane, size_t columns, double ceiling) {
	double product = 0, square = 0;
	for (size_t row = 0; row + 1 < plane->rows; row++)
		for (size_t column = 0; column < columns; column++) {
			const float *cell = plane->cells + row * plane->columns + column;
			const float *first = plane->power + row * FRAMES * (size_t)plane->bins +
			                     (column + 1) * BINS;
			const float *next = first + FRAMES * (size_t)plane->bins;
			double mean = (double)cell[0], later = (double)cell[plane->columns];
			if (mean >= ceiling || later >= ceiling)
				continue;
			for (int i = 0; i < FRAMES; i++, first += plane->bins, next += plane->bins)
				for (int bin = 0; bin < BINS; bin++) {
					double a = (double)first[bin] - mean, b = (double)next[bin] - later;
					product += a * b;
					square += 0.5 * (a * a + b * b);
				}
		}
	return square > 0 ? product / square : 1;
}

/* The floor that the cells of the first columns share, as the power of a bin, or 0. The
** power of noise in a cell varies by a fifth around its mean, so that from the lowest
** cells on, all below 1.6 times the mean of those taken so far belong to it. */
static double find_floor(const struct plane *plane, size_t columns, float *sorted) {
	size_t count = 0, taken = 0, low = 0;
	double floor, mean;
	for (size_t row = 0; row < plane->rows; row++)
		for (size_t column = 0; column < columns; column++)
			sorted[count++] = plane->cells[row * plane->columns + column];
	if (count < LEAST)
		return 0;
	qsort(sorted, count, sizeof *sorted, compare_floats);
	mean = (double)sorted[count / 50];
	do {
		double sum = 0;
		floor = mean;
		for (taken = 0; taken < count && (double)sorted[taken] < 1.6 * floor; taken++)
			sum += (double)sorted[taken];
		mean = taken > 0 ? sum / (double)taken : 0;
	} while (mean > 1.01 * floor);
	/* Where the floor is noise, little lies far below it, it shows at many times and
	** frequencies, and it has no memory. */
	while (low < count && (double)sorted[low] < 0.4 * floor)
		low++;
	if (low > count / 100 || taken < count / 20 ||
	    !is_spread(plane, columns, 1.6 * floor) ||
	    find_memory(plane, columns, 1.6 * floor) > 0.25)
		return 0;
	return floor;
}

/* Whether the samples have hardly more values than the chip's 9-bit output has: its own
** grit is no noise of a recording. */
static bool is_coarse(const float *samples, size_t count) {
	enum { MOST = 600, SLOTS = 2048 };
	uint32_t slots[SLOTS] = {0}; /* the bits of values, 0 where there is none */
	int values = 0;
	for (size_t i = 0; i < count; i++) {
		union {
			float value;
			uint32_t bits;
		} sample = {samples[i]};
		uint32_t slot = sample.bits * 2654435761u >> 21;
		while (slots[slot] != 0 && slots[slot] != sample.bits)
			slot = (slot + 1) % SLOTS;
		if (slots[slot] == 0 && sample.bits != 0) {
			slots[slot] = sample.bits;
			if (++values > MOST)
				return false;
		}
	}
	return true;
}

/* RMS of the loudest 100 ms, in steps of 10 ms; of all where there is less. */
static double loudest(const float *samples, size_t count, double rate) {
	size_t step = (size_t)(rate / 100), length = 10 * step;
	double most = 0;
	if (step == 0 || length > count)
		length = count;
	for (size_t from = 0; from + length <= count; from += step > 0 ? step : 1) {
		double sum = 0;
		for (size_t i = from; i < from + length; i++)
			sum += (double)(samples[i] * samples[i]);
		most = fmax(most, sum / (double)length);
	}
	return sqrt(most);
}

/* Surveys samples above 20 Hz; the noise is looked for only where noisy. */
static enum ym_status survey_plane(const float *samples, size_t count, double rate,
                                   double band, bool noisy, struct ym_survey *survey,
                                   struct ym_error *error) {
	struct plane plane;
	float *sorted;
	enum ym_status status = fill_plane(&plane, samples, count, rate, band, error);
	if (status != YM_OK)
		return status;
	sorted = ym_alloc(plane.rows * plane.columns + 1, sizeof *sorted);
	if (sorted == NULL)
		status = ym_no_memory(error);
	else {
		size_t edge = (size_t)find_edge(&plane);
		size_t columns = edge > 0 ? edge / BINS - 1 : plane.columns;
		/* a bin of noise with mean square 1 has 4 sum w^2 / (sum w)^2 = 6 / SIZE */
		double noise = noisy ? find_floor(&plane, columns, sorted) * SIZE / 6 : 0;
		double share = noise / (survey->level * survey->level);
		survey->limit = (double)edge * rate / SIZE;
		survey->noise = share > FAINTEST && share < LOUDEST ? noise : 0;
	}
	ym_free(sorted);
	free_plane(&plane);
	return status;
}

enum ym_status ym_survey(const float *samples, size_t count, double rate, double band,
                         struct ym_survey *survey, struct ym_error *error) {
	float *filtered = ym_alloc(count + 1, sizeof *filtered);
	enum ym_status status = YM_OK;
	*survey = (struct ym_survey){0};
	if (filtered == NULL)
		return ym_no_memory(error);
	if (!ym_highpass(rate, samples, count, filtered))
		status = ym_fail(
			error, YM_INPUT,
			"the samples hold values that are not numbers or far too large");
	else if (count > 0)
		survey->level = loudest(filtered, count, rate);
	if (status == YM_OK && !(survey->level > 1e-8))
		status = ym_fail(error, YM_INPUT, "the sound is silent");
	if (status == YM_OK && count >= SIZE)
		status = survey_plane(filtered, count, rate, band, !is_coarse(samples, count),
		                      survey, error);
	ym_free(filtered);
	return status;
}

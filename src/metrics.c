#include "metrics.h"

#include <math.h>
#include <string.h>

#include "audio.h"
#include "spectrum.h"

enum ym_status ym_metrics_unit(double rate, const float *samples, size_t count,
                               size_t length, size_t over, float *out,
                               struct ym_error *error) {
	double energy = 0, scale;
	enum ym_status status = ym_audio_check(samples, count, error);
	if (status != YM_OK)
		return status;
	if (!ym_highpass(rate, samples, count, out))
		return ym_fail(error, YM_INPUT, "is too loud to be measured");
	memset(out + count, 0, (length - count) * sizeof *out);
	for (size_t i = 0; i < count; i++)
		energy += (double)out[i] * (double)out[i];
	scale = 1 / (sqrt(energy / (double)(over > 0 ? over : 1)) + 1e-12);
	for (size_t i = 0; i < count; i++)
		out[i] = (float)((double)out[i] * scale);
	return YM_OK;
}

static double largest(const float *values, size_t count) {
	float most = 0;
	for (size_t i = 0; i < count; i++)
		most = values[i] > most ? values[i] : most;
	return (double)most;
}

double ym_metrics_level_difference(const float *a, const float *b, size_t count,
                                   double range) {
	/* 1e-30: a silent picture is 0 throughout, not an undefined ratio */
	double a_peak = largest(a, count) + 1e-30, b_peak = largest(b, count) + 1e-30;
	double floor = pow(10, -range / 10), sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += fabs(log10(fmax((double)a[i] / a_peak, floor)) -
		            log10(fmax((double)b[i] / b_peak, floor)));
	return 10 * sum / (double)(count > 0 ? count : 1);
}

static double magnitude_sum(const float *power, size_t width) {
	double sum = 0;
	for (size_t i = 0; i < width; i++)
		sum += sqrt((double)power[i]);
	return sum + 1e-9; /* a silent frame holds nothing to carry */
}

double ym_metrics_transport(const float *a, const float *b, size_t frames,
                            size_t width) {
	double sum = 0;
	for (size_t k = 0; k < frames; k++, a += width, b += width) {
		double a_scale = 1 / magnitude_sum(a, width), carried = 0;
		double b_scale = 1 / magnitude_sum(b, width);
		for (size_t i = 0; i < width; i++) {
			carried += a_scale * sqrt((double)a[i]) - b_scale * sqrt((double)b[i]);
			sum += fabs(carried);
		}
	}
	return sum / (double)(frames > 0 ? frames * width : 1);
}

static double frame_cost(const float *a, const float *b, size_t width) {
	double sum = 0;
	for (size_t i = 0; i < width; i++)
		sum += fabs((double)a[i] - (double)b[i]);
	return sum / (double)width;
}

enum ym_status ym_metrics_warp(const float *a, size_t a_frames, const float *b,
                               size_t b_frames, size_t width, double *cost,
                               struct ym_error *error) {
	/* row[j]: the cheapest way to the frames i of a and j of b */
	double *row = ym_alloc(b_frames, sizeof *row);
	if (row == NULL)
		return ym_no_memory(error);
	for (size_t i = 0; i < a_frames; i++) {
		double corner = 0; /* the way to i - 1, j - 1 */
		for (size_t j = 0; j < b_frames; j++) {
			double here = frame_cost(a + i * width, b + j * width, width);
			double above = row[j], least = INFINITY;
			if (i == 0 && j == 0)
				least = here;
			if (i > 0)
				least = above + here;
			if (j > 0)
				least = fmin(least, row[j - 1] + here);
			if (i > 0 && j > 0)
				least = fmin(least, corner + 2 * here);
			row[j] = least;
			corner = above;
		}
	}
	*cost = row[b_frames - 1] / (double)(a_frames + b_frames);
	ym_free(row);
	return YM_OK;
}

static double mean(const float *values, size_t count) {
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += (double)values[i];
	return sum / (double)(count > 0 ? count : 1);
}

double ym_metrics_correlation(const float *a, const float *b, size_t count) {
	double a_mean = mean(a, count), b_mean = mean(b, count), aa = 0, ab = 0, bb = 0;
	for (size_t i = 0; i < count; i++) {
		double x = (double)a[i] - a_mean, y = (double)b[i] - b_mean;
		aa += x * x;
		ab += x * y;
		bb += y * y;
	}
	return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

double ym_metrics_spread(const float *a, const float *b, size_t frames, size_t width) {
	double sum = 0;
	for (size_t k = 0; k < frames; k++, a += width, b += width) {
		double squares = 0;
		for (size_t i = 0; i < width; i++) {
			double difference = (double)a[i] - (double)b[i];
			squares += difference * difference;
		}
		sum += sqrt(squares / (double)width);
	}
	return sum / (double)(frames > 0 ? frames : 1);
}

static double root_mean_square(const float *samples, size_t count) {
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += (double)samples[i] * (double)samples[i];
	return sqrt(sum / (double)count);
}

double ym_metrics_envelope(const float *a, const float *b, size_t count, size_t size,
                           size_t hop) {
	double aa = 0, ab = 0, bb = 0;
	size_t window = size < count ? size : count;
	for (size_t start = 0; start + window <= count; start += hop) {
		double x = root_mean_square(a + start, window);
		double y = root_mean_square(b + start, window);
		aa += x * x;
		ab += x * y;
		bb += y * y;
	}
	return ab / (sqrt(aa * bb) + 1e-12);
}

void ym_metrics_rank(const float *scores, size_t count, size_t truth, size_t *above,
                     size_t *level) {
	float own = scores[truth];
	*above = *level = 0;
	for (size_t i = 0; i < count; i++) {
		bool number = !isnan(scores[i]);
		*above += isnan(own) ? number : scores[i] > own;
		*level += isnan(own) ? !number : scores[i] == own;
	}
}

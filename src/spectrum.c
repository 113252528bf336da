#include "spectrum.h"

#include <math.h>
#include <string.h>

#include "lanes.h"

const char *const ym_window_names[] = {"hann",  "hamming",     "blackman",
                                       "tukey", "rectangular", NULL};

/* Weight at position x of the frame, 0 <= x < 1. */
static double window_weight(enum ym_window window, double x) {
	const double taper = 0.25;
	double turn = 2 * YM_PI * x, edge = x < 0.5 ? x : 1 - x;
	switch (window) {
	case YM_WINDOW_HANN: return 0.5 - 0.5 * cos(turn);
	case YM_WINDOW_HAMMING: return 0.54 - 0.46 * cos(turn);
	case YM_WINDOW_BLACKMAN: return 0.42 - 0.5 * cos(turn) + 0.08 * cos(2 * turn);
	case YM_WINDOW_TUKEY:
		return edge < taper / 2 ? 0.5 - 0.5 * cos(2 * YM_PI * edge / taper) : 1;
	case YM_WINDOW_RECTANGULAR: break;
	}
	return 1;
}

enum ym_status ym_frames_new(struct ym_frames **result, int size, enum ym_window window,
                             struct ym_error *error) {
	struct ym_frames *frames = ym_alloc(1, sizeof *frames);
	enum ym_status status;
	double sum = 0;
	if (frames == NULL)
		return ym_no_memory(error);
	frames->size = size;
	status = ym_fft_new(&frames->fft, size, error);
	if (status == YM_OK) {
		frames->window = ym_alloc(ym_lanes_padded((size_t)size), sizeof(float));
		if (frames->window == NULL)
			status = ym_no_memory(error);
	}
	if (status != YM_OK) {
		ym_frames_free(frames);
		return status;
	}
	for (int i = 0; i < size; i++)
		sum += window_weight(window, (double)i / size);
	for (int i = 0; i < size; i++) /* 1 / sum: ym_fft_power doubles amplitudes */
		frames->window[i] = (float)(window_weight(window, (double)i / size) / sum);
	*result = frames;
	return YM_OK;
}

void ym_frames_free(struct ym_frames *frames) {
	if (frames == NULL)
		return;
	ym_fft_free(frames->fft);
	ym_free(frames->window);
	ym_free(frames);
}

size_t ym_power_room(int size) {
	return ym_lanes_padded((size_t)size / 2 + 1) + YM_LANES;
}

void ym_frames_power(const struct ym_frames *frames, float *work, const float *samples,
                     size_t count, ptrdiff_t centre, int bins, float *power) {
	ptrdiff_t start = centre - frames->size / 2;
	/* the part of the frame that lies inside the samples */
	ptrdiff_t from = start < 0 ? -start : 0, to = (ptrdiff_t)count - start;
	ym_lane_bits any = {0};
	if (to > frames->size)
		to = frames->size;
	if (from >= to) {
		memset(power, 0, ym_lanes_padded((size_t)bins) * sizeof *power);
		return;
	}
	memset(work, 0, (size_t)from * sizeof *work);
	memset(work + to, 0, (size_t)(frames->size - to) * sizeof *work);
	samples += start;
	for (; from + YM_LANES <= to; from += YM_LANES) {
		ym_lanes values = ym_lanes_load(samples + from);
		any |= values != 0;
		ym_lanes_store(work + from, values * ym_lanes_load(frames->window + from));
	}
	for (; from < to; from++) {
		any[0] |= samples[from] != 0;
		work[from] = samples[from] * frames->window[from];
	}
	if ((any[0] | any[1] | any[2] | any[3]) == 0) {
		memset(power, 0, ym_lanes_padded((size_t)bins) * sizeof *power);
		return;
	}
	ym_fft_power(frames->fft, work, bins, power);
}

enum ym_status ym_bank_new(struct ym_bank **result, int size, int bands,
                           struct ym_error *error) {
	struct ym_bank *bank = ym_alloc(1, sizeof *bank);
	if (bank == NULL)
		return ym_no_memory(error);
	bank->size = size;
	bank->bands = bands;
	/* A bin lies in two triangles, but for those widened to one bin a side, which have
	** at most three; each band is then padded to whole lanes. */
	bank->capacity = 2 * ((size_t)size / 2 + 1) + 2 * YM_LANES * (size_t)bands;
	bank->first = ym_alloc((size_t)bands, sizeof *bank->first);
	bank->end = ym_alloc((size_t)bands, sizeof *bank->end);
	bank->weight = ym_alloc(bank->capacity, sizeof *bank->weight);
	if (bank->first == NULL || bank->end == NULL || bank->weight == NULL) {
		ym_bank_free(bank);
		return ym_no_memory(error);
	}
	*result = bank;
	return YM_OK;
}

void ym_bank_free(struct ym_bank *bank) {
	if (bank == NULL)
		return;
	ym_free(bank->first);
	ym_free(bank->end);
	ym_free(bank->weight);
	ym_free(bank);
}

/* Sets band number band, the ones before it being set, to the triangle (in bins). */
static void set_band(struct ym_bank *bank, int band, double left, double centre,
                     double right) {
	int last_bin = bank->size / 2;
	int offset = band == 0 ? 0 : bank->end[band - 1], end = offset;
	double low = floor(left) + 1, high = ceil(right) - 1; /* the weights above zero */
	int first = low < 1 ? 1 : low > last_bin ? last_bin + 1 : (int)low;
	int last = high > last_bin ? last_bin : (int)high;
	double up = 1 / (centre - left), down = 1 / (right - centre);
	for (int bin = first; bin <= last; bin++) {
		double rise = (bin - left) * up, fall = (right - bin) * down;
		bank->weight[end++] = (float)(rise < fall ? rise : fall);
	}
	while ((end - offset) % YM_LANES != 0)
		bank->weight[end++] = 0;
	bank->first[band] = end > offset ? first : 0;
	bank->end[band] = end;
	if (last >= first && last + 1 > bank->bins)
		bank->bins = last + 1;
}

static double to_mel(double hertz) {
	return 2595 * log10(1 + hertz / 700);
}

static double from_mel(double mel) {
	return 700 * (pow(10, mel / 2595) - 1);
}

enum ym_status ym_bank_mel(struct ym_bank **result, double rate, int size, int bands,
                           double low, double high, double limit,
                           struct ym_error *error) {
	enum ym_status status = ym_bank_new(result, size, bands, error);
	struct ym_bank *bank;
	double step = (to_mel(high) - to_mel(low)) / (bands + 1), bin = rate / size;
	int kept = 0;
	if (status != YM_OK)
		return status;
	bank = *result;
	bank->bins = 1;
	for (; kept < bands; kept++) {
		double left = from_mel(to_mel(low) + step * kept);
		double centre = from_mel(to_mel(low) + step * (kept + 1));
		double right = from_mel(to_mel(low) + step * (kept + 2));
		left = fmin(left, centre - bin);
		right = fmax(right, centre + bin);
		if (right > limit)
			break;
		set_band(bank, kept, left / bin, centre / bin, right / bin);
	}
	bank->bands = kept;
	if (kept > 0)
		return YM_OK;
	ym_bank_free(bank);
	*result = NULL;
	return ym_fail(error, YM_ARGUMENT, "no mel band lies below %g Hz", limit);
}

void ym_bank_harmonics(struct ym_bank *bank, double rate, double f0) {
	double spacing = f0 / 2 * bank->size / rate; /* in bins */
	double side = fmax(spacing, 1);
	bank->bins = 1;
	for (int band = 0; band < bank->bands; band++) {
		double centre = spacing * (band + 1);
		if (centre > bank->size / 2) /* Nyquist: an empty triangle */
			set_band(bank, band, 0, 1, 0);
		else
			set_band(bank, band, centre - side, centre, centre + side);
	}
}

void ym_bank_apply(const struct ym_bank *bank, const float *power, float *out) {
	const float *weight = bank->weight;
	for (int band = 0; band < bank->bands; band++) {
		const float *from = power + bank->first[band],
					*end = bank->weight + bank->end[band];
		ym_lanes sum = {0};
		for (; weight < end; weight += YM_LANES, from += YM_LANES)
			sum += ym_lanes_load(weight) * ym_lanes_load(from);
		out[band] = ym_lanes_sum(sum);
	}
}

void ym_cosine_table(float *table, int count, int coefficients) {
	for (int k = 0; k < coefficients; k++)
		for (int n = 0; n < count; n++)
			*table++ = (float)(cos(YM_PI * k * (n + 0.5) / count) *
			                   sqrt((k == 0 ? 1.0 : 2.0) / count));
}

void ym_cosine_transform(const float *table, int count, int coefficients,
                         const float *values, size_t rows, float *out) {
	for (size_t row = 0; row < rows; row++, values += count)
		for (int k = 0; k < coefficients; k++) {
			const float *factor = table + (ptrdiff_t)k * count;
			double sum = 0;
			for (int n = 0; n < count; n++)
				sum += (double)values[n] * (double)factor[n];
			*out++ = (float)sum;
		}
}

typedef double pair __attribute__((vector_size(16)));
typedef int64_t pair_bits __attribute__((vector_size(16)));

/*
** y[n] = g (x[n] - 2 x[n-1] + x[n-2]) - a y[n-1] - b y[n-2] waits for its own last
** result at every sample. Both sides times (1 - a z^-1 + b z^-2) leave
** y[n] = sum c[i] x[n-i] - (2b - a^2) y[n-2] - b^2 y[n-4]: even and odd samples no
** longer meet and run side by side. The poles that adds are as stable as the others.
*/
bool ym_highpass(double rate, const float *samples, size_t count, float *out) {
	const double loudest = 1e30, k = tan(YM_PI * 20 / rate);
	const double g = 1 / (1 + sqrt(2) * k + k * k);
	const double a = 2 * (k * k - 1) * g, b = (1 - sqrt(2) * k + k * k) * g;
	const double c0 = g, c1 = -g * (a + 2), c2 = g * (b + 2 * a + 1);
	const double c3 = -g * (a + 2 * b), c4 = g * b;
	const double d2 = 2 * b - a * a, d4 = b * b;
	double first = count > 0 ? (double)samples[0] : 0;
	pair x2 = {0}, x4 = {0}, y2 = {0}, y4 = {0}; /* two and four samples back */
	pair energy = {0};
	for (size_t i = 0; i < count; i += 2) {
		double next = i + 1 < count ? (double)samples[i + 1] : first;
		pair x = {(double)samples[i] - first, next - first};
		pair x1 = {x2[1], x[0]}, x3 = {x4[1], x2[0]};
		pair y = c0 * x + c1 * x1 + c2 * x2 + c3 * x3 + c4 * x4 - d2 * y2 - d4 * y4;
		/* an endless tail would sink into denormal numbers, which are slow */
		pair_bits heard = (y > 1e-12) | (y < -1e-12);
		pair result = (pair)((pair_bits)y & heard);
		out[i] = (float)result[0];
		out[i + 1] = (float)result[1];
		x4 = x2;
		x2 = x;
		y4 = y2;
		y2 = y;
		energy += y * y;
	}
	return energy[0] + energy[1] <= loudest; /* false for NaN */
}

#include "fft.h"

#include <fftw3.h>
#include <math.h>

#include "lanes.h"

/* Complex values read beyond either end of the spectrum by the last lanes. */
enum { MARGIN = 8 };

/*
** A real frame of N samples is taken as N/2 complex ones (even samples real, odd ones
** imaginary): that transform, Z, runs in FFTW's fastest kernels, and X comes from Z[k]
** and Z[N/2 - k].
*/
struct ym_fft {
	int half; /* N/2 */
	fftwf_plan plan;
	float *cosine, *sine; /* of 2 pi k / N, k = 0 .. N/2, in whole lanes */
};

static size_t input_floats(int half) {
	return ((size_t)half * 2 + 15) / 16 * 16; /* keeps what follows aligned */
}

size_t ym_fft_work(int size) {
	return input_floats(size / 2) + ((size_t)size / 2 + 2 * MARGIN) * 2;
}

enum ym_status ym_fft_new(struct ym_fft **result, int size, struct ym_error *error) {
	struct ym_fft *fft;
	size_t bins = ym_lanes_padded((size_t)size / 2 + 1);
	float *work = NULL;
	if (size < 2 || size > YM_FFT_LARGEST || size % 2 != 0)
		return ym_fail(error, YM_ARGUMENT, "frame size is %d, expected an even 2..%d",
		               size, YM_FFT_LARGEST);
	fft = ym_alloc(1, sizeof *fft);
	if (fft == NULL)
		return ym_no_memory(error);
	fft->half = size / 2;
	fft->cosine = ym_alloc(bins, sizeof(float));
	fft->sine = ym_alloc(bins, sizeof(float));
	work = ym_alloc(ym_fft_work(size), sizeof(float));
	if (fft->cosine != NULL && fft->sine != NULL && work != NULL) {
		float *output = work + input_floats(fft->half) + 2 * MARGIN;
		for (size_t k = 0; k < bins; k++) {
			double angle = 2 * YM_PI * (double)k / size;
			fft->cosine[k] = (float)cos(angle);
			fft->sine[k] = (float)sin(angle);
		}
		/* FFTW puts a lock of its own around its planner, once for the process. */
		fftwf_make_planner_thread_safe();
		fft->plan = fftwf_plan_dft_1d(fft->half, (fftwf_complex *)work,
		                              (fftwf_complex *)output, FFTW_FORWARD,
		                              FFTW_ESTIMATE);
	}
	ym_free(work);
	if (fft->plan == NULL) {
		ym_fft_free(fft);
		return ym_no_memory(error);
	}
	*result = fft;
	return YM_OK;
}

void ym_fft_free(struct ym_fft *fft) {
	if (fft == NULL)
		return;
	if (fft->plan != NULL)
		fftwf_destroy_plan(fft->plan);
	ym_free(fft->cosine);
	ym_free(fft->sine);
	ym_free(fft);
}

/* With Z[k] = a + ib, Z[N/2 - k] = c + id and W = exp(-2 pi i k / N):
** 2 X[k] = (a + c) + i (b - d) + W ((b + d) - i (a - c)). */
void ym_fft_power(const struct ym_fft *fft, float *work, int bins, float *power) {
	float *z = work + input_floats(fft->half) + 2 * MARGIN;
	fftwf_execute_dft(fft->plan, (fftwf_complex *)work, (fftwf_complex *)z);
	z[2 * fft->half] = z[0];
	z[2 * fft->half + 1] = z[1];
	for (int k = 0; k < bins; k += YM_LANES) {
		const float *up = z + 2 * k, *down = z + 2 * (fft->half - k - 3);
		ym_lanes u0 = ym_lanes_load(up), u1 = ym_lanes_load(up + 4);
		ym_lanes d0 = ym_lanes_load(down), d1 = ym_lanes_load(down + 4);
		ym_lanes a = __builtin_shufflevector(u0, u1, 0, 2, 4, 6);
		ym_lanes b = __builtin_shufflevector(u0, u1, 1, 3, 5, 7);
		ym_lanes c = __builtin_shufflevector(d1, d0, 2, 0, 6, 4);
		ym_lanes d = __builtin_shufflevector(d1, d0, 3, 1, 7, 5);
		ym_lanes cosine = ym_lanes_load(fft->cosine + k);
		ym_lanes sine = ym_lanes_load(fft->sine + k);
		ym_lanes real = a + c + (b + d) * cosine - (a - c) * sine;
		ym_lanes imaginary = b - d - (b + d) * sine - (a - c) * cosine;
		ym_lanes_store(power + k, real * real + imaginary * imaginary);
	}
}

#include "spectra.h"

#include <math.h>
#include <string.h>

/* Cosine and sine of 2 pi k / size. */
static void put_turn(float *turn, int k, int size) {
	double angle = 2 * YM_PI * k / size;
	turn[0] = (float)cos(angle);
	turn[1] = (float)sin(angle);
}

/* Splits the transform and computes what is between its parts. */
static enum ym_status plan_parts(struct ym_spectra *spectra, struct ym_error *error) {
	int half = spectra->half, rows = half <= 512 ? 4 : half <= 2048 ? 8 : 16;
	int columns = half / rows;
	int first = columns <= 32 ? 4 : columns == 64 ? 8 : 16, second = columns / first;
	spectra->rows = rows;
	spectra->columns = columns;
	spectra->first = first;
	spectra->second = second;
	spectra->column_turn = ym_alloc((size_t)half, 2 * sizeof(float));
	spectra->row_turn = ym_alloc((size_t)columns, 2 * sizeof(float));
	spectra->real_turn = ym_alloc((size_t)half, 2 * sizeof(float));
	if (spectra->column_turn == NULL || spectra->row_turn == NULL ||
	    spectra->real_turn == NULL)
		return ym_no_memory(error);
	for (int c = 0; c < columns; c++)
		for (int k = 0; k < rows; k++)
			put_turn(spectra->column_turn + 2 * (c * rows + k), c * k, half);
	for (int b = 0; b < second; b++)
		for (int k = 0; k < first; k++)
			put_turn(spectra->row_turn + 2 * (b * first + k), b * k, columns);
	for (int r = 0; r < rows; r++)
		for (int at = 0; at < columns; at++) {
			int k = r + rows * (at / second + first * (at % second));
			put_turn(spectra->real_turn + 2 * (r * columns + at), k, spectra->size);
		}
	return YM_OK;
}

enum ym_status ym_spectra_new(struct ym_spectra **result, int size,
                              enum ym_window window, enum ym_simd level,
                              struct ym_error *error) {
	struct ym_spectra *spectra = ym_alloc(1, sizeof *spectra);
	enum ym_status status;
	if (spectra == NULL)
		return ym_no_memory(error);
	spectra->size = size;
	spectra->half = size / 2;
	spectra->kernel = YM_SIMD_UNIT(ym_spectra, level);
	status = ym_frames_new(&spectra->frames, size, window, error);
	if (status == YM_OK && size >= YM_SPECTRA_SMALLEST && size <= YM_SPECTRA_LARGEST &&
	    (size & (size - 1)) == 0)
		status = plan_parts(spectra, error);
	if (status != YM_OK) {
		ym_spectra_free(spectra);
		return status;
	}
	*result = spectra;
	return YM_OK;
}

void ym_spectra_free(struct ym_spectra *spectra) {
	if (spectra == NULL)
		return;
	ym_frames_free(spectra->frames);
	ym_free(spectra->column_turn);
	ym_free(spectra->row_turn);
	ym_free(spectra->real_turn);
	ym_free(spectra);
}

/* How work is divided: the complex values, the powers, the bands (all of them for
** every lane), then each lane's copy of a frame that reaches beyond the samples. */
struct places {
	size_t power, banded, copies, end;
};

static struct places divide(const struct ym_spectra *spectra, size_t lanes, int bands) {
	struct places places = {0};
	if (spectra->rows == 0) {
		places.power = ym_fft_work(spectra->size);
		places.end = places.power + ym_power_room(spectra->size);
		return places;
	}
	places.power = (size_t)spectra->rows * ((size_t)spectra->columns + 1) * 2 * lanes;
	/* bands read in fours, up to three bins beyond the last */
	places.banded = places.power + ((size_t)spectra->half + 1 + 3) * lanes;
	places.copies = places.banded + (size_t)bands * lanes;
	places.end = places.copies + (size_t)spectra->size * lanes;
	return places;
}

size_t ym_spectra_work(const struct ym_spectra *spectra, int bands) {
	return divide(spectra, (size_t)spectra->kernel->lanes, bands).end;
}

static ptrdiff_t centre_of(const struct ym_spectra_frames *frames, size_t k) {
	return frames->centres != NULL ? frames->centres[k]
	                               : frames->first + (ptrdiff_t)k * frames->hop;
}

/* The samples of frame k, or where it reaches beyond them, a copy among zeros. */
static const float *whole_frame(const struct ym_spectra *spectra,
                                const struct ym_spectra_frames *frames, size_t k,
                                float *copy) {
	ptrdiff_t size = spectra->size, start = centre_of(frames, k) - spectra->half;
	ptrdiff_t from = start < 0 ? -start : 0, to = (ptrdiff_t)frames->length - start;
	if (from == 0 && to >= size)
		return frames->samples + start;
	memset(copy, 0, (size_t)size * sizeof *copy);
	to = to > size ? size : to;
	if (from < to)
		memcpy(copy + from, frames->samples + start + from,
		       (size_t)(to - from) * sizeof *copy);
	return copy;
}

/* Frames that are transformed together. */
struct block {
	const struct ym_spectra_kernel *kernel;
	struct places places; /* in work */
	size_t count;
	bool heard; /* false when all lie beyond the samples: nothing was computed */
};

/* The powers of as many frames from number first on as the kernel has lanes. */
static struct block transform_block(const struct ym_spectra *spectra,
                                    const struct ym_spectra_frames *frames,
                                    size_t first, int bands, float *work) {
	struct block block = {.kernel = spectra->kernel};
	const float *pointers[YM_SPECTRA_LANES];
	size_t left = frames->count - first, lanes;
	if (block.kernel->narrower != NULL && left <= (size_t)block.kernel->narrower->lanes)
		block.kernel = block.kernel->narrower;
	lanes = (size_t)block.kernel->lanes;
	block.count = left < lanes ? left : lanes;
	block.places = divide(spectra, lanes, bands);
	for (size_t k = first; k < first + block.count; k++) {
		ptrdiff_t centre = centre_of(frames, k);
		block.heard |= centre + spectra->half > 0 &&
		               centre - spectra->half < (ptrdiff_t)frames->length;
	}
	if (!block.heard)
		return block;
	for (size_t i = 0; i < block.count; i++)
		pointers[i] = whole_frame(spectra, frames, first + i,
		                          work + block.places.copies +
		                              i * (size_t)spectra->size);
	for (size_t i = block.count; i < lanes; i++) /* whose results nobody wants */
		pointers[i] = pointers[0];
	block.kernel->powers(spectra, pointers, work, work + block.places.power);
	return block;
}

void ym_spectra_powers(const struct ym_spectra *spectra,
                       const struct ym_spectra_frames *frames, float *work,
                       float *rows) {
	size_t bins = (size_t)spectra->half + 1;
	struct block block;
	if (spectra->rows == 0) {
		float *power = work + divide(spectra, 0, 0).power;
		for (size_t k = 0; k < frames->count; k++, rows += bins) {
			ym_frames_power(spectra->frames, work, frames->samples, frames->length,
			                centre_of(frames, k), (int)bins, power);
			memcpy(rows, power, bins * sizeof *rows);
		}
		return;
	}
	for (size_t k = 0; k < frames->count; k += block.count) {
		block = transform_block(spectra, frames, k, 0, work);
		if (block.heard)
			block.kernel->transpose(work + block.places.power, (int)bins,
			                        (int)block.count, rows, bins);
		else
			memset(rows, 0, block.count * bins * sizeof *rows);
		rows += block.count * bins;
	}
}

/* The same as ym_spectra_bands for sizes without a kernel. */
static void single_bands(const struct ym_spectra *spectra,
                         const struct ym_spectra_frames *frames,
                         const struct ym_bank *bank, float *work, float *rows,
                         size_t pitch, float *sums) {
	float *power = work + divide(spectra, 0, 0).power;
	for (size_t k = 0; k < frames->count; k++, rows += pitch) {
		double sum = 0;
		ym_frames_power(spectra->frames, work, frames->samples, frames->length,
		                centre_of(frames, k), bank->bins, power);
		ym_bank_apply(bank, power, rows);
		for (int band = 0; band < bank->bands; band++)
			sum += (double)rows[band];
		sums[k] = (float)sum;
	}
}

void ym_spectra_bands(const struct ym_spectra *spectra,
                      const struct ym_spectra_frames *frames,
                      const struct ym_bank *bank, float *work, float *rows,
                      size_t pitch, float *sums) {
	struct block block;
	if (spectra->rows == 0) {
		single_bands(spectra, frames, bank, work, rows, pitch, sums);
		return;
	}
	for (size_t k = 0; k < frames->count; k += block.count) {
		block = transform_block(spectra, frames, k, bank->bands, work);
		if (block.heard) {
			block.kernel->bands(bank, work + block.places.power,
			                    work + block.places.banded, (int)block.count, rows,
			                    pitch, sums + k);
			rows += block.count * pitch;
			continue;
		}
		for (size_t i = 0; i < block.count; i++, rows += pitch) {
			memset(rows, 0, (size_t)bank->bands * sizeof *rows);
			sums[k + i] = 0;
		}
	}
}

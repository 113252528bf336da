#include "feature.h"

#include <math.h>
#include <string.h>

#include "spectra.h"

#define SILENCE 1e-20f /* a block with no frame above this power is silent */

const char *const ym_feature_kind_names[] = {"mel", "harmonics", NULL};

struct block {
	enum ym_feature_kind kind;
	int bands;
	int on_count, off_count;
	double *times; /* seconds: those from the onset, then those from the key-off */
	struct ym_spectra *spectra;
	struct ym_bank *bank; /* NULL for harmonics, whose bank depends on the note */
};

struct ym_features {
	double rate, floor;
	int count; /* blocks */
	struct block blocks[YM_FEATURE_BLOCKS];
};

struct ym_features_scratch {
	float *work;        /* for the largest frame */
	float *rows;        /* the largest block's bands, frame by frame */
	float *sums;        /* of each frame's bands */
	ptrdiff_t *centres; /* of the frames, in samples */
	struct ym_bank *harmonics[YM_FEATURE_BLOCKS]; /* NULL for the other kind */
	size_t room;
	float *samples; /* the note above 20 Hz */
};

static int frame_count(const struct block *block) {
	return block->on_count + block->off_count;
}

static size_t larger(size_t a, size_t b) {
	return a > b ? a : b;
}

static enum ym_status check_block(const struct ym_feature_block *block, int number,
                                  struct ym_error *error) {
	if (block->size < 16 || block->size > 65536 || block->size % 2 != 0)
		return ym_fail(error, YM_ARGUMENT,
		               "size of block %d is %d, expected an even 16..65536", number + 1,
		               block->size);
	if (block->bands < 1 || block->bands > 1024)
		return ym_fail(error, YM_ARGUMENT, "bands of block %d is %d, expected 1..1024",
		               number + 1, block->bands);
	if (block->on_count < 0 || block->off_count < 0 ||
	    block->on_count > YM_FEATURE_TIMES || block->off_count > YM_FEATURE_TIMES ||
	    block->on_count + block->off_count < 1 ||
	    block->on_count + block->off_count > YM_FEATURE_TIMES)
		return ym_fail(error, YM_ARGUMENT, "block %d has %d times, expected 1..%d",
		               number + 1, block->on_count + block->off_count,
		               YM_FEATURE_TIMES);
	for (int i = 0; i < block->on_count + block->off_count; i++) {
		double time = i < block->on_count ? block->on[i]
		                                  : block->off[i - block->on_count];
		if (!(time >= 0 && time <= 3600))
			return ym_fail(error, YM_ARGUMENT,
			               "a time of block %d is %g seconds, expected 0..3600",
			               number + 1, time);
	}
	return YM_OK;
}

static enum ym_status make_block(struct block *block,
                                 const struct ym_feature_block *from, double rate,
                                 enum ym_simd level, struct ym_error *error) {
	enum ym_status status = ym_spectra_new(&block->spectra, from->size, YM_WINDOW_HANN,
	                                       level, error);
	block->kind = from->kind;
	block->bands = from->bands;
	block->on_count = from->on_count;
	block->off_count = from->off_count;
	if (status == YM_OK && from->kind == YM_FEATURE_MEL)
		status = ym_bank_mel(&block->bank, rate, from->size, from->bands, 20, 18000,
		                     INFINITY, error);
	if (status != YM_OK)
		return status;
	block->times = ym_alloc((size_t)frame_count(block), sizeof(double));
	if (block->times == NULL)
		return ym_no_memory(error);
	for (int i = 0; i < frame_count(block); i++)
		block->times[i] = i < from->on_count ? from->on[i]
		                                     : from->off[i - from->on_count];
	return YM_OK;
}

enum ym_status ym_features_new(struct ym_features **result, double rate, double floor,
                               const struct ym_feature_block *blocks, int count,
                               enum ym_simd level, struct ym_error *error) {
	struct ym_features *features;
	enum ym_status status = YM_OK;
	if (!(rate >= 1000 && rate <= 1e6))
		return ym_fail(error, YM_ARGUMENT, "rate is %g Hz, expected 1000..1000000",
		               rate);
	if (!(floor >= 1e-12 && floor <= 0.5))
		return ym_fail(error, YM_ARGUMENT, "floor is %g, expected 1e-12..0.5", floor);
	if (count < 1 || count > YM_FEATURE_BLOCKS)
		return ym_fail(error, YM_ARGUMENT, "%d blocks given, expected 1..%d", count,
		               YM_FEATURE_BLOCKS);
	for (int i = 0; i < count && status == YM_OK; i++)
		status = check_block(&blocks[i], i, error);
	if (status != YM_OK)
		return status;
	features = ym_alloc(1, sizeof *features);
	if (features == NULL)
		return ym_no_memory(error);
	features->rate = rate;
	features->floor = floor;
	features->count = count;
	for (int i = 0; i < count && status == YM_OK; i++)
		status = make_block(&features->blocks[i], &blocks[i], rate, level, error);
	if (status != YM_OK) {
		ym_features_free(features);
		return status;
	}
	*result = features;
	return YM_OK;
}

void ym_features_free(struct ym_features *features) {
	if (features == NULL)
		return;
	for (int i = 0; i < features->count; i++) {
		ym_free(features->blocks[i].times);
		ym_spectra_free(features->blocks[i].spectra);
		ym_bank_free(features->blocks[i].bank);
	}
	ym_free(features);
}

size_t ym_features_count(const struct ym_features *features) {
	size_t count = 0;
	for (int i = 0; i < features->count; i++)
		count += (size_t)frame_count(&features->blocks[i]) *
		         (size_t)features->blocks[i].bands;
	return count;
}

double ym_features_rate(const struct ym_features *features) {
	return features->rate;
}

enum ym_status ym_features_scratch_new(struct ym_features_scratch **result,
                                       const struct ym_features *features,
                                       struct ym_error *error) {
	struct ym_features_scratch *scratch = ym_alloc(1, sizeof *scratch);
	enum ym_status status = YM_OK;
	size_t work = 0, values = 0, most = 0;
	if (scratch == NULL)
		return ym_no_memory(error);
	for (int i = 0; i < features->count && status == YM_OK; i++) {
		const struct block *block = &features->blocks[i];
		size_t frames = (size_t)frame_count(block);
		work = larger(work, ym_spectra_work(block->spectra, block->bands));
		values = larger(values, frames * (size_t)block->bands);
		most = larger(most, frames);
		if (block->kind == YM_FEATURE_HARMONICS)
			status = ym_bank_new(&scratch->harmonics[i], block->spectra->size,
			                     block->bands, error);
	}
	scratch->work = ym_alloc(work, sizeof(float));
	scratch->rows = ym_alloc(values, sizeof(float));
	scratch->sums = ym_alloc(most, sizeof(float));
	scratch->centres = ym_alloc(most, sizeof *scratch->centres);
	if (status == YM_OK && (scratch->work == NULL || scratch->rows == NULL ||
	                        scratch->sums == NULL || scratch->centres == NULL))
		status = ym_no_memory(error);
	if (status != YM_OK) {
		ym_features_scratch_free(scratch);
		return status;
	}
	*result = scratch;
	return YM_OK;
}

void ym_features_scratch_free(struct ym_features_scratch *scratch) {
	if (scratch == NULL)
		return;
	for (int i = 0; i < YM_FEATURE_BLOCKS; i++)
		ym_bank_free(scratch->harmonics[i]);
	ym_free(scratch->work);
	ym_free(scratch->rows);
	ym_free(scratch->sums);
	ym_free(scratch->centres);
	ym_free(scratch->samples);
	ym_free(scratch);
}

static ptrdiff_t block_centre(const struct ym_features *features,
                              const struct block *block, int frame, double held) {
	double time = block->times[frame] + (frame < block->on_count ? 0 : held);
	return (ptrdiff_t)llround(time * features->rate);
}

/* Samples from the onset that some frame reaches. */
static size_t samples_needed(const struct ym_features *features, double held) {
	ptrdiff_t most = 0;
	for (int i = 0; i < features->count; i++) {
		const struct block *block = &features->blocks[i];
		for (int frame = 0; frame < frame_count(block); frame++) {
			ptrdiff_t end = block_centre(features, block, frame, held) +
			                block->spectra->half;
			most = end > most ? end : most;
		}
	}
	return (size_t)most;
}

/* Where features go: one of the two. */
struct out {
	float *floats;
	uint16_t *halves;
};

/* Writes a block's features from value `at` on; false when all of its frames are
** silent. */
static bool extract_block(const struct ym_features *features, const struct block *block,
                          const struct ym_bank *bank,
                          struct ym_features_scratch *scratch, const float *samples,
                          size_t count, double held, const struct out *out, size_t at) {
	const struct ym_spectra_kernel *kernel = block->spectra->kernel;
	size_t frames = (size_t)frame_count(block);
	size_t values = frames * (size_t)block->bands;
	double depth = -10 * log10(features->floor);
	struct ym_spectra_frames places = {.samples = samples,
	                                   .length = count,
	                                   .count = frames,
	                                   .centres = scratch->centres};
	float loudest = 0, *to = out->floats != NULL ? out->floats + at : scratch->rows;
	bool heard;
	for (int frame = 0; frame < frame_count(block); frame++)
		scratch->centres[frame] = block_centre(features, block, frame, held);
	ym_spectra_bands(block->spectra, &places, bank, scratch->work, scratch->rows,
	                 (size_t)block->bands, scratch->sums);
	for (size_t frame = 0; frame < frames; frame++)
		loudest = fmaxf(loudest, scratch->sums[frame]);
	heard = loudest > SILENCE;
	if (heard)
		kernel->logarithms(scratch->rows, 1 / loudest, (float)features->floor,
		                   YM_OCTAVE / (float)depth, 1, to, values);
	else
		memset(to, 0, values * sizeof *to);
	if (out->halves != NULL)
		kernel->halves(scratch->rows, out->halves + at, values);
	return heard;
}

static enum ym_status check_note(const struct ym_features *features, double f0,
                                 double held, struct ym_error *error) {
	if (!(f0 >= 1 && f0 <= features->rate / 2))
		return ym_fail(error, YM_ARGUMENT, "f0 is %g Hz, expected 1..%g", f0,
		               features->rate / 2);
	if (!(held >= 0 && held <= 3600))
		return ym_fail(error, YM_ARGUMENT, "held is %g seconds, expected 0..3600",
		               held);
	return YM_OK;
}

/* From samples above 20 Hz. */
static enum ym_status extract(const struct ym_features *features,
                              struct ym_features_scratch *scratch, const float *samples,
                              size_t count, double f0, double held, struct out out,
                              struct ym_error *error) {
	enum ym_status status = check_note(features, f0, held, error);
	bool heard = false;
	size_t at = 0;
	if (status != YM_OK)
		return status;
	for (int i = 0; i < features->count; i++) {
		const struct block *block = &features->blocks[i];
		const struct ym_bank *bank = block->bank;
		if (block->kind == YM_FEATURE_HARMONICS) {
			ym_bank_harmonics(scratch->harmonics[i], features->rate, f0);
			bank = scratch->harmonics[i];
		}
		heard |= extract_block(features, block, bank, scratch, samples, count, held,
		                       &out, at);
		at += (size_t)frame_count(block) * (size_t)block->bands;
	}
	if (!heard)
		return ym_fail(error, YM_INPUT, "the sound is silent");
	return YM_OK;
}

enum ym_status ym_features_extract_filtered(const struct ym_features *features,
                                            struct ym_features_scratch *scratch,
                                            const float *samples, size_t count,
                                            double f0, double held, float *out,
                                            struct ym_error *error) {
	return extract(features, scratch, samples, count, f0, held, (struct out){out, NULL},
	               error);
}

enum ym_status ym_features_extract_halves(const struct ym_features *features,
                                          struct ym_features_scratch *scratch,
                                          const float *samples, size_t count, double f0,
                                          double held, uint16_t *out,
                                          struct ym_error *error) {
	return extract(features, scratch, samples, count, f0, held, (struct out){NULL, out},
	               error);
}

enum ym_status ym_features_extract(const struct ym_features *features,
                                   struct ym_features_scratch *scratch,
                                   const float *samples, size_t count, double f0,
                                   double held, float *out, struct ym_error *error) {
	enum ym_status status = check_note(features, f0, held, error);
	size_t needed;
	if (status != YM_OK)
		return status;
	needed = samples_needed(features, held);
	count = count < needed ? count : needed;
	if (scratch->samples == NULL || count > scratch->room) {
		ym_free(scratch->samples);
		scratch->samples = ym_alloc(count + 1, sizeof(float));
		scratch->room = scratch->samples == NULL ? 0 : count;
		if (scratch->samples == NULL)
			return ym_no_memory(error);
	}
	if (!ym_highpass(features->rate, samples, count, scratch->samples))
		return ym_fail(error, YM_INPUT,
		               "the samples hold values that are not numbers or far too large");
	return ym_features_extract_filtered(features, scratch, scratch->samples, count, f0,
	                                    held, out, error);
}

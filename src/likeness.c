#include "likeness.h"

#include <math.h>

#include "audio.h"
#include "metrics.h"
#include "spectrum.h"

static const float SILENCE = 1e-12f; /* a power */

/* Memory of a worker. */
struct scratch {
	float *work;  /* of the larger transform */
	float *power; /* of one frame */
	float *picture[2];
	float *whole[2];
};

struct job {
	const struct ym_pairs *pairs;
	struct ym_frames *frames, *whole;
	size_t hop, count; /* frames of a sound */
	double range;
	struct scratch *scratch; /* of each worker */
	struct ym_likeness *out;
};

static size_t bins_of(const struct ym_frames *frames) {
	return (size_t)frames->size / 2 + 1;
}

/* The powers of all frames of a sound; returns the largest. */
static float draw(const struct job *job, struct scratch *scratch, const float *samples,
                  float *picture) {
	size_t bins = bins_of(job->frames);
	float most = 0;
	for (size_t k = 0; k < job->count; k++, picture += bins) {
		ym_frames_power(job->frames, scratch->work, samples, job->pairs->length,
		                (ptrdiff_t)(k * job->hop), (int)bins, scratch->power);
		for (size_t i = 0; i < bins; i++) {
			picture[i] = scratch->power[i];
			most = picture[i] > most ? picture[i] : most;
		}
	}
	return most;
}

static void to_decibels(float *powers, size_t count, float floor) {
	for (size_t i = 0; i < count; i++)
		powers[i] = 10 * log10f(powers[i] + floor);
}

static void whole_magnitudes(const struct job *job, struct scratch *scratch,
                             const float *samples, float *out) {
	size_t bins = bins_of(job->whole);
	ym_frames_power(job->whole, scratch->work, samples, job->pairs->length,
	                job->whole->size / 2, (int)bins, out);
	for (size_t i = 0; i < bins; i++)
		out[i] = sqrtf(out[i]);
}

static void measure(void *context, size_t pair, int worker) {
	const struct job *job = context;
	struct scratch *scratch = &job->scratch[worker];
	const float *original = job->pairs->originals + pair * job->pairs->length;
	const float *other = job->pairs->reconstructions + pair * job->pairs->length;
	float **picture = scratch->picture, **whole = scratch->whole, floor;
	size_t values = job->count * bins_of(job->frames);
	floor = draw(job, scratch, original, picture[0]);
	floor = (float)pow(10, -job->range / 10) * (floor > SILENCE ? floor : SILENCE);
	draw(job, scratch, other, picture[1]);
	to_decibels(picture[0], values, floor);
	to_decibels(picture[1], values, floor);
	whole_magnitudes(job, scratch, original, whole[0]);
	whole_magnitudes(job, scratch, other, whole[1]);
	job->out[pair] = (struct ym_likeness){
		.pcc_stft = ym_metrics_correlation(picture[0], picture[1], values),
		.pcc_ft = ym_metrics_correlation(whole[0], whole[1], bins_of(job->whole)),
		.lsd = ym_metrics_spread(picture[0], picture[1], 1, values) *
	           sqrt((double)values),
	};
}

static enum ym_status start_worker(const struct job *job, struct scratch *scratch,
                                   struct ym_error *error) {
	int large = job->frames->size > job->whole->size ? job->frames->size
	                                                 : job->whole->size;
	size_t bins = bins_of(job->frames);
	bool made;
	scratch->work = ym_alloc(ym_fft_work(large), sizeof(float));
	scratch->power = ym_alloc(ym_power_room(job->frames->size), sizeof(float));
	made = scratch->work != NULL && scratch->power != NULL;
	for (int i = 0; i < 2; i++) {
		scratch->picture[i] = ym_alloc(job->count, bins * sizeof(float));
		scratch->whole[i] = ym_alloc(ym_power_room(job->whole->size), sizeof(float));
		made = made && scratch->picture[i] != NULL && scratch->whole[i] != NULL;
	}
	return made ? YM_OK : ym_no_memory(error);
}

static void free_worker(struct scratch *scratch) {
	ym_free(scratch->work);
	ym_free(scratch->power);
	for (int i = 0; i < 2; i++) {
		ym_free(scratch->picture[i]);
		ym_free(scratch->whole[i]);
	}
}

/* Measures with the memory that workers are given here. */
static enum ym_status run(struct job *job, struct ym_pool *pool,
                          struct ym_error *error) {
	int threads = ym_pool_threads(pool);
	enum ym_status status = YM_OK;
	job->scratch = ym_alloc((size_t)threads, sizeof *job->scratch);
	if (job->scratch == NULL)
		return ym_no_memory(error);
	for (int i = 0; i < threads && status == YM_OK; i++)
		status = start_worker(job, &job->scratch[i], error);
	if (status == YM_OK)
		ym_pool_run(pool, job->pairs->count, measure, job);
	for (int i = 0; i < threads; i++)
		free_worker(&job->scratch[i]);
	ym_free(job->scratch);
	return status;
}

static enum ym_status check(const char *what, const float *sounds,
                            const struct ym_pairs *pairs, struct ym_error *error) {
	for (size_t pair = 0; pair < pairs->count; pair++) {
		struct ym_error problem;
		if (ym_audio_check(sounds + pair * pairs->length, pairs->length, &problem) !=
		    YM_OK)
			return ym_fail(error, YM_INPUT, "%s %zu: %s", what, pair + 1,
			               problem.message);
	}
	return YM_OK;
}

enum ym_status ym_likeness_measure(struct ym_pool *pool, const struct ym_pairs *pairs,
                                   const struct ym_likeness_frames *frames,
                                   struct ym_likeness *out, struct ym_error *error) {
	struct job job = {.pairs = pairs, .hop = frames->hop, .range = frames->range};
	size_t even = (pairs->length + 1) / 2 * 2;
	enum ym_status status = check("original", pairs->originals, pairs, error);
	if (status == YM_OK)
		status = check("reconstruction", pairs->reconstructions, pairs, error);
	job.count = 1 + pairs->length / frames->hop;
	job.out = out;
	if (status == YM_OK)
		status = ym_frames_new(&job.frames, frames->size, YM_WINDOW_HANN, error);
	if (status == YM_OK)
		status = ym_frames_new(&job.whole,
		                       even < YM_FFT_LARGEST ? (int)even : YM_FFT_LARGEST,
		                       YM_WINDOW_RECTANGULAR, error);
	if (status == YM_OK)
		status = run(&job, pool, error);
	ym_frames_free(job.frames);
	ym_frames_free(job.whole);
	return status;
}

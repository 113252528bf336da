#include "picture.h"

#include <math.h>

#include "audio.h"

enum { PART = 256 }; /* frames of one clip that are drawn at once */

/* What one thread needs. */
struct worker {
	float *work;
	float *bands, *sums; /* of PART frames; bands is NULL when they go straight out */
	bool bad;            /* met a sample that is not a number */
};

struct job {
	const struct ym_picture *picture;
	const struct ym_clips *clips;
	size_t parts;  /* of one clip */
	float *cosine; /* (coefficients, bands), or NULL */
	struct worker *workers;
	float *out;
};

size_t ym_picture_width(const struct ym_picture *picture) {
	if (picture->coefficients > 0)
		return (size_t)picture->coefficients;
	return picture->bank != NULL ? (size_t)picture->bank->bands
	                             : (size_t)picture->spectra->half + 1;
}

static void set_scale(const struct ym_picture *picture, float *values, size_t count) {
	if (picture->scale == YM_SCALE_DECIBELS)
		picture->spectra->kernel->logarithms(values, 1, picture->floor, YM_OCTAVE, 0,
		                                     values, count);
	for (size_t i = 0; i < count && picture->scale == YM_SCALE_MAGNITUDE; i++)
		values[i] = sqrtf(values[i]);
}

static void draw(void *context, size_t part, int thread) {
	const struct job *job = context;
	const struct ym_picture *picture = job->picture;
	const struct ym_clips *clips = job->clips;
	struct worker *worker = &job->workers[thread];
	size_t clip = part / job->parts, first = part % job->parts * PART;
	size_t count = clips->frames - first < PART ? clips->frames - first : PART;
	size_t width = ym_picture_width(picture);
	float *out = job->out + (clip * clips->frames + first) * width;
	float *to = job->cosine != NULL ? worker->bands : out;
	struct ym_spectra_frames frames = {
		.samples = clips->samples + clip * clips->length,
		.length = clips->length,
		.count = count,
		.centres = clips->centres == NULL ? NULL : clips->centres + first,
		.first = (ptrdiff_t)(first * clips->hop),
		.hop = (ptrdiff_t)clips->hop};
	struct ym_error error;
	if (first == 0 && ym_audio_check(frames.samples, frames.length, &error) != YM_OK)
		worker->bad = true;
	if (picture->bank == NULL) {
		ym_spectra_powers(picture->spectra, &frames, worker->work, to);
		set_scale(picture, to, count * width);
		return;
	}
	ym_spectra_bands(picture->spectra, &frames, picture->bank, worker->work, to,
	                 (size_t)picture->bank->bands, worker->sums);
	set_scale(picture, to, count * (size_t)picture->bank->bands);
	if (job->cosine != NULL)
		ym_cosine_transform(job->cosine, picture->bank->bands, picture->coefficients,
		                    to, count, out);
}

static enum ym_status start_worker(const struct job *job, struct worker *worker,
                                   struct ym_error *error) {
	const struct ym_picture *picture = job->picture;
	int bands = picture->bank != NULL ? picture->bank->bands : 0;
	worker->work = ym_alloc(ym_spectra_work(picture->spectra, bands), sizeof(float));
	worker->sums = ym_alloc(PART, sizeof(float));
	if (worker->work == NULL || worker->sums == NULL)
		return ym_no_memory(error);
	if (job->cosine == NULL)
		return YM_OK;
	worker->bands = ym_alloc((size_t)PART * (size_t)bands, sizeof(float));
	return worker->bands == NULL ? ym_no_memory(error) : YM_OK;
}

/* Which sample it was, and where there are several clips, of which. */
static enum ym_status find_bad(const struct ym_clips *clips, struct ym_error *error) {
	struct ym_error reason;
	size_t clip = 0;
	while (ym_audio_check(clips->samples + clip * clips->length, clips->length,
	                      &reason) == YM_OK)
		clip++;
	if (clips->count == 1)
		return ym_fail(error, YM_INPUT, "%s", reason.message);
	return ym_fail(error, YM_INPUT, "clip %zu: %.400s", clip + 1, reason.message);
}

/* Draws with the memory that workers are given here. */
static enum ym_status run(struct job *job, struct ym_pool *pool,
                          struct ym_error *error) {
	int threads = ym_pool_threads(pool);
	enum ym_status status = YM_OK;
	bool bad = false;
	job->workers = ym_alloc((size_t)threads, sizeof *job->workers);
	if (job->workers == NULL)
		return ym_no_memory(error);
	for (int t = 0; t < threads && status == YM_OK; t++)
		status = start_worker(job, &job->workers[t], error);
	if (status == YM_OK)
		ym_pool_run(pool, job->clips->count * job->parts, draw, job);
	for (int t = 0; t < threads; t++) {
		bad |= job->workers[t].bad;
		ym_free(job->workers[t].work);
		ym_free(job->workers[t].bands);
		ym_free(job->workers[t].sums);
	}
	ym_free(job->workers);
	return bad ? find_bad(job->clips, error) : status;
}

enum ym_status ym_picture_draw(const struct ym_picture *picture,
                               const struct ym_clips *clips, struct ym_pool *pool,
                               float *out, struct ym_error *error) {
	struct job job = {.picture = picture, .clips = clips, .out = out};
	enum ym_status status = YM_OK;
	job.parts = clips->frames == 0 ? 1 : (clips->frames + PART - 1) / PART;
	if (picture->coefficients > 0) {
		job.cosine = ym_alloc((size_t)picture->coefficients,
		                      (size_t)picture->bank->bands * sizeof(float));
		if (job.cosine == NULL)
			return ym_no_memory(error);
		ym_cosine_table(job.cosine, picture->bank->bands, picture->coefficients);
	}
	status = run(&job, pool, error);
	ym_free(job.cosine);
	return status;
}

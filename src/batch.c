#include "batch.h"

#include <string.h>

#include "tensor.h"

/* Notes a part: enough to hide the cost of handing it out. */
enum { PART = 4 };

/* What one thread needs. */
struct worker {
	int16_t *raw;
	float *samples, *values;
	struct ym_features_scratch *features;
	struct ym_distance_scratch *distance;
	struct ym_error error;
};

struct job {
	const struct ym_batch *batch;
	struct worker *workers;
	const struct ym_features *features;
	uint16_t *out;
	uint8_t *audible;
	const struct ym_distance_target *target;
	float *distances;
};

/* Renders note i of the batch into the worker's samples and returns their count. */
static size_t render(const struct ym_batch *batch, struct worker *worker, size_t i) {
	const struct ym_note *note = &batch->notes[i];
	size_t count = note->held + note->release;
	struct ym_patch patch;
	ym_patch_unpack(&patch, batch->patches + i * YM_FIELDS);
	ym_voice_render(batch->tables, &patch, note, worker->raw);
	ym_voice_scale(note->stage, worker->raw, count, worker->samples);
	return count;
}

static void extract(const struct job *job, struct worker *worker, size_t i) {
	const struct ym_note *note = &job->batch->notes[i];
	size_t size = ym_features_count(job->features);
	size_t count = render(job->batch, worker, i);
	double rate = job->batch->clock / YM_CLOCKS_PER_SAMPLE;
	struct ym_error silent;
	enum ym_status status = ym_features_extract(
		job->features, worker->features, worker->samples, count,
		ym_note_frequency(note, job->batch->clock), (double)note->held / rate,
		worker->values, &silent);
	job->audible[i] = status == YM_OK;
	if (status != YM_OK)
		memset(worker->values, 0, size * sizeof *worker->values);
	for (size_t k = 0; k < size; k++)
		job->out[i * size + k] = ym_f32_to_f16(worker->values[k]);
}

static void measure(const struct job *job, struct worker *worker, size_t i) {
	size_t count = render(job->batch, worker, i);
	double distance = 0;
	ym_distance_measure(job->target, worker->distance, worker->samples, count,
	                    &distance, NULL, &worker->error);
	job->distances[i] = (float)distance;
}

static void work(void *context, size_t part, int thread) {
	const struct job *job = context;
	struct worker *worker = &job->workers[thread];
	size_t first = part * PART, last = first + PART;
	if (last > job->batch->count)
		last = job->batch->count;
	for (size_t i = first; i < last; i++) {
		if (job->features != NULL)
			extract(job, worker, i);
		else
			measure(job, worker, i);
	}
}

static enum ym_status start_worker(const struct job *job, struct worker *worker,
                                   size_t longest, struct ym_error *error) {
	worker->raw = ym_alloc(longest, sizeof *worker->raw);
	worker->samples = ym_alloc(longest, sizeof *worker->samples);
	if (worker->raw == NULL || worker->samples == NULL)
		return ym_no_memory(error);
	if (job->features == NULL)
		return ym_distance_scratch_new(&worker->distance, error);
	worker->values = ym_alloc(ym_features_count(job->features), sizeof *worker->values);
	if (worker->values == NULL)
		return ym_no_memory(error);
	return ym_features_scratch_new(&worker->features, job->features, error);
}

static void stop_worker(struct worker *worker) {
	ym_free(worker->raw);
	ym_free(worker->samples);
	ym_free(worker->values);
	ym_features_scratch_free(worker->features);
	ym_distance_scratch_free(worker->distance);
}

static enum ym_status run(struct job *job, struct ym_error *error) {
	const struct ym_batch *batch = job->batch;
	int threads = ym_pool_threads(batch->pool);
	enum ym_status status = YM_OK;
	size_t longest = 0;
	job->workers = ym_alloc((size_t)threads, sizeof *job->workers);
	if (job->workers == NULL)
		return ym_no_memory(error);
	for (size_t i = 0; i < batch->count; i++)
		if (batch->notes[i].held + batch->notes[i].release > longest)
			longest = batch->notes[i].held + batch->notes[i].release;
	for (int t = 0; t < threads && status == YM_OK; t++)
		status = start_worker(job, &job->workers[t], longest, error);
	if (status == YM_OK)
		ym_pool_run(batch->pool, (batch->count + PART - 1) / PART, work, job);
	for (int t = 0; t < threads; t++) {
		if (status == YM_OK && job->workers[t].error.status != YM_OK) {
			*error = job->workers[t].error;
			status = error->status;
		}
		stop_worker(&job->workers[t]);
	}
	ym_free(job->workers);
	return status;
}

enum ym_status ym_batch_features(const struct ym_batch *batch,
                                 const struct ym_features *features, uint16_t *out,
                                 uint8_t *audible, struct ym_error *error) {
	struct job job = {
		.batch = batch, .features = features, .out = out, .audible = audible};
	return run(&job, error);
}

enum ym_status ym_batch_distances(const struct ym_batch *batch,
                                  const struct ym_distance_target *target,
                                  float *distances, struct ym_error *error) {
	struct job job = {.batch = batch, .target = target, .distances = distances};
	return run(&job, error);
}

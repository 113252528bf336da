#include "batch.h"

#include <string.h>

/* What one thread needs. */
struct worker {
	struct ym_bundle *bundle;
	float *rows; /* the samples of a bundle's notes */
	struct ym_features_scratch *features;
	struct ym_distance_scratch *distance;
	struct ym_error error;
};

struct job {
	const struct ym_batch *batch;
	struct ym_bundle_job bundles;
	struct ym_bundle_plan *plan;
	struct worker *workers;
	size_t longest, row; /* samples: of the longest note, of a row of a bundle */
	/* One of: */
	void *samples;
	const struct ym_features *features;
	const struct ym_distance_target *target;
	/* samples: */
	enum ym_bundle_form form;
	size_t stride;
	/* features: */
	uint16_t *halves;
	uint8_t *audible;
	/* distances: */
	float *distances;
};

static size_t note_samples(const struct ym_note *note) {
	return note->held + note->release;
}

static void extract(const struct job *job, struct worker *worker, size_t i,
                    const float *samples) {
	const struct ym_note *note = &job->batch->notes[i];
	size_t size = ym_features_count(job->features);
	uint16_t *out = job->halves + i * size;
	struct ym_error silent;
	job->audible[i] = ym_features_extract_halves(
						  job->features, worker->features, samples, note_samples(note),
						  ym_note_frequency(note, job->batch->clock),
						  (double)note->held / job->bundles.rate, out,
						  &silent) == YM_OK;
	if (!job->audible[i])
		memset(out, 0, size * sizeof *out);
}

static void measure(const struct job *job, struct worker *worker, size_t i,
                    const float *samples) {
	double distance = 0;
	ym_distance_measure_filtered(job->target, worker->distance, samples,
	                             note_samples(&job->batch->notes[i]), &distance, NULL,
	                             &worker->error);
	job->distances[i] = (float)distance;
}

/* Renders a bundle to rows of the worker's own and hears each of them. */
static void hear(const struct job *job, struct worker *worker, size_t part) {
	const struct ym_bundle_part *bundle = &job->plan->part[part];
	const uint32_t *order = job->plan->order + bundle->first;
	void *out[YM_BUNDLE_LANES];
	for (uint32_t lane = 0; lane < bundle->count; lane++)
		out[lane] = worker->rows + lane * job->row;
	ym_bundle_render(worker->bundle, &job->bundles, job->plan, part, YM_BUNDLE_FILTERED,
	                 out);
	for (uint32_t lane = 0; lane < bundle->count; lane++) {
		if (job->features != NULL)
			extract(job, worker, order[lane], out[lane]);
		else
			measure(job, worker, order[lane], out[lane]);
	}
}

/* Renders a bundle to where its notes are wanted. */
static void write(const struct job *job, struct worker *worker, size_t part) {
	const struct ym_bundle_part *bundle = &job->plan->part[part];
	const uint32_t *order = job->plan->order + bundle->first;
	size_t size = job->form == YM_BUNDLE_RAW ? sizeof(int16_t) : sizeof(float);
	void *out[YM_BUNDLE_LANES];
	for (uint32_t lane = 0; lane < bundle->count; lane++)
		out[lane] = (char *)job->samples + order[lane] * job->stride * size;
	ym_bundle_render(worker->bundle, &job->bundles, job->plan, part, job->form, out);
	for (uint32_t lane = 0; lane < bundle->count; lane++) {
		const struct ym_note *note = &job->batch->notes[order[lane]];
		size_t end = note_samples(note);
		if (job->form != YM_BUNDLE_RAW)
			memset((float *)out[lane] + end, 0, (job->stride - end) * size);
		else
			for (int16_t *sample = out[lane]; end < job->stride; end++)
				sample[end] = (int16_t)ym_stage_rest(note->stage);
	}
}

/* Fills worker->error where there is no memory. */
static void start_worker(const struct job *job, struct worker *worker) {
	size_t floats = YM_BUNDLE_LANES * job->row;
	if (ym_bundle_new(&worker->bundle, job->longest, &worker->error) != YM_OK ||
	    job->samples != NULL)
		return;
	if (job->longest + 1 > floats)
		floats = job->longest + 1;
	worker->rows = ym_alloc(floats, sizeof *worker->rows);
	if (worker->rows == NULL)
		ym_no_memory(&worker->error);
	else if (job->features == NULL)
		ym_distance_scratch_new(&worker->distance, &worker->error);
	else
		ym_features_scratch_new(&worker->features, job->features, &worker->error);
}

/* Memory is made by the threads that do take a part: there may be many more of them. */
static void work(void *context, size_t part, int thread) {
	const struct job *job = context;
	struct worker *worker = &job->workers[thread];
	if (worker->bundle == NULL && worker->error.status == YM_OK)
		start_worker(job, worker);
	if (worker->error.status != YM_OK)
		return;
	if (job->samples != NULL)
		write(job, worker, part);
	else
		hear(job, worker, part);
}

static void stop_worker(struct worker *worker) {
	ym_bundle_free(worker->bundle);
	ym_free(worker->rows);
	ym_features_scratch_free(worker->features);
	ym_distance_scratch_free(worker->distance);
}

static void set_up(struct job *job) {
	const struct ym_batch *batch = job->batch;
	job->bundles = (struct ym_bundle_job){
		.tables = batch->tables,
		.level = batch->level,
		.patches = batch->patches,
		.notes = batch->notes,
		.count = batch->count,
		.rate = batch->clock / YM_CLOCKS_PER_SAMPLE,
	};
	for (size_t i = 0; i < batch->count; i++) {
		size_t samples = note_samples(&batch->notes[i]);
		if (samples > job->longest)
			job->longest = samples;
		if (samples <= YM_BUNDLE_LONGEST && samples + 1 > job->row)
			job->row = samples + 1;
	}
}

static enum ym_status run(struct job *job, struct ym_error *error) {
	struct ym_pool *pool = job->batch->pool;
	int threads = ym_pool_threads(pool);
	enum ym_status status;
	set_up(job);
	status = ym_bundle_plan_new(&job->plan, &job->bundles, error);
	if (status != YM_OK)
		return status;
	job->workers = ym_alloc((size_t)threads, sizeof *job->workers);
	if (job->workers == NULL)
		status = ym_no_memory(error);
	else
		ym_pool_run(pool, job->plan->parts, work, job);
	for (int t = 0; t < threads && job->workers != NULL; t++) {
		if (status == YM_OK && job->workers[t].error.status != YM_OK) {
			*error = job->workers[t].error;
			status = error->status;
		}
		stop_worker(&job->workers[t]);
	}
	ym_free(job->workers);
	ym_bundle_plan_free(job->plan);
	return status;
}

enum ym_status ym_batch_render(const struct ym_batch *batch, enum ym_bundle_form form,
                               size_t row, void *out, struct ym_error *error) {
	struct job job = {.batch = batch, .form = form, .stride = row, .samples = out};
	return run(&job, error);
}

enum ym_status ym_batch_features(const struct ym_batch *batch,
                                 const struct ym_features *features, uint16_t *out,
                                 uint8_t *audible, struct ym_error *error) {
	struct job job = {
		.batch = batch, .features = features, .halves = out, .audible = audible};
	return run(&job, error);
}

enum ym_status ym_batch_distances(const struct ym_batch *batch,
                                  const struct ym_distance_target *target,
                                  float *distances, struct ym_error *error) {
	struct job job = {.batch = batch, .target = target, .distances = distances};
	return run(&job, error);
}

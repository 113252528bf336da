#include "batch.h"

#include <string.h>

/* What one thread needs. */
struct worker {
	struct ym_bundle *bundle;
	size_t longest; /* samples that the bundle is made for */
	float *rows;    /* the samples of a bundle's notes */
	size_t room;    /* floats at rows */
	struct ym_features_scratch *features;
	struct ym_distance_scratch *distance;
	bool ready; /* for this call */
	struct ym_error error;
};

struct ym_batch_memory {
	int threads;
	struct worker *workers;
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
	const struct ym_batch_sketches *sketches;
	/* samples: */
	enum ym_bundle_form form;
	size_t stride;
	/* features: */
	uint16_t *halves;
	uint8_t *audible;
	/* target and sketches: */
	float *distances;
};

static size_t note_samples(const struct ym_note *note) {
	return note->held + note->release;
}

static void extract(const struct job *job, struct worker *worker, size_t i,
                    float *samples) {
	const struct ym_note *note = &job->batch->notes[i];
	size_t size = ym_features_count(job->features), count = note_samples(note);
	double f0 = ym_note_frequency(note, job->batch->clock);
	double held = (double)note->held / job->bundles.rate;
	uint16_t *out = job->halves + i * size;
	struct ym_error silent;
	if (job->batch->hearings != NULL) {
		const struct ym_hearing *hearing = &job->batch->hearings[i];
		ym_hearing_disturb(hearing, job->bundles.rate, samples, count);
		f0 = hearing->f0;
		held = hearing->held;
	}
	job->audible[i] = ym_features_extract_halves(job->features, worker->features,
	                                             samples, count, f0, held, out,
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

static void sketch(const struct job *job, struct worker *worker, size_t i,
                   const float *samples) {
	const struct ym_batch_sketches *sketches = job->sketches;
	if (sketches->views != NULL)
		ym_sketch_view(sketches->sketch[i], worker->distance, samples,
		               &job->distances[i], sketches->views + i * sketches->row,
		               &worker->error);
	else
		ym_sketch_measure(sketches->sketch[i], worker->distance, samples,
		                  sketches->early, &job->distances[i], &worker->error);
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
		else if (job->sketches != NULL)
			sketch(job, worker, order[lane], out[lane]);
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

/* Makes room for a bundle and the samples of its notes. */
static enum ym_status grow_worker(const struct job *job, struct worker *worker) {
	size_t floats = YM_BUNDLE_LANES * job->row;
	enum ym_status status = YM_OK;
	if (worker->bundle == NULL || job->longest > worker->longest) {
		ym_bundle_free(worker->bundle);
		worker->bundle = NULL;
		status = ym_bundle_new(&worker->bundle, job->longest, &worker->error);
		worker->longest = job->longest;
	}
	if (status != YM_OK || job->samples != NULL)
		return status;
	if (job->longest + 1 > floats)
		floats = job->longest + 1;
	if (floats > worker->room) {
		ym_free(worker->rows);
		worker->rows = ym_alloc(floats, sizeof *worker->rows);
		worker->room = worker->rows == NULL ? 0 : floats;
		if (worker->rows == NULL)
			return ym_no_memory(&worker->error);
	}
	return YM_OK;
}

/* Fills worker->error where there is no memory. */
static void start_worker(const struct job *job, struct worker *worker) {
	worker->ready = true;
	if (grow_worker(job, worker) != YM_OK || job->samples != NULL)
		return;
	if (job->features != NULL) {
		ym_features_scratch_free(worker->features);
		worker->features = NULL;
		ym_features_scratch_new(&worker->features, job->features, &worker->error);
	} else if (worker->distance == NULL)
		ym_distance_scratch_new(&worker->distance, &worker->error);
}

/* Memory is made by the threads that do take a part: there may be many more of them. */
static void work(void *context, size_t part, int thread) {
	const struct job *job = context;
	struct worker *worker = &job->workers[thread];
	if (!worker->ready)
		start_worker(job, worker);
	if (worker->error.status != YM_OK)
		return;
	if (job->samples != NULL)
		write(job, worker, part);
	else
		hear(job, worker, part);
}

enum ym_status ym_batch_memory_new(struct ym_batch_memory **result,
                                   const struct ym_pool *pool, struct ym_error *error) {
	struct ym_batch_memory *memory = ym_alloc(1, sizeof *memory);
	if (memory != NULL) {
		memory->threads = ym_pool_threads(pool);
		memory->workers = ym_alloc((size_t)memory->threads, sizeof *memory->workers);
	}
	if (memory == NULL || memory->workers == NULL) {
		ym_free(memory);
		return ym_no_memory(error);
	}
	*result = memory;
	return YM_OK;
}

void ym_batch_memory_free(struct ym_batch_memory *memory) {
	if (memory == NULL)
		return;
	for (int t = 0; t < memory->threads; t++) {
		struct worker *worker = &memory->workers[t];
		ym_bundle_free(worker->bundle);
		ym_free(worker->rows);
		ym_features_scratch_free(worker->features);
		ym_distance_scratch_free(worker->distance);
	}
	ym_free(memory->workers);
	ym_free(memory);
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

/* Over the pool, in this memory. */
static enum ym_status run_in(struct job *job, struct ym_batch_memory *memory,
                             struct ym_error *error) {
	enum ym_status status = ym_bundle_plan_new(&job->plan, &job->bundles, error);
	if (status != YM_OK)
		return status;
	job->workers = memory->workers;
	for (int t = 0; t < memory->threads; t++) {
		job->workers[t].ready = false;
		job->workers[t].error.status = YM_OK;
	}
	ym_pool_run(job->batch->pool, job->plan->parts, work, job);
	for (int t = 0; t < memory->threads && status == YM_OK; t++)
		if (job->workers[t].error.status != YM_OK) {
			*error = job->workers[t].error;
			status = error->status;
		}
	ym_bundle_plan_free(job->plan);
	return status;
}

static enum ym_status run(struct job *job, struct ym_error *error) {
	struct ym_batch_memory *own = NULL;
	enum ym_status status = YM_OK;
	set_up(job);
	if (job->batch->memory != NULL)
		return run_in(job, job->batch->memory, error);
	status = ym_batch_memory_new(&own, job->batch->pool, error);
	if (status == YM_OK)
		status = run_in(job, own, error);
	ym_batch_memory_free(own);
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

enum ym_status ym_batch_costs(const struct ym_batch *batch,
                              const struct ym_batch_sketches *sketches, float *costs,
                              struct ym_error *error) {
	struct job job = {.batch = batch, .sketches = sketches, .distances = costs};
	return run(&job, error);
}

#include "rows.h"

#include <math.h>
#include <string.h>

#include "audio.h"

struct job {
	const struct ym_rows *rows;
	double rate;
	size_t length; /* samples of a row of out */
	float *out;
	struct ym_error *errors; /* of each worker */
};

static enum ym_status resample(const struct job *job, const float *samples, float *out,
                               struct ym_error *error) {
	const struct ym_rows *rows = job->rows;
	size_t count = ym_audio_resampled_count(rows->length, rows->rate, job->rate);
	size_t kept = count < job->length ? count : job->length;
	float *whole = ym_alloc(count, sizeof *whole);
	enum ym_status status;
	if (whole == NULL)
		return ym_no_memory(error);
	status = ym_audio_resample_quickly(samples, rows->length, rows->rate, job->rate,
	                                   whole, error);
	memcpy(out, whole, kept * sizeof *out);
	memset(out + kept, 0, (job->length - kept) * sizeof *out);
	ym_free(whole);
	return status;
}

static void resample_row(void *context, size_t row, int worker) {
	const struct job *job = context;
	struct ym_error error = {.status = YM_OK};
	if (resample(job, job->rows->samples + row * job->rows->length,
	             job->out + row * job->length, &error) != YM_OK)
		job->errors[worker] = error;
}

static void copy_rows(const struct ym_rows *rows, size_t length, float *out) {
	size_t kept = rows->length < length ? rows->length : length;
	for (size_t row = 0; row < rows->count; row++) {
		memcpy(out + row * length, rows->samples + row * rows->length,
		       kept * sizeof *out);
		memset(out + row * length + kept, 0, (length - kept) * sizeof *out);
	}
}

enum ym_status ym_rows_resample(struct ym_pool *pool, const struct ym_rows *rows,
                                double rate, size_t length, float *out,
                                struct ym_error *error) {
	struct job job = {rows, rate, length, out, NULL};
	enum ym_status status = YM_OK;
	int threads = ym_pool_threads(pool);
	if (fabs(rate / rows->rate - 1) < 1e-5) {
		copy_rows(rows, length, out);
		return YM_OK;
	}
	job.errors = ym_alloc((size_t)threads, sizeof *job.errors);
	if (job.errors == NULL)
		return ym_no_memory(error);
	ym_pool_run(pool, rows->count, resample_row, &job);
	for (int worker = 0; worker < threads && status == YM_OK; worker++)
		if (job.errors[worker].status != YM_OK) {
			*error = job.errors[worker];
			status = error->status;
		}
	ym_free(job.errors);
	return status;
}

double ym_rows_difference(const float *a, const float *b, size_t count) {
	double first = 0, second = 0, apart = 0;
	for (size_t i = 0; i < count; i++) {
		double x = (double)a[i], y = (double)b[i];
		first += x * x;
		second += y * y;
		apart += (x - y) * (x - y);
	}
	return apart == 0 ? 0 : sqrt(apart / fmax(first, second));
}

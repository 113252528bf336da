/*
** Many patches at once: rendered, and if wanted turned into features or compared with a
** target, bundle by bundle over the threads of a pool. What data sets and the search
** for a match share. Each call is one bounded piece of work. What it gives never depends
** on the threads, and samples do not depend on what else is in the batch; features and
** distances do in their last bits (by some 1e-6 dB), as bundles filter in single
** precision and notes rendered alone in double.
*/
#ifndef BATCH_H
#define BATCH_H

#include "bundle.h"
#include "distance.h"
#include "feature.h"
#include "hearing.h"
#include "pool.h"
#include "sketch.h"

/* What the threads of a pool work in, kept from one call to the next: pages that are
** known cost less than new ones. */
struct ym_batch_memory;

/* For batches over that pool. */
enum ym_status ym_batch_memory_new(struct ym_batch_memory **memory,
                                   const struct ym_pool *pool, struct ym_error *error);
void ym_batch_memory_free(struct ym_batch_memory *memory); /* NULL is allowed */

/* Patches (packed, YM_FIELDS bytes each) and the note each plays. */
struct ym_batch {
	struct ym_pool *pool;
	const struct ym_bundle_tables *tables;
	enum ym_simd level;
	const uint8_t *patches;
	const struct ym_note *notes;
	size_t count; /* at most UINT32_MAX */
	double clock; /* Hz */
	/* Of each note, for features only; NULL: they hear what is played. */
	const struct ym_hearing *hearings;
	struct ym_batch_memory *memory; /* of one call at a time; NULL: the call's own */
};

/* Samples of every note, each in a row of `row` samples, which no note exceeds: int16_t
** for YM_BUNDLE_RAW, else float. After a note's end comes the output at rest. */
enum ym_status ym_batch_render(const struct ym_batch *batch, enum ym_bundle_form form,
                               size_t row, void *out, struct ym_error *error);

/* Features of every note as binary16, count x ym_features_count in out, and in audible
** whether it sounded at all: a row that did not, or whose pitch is below 1 Hz, is 0. */
enum ym_status ym_batch_features(const struct ym_batch *batch,
                                 const struct ym_features *features, uint16_t *out,
                                 uint8_t *audible, struct ym_error *error);

/* About D of every note, by the sketch that each has: its notes have the sketch's
** length, early or whole. Of whole notes, views are taken where not NULL: rows of `row`
** floats, as ym_sketch_view makes them. */
struct ym_batch_sketches {
	const struct ym_sketch *const *sketch; /* of each patch */
	bool early;
	float *views;
	size_t row;
};
enum ym_status ym_batch_costs(const struct ym_batch *batch,
                              const struct ym_batch_sketches *sketches, float *costs,
                              struct ym_error *error);

/* D of every note to a target, in dB. */
enum ym_status ym_batch_distances(const struct ym_batch *batch,
                                  const struct ym_distance_target *target,
                                  float *distances, struct ym_error *error);

#endif

/*
** Many patches at once: rendered, then turned into features or compared with a
** target, block by block over the threads of a pool. What data sets and the search
** for a match share. Each call is one bounded piece of work.
*/
#ifndef BATCH_H
#define BATCH_H

#include "distance.h"
#include "feature.h"
#include "patch.h"
#include "pool.h"
#include "voice.h"

/* Patches (packed, YM_FIELDS bytes each) and the note each plays. */
struct ym_batch {
	struct ym_pool *pool;
	const struct ym_voice_tables *tables;
	const uint8_t *patches;
	const struct ym_note *notes;
	size_t count;
	double clock; /* Hz */
};

/* Features of every note as binary16, count x ym_features_count in out, and in
** audible whether it sounded at all (a row that did not is 0). */
enum ym_status ym_batch_features(const struct ym_batch *batch,
                                 const struct ym_features *features, uint16_t *out,
                                 uint8_t *audible, struct ym_error *error);

/* D of every note to a target, in dB. */
enum ym_status ym_batch_distances(const struct ym_batch *batch,
                                  const struct ym_distance_target *target,
                                  float *distances, struct ym_error *error);

#endif

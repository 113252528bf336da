/*
** Many patches at once, one in each lane of the CPU's vectors, and in every sample
** equal to the six-channel chip. The lanes of a bundle run in step: all meet the same
** envelope clock, so the samples between two of its ticks are one straight run of
** vector code, and envelopes are touched only at ticks where one of them can move.
**
** A bundle costs what its longest and liveliest lane costs. So patches are sorted into
** bundles of one algorithm each and of notes that end at about the same time; those
** left over share bundles of mixed algorithms, which take about a sixth longer, and
** what does not fill a third of a bundle is rendered one by one (voice.h). Patches whose
** LFO is at work form bundles of their own: every step of a lane's LFO ends a run of
** samples. While a lane's SSG-EG moves it is stepped by itself in every sample: one lane
** that repeats its envelope makes its bundle take about a third longer, a bundle full of
** them four times as long.
*/
#ifndef BUNDLE_H
#define BUNDLE_H

#include "simd.h"
#include "voice.h"

enum { YM_BUNDLE_LANES = 32 }; /* the most lanes a level has */

/* Longer notes are rendered one by one, so that the samples of a bundle never take much
** memory: 20 s. */
enum { YM_BUNDLE_LONGEST = 1 << 20 };

/* In what form samples are delivered. */
enum ym_bundle_form {
	YM_BUNDLE_RAW,      /* int16_t: the chip's integers */
	YM_BUNDLE_SCALED,   /* float: as ym_voice_scale makes them */
	YM_BUNDLE_FILTERED, /* float: scaled, then as ym_highpass leaves them */
};

/* Tables of the kernels, filled once and read by any number of threads. */
struct ym_bundle_tables;
size_t ym_bundle_tables_size(void);
void ym_bundle_tables_fill(struct ym_bundle_tables *tables);
const struct ym_voice_tables *
ym_bundle_voice_tables(const struct ym_bundle_tables *tables);

/* What is to be rendered. */
struct ym_bundle_job {
	const struct ym_bundle_tables *tables;
	enum ym_simd level;
	const uint8_t *patches; /* packed, YM_FIELDS bytes each */
	const struct ym_note *notes;
	size_t count; /* at most UINT32_MAX */
	double rate;  /* of the samples in Hz: what the filter is for */
};

/* Which note goes into which bundle: a part is what one thread renders at once. Depends
** on the level, the patches and the notes alone. */
struct ym_bundle_plan {
	uint32_t *order; /* notes (from 0), part after part */
	size_t parts;
	struct ym_bundle_part {
		uint32_t first, count; /* in order; count is 1..YM_BUNDLE_LANES */
		uint8_t algorithm;     /* of all, or YM_BUNDLE_MIXED, or YM_BUNDLE_ALONE */
	} * part;
};

enum { YM_BUNDLE_MIXED = 8, YM_BUNDLE_ALONE = 9 };

enum ym_status ym_bundle_plan_new(struct ym_bundle_plan **plan,
                                  const struct ym_bundle_job *job,
                                  struct ym_error *error);
void ym_bundle_plan_free(struct ym_bundle_plan *plan); /* NULL is allowed */

/* The memory that rendering needs: one for each thread. longest: samples of the longest
** note. */
struct ym_bundle;
enum ym_status ym_bundle_new(struct ym_bundle **bundle, size_t longest,
                             struct ym_error *error);
void ym_bundle_free(struct ym_bundle *bundle); /* NULL is allowed */

/* Renders a part: note i of it, that is order[first + i], has held + release samples,
** written to out[i]; filtered, out[i] has room for one more. */
void ym_bundle_render(struct ym_bundle *bundle, const struct ym_bundle_job *job,
                      const struct ym_bundle_plan *plan, size_t part,
                      enum ym_bundle_form form, void *const out[]);

#endif

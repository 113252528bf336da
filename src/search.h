/*
** The search for patches that sound like a target: islands of evolution whose moves know
** what registers do, local search where an island stands still, restarts where that does
** not help. Costs are those of sketches (sketch.h): about D, in dB. Each call is one
** bounded piece of work, and what it gives depends on the seed and the calls alone.
*/
#ifndef SEARCH_H
#define SEARCH_H

#include "batch.h"
#include "rng.h"

struct ym_search;

/* What is searched for; what it points to is copied, but for the sketches. */
struct ym_search_settings {
	/* Sounds of one instrument that one patch is to match: a cost is the mean of
	** theirs. */
	size_t targets;
	const struct ym_sketch *const *sketches;
	/* MIDI velocity 1..127 that each was played with; 0: levels as they are. */
	const uint8_t *velocity;
	/* Fields that keep a value, as packed patches have it. */
	bool locked[YM_FIELDS];
	uint8_t value[YM_FIELDS];
	bool ssg;    /* whether SSG-EG is tried */
	bool lfo;    /* whether the LFO is tried, with AM; if not it is off unless locked */
	bool level;  /* whether the output stage lets the carriers' common level be heard */
	int islands; /* 1..YM_SEARCH_ISLANDS */
	int patience; /* generations without progress until an island searches locally */
	uint64_t seed;
};

enum { YM_SEARCH_ISLANDS = 16, YM_SEARCH_TAKES = 32 };

/* What a search runs on. The pool may be another at each call. */
struct ym_search_engine {
	struct ym_pool *pool;
	const struct ym_bundle_tables *tables;
	enum ym_simd level;
	double clock; /* Hz */
};

enum ym_status ym_search_new(struct ym_search **search,
                             const struct ym_search_settings *settings,
                             struct ym_error *error);
void ym_search_free(struct ym_search *search); /* NULL is allowed */

/* Adds a hypothesis of how the targets were played: a note for each, of the length of its
** sketch; handicap is added to the costs of its candidates, in dB. *take is its number,
** from 0. YM_ARGUMENT beyond YM_SEARCH_TAKES. */
enum ym_status ym_search_take(struct ym_search *search, const struct ym_note *notes,
                              float handicap, int *take, struct ym_error *error);

int ym_search_takes(const struct ym_search *search); /* how many were added */

/* Judges count packed patches played as in a take, and keeps the better ones to start
** islands from. */
enum ym_status ym_search_add(struct ym_search *search,
                             const struct ym_search_engine *engine,
                             const uint8_t *patches, size_t count, int take,
                             struct ym_error *error);

/* One generation: about count new candidates over all islands, one each at least; an
** island that stands still makes a local search instead. Nothing, before a patch was
** added. */
enum ym_status ym_search_evolve(struct ym_search *search,
                                const struct ym_search_engine *engine, size_t count,
                                struct ym_error *error);

/* Fills all islands with the best candidates found by any of them. */
void ym_search_gather(struct ym_search *search);

/* Goes on with other sketches of the same targets: what is kept is judged anew and the
** islands gather, takes and lengths stay. When it fails, all stays as it was. */
enum ym_status ym_search_sharpen(struct ym_search *search,
                                 const struct ym_search_engine *engine,
                                 const struct ym_sketch *const *sketches,
                                 struct ym_error *error);

/* One local search around the best candidate of an algorithm (-1: of all): *improved
** tells whether it found one that is better by more than YM_SEARCH_GAIN. */
#define YM_SEARCH_GAIN 1e-4f /* dB */
enum ym_status ym_search_polish(struct ym_search *search,
                                const struct ym_search_engine *engine, int algorithm,
                                bool *improved, struct ym_error *error);

/* What was found. */
struct ym_search_result {
	uint8_t patch[YM_FIELDS]; /* packed */
	int take;
	float cost;
};

/* The best candidates of an algorithm, best first; the number of them, at most room. */
enum { YM_SEARCH_KEPT = 8 }; /* of each algorithm */
size_t ym_search_results(const struct ym_search *search, int algorithm,
                         struct ym_search_result *results, size_t room);

/* Candidates rendered so far, one each however many targets there are; beginnings that
** were rendered to sift them count as the part of a note that they are. */
double ym_search_renders(const struct ym_search *search);

#endif

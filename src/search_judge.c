/* Judging: candidates are rendered and compared, and those worth it are kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search_state.h"

/* Candidates of one algorithm with the same multiples that are kept. */
enum { ALIKE = 2 };

/* Gives locked fields their values; true when one of an operator is among them. */
static bool lock(const struct ym_search_settings *settings, uint8_t *genes) {
	bool bound = false;
	for (int i = 0; i < YM_FIELDS; i++)
		if (settings->locked[i]) {
			genes[i] = settings->value[i];
			bound |= i >= YM_PATCH_FIELDS;
		}
	return bound;
}

void ym_search_settle(const struct ym_search *search, struct ym_candidate *candidate) {
	const struct ym_search_settings *settings = &search->settings;
	struct ym_patch patch;
	uint64_t hash = 1469598103934665603u; /* FNV-1a */
	if (!settings->lfo)
		candidate->genes[YM_LFO] = 0; /* off: most formats do not hold it */
	/* The canonical form would move operators away from under their locks, or wake
	** those that were off. */
	if (!lock(settings, candidate->genes)) {
		ym_patch_unpack(&patch, candidate->genes);
		ym_patch_canonical(&patch);
		ym_patch_pack(&patch, candidate->genes);
		lock(settings, candidate->genes);
	}
	for (int i = 0; i < YM_FIELDS; i++)
		hash = (hash ^ candidate->genes[i]) * 1099511628211u;
	hash = (hash ^ candidate->take) * 1099511628211u;
	hash ^= hash >> 29;
	candidate->hash = hash == 0 ? 1 : hash;
}

/* Where a hash stands, or would stand. */
static struct ym_seen *find(const struct ym_search *search, uint64_t hash) {
	size_t mask = search->seen_room - 1, at = (size_t)hash & mask;
	while (search->seen[at].hash != 0 && search->seen[at].hash != hash)
		at = (at + 1) & mask;
	return &search->seen[at];
}

bool ym_search_seen(const struct ym_search *search, struct ym_candidate *candidate) {
	const struct ym_seen *seen = find(search, candidate->hash);
	candidate->cost = seen->hash != 0 ? seen->cost : YM_UNKNOWN;
	return seen->hash != 0;
}

/* Makes room for count more hashes; a table that cannot grow is emptied: it only saves
** work, and what finds no room later is not remembered. */
static void make_room(struct ym_search *search, size_t count) {
	struct ym_seen *old = search->seen, *larger;
	size_t before = search->seen_room, room = before;
	while (2 * (search->seen_count + count) > room)
		room *= 2;
	if (room == before)
		return;
	larger = ym_alloc(room, sizeof *larger);
	if (larger == NULL) {
		memset(old, 0, before * sizeof *old);
		search->seen_count = 0;
		return;
	}
	search->seen = larger;
	search->seen_room = room;
	for (size_t i = 0; i < before; i++)
		if (old[i].hash != 0)
			*find(search, old[i].hash) = old[i];
	ym_free(old);
}

static void remember(struct ym_search *search, const struct ym_candidate *candidate) {
	struct ym_seen *seen = find(search, candidate->hash);
	if (seen->hash == 0 && 2 * (search->seen_count + 1) > search->seen_room)
		return;
	search->seen_count += seen->hash == 0;
	*seen = (struct ym_seen){candidate->hash, candidate->cost};
}

bool ym_search_insert(const struct ym_niche *niche, struct ym_candidate *list,
                      int *count, const struct ym_candidate *candidate) {
	int alike = 0, last = -1, at;
	for (int i = 0; i < *count; i++) {
		if (list[i].hash == candidate->hash)
			return false;
		if (niche->alike(&list[i], candidate)) {
			alike++;
			last = i;
		}
	}
	if (alike < niche->most)
		last = *count < niche->room ? *count : *count - 1;
	if (last < *count && candidate->cost >= list[last].cost)
		return false;
	*count += last == *count;
	for (at = last; at > 0 && list[at - 1].cost > candidate->cost; at--)
		list[at] = list[at - 1];
	list[at] = *candidate;
	return true;
}

/* Whether two candidates have the same multiples: then they are much alike. */
static bool same_multiples(const struct ym_candidate *a, const struct ym_candidate *b) {
	for (int o = 0; o < YM_OPERATORS; o++) {
		int position = YM_PATCH_FIELDS + o * YM_OPERATOR_FIELDS + YM_MUL;
		if (a->genes[position] != b->genes[position])
			return false;
	}
	return true;
}

/* Keeps the candidate if it is among the best of its algorithm. */
static void keep(struct ym_search *search, const struct ym_candidate *candidate) {
	const struct ym_niche niche = {YM_SEARCH_KEPT, ALIKE, same_multiples};
	int algorithm = candidate->genes[YM_ALGORITHM];
	ym_search_insert(&niche, search->kept[algorithm], &search->kept_count[algorithm],
	                 candidate);
}

size_t ym_search_row(const struct ym_search *search) {
	size_t row = 0;
	for (size_t t = 0; t < search->settings.targets; t++) {
		size_t values = ym_sketch_values(search->settings.sketches[t]);
		row = values > row ? values : row;
	}
	return row;
}

/* Sees to it that there is memory for the threads of this pool. */
static enum ym_status ready(struct ym_search *search,
                            const struct ym_search_engine *engine,
                            struct ym_error *error) {
	int threads = ym_pool_threads(engine->pool);
	if (search->memory != NULL && threads == search->memory_threads)
		return YM_OK;
	ym_batch_memory_free(search->memory);
	search->memory = NULL;
	search->memory_threads = threads;
	return ym_batch_memory_new(&search->memory, engine->pool, error);
}

/* The first `samples` samples of a note. */
static struct ym_note beginning(struct ym_note note, size_t samples) {
	if (note.held > samples)
		note.held = samples;
	note.release = samples - note.held;
	return note;
}

/* What a batch needs of the candidates it renders: one part of each array for every
** target. */
struct work {
	uint8_t *patches;
	struct ym_note *notes;
	const struct ym_sketch **sketches;
	float *costs;
	size_t *which; /* candidates */
};

static void free_work(struct work *work) {
	ym_free(work->patches);
	ym_free(work->notes);
	ym_free((void *)work->sketches);
	ym_free(work->costs);
	ym_free(work->which);
}

static enum ym_status make_work(struct work *work, size_t count,
                                struct ym_error *error) {
	*work = (struct work){
		.patches = ym_alloc(count, YM_FIELDS),
		.notes = ym_alloc(count, sizeof *work->notes),
		.sketches = ym_alloc(count, sizeof *work->sketches),
		.costs = ym_alloc(count, sizeof *work->costs),
		.which = ym_alloc(count, sizeof *work->which),
	};
	if (work->patches == NULL || work->notes == NULL || work->sketches == NULL ||
	    work->costs == NULL || work->which == NULL) {
		free_work(work);
		return ym_no_memory(error);
	}
	return YM_OK;
}

static void put_patch(const struct ym_search *search, const uint8_t *genes,
                      size_t target, uint8_t *out) {
	struct ym_patch patch;
	memcpy(out, genes, YM_FIELDS);
	if (search->settings.velocity[target] == 0)
		return;
	ym_patch_unpack(&patch, genes);
	ym_patch_velocity(&patch, search->settings.velocity[target]);
	ym_patch_pack(&patch, out);
}

/* Renders count candidates, those in work->which, and leaves their costs, which are means
** over the targets, in work->costs. views: as of ym_search_judge. */
static enum ym_status render(struct ym_search *search,
                             const struct ym_search_engine *engine,
                             const struct ym_candidate *candidates, struct work *work,
                             size_t count, bool early, float *views,
                             struct ym_error *error) {
	size_t targets = search->settings.targets;
	struct ym_batch batch = {.pool = engine->pool,
	                         .tables = engine->tables,
	                         .level = engine->level,
	                         .clock = engine->clock,
	                         .memory = search->memory,
	                         .patches = work->patches,
	                         .notes = work->notes,
	                         .count = count * targets};
	struct ym_batch_sketches sketches = {work->sketches, early, views,
	                                     ym_search_row(search)};
	enum ym_status status;
	for (size_t i = 0; i < count; i++)
		for (size_t t = 0; t < targets; t++) {
			const struct ym_candidate *candidate = &candidates[work->which[i]];
			const struct ym_sketch *sketch = search->settings.sketches[t];
			size_t at = i * targets + t, samples = ym_sketch_length(sketch, early);
			struct ym_note note = search->takes[candidate->take * targets + t];
			put_patch(search, candidate->genes, t, work->patches + at * YM_FIELDS);
			work->notes[at] = beginning(note, samples);
			work->sketches[at] = sketch;
			search->renders += (double)samples /
			                   (double)ym_sketch_length(sketch, false) /
			                   (double)targets;
		}
	status = ym_batch_costs(&batch, &sketches, work->costs, error);
	for (size_t i = 0; i < count && status == YM_OK; i++) {
		double sum = 0;
		for (size_t t = 0; t < targets; t++)
			sum += (double)work->costs[i * targets + t];
		work->costs[i] = (float)(sum / (double)targets);
	}
	return status;
}

/* Whether all sketches have an early part. */
static bool tells_early(const struct ym_search *search) {
	for (size_t t = 0; t < search->settings.targets; t++)
		if (ym_sketch_length(search->settings.sketches[t], true) == 0)
			return false;
	return true;
}

static int by_value(const void *a, const void *b) {
	const float *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

/* The value that this share of count values does not exceed; sorts them. */
static float quantile(float *values, size_t count, double share) {
	size_t at = (size_t)(share * (double)count);
	qsort(values, count, sizeof *values, by_value);
	return values[at < count ? at : count - 1];
}

/* Raises the limit for the candidate of each algorithm that begins best. */
static void spare_algorithms(const struct ym_candidate *candidates, size_t count,
                             float limit[8]) {
	float best[8];
	for (int a = 0; a < 8; a++)
		best[a] = YM_UNKNOWN;
	for (size_t i = 0; i < count; i++) {
		int algorithm = candidates[i].genes[YM_ALGORITHM];
		best[algorithm] = fminf(best[algorithm], candidates[i].early);
	}
	for (int a = 0; a < 8; a++)
		limit[a] = fmaxf(limit[a], best[a]);
}

/* Of the count candidates in work->which, those whose notes begin well enough stay
** there. */
static enum ym_status sift(struct ym_search *search,
                           const struct ym_search_engine *engine,
                           struct ym_candidate *candidates, struct work *work,
                           size_t *count, const struct ym_sieve *sieve,
                           struct ym_error *error) {
	size_t stay = 0;
	float limit[8] = {0};
	enum ym_status status = render(search, engine, candidates, work, *count, true, NULL,
	                               error);
	if (status != YM_OK)
		return status;
	for (size_t i = 0; i < *count; i++)
		candidates[i].early = work->costs[i];
	if (sieve->limit == NULL) {
		float shared = quantile(work->costs, *count, sieve->share);
		for (int a = 0; a < 8; a++)
			limit[a] = shared;
		spare_algorithms(candidates, *count, limit);
	}
	for (size_t i = 0; i < *count; i++) {
		int algorithm = candidates[i].genes[YM_ALGORITHM];
		if (candidates[i].early <=
		    (sieve->limit != NULL ? sieve->limit[i] : limit[algorithm]))
			work->which[stay++] = i;
	}
	*count = stay;
	return YM_OK;
}

enum ym_status ym_search_judge(struct ym_search *search,
                               const struct ym_search_engine *engine,
                               struct ym_candidate *candidates, size_t count,
                               const struct ym_sieve *sieve, float *views,
                               struct ym_error *error) {
	struct work work;
	size_t left = count;
	enum ym_status status = ready(search, engine, error);
	if (status == YM_OK)
		status = make_work(&work, count * search->settings.targets, error);
	if (status != YM_OK)
		return status;
	for (size_t i = 0; i < count; i++) {
		work.which[i] = i;
		candidates[i].cost = YM_UNKNOWN;
	}
	if (sieve != NULL && count > 0 && tells_early(search))
		status = sift(search, engine, candidates, &work, &left, sieve, error);
	if (status == YM_OK)
		status = render(search, engine, candidates, &work, left, false, views, error);
	if (status == YM_OK) {
		for (size_t i = 0; i < left; i++) {
			struct ym_candidate *judged = &candidates[work.which[i]];
			judged->cost = work.costs[i] + search->handicap[judged->take];
			keep(search, judged);
		}
		make_room(search, count);
		for (size_t i = 0; i < count; i++)
			remember(search, &candidates[i]);
	}
	free_work(&work);
	return status;
}

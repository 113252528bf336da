#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search_state.h"

/* What counts as progress, of the cost before. */
#define PROGRESS 0.99f

/* Members of one algorithm in an island at most, so that others get their time. */
enum { NICHE = 6 };

/* A candidate whose note begins so much worse than that of an island's worst member is
** given up. */
#define EARLY_SLACK 1.15f

/* The share of what is added whose notes are rendered to the end, unless it is a FEW. */
#define ADDED_SHARE 0.5
enum { FEW = 32 };

/* Children of a move over which its success is averaged. */
#define MEMORY 128

/* Copies what the settings point to, but for the sketches themselves. */
static enum ym_status copy_settings(struct ym_search *search,
                                    const struct ym_search_settings *settings,
                                    struct ym_error *error) {
	size_t targets = settings->targets;
	const struct ym_sketch **sketches = ym_alloc(targets, sizeof *sketches);
	uint8_t *velocity = ym_alloc(targets, 1);
	search->settings = *settings;
	search->settings.sketches = sketches;
	search->settings.velocity = velocity;
	if (sketches == NULL || velocity == NULL)
		return ym_no_memory(error);
	for (size_t t = 0; t < targets; t++) {
		sketches[t] = settings->sketches[t];
		velocity[t] = settings->velocity[t];
	}
	return YM_OK;
}

enum ym_status ym_search_new(struct ym_search **result,
                             const struct ym_search_settings *settings,
                             struct ym_error *error) {
	struct ym_search *search = ym_alloc(1, sizeof *search);
	enum ym_status status;
	if (search == NULL)
		return ym_no_memory(error);
	status = copy_settings(search, settings, error);
	search->seen_room = 1 << 12;
	search->seen = ym_alloc(search->seen_room, sizeof *search->seen);
	search->takes = ym_alloc(YM_SEARCH_TAKES * settings->targets,
	                         sizeof *search->takes);
	if (status == YM_OK && (search->seen == NULL || search->takes == NULL))
		status = ym_no_memory(error);
	if (status != YM_OK) {
		ym_search_free(search);
		return status;
	}
	ym_rng_seed(&search->rng, settings->seed, 0);
	for (int move = 0; move < YM_MOVES; move++)
		search->credit[move] = 1;
	*result = search;
	return YM_OK;
}

void ym_search_free(struct ym_search *search) {
	if (search == NULL)
		return;
	ym_free((void *)(uintptr_t)search->settings.sketches);
	ym_free((void *)(uintptr_t)search->settings.velocity);
	ym_free(search->takes);
	ym_free(search->seeds);
	ym_free(search->used);
	ym_free(search->seen);
	ym_batch_memory_free(search->memory);
	ym_free(search);
}

enum ym_status ym_search_take(struct ym_search *search, const struct ym_note *notes,
                              float handicap, int *take, struct ym_error *error) {
	size_t targets = search->settings.targets;
	if (search->take_count == YM_SEARCH_TAKES)
		return ym_fail(error, YM_ARGUMENT, "more than %d takes", YM_SEARCH_TAKES);
	memcpy(search->takes + (size_t)search->take_count * targets, notes,
	       targets * sizeof *notes);
	search->handicap[search->take_count] = handicap;
	*take = search->take_count++;
	return YM_OK;
}

int ym_search_takes(const struct ym_search *search) {
	return search->take_count;
}

static int by_cost(const void *a, const void *b) {
	const struct ym_candidate *x = a, *y = b;
	if (x->cost != y->cost)
		return x->cost < y->cost ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Appends the judged ones of count candidates to the seeds; those used are done with. */
static enum ym_status store_seeds(struct ym_search *search,
                                  const struct ym_candidate *candidates, size_t count,
                                  struct ym_error *error) {
	struct ym_candidate *seeds = ym_alloc(search->seed_count + count, sizeof *seeds);
	bool *used = ym_alloc(search->seed_count + count, sizeof *used);
	size_t unused = 0;
	if (seeds == NULL || used == NULL) {
		ym_free(seeds);
		ym_free(used);
		return ym_no_memory(error);
	}
	for (size_t i = 0; i < search->seed_count; i++)
		if (!search->used[i])
			seeds[unused++] = search->seeds[i];
	for (size_t i = 0; i < count; i++)
		if (candidates[i].cost < YM_UNKNOWN)
			seeds[unused++] = candidates[i];
	qsort(seeds, unused, sizeof *seeds, by_cost);
	ym_free(search->seeds);
	ym_free(search->used);
	search->seeds = seeds;
	search->used = used;
	search->seed_count = unused;
	return YM_OK;
}

static bool same_algorithm(const struct ym_candidate *a, const struct ym_candidate *b) {
	return a->genes[YM_ALGORITHM] == b->genes[YM_ALGORITHM];
}

/* Puts a candidate into an island; false when it is not good enough. */
static bool settle_in(struct ym_island *island, const struct ym_candidate *candidate) {
	const struct ym_niche niche = {YM_MEMBERS, NICHE, same_algorithm};
	return ym_search_insert(&niche, island->member, &island->count, candidate);
}

/* The best seeds go to islands that live already, too. */
static void immigrate(struct ym_search *search, const struct ym_candidate *candidates,
                      size_t count) {
	for (size_t c = 0; c < count; c++) {
		struct ym_island *island = &search->island[ym_rng_below(
			&search->rng, (uint64_t)search->settings.islands)];
		if (island->count > 0 && candidates[c].cost < YM_UNKNOWN)
			settle_in(island, &candidates[c]);
	}
}

enum ym_status ym_search_add(struct ym_search *search,
                             const struct ym_search_engine *engine,
                             const uint8_t *patches, size_t count, int take,
                             struct ym_error *error) {
	const struct ym_sieve sieve = {.share = ADDED_SHARE};
	struct ym_candidate *candidates = ym_alloc(count, sizeof *candidates);
	enum ym_status status;
	size_t fresh = 0;
	if (candidates == NULL)
		return ym_no_memory(error);
	for (size_t i = 0; i < count; i++) {
		struct ym_candidate *candidate = &candidates[fresh];
		*candidate = (struct ym_candidate){.take = (uint8_t)take,
		                                   .move = YM_MOVE_GIVEN};
		memcpy(candidate->genes, patches + i * YM_FIELDS, YM_FIELDS);
		ym_search_settle(search, candidate);
		if (!ym_search_seen(search, candidate))
			fresh++;
	}
	status = ym_search_judge(search, engine, candidates, fresh,
	                         fresh > FEW ? &sieve : NULL, NULL, error);
	if (status == YM_OK)
		immigrate(search, candidates, fresh);
	if (status == YM_OK)
		status = store_seeds(search, candidates, fresh, error);
	ym_free(candidates);
	return status;
}

static void start_clock(struct ym_island *island) {
	island->mark = island->count > 0 ? island->member[0].cost : YM_UNKNOWN;
	island->stalled = 0;
	island->local = false;
}

/* The best of all algorithms into an island. */
static void settle_kept(const struct ym_search *search, struct ym_island *island) {
	for (int a = 0; a < 8; a++)
		for (int k = 0; k < search->kept_count[a]; k++)
			settle_in(island, &search->kept[a][k]);
}

/* Fills an island with seeds not used so far: the best of three, drawn anew for each
** member; the very first island takes the best. */
static void populate(struct ym_search *search, int i, bool best) {
	struct ym_island *island = &search->island[i];
	island->count = 0;
	for (int m = 0; m < 3 * YM_MEMBERS && island->count < YM_MEMBERS; m++) {
		size_t chosen = SIZE_MAX;
		for (int draw = 0; draw < 3 && search->seed_count > 0; draw++) {
			size_t at = best ? (size_t)m
			                 : (size_t)ym_rng_below(&search->rng, search->seed_count);
			if (at < search->seed_count && !search->used[at] && at < chosen)
				chosen = at;
		}
		if (chosen == SIZE_MAX)
			continue;
		search->used[chosen] = settle_in(island, &search->seeds[chosen]);
	}
	if (island->count == 0) /* no seeds are left */
		settle_kept(search, island);
	start_clock(island);
}

void ym_search_gather(struct ym_search *search) {
	for (int i = 0; i < search->settings.islands; i++) {
		search->island[i].count = 0;
		settle_kept(search, &search->island[i]);
		start_clock(&search->island[i]);
	}
}

/* One step of an island's local search around its best. When that helps no more, the
** island goes on if it did help, or else starts anew. */
static enum ym_status improve(struct ym_search *search,
                              const struct ym_search_engine *engine, int i,
                              struct ym_error *error) {
	struct ym_island *island = &search->island[i];
	struct ym_candidate best = island->member[0];
	float before = best.cost;
	enum ym_status status = ym_search_local(search, engine, &best, error);
	if (status != YM_OK)
		return status;
	if (best.cost < before)
		settle_in(island, &best);
	island->local = best.cost < PROGRESS * before;
	if (island->local)
		return YM_OK;
	if (best.cost > PROGRESS * island->mark)
		populate(search, i, false);
	else
		start_clock(island);
	return YM_OK;
}

/* Notes which moves paid: those whose child became a member. */
static void reward(struct ym_search *search, int move, bool paid) {
	if (move < YM_MOVES)
		search->credit[move] += ((paid ? 1 : 0) - search->credit[move]) / MEMORY;
}

/* Where a member of this island must begin to be worth rendering. */
static float early_limit(const struct ym_island *island) {
	float worst = 0;
	for (int m = 0; m < island->count; m++)
		worst = fmaxf(worst, island->member[m].early);
	return worst > 0 ? EARLY_SLACK * worst : YM_UNKNOWN;
}

/* New candidates of one island, none of them seen before. */
static size_t breed(struct ym_search *search, int i, struct ym_candidate *children,
                    float *limit, size_t count) {
	float worst = early_limit(&search->island[i]);
	size_t made = 0;
	for (size_t tries = 0; tries < 4 * count && made < count; tries++) {
		struct ym_candidate *child = &children[made];
		bool twin = false;
		ym_search_move(search, i, child);
		ym_search_settle(search, child);
		for (size_t k = 0; k < made && !twin; k++)
			twin = children[k].hash == child->hash;
		if (twin || ym_search_seen(search, child))
			continue;
		child->island = (uint8_t)i;
		limit[made++] = worst;
	}
	return made;
}

/* Takes the children up, and counts the time that islands stand still. */
static void select_children(struct ym_search *search,
                            const struct ym_candidate *children, size_t count) {
	for (size_t c = 0; c < count; c++) {
		struct ym_island *island = &search->island[children[c].island];
		bool paid = children[c].cost < YM_UNKNOWN && settle_in(island, &children[c]);
		reward(search, children[c].move, paid);
	}
	for (int i = 0; i < search->settings.islands; i++) {
		struct ym_island *island = &search->island[i];
		if (island->count > 0 && island->member[0].cost < PROGRESS * island->mark) {
			island->mark = island->member[0].cost;
			island->stalled = 0;
		} else
			island->stalled++;
	}
}

enum ym_status ym_search_evolve(struct ym_search *search,
                                const struct ym_search_engine *engine, size_t count,
                                struct ym_error *error) {
	int islands = search->settings.islands;
	size_t each = count > (size_t)islands ? count / (size_t)islands : 1, made = 0;
	struct ym_candidate *children = ym_alloc(each * (size_t)islands, sizeof *children);
	float *limit = ym_alloc(each * (size_t)islands, sizeof *limit);
	const struct ym_sieve sieve = {.limit = limit};
	enum ym_status status = YM_OK;
	if (children == NULL || limit == NULL)
		status = ym_no_memory(error);
	for (int i = 0; i < islands && status == YM_OK; i++) {
		struct ym_island *island = &search->island[i];
		if (island->count == 0)
			populate(search, i, i == 0);
		else if (island->local || island->stalled >= search->settings.patience)
			status = improve(search, engine, i, error);
	}
	for (int i = 0; i < islands && status == YM_OK; i++)
		if (search->island[i].count > 0 && !search->island[i].local)
			made += breed(search, i, children + made, limit + made, each);
	if (status == YM_OK)
		status = ym_search_judge(search, engine, children, made, &sieve, NULL, error);
	if (status == YM_OK)
		select_children(search, children, made);
	ym_free(children);
	ym_free(limit);
	return status;
}

enum ym_status ym_search_sharpen(struct ym_search *search,
                                 const struct ym_search_engine *engine,
                                 const struct ym_sketch *const *sketches,
                                 struct ym_error *error) {
	struct ym_candidate all[8 * YM_SEARCH_KEPT];
	const struct ym_sketch *const *before = search->settings.sketches;
	int kept_count[8];
	size_t count = 0;
	enum ym_status status;
	memcpy(kept_count, search->kept_count, sizeof kept_count);
	for (int a = 0; a < 8; a++) {
		for (int k = 0; k < search->kept_count[a]; k++)
			all[count++] = search->kept[a][k];
		search->kept_count[a] = 0;
	}
	memset(search->seen, 0, search->seen_room * sizeof *search->seen);
	search->seen_count = 0;
	search->settings.sketches = sketches;
	status = ym_search_judge(search, engine, all, count, NULL, NULL, error);
	search->settings.sketches = before;
	if (status != YM_OK) {
		memcpy(search->kept_count, kept_count, sizeof kept_count);
		return status;
	}
	memcpy((void *)(uintptr_t)before, sketches,
	       search->settings.targets * sizeof *sketches);
	search->seed_count = 0; /* judged by the others, as the islands were */
	ym_search_gather(search);
	return YM_OK;
}

/* The best candidate kept of an algorithm, or of all; NULL where there is none. */
static const struct ym_candidate *best_kept(const struct ym_search *search,
                                            int algorithm) {
	const struct ym_candidate *best = NULL;
	for (int a = 0; a < 8; a++)
		if ((algorithm < 0 || algorithm == a) && search->kept_count[a] > 0 &&
		    (best == NULL || search->kept[a][0].cost < best->cost))
			best = &search->kept[a][0];
	return best;
}

enum ym_status ym_search_polish(struct ym_search *search,
                                const struct ym_search_engine *engine, int algorithm,
                                bool *improved, struct ym_error *error) {
	const struct ym_candidate *best = best_kept(search, algorithm);
	struct ym_candidate centre;
	enum ym_status status;
	float before;
	*improved = false;
	if (best == NULL)
		return YM_OK;
	centre = *best;
	before = best->cost;
	status = ym_search_local(search, engine, &centre, error);
	*improved = status == YM_OK && centre.cost < before - YM_SEARCH_GAIN;
	return status;
}

size_t ym_search_results(const struct ym_search *search, int algorithm,
                         struct ym_search_result *results, size_t room) {
	size_t count = 0;
	for (int k = 0; k < search->kept_count[algorithm] && count < room; k++) {
		const struct ym_candidate *candidate = &search->kept[algorithm][k];
		memcpy(results[count].patch, candidate->genes, YM_FIELDS);
		results[count].take = candidate->take;
		results[count++].cost = candidate->cost;
	}
	return count;
}

double ym_search_renders(const struct ym_search *search) {
	return search->renders;
}

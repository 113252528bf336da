/*
** Local search: all single steps from a patch are rendered, and what each changes in the
** sketch is kept. Changes of several registers then add up, nearly: so steps that go well
** together are found by adding what is known, and only the promising ones are rendered.
*/
#include <stdlib.h>
#include <string.h>

#include "search_state.h"
#include "spectra.h"

/* Steps tried on each field of an operator, up and down. */
enum { STEPS = 4 };

static const uint8_t steps_of[YM_OPERATOR_FIELDS][STEPS] = {
	[YM_MUL] = {1, 2, 4}, [YM_DT] = {1, 2}, [YM_TL] = {1, 2, 5, 12},
	[YM_RS] = {1},        [YM_AR] = {1, 4}, [YM_DR] = {1, 3},
	[YM_SR] = {1, 3},     [YM_RR] = {1, 2}, [YM_SL] = {1, 2},
};

enum {
	NEIGHBOURS = YM_OPERATORS * YM_OPERATOR_FIELDS * 2 * STEPS + 4,
	FOLLOWED = 64, /* single steps that are combined with others */
	STARTS = 7,    /* of them, those that combinations start from, besides none */
	PRICES = 3,    /* of a step: the lower, the more are taken */
	ROUNDS = 3,    /* through all fields, at one price */
	COMBINATIONS = PRICES * (STARTS + 1),
};

struct local {
	struct ym_search *search;
	/* The centre, then where single steps lead. */
	struct ym_candidate candidate[1 + NEIGHBOURS];
	int field[1 + NEIGHBOURS]; /* that each moves: no two of a field are combined */
	int count;
	const struct ym_spectra_kernel *kernel;
	size_t floats;  /* of a whole view */
	float *views;   /* the centre's, then what each step changes in it */
	float *target;  /* its view */
	float *nothing; /* zeros */
	float *rest;    /* for each thread: what of the target is not explained */
	int followed[FOLLOWED];
	int following;
	bool movable[YM_FIELDS]; /* fields that followed steps move */
	/* Combinations of steps: by start and price, the step taken of each field. */
	int chosen[STARTS + 1][PRICES][YM_FIELDS];
	struct ym_candidate *combined;
	int combinations;
};

/* Adds the step that gives a field this value. */
static void add_step(struct local *local, int position, int value) {
	struct ym_candidate *to = &local->candidate[local->count];
	int range = ym_field_at(position)->maximum - ym_field_at(position)->minimum;
	if (value < 0 || value > range || local->search->settings.locked[position])
		return;
	*to = local->candidate[0];
	to->genes[position] = (uint8_t)value;
	ym_search_settle(local->search, to);
	for (int i = 0; i < local->count; i++)
		if (local->candidate[i].hash == to->hash)
			return;
	local->field[local->count++] = position;
}

static void list_steps(struct local *local, const struct ym_candidate *centre) {
	const uint8_t *genes = centre->genes;
	local->candidate[0] = *centre;
	local->candidate[0].move = YM_MOVE_GIVEN;
	local->candidate[0].early = 0;
	local->count = 1;
	for (int change = -2; change <= 2; change++)
		add_step(local, YM_FEEDBACK, genes[YM_FEEDBACK] + change);
	for (int o = 0; o < YM_OPERATORS; o++)
		for (int f = 0; f < YM_OPERATOR_FIELDS; f++) {
			int position = YM_PATCH_FIELDS + o * YM_OPERATOR_FIELDS + f;
			for (int i = 0; i < STEPS && steps_of[f][i] != 0; i++) {
				add_step(local, position, genes[position] + steps_of[f][i]);
				add_step(local, position, genes[position] - steps_of[f][i]);
			}
		}
}

static float *view_of(const struct local *local, int i) {
	return local->views + (size_t)i * local->floats;
}

/* a -= b */
static void subtract(float *a, const float *b, size_t count) {
	for (size_t i = 0; i < count; i++)
		a[i] -= b[i];
}

/* Renders all steps; views become differences to the centre's. */
static enum ym_status take_steps(struct local *local,
                                 const struct ym_search_engine *engine,
                                 struct ym_error *error) {
	enum ym_status status = ym_search_judge(local->search, engine, local->candidate,
	                                        (size_t)local->count, NULL, local->views,
	                                        error);
	for (int i = 1; i < local->count && status == YM_OK; i++)
		subtract(view_of(local, i), local->views, local->floats);
	return status;
}

/* The steps with the least costs, best first. */
static void follow(struct local *local) {
	local->following = 0;
	for (int i = 1; i < local->count; i++) {
		int at = local->following;
		float cost = local->candidate[i].cost;
		if (at == FOLLOWED && cost >= local->candidate[local->followed[at - 1]].cost)
			continue;
		at -= at == FOLLOWED;
		for (; at > 0 && local->candidate[local->followed[at - 1]].cost > cost; at--)
			local->followed[at] = local->followed[at - 1];
		local->followed[at] = i;
		local->following += local->following < FOLLOWED;
	}
	for (int k = 0; k < local->following; k++)
		local->movable[local->field[local->followed[k]]] = true;
}

/* Adds a combination of steps, unless it was judged before. */
static void add_combination(struct local *local, const int *chosen) {
	struct ym_candidate *to = &local->combined[local->combinations];
	*to = local->candidate[0];
	for (int field = 0; field < YM_FIELDS; field++)
		if (chosen[field] != 0)
			to->genes[field] = local->candidate[chosen[field]].genes[field];
	ym_search_settle(local->search, to);
	if (ym_search_seen(local->search, to))
		return;
	for (int i = 0; i < local->combinations; i++)
		if (local->combined[i].hash == to->hash)
			return;
	local->combinations++;
}

/* rest += factor times the change that a step makes */
static void shift(const struct local *local, float *rest, int step, float factor) {
	const float *change = view_of(local, step);
	if (step != 0)
		for (size_t i = 0; i < local->floats; i++)
			rest[i] += factor * change[i];
}

/* Takes for one field the step that leaves the least of the target, each step costing a
** price; false when it is the one taken before. */
static bool improve_field(const struct local *local, float *rest, int *chosen,
                          int field, float price) {
	int before = chosen[field], best = 0;
	float least;
	shift(local, rest, before, 1);
	least = local->kernel->apart(rest, local->nothing, local->floats);
	for (int k = 0; k < local->following; k++) {
		int step = local->followed[k];
		float left;
		if (local->field[step] != field)
			continue;
		left = price + local->kernel->apart(rest, view_of(local, step), local->floats);
		if (left < least) {
			least = left;
			best = step;
		}
	}
	shift(local, rest, best, -1);
	chosen[field] = best;
	return best != before;
}

/* Finds steps that go together with one that is given, at falling prices: start 0 is
** given none, start k the k-th of those followed. */
static void combine(void *context, size_t start, int thread) {
	static const float prices[PRICES] = {0.03f, 0.01f, 0};
	struct local *local = context;
	float *rest = local->rest + (size_t)thread * local->floats;
	int chosen[YM_FIELDS] = {0};
	int given = start > 0 ? local->followed[start - 1] : 0, fixed = -1;
	memcpy(rest, local->target, local->floats * sizeof *rest);
	subtract(rest, local->views, local->floats);
	if (given != 0) {
		fixed = local->field[given];
		chosen[fixed] = given;
		shift(local, rest, given, -1);
	}
	for (int p = 0; p < PRICES; p++) {
		float price = prices[p] * local->candidate[0].cost;
		bool moved = true;
		for (int round = 0; round < ROUNDS && moved; round++) {
			moved = false;
			for (int field = 0; field < YM_FIELDS; field++)
				if (local->movable[field] && field != fixed)
					moved |= improve_field(local, rest, chosen, field, price);
		}
		memcpy(local->chosen[start][p], chosen, sizeof chosen);
	}
}

static void view_target(const struct local *local) {
	const struct ym_search_settings *settings = &local->search->settings;
	for (size_t t = 0; t < settings->targets; t++)
		ym_sketch_target_view(settings->sketches[t],
		                      local->target + t * ym_search_row(local->search));
}

static enum ym_status search_around(struct local *local,
                                    const struct ym_search_engine *engine,
                                    struct ym_error *error) {
	enum ym_status status = take_steps(local, engine, error);
	size_t starts;
	if (status != YM_OK)
		return status;
	view_target(local);
	follow(local);
	starts = 1 + (size_t)(local->following < STARTS ? local->following : STARTS);
	ym_pool_run(engine->pool, starts, combine, local);
	for (size_t start = 0; start < starts; start++)
		for (int p = 0; p < PRICES; p++)
			add_combination(local, local->chosen[start][p]);
	return ym_search_judge(local->search, engine, local->combined,
	                       (size_t)local->combinations, NULL, NULL, error);
}

static void take_better(struct ym_candidate *best, const struct ym_candidate *from,
                        int count) {
	for (int i = 0; i < count; i++)
		if (from[i].cost < best->cost)
			*best = from[i];
}

static void free_local(struct local *local) {
	ym_free(local->views);
	ym_free(local->target);
	ym_free(local->rest);
	ym_free(local->nothing);
	ym_free(local->combined);
	ym_free(local);
}

/* Makes room for the steps listed. */
static enum ym_status allocate(struct local *local, int threads,
                               struct ym_error *error) {
	size_t floats = local->floats;
	local->views = ym_alloc((size_t)local->count * floats, sizeof(float));
	local->target = ym_alloc(floats, sizeof(float));
	local->rest = ym_alloc((size_t)threads * floats, sizeof(float));
	local->nothing = ym_alloc(floats, sizeof(float));
	local->combined = ym_alloc(COMBINATIONS, sizeof *local->combined);
	if (local->views == NULL || local->target == NULL || local->rest == NULL ||
	    local->nothing == NULL || local->combined == NULL)
		return ym_no_memory(error);
	return YM_OK;
}

enum ym_status ym_search_local(struct ym_search *search,
                               const struct ym_search_engine *engine,
                               struct ym_candidate *centre, struct ym_error *error) {
	struct local *local = ym_alloc(1, sizeof *local);
	enum ym_status status;
	if (local == NULL)
		return ym_no_memory(error);
	local->search = search;
	local->kernel = YM_SIMD_UNIT(ym_spectra, engine->level);
	local->floats = ym_search_row(search) * search->settings.targets;
	list_steps(local, centre);
	status = allocate(local, ym_pool_threads(engine->pool), error);
	if (status == YM_OK)
		status = search_around(local, engine, error);
	if (status == YM_OK) {
		take_better(centre, local->candidate, local->count);
		take_better(centre, local->combined, local->combinations);
	}
	free_local(local);
	return status;
}

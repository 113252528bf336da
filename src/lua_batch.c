/* ym.batch: many packed patches rendered, and heard as features or distances. */
#include <math.h>

#include "batch.h"
#include "lua_render.h"

/* An option that is one number for all patches or a tensor (patches) of one each. */
struct each {
	const float *values; /* NULL: the same for all */
	double shared;
};

/* Leaves the value on the stack, which keeps a tensor alive. */
static struct each option_each(lua_State *L, int arg, const char *key, double fallback,
                               double minimum, double maximum, size_t count) {
	struct each each = {NULL, fallback};
	if (ym_push_option(L, arg, key) == LUA_TUSERDATA) {
		int top = lua_gettop(L);
		size_t size;
		each.values = ym_check_vector(L, top, &size);
		if (size != count)
			luaL_argerror(
				L, arg,
				lua_pushfstring(
					L, "option '%s' has %I values, expected one for each of %I patches",
					key, (lua_Integer)size, (lua_Integer)count));
		for (size_t i = 0; i < count; i++)
			if (!((double)each.values[i] >= minimum &&
			      (double)each.values[i] <= maximum))
				luaL_argerror(L, arg,
				              lua_pushfstring(
								  L, "option '%s' is %f for patch %I, expected %f..%f",
								  key, (double)each.values[i], (lua_Integer)i + 1,
								  minimum, maximum));
	} else
		each.shared = ym_option_number(L, arg, key, fallback, minimum, maximum);
	return each;
}

static double each_value(const struct each *each, size_t i) {
	return each->values != NULL ? (double)each->values[i] : each->shared;
}

/* The batch of packed patches at 1 with the notes of the options at 3. */
static struct ym_batch check_batch(lua_State *L) {
	static const char *const known[] = {"note",  "held", "release",
	                                    "clock", "chip", NULL};
	const struct ym_tensor *packed = ym_check_packed(L, 1);
	size_t count = packed->shape[0];
	struct each note, held, release;
	struct ym_note *notes;
	struct ym_batch batch = {.patches = packed->data, .count = count};
	int stage;
	ym_check_options(L, 3, known);
	batch.clock = ym_option_clock(L, 3);
	stage = ym_option_choice(L, 3, "chip", YM_STAGE_YM2612, ym_stage_names);
	note = option_each(L, 3, "note", 69, 0, 127, count);
	held = option_each(L, 3, "held", 1, 0, YM_SECONDS_MAX, count);
	release = option_each(L, 3, "release", 0.5, 0, YM_SECONDS_MAX, count);
	notes = lua_newuserdatauv(L, (count + 1) * sizeof *notes, 0);
	for (size_t i = 0; i < count; i++) {
		notes[i].stage = (enum ym_stage)stage;
		if (!ym_note_pitch(each_value(&note, i), batch.clock, &notes[i]))
			luaL_argerror(L, 3,
			              lua_pushfstring(
							  L, "note %f of patch %I is above what the chip can play",
							  each_value(&note, i), (lua_Integer)i + 1));
		notes[i].held = ym_seconds_to_frames(each_value(&held, i), batch.clock);
		notes[i].release = ym_seconds_to_frames(each_value(&release, i), batch.clock);
		if (notes[i].held == 0)
			notes[i].held = 1;
	}
	batch.notes = notes;
	batch.pool = ym_state_pool(L);
	batch.tables = ym_state_voice_tables(L);
	return batch;
}

/* batch.features(packed, features, [options]) -> f16 tensor (patches, features), u8
** tensor (patches): 1 where the note sounded. packed: from patch.pack. Options note,
** held and release are numbers or f32 tensors (patches); chip, clock as in render.
** One call is one bounded piece of work: give it some hundred patches. */
static int batch_features(lua_State *L) {
	const struct ym_features *features = ym_check_features(L, 2);
	struct ym_batch batch;
	struct ym_tensor *out, *audible;
	struct ym_error error;
	size_t shape[2];
	lua_settop(L, 3);
	batch = check_batch(L);
	shape[0] = batch.count;
	shape[1] = ym_features_count(features);
	out = ym_push_tensor(L, YM_F16, 2, shape);
	audible = ym_push_tensor(L, YM_U8, 1, shape);
	if (ym_batch_features(&batch, features, out->data, audible->data, &error) != YM_OK)
		return ym_push_failure(L, &error);
	return 2;
}

/* batch.distances(packed, target, [options]) -> f32 tensor (patches): D in dB of each
** patch's note to the target (ym.target). Options as in batch.features. */
static int batch_distances(lua_State *L) {
	const struct ym_distance_target *target = ym_check_target(L, 2);
	struct ym_batch batch;
	struct ym_error error;
	lua_settop(L, 3);
	batch = check_batch(L);
	if (ym_batch_distances(&batch, target, ym_push_vector(L, batch.count), &error) !=
	    YM_OK)
		return ym_push_failure(L, &error);
	return 1;
}

static const luaL_Reg functions[] = {
	{"features", batch_features}, {"distances", batch_distances}, {NULL, NULL}};

void ym_open_batch(lua_State *L) {
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "batch");
}

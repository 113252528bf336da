/* ym.render_batch and ym.batch: many patches rendered, and heard as features or
** distances. */
#include <math.h>
#include <string.h>

#include "batch.h"
#include "lua_render.h"

/* An option that is one number for all patches or a list or tensor of one each. */
struct each {
	const float *values; /* NULL: the same for all */
	double shared;
};

/* Leaves the value on the stack, which keeps a tensor alive. */
static struct each option_each(lua_State *L, int arg, const char *key, double fallback,
                               double minimum, double maximum, size_t count) {
	struct each each = {NULL, fallback};
	int type = ym_push_option(L, arg, key);
	if (type == LUA_TUSERDATA || type == LUA_TTABLE) {
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

/* The patches at arg, a packed tensor or a list of patch tables, as packed bytes. */
static const uint8_t *check_patches(lua_State *L, int arg, size_t *count) {
	struct ym_patch patch;
	uint8_t *bytes;
	if (lua_type(L, arg) != LUA_TTABLE) {
		const struct ym_tensor *packed = ym_check_packed(L, arg);
		*count = packed->shape[0];
		return packed->data;
	}
	*count = lua_rawlen(L, arg);
	bytes = lua_newuserdatauv(L, *count * YM_FIELDS + 1, 0);
	for (size_t i = 0; i < *count; i++) {
		ym_check_listed_patch(L, arg, (lua_Integer)i + 1, &patch);
		ym_patch_pack(&patch, bytes + i * YM_FIELDS);
	}
	return bytes;
}

/* Applies option velocity to a copy of the patches, where it is given. */
static const uint8_t *soften(lua_State *L, int arg, const uint8_t *bytes,
                             size_t count) {
	struct each velocity = option_each(L, arg, "velocity", 0, 1, 127, count);
	struct ym_patch patch;
	uint8_t *copy;
	if (velocity.values == NULL && velocity.shared == 0)
		return bytes;
	copy = lua_newuserdatauv(L, count * YM_FIELDS + 1, 0);
	for (size_t i = 0; i < count; i++) {
		ym_patch_unpack(&patch, bytes + i * YM_FIELDS);
		ym_patch_velocity(&patch, (int)nearbyint(each_value(&velocity, i)));
		ym_patch_pack(&patch, copy + i * YM_FIELDS);
	}
	return copy;
}

/* Output stages from option chip: a name for all patches or a list of one for each. */
static void set_stages(lua_State *L, int arg, struct ym_note *notes, size_t count) {
	int type = ym_push_option(L, arg, "chip"), stage, list = lua_gettop(L);
	if (type != LUA_TTABLE) {
		stage = ym_option_choice(L, arg, "chip", YM_STAGE_YM2612, ym_stage_names);
		for (size_t i = 0; i < count; i++)
			notes[i].stage = (enum ym_stage)stage;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *name;
		lua_geti(L, list, (lua_Integer)i + 1);
		name = luaL_tolstring(L, -1, NULL);
		for (stage = 0; stage < YM_STAGES; stage++)
			if (strcmp(name, ym_stage_names[stage]) == 0)
				break;
		if (stage == YM_STAGES)
			luaL_argerror(L, arg,
			              lua_pushfstring(L, "option 'chip' is %s for patch %I", name,
			                              (lua_Integer)i + 1));
		notes[i].stage = (enum ym_stage)stage;
		lua_pop(L, 2);
	}
}

/* The pitches of the notes from option note, or block and fnum. */
static void set_pitches(lua_State *L, int arg, double clock, struct ym_note *notes,
                        size_t count) {
	bool chosen = ym_push_option(L, arg, "fnum") != LUA_TNIL;
	bool block = ym_push_option(L, arg, "block") != LUA_TNIL;
	bool midi = ym_push_option(L, arg, "note") != LUA_TNIL;
	struct each note = option_each(L, arg, "note", 69, 0, 127, count);
	struct each blocks = option_each(L, arg, "block", 0, 0, 7, count);
	struct each fnums = option_each(L, arg, "fnum", 0, 0, 2047, count);
	if (chosen != block || (chosen && midi))
		luaL_argerror(L, arg, "expected option 'note', or 'block' and 'fnum'");
	for (size_t i = 0; i < count; i++) {
		if (chosen) {
			notes[i].block = (uint8_t)each_value(&blocks, i);
			notes[i].fnum = (uint16_t)each_value(&fnums, i);
		} else if (!ym_note_pitch(each_value(&note, i), clock, &notes[i]))
			luaL_argerror(L, arg,
			              lua_pushfstring(
							  L, "note %f of patch %I is above what the chip can play",
							  each_value(&note, i), (lua_Integer)i + 1));
	}
}

/* The notes that the options at arg give the patches. */
static const struct ym_note *check_notes(lua_State *L, int arg, double clock,
                                         size_t count) {
	struct each held = option_each(L, arg, "held", 1, 0, YM_SECONDS_MAX, count);
	struct each release = option_each(L, arg, "release", 0.5, 0, YM_SECONDS_MAX, count);
	struct ym_note *notes = lua_newuserdatauv(L, (count + 1) * sizeof *notes, 0);
	set_stages(L, arg, notes, count);
	set_pitches(L, arg, clock, notes, count);
	for (size_t i = 0; i < count; i++) {
		notes[i].held = ym_seconds_to_frames(each_value(&held, i), clock);
		notes[i].release = ym_seconds_to_frames(each_value(&release, i), clock);
		if (notes[i].held == 0)
			notes[i].held = 1;
	}
	return notes;
}

/* The batch of the patches at 1 with the notes of the options at arg; what it points to
** stays on the stack. */
static struct ym_batch check_batch(lua_State *L, int arg, bool raw) {
	const char *const known[] = {"note",  "block",   "fnum",
	                             "held",  "release", "velocity",
	                             "clock", "chip",    raw ? "raw" : NULL,
	                             NULL};
	struct ym_batch batch = {.level = ym_state_simd(L)};
	ym_check_options(L, arg, known);
	batch.patches = check_patches(L, 1, &batch.count);
	luaL_argcheck(L, batch.count <= UINT32_MAX, 1, "too many patches");
	batch.clock = ym_option_clock(L, arg);
	batch.patches = soften(L, arg, batch.patches, batch.count);
	batch.notes = check_notes(L, arg, batch.clock, batch.count);
	batch.pool = ym_state_pool(L);
	batch.tables = ym_state_tables(L);
	return batch;
}

/* render_batch(patches, [options]) -> tensor (patches, samples), rate.
**
** patches: a packed tensor (patch.pack) or a list of patch tables. Options note (or
** block and fnum), held, release and velocity are numbers, or lists or tensors of one for each patch; chip is a
** name or a list of names; clock and raw as in render. samples are those of the longest note; after the end of
** a shorter one comes the output at rest. Sample for sample what render gives. */
static int render_batch(lua_State *L) {
	struct ym_batch batch;
	struct ym_error error;
	size_t shape[2];
	void *out;
	bool raw;
	lua_settop(L, 2);
	batch = check_batch(L, 2, true);
	raw = ym_option_boolean(L, 2, "raw", false);
	shape[0] = batch.count;
	shape[1] = 0;
	for (size_t i = 0; i < batch.count; i++) {
		size_t samples = batch.notes[i].held + batch.notes[i].release;
		shape[1] = samples > shape[1] ? samples : shape[1];
	}
	out = ym_push_unset_tensor(L, raw ? YM_I16 : YM_F32, 2, shape)->data;
	if (ym_batch_render(&batch, raw ? YM_BUNDLE_RAW : YM_BUNDLE_SCALED, shape[1], out,
	                    &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushinteger(L, (lua_Integer)nearbyint(batch.clock / YM_CLOCKS_PER_SAMPLE));
	return 2;
}

/* batch.features(patches, features, [options]) -> f16 tensor (patches, features), u8
** tensor (patches): 1 where the note sounded. Patches and options as in render_batch.
** One call is one bounded piece of work: give it some thousand patches. */
static int batch_features(lua_State *L) {
	const struct ym_features *features = ym_check_features(L, 2);
	struct ym_batch batch;
	struct ym_tensor *out, *audible;
	struct ym_error error;
	size_t shape[2];
	lua_settop(L, 3);
	batch = check_batch(L, 3, false);
	shape[0] = batch.count;
	shape[1] = ym_features_count(features);
	out = ym_push_unset_tensor(L, YM_F16, 2, shape);
	audible = ym_push_tensor(L, YM_U8, 1, shape);
	if (ym_batch_features(&batch, features, out->data, audible->data, &error) != YM_OK)
		return ym_push_failure(L, &error);
	return 2;
}

/* batch.distances(patches, target, [options]) -> f32 tensor (patches): D in dB of each
** patch's note to the target (ym.target). Patches and options as in render_batch. */
static int batch_distances(lua_State *L) {
	const struct ym_distance_target *target = ym_check_target(L, 2);
	struct ym_batch batch;
	struct ym_error error;
	lua_settop(L, 3);
	batch = check_batch(L, 3, false);
	if (ym_batch_distances(&batch, target, ym_push_vector(L, batch.count), &error) !=
	    YM_OK)
		return ym_push_failure(L, &error);
	return 1;
}

static const luaL_Reg functions[] = {
	{"features", batch_features}, {"distances", batch_distances}, {NULL, NULL}};

void ym_open_batch(lua_State *L) {
	lua_pushcfunction(L, render_batch);
	lua_setfield(L, -2, "render_batch");
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "batch");
}

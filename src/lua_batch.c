/* ym.render_batch and ym.batch: many patches rendered, and heard as features or
** distances. */
#include <math.h>
#include <string.h>

#include "batch.h"
#include "lua_render.h"

/* An option that is one number for all patches or a list or tensor of one each. */
struct each {
	const double *values; /* NULL: the same for all */
	double shared;
};

/* What the numbers of an option are. */
struct range {
	double minimum, maximum;
	bool whole;
};

/* Pushes the value at this place (from 1) of the list or tensor at index. */
static void push_listed(lua_State *L, int index, size_t place) {
	if (lua_istable(L, index))
		lua_rawgeti(L, index, (lua_Integer)place);
	else {
		const struct ym_tensor *tensor = lua_touserdata(L, index);
		lua_pushnumber(L, ym_element_get(tensor->type,
		                                 ym_tensor_at(tensor, &(size_t){place - 1})));
	}
}

/* Raises unless the value at index is a list or a tensor of count values. */
static void check_length(lua_State *L, int arg, const char *key, int index,
                         size_t count) {
	const struct ym_tensor *tensor = luaL_testudata(L, index, YM_TENSOR);
	const char *found = luaL_tolstring(L, index, NULL);
	size_t size = tensor != NULL ? tensor->shape[0] : lua_rawlen(L, index);
	if (tensor != NULL ? tensor->rank != 1 : !lua_istable(L, index))
		luaL_argerror(L, arg,
		              lua_pushfstring(L,
		                              "option '%s' is %s, expected a number, or a list "
		                              "or tensor of them",
		                              key, found));
	if (size != count)
		luaL_argerror(
			L, arg,
			lua_pushfstring(
				L, "option '%s' has %I values, expected one for each of %I patches",
				key, (lua_Integer)size, (lua_Integer)count));
	lua_pop(L, 1);
}

/* Raises about the value on top of the stack, which option key has for a patch (from
** 1). */
static void listed_error(lua_State *L, int arg, const char *key, size_t place,
                         const char *expected) {
	const char *found = luaL_tolstring(L, -1, NULL);
	luaL_argerror(L, arg,
	              lua_pushfstring(L, "option '%s' is %s for patch %I, expected %s", key,
	                              found, (lua_Integer)place, expected));
}

static const char *push_range(lua_State *L, const struct range *range) {
	if (range->whole)
		return lua_pushfstring(L, "a whole number %d..%d", (int)range->minimum,
		                       (int)range->maximum);
	return lua_pushfstring(L, "a number %f..%f", range->minimum, range->maximum);
}

/* Leaves a value on the stack, which keeps the numbers alive. */
static struct each option_each(lua_State *L, int arg, const char *key, double fallback,
                               struct range range, size_t count) {
	struct each each = {NULL, fallback};
	double *values;
	int type, index;
	ym_need_stack(L, 10);
	type = ym_push_option(L, arg, key);
	index = lua_gettop(L);
	if (type != LUA_TUSERDATA && type != LUA_TTABLE) {
		if (range.whole)
			each.shared = (double)ym_option_integer(L, arg, key, (lua_Integer)fallback,
			                                        (lua_Integer)range.minimum,
			                                        (lua_Integer)range.maximum);
		else
			each.shared = ym_option_number(L, arg, key, fallback, range.minimum,
			                               range.maximum);
		return each;
	}
	check_length(L, arg, key, index, count);
	values = lua_newuserdatauv(L, (count + 1) * sizeof *values, 0);
	for (size_t i = 0; i < count; i++) {
		push_listed(L, index, i + 1);
		values[i] = lua_tonumber(L, -1);
		if (lua_type(L, -1) != LUA_TNUMBER ||
		    !(values[i] >= range.minimum && values[i] <= range.maximum) ||
		    (range.whole && values[i] != floor(values[i]))) {
			const char *expected = push_range(L, &range);
			lua_insert(L, -2);
			listed_error(L, arg, key, i + 1, expected);
		}
		lua_pop(L, 1);
	}
	lua_replace(L, index);
	each.values = values;
	return each;
}

static double each_value(const struct each *each, size_t i) {
	return each->values != NULL ? each->values[i] : each->shared;
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
	struct each velocity = option_each(L, arg, "velocity", 0,
	                                   (struct range){1, 127, true}, count);
	struct ym_patch patch;
	uint8_t *copy;
	if (velocity.values == NULL && velocity.shared == 0)
		return bytes;
	copy = lua_newuserdatauv(L, count * YM_FIELDS + 1, 0);
	for (size_t i = 0; i < count; i++) {
		ym_patch_unpack(&patch, bytes + i * YM_FIELDS);
		ym_patch_velocity(&patch, (int)each_value(&velocity, i));
		ym_patch_pack(&patch, copy + i * YM_FIELDS);
	}
	return copy;
}

/* The output stage that a list of names has for the patch at this place (from 1). */
static enum ym_stage listed_stage(lua_State *L, int arg, int list, size_t place) {
	int stage = 0;
	push_listed(L, list, place);
	if (lua_type(L, -1) == LUA_TSTRING)
		while (stage < YM_STAGES &&
		       strcmp(lua_tostring(L, -1), ym_stage_names[stage]) != 0)
			stage++;
	else
		stage = YM_STAGES;
	if (stage == YM_STAGES)
		listed_error(L, arg, "chip", place, "'ym2612', 'ym3438' or 'clean'");
	lua_pop(L, 1);
	return (enum ym_stage)stage;
}

/* Output stages from option chip: a name for all patches or a list of one for each. */
static void set_stages(lua_State *L, int arg, struct ym_note *notes, size_t count) {
	int type = ym_push_option(L, arg, "chip"), list = lua_gettop(L);
	enum ym_stage shared = YM_STAGE_YM2612;
	if (type == LUA_TTABLE)
		check_length(L, arg, "chip", list, count);
	else
		shared = (enum ym_stage)ym_option_choice(L, arg, "chip", YM_STAGE_YM2612,
		                                         ym_stage_names);
	for (size_t i = 0; i < count; i++)
		notes[i].stage = type == LUA_TTABLE ? listed_stage(L, arg, list, i + 1)
		                                    : shared;
	lua_pop(L, 1);
}

/* The pitches of the notes from option note, or block and fnum. */
static void set_pitches(lua_State *L, int arg, double clock, struct ym_note *notes,
                        size_t count) {
	bool chosen = ym_push_option(L, arg, "fnum") != LUA_TNIL;
	bool block = ym_push_option(L, arg, "block") != LUA_TNIL;
	bool midi = ym_push_option(L, arg, "note") != LUA_TNIL;
	struct each note = option_each(L, arg, "note", 69, (struct range){0, 127, false},
	                               count);
	struct each blocks = option_each(L, arg, "block", 0, (struct range){0, 7, true},
	                                 count);
	struct each fnums = option_each(L, arg, "fnum", 0, (struct range){0, 2047, true},
	                                count);
	if (chosen != block || (chosen && midi))
		luaL_argerror(L, arg, "expected option 'note', or 'block' and 'fnum'");
	for (size_t i = 0; i < count; i++) {
		if (chosen) {
			notes[i].block = (uint8_t)each_value(&blocks, i);
			notes[i].fnum = (uint16_t)each_value(&fnums, i);
		} else if (!ym_note_pitch(each_value(&note, i), clock, &notes[i]))
			luaL_argerror(
				L, arg,
				lua_pushfstring(L,
			                    "option 'note' is %f for patch %I, above what "
			                    "the chip can play (fnum 2047, block 7)",
			                    each_value(&note, i), (lua_Integer)i + 1));
	}
}

/* The notes that the options at arg give the patches. */
static const struct ym_note *check_notes(lua_State *L, int arg, double clock,
                                         size_t count) {
	const struct range seconds = {0, YM_SECONDS_MAX, false};
	struct each held = option_each(L, arg, "held", 1, seconds, count);
	struct each release = option_each(L, arg, "release", 0.5, seconds, count);
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

/* Options of all functions here. */
#define NOTE_OPTIONS                                                                   \
	"note", "block", "fnum", "held", "release", "velocity", "clock", "chip"

/* The batch of the patches at 1 with the notes of the options at arg, of which those
** called so are allowed; what it points to stays on the stack. */
static struct ym_batch check_batch(lua_State *L, int arg, const char *const known[]) {
	struct ym_batch batch = {.level = ym_state_simd(L)};
	ym_check_options(L, arg, known);
	batch.patches = check_patches(L, 1, &batch.count);
	luaL_argcheck(L, batch.count <= UINT32_MAX, 1,
	              "too many patches, expected 4294967295 at most");
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
** block and fnum), held, release and velocity are numbers, or lists or tensors of one
** for each patch; chip is a name or a list of names; clock and raw as in render. samples
** are those of the longest note; after the end of a shorter one comes the output at
** rest. Sample for sample what render gives. */
static int render_batch(lua_State *L) {
	const char *const known[] = {NOTE_OPTIONS, "raw", NULL};
	struct ym_batch batch;
	struct ym_error error;
	size_t shape[2];
	void *out;
	bool raw;
	lua_settop(L, 2);
	batch = check_batch(L, 2, known);
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
	lua_pushinteger(L, (lua_Integer)round(batch.clock / YM_CLOCKS_PER_SAMPLE));
	return 2;
}

/* Raises, of the argument that made it so, where what hears the batch expects samples at
** another rate in Hz, by more than a thousandth. */
static void check_rate(lua_State *L, int arg, const struct ym_batch *batch,
                       double rate) {
	double native = batch->clock / YM_CLOCKS_PER_SAMPLE;
	if (fabs(native / rate - 1) > 1e-3)
		luaL_argerror(L, arg,
		              lua_pushfstring(L,
		                              "the chip gives samples at %f Hz, expected %f Hz "
		                              "as what hears them was made for",
		                              native, rate));
}

/* How the options at arg have the notes heard. */
static const struct ym_hearing *check_hearings(lua_State *L, int arg,
                                               const struct ym_batch *batch) {
	struct each cents = option_each(L, arg, "cents", 0,
	                                (struct range){-1200, 1200, false}, batch->count);
	struct each stretch = option_each(L, arg, "stretch", 1,
	                                  (struct range){0.5, 2, false}, batch->count);
	struct each noise = option_each(L, arg, "noise", 0, (struct range){0, 1, false},
	                                batch->count);
	struct each limit = option_each(L, arg, "limit", 0, (struct range){0, 1e6, false},
	                                batch->count);
	uint64_t seed = (uint64_t)ym_option_integer(L, arg, "seed", 1, LUA_MININTEGER,
	                                            LUA_MAXINTEGER);
	double rate = batch->clock / YM_CLOCKS_PER_SAMPLE;
	struct ym_hearing *hearings = lua_newuserdatauv(
		L, (batch->count + 1) * sizeof *hearings, 0);
	for (size_t i = 0; i < batch->count; i++) {
		const struct ym_note *note = &batch->notes[i];
		hearings[i] = (struct ym_hearing){
			.f0 = ym_note_frequency(note, batch->clock) *
		          exp2(each_value(&cents, i) / 1200),
			.held = (double)note->held / rate * each_value(&stretch, i),
			.noise = each_value(&noise, i),
			.limit = each_value(&limit, i),
			.seed = seed,
			.note = i,
		};
	}
	return hearings;
}

/* batch.features(patches, features, [options]) -> f16 tensor (patches, features), u8
** tensor (patches): 1 where the note sounded. Patches and options as in render_batch;
** the features are of samples at the chip's own rate. One call is one bounded piece of
** work: give it some thousand patches.
**
** Further options, numbers or one for each patch, make the notes those of recordings:
** cents (-1200..1200, default 0) and stretch (0.5..2, default 1): how far above its
** pitch and by what factor of its held time the note is taken to be; noise (0..1,
** default 0): mean square of added white noise for one of the note; limit (Hz, 0: none,
** the default): little above it is left. seed: of the noise, default 1. */
static int batch_features(lua_State *L) {
	const char *const known[] = {NOTE_OPTIONS, "cents", "stretch", "noise",
	                             "limit",      "seed",  NULL};
	const struct ym_features *features = ym_check_features(L, 2);
	struct ym_batch batch;
	struct ym_tensor *out, *audible;
	struct ym_error error;
	size_t shape[2];
	lua_settop(L, 3);
	batch = check_batch(L, 3, known);
	check_rate(L, 2, &batch, ym_features_rate(features));
	batch.hearings = check_hearings(L, 3, &batch);
	shape[0] = batch.count;
	shape[1] = ym_features_count(features);
	out = ym_push_unset_tensor(L, YM_F16, 2, shape);
	audible = ym_push_tensor(L, YM_U8, 1, shape);
	if (ym_batch_features(&batch, features, out->data, audible->data, &error) != YM_OK)
		return ym_push_failure(L, &error);
	return 2;
}

/* batch.distances(patches, target, [options]) -> f32 tensor (patches): D in dB of each
** patch's note to the target (ym.target). Patches and options as in render_batch; the
** clock may be off the one that makes 53,267 Hz by a thousandth. */
static int batch_distances(lua_State *L) {
	const char *const known[] = {NOTE_OPTIONS, NULL};
	const struct ym_distance_target *target = ym_check_target(L, 2);
	struct ym_batch batch;
	struct ym_error error;
	lua_settop(L, 3);
	batch = check_batch(L, 3, known);
	check_rate(L, 3, &batch, YM_DISTANCE_RATE);
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

/* core.search: the search for patches, in bounded steps. What ym.estimate is made of. */
#include <math.h>

#include "lua_render.h"
#include "search.h"

#define SEARCH "ym2612ml.search"

enum { MOST_FRAMES = 1 << 20, MOST_TARGETS = 64 };

struct search {
	struct ym_search *search;
	size_t targets;
	struct ym_sketch **sketches; /* of each target; the user value keeps those */
	struct ym_sketch_shape *shapes;
	double clock;
};

static struct search *check_search(lua_State *L, int arg) {
	struct search *search = luaL_checkudata(L, arg, SEARCH);
	luaL_argcheck(L, search->search != NULL, arg, "the search was closed");
	return search;
}

/* search:close(): gives its memory back, of which the collector knows nothing. */
static int search_gc(lua_State *L) {
	struct search *search = luaL_checkudata(L, 1, SEARCH);
	ym_search_free(search->search);
	for (size_t t = 0; t < search->targets && search->sketches != NULL; t++)
		ym_sketch_free(search->sketches[t]);
	ym_free(search->sketches);
	ym_free(search->shapes);
	search->search = NULL;
	search->sketches = NULL;
	search->shapes = NULL;
	return 0;
}

static struct ym_search_engine engine_of(lua_State *L, const struct search *search) {
	return (struct ym_search_engine){ym_state_pool(L), ym_state_tables(L),
	                                 ym_state_simd(L), search->clock};
}

/* Raises unless the call went well. */
static void check_status(lua_State *L, enum ym_status status,
                         const struct ym_error *error) {
	if (status != YM_OK)
		luaL_error(L, "%s", error->message);
}

/* The whole number at key of the table at index, in a range; raises about argument arg. */
static lua_Integer check_field(lua_State *L, int arg, int index, lua_Integer key,
                               lua_Integer minimum, lua_Integer maximum) {
	lua_Integer value;
	int whole;
	lua_rawgeti(L, index, key);
	value = lua_tointegerx(L, -1, &whole);
	if (!whole || value < minimum || value > maximum)
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "value %I of a list is %s, expected %I..%I",
		                              key, luaL_tolstring(L, -1, NULL), minimum,
		                              maximum));
	lua_pop(L, 1);
	return value;
}

/* Raises unless the option whose value of this type is on top of the stack is a list. */
static void check_list(lua_State *L, int arg, const char *key, int type) {
	if (type != LUA_TTABLE)
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "option '%s' is %s, expected a list", key,
		                              luaL_tolstring(L, -1, NULL)));
}

/* Frames of the three scales from option frames. */
static void check_frames(lua_State *L, int arg, int frames[YM_DISTANCE_SCALES]) {
	static const int usual[YM_DISTANCE_SCALES] = {48, 48, 32};
	int type = ym_push_option(L, arg, "frames");
	if (type != LUA_TNIL)
		check_list(L, arg, "frames", type);
	for (int i = 0; i < YM_DISTANCE_SCALES; i++)
		frames[i] = type == LUA_TNIL ? usual[i]
		                             : (int)check_field(L, arg, lua_gettop(L), i + 1, 1,
		                                                MOST_FRAMES);
	lua_pop(L, 1);
}

/* Fields that option lock keeps: a list of {position 1..49, packed value}. */
static void check_locks(lua_State *L, int arg, struct ym_search_settings *settings) {
	int type = ym_push_option(L, arg, "lock");
	lua_Integer count;
	if (type != LUA_TNIL)
		check_list(L, arg, "lock", type);
	count = type == LUA_TNIL ? 0 : (lua_Integer)lua_rawlen(L, -1);
	for (lua_Integer i = 1; i <= count; i++) {
		int place = lua_gettop(L) + 1, position;
		const struct ym_field *field;
		check_list(L, arg, "lock", lua_rawgeti(L, -1, i));
		position = (int)check_field(L, arg, place, 1, 1, YM_FIELDS) - 1;
		field = ym_field_at(position);
		settings->locked[position] = true;
		settings->value[position] = (uint8_t)check_field(
			L, arg, place, 2, 0, field->maximum - field->minimum);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* The number at key of target t (from 0), whose table is on top of the stack; a negative
** fallback: there must be one. */
static lua_Number check_number(lua_State *L, size_t t, const char *key,
                               lua_Number fallback, lua_Number minimum,
                               lua_Number maximum) {
	int type = lua_getfield(L, -1, key);
	lua_Number value = type == LUA_TNIL ? fallback : lua_tonumber(L, -1);
	if (type == LUA_TNIL
	        ? fallback < 0
	        : type != LUA_TNUMBER || !(value >= minimum && value <= maximum))
		luaL_argerror(
			L, 1,
			lua_pushfstring(L, "'%s' of target %I is %s, expected a number %f..%f", key,
		                    (lua_Integer)t + 1, luaL_tolstring(L, -1, NULL), minimum,
		                    maximum));
	lua_pop(L, 1);
	return value;
}

/* The target number t (from 0) of the list at 1: its table gives its sketch's shape and
** the velocity it was played with. It is put into the list on top of the stack, which
** keeps it. */
static const struct ym_distance_target *
take_target(lua_State *L, size_t t, struct ym_sketch_shape *shape, uint8_t *velocity) {
	const struct ym_distance_target *target;
	lua_Number played;
	if (lua_rawgeti(L, 1, (lua_Integer)t + 1) != LUA_TTABLE)
		luaL_argerror(L, 1, "expected a list of tables");
	shape->held = (size_t)(check_number(L, t, "held", -1, 0, YM_SECONDS_MAX) *
	                       YM_DISTANCE_RATE);
	shape->noise = check_number(L, t, "noise", 0, 0, 1e30);
	played = check_number(L, t, "velocity", 0, 1, 127);
	luaL_argcheck(L, played == floor(played), 1, "a velocity is not a whole number");
	*velocity = (uint8_t)played;
	lua_getfield(L, -1, "target");
	if (luaL_testudata(L, -1, YM_TARGET) == NULL)
		luaL_argerror(L, 1,
		              lua_pushfstring(L, "'target' of target %I is %s, expected a %s",
		                              (lua_Integer)t + 1, luaL_tolstring(L, -1, NULL),
		                              YM_TARGET));
	target = ym_check_target(L, -1);
	lua_rawseti(L, -3, (lua_Integer)t + 1);
	lua_pop(L, 1);
	return target;
}

/* The options at 2. */
static void check_settings(lua_State *L, struct ym_search_settings *settings,
                           struct ym_sketch_shape *shape) {
	static const char *const known[] = {"seed",  "islands",  "level",  "ssg",
	                                    "lfo",   "lock",     "frames", "early",
	                                    "clock", "patience", NULL};
	ym_check_options(L, 2, known);
	settings->seed = (uint64_t)ym_option_integer(L, 2, "seed", 1, LUA_MININTEGER,
	                                             LUA_MAXINTEGER);
	settings->islands = (int)ym_option_integer(L, 2, "islands", 4, 1,
	                                           YM_SEARCH_ISLANDS);
	settings->patience = (int)ym_option_integer(L, 2, "patience", 10, 1, 1000000);
	settings->level = ym_option_boolean(L, 2, "level", false);
	settings->ssg = ym_option_boolean(L, 2, "ssg", true);
	settings->lfo = ym_option_boolean(L, 2, "lfo", false);
	check_locks(L, 2, settings);
	check_frames(L, 2, shape->frames);
	shape->early = (size_t)(ym_option_number(L, 2, "early", 0, 0, YM_SECONDS_MAX) *
	                        YM_DISTANCE_RATE);
}

/* Option clock, which must give samples at the rate of targets. */
static double check_clock(lua_State *L) {
	double clock = ym_option_clock(L, 2), rate = clock / YM_CLOCKS_PER_SAMPLE;
	if (fabs(rate / YM_DISTANCE_RATE - 1) > 1e-3)
		luaL_argerror(L, 2,
		              lua_pushfstring(L,
		                              "option 'clock' gives samples at %f Hz, "
		                              "expected %f Hz as targets have them",
		                              rate, YM_DISTANCE_RATE));
	return clock;
}

/* search.new(targets, [options]) -> search.
**
** targets: a list of {target = ym.target, held = seconds to the key-off, noise = mean
** square of the white noise in it, velocity = 1..127 or nil}. options: seed; islands,
** 1..16; patience: generations without progress until one searches locally; level:
** whether the output stage lets the common level be heard; ssg, lfo: whether those are
** tried (without lfo, the LFO is off); lock: list of {position 1..49, packed value}; frames: of each scale; early:
** seconds by which candidates are sifted; clock in Hz. */
static int search_new(lua_State *L) {
	struct ym_search_settings settings = {0};
	uint8_t velocity[MOST_TARGETS];
	struct ym_sketch_shape shape = {0};
	struct search *search;
	struct ym_error error;
	enum ym_status status = YM_OK;
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	check_settings(L, &settings, &shape);
	settings.targets = lua_rawlen(L, 1);
	luaL_argcheck(L, settings.targets >= 1 && settings.targets <= MOST_TARGETS, 1,
	              "expected a list of 1..64 targets");
	search = lua_newuserdatauv(L, sizeof *search, 1);
	*search = (struct search){.targets = settings.targets, .clock = check_clock(L)};
	luaL_setmetatable(L, SEARCH);
	lua_createtable(L, (int)settings.targets, 0); /* keeps the targets */
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, 3, 1);
	search->sketches = ym_alloc(settings.targets, sizeof *search->sketches);
	search->shapes = ym_alloc(settings.targets, sizeof *search->shapes);
	if (search->sketches == NULL || search->shapes == NULL)
		return ym_raise_no_memory(L);
	for (size_t t = 0; t < settings.targets && status == YM_OK; t++) {
		const struct ym_distance_target *target;
		search->shapes[t] = shape;
		target = take_target(L, t, &search->shapes[t], &velocity[t]);
		status = ym_sketch_new(&search->sketches[t], target, &search->shapes[t],
		                       &error);
	}
	settings.sketches = (const struct ym_sketch *const *)search->sketches;
	settings.velocity = velocity;
	if (status == YM_OK)
		status = ym_search_new(&search->search, &settings, &error);
	check_status(L, status, &error);
	lua_settop(L, 3);
	return 1;
}

/* The note at arg, {note, held}, of a target of length samples. */
static struct ym_note check_note(lua_State *L, int arg, double clock, size_t length) {
	struct ym_note note = {0};
	lua_Number midi, held;
	int midi_given, held_given;
	luaL_checktype(L, arg, LUA_TTABLE);
	lua_rawgeti(L, arg, 1);
	lua_rawgeti(L, arg, 2);
	midi = lua_tonumberx(L, -2, &midi_given);
	held = lua_tonumberx(L, -1, &held_given);
	lua_pop(L, 2);
	luaL_argcheck(L, midi_given && ym_note_pitch(midi, clock, &note), arg,
	              "expected a MIDI note the chip can play");
	luaL_argcheck(L, held_given && held >= 0 && held <= YM_SECONDS_MAX, arg,
	              "expected 0..600 seconds held");
	note.held = ym_seconds_to_frames(held, clock);
	note.held = note.held < 1 ? 1 : note.held > length ? length : note.held;
	note.release = length - note.held;
	return note;
}

/* search:take(chip, {note, held}, ..., [handicap = 0]) -> number of the take, from 1: how
** each target was played, notes as MIDI numbers with fractions, held in seconds. The
** handicap, in dB, is added to the costs of patches played so. */
static int search_take(lua_State *L) {
	struct search *search = check_search(L, 1);
	int stage = luaL_checkoption(L, 2, NULL, ym_stage_names), take;
	int last = 2 + (int)search->targets;
	struct ym_note notes[MOST_TARGETS];
	struct ym_error error;
	double handicap = luaL_optnumber(L, last + 1, 0);
	if (lua_gettop(L) < last || lua_gettop(L) > last + 1)
		luaL_argerror(L, lua_gettop(L),
		              lua_pushfstring(L, "expected a note for each of %d targets",
		                              (int)search->targets));
	luaL_argcheck(L, handicap >= 0 && handicap <= 1000, last + 1,
	              "expected a handicap of 0..1000 dB");
	for (size_t t = 0; t < search->targets; t++) {
		notes[t] = check_note(L, 3 + (int)t, search->clock,
		                      ym_sketch_length(search->sketches[t], false));
		notes[t].stage = (enum ym_stage)stage;
	}
	check_status(L,
	             ym_search_take(search->search, notes, (float)handicap, &take, &error),
	             &error);
	lua_pushinteger(L, take + 1);
	return 1;
}

/* search:add(packed, [take = 1]): judges patches to start from. */
static int search_add(lua_State *L) {
	struct search *search = check_search(L, 1);
	const struct ym_tensor *packed = ym_check_packed(L, 2);
	lua_Integer take = luaL_optinteger(L, 3, 1);
	struct ym_search_engine engine = engine_of(L, search);
	struct ym_error error;
	luaL_argcheck(L, take >= 1 && take <= ym_search_takes(search->search), 3,
	              "expected the number of a take");
	check_status(L,
	             ym_search_add(search->search, &engine, packed->data, packed->shape[0],
	                           (int)take - 1, &error),
	             &error);
	return 0;
}

/* search:evolve(count): one generation. */
static int search_evolve(lua_State *L) {
	struct search *search = check_search(L, 1);
	lua_Integer count = luaL_checkinteger(L, 2);
	struct ym_search_engine engine = engine_of(L, search);
	struct ym_error error;
	luaL_argcheck(L, count >= 1 && count <= 1 << 20, 2, "expected 1..1048576");
	check_status(L, ym_search_evolve(search->search, &engine, (size_t)count, &error),
	             &error);
	return 0;
}

/* search:gather(): all islands start from the best of all. */
static int search_gather(lua_State *L) {
	ym_search_gather(check_search(L, 1)->search);
	return 0;
}

/* The targets, which the user value keeps. */
static void list_targets(lua_State *L, const struct search *search,
                         const struct ym_distance_target *targets[MOST_TARGETS]) {
	lua_getiuservalue(L, 1, 1);
	for (size_t t = 0; t < search->targets; t++) {
		lua_rawgeti(L, -1, (lua_Integer)t + 1);
		targets[t] = ym_check_target(L, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* search:sharpen([{frames = of each scale}]): goes on with that much of D. */
static int search_sharpen(lua_State *L) {
	static const char *const known[] = {"frames", NULL};
	struct search *search = check_search(L, 1);
	const struct ym_distance_target *targets[MOST_TARGETS];
	struct ym_sketch *sharp[MOST_TARGETS] = {NULL};
	struct ym_search_engine engine = engine_of(L, search);
	enum ym_status status = YM_OK;
	struct ym_error error;
	struct ym_sketch_shape shape = {0};
	lua_settop(L, 2);
	ym_check_options(L, 2, known);
	check_frames(L, 2, shape.frames);
	list_targets(L, search, targets);
	/* nothing raises from here to the end, where no sketch is this call's alone */
	for (size_t t = 0; t < search->targets && status == YM_OK; t++) {
		shape.held = search->shapes[t].held;
		shape.noise = search->shapes[t].noise;
		status = ym_sketch_new(&sharp[t], targets[t], &shape, &error);
	}
	if (status == YM_OK)
		status = ym_search_sharpen(search->search, &engine,
		                           (const struct ym_sketch *const *)sharp, &error);
	for (size_t t = 0; t < search->targets; t++) {
		ym_sketch_free(status == YM_OK ? search->sketches[t] : sharp[t]);
		if (status == YM_OK)
			search->sketches[t] = sharp[t];
	}
	check_status(L, status, &error);
	return 0;
}

/* search:polish([algorithm]) -> whether a better one was found: local search around the
** best patch, or that of an algorithm. */
static int search_polish(lua_State *L) {
	struct search *search = check_search(L, 1);
	struct ym_search_engine engine = engine_of(L, search);
	lua_Integer algorithm = luaL_optinteger(L, 2, -1);
	struct ym_error error;
	bool improved = false;
	luaL_argcheck(L, algorithm >= -1 && algorithm <= 7, 2,
	              "expected an algorithm 0..7, or -1 for all");
	check_status(
		L, ym_search_polish(search->search, &engine, (int)algorithm, &improved, &error),
		&error);
	lua_pushboolean(L, improved);
	return 1;
}

/* search:results() -> packed patches (the best of every algorithm, some of each), list of
** their takes, list of their costs in dB. */
static int search_results(lua_State *L) {
	struct search *search = check_search(L, 1);
	struct ym_search_result results[8 * YM_SEARCH_KEPT];
	size_t shape[2] = {0, YM_FIELDS};
	uint8_t *packed;
	for (int algorithm = 0; algorithm < 8; algorithm++)
		shape[0] += ym_search_results(search->search, algorithm, results + shape[0],
		                              YM_SEARCH_KEPT);
	packed = ym_push_tensor(L, YM_U8, 2, shape)->data;
	lua_createtable(L, (int)shape[0], 0);
	lua_createtable(L, (int)shape[0], 0);
	for (size_t i = 0; i < shape[0]; i++) {
		for (int f = 0; f < YM_FIELDS; f++)
			packed[i * YM_FIELDS + (size_t)f] = results[i].patch[f];
		lua_pushinteger(L, results[i].take + 1);
		lua_rawseti(L, -3, (lua_Integer)i + 1);
		lua_pushnumber(L, (lua_Number)results[i].cost);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return 3;
}

/* search:renders() -> how many candidates were rendered, parts of their notes counted as
** parts. */
static int search_renders(lua_State *L) {
	lua_pushnumber(L, ym_search_renders(check_search(L, 1)->search));
	return 1;
}

static const luaL_Reg functions[] = {{"new", search_new}, {NULL, NULL}};
static const luaL_Reg methods[] = {
	{"take", search_take},       {"add", search_add},
	{"evolve", search_evolve},   {"gather", search_gather},
	{"polish", search_polish},   {"sharpen", search_sharpen},
	{"results", search_results}, {"renders", search_renders},
	{"close", search_gc},        {NULL, NULL}};
static const luaL_Reg metamethods[] = {
	{"__gc", search_gc}, {"__close", search_gc}, {NULL, NULL}};

void ym_open_search(lua_State *L) {
	ym_new_class(L, SEARCH, methods, metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "search");
}

/* ym.distance and ym.target: D between two sounds. */
#include "audio.h"
#include "distance.h"
#include "lua_ym.h"

struct target {
	struct ym_distance_target *target;
	struct ym_distance_scratch *scratch;
	double rate; /* of the samples it is given, Hz */
};

static struct target *check_target(lua_State *L, int arg) {
	struct target *target = luaL_checkudata(L, arg, YM_TARGET);
	luaL_argcheck(L, target->scratch != NULL, arg, "the target was collected");
	return target;
}

const struct ym_distance_target *ym_check_target(lua_State *L, int arg) {
	return check_target(L, arg)->target;
}

static void free_target(struct target *target) {
	ym_distance_target_free(target->target);
	ym_distance_scratch_free(target->scratch);
	target->target = NULL;
	target->scratch = NULL;
}

static int target_gc(lua_State *L) {
	free_target(luaL_checkudata(L, 1, YM_TARGET));
	return 0;
}

/* The samples at arg at the rate of D; a resampled copy takes their place in the stack.
** NULL when that fails. */
static const float *samples_at_rate(lua_State *L, int arg, double rate, size_t *count,
                                    struct ym_error *error) {
	const float *samples = ym_check_vector(L, arg, count);
	size_t resampled = ym_audio_resampled_count(*count, rate, YM_DISTANCE_RATE);
	float *out;
	if (rate == YM_DISTANCE_RATE)
		return samples;
	out = ym_push_vector(L, resampled);
	lua_replace(L, arg);
	if (ym_audio_resample(samples, *count, rate, YM_DISTANCE_RATE, out, error) != YM_OK)
		return NULL;
	*count = resampled;
	return out;
}

/* Pushes a target of the samples at 1 with the options at options; false and a filled
** error when there is none. */
static bool push_target(lua_State *L, int options, struct ym_error *error) {
	static const char *const known[] = {"rate", "source_rate", NULL};
	struct target *target;
	double source_rate;
	const float *samples;
	size_t count;
	ym_check_options(L, options, known);
	target = lua_newuserdatauv(L, sizeof *target, 0);
	*target = (struct target){NULL, NULL, YM_DISTANCE_RATE};
	luaL_setmetatable(L, YM_TARGET);
	target->rate = ym_option_number(L, options, "rate", YM_DISTANCE_RATE, 4000, 192000);
	source_rate = ym_option_number(L, options, "source_rate", 0, 1000, 1e6);
	samples = samples_at_rate(L, 1, target->rate, &count, error);
	return samples != NULL &&
	       ym_distance_target_new(&target->target, samples, count, source_rate,
	                              ym_state_simd(L), error) == YM_OK &&
	       ym_distance_scratch_new(&target->scratch, error) == YM_OK;
}

/* target.new(samples, [{rate = 53267, source_rate = Hz}]) -> target, or nil, message,
** "input" when the samples are silent, empty or hold values that are not numbers. The
** target keeps its analysis, so that comparing many sounds with it is quick. rate is
** that of all samples (4000..192000 Hz; others than 53267 are resampled); source_rate,
** the rate the target was recorded at, leaves out the bands above its reach. */
static int target_new(lua_State *L) {
	struct ym_error error;
	lua_settop(L, 2);
	ym_check_vector(L, 1, &(size_t){0});
	if (!push_target(L, 2, &error))
		return ym_push_failure(L, &error);
	ym_tell_collector(L, ym_distance_target_size(ym_check_target(L, 3)));
	return 1;
}

/* Pushes D and the table of its three scales for the samples at arg. */
static int push_distance(lua_State *L, struct target *target, int arg) {
	double distance, scales[YM_DISTANCE_SCALES];
	struct ym_error error;
	size_t count;
	const float *samples = samples_at_rate(L, arg, target->rate, &count, &error);
	if (samples == NULL ||
	    ym_distance_measure(target->target, target->scratch, samples, count, &distance,
	                        scales, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushnumber(L, distance);
	lua_createtable(L, YM_DISTANCE_SCALES, 0);
	for (int i = 0; i < YM_DISTANCE_SCALES; i++) {
		lua_pushnumber(L, scales[i]);
		lua_rawseti(L, -2, i + 1);
	}
	return 2;
}

/* target:distance(samples) -> D in dB, {of 512, of 1024, of 2048 samples}; or nil,
** message, "input" when a sample is not a number. */
static int target_distance(lua_State *L) {
	struct target *target = check_target(L, 1);
	lua_settop(L, 2);
	return push_distance(L, target, 2);
}

/* distance(target, candidate, [options]) -> D in dB, {of each scale}; or nil, message,
** "input". Both are samples; options as in target.new. */
static int ym_lua_distance(lua_State *L) {
	struct ym_error error;
	int results;
	lua_settop(L, 3);
	ym_check_vector(L, 1, &(size_t){0});
	ym_check_vector(L, 2, &(size_t){0});
	if (!push_target(L, 3, &error))
		return ym_push_failure(L, &error);
	results = push_distance(L, check_target(L, 4), 2);
	free_target(check_target(L, 4)); /* no collector would see how large it is */
	return results;
}

static int target_tostring(lua_State *L) {
	lua_pushfstring(L, "target at %f Hz", check_target(L, 1)->rate);
	return 1;
}

static const luaL_Reg functions[] = {{"new", target_new}, {NULL, NULL}};
static const luaL_Reg methods[] = {{"distance", target_distance}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {
	{"__gc", target_gc}, {"__tostring", target_tostring}, {NULL, NULL}};

void ym_open_distance(lua_State *L) {
	ym_new_class(L, YM_TARGET, methods, metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "target");
	lua_pushcfunction(L, ym_lua_distance);
	lua_setfield(L, -2, "distance");
}

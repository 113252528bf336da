/* ym.spectrogram, mel, harmonics, mfcc and features: what sounds look like. */
#include <math.h>

#include "audio.h"
#include "feature.h"
#include "lua_ym.h"
#include "picture.h"

#define FEATURES     "ym2612ml.features"
#define DEFAULT_RATE 53267
enum { LARGEST_FRAME = 65536, MOST_BANDS = 1024, LONGEST = 3600 /* seconds */ };
enum { SAMPLE_BYTES = 20 }; /* about what features take for each sample of a frame */

static const char *const scale_names[] = {"power", "db", "magnitude", NULL};

/* A picture of clips as the options ask for it. */
struct view {
	struct ym_clips clips;
	int rank; /* of the samples: 1, a single clip, or 2 */
	double rate;
	int size;
	enum ym_window window;
	enum ym_simd level;
	struct ym_pool *pool;
	struct ym_picture picture;
	struct ym_spectra *spectra;
	struct ym_bank *bank;
};

/* Raises about an option of the table at arg unless good. */
static void check_option(lua_State *L, int arg, const char *key, bool good,
                         const char *expected) {
	if (!good)
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "option '%s' is not %s", key, expected));
}

/* An even number of samples. */
static int option_size(lua_State *L, int arg, int fallback) {
	int size = (int)ym_option_integer(L, arg, "size", fallback, 16, LARGEST_FRAME);
	check_option(L, arg, "size", size % 2 == 0, "even");
	return size;
}

/* Seconds in the table or tensor key, left on the stack; NULL when absent. */
static const float *option_times(lua_State *L, int arg, const char *key, double minimum,
                                 size_t *count) {
	const float *times;
	int index;
	*count = 0;
	if (ym_push_option(L, arg, key) == LUA_TNIL)
		return NULL;
	index = lua_gettop(L);
	check_option(L, arg, key, lua_istable(L, index) || lua_isuserdata(L, index),
	             "a table of seconds");
	times = ym_check_vector(L, index, count);
	for (size_t i = 0; i < *count; i++)
		if (!((double)times[i] >= minimum && times[i] <= LONGEST))
			luaL_argerror(
				L, arg,
				lua_pushfstring(L, "value %d of option '%s' is %f, expected %f..%d",
			                    (int)i + 1, key, (double)times[i], minimum, LONGEST));
	return times;
}

/* Reads the clips at 1: one of rank 1, or (clips, samples). */
static void check_clips(lua_State *L, struct view *view) {
	const struct ym_tensor *samples = ym_check_f32(L, 1, 0);
	view->rank = samples->rank;
	if (view->rank != 1 && view->rank != 2)
		luaL_argerror(L, 1,
		              lua_pushfstring(L, "rank is %d, expected 1 or 2", view->rank));
	view->clips.samples = samples->data;
	view->clips.count = view->rank == 2 ? samples->shape[0] : 1;
	view->clips.length = samples->shape[view->rank - 1];
}

/* Frames at the option times, or at every hop. */
static void check_frames(lua_State *L, struct view *view) {
	struct ym_clips *clips = &view->clips;
	ptrdiff_t *centres;
	const float *times = option_times(L, 2, "times", -LONGEST, &clips->frames);
	clips->hop = (size_t)ym_option_integer(L, 2, "hop", view->size / 4, 1, 1 << 24);
	if (times == NULL) {
		clips->frames = 1 + clips->length / clips->hop;
		return;
	}
	check_option(L, 2, "hop", ym_push_option(L, 2, "hop") == LUA_TNIL,
	             "allowed with 'times'");
	centres = lua_newuserdatauv(L, (clips->frames + 1) * sizeof *centres, 0);
	for (size_t k = 0; k < clips->frames; k++)
		centres[k] = (ptrdiff_t)llround((double)times[k] * view->rate);
	clips->centres = centres;
}

/* Reads samples at 1 and the options at 2 that all pictures share. Leaves values on the
** stack that keep memory alive. */
static void check_view(lua_State *L, struct view *view, int size, enum ym_scale scale) {
	*view = (struct view){0};
	lua_settop(L, 2);
	check_clips(L, view);
	view->rate = ym_option_number(L, 2, "rate", DEFAULT_RATE, YM_AUDIO_LOWEST,
	                              YM_AUDIO_HIGHEST);
	view->size = option_size(L, 2, size);
	view->window = (enum ym_window)ym_option_choice(L, 2, "window", YM_WINDOW_HANN,
	                                                ym_window_names);
	view->level = ym_state_simd(L);
	view->pool = ym_state_pool(L);
	view->picture.scale = (enum ym_scale)ym_option_choice(L, 2, "scale", (int)scale,
	                                                      scale_names);
	view->picture.floor = (float)ym_option_number(L, 2, "floor", 1e-10, 1e-30, 1);
	check_frames(L, view);
}

/* Pushes the picture, width values of each frame. */
static struct ym_tensor *push_picture(lua_State *L, const struct view *view,
                                      size_t width) {
	size_t shape[3] = {view->clips.count, view->clips.frames, width};
	if (view->rank == 1)
		return ym_push_unset_tensor(L, YM_F32, 2, shape + 1);
	return ym_push_unset_tensor(L, YM_F32, 3, shape);
}

/* Draws into out, on top of the stack, or pushes the failure triple. The bank, made
** already, is freed; status is that of making it. */
static int push_view(lua_State *L, struct view *view, struct ym_tensor *out,
                     enum ym_status status, struct ym_error *error) {
	if (status == YM_OK)
		status = ym_spectra_new(&view->spectra, view->size, view->window, view->level,
		                        error);
	view->picture.spectra = view->spectra;
	view->picture.bank = view->bank;
	if (status == YM_OK)
		status = ym_picture_draw(&view->picture, &view->clips, view->pool, out->data,
		                         error);
	ym_spectra_free(view->spectra);
	ym_bank_free(view->bank);
	if (status != YM_OK)
		return ym_push_failure(L, error);
	return 1;
}

/* spectrogram(samples, [{rate = 53267, size = 1024, hop = size / 4, times = {seconds},
** window = "hann" | "hamming" | "blackman" | "tukey" | "rectangular", scale = "power" |
** "db" | "magnitude", floor = 1e-10}]) -> f32 tensor (frames, size / 2 + 1), or nil,
** message, "input" when a sample is not a number. Frame k (from 0) is centred on sample
** k hop, k = 0 .. floor(count / hop), or on times[k + 1] seconds; what lies outside the
** samples is zero. A sine of amplitude 1 has power 1; "db" is 10 log10(power + floor).
** Of samples (clips, samples) it is a tensor (clips, frames, size / 2 + 1), and likewise
** in the functions below. */
static int ym_lua_spectrogram(lua_State *L) {
	static const char *const known[] = {"rate",   "size",  "hop",   "times",
	                                    "window", "scale", "floor", NULL};
	struct view view;
	struct ym_error error;
	struct ym_tensor *out;
	ym_check_options(L, 2, known);
	check_view(L, &view, 1024, YM_SCALE_POWER);
	out = push_picture(L, &view, (size_t)view.size / 2 + 1);
	return push_view(L, &view, out, YM_OK, &error);
}

/* mel and mfcc, which is coefficients > 0 of the decibels of mel. */
static int mel_picture(lua_State *L, enum ym_scale scale, bool cosine) {
	struct view view;
	struct ym_error error;
	struct ym_tensor *out;
	double low, high;
	int bands, coefficients = 0;
	enum ym_status status;
	check_view(L, &view, 1024, scale);
	bands = (int)ym_option_integer(L, 2, "bands", 64, 1, MOST_BANDS);
	low = ym_option_number(L, 2, "low", 20, 0, view.rate / 2);
	high = ym_option_number(L, 2, "high", fmin(18000, view.rate / 2), 1, view.rate / 2);
	check_option(L, 2, "low", low < high, "below 'high'");
	if (cosine)
		coefficients = (int)ym_option_integer(L, 2, "coefficients",
		                                      bands < 20 ? bands : 20, 1, bands);
	view.picture.coefficients = coefficients;
	out = push_picture(L, &view, (size_t)(coefficients > 0 ? coefficients : bands));
	status = ym_bank_mel(&view.bank, view.rate, view.size, bands, low, high, HUGE_VAL,
	                     &error);
	return push_view(L, &view, out, status, &error);
}

/* mel(samples, [options of spectrogram, {bands = 64, low = 20, high = 18000}]) -> f32
** tensor (frames, bands), or nil, message, "input". Triangles evenly spaced on the HTK
** mel scale from low to high Hz, each side at least one bin wide; a band is the
** weighted sum of the powers of its bins. */
static int ym_lua_mel(lua_State *L) {
	static const char *const known[] = {"rate",   "size",  "hop",   "times",
	                                    "window", "scale", "floor", "bands",
	                                    "low",    "high",  NULL};
	ym_check_options(L, 2, known);
	return mel_picture(L, YM_SCALE_POWER, false);
}

/* mfcc(samples, [options of mel but scale, and {coefficients = 20}]) -> f32 tensor
** (frames, coefficients), or nil, message, "input": the first coefficients of the
** orthonormal DCT-II of the mel bands in dB. */
static int ym_lua_mfcc(lua_State *L) {
	static const char *const known[] = {"rate",   "size",         "hop",   "times",
	                                    "window", "floor",        "bands", "low",
	                                    "high",   "coefficients", NULL};
	ym_check_options(L, 2, known);
	return mel_picture(L, YM_SCALE_DECIBELS, true);
}

/* harmonics(samples, {f0 = Hz, bands = 64, options of spectrogram}) -> f32 tensor
** (frames, bands), or nil, message, "input". Bands around k f0 / 2, k = 1 .. bands:
** triangles that reach to their neighbours' centres, at least one bin; zero above half
** the rate. size is 4096 by default. */
static int ym_lua_harmonics(lua_State *L) {
	static const char *const known[] = {"rate",  "size",  "hop",   "times", "window",
	                                    "scale", "floor", "bands", "f0",    NULL};
	struct view view;
	struct ym_error error;
	struct ym_tensor *out;
	double f0;
	int bands;
	enum ym_status status;
	ym_check_options(L, 2, known);
	check_view(L, &view, 4096, YM_SCALE_POWER);
	f0 = ym_option_number(L, 2, "f0", 0, 1, view.rate / 2);
	check_option(L, 2, "f0", f0 > 0, "given (Hz)");
	bands = (int)ym_option_integer(L, 2, "bands", 64, 1, MOST_BANDS);
	out = push_picture(L, &view, (size_t)bands);
	status = ym_bank_new(&view.bank, view.size, bands, &error);
	if (status == YM_OK)
		ym_bank_harmonics(view.bank, view.rate, f0);
	return push_view(L, &view, out, status, &error);
}

struct features {
	struct ym_features *plan;
	struct ym_features_scratch *scratch;
};

static struct features *check_features(lua_State *L, int arg) {
	struct features *features = luaL_checkudata(L, arg, FEATURES);
	luaL_argcheck(L, features->scratch != NULL, arg, "the features were collected");
	return features;
}

const struct ym_features *ym_check_features(lua_State *L, int arg) {
	return check_features(L, arg)->plan;
}

static int features_gc(lua_State *L) {
	struct features *features = luaL_checkudata(L, 1, FEATURES);
	ym_features_free(features->plan);
	ym_features_scratch_free(features->scratch);
	features->plan = NULL;
	features->scratch = NULL;
	return 0;
}

/* The times key of the block table at arg; pushes the memory they lie in. */
static const double *block_times(lua_State *L, int arg, const char *key, int *count) {
	size_t length;
	const float *times = option_times(L, arg, key, 0, &length);
	double *copy = lua_newuserdatauv(L, (length + 1) * sizeof *copy, 0);
	if (length > YM_FEATURE_TIMES)
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "option '%s' has %d times, expected 1..%d",
		                              key, (int)length, YM_FEATURE_TIMES));
	for (size_t i = 0; i < length; i++)
		copy[i] = (double)times[i];
	*count = (int)length;
	return copy;
}

/* Reads the block table at 1; leaves memory on the stack. */
static void check_block(lua_State *L, struct ym_feature_block *block) {
	static const char *const known[] = {"kind", "size", "bands", "on", "off", NULL};
	ym_check_options(L, 1, known);
	block->kind = (enum ym_feature_kind)ym_option_choice(L, 1, "kind", YM_FEATURE_MEL,
	                                                     ym_feature_kind_names);
	block->size = option_size(L, 1, 1024);
	block->bands = (int)ym_option_integer(L, 1, "bands", 64, 1, MOST_BANDS);
	block->on = block_times(L, 1, "on", &block->on_count);
	block->off = block_times(L, 1, "off", &block->off_count);
	check_option(L, 1, "on", block->on_count + block->off_count > 0,
	             "given, and neither is 'off'");
}

/* Raises on a key of the table at 1 that is no option and no block. */
static void check_keys(lua_State *L, lua_Integer blocks) {
	for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
		lua_Integer number = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
		bool good = number >= 1 && number <= blocks;
		if (lua_type(L, -2) == LUA_TSTRING) {
			lua_pushvalue(L, -2);
			lua_pushstring(L, "rate");
			lua_pushstring(L, "floor");
			good = lua_rawequal(L, -3, -2) || lua_rawequal(L, -3, -1);
			lua_pop(L, 3);
		}
		if (!good) {
			const char *key = luaL_tolstring(L, -2, NULL);
			luaL_argerror(L, 1, lua_pushfstring(L, "unknown option '%s'", key));
		}
	}
}

/* features.new{rate = 53267, floor = 1e-6, block, ...} -> features, a recipe of what
** networks hear of a note: 1 to 16 blocks {kind = "mel" | "harmonics", size = samples,
** bands =, on = {seconds from the onset}, off = {seconds from the key-off}}. See
** ym_features_extract for the values. */
static int features_new(lua_State *L) {
	struct ym_feature_block blocks[YM_FEATURE_BLOCKS];
	struct features *features;
	struct ym_error error;
	lua_Integer count;
	size_t bytes = 0;
	double rate, floor;
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	ym_need_stack(L, 8 * YM_FEATURE_BLOCKS);
	count = (lua_Integer)lua_rawlen(L, 1);
	check_keys(L, count);
	if (count < 1 || count > YM_FEATURE_BLOCKS)
		luaL_argerror(L, 1,
		              lua_pushfstring(L, "%d blocks given, expected 1..%d", (int)count,
		                              YM_FEATURE_BLOCKS));
	rate = ym_option_number(L, 1, "rate", DEFAULT_RATE, YM_AUDIO_LOWEST,
	                        YM_AUDIO_HIGHEST);
	floor = ym_option_number(L, 1, "floor", 1e-6, 1e-12, 0.5);
	lua_pushvalue(L, 1);
	for (int i = 0; i < (int)count; i++) {
		if (lua_rawgeti(L, 2, i + 1) != LUA_TTABLE)
			luaL_argerror(L, 1,
			              lua_pushfstring(L, "block %d is %s, expected a table", i + 1,
			                              luaL_typename(L, -1)));
		lua_replace(L, 1); /* where what it raises is about argument 1 */
		check_block(L, &blocks[i]);
		bytes += (size_t)blocks[i].size * SAMPLE_BYTES;
	}
	features = lua_newuserdatauv(L, sizeof *features, 0);
	*features = (struct features){NULL, NULL};
	luaL_setmetatable(L, FEATURES);
	if (ym_features_new(&features->plan, rate, floor, blocks, (int)count,
	                    ym_state_simd(L), &error) != YM_OK ||
	    ym_features_scratch_new(&features->scratch, features->plan, &error) != YM_OK)
		return ym_push_failure(L, &error);
	ym_tell_collector(L, bytes);
	return 1;
}

/* features:extract(samples, {f0 = Hz, held = seconds}) -> f32 tensor (values), or nil,
** message, "input" when the sound is silent or a sample is not a number. samples start
** at the onset; held is the time of the key-off. */
static int features_extract(lua_State *L) {
	static const char *const known[] = {"f0", "held", NULL};
	struct features *features = check_features(L, 1);
	struct ym_error error;
	size_t count;
	const float *samples = ym_check_vector(L, 2, &count);
	double f0, held;
	float *out;
	ym_check_options(L, 3, known);
	f0 = ym_option_number(L, 3, "f0", 0, 1, ym_features_rate(features->plan) / 2);
	check_option(L, 3, "f0", f0 > 0, "given (Hz)");
	held = ym_option_number(L, 3, "held", -1, 0, LONGEST);
	check_option(L, 3, "held", held >= 0, "given (seconds)");
	out = ym_push_vector(L, ym_features_count(features->plan));
	if (ym_features_extract(features->plan, features->scratch, samples, count, f0, held,
	                        out, &error) != YM_OK)
		return ym_push_failure(L, &error);
	return 1;
}

/* features:count() and #features -> values in one extraction. */
static int features_count(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)ym_features_count(check_features(L, 1)->plan));
	return 1;
}

static int features_tostring(lua_State *L) {
	lua_pushfstring(L, "features, %d values",
	                (int)ym_features_count(check_features(L, 1)->plan));
	return 1;
}

static const luaL_Reg functions[] = {{"new", features_new}, {NULL, NULL}};
static const luaL_Reg pictures[] = {
	{"spectrogram", ym_lua_spectrogram}, {"mel", ym_lua_mel}, {"mfcc", ym_lua_mfcc},
	{"harmonics", ym_lua_harmonics},     {NULL, NULL},
};
static const luaL_Reg methods[] = {
	{"extract", features_extract}, {"count", features_count}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", features_gc},
                                       {"__len", features_count},
                                       {"__tostring", features_tostring},
                                       {NULL, NULL}};

void ym_open_spectrum(lua_State *L) {
	ym_new_class(L, FEATURES, methods, metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "features");
	luaL_setfuncs(L, pictures, 0);
}

/* ym.audio, ym.pitch and ym.held: sound files, rates, and what a note's sound says. */
#include "audio.h"
#include "lua_ym.h"
#include "outline.h"
#include "pitch.h"

#define SOUND "ym2612ml.sound"
enum { LOWEST_RATE = 4000, HIGHEST_RATE = 192000 }; /* Hz, of what is asked for */

static int sound_gc(lua_State *L) {
	ym_sound_free(luaL_checkudata(L, 1, SOUND));
	return 0;
}

/* An empty sound that the collector frees. */
static struct ym_sound *push_sound(lua_State *L) {
	struct ym_sound *sound = lua_newuserdatauv(L, sizeof *sound, 0);
	*sound = (struct ym_sound){0};
	luaL_setmetatable(L, SOUND);
	return sound;
}

static void set_number(lua_State *L, const char *key, lua_Number value) {
	lua_pushnumber(L, value);
	lua_setfield(L, -2, key);
}

static void set_integer(lua_State *L, const char *key, size_t value) {
	lua_pushinteger(L, (lua_Integer)value);
	lua_setfield(L, -2, key);
}

/* A rate in Hz at arg. */
static lua_Number check_rate(lua_State *L, int arg) {
	lua_Number rate = luaL_checknumber(L, arg);
	if (!(rate >= YM_AUDIO_LOWEST && rate <= YM_AUDIO_HIGHEST))
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "rate is %f Hz, expected %f..%f", rate,
		                              YM_AUDIO_LOWEST, YM_AUDIO_HIGHEST));
	return rate;
}

/* audio.read(path, [{rate = Hz}]) -> {samples = f32 tensor, rate = Hz, channels = of
** the file, seconds =, clipped = count of samples at full scale in runs of three or
** more, path =}, or nil, message, kind. The samples are the mean of the channels;
** option rate (4000..192000) resamples them. */
static int audio_read(lua_State *L) {
	static const char *const known[] = {"rate", NULL};
	const char *path = luaL_checkstring(L, 1);
	struct ym_sound *sound;
	struct ym_error error;
	double rate;
	size_t count;
	lua_settop(L, 2);
	ym_check_options(L, 2, known);
	rate = ym_option_number(L, 2, "rate", 0, LOWEST_RATE, HIGHEST_RATE);
	sound = push_sound(L);
	if (ym_audio_read(path, sound, &error) != YM_OK)
		return ym_push_failure(L, &error);
	if (rate <= 0)
		rate = sound->rate;
	lua_createtable(L, 0, 6);
	count = ym_audio_resampled_count(sound->count, sound->rate, rate);
	if (ym_audio_resample(sound->samples, sound->count, sound->rate, rate,
	                      ym_push_vector(L, count), &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_setfield(L, -2, "samples");
	set_number(L, "seconds", (double)sound->count / sound->rate);
	set_integer(L, "clipped", sound->clipped);
	set_integer(L, "channels", (size_t)sound->channels);
	lua_pushvalue(L, 1);
	lua_setfield(L, -2, "path");
	if ((double)(lua_Integer)rate == rate) /* %d takes it */
		lua_pushinteger(L, (lua_Integer)rate);
	else
		lua_pushnumber(L, rate);
	lua_setfield(L, -2, "rate");
	ym_sound_free(sound);
	return 1;
}

/* audio.write(path, samples, rate, [{format = "wav" | "flac", bits = 16 | 24 | 32}])
** -> true, or nil, message, kind. samples: a tensor (samples), or (samples, channels)
** for 1 to 64 channels. bits: 16 by default; 32 is float, for WAV only. Integers are
** rounded and clamped to full scale, float is written as it is. The file appears whole
** or not at all. */
static int audio_write(lua_State *L) {
	static const char *const known[] = {"format", "bits", NULL};
	const char *path = luaL_checkstring(L, 1);
	const struct ym_tensor *samples = ym_check_f32(L, 2, 0);
	lua_Number rate = check_rate(L, 3);
	int format, bits, channels = samples->rank == 2 ? (int)samples->shape[1] : 1;
	struct ym_error error;
	ym_check_options(L, 4, known);
	format = ym_option_choice(L, 4, "format", YM_AUDIO_WAV, ym_audio_format_names);
	bits = (int)ym_option_integer(L, 4, "bits", 16, 16, 32);
	luaL_argcheck(L, bits == 16 || bits == 24 || (bits == 32 && format == YM_AUDIO_WAV),
	              4, "option 'bits' is not 16, 24 or (for wav) 32");
	luaL_argcheck(L, samples->rank <= 2, 2, "rank is above 2");
	luaL_argcheck(L,
	              samples->rank == 1 || (samples->shape[1] >= 1 &&
	                                     samples->shape[1] <= YM_AUDIO_CHANNELS),
	              2, "expected 1..64 channels along axis 2");
	if (ym_audio_write(path, samples->data, samples->shape[0], channels,
	                   (int)(rate + 0.5), (enum ym_audio_format)format, bits,
	                   &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushboolean(L, true);
	return 1;
}

/* audio.resample(samples, from, to) -> f32 tensor, or nil, message, "input". Rates in
** Hz; libsamplerate's best sinc. */
static int audio_resample(lua_State *L) {
	size_t count;
	const float *samples = ym_check_vector(L, 1, &count);
	lua_Number from = check_rate(L, 2), to = check_rate(L, 3);
	struct ym_error error;
	float *out;
	luaL_argcheck(L, from / to <= 256 && to / from <= 256, 3,
	              "the rates are more than a factor of 256 apart");
	out = ym_push_vector(L, ym_audio_resampled_count(count, from, to));
	if (ym_audio_resample(samples, count, from, to, out, &error) != YM_OK)
		return ym_push_failure(L, &error);
	return 1;
}

/* audio.trim(samples, rate) -> samples from the onset of the note (a view), the onset
** in seconds; or nil, message, "input". See ym_note_onset for what an onset is. */
static int audio_trim(lua_State *L) {
	size_t count, onset;
	const float *samples = ym_check_vector(L, 1, &count);
	lua_Number rate = check_rate(L, 2);
	struct ym_tensor view = *ym_check_tensor(L, 1);
	struct ym_error error;
	if (ym_note_onset(samples, count, rate, &onset, &error) != YM_OK)
		return ym_push_failure(L, &error);
	view.data = (float *)view.data + onset;
	view.shape[0] -= onset;
	ym_push_view(L, 1, &view);
	lua_pushnumber(L, (double)onset / rate);
	return 2;
}

/* pitch(samples, [{rate = 53267, minimum = 27.5, maximum = 4200}]) -> f0 in Hz,
** confidence 0..1; or nil, message, "input" for a sound that is silent, too short or
** holds values that are not numbers. See ym_pitch. */
static int ym_lua_pitch(lua_State *L) {
	static const char *const known[] = {"rate", "minimum", "maximum", NULL};
	size_t count;
	const float *samples = ym_check_vector(L, 1, &count);
	double rate, lowest, highest, f0, confidence;
	struct ym_error error;
	ym_check_options(L, 2, known);
	rate = ym_option_number(L, 2, "rate", 53267, YM_AUDIO_LOWEST, YM_AUDIO_HIGHEST);
	lowest = ym_option_number(L, 2, "minimum", 27.5, 10, rate / 4);
	highest = ym_option_number(L, 2, "maximum", rate < 16800 ? rate / 4 : 4200, 10,
	                           rate / 4);
	luaL_argcheck(L, lowest < highest, 2, "option 'minimum' is not below 'maximum'");
	if (ym_pitch(samples, count, rate, lowest, highest, &f0, &confidence, &error) !=
	    YM_OK)
		return ym_push_failure(L, &error);
	lua_pushnumber(L, f0);
	lua_pushnumber(L, confidence);
	return 2;
}

/* held(samples, rate) -> seconds from the first sample to where the key was let go, a
** guess; or nil, message, "input". See ym_note_held. */
static int ym_lua_held(lua_State *L) {
	size_t count;
	const float *samples = ym_check_vector(L, 1, &count);
	double rate = check_rate(L, 2), held;
	struct ym_error error;
	if (ym_note_held(samples, count, rate, &held, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushnumber(L, held);
	return 1;
}

static const luaL_Reg functions[] = {
	{"read", audio_read}, {"write", audio_write}, {"resample", audio_resample},
	{"trim", audio_trim}, {NULL, NULL},
};
static const luaL_Reg topics[] = {
	{"pitch", ym_lua_pitch}, {"held", ym_lua_held}, {NULL, NULL}};
static const luaL_Reg none[] = {{NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", sound_gc}, {NULL, NULL}};

void ym_open_audio(lua_State *L) {
	ym_new_class(L, SOUND, none, metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "audio");
	luaL_setfuncs(L, topics, 0);
}

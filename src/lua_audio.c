/* ym.audio, ym.pitch, ym.held and ym.survey: sound files, rates, and what a note's
** sound says. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "audio.h"
#include "lua_ym.h"
#include "outline.h"
#include "pitch.h"
#include "survey.h"

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

/* What a sound is written as: options {format = "wav" | "flac", bits = 16 | 24 | 32}. */
struct encoding {
	enum ym_audio_format format;
	int bits, channels, rate;
};

/* Checks a sound of samples at arg, its rate in the next argument and options after it,
** where the format may not be told: then it is the usual one. */
static const struct ym_tensor *check_encoding(lua_State *L, int arg,
                                              enum ym_audio_format usual,
                                              struct encoding *encoding) {
	static const char *const known[] = {"format", "bits", NULL};
	const struct ym_tensor *samples = ym_check_f32(L, arg, 0);
	int options = arg + 2, bits;
	encoding->rate = (int)(check_rate(L, arg + 1) + 0.5);
	ym_check_options(L, options, known);
	encoding->format = (enum ym_audio_format)ym_option_choice(
		L, options, "format", usual, ym_audio_format_names);
	bits = (int)ym_option_integer(L, options, "bits", 16, 16, 32);
	luaL_argcheck(
		L, bits == 16 || bits == 24 || (bits == 32 && encoding->format == YM_AUDIO_WAV),
		options, "option 'bits' is not 16, 24 or (for wav) 32");
	encoding->bits = bits;
	luaL_argcheck(L, samples->rank <= 2, arg, "rank is above 2");
	encoding->channels = samples->rank == 2 ? (int)samples->shape[1] : 1;
	luaL_argcheck(L,
	              samples->rank == 1 || (samples->shape[1] >= 1 &&
	                                     samples->shape[1] <= YM_AUDIO_CHANNELS),
	              arg, "expected 1..64 channels along axis 2");
	return samples;
}

/* The format that a path tells by its end. */
static enum ym_audio_format format_of(const char *path) {
	const char *ending = strrchr(path, '.');
	return ending != NULL && strcasecmp(ending, ".flac") == 0 ? YM_AUDIO_FLAC
	                                                          : YM_AUDIO_WAV;
}

/* audio.write(path, samples, rate, [{format = "wav" | "flac", bits = 16 | 24 | 32}])
** -> true, or nil, message, kind. samples: a tensor (samples), or (samples, channels)
** for 1 to 64 channels. format: by default flac for a path that ends in .flac, else wav.
** bits: 16 by default; 32 is float, for WAV only. Integers are rounded and clamped to
** full scale, float is written as it is. The file appears whole or not at all. */
static int audio_write(lua_State *L) {
	const char *path = luaL_checkstring(L, 1);
	struct encoding as;
	const struct ym_tensor *samples = check_encoding(L, 2, format_of(path), &as);
	struct ym_error error;
	if (ym_audio_write(path, samples->data, samples->shape[0], as.channels, as.rate,
	                   as.format, as.bits, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushboolean(L, true);
	return 1;
}

static int push_bytes(lua_State *L) {
	lua_pushlstring(L, lua_touserdata(L, 1), (size_t)lua_tointeger(L, 2));
	return 1;
}

/* audio.encode(samples, rate, [{format, bits}]) -> the bytes of the file that write
** would write; or nil, message, kind. */
static int audio_encode(lua_State *L) {
	struct encoding as;
	const struct ym_tensor *samples = check_encoding(L, 1, YM_AUDIO_WAV, &as);
	struct ym_error error;
	unsigned char *bytes;
	size_t size;
	int status;
	if (ym_audio_encode(samples->data, samples->shape[0], as.channels, as.rate,
	                    as.format, as.bits, &bytes, &size, &error) != YM_OK)
		return ym_push_failure(L, &error);
	/* protected, since the string may find no memory, and the bytes must be freed */
	lua_pushcfunction(L, push_bytes);
	lua_pushlightuserdata(L, bytes);
	lua_pushinteger(L, (lua_Integer)size);
	status = lua_pcall(L, 2, 1, 0);
	ym_free(bytes);
	return status == LUA_OK ? 1 : lua_error(L);
}

/* audio.resample(samples, from, to, [{quick = false}]) -> f32 tensor, or nil, message,
** "input". Rates in Hz; libsamplerate's best sinc, or the medium one, which takes a
** quarter of the time and is flat to 0.45 of the lower rate. */
static int audio_resample(lua_State *L) {
	static const char *const known[] = {"quick", NULL};
	size_t count;
	const float *samples = ym_check_vector(L, 1, &count);
	lua_Number from = check_rate(L, 2), to = check_rate(L, 3);
	struct ym_error error;
	enum ym_status status;
	bool quick;
	float *out;
	luaL_argcheck(L, from / to <= 256 && to / from <= 256, 3,
	              "the rates are more than a factor of 256 apart");
	ym_check_options(L, 4, known);
	quick = ym_option_boolean(L, 4, "quick", false);
	out = ym_push_vector(L, ym_audio_resampled_count(count, from, to));
	status = quick ? ym_audio_resample_quickly(samples, count, from, to, out, &error)
	               : ym_audio_resample(samples, count, from, to, out, &error);
	if (status != YM_OK)
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

/* Pushes the guesses as a list of {f0 =, share =}. */
static void push_guesses(lua_State *L, const struct ym_pitch *pitch) {
	lua_createtable(L, pitch->count, 0);
	for (int i = 0; i < pitch->count; i++) {
		lua_createtable(L, 0, 2);
		set_number(L, "f0", pitch->guesses[i].f0);
		set_number(L, "share", pitch->guesses[i].share);
		lua_rawseti(L, -2, i + 1);
	}
}

/* pitch(samples, [{rate = 53267, minimum = 27.5, maximum = 4200}]) -> f0 in Hz,
** confidence 0..1, all guesses (a list of {f0 =, share =}, the most likely first); or
** nil, message, "input" for a sound that is silent, too short or holds values that are
** not numbers. See ym_pitch_guess. With option near = Hz, which must be right to within
** 60 cents: f0, and the share of the partials that agree. See ym_pitch_near. */
static int ym_lua_pitch(lua_State *L) {
	static const char *const known[] = {"rate", "minimum", "maximum", "near", NULL};
	size_t count;
	const float *samples = ym_check_vector(L, 1, &count);
	double rate, lowest, highest, near, share;
	struct ym_pitch pitch;
	struct ym_error error;
	ym_check_options(L, 2, known);
	rate = ym_option_number(L, 2, "rate", 53267, YM_AUDIO_LOWEST, YM_AUDIO_HIGHEST);
	lowest = ym_option_number(L, 2, "minimum", 27.5, 10, rate / 4);
	highest = ym_option_number(L, 2, "maximum", rate < 16800 ? rate / 4 : 4200, 10,
	                           rate / 4);
	near = ym_option_number(L, 2, "near", 0, 4, rate / 4);
	luaL_argcheck(L, lowest < highest, 2, "option 'minimum' is not below 'maximum'");
	if (near > 0) {
		if (ym_pitch_near(samples, count, rate, near, &near, &share, &error) != YM_OK)
			return ym_push_failure(L, &error);
		lua_pushnumber(L, near);
		lua_pushnumber(L, share);
		return 2;
	}
	if (ym_pitch_guess(samples, count, rate, lowest, highest, &pitch, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushnumber(L, pitch.guesses[0].f0);
	lua_pushnumber(L, pitch.confidence);
	push_guesses(L, &pitch);
	return 3;
}

/* held(samples, rate) -> seconds from the first sample to where the key was let go, a
** guess, and all guesses (a list, the most likely first); or nil, message, "input". See
** ym_note_held. */
static int ym_lua_held(lua_State *L) {
	size_t count;
	const float *samples = ym_check_vector(L, 1, &count);
	double rate = check_rate(L, 2), held[YM_HELD_GUESSES];
	int number;
	struct ym_error error;
	if (ym_note_held(samples, count, rate, held, &number, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushnumber(L, held[0]);
	lua_createtable(L, number, 0);
	for (int i = 0; i < number; i++) {
		lua_pushnumber(L, held[i]);
		lua_rawseti(L, -2, i + 1);
	}
	return 2;
}

/* survey(samples, rate, [band = rate / 2]) -> {level = RMS of the loudest 100 ms, noise
** = mean square of the white noise, limit = Hz or nil}; or nil, message, "input". band:
** Hz above which the samples hold nothing. See ym_survey. */
static int ym_lua_survey(lua_State *L) {
	size_t count;
	const float *samples = ym_check_vector(L, 1, &count);
	double rate = check_rate(L, 2), band = luaL_optnumber(L, 3, rate / 2);
	struct ym_survey survey;
	struct ym_error error;
	luaL_argcheck(L, band > 0 && band <= rate / 2, 3, "band is not within 0..rate / 2");
	if (ym_survey(samples, count, rate, band, &survey, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_createtable(L, 0, 3);
	set_number(L, "level", survey.level);
	set_number(L, "noise", survey.noise);
	if (survey.limit > 0)
		set_number(L, "limit", survey.limit);
	return 1;
}

/* audio.peaks(sounds) -> list of the largest absolute sample of each row of a tensor
** (rows, samples); NaN for one that holds what is not a number */
static int audio_peaks(lua_State *L) {
	const struct ym_tensor *sounds = ym_check_f32(L, 1, 2);
	const float *samples = sounds->data;
	size_t length = sounds->shape[1];
	lua_createtable(L, (int)sounds->shape[0], 0);
	for (size_t row = 0; row < sounds->shape[0]; row++, samples += length) {
		float peak = 0;
		for (size_t i = 0; i < length; i++) {
			float size = fabsf(samples[i]);
			peak = size > peak || size != size ? size : peak;
			if (peak != peak)
				break;
		}
		lua_pushnumber(L, (lua_Number)peak);
		lua_rawseti(L, -2, (lua_Integer)row + 1);
	}
	return 1;
}

static const luaL_Reg functions[] = {
	{"read", audio_read},
	{"write", audio_write},
	{"encode", audio_encode},
	{"resample", audio_resample},
	{"trim", audio_trim},
	{"peaks", audio_peaks},
	{NULL, NULL},
};
static const luaL_Reg topics[] = {{"pitch", ym_lua_pitch},
                                  {"held", ym_lua_held},
                                  {"survey", ym_lua_survey},
                                  {NULL, NULL}};
static const luaL_Reg none[] = {{NULL, NULL}};
static const luaL_Reg metamethods[] = {{"__gc", sound_gc}, {NULL, NULL}};

void ym_open_audio(lua_State *L) {
	ym_new_class(L, SOUND, none, metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "audio");
	luaL_setfuncs(L, topics, 0);
}

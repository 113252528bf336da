/* ym.render: one patch, one note, exact. And what the batch shares with it. */
#include "lua_render.h"

#include <math.h>

#include "audio.h"

#define TABLES "ym2612ml.tables"

enum { ALIGNMENT = 64 }; /* of the tables; userdata are aligned to less */

const struct ym_bundle_tables *ym_state_tables(lua_State *L) {
	struct ym_bundle_tables *tables;
	uintptr_t address;
	bool made = lua_getfield(L, LUA_REGISTRYINDEX, TABLES) != LUA_TUSERDATA;
	if (made) {
		lua_pop(L, 1);
		lua_newuserdatauv(L, ym_bundle_tables_size() + ALIGNMENT, 0);
		lua_pushvalue(L, -1);
		lua_setfield(L, LUA_REGISTRYINDEX, TABLES);
	}
	address = (uintptr_t)lua_touserdata(L, -1);
	lua_pop(L, 1);
	tables = (void *)((address + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
	if (made)
		ym_bundle_tables_fill(tables);
	return tables;
}

double ym_option_clock(lua_State *L, int arg) {
	return ym_option_number(L, arg, "clock", YM_CLOCK_NTSC, 1e6, 1e8);
}

size_t ym_seconds_to_frames(double seconds, double clock) {
	return (size_t)round(seconds * clock / YM_CLOCKS_PER_SAMPLE);
}

/* Pitch from options note, or block and fnum. */
static void option_pitch(lua_State *L, int arg, double clock, struct ym_note *note) {
	bool fnum = ym_push_option(L, arg, "fnum") != LUA_TNIL;
	bool block = ym_push_option(L, arg, "block") != LUA_TNIL;
	bool midi = ym_push_option(L, arg, "note") != LUA_TNIL;
	lua_pop(L, 3);
	if (fnum != block || (fnum && midi))
		luaL_argerror(L, arg, "expected option 'note', or 'block' and 'fnum'");
	note->block = (uint8_t)ym_option_integer(L, arg, "block", 0, 0, 7);
	note->fnum = (uint16_t)ym_option_integer(L, arg, "fnum", 0, 0, 2047);
	if (!fnum) {
		double value = ym_option_number(L, arg, "note", 69, 0, 127);
		if (!ym_note_pitch(value, clock, note))
			luaL_argerror(L, arg,
			              lua_pushfstring(L,
			                              "option 'note' is %f, above what the "
			                              "chip can play (fnum 2047, block 7)",
			                              value));
	}
}

void ym_option_note(lua_State *L, int arg, double clock, struct ym_note *note) {
	option_pitch(L, arg, clock, note);
	note->stage = (enum ym_stage)ym_option_choice(L, arg, "chip", YM_STAGE_YM2612,
	                                              ym_stage_names);
	note->held = ym_seconds_to_frames(
		ym_option_number(L, arg, "held", 1, 0, YM_SECONDS_MAX), clock);
	note->release = ym_seconds_to_frames(
		ym_option_number(L, arg, "release", 0.5, 0, YM_SECONDS_MAX), clock);
	if (note->held == 0)
		note->held = 1;
}

/* render(patch, [options]) -> samples, rate.
**
** Options:
**   note      MIDI note, fractions allowed (default 69), or
**   block, fnum  the chip's own pitch, 0..7 and 0..2047
**   clock     master clock in Hz (default 7670454, NTSC; PAL: 7600489)
**   held, release  seconds from key-on to key-off (default 1; at least one sample)
**             and rendered after it (default 0.5); 600 at most each
**   chip      output stage: "ym2612" (default), "ym3438" or "clean"
**   rate      Hz of the result; default: the chip's, clock / 144 = 53267
**   velocity  MIDI velocity 1..127: attenuates the carriers by 40 log10(127 /
**             velocity) dB; default: levels as written
**   lfo       0..7, overrides the patch's, or -1: off
**   raw       true: the chip's integers (i16) at its own rate
**
** samples: f32 tensor (samples), (chip output - its rest) / largest swing of one
** channel, so -1..1. rate: Hz, rounded to a whole number. Sample 0 is the first that
** the key-on can change; see voice.h for the state of the chip at that time. */
static int render(lua_State *L) {
	static const char *const known[] = {"note",     "block",   "fnum", "clock",
	                                    "held",     "release", "chip", "rate",
	                                    "velocity", "lfo",     "raw",  NULL};
	struct ym_patch patch;
	struct ym_note note;
	struct ym_error error;
	double clock, native, rate;
	size_t count;
	int velocity;
	bool raw;
	int16_t *samples;
	lua_settop(L, 2);
	ym_check_patch(L, 1, &patch);
	ym_check_options(L, 2, known);
	clock = ym_option_clock(L, 2);
	native = clock / YM_CLOCKS_PER_SAMPLE;
	ym_option_note(L, 2, clock, &note);
	rate = ym_option_number(L, 2, "rate", native, YM_AUDIO_LOWEST, YM_AUDIO_HIGHEST);
	velocity = (int)ym_option_integer(L, 2, "velocity", 0, 1, 127);
	patch.field[YM_LFO] = (int8_t)ym_option_integer(L, 2, "lfo", patch.field[YM_LFO],
	                                                -1, 7);
	raw = ym_option_boolean(L, 2, "raw", false);
	if (raw && rate != native)
		luaL_argerror(L, 2, "options 'raw' and 'rate' exclude each other");
	if (velocity != 0)
		ym_patch_velocity(&patch, velocity);
	count = note.held + note.release;
	samples = ym_push_tensor(L, YM_I16, 1, &count)->data;
	ym_voice_render(ym_bundle_voice_tables(ym_state_tables(L)), &patch, &note, samples);
	if (!raw) {
		float *scaled = ym_push_vector(L, count);
		ym_voice_scale(note.stage, samples, count, scaled);
		if (rate != native) {
			float *resampled = ym_push_vector(
				L, ym_audio_resampled_count(count, native, rate));
			if (ym_audio_resample(scaled, count, native, rate, resampled, &error) !=
			    YM_OK)
				return ym_push_failure(L, &error);
		}
	}
	lua_pushinteger(L, (lua_Integer)round(rate));
	return 2;
}

/* pitch_of(note, [clock]) -> block, fnum: how the chip plays a MIDI note. Raises
** above what it can play. */
static int render_pitch_of(lua_State *L) {
	double value = luaL_checknumber(L, 1);
	double clock = luaL_optnumber(L, 2, YM_CLOCK_NTSC);
	struct ym_note note;
	luaL_argcheck(L, clock >= 1e6 && clock <= 1e8, 2, "expected a clock in Hz");
	luaL_argcheck(L, value >= 0 && value <= 127 && ym_note_pitch(value, clock, &note),
	              1, "expected a MIDI note the chip can play");
	lua_pushinteger(L, note.block);
	lua_pushinteger(L, note.fnum);
	return 2;
}

void ym_open_render(lua_State *L) {
	lua_pushcfunction(L, render);
	lua_setfield(L, -2, "render");
	lua_pushcfunction(L, render_pitch_of);
	lua_setfield(L, -2, "pitch_of");
}

/*
** The live instrument's engine without a server, for whoever brings MIDI and wants samples
** (the specs do), and the controllers that a patch is sent as.
*/
#include "live/lua_live.h"
#include "live/send.h"

#define ENGINE "ym2612ml.live.engine"
#define SENDER "ym2612ml.live.sender"

void ym_engine_options(lua_State *L, int arg, struct ym_engine_settings *settings) {
	settings->stage = (enum ym_stage)ym_option_choice(L, arg, "chip", YM_STAGE_YM2612,
	                                                  ym_stage_names);
	settings->bend = ym_option_number(L, arg, "bend", 2, 0, 24);
	settings->gain = ym_option_number(L, arg, "gain", 1, 0, 100);
	luaL_checktype(L, arg, LUA_TTABLE);
	lua_getfield(L, arg, "patch");
	ym_check_patch(L, lua_gettop(L), &settings->patch);
	lua_pop(L, 1);
}

void ym_set_count(lua_State *L, const char *name, uint64_t count) {
	lua_pushinteger(L, (lua_Integer)count);
	lua_setfield(L, -2, name);
}

void ym_push_engine_counts(lua_State *L, const struct ym_engine_counts *counts) {
	lua_createtable(L, 0, 10);
	ym_set_count(L, "started", counts->started);
	ym_set_count(L, "stolen", counts->stolen);
	ym_set_count(L, "lost", counts->lost);
	ym_set_count(L, "patches", counts->patches);
	ym_set_count(L, "replaced", counts->replaced);
}

static struct ym_engine *check_engine(lua_State *L) {
	return *(struct ym_engine **)luaL_checkudata(L, 1, ENGINE);
}

/* engine{rate =, patch =, chip = "ym2612", bend = 2, gain = 1} -> engine at rest */
static int engine_new(lua_State *L) {
	static const char *const known[] = {"rate", "patch", "chip", "bend", "gain", NULL};
	struct ym_engine_settings settings;
	struct ym_engine **engine;
	ym_check_options(L, 1, known);
	ym_engine_options(L, 1, &settings);
	settings.rate = (unsigned)ym_option_integer(L, 1, "rate", 48000, YM_RESAMPLE_LOWEST,
	                                            YM_RESAMPLE_HIGHEST);
	engine = lua_newuserdatauv(L, sizeof *engine, 0);
	*engine = NULL;
	luaL_setmetatable(L, ENGINE);
	*engine = ym_engine_new(&settings);
	if (*engine == NULL)
		return ym_raise_no_memory(L);
	return 1;
}

static int engine_gc(lua_State *L) {
	struct ym_engine **engine = luaL_checkudata(L, 1, ENGINE);
	ym_engine_free(*engine);
	*engine = NULL;
	return 0;
}

/* engine:midi(bytes) -> "nothing", "played" or "control": a MIDI message, which acts from
** the next sample on. */
static int engine_midi(lua_State *L) {
	static const char *const heard[] = {"nothing", "played", "control"};
	struct ym_engine *engine = check_engine(L);
	size_t size;
	const char *bytes = luaL_checklstring(L, 2, &size);
	lua_pushstring(L, heard[ym_engine_midi(engine, (const uint8_t *)bytes, size)]);
	return 1;
}

/* engine:patch(patch): goes over to it. */
static int engine_patch(lua_State *L) {
	struct ym_engine *engine = check_engine(L);
	struct ym_patch patch;
	ym_check_patch(L, 2, &patch);
	ym_engine_patch(engine, &patch);
	return 0;
}

/* engine:run(frames) -> left, right: f32 tensors (frames) */
static int engine_run(lua_State *L) {
	struct ym_engine *engine = check_engine(L);
	lua_Integer frames = luaL_checkinteger(L, 2);
	float *left, *right;
	luaL_argcheck(L, frames >= 0, 2, "expected a count of frames");
	left = ym_push_vector(L, (size_t)frames);
	right = ym_push_vector(L, (size_t)frames);
	ym_engine_run(engine, (size_t)frames, left, right);
	return 2;
}

/* engine:counts() -> {started =, stolen =, lost =, patches =, replaced =} */
static int engine_counts(lua_State *L) {
	ym_push_engine_counts(L, ym_engine_counted(check_engine(L)));
	return 1;
}

/* pitch(note, [wheel]) -> block, fnum: of a MIDI note 0..116, moved by semitones */
static int live_pitch(lua_State *L) {
	lua_Number note = luaL_checknumber(L, 1), wheel = luaL_optnumber(L, 2, 0);
	unsigned block, fnum;
	luaL_argcheck(L, note >= 0 && note <= YM_LIVE_HIGHEST, 1,
	              "expected a MIDI note 0..116");
	luaL_argcheck(L, wheel >= -24 && wheel <= 24, 2, "expected semitones -24..24");
	ym_live_pitch(note, &block, &fnum);
	if (wheel != 0)
		ym_live_bend(note + wheel, block, &block, &fnum);
	lua_pushinteger(L, block);
	lua_pushinteger(L, fnum);
	return 2;
}

/* sender(patch, channels) -> sender of a patch as controllers on MIDI channels 1..channels */
static int sender_new(lua_State *L) {
	struct ym_patch patch;
	lua_Integer channels = luaL_checkinteger(L, 2);
	ym_check_patch(L, 1, &patch);
	luaL_argcheck(L, channels >= 0 && channels <= YM_SEND_CHANNELS, 2,
	              "expected a count 0..6");
	ym_send_open(lua_newuserdatauv(L, sizeof(struct ym_send), 0), (int)channels,
	             &patch);
	luaL_setmetatable(L, SENDER);
	return 1;
}

/* sender:patch(patch): what is to be sent from now on. */
static int sender_patch(lua_State *L) {
	struct ym_send *send = luaL_checkudata(L, 1, SENDER);
	struct ym_patch patch;
	ym_check_patch(L, 2, &patch);
	ym_send_patch(send, &patch);
	return 0;
}

/* sender:next() -> the next MIDI message, or nil when all is sent */
static int sender_next(lua_State *L) {
	struct ym_send *send = luaL_checkudata(L, 1, SENDER);
	uint8_t message[3];
	if (!ym_send_next(send, message))
		return 0;
	lua_pushlstring(L, (const char *)message, sizeof message);
	return 1;
}

void ym_open_engine(lua_State *L) {
	static const luaL_Reg functions[] = {{"engine", engine_new},
	                                     {"pitch", live_pitch},
	                                     {"sender", sender_new},
	                                     {NULL, NULL}};
	static const luaL_Reg methods[] = {{"midi", engine_midi},
	                                   {"patch", engine_patch},
	                                   {"run", engine_run},
	                                   {"counts", engine_counts},
	                                   {NULL, NULL}};
	static const luaL_Reg metamethods[] = {{"__gc", engine_gc}, {NULL, NULL}};
	static const luaL_Reg sender_methods[] = {
		{"patch", sender_patch}, {"next", sender_next}, {NULL, NULL}};
	static const luaL_Reg none[] = {{NULL, NULL}};
	ym_new_class(L, ENGINE, methods, metamethods);
	ym_new_class(L, SENDER, sender_methods, none);
	luaL_setfuncs(L, functions, 0);
}

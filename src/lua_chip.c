/* ym.chip: the six-channel chip, registers in and samples out. */
#include <string.h>
#include <zlib.h>

#include "lua_ym.h"
#include "opn2.h"
#include "voice.h"

#define CHIP "ym2612ml.chip"

static struct ym_opn2 *check_chip(lua_State *L) {
	return luaL_checkudata(L, 1, CHIP);
}

/* chip.new([{chip = "ym2612" | "ym3438" | "clean"}]) -> chip, just reset. Default
** "ym2612". */
static int chip_new(lua_State *L) {
	static const char *const known[] = {"chip", NULL};
	int stage;
	ym_check_options(L, 1, known);
	stage = ym_option_choice(L, 1, "chip", YM_STAGE_YM2612, ym_stage_names);
	ym_opn2_reset(lua_newuserdatauv(L, sizeof(struct ym_opn2), 0),
	              (enum ym_stage)stage);
	luaL_setmetatable(L, CHIP);
	return 1;
}

/* chip:write(port, register, value). port 0: channels 1 to 3 and what all share;
** 1: channels 4 to 6. Writes wait in a queue of 1024; each frame takes one, which
** acts from the next frame on. Raises when the queue is full. */
static int chip_write(lua_State *L) {
	struct ym_opn2 *chip = check_chip(L);
	lua_Integer port = luaL_checkinteger(L, 2), reg = luaL_checkinteger(L, 3);
	lua_Integer value = luaL_checkinteger(L, 4);
	luaL_argcheck(L, port == 0 || port == 1, 2, "expected port 0 or 1");
	luaL_argcheck(L, reg >= 0 && reg <= 255, 3, "expected a register 0..255");
	luaL_argcheck(L, value >= 0 && value <= 255, 4, "expected a value 0..255");
	if (!ym_opn2_write(chip, (int)port, (int)reg, (int)value))
		return luaL_error(L, "%d writes are waiting: run the chip", YM_WRITE_QUEUE);
	return 0;
}

/* chip:run(frames) -> left, right: i32 tensors (frames) of the chip's integers. A
** frame is one sample, 144 clocks. */
static int chip_run(lua_State *L) {
	struct ym_opn2 *chip = check_chip(L);
	lua_Integer frames = luaL_checkinteger(L, 2);
	size_t shape[1];
	struct ym_tensor *left, *right;
	luaL_argcheck(L, frames >= 0, 2, "expected a count of frames");
	shape[0] = (size_t)frames;
	left = ym_push_tensor(L, YM_I32, 1, shape);
	right = ym_push_tensor(L, YM_I32, 1, shape);
	ym_opn2_run(chip, shape[0], left->data, right->data);
	return 2;
}

/* Fills samples (frames, 2), the chip's integers, or floats from -1 to 1. */
static void interleave(enum ym_stage stage, const int32_t *left, const int32_t *right,
                       struct ym_tensor *samples) {
	int rest = ym_stage_rest(stage);
	float scale = 1.0f / (float)(YM_CHANNELS * ym_stage_swing(stage)),
		  *scaled = samples->data;
	int32_t *raw = samples->data;
	for (size_t i = 0; i < samples->shape[0]; i++) {
		if (samples->type == YM_I32) {
			raw[2 * i] = left[i];
			raw[2 * i + 1] = right[i];
		} else {
			scaled[2 * i] = (float)(left[i] - rest) * scale;
			scaled[2 * i + 1] = (float)(right[i] - rest) * scale;
		}
	}
}

/* The rows of the i32 tensor (writes, 4) at arg; raises at one that is no write of a time
** between the last one's and frames. */
static const struct ym_timed_write *check_writes(lua_State *L, int arg, size_t frames,
                                                 size_t *count) {
	const struct ym_tensor *tensor = ym_check_tensor(L, arg);
	const struct ym_timed_write *writes = (const void *)tensor->data;
	int32_t earliest = 0;
	luaL_argcheck(L,
	              tensor->type == YM_I32 && tensor->rank == 2 &&
	                  tensor->shape[1] == 4 && ym_tensor_contiguous(tensor),
	              arg, "expected a contiguous i32 tensor (writes, 4)");
	*count = tensor->shape[0];
	for (size_t i = 0; i < *count; i++) {
		const struct ym_timed_write *write = &writes[i];
		bool fine = write->frame >= earliest && (size_t)write->frame <= frames &&
		            (write->port == 0 || write->port == 1) && write->reg >= 0 &&
		            write->reg <= 255 && write->value >= 0 && write->value <= 255;
		if (!fine)
			luaL_argerror(L, arg,
			              lua_pushfstring(L,
			                              "row %I is %d, %d, %d, %d, expected a frame "
			                              "from that of the row before to the last, "
			                              "a port 0..1, a register and a value 0..255",
			                              (lua_Integer)i + 1, (int)write->frame,
			                              (int)write->port, (int)write->reg,
			                              (int)write->value));
		earliest = write->frame;
	}
	return writes;
}

/* chip:play(writes, frames, [raw]) -> samples: runs that many frames, or more where the
** chip, at one write a frame, is so far behind that 1024 are waiting. writes: i32 tensor
** (writes, 4) of {frame from 0, port, register, value} in order of time. samples: f32
** (frames, 2), left and right, (chip output - its rest) / largest swing of all six
** channels, so -1..1; with raw i32, the chip's integers. */
static int chip_play(lua_State *L) {
	struct ym_opn2 *chip = check_chip(L);
	lua_Integer wanted = luaL_checkinteger(L, 3);
	bool raw = lua_toboolean(L, 4);
	const struct ym_timed_write *writes;
	size_t frames = (size_t)wanted, count, shape[2] = {0, 2};
	int32_t *left;
	struct ym_tensor *samples;
	luaL_argcheck(L, wanted >= 0 && wanted <= INT32_MAX, 3,
	              "expected a count of frames");
	writes = check_writes(L, 2, frames, &count);
	frames = ym_opn2_play_length(chip, writes, count, frames);
	shape[0] = 2 * frames;
	left = ym_push_unset_tensor(L, YM_I32, 1, shape)->data;
	shape[0] = frames;
	samples = ym_push_unset_tensor(L, raw ? YM_I32 : YM_F32, 2, shape);
	ym_opn2_play(chip, writes, count, frames, left, left + frames);
	interleave(chip->stage, left, left + frames, samples);
	return 1;
}

/* A saved state: this mark, the CRC-32 of the rest, the chip as it lies in memory. */
struct saved {
	char mark[8];
	uint32_t crc, size;
	struct ym_opn2 chip;
};

static const char saved_mark[8] = "YMOPN2 1";

static uint32_t saved_crc(const struct saved *saved) {
	return (uint32_t)crc32_z(0, (const Bytef *)&saved->chip, sizeof saved->chip);
}

/* chip:save() -> string: the whole state, for restore by the same build. */
static int chip_save(lua_State *L) {
	struct saved saved;
	memcpy(saved.mark, saved_mark, sizeof saved_mark);
	saved.size = sizeof saved.chip;
	memcpy(&saved.chip, check_chip(L), sizeof saved.chip);
	saved.crc = saved_crc(&saved);
	lua_pushlstring(L, (const char *)&saved, sizeof saved);
	return 1;
}

/* chip:restore(state) -> chip, or nil, message, "format" (and the chip unchanged)
** when the string is no saved state of this build. */
static int chip_restore(lua_State *L) {
	struct ym_opn2 *chip = check_chip(L);
	struct saved saved = {0};
	size_t size;
	const char *state = luaL_checklstring(L, 2, &size);
	struct ym_error error;
	if (size == sizeof saved)
		memcpy(&saved, state, sizeof saved);
	if (size != sizeof saved ||
	    memcmp(saved.mark, saved_mark, sizeof saved_mark) != 0 ||
	    saved.size != sizeof saved.chip || saved.crc != saved_crc(&saved) ||
	    !ym_opn2_valid(&saved.chip)) {
		ym_fail(&error, YM_FORMAT, "not a state saved by this version of the chip");
		return ym_push_failure(L, &error);
	}
	*chip = saved.chip;
	lua_settop(L, 1);
	return 1;
}

static int chip_tostring(lua_State *L) {
	const struct ym_opn2 *chip = check_chip(L);
	lua_pushfstring(L, "chip %s, frame %I", ym_stage_names[chip->stage],
	                (lua_Integer)chip->frame);
	return 1;
}

static const luaL_Reg functions[] = {{"new", chip_new}, {NULL, NULL}};
static const luaL_Reg methods[] = {
	{"write", chip_write}, {"run", chip_run},         {"play", chip_play},
	{"save", chip_save},   {"restore", chip_restore}, {NULL, NULL},
};
static const luaL_Reg metamethods[] = {{"__tostring", chip_tostring}, {NULL, NULL}};

void ym_open_chip(lua_State *L) {
	ym_new_class(L, CHIP, methods, metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "chip");
}

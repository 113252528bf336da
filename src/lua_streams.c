/*
** core.vgm: what the decoder of VGM files (lua/ym2612ml/vgm) leaves to C: writes gathered as rows of a
** tensor, and streams of samples.
*/
#include <math.h>

#include "lua_ym.h"
#include "streams.h"

#define WRITES  "ym2612ml.writes"
#define STREAMS "ym2612ml.streams"

static const int64_t latest = INT32_MAX; /* ticks that a row can tell of */
static const int64_t whole = 1LL << 53;  /* ticks that numbers can tell of */

/* vgm.writes(tensor, [scale = 1], [last]) -> writes: gathers writes in the rows of an i32
** tensor (rows, 4): time, port, register, value. Times are ticks times scale; what comes
** after the tick last is dropped. */
static int writes_new(lua_State *L) {
	struct ym_tensor *tensor = ym_check_tensor(L, 1);
	lua_Number scale = luaL_optnumber(L, 2, 1);
	lua_Integer last = luaL_optinteger(L, 3, latest);
	struct ym_writes *writes;
	luaL_argcheck(L,
	              tensor->type == YM_I32 && tensor->rank == 2 &&
	                  tensor->shape[1] == 4 && ym_tensor_contiguous(tensor),
	              1, "expected a contiguous i32 tensor (rows, 4)");
	luaL_argcheck(L, scale > 0 && scale <= 1000, 2, "expected 0..1000");
	luaL_argcheck(L, (lua_Number)last * scale <= (lua_Number)latest, 3,
	              "expected a time that a row can tell of");
	writes = lua_newuserdatauv(L, sizeof *writes, 1);
	*writes = (struct ym_writes){
		.rows = tensor->data, .room = tensor->shape[0], .scale = scale, .last = last};
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	luaL_setmetatable(L, WRITES);
	return 1;
}

static struct ym_writes *check_writes(lua_State *L, int arg) {
	return luaL_checkudata(L, arg, WRITES);
}

/* writes:add(tick, port, register, value) */
static int writes_add(lua_State *L) {
	struct ym_writes *writes = check_writes(L, 1);
	ym_writes_add(writes, luaL_checkinteger(L, 2), (int)luaL_checkinteger(L, 3),
	              (int)luaL_checkinteger(L, 4), (int)luaL_checkinteger(L, 5));
	return 0;
}

/* writes:count() -> writes so far, also those that found no row */
static int writes_count(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)check_writes(L, 1)->count);
	return 1;
}

/* writes:clear(origin): begins again with the first row, times counted from origin on */
static int writes_clear(lua_State *L) {
	struct ym_writes *writes = check_writes(L, 1);
	writes->origin = luaL_checkinteger(L, 2);
	writes->count = 0;
	return 0;
}

struct streams {
	struct ym_streams streams;
	const char *file;
	size_t size;
};

static struct streams *check_streams(lua_State *L) {
	return luaL_checkudata(L, 1, STREAMS);
}

/* vgm.streams(bytes) -> streams: those of the file of these bytes, without any yet. */
static int streams_new(lua_State *L) {
	size_t size;
	const char *file = luaL_checklstring(L, 1, &size);
	struct streams *streams;
	luaL_argcheck(L, size <= INT32_MAX, 1, "expected less than 2^31 bytes");
	streams = lua_newuserdatauv(L, sizeof *streams, 1);
	*streams = (struct streams){.file = file, .size = size};
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	luaL_setmetatable(L, STREAMS);
	return 1;
}

static int streams_free(lua_State *L) {
	ym_streams_free(&check_streams(L)->streams);
	return 0;
}

/* A byte of a command. */
static int check_byte(lua_State *L, int arg) {
	lua_Integer value = luaL_checkinteger(L, arg);
	luaL_argcheck(L, value >= 0 && value <= 255, arg, "expected 0..255");
	return (int)value;
}

static uint32_t check_u32(lua_State *L, int arg) {
	lua_Integer value = luaL_checkinteger(L, arg);
	luaL_argcheck(L, value >= 0 && value <= UINT32_MAX, arg, "expected 0..2^32-1");
	return (uint32_t)value;
}

static int64_t check_tick(lua_State *L, int arg, int64_t most) {
	lua_Integer value = luaL_checkinteger(L, arg);
	luaL_argcheck(L, value >= 0 && value <= most, arg, "expected a count of ticks");
	return value;
}

static struct ym_bank *check_bank(lua_State *L, int arg) {
	int bank = check_byte(L, arg);
	luaL_argcheck(L, bank < YM_BANKS, arg, "expected 0..63");
	return &check_streams(L)->streams.banks[bank];
}

/* streams:add_block(type, first, length) -> false when there are too many: bytes of the
** file, the first of them at a position from 1. Each byte may be in one block only. */
static int streams_add_block(lua_State *L) {
	const struct streams *streams = check_streams(L);
	struct ym_bank *bank = check_bank(L, 2);
	uint32_t first = check_u32(L, 3), length = check_u32(L, 4);
	struct ym_error error;
	bool added;
	luaL_argcheck(L, first >= 1 && first - 1 <= streams->size, 3, "outside the file");
	luaL_argcheck(L, length <= streams->size - (first - 1), 4, "outside the file");
	luaL_argcheck(L, length <= streams->size - bank->size, 4,
	              "more bytes than the file has");
	if (ym_bank_add(bank, first - 1, length, &added, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushboolean(L, added);
	return 1;
}

/* streams:sample(type, offset) -> a byte of the bank, from 0; nil: outside it */
static int streams_sample(lua_State *L) {
	const struct streams *streams = check_streams(L);
	int64_t at = ym_bank_find(check_bank(L, 2), luaL_checkinteger(L, 3));
	if (at < 0)
		return 0;
	lua_pushinteger(L, (unsigned char)streams->file[at]);
	return 1;
}

/* streams:set_up(id, chip, port, register): a new stream, for this chip only */
static int streams_set_up(lua_State *L) {
	ym_streams_set_up(&check_streams(L)->streams, check_byte(L, 2), check_byte(L, 3),
	                  check_byte(L, 4), check_byte(L, 5));
	return 0;
}

/* streams:set_data(id, type, step, base): what it plays, how far its samples are apart, and
** where the first of them is */
static int streams_set_data(lua_State *L) {
	ym_streams_set_data(&check_streams(L)->streams, check_byte(L, 2), check_byte(L, 3),
	                    check_byte(L, 4), check_byte(L, 5));
	return 0;
}

/* streams:set_frequency(id, frequency): in Hz */
static int streams_set_frequency(lua_State *L) {
	ym_streams_set_frequency(&check_streams(L)->streams, check_byte(L, 2),
	                         check_u32(L, 3));
	return 0;
}

/* streams:start(id, start, flags, length, tick): from an offset in the bank on */
static int streams_start(lua_State *L) {
	ym_streams_start(&check_streams(L)->streams, check_byte(L, 2), check_u32(L, 3),
	                 check_byte(L, 4), check_u32(L, 5), check_tick(L, 6, whole));
	return 0;
}

/* streams:start_block(id, block, flags, tick): a block of the bank, from 0 */
static int streams_start_block(lua_State *L) {
	struct streams *streams = check_streams(L);
	uint32_t block = check_u32(L, 3);
	luaL_argcheck(L, block < YM_BANK_BLOCKS, 3, "expected 0..65535");
	ym_streams_start_block(&streams->streams, check_byte(L, 2), (int)block,
	                       check_byte(L, 4), check_tick(L, 5, whole));
	return 0;
}

/* streams:stop(id): a stream, or with 255 all of them */
static int streams_stop(lua_State *L) {
	ym_streams_stop(&check_streams(L)->streams, check_byte(L, 2));
	return 0;
}

/* streams:advance(before, writes): gathers the samples that are due before a tick */
static int streams_advance(lua_State *L) {
	struct streams *streams = check_streams(L);
	ym_streams_advance(&streams->streams, (const uint8_t *)streams->file,
	                   check_tick(L, 2, latest), check_writes(L, 3));
	return 0;
}

static const luaL_Reg writes_methods[] = {
	{"add", writes_add},
	{"count", writes_count},
	{"clear", writes_clear},
	{NULL, NULL},
};
static const luaL_Reg writes_metamethods[] = {{NULL, NULL}};

static const luaL_Reg functions[] = {
	{"writes", writes_new}, {"streams", streams_new}, {NULL, NULL}};
static const luaL_Reg streams_methods[] = {
	{"add_block", streams_add_block},
	{"sample", streams_sample},
	{"set_up", streams_set_up},
	{"set_data", streams_set_data},
	{"set_frequency", streams_set_frequency},
	{"start", streams_start},
	{"start_block", streams_start_block},
	{"stop", streams_stop},
	{"advance", streams_advance},
	{NULL, NULL},
};
static const luaL_Reg streams_metamethods[] = {
	{"__gc", streams_free}, {"__close", streams_free}, {NULL, NULL}};

void ym_open_streams(lua_State *L) {
	ym_new_class(L, WRITES, writes_methods, writes_metamethods);
	ym_new_class(L, STREAMS, streams_methods, streams_metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "vgm");
}

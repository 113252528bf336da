/*
** ym2612ml.mpi.core: what ym2612ml.mpi is made of. Tensors come from ym2612ml.core, whose
** class they have.
*/
#include <string.h>

#include "../lua_ym.h"
#include "ranks.h"

#define RANKS "ym2612ml.mpi.ranks"

__attribute__((visibility("default"))) int luaopen_ym2612ml_mpi_core(lua_State *L);

static struct ym_ranks *check_ranks(lua_State *L) {
	struct ym_ranks *ranks = luaL_checkudata(L, 1, RANKS);
	luaL_argcheck(L, ranks->running, 1, "the ranks were stopped");
	return ranks;
}

/* The memory of a contiguous tensor at arg. */
static struct ym_tensor *check_block(lua_State *L, int arg) {
	struct ym_tensor *tensor = luaL_checkudata(L, arg, YM_TENSOR);
	luaL_argcheck(L, ym_tensor_contiguous(tensor), arg, "not a contiguous tensor");
	return tensor;
}

static int check_rank(lua_State *L, int arg, const struct ym_ranks *ranks) {
	lua_Integer rank = luaL_checkinteger(L, arg);
	luaL_argcheck(L, rank >= 0 && rank < ranks->size, arg, "no such rank");
	return (int)rank;
}

/* Pushes true, or nil, message, kind. */
static int push_done(lua_State *L, enum ym_status status,
                     const struct ym_error *error) {
	if (status != YM_OK)
		return ym_push_failure(L, error);
	lua_pushboolean(L, true);
	return 1;
}

/* start() -> ranks; or nil, message, kind */
static int mpi_start(lua_State *L) {
	struct ym_ranks *ranks = lua_newuserdatauv(L, sizeof *ranks, 0);
	struct ym_error error;
	memset(ranks, 0, sizeof *ranks);
	luaL_setmetatable(L, RANKS);
	if (ym_ranks_start(ranks, &error) != YM_OK)
		return ym_push_failure(L, &error);
	return 1;
}

/* ranks:stop() -> true. Of ranks that were stopped nothing happens. */
static int ranks_stop(lua_State *L) {
	struct ym_ranks *ranks = luaL_checkudata(L, 1, RANKS);
	struct ym_error error;
	enum ym_status status = ranks->running ? ym_ranks_stop(ranks, &error) : YM_OK;
	return push_done(L, status, &error);
}

/* ranks:place() -> rank, size, ranks on this machine, processors for this one */
static int ranks_place(lua_State *L) {
	const struct ym_ranks *ranks = check_ranks(L);
	lua_pushinteger(L, ranks->rank);
	lua_pushinteger(L, ranks->size);
	lua_pushinteger(L, ranks->neighbours);
	lua_pushinteger(L, ym_ranks_processors());
	return 4;
}

/* ranks:abort(status) */
static int ranks_abort(lua_State *L) {
	ym_ranks_abort(check_ranks(L), (int)luaL_checkinteger(L, 2));
	return 0;
}

/* ranks:barrier() -> true */
static int ranks_barrier(lua_State *L) {
	struct ym_error error;
	return push_done(L, ym_ranks_barrier(check_ranks(L), &error), &error);
}

/* A time to wait at arg: no longer than a step may take. */
static double check_seconds(lua_State *L, int arg) {
	double seconds = luaL_checknumber(L, arg);
	luaL_argcheck(L, seconds >= 0 && seconds <= 1, arg, "expected 0..1 seconds");
	return seconds;
}

/* Whether all ranks are to leave, told at arg, or to work. */
static enum ym_purpose purpose_at(lua_State *L, int arg) {
	return lua_toboolean(L, arg) ? YM_LEAVE : YM_WORK;
}

/* ranks:meet(seconds, leaving) -> whether all ranks have called it in that time, with the
** same `leaving` */
static int ranks_meet(lua_State *L) {
	struct ym_ranks *ranks = check_ranks(L);
	double seconds = check_seconds(L, 2);
	struct ym_error error;
	bool met;
	if (ym_ranks_meet(ranks, purpose_at(L, 3), seconds, &met, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushboolean(L, met);
	return 1;
}

/* ranks:broadcast(tensor, root) -> true */
static int ranks_broadcast(lua_State *L) {
	struct ym_ranks *ranks = check_ranks(L);
	struct ym_tensor *tensor = check_block(L, 2);
	size_t bytes = ym_tensor_count(tensor) * ym_type_size(tensor->type);
	struct ym_error error;
	return push_done(
		L,
		ym_ranks_broadcast(ranks, tensor->data, bytes, check_rank(L, 3, ranks), &error),
		&error);
}

/* Reads a list of `count` whole numbers 0 or more at arg, which lie on the stack then. */
static int64_t *read_list(lua_State *L, int arg, size_t count) {
	int64_t *list;
	luaL_checktype(L, arg, LUA_TTABLE);
	luaL_argcheck(L, lua_rawlen(L, arg) == count, arg, "has another length");
	list = lua_newuserdatauv(L, (count + 1) * sizeof *list, 0);
	for (size_t at = 0; at < count; at++) {
		int whole;
		lua_rawgeti(L, arg, (lua_Integer)at + 1);
		list[at] = lua_tointegerx(L, -1, &whole);
		lua_pop(L, 1);
		luaL_argcheck(L, whole && list[at] >= 0, arg, "holds no whole number");
	}
	return list;
}

/* The same where numbers begin with 0, do not fall, and end at `end`. */
static int64_t *read_starts(lua_State *L, int arg, const struct ym_ranks *ranks,
                            size_t end) {
	size_t count = (size_t)ranks->size;
	int64_t *starts = read_list(L, arg, count + 1);
	bool good = starts[0] == 0 && starts[count] == (int64_t)end;
	for (size_t at = 0; at < count; at++)
		good = good && starts[at] <= starts[at + 1];
	luaL_argcheck(L, good, arg, "does not cut it");
	return starts;
}

/* ranks:join(tensor, starts) -> true: of a tensor, rows starts[r + 1] (from 0) to below
** starts[r + 2] of each rank r become those of all */
static int ranks_join(lua_State *L) {
	struct ym_ranks *ranks = check_ranks(L);
	struct ym_tensor *tensor = check_block(L, 2);
	size_t rows = tensor->shape[0], count = ym_tensor_count(tensor);
	const int64_t *starts = read_starts(L, 3, ranks, rows);
	size_t size = rows == 0 ? 1 : count / rows * ym_type_size(tensor->type);
	struct ym_error error;
	return push_done(
		L, ym_ranks_join(ranks, YM_WORK, tensor->data, size, starts, &error), &error);
}

/* ranks:exchange(rows, parts, starts, columns) -> true. rows: f32 (parts, width), or nil
** where this rank has none; columns: f32 (all parts, own width), to be filled. See
** ym_ranks_exchange. */
static int ranks_exchange(lua_State *L) {
	struct ym_ranks *ranks = check_ranks(L);
	const struct ym_tensor *rows = lua_isnil(L, 2) ? NULL : check_block(L, 2);
	struct ym_tensor *columns = check_block(L, 5);
	size_t size = (size_t)ranks->size, all = 0, own;
	const int64_t *parts = read_list(L, 3, size), *starts = read_list(L, 4, size + 1);
	struct ym_error error;
	for (size_t rank = 0; rank < size; rank++)
		all += (size_t)parts[rank];
	read_starts(L, 4, ranks, (size_t)starts[size]);
	own = (size_t)(starts[ranks->rank + 1] - starts[ranks->rank]);
	luaL_argcheck(L, columns->type == YM_F32 && ym_tensor_count(columns) == all * own,
	              5, "has another shape");
	luaL_argcheck(L,
	              rows == NULL
	                  ? parts[ranks->rank] == 0
	                  : rows->type == YM_F32 &&
	                        ym_tensor_count(rows) ==
	                            (size_t)parts[ranks->rank] * (size_t)starts[size],
	              2, "has another shape");
	return push_done(L,
	                 ym_ranks_exchange(ranks, rows == NULL ? NULL : rows->data, parts,
	                                   starts, columns->data, &error),
	                 &error);
}

/* ranks:sum(tensor, starts) -> true: every element of an f32 tensor becomes its sum over
** all ranks */
static int ranks_sum(lua_State *L) {
	struct ym_ranks *ranks = check_ranks(L);
	struct ym_tensor *tensor = check_block(L, 2);
	const int64_t *starts = read_starts(L, 3, ranks, ym_tensor_count(tensor));
	struct ym_error error;
	luaL_argcheck(L, tensor->type == YM_F32, 2, "expected a tensor of f32");
	return push_done(L, ym_ranks_sum(ranks, tensor->data, starts, &error), &error);
}

/* ranks:gather(bytes, leaving) -> list of what all ranks gave, in their order, that called
** it with the same `leaving` */
static int ranks_gather(lua_State *L) {
	struct ym_ranks *ranks = check_ranks(L);
	size_t own, size = (size_t)ranks->size;
	const char *bytes = luaL_checklstring(L, 2, &own);
	enum ym_purpose purpose = purpose_at(L, 3);
	int64_t *lengths = lua_newuserdatauv(L, size * sizeof *lengths, 0);
	int64_t *starts = lua_newuserdatauv(L, (size + 1) * sizeof *starts, 0);
	struct ym_error error;
	char *block;
	if (ym_ranks_gather_number(ranks, purpose, (int64_t)own, lengths, &error) != YM_OK)
		return ym_push_failure(L, &error);
	starts[0] = 0;
	for (size_t rank = 0; rank < size; rank++)
		starts[rank + 1] = starts[rank] + lengths[rank];
	block = lua_newuserdatauv(L, (size_t)starts[size] + 1, 0);
	memcpy(block + starts[ranks->rank], bytes, own);
	if (ym_ranks_join(ranks, purpose, block, 1, starts, &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_createtable(L, ranks->size, 0);
	for (size_t rank = 0; rank < size; rank++) {
		lua_pushlstring(L, block + starts[rank], (size_t)lengths[rank]);
		lua_rawseti(L, -2, (lua_Integer)rank + 1);
	}
	return 1;
}

/* ranks:send(rank, bytes) -> true */
static int ranks_send(lua_State *L) {
	struct ym_ranks *ranks = check_ranks(L);
	int to = check_rank(L, 2, ranks);
	size_t count;
	const char *bytes = luaL_checklstring(L, 3, &count);
	struct ym_error error;
	return push_done(L, ym_ranks_send(ranks, to, bytes, count, &error), &error);
}

/* ranks:receive(seconds) -> rank, bytes; false when nothing came in that time */
static int ranks_receive(lua_State *L) {
	struct ym_ranks *ranks = check_ranks(L);
	double seconds = check_seconds(L, 2);
	struct ym_letter letter;
	struct ym_error error;
	bool found;
	luaL_Buffer buffer;
	if (ym_ranks_wait(ranks, seconds, &found, &letter, &error) != YM_OK)
		return ym_push_failure(L, &error);
	if (!found) {
		lua_pushboolean(L, false);
		return 1;
	}
	lua_pushinteger(L, letter.from);
	if (ym_ranks_open(&letter, luaL_buffinitsize(L, &buffer, letter.count + 1),
	                  &error) != YM_OK)
		return ym_push_failure(L, &error);
	luaL_pushresultsize(&buffer, letter.count);
	return 2;
}

static const luaL_Reg functions[] = {{"start", mpi_start}, {NULL, NULL}};

static const luaL_Reg methods[] = {
	{"stop", ranks_stop},
	{"place", ranks_place},
	{"abort", ranks_abort},
	{"barrier", ranks_barrier},
	{"meet", ranks_meet},
	{"sum", ranks_sum},
	{"broadcast", ranks_broadcast},
	{"join", ranks_join},
	{"exchange", ranks_exchange},
	{"gather", ranks_gather},
	{"send", ranks_send},
	{"receive", ranks_receive},
	{NULL, NULL},
};

int luaopen_ym2612ml_mpi_core(lua_State *L) {
	luaL_checkversion(L);
	luaL_newmetatable(L, RANKS);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}

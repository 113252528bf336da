/*
** core.nn: training runs of which this process computes a share of the minibatch: what
** ym2612ml.nn.sharing calls in turn, moving what processes tell each other between the
** calls. Counts of pieces are of the optimiser (optim.h).
*/
#include <math.h>
#include <string.h>

#include "lua_nn.h"

/* Pushes a view of memory of the run: (rows, width) floats, or with rows 0 a vector. */
static void push_block(lua_State *L, float *memory, size_t rows, size_t width) {
	struct ym_tensor view;
	const size_t shape[2] = {rows, width};
	ym_tensor_shape(&view, YM_F32, rows == 0 ? 1 : 2, rows == 0 ? shape + 1 : shape);
	view.data = memory;
	lua_getiuservalue(L, 1, YM_GRAPH_WORK);
	ym_push_view(L, lua_gettop(L), &view);
	lua_remove(L, -2);
}

/* The graph of a run that was begun. */
static struct ym_graph *check_begun(lua_State *L) {
	const struct ym_graph_box *box = ym_check_graph(L);
	luaL_argcheck(L, box->begun > 0, 1, "the last run was not a shared one");
	return box->graph;
}

/* A whole number 0..most at arg. */
static size_t check_count(lua_State *L, int arg, size_t most) {
	lua_Integer count = luaL_checkinteger(L, arg);
	luaL_argcheck(L, count >= 0 && (size_t)count <= most, arg, "out of range");
	return (size_t)count;
}

/* parts(rows) -> in how many parts a minibatch of so many rows is trained on */
static int nn_parts(lua_State *L) {
	lua_Integer parts = (lua_Integer)ym_graph_parts(check_count(L, 1, SIZE_MAX >> 1));
	lua_pushinteger(L, parts);
	return 1;
}

/* rows(rows, first, count) -> the first row of the parts first (from 0) .. first + count
** - 1, from 1, and how many rows they are */
static int nn_rows(lua_State *L) {
	struct ym_share share = {.rows = check_count(L, 1, SIZE_MAX >> 1)};
	size_t parts = ym_graph_parts(share.rows), first, rows;
	share.first = check_count(L, 2, parts);
	share.count = check_count(L, 3, parts - share.first);
	rows = ym_share_rows(&share, &first);
	lua_pushinteger(L, (lua_Integer)first + 1);
	lua_pushinteger(L, (lua_Integer)rows);
	return 2;
}

/* blocks(first, count) -> how many rows of partials the parts first (from 0) .. first +
** count - 1 amount to */
static int nn_blocks(lua_State *L) {
	size_t most = ym_graph_parts(SIZE_MAX >> 1);
	struct ym_share share = {.first = check_count(L, 1, most)};
	share.count = check_count(L, 2, most - share.first);
	lua_pushinteger(L, (lua_Integer)ym_share_blocks(&share));
	return 1;
}

/* graph:begin(feeds, order, first, count, draw, rows, part, parts) -> true. The rows fed
** are those of the parts part (from 0) .. part + parts - 1 of a minibatch of `rows`. */
static int graph_begin(lua_State *L) {
	struct ym_graph_box *box = ym_check_graph(L);
	uint64_t draw = (uint64_t)luaL_checkinteger(L, 6);
	struct ym_extent extent = {.training = true, .apart = true};
	struct ym_rows rows;
	struct ym_error error;
	size_t parts;
	extent.share.rows = check_count(L, 7, SIZE_MAX >> 1);
	parts = ym_graph_parts(extent.share.rows);
	extent.share.first = check_count(L, 8, parts);
	extent.share.count = check_count(L, 9, parts - extent.share.first);
	lua_settop(L, 9);
	if (ym_read_rows(L, 2, &rows, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	extent.rows = rows.rows;
	extent.threads = ym_pool_threads(ym_state_pool(L));
	ym_reserve_run(L, &extent);
	if (ym_graph_begin(box->graph, ym_state_pool(L), &rows, &extent.share, draw,
	                   &error) != YM_OK)
		return ym_push_outcome(L, &error);
	box->begun = extent.share.rows;
	box->parts = extent.share.count;
	box->blocks = ym_share_blocks(&extent.share);
	lua_pushboolean(L, true);
	return 1;
}

/* graph:advance() -> a list of blocks (minibatch, ...) of which the own rows are filled
** and all are needed to go on; nil when the parts are done */
static int graph_advance(lua_State *L) {
	const struct ym_graph_box *box = ym_check_graph(L);
	float *blocks[2];
	size_t row[2];
	int count = ym_graph_advance(check_begun(L), ym_state_pool(L), blocks, row);
	if (count == 0)
		return 0;
	lua_createtable(L, count, 0);
	for (int which = 0; which < count; which++) {
		push_block(L, blocks[which], box->begun, row[which]);
		lua_rawseti(L, -2, which + 1);
	}
	return 1;
}

/* graph:slopes() -> partials (blocks, summed): the gradients of the own parts, or nil
** without any; gradients (summed), which are to become the sums of all parts */
static int graph_slopes(lua_State *L) {
	struct ym_graph *graph = check_begun(L);
	size_t blocks = ym_check_graph(L)->blocks, width = ym_graph_summed(graph);
	ym_graph_slopes(graph, ym_state_pool(L));
	if (blocks > 0)
		push_block(L, ym_graph_partials(graph), blocks, width);
	else
		lua_pushnil(L);
	push_block(L, ym_graph_gradients(graph), 0, width);
	return 2;
}

/* graph:sum(columns, starts, first): the gradients from number first (0) on become the sums
** of the columns, f32 (all blocks, columns); starts: the part, from 0, that each process
** begins with, and how many there are */
static int graph_sum(lua_State *L) {
	struct ym_graph *graph = check_begun(L);
	struct ym_tensor *columns = ym_check_tensor(L, 2);
	size_t width = ym_graph_summed(graph), first = check_count(L, 4, width), rows = 0;
	size_t shares, *starts;
	luaL_checktype(L, 3, LUA_TTABLE);
	shares = lua_rawlen(L, 3);
	starts = lua_newuserdatauv(L, (shares + 1) * sizeof *starts, 0);
	for (size_t share = 0; share < shares; share++) {
		lua_rawgeti(L, 3, (lua_Integer)share + 1);
		starts[share] = check_count(L, -1, ym_graph_parts(ym_check_graph(L)->begun));
		lua_pop(L, 1);
		luaL_argcheck(L, share == 0 || starts[share] >= starts[share - 1], 3, "falls");
	}
	for (size_t share = 0; share + 1 < shares; share++) {
		struct ym_share own = {.first = starts[share]};
		own.count = starts[share + 1] - starts[share];
		rows += ym_share_blocks(&own);
	}
	luaL_argcheck(L,
	              columns->type == YM_F32 && columns->rank == 2 && rows > 0 &&
	                  ym_tensor_contiguous(columns) && columns->shape[0] == rows &&
	                  columns->shape[1] <= width - first,
	              2, "has another shape");
	ym_graph_sum(graph, columns->data, starts, shares - 1, first, columns->shape[1]);
	return 0;
}

/* The optimizer at arg, which must be one of this graph. */
static struct ym_optim *check_optim(lua_State *L, int arg,
                                    const struct ym_graph *graph) {
	struct ym_optim *optim = luaL_checkudata(L, arg, YM_OPTIM);
	luaL_argcheck(L, optim->count == ym_graph_parameters(graph), arg,
	              "made for another network");
	return optim;
}

/* graph:settle(optimizer, first, count) -> the losses of the own parts, the sums of squared
** gradients of so many pieces from number first (0) on, both as strings of doubles; or nil,
** message, kind */
static int graph_settle(lua_State *L) {
	struct ym_graph *graph = check_begun(L);
	const struct ym_optim *optim = check_optim(L, 2, graph);
	size_t parts = ym_check_graph(L)->parts, pieces = ym_optim_pieces(optim);
	size_t first = check_count(L, 3, pieces);
	size_t count = check_count(L, 4, pieces - first);
	double *losses = lua_newuserdatauv(L, (parts + 1) * sizeof *losses, 0);
	double *squares = lua_newuserdatauv(L, (count + 1) * sizeof *squares, 0);
	struct ym_error error;
	if (ym_graph_settle(graph, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	for (size_t own = 0; own < parts; own++)
		losses[own] = ym_graph_part_loss(graph, own);
	ym_optim_squares(optim, ym_state_pool(L), ym_graph_gradients(graph), first, count,
	                 squares);
	lua_pushlstring(L, (const char *)losses, parts * sizeof *losses);
	lua_pushlstring(L, (const char *)squares, count * sizeof *squares);
	return 2;
}

/* The doubles of the string at arg, whose memory is left on the stack. */
static double *read_numbers(lua_State *L, int arg, size_t *count) {
	size_t bytes;
	const char *text = luaL_checklstring(L, arg, &bytes);
	double *numbers = lua_newuserdatauv(L, bytes + 1, 0);
	memcpy(numbers, text, bytes);
	*count = bytes / sizeof *numbers;
	return numbers;
}

/* graph:take(optimizer, losses, squares, first, count) -> loss, norm of the gradient, after
** the step was taken for these pieces and for the states; losses, squares: of all parts
** and pieces, as from settle. Nothing changes when loss or norm is not finite. */
static int graph_take(lua_State *L) {
	struct ym_graph *graph = check_begun(L);
	struct ym_optim *optim = check_optim(L, 2, graph);
	size_t parts, pieces, first, count;
	const double *losses = read_numbers(L, 3, &parts);
	const double *squares = read_numbers(L, 4, &pieces);
	struct ym_error error;
	double loss = ym_graph_mean_loss(graph, losses, parts), norm;
	luaL_argcheck(L, pieces == ym_optim_pieces(optim), 4, "not one number a piece");
	first = check_count(L, 5, pieces);
	count = check_count(L, 6, pieces - first);
	if (!isfinite(loss)) {
		ym_fail(&error, YM_DIVERGED, "the loss is not finite");
		return ym_push_outcome(L, &error);
	}
	if (ym_optim_norm(optim, squares, &norm, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	lua_getiuservalue(L, 1, YM_GRAPH_WEIGHTS);
	ym_optim_update(optim, ym_state_pool(L), ym_check_tensor(L, -1)->data,
	                ym_graph_gradients(graph), norm, first, count);
	ym_graph_learn(graph);
	lua_pushnumber(L, loss);
	lua_pushnumber(L, norm);
	return 2;
}

/* pieces(optimizer) -> how many pieces, and parameters of a whole piece */
static int nn_pieces(lua_State *L) {
	const struct ym_optim *optim = luaL_checkudata(L, 1, YM_OPTIM);
	lua_pushinteger(L, (lua_Integer)ym_optim_pieces(optim));
	lua_pushinteger(L, YM_PIECE);
	return 2;
}

static const luaL_Reg functions[] = {
	{"parts", nn_parts},   {"rows", nn_rows}, {"blocks", nn_blocks},
	{"pieces", nn_pieces}, {NULL, NULL},
};

static const luaL_Reg methods[] = {
	{"begin", graph_begin}, {"advance", graph_advance}, {"slopes", graph_slopes},
	{"sum", graph_sum},     {"settle", graph_settle},   {"take", graph_take},
	{NULL, NULL},
};

void ym_add_sharing(lua_State *L) {
	luaL_setfuncs(L, functions, 0);
	luaL_getmetatable(L, YM_GRAPH);
	lua_getfield(L, -1, "__index");
	luaL_setfuncs(L, methods, 0);
	lua_pop(L, 2);
}

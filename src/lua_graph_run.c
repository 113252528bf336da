/*
** core.nn: running the graphs that lua_graph.c records. The first arguments of every
** run are the same: see read_rows.
*/
#include <math.h>
#include <string.h>

#include "lua_nn.h"

/* Rows of a forward run are taken in chunks that need at most this many floats. */
enum { CHUNK_FLOATS = 1 << 24, CHUNK_ROWS = 1024 };

void ym_reserve_run(lua_State *L, const struct ym_extent *extent) {
	struct ym_graph_box *box = ym_check_graph(L);
	size_t need = ym_graph_measure(box->graph, extent);
	float *memory;
	box->learned = box->begun = box->parts = box->blocks = 0;
	if (need == 0)
		ym_raise_no_memory(L);
	if (need > box->work) {
		lua_pushnil(L); /* lets the collector have the old one first */
		lua_setiuservalue(L, 1, YM_GRAPH_WORK);
		box->work = 0;
		memory = ym_push_vector(L, need);
		lua_setiuservalue(L, 1, YM_GRAPH_WORK);
		box->work = need;
	} else {
		lua_getiuservalue(L, 1, YM_GRAPH_WORK);
		memory = ym_check_tensor(L, -1)->data;
		lua_pop(L, 1);
	}
	ym_graph_place(box->graph, extent, memory);
	ym_graph_level(box->graph, ym_state_simd(L));
}

enum ym_status ym_read_rows(lua_State *L, int arg, struct ym_rows *rows,
                            struct ym_error *error) {
	struct ym_graph *graph = ym_check_finished(L);
	size_t height = SIZE_MAX;
	lua_Integer first, count;
	ym_graph_unfeed(graph);
	luaL_checktype(L, arg, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
		int input = ym_check_node(L, -2, graph);
		const struct ym_tensor *tensor = luaL_testudata(L, -1, YM_TENSOR);
		enum ym_status status;
		const char *name;
		if (ym_graph_leaf(graph, input, &name) != YM_LEAF_INPUT)
			return ym_fail(error, YM_ARGUMENT, "node %d is no input", input + 1);
		if (tensor == NULL)
			return ym_fail(error, YM_ARGUMENT, "input '%.60s' is no tensor", name);
		status = ym_graph_feed(graph, input, tensor, error);
		if (status != YM_OK)
			return status;
		if (height != SIZE_MAX && tensor->shape[0] != height)
			return ym_fail(error, YM_ARGUMENT,
			               "the inputs have different numbers of rows, %zu and %zu",
			               height, tensor->shape[0]);
		height = tensor->shape[0];
	}
	*rows = (struct ym_rows){.rows = height == SIZE_MAX ? 0 : height};
	if (!lua_isnoneornil(L, arg + 1)) {
		const struct ym_tensor *order = luaL_testudata(L, arg + 1, YM_TENSOR);
		if (order == NULL || order->type != YM_I32 || order->rank != 1 ||
		    !ym_tensor_contiguous(order))
			return ym_fail(error, YM_ARGUMENT,
			               "option 'order' must be a contiguous tensor of i32, rank 1");
		rows->order = order->data;
		rows->rows = order->shape[0];
	}
	first = luaL_optinteger(L, arg + 2, 1);
	luaL_argcheck(L, first >= 1, arg + 2, "rows are counted from 1");
	count = luaL_optinteger(L, arg + 3, (lua_Integer)rows->rows - first + 1);
	if (count < 0 || first - 1 > (lua_Integer)rows->rows - count) {
		lua_Integer last = count > LUA_MAXINTEGER - first ? LUA_MAXINTEGER
		                                                  : first + count - 1;
		return ym_fail(error, YM_ARGUMENT, "rows %lld..%lld are not all in 1..%zu",
		               (long long)first, (long long)last, rows->rows);
	}
	rows->rows = (size_t)count;
	if (rows->order != NULL)
		rows->order += first - 1;
	else
		rows->offset = (size_t)first - 1;
	return YM_OK;
}

/* How many rows a forward run takes at once. */
static size_t chunk_rows(struct ym_graph *graph) {
	const struct ym_extent extent = {.rows = CHUNK_ROWS};
	size_t need = ym_graph_measure(graph, &extent);
	size_t rows = need == 0 ? 1 : CHUNK_FLOATS / (need / CHUNK_ROWS + 1);
	return rows < 4 ? 4 : rows > CHUNK_ROWS ? CHUNK_ROWS : rows;
}

/* Pushes a zeroed tensor for a node's value: (rows, ...) when it is batched. */
static void push_result(lua_State *L, const struct ym_graph *graph, int index,
                        size_t rows) {
	size_t shape[YM_RANK] = {1}, full[YM_RANK + 1] = {rows, 1};
	bool batched;
	int rank = ym_graph_shape(graph, index, shape, &batched);
	memcpy(full + 1, shape, (size_t)rank * sizeof *shape);
	if (batched)
		ym_push_tensor(L, YM_F32, rank + 1, full);
	else
		ym_push_tensor(L, YM_F32, rank == 0 ? 1 : rank, shape);
}

/* Runs forward over all rows, chunk by chunk. Copies each node's value to the tensor
** at stack index results + (its place), or with results 0 sums the one node. */
static enum ym_status run_chunks(lua_State *L, const struct ym_rows *rows,
                                 const int *nodes, int count, int results, double *sum,
                                 struct ym_error *error) {
	struct ym_graph *graph = ym_check_graph(L)->graph;
	struct ym_pool *pool = ym_state_pool(L);
	size_t most = chunk_rows(graph), done = 0;
	do { /* also without rows: nodes that are not batched have a value all the same */
		struct ym_rows chunk = *rows;
		enum ym_status status;
		chunk.rows = rows->rows - done < most ? rows->rows - done : most;
		chunk.offset += done;
		if (chunk.order != NULL)
			chunk.order += done;
		ym_reserve_run(L, &(struct ym_extent){.rows = chunk.rows});
		status = ym_graph_forward(graph, pool, &chunk, nodes, count, error);
		if (status != YM_OK)
			return status;
		for (int which = 0; which < count; which++) {
			size_t row, shape[YM_RANK];
			bool batched;
			const float *value = ym_graph_value(graph, nodes[which], &row);
			ym_graph_shape(graph, nodes[which], shape, &batched);
			if (results > 0) {
				float *to = ym_check_tensor(L, results + which)->data;
				memcpy(to + (batched ? done * row : 0), value,
				       (batched ? chunk.rows : 1) * row * sizeof *to);
			}
			for (size_t at = 0; results == 0 && at < chunk.rows * row; at++)
				*sum += (double)value[at];
		}
		done += most;
	} while (done < rows->rows);
	return YM_OK;
}

/* graph:forward(feeds, order, first, count, nodes) -> table of tensors, at the
** places of nodes (a list); a node that the inputs do not suffice for is left out */
static int graph_forward(lua_State *L) {
	struct ym_graph *graph = ym_check_graph(L)->graph;
	int total, count = 0, *nodes, *places;
	struct ym_rows rows;
	struct ym_error error;
	lua_settop(L, 6);
	luaL_checktype(L, 6, LUA_TTABLE);
	if (ym_read_rows(L, 2, &rows, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	total = (int)lua_rawlen(L, 6);
	nodes = lua_newuserdatauv(L, ((size_t)total + 1) * 2 * sizeof *nodes, 0);
	places = nodes + total + 1;
	ym_need_stack(L, total + 8);
	for (int which = 0; which < total; which++) {
		int index;
		lua_rawgeti(L, 6, which + 1);
		index = ym_check_node(L, -1, graph);
		lua_pop(L, 1);
		if (!ym_graph_ready(graph, index))
			continue;
		push_result(L, graph, index, rows.rows);
		nodes[count] = index;
		places[count++] = which + 1;
	}
	if (run_chunks(L, &rows, nodes, count, 8, NULL, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	lua_createtable(L, total, 0);
	for (int which = 0; which < count; which++) {
		lua_pushvalue(L, 8 + which);
		lua_rawseti(L, -2, places[which]);
	}
	return 1;
}

/* graph:evaluate(feeds, order, first, count, loss) -> mean of the loss over the rows,
** without dropout and without learning */
static int graph_evaluate(lua_State *L) {
	struct ym_graph *graph = ym_check_graph(L)->graph;
	struct ym_rows rows;
	struct ym_error error = {.status = YM_OK};
	double sum = 0;
	int loss;
	size_t row, shape[YM_RANK];
	bool batched;
	lua_settop(L, 6);
	loss = ym_check_node(L, 6, graph);
	ym_graph_shape(graph, loss, shape, &batched);
	luaL_argcheck(L, batched, 6, "a node that depends on no input");
	if (ym_read_rows(L, 2, &rows, &error) == YM_OK && rows.rows == 0)
		ym_fail(&error, YM_ARGUMENT, "there are no rows");
	if (error.status != YM_OK ||
	    run_chunks(L, &rows, &loss, 1, 0, &sum, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	ym_graph_value(graph, loss, &row);
	lua_pushnumber(L, sum / ((double)rows.rows * (double)row));
	return 1;
}

/* What graph:backward and graph:step begin with; up to draw their arguments are the
** same. */
static enum ym_status run_backward(lua_State *L, double *loss, struct ym_error *error) {
	struct ym_graph_box *box = ym_check_graph(L);
	uint64_t draw = (uint64_t)luaL_checkinteger(L, 6);
	struct ym_extent extent = {.training = true};
	struct ym_rows rows;
	enum ym_status status = ym_read_rows(L, 2, &rows, error);
	if (status != YM_OK)
		return status;
	extent.rows = extent.share.rows = rows.rows;
	extent.share.count = ym_graph_parts(rows.rows);
	extent.threads = ym_pool_threads(ym_state_pool(L));
	ym_reserve_run(L, &extent);
	status = ym_graph_backward(box->graph, ym_state_pool(L), &rows, draw, loss, error);
	if (status == YM_OK)
		box->learned = rows.rows;
	return status;
}

/* graph:backward(feeds, order, first, count, draw) -> loss. Then graph:gradient(node)
** gives gradients, until the next run. */
static int graph_backward(lua_State *L) {
	struct ym_error error;
	double loss;
	lua_settop(L, 6);
	if (run_backward(L, &loss, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	lua_pushnumber(L, loss);
	return 1;
}

/* graph:gradient(node) -> copy of its gradient in the last run, which must have been
** backward: (rows of that run, ...) when it is batched. nil when it has none. */
static int graph_gradient(lua_State *L) {
	const struct ym_graph_box *box = ym_check_graph(L);
	int index = ym_check_node(L, 2, box->graph);
	const float *gradient = ym_graph_gradient(box->graph, index);
	struct ym_tensor *copy;
	luaL_argcheck(L, box->learned > 0, 1, "the last run was not backward");
	if (gradient == NULL)
		return 0;
	push_result(L, box->graph, index, box->learned);
	copy = ym_check_tensor(L, -1);
	memcpy(copy->data, gradient, ym_tensor_count(copy) * sizeof *gradient);
	return 1;
}

/* graph:step(feeds, order, first, count, draw, optimizer) -> loss, norm of the
** gradient. Nothing changes when either is not finite. */
static int graph_step(lua_State *L) {
	struct ym_graph *graph = ym_check_finished(L);
	struct ym_optim *optim = luaL_checkudata(L, 7, YM_OPTIM);
	struct ym_error error;
	struct ym_tensor *weights;
	double loss, norm;
	lua_settop(L, 7);
	luaL_argcheck(L, optim->count == ym_graph_parameters(graph), 7,
	              "made for another network");
	if (run_backward(L, &loss, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	if (!isfinite(loss)) {
		ym_fail(&error, YM_DIVERGED, "the loss is not finite");
		return ym_push_outcome(L, &error);
	}
	lua_getiuservalue(L, 1, YM_GRAPH_WEIGHTS);
	weights = ym_check_tensor(L, -1);
	if (ym_optim_step(optim, ym_state_pool(L), weights->data, ym_graph_gradients(graph),
	                  &norm, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	ym_graph_learn(graph);
	lua_pushnumber(L, loss);
	lua_pushnumber(L, norm);
	return 2;
}

static const luaL_Reg run_methods[] = {
	{"forward", graph_forward},   {"evaluate", graph_evaluate},
	{"backward", graph_backward}, {"gradient", graph_gradient},
	{"step", graph_step},         {NULL, NULL},
};

void ym_add_runs(lua_State *L) {
	luaL_getmetatable(L, YM_GRAPH);
	lua_getfield(L, -1, "__index");
	luaL_setfuncs(L, run_methods, 0);
	lua_pop(L, 2);
}

/*
** core.nn: what ym2612ml.nn is made of. Graphs and optimisers as userdata; nodes are
** numbers from 1. The memory of weights, runs and moments are tensors in the user
** values, so that the collector sees it.
**
** Misuse comes back as nil, message, "argument" for ym2612ml.nn to raise at its own
** caller's line.
*/
#include <limits.h>
#include <math.h>
#include <string.h>

#include "lua_nn.h"
#include "rng.h"

enum { WEIGHTS = 1, WORK, GRAPH_VALUES = WORK }; /* user values of a graph */

/* Rows of a forward run are taken in chunks that need at most this many floats. */
enum { CHUNK_FLOATS = 1 << 24, CHUNK_ROWS = 1024 };

struct box {
	struct ym_graph *graph; /* first: lua_nn.h */
	size_t work;            /* floats in the work tensor */
};

/* Pushes a failure for ym2612ml.nn to judge: see the head of this file. */
static int push_outcome(lua_State *L, const struct ym_error *error) {
	if (error->status != YM_ARGUMENT)
		return ym_push_failure(L, error);
	luaL_pushfail(L);
	lua_pushstring(L, error->message);
	lua_pushliteral(L, "argument");
	return 3;
}

/* The graph is at stack index 1 in all methods. */
static struct box *check_box(lua_State *L) {
	return luaL_checkudata(L, 1, YM_GRAPH);
}

static struct ym_graph *check_graph(lua_State *L) {
	return check_box(L)->graph;
}

static int check_node(lua_State *L, int arg, const struct ym_graph *graph) {
	lua_Integer node = luaL_checkinteger(L, arg);
	luaL_argcheck(L, node >= 1 && node <= ym_graph_nodes(graph), arg, "no such node");
	return (int)node - 1;
}

/* new() -> graph */
static int graph_new(lua_State *L) {
	struct box *box = lua_newuserdatauv(L, sizeof *box, GRAPH_VALUES);
	memset(box, 0, sizeof *box);
	luaL_setmetatable(L, YM_GRAPH);
	box->graph = ym_graph_new();
	if (box->graph == NULL)
		return luaL_error(L, "not enough memory");
	return 1;
}

static int graph_gc(lua_State *L) {
	struct box *box = check_box(L);
	ym_graph_free(box->graph);
	box->graph = NULL;
	return 0;
}

/* Fills *setting from the key and value on top of the stack, which stay there, below
** any memory it needs; false when they are no setting. */
static bool read_setting(lua_State *L, struct ym_setting *setting) {
	int value = lua_gettop(L), type = lua_type(L, value);
	double *numbers;
	if (lua_type(L, value - 1) != LUA_TSTRING)
		return false;
	setting->name = lua_tostring(L, value - 1);
	setting->text = type == LUA_TSTRING ? lua_tostring(L, value) : NULL;
	setting->count = type == LUA_TTABLE ? lua_rawlen(L, value) : 1;
	if (setting->text != NULL)
		return true;
	numbers = lua_newuserdatauv(L, (setting->count + 1) * sizeof *numbers, 0);
	setting->numbers = numbers;
	for (size_t at = 0; at < setting->count; at++) {
		int number = 1;
		if (type == LUA_TTABLE)
			lua_rawgeti(L, value, (lua_Integer)at + 1);
		else if (type == LUA_TBOOLEAN)
			lua_pushinteger(L, lua_toboolean(L, value));
		else
			lua_pushvalue(L, value);
		numbers[at] = lua_tonumberx(L, -1, &number);
		lua_pop(L, 1);
		if (!number || !isfinite(numbers[at]))
			return false;
	}
	return true;
}

/* graph:add(operator, inputs, settings) -> node. Settings: name -> text, number,
** boolean or list of numbers. */
static int graph_add(lua_State *L) {
	enum { SETTINGS = 8 };
	struct ym_graph *graph = check_graph(L);
	const char *name = luaL_checkstring(L, 2);
	struct ym_setting settings[SETTINGS];
	int setting_count = 0, input_count, index, *inputs;
	struct ym_error error;
	lua_Integer source;
	luaL_checktype(L, 3, LUA_TTABLE);
	luaL_checktype(L, 4, LUA_TTABLE);
	input_count = (int)lua_rawlen(L, 3);
	inputs = lua_newuserdatauv(L, ((size_t)input_count + 1) * sizeof *inputs, 0);
	for (int input = 0; input < input_count; input++) {
		lua_rawgeti(L, 3, input + 1);
		source = lua_tointeger(L, -1); /* 0 for what is no number */
		inputs[input] = source >= 1 && source <= INT_MAX ? (int)source - 1 : -1;
		lua_pop(L, 1);
	}
	luaL_checkstack(L, 4 * SETTINGS, NULL);
	lua_pushnil(L);
	while (lua_next(L, 4) != 0) {
		int key = lua_gettop(L) - 1;
		if (setting_count == SETTINGS)
			return luaL_argerror(L, 4, "too many options");
		if (!read_setting(L, &settings[setting_count++])) {
			ym_fail(&error, YM_ARGUMENT,
			        "%s: an option is no text, finite number or list of such", name);
			return push_outcome(L, &error);
		}
		lua_pushvalue(L, key); /* lua_next goes on from it; the rest stays alive */
	}
	if (ym_graph_add(graph, name, inputs, input_count, settings, setting_count, &index,
	                 &error) != YM_OK)
		return push_outcome(L, &error);
	lua_pushinteger(L, index + 1);
	return 1;
}

/* graph:shape(node) -> list of sizes without the batch axis, batched */
static int graph_shape(lua_State *L) {
	struct ym_graph *graph = check_graph(L);
	size_t shape[YM_RANK];
	bool batched;
	int rank = ym_graph_shape(graph, check_node(L, 2, graph), shape, &batched);
	lua_createtable(L, rank, 0);
	for (int axis = 0; axis < rank; axis++) {
		lua_pushinteger(L, (lua_Integer)shape[axis]);
		lua_rawseti(L, -2, axis + 1);
	}
	lua_pushboolean(L, batched);
	return 2;
}

/* graph:finish([loss]) -> true. Gives the weights their memory, all zero. */
static int graph_finish(lua_State *L) {
	struct ym_graph *graph = check_graph(L);
	int loss = lua_isnoneornil(L, 2) ? -1 : check_node(L, 2, graph);
	struct ym_error error;
	if (ym_graph_finish(graph, loss, &error) != YM_OK)
		return push_outcome(L, &error);
	ym_graph_place_weights(graph, ym_push_vector(L, ym_graph_weights(graph)));
	lua_setiuservalue(L, 1, WEIGHTS);
	lua_pushboolean(L, true);
	return 1;
}

/* graph:initialise(seed): fills the parameters by their own settings. */
static int graph_initialise(lua_State *L) {
	ym_graph_initialise(check_graph(L), (uint64_t)luaL_checkinteger(L, 2));
	return 0;
}

/* graph:leaf(node) -> view of a parameter's or constant's memory, in its shape */
static int graph_leaf(lua_State *L) {
	struct ym_graph *graph = check_graph(L);
	int index = check_node(L, 2, graph), rank;
	size_t shape[YM_RANK], row;
	struct ym_tensor view;
	const char *name;
	bool batched;
	luaL_argcheck(L, ym_graph_leaf(graph, index, &name) >= YM_LEAF_PARAM, 2,
	              "not a parameter or constant");
	shape[0] = 1;
	rank = ym_graph_shape(graph, index, shape, &batched);
	ym_tensor_shape(&view, YM_F32, rank == 0 ? 1 : rank, shape);
	view.data = ym_graph_value(graph, index, &row);
	lua_getiuservalue(L, 1, WEIGHTS);
	ym_push_view(L, -1, &view);
	return 1;
}

/* graph:weights() -> view of all parameters as one vector (with gaps of zeros) */
static int graph_weights(lua_State *L) {
	struct ym_graph *graph = check_graph(L);
	struct ym_tensor view;
	lua_getiuservalue(L, 1, WEIGHTS);
	view = *ym_check_tensor(L, -1);
	view.shape[0] = ym_graph_parameters(graph);
	ym_push_view(L, -1, &view);
	return 1;
}

/* Makes room for a run, and lays the graph out in it. */
static void reserve(lua_State *L, size_t rows, bool training) {
	struct box *box = check_box(L);
	size_t need = ym_graph_measure(box->graph, rows, training);
	float *memory;
	if (need == 0)
		luaL_error(L, "not enough memory");
	if (need > box->work) {
		lua_pushnil(L); /* lets the collector have the old one first */
		lua_setiuservalue(L, 1, WORK);
		box->work = 0;
		memory = ym_push_vector(L, need);
		lua_setiuservalue(L, 1, WORK);
		box->work = need;
	} else {
		lua_getiuservalue(L, 1, WORK);
		memory = ym_check_tensor(L, -1)->data;
		lua_pop(L, 1);
	}
	ym_graph_place(box->graph, rows, training, memory);
}

/* Feeds the graph from the table at arg (input node -> tensor), and finds the rows:
** order (an i32 tensor) at arg + 1 or nil, first (from 1) at arg + 2, count at arg + 3;
** without them all rows. */
static enum ym_status read_rows(lua_State *L, int arg, struct ym_rows *rows,
                                struct ym_error *error) {
	struct ym_graph *graph = check_graph(L);
	size_t height = SIZE_MAX;
	lua_Integer first, count;
	ym_graph_unfeed(graph);
	luaL_checktype(L, arg, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
		const struct ym_tensor *tensor = ym_check_tensor(L, -1);
		enum ym_status status = ym_graph_feed(graph, check_node(L, -2, graph), tensor,
		                                      error);
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
		const struct ym_tensor *order = ym_check_tensor(L, arg + 1);
		luaL_argcheck(
			L, order->type == YM_I32 && order->rank == 1 && ym_tensor_contiguous(order),
			arg + 1, "expected a tensor of i32, rank 1");
		rows->order = order->data;
		rows->rows = order->shape[0];
	}
	first = luaL_optinteger(L, arg + 2, 1);
	count = luaL_optinteger(L, arg + 3, (lua_Integer)rows->rows - first + 1);
	if (first < 1 || count < 0 || first - 1 > (lua_Integer)rows->rows - count)
		return ym_fail(error, YM_ARGUMENT, "rows %lld..%lld are not all in 1..%zu",
		               (long long)first, (long long)(first + count - 1), rows->rows);
	rows->rows = (size_t)count;
	if (rows->order != NULL)
		rows->order += first - 1;
	else
		rows->offset = (size_t)first - 1;
	return YM_OK;
}

/* How many rows a forward run takes at once. */
static size_t chunk_rows(struct ym_graph *graph) {
	size_t need = ym_graph_measure(graph, CHUNK_ROWS, false);
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
	struct ym_graph *graph = check_graph(L);
	struct ym_pool *pool = ym_state_pool(L);
	size_t most = chunk_rows(graph), done = 0;
	do { /* also without rows: nodes that are not batched have a value all the same */
		struct ym_rows chunk = *rows;
		enum ym_status status;
		chunk.rows = rows->rows - done < most ? rows->rows - done : most;
		chunk.offset += done;
		if (chunk.order != NULL)
			chunk.order += done;
		reserve(L, chunk.rows, false);
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
	struct ym_graph *graph = check_graph(L);
	int total, count = 0, *nodes, *places;
	struct ym_rows rows;
	struct ym_error error;
	lua_settop(L, 6);
	luaL_checktype(L, 6, LUA_TTABLE);
	if (read_rows(L, 2, &rows, &error) != YM_OK)
		return push_outcome(L, &error);
	total = (int)lua_rawlen(L, 6);
	nodes = lua_newuserdatauv(L, ((size_t)total + 1) * 2 * sizeof *nodes, 0);
	places = nodes + total + 1;
	luaL_checkstack(L, total + 8, NULL);
	for (int which = 0; which < total; which++) {
		int index;
		lua_rawgeti(L, 6, which + 1);
		index = check_node(L, -1, graph);
		lua_pop(L, 1);
		if (!ym_graph_ready(graph, index))
			continue;
		push_result(L, graph, index, rows.rows);
		nodes[count] = index;
		places[count++] = which + 1;
	}
	if (run_chunks(L, &rows, nodes, count, 8, NULL, &error) != YM_OK)
		return push_outcome(L, &error);
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
	struct ym_graph *graph = check_graph(L);
	struct ym_rows rows;
	struct ym_error error = {.status = YM_OK};
	double sum = 0;
	int loss;
	size_t row;
	lua_settop(L, 6);
	loss = check_node(L, 6, graph);
	if (read_rows(L, 2, &rows, &error) == YM_OK && rows.rows == 0)
		ym_fail(&error, YM_ARGUMENT, "there are no rows");
	if (error.status != YM_OK ||
	    run_chunks(L, &rows, &loss, 1, 0, &sum, &error) != YM_OK)
		return push_outcome(L, &error);
	ym_graph_value(graph, loss, &row);
	lua_pushnumber(L, sum / ((double)rows.rows * (double)row));
	return 1;
}

/* graph:backward(feeds, order, first, count, draw) -> loss. Then graph:gradient(node)
** gives gradients, until the next run. */
static int graph_backward(lua_State *L) {
	struct ym_graph *graph = check_graph(L);
	struct ym_rows rows;
	struct ym_error error;
	double loss;
	uint64_t draw;
	lua_settop(L, 6);
	draw = (uint64_t)luaL_checkinteger(L, 6);
	if (read_rows(L, 2, &rows, &error) != YM_OK)
		return push_outcome(L, &error);
	reserve(L, rows.rows, true);
	if (ym_graph_backward(graph, ym_state_pool(L), &rows, draw, &loss, &error) != YM_OK)
		return push_outcome(L, &error);
	lua_pushnumber(L, loss);
	return 1;
}

/* graph:gradient(node, rows) -> copy of its gradient after graph:backward on that many
** rows, or nil when it has none */
static int graph_gradient(lua_State *L) {
	struct ym_graph *graph = check_graph(L);
	int index = check_node(L, 2, graph);
	const float *gradient = ym_graph_gradient(graph, index);
	struct ym_tensor *copy;
	if (gradient == NULL)
		return 0;
	push_result(L, graph, index, (size_t)luaL_checkinteger(L, 3));
	copy = ym_check_tensor(L, -1);
	memcpy(copy->data, gradient, ym_tensor_count(copy) * sizeof *gradient);
	return 1;
}

/* graph:step(feeds, order, first, count, draw, optimizer) -> loss, norm of the
** gradient. Nothing changes when either is not finite. */
static int graph_step(lua_State *L) {
	struct ym_graph *graph = check_graph(L);
	struct ym_optim *optim = luaL_checkudata(L, 7, YM_OPTIM);
	uint64_t draw = (uint64_t)luaL_checkinteger(L, 6);
	struct ym_pool *pool = ym_state_pool(L);
	struct ym_rows rows;
	struct ym_error error;
	struct ym_tensor *weights;
	double loss, norm;
	lua_settop(L, 7);
	luaL_argcheck(L, optim->count == ym_graph_parameters(graph), 7,
	              "made for another network");
	if (read_rows(L, 2, &rows, &error) != YM_OK)
		return push_outcome(L, &error);
	reserve(L, rows.rows, true);
	if (ym_graph_backward(graph, pool, &rows, draw, &loss, &error) != YM_OK)
		return push_outcome(L, &error);
	if (!isfinite(loss)) {
		ym_fail(&error, YM_DIVERGED, "the loss is not finite");
		return push_outcome(L, &error);
	}
	lua_getiuservalue(L, 1, WEIGHTS);
	weights = ym_check_tensor(L, -1);
	if (ym_optim_step(optim, pool, weights->data, ym_graph_gradients(graph), &norm,
	                  &error) != YM_OK)
		return push_outcome(L, &error);
	lua_pushnumber(L, loss);
	lua_pushnumber(L, norm);
	return 2;
}

/* Adds the name on top of what context points to: visits ym_graph_operators. */
static void add_operator(void *context, const char *name) {
	lua_State *L = context;
	lua_pushstring(L, name);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

/* mix(seed, stream) -> an integer that looks random and depends on both */
static int nn_mix(lua_State *L) {
	struct ym_rng rng;
	ym_rng_seed(&rng, (uint64_t)luaL_checkinteger(L, 1),
	            (uint64_t)luaL_checkinteger(L, 2));
	lua_pushinteger(L, (lua_Integer)ym_rng_bits(&rng));
	return 1;
}

static const luaL_Reg functions[] = {{"new", graph_new}, {"mix", nn_mix}, {NULL, NULL}};

static const luaL_Reg graph_methods[] = {
	{"add", graph_add},           {"shape", graph_shape},
	{"finish", graph_finish},     {"initialise", graph_initialise},
	{"leaf", graph_leaf},         {"weights", graph_weights},
	{"forward", graph_forward},   {"evaluate", graph_evaluate},
	{"backward", graph_backward}, {"gradient", graph_gradient},
	{"step", graph_step},         {NULL, NULL},
};

static const luaL_Reg graph_metamethods[] = {{"__gc", graph_gc}, {NULL, NULL}};

void ym_open_graph(lua_State *L) {
	ym_new_class(L, YM_GRAPH, graph_methods, graph_metamethods);
	luaL_newlib(L, functions);
	ym_add_optim(L);
	lua_newtable(L);
	ym_graph_operators(add_operator, L);
	lua_setfield(L, -2, "operators");
	lua_setfield(L, -2, "nn");
}

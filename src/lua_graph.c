/*
** core.nn: what ym2612ml.nn is made of. Recording graphs; lua_graph_run.c runs them.
*/
#include <limits.h>
#include <math.h>
#include <string.h>

#include "lua_nn.h"
#include "rng.h"

struct ym_graph_box *ym_check_graph(lua_State *L) {
	return luaL_checkudata(L, 1, YM_GRAPH);
}

struct ym_graph *ym_check_finished(lua_State *L) {
	struct ym_graph_box *box = ym_check_graph(L);
	luaL_argcheck(L, box->finished, 1, "the graph is not finished");
	return box->graph;
}

int ym_check_node(lua_State *L, int arg, const struct ym_graph *graph) {
	lua_Integer node = luaL_checkinteger(L, arg);
	luaL_argcheck(L, node >= 1 && node <= ym_graph_nodes(graph), arg, "no such node");
	return (int)node - 1;
}

/* False, with the error filled, when a graph takes no more nodes. */
static bool recording(lua_State *L, struct ym_error *error) {
	bool finished = ym_check_graph(L)->finished;
	if (finished)
		ym_fail(error, YM_ARGUMENT, "the graph is finished");
	return !finished;
}

/* new() -> graph */
static int graph_new(lua_State *L) {
	struct ym_graph_box *box = lua_newuserdatauv(L, sizeof *box, YM_GRAPH_VALUES);
	memset(box, 0, sizeof *box);
	luaL_setmetatable(L, YM_GRAPH);
	box->graph = ym_graph_new();
	if (box->graph == NULL)
		return ym_raise_no_memory(L);
	return 1;
}

static int graph_gc(lua_State *L) {
	struct ym_graph_box *box = ym_check_graph(L);
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
	struct ym_graph *graph = ym_check_graph(L)->graph;
	const char *name = luaL_checkstring(L, 2);
	struct ym_setting settings[SETTINGS];
	int setting_count = 0, input_count, index, *inputs;
	struct ym_error error;
	lua_Integer source;
	if (!recording(L, &error))
		return ym_push_outcome(L, &error);
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
	ym_need_stack(L, 4 * SETTINGS);
	lua_pushnil(L);
	while (lua_next(L, 4) != 0) {
		int key = lua_gettop(L) - 1;
		const char *option = lua_type(L, key) == LUA_TSTRING ? lua_tostring(L, key)
		                                                     : "?";
		if (setting_count == SETTINGS) {
			ym_fail(&error, YM_ARGUMENT, "%.40s: has more than %d options", name,
			        SETTINGS);
			return ym_push_outcome(L, &error);
		}
		if (!read_setting(L, &settings[setting_count++])) {
			ym_fail(&error, YM_ARGUMENT,
			        "%.40s: option '%.40s' is no text, finite number or list of such",
			        name, option);
			return ym_push_outcome(L, &error);
		}
		lua_pushvalue(L, key); /* lua_next goes on from it; the rest stays alive */
	}
	if (ym_graph_add(graph, name, inputs, input_count, settings, setting_count, &index,
	                 &error) != YM_OK)
		return ym_push_outcome(L, &error);
	lua_pushinteger(L, index + 1);
	return 1;
}

/* graph:shape(node) -> list of sizes without the batch axis, batched */
static int graph_shape(lua_State *L) {
	struct ym_graph *graph = ym_check_graph(L)->graph;
	size_t shape[YM_RANK];
	bool batched;
	int rank = ym_graph_shape(graph, ym_check_node(L, 2, graph), shape, &batched);
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
	struct ym_graph *graph = ym_check_graph(L)->graph;
	int loss = lua_isnoneornil(L, 2) ? -1 : ym_check_node(L, 2, graph);
	struct ym_error error;
	if (!recording(L, &error) || ym_graph_finish(graph, loss, &error) != YM_OK)
		return ym_push_outcome(L, &error);
	ym_graph_place_weights(graph, ym_push_vector(L, ym_graph_weights(graph)));
	lua_setiuservalue(L, 1, YM_GRAPH_WEIGHTS);
	ym_check_graph(L)->finished = true;
	lua_pushboolean(L, true);
	return 1;
}

/* graph:initialise(seed): fills the parameters by their own settings. */
static int graph_initialise(lua_State *L) {
	ym_graph_initialise(ym_check_finished(L), (uint64_t)luaL_checkinteger(L, 2));
	return 0;
}

/* graph:leaf(node) -> view of a parameter's or constant's memory, in its shape */
static int graph_leaf(lua_State *L) {
	struct ym_graph *graph = ym_check_finished(L);
	int index = ym_check_node(L, 2, graph), rank;
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
	lua_getiuservalue(L, 1, YM_GRAPH_WEIGHTS);
	ym_push_view(L, -1, &view);
	return 1;
}

/* graph:weights() -> view of all parameters as one vector (with gaps of zeros) */
static int graph_weights(lua_State *L) {
	struct ym_graph *graph = ym_check_finished(L);
	struct ym_tensor view;
	lua_getiuservalue(L, 1, YM_GRAPH_WEIGHTS);
	view = *ym_check_tensor(L, -1);
	view.shape[0] = ym_graph_parameters(graph);
	ym_push_view(L, -1, &view);
	return 1;
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
	{"add", graph_add},   {"shape", graph_shape},     {"finish", graph_finish},
	{"leaf", graph_leaf}, {"weights", graph_weights}, {"initialise", graph_initialise},
	{NULL, NULL},
};

static const luaL_Reg graph_metamethods[] = {{"__gc", graph_gc}, {NULL, NULL}};

void ym_open_graph(lua_State *L) {
	ym_new_class(L, YM_GRAPH, graph_methods, graph_metamethods);
	ym_add_runs(L);
	luaL_newlib(L, functions);
	ym_add_sharing(L);
	ym_add_optim(L);
	ym_add_choose(L);
	lua_newtable(L);
	ym_graph_operators(add_operator, L);
	lua_setfield(L, -2, "operators");
	lua_setfield(L, -2, "nn");
}

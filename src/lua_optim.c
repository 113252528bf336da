/*
** core.nn.optimizer: optimisers of one network's parameters, for ym2612ml.nn.
*/
#include <float.h>

#include "lua_nn.h"

/* optimizer(graph, options) -> optimizer. Options: method, rate, momentum, beta1,
** beta2, epsilon, decay, clip, all numbers already checked. */
static int optim_new(lua_State *L) {
	size_t count = ym_graph_parameters(ym_check_finished(L));
	const double most = FLT_MAX, below_one = 1 - DBL_EPSILON;
	struct ym_optim *optim;
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	optim = lua_newuserdatauv(L, sizeof *optim, 1);
	*optim = (struct ym_optim){
		.method = (enum ym_method)ym_option_choice(L, 2, "method", YM_ADAM,
	                                               ym_method_names),
		.rate = ym_option_number(L, 2, "rate", 1e-3, 0, most),
		.momentum = ym_option_number(L, 2, "momentum", 0, 0, 1),
		.beta1 = ym_option_number(L, 2, "beta1", 0.9, 0, below_one),
		.beta2 = ym_option_number(L, 2, "beta2", 0.999, 0, below_one),
		.epsilon = ym_option_number(L, 2, "epsilon", 1e-8, FLT_MIN, 1),
		.decay = ym_option_number(L, 2, "decay", 0, 0, most),
		.clip = ym_option_number(L, 2, "clip", 0, 0, most),
		.count = count,
	};
	luaL_setmetatable(L, YM_OPTIM);
	optim->mean = ym_push_vector(L, optim->method == YM_SGD ? count : 2 * count);
	optim->square = optim->method == YM_SGD ? NULL : optim->mean + count;
	lua_setiuservalue(L, -2, 1);
	return 1;
}

/* optimizer:rate([rate]) -> rate in force, after setting it if given */
static int optim_rate(lua_State *L) {
	struct ym_optim *optim = luaL_checkudata(L, 1, YM_OPTIM);
	double rate = luaL_optnumber(L, 2, optim->rate);
	luaL_argcheck(L, rate >= 0 && rate <= (double)FLT_MAX, 2,
	              "expected a rate of 0 or more");
	optim->rate = rate;
	lua_pushnumber(L, rate);
	return 1;
}

/* optimizer:steps([steps]) -> steps taken, after setting them if given */
static int optim_steps(lua_State *L) {
	struct ym_optim *optim = luaL_checkudata(L, 1, YM_OPTIM);
	lua_Integer steps = luaL_optinteger(L, 2, (lua_Integer)optim->steps);
	luaL_argcheck(L, steps >= 0, 2, "expected 0 steps or more");
	optim->steps = (uint64_t)steps;
	lua_pushinteger(L, steps);
	return 1;
}

/* optimizer:moments() -> the tensor of everything it remembers but the steps */
static int optim_moments(lua_State *L) {
	luaL_checkudata(L, 1, YM_OPTIM);
	lua_getiuservalue(L, 1, 1);
	return 1;
}

static int optim_tostring(lua_State *L) {
	const struct ym_optim *optim = luaL_checkudata(L, 1, YM_OPTIM);
	lua_pushfstring(L, "%s optimizer (rate %f, %I steps)",
	                ym_method_names[optim->method], optim->rate,
	                (lua_Integer)optim->steps);
	return 1;
}

static const luaL_Reg methods[] = {{"rate", optim_rate},
                                   {"steps", optim_steps},
                                   {"moments", optim_moments},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {{"__tostring", optim_tostring}, {NULL, NULL}};

void ym_add_optim(lua_State *L) {
	ym_new_class(L, YM_OPTIM, methods, metamethods);
	lua_pushcfunction(L, optim_new);
	lua_setfield(L, -2, "optimizer");
}

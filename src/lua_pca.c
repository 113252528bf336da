/*
** core.pca: fit, transform and restore on tensors, for ym2612ml.pca.
*/
#include "lua_ym.h"
#include "pca.h"

/* A matrix with contiguous rows at arg: a copy takes its place where they are not. */
static const struct ym_tensor *check_matrix(lua_State *L, int arg) {
	const struct ym_tensor *tensor = ym_check_tensor(L, arg);
	if (tensor->rank != 2)
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "rank is %d, expected 2", tensor->rank));
	if (tensor->shape[1] > 1 && tensor->stride[1] != 1) {
		struct ym_tensor *copy = ym_push_tensor(L, tensor->type, tensor->rank,
		                                        tensor->shape);
		ym_tensor_copy(copy, tensor);
		lua_replace(L, arg);
		tensor = copy;
	}
	return tensor;
}

/* fit(x, components, method, seed) -> mean, axes, variance, total; or nil, message,
** "argument" where the number of components does not suit x */
static int pca_fit(lua_State *L) {
	const struct ym_tensor *x = check_matrix(L, 1);
	lua_Integer components = luaL_checkinteger(L, 2);
	int method = luaL_checkoption(L, 3, "auto", ym_pca_method_names);
	uint64_t seed = (uint64_t)luaL_optinteger(L, 4, 1);
	struct ym_pca pca = {.columns = x->shape[1]};
	size_t most = x->shape[0] < pca.columns ? x->shape[0] : pca.columns, shape[2];
	struct ym_error error;
	pca.components = components < 0 ? 0 : (size_t)components;
	/* The fit refuses more; memory is not taken for them before. */
	shape[0] = pca.components <= most ? pca.components : 0;
	shape[1] = pca.columns;
	lua_settop(L, 2);
	pca.mean = ym_push_vector(L, pca.columns);
	pca.axes = ym_push_tensor(L, YM_F32, 2, shape)->data;
	pca.variance = ym_push_vector(L, shape[0]);
	if (ym_pca_fit(&pca, x, (enum ym_pca_method)method, seed, ym_state_pool(L),
	               &error) != YM_OK)
		return ym_push_outcome(L, &error);
	lua_pushnumber(L, pca.total);
	return 4;
}

/* Reads mean, axes and factor (or nil) from arg on; all f32, sizes that agree. */
static const float *read_pca(lua_State *L, int arg, struct ym_pca *pca) {
	const struct ym_tensor *mean = ym_check_f32(L, arg, 1);
	const struct ym_tensor *axes = ym_check_f32(L, arg + 1, 2);
	const struct ym_tensor *factor = lua_isnoneornil(L, arg + 2)
	                                     ? NULL
	                                     : ym_check_f32(L, arg + 2, 1);
	*pca = (struct ym_pca){.columns = axes->shape[1],
	                       .components = axes->shape[0],
	                       .mean = mean->data,
	                       .axes = axes->data};
	luaL_argcheck(L, mean->shape[0] == pca->columns, arg, "does not suit the axes");
	luaL_argcheck(L, factor == NULL || factor->shape[0] == pca->components, arg + 2,
	              "does not suit the axes");
	return factor == NULL ? NULL : factor->data;
}

/* What transform and restore share: the tensor at 1 has as many columns as one of them
** takes, the result as many as it gives. */
static int turn(lua_State *L, bool restore) {
	const struct ym_tensor *from;
	const float *factor;
	struct ym_tensor *to;
	struct ym_pca pca;
	struct ym_error error;
	enum ym_status status;
	size_t in, shape[2];
	lua_settop(L, 4);
	from = check_matrix(L, 1);
	factor = read_pca(L, 2, &pca);
	in = restore ? pca.components : pca.columns;
	if (from->shape[1] != in)
		luaL_argerror(L, 1,
		              lua_pushfstring(L, "has %d columns, expected %d",
		                              (int)from->shape[1], (int)in));
	shape[0] = from->shape[0];
	shape[1] = restore ? pca.columns : pca.components;
	to = ym_push_tensor(L, YM_F32, 2, shape);
	status = restore ? ym_pca_restore(&pca, from, factor, to->data, ym_state_pool(L),
	                                  &error)
	                 : ym_pca_transform(&pca, from, factor, to->data, ym_state_pool(L),
	                                    &error);
	return status == YM_OK ? 1 : ym_push_failure(L, &error);
}

/* transform(x, mean, axes, [factor]) -> y */
static int pca_transform(lua_State *L) {
	return turn(L, false);
}

/* restore(y, mean, axes, [factor]) -> x */
static int pca_restore(lua_State *L) {
	return turn(L, true);
}

static const luaL_Reg functions[] = {{"fit", pca_fit},
                                     {"transform", pca_transform},
                                     {"restore", pca_restore},
                                     {NULL, NULL}};

void ym_open_pca(lua_State *L) {
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "pca");
}

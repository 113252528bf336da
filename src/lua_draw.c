/*
** core.dataset: random patches, for ym2612ml.sampler, which has checked what comes here.
*/
#include "draw.h"
#include "lua_ym.h"

#define SAMPLER "ym2612ml.random_patches"

/* Reads the list key of the table on top of the stack, all zeros when it has none. */
static void read_weights(lua_State *L, const char *key, double *weights, int count) {
	int type = lua_getfield(L, -1, key);
	if (type != LUA_TNIL && (type != LUA_TTABLE || lua_rawlen(L, -1) != (size_t)count))
		luaL_error(L, "expected %d weights of '%s'", count, key);
	for (int i = 0; i < count; i++) {
		weights[i] = 0;
		if (type == LUA_TTABLE) {
			lua_rawgeti(L, -1, i + 1);
			weights[i] = lua_tonumber(L, -1);
			lua_pop(L, 1);
		}
	}
	lua_pop(L, 1);
}

/* Reads the weights of a role from the table key of the one at 1. */
static void read_role(lua_State *L, const char *key,
                      double weight[YM_OPERATOR_FIELDS][YM_FIELD_VALUES]) {
	lua_getfield(L, 1, key);
	luaL_checktype(L, -1, LUA_TTABLE);
	for (int f = 0; f < YM_OPERATOR_FIELDS; f++)
		if (ym_draw_varies(f))
			read_weights(L, ym_operator_fields[f].name, weight[f],
			             ym_field_values(&ym_operator_fields[f]));
	lua_pop(L, 1);
}

static void read_repeats(lua_State *L, double repeats[YM_OPERATOR_FIELDS]) {
	lua_getfield(L, 1, "repeats");
	luaL_checktype(L, -1, LUA_TTABLE);
	for (int f = 0; f < YM_OPERATOR_FIELDS; f++) {
		lua_getfield(L, -1, ym_operator_fields[f].name);
		repeats[f] = lua_tonumber(L, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* Orders the real patches by algorithm, and within one as they are. */
static void sort_by_algorithm(struct ym_draw *draw, uint32_t *order) {
	size_t at = 0;
	for (int algorithm = 0; algorithm < YM_ALGORITHMS; algorithm++) {
		draw->first[algorithm] = at;
		for (size_t i = 0; i < draw->count; i++)
			if (draw->patches[i * YM_FIELDS + YM_ALGORITHM] == algorithm)
				order[at++] = (uint32_t)i;
	}
	draw->first[YM_ALGORITHMS] = at;
}

/* dataset.sampler(weights, packed, seed, stream) -> source of patches. weights: {mix,
** algorithm, feedback, level = lists, carrier, modulator = {field name -> list},
** repeats = {field name -> share}}; packed: real patches, from patch.pack. */
static int dataset_sampler(lua_State *L) {
	const struct ym_tensor *packed = ym_check_packed(L, 2);
	lua_Integer seed = luaL_checkinteger(L, 3), stream = luaL_checkinteger(L, 4);
	struct ym_draw *draw;
	uint32_t *order;
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 2);
	draw = lua_newuserdatauv(L, sizeof *draw, 2);
	draw->patches = packed->data;
	draw->count = packed->shape[0];
	lua_pushvalue(L, 2);
	lua_setiuservalue(L, 3, 1);
	order = lua_newuserdatauv(L, (draw->count + 1) * sizeof *order, 0);
	lua_setiuservalue(L, 3, 2);
	sort_by_algorithm(draw, order);
	draw->order = order;
	ym_rng_seed(&draw->rng, (uint64_t)seed, (uint64_t)stream);
	lua_pushvalue(L, 1);
	read_weights(L, "mix", draw->mix, YM_DRAW_KINDS);
	read_weights(L, "algorithm", draw->algorithm, YM_ALGORITHMS);
	read_weights(L, "feedback", draw->feedback, YM_FEEDBACKS);
	read_weights(L, "level", draw->level, YM_LEVELS);
	lua_pop(L, 1);
	read_role(L, "carrier", draw->weight[YM_CARRIER]);
	read_role(L, "modulator", draw->weight[YM_MODULATOR]);
	read_repeats(L, draw->repeats);
	luaL_setmetatable(L, SAMPLER);
	return 1;
}

/* source:draw(count) -> u8 tensor (count, 49): the next patches, packed */
static int sampler_draw(lua_State *L) {
	struct ym_draw *draw = luaL_checkudata(L, 1, SAMPLER);
	lua_Integer count = luaL_checkinteger(L, 2);
	size_t shape[2] = {0, YM_FIELDS};
	struct ym_patch patch;
	uint8_t *bytes;
	luaL_argcheck(L, count >= 0 && count <= INT32_MAX, 2, "expected 0..2147483647");
	shape[0] = (size_t)count;
	bytes = ym_push_tensor(L, YM_U8, 2, shape)->data;
	for (size_t i = 0; i < shape[0]; i++) {
		ym_draw_next(draw, &patch);
		ym_patch_pack(&patch, bytes + i * YM_FIELDS);
	}
	return 1;
}

static const luaL_Reg functions[] = {{"sampler", dataset_sampler}, {NULL, NULL}};
static const luaL_Reg methods[] = {{"draw", sampler_draw}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {{NULL, NULL}};

void ym_open_dataset(lua_State *L) {
	ym_new_class(L, SAMPLER, methods, metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "dataset");
}

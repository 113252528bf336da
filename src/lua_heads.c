/* core.heads: what a network says of a patch, turned into patches. */
#include <math.h>

#include "heads.h"
#include "lua_ym.h"

#define HEADS "ym2612ml.heads"

enum { ALGORITHMS = 8, MOST_ROWS = 1024 };

/* A whole number of the table on top of the stack; raises naming the head. */
static int head_number(lua_State *L, int place, const char *key, int low, int high) {
	int whole = 0;
	lua_Integer value = 0;
	if (lua_getfield(L, -1, key) == LUA_TNUMBER)
		value = lua_tointegerx(L, -1, &whole);
	if (!whole || value < low || value > high)
		luaL_argerror(L, 1,
		              lua_pushfstring(L, "head %d: %s is %s, expected %d..%d", place,
		                              key, luaL_tolstring(L, -1, NULL), low, high));
	lua_pop(L, 1);
	return (int)value;
}

/* heads.new(list) -> heads. Of each head: position, from 1, of its field in a packed
** patch, or 50 for the level of the loudest carrier; first, from 1, and width: its
** logits; size: values in a class; ordered. */
static int heads_new(lua_State *L) {
	struct ym_heads *heads;
	int count;
	luaL_checktype(L, 1, LUA_TTABLE);
	count = (int)lua_rawlen(L, 1);
	luaL_argcheck(L, count >= 1 && count <= YM_HEADS, 1, "expected 1..50 heads");
	heads = lua_newuserdatauv(L, sizeof *heads, 0);
	heads->count = count;
	heads->logits = 0;
	for (int i = 0; i < count; i++) {
		struct ym_head *head = &heads->head[i];
		if (lua_rawgeti(L, 1, i + 1) != LUA_TTABLE)
			luaL_argerror(L, 1, lua_pushfstring(L, "head %d is no table", i + 1));
		head->position = head_number(L, i + 1, "position", 1, YM_HEADS) - 1;
		head->first = head_number(L, i + 1, "first", 1, 1 << 20) - 1;
		head->width = head_number(L, i + 1, "width", 1, YM_HEAD_WIDTH);
		head->size = head_number(L, i + 1, "size", 1, YM_HEAD_WIDTH);
		lua_getfield(L, -1, "ordered");
		head->ordered = lua_toboolean(L, -1);
		lua_pop(L, 2);
		if ((size_t)(head->first + head->width) > heads->logits)
			heads->logits = (size_t)(head->first + head->width);
	}
	luaL_setmetatable(L, HEADS);
	return 1;
}

/* The logits at 2, of the heads at 1. */
static struct ym_opinion check_opinion(lua_State *L, int options) {
	struct ym_opinion opinion = {.heads = luaL_checkudata(L, 1, HEADS)};
	const struct ym_tensor *logits = ym_check_f32(L, 2, 2);
	size_t rows = logits->shape[0], width = logits->shape[1];
	if (rows == 0 || rows % ALGORITHMS != 0 || rows > MOST_ROWS ||
	    width != opinion.heads->logits)
		luaL_argerror(L, 2,
		              lua_pushfstring(L,
		                              "shape is (%I, %I), expected (8, %I) or a "
		                              "multiple of 8 rows, at most %d",
		                              (lua_Integer)rows, (lua_Integer)width,
		                              (lua_Integer)opinion.heads->logits, MOST_ROWS));
	opinion.logits = logits->data;
	opinion.rows = rows;
	for (size_t i = 0; i < rows * width; i++)
		luaL_argcheck(L, isfinite(opinion.logits[i]), 2, "a value is not finite");
	opinion.level = ym_option_boolean(L, options, "level", false);
	return opinion;
}

/* heads:modes(logits, [{level = boolean}]) -> u8 tensor (rows, 49): the most likely patch
** of each row, packed. logits: (rows, all heads), of as many rows for each of algorithms 0
** to 7. level: whether the loudest carrier has the level told, else 0, the default. */
static int heads_modes(lua_State *L) {
	static const char *const known[] = {"level", NULL};
	size_t shape[2] = {0, YM_FIELDS};
	struct ym_opinion opinion;
	lua_settop(L, 3);
	ym_check_options(L, 3, known);
	opinion = check_opinion(L, 3);
	shape[0] = opinion.rows;
	ym_heads_modes(&opinion, ym_push_tensor(L, YM_U8, 2, shape)->data);
	return 1;
}

/* Option weights: a list of this many numbers, of which one at least is above 0. Leaves
** a value on the stack, which keeps them alive. */
static const double *option_weights(lua_State *L, int arg, size_t count) {
	bool some = false;
	double *weights;
	int list;
	if (ym_push_option(L, arg, "weights") != LUA_TTABLE || lua_rawlen(L, -1) != count)
		luaL_argerror(L, arg,
		              lua_pushfstring(L, "option 'weights' is not a list of %I numbers",
		                              (lua_Integer)count));
	list = lua_gettop(L);
	weights = lua_newuserdatauv(L, count * sizeof *weights, 0);
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, list, (lua_Integer)i + 1);
		weights[i] = lua_tonumber(L, -1);
		luaL_argcheck(
			L, lua_type(L, -1) == LUA_TNUMBER && weights[i] >= 0 && weights[i] <= 1e9,
			arg, "option 'weights': expected numbers of 0..1e9");
		some |= weights[i] > 0;
		lua_pop(L, 1);
	}
	luaL_argcheck(L, some, arg, "option 'weights': all are 0");
	return weights;
}

/* heads:draw(logits, count, options) -> u8 tensor (count, 49): patches drawn, packed.
** logits as for modes. Options: weights: one for each row; coldest, warmest: the
** temperatures that the draws have, each 0.05..10, default 1; level: as for modes; seed
** and stream: default 1 and 0. */
static int heads_draw(lua_State *L) {
	static const char *const known[] = {"weights", "coldest", "warmest", "level",
	                                    "seed",    "stream",  NULL};
	lua_Integer count = luaL_checkinteger(L, 3);
	size_t shape[2] = {0, YM_FIELDS};
	struct ym_heads_draw draw;
	struct ym_opinion opinion;
	struct ym_error error;
	luaL_argcheck(L, count >= 0 && count <= INT32_MAX, 3, "expected 0..2147483647");
	lua_settop(L, 4);
	ym_check_options(L, 4, known);
	opinion = check_opinion(L, 4);
	draw.weights = option_weights(L, 4, opinion.rows);
	draw.coldest = ym_option_number(L, 4, "coldest", 1, 0.05, 10);
	draw.warmest = ym_option_number(L, 4, "warmest", 1, 0.05, 10);
	draw.seed = (uint64_t)ym_option_integer(L, 4, "seed", 1, LUA_MININTEGER,
	                                        LUA_MAXINTEGER);
	draw.stream = (uint64_t)ym_option_integer(L, 4, "stream", 0, 0, LUA_MAXINTEGER);
	draw.count = shape[0] = (size_t)count;
	if (ym_heads_draw(&opinion, &draw, ym_push_tensor(L, YM_U8, 2, shape)->data,
	                  &error) != YM_OK)
		return ym_push_failure(L, &error);
	return 1;
}

/* heads.levels(packed) -> u8 tensor: total levels of the loudest carriers */
static int heads_levels(lua_State *L) {
	const struct ym_tensor *packed = ym_check_packed(L, 1);
	const uint8_t *from = packed->data;
	uint8_t *levels = ym_push_tensor(L, YM_U8, 1, packed->shape)->data;
	for (size_t i = 0; i < packed->shape[0]; i++)
		levels[i] = (uint8_t)ym_heads_level(from + i * YM_FIELDS);
	return 1;
}

/* heads.at_levels(packed, levels) -> packed patches with their loudest carriers at these
** total levels, a vector of one for each, and the others as far above as before */
static int heads_at_levels(lua_State *L) {
	const struct ym_tensor *packed = ym_check_packed(L, 1);
	struct ym_tensor *moved;
	const float *levels;
	size_t count;
	levels = ym_check_vector(L, 2, &count);
	luaL_argcheck(L, count == packed->shape[0], 2, "the numbers of patches differ");
	moved = ym_push_tensor(L, YM_U8, 2, packed->shape);
	ym_tensor_copy(moved, packed);
	for (size_t i = 0; i < count; i++) {
		luaL_argcheck(L, levels[i] >= 0 && levels[i] <= 127, 2,
		              "expected levels of 0..127");
		ym_heads_set_level((uint8_t *)moved->data + i * YM_FIELDS, (int)levels[i]);
	}
	return 1;
}

static const luaL_Reg functions[] = {{"new", heads_new},
                                     {"levels", heads_levels},
                                     {"at_levels", heads_at_levels},
                                     {NULL, NULL}};
static const luaL_Reg methods[] = {
	{"modes", heads_modes}, {"draw", heads_draw}, {NULL, NULL}};
static const luaL_Reg metamethods[] = {{NULL, NULL}};

void ym_open_heads(lua_State *L) {
	ym_new_class(L, HEADS, methods, metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "heads");
}

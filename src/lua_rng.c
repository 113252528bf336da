/*
** ym.rng: random numbers from an explicit seed.
*/
#include <string.h>

#include "lua_ym.h"
#include "rng.h"

#define RNG "ym2612ml.rng"

static struct ym_rng *check_rng(lua_State *L) {
	return luaL_checkudata(L, 1, RNG);
}

/* rng.new{seed = 1, stream = 0} -> generator. Streams of one seed are independent. */
static int rng_new(lua_State *L) {
	static const char *const known[] = {"seed", "stream", NULL};
	lua_Integer seed, stream;
	struct ym_rng *rng;
	ym_check_options(L, 1, known);
	seed = ym_option_integer(L, 1, "seed", 1, LUA_MININTEGER, LUA_MAXINTEGER);
	stream = ym_option_integer(L, 1, "stream", 0, LUA_MININTEGER, LUA_MAXINTEGER);
	rng = lua_newuserdatauv(L, sizeof *rng, 0);
	ym_rng_seed(rng, (uint64_t)seed, (uint64_t)stream);
	luaL_setmetatable(L, RNG);
	return 1;
}

/* g:uniform([low, high]) -> number in low <= x < high (0 and 1) */
static int rng_uniform(lua_State *L) {
	struct ym_rng *rng = check_rng(L);
	lua_Number low = luaL_optnumber(L, 2, 0), high = luaL_optnumber(L, 3, 1);
	luaL_argcheck(L, low <= high, 3, "expected the larger number last");
	lua_pushnumber(L, low + (high - low) * ym_rng_uniform(rng));
	return 1;
}

/* g:normal([mean, deviation]) -> number (0 and 1) */
static int rng_normal(lua_State *L) {
	struct ym_rng *rng = check_rng(L);
	lua_Number mean = luaL_optnumber(L, 2, 0), deviation = luaL_optnumber(L, 3, 1);
	lua_pushnumber(L, mean + deviation * ym_rng_normal(rng));
	return 1;
}

/* g:integer(low, high) -> whole number low..high, each equally likely */
static int rng_integer(lua_State *L) {
	struct ym_rng *rng = check_rng(L);
	lua_Integer low = luaL_checkinteger(L, 2), high = luaL_checkinteger(L, 3);
	uint64_t span = (uint64_t)high - (uint64_t)low + 1;
	luaL_argcheck(L, low <= high, 3, "expected the larger number last");
	/* span is 0 when it is all of 2^64 */
	lua_pushinteger(
		L, (lua_Integer)((uint64_t)low +
	                     (span == 0 ? ym_rng_bits(rng) : ym_rng_below(rng, span))));
	return 1;
}

/* g:shuffle(list) -> list, its items in random order */
static int rng_shuffle(lua_State *L) {
	struct ym_rng *rng = check_rng(L);
	luaL_checktype(L, 2, LUA_TTABLE);
	for (lua_Integer last = (lua_Integer)lua_rawlen(L, 2); last > 1; last--) {
		lua_Integer other = (lua_Integer)ym_rng_below(rng, (uint64_t)last) + 1;
		lua_rawgeti(L, 2, last);
		lua_rawgeti(L, 2, other);
		lua_rawseti(L, 2, last);
		lua_rawseti(L, 2, other);
	}
	lua_settop(L, 2);
	return 1;
}

/* g:order(count) -> the numbers 1..count in random order, as a tensor of i32 */
static int rng_order(lua_State *L) {
	struct ym_rng *rng = check_rng(L);
	lua_Integer count = luaL_checkinteger(L, 2);
	size_t shape;
	int32_t *items;
	luaL_argcheck(L, count >= 0 && count <= INT32_MAX, 2, "expected 0..2147483647");
	shape = (size_t)count;
	items = ym_push_tensor(L, YM_I32, 1, &shape)->data;
	for (size_t at = 0; at < shape; at++)
		items[at] = (int32_t)at + 1;
	ym_rng_shuffle(rng, items, shape);
	return 1;
}

/* g:choose(weights) -> index of one of the weights (a list of numbers of 0 or more),
** as likely as its weight */
static int rng_choose(lua_State *L) {
	struct ym_rng *rng = check_rng(L);
	size_t count;
	double sum = 0, *weights;
	luaL_checktype(L, 2, LUA_TTABLE);
	count = lua_rawlen(L, 2);
	weights = lua_newuserdatauv(L, (count + 1) * sizeof *weights, 0);
	for (size_t i = 0; i < count; i++) {
		int number;
		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		weights[i] = lua_tonumberx(L, -1, &number);
		luaL_argcheck(L, number && weights[i] >= 0, 2,
		              "a weight is not a number of 0 or more");
		sum += weights[i];
		lua_pop(L, 1);
	}
	luaL_argcheck(L, sum > 0 && sum <= 1e300, 2,
	              "expected a finite sum of more than 0");
	lua_pushinteger(L, (lua_Integer)ym_rng_choose(rng, weights, count) + 1);
	return 1;
}

/* g:dump() -> its state, as a string */
static int rng_dump(lua_State *L) {
	const struct ym_rng *rng = check_rng(L);
	char text[4 * 16 + 1];
	for (int word = 0; word < 4; word++)
		for (int digit = 0; digit < 16; digit++)
			text[word * 16 + digit] =
				"0123456789abcdef"[rng->state[word] >> (60 - 4 * digit) & 15];
	lua_pushlstring(L, text, 4 * 16);
	return 1;
}

/* g:restore(state) -> g, going on from where dump was called */
static int rng_restore(lua_State *L) {
	struct ym_rng *rng = check_rng(L), state = {{0}};
	size_t size;
	const char *text = luaL_checklstring(L, 2, &size);
	luaL_argcheck(L,
	              size == 4 * 16 && strspn(text, "0123456789abcdef") == size &&
	                  strspn(text, "0") < size,
	              2, "not the state of a generator");
	for (size_t at = 0; at < size; at++) {
		unsigned digit = text[at] <= '9' ? (unsigned)(text[at] - '0')
		                                 : (unsigned)(text[at] - 'a') + 10;
		state.state[at / 16] = state.state[at / 16] << 4 | digit;
	}
	*rng = state;
	lua_settop(L, 1);
	return 1;
}

static const luaL_Reg functions[] = {{"new", rng_new}, {NULL, NULL}};

static const luaL_Reg methods[] = {
	{"uniform", rng_uniform}, {"normal", rng_normal},   {"integer", rng_integer},
	{"shuffle", rng_shuffle}, {"order", rng_order},     {"choose", rng_choose},
	{"dump", rng_dump},       {"restore", rng_restore}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {{NULL, NULL}};

void ym_open_rng(lua_State *L) {
	ym_new_class(L, RNG, methods, metamethods);
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "rng");
}

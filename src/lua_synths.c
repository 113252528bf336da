/* core.synths: what ym2612ml.synths renders with. */
#include <math.h>

#include "instrument.h"
#include "lua_ym.h"
#include "rows.h"

/* Renders the rows of values at 1 at the rate at 2 in so many samples (3). */
static int render(lua_State *L, const struct ym_instrument_kind *kind) {
	const struct ym_tensor *values = ym_check_f32(L, 1, 2);
	const float *value = values->data;
	lua_Number rate = luaL_checknumber(L, 2);
	lua_Integer length = luaL_checkinteger(L, 3);
	size_t shape[2] = {values->shape[0], 0};
	float *samples;
	luaL_argcheck(L, values->shape[1] == kind->values, 1, "has the wrong width");
	luaL_argcheck(L, rate >= 1 && rate < 1e9, 2, "not a rate in Hz");
	luaL_argcheck(L, length >= 1 && length <= INT32_MAX, 3, "expected 1..2147483647");
	for (size_t i = 0; i < ym_tensor_count(values); i++)
		luaL_argcheck(L, isfinite(value[i]), 1, "a value is not finite");
	shape[1] = (size_t)length;
	samples = ym_push_unset_tensor(L, YM_F32, 2, shape)->data;
	ym_instrument_render(ym_state_pool(L), kind, value, shape[0], rate, shape[1],
	                     samples);
	return 1;
}

/* simple_fm(values, rate, length) -> f32 tensor (rows, length). values: f32 (rows, 9), as
** of synths/simple_fm.lua, in their ranges */
static int synths_simple_fm(lua_State *L) {
	return render(L, &ym_instrument_simple_fm);
}

/* The same of synths/inversynth.lua: values f32 (rows, 23). */
static int synths_inversynth(lua_State *L) {
	return render(L, &ym_instrument_inversynth);
}

/* resample(sounds, from, to, length) -> f32 tensor (rows, length): the sounds, f32 (rows,
** samples), at another rate (ym_rows_resample), or nil, message, kind */
static int synths_resample(lua_State *L) {
	const struct ym_tensor *sounds = ym_check_f32(L, 1, 2);
	lua_Number from = luaL_checknumber(L, 2), to = luaL_checknumber(L, 3);
	lua_Integer length = luaL_checkinteger(L, 4);
	size_t shape[2] = {sounds->shape[0], 0};
	struct ym_rows rows = {sounds->data, sounds->shape[0], sounds->shape[1], from};
	struct ym_error error;
	struct ym_tensor *out;
	luaL_argcheck(L, from >= 1 && from < 1e9, 2, "not a rate in Hz");
	luaL_argcheck(L, to >= from / 256 && to <= from * 256, 3, "not a rate in Hz");
	luaL_argcheck(L, length >= 1 && length <= INT32_MAX, 4, "expected 1..2147483647");
	shape[1] = (size_t)length;
	out = ym_push_unset_tensor(L, YM_F32, 2, shape);
	if (ym_rows_resample(ym_state_pool(L), &rows, to, shape[1], out->data, &error) !=
	    YM_OK)
		return ym_push_failure(L, &error);
	return 1;
}

/* differences(a, b) -> list of ym_rows_difference of each row of two f32 tensors (rows,
** samples) of one shape */
static int synths_differences(lua_State *L) {
	const struct ym_tensor *a = ym_check_f32(L, 1, 2), *b = ym_check_f32(L, 2, 2);
	size_t rows = a->shape[0], length = a->shape[1];
	const float *first = a->data, *second = b->data;
	luaL_argcheck(L, b->shape[0] == rows && b->shape[1] == length, 2,
	              "its shape is not that of the first");
	lua_createtable(L, (int)rows, 0);
	for (size_t row = 0; row < rows; row++) {
		size_t at = row * length;
		lua_pushnumber(L, ym_rows_difference(first + at, second + at, length));
		lua_rawseti(L, -2, (lua_Integer)row + 1);
	}
	return 1;
}

static const luaL_Reg functions[] = {
	{"simple_fm", synths_simple_fm},
	{"inversynth", synths_inversynth},
	{"resample", synths_resample},
	{"differences", synths_differences},
	{NULL, NULL},
};

void ym_open_synths(lua_State *L) {
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "synths");
}

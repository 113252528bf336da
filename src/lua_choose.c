/* core.nn.choose and numbers: classes out of the logits that a network gives, and back. */
#include <math.h>

#include "choose.h"
#include "lua_nn.h"

enum { HOTTEST = 100 };

/* The logits (rows, classes) at 1 and the temperature least..100 at 3. */
static const struct ym_tensor *check_logits(lua_State *L, double least,
                                            double *temperature) {
	const struct ym_tensor *logits = ym_check_f32(L, 1, 2);
	const float *value = logits->data;
	*temperature = luaL_checknumber(L, 3);
	luaL_argcheck(L, logits->shape[1] > 0, 1, "expected a class or more");
	luaL_argcheck(L, *temperature >= least && *temperature <= HOTTEST, 3,
	              least > 0 ? "expected a temperature 0.001..100"
	                        : "expected a temperature 0..100");
	for (size_t i = 0; i < logits->shape[0] * logits->shape[1]; i++)
		luaL_argcheck(L, isfinite(value[i]), 1, "a value is not finite");
	return logits;
}

/* A vector at 2 of something for each row of the logits. */
static const float *check_rows(lua_State *L, const struct ym_tensor *logits) {
	size_t count;
	const float *values = ym_check_vector(L, 2, &count);
	luaL_argcheck(L, count == logits->shape[0], 2,
	              "expected as many as the logits have rows");
	return values;
}

/* choose(logits, numbers, temperature) -> i32 (rows), f32 (rows): a class, from 0, for
** each row of logits (rows, classes), drawn by its number 0 <= x < 1 at this temperature
** 0..100 (0: the most likely), and the negative logarithm of its probability. */
static int nn_choose(lua_State *L) {
	double temperature;
	const struct ym_tensor *logits = check_logits(L, 0, &temperature);
	size_t rows = logits->shape[0], width = logits->shape[1];
	const float *row = logits->data, *numbers = check_rows(L, logits);
	int32_t *classes = ym_push_tensor(L, YM_I32, 1, &rows)->data;
	float *costs = ym_push_vector(L, rows);
	for (size_t i = 0; i < rows; i++, row += width) {
		luaL_argcheck(L, numbers[i] >= 0 && numbers[i] < 1, 2,
		              "expected numbers of 0 to below 1");
		classes[i] = ym_choose(row, width, temperature, (double)numbers[i], &costs[i]);
	}
	return 2;
}

/* numbers(logits, classes, temperature) -> f32 (rows): for each row the number from which
** choose draws this class at this temperature, 0.001..100. */
static int nn_numbers(lua_State *L) {
	double temperature;
	const struct ym_tensor *logits = check_logits(L, 1e-3, &temperature);
	size_t rows = logits->shape[0], width = logits->shape[1];
	const float *row = logits->data, *classes = check_rows(L, logits);
	float *numbers = ym_push_vector(L, rows);
	for (size_t i = 0; i < rows; i++, row += width) {
		luaL_argcheck(L, classes[i] >= 0 && classes[i] < (float)width, 2,
		              "expected classes that the logits have");
		numbers[i] = fminf(
			(float)ym_choose_number(row, width, temperature, (size_t)classes[i]),
			0x1.fffffep-1f);
	}
	return 1;
}

void ym_add_choose(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"choose", nn_choose}, {"numbers", nn_numbers}, {NULL, NULL}};
	luaL_setfuncs(L, functions, 0);
}

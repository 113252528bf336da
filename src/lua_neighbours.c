/* core.neighbours: a bank of rendered patches, for ym2612ml.neighbours. */
#include "lua_ym.h"
#include "neighbours.h"

/* A contiguous u8 matrix. */
static const struct ym_tensor *check_codes(lua_State *L, int arg) {
	const struct ym_tensor *codes = ym_check_tensor(L, arg);
	luaL_argcheck(L,
	              codes->type == YM_U8 && codes->rank == 2 &&
	                  ym_tensor_contiguous(codes) && codes->shape[0] <= INT32_MAX &&
	                  codes->shape[1] >= 1 && codes->shape[1] <= YM_NEIGHBOUR_COLUMNS,
	              arg, "expected codes: contiguous u8 (rows, 1..1024)");
	return codes;
}

/* neighbours.find(codes, query, spectrum, wanted) -> i32 tensors of the rows, from 1,
** nearest by all columns, by the first `spectrum` of them, and by the others; each of
** `wanted` rows, or of as many as there are. codes: u8 (rows, columns), 128 for 0;
** query: (columns) in steps of the codes. */
static int neighbours_find(lua_State *L) {
	const struct ym_tensor *codes = check_codes(L, 1);
	size_t columns = codes->shape[1], size = 0, wanted;
	const float *query = ym_check_vector(L, 2, &size);
	lua_Integer spectrum = luaL_checkinteger(L, 3), most = luaL_checkinteger(L, 4);
	struct ym_neighbours bank = {codes->data, codes->shape[0], columns,
	                             (size_t)spectrum};
	uint32_t *found[YM_LIKENESSES];
	struct ym_error error;
	luaL_argcheck(L, size == columns, 2, "does not suit the codes");
	luaL_argcheck(L, spectrum >= 0 && (size_t)spectrum <= columns, 3,
	              "does not suit the codes");
	luaL_argcheck(L, most >= 0, 4, "expected 0 or more");
	wanted = (size_t)most < bank.count ? (size_t)most : bank.count;
	for (int i = 0; i < YM_LIKENESSES; i++)
		found[i] = ym_push_tensor(L, YM_I32, 1, &wanted)->data;
	if (ym_neighbours_find(&bank, query, wanted, found, &error) != YM_OK)
		return ym_push_failure(L, &error);
	for (int i = 0; i < YM_LIKENESSES; i++)
		for (size_t k = 0; k < wanted; k++)
			found[i][k]++;
	return YM_LIKENESSES;
}

/* neighbours.cross(spectra, envelopes) -> u8 tensor: row by row, packed patches crossed
** from two packed tensors of as many rows: see ym_neighbours_cross. */
static int neighbours_cross(lua_State *L) {
	const struct ym_tensor *spectra = ym_check_packed(L, 1);
	const struct ym_tensor *envelopes = ym_check_packed(L, 2);
	const uint8_t *spectrum = spectra->data, *envelope = envelopes->data;
	uint8_t *packed;
	luaL_argcheck(L, spectra->shape[0] == envelopes->shape[0], 2,
	              "the numbers of patches differ");
	packed = ym_push_tensor(L, YM_U8, 2, spectra->shape)->data;
	for (size_t i = 0; i < spectra->shape[0] * YM_FIELDS; i += YM_FIELDS)
		ym_neighbours_cross(spectrum + i, envelope + i, packed + i);
	return 1;
}

static const luaL_Reg functions[] = {
	{"find", neighbours_find}, {"cross", neighbours_cross}, {NULL, NULL}};

void ym_open_neighbours(lua_State *L) {
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "neighbours");
}

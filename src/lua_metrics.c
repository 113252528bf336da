/* core.metrics: what ym2612ml.metrics measures between two sounds and their pictures, and
** ym2612ml.learner.measure between many. */
#include "audio.h"
#include "likeness.h"
#include "lua_ym.h"
#include "metrics.h"
#include "spectrum.h"

/* unit(samples, rate, length, over) -> f32 tensor (length), or nil, message, "input": the
** sound above 20 Hz at a root mean square of 1 over `over` samples, then zeros; length is
** at least its own. */
static int metrics_unit(lua_State *L) {
	size_t count;
	const float *samples = ym_check_vector(L, 1, &count);
	double rate = luaL_checknumber(L, 2);
	lua_Integer length = luaL_checkinteger(L, 3), over = luaL_checkinteger(L, 4);
	struct ym_error error;
	struct ym_tensor *whole;
	struct ym_tensor cut;
	luaL_argcheck(L, rate >= YM_AUDIO_LOWEST && rate <= YM_AUDIO_HIGHEST, 2,
	              "not a rate in Hz");
	luaL_argcheck(L, length >= (lua_Integer)count && length < 1LL << 32, 3,
	              "less than the sound's, or too long");
	luaL_argcheck(L, over >= 0, 4, "expected 0 or more");
	/* ym_highpass writes pairs of samples */
	whole = ym_push_tensor(L, YM_F32, 1, &(size_t){(size_t)length + 1});
	if (ym_metrics_unit(rate, samples, count, (size_t)length, (size_t)over, whole->data,
	                    &error) != YM_OK)
		return ym_push_failure(L, &error);
	cut = *whole;
	cut.shape[0] = (size_t)length;
	ym_push_view(L, lua_gettop(L), &cut);
	return 1;
}

/* Two pictures at 1 and 2 of equal width, and unless frames may differ of equal shape. */
static void check_pictures(lua_State *L, const struct ym_tensor **a,
                           const struct ym_tensor **b, bool frames_may_differ) {
	*a = ym_check_f32(L, 1, 2);
	*b = ym_check_f32(L, 2, 2);
	luaL_argcheck(L,
	              (*a)->shape[1] == (*b)->shape[1] &&
	                  (frames_may_differ || (*a)->shape[0] == (*b)->shape[0]),
	              2, "its shape is not that of the first");
	luaL_argcheck(L, (*a)->shape[0] > 0 && (*a)->shape[1] > 0, 1, "holds nothing");
	luaL_argcheck(L, (*b)->shape[0] > 0, 2, "holds nothing");
}

/* level_difference(a, b, range) -> dB, of pictures of power (ym_metrics_level_difference) */
static int metrics_level_difference(lua_State *L) {
	const struct ym_tensor *a, *b;
	check_pictures(L, &a, &b, false);
	lua_pushnumber(L, ym_metrics_level_difference(a->data, b->data,
	                                              a->shape[0] * a->shape[1],
	                                              luaL_checknumber(L, 3)));
	return 1;
}

/* transport(a, b) -> 0..1, of pictures of power (ym_metrics_transport) */
static int metrics_transport(lua_State *L) {
	const struct ym_tensor *a, *b;
	check_pictures(L, &a, &b, false);
	lua_pushnumber(L, ym_metrics_transport(a->data, b->data, a->shape[0], a->shape[1]));
	return 1;
}

/* warp(a, b) -> cost of the cheapest alignment (ym_metrics_warp) */
static int metrics_warp(lua_State *L) {
	const struct ym_tensor *a, *b;
	struct ym_error error;
	double cost;
	check_pictures(L, &a, &b, true);
	if (ym_metrics_warp(a->data, a->shape[0], b->data, b->shape[0], a->shape[1], &cost,
	                    &error) != YM_OK)
		return ym_push_failure(L, &error);
	lua_pushnumber(L, cost);
	return 1;
}

/* correlation(a, b) -> -1..1, of all values (ym_metrics_correlation) */
static int metrics_correlation(lua_State *L) {
	const struct ym_tensor *a, *b;
	check_pictures(L, &a, &b, false);
	lua_pushnumber(L,
	               ym_metrics_correlation(a->data, b->data, a->shape[0] * a->shape[1]));
	return 1;
}

/* spread(a, b) -> root mean square difference, mean of frames (ym_metrics_spread) */
static int metrics_spread(lua_State *L) {
	const struct ym_tensor *a, *b;
	check_pictures(L, &a, &b, false);
	lua_pushnumber(L, ym_metrics_spread(a->data, b->data, a->shape[0], a->shape[1]));
	return 1;
}

/* envelope(a, b, size, hop) -> cosine, of sounds of one length (ym_metrics_envelope) */
static int metrics_envelope(lua_State *L) {
	size_t a_count, b_count;
	const float *a = ym_check_vector(L, 1, &a_count);
	const float *b = ym_check_vector(L, 2, &b_count);
	lua_Integer size = luaL_checkinteger(L, 3), hop = luaL_checkinteger(L, 4);
	luaL_argcheck(L, a_count > 0, 1, "holds nothing");
	luaL_argcheck(L, a_count == b_count, 2, "its length is not that of the first");
	luaL_argcheck(L, size > 0, 3, "expected 1 or more");
	luaL_argcheck(L, hop > 0, 4, "expected 1 or more");
	lua_pushnumber(L, ym_metrics_envelope(a, b, a_count, (size_t)size, (size_t)hop));
	return 1;
}

/* likeness(originals, reconstructions, size, hop, range) -> f32 tensor (sounds, 3): PCC of
** the spectrograms, PCC of the whole spectra, LSD (likeness.h), or nil, message, "input".
** Both are f32 (sounds, samples). */
static int metrics_likeness(lua_State *L) {
	const struct ym_tensor *a = ym_check_f32(L, 1, 2), *b = ym_check_f32(L, 2, 2);
	lua_Integer size = luaL_checkinteger(L, 3), hop = luaL_checkinteger(L, 4);
	struct ym_likeness_frames frames = {(int)size, (size_t)hop, luaL_checknumber(L, 5)};
	struct ym_pairs pairs = {a->data, b->data, a->shape[0], a->shape[1]};
	struct ym_likeness *found;
	struct ym_error error;
	float *out;
	luaL_argcheck(L, pairs.length > 0, 1, "holds nothing");
	luaL_argcheck(L, b->shape[0] == pairs.count && b->shape[1] == pairs.length, 2,
	              "its shape is not that of the first");
	luaL_argcheck(L, size >= 2 && size <= YM_FFT_LARGEST && size % 2 == 0, 3,
	              "expected an even number of samples");
	luaL_argcheck(L, hop >= 1, 4, "expected 1 or more");
	luaL_argcheck(L, frames.range > 0 && frames.range <= 200, 5, "expected 0..200 dB");
	found = lua_newuserdatauv(L, (pairs.count + 1) * sizeof *found, 0);
	if (ym_likeness_measure(ym_state_pool(L), &pairs, &frames, found, &error) != YM_OK)
		return ym_push_failure(L, &error);
	out = ym_push_unset_tensor(L, YM_F32, 2, (size_t[2]){pairs.count, 3})->data;
	for (size_t i = 0; i < pairs.count; i++) {
		out[3 * i] = (float)found[i].pcc_stft;
		out[3 * i + 1] = (float)found[i].pcc_ft;
		out[3 * i + 2] = (float)found[i].lsd;
	}
	return 1;
}

/* ranks(scores, truth) -> f32 tensor (rows, 2): of each row of scores, f32 (rows,
** classes), how many are higher than that of the true class, and how many as high, its
** own among them. truth: the classes, from 0 */
static int metrics_ranks(lua_State *L) {
	const struct ym_tensor *scores = ym_check_f32(L, 1, 2);
	size_t count, rows = scores->shape[0], classes = scores->shape[1];
	const float *truth = ym_check_vector(L, 2, &count), *row = scores->data;
	float *out;
	luaL_argcheck(L, count == rows, 2, "its length is not that of the scores");
	for (size_t i = 0; i < rows; i++)
		luaL_argcheck(L, truth[i] >= 0 && truth[i] < (float)classes, 2,
		              "there is no such class");
	out = ym_push_unset_tensor(L, YM_F32, 2, (size_t[2]){rows, 2})->data;
	for (size_t i = 0; i < rows; i++, row += classes) {
		size_t above, level;
		ym_metrics_rank(row, classes, (size_t)truth[i], &above, &level);
		out[2 * i] = (float)above;
		out[2 * i + 1] = (float)level;
	}
	return 1;
}

static const luaL_Reg functions[] = {
	{"unit", metrics_unit},
	{"level_difference", metrics_level_difference},
	{"transport", metrics_transport},
	{"warp", metrics_warp},
	{"correlation", metrics_correlation},
	{"spread", metrics_spread},
	{"envelope", metrics_envelope},
	{"likeness", metrics_likeness},
	{"ranks", metrics_ranks},
	{NULL, NULL},
};

void ym_open_metrics(lua_State *L) {
	luaL_newlib(L, functions);
	lua_setfield(L, -2, "metrics");
}

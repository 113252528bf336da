#include "lua_ym.h"

/* The module's only exported symbol. LUAMOD_API is not affected by the compiler's
** -fvisibility=hidden, so the attribute stands here. */
__attribute__((visibility("default"))) int luaopen_ym2612ml_core(lua_State *L);

int luaopen_ym2612ml_core(lua_State *L) {
	luaL_checkversion(L);
	lua_newtable(L);
	ym_open_threads(L);
	ym_open_tensor(L);
	ym_open_checksum(L);
	ym_open_gzip(L);
	ym_open_clock(L);
	ym_open_chip(L);
	ym_open_patch(L);
	ym_open_render(L);
	ym_open_audio(L);
	ym_open_spectrum(L);
	ym_open_distance(L);
	ym_open_batch(L);
	ym_open_search(L);
	ym_open_metrics(L);
	ym_open_rng(L);
	ym_open_pca(L);
	ym_open_graph(L);
	ym_open_store(L);
	ym_open_dataset(L);
	ym_open_heads(L);
	ym_open_neighbours(L);
	ym_open_synths(L);
	ym_open_streams(L);
	return 1;
}

#include <zlib.h>

#include "lua_ym.h"

/* crc32(bytes, [crc]) -> integer. The CRC-32 of zlib and PNG; crc is that of what
** came before (0 at first). */
static int checksum_crc32(lua_State *L) {
	size_t size;
	const Bytef *bytes = (const Bytef *)luaL_checklstring(L, 1, &size);
	uLong crc = (uLong)luaL_optinteger(L, 2, 0);
	lua_pushinteger(L, (lua_Integer)crc32_z(crc, bytes, size));
	return 1;
}

void ym_open_checksum(lua_State *L) {
	lua_pushcfunction(L, checksum_crc32);
	lua_setfield(L, -2, "crc32");
}

/* What the bindings of the live instrument share. */
#ifndef LIVE_LUA_LIVE_H
#define LIVE_LUA_LIVE_H

#include "live/engine.h"
#include "lua_ym.h"

/* Each adds its functions to the module table on top of the stack. */
void ym_open_engine(lua_State *L);
void ym_open_client(lua_State *L);

/* Fills the settings of an engine, but for its rate, from the options at arg: chip, bend,
** gain and patch, which must be there. */
void ym_engine_options(lua_State *L, int arg, struct ym_engine_settings *settings);

/* Pushes a table of the counts, with room for more. */
void ym_push_engine_counts(lua_State *L, const struct ym_engine_counts *counts);
void ym_set_count(lua_State *L, const char *name, uint64_t count);

#endif

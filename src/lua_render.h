/* What the bindings that render share: notes as options, tables of the state. */
#ifndef LUA_RENDER_H
#define LUA_RENDER_H

#include "bundle.h"
#include "lua_ym.h"

enum { YM_SECONDS_MAX = 600 }; /* the longest held and release */

/* The renderers' tables, made at first use and kept by the state. */
const struct ym_bundle_tables *ym_state_tables(lua_State *L);

/* Option clock in Hz, 1e6..1e8, and times as frames of it. */
double ym_option_clock(lua_State *L, int arg);
size_t ym_seconds_to_frames(double seconds, double clock);

/* Options note or block and fnum, held, release and chip. */
void ym_option_note(lua_State *L, int arg, double clock, struct ym_note *note);

#endif

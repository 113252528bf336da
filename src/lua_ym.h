/*
** What the binding files share: argument and option checks that raise at the
** caller's line, failures as triples, tensors as userdata, and the list of binding
** files. Arguments are named by their stack index, as in lauxlib.
*/
#ifndef LUA_YM_H
#define LUA_YM_H

#include <lauxlib.h>
#include <lua.h>

#include "distance.h"
#include "feature.h"
#include "patch.h"
#include "pool.h"
#include "simd.h"
#include "tensor.h"

/* Each adds its functions to the module table on top of the stack. */
void ym_open_threads(lua_State *L);
void ym_open_tensor(lua_State *L);
void ym_open_checksum(lua_State *L);
void ym_open_gzip(lua_State *L);
void ym_open_clock(lua_State *L);
void ym_open_chip(lua_State *L);
void ym_open_patch(lua_State *L);
void ym_open_render(lua_State *L);
void ym_open_audio(lua_State *L);
void ym_open_spectrum(lua_State *L);
void ym_open_pca(lua_State *L);
void ym_open_distance(lua_State *L);
void ym_open_rng(lua_State *L);
void ym_open_graph(lua_State *L);
void ym_open_store(lua_State *L);
void ym_open_dataset(lua_State *L);
void ym_open_batch(lua_State *L);
void ym_open_heads(lua_State *L);
void ym_open_neighbours(lua_State *L);
void ym_open_search(lua_State *L);
void ym_open_metrics(lua_State *L);
void ym_open_synths(lua_State *L);
void ym_open_streams(lua_State *L);

/* Raises "not enough memory", as Lua itself does: without a place in the source. */
int ym_raise_no_memory(lua_State *L);
/* Tells the collector of so many bytes that it cannot see, of an object just made: it works
** as far as if Lua had been asked for them. Without, objects of many MiB that Lua takes for
** small would pile up. */
void ym_tell_collector(lua_State *L, size_t bytes);
/* Makes room for so many more values in the stack, or raises that. (luaL_checkstack would
** call it an overflow.) */
void ym_need_stack(lua_State *L, int count);

/* The world returns: pushes nil, message, kind and returns 3. Out of memory and
** misuse are raised instead. */
int ym_push_failure(lua_State *L, const struct ym_error *error);
/* The same where the Lua caller raises misuse, at its own caller's line: nil, message,
** "argument" of YM_ARGUMENT. */
int ym_push_outcome(lua_State *L, const struct ym_error *error);

/* Options: a table or nil at arg. A key outside known (NULL-ended) raises, as does
** a value of the wrong type or outside minimum..maximum (both ends allowed). */
void ym_check_options(lua_State *L, int arg, const char *const known[]);
lua_Number ym_option_number(lua_State *L, int arg, const char *key, lua_Number fallback,
                            lua_Number minimum, lua_Number maximum);
lua_Integer ym_option_integer(lua_State *L, int arg, const char *key,
                              lua_Integer fallback, lua_Integer minimum,
                              lua_Integer maximum);
bool ym_option_boolean(lua_State *L, int arg, const char *key, bool fallback);
/* Index of the value in names (NULL-ended). */
int ym_option_choice(lua_State *L, int arg, const char *key, int fallback,
                     const char *const names[]);
/* Pushes the value of key (nil when there is no table) and returns its type. */
int ym_push_option(lua_State *L, int arg, const char *key);

/* Registers a class: a metatable called name with these metamethods, and methods
** as its __index. */
void ym_new_class(lua_State *L, const char *name, const luaL_Reg *methods,
                  const luaL_Reg *metamethods);

#define YM_TENSOR "ym2612ml.tensor"
#define YM_TARGET "ym2612ml.target"

/* Pushes a new tensor, zeroed, its memory inside the userdata; raises when there is
** no memory. */
struct ym_tensor *ym_push_tensor(lua_State *L, enum ym_type type, int rank,
                                 const size_t *shape);
/* The same, with whatever the memory holds: for results that are large and written
** whole. */
struct ym_tensor *ym_push_unset_tensor(lua_State *L, enum ym_type type, int rank,
                                       const size_t *shape);
/* Pushes a rank-1 f32 tensor and returns its memory. */
float *ym_push_vector(lua_State *L, size_t count);
/* Pushes a tensor over foreign memory that the value at owner keeps alive. */
struct ym_tensor *ym_push_view(lua_State *L, int owner, const struct ym_tensor *view);

/* A tensor of any type, rank and layout. */
struct ym_tensor *ym_check_tensor(lua_State *L, int arg);
/* A contiguous f32 tensor of this rank (0: any). Another type or layout, and for
** rank 0 or 1 a plain table of numbers, is converted, and the copy takes its place
** in the stack. */
struct ym_tensor *ym_check_f32(lua_State *L, int arg, int rank);
/* The same for rank 1: the memory and its element count. */
const float *ym_check_vector(lua_State *L, int arg, size_t *count);

/* Fills *patch from the patch table at arg; raises on a field that is missing or
** out of range, naming operator and field. */
void ym_check_patch(lua_State *L, int arg, struct ym_patch *patch);
/* The same of the patch at this place (from 1) in the list at arg; messages begin with
** "patch 7: ". */
void ym_check_listed_patch(lua_State *L, int arg, lua_Integer place,
                           struct ym_patch *patch);
/* A packed patch tensor: contiguous u8 (patches, YM_FIELDS). */
struct ym_tensor *ym_check_packed(lua_State *L, int arg);
/* Pushes a patch table. */
void ym_push_patch(lua_State *L, const struct ym_patch *patch);

/* The plan of a ym.features object, and of a ym.target object. */
const struct ym_features *ym_check_features(lua_State *L, int arg);
const struct ym_distance_target *ym_check_target(lua_State *L, int arg);

/* The instructions the kernels of this state use (ym.simd sets them). */
enum ym_simd ym_state_simd(lua_State *L);

/* The pool of this state, made at first use (ym.threads sets its size). */
struct ym_pool *ym_state_pool(lua_State *L);

#endif

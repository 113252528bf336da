/*
** What the binding files of networks share.
*/
#ifndef LUA_NN_H
#define LUA_NN_H

#include "graph.h"
#include "lua_ym.h"
#include "optim.h"

/* Classes: a graph's userdata starts with a struct ym_graph *, an optimiser's is a
** struct ym_optim with its moments, a tensor, in the user value. */
#define YM_GRAPH "ym2612ml.graph"
#define YM_OPTIM "ym2612ml.optimizer"

/* Registers the optimiser's class, and adds its constructor to the table on top. */
void ym_add_optim(lua_State *L);

#endif

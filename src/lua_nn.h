/*
** What the binding files of networks share. Graphs and optimisers are userdata, nodes
** are numbers from 1. The memory of weights, runs and moments are tensors in the user
** values, so that the collector sees it.
**
** Misuse comes back (ym_push_outcome) for ym2612ml.nn to raise at its own caller's
** line.
*/
#ifndef LUA_NN_H
#define LUA_NN_H

#include "graph.h"
#include "lua_ym.h"
#include "optim.h"

/* Classes: a graph's userdata is a struct ym_graph_box, an optimiser's a struct
** ym_optim with its moments, a tensor, in the user value. */
#define YM_GRAPH "ym2612ml.graph"
#define YM_OPTIM "ym2612ml.optimizer"

struct ym_graph_box {
	struct ym_graph *graph;
	size_t work;    /* floats in the work tensor */
	size_t learned; /* rows of the last run when it went backward, else 0 */
	size_t begun;  /* rows of the minibatch of which the last run has a share, else 0 */
	size_t parts;  /* of that share */
	size_t blocks; /* that they amount to */
	bool finished; /* no more nodes, and the weights have memory */
};

/* User values of a graph: its tensors of weights and of a run's memory. */
enum { YM_GRAPH_WEIGHTS = 1, YM_GRAPH_WORK, YM_GRAPH_VALUES = YM_GRAPH_WORK };

/* The graph at stack index 1, where all methods have it; and one with memory to run. */
struct ym_graph_box *ym_check_graph(lua_State *L);
struct ym_graph *ym_check_finished(lua_State *L);

/* The index (from 0) of the node whose number is at arg. */
int ym_check_node(lua_State *L, int arg, const struct ym_graph *graph);

/* Feeds the graph from the table at arg (input node -> tensor), and finds the rows:
** order (an i32 tensor) at arg + 1 or nil, first (from 1) at arg + 2, count at arg + 3;
** without them all rows. */
enum ym_status ym_read_rows(lua_State *L, int arg, struct ym_rows *rows,
                            struct ym_error *error);

/* Makes room for a run, and lays the graph out in it. What the last run left is gone
** from here on, also when this raises. */
void ym_reserve_run(lua_State *L, const struct ym_extent *extent);

/* Adds the methods that run a graph to its class. */
void ym_add_runs(lua_State *L);

/* Adds the methods of shared runs to it, and their functions to the table on top. */
void ym_add_sharing(lua_State *L);

/* Registers the optimiser's class, and adds its constructor to the table on top. */
void ym_add_optim(lua_State *L);

/* Adds choose and numbers to the table on top. */
void ym_add_choose(lua_State *L);

#endif

/*
** Worker threads for work that is split beforehand: the split, and so every result,
** is the same whatever the number of threads.
*/
#ifndef POOL_H
#define POOL_H

#include "ym.h"

enum { YM_THREADS = 64 }; /* the most threads a pool has */

struct ym_pool;

/* A pool of this many threads (1..YM_THREADS), the caller's among them; NULL when
** there is no memory. Threads start at the first run that can use them. */
struct ym_pool *ym_pool_new(int threads);
int ym_pool_threads(const struct ym_pool *pool);

/* Calls work(context, part, worker) once for every part 0..parts-1 and returns when
** all are done. worker (0..threads-1) tells which scratch memory the call may use;
** no two calls that run at once have the same. If threads cannot be started the
** caller's thread does all. Not to be called from inside work, nor by two threads
** at once. A process that was forked from one that had run starts threads of its own. */
void ym_pool_run(struct ym_pool *pool, size_t parts,
                 void (*work)(void *context, size_t part, int worker), void *context);

/* Joins the threads. NULL is ignored. */
void ym_pool_free(struct ym_pool *pool);

#endif

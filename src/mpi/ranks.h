/*
** The processes that mpirun started together, as ranks 0 .. size - 1. All calls but send,
** receive and abort are for all ranks at once, with the same arguments where nothing else
** is said. The only file besides its .c that knows Open MPI.
*/
#ifndef RANKS_H
#define RANKS_H

#include <mpi.h>

#include "../ym.h"

/* What ranks meet for. What one of them does to leave is never taken by the others for a
** part of the work. */
enum ym_purpose { YM_WORK, YM_LEAVE, YM_PURPOSES };

struct ym_ranks {
	MPI_Comm group[YM_PURPOSES];
	MPI_Request meeting[YM_PURPOSES];
	bool asked[YM_PURPOSES]; /* has asked the others to meet */
	struct ym_post *posted;  /* messages that may not have arrived, newest first */
	int rank, size;
	int neighbours; /* ranks on this machine, this one among them */
	bool ours;      /* MPI was not started before */
	bool running;
};

/* YM_IO, as from all the rest, with what MPI says. */
enum ym_status ym_ranks_start(struct ym_ranks *ranks, struct ym_error *error);
/* Waits for all ranks to do the same. */
enum ym_status ym_ranks_stop(struct ym_ranks *ranks, struct ym_error *error);
/* Ends all ranks with this status; does not return. */
void ym_ranks_abort(struct ym_ranks *ranks, int status);

/* Processors that this process may use. */
int ym_ranks_processors(void);

enum ym_status ym_ranks_barrier(struct ym_ranks *ranks, struct ym_error *error);
/* Waits for at most so many seconds until all ranks have called it; *met: whether they
** have. May be called until they have. */
enum ym_status ym_ranks_meet(struct ym_ranks *ranks, enum ym_purpose purpose,
                             double seconds, bool *met, struct ym_error *error);
/* Bytes of rank root become those of all. */
enum ym_status ym_ranks_broadcast(struct ym_ranks *ranks, void *bytes, size_t count,
                                  int root, struct ym_error *error);
/* all[rank] becomes what every rank calls with. */
enum ym_status ym_ranks_gather_number(struct ym_ranks *ranks, enum ym_purpose purpose,
                                      int64_t own, int64_t *all,
                                      struct ym_error *error);
/* In one block of elements of `size` bytes, elements starts[r] .. starts[r + 1] - 1 of rank
** r become those of all, for every r; starts has as many numbers as ranks, and one more. */
enum ym_status ym_ranks_join(struct ym_ranks *ranks, enum ym_purpose purpose,
                             void *block, size_t size, const int64_t *starts,
                             struct ym_error *error);
/* Every rank r has parts[r] rows of starts[size] floats, in one block. Here the columns
** starts[rank] .. starts[rank + 1] - 1 of all rows are brought together, in the order of
** the ranks. */
enum ym_status ym_ranks_exchange(struct ym_ranks *ranks, const float *rows,
                                 const int64_t *parts, const int64_t *starts,
                                 float *columns, struct ym_error *error);
/* Every float becomes its sum over all ranks, in their order. Cut by starts, which rank
** adds up which. */
enum ym_status ym_ranks_sum(struct ym_ranks *ranks, float *values,
                            const int64_t *starts, struct ym_error *error);

/* A message to one rank. Does not wait: of the bytes a copy is kept until they arrived,
** which each further call to send and wait brings about. */
enum ym_status ym_ranks_send(struct ym_ranks *ranks, int to, const void *bytes,
                             size_t count, struct ym_error *error);
/* A message that has come. */
struct ym_letter {
	int from;
	size_t count;
	MPI_Message handle;
};
/* Waits for at most so many seconds; *found: whether a message has come, which must then
** be opened. */
enum ym_status ym_ranks_wait(struct ym_ranks *ranks, double seconds, bool *found,
                             struct ym_letter *letter, struct ym_error *error);
/* Stores its letter->count bytes. */
enum ym_status ym_ranks_open(struct ym_letter *letter, void *bytes,
                             struct ym_error *error);

#endif

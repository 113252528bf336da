#define _GNU_SOURCE /* sched_getaffinity */
#include "ranks.h"

#include <limits.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LETTER = 1 }; /* tag of messages, apart from those of exchanges */

/* Seconds between two looks for a message: waiting must not take a core from a rank that
** works. */
static const double look_every = 5e-4;

/* Seconds that one who leaves waits for its messages to be taken. */
static const double patience = 1;

/* What MPI says of a code. */
static enum ym_status settle(int code, struct ym_error *error) {
	char text[MPI_MAX_ERROR_STRING + 1] = "";
	int length = 0;
	if (code == MPI_SUCCESS)
		return YM_OK;
	MPI_Error_string(code, text, &length);
	return ym_fail(error, YM_IO, "MPI: %s", text);
}

static enum ym_status too_large(struct ym_error *error) {
	return ym_fail(error, YM_ARGUMENT, "more than %d elements at once", INT_MAX);
}

/* Starts MPI unless it runs, for calls from the thread that does so. */
static enum ym_status start_mpi(struct ym_ranks *ranks, struct ym_error *error) {
	int started = 0, ended = 0, given = MPI_THREAD_SINGLE;
	int code = MPI_Initialized(&started);
	if (code == MPI_SUCCESS)
		code = MPI_Finalized(&ended);
	if (code == MPI_SUCCESS && ended)
		return ym_fail(error, YM_ARGUMENT, "MPI was stopped, and starts only once");
	ranks->ours = !started;
	if (code == MPI_SUCCESS)
		code = started ? MPI_Query_thread(&given)
		               : MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given);
	if (code != MPI_SUCCESS || given >= MPI_THREAD_FUNNELED)
		return settle(code, error);
	if (ranks->ours)
		MPI_Finalize();
	return ym_fail(error, YM_IO, "MPI: allows no threads beside the one that calls it");
}

enum ym_status ym_ranks_start(struct ym_ranks *ranks, struct ym_error *error) {
	enum ym_status status = start_mpi(ranks, error);
	int code = MPI_SUCCESS;
	MPI_Comm machine;
	if (status != YM_OK)
		return status;
	for (int purpose = 0; code == MPI_SUCCESS && purpose < YM_PURPOSES; purpose++) {
		code = MPI_Comm_dup(MPI_COMM_WORLD, &ranks->group[purpose]);
		if (code == MPI_SUCCESS)
			code = MPI_Comm_set_errhandler(ranks->group[purpose], MPI_ERRORS_RETURN);
	}
	if (code == MPI_SUCCESS)
		code = MPI_Comm_rank(ranks->group[YM_WORK], &ranks->rank);
	if (code == MPI_SUCCESS)
		code = MPI_Comm_size(ranks->group[YM_WORK], &ranks->size);
	if (code == MPI_SUCCESS)
		code = MPI_Comm_split_type(ranks->group[YM_WORK], MPI_COMM_TYPE_SHARED, 0,
		                           MPI_INFO_NULL, &machine);
	if (code == MPI_SUCCESS)
		code = MPI_Comm_size(machine, &ranks->neighbours);
	if (code == MPI_SUCCESS)
		code = MPI_Comm_free(&machine);
	ranks->running = code == MPI_SUCCESS;
	return settle(code, error);
}

static void rest(void) {
	const struct timespec time = {0, (long)(look_every * 1e9)};
	nanosleep(&time, NULL);
}

/* A message on its way. */
struct ym_post {
	struct ym_post *next;
	MPI_Request request;
	unsigned char bytes[];
};

static void free_posts(struct ym_post *post) {
	while (post != NULL) {
		struct ym_post *next = post->next;
		ym_free(post);
		post = next;
	}
}

/* Helps messages on their way, and forgets those that arrived. */
static int move_posts(struct ym_ranks *ranks) {
	struct ym_post **link = &ranks->posted;
	while (*link != NULL) {
		struct ym_post *post = *link;
		int done = 0, code = MPI_Test(&post->request, &done, MPI_STATUS_IGNORE);
		if (code != MPI_SUCCESS)
			return code;
		if (done) {
			*link = post->next;
			ym_free(post);
		} else {
			link = &post->next;
		}
	}
	return MPI_SUCCESS;
}

/* Where a meeting did not come about, what was begun of it still needs its group. What is
** not taken of messages in time needs its memory for as long as MPI runs. */
enum ym_status ym_ranks_stop(struct ym_ranks *ranks, struct ym_error *error) {
	double until = MPI_Wtime() + patience;
	int code = move_posts(ranks);
	while (code == MPI_SUCCESS && ranks->posted != NULL && MPI_Wtime() < until) {
		rest();
		code = move_posts(ranks);
	}
	for (int purpose = 0; code == MPI_SUCCESS && purpose < YM_PURPOSES; purpose++)
		if (!ranks->asked[purpose])
			code = MPI_Comm_free(&ranks->group[purpose]);
	ranks->running = false;
	if (code == MPI_SUCCESS && ranks->ours) {
		code = MPI_Finalize();
		free_posts(ranks->posted);
		ranks->posted = NULL;
	}
	return settle(code, error);
}

void ym_ranks_abort(struct ym_ranks *ranks, int status) {
	MPI_Abort(ranks->group[YM_LEAVE], status);
}

int ym_ranks_processors(void) {
	cpu_set_t set;
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		return CPU_COUNT(&set) < 1 ? 1 : CPU_COUNT(&set);
	return online < 1 ? 1 : (int)online;
}

enum ym_status ym_ranks_barrier(struct ym_ranks *ranks, struct ym_error *error) {
	return settle(MPI_Barrier(ranks->group[YM_WORK]), error);
}

enum ym_status ym_ranks_meet(struct ym_ranks *ranks, enum ym_purpose purpose,
                             double seconds, bool *met, struct ym_error *error) {
	double until = MPI_Wtime() + seconds;
	MPI_Request *meeting = &ranks->meeting[purpose];
	int code = MPI_SUCCESS, done = 0;
	if (!ranks->asked[purpose])
		code = MPI_Ibarrier(ranks->group[purpose], meeting);
	ranks->asked[purpose] = true;
	while (code == MPI_SUCCESS) {
		code = MPI_Test(meeting, &done, MPI_STATUS_IGNORE);
		if (done || MPI_Wtime() >= until)
			break;
		rest();
	}
	ranks->asked[purpose] = !done;
	*met = done != 0;
	return settle(code, error);
}

enum ym_status ym_ranks_broadcast(struct ym_ranks *ranks, void *bytes, size_t count,
                                  int root, struct ym_error *error) {
	char *at = bytes;
	while (count > 0) {
		int piece = count > INT_MAX ? INT_MAX : (int)count;
		int code = MPI_Bcast(at, piece, MPI_BYTE, root, ranks->group[YM_WORK]);
		if (code != MPI_SUCCESS)
			return settle(code, error);
		at += piece;
		count -= (size_t)piece;
	}
	return YM_OK;
}

enum ym_status ym_ranks_gather_number(struct ym_ranks *ranks, enum ym_purpose purpose,
                                      int64_t own, int64_t *all,
                                      struct ym_error *error) {
	int code = MPI_Allgather(&own, 1, MPI_INT64_T, all, 1, MPI_INT64_T,
	                         ranks->group[purpose]);
	return settle(code, error);
}

enum ym_status ym_ranks_join(struct ym_ranks *ranks, enum ym_purpose purpose,
                             void *block, size_t size, const int64_t *starts,
                             struct ym_error *error) {
	size_t many = (size_t)ranks->size;
	int *counts, *places, code;
	MPI_Datatype element;
	if (starts[many] > INT_MAX)
		return too_large(error);
	counts = ym_alloc(2 * many, sizeof *counts);
	if (counts == NULL)
		return ym_no_memory(error);
	places = counts + many;
	for (size_t rank = 0; rank < many; rank++) {
		places[rank] = (int)starts[rank];
		counts[rank] = (int)(starts[rank + 1] - starts[rank]);
	}
	code = MPI_Type_contiguous((int)size, MPI_BYTE, &element);
	if (code == MPI_SUCCESS)
		code = MPI_Type_commit(&element);
	if (code == MPI_SUCCESS) {
		code = MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, block, counts, places,
		                      element, ranks->group[purpose]);
		MPI_Type_free(&element);
	}
	ym_free(counts);
	return settle(code, error);
}

/* What is on its way in an exchange. */
struct transfer {
	struct ym_ranks *ranks;
	MPI_Request *requests;
	int count, code;
};

static void send_part(struct transfer *transfer, const float *from, int64_t count,
                      int to) {
	if (transfer->code == MPI_SUCCESS && count > 0) {
		transfer->code = MPI_Isend(from, (int)count, MPI_FLOAT, to, 0,
		                           transfer->ranks->group[YM_WORK],
		                           &transfer->requests[transfer->count]);
		transfer->count += transfer->code == MPI_SUCCESS;
	}
}

static void receive_part(struct transfer *transfer, float *into, int64_t count,
                         int from) {
	if (transfer->code == MPI_SUCCESS && count > 0) {
		transfer->code = MPI_Irecv(into, (int)count, MPI_FLOAT, from, 0,
		                           transfer->ranks->group[YM_WORK],
		                           &transfer->requests[transfer->count]);
		transfer->count += transfer->code == MPI_SUCCESS;
	}
}

/* Waits until all is done. After a failure what is still on its way is called back: the
** memory it comes from or goes to may then be given back. */
static void end_transfer(struct transfer *transfer) {
	if (transfer->code == MPI_SUCCESS)
		transfer->code = MPI_Waitall(transfer->count, transfer->requests,
		                             MPI_STATUSES_IGNORE);
	for (int at = 0; transfer->code != MPI_SUCCESS && at < transfer->count; at++)
		if (transfer->requests[at] != MPI_REQUEST_NULL) {
			MPI_Cancel(&transfer->requests[at]);
			MPI_Request_free(&transfer->requests[at]);
		}
}

/* Messages between two ranks keep their order, which tells the parts apart. */
enum ym_status ym_ranks_exchange(struct ym_ranks *ranks, const float *rows,
                                 const int64_t *parts, const int64_t *starts,
                                 float *columns, struct ym_error *error) {
	struct transfer transfer = {.ranks = ranks, .code = MPI_SUCCESS};
	int me = ranks->rank;
	int64_t all = 0, own = starts[me + 1] - starts[me], width = starts[ranks->size];
	if (width > INT_MAX)
		return too_large(error);
	for (int rank = 0; rank < ranks->size; rank++)
		all += parts[rank];
	transfer.requests = ym_alloc((size_t)(all + parts[me] * ranks->size),
	                             sizeof *transfer.requests);
	if (transfer.requests == NULL)
		return ym_no_memory(error);
	for (int rank = 0; rank < ranks->size; rank++)
		for (int64_t part = 0; part < parts[rank]; part++, columns += own) {
			if (rank != me)
				receive_part(&transfer, columns, own, rank);
			for (int64_t at = 0; rank == me && at < own; at++)
				columns[at] = rows[part * width + starts[me] + at];
		}
	for (int step = 1; step < ranks->size; step++)
		for (int64_t part = 0; part < parts[me]; part++) {
			int to = (me + step) % ranks->size;
			send_part(&transfer, rows + part * width + starts[to],
			          starts[to + 1] - starts[to], to);
		}
	end_transfer(&transfer);
	ym_free(transfer.requests);
	return settle(transfer.code, error);
}

enum ym_status ym_ranks_sum(struct ym_ranks *ranks, float *values,
                            const int64_t *starts, struct ym_error *error) {
	size_t many = (size_t)ranks->size;
	size_t own = (size_t)(starts[ranks->rank + 1] - starts[ranks->rank]);
	float *mine = values + starts[ranks->rank];
	int64_t *ones = ym_alloc(many, sizeof *ones);
	float *columns = ym_alloc(many * own, sizeof *columns);
	enum ym_status status = ones == NULL || columns == NULL ? ym_no_memory(error)
	                                                        : YM_OK;
	for (size_t rank = 0; status == YM_OK && rank < many; rank++)
		ones[rank] = 1;
	if (status == YM_OK)
		status = ym_ranks_exchange(ranks, values, ones, starts, columns, error);
	for (size_t at = 0; status == YM_OK && at < own; at++) {
		float sum = columns[at];
		for (size_t rank = 1; rank < many; rank++)
			sum += columns[rank * own + at];
		mine[at] = sum;
	}
	ym_free(columns);
	ym_free(ones);
	if (status == YM_OK)
		status = ym_ranks_join(ranks, YM_WORK, values, sizeof *values, starts, error);
	return status;
}

enum ym_status ym_ranks_send(struct ym_ranks *ranks, int to, const void *bytes,
                             size_t count, struct ym_error *error) {
	struct ym_post *post;
	int code;
	if (count > INT_MAX)
		return too_large(error);
	post = ym_alloc(1, sizeof *post + count);
	if (post == NULL)
		return ym_no_memory(error);
	memcpy(post->bytes, bytes, count);
	code = MPI_Isend(post->bytes, (int)count, MPI_BYTE, to, LETTER,
	                 ranks->group[YM_WORK], &post->request);
	if (code != MPI_SUCCESS) {
		ym_free(post);
		return settle(code, error);
	}
	post->next = ranks->posted;
	ranks->posted = post;
	return settle(move_posts(ranks), error);
}

enum ym_status ym_ranks_wait(struct ym_ranks *ranks, double seconds, bool *found,
                             struct ym_letter *letter, struct ym_error *error) {
	double until = MPI_Wtime() + seconds;
	MPI_Status status;
	int came = 0, count = 0, code;
	for (;;) {
		code = move_posts(ranks);
		if (code == MPI_SUCCESS)
			code = MPI_Improbe(MPI_ANY_SOURCE, LETTER, ranks->group[YM_WORK], &came,
			                   &letter->handle, &status);
		if (code != MPI_SUCCESS || came || MPI_Wtime() >= until)
			break;
		rest();
	}
	if (code == MPI_SUCCESS && came) {
		code = MPI_Get_count(&status, MPI_BYTE, &count);
		letter->from = status.MPI_SOURCE;
		letter->count = (size_t)count;
	}
	*found = came != 0;
	return settle(code, error);
}

enum ym_status ym_ranks_open(struct ym_letter *letter, void *bytes,
                             struct ym_error *error) {
	return settle(MPI_Mrecv(bytes, (int)letter->count, MPI_BYTE, &letter->handle,
	                        MPI_STATUS_IGNORE),
	              error);
}

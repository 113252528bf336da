#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

struct worker {
	struct ym_pool *pool;
	int index; /* 1..threads-1; the caller is worker 0 */
	pthread_t handle;
};

struct ym_pool {
	int threads, started; /* started: workers alive, 0 before the first run */
	pid_t process;        /* the one whose threads the workers are */
	struct worker workers[YM_THREADS];
	pthread_mutex_t lock;
	pthread_cond_t wake, idle;
	/* Under lock: */
	unsigned run; /* counts runs, so that a worker knows a new one */
	int busy;     /* workers inside this run */
	bool stop;
	/* Of this run; written under lock while no worker is inside: */
	size_t parts;
	void (*work)(void *context, size_t part, int worker);
	void *context;
	atomic_size_t next; /* the next part nobody has taken */
};

/* No workers, in this process, and nobody who waits. */
static void begin(struct ym_pool *pool) {
	pool->process = getpid();
	pool->started = 0;
	pool->run = 0;
	pool->busy = 0;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	pthread_cond_init(&pool->idle, NULL);
}

/* fork takes the caller's thread along and no worker, and may find the lock held by one
** of them: the child begins anew. */
static void begin_after_fork(struct ym_pool *pool) {
	if (pool->process != getpid())
		begin(pool);
}

struct ym_pool *ym_pool_new(int threads) {
	struct ym_pool *pool = ym_alloc(1, sizeof *pool);
	if (pool == NULL)
		return NULL;
	pool->threads = threads < 1 ? 1 : threads > YM_THREADS ? YM_THREADS : threads;
	atomic_init(&pool->next, 0);
	begin(pool);
	return pool;
}

int ym_pool_threads(const struct ym_pool *pool) {
	return pool->threads;
}

/* Takes parts until none is left: who takes which is chance, what each does is not. */
static void take_parts(struct ym_pool *pool, int worker) {
	size_t part;
	while ((part = atomic_fetch_add(&pool->next, 1)) < pool->parts)
		pool->work(pool->context, part, worker);
}

/* A worker sleeps until a run begins or the pool ends. It counts itself in under the
** lock, so that a run is over only when no worker is inside. */
static void *worker_loop(void *argument) {
	struct worker *self = argument;
	struct ym_pool *pool = self->pool;
	unsigned seen = 0;
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		while (!pool->stop && pool->run == seen)
			pthread_cond_wait(&pool->wake, &pool->lock);
		if (pool->stop)
			break;
		seen = pool->run;
		if (atomic_load(&pool->next) >= pool->parts)
			continue; /* woke too late: nothing is left to do */
		pool->busy++;
		pthread_mutex_unlock(&pool->lock);
		take_parts(pool, self->index);
		pthread_mutex_lock(&pool->lock);
		if (--pool->busy == 0)
			pthread_cond_signal(&pool->idle);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Starts the workers, with every signal blocked: signals are the host's. Called
** before the first run only, so run is 0 as each worker expects. */
static void start_workers(struct ym_pool *pool) {
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int index = 1; index < pool->threads; index++) {
		struct worker *worker = &pool->workers[pool->started];
		worker->pool = pool;
		worker->index = pool->started + 1;
		if (pthread_create(&worker->handle, NULL, worker_loop, worker) != 0)
			break;
		pool->started++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The caller works too. A worker that wakes after the last part was taken is not waited
** for: on a busy machine that could be long. */
void ym_pool_run(struct ym_pool *pool, size_t parts,
                 void (*work)(void *context, size_t part, int worker), void *context) {
	bool shared = parts > 1 && pool->threads > 1;
	if (shared) /* else spare the system call */
		begin_after_fork(pool);
	if (shared && pool->started == 0)
		start_workers(pool);
	if (!shared || pool->started == 0) {
		for (size_t part = 0; part < parts; part++)
			work(context, part, 0);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	pool->parts = parts;
	pool->work = work;
	pool->context = context;
	atomic_store(&pool->next, 0);
	pool->run++;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	take_parts(pool, 0);
	pthread_mutex_lock(&pool->lock);
	while (pool->busy > 0)
		pthread_cond_wait(&pool->idle, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

void ym_pool_free(struct ym_pool *pool) {
	if (pool == NULL)
		return;
	begin_after_fork(pool);
	pthread_mutex_lock(&pool->lock);
	pool->stop = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (int worker = 0; worker < pool->started; worker++)
		pthread_join(pool->workers[worker].handle, NULL);
	pthread_cond_destroy(&pool->idle);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	ym_free(pool);
}

/*
** For LD_PRELOAD: counts what an audio callback of JACK must not do. It puts itself between
** a program and jack_set_process_callback, and while the callback runs it counts, in that
** thread, memory that is taken or given back and locks that are taken. At the program's
** end the counts are written to the file that WATCH names: `callbacks N memory N locks N`.
** With WATCH_SELF set it takes memory and a lock itself, once a callback, to show that it
** sees them.
*/
#define _GNU_SOURCE /* RTLD_NEXT */

#include <dlfcn.h>
#include <jack/jack.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static __thread bool inside;
static bool tempted;
static atomic_ulong callbacks, memory_calls, locks;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static JackProcessCallback watched;

static void count(atomic_ulong *what) {
	if (inside)
		atomic_fetch_add(what, 1);
}

void *malloc(size_t size) {
	count(&memory_calls);
	return __libc_malloc(size);
}

void *calloc(size_t items, size_t size) {
	count(&memory_calls);
	return __libc_calloc(items, size);
}

void *realloc(void *memory, size_t size) {
	count(&memory_calls);
	return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
	count(&memory_calls);
	return __libc_memalign(alignment, size);
}

void free(void *memory) {
	count(&memory_calls);
	__libc_free(memory);
}

int pthread_mutex_lock(pthread_mutex_t *locked) {
	static int (*next)(pthread_mutex_t *);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	count(&locks);
	return next(locked);
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *locked) {
	static int (*next)(pthread_cond_t *, pthread_mutex_t *);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "pthread_cond_wait");
	count(&locks);
	return next(condition, locked);
}

int sem_wait(sem_t *semaphore) {
	static int (*next)(sem_t *);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "sem_wait");
	count(&locks);
	return next(semaphore);
}

static int watch(jack_nframes_t frames, void *context) {
	int result;
	inside = true;
	result = watched(frames, context);
	if (tempted) {
		void *volatile memory = malloc(1);
		free(memory);
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
	inside = false;
	atomic_fetch_add(&callbacks, 1);
	return result;
}

int jack_set_process_callback(jack_client_t *client, JackProcessCallback callback,
                              void *context) {
	static int (*next)(jack_client_t *, JackProcessCallback, void *);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "jack_set_process_callback");
	watched = callback;
	tempted = getenv("WATCH_SELF") != NULL;
	return next(client, watch, context);
}

__attribute__((destructor)) static void report(void) {
	const char *path = getenv("WATCH");
	FILE *file = path ? fopen(path, "w") : NULL;
	if (!file)
		return;
	fprintf(file, "callbacks %lu memory %lu locks %lu\n", callbacks, memory_calls,
	        locks);
	fclose(file);
}

/*
** A queue from one thread to one other that neither locks nor allocates: one thread only
** pushes, the other only takes. What is pushed before is taken before.
*/
#ifndef LIVE_RING_H
#define LIVE_RING_H

#include <stdatomic.h>
#include <string.h>

#include "ym.h"

enum { YM_RING_ITEMS = 1024 }; /* a power of 2, so that the counts may wrap */

struct ym_ring {
	unsigned char *items;
	size_t size; /* of an item, bytes */
	/* Items ever pushed and taken, each written by its own thread only; on lines of the
	** cache of their own, which the other thread does not write. */
	_Alignas(64) atomic_size_t pushed;
	_Alignas(64) atomic_size_t taken;
};

/* False when there is no memory; frees nothing then. */
static inline bool ym_ring_open(struct ym_ring *ring, size_t size) {
	ring->size = size;
	ring->items = ym_alloc(YM_RING_ITEMS, size);
	atomic_init(&ring->pushed, 0);
	atomic_init(&ring->taken, 0);
	return ring->items != NULL;
}

static inline void ym_ring_close(struct ym_ring *ring) {
	ym_free(ring->items);
	ring->items = NULL;
}

/* False, and nothing is done, when the ring is full. */
static inline bool ym_ring_push(struct ym_ring *ring, const void *item) {
	size_t pushed = atomic_load_explicit(&ring->pushed, memory_order_relaxed);
	size_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
	if (pushed - taken == YM_RING_ITEMS)
		return false;
	memcpy(ring->items + pushed % YM_RING_ITEMS * ring->size, item, ring->size);
	atomic_store_explicit(&ring->pushed, pushed + 1, memory_order_release);
	return true;
}

/* False, and *item stays, when the ring is empty. */
static inline bool ym_ring_take(struct ym_ring *ring, void *item) {
	size_t taken = atomic_load_explicit(&ring->taken, memory_order_relaxed);
	if (atomic_load_explicit(&ring->pushed, memory_order_acquire) == taken)
		return false;
	memcpy(item, ring->items + taken % YM_RING_ITEMS * ring->size, ring->size);
	atomic_store_explicit(&ring->taken, taken + 1, memory_order_release);
	return true;
}

#endif

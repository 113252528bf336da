/*
** What the threads of the host hand to each other, without locks: sound in a ring, from
** one thread to one other, and letters (a patch, a path) in a mailbox, where the newest
** replaces what was not fetched.
*/
#ifndef HOST_QUEUE_H
#define HOST_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { RATE = 48000, BLOCK = 256, SIDES = 2, LETTER = 1024 };

struct block {
	float samples[BLOCK * SIDES]; /* left and right in turn */
};

/* Each count is written by one thread only, and lies on a line of the cache of its own. */
struct ring {
	struct block *blocks;
	size_t size;
	_Alignas(64) atomic_size_t written;
	_Alignas(64) atomic_size_t read;
};

static inline bool ring_open(struct ring *ring, size_t size) {
	ring->blocks = malloc(size * sizeof *ring->blocks);
	ring->size = size;
	atomic_init(&ring->written, 0);
	atomic_init(&ring->read, 0);
	if (ring->blocks) /* so that no page of it is met for the first time in a hurry */
		memset(ring->blocks, 0, size * sizeof *ring->blocks);
	return ring->blocks != NULL;
}

/* The block to fill next, for ring_wrote, or NULL: the ring is full. */
static inline struct block *ring_to_write(struct ring *ring) {
	size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
	size_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
	return written - read == ring->size ? NULL : &ring->blocks[written % ring->size];
}

static inline void ring_wrote(struct ring *ring) {
	atomic_fetch_add_explicit(&ring->written, 1, memory_order_release);
}

/* The block that comes next, for ring_did_read, or NULL: the ring is empty. */
static inline const struct block *ring_to_read(struct ring *ring) {
	size_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
	size_t written = atomic_load_explicit(&ring->written, memory_order_acquire);
	return written == read ? NULL : &ring->blocks[read % ring->size];
}

static inline void ring_did_read(struct ring *ring) {
	atomic_fetch_add_explicit(&ring->read, 1, memory_order_release);
}

struct letter {
	size_t size;
	char bytes[LETTER];
};

/* Three letters: one the sender writes, one the receiver reads, and one between them,
** which either changes for its own in one exchange. */
enum { UNREAD = 4 };
struct mailbox {
	struct letter letters[3];
	unsigned sending, reading;
	atomic_uint between; /* its number, and UNREAD */
};

static inline void mailbox_open(struct mailbox *box) {
	box->sending = 0;
	box->reading = 1;
	atomic_init(&box->between, 2);
}

/* False, and nothing is sent, when the bytes are too many for a letter. */
static inline bool mailbox_send(struct mailbox *box, const char *bytes, size_t size) {
	struct letter *letter = &box->letters[box->sending];
	if (size > LETTER)
		return false;
	memcpy(letter->bytes, bytes, size);
	letter->size = size;
	box->sending = atomic_exchange(&box->between, box->sending | UNREAD) & ~UNREAD;
	return true;
}

/* The newest letter, which stays until the next call; or NULL when there is none that was
** not fetched before. */
static inline const struct letter *mailbox_fetch(struct mailbox *box) {
	if (!(atomic_load(&box->between) & UNREAD))
		return NULL;
	box->reading = atomic_exchange(&box->between, box->reading) & ~UNREAD;
	return &box->letters[box->reading];
}

#endif

/*
** What the parts of the search share. Only for search*.c.
*/
#ifndef SEARCH_STATE_H
#define SEARCH_STATE_H

#include "search.h"

/* A cost that no candidate has: its rendering was given up early, or not begun. */
#define YM_UNKNOWN 1e9f

struct ym_candidate {
	uint8_t genes[YM_FIELDS]; /* packed; canonical unless operators have locks */
	uint8_t take;
	uint8_t move;      /* what made it: enum ym_move */
	uint8_t island;    /* that it belongs to */
	float cost, early; /* of all its notes, of their beginnings only; in dB */
	uint64_t hash;     /* of genes and take */
};

enum { YM_MEMBERS = 16 };

struct ym_island {
	struct ym_candidate member[YM_MEMBERS]; /* best first */
	int count;
	float mark;  /* best cost when it last became much better */
	int stalled; /* generations since then */
	bool local;  /* whether a local search goes on */
};

/* Ways to make a new candidate. */
enum ym_move {
	YM_MOVE_STEP,     /* some registers move by some steps */
	YM_MOVE_CARRIERS, /* a register of all carriers moves by the same steps */
	YM_MOVE_ENVELOPE, /* the rates of an operator */
	YM_MOVE_SWAP,     /* two operators change places */
	YM_MOVE_COPY,     /* an operator, or its envelope, is copied to another */
	YM_MOVE_ALGORITHM,
	YM_MOVE_OPERATORS, /* each operator from one of two candidates */
	YM_MOVE_CROSS,     /* spectrum of one, envelopes of another */
	YM_MOVE_BLEND,     /* the difference of two others is added */
	YM_MOVE_RATIO,     /* a multiple becomes any other */
	YM_MOVE_REST,      /* registers take the values that most patches have */
	YM_MOVE_DETUNE,    /* several detunes at once: how operators beat */
	YM_MOVE_RARE,      /* SSG-EG and LFO */
	YM_MOVES,
	YM_MOVE_GIVEN = YM_MOVES /* from outside, or local search */
};

struct ym_seen {
	uint64_t hash;
	float cost;
};

struct ym_search {
	struct ym_search_settings settings; /* its arrays are copies */
	struct ym_rng rng;
	struct ym_note *takes; /* YM_SEARCH_TAKES x targets */
	float handicap[YM_SEARCH_TAKES];
	int take_count;
	double renders;
	struct ym_island island[YM_SEARCH_ISLANDS];
	double credit[YM_MOVES]; /* how often each move has paid lately */
	/* To start islands from: the best first, those used marked. */
	struct ym_candidate *seeds;
	bool *used;
	size_t seed_count;
	/* The best of each algorithm, best first. */
	struct ym_candidate kept[8][YM_SEARCH_KEPT];
	int kept_count[8];
	/* Hashes and costs of all candidates that were judged: a table with open addresses,
	** its size a power of two, 0 where free. */
	struct ym_seen *seen;
	size_t seen_room, seen_count;
	struct ym_batch_memory *memory;
	int memory_threads;
};

/* Makes a new candidate of island number i by a move. */
void ym_search_move(struct ym_search *search, int i, struct ym_candidate *child);

/* Gives a candidate its locked fields, its canonical form unless fields of operators are
** locked, and its hash. */
void ym_search_settle(const struct ym_search *search, struct ym_candidate *candidate);

/* Which candidates' notes are rendered to the end, by their beginnings: those whose early
** cost is at most limit[i], or where limit is NULL, this share of all. */
struct ym_sieve {
	const float *limit;
	double share;
};

/* What a sorted list has room for: of those that are alike, only so many. */
struct ym_niche {
	int room, most;
	bool (*alike)(const struct ym_candidate *a, const struct ym_candidate *b);
};

/* Puts a candidate into a list that is sorted by cost, the best first, in place of the
** worst that is alike, or of all, where there are too many. False, and the list as it
** was, when it is not good enough or there already. */
bool ym_search_insert(const struct ym_niche *niche, struct ym_candidate *list,
                      int *count, const struct ym_candidate *candidate);

/* Judges count candidates, whether or not seen before; sieve: NULL renders all to the
** end. views: where not NULL, and only without a sieve, a row of ym_search_row floats for
** each target of each candidate. Those judged are kept if good enough, and all are
** remembered; those given up cost YM_UNKNOWN. When it fails nothing was kept. */
enum ym_status ym_search_judge(struct ym_search *search,
                               const struct ym_search_engine *engine,
                               struct ym_candidate *candidates, size_t count,
                               const struct ym_sieve *sieve, float *views,
                               struct ym_error *error);

/* Whether a candidate like this one was judged; its cost then. */
bool ym_search_seen(const struct ym_search *search, struct ym_candidate *candidate);

/* Floats of the view of one target: of the one that has most. */
size_t ym_search_row(const struct ym_search *search);

/* Local search around a candidate: it becomes the best that was found, or stays. */
enum ym_status ym_search_local(struct ym_search *search,
                               const struct ym_search_engine *engine,
                               struct ym_candidate *centre, struct ym_error *error);

#endif

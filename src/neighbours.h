/*
** A bank of rendered patches: those whose sound is nearest to another, by all that was
** heard, by its spectrum and by its envelope, and patches crossed from two of them.
*/
#ifndef NEIGHBOURS_H
#define NEIGHBOURS_H

#include "patch.h"

enum { YM_NEIGHBOUR_CENTRE = 128, YM_NEIGHBOUR_COLUMNS = 1024 /* the most */ };

enum ym_likeness { YM_LIKE_ALL, YM_LIKE_SPECTRUM, YM_LIKE_ENVELOPE, YM_LIKENESSES };

struct ym_neighbours {
	const uint8_t *codes; /* (count, columns): YM_NEIGHBOUR_CENTRE stands for 0 */
	size_t count, columns;
	size_t spectrum; /* the columns before this one tell the spectrum, others the
	                 ** envelope */
};

/* Writes the rows of the bank nearest to the query, nearest first and of equals the
** earlier: for each likeness `wanted` of them, at most the bank's count. The query is in
** steps of the codes; it is rounded. Distances are sums of squares. */
enum ym_status ym_neighbours_find(const struct ym_neighbours *bank, const float *query,
                                  size_t wanted, uint32_t *found[YM_LIKENESSES],
                                  struct ym_error *error);

/* A packed patch with the algorithm, feedback, multiples, levels and detunes of one and
** the envelopes of another: of the same operator where it has the same role, else
** carriers take that of operator 4, and modulators keep their own. */
void ym_neighbours_cross(const uint8_t *spectrum, const uint8_t *envelope,
                         uint8_t *packed);

#endif

/*
** What a network says of a patch, as patches: each head is a distribution over the
** classes of one register, and all together those of eight algorithms.
*/
#ifndef HEADS_H
#define HEADS_H

#include "patch.h"

/* The head of the loudest carrier's total level, to which the total levels of carriers
** are relative, has this for its position. */
enum { YM_HEAD_LEVEL = YM_FIELDS, YM_HEADS = YM_FIELDS + 1, YM_HEAD_WIDTH = 128 };

struct ym_head {
	int position; /* of the field in a packed patch, or YM_HEAD_LEVEL */
	int first;    /* of its logits, which are one for each class */
	int width;    /* classes, 1..YM_HEAD_WIDTH */
	int size;     /* values in a class, from the field's minimum on */
	bool ordered; /* neighbouring values sound alike */
};

struct ym_heads {
	int count;
	struct ym_head head[YM_HEADS];
	size_t logits; /* of an algorithm, for all heads */
};

/* What the network says of a sound: a mixture of as many distributions for each of the
** eight algorithms, those of algorithm 0 first. */
struct ym_opinion {
	const struct ym_heads *heads;
	const float *logits; /* rows x heads->logits, finite */
	size_t rows;         /* 8 or a multiple of it */
	bool
		level; /* whether patches get the level told; else their loudest carrier's is 0 */
};

/* The most likely patch of each row, packed: rows x YM_FIELDS bytes. An ordered register
** in classes of several values takes the mean over the mode and its neighbours, which
** resolves more finely than the classes. Fields without a head have their minimum. */
void ym_heads_modes(const struct ym_opinion *opinion, uint8_t *packed);

/* How patches are drawn. */
struct ym_heads_draw {
	const double *weights;   /* of the rows, as for ym_rng_choose */
	double coldest, warmest; /* temperatures: below 1 sharpens a distribution */
	uint64_t seed, stream;
	size_t count;
};

/* Draws packed patches, count x YM_FIELDS bytes: a row, and from it each register by
** itself, at one of a few temperatures between the two. */
enum ym_status ym_heads_draw(const struct ym_opinion *opinion,
                             const struct ym_heads_draw *draw, uint8_t *packed,
                             struct ym_error *error);

/* Total level 0..127 of a packed patch's loudest carrier; and all carriers moved so that
** it is this one, none above 127. */
int ym_heads_level(const uint8_t *packed);
void ym_heads_set_level(uint8_t *packed, int level);

#endif

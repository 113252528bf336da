#include "neighbours.h"

#include <math.h>
#include <string.h>

/* The nearest rows so far of one likeness. */
struct nearest {
	uint32_t *rows;
	int32_t *distances; /* rising */
	size_t wanted, count;
};

/* What codes may differ by at most: beyond it a query counts as being there, so that
** sums of YM_NEIGHBOUR_COLUMNS squares stay below 2^31. */
enum { FARTHEST = 1000 };

static int32_t squares(const uint8_t *codes, const int16_t *query, size_t count) {
	int32_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		int32_t difference = codes[i] - query[i];
		sum += difference * difference;
	}
	return sum;
}

static void offer(struct nearest *nearest, uint32_t row, int32_t distance) {
	size_t at = nearest->count;
	if (at == nearest->wanted) {
		if (at == 0 || distance >= nearest->distances[at - 1])
			return;
		at--;
	} else
		nearest->count++;
	for (; at > 0 && distance < nearest->distances[at - 1]; at--) {
		nearest->distances[at] = nearest->distances[at - 1];
		nearest->rows[at] = nearest->rows[at - 1];
	}
	nearest->distances[at] = distance;
	nearest->rows[at] = row;
}

static void search(const struct ym_neighbours *bank, const int16_t *query,
                   struct nearest *nearest) {
	const uint8_t *codes = bank->codes;
	size_t envelope = bank->columns - bank->spectrum;
	for (size_t row = 0; row < bank->count; row++, codes += bank->columns) {
		int32_t by_spectrum = squares(codes, query, bank->spectrum);
		int32_t by_envelope = squares(codes + bank->spectrum, query + bank->spectrum,
		                              envelope);
		offer(&nearest[YM_LIKE_ALL], (uint32_t)row, by_spectrum + by_envelope);
		offer(&nearest[YM_LIKE_SPECTRUM], (uint32_t)row, by_spectrum);
		offer(&nearest[YM_LIKE_ENVELOPE], (uint32_t)row, by_envelope);
	}
}

enum ym_status ym_neighbours_find(const struct ym_neighbours *bank, const float *query,
                                  size_t wanted, uint32_t *found[YM_LIKENESSES],
                                  struct ym_error *error) {
	struct nearest nearest[YM_LIKENESSES];
	int16_t rounded[YM_NEIGHBOUR_COLUMNS];
	int32_t *distances = ym_alloc(YM_LIKENESSES * wanted, sizeof *distances);
	if (distances == NULL)
		return ym_no_memory(error);
	for (size_t i = 0; i < bank->columns; i++) {
		double at = fmin(fmax((double)query[i], -FARTHEST), FARTHEST);
		rounded[i] = (int16_t)(floor(at + 0.5) + YM_NEIGHBOUR_CENTRE);
	}
	for (int i = 0; i < YM_LIKENESSES; i++)
		nearest[i] = (struct nearest){found[i], distances + (size_t)i * wanted, wanted,
		                              0};
	search(bank, rounded, nearest);
	ym_free(distances);
	return YM_OK;
}

void ym_neighbours_cross(const uint8_t *spectrum, const uint8_t *envelope,
                         uint8_t *packed) {
	static const uint8_t fields[] = {YM_RS, YM_AR, YM_DR, YM_SR, YM_RR, YM_SL};
	int carriers = ym_carriers[spectrum[YM_ALGORITHM] & 7];
	int others = ym_carriers[envelope[YM_ALGORITHM] & 7];
	memcpy(packed, spectrum, YM_FIELDS);
	for (int o = 0; o < YM_OPERATORS; o++) {
		bool carrier = carriers >> o & 1, same = carrier == (others >> o & 1);
		int from = same ? o : YM_OPERATORS - 1;
		if (!same && !carrier)
			continue;
		for (size_t i = 0; i < sizeof fields; i++)
			packed[YM_PATCH_FIELDS + o * YM_OPERATOR_FIELDS + fields[i]] =
				envelope[YM_PATCH_FIELDS + from * YM_OPERATOR_FIELDS + fields[i]];
	}
}

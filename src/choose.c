#include "choose.h"

#include <math.h>

static size_t most_likely(const float *logits, size_t width) {
	size_t best = 0;
	for (size_t i = 1; i < width; i++)
		if (logits[i] > logits[best])
			best = i;
	return best;
}

/* What a logit is against the largest one, as a share that is not yet divided by the sum. */
static double share_of(float logit, float largest, double temperature) {
	return exp(((double)logit - (double)largest) / temperature);
}

static double sum_of(const float *logits, size_t width, float largest,
                     double temperature) {
	double sum = 0;
	for (size_t i = 0; i < width; i++)
		sum += share_of(logits[i], largest, temperature);
	return sum;
}

int32_t ym_choose(const float *logits, size_t width, double temperature, double number,
                  float *cost) {
	size_t chosen = most_likely(logits, width);
	float largest = logits[chosen];
	if (temperature > 0) {
		double wanted = number * sum_of(logits, width, largest, temperature), sum = 0;
		for (size_t i = 0; i < width; i++) {
			double share = share_of(logits[i], largest, temperature);
			if (share > 0)
				chosen =
					i; /* the last with a share, should rounding leave the sum short */
			sum += share;
			if (wanted < sum)
				break;
		}
	}
	*cost = (float)(log(sum_of(logits, width, largest, 1)) + (double)largest -
	                (double)logits[chosen]);
	return (int32_t)chosen;
}

double ym_choose_number(const float *logits, size_t width, double temperature,
                        size_t class) {
	float largest = logits[most_likely(logits, width)];
	double sum = 0, before = 0, own = 0;
	for (size_t i = 0; i < width; i++) {
		double share = share_of(logits[i], largest, temperature);
		before += i < class ? share : 0;
		own = i == class ? share : own;
		sum += share;
	}
	return (before + own / 2) / sum;
}

/*
** The loops of element.h, included by one unit for each level, which defines ELEMENT
** (the name of its table).
*/
#include "elementary.h"

#include "element.h"

#define FUNCTION(name, expression)                                                     \
	static void name##_loop(size_t n, const float *restrict from,                      \
	                        float *restrict to) {                                      \
		for (size_t at = 0; at < n; at++) {                                            \
			float x = from[at];                                                        \
			to[at] = expression;                                                       \
		}                                                                              \
	}

FUNCTION(exp, ym_exp(x))
FUNCTION(tanh, ym_tanh(x))
FUNCTION(sigmoid, ym_logistic(x))

static void gelu_loop(size_t n, const float *restrict from, float *restrict to,
                      float *restrict slope) {
	for (size_t at = 0; at < n; at++) {
		float x = from[at], density = ym_normal_density(x);
		float below = ym_normal_below(x, density);
		to[at] = x * below;
		slope[at] = below + x * density;
	}
}

/* Maxima and sums of every LANES-th element, then of these: an order that vectors can
** keep. What is not a number is in the sum. */
static double exp_sum(size_t n, const float *restrict from, float *restrict to,
                      float *restrict top) {
	enum { LANES = 16 };
	size_t whole = n / LANES * LANES;
	float tops[LANES], largest = from[0];
	double sums[LANES] = {0}, sum = 0;
	for (size_t lane = 0; lane < LANES; lane++)
		tops[lane] = from[0];
	for (size_t at = 0; at < whole; at += LANES)
		for (size_t lane = 0; lane < LANES; lane++) {
			float x = from[at + lane];
			tops[lane] = x > tops[lane] ? x : tops[lane];
		}
	for (size_t at = whole; at < n; at++)
		largest = from[at] > largest ? from[at] : largest;
	for (size_t lane = 0; lane < LANES; lane++)
		largest = tops[lane] > largest ? tops[lane] : largest;
	for (size_t at = 0; at < n; at++)
		to[at] = ym_exp(from[at] - largest);
	for (size_t at = 0; at < whole; at += LANES)
		for (size_t lane = 0; lane < LANES; lane++)
			sums[lane] += (double)to[at + lane];
	for (size_t at = whole; at < n; at++)
		sum += (double)to[at];
	for (size_t lane = 0; lane < LANES; lane++)
		sum += sums[lane];
	*top = largest;
	return sum;
}

static void lstm_step(size_t hidden, float *restrict gates,
                      const float *restrict before, float *restrict cells,
                      float *restrict squashed, float *restrict y) {
	for (size_t at = 0; at < hidden; at++) {
		float in = ym_logistic(gates[at]), forget = ym_logistic(gates[hidden + at]);
		float cell = ym_tanh(gates[2 * hidden + at]);
		float out = ym_logistic(gates[3 * hidden + at]);
		float next = in * cell + forget * before[at], small = ym_tanh(next);
		cells[at] = next;
		squashed[at] = small;
		y[at] = out * small;
		gates[at] = in;
		gates[hidden + at] = forget;
		gates[2 * hidden + at] = cell;
		gates[3 * hidden + at] = out;
	}
}

const struct ym_element ELEMENT = {exp_loop,  tanh_loop, sigmoid_loop,
                                   gelu_loop, exp_sum,   lstm_step};

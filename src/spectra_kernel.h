/*
** The kernel of spectra.h, included by a unit for each level, which defines LANES,
** KERNEL, the name of its table, and NARROWER, the address of another or NULL. Written
** in the compiler's vectors: one lane is one frame, and all factors are the same in
** every lane.
*/
#include <string.h>
#ifdef __F16C__
#include <immintrin.h>
#endif

#include "convert.h"
#include "spectra.h"

typedef float vector __attribute__((vector_size(4 * LANES)));
typedef int32_t vector_bits __attribute__((vector_size(4 * LANES)));
/* Aligned to one float, as any run of samples is. */
typedef float loose_vector
	__attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float quad __attribute__((vector_size(16)));
typedef float loose_quad __attribute__((vector_size(16), aligned(4), may_alias));

/* One complex number of each lane. */
struct point {
	vector re, im;
};

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

INLINE vector load(const float *from) {
	return *(const loose_vector *)from;
}

INLINE void store(float *to, vector value) {
	*(loose_vector *)to = value;
}

/* Elements a and b of each quad of x, then c and d of each quad of y. */
#if LANES == 4
#define PICK(x, y, a, b, c, d) __builtin_shufflevector(x, y, a, b, 4 + c, 4 + d)
#elif LANES == 8
#define PICK(x, y, a, b, c, d)                                                         \
	__builtin_shufflevector(x, y, a, b, 8 + c, 8 + d, 4 + a, 4 + b, 12 + c, 12 + d)
#else
#define PICK(x, y, a, b, c, d)                                                         \
	__builtin_shufflevector(x, y, a, b, 16 + c, 16 + d, 4 + a, 4 + b, 20 + c, 20 + d,  \
	                        8 + a, 8 + b, 24 + c, 24 + d, 12 + a, 12 + b, 28 + c,      \
	                        28 + d)
#endif

/* Transposes the 4 x 4 elements that the quads at one place of four vectors are. */
INLINE void transpose_quads(vector v[4]) {
	vector a = PICK(v[0], v[1], 0, 1, 0, 1), b = PICK(v[2], v[3], 0, 1, 0, 1);
	vector c = PICK(v[0], v[1], 2, 3, 2, 3), d = PICK(v[2], v[3], 2, 3, 2, 3);
	v[0] = PICK(a, b, 0, 2, 0, 2);
	v[1] = PICK(a, b, 1, 3, 1, 3);
	v[2] = PICK(c, d, 0, 2, 0, 2);
	v[3] = PICK(c, d, 1, 3, 1, 3);
}

INLINE quad load_quad(const float *from) {
	return *(const loose_quad *)from;
}

/* Four samples of every fourth frame from frames[0] on. */
INLINE vector gather(const float *const *frames, ptrdiff_t at) {
#if LANES == 4
	return load_quad(frames[0] + at);
#else
	typedef float pair __attribute__((vector_size(32)));
	pair low = __builtin_shufflevector(
		load_quad(frames[0] + at), load_quad(frames[4] + at), 0, 1, 2, 3, 4, 5, 6, 7);
#if LANES == 8
	return low;
#else
	pair high = __builtin_shufflevector(
		load_quad(frames[8] + at), load_quad(frames[12] + at), 0, 1, 2, 3, 4, 5, 6, 7);
	return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
	                               13, 14, 15);
#endif
#endif
}

/* Samples at .. at + 3 of all frames under the window: two complex numbers. */
INLINE void load_points(const float *const *frames, const float *window, ptrdiff_t at,
                        struct point *left, struct point *right) {
	vector v[4] = {gather(frames, at), gather(frames + 1, at), gather(frames + 2, at),
	               gather(frames + 3, at)};
	transpose_quads(v);
	left->re = v[0] * window[at];
	left->im = v[1] * window[at + 1];
	right->re = v[2] * window[at + 2];
	right->im = v[3] * window[at + 3];
}

INLINE struct point plus(struct point a, struct point b) {
	return (struct point){a.re + b.re, a.im + b.im};
}

INLINE struct point minus(struct point a, struct point b) {
	return (struct point){a.re - b.re, a.im - b.im};
}

/* a times cosine - i sine */
INLINE struct point turned(struct point a, float cosine, float sine) {
	return (struct point){a.re * cosine + a.im * sine, a.im * cosine - a.re * sine};
}

/* Transforms of N = 2, 4, 8 and 16 points: X[k] = sum x[n] exp(-2 pi i n k / N), the
** first two in place. */
INLINE void transform_2(struct point *a, struct point *b) {
	struct point sum = plus(*a, *b);
	*b = minus(*a, *b);
	*a = sum;
}

INLINE void transform_4(struct point *a, struct point *b, struct point *c,
                        struct point *d) {
	struct point s = plus(*a, *c), t = minus(*a, *c);
	struct point u = plus(*b, *d), v = minus(*b, *d);
	*a = plus(s, u);
	*b = (struct point){t.re + v.im, t.im - v.re};
	*c = minus(s, u);
	*d = (struct point){t.re - v.im, t.im + v.re};
}

#define ROOT     0.70710678118654752f /* of a half: cosine and sine of 1/8 turn */
#define COSINE_1 0.92387953251128674f /* of 1/16 turn */
#define SINE_1   0.38268343236508977f

/* Reads x[n stride], writes y[0 .. 7]. */
INLINE void transform_8(const struct point *x, int stride, struct point *y) {
	struct point a = x[0], b = x[2 * stride], c = x[4 * stride], d = x[6 * stride];
	struct point e = x[stride], f = x[3 * stride], g = x[5 * stride], h = x[7 * stride];
	struct point p, q;
	transform_4(&a, &b, &c, &d);
	transform_4(&e, &f, &g, &h);
	/* f and h are turned by 1/8 and 3/8 but for the factor ROOT, and q's second sign */
	p = (struct point){f.re + f.im, f.im - f.re};
	q = (struct point){h.im - h.re, h.re + h.im};
	y[0] = plus(a, e);
	y[4] = minus(a, e);
	y[1] = (struct point){b.re + p.re * ROOT, b.im + p.im * ROOT};
	y[5] = (struct point){b.re - p.re * ROOT, b.im - p.im * ROOT};
	y[2] = (struct point){c.re + g.im, c.im - g.re};
	y[6] = (struct point){c.re - g.im, c.im + g.re};
	y[3] = (struct point){d.re + q.re * ROOT, d.im - q.im * ROOT};
	y[7] = (struct point){d.re - q.re * ROOT, d.im + q.im * ROOT};
}

/* The first half of 16 points: x[0], x[1], x[2], x[3] are points n, n + 4, n + 8 and
** n + 12; their transform is turned by n k / 16 and left in y[4 k + n]. */
INLINE void begin_16(int n, struct point *x, struct point *y) {
	transform_4(&x[0], &x[1], &x[2], &x[3]);
	if (n == 1) {
		x[1] = turned(x[1], COSINE_1, SINE_1);
		x[2] = turned(x[2], ROOT, ROOT);
		x[3] = turned(x[3], SINE_1, COSINE_1);
	} else if (n == 2) {
		x[1] = turned(x[1], ROOT, ROOT);
		x[2] = (struct point){x[2].im, -x[2].re};
		x[3] = turned(x[3], -ROOT, ROOT);
	} else if (n == 3) {
		x[1] = turned(x[1], SINE_1, COSINE_1);
		x[2] = turned(x[2], -ROOT, ROOT);
		x[3] = turned(x[3], -COSINE_1, -SINE_1);
	}
	UNROLL for (int k = 0; k < 4; k++) {
		y[4 * k + n] = x[k];
	}
}

/* The other half, from what begin_16 left in x: values k, k + 4, k + 8 and k + 12, in
** y[0 .. 3]. */
INLINE void end_16(int k, const struct point *x, struct point *y) {
	struct point a = x[4 * k], b = x[4 * k + 1], c = x[4 * k + 2], d = x[4 * k + 3];
	transform_4(&a, &b, &c, &d);
	y[0] = a;
	y[1] = b;
	y[2] = c;
	y[3] = d;
}

/* Stores y[i] turned by turn[2 (k + i step)] as values k + i step of a column or row,
** which lie stride apart from `to` on. */
INLINE void store_turned(const struct point *y, int count, int step, int k,
                         const float *turn, struct point *to, ptrdiff_t stride) {
	UNROLL for (int i = 0; i < count; i++) {
		const int at = k + i * step;
		to[at * stride] = at == 0 ? y[i] : turned(y[i], turn[2 * at], turn[2 * at + 1]);
	}
}

/* Columns c and c + 1 of the matrix, from samples to turned transforms. */
INLINE void transform_columns(const struct ym_spectra *spectra, int rows,
                              const float *const *frames, int c, struct point *values) {
	const ptrdiff_t columns = spectra->columns, pitch = columns + 1;
	const float *turn = spectra->column_turn + (ptrdiff_t)2 * rows * c;
	struct point x[2][16], y[8];
	if (rows == 16) {
		UNROLL for (int n = 0; n < 4; n++) {
			struct point u[2][4];
			UNROLL for (int i = 0; i < 4; i++) {
				load_points(frames, spectra->frames->window,
				            2 * (columns * (n + 4 * i) + c), &u[0][i], &u[1][i]);
			}
			begin_16(n, u[0], x[0]);
			begin_16(n, u[1], x[1]);
		}
		for (int side = 0; side < 2; side++, turn += 2 * rows) {
			UNROLL for (int k = 0; k < 4; k++) {
				end_16(k, x[side], y);
				store_turned(y, 4, 4, k, turn, values + c + side, pitch);
			}
		}
		return;
	}
	UNROLL for (int r = 0; r < rows; r++) {
		load_points(frames, spectra->frames->window, 2 * (columns * r + c), &x[0][r],
		            &x[1][r]);
	}
	UNROLL for (int side = 0; side < 2; side++, turn += 2 * rows) {
		if (rows == 8) {
			transform_8(x[side], 1, y);
			store_turned(y, 8, 1, 0, turn, values + c + side, pitch);
		} else {
			transform_4(&x[side][0], &x[side][1], &x[side][2], &x[side][3]);
			store_turned(x[side], 4, 1, 0, turn, values + c + side, pitch);
		}
	}
}

/* One row in place: transforms over its columns ... */
INLINE void transform_first(int first, int second, const float *turn,
                            struct point *row) {
	for (int b = 0; b < second; b++, turn += 2 * first) {
		struct point y[16];
		if (first == 16) {
			struct point x[16];
			UNROLL for (int n = 0; n < 4; n++) {
				struct point u[4];
				UNROLL for (int i = 0; i < 4; i++) {
					u[i] = row[second * (n + 4 * i) + b];
				}
				begin_16(n, u, x);
			}
			UNROLL for (int k = 0; k < 4; k++) {
				end_16(k, x, y);
				store_turned(y, 4, 4, k, turn, row + b, second);
			}
		} else if (first == 8) {
			transform_8(row + b, second, y);
			store_turned(y, 8, 1, 0, turn, row + b, second);
		} else {
			UNROLL for (int i = 0; i < 4; i++) {
				y[i] = row[second * i + b];
			}
			transform_4(&y[0], &y[1], &y[2], &y[3]);
			store_turned(y, 4, 1, 0, turn, row + b, second);
		}
	}
}

/* ... and then over its rows: value p + first q of the row is left at second p + q. */
INLINE void transform_second(int first, int second, struct point *row) {
	for (int p = 0; p < first; p++, row += second) {
		if (second == 16) {
			struct point x[16], y[4];
			UNROLL for (int n = 0; n < 4; n++) {
				struct point u[4];
				UNROLL for (int i = 0; i < 4; i++) {
					u[i] = row[n + 4 * i];
				}
				begin_16(n, u, x);
			}
			UNROLL for (int k = 0; k < 4; k++) {
				end_16(k, x, y);
				UNROLL for (int i = 0; i < 4; i++) {
					row[k + 4 * i] = y[i];
				}
			}
		} else if (second == 8) {
			struct point y[8];
			transform_8(row, 1, y);
			UNROLL for (int i = 0; i < 8; i++) {
				row[i] = y[i];
			}
		} else if (second == 4)
			transform_4(&row[0], &row[1], &row[2], &row[3]);
		else
			transform_2(&row[0], &row[1]);
	}
}

/* With Z[k] = a + ib, Z[half - k] = c + id and W = exp(-2 pi i k / size):
** 2 X[k] = S + W T and 2 X[half - k] = conj(S - W T), where S = (a + c) + i (b - d)
** and T = (b + d) - i (a - c). */
INLINE void store_powers(const struct point *up, const struct point *down,
                         const float *turn, int half, int k, float *power) {
	struct point s = {up->re + down->re, up->im - down->im};
	struct point t = turned((struct point){up->im + down->im, down->re - up->re},
	                        turn[0], turn[1]);
	struct point x = plus(s, t), y = minus(s, t);
	store(power + (ptrdiff_t)k * LANES, x.re * x.re + x.im * x.im);
	store(power + (ptrdiff_t)(half - k) * LANES, y.re * y.re + y.im * y.im);
}

/* Powers of all bins k that are a row's number modulo rows, and of half - k, from the
** row and its mirror. */
INLINE void row_powers(const struct ym_spectra *spectra, int first, int second,
                       int number, const struct point *row, const struct point *mirror,
                       float *power) {
	const int rows = spectra->rows, columns = first * second;
	const float *turn = spectra->real_turn + (ptrdiff_t)2 * number * columns;
	int places = row == mirror ? columns / 2 : columns; /* else each would come twice */
	for (int p = 0; p * second < places; p++)
		for (int q = 0; q < second && p * second + q < places; q++) {
			const int at = p * second + q;
			store_powers(row + at, mirror + columns - 1 - at, turn + 2 * at,
			             spectra->half, number + rows * (p + first * q), power);
		}
}

/* The same of row 0, whose value k is mirrored by value columns - k. */
INLINE void row_0_powers(const struct ym_spectra *spectra, int first, int second,
                         const struct point *row, float *power) {
	const int columns = first * second;
	for (int k = 0; k <= columns / 2; k++) {
		const int j = (columns - k) % columns, at = k % first * second + k / first;
		store_powers(row + at, row + j % first * second + j / first,
		             spectra->real_turn + 2 * at, spectra->half, spectra->rows * k,
		             power);
	}
}

INLINE void transform_rows(const struct ym_spectra *spectra, int first, int second,
                           struct point *values, float *power) {
	const int rows = spectra->rows;
	const ptrdiff_t pitch = first * second + 1;
	for (int r = 0; r <= rows / 2; r++) {
		struct point *row = values + r * pitch,
					 *mirror = values + (rows - r) % rows * pitch;
		for (int i = 0; i < (mirror == row ? 1 : 2); i++) {
			struct point *each = i == 0 ? row : mirror;
			transform_first(first, second, spectra->row_turn, each);
			transform_second(first, second, each);
		}
		if (r == 0)
			row_0_powers(spectra, first, second, row, power);
		else
			row_powers(spectra, first, second, r, row, mirror, power);
	}
}

static void powers(const struct ym_spectra *spectra, const float *const *frames,
                   float *work, float *power) {
	struct point *values = (struct point *)(void *)work;
	const int columns = spectra->columns;
	switch (spectra->rows) {
	case 4:
		for (int c = 0; c < columns; c += 2)
			transform_columns(spectra, 4, frames, c, values);
		break;
	case 8:
		for (int c = 0; c < columns; c += 2)
			transform_columns(spectra, 8, frames, c, values);
		break;
	default:
		for (int c = 0; c < columns; c += 2)
			transform_columns(spectra, 16, frames, c, values);
		break;
	}
	switch (columns) {
	case 8: transform_rows(spectra, 4, 2, values, power); break;
	case 16: transform_rows(spectra, 4, 4, values, power); break;
	case 32: transform_rows(spectra, 4, 8, values, power); break;
	case 64: transform_rows(spectra, 8, 8, values, power); break;
	case 128: transform_rows(spectra, 16, 8, values, power); break;
	default: transform_rows(spectra, 16, 16, values, power); break;
	}
}

INLINE void store_quad(float *to, const vector *from, int place) {
	*(loose_quad *)to = ((const loose_quad *)from)[place];
}

/* Four rows of lanes into four columns of the first count rows. */
INLINE void store_quads(vector v[4], int count, float *rows, size_t pitch) {
	transpose_quads(v);
	if (count == LANES) {
		UNROLL for (int i = 0; i < LANES; i++) {
			store_quad(rows + (size_t)i * pitch, &v[i % 4], i / 4);
		}
		return;
	}
	for (int i = 0; i < count; i++)
		store_quad(rows + (size_t)i * pitch, &v[i % 4], i / 4);
}

static void transpose(const float *power, int bins, int count, float *rows,
                      size_t pitch) {
	int bin = 0;
	for (; bin + 4 <= bins; bin += 4, power += (ptrdiff_t)4 * LANES) {
		vector v[4] = {load(power), load(power + LANES), load(power + 2 * LANES),
		               load(power + 3 * LANES)};
		store_quads(v, count, rows + bin, pitch);
	}
	for (; bin < bins; bin++, power += LANES)
		for (int i = 0; i < count; i++)
			rows[(size_t)i * pitch + (size_t)bin] = power[i];
}

/* Triangles have few bins: two sums side by side, over the whole fours that weights are
** padded to. */
static void bands(const struct ym_bank *bank, const float *power, float *banded,
                  int count, float *rows, size_t pitch, float *sums) {
	const float *weight = bank->weight;
	vector total = {0};
	for (int band = 0; band < bank->bands; band++) {
		const float *from = power + (ptrdiff_t)bank->first[band] * LANES;
		const float *end = bank->weight + bank->end[band];
		vector sum = {0}, other = {0};
		for (; weight < end; weight += 4, from += 4 * LANES) {
			sum += load(from) * weight[0];
			other += load(from + LANES) * weight[1];
			sum += load(from + 2 * LANES) * weight[2];
			other += load(from + 3 * LANES) * weight[3];
		}
		sum += other;
		store(banded + (ptrdiff_t)band * LANES, sum);
		total += sum;
	}
	memcpy(sums, &total, (size_t)count * sizeof *sums);
	transpose(banded, bank->bands, count, rows, pitch);
}

/* log2 of positive normal numbers: x = 2^e (1 + t) with 1 + t in [sqrt(1/2), sqrt(2)),
** and a polynomial in t, fitted for the least largest error, 5e-8. */
INLINE vector log_2(vector x) {
	const int32_t root = 0x3F3504F3; /* the bits of sqrt(1/2) */
	vector_bits bits = (vector_bits)x;
	vector_bits exponent = (bits - root) & (int32_t)~0x7FFFFF;
	vector t = (vector)(bits - exponent) - 1.0f, square = t * t;
	vector low = (1.44269478f - 0.721357167f * t) +
	             square * (0.480939448f - 0.360087216f * t);
	vector high = (0.286707461f - 0.250069052f * t) +
	              square * (0.236890361f - 0.145744443f * t);
	return __builtin_convertvector(exponent >> 23, vector) +
	       t * (low + square * square * high);
}

static void logarithms(const float *power, float scale, float floor, float factor,
                       float offset, float *out, size_t count) {
	size_t i = 0, left;
	for (; i + LANES <= count; i += LANES)
		store(out + i, log_2(load(power + i) * scale + floor) * factor + offset);
	left = count - i;
	if (left > 0) {
		float last[LANES] = {0};
		memcpy(last, power + i, left * sizeof *last);
		store(last, log_2(load(last) * scale + floor) * factor + offset);
		memcpy(out + i, last, left * sizeof *last);
	}
}

static float difference(const float *power, float scale, const float *floors,
                        const float *logs, size_t count) {
	vector sum = {0};
	float all[LANES], total = 0;
	for (size_t i = 0; i < count; i += LANES) {
		vector apart = log_2(load(power + i) * scale + load(floors + i)) -
		               load(logs + i);
		sum += (vector)((vector_bits)apart & INT32_MAX);
	}
	memcpy(all, &sum, sizeof all);
	for (int i = 0; i < LANES; i++)
		total += all[i];
	return total;
}

static float apart(const float *a, const float *b, size_t count) {
	vector sum = {0};
	float all[LANES], total = 0;
	for (size_t i = 0; i < count; i += LANES)
		sum += (vector)((vector_bits)(load(a + i) - load(b + i)) & INT32_MAX);
	memcpy(all, &sum, sizeof all);
	for (int i = 0; i < LANES; i++)
		total += all[i];
	return total;
}

static void halves(const float *from, uint16_t *to, size_t count) {
	size_t i = 0;
#ifdef __F16C__
	for (; i + 8 <= count; i += 8) {
		__m256 values = _mm256_loadu_ps(from + i);
		_mm_storeu_si128((__m128i *)(void *)(to + i),
		                 _mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT));
	}
#endif
	ym_convert_halves(from + i, to + i, count - i);
}

const struct ym_spectra_kernel KERNEL = {
	LANES, NARROWER, powers, bands, transpose, logarithms, difference, apart, halves};

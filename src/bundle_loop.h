/*
** The sample loop of the bundles' kernels: four operators, everything constant but
** their phases. Only for bundle_kernel.h.
*/
#ifndef BUNDLE_LOOP_H
#define BUNDLE_LOOP_H

#include "bundle_vectors.h"

/* One operator in the sample loop. */
struct lane_operator {
	values phase, fraction, step, step_fraction, attenuation;
};

static inline __attribute__((always_inline)) struct lane_operator
load_operator(const struct ym_bundle *bundle, int o) {
	return (struct lane_operator){
		load(bundle->phase[o]),       load(bundle->fraction[o]),
		load(bundle->step[o]),        load(bundle->step_fraction[o]),
		load(bundle->attenuation[o]),
	};
}

static inline __attribute__((always_inline)) void
store_operator(struct ym_bundle *bundle, int o, const struct lane_operator *op) {
	store(bundle->phase[o], op->phase);
	store(bundle->fraction[o], op->fraction);
}

/* The operator's output, twice modulation too high; and its phase a step further. */
static inline __attribute__((always_inline)) values
run_operator(struct lane_operator *op, const struct wave *wave, values modulation) {
	values phase = op->phase + shift_logical(op->fraction, 4);
	op->phase += op->step;
	op->fraction += op->step_fraction;
	return look_up(wave, shift_logical(phase, 6) + modulation, op->attenuation);
}

/* Runs count samples (at most BLOCK) with everything constant but the phases, into
** rows. algorithm and clean are constants where it is inlined. */
static inline __attribute__((always_inline)) void run(struct ym_bundle *bundle,
                                                      size_t count, values *out,
                                                      const int algorithm,
                                                      const bool clean) {
	const bool mixed = algorithm == YM_BUNDLE_MIXED;
	const struct wave wave = load_wave(bundle->tables);
	const values none = {0}, feedback = load(bundle->feedback);
	const int16_t high = clean ? 8191 : 255;
	struct lane_operator op1 = load_operator(bundle, 0), op2 = load_operator(bundle, 1),
						 op3 = load_operator(bundle, 2), op4 = load_operator(bundle, 3);
	values s1 = load(bundle->out1), last1 = load(bundle->last1);
	values s2 = load(bundle->out2), s3, s4;
/* A signal that goes somewhere in some algorithms. */
#define GATED(signal, where)                                                           \
	(mixed                                        ? (signal)&load(bundle->gate[where]) \
	 : ym_gate_algorithms[where] >> algorithm & 1 ? (signal)                           \
	                                              : none)
	for (size_t i = 0; i < count; i++) {
		values before1 = s1, before2 = s2, m2, m3, m4, sum;
		s1 = run_operator(&op1, &wave, multiply_high(s1 + last1, feedback));
		last1 = before1;
		m3 = GATED(before1, YM_LAST_1_TO_3) + GATED(before2, YM_LAST_2_TO_3);
		s3 = run_operator(&op3, &wave, m3 >> 1);
		m2 = GATED(s1, YM_1_TO_2);
		s2 = run_operator(&op2, &wave, m2 >> 1);
		m4 = GATED(s1, YM_1_TO_4) + GATED(before2, YM_LAST_2_TO_4) +
		     GATED(s3, YM_3_TO_4);
		s4 = run_operator(&op4, &wave, m4 >> 1);
		/* added in the chip's order, limited after every addition */
		sum = GATED(clean ? s1 : s1 >> 5, YM_1_HEARD);
		sum += GATED(clean ? s3 : s3 >> 5, YM_3_HEARD);
		if (mixed || algorithm == 7)
			sum = limit(sum, high);
		sum += GATED(clean ? s2 : s2 >> 5, YM_2_HEARD);
		if (mixed || algorithm >= 5)
			sum = limit(sum, high);
		sum += clean ? s4 : s4 >> 5;
		out[i] = mixed || algorithm >= 4 ? limit(sum, high) : sum;
	}
#undef GATED
	store_operator(bundle, 0, &op1);
	store_operator(bundle, 1, &op2);
	store_operator(bundle, 2, &op3);
	store_operator(bundle, 3, &op4);
	store(bundle->out1, s1);
	store(bundle->last1, last1);
	store(bundle->out2, s2);
}

#define RUN(algorithm)                                                                 \
	case 2 * algorithm: run(bundle, count, out, algorithm, false); break;              \
	case 2 * algorithm + 1: run(bundle, count, out, algorithm, true); break;

static void run_samples(struct ym_bundle *bundle, size_t count, values *out) {
	switch (2 * bundle->algorithm + (bundle->stage == YM_STAGE_CLEAN)) {
		RUN(0)
		RUN(1)
		RUN(2)
		RUN(3)
		RUN(4)
		RUN(5)
		RUN(6)
		RUN(7)
		RUN(8)
	default: break;
	}
}

#endif

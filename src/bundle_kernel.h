/*
** The kernel of bundles: one source, compiled for each level of instructions by the
** bundle_<level>.c files, which name the table of functions (KERNEL) they give.
*/
#include <math.h>
#include <string.h>

#include "bundle_lanes.h"
#include "fft.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

#if defined(__AVX512BW__)
enum { LANES = 32 };
#elif defined(__AVX2__)
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif

enum { BLOCK = 128 }; /* samples rendered before they are delivered, a multiple of 8 */

typedef int16_t values __attribute__((vector_size(2 * LANES)));
typedef uint16_t unsigned_values __attribute__((vector_size(2 * LANES)));

static inline values load(const int16_t *from) {
	return *(const values *)from;
}

static inline void store(int16_t *to, values value) {
	*(values *)to = value;
}

static inline values choose(values mask, values yes, values no) {
	return (yes & mask) | (no & ~mask);
}

static inline values shift_logical(values value, int count) {
	return (values)((unsigned_values)value >> count);
}

#if defined(__AVX512BW__)

static inline values smaller(values a, values b) {
	return (values)_mm512_min_epi16((__m512i)a, (__m512i)b);
}

static inline values larger(values a, values b) {
	return (values)_mm512_max_epi16((__m512i)a, (__m512i)b);
}

static inline values multiply_high(values a, values b) {
	return (values)_mm512_mulhi_epi16((__m512i)a, (__m512i)b);
}

/* Bit l is set where lane l of a mask is. */
static inline uint32_t lanes_of(values mask) {
	return _mm512_movepi16_mask((__m512i)mask);
}

static inline values look_up_rate(const int16_t table[YM_RATES], values rate) {
	return (values)_mm512_permutex2var_epi16(_mm512_load_si512(table), (__m512i)rate,
	                                         _mm512_load_si512(table + 32));
}

/* The tables, in registers. */
struct wave {
	__m512i log_sine[8], mantissa, slope;
};

static inline struct wave load_wave(const struct ym_bundle_tables *tables) {
	struct wave wave;
	for (int i = 0; i < 8; i++)
		wave.log_sine[i] = _mm512_loadu_si512(ym_log_sine + 32 * i);
	wave.mantissa = _mm512_load_si512(tables->mantissa);
	wave.slope = _mm512_load_si512(tables->slope);
	return wave;
}

/* Log-sines of the low 8 bits of index. */
static inline __attribute__((always_inline)) __m512i
look_up_log_sine(const __m512i table[8], __m512i index) {
	__mmask32 bit6 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(0x40));
	__mmask32 bit7 = _mm512_test_epi16_mask(index, _mm512_set1_epi16(0x80));
	__m512i a = _mm512_permutex2var_epi16(table[0], index, table[1]);
	__m512i b = _mm512_permutex2var_epi16(table[2], index, table[3]);
	__m512i c = _mm512_permutex2var_epi16(table[4], index, table[5]);
	__m512i d = _mm512_permutex2var_epi16(table[6], index, table[7]);
	return _mm512_mask_blend_epi16(bit7, _mm512_mask_blend_epi16(bit6, a, b),
	                               _mm512_mask_blend_epi16(bit6, c, d));
}

/* Amplitudes by attenuation, 256 to a factor of 2: the mantissa, times 4, shifted. */
static inline __attribute__((always_inline)) __m512i
amplitude_of(const struct wave *wave, __m512i attenuation) {
	__m512i segment = _mm512_srli_epi16(attenuation, 3);
	__m512i place = _mm512_and_si512(attenuation, _mm512_set1_epi16(7));
	__m512i slope = _mm512_permutexvar_epi16(segment, wave->slope);
	__m512i line = _mm512_sub_epi16(_mm512_permutexvar_epi16(segment, wave->mantissa),
	                                _mm512_mullo_epi16(slope, place));
	__m512i mantissa = _mm512_and_si512(_mm512_srli_epi16(line, 3),
	                                    _mm512_set1_epi16(~3));
	return _mm512_srlv_epi16(mantissa, _mm512_srli_epi16(attenuation, 8));
}

/* Outputs of an operator for angles (10 bits and whatever above) and attenuations. */
static inline __attribute__((always_inline)) values
look_up(const struct wave *wave, values angles, values attenuations) {
	__m512i angle = (__m512i)angles;
	__mmask32 falling = _mm512_test_epi16_mask(angle, _mm512_set1_epi16(0x100));
	__mmask32 negative = _mm512_test_epi16_mask(angle, _mm512_set1_epi16(0x200));
	__m512i index = _mm512_mask_sub_epi16(angle, falling, _mm512_set1_epi16(-1), angle);
	__m512i log_sine = look_up_log_sine(wave->log_sine, index);
	__m512i amplitude = amplitude_of(wave,
	                                 _mm512_add_epi16(log_sine, (__m512i)attenuations));
	return (values)_mm512_mask_sub_epi16(amplitude, negative, _mm512_setzero_si512(),
	                                     amplitude);
}

#else /* tables in memory */

#if defined(__AVX2__)

static inline values smaller(values a, values b) {
	return (values)_mm256_min_epi16((__m256i)a, (__m256i)b);
}

static inline values larger(values a, values b) {
	return (values)_mm256_max_epi16((__m256i)a, (__m256i)b);
}

static inline values multiply_high(values a, values b) {
	return (values)_mm256_mulhi_epi16((__m256i)a, (__m256i)b);
}

static inline uint32_t lanes_of(values mask) {
	uint32_t bytes = (uint32_t)_mm256_movemask_epi8((__m256i)mask), lanes = 0;
	if (bytes != 0)
		for (int lane = 0; lane < LANES; lane++)
			lanes |= (bytes >> 2 * lane & 1) << lane;
	return lanes;
}

#else

static inline values smaller(values a, values b) {
	return choose(a < b, a, b);
}

static inline values larger(values a, values b) {
	return choose(a > b, a, b);
}

static inline values multiply_high(values a, values b) {
	typedef int32_t products __attribute__((vector_size(4 * LANES)));
	products product = __builtin_convertvector(a, products) *
	                   __builtin_convertvector(b, products);
	return __builtin_convertvector(product >> 16, values);
}

static inline uint32_t lanes_of(values mask) {
	uint32_t lanes = 0;
	for (int lane = 0; lane < LANES; lane++)
		lanes |= (uint32_t)(mask[lane] != 0) << lane;
	return lanes;
}

#endif

/* 16 bits at each index, as if unsigned. */
static inline __attribute__((always_inline)) values gather(const void *table,
                                                           values index) {
	values found;
	for (int lane = 0; lane < LANES; lane++)
		found[lane] = ((const int16_t *)table)[(uint16_t)index[lane]];
	return found;
}

static inline values look_up_rate(const int16_t table[YM_RATES], values rate) {
	return gather(table, rate);
}

#if defined(__AVX2__)

/* Tables of 16 or twice 16 values, byte by byte. */
struct wave {
	__m256i mantissa_low[2], mantissa_high[2], slope[2], power_low, power_high;
};

/* The low or the high bytes of 16 values, for both halves of a register. */
static inline __m256i bytes_of(const uint16_t words[16], int shift) {
	_Alignas(16) uint8_t bytes[16];
	for (int i = 0; i < 16; i++)
		bytes[i] = (uint8_t)(words[i] >> shift);
	return _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *)bytes));
}

static inline struct wave load_wave(const struct ym_bundle_tables *tables) {
	uint16_t power[16];
	struct wave wave;
	for (int half = 0; half < 2; half++) {
		wave.mantissa_low[half] = bytes_of(tables->mantissa + 16 * half, 0);
		wave.mantissa_high[half] = bytes_of(tables->mantissa + 16 * half, 8);
		wave.slope[half] = bytes_of(tables->slope + 16 * half, 0);
	}
	for (int i = 0; i < 16; i++)
		power[i] = (uint16_t)(1 << (15 - i));
	wave.power_low = bytes_of(power, 0);
	wave.power_high = bytes_of(power, 8);
	return wave;
}

/* A value of 16 by each index: low is the index with its upper byte's top bit set, high
** the index in the upper byte with the lower byte's top bit set. */
static inline __m256i pick(__m256i table_low, __m256i table_high, __m256i low,
                           __m256i high) {
	return _mm256_or_si256(_mm256_shuffle_epi8(table_low, low),
	                       _mm256_shuffle_epi8(table_high, high));
}

/* Amplitudes by attenuation, 256 to a factor of 2: 8 mantissas times 2^(15 - shift),
** over 2^16. */
static inline __attribute__((always_inline)) __m256i
amplitude_of(const struct wave *wave, __m256i attenuation) {
	const __m256i no_high = _mm256_set1_epi16((int16_t)0x8000);
	const __m256i no_low = _mm256_set1_epi16(0x80);
	__m256i place = _mm256_and_si256(attenuation, _mm256_set1_epi16(7));
	__m256i upper = _mm256_srai_epi16(_mm256_slli_epi16(attenuation, 8), 15);
	__m256i segment = _mm256_and_si256(_mm256_srli_epi16(attenuation, 3),
	                                   _mm256_set1_epi16(15));
	__m256i low = _mm256_or_si256(segment, no_high);
	__m256i high = _mm256_or_si256(_mm256_slli_epi16(segment, 8), no_low);
	__m256i start = _mm256_blendv_epi8(
		pick(wave->mantissa_low[0], wave->mantissa_high[0], low, high),
		pick(wave->mantissa_low[1], wave->mantissa_high[1], low, high), upper);
	__m256i slope = _mm256_blendv_epi8(_mm256_shuffle_epi8(wave->slope[0], low),
	                                   _mm256_shuffle_epi8(wave->slope[1], low), upper);
	__m256i line = _mm256_sub_epi16(start, _mm256_mullo_epi16(slope, place));
	__m256i mantissa = _mm256_and_si256(_mm256_srli_epi16(line, 2),
	                                    _mm256_set1_epi16(~7));
	__m256i bounded = _mm256_min_epi16(attenuation, _mm256_set1_epi16(0xFFF));
	__m256i power = pick(
		wave->power_low, wave->power_high,
		_mm256_or_si256(_mm256_srli_epi16(bounded, 8), no_high),
		_mm256_or_si256(_mm256_and_si256(bounded, _mm256_set1_epi16(0xF00)), no_low));
	return _mm256_mulhi_epu16(mantissa, power);
}

static inline __attribute__((always_inline)) values
look_up(const struct wave *wave, values angles, values attenuations) {
	values falling = (angles << 7) >> 15, negative = (angles << 6) >> 15;
	values log_sine = gather(ym_log_sine, (angles ^ falling) & 0xFF);
	values amplitude = (values)amplitude_of(wave, (__m256i)(log_sine + attenuations));
	return (amplitude ^ negative) - negative;
}

#else

struct wave {
	const struct ym_voice_tables *tables;
};

static inline struct wave load_wave(const struct ym_bundle_tables *tables) {
	return (struct wave){&tables->voice};
}

static inline __attribute__((always_inline)) values
look_up(const struct wave *wave, values angles, values attenuations) {
	values level = gather(wave->tables->wave, angles & 0x3FF) + attenuations;
	return gather(wave->tables->amplitude, level);
}

#endif

#endif

static inline values limit(values sum, int16_t high) {
	values top = {0};
	top += high;
	return larger(smaller(sum, top), ~top);
}

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
/* A signal that goes somewhere in some algorithms: those whose bits are set. */
#define GATED(signal, where, algorithms)                                               \
	(mixed                           ? (signal)&load(bundle->gate[where])              \
	 : (algorithms) >> algorithm & 1 ? (signal)                                        \
	                                 : none)
	for (size_t i = 0; i < count; i++) {
		values before1 = s1, before2 = s2, m2, m3, m4, sum;
		s1 = run_operator(&op1, &wave, multiply_high(s1 + last1, feedback));
		last1 = before1;
		m3 = GATED(before1, YM_LAST_1_TO_3, 0x22) +
		     GATED(before2, YM_LAST_2_TO_3, 0x07);
		s3 = run_operator(&op3, &wave, m3 >> 1);
		m2 = GATED(s1, YM_1_TO_2, 0x79);
		s2 = run_operator(&op2, &wave, m2 >> 1);
		m4 = GATED(s1, YM_1_TO_4, 0x24) + GATED(before2, YM_LAST_2_TO_4, 0x08) +
		     GATED(s3, YM_3_TO_4, 0x1F);
		s4 = run_operator(&op4, &wave, m4 >> 1);
		/* added in the chip's order, limited after every addition */
		sum = GATED(clean ? s1 : s1 >> 5, YM_1_HEARD, 0x80);
		sum += GATED(clean ? s3 : s3 >> 5, YM_3_HEARD, 0xE0);
		if (mixed || algorithm == 7)
			sum = limit(sum, high);
		sum += GATED(clean ? s2 : s2 >> 5, YM_2_HEARD, 0xF0);
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

static inline void set_attenuation(struct ym_bundle *bundle, int o) {
	const values most = (values){0} + YM_LEVEL_INAUDIBLE;
	values level = load(bundle->level[o]), sum;
	if (bundle->cycling)
		level = choose(load(bundle->invert[o]), (0x200 - level) & YM_LEVEL_MAX, level);
	sum = level + load(bundle->base[o]);
	store(bundle->attenuation[o], smaller(sum, most) << 2);
}

/* From the next frame on a lane's SSG-EG is stepped by itself. */
static void wake(struct ym_bundle *bundle, int o, int lane) {
	struct ym_slot *slot = &bundle->slot[o][lane];
	slot->level = (uint16_t)bundle->level[o][lane];
	slot->state = bundle->state[o][lane];
	bundle->rate[o][lane] = 0;
	bundle->attacking[o][lane] = 0;
	bundle->target[o][lane] = -1;
	bundle->busy[o] |= (uint32_t)1 << lane;
}

/* Lanes whose state an envelope tick in one frame ends, one after the other. */
static void follow(struct ym_bundle *bundle, int o, uint32_t lanes) {
	for (; lanes != 0; lanes &= lanes - 1) {
		int lane = __builtin_ctz(lanes);
		uint8_t *state = &bundle->state[o][lane];
		int level = bundle->level[o][lane];
		if ((bundle->slot[o][lane].ssg & 8) && level >= 0x200) {
			wake(bundle, o, lane);
			continue;
		}
		if (*state == YM_ATTACK && level == 0)
			*state = YM_DECAY;
		if (*state == YM_DECAY && level >> 4 == bundle->sustain[o][lane])
			*state = YM_SUSTAIN;
		ym_lane_follow(bundle, o, lane);
	}
	ym_lanes_count(bundle, o);
}

/* An operator's envelope tick, together with the two frames after it, in which states
** may change but no level moves. */
static void tick_operator(struct ym_bundle *bundle, int o, const struct ym_tick *tick) {
	values level = load(bundle->level[o]), rate = load(bundle->rate[o]);
	values add = look_up_rate(tick->add, rate), events;
	if (bundle->cycling)
		add *= load(bundle->boost[o]);
	if (bundle->attacks[o] > 0) {
		values attacking = load(bundle->attacking[o]);
		/* (~level << class) >> 5 */
		values rise = multiply_high(~level << 1, look_up_rate(tick->attack, rate));
		add = choose(attacking, rise, add);
		level += add;
		events = (level == 0) & attacking;
	} else {
		level += add;
		events = (values){0};
	}
	events |= (level >> 4 == load(bundle->target[o])) |
	          ((level >= load(bundle->limit[o])) & (add > 0));
	store(bundle->level[o], level);
	if (lanes_of(events) != 0)
		follow(bundle, o, lanes_of(events));
	set_attenuation(bundle, o);
}

static int tick_kind(unsigned timer) {
	return timer & 1 ? (int)(timer >> 1 & 1) : __builtin_ctz(timer) + 1;
}

/* The envelope frame that a frame belongs to: itself or one of the two before. */
static uint64_t tick_frame(uint64_t frame) {
	return frame - (frame + 2) % 3;
}

/* Key-offs in the envelope frame or the two after it. Those in the frame itself end
** the attack before its tick, and all end the state after it. */
static void let_go(struct ym_bundle *bundle, uint64_t frame, bool before) {
	for (int o = 0; o < YM_OPERATORS; o++) {
		bool any = false;
		for (int lane = 0; lane < bundle->lanes; lane++) {
			uint64_t release = bundle->release[o][lane];
			if (release < frame || release > frame + 2)
				continue;
			if (before && release == frame && bundle->attacking[o][lane])
				bundle->rate[o][lane] = 0;
			else if (!before) {
				bundle->state[o][lane] = YM_RELEASE;
				ym_lane_follow(bundle, o, lane);
				any = true;
			}
		}
		if (any) {
			ym_lanes_count(bundle, o);
			set_attenuation(bundle, o);
		}
	}
}

/* The envelope frame of the first key-off after a frame. */
static uint64_t next_release(const struct ym_bundle *bundle, uint64_t frame) {
	uint64_t next = UINT64_MAX;
	for (int o = 0; o < YM_OPERATORS; o++)
		for (int lane = 0; lane < bundle->lanes; lane++)
			if (bundle->release[o][lane] > frame + 2 && bundle->release[o][lane] < next)
				next = bundle->release[o][lane];
	return next == UINT64_MAX ? next : tick_frame(next);
}

/* What ends a run of samples, and when: samples for the LFO, frames for envelopes. */
struct agenda {
	uint64_t tick, release; /* envelope frames */
	uint64_t cycle_release; /* the first key-off of a lane with an SSG-EG */
	size_t lfo;
};

/* The next envelope frame after a frame in which any envelope moves, but not beyond
** `last`. */
static uint64_t next_tick(const struct ym_bundle *bundle, uint64_t frame,
                          uint64_t last) {
	uint64_t present = 0;
	unsigned timer;
	for (int o = 0; o < YM_OPERATORS; o++)
		present |= bundle->present[o];
	if (present == 0)
		return last;
	frame += 3;
	timer = ym_envelope_timer(frame);
	while (frame < last &&
	       (present & bundle->tables->ticks[tick_kind(timer)].moving) == 0) {
		frame += 3;
		timer = timer == 4095 ? 1 : timer + 1;
	}
	return frame;
}

static void tick(struct ym_bundle *bundle, struct agenda *agenda) {
	uint64_t frame = agenda->tick;
	const struct ym_tick *tick =
		&bundle->tables->ticks[tick_kind(ym_envelope_timer(frame))];
	bool releasing = frame == agenda->release;
	if (releasing)
		let_go(bundle, frame, true);
	for (int o = 0; o < YM_OPERATORS; o++)
		if (bundle->present[o] & tick->moving)
			tick_operator(bundle, o, tick);
	if (releasing) {
		let_go(bundle, frame, false);
		agenda->release = next_release(bundle, frame);
	}
	agenda->tick = next_tick(bundle, frame, agenda->release);
}

static size_t next_lfo(const struct ym_bundle *bundle) {
	size_t next = YM_NEVER;
	for (int lane = 0; lane < bundle->lanes; lane++)
		if (bundle->lfo[lane].next < next)
			next = bundle->lfo[lane].next;
	return next;
}

static void step_lfo(struct ym_bundle *bundle, struct agenda *agenda) {
	for (int lane = 0; lane < bundle->lanes; lane++) {
		struct ym_lane_lfo *lfo = &bundle->lfo[lane];
		if (lfo->next != agenda->lfo)
			continue;
		lfo->next += lfo->period;
		lfo->counter = (lfo->counter + 1) & 127;
		ym_bundle_modulate(bundle, lane);
	}
	for (int o = 0; o < YM_OPERATORS; o++)
		set_attenuation(bundle, o);
	agenda->lfo = next_lfo(bundle);
}

static uint64_t next_cycle_release(const struct ym_bundle *bundle, uint64_t frame) {
	uint64_t next = UINT64_MAX;
	for (int o = 0; o < YM_OPERATORS; o++)
		for (int lane = 0; lane < bundle->lanes; lane++)
			if (bundle->cycle_release[o][lane] > frame &&
			    bundle->cycle_release[o][lane] < next)
				next = bundle->cycle_release[o][lane];
	return next;
}

/* Wakes the lanes with an SSG-EG whose key goes up in a frame. */
static void release_cycles(struct ym_bundle *bundle, struct agenda *agenda,
                           uint64_t frame) {
	for (int o = 0; o < YM_OPERATORS; o++) {
		for (int lane = 0; lane < bundle->lanes; lane++)
			if (bundle->cycle_release[o][lane] == frame &&
			    (bundle->busy[o] >> lane & 1) == 0)
				wake(bundle, o, lane);
		ym_lanes_count(bundle, o);
	}
	agenda->cycle_release = next_cycle_release(bundle, frame);
}

static bool any_busy(const struct ym_bundle *bundle) {
	return (bundle->busy[0] | bundle->busy[1] | bundle->busy[2] | bundle->busy[3]) != 0;
}

static bool key_at(const struct ym_bundle *bundle, int o, int lane, uint64_t frame) {
	return frame >= ym_voice_key_on(o) && frame < bundle->cycle_release[o][lane];
}

/* The first steps of a frame of the busy lanes, up to their attenuation. */
static void begin_cycles(struct ym_bundle *bundle, uint64_t frame) {
	for (int o = 0; o < YM_OPERATORS; o++)
		for (uint32_t busy = bundle->busy[o]; busy != 0; busy &= busy - 1) {
			int lane = __builtin_ctz(busy), level;
			struct ym_slot *slot = &bundle->slot[o][lane];
			bool down = slot->down;
			struct ym_ssg ssg = ym_slot_ssg(slot, key_at(bundle, o, lane, frame));
			bundle->turned[o][lane] = slot->down != down;
			level = ssg.invert ? ym_fold_level(slot->level) : slot->level;
			level += bundle->base[o][lane];
			if (level > YM_LEVEL_INAUDIBLE)
				level = YM_LEVEL_INAUDIBLE;
			bundle->attenuation[o][lane] = (int16_t)(level << 2);
			bundle->ssg[o][lane] = ssg;
		}
}

/* A lane goes back to the ticks: nothing but these changes it now. */
static void settle(struct ym_bundle *bundle, int o, int lane) {
	const struct ym_slot *slot = &bundle->slot[o][lane];
	bool still = slot->level >= 0x200 && slot->state != YM_ATTACK;
	bundle->level[o][lane] = (int16_t)slot->level;
	bundle->state[o][lane] = slot->state;
	bundle->invert[o][lane] = bundle->ssg[o][lane].invert ? -1 : 0;
	bundle->rate[o][lane] = still ? 0 : bundle->rates[slot->state][o][lane];
	bundle->attacking[o][lane] = slot->state == YM_ATTACK ? -1 : 0;
	bundle->target[o][lane] = slot->state == YM_DECAY ? bundle->sustain[o][lane]
	                                                  : (int16_t)-1;
	bundle->busy[o] &= ~((uint32_t)1 << lane);
	ym_lanes_count(bundle, o);
}

/* The last steps of a frame of the busy lanes; those that have come to rest wait for
** ticks again. Not in an envelope frame, whose tick is yet to come for the others. */
static void end_cycles(struct ym_bundle *bundle, struct agenda *agenda,
                       uint64_t frame) {
	for (int o = 0; o < YM_OPERATORS; o++)
		for (uint32_t busy = bundle->busy[o]; busy != 0; busy &= busy - 1) {
			int lane = __builtin_ctz(busy);
			struct ym_slot *slot = &bundle->slot[o][lane], before = *slot;
			struct ym_ssg ssg = bundle->ssg[o][lane];
			bool reset = ym_slot_envelope(slot, ssg, key_at(bundle, o, lane, frame),
			                              false, bundle->pitch[lane].keycode,
			                              ym_envelope_frame(frame),
			                              ym_envelope_timer(frame));
			if (reset) {
				bundle->phase[o][lane] = 0;
				bundle->fraction[o][lane] = 0;
			}
			if (!reset && !bundle->turned[o][lane] && slot->level == before.level &&
			    slot->state == before.state && slot->key == before.key &&
			    !(slot->key && (ssg.reset || ssg.repeat)) &&
			    frame > YM_FIRST_FRAME + 2 && !ym_envelope_frame(frame)) {
				uint64_t next;
				settle(bundle, o, lane);
				next = next_tick(bundle, tick_frame(frame), agenda->release);
				if (next < agenda->tick)
					agenda->tick = next;
			}
		}
}

/* The sample from which on a tick is heard. */
static size_t heard_from(uint64_t frame) {
	return frame == UINT64_MAX ? YM_NEVER : (size_t)(frame + 1 - YM_FIRST_FRAME);
}

/* What happens before a sample. The first envelope frame, with the two after it, was
** stepped beforehand: operator 1's key comes a frame late, in the middle of them. */
static void attend(struct ym_bundle *bundle, struct agenda *agenda, size_t sample) {
	if (sample == 1) {
		memcpy(bundle->level[0], bundle->second_level, sizeof bundle->level[0]);
		set_attenuation(bundle, 0);
	} else if (sample == 3) {
		memcpy(bundle->level, bundle->steady_level, sizeof bundle->level);
		for (int o = 0; o < YM_OPERATORS; o++)
			set_attenuation(bundle, o);
	}
	if (sample == agenda->lfo)
		step_lfo(bundle, agenda);
	if (sample == heard_from(agenda->tick))
		tick(bundle, agenda);
	if (sample + YM_FIRST_FRAME == agenda->cycle_release)
		release_cycles(bundle, agenda, sample + YM_FIRST_FRAME);
	begin_cycles(bundle, sample + YM_FIRST_FRAME);
}

static size_t earlier(size_t a, size_t b) {
	return a < b ? a : b;
}

/* Runs count samples (at most BLOCK) from `first` on. */
static void advance(struct ym_bundle *bundle, struct agenda *agenda, size_t first,
                    size_t count, values *rows) {
	size_t end = first + count;
	for (int o = 0; o < YM_OPERATORS; o++) {
		values fraction = load(bundle->fraction[o]);
		store(bundle->phase[o], load(bundle->phase[o]) + (fraction >> 4));
		store(bundle->fraction[o], fraction & 15);
	}
	for (size_t sample = first, stop; sample < end; sample = stop) {
		attend(bundle, agenda, sample);
		stop = earlier(end, earlier(agenda->lfo, heard_from(agenda->tick)));
		if (sample < 3)
			stop = earlier(stop, sample == 0 ? 1 : 3);
		stop = earlier(stop, agenda->cycle_release - YM_FIRST_FRAME);
		if (any_busy(bundle))
			stop = sample + 1;
		run_samples(bundle, stop - sample, rows + (sample - first));
		end_cycles(bundle, agenda, stop - 1 + YM_FIRST_FRAME);
	}
}

/* Eight lanes or eight samples. */
typedef int16_t shorts __attribute__((vector_size(16)));
typedef int32_t integers __attribute__((vector_size(32)));
typedef float floats __attribute__((vector_size(32)));
typedef double doubles __attribute__((vector_size(64)));

enum { GROUPS = LANES / 8 };

/* From a channel's value to the chip's output, and to floats. */
struct delivery {
	enum ym_bundle_form form;
	void *const *out;
	shorts gain, zero, below; /* below: added for values below 0 */
	float scale;
	/* The high-pass: second order, transposed direct form II. */
	double b0, a1, a2;
	doubles first[GROUPS], z1[GROUPS], z2[GROUPS];
	bool ringing; /* the filter has not come to rest */
};

static struct delivery delivery_of(const struct ym_bundle *bundle,
                                   enum ym_bundle_form form, void *const *out) {
	struct delivery delivery;
	enum ym_stage stage = bundle->stage;
	int gain = ym_stage_output(stage, 1, true) - ym_stage_output(stage, 0, true);
	int rest = ym_stage_rest(stage);
	double k = tan(YM_PI * 20 / bundle->sample_rate), g = 1 / (1 + sqrt(2) * k + k * k);
	memset(&delivery, 0, sizeof delivery);
	delivery.form = form;
	delivery.out = out;
	delivery.gain += (int16_t)gain;
	delivery.zero += (int16_t)(form == YM_BUNDLE_RAW ? rest : 0);
	delivery.below += (int16_t)(ym_stage_output(stage, -1, true) -
	                            ym_stage_output(stage, 0, true) + gain);
	delivery.scale = 1.0f / (float)ym_stage_swing(stage);
	delivery.b0 = g;
	delivery.a1 = 2 * (k * k - 1) * g;
	delivery.a2 = (1 - sqrt(2) * k + k * k) * g;
	return delivery;
}

static inline shorts output_of(const struct delivery *delivery, shorts value) {
	return delivery->gain * value + delivery->zero + (delivery->below & (value < 0));
}

static inline __attribute__((always_inline)) void transpose_shorts(shorts row[8]) {
	const shorts low = {0, 8, 1, 9, 2, 10, 3, 11}, high = {4, 12, 5, 13, 6, 14, 7, 15};
	for (int round = 0; round < 3; round++) {
		shorts next[8];
		for (int i = 0; i < 4; i++) {
			next[2 * i] = __builtin_shuffle(row[i], row[i + 4], low);
			next[2 * i + 1] = __builtin_shuffle(row[i], row[i + 4], high);
		}
		memcpy(row, next, sizeof next);
	}
}

static inline __attribute__((always_inline)) void transpose_floats(floats row[8]) {
	const integers low = {0, 8, 1, 9, 4, 12, 5, 13},
				   high = {2, 10, 3, 11, 6, 14, 7, 15};
	const integers left = {0, 1, 8, 9, 4, 5, 12, 13},
				   right = {2, 3, 10, 11, 6, 7, 14, 15};
	const integers lower = {0, 1, 2, 3, 8, 9, 10, 11},
				   upper = {4, 5, 6, 7, 12, 13, 14, 15};
	floats pair[8], quad[8];
	for (int i = 0; i < 8; i += 2) {
		pair[i] = __builtin_shuffle(row[i], row[i + 1], low);
		pair[i + 1] = __builtin_shuffle(row[i], row[i + 1], high);
	}
	for (int i = 0; i < 8; i += 4)
		for (int j = 0; j < 2; j++) {
			quad[i + 2 * j] = __builtin_shuffle(pair[i + j], pair[i + j + 2], left);
			quad[i + 2 * j + 1] = __builtin_shuffle(pair[i + j], pair[i + j + 2],
			                                        right);
		}
	for (int i = 0; i < 4; i++) {
		row[i] = __builtin_shuffle(quad[i], quad[i + 4], lower);
		row[i + 4] = __builtin_shuffle(quad[i], quad[i + 4], upper);
	}
}

/* Eight samples of eight lanes, high-passed. */
static inline __attribute__((always_inline)) void filter(struct delivery *delivery,
                                                         int group, bool start,
                                                         const shorts in[8],
                                                         floats out[8]) {
	const double b0 = delivery->b0, a1 = delivery->a1, a2 = delivery->a2;
	doubles z1 = delivery->z1[group], z2 = delivery->z2[group], first;
	for (int i = 0; i < 8; i++) {
		integers value = __builtin_convertvector(output_of(delivery, in[i]), integers);
		doubles x = __builtin_convertvector(value, doubles) * (double)delivery->scale,
				y;
		if (start && i == 0)
			delivery->first[group] = x;
		first = delivery->first[group];
		x = (x - first) * b0;
		y = x + z1;
		z1 = z2 - 2 * x - a1 * y;
		z2 = x - a2 * y;
		out[i] = __builtin_convertvector(y, floats);
	}
	delivery->z1[group] = z1;
	delivery->z2[group] = z2;
}

/* Stores eight values of a lane, or as many as its note has. */
static inline void put(const struct ym_bundle *bundle, const struct delivery *delivery,
                       int lane, size_t at, const void *from, size_t size) {
	char *to = delivery->out[lane];
	size_t left = bundle->samples[lane] > at ? bundle->samples[lane] - at : 0;
	if (left >= 8)
		memcpy(to + at * size, from, 8 * size);
	else
		memcpy(to + at * size, from, left * size);
}

/* Writes rows, sample by sample, to where each lane's note is wanted. */
static void deliver(const struct ym_bundle *bundle, struct delivery *delivery,
                    size_t first, size_t count, const values *rows) {
	for (size_t i = 0; i < count; i += 8)
		for (int group = 0; 8 * group < bundle->lanes; group++) {
			shorts block[8];
			floats scaled[8];
			int lanes = bundle->lanes - 8 * group;
			for (int row = 0; row < 8; row++)
				block[row] = *((const shorts *)(rows + i + row) + group);
			if (delivery->form == YM_BUNDLE_FILTERED) {
				filter(delivery, group, first + i == 0, block, scaled);
				transpose_floats(scaled);
			} else {
				transpose_shorts(block);
				for (int lane = 0; lane < 8; lane++) {
					block[lane] = output_of(delivery, block[lane]);
					scaled[lane] = __builtin_convertvector(
									   __builtin_convertvector(block[lane], integers),
									   floats) *
					               delivery->scale;
				}
			}
			for (int lane = 0; lane < 8 && lane < lanes; lane++)
				if (delivery->form == YM_BUNDLE_RAW)
					put(bundle, delivery, 8 * group + lane, first + i, &block[lane],
					    sizeof(int16_t));
				else
					put(bundle, delivery, 8 * group + lane, first + i, &scaled[lane],
					    sizeof(float));
		}
}

static void render(struct ym_bundle *bundle, enum ym_bundle_form form,
                   void *const out[]) {
	struct delivery delivery = delivery_of(bundle, form, out);
	struct agenda agenda = {
		.lfo = next_lfo(bundle),
		.cycle_release = next_cycle_release(bundle, YM_FIRST_FRAME)};
	values rows[BLOCK];
	agenda.release = next_release(bundle, YM_FIRST_FRAME + 2);
	agenda.tick = next_tick(bundle, YM_FIRST_FRAME + 2, agenda.release);
	for (int o = 0; o < YM_OPERATORS; o++)
		set_attenuation(bundle, o);
	for (size_t first = 0; first < bundle->longest; first += BLOCK) {
		size_t count = earlier(BLOCK, bundle->longest - first);
		if (first == 0 || bundle->alive > 0)
			advance(bundle, &agenda, first, count, rows);
		else
			memset(rows, 0, sizeof rows);
		deliver(bundle, &delivery, first, count, rows);
	}
}

const struct ym_bundle_kernel KERNEL = {LANES, render};

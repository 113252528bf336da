#include "voice.h"

#include <math.h>
#include <string.h>

void ym_voice_tables_fill(struct ym_voice_tables *tables) {
	for (int angle = 0; angle < 1024; angle++) {
		int index = angle & 0x100 ? ~angle & 0xFF : angle & 0xFF;
		tables->wave[angle] = (uint16_t)(ym_log_sine[index] +
		                                 (angle & 0x200 ? YM_AMPLITUDES : 0));
	}
	for (int i = 0; i < YM_AMPLITUDES; i++) {
		tables->amplitude[i] = (int16_t)ym_amplitude(i);
		tables->amplitude[YM_AMPLITUDES + i] = (int16_t)-ym_amplitude(i);
	}
}

#define NEVER UINT64_MAX

/* One operator between two changes. Phases fill 32 bits here, to wrap by themselves. */
struct voice_slot {
	struct ym_slot slot;
	struct ym_ssg ssg;        /* of the frame about to be stepped */
	bool turned;              /* it changed the SSG-EG's direction */
	uint64_t next;            /* the next frame whose envelope step matters */
	uint64_t key_on, key_off; /* frames in which the key latch changes */
	uint32_t phase, step;
	const int16_t *amplitude; /* at the current attenuation */
};

struct voice {
	const struct ym_voice_tables *tables;
	struct voice_slot op[YM_OPERATORS]; /* in diagram order */
	struct ym_pitch_registers pitch;
	enum ym_stage stage;
	int algorithm, feedback, ams, fms;
	int lfo_period;    /* frames a step of the LFO's counter; 0: at rest */
	uint64_t lfo_next; /* frame of its next step */
	int am, pm;
	int16_t out1, last1; /* outputs of operator 1: last frame, the one before */
	int16_t out2;        /* output of operator 2 in the last frame */
};

static bool key_at(const struct voice_slot *op, uint64_t frame) {
	return frame >= op->key_on && frame < op->key_off;
}

/* Frame after which the key latch next changes. */
static uint64_t next_key(const struct voice_slot *op, uint64_t frame) {
	return frame < op->key_on ? op->key_on : frame < op->key_off ? op->key_off : NEVER;
}

static void set_attenuation(const struct voice *voice, struct voice_slot *op) {
	int attenuation = ym_slot_attenuation(
		&op->slot, op->ssg.invert, voice->am >> ym_am_shift[voice->ams], op->slot.tl);
	if (attenuation > YM_LEVEL_INAUDIBLE)
		attenuation = YM_LEVEL_INAUDIBLE;
	op->amplitude = voice->tables->amplitude + 4 * attenuation;
}

/* The first envelope frame after `frame` in which a scaled rate makes a step. For
** rates below 48 the timer must be a multiple of 2^(11 - rate / 4). */
static uint64_t next_tick(int rate, uint64_t frame) {
	unsigned timer, unit = rate < 48 ? 1u << (11 - (rate >> 2)) : 1;
	frame += 3 - (frame + 2) % 3;
	timer = ym_envelope_timer(frame);
	for (;;) {
		unsigned multiple = (timer + unit - 1) / unit * unit;
		if (multiple > 4095) /* 4095 is followed by 1 */
			multiple = 4095 + unit;
		frame += 3 * (multiple - timer);
		timer = multiple > 4095 ? multiple - 4095 : multiple;
		if (ym_envelope_class(rate, timer))
			return frame;
		frame += 3;
		timer = timer % 4095 + 1;
	}
}

/* The next frame after `frame` whose step can change a settled envelope. */
static uint64_t next_change(const struct voice_slot *op, int keycode, uint64_t frame) {
	const struct ym_slot *slot = &op->slot;
	int rate = ym_slot_rate(slot, slot->state);
	bool off = slot->ssg & 8 ? slot->level >= 0x200 : slot->level >= 0x3F0;
	uint64_t key = next_key(op, frame), tick;
	if (rate == 0 || (off && slot->state != YM_ATTACK))
		return key;
	tick = next_tick(ym_scaled_rate(slot, rate, keycode), frame);
	return tick < key ? tick : key;
}

/* Steps the envelope in one frame; true while it has not settled. */
static bool step_envelope(const struct voice *voice, struct voice_slot *op,
                          uint64_t frame) {
	struct ym_slot *slot = &op->slot;
	struct ym_slot before = *slot;
	bool key = key_at(op, frame);
	bool reset = ym_slot_envelope(slot, op->ssg, key, false, voice->pitch.keycode,
	                              ym_envelope_frame(frame), ym_envelope_timer(frame));
	if (reset)
		op->phase = 0;
	return reset || slot->level != before.level || slot->state != before.state ||
	       slot->key != before.key;
}

/* What the SSG-EG does in a frame about to be stepped. The attenuation of that very
** frame depends on it, so such a frame is a run of its own. */
static void begin_ssg(const struct voice *voice, struct voice_slot *op,
                      uint64_t frame) {
	bool down = op->slot.down;
	op->ssg = ym_slot_ssg(&op->slot, key_at(op, frame));
	op->turned = down != op->slot.down;
	set_attenuation(voice, op);
}

/* The step that ends a run of frames. Without SSG-EG an envelope frame is followed at
** once by the two frames after it: what they change is a state, or a level that is
** silent anyway. */
static void end_run(const struct voice *voice, struct voice_slot *op, uint64_t frame) {
	bool busy = step_envelope(voice, op, frame);
	if (op->slot.ssg & 8)
		busy |= op->turned || (op->slot.key && (op->ssg.reset || op->ssg.repeat));
	else if (busy && ym_envelope_frame(frame) && next_key(op, frame) > frame + 2) {
		step_envelope(voice, op, ++frame);
		busy = step_envelope(voice, op, ++frame);
	}
	op->next = busy ? frame + 1 : next_change(op, voice->pitch.keycode, frame);
	set_attenuation(voice, op);
}

/* LFO counter at a frame: enabled by the write of frame 0, it steps every period. */
static void set_lfo(struct voice *voice, uint64_t frame) {
	unsigned counter = 0;
	voice->lfo_next = NEVER;
	if (voice->lfo_period != 0) {
		uint64_t period = (uint64_t)voice->lfo_period;
		counter = (unsigned)((frame - 1) / period % 128);
		voice->lfo_next = ((frame - 1) / period + 1) * period + 1;
	}
	voice->am = ym_lfo_am(counter);
	voice->pm = (int)counter >> 2;
	for (int o = 0; o < YM_OPERATORS; o++) {
		struct voice_slot *op = &voice->op[o];
		op->step = ym_phase_step(&op->slot, voice->pitch, voice->pm, voice->fms) << 12;
		set_attenuation(voice, op);
	}
}

static inline int look_up(const uint16_t *wave, const int16_t *amplitude,
                          uint32_t phase, int modulation) {
	return amplitude[wave[((int)(phase >> 22) + modulation) & 0x3FF]];
}

static inline int limit(int sum, int high) {
	return sum < -1 - high ? -1 - high : sum > high ? high : sum;
}

/* Sum of the carriers: added in the chip's order, limited after every addition but
** the first, which cannot exceed the limits. */
static inline int carriers(int algorithm, bool clean, int s1, int s2, int s3, int s4) {
	int high = clean ? 8191 : 255, sum;
	if (!clean) {
		s1 >>= 5;
		s2 >>= 5;
		s3 >>= 5;
		s4 >>= 5;
	}
	if (algorithm < 4)
		return s4;
	if (algorithm == 4)
		return limit(s2 + s4, high);
	sum = algorithm == 7 ? limit(s1 + s3, high) : s3;
	return limit(limit(sum + s2, high) + s4, high);
}

/* Runs count frames with everything constant but the phases. algorithm, feedback and
** clean are constants where it is inlined. */
static inline __attribute__((always_inline)) void run(struct voice *voice, size_t count,
                                                      int16_t *out, const int algorithm,
                                                      const bool feedback,
                                                      const bool clean) {
	const uint16_t *wave = voice->tables->wave;
	const struct voice_slot *op = voice->op;
	const int16_t *a1 = op[0].amplitude, *a2 = op[1].amplitude, *a3 = op[2].amplitude,
				  *a4 = op[3].amplitude;
	const uint32_t d1 = op[0].step, d2 = op[1].step, d3 = op[2].step, d4 = op[3].step;
	uint32_t p1 = op[0].phase, p2 = op[1].phase, p3 = op[2].phase, p4 = op[3].phase;
	const int shift = 10 - voice->feedback;
	int s1 = voice->out1, last1 = voice->last1, s2 = voice->out2, s3, s4, m2, m3, m4;
	for (size_t i = 0; i < count; i++) {
		int before1 = s1, before2 = s2;
		s1 = look_up(wave, a1, p1, feedback ? (s1 + last1) >> shift : 0);
		last1 = before1;
		m3 = algorithm == 0 || algorithm == 2 ? before2
		     : algorithm == 1                 ? before1 + before2
		     : algorithm == 5                 ? before1
		                                      : 0;
		s3 = look_up(wave, a3, p3, m3 >> 1);
		m2 = algorithm == 1 || algorithm == 2 || algorithm == 7 ? 0 : s1;
		s2 = look_up(wave, a2, p2, m2 >> 1);
		m4 = algorithm == 2   ? s1 + s3
		     : algorithm == 3 ? before2 + s3
		     : algorithm == 5 ? s1
		     : algorithm >= 6 ? 0
		                      : s3;
		s4 = look_up(wave, a4, p4, m4 >> 1);
		p1 += d1;
		p2 += d2;
		p3 += d3;
		p4 += d4;
		out[i] = (int16_t)carriers(algorithm, clean, s1, s2, s3, s4);
	}
	voice->op[0].phase = p1;
	voice->op[1].phase = p2;
	voice->op[2].phase = p3;
	voice->op[3].phase = p4;
	voice->out1 = (int16_t)s1;
	voice->last1 = (int16_t)last1;
	voice->out2 = (int16_t)s2;
}

#define RUN(algorithm)                                                                 \
	case 4 * algorithm + 0: run(voice, count, out, algorithm, false, false); break;    \
	case 4 * algorithm + 1: run(voice, count, out, algorithm, false, true); break;     \
	case 4 * algorithm + 2: run(voice, count, out, algorithm, true, false); break;     \
	case 4 * algorithm + 3: run(voice, count, out, algorithm, true, true); break;

static void run_frames(struct voice *voice, size_t count, int16_t *out) {
	bool feedback = voice->feedback != 0, clean = voice->stage == YM_STAGE_CLEAN;
	switch (4 * voice->algorithm + 2 * feedback + clean) {
		RUN(0)
		RUN(1)
		RUN(2)
		RUN(3)
		RUN(4)
		RUN(5)
		RUN(6)
		RUN(7)
	default: break;
	}
}

/* True when nothing will be heard any more: the carriers have ended for good. */
static bool ended(const struct voice *voice, uint64_t frame) {
	for (int o = 0; o < YM_OPERATORS; o++) {
		const struct voice_slot *op = &voice->op[o];
		if ((ym_carriers[voice->algorithm] >> o & 1) &&
		    ((op->slot.ssg & 8) || op->slot.level != YM_LEVEL_MAX ||
		     op->slot.state != YM_RELEASE || frame <= op->key_on))
			return false;
	}
	return true;
}

void ym_voice_slots(const struct ym_patch *patch, struct ym_slot slots[YM_OPERATORS]) {
	struct ym_write writes[YM_PATCH_WRITES];
	ym_patch_writes(patch, 0, writes);
	for (int o = 0; o < YM_OPERATORS; o++) {
		slots[o] = (struct ym_slot){.level = YM_LEVEL_MAX, .state = YM_RELEASE};
		for (int i = 0; i < 7; i++) {
			struct ym_write write = writes[1 + 7 * o + i];
			ym_slot_write(&slots[o], write.reg >> 4, write.value);
		}
	}
}

static void set_up(struct voice *voice, const struct ym_voice_tables *tables,
                   const struct ym_patch *patch, const struct ym_note *note) {
	struct ym_slot slots[YM_OPERATORS];
	memset(voice, 0, sizeof *voice);
	voice->tables = tables;
	voice->stage = note->stage;
	voice->pitch = (struct ym_pitch_registers){note->fnum, note->block,
	                                           ym_keycode(note->fnum, note->block)};
	voice->algorithm = patch->field[YM_ALGORITHM];
	voice->feedback = patch->field[YM_FEEDBACK];
	voice->ams = patch->field[YM_AMS];
	voice->fms = patch->field[YM_FMS];
	if (patch->field[YM_LFO] >= 0)
		voice->lfo_period = ym_lfo_period[patch->field[YM_LFO]];
	ym_voice_slots(patch, slots);
	for (int o = 0; o < YM_OPERATORS; o++) {
		struct voice_slot *op = &voice->op[o];
		op->slot = slots[o];
		op->key_on = ym_voice_key_on(o);
		op->key_off = op->key_on + note->held;
		op->next = op->key_on;
	}
}

/* Channel values to the chip's output, the five other channels idle. */
static void output(enum ym_stage stage, size_t count, int16_t *out) {
	int idle = ym_stage_rest(stage) - ym_stage_output(stage, 0, true);
	if (stage == YM_STAGE_YM2612)
		for (size_t i = 0; i < count; i++)
			out[i] = (int16_t)(3 * out[i] + (out[i] < 0 ? -9 : 12) + idle);
	else if (stage == YM_STAGE_YM3438)
		for (size_t i = 0; i < count; i++)
			out[i] = (int16_t)(3 * out[i]);
}

void ym_voice_render(const struct ym_voice_tables *tables, const struct ym_patch *patch,
                     const struct ym_note *note, int16_t *out) {
	const uint64_t first = YM_KEY_FRAME + 2; /* the frame of sample 0 */
	const uint64_t end = first + note->held + note->release;
	struct voice voice;
	uint64_t frame = first - 1;
	set_up(&voice, tables, patch, note);
	set_lfo(&voice, frame);
	while (frame < end) {
		uint64_t last = end - 1;
		if (frame == voice.lfo_next)
			set_lfo(&voice, frame);
		if (voice.lfo_next - 1 < last)
			last = voice.lfo_next - 1;
		for (int o = 0; o < YM_OPERATORS; o++) {
			struct voice_slot *op = &voice.op[o];
			uint64_t stop = op->next;
			if (op->slot.ssg & 8) {
				if (op->next == frame)
					begin_ssg(&voice, op, frame);
				else
					stop--;
			}
			if (stop < last)
				last = stop;
		}
		if (frame >= first)
			run_frames(&voice, (size_t)(last + 1 - frame), out + (frame - first));
		else
			last = frame;
		for (int o = 0; o < YM_OPERATORS; o++)
			if (voice.op[o].next == last)
				end_run(&voice, &voice.op[o], last);
		frame = last + 1;
		if (ended(&voice, frame)) {
			memset(out + (frame - first), 0, (size_t)(end - frame) * sizeof *out);
			break;
		}
	}
	output(note->stage, (size_t)(end - first), out);
}

void ym_voice_scale(enum ym_stage stage, const int16_t *samples, size_t count,
                    float *out) {
	const float scale = 1.0f / (float)ym_stage_swing(stage);
	const int rest = ym_stage_rest(stage);
	for (size_t i = 0; i < count; i++)
		out[i] = (float)(samples[i] - rest) * scale;
}

bool ym_note_pitch(double note, double clock, struct ym_note *pitch) {
	double frequency = 440 * exp2((note - 69) / 12), octave = floor(note / 12) - 1,
		   fnum;
	pitch->block = (uint8_t)(octave < 0 ? 0 : octave > 7 ? 7 : octave);
	fnum = round(frequency * YM_CLOCKS_PER_SAMPLE * 0x1p20 / clock /
	             exp2(pitch->block - 1));
	if (!(fnum >= 0 && fnum <= 2047))
		return false;
	pitch->fnum = (uint16_t)fnum;
	return true;
}

double ym_note_frequency(const struct ym_note *pitch, double clock) {
	return pitch->fnum * clock / YM_CLOCKS_PER_SAMPLE / 0x1p20 * exp2(pitch->block - 1);
}

void ym_patch_velocity(struct ym_patch *patch, int velocity) {
	int steps = (int)round(40 / 0.75 * log10(127.0 / velocity));
	for (int o = 0; o < YM_OPERATORS; o++)
		if (ym_carriers[patch->field[YM_ALGORITHM]] >> o & 1) {
			int level = patch->op[o][YM_TL] + steps;
			patch->op[o][YM_TL] = (int8_t)(level < 127 ? level : 127);
		}
}

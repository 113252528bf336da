#include "patch.h"

#include <string.h>

#include "slot.h"

/* clang-format off */
const struct ym_field ym_patch_fields[YM_PATCH_FIELDS] = {
	{"algorithm", 0, 7, false, 0, 0xB0, 0, 3, 0x40, "how the operators are connected"},
	{"feedback", 0, 7, false, 0, 0xB0, 3, 3, 0x41, "operator 1 modulating itself"},
	{"ams", 0, 3, true, 0, 0xB4, 4, 2, -1, "depth of the LFO's tremolo"},
	{"fms", 0, 7, true, 0, 0xB4, 0, 3, -1, "depth of the LFO's vibrato"},
	{"lfo", -1, 7, true, -1, 0x22, 0, 3, -1, "speed of the LFO; absent: off"},
};

const struct ym_field ym_operator_fields[YM_OPERATOR_FIELDS] = {
	{"mul", 0, 15, false, 0, 0x30, 0, 4, 0, "multiple of the note's frequency; 0: half"},
	{"dt", -3, 3, false, 0, 0x30, 4, 3, 0, "detune"},
	{"tl", 0, 127, false, 0, 0x40, 0, 7, 1, "total level: 0 loud, 0.75 dB a step"},
	{"rs", 0, 3, false, 0, 0x50, 6, 2, 2, "rate scaling: higher notes, faster envelope"},
	{"ar", 0, 31, false, 0, 0x50, 0, 5, 2, "attack rate; 0: never sounds"},
	{"am", 0, 1, true, 0, 0x60, 7, 1, 3, "takes part in the LFO's tremolo"},
	{"dr", 0, 31, false, 0, 0x60, 0, 5, 3, "decay rate"},
	{"sr", 0, 31, false, 0, 0x70, 0, 5, 4, "sustain rate: decay while held"},
	{"rr", 0, 15, false, 0, 0x80, 0, 4, 5, "release rate"},
	{"sl", 0, 15, false, 0, 0x80, 4, 4, 5, "sustain level: 3 dB a step; 15: 93 dB"},
	{"ssg", 0, 15, true, 0, 0x90, 0, 4, 6, "SSG-EG shape; below 8: off"},
};
/* clang-format on */

const uint8_t ym_carriers[8] = {8, 8, 8, 8, 10, 14, 14, 15};
const uint8_t ym_slot_offset[YM_OPERATORS] = {0, 8, 4, 12};

const struct ym_field *ym_field_at(int position) {
	if (position < YM_PATCH_FIELDS)
		return &ym_patch_fields[position];
	return &ym_operator_fields[(position - YM_PATCH_FIELDS) % YM_OPERATOR_FIELDS];
}

int8_t *ym_patch_at(struct ym_patch *patch, int position) {
	if (position < YM_PATCH_FIELDS)
		return &patch->field[position];
	position -= YM_PATCH_FIELDS;
	return &patch->op[position / YM_OPERATOR_FIELDS][position % YM_OPERATOR_FIELDS];
}

void ym_patch_pack(const struct ym_patch *patch, uint8_t bytes[YM_FIELDS]) {
	struct ym_patch copy = *patch;
	for (int i = 0; i < YM_FIELDS; i++)
		bytes[i] = (uint8_t)(*ym_patch_at(&copy, i) - ym_field_at(i)->minimum);
}

void ym_patch_unpack(struct ym_patch *patch, const uint8_t bytes[YM_FIELDS]) {
	for (int i = 0; i < YM_FIELDS; i++) {
		const struct ym_field *field = ym_field_at(i);
		int last = field->maximum - field->minimum;
		*ym_patch_at(patch, i) = (int8_t)(field->minimum +
		                                  (bytes[i] < last ? bytes[i] : last));
	}
}

int ym_detune_register(int detune) {
	return detune < 0 ? 4 - detune : detune;
}

int ym_detune_value(int bits) {
	return bits & 4 ? -(bits & 3) : bits;
}

/* What an operator's field puts into its register. */
static int operator_bits(const int8_t *op, enum ym_operator_field field) {
	int value = field == YM_DT ? ym_detune_register(op[field]) : op[field];
	return value << ym_operator_fields[field].shift;
}

void ym_patch_writes(const struct ym_patch *patch, int channel,
                     struct ym_write writes[YM_PATCH_WRITES]) {
	uint8_t port = (uint8_t)(channel / 3), offset = (uint8_t)(channel % 3);
	const int8_t *field = patch->field;
	int lfo = field[YM_LFO] < 0 ? 0 : 8 | field[YM_LFO];
	*writes++ = (struct ym_write){0, 0x22, (uint8_t)lfo};
	for (int o = 0; o < YM_OPERATORS; o++) {
		int place = offset + ym_slot_offset[o];
		for (int base = 0x30; base <= 0x90; base += 0x10) {
			int value = 0;
			for (int f = 0; f < YM_OPERATOR_FIELDS; f++)
				if (ym_operator_fields[f].base == base)
					value |= operator_bits(patch->op[o], (enum ym_operator_field)f);
			*writes++ = (struct ym_write){port, (uint8_t)(base + place),
			                              (uint8_t)value};
		}
	}
	*writes++ = (struct ym_write){
		port, (uint8_t)(0xB0 + offset),
		(uint8_t)(field[YM_FEEDBACK] << 3 | field[YM_ALGORITHM])};
	*writes = (struct ym_write){port, (uint8_t)(0xB4 + offset),
	                            (uint8_t)(0xC0 | field[YM_AMS] << 4 | field[YM_FMS])};
}

/* Bit t of modulates[algorithm][o]: operator o + 1 modulates operator t + 1. */
static const uint8_t modulates[8][YM_OPERATORS] = {
	{2, 4, 8, 0}, {4, 4, 8, 0},  {8, 4, 8, 0}, {2, 8, 8, 0},
	{2, 0, 8, 0}, {14, 0, 0, 0}, {2, 0, 0, 0}, {0, 0, 0, 0},
};

/* Total level from which the output is exactly 0 whatever the envelope does: the
** level 0x340 of facts/opn2 3.5 in steps of 8. */
enum { TL_SILENT = 0x340 >> 3 };

/* An operator that cannot be heard: everything at rest. */
static const int8_t dead_operator[YM_OPERATOR_FIELDS] = {
	[YM_MUL] = 1,
	[YM_TL] = 127,
	[YM_AR] = 31,
	[YM_RR] = 15,
};

/* Bits of the operators whose own settings let nothing out: with AR 0 the level
** never leaves 0x3FF (an inverting SSG shape shows it as 0x201, so not with SSG). */
static int silent_operators(const struct ym_patch *patch) {
	int silent = 0;
	for (int o = 0; o < YM_OPERATORS; o++) {
		const int8_t *op = patch->op[o];
		if (op[YM_TL] >= TL_SILENT || (op[YM_AR] == 0 && op[YM_SSG] < 8))
			silent |= 1 << o;
	}
	return silent;
}

static void rest_dead_operators(struct ym_patch *patch) {
	int algorithm = patch->field[YM_ALGORITHM];
	int dead = silent_operators(patch);
	for (int o = YM_OPERATORS - 1; o >= 0; o--) /* modulators act on later ones */
		if (!(ym_carriers[algorithm] & 1 << o) && !(modulates[algorithm][o] & ~dead))
			dead |= 1 << o;
	for (int o = 0; o < YM_OPERATORS; o++)
		if (dead & 1 << o)
			memcpy(patch->op[o], dead_operator, sizeof dead_operator);
	if (dead & 1)
		patch->field[YM_FEEDBACK] = 0;
}

/* Fields of one envelope that never come into play. */
static void rest_dead_rates(int8_t *op) {
	if (op[YM_SSG] < 8) {
		op[YM_SSG] = 0;
		if (op[YM_SL] == 0) /* sustain begins as the attack ends */
			op[YM_DR] = 0;
		else if (op[YM_DR] == 0) /* sustain never comes: a level that stays at 0 */
			op[YM_SL] = op[YM_SR] = 0;
	}
}

static void rest_lfo(struct ym_patch *patch) {
	int8_t *field = patch->field;
	bool any = false;
	for (int o = 0; o < YM_OPERATORS; o++) {
		if (field[YM_AMS] == 0) /* shifts the largest AM, 126, to nothing */
			patch->op[o][YM_AM] = 0;
		any |= patch->op[o][YM_AM] != 0;
	}
	if (!any)
		field[YM_AMS] = 0;
	if (field[YM_LFO] < 0) /* at rest the LFO's PM is 0, its AM is 126 */
		field[YM_FMS] = 0;
	else if (field[YM_AMS] == 0 && field[YM_FMS] == 0)
		field[YM_LFO] = -1;
}

static void sort_operators(int8_t (*op)[YM_OPERATOR_FIELDS], const int *which,
                           int count) {
	int8_t swap[YM_OPERATOR_FIELDS];
	for (int i = 1; i < count; i++)
		for (int j = i; j > 0; j--) {
			int8_t *a = op[which[j - 1]], *b = op[which[j]];
			if (memcmp(a, b, sizeof swap) <= 0)
				break;
			memcpy(swap, a, sizeof swap);
			memcpy(a, b, sizeof swap);
			memcpy(b, swap, sizeof swap);
		}
}

/* True when the carriers' sum stays inside the accumulator at every level their TLs
** allow, so that the order of adding does not matter. */
static bool never_clips(const struct ym_patch *patch) {
	int sum = 0;
	for (int o = 0; o < YM_OPERATORS; o++)
		if (ym_carriers[patch->field[YM_ALGORITHM]] & 1 << o)
			sum += (ym_amplitude(4 * (patch->op[o][YM_TL] << 3)) + 31) / 32;
	return sum <= 255;
}

static void sort_twins(struct ym_patch *patch) {
	static const int twins5[] = {1, 3}, twins6[] = {2, 3}, twins7[] = {1, 2, 3};
	if (!never_clips(patch))
		return;
	switch (patch->field[YM_ALGORITHM]) {
	case 5: sort_operators(patch->op, twins5, 2); break;
	case 6: sort_operators(patch->op, twins6, 2); break;
	case 7: sort_operators(patch->op, twins7, 3); break;
	default: break;
	}
}

void ym_patch_canonical(struct ym_patch *patch) {
	rest_dead_operators(patch);
	for (int o = 0; o < YM_OPERATORS; o++)
		rest_dead_rates(patch->op[o]);
	rest_lfo(patch);
	sort_twins(patch);
}

static void decode_operator(int8_t *op, const uint8_t *block) {
	for (int f = 0; f < YM_OPERATOR_FIELDS; f++) {
		const struct ym_field *field = &ym_operator_fields[f];
		int bits = block[field->y12] >> field->shift & ((1 << field->width) - 1);
		op[f] = (int8_t)(f == YM_DT ? ym_detune_value(bits) : bits);
	}
}

enum { Y12_NAME = 0x50, Y12_DUMPER = 0x60, Y12_GAME = 0x70 };

/* Copies a name up to its first NUL; the rest stays 0. */
static void copy_name(char *name, const uint8_t *bytes) {
	memset(name, 0, YM_Y12_NAME);
	for (int i = 0; i < YM_Y12_NAME && bytes[i] != 0; i++)
		name[i] = (char)bytes[i];
}

enum ym_status ym_y12_decode(const uint8_t *bytes, size_t size, struct ym_y12 *y12,
                             struct ym_y12_stray *stray, struct ym_error *error) {
	uint8_t kept[YM_Y12_SIZE];
	struct ym_patch *patch = &y12->patch;
	if (size != YM_Y12_SIZE)
		return ym_fail(error, YM_FORMAT, "a Y12 has %d bytes, this has %zu",
		               YM_Y12_SIZE, size);
	for (int f = 0; f < YM_PATCH_FIELDS; f++) {
		const struct ym_field *field = &ym_patch_fields[f];
		patch->field[f] = field->fallback;
		if (field->y12 < 0)
			continue;
		if (bytes[field->y12] > field->maximum)
			return ym_fail(error, YM_FORMAT, "%s at byte 0x%02X is %d, expected 0..%d",
			               field->name, field->y12, bytes[field->y12], field->maximum);
		patch->field[f] = (int8_t)bytes[field->y12];
	}
	for (int o = 0; o < YM_OPERATORS; o++)
		decode_operator(patch->op[o], bytes + 4 * ym_slot_offset[o]);
	copy_name(y12->name, bytes + Y12_NAME);
	copy_name(y12->dumper, bytes + Y12_DUMPER);
	copy_name(y12->game, bytes + Y12_GAME);
	memset(stray, 0, sizeof *stray);
	ym_y12_encode(y12, kept);
	for (int i = YM_Y12_SIZE - 1; i >= 0; i--)
		if (kept[i] != bytes[i])
			*stray = (struct ym_y12_stray){stray->count + 1, i, bytes[i], kept[i]};
	return YM_OK;
}

void ym_y12_encode(const struct ym_y12 *y12, uint8_t bytes[YM_Y12_SIZE]) {
	const struct ym_patch *patch = &y12->patch;
	memset(bytes, 0, YM_Y12_SIZE);
	for (int o = 0; o < YM_OPERATORS; o++)
		for (int f = 0; f < YM_OPERATOR_FIELDS; f++)
			bytes[4 * ym_slot_offset[o] + ym_operator_fields[f].y12] |= (uint8_t)
				operator_bits(patch->op[o], (enum ym_operator_field)f);
	for (int f = 0; f < YM_PATCH_FIELDS; f++)
		if (ym_patch_fields[f].y12 >= 0)
			bytes[ym_patch_fields[f].y12] = (uint8_t)patch->field[f];
	memcpy(bytes + Y12_NAME, y12->name, YM_Y12_NAME);
	memcpy(bytes + Y12_DUMPER, y12->dumper, YM_Y12_NAME);
	memcpy(bytes + Y12_GAME, y12->game, YM_Y12_NAME);
}

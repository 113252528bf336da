#include "live/send.h"

#include <string.h>

/* First controller by field, in the order of the field tables. */
static const uint8_t patch_controllers[YM_PATCH_FIELDS] = {
	[YM_ALGORITHM] = 14, [YM_FEEDBACK] = 15, [YM_AMS] = 76, [YM_FMS] = 75, [YM_LFO] = 1,
};
static const uint8_t operator_controllers[YM_OPERATOR_FIELDS] = {
	[YM_MUL] = 20, [YM_DT] = 24, [YM_TL] = 16,  [YM_RS] = 39,
	[YM_AR] = 43,  [YM_AM] = 70, [YM_DR] = 47,  [YM_SR] = 51,
	[YM_RR] = 59,  [YM_SL] = 55, [YM_SSG] = 90,
};
enum { LFO_ON = 74 };

static int controller(int position) {
	int o = (position - YM_PATCH_FIELDS) / YM_OPERATOR_FIELDS;
	if (position == YM_FIELDS)
		return LFO_ON;
	if (position < YM_PATCH_FIELDS)
		return patch_controllers[position];
	return operator_controllers[(position - YM_PATCH_FIELDS) % YM_OPERATOR_FIELDS] +
	       ym_slot_offset[o] / 4;
}

void ym_send_patch(struct ym_send *send, const struct ym_patch *patch) {
	struct ym_patch copy = *patch;
	for (int i = 0; i < YM_FIELDS; i++) {
		const struct ym_field *field = ym_field_at(i);
		int bits = *ym_patch_at(&copy, i);
		if (field == &ym_operator_fields[YM_DT])
			bits = ym_detune_register(bits);
		else if (field == &ym_operator_fields[YM_TL])
			bits = field->maximum - bits;
		else if (field == &ym_patch_fields[YM_LFO] && bits < 0)
			continue; /* off: its speed stays what it was */
		send->wanted[i] = (int8_t)(bits << (7 - field->width));
	}
	send->wanted[YM_FIELDS] = patch->field[YM_LFO] < 0 ? 0 : 127;
}

void ym_send_forget(struct ym_send *send) {
	memset(send->sent, -1, sizeof send->sent);
	send->at = 0;
}

void ym_send_open(struct ym_send *send, int channels, const struct ym_patch *patch) {
	memset(send, 0, sizeof *send);
	send->channels = channels;
	ym_send_patch(send, patch);
	ym_send_forget(send);
}

bool ym_send_next(struct ym_send *send, uint8_t message[3]) {
	int all = YM_SEND_VALUES * send->channels;
	for (int looked = 0; looked < all; looked++) {
		int position = send->at / send->channels, channel = send->at % send->channels;
		send->at = (send->at + 1) % all;
		if (send->sent[position][channel] == send->wanted[position])
			continue;
		send->sent[position][channel] = send->wanted[position];
		message[0] = (uint8_t)(0xB0 | channel);
		message[1] = (uint8_t)controller(position);
		message[2] = (uint8_t)send->wanted[position];
		return true;
	}
	return false;
}

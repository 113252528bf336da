/*
** A patch as MIDI controllers, for interfaces that drive a real console's chip. The map is
** genMDM's, which others took over (Mega Drive MIDI Interface): a controller for each
** field of the patch and, one after the other, for the operators in the order of the
** chip's registers (1, 3, 2, 4). A field's bits are the upper ones of the controller's
** seven, so that a receiver with fewer steps takes the nearest below; total level counts
** the other way round, loud at 127. The LFO has a controller that turns it on (74) and one
** for its speed (1).
**
** Of what is sent a receiver keeps everything, so only what changed goes out, at the pace
** of a MIDI line (31,250 bits a second, 30 bits a message), newest values only.
*/
#ifndef LIVE_SEND_H
#define LIVE_SEND_H

#include "patch.h"

enum { YM_SEND_CHANNELS = 6 };
enum { YM_SEND_VALUES = YM_FIELDS + 1 }; /* the fields, and whether the LFO is on */
#define YM_SEND_PERIOD 0.00096           /* seconds a message on a MIDI line */

struct ym_send {
	int channels; /* MIDI channels 1..channels get every value */
	int at;       /* of the values times channels, the next one to look at */
	int8_t wanted[YM_SEND_VALUES];
	int8_t sent[YM_SEND_VALUES][YM_SEND_CHANNELS]; /* -1: nothing yet */
};

/* Begins with nothing sent. channels: 0..6. */
void ym_send_open(struct ym_send *send, int channels, const struct ym_patch *patch);

/* The patch to send from now on. */
void ym_send_patch(struct ym_send *send, const struct ym_patch *patch);

/* Forgets what was sent: somebody else listens. */
void ym_send_forget(struct ym_send *send);

/* The next message that is due: false when all is sent. */
bool ym_send_next(struct ym_send *send, uint8_t message[3]);

#endif

/*
** A patch: the registers of one channel of the chip, and the field table from
** which the codecs, the checks, the networks and the documents are made.
*/
#ifndef PATCH_H
#define PATCH_H

#include "ym.h"

enum { YM_OPERATORS = 4 };

/* Fields of the whole patch, in the order of ym_patch_fields. */
enum ym_patch_field {
	YM_ALGORITHM,
	YM_FEEDBACK,
	YM_AMS, /* sensitivity to the LFO: amplitude */
	YM_FMS, /* and frequency */
	YM_LFO, /* LFO frequency; -1: the LFO is off */
	YM_PATCH_FIELDS
};

/* Fields of an operator, in the order of ym_operator_fields. */
enum ym_operator_field {
	YM_MUL,
	YM_DT, /* -3..3 as a musician sees it; the register holds sign and magnitude */
	YM_TL,
	YM_RS,
	YM_AR,
	YM_AM,
	YM_DR,
	YM_SR,
	YM_RR,
	YM_SL,
	YM_SSG, /* bit 3 enables; 0..7 all mean off */
	YM_OPERATOR_FIELDS
};

/* Values of all fields: those of the patch, then operators 1 to 4. */
enum { YM_FIELDS = YM_PATCH_FIELDS + YM_OPERATORS * YM_OPERATOR_FIELDS };

struct ym_field {
	const char *name;
	int8_t minimum, maximum; /* both included */
	bool optional;           /* may be absent from a patch table: then `fallback` */
	int8_t fallback;
	uint8_t base;         /* first register (operator 1, channel 1); 0x22: LFO */
	uint8_t shift, width; /* its bits there */
	int8_t y12;           /* offset in a Y12 file or operator block; -1: not kept */
	const char *meaning;  /* for help and documents */
};

extern const struct ym_field ym_patch_fields[YM_PATCH_FIELDS];
extern const struct ym_field ym_operator_fields[YM_OPERATOR_FIELDS];

/* Operators are in diagram order: op[0] is operator 1. */
struct ym_patch {
	int8_t field[YM_PATCH_FIELDS];
	int8_t op[YM_OPERATORS][YM_OPERATOR_FIELDS];
};

/* The field and the value at position 0..YM_FIELDS-1. */
const struct ym_field *ym_field_at(int position);
int8_t *ym_patch_at(struct ym_patch *patch, int position);

/* A patch as bytes: value - minimum of each field, in table order, so that a byte is
** the class a network predicts. Unpacking clamps a byte to the field's range. */
void ym_patch_pack(const struct ym_patch *patch, uint8_t bytes[YM_FIELDS]);
void ym_patch_unpack(struct ym_patch *patch, const uint8_t bytes[YM_FIELDS]);

/* Bit o is set when operator o + 1 is a carrier (facts: opn2 3.5). */
extern const uint8_t ym_carriers[8];

/* Offset added to a base register for operators 1..4: 0, 8, 4, 12 (the chip numbers
** them 1, 3, 2, 4). */
extern const uint8_t ym_slot_offset[YM_OPERATORS];

/* Bits of detune as the register holds them, and back (4 means 0). */
int ym_detune_register(int detune);
int ym_detune_value(int bits);

/* One write to the chip. */
struct ym_write {
	uint8_t port, reg, value;
};

enum { YM_PATCH_WRITES = 31 };

/* All writes that set the patch up on channel 0..5 with both outputs on: 0x22, then
** 30-9F of each operator, B0, B4. */
void ym_patch_writes(const struct ym_patch *patch, int channel,
                     struct ym_write writes[YM_PATCH_WRITES]);

/* Rewrites the patch into the one form that stands for every patch that gives the
** same samples for a note from silence, in all three output stages:
** - fields without effect get a fixed value: SSG below 8; AM, AMS, FMS and LFO where
**   none can act; the rates after a decay that never comes; feedback and all fields
**   of operators that cannot be heard (TL 104 and above, AR 0, or modulating only
**   such operators);
** - operators that the chip treats alike are sorted: 2 and 4 of algorithm 5, 3 and 4
**   of algorithm 6, 2 to 4 of algorithm 7, where their sum can never clip. */
void ym_patch_canonical(struct ym_patch *patch);

/* Gens KMod's Y12: 128 bytes. */
enum { YM_Y12_SIZE = 128, YM_Y12_NAME = 16 };

/* A Y12 file: the patch and three names, NUL-padded, not ended when 16 long. */
struct ym_y12 {
	struct ym_patch patch;
	char name[YM_Y12_NAME], dumper[YM_Y12_NAME], game[YM_Y12_NAME];
};

/* Where a Y12 file held bits that no field has; they are dropped. */
struct ym_y12_stray {
	int count;           /* bytes changed */
	int first;           /* offset of the first of them */
	uint8_t found, kept; /* its value in the file and what a writer gives */
};

/* Decodes exactly YM_Y12_SIZE bytes; another size, an algorithm or a feedback above
** 7 is YM_FORMAT. Fields that a Y12 does not hold are 0, the LFO off. */
enum ym_status ym_y12_decode(const uint8_t *bytes, size_t size, struct ym_y12 *y12,
                             struct ym_y12_stray *stray, struct ym_error *error);
void ym_y12_encode(const struct ym_y12 *y12, uint8_t bytes[YM_Y12_SIZE]);

#endif

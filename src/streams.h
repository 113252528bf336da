/*
** The samples of VGM files: banks of them, each of all data blocks of one type one after
** the other, and the streams that write them to a register at a steady rate, as the
** commands 0x90 to 0x95 tell. They know places in the file's bytes and copy none. In C, as
** a file of a few bytes can ask for millions of samples.
*/
#ifndef STREAMS_H
#define STREAMS_H

#include "ym.h"

enum {
	YM_BANKS = 64,             /* types of data blocks */
	YM_BANK_BLOCKS = 1 << 16,  /* of a bank: as many as commands can number */
	YM_STREAMS = 255,          /* 255 as the number of one means all or none */
	YM_STREAMS_PLAYING = 4,    /* at once; the chip has one place for samples */
	YM_STREAM_FASTEST = 44100, /* Hz: one sample a tick */
	YM_STREAM_CHIP = 0x02,     /* the number of the YM2612 in these commands */
};

/* Writes to the chip as rows of time, port, register, value. */
struct ym_writes {
	int32_t (*rows)[4];
	size_t room, count; /* rows there are; writes, those without a row among them */
	double scale;       /* times are told in units of 1 / scale ticks ... */
	int64_t origin;     /* ... from here on, what was earlier as of now */
	int64_t last;       /* ticks: later writes are none */
};

void ym_writes_add(struct ym_writes *writes, int64_t tick, int port, int reg,
                   int value);

struct ym_bank_block {
	uint32_t offset; /* of its first byte in the bank */
	uint32_t first;  /* the same in the file */
};

struct ym_bank {
	struct ym_bank_block *blocks;
	size_t count, room, recent;
	uint32_t size; /* bytes of all blocks */
};

struct ym_stream {
	bool there, reverse, again;
	uint8_t port, reg, bank, step, base;
	int64_t frequency; /* Hz */
	int64_t start;     /* offset in the bank */
	int64_t count;     /* samples it plays, before it ends or begins again */
	int64_t done;      /* samples it has played, repetitions and all */
	double due;        /* ticks: when the sample is played ... */
	int64_t from;      /* ... of this number, from 0; the others by the frequency */
};

/* All zero: no block, no stream. The banks' memory is freed by ym_streams_free. */
struct ym_streams {
	struct ym_bank banks[YM_BANKS];
	struct ym_stream streams[YM_STREAMS];
	struct ym_stream *playing[YM_STREAMS_PLAYING];
	int playing_count;
};

void ym_streams_free(struct ym_streams *streams);

/* Adds a block, whose bytes lie in the file from 0-based first on; *added is false when
** there are too many. */
enum ym_status ym_bank_add(struct ym_bank *bank, uint32_t first, uint32_t length,
                           bool *added, struct ym_error *error);

/* Where in the file, from 0, a byte of the bank lies; -1: outside the bank. */
int64_t ym_bank_find(struct ym_bank *bank, int64_t offset);

/* The commands; id is 0..255. */
void ym_streams_set_up(struct ym_streams *streams, int id, int chip, int port, int reg);
void ym_streams_set_data(struct ym_streams *streams, int id, int bank, int step,
                         int base);
void ym_streams_set_frequency(struct ym_streams *streams, int id, uint32_t frequency);
void ym_streams_start(struct ym_streams *streams, int id, uint32_t start, int flags,
                      uint32_t length, int64_t tick);
void ym_streams_start_block(struct ym_streams *streams, int id, int number, int flags,
                            int64_t tick);
void ym_streams_stop(struct ym_streams *streams, int id);

/* Writes the samples that are due before a time, in ticks. */
void ym_streams_advance(struct ym_streams *streams, const uint8_t *file, int64_t before,
                        struct ym_writes *writes);

#endif

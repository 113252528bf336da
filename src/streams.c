#include "streams.h"

#include <math.h>
#include <string.h>

static const uint32_t keep = 0xFFFFFFFF; /* as a start: from where it is */

void ym_writes_add(struct ym_writes *writes, int64_t tick, int port, int reg,
                   int value) {
	int64_t time;
	if (tick > writes->last)
		return;
	if (writes->count < writes->room) {
		int32_t *row = writes->rows[writes->count];
		time = (int64_t)floor((double)tick * writes->scale) - writes->origin;
		row[0] = (int32_t)(time > 0 ? time : 0);
		row[1] = port;
		row[2] = reg;
		row[3] = value;
	}
	writes->count++;
}

void ym_streams_free(struct ym_streams *streams) {
	for (int bank = 0; bank < YM_BANKS; bank++)
		ym_free(streams->banks[bank].blocks);
	memset(streams, 0, sizeof *streams);
}

enum ym_status ym_bank_add(struct ym_bank *bank, uint32_t first, uint32_t length,
                           bool *added, struct ym_error *error) {
	*added = bank->count < YM_BANK_BLOCKS;
	if (!*added)
		return YM_OK;
	if (bank->count == bank->room) {
		size_t room = bank->room > 0 ? 2 * bank->room : 4;
		struct ym_bank_block *blocks = ym_alloc(room, sizeof *blocks);
		if (blocks == NULL)
			return ym_no_memory(error);
		if (bank->count > 0)
			memcpy(blocks, bank->blocks, bank->count * sizeof *blocks);
		ym_free(bank->blocks);
		bank->blocks = blocks;
		bank->room = room;
	}
	bank->blocks[bank->count].offset = bank->size;
	bank->blocks[bank->count++].first = first;
	bank->size += length;
	return YM_OK;
}

/* The offset at which a block ends. */
static uint32_t end_of(const struct ym_bank *bank, size_t block) {
	return block + 1 < bank->count ? bank->blocks[block + 1].offset : bank->size;
}

/* The block that an offset within the bank lies in. */
static size_t search(const struct ym_bank *bank, int64_t offset) {
	size_t low = 0, high = bank->count - 1;
	while (low < high) {
		size_t middle = (low + high + 1) / 2;
		if (bank->blocks[middle].offset <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

int64_t ym_bank_find(struct ym_bank *bank, int64_t offset) {
	const struct ym_bank_block *block;
	if (offset < 0 || offset >= bank->size)
		return -1;
	if (offset < bank->blocks[bank->recent].offset ||
	    offset >= end_of(bank, bank->recent))
		bank->recent = search(bank, offset);
	block = &bank->blocks[bank->recent];
	return (int64_t)block->first + offset - block->offset;
}

/* The stream of this number, or NULL. */
static struct ym_stream *stream_of(struct ym_streams *streams, int id) {
	return id < YM_STREAMS && streams->streams[id].there ? &streams->streams[id] : NULL;
}

static void stop(struct ym_streams *streams, const struct ym_stream *stream) {
	int kept = 0;
	for (int i = 0; i < streams->playing_count; i++)
		if (streams->playing[i] != stream)
			streams->playing[kept++] = streams->playing[i];
	streams->playing_count = kept;
}

void ym_streams_stop(struct ym_streams *streams, int id) {
	const struct ym_stream *stream = stream_of(streams, id);
	if (id == YM_STREAMS)
		streams->playing_count = 0;
	else if (stream != NULL)
		stop(streams, stream);
}

void ym_streams_set_up(struct ym_streams *streams, int id, int chip, int port,
                       int reg) {
	if (id == YM_STREAMS)
		return;
	stop(streams, &streams->streams[id]);
	streams->streams[id] = (struct ym_stream){
		.there = chip == YM_STREAM_CHIP && port < 2,
		.port = (uint8_t)port,
		.reg = (uint8_t)reg,
		.step = 1,
	};
}

void ym_streams_set_data(struct ym_streams *streams, int id, int bank, int step,
                         int base) {
	struct ym_stream *stream = stream_of(streams, id);
	if (stream == NULL)
		return;
	stream->bank = (uint8_t)bank;
	stream->step = (uint8_t)(step > 1 ? step : 1);
	stream->base = (uint8_t)base;
}

/* Ticks at which a sample is due: never, where there is no frequency. */
static double due_at(const struct ym_stream *stream, int64_t sample) {
	if (sample == stream->from)
		return stream->due;
	if (stream->frequency == 0)
		return INFINITY;
	return stream->due + (double)((sample - stream->from) * YM_STREAM_FASTEST) /
	                         (double)stream->frequency;
}

/* Of more samples than ticks, the first are played, one a tick. The next sample comes when
** it was to come, and those after it at the new pace. */
void ym_streams_set_frequency(struct ym_streams *streams, int id, uint32_t frequency) {
	struct ym_stream *stream = stream_of(streams, id);
	if (stream == NULL)
		return;
	stream->due = due_at(stream, stream->done);
	stream->from = stream->done;
	stream->frequency = frequency < YM_STREAM_FASTEST ? frequency : YM_STREAM_FASTEST;
}

/* Begins to play so many samples. */
static void play(struct ym_streams *streams, struct ym_stream *stream, int64_t count,
                 int64_t tick) {
	stop(streams, stream);
	if (count < 1 || stream->frequency < 1 ||
	    streams->playing_count == YM_STREAMS_PLAYING)
		return;
	stream->count = count;
	stream->done = stream->from = 0;
	stream->due = (double)tick;
	streams->playing[streams->playing_count++] = stream;
}

/* Samples, a step apart, in so many bytes. */
static int64_t samples_in(const struct ym_stream *stream, int64_t bytes) {
	return bytes > 0 ? (bytes + stream->step - 1) / stream->step : 0;
}

static struct ym_bank *bank_of(struct ym_streams *streams,
                               const struct ym_stream *stream) {
	return stream->bank < YM_BANKS ? &streams->banks[stream->bank] : NULL;
}

/* Bits 0 to 3 of the flags say what the length means, bit 4: backwards, bit 7: again and
** again. */
void ym_streams_start(struct ym_streams *streams, int id, uint32_t start, int flags,
                      uint32_t length, int64_t tick) {
	struct ym_stream *stream = stream_of(streams, id);
	const struct ym_bank *bank;
	int64_t count;
	if (stream == NULL)
		return;
	if (start != keep)
		stream->start = (int64_t)start + stream->base;
	bank = bank_of(streams, stream);
	switch (flags & 15) {
	case 1: count = length; break;
	case 2: count = (int64_t)length * stream->frequency / 1000; break;
	case 3:
		count = bank != NULL ? samples_in(stream, bank->size - stream->start) : 0;
		break;
	default: return; /* only the place was told */
	}
	stream->reverse = flags & 0x10;
	stream->again = flags & 0x80;
	play(streams, stream, count, tick);
}

/* Bit 0 of the flags: again and again, bit 4: backwards. */
void ym_streams_start_block(struct ym_streams *streams, int id, int number, int flags,
                            int64_t tick) {
	struct ym_stream *stream = stream_of(streams, id);
	const struct ym_bank *bank = stream != NULL ? bank_of(streams, stream) : NULL;
	int64_t first;
	if (bank == NULL || (size_t)number >= bank->count)
		return;
	first = bank->blocks[number].offset;
	stream->start = first + stream->base;
	stream->reverse = flags & 0x10;
	stream->again = flags & 1;
	play(streams, stream,
	     samples_in(stream, end_of(bank, (size_t)number) - stream->start), tick);
}

/* The first sample, from the next one on, that is due at a time or later. */
static int64_t first_due(const struct ym_stream *stream, int64_t time) {
	int64_t sample = stream->done;
	double ahead = (double)time - due_at(stream, sample);
	if (ahead > 0)
		sample += (int64_t)(ahead * (double)stream->frequency / YM_STREAM_FASTEST);
	while (sample > stream->done && due_at(stream, sample - 1) >= (double)time)
		sample--;
	while (due_at(stream, sample) < (double)time)
		sample++;
	return sample;
}

/* Whether a stream has played all its samples. */
static bool over(const struct ym_stream *stream) {
	return !stream->again && stream->done >= stream->count;
}

/* Passes over samples outside the bank, as far as they are due before a time: all at once,
** as there may be billions. */
static void skip(struct ym_streams *streams, struct ym_stream *stream, int64_t before) {
	const struct ym_bank *bank = bank_of(streams, stream);
	int64_t inside = bank != NULL ? samples_in(stream, bank->size - stream->start) : 0;
	int64_t place = stream->done % stream->count, first, next, reached;
	if (inside > stream->count)
		inside = stream->count;
	first = stream->reverse ? stream->count - inside : 0;
	if (over(stream) || (place >= first && place < first + inside))
		return;
	next = stream->done - place + first + (place < first ? 0 : stream->count);
	reached = first_due(stream, before);
	stream->done = inside > 0 && next < reached ? next : reached;
}

/* The stream whose next sample is the first to come before a time, or NULL. */
static struct ym_stream *next_due(struct ym_streams *streams, int64_t before) {
	struct ym_stream *chosen = NULL;
	double earliest = (double)before;
	for (int i = streams->playing_count - 1; i >= 0; i--) {
		skip(streams, streams->playing[i], before);
		if (over(streams->playing[i]))
			stop(streams, streams->playing[i]);
	}
	for (int i = 0; i < streams->playing_count; i++) {
		double due = due_at(streams->playing[i], streams->playing[i]->done);
		if (due < earliest) {
			chosen = streams->playing[i];
			earliest = due;
		}
	}
	return chosen;
}

void ym_streams_advance(struct ym_streams *streams, const uint8_t *file, int64_t before,
                        struct ym_writes *writes) {
	struct ym_stream *stream;
	while ((stream = next_due(streams, before)) != NULL) {
		int64_t place = stream->done % stream->count, at;
		if (stream->reverse)
			place = stream->count - 1 - place;
		at = ym_bank_find(bank_of(streams, stream),
		                  stream->start + place * stream->step);
		ym_writes_add(writes, (int64_t)due_at(stream, stream->done), stream->port,
		              stream->reg, file[at]);
		stream->done++;
	}
}

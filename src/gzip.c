#define ZLIB_CONST /* its input is const */
#include "gzip.h"

#include <zlib.h>

enum {
	WINDOW = 15,     /* bits, the largest */
	GZIP = 16,       /* added to them: write a gzip header */
	EITHER = 32,     /* added to them: read a gzip or a zlib header */
	MEMORY = 8,      /* zlib's default */
	SCRATCH = 16384, /* bytes, where those unpacked are only counted */
	PIECE = 1 << 30, /* bytes handed to zlib at once, which counts them in 32 bits */
};

size_t ym_gzip_bound(size_t size) {
	/* zlib's bound without a stream is for its own header: a gzip's is 12 bytes longer */
	return compressBound((uLong)size) + 32;
}

enum ym_status ym_gzip(const void *bytes, size_t size, void *out, size_t *count,
                       struct ym_error *error) {
	z_stream stream = {0};
	int code;
	if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, WINDOW + GZIP, MEMORY,
	                 Z_DEFAULT_STRATEGY) != Z_OK)
		return ym_no_memory(error);
	stream.next_in = bytes;
	stream.avail_in = (uInt)size;
	stream.next_out = out;
	stream.avail_out = (uInt)ym_gzip_bound(size);
	code = deflate(&stream, Z_FINISH);
	*count = stream.total_out;
	deflateEnd(&stream);
	return code == Z_STREAM_END ? YM_OK : ym_fail(error, YM_FORMAT, "cannot be packed");
}

/* What has been read and written of a stream that is being unpacked. */
struct progress {
	const unsigned char *bytes;
	size_t size, taken;
	unsigned char *out; /* NULL: nothing is kept */
	size_t most, count;
};

static size_t smaller(size_t a, size_t b) {
	return a < b ? a : b;
}

/* One call of zlib; returns its code, or Z_BUF_ERROR when there is no progress. */
static int unpack_piece(z_stream *stream, struct progress *at) {
	unsigned char scratch[SCRATCH];
	size_t room = at->out != NULL ? smaller(at->most - at->count, PIECE) : SCRATCH;
	size_t left = smaller(at->size - at->taken, PIECE);
	int code;
	stream->next_in = at->bytes + at->taken;
	stream->avail_in = (uInt)left;
	stream->next_out = at->out != NULL ? at->out + at->count : scratch;
	stream->avail_out = (uInt)room;
	code = inflate(stream, Z_NO_FLUSH);
	at->taken += left - stream->avail_in;
	at->count += room - stream->avail_out;
	return code;
}

/* Whether another member of a gzip file follows. */
static bool another_member(const struct progress *at) {
	return at->size - at->taken > 2 && at->bytes[at->taken] == 0x1F &&
	       at->bytes[at->taken + 1] == 0x8B;
}

static enum ym_status unpack(struct progress *at, struct ym_error *error) {
	z_stream stream = {0};
	int code;
	if (inflateInit2(&stream, WINDOW + EITHER) != Z_OK)
		return ym_no_memory(error);
	do {
		code = unpack_piece(&stream, at);
		if (code == Z_STREAM_END && another_member(at))
			code = inflateReset(&stream);
	} while (code == Z_OK && at->count <= at->most &&
	         !(at->out != NULL && at->count == at->most));
	inflateEnd(&stream);
	if (code == Z_MEM_ERROR)
		return ym_no_memory(error);
	if (at->count > at->most)
		return ym_fail(error, YM_FORMAT, "unpacks to more than %zu bytes", at->most);
	if (code == Z_BUF_ERROR)
		return ym_fail(error, YM_FORMAT, "packed data that is cut short");
	if (code != Z_OK && code != Z_STREAM_END)
		return ym_fail(error, YM_FORMAT, "packed data that is damaged");
	return YM_OK;
}

enum ym_status ym_gunzip_count(const void *bytes, size_t size, size_t most,
                               size_t *count, struct ym_error *error) {
	struct progress at = {bytes, size, 0, NULL, most, 0};
	enum ym_status status = unpack(&at, error);
	*count = at.count;
	return status;
}

enum ym_status ym_gunzip(const void *bytes, size_t size, void *out, size_t count,
                         struct ym_error *error) {
	struct progress at = {bytes, size, 0, out, count, 0};
	return count == 0 ? YM_OK : unpack(&at, error);
}

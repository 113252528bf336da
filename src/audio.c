#include "audio.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <samplerate.h>
#include <sndfile.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replace.h"

enum {
	BLOCK = 4096, /* frames read or written at once */
	CLIPPED_RUN = 3,
	DENSEST =
		64, /* frames a byte of a file that is no bomb: Opus at 6 kbit/s has so many */
};
#define LONGEST     ((size_t)1 << 28) /* frames */
#define LONG        ((size_t)3 << 23) /* frames that, with a copy, take 192 MiB */
#define LARGEST     1e15f             /* powers of larger samples would overflow */
#define SILENT_SPAN 1e-7f /* between the largest and smallest sample: -140 dB */

const char *const ym_audio_format_names[] = {"wav", "flac", NULL};

/* Opens path as a file of *size bytes; *file is NULL on failure. */
static enum ym_status open_sound(const char *path, int *descriptor, SNDFILE **file,
                                 SF_INFO *info, size_t *size, struct ym_error *error) {
	struct stat status;
	*file = NULL;
	if (ym_open_regular(path, descriptor, error) != YM_OK)
		return error->status;
	if (fstat(*descriptor, &status) == 0 && status.st_size == 0)
		return ym_fail(error, YM_INPUT, "%s: is empty", path);
	*size = (size_t)status.st_size;
	memset(info, 0, sizeof *info);
	errno = 0;
	*file = sf_open_fd(*descriptor, SFM_READ, info, SF_FALSE);
	if (*file == NULL && errno == ENOMEM)
		return ym_no_memory(error);
	if (*file == NULL)
		return ym_fail(error, YM_FORMAT, "%s: is not a sound file of a known format",
		               path);
	if (info->samplerate < YM_AUDIO_LOWEST || info->samplerate > YM_AUDIO_HIGHEST)
		return ym_fail(error, YM_FORMAT, "%s: rate is %d Hz, expected %g..%g", path,
		               info->samplerate, YM_AUDIO_LOWEST, YM_AUDIO_HIGHEST);
	return YM_OK;
}

/* The value at which samples of this file are clipped. */
static float full_scale(const SF_INFO *info) {
	switch (info->format & SF_FORMAT_SUBMASK) {
	case SF_FORMAT_PCM_S8:
	case SF_FORMAT_PCM_U8: return 127.0f / 128;
	default: return 32767.0f / 32768;
	}
}

/* What reading needs besides the sound itself. */
struct reader {
	float *block; /* BLOCK interleaved frames */
	int *run;     /* of each channel: samples at full scale so far, with their sign */
	float full_scale;
	size_t size; /* bytes of the file */
	size_t most; /* frames that a file of this size may hold */
	size_t room; /* of sound->samples */
	float lowest, highest;
	float apart; /* largest distance of a channel from the mean */
};

/* Counts clipped samples and mixes frames of the block to the end of the sound; false
** at a value that is not a number, or far too large. */
static bool mix_block(struct reader *reader, struct ym_sound *sound, size_t frames) {
	int channels = sound->channels;
	for (size_t i = 0; i < frames; i++) {
		const float *frame = reader->block + i * (size_t)channels;
		double sum = 0;
		float mean;
		for (int c = 0; c < channels; c++) {
			int *run = &reader->run[c], sign = frame[c] > 0 ? 1 : -1;
			sum += (double)frame[c];
			if (fabsf(frame[c]) < reader->full_scale) {
				*run = 0;
				continue;
			}
			*run = *run * sign > 0 ? *run + sign : sign;
			if (*run * sign >= CLIPPED_RUN)
				sound->clipped += *run * sign == CLIPPED_RUN ? CLIPPED_RUN : 1;
		}
		mean = (float)(sum / channels);
		if (!(fabsf(mean) <= LARGEST))
			return false;
		reader->lowest = fminf(reader->lowest, mean);
		reader->highest = fmaxf(reader->highest, mean);
		reader->apart = fmaxf(reader->apart, fabsf(frame[0] - mean));
		sound->samples[sound->count++] = mean;
	}
	return true;
}

static size_t smaller(size_t a, size_t b) {
	return a < b ? a : b;
}

static size_t larger(size_t a, size_t b) {
	return a > b ? a : b;
}

/* Fails where a sound has more frames than its file may hold. */
static enum ym_status check_length(const char *path, const struct reader *reader,
                                   const struct ym_sound *sound,
                                   struct ym_error *error) {
	if (sound->count <= reader->most)
		return YM_OK;
	if (reader->most == LONGEST)
		return ym_fail(error, YM_INPUT, "%s: is longer than %.0f seconds", path,
		               (double)LONGEST / sound->rate);
	return ym_fail(error, YM_INPUT,
	               "%s: holds more than %zu frames in %zu bytes, expected at most %d a "
	               "byte of what is so long",
	               path, LONG, reader->size, DENSEST);
}

/* Doubles the room as frames arrive: a header that claims many gets no more. */
static bool make_room(struct reader *reader, struct ym_sound *sound) {
	size_t room = smaller(larger(reader->room * 2, 16 * BLOCK), reader->most + BLOCK);
	float *samples;
	if (sound->count + BLOCK <= reader->room)
		return true;
	samples = ym_alloc(room, sizeof *samples);
	if (samples == NULL)
		return false;
	if (sound->count > 0)
		memcpy(samples, sound->samples, sound->count * sizeof *samples);
	ym_free(sound->samples);
	sound->samples = samples;
	reader->room = room;
	return true;
}

static enum ym_status read_frames(const char *path, SNDFILE *file,
                                  struct reader *reader, struct ym_sound *sound,
                                  struct ym_error *error) {
	sf_count_t frames;
	do {
		if (!make_room(reader, sound))
			return ym_no_memory(error);
		frames = sf_readf_float(file, reader->block, BLOCK);
		if (frames < 0 || sf_error(file) != SF_ERR_NO_ERROR)
			return ym_fail(error, YM_FORMAT, "%s: is damaged (%s)", path,
			               sf_strerror(file));
		if (!mix_block(reader, sound, (size_t)frames))
			return ym_fail(error, YM_INPUT,
			               "%s: holds values that are not numbers or far too large",
			               path);
		if (check_length(path, reader, sound, error) != YM_OK)
			return error->status;
	} while (frames > 0);
	if (sound->count == 0)
		return ym_fail(error, YM_INPUT, "%s: is empty", path);
	if (reader->highest - reader->lowest < SILENT_SPAN)
		return ym_fail(error, YM_INPUT,
		               reader->apart > SILENT_SPAN
		                   ? "%s: its channels cancel each other out when mixed"
		                   : "%s: is silent",
		               path);
	return YM_OK;
}

enum ym_status ym_audio_read(const char *path, struct ym_sound *sound,
                             struct ym_error *error) {
	int descriptor = -1;
	SNDFILE *file = NULL;
	SF_INFO info;
	struct reader reader = {.lowest = INFINITY, .highest = -INFINITY};
	enum ym_status status = open_sound(path, &descriptor, &file, &info, &reader.size,
	                                   error);
	memset(sound, 0, sizeof *sound);
	if (status == YM_OK) {
		sound->rate = info.samplerate;
		sound->channels = info.channels;
		reader.full_scale = full_scale(&info);
		reader.most = larger(LONG, smaller(reader.size, LONGEST / DENSEST) * DENSEST);
		reader.block = ym_alloc((size_t)info.channels * BLOCK, sizeof(float));
		reader.run = ym_alloc((size_t)info.channels, sizeof(int));
		if (reader.block == NULL || reader.run == NULL)
			status = ym_no_memory(error);
		else
			status = read_frames(path, file, &reader, sound, error);
	}
	if (file != NULL)
		sf_close(file);
	if (descriptor >= 0)
		close(descriptor);
	ym_free(reader.block);
	ym_free(reader.run);
	if (status != YM_OK)
		ym_sound_free(sound);
	return status;
}

void ym_sound_free(struct ym_sound *sound) {
	ym_free(sound->samples);
	sound->samples = NULL;
	sound->count = 0;
}

enum ym_status ym_audio_check(const float *samples, size_t count,
                              struct ym_error *error) {
	for (size_t i = 0; i < count; i++)
		if (!(fabsf(samples[i]) <= LARGEST))
			return ym_fail(error, YM_INPUT,
			               "sample %zu is %g, expected a number in +-%g", i + 1,
			               (double)samples[i], (double)LARGEST);
	return YM_OK;
}

/* Writes samples as integers of bits bits, which libsndfile takes at the top of 32. A
** sample is value / 2^(bits - 1), as on reading, so what was read is written equal. */
static bool write_integers(SNDFILE *file, const float *samples, size_t count,
                           int channels, int bits) {
	const double scale = ldexp(1, bits - 1);
	const size_t whole = (size_t)(BLOCK - BLOCK % channels); /* of whole frames */
	int block[BLOCK];
	for (size_t i = 0; i < count;) {
		size_t part = count - i < whole ? count - i : whole;
		for (size_t k = 0; k < part; k++) {
			double value = nearbyint((double)samples[i + k] * scale);
			value = fmin(fmax(value, -scale), scale - 1);
			block[k] = (int)(value * ldexp(1, 32 - bits));
		}
		if (sf_write_int(file, block, (sf_count_t)part) != (sf_count_t)part)
			return false;
		i += part;
	}
	return true;
}

/* What libsndfile is told of a sound to be written. */
static SF_INFO info_of(int channels, int rate, enum ym_audio_format format, int bits) {
	SF_INFO info = {.samplerate = rate, .channels = channels};
	info.format = format == YM_AUDIO_FLAC ? SF_FORMAT_FLAC : SF_FORMAT_WAV;
	info.format |= bits == 16   ? SF_FORMAT_PCM_16
	               : bits == 24 ? SF_FORMAT_PCM_24
	                            : SF_FORMAT_FLOAT;
	return info;
}

/* Writes count samples into a file just opened, or NULL where that failed, and closes it.
** Whether all bytes found their place only who took them knows: of the header, which is
** written on closing, libsndfile does not tell. path: for messages. */
static enum ym_status write_sound(SNDFILE *file, const char *path, const SF_INFO *info,
                                  const float *samples, size_t count, int bits,
                                  struct ym_error *error) {
	bool written;
	if (file == NULL)
		return ym_fail(error, YM_FORMAT, "%s: cannot be written as %d bits at %d Hz",
		               path, bits, info->samplerate);
	/* It holds the time of day: the same samples are to be the same bytes. */
	sf_command(file, SFC_SET_ADD_PEAK_CHUNK, NULL, SF_FALSE);
	if (bits == 32)
		written = sf_write_float(file, samples, (sf_count_t)count) == (sf_count_t)count;
	else
		written = write_integers(file, samples, count, info->channels, bits);
	if (sf_close(file) != 0 || !written)
		return ym_fail(error, YM_IO, "%s: cannot be written completely", path);
	return YM_OK;
}

/* A file on the disk, as libsndfile writes one. */
struct disk_file {
	int descriptor;
	int number; /* of the first error */
};

static sf_count_t disk_seek(sf_count_t offset, int whence, void *user) {
	struct disk_file *file = user;
	off_t at = lseek(file->descriptor, (off_t)offset, whence);
	if (at < 0 && file->number == 0)
		file->number = errno;
	return at;
}

static sf_count_t disk_tell(void *user) {
	return disk_seek(0, SEEK_CUR, user);
}

static sf_count_t disk_length(void *user) {
	struct disk_file *file = user;
	struct stat found;
	if (fstat(file->descriptor, &found) == 0)
		return found.st_size;
	file->number = file->number == 0 ? errno : file->number;
	return -1;
}

static sf_count_t disk_write(const void *from, sf_count_t count, void *user) {
	struct disk_file *file = user;
	if (ym_write_all(file->descriptor, from, (size_t)count))
		return count;
	file->number = file->number == 0 ? errno : file->number;
	return 0;
}

enum ym_status ym_audio_write(const char *path, const float *samples, size_t frames,
                              int channels, int rate, enum ym_audio_format format,
                              int bits, struct ym_error *error) {
	SF_INFO info = info_of(channels, rate, format, bits);
	SF_VIRTUAL_IO io = {disk_length, disk_seek, NULL, disk_write, disk_tell};
	struct ym_replacement replacement;
	struct disk_file disk = {0};
	size_t count = frames * (size_t)channels;
	enum ym_status status = ym_audio_check(samples, count, error);
	if (status != YM_OK) {
		struct ym_error reason = *error;
		return ym_fail(error, status, "%s: %.300s", path, reason.message);
	}
	status = ym_replacement_begin(&replacement, path, error);
	if (status != YM_OK)
		return status;
	disk.descriptor = replacement.descriptor;
	status = write_sound(sf_open_virtual(&io, SFM_WRITE, &info, &disk), path, &info,
	                     samples, count, bits, error);
	if (disk.number != 0)
		status = ym_fail_system(error, path, disk.number);
	if (status == YM_OK)
		return ym_replacement_commit(&replacement, error);
	ym_replacement_abandon(&replacement);
	return status;
}

/* A file in memory, as libsndfile writes one. */
struct memory_file {
	unsigned char *bytes;
	size_t size, room;
	size_t at; /* where the next byte goes, at most size */
	bool full; /* there was no memory for more */
};

static sf_count_t memory_length(void *user) {
	return (sf_count_t)((const struct memory_file *)user)->size;
}

static sf_count_t memory_tell(void *user) {
	return (sf_count_t)((const struct memory_file *)user)->at;
}

static sf_count_t memory_seek(sf_count_t offset, int whence, void *user) {
	struct memory_file *file = user;
	sf_count_t from = whence == SEEK_SET   ? 0
	                  : whence == SEEK_CUR ? (sf_count_t)file->at
	                                       : (sf_count_t)file->size;
	if (from + offset < 0 || from + offset > (sf_count_t)file->size)
		return -1;
	file->at = (size_t)(from + offset);
	return from + offset;
}

static sf_count_t memory_read(void *to, sf_count_t count, void *user) {
	struct memory_file *file = user;
	size_t left = file->size - file->at;
	size_t part = (size_t)count < left ? (size_t)count : left;
	if (part > 0)
		memcpy(to, file->bytes + file->at, part);
	file->at += part;
	return (sf_count_t)part;
}

static sf_count_t memory_write(const void *from, sf_count_t count, void *user) {
	struct memory_file *file = user;
	size_t end = file->at + (size_t)count;
	if (count <= 0)
		return 0;
	if (end > file->room) {
		size_t room = end < 16 * BLOCK ? 16 * BLOCK : end * 2;
		unsigned char *bytes = ym_alloc(room, 1);
		file->full = file->full || bytes == NULL;
		if (bytes == NULL)
			return 0;
		if (file->size > 0)
			memcpy(bytes, file->bytes, file->size);
		ym_free(file->bytes);
		file->bytes = bytes;
		file->room = room;
	}
	memcpy(file->bytes + file->at, from, (size_t)count);
	file->at = end;
	file->size = end > file->size ? end : file->size;
	return count;
}

enum ym_status ym_audio_encode(const float *samples, size_t frames, int channels,
                               int rate, enum ym_audio_format format, int bits,
                               unsigned char **bytes, size_t *size,
                               struct ym_error *error) {
	SF_VIRTUAL_IO io = {memory_length, memory_seek, memory_read, memory_write,
	                    memory_tell};
	SF_INFO info = info_of(channels, rate, format, bits);
	struct memory_file memory = {0};
	size_t count = frames * (size_t)channels;
	enum ym_status status = ym_audio_check(samples, count, error);
	*bytes = NULL;
	if (status != YM_OK)
		return status;
	status = write_sound(sf_open_virtual(&io, SFM_WRITE, &info, &memory), "sound",
	                     &info, samples, count, bits, error);
	if (memory.full)
		status = ym_no_memory(error);
	if (status == YM_OK) {
		*bytes = memory.bytes;
		*size = memory.size;
	} else {
		ym_free(memory.bytes);
	}
	return status;
}

size_t ym_audio_resampled_count(size_t count, double from, double to) {
	return (size_t)ceil((double)count * (to / from));
}

static enum ym_status resample(const float *samples, size_t count, double from,
                               double to, int converter, float *out,
                               struct ym_error *error) {
	SRC_DATA data = {.data_in = samples,
	                 .data_out = out,
	                 .input_frames = (long)count,
	                 .output_frames = (long)ym_audio_resampled_count(count, from, to),
	                 .src_ratio = to / from};
	enum ym_status status = ym_audio_check(samples, count, error);
	int failure;
	if (status != YM_OK)
		return status;
	if (from == to) { /* where libsamplerate would still filter */
		memcpy(out, samples, count * sizeof *out);
		return YM_OK;
	}
	if (!src_is_valid_ratio(data.src_ratio))
		return ym_fail(error, YM_ARGUMENT,
		               "from %g to %g Hz is not a ratio between 1/256 and 256", from,
		               to);
	memset(out, 0, (size_t)data.output_frames * sizeof *out);
	failure = count == 0 ? 0 : src_simple(&data, converter, 1);
	if (failure != 0)
		return ym_fail(error, YM_MEMORY, "libsamplerate: %s", src_strerror(failure));
	return YM_OK;
}

enum ym_status ym_audio_resample(const float *samples, size_t count, double from,
                                 double to, float *out, struct ym_error *error) {
	return resample(samples, count, from, to, SRC_SINC_BEST_QUALITY, out, error);
}

enum ym_status ym_audio_resample_quickly(const float *samples, size_t count,
                                         double from, double to, float *out,
                                         struct ym_error *error) {
	return resample(samples, count, from, to, SRC_SINC_MEDIUM_QUALITY, out, error);
}

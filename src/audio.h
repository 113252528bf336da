/*
** Sound files in and out, and changes of rate. Samples are floats, full scale is 1.
*/
#ifndef AUDIO_H
#define AUDIO_H

#include "ym.h"

/* A sound read from a file: the mean of its channels. */
struct ym_sound {
	float *samples;
	size_t count;
	double rate;    /* Hz */
	int channels;   /* of the file */
	size_t clipped; /* samples, over all channels, at full scale for three or more in a
	                ** row with one sign */
};

enum ym_audio_format { YM_AUDIO_WAV, YM_AUDIO_FLAC };

/* "wav", "flac", then NULL. */
extern const char *const ym_audio_format_names[];

enum { YM_AUDIO_CHANNELS = 64 }; /* the most that are written */
#define YM_AUDIO_LOWEST  1000.0  /* Hz: rates of files and of resampling */
#define YM_AUDIO_HIGHEST 655350.0

/* Reads what libsndfile reads. Failures, with the path first: YM_IO (missing, not a
** regular file), YM_FORMAT (not a sound file, damaged, a rate outside the limits),
** YM_INPUT (empty, longer than 2^28 frames, or than 3 * 2^23 in a file that holds more
** than 64 a byte, silent, or with values that are not numbers). */
enum ym_status ym_audio_read(const char *path, struct ym_sound *sound,
                             struct ym_error *error);
void ym_sound_free(struct ym_sound *sound);

/* Writes frames of channels interleaved samples, whole or not at all. bits: 16 or 24
** (rounded, clamped to full scale), or 32 (float, WAV only). YM_INPUT when a sample
** is not a number. */
enum ym_status ym_audio_write(const char *path, const float *samples, size_t frames,
                              int channels, int rate, enum ym_audio_format format,
                              int bits, struct ym_error *error);

/* The same into memory: *bytes, of *size bytes, is freed with ym_free, and NULL where it
** fails, with YM_INPUT, YM_FORMAT (what the format cannot hold) or YM_MEMORY. */
enum ym_status ym_audio_encode(const float *samples, size_t frames, int channels,
                               int rate, enum ym_audio_format format, int bits,
                               unsigned char **bytes, size_t *size,
                               struct ym_error *error);

/* Samples that count samples become. */
size_t ym_audio_resampled_count(size_t count, double from, double to);

/* Changes the rate with libsamplerate's best sinc, without delay; out has room for
** ym_audio_resampled_count samples. The ratio must lie in 1/256..256. YM_INPUT when a
** sample is not a number. */
enum ym_status ym_audio_resample(const float *samples, size_t count, double from,
                                 double to, float *out, struct ym_error *error);

/* The same with its medium sinc, in a quarter of the time: flat to 0.45 of the lower
** rate. */
enum ym_status ym_audio_resample_quickly(const float *samples, size_t count,
                                         double from, double to, float *out,
                                         struct ym_error *error);

/* YM_INPUT, naming the sample, when one is not a number within +-1e15. */
enum ym_status ym_audio_check(const float *samples, size_t count,
                              struct ym_error *error);

#endif

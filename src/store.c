#include "store.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "replace.h"

static size_t byte_count(const struct ym_tensor *tensor) {
	return ym_tensor_count(tensor) * ym_type_size(tensor->type);
}

enum ym_status ym_store_write(const char *path, const void *header, size_t size,
                              const struct ym_tensor *const *tensors, size_t count,
                              struct ym_error *error) {
	struct ym_replacement replacement;
	enum ym_status status = ym_replacement_begin(&replacement, path, error);
	bool good;
	if (status != YM_OK)
		return status;
	good = ym_write_all(replacement.descriptor, header, size);
	for (size_t which = 0; good && which < count; which++)
		good = ym_write_all(replacement.descriptor, tensors[which]->data,
		                    byte_count(tensors[which]));
	if (good)
		return ym_replacement_commit(&replacement, error);
	status = ym_fail_system(error, path, errno);
	ym_replacement_abandon(&replacement);
	return status;
}

const char *const ym_stored_names[] = {"same", "bf16", "f64", "i64", NULL};

size_t ym_stored_size(enum ym_stored stored, const struct ym_tensor *tensor) {
	switch (stored) {
	case YM_STORED_SAME: break;
	case YM_STORED_BF16: return 2;
	case YM_STORED_F64:
	case YM_STORED_I64: return 8;
	}
	return ym_type_size(tensor->type);
}

/* A bfloat16 is the upper half of a float. */
static float from_bf16(const unsigned char *bytes) {
	uint16_t half;
	uint32_t bits;
	float value;
	memcpy(&half, bytes, sizeof half);
	bits = (uint32_t)half << 16;
	memcpy(&value, &bits, sizeof value);
	return value;
}

enum ym_status ym_store_put(const struct ym_tensor *tensor, size_t first, size_t count,
                            enum ym_stored stored, const void *bytes,
                            struct ym_error *error) {
	size_t size = ym_stored_size(stored, tensor);
	const unsigned char *from = bytes;
	float *values = tensor->data;
	int32_t *numbers = tensor->data;
	if (stored == YM_STORED_SAME && count > 0)
		memcpy((char *)tensor->data + first * size, from, count * size);
	for (size_t at = 0; stored != YM_STORED_SAME && at < count; at++) {
		const unsigned char *element = from + at * size;
		double wide;
		int64_t whole;
		if (stored == YM_STORED_BF16)
			values[first + at] = from_bf16(element);
		else if (stored == YM_STORED_F64) {
			memcpy(&wide, element, sizeof wide);
			values[first + at] = (float)wide;
		} else {
			memcpy(&whole, element, sizeof whole);
			if (whole < INT32_MIN || whole > INT32_MAX)
				return ym_fail(error, YM_FORMAT,
				               "holds the number %lld, which has more than 32 bits",
				               (long long)whole);
			numbers[first + at] = (int32_t)whole;
		}
	}
	return YM_OK;
}

enum ym_status ym_store_fill(FILE *file, const struct ym_tensor *tensor,
                             enum ym_stored stored, struct ym_error *error) {
	unsigned char bytes[8192];
	size_t size = ym_stored_size(stored, tensor), total = ym_tensor_count(tensor);
	enum ym_status status = YM_OK;
	for (size_t at = 0, count; status == YM_OK && at < total; at += count) {
		bool same = stored == YM_STORED_SAME;
		count = same || total - at < sizeof bytes / size ? total - at
		                                                 : sizeof bytes / size;
		if (fread(same ? tensor->data : bytes, size, count, file) != count) {
			if (ferror(file))
				return ym_fail(error, YM_IO, "%s", strerror(errno));
			return ym_fail(error, YM_FORMAT, "ends too early");
		}
		if (!same)
			status = ym_store_put(tensor, at, count, stored, bytes, error);
	}
	return status;
}

/* Of whole number types every value is finite. */
bool ym_store_finite(const struct ym_tensor *tensor) {
	size_t count = ym_tensor_count(tensor);
	if (tensor->type == YM_F32) {
		const float *values = tensor->data;
		for (size_t at = 0; at < count; at++)
			if (!isfinite(values[at]))
				return false;
	}
	if (tensor->type == YM_F16) {
		const uint16_t *values = tensor->data;
		for (size_t at = 0; at < count; at++)
			if ((values[at] & 0x7C00u) == 0x7C00u) /* infinity and NaN */
				return false;
	}
	return true;
}

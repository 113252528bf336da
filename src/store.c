#include "store.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "replace.h"

/* Writes all of it, or returns false with errno set. */
static bool write_all(int descriptor, const void *bytes, size_t size) {
	const char *from = bytes;
	while (size > 0) {
		ssize_t wrote = write(descriptor, from, size);
		if (wrote < 0 && errno != EINTR)
			return false;
		if (wrote > 0) {
			from += wrote;
			size -= (size_t)wrote;
		}
	}
	return true;
}

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
	good = write_all(replacement.descriptor, header, size);
	for (size_t which = 0; good && which < count; which++)
		good = write_all(replacement.descriptor, tensors[which]->data,
		                 byte_count(tensors[which]));
	if (good)
		return ym_replacement_commit(&replacement, error);
	status = ym_fail_system(error, path, errno);
	ym_replacement_abandon(&replacement);
	return status;
}

enum ym_status ym_store_fill(FILE *file, const struct ym_tensor *tensor,
                             struct ym_error *error) {
	size_t size = byte_count(tensor);
	if (fread(tensor->data, 1, size, file) == size)
		return YM_OK;
	if (ferror(file))
		return ym_fail(error, YM_IO, "%s", strerror(errno));
	return ym_fail(error, YM_FORMAT, "ends too early");
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

#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTEMPTS = 1000, SUFFIX = 64 };

enum ym_status ym_fail_system(struct ym_error *error, const char *path, int number) {
	char reason[128];
	if (number == ENOMEM)
		return ym_no_memory(error);
	if (strerror_r(number, reason, sizeof reason) != 0)
		snprintf(reason, sizeof reason, "error %d", number);
	return ym_fail(error, YM_IO, "%s: %s", path, reason);
}

enum ym_status ym_replacement_begin(struct ym_replacement *replacement,
                                    const char *path, struct ym_error *error) {
	const char *slash = strrchr(path, '/');
	size_t folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	struct stat target;
	int number = EEXIST;
	if (lstat(path, &target) == 0 && !S_ISREG(target.st_mode))
		return ym_fail(error, YM_IO, "%s: is not a regular file", path);
	replacement->path = path;
	replacement->temporary = ym_alloc(folder + SUFFIX, 1);
	if (replacement->temporary == NULL)
		return ym_no_memory(error);
	memcpy(replacement->temporary, path, folder);
	for (int i = 0; i < ATTEMPTS && number == EEXIST; i++) {
		snprintf(replacement->temporary + folder, SUFFIX, ".ym2612ml-%ld-%d",
		         (long)getpid(), i);
		replacement->descriptor = open(replacement->temporary,
		                               O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (replacement->descriptor >= 0)
			return YM_OK;
		number = errno;
	}
	ym_free(replacement->temporary);
	return ym_fail_system(error, path, number);
}

enum ym_status ym_replacement_commit(struct ym_replacement *replacement,
                                     struct ym_error *error) {
	int number = fsync(replacement->descriptor) == 0 ? 0 : errno;
	if (close(replacement->descriptor) != 0 && number == 0)
		number = errno;
	if (number == 0 && rename(replacement->temporary, replacement->path) != 0)
		number = errno;
	if (number != 0)
		unlink(replacement->temporary);
	ym_free(replacement->temporary);
	return number == 0 ? YM_OK : ym_fail_system(error, replacement->path, number);
}

void ym_replacement_abandon(struct ym_replacement *replacement) {
	close(replacement->descriptor);
	unlink(replacement->temporary);
	ym_free(replacement->temporary);
}

#include "replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
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

bool ym_write_all(int descriptor, const void *bytes, size_t size) {
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

enum ym_status ym_open_regular(const char *path, int *descriptor,
                               struct ym_error *error) {
	struct stat status = {0};
	*descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*descriptor >= 0 && fstat(*descriptor, &status) == 0 && S_ISREG(status.st_mode))
		return YM_OK;
	if (*descriptor < 0)
		return ym_fail_system(error, path, errno);
	close(*descriptor);
	*descriptor = -1;
	return ym_fail(error, YM_IO, "%s: is %s", path,
	               S_ISDIR(status.st_mode) ? "a folder" : "not a regular file");
}

/* Whether path is the file that is open as descriptor. */
static bool is_same_file(int descriptor, const char *path) {
	struct stat opened, named;
	return fstat(descriptor, &opened) == 0 && lstat(path, &named) == 0 &&
	       opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

/* Makes a temporary file, which is locked as long as it is open: by that others see that
** it is in use. Returns its descriptor, or -1 with errno set. */
static int create(const char *temporary) {
	int descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	struct stat opened;
	if (descriptor < 0)
		return -1;
	/* Between the two, another process may have taken it for abandoned, and removed it. */
	if ((flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) ||
	    (fstat(descriptor, &opened) == 0 && opened.st_nlink == 0)) {
		close(descriptor);
		errno = EEXIST;
		return -1;
	}
	return descriptor;
}

/* Removes a temporary file that nobody has locked: what a program that was ended left.
** Where files cannot be locked it stays. NFS locks only what is open to be written. Returns
** whether it is gone. */
static bool remove_abandoned(const char *temporary) {
	int descriptor = open(temporary, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool removed = false;
	if (descriptor < 0)
		return false;
	if (flock(descriptor, LOCK_EX | LOCK_NB) == 0 &&
	    is_same_file(descriptor, temporary))
		removed = unlink(temporary) == 0;
	close(descriptor);
	return removed;
}

/* As create, also where an abandoned file is in the way. */
static int create_anew(const char *temporary) {
	int descriptor = create(temporary);
	if (descriptor >= 0 || errno != EEXIST)
		return descriptor;
	if (remove_abandoned(temporary))
		return create(temporary);
	errno = EEXIST;
	return -1;
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
		snprintf(replacement->temporary + folder, SUFFIX, ".ym2612ml-%d", i);
		replacement->descriptor = create_anew(replacement->temporary);
		if (replacement->descriptor >= 0)
			return YM_OK;
		number = errno;
	}
	ym_free(replacement->temporary);
	return ym_fail_system(error, path, number);
}

enum ym_status ym_replacement_commit(struct ym_replacement *replacement,
                                     struct ym_error *error) {
	int number = 0;
	if (fsync(replacement->descriptor) != 0 ||
	    rename(replacement->temporary, replacement->path) != 0)
		number = errno;
	if (number != 0)
		unlink(replacement->temporary);
	close(replacement->descriptor); /* only now: until then it is locked */
	ym_free(replacement->temporary);
	return number == 0 ? YM_OK : ym_fail_system(error, replacement->path, number);
}

void ym_replacement_abandon(struct ym_replacement *replacement) {
	unlink(replacement->temporary);
	close(replacement->descriptor);
	ym_free(replacement->temporary);
}

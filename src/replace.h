/*
** Files that can be trusted to be files, and that appear whole or not at all: written under
** a temporary name in the folder of their target, then renamed over it. One that a program left which was ended meanwhile,
** or whose folder was not there for a while, is removed when another file is written there,
** if the file system can lock files.
*/
#ifndef REPLACE_H
#define REPLACE_H

#include "ym.h"

struct ym_replacement {
	const char *path; /* the target: the caller's string, which must stay */
	char *temporary;
	int descriptor; /* open for reading and writing */
};

/* Makes the temporary file. YM_IO when the folder does not allow it, or the target
** exists and is no regular file; a symbolic link is none, whatever it leads to. */
enum ym_status ym_replacement_begin(struct ym_replacement *replacement,
                                    const char *path, struct ym_error *error);

/* Writes all of it at the place where the descriptor is, or returns false with errno set. */
bool ym_write_all(int descriptor, const void *bytes, size_t size);

/* Brings it to the disk, and only then to its name, so that not even a loss of power
** leaves half a file there. On failure it is gone and the target as it was. */
enum ym_status ym_replacement_commit(struct ym_replacement *replacement,
                                     struct ym_error *error);

/* Closes and removes it. */
void ym_replacement_abandon(struct ym_replacement *replacement);

/* Opens a file to be read, which may lie at a path that a stranger told: nothing waits here
** as for the writer of a pipe, and what is no regular file is YM_IO. */
enum ym_status ym_open_regular(const char *path, int *descriptor,
                               struct ym_error *error);

/* YM_IO, or YM_MEMORY for ENOMEM: "path: " and what the error number means. */
enum ym_status ym_fail_system(struct ym_error *error, const char *path, int number);

#endif

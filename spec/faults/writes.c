/*
** Runs a program and lets one of its changes to a folder fail:
**
**     writes FOLDER POINT KIND RECORD PROGRAM [ARGUMENT ...]
**
** Every system call of the program and its threads that could change what is below FOLDER
** (an absolute path), or FOLDER itself, is counted from 1, and call number POINT fails; 0:
** none. What C library made the call does not matter: the kernel asks here before it acts
** (seccomp's user notification). KIND is
**
**     ENOSPC EACCES EIO  the call does nothing and returns this
**     half               of a write, only the first half of the bytes are written
**     short              likewise, and the next call fails for want of space
**     vanish             FOLDER has been renamed to FOLDER.gone when the call acts
**
** RECORD becomes a list with a line a call, `NUMBER NAME PATH`, and at the end `status N`
** or `signal N`. Where nothing fails, RECORD.NUMBER is a copy of each file as it was when
** it was renamed. The status is that of the program; 125: this machine does not allow it.
*/
#define _GNU_SOURCE /* process_vm_readv */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_ALLOWED = 125, LONGEST_RUN = 120 }; /* seconds */

/* Where the arguments of a call say what it changes; -1: nowhere. */
struct call {
	const char *name;
	int number;
	int descriptor; /* an open file */
	int path;       /* a path, relative to the folder before it if `at` */
	int other;      /* the second path of a rename or link, likewise */
	int flags;      /* of an open: it counts only if it can change something */
	bool at;
};

#define ON_FILE(name)                                                                  \
	{ #name, __NR_##name, 0, -1, -1, -1, false }
#define AT(name, other, flags)                                                         \
	{ #name, __NR_##name, -1, 1, other, flags, true }
#define ON_PATH(name, other, flags)                                                    \
	{ #name, __NR_##name, -1, 0, other, flags, false }

static const struct call calls[] = {
	ON_FILE(write),
	ON_FILE(pwrite64),
	ON_FILE(writev),
	ON_FILE(pwritev),
	ON_FILE(fsync),
	ON_FILE(fdatasync),
	ON_FILE(ftruncate),
	ON_FILE(fallocate),
	ON_FILE(close),
	AT(openat, -1, 2),
	AT(mkdirat, -1, -1),
	AT(unlinkat, -1, -1),
	AT(linkat, 3, -1),
	AT(renameat2, 3, -1),
#ifdef __NR_renameat
	AT(renameat, 3, -1),
#endif
#ifdef __NR_open
	ON_PATH(open, -1, 1),
	ON_PATH(mkdir, -1, -1),
	ON_PATH(rmdir, -1, -1),
	ON_PATH(unlink, -1, -1),
	ON_PATH(link, 1, -1),
	ON_PATH(rename, 1, -1),
#endif
	ON_PATH(truncate, -1, -1),
};

enum { CALLS = sizeof calls / sizeof *calls };

struct run {
	const char *folder, *kind, *record;
	long point, counted;
	bool full; /* the next call is to fail for want of space */
	FILE *list;
};

static void refuse(const char *what) {
	fprintf(stderr, "writes: %s: %s\n", what, strerror(errno));
	exit(NOT_ALLOWED);
}

/* Memory of another process, which may end before size bytes. */
static ssize_t peek(pid_t task, uint64_t from, void *to, size_t size) {
	struct iovec own = {to, size};
	struct iovec other = {(void *)(uintptr_t)from, size};
	return process_vm_readv(task, &own, 1, &other, 1, 0);
}

/* A string of at most PATH_MAX bytes: page by page, as what follows may not be there. */
static void peek_path(pid_t task, uint64_t from, char *to) {
	size_t size = 0;
	while (size < PATH_MAX - 1) {
		size_t part = 4096 - (from + size) % 4096;
		if (part > PATH_MAX - 1 - size)
			part = PATH_MAX - 1 - size;
		if (peek(task, from + size, to + size, part) != (ssize_t)part)
			break;
		if (memchr(to + size, 0, part) != NULL)
			return;
		size += part;
	}
	to[size] = 0;
}

/* What a link in /proc of a task leads to. */
static void follow(pid_t task, const char *what, char *to) {
	char link[64];
	ssize_t length;
	snprintf(link, sizeof link, "/proc/%ld/%s", (long)task, what);
	length = readlink(link, to, PATH_MAX - 1);
	to[length > 0 ? length : 0] = 0;
}

static void path_of_descriptor(pid_t task, int descriptor, char *to) {
	char what[32];
	snprintf(what, sizeof what, "fd/%d", descriptor);
	follow(task, what, to);
}

/* A number of a file in /proc of a task. */
static long number_in(pid_t task, const char *what, const char *format) {
	char path[64], line[256];
	long number = 0;
	FILE *file;
	snprintf(path, sizeof path, "/proc/%ld/%s", (long)task, what);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, format, &number) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return number;
}

static bool is_open_for_writing(pid_t task, int descriptor) {
	char what[32];
	snprintf(what, sizeof what, "fdinfo/%d", descriptor);
	return (number_in(task, what, "flags: %lo") & O_ACCMODE) != O_RDONLY;
}

/* The absolute path in an argument. */
static void path_of_argument(const struct seccomp_notif *asked, int argument, bool at,
                             char *to) {
	pid_t task = (pid_t)asked->pid;
	char name[PATH_MAX], folder[PATH_MAX];
	int base = at ? (int)asked->data.args[argument - 1] : AT_FDCWD;
	peek_path(task, asked->data.args[argument], name);
	if (base == AT_FDCWD)
		follow(task, "cwd", folder);
	else
		path_of_descriptor(task, base, folder);
	if (name[0] == '/')
		memcpy(to, name, sizeof name);
	else if (snprintf(to, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
		to[0] = 0;
}

static bool is_below(const char *folder, const char *path) {
	size_t length = strlen(folder);
	return strncmp(path, folder, length) == 0 &&
	       (path[length] == '/' || path[length] == 0);
}

/* Whether the call could change what is below the folder, and at which path. */
static bool concerns(const struct run *run, const struct seccomp_notif *asked,
                     const struct call *call, char *path) {
	if (call->flags >= 0 &&
	    (asked->data.args[call->flags] & (O_ACCMODE | O_CREAT | O_TRUNC)) == 0)
		return false;
	if (call->descriptor >= 0) {
		int descriptor = (int)asked->data.args[call->descriptor];
		path_of_descriptor((pid_t)asked->pid, descriptor, path);
		return is_below(run->folder, path) &&
		       is_open_for_writing((pid_t)asked->pid, descriptor);
	}
	if (call->other >= 0) {
		path_of_argument(asked, call->other, call->at, path);
		if (is_below(run->folder, path))
			return true;
	}
	path_of_argument(asked, call->path, call->at, path);
	return is_below(run->folder, path);
}

/* Writes the first half of the bytes in the place of the program, whose place in the file
** moves with it. Returns how many those are, or the negative number of an error. */
static int64_t write_half(const struct seccomp_notif *asked, const struct call *call) {
	pid_t process = (pid_t)number_in((pid_t)asked->pid, "status", "Tgid: %ld");
	size_t size = (size_t)(asked->data.args[2] + 1) / 2;
	int holder = (int)syscall(SYS_pidfd_open, process, 0);
	int descriptor = (int)syscall(SYS_pidfd_getfd, holder, (int)asked->data.args[0], 0);
	char *bytes = malloc(size + 1);
	ssize_t wrote = -1;
	if (bytes != NULL && descriptor >= 0 &&
	    peek((pid_t)asked->pid, asked->data.args[1], bytes, size) == (ssize_t)size)
		wrote = call->number == __NR_write
		            ? write(descriptor, bytes, size)
		            : pwrite(descriptor, bytes, size, (off_t)asked->data.args[3]);
	if (wrote < 0)
		refuse("half a write");
	free(bytes);
	close(descriptor);
	close(holder);
	return wrote;
}

static void rename_away(const struct run *run) {
	char gone[PATH_MAX];
	snprintf(gone, sizeof gone, "%s.gone", run->folder);
	rename(run->folder, gone);
}

/* Keeps a copy of the file that is about to be renamed. */
static void keep_version(const struct run *run, const struct seccomp_notif *asked,
                         const struct call *call) {
	char path[PATH_MAX], buffer[65536];
	FILE *from, *to;
	size_t count;
	path_of_argument(asked, call->path, call->at, path);
	from = fopen(path, "rb");
	snprintf(path, sizeof path, "%s.%ld", run->record, run->counted);
	to = fopen(path, "wb");
	if (to == NULL)
		refuse(path);
	while (from != NULL && (count = fread(buffer, 1, sizeof buffer, from)) > 0)
		fwrite(buffer, 1, count, to);
	if (from != NULL)
		fclose(from);
	if (fclose(to) != 0)
		refuse(path);
}

/* Decides about the call that is to fail. A close that fails leaves the program's file
** open, which nothing can see. */
static void fail_call(struct run *run, const struct seccomp_notif *asked,
                      const struct call *call, struct seccomp_notif_resp *answer) {
	bool writes = call->number == __NR_write || call->number == __NR_pwrite64;
	if (strcmp(run->kind, "vanish") == 0) {
		rename_away(run);
	} else if (strcmp(run->kind, "half") == 0 || strcmp(run->kind, "short") == 0) {
		if (writes) {
			answer->flags = 0;
			answer->val = write_half(asked, call);
			run->full = run->kind[0] == 's';
		}
	} else {
		answer->flags = 0;
		answer->error = strcmp(run->kind, "ENOSPC") == 0   ? -ENOSPC
		                : strcmp(run->kind, "EACCES") == 0 ? -EACCES
		                                                   : -EIO;
	}
}

static void answer_one(struct run *run, int listener) {
	struct seccomp_notif asked = {0};
	struct seccomp_notif_resp answer = {0};
	char path[PATH_MAX];
	const struct call *call = calls;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
		return; /* the program was ended meanwhile */
	answer.id = asked.id;
	answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	while (call->number != asked.data.nr)
		call++;
	if (concerns(run, &asked, call, path)) {
		run->counted++;
		fprintf(run->list, "%ld %s %s\n", run->counted, call->name, path);
		if (run->point == 0 && strncmp(call->name, "rename", 6) == 0)
			keep_version(run, &asked, call);
		if (run->full) {
			run->full = false;
			answer.flags = 0;
			answer.error = -ENOSPC;
		}
		if (run->counted == run->point)
			fail_call(run, &asked, call, &answer);
	}
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

/* Has the kernel ask about the calls of this process. Returns whom it asks, or -1. */
static int install_filter(void) {
	struct sock_filter filter[2 + 2 * CALLS] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	struct sock_fprog program = {2 + 2 * CALLS, filter};
	for (int i = 0; i < CALLS; i++) {
		struct sock_filter differs = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		                                      (unsigned)calls[i].number, 0, 1);
		struct sock_filter ask = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
		filter[1 + 2 * i] = differs;
		filter[2 + 2 * i] = ask;
	}
	filter[1 + 2 * CALLS] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	                                                     SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
	                    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

union ancillary {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr aligned;
};

static void send_descriptor(int channel, int descriptor) {
	union ancillary ancillary = {0};
	char byte = 0;
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data,
	                         .msg_iovlen = 1,
	                         .msg_control = ancillary.room,
	                         .msg_controllen = sizeof ancillary.room};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof descriptor);
	memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
	if (sendmsg(channel, &message, 0) < 0)
		_exit(NOT_ALLOWED);
}

static int receive_descriptor(int channel) {
	union ancillary ancillary = {0};
	char byte;
	int descriptor = -1;
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data,
	                         .msg_iovlen = 1,
	                         .msg_control = ancillary.room,
	                         .msg_controllen = sizeof ancillary.room};
	if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) == 1 &&
	    CMSG_FIRSTHDR(&message) != NULL)
		memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
	return descriptor;
}

/* Starts the program. Returns its process, and whom the kernel asks about its calls. */
static pid_t start(char **arguments, int *listener) {
	int channel[2];
	pid_t child;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0)
		refuse("socketpair");
	child = fork();
	if (child < 0)
		refuse("fork");
	if (child == 0) {
		int own = install_filter();
		if (own < 0)
			refuse("seccomp");
		send_descriptor(channel[1], own);
		execvp(arguments[0], arguments);
		_exit(127);
	}
	close(channel[1]);
	*listener = receive_descriptor(channel[0]);
	if (*listener < 0)
		exit(NOT_ALLOWED);
	return child;
}

/* Answers until the program has ended. Returns how it did. */
static int attend(struct run *run, pid_t child, int listener) {
	struct pollfd waited[2] = {{listener, POLLIN, 0},
	                           {(int)syscall(SYS_pidfd_open, child, 0), POLLIN, 0}};
	int how = 0;
	for (;;) {
		int ready = poll(waited, 2, LONGEST_RUN * 1000);
		if (ready == 0)
			kill(child, SIGKILL);
		if (ready > 0 && waited[0].revents & POLLIN)
			answer_one(run, listener);
		else if (waited[1].revents != 0)
			break;
	}
	waitpid(child, &how, 0);
	return how;
}

int main(int count, char **arguments) {
	struct run run = {0};
	int listener, how;
	pid_t child;
	if (count < 6) {
		fprintf(stderr, "usage: writes FOLDER POINT KIND RECORD PROGRAM ...\n");
		return NOT_ALLOWED;
	}
	run.folder = arguments[1];
	run.point = strtol(arguments[2], NULL, 10);
	run.kind = arguments[3];
	run.record = arguments[4];
	run.list = fopen(run.record, "we");
	if (run.list == NULL)
		refuse(run.record);
	child = start(arguments + 5, &listener);
	how = attend(&run, child, listener);
	if (WIFSIGNALED(how))
		fprintf(run.list, "signal %d\n", WTERMSIG(how));
	else
		fprintf(run.list, "status %d\n", WEXITSTATUS(how));
	if (fclose(run.list) != 0)
		refuse(run.record);
	return WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
}

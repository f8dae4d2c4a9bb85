/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/mem.h"

/* What all roles may do, whatever the arguments. */
static const int common_calls[] = {
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	SCMP_SYS(fadvise64),
	SCMP_SYS(futex),
	SCMP_SYS(sched_yield),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(setitimer),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
};

/* Files, which Landlock narrows down, and sockets that are there already. */
static const int file_and_socket_calls[] = {
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(stat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(readlink),
	SCMP_SYS(getdents64),
	SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(shutdown),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(fcntl),
};

/* Sockets, and what resolving names and libcurl's threads need. */
static const int fetcher_calls[] = {
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(getpeername),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe2),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(sched_getaffinity),
};

/* Files below the places named, SQLite's among them; what comes in on a socket
 * that listens already, packets, and a word to systemd. */
static const int watcher_calls[] = {
	SCMP_SYS(lstat),
	SCMP_SYS(pwrite64),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchown),
	SCMP_SYS(fallocate),
	SCMP_SYS(flock),
	SCMP_SYS(mkdir),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(getcwd),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
};

/* Roots and times are read anew on SIGHUP, by whoever watches. */
static const char *const watcher_reads[] = {"/etc/ssl", "/etc/pki",
	"/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
	"/etc/localtime", "/usr/share/zoneinfo", CMI_DATADIR, NULL};

/* Where glibc's name lookup looks, and where it loads its helpers from. */
static const char *const lookup_paths[] = {"/etc/resolv.conf", "/etc/hosts",
	"/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf",
	"/etc/services", "/etc/ssl", "/etc/localtime", "/run/systemd/resolve",
	"/run/resolvconf", "/lib", "/lib64", "/usr/lib", "/etc/ld.so.cache",
	"/usr/share/zoneinfo", NULL};

static bool allow(scmp_filter_ctx f, int call)
{
	/* A call that this architecture lacks needs no rule. */
	int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, call, 0);

	return r == 0 || r == -EDOM;
}

/* Memory may be had, but none that can be executed. */
static bool allow_plain_memory(scmp_filter_ctx f)
{
	const struct scmp_arg_cmp no_exec =
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

	return seccomp_rule_add(
		       f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, no_exec) == 0 &&
	       seccomp_rule_add(
		       f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, no_exec) == 0;
}

/* fstat(2) is newfstatat with an empty path; asking F_GETFD, F_GETFL and
 * F_SETFD is harmless. */
static bool allow_looks_at_descriptors(scmp_filter_ctx f)
{
	static const int commands[] = {F_GETFD, F_SETFD, F_GETFL};

	for (size_t i = 0; i < CMI_LEN(commands); i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
			    SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i])) !=
			0)
			return false;
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
		       SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH)) == 0;
}

/* abort(3) sends itself a signal; nobody else gets one. */
static bool allow_own_end(scmp_filter_ctx f, pid_t self)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
		       SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)self)) == 0;
}

/* As getrlimit(2) is made of it: of ourselves. */
static bool allow_own_limits(scmp_filter_ctx f)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
		       SCMP_A0(SCMP_CMP_EQ, 0)) == 0;
}

/* What glibc's resolver and libcurl ask of sockets.  Above all no TIOCSTI: it
 * types into the terminal that we were started from. */
static bool allow_socket_questions(scmp_filter_ctx f)
{
	static const unsigned long requests[] = {
		FIONREAD, FIONBIO, SIOCGIFNAME, SIOCGIFINDEX};

	for (size_t i = 0; i < CMI_LEN(requests); i++)
		if (seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			    SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX,
				    requests[i])) != 0)
			return false;
	return true;
}

/* Threads, but no processes.  clone3 hides its flags from a filter; told that
 * there is none, glibc takes clone. */
static bool allow_threads(scmp_filter_ctx f)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
		       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD,
			       CLONE_THREAD)) == 0 &&
	       seccomp_rule_add(
		       f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

/* To tell systemd something; without connect it leads nowhere else. */
static bool allow_local_sockets(scmp_filter_ctx f)
{
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
		       SCMP_A0(SCMP_CMP_EQ, AF_UNIX)) == 0;
}

static bool allow_all(scmp_filter_ctx f, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!allow(f, calls[i]))
			return false;
	return true;
}

#define ALLOW_ALL(f, calls) allow_all((f), (calls), CMI_LEN(calls))

static bool add_rules(scmp_filter_ctx f, enum cmi_role role, pid_t self)
{
	if (!ALLOW_ALL(f, common_calls) || !allow_own_end(f, self))
		return false;
	switch (role) {
	case CMI_ROLE_PARSER:
		return allow_plain_memory(f) && allow_looks_at_descriptors(f);
	case CMI_ROLE_WATCHER:
		return ALLOW_ALL(f, file_and_socket_calls) &&
		       ALLOW_ALL(f, watcher_calls) && allow_plain_memory(f) &&
		       allow_local_sockets(f);
	case CMI_ROLE_FETCHER:
		return ALLOW_ALL(f, file_and_socket_calls) &&
		       ALLOW_ALL(f, fetcher_calls) && allow_threads(f) &&
		       allow_own_limits(f) && allow_socket_questions(f);
	}
	return false;
}

/* The rules as the program that the kernel runs. */
struct filter {
	struct sock_filter rules[1024];
	size_t n; /* in bytes */
};

static bool read_filter(int fd, struct filter *out)
{
	ssize_t n = pread(fd, out->rules, sizeof(out->rules), 0);

	out->n = n > 0 ? (size_t)n : 0;
	return n > 0 && (size_t)n < sizeof(out->rules);
}

static bool export_filter(enum cmi_role role, pid_t self, int fd)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	return f && add_rules(f, role, self) && ftruncate(fd, 0) == 0 &&
	       lseek(fd, 0, SEEK_SET) == 0 && seccomp_export_bpf(f, fd) == 0;
}

/* Short of memory, libseccomp 2.5 may crash, go round in circles for ever, or
 * leave rules out and say nothing.  So a child of its own asks it, for so
 * long, and twice: where rules were left out, the two differ. */
static void be_the_filter_maker(enum cmi_role role, pid_t self, int fd)
	__attribute__((noreturn));
static void be_the_filter_maker(enum cmi_role role, pid_t self, int fd)
{
	static const struct itimerval patience = {.it_value.tv_sec = 2};
	struct filter first, second;

	(void)setitimer(ITIMER_VIRTUAL, &patience, NULL);
	_exit(export_filter(role, self, fd) && read_filter(fd, &first) &&
				export_filter(role, self, fd) &&
				read_filter(fd, &second) &&
				first.n == second.n &&
				memcmp(first.rules, second.rules, first.n) == 0
			? 0
			: 1);
}

static bool make_filter(enum cmi_role role, struct filter *out)
{
	int fd = memfd_create("filter", MFD_CLOEXEC), status = 1;
	bool ok = fd >= 0;
	pid_t self = getpid(), pid = ok ? fork() : -1;

	if (pid == 0)
		be_the_filter_maker(role, self, fd);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	ok = pid > 0 && status == 0 && read_filter(fd, out);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* As seccomp(2) has it, by the call that every kernel with filters knows. */
static cmend_status enter_seccomp(enum cmi_role role, cmend_error *err)
{
	struct filter filter;
	struct sock_fprog program = {.filter = filter.rules};

	if (!make_filter(role, &filter))
		return cmi_fail(err, CMEND_NOMEM,
			"no memory or descriptor for the sandbox's rules");
	program.len = (unsigned short)(filter.n / sizeof(*filter.rules));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		return CMEND_OK;
	if (errno == ENOMEM)
		return cmi_nomem(err);
	return cmi_fail(err, CMEND_UNSUPPORTED,
		"the kernel refuses seccomp: %s", strerror(errno));
}

/* ------------------------------------------------------------- Landlock */

/* Access rights came by version; asking for more than the kernel knows is
 * an error (landlock(7)). */
static uint64_t file_rights(long version)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (version >= 2)
		rights |= 1u << 13; /* REFER */
	if (version >= 3)
		rights |= 1u << 14; /* TRUNCATE */
	if (version >= 5)
		rights |= 1u << 15; /* IOCTL_DEV */
	return rights;
}

#define READ_RIGHTS                                                            \
	((uint64_t)LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define LOOKUP_RIGHTS                                                          \
	((uint64_t)LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE)
#define WRITE_RIGHTS                                                           \
	(READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE |                         \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
		LANDLOCK_ACCESS_FS_MAKE_DIR)
/* What a rule for a file, not a directory, may say. */
#define OF_A_FILE                                                              \
	((uint64_t)LANDLOCK_ACCESS_FS_READ_FILE |                              \
		LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |   \
		LANDLOCK_RIGHT_TRUNCATE)
#define LANDLOCK_RIGHT_TRUNCATE (1u << 14)

/* One that cannot be opened or added is one that cannot be used. */
static void allow_place(int ruleset, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = rights};
	struct stat st;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_A_FILE;
	(void)syscall(SYS_landlock_add_rule, ruleset,
		LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

static void allow_places(int ruleset, const char *const *paths, uint64_t rights)
{
	for (; paths && *paths; paths++)
		allow_place(ruleset, *paths, rights);
}

/* Best effort, as the second wall behind seccomp: an old kernel has none. */
static void enter_landlock(
	enum cmi_role role, const struct cmi_sandbox_places *places)
{
	struct landlock_ruleset_attr attr = {0};
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
		LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t known;
	int fd;

	if (version < 1)
		return;
	known = file_rights(version);
	attr.handled_access_fs = known;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return;
	if (role == CMI_ROLE_FETCHER)
		allow_places(fd, lookup_paths, LOOKUP_RIGHTS);
	if (role == CMI_ROLE_WATCHER)
		allow_places(fd, watcher_reads, READ_RIGHTS);
	if (places) {
		allow_places(fd, places->read, READ_RIGHTS);
		allow_places(fd, places->write,
			(WRITE_RIGHTS | LANDLOCK_RIGHT_TRUNCATE) & known);
	}
	(void)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
}

cmend_status cmi_sandbox_enter(enum cmi_role role, cmend_error *err)
{
	return cmi_sandbox_enter_with(role, NULL, err);
}

cmend_status cmi_sandbox_enter_with(enum cmi_role role,
	const struct cmi_sandbox_places *places, cmend_error *err)
{
	const struct rlimit no_core = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return cmi_fail(err, CMEND_UNSUPPORTED,
			"the kernel refuses no_new_privs: %s", strerror(errno));
	/* Key material of a capture's key log must not end in a core file. */
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	enter_landlock(role, places);
	return enter_seccomp(role, err);
}

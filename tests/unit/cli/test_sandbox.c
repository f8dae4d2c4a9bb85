/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each role may and may not do, tried in a child that has entered it:
 * the child ends with 0 when the try was refused, 1 when it went through, and
 * with 77 where the kernel offers no sandbox.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sandbox.h"

/* Each returns true where it got what it tried. */
typedef bool (*try_fn)(void);

static int listening;
/* Known beforehand: a role may not even ask. */
static pid_t parent;

static bool opens_a_file(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool looks_at_a_file(void)
{
	struct stat st;

	return fstatat(AT_FDCWD, "/etc/passwd", &st, 0) == 0;
}

/* What fstat(2) is, in some C libraries. */
static bool looks_at_what_is_open(void)
{
	struct stat st;

	return fstatat(listening, "", &st, AT_EMPTY_PATH) == 0;
}

static bool changes_what_is_open(void)
{
	return fcntl(listening, F_SETFL, O_NONBLOCK | O_ASYNC) == 0;
}

static bool makes_a_file(void)
{
	return open("/tmp/cmi-sandbox-test", O_CREAT | O_WRONLY, 0600) >= 0;
}

static bool removes_a_file(void)
{
	return unlink("/tmp/cmi-sandbox-test-file") == 0;
}

static bool opens_a_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool opens_a_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
}

static bool runs_a_program(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return errno != EPERM && errno != EACCES;
}

static bool forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static void *nothing(void *ctx)
{
	return ctx;
}

static bool starts_a_thread(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, nothing, NULL) == 0 &&
	       pthread_join(t, NULL) == 0;
}

static bool traces_its_parent(void)
{
	return ptrace(PTRACE_ATTACH, parent, NULL, NULL) == 0;
}

static bool kills_its_parent(void)
{
	return kill(parent, 0) == 0;
}

/* By the call that abort(3) needs. */
static bool kills_its_parent_by_thread(void)
{
	return syscall(SYS_tgkill, parent, parent, 0) == 0;
}

static bool limits_its_parent(void)
{
	struct rlimit was;

	return syscall(SYS_prlimit64, parent, RLIMIT_CORE, NULL, &was) == 0;
}

static bool ends_itself(void)
{
	return syscall(SYS_tgkill, getpid(), gettid(), 0) == 0;
}

/* The kernel would say ENOTTY of a socket; what the filter refuses is EPERM. */
static bool types_into_the_terminal(void)
{
	char c = 'x';

	return ioctl(listening, TIOCSTI, &c) == 0 || errno != EPERM;
}

static bool asks_a_socket(void)
{
	int n, none = 0;

	return ioctl(listening, FIONBIO, &none) == 0 &&
	       (ioctl(listening, FIONREAD, &n) == 0 || errno == EINVAL);
}

static bool gets_executable_memory(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool gets_memory(void)
{
	void *p = malloc((size_t)8 << 20);

	if (p)
		memset(p, 1, (size_t)8 << 20);
	free(p);
	return p != NULL;
}

static int pipe_ends[2];

static bool reads_what_is_open(void)
{
	char c = 0;

	return write(pipe_ends[1], "x", 1) == 1 &&
	       read(pipe_ends[0], &c, 1) == 1 && c == 'x';
}

static bool looks_up_hosts(void)
{
	return open("/etc/hosts", O_RDONLY) >= 0;
}

/* A port that is listened on, by the test itself. */
static struct sockaddr_in listener;

static bool connects(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	return s >= 0 &&
	       connect(s, (struct sockaddr *)&listener, sizeof(listener)) == 0;
}

/* In the one directory that the watcher was given, and beside it. */
static char kept_dir[] = "/tmp/cmi-sandbox-kept-XXXXXX";

static bool keeps_a_file(void)
{
	char path[64], other[64];
	int fd;

	snprintf(path, sizeof(path), "%s/new", kept_dir);
	snprintf(other, sizeof(other), "%s/other", kept_dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	return fd >= 0 && write(fd, "x", 1) == 1 && close(fd) == 0 &&
	       rename(path, other) == 0 && unlink(other) == 0;
}

static bool is_connected_to(void)
{
	struct pollfd p = {listening, POLLIN, 0};

	/* The test connected before; nobody took it yet. */
	return poll(&p, 1, 10000) == 1 && accept(listening, NULL, NULL) >= 0;
}

static int in_role(enum cmi_role role, try_fn try)
{
	int status;
	pid_t pid;

	parent = getpid();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		cmend_error err = {0};
		const char *const write[] = {kept_dir, NULL};
		const struct cmi_sandbox_places places = {.write = write};
		cmend_status entered = cmi_sandbox_enter_with(
			role, role == CMI_ROLE_WATCHER ? &places : NULL, &err);

		if (entered != CMEND_OK)
			_exit(entered == CMEND_UNSUPPORTED ? 77 : 3);
		_exit(try() ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

struct row {
	const char *name;
	try_fn try;
	bool parser, fetcher, watcher;
};

static const struct row rows[] = {
	{"opens a file", opens_a_file, false, false, false},
	{"looks at a file", looks_at_a_file, false, true, true},
	{"looks at what is open", looks_at_what_is_open, true, true, true},
	{"changes what is open", changes_what_is_open, false, true, true},
	{"makes a file", makes_a_file, false, false, false},
	{"removes a file", removes_a_file, false, false, false},
	{"keeps a file", keeps_a_file, false, false, true},
	{"opens a socket", opens_a_socket, false, true, false},
	{"opens a unix socket", opens_a_unix_socket, false, true, true},
	{"connects", connects, false, true, false},
	{"is connected to", is_connected_to, false, false, true},
	{"looks up hosts", looks_up_hosts, false, true, false},
	{"runs a program", runs_a_program, false, false, false},
	{"forks", forks, false, false, false},
	{"starts a thread", starts_a_thread, false, true, false},
	{"traces its parent", traces_its_parent, false, false, false},
	{"kills its parent", kills_its_parent, false, false, false},
	{"kills its parent by its thread", kills_its_parent_by_thread, false,
		false, false},
	{"limits its parent", limits_its_parent, false, false, false},
	{"ends itself", ends_itself, true, true, true},
	{"types into the terminal", types_into_the_terminal, false, false,
		false},
	{"asks a socket", asks_a_socket, false, true, false},
	{"gets executable memory", gets_executable_memory, false, true, false},
	{"gets memory", gets_memory, true, true, true},
	{"reads what is open", reads_what_is_open, true, true, true},
};

static void try_all(enum cmi_role role, const char *name, size_t offset)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool may;
		int got = in_role(role, rows[i].try);

		memcpy(&may, (const char *)&rows[i] + offset, sizeof(may));
		if (got == 77)
			skip();
		if (got != (may ? 1 : 0))
			fail_msg("%s: %s (%d)", name, rows[i].name, got);
	}
}

static void a_parser_reads_and_no_more(void **state)
{
	(void)state;
	try_all(CMI_ROLE_PARSER, "parser", offsetof(struct row, parser));
}

static void a_fetcher_has_the_network_and_no_files(void **state)
{
	(void)state;
	try_all(CMI_ROLE_FETCHER, "fetcher", offsetof(struct row, fetcher));
}

/* Its files are Landlock's to hold: kernels since 5.13. */
static void a_watcher_writes_where_it_keeps(void **state)
{
	(void)state;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 1)
		skip();
	try_all(CMI_ROLE_WATCHER, "watcher", offsetof(struct row, watcher));
}

/* Without a role the same tries go through: the rows can fail. */
static void outside_they_all_work(void **state)
{
	static const try_fn works[] = {opens_a_file, looks_at_a_file,
		looks_at_what_is_open, makes_a_file, removes_a_file,
		opens_a_socket, connects, looks_up_hosts,
		kills_its_parent_by_thread, limits_its_parent, ends_itself,
		types_into_the_terminal, asks_a_socket, gets_executable_memory,
		gets_memory, reads_what_is_open};

	(void)state;
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		if (!works[i]())
			fail_msg("try %zu fails even outside", i);
	unlink("/tmp/cmi-sandbox-test");
}

static int open_all(void **state)
{
	socklen_t n = sizeof(listener);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	listener.sin_family = AF_INET;
	listener.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	close(open("/tmp/cmi-sandbox-test-file", O_CREAT | O_WRONLY, 0600));
	listening = s;
	return !mkdtemp(kept_dir) || pipe(pipe_ends) ||
	       bind(s, (struct sockaddr *)&listener, sizeof(listener)) ||
	       listen(s, 64) ||
	       getsockname(s, (struct sockaddr *)&listener, &n) || !connects();
}

static int remove_all(void **state)
{
	(void)state;
	return rmdir(kept_dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parser_reads_and_no_more),
		cmocka_unit_test(a_fetcher_has_the_network_and_no_files),
		cmocka_unit_test(a_watcher_writes_where_it_keeps),
		cmocka_unit_test(outside_they_all_work),
	};

	return cmocka_run_group_tests(tests, open_all, remove_all);
}

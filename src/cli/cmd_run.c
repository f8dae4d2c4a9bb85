/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chainmend run: start a program whose TLS library completes chains, by the
 * preload object of src/shim.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/places.h"
#include "core/cursor.h"

#define SHIM "libchainmend-preload.so"

struct run_options {
	bool trace;
};

static const struct cmi_option options[] = {
	{"trace", 't', CMI_OPT_FLAG, NULL,
		"say on standard error what was completed",
		offsetof(struct run_options, trace), 0, NULL},
	{0},
};

/* Beside the program: as built, or as installed.  Into out. */
static bool find_shim(char *out, size_t n_out)
{
	static const char *const places[] = {
		"../shim/" SHIM,
		"../" CMI_LIBDIR "/chainmend/" SHIM,
	};
	const char *named = getenv("CHAINMEND_SHIM");

	if (!named || !*named)
		return cmi_setup_own_file(places, CMI_LEN(places), out, n_out);
	snprintf(out, n_out, "%s", named);
	return access(out, R_OK) == 0;
}

/* The file that execvp will take; false where there is none. */
static bool find_program(const char *name, char *out, size_t n_out)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/')) {
		snprintf(out, n_out, "%s", name);
		return access(out, X_OK) == 0;
	}
	while (path && *path) {
		size_t n = strcspn(path, ":");

		snprintf(out, n_out, "%.*s/%s", n ? (int)n : 1, n ? path : ".",
			name);
		if (access(out, X_OK) == 0)
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

/* A 64-bit ELF program without an interpreter: no loader, no preload. */
static bool is_static(struct cmi_bytes head)
{
	struct cmi_cursor c = cmi_cursor_of(head), table;
	uint64_t phoff;
	uint16_t size, n;
	uint32_t type;
	uint8_t class;

	if (!cmi_text_starts(head, "\x7f"
				   "ELF") ||
		!cmi_cursor_peek(&c, EI_CLASS, &class) || class != ELFCLASS64 ||
		!cmi_cursor_skip(&c, offsetof(Elf64_Ehdr, e_phoff)) ||
		!cmi_cursor_u64le(&c, &phoff))
		return false;
	c = cmi_cursor_of(head);
	if (!cmi_cursor_skip(&c, offsetof(Elf64_Ehdr, e_phentsize)) ||
		!cmi_cursor_u16le(&c, &size) || !cmi_cursor_u16le(&c, &n))
		return false;
	table = cmi_cursor_of(head);
	if (phoff > head.n || !cmi_cursor_skip(&table, (size_t)phoff))
		return false;
	for (; n > 0; n--) {
		struct cmi_cursor entry;

		if (!cmi_cursor_sub(&table, size, &entry) ||
			!cmi_cursor_u32le(&entry, &type))
			return false; /* further on than we look */
		if (type == PT_INTERP)
			return false;
	}
	return true;
}

/* Of capabilities(7): its capabilities, if it has any beyond inheritable
 * ones.  Two words each of permitted and inheritable behind one of flags. */
static bool has_capabilities(const char *path)
{
	uint8_t value[64];
	ssize_t n = getxattr(path, "security.capability", value, sizeof(value));
	struct cmi_cursor c =
		cmi_cursor_of((struct cmi_bytes){value, n > 0 ? (size_t)n : 0});
	uint32_t flags, low, high = 0;

	if (!cmi_cursor_u32le(&c, &flags) || !cmi_cursor_u32le(&c, &low) ||
		!cmi_cursor_skip(&c, sizeof(low)))
		return false;
	(void)cmi_cursor_u32le(&c, &high);
	return low || high;
}

/*
 * What makes the loader preload nothing (ld.so(8), "secure-execution mode"):
 * the file gives other rights than whoever starts it has, and the kernel lets
 * it.  NULL: nothing does.
 */
static const char *why_secure(const char *path, struct cmi_bytes head)
{
	struct statvfs fs;
	struct stat st;

	if (cmi_text_starts(head, "#!") || stat(path, &st) < 0 ||
		statvfs(path, &fs) < 0 || fs.f_flag & ST_NOSUID ||
		prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return NULL;
	if (st.st_mode & S_ISUID && st.st_uid != getuid())
		return "is setuid, and you are not its owner";
	/* Without the group's x it is a mark for locks. */
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		st.st_gid != getgid())
		return "is setgid, and its group is not yours";
	if (getuid() != 0 && has_capabilities(path))
		return "has file capabilities, and you are not root";
	return NULL;
}

/* Say what cannot work; the program is run all the same. */
static void warn_of_limits(struct cmi_cli *cli, const char *path)
{
	uint8_t bytes[4096];
	struct cmi_bytes head = {bytes, 0};
	const char *why;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		n = read(fd, bytes, sizeof(bytes));
		close(fd);
	}
	head.n = n > 0 ? (size_t)n : 0;
	if (is_static(head))
		fprintf(cli->err,
			"chainmend: %s is statically linked: its chains "
			"cannot be completed\n",
			path);
	why = why_secure(path, head);
	if (why)
		fprintf(cli->err,
			"chainmend: %s %s: the system's loader preloads "
			"nothing into it, so its chains are not completed; "
			"start chainmend itself with those rights\n",
			path, why);
}

static cmend_status choose_shim(char *out, size_t n_out, cmend_error *err)
{
	if (!find_shim(out, n_out))
		return cmi_fail(err, CMEND_NOT_FOUND,
			"cannot find %s; CHAINMEND_SHIM may name it", SHIM);
	if (strpbrk(out, " :"))
		return cmi_fail(err, CMEND_UNSUPPORTED,
			"\"%s\" cannot be preloaded: in its path the system's "
			"loader takes a space or a colon for the end; copy it "
			"elsewhere, and let CHAINMEND_SHIM name the copy",
			out);
	return CMEND_OK;
}

static bool set_preload(const char *shim)
{
	const char *was = getenv("LD_PRELOAD");
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf both;

	cmi_buf_init(&both, 65536);
	cmi_buf_text(&both, shim);
	if (was && *was)
		cmi_buf_printf(&both, ":%s", was);
	return setenv("LD_PRELOAD", cmi_buf_cstr(&both), 1) == 0;
}

static bool set_environment(
	struct cmi_cli *cli, const struct run_options *o, const char *shim)
{
	char cache[4096];
	bool ok = set_preload(shim);

	if (cmi_setup_cache_path(cli, cache, sizeof(cache)))
		ok &= setenv("CHAINMEND_CACHE", cache, 1) == 0;
	if (cmi_setup_preload_path(cache, sizeof(cache)) &&
		access(cache, R_OK) == 0)
		ok &= setenv("CHAINMEND_PRELOAD", cache, 1) == 0;
	if (cli->common.offline)
		ok &= setenv("CHAINMEND_OFFLINE", "1", 1) == 0;
	if (cli->common.allow_private)
		ok &= setenv("CHAINMEND_ALLOW_PRIVATE", "1", 1) == 0;
	if (o->trace)
		ok &= setenv("CHAINMEND_TRACE", "1", 1) == 0;
	return ok;
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	CMI_AUTO(cmi_freep)
	char **command = cmi_alloc_array(argc + 1, sizeof(*command));
	cmend_error err = {0};
	char shim[8192], path[8192];

	if (!command)
		return cmi_cli_fail(cli, (cmi_nomem(&err), &err));
	memcpy(command, argv, argc * sizeof(*command));
	if (choose_shim(shim, sizeof(shim), &err) != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	if (!find_program(argv[0], path, sizeof(path))) {
		(void)cmi_fail(&err, CMEND_NOT_FOUND,
			"cannot find the program \"%s\"", argv[0]);
		return cmi_cli_fail(cli, &err);
	}
	if (!cli->common.quiet)
		warn_of_limits(cli, path);
	if (!set_environment(cli, opts, shim))
		return cmi_cli_fail(cli, (cmi_nomem(&err), &err));
	/* The program has its own mind about a closed pipe. */
	signal(SIGPIPE, SIG_DFL);
	execv(path, command);
	(void)cmi_fail(
		&err, CMEND_IO, "cannot run \"%s\": %s", path, strerror(errno));
	return cmi_cli_fail(cli, &err);
}

const struct cmi_command cmi_cmd_run = {
	.name = "run",
	.summary = "run a program whose TLS library completes chains",
	.usage = "run [options] -- COMMAND [ARGUMENT...]",
	.examples = "  chainmend run -- curl https://incomplete-chain.badssl."
		    "com/\n"
		    "  chainmend run --trace -- python3 fetch.py\n"
		    "  chainmend run --offline -- git pull\n",
	.notes = "Our own options end at COMMAND: those behind it are its "
		 "own.\n\nWorks for programs that use the shared OpenSSL 3 or "
		 "GnuTLS "
		 "(3.7 or later):\ncurl, wget, git, python3, perl, ruby, php "
		 "and most of a distribution.  It cannot\nwork for statically "
		 "linked programs (Go, Rust, Node with its own OpenSSL), for\n"
		 "those that get other rights by their file (setuid, "
		 "capabilities), nor for Java,\nNSS or programs that bring "
		 "their own verification.\n\nNothing is trusted that was not "
		 "trusted "
		 "before: expired, wrong and untrusted\nchains still fail.\n",
	.common = CMI_C_NET | CMI_C_CACHE,
	.options = options,
	.options_size = sizeof(struct run_options),
	.min_args = 1,
	.max_args = 100000,
	.runs_words = true,
	.run = run,
};

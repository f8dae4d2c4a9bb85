/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that is started.  The whole of chainmend needs some fifty
 * libraries, which takes the loader longer than most of what follows; `run`
 * needs none of them, and is asked before each start of another program.  So
 * it is done here, and for all else the whole is loaded.
 */
#include <dlfcn.h>
#include <signal.h>
#include <string.h>

#include "cli/places.h"

#define WHOLE "libchainmend-cli.so"

typedef int whole_main(int argc, char **argv);

extern const struct cmi_command cmi_cmd_run;

/* Help is the whole program's matter. */
static bool is_plain_run(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], cmi_cmd_run.name) != 0)
		return false;
	for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (cmi_cli_is_help(argv[i]))
			return false;
	return true;
}

static whole_main *load_whole(void)
{
	static const char *const places[] = {
		WHOLE,
		"../" CMI_LIBDIR "/chainmend/" WHOLE,
	};
	char path[8192] = WHOLE;
	void *handle, *f = NULL;

	(void)cmi_setup_own_file(places, CMI_LEN(places), path, sizeof(path));
	handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (handle)
		f = dlsym(handle, "cmi_cli_main");
	if (!f)
		fprintf(stderr, "chainmend: cannot load its own library: %s\n",
			dlerror());
	return (whole_main *)f;
}

int main(int argc, char **argv)
{
	struct cmi_cli cli = {
		.command = &cmi_cmd_run, .out = stdout, .err = stderr};
	whole_main *whole;

	if (is_plain_run(argc, argv)) {
		/* A closed pipe is an error on write, as everywhere. */
		signal(SIGPIPE, SIG_IGN);
		return cmi_cli_run(&cli, argc - 2, argv + 2);
	}
	whole = load_whole();
	return whole ? whole(argc, argv) : CMI_EXIT_CANNOT;
}

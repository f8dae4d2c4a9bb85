/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into a program (LD_PRELOAD): its memory runs out.  Counted from main
 * on, allocation number STARVE_AT fails, and with STARVE_ON all after it.
 * At the end the count goes to descriptor STARVE_TELL, where that is set.
 * Children of fork go on counting by themselves.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* glibc's own names for what is replaced here. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t k, size_t n);
extern void *__libc_realloc(void *p, size_t n);

static bool counting, sticky;
static unsigned long count, fail_at;

static bool starved(void)
{
	unsigned long n;

	if (!counting)
		return false;
	n = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);
	if (!fail_at || (sticky ? n < fail_at : n != fail_at))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t n)
{
	return starved() ? NULL : __libc_malloc(n);
}

void *calloc(size_t k, size_t n)
{
	return starved() ? NULL : __libc_calloc(k, n);
}

void *realloc(void *p, size_t n)
{
	return starved() ? NULL : __libc_realloc(p, n);
}

static void tell(void)
{
	const char *fd = getenv("STARVE_TELL");
	char text[32];
	int n;

	counting = false;
	n = snprintf(text, sizeof(text), "%lu\n", count);
	if (fd && write(atoi(fd), text, (size_t)n) < 0)
		abort();
}

/* A child of ours ends so, without atexit. */
void _exit(int status)
{
	void (*next)(int);

	if (!fail_at && counting)
		tell();
	*(void **)&next = dlsym(RTLD_NEXT, "_exit");
	next(status);
	__builtin_unreachable();
}

static int (*real_main)(int, char **, char **);

static int start(int argc, char **argv, char **env)
{
	const char *at = getenv("STARVE_AT");

	fail_at = at ? strtoul(at, NULL, 10) : 0;
	sticky = getenv("STARVE_ON") != NULL;
	if (!fail_at)
		atexit(tell);
	counting = true;
	return real_main(argc, argv, env);
}

typedef int (*start_fn)(int (*)(int, char **, char **), int, char **,
	void (*)(void), void (*)(void), void (*)(void), void *);

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
	void (*init)(void), void (*fini)(void), void (*rtld_fini)(void),
	void *stack_end)
{
	start_fn next;

	*(void **)&next = dlsym(RTLD_NEXT, "__libc_start_main");
	real_main = main;
	return next(start, argc, argv, init, fini, rtld_fini, stack_end);
}

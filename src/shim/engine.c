/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/shim.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

/* How long fork waits for threads that are inside. */
#define FORK_WAIT_S 1

/* Order: lock before inside. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Threads in our code hold it for reading; fork takes it for writing, so that
 * no lock of SQLite or libcurl is held by a thread that the child lacks. */
static pthread_rwlock_t inside = PTHREAD_RWLOCK_INITIALIZER;
static struct cmi_engine engine;
static bool usable;
static atomic_int made_in; /* a process id; 0: never made */
static bool fork_in_time;
static bool orphan; /* forked while a thread was inside: nothing is safe */
static __thread int busy;

bool cmi_engine_busy(void)
{
	return busy > 0;
}

void cmi_engine_enter(void)
{
	if (busy++ == 0)
		pthread_rwlock_rdlock(&inside);
}

void cmi_engine_leave(void)
{
	if (--busy == 0)
		pthread_rwlock_unlock(&inside);
}

static void before_fork(void)
{
	struct timespec until;

	pthread_mutex_lock(&lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += FORK_WAIT_S;
	fork_in_time = pthread_rwlock_timedwrlock(&inside, &until) == 0;
}

static void after_fork_in_parent(void)
{
	if (fork_in_time)
		pthread_rwlock_unlock(&inside);
	pthread_mutex_unlock(&lock);
}

/* The locks were taken under the parent's thread id: made anew. */
static void after_fork_in_child(void)
{
	static const pthread_rwlock_t fresh = PTHREAD_RWLOCK_INITIALIZER;

	orphan = orphan || !fork_in_time;
	memcpy(&inside, &fresh, sizeof(inside));
	pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void *cmi_shim_next(const char *name, const char *loaded)
{
	void *f = dlsym(RTLD_NEXT, name), *handle;

	if (f)
		return f;
	handle = dlopen(loaded, RTLD_LAZY | RTLD_NOLOAD);
	/* Never closed: the program uses it as long as we do. */
	return handle ? dlsym(handle, name) : NULL;
}

void cmi_engine_trace(const struct cmi_engine *e, const char *line)
{
	if (e->trace)
		fprintf(stderr, "chainmend: %s\n", line);
}

static void trace(void *ctx, const char *line)
{
	cmi_engine_trace(ctx, line);
}

/* Beside this object as installed, as built, or wherever the loader looks. */
static void *load_library(void)
{
	static const char *const places[] = {
		"%.*s/libchainmend.so.0",
		"%.*s/../libchainmend.so.0",
		"%.*s/../api/libchainmend.so.0",
	};
	char path[4096];
	void *handle = NULL;
	const char *slash;
	Dl_info self;

	if (!dladdr((void *)&lock, &self) || !self.dli_fname)
		return NULL;
	slash = strrchr(self.dli_fname, '/');
	for (size_t i = 0; slash && !handle && i < 3; i++) {
		snprintf(path, sizeof(path), places[i],
			(int)(slash - self.dli_fname), self.dli_fname);
		handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	return handle ? handle
		      : dlopen("libchainmend.so.0", RTLD_NOW | RTLD_LOCAL);
}

static bool find_functions(struct cmi_engine *e)
{
	void *handle = load_library();

	if (!handle)
		return false;
#define FIND(name)                                                             \
	e->name = (__typeof__(name) *)dlsym(handle, #name);                    \
	if (!e->name)                                                          \
		return false;
	CMI_SHIM_FUNCTIONS(FIND)
#undef FIND
#define FIND(name)                                                             \
	e->find.name = (__typeof__(name) *)dlsym(handle, #name);               \
	if (!e->find.name)                                                     \
		return false;
	CMI_FIND_FUNCTIONS(FIND)
#undef FIND
	return true;
}

static bool is_set(const char *name)
{
	const char *v = getenv(name);

	return v && *v && strcmp(v, "0") != 0;
}

static bool make(struct cmi_engine *e)
{
	const char *cache = getenv("CHAINMEND_CACHE");
	const char *preload = getenv("CHAINMEND_PRELOAD");
	cmend_completer_options o = {.size = sizeof(o), .trace = trace};
	cmend_error err = {0};

	/* The loader does not even load us into setuid programs; if someone
	 * else did, nothing of the environment is believed. */
	if (getauxval(AT_SECURE) || !find_functions(e))
		return false;
	e->trace = is_set("CHAINMEND_TRACE");
	if (cache && *cache && e->cmend_store_open(cache, 0, &e->store, &err))
		cmi_engine_trace(e, err.message);
	if (preload && *preload &&
		e->cmend_preload_open(preload, &e->preload, &err))
		cmi_engine_trace(e, err.message);
	o.store = e->store;
	o.preload = e->preload;
	o.fetch = !is_set("CHAINMEND_OFFLINE");
	o.fetch_flags =
		is_set("CHAINMEND_ALLOW_PRIVATE") ? CMEND_FETCH_PRIVATE : 0;
	o.ctx = e;
	return e->cmend_completer_new(&o, &e->completer, &err) == CMEND_OK;
}

const struct cmi_engine *cmi_engine_get(void)
{
	pid_t me = getpid();

	/* Without the lock: whoever is inside may ask again. */
	if (orphan)
		return NULL;
	if (atomic_load(&made_in) == me)
		return usable ? &engine : NULL;
	pthread_mutex_lock(&lock);
	if (atomic_load(&made_in) != me) {
		/* A child of fork: SQLite's handle is the parent's.  It is
		 * left open, because closing it would touch the file. */
		engine = (struct cmi_engine){0};
		cmi_engine_enter();
		usable = make(&engine);
		cmi_engine_leave();
		atomic_store(&made_in, me);
	}
	pthread_mutex_unlock(&lock);
	return usable ? &engine : NULL;
}

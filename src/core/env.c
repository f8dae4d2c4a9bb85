/* SPDX-License-Identifier: Apache-2.0 */
#include "core/env.h"

#include <fcntl.h>
#include <sys/random.h>
#include <time.h>

static int64_t clock_ns(clockid_t id)
{
	struct timespec t = {0};

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t system_now_us(void *ctx)
{
	(void)ctx;
	return clock_ns(CLOCK_REALTIME) / 1000;
}

static int64_t system_mono_ms(void *ctx)
{
	(void)ctx;
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

static cmend_status system_random(void *ctx, uint8_t *p, size_t n)
{
	(void)ctx;
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got <= 0)
			return CMEND_IO;
		p += got;
		n -= (size_t)got;
	}
	return CMEND_OK;
}

static const struct cmi_env system_env = {
	.now_us = system_now_us,
	.mono_ms = system_mono_ms,
	.random = system_random,
};

const struct cmi_env *cmi_env_system(void)
{
	return &system_env;
}

int64_t cmi_now_us(const struct cmi_env *env)
{
	env = env && env->now_us ? env : &system_env;
	return env->now_us(env->ctx);
}

int64_t cmi_mono_ms(const struct cmi_env *env)
{
	env = env && env->mono_ms ? env : &system_env;
	return env->mono_ms(env->ctx);
}

cmend_status cmi_random(const struct cmi_env *env, uint8_t *p, size_t n)
{
	env = env && env->random ? env : &system_env;
	return env->random(env->ctx, p, n);
}

int cmi_open_read(const struct cmi_env *env, const char *path)
{
	if (env && env->open_read)
		return env->open_read(env->ctx, path);
	return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

void cmi_emit(const struct cmi_env *env, const char *kind, const char *subject,
	const char *reason, int64_t number)
{
	struct cmi_event event = {kind, subject, reason, number};

	if (env && env->event)
		env->event(env->ctx, &event);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jail_said.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/jail_message.h"
#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"

struct cmi_jail_said {
	/* Parts handed over so far, so which one is being filled; and how much
	 * of it is meant.  A part is emptied before the next one is counted:
	 * whoever looks in between sees too little, never something twice. */
	_Atomic uint32_t parts, n;
	/* The other side's: parts written, and the first error in that. */
	_Atomic uint32_t written;
	_Atomic int error;
	volatile uint64_t frame;
	uint8_t part[2][CMI_JAIL_SAID_PART];
};

struct cmi_jail_said *cmi_jail_said_new(void)
{
	void *p = mmap(NULL, sizeof(struct cmi_jail_said),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void cmi_jail_said_free(struct cmi_jail_said *s)
{
	if (s)
		munmap(s, sizeof(*s));
}

volatile uint64_t *cmi_jail_said_frame(struct cmi_jail_said *s)
{
	static volatile uint64_t nobody_looks;

	return s ? &s->frame : &nobody_looks;
}

/* ---------------------------------------------------------------- inside */

static bool fail(struct cmi_jail_inside *in)
{
	in->said_error = errno ? errno : EIO;
	return false;
}

/* Until all that was handed over is written. */
static bool wait_for_it(struct cmi_jail_inside *in)
{
	if (!cmi_jail_tell(in->fd, CMI_JAIL_WAIT, ""))
		return fail(in);
	(void)cmi_jail_get(in->fd);
	return errno ? fail(in) : true;
}

static bool all_is_well(struct cmi_jail_inside *in)
{
	if (!in->said_error)
		in->said_error = atomic_load(&in->said->error);
	errno = in->said_error;
	return !in->said_error;
}

/* Hand the part over; the next one is free when this returns. */
static bool hand_over(struct cmi_jail_inside *in)
{
	struct cmi_jail_said *s = in->said;
	uint32_t parts = atomic_load(&s->parts) + 1;
	char n[24];

	snprintf(n, sizeof(n), "%zu", in->filled);
	if (!cmi_jail_tell(in->fd, CMI_JAIL_SAID, n))
		return fail(in);
	in->filled = 0;
	atomic_store(&s->n, 0);
	atomic_store(&s->parts, parts);
	if (parts - atomic_load(&s->written) > 1 && !wait_for_it(in))
		return false;
	return all_is_well(in);
}

bool cmi_jail_said_flush(struct cmi_jail_inside *in)
{
	if (!in->said)
		return true;
	if (!in->said_error && in->filled)
		(void)hand_over(in);
	if (!in->said_error && atomic_load(&in->said->parts) !=
				       atomic_load(&in->said->written))
		(void)wait_for_it(in);
	return all_is_well(in);
}

/* Less room than most items need is none. */
#define ROOM_MIN ((size_t)16 << 10)

uint8_t *cmi_jail_said_room(void *ctx, size_t *n)
{
	struct cmi_jail_inside *in = ctx;

	if (in->skip || in->eager || in->said_error)
		return NULL;
	if (CMI_JAIL_SAID_PART - in->filled < ROOM_MIN && !hand_over(in))
		return NULL;
	*n = CMI_JAIL_SAID_PART - in->filled;
	return in->said->part[atomic_load(&in->said->parts) & 1] + in->filled;
}

void cmi_jail_said_used(void *ctx, size_t n)
{
	struct cmi_jail_inside *in = ctx;

	in->filled += n;
	atomic_store_explicit(
		&in->said->n, (uint32_t)in->filled, memory_order_release);
}

/* One item a call, which is told whole or not at all (unless it is larger
 * than a part). */
static ssize_t say(void *cookie, const char *text, size_t n)
{
	struct cmi_jail_inside *in = cookie;
	struct cmi_jail_said *s = in->said;
	size_t skip = n < in->skip ? n : (size_t)in->skip, left = n - skip;

	in->skip -= skip;
	if (in->filled && left > CMI_JAIL_SAID_PART - in->filled)
		(void)hand_over(in);
	for (text += skip; left && !in->said_error;) {
		size_t room = CMI_JAIL_SAID_PART - in->filled;
		size_t part = left < room ? left : room;

		memcpy(s->part[atomic_load(&s->parts) & 1] + in->filled, text,
			part);
		in->filled += part;
		text += part;
		left -= part;
		if (left)
			(void)hand_over(in);
	}
	atomic_store(&s->n, (uint32_t)in->filled);
	if (in->eager)
		(void)cmi_jail_said_flush(in);
	errno = in->said_error;
	return in->said_error ? 0 : (ssize_t)n;
}

FILE *cmi_jail_said_stream(struct cmi_jail_inside *in)
{
	const cookie_io_functions_t how = {.write = say};
	FILE *out = in->jail->cli->out;
	FILE *f = in->said ? fopencookie(in, "w", how) : NULL;

	in->eager = isatty(fileno(out));
	if (!f && !in->eager) /* millions of lines of about a kilobyte */
		(void)setvbuf(out, NULL, _IOFBF, (size_t)64 << 10);
	if (!f)
		return out;
	(void)setvbuf(f, NULL, _IONBF, 0);
	return f;
}

/* --------------------------------------------------------------- outside */

static void write_part(struct cmi_jail_ear *e, size_t n)
{
	struct cmi_bytes text = {e->said->part[e->parts & 1], n};

	errno = 0;
	if (!atomic_load(&e->said->error) &&
		cmi_fd_write(e->fd, text, NULL) != CMEND_OK)
		atomic_store(&e->said->error, errno ? errno : EIO);
	e->parts++;
	e->bytes += n;
	atomic_store(&e->said->written, e->parts);
}

void cmi_jail_ear_part(struct cmi_jail_ear *e, const char *n)
{
	uint64_t v;

	if (e->said && cmi_parse_uint(cmi_bytes_of(n), CMI_JAIL_SAID_PART, &v))
		write_part(e, (size_t)v);
}

void cmi_jail_ear_rest(struct cmi_jail_ear *e)
{
	uint32_t n = e->said ? atomic_load(&e->said->n) : 0;

	/* Handed over, and dead before it was counted. */
	if (n && n <= CMI_JAIL_SAID_PART &&
		atomic_load(&e->said->parts) == e->parts)
		write_part(e, n);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/fragment.h"

#include <string.h>

#include "core/limits.h"

/* Fragments come in units of eight bytes: a bit for each that is there. */
#define UNIT  8u
#define UNITS ((size_t)CMI_DATAGRAM_MAX / UNIT)

struct datagram {
	struct cmi_endpoint from, to;
	uint32_t id;
	uint8_t protocol;
	bool used;
	uint64_t age;   /* when it began, in fragments */
	size_t n;       /* its whole length; 0: not known yet */
	size_t n_units; /* that are there */
	uint8_t *bytes; /* CMI_DATAGRAM_MAX */
	uint8_t there[UNITS / 8];
};

struct cmi_fragments {
	struct datagram slots[CMI_DATAGRAMS_MAX];
	struct datagram *given; /* out at the last call */
	uint64_t clock;
};

cmend_status cmi_fragments_new(struct cmi_fragments **out, cmend_error *err)
{
	*out = cmi_alloc(sizeof(**out));
	return *out ? CMEND_OK : cmi_nomem(err);
}

void cmi_fragments_free(struct cmi_fragments *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < CMI_LEN(f->slots); i++)
		cmi_free(f->slots[i].bytes);
	cmi_free(f);
}

static bool is_of(const struct datagram *d, const struct cmi_packet *p)
{
	return d->used && d->id == p->fragment.id &&
	       d->protocol == p->fragment.protocol &&
	       d->from.family == p->from.family &&
	       cmi_endpoint_same_host(&d->from, &p->from) &&
	       cmi_endpoint_same_host(&d->to, &p->to);
}

/* The datagram the fragment belongs to, a fresh one in the place of the
 * oldest if need be. */
static struct datagram *find(
	struct cmi_fragments *f, const struct cmi_packet *p)
{
	struct datagram *oldest = &f->slots[0];
	uint8_t *bytes;

	for (size_t i = 0; i < CMI_LEN(f->slots); i++) {
		struct datagram *d = &f->slots[i];

		if (is_of(d, p))
			return d;
		if (oldest->used && (!d->used || d->age < oldest->age))
			oldest = d;
	}
	bytes = oldest->bytes;
	*oldest = (struct datagram){
		.from = p->from,
		.to = p->to,
		.id = p->fragment.id,
		.protocol = p->fragment.protocol,
		.used = true,
		.age = f->clock,
		.bytes = bytes,
	};
	return oldest;
}

static void put_unit(
	struct datagram *d, size_t unit, const uint8_t *p, size_t n)
{
	uint8_t bit = (uint8_t)(1u << unit % 8);

	if (d->there[unit / 8] & bit)
		return;
	d->there[unit / 8] |= bit;
	d->n_units++;
	memcpy(d->bytes + unit * UNIT, p, n);
}

/* What lies beyond the end does not belong to it. */
static void set_end(struct datagram *d, size_t n)
{
	d->n = n;
	for (size_t unit = (n + UNIT - 1) / UNIT; unit < UNITS; unit++) {
		uint8_t bit = (uint8_t)(1u << unit % 8);

		d->n_units -= (d->there[unit / 8] & bit) != 0;
		d->there[unit / 8] &= (uint8_t)~bit;
	}
}

cmend_status cmi_fragments_add(struct cmi_fragments *f,
	const struct cmi_packet *p, struct cmi_bytes *whole, cmend_error *err)
{
	size_t at = p->fragment.at, n = p->payload.n;
	struct datagram *d;

	*whole = (struct cmi_bytes){0};
	f->clock++;
	if (f->given)
		f->given->used = false;
	f->given = NULL;
	/* All but the last are of whole units; what is cut is of no use. */
	if (p->cut || !n || at % UNIT || at + n > CMI_DATAGRAM_MAX ||
		(p->fragment.more && n % UNIT))
		return CMEND_OK;
	d = find(f, p);
	if (!d->bytes)
		d->bytes = cmi_alloc(CMI_DATAGRAM_MAX);
	if (!d->bytes) {
		d->used = false;
		return cmi_nomem(err);
	}
	if (!p->fragment.more && !d->n)
		set_end(d, at + n);
	if (d->n && at + n > d->n)
		return CMEND_OK;
	for (size_t i = 0; i < n; i += UNIT)
		put_unit(d, (at + i) / UNIT, p->payload.p + i,
			n - i < UNIT ? n - i : UNIT);
	if (!d->n || d->n_units < (d->n + UNIT - 1) / UNIT)
		return CMEND_OK;
	f->given = d;
	*whole = (struct cmi_bytes){d->bytes, d->n};
	return CMEND_OK;
}

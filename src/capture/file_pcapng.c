/* SPDX-License-Identifier: Apache-2.0 */
/* The block form: draft-ietf-opsawg-pcapng. */
#include "capture/file_block.h"
#include "capture/file_form.h"
#include "core/limits.h"

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2, /* obsolete */
	BLOCK_SIMPLE = 3,
	BLOCK_NAMES = 4,
	BLOCK_STATISTICS = 5,
	BLOCK_ENHANCED = 6,
	BLOCK_JOURNAL = 9,
	BLOCK_SECRETS = 10,
	BLOCK_CUSTOM = 0xbad,
	BLOCK_CUSTOM_KEEP = 0x40000bad,
	BLOCK_SECTION = 0x0a0d0d0a,
};

#define ORDER_MAGIC 0x1a2b3c4du
/* Options of a packet block: comments, rarely more than a line. */
#define OPTIONS_MAX ((size_t)1 << 20)
/* Type, length and length again: no block has less. */
#define BLOCK_MIN 12u

struct block {
	uint32_t type;
	uint32_t length; /* of the whole block */
};

static bool is_known(uint32_t type)
{
	switch (type) {
	case BLOCK_INTERFACE:
	case BLOCK_PACKET:
	case BLOCK_SIMPLE:
	case BLOCK_NAMES:
	case BLOCK_STATISTICS:
	case BLOCK_ENHANCED:
	case BLOCK_JOURNAL:
	case BLOCK_SECRETS:
	case BLOCK_CUSTOM:
	case BLOCK_CUSTOM_KEEP:
	case BLOCK_SECTION:
		return true;
	default:
		return false;
	}
}

/* The head of a block; a section's own byte order is taken into *big. */
static bool read_block(const struct cmi_capfile *f, struct cmi_bytes view,
	struct block *b, bool *big)
{
	struct cmi_cursor c = cmi_cursor_of(view), look;
	uint32_t order;

	*big = f->big;
	if (!cmi_capfile_u32(f, &c, &b->type))
		return false;
	look = c;
	if (b->type == BLOCK_SECTION) {
		if (!cmi_cursor_skip(&look, 4) ||
			!cmi_cursor_u32(&look, &order))
			return false;
		*big = order == ORDER_MAGIC;
		if (!*big && order != __builtin_bswap32(ORDER_MAGIC))
			return false;
	}
	return *big ? cmi_cursor_u32(&c, &b->length)
		    : cmi_cursor_u32le(&c, &b->length);
}

static bool has_sane_length(const struct block *b)
{
	return b->length >= BLOCK_MIN && b->length % 4 == 0 &&
	       (b->type != BLOCK_SECTION || b->length >= 28);
}

/* The length behind the block must be the one before it. */
static bool ends_well(struct cmi_bytes view, const struct block *b, bool big)
{
	struct cmi_cursor c = cmi_cursor_of(view);
	uint32_t again;

	if (!cmi_cursor_skip(&c, b->length - 4))
		return false;
	return (big ? cmi_cursor_u32(&c, &again)
		    : cmi_cursor_u32le(&c, &again)) &&
	       again == b->length;
}

static cmend_status resume(struct cmi_capfile *f, bool *found, cmend_error *err)
{
	struct cmi_bytes view;
	struct block b;
	bool big;

	for (*found = false; !*found;) {
		CMI_TRY(cmi_input_view(f->in, BLOCK_MIN, &view, err));
		if (view.n < BLOCK_MIN)
			return CMEND_OK;
		if (read_block(f, view, &b, &big) && is_known(b.type) &&
			has_sane_length(&b) &&
			b.length <= CMI_PACKET_MAX + OPTIONS_MAX) {
			CMI_TRY(cmi_input_view(f->in, b.length, &view, err));
			*found = ends_well(view, &b, big);
		}
		if (!*found)
			cmi_input_pass(f->in, 1);
	}
	return CMEND_OK;
}

static int64_t scale_time(const struct cmi_interface *i, uint64_t t)
{
	unsigned n = i->resolution & 0x7f;
	uint64_t us = t;

	if (i->resolution & 0x80) { /* 2^-n */
		uint64_t s = n < 64 ? t >> n : 0;
		uint64_t part = n < 64 ? t - (s << n) : t;

		/* Forty-four bits of the fraction leave room for the million.
		 */
		if (n > 44)
			part = n < 108 ? part >> (n - 44) : 0;
		us = s > INT64_MAX / 2000000
			     ? INT64_MAX / 2
			     : s * 1000000 +
				       (part * 1000000 >> (n > 44 ? 44 : n));
	} else {
		for (; n < 6 && us < INT64_MAX / 20; n++)
			us *= 10;
		for (; n > 6 && us; n--)
			us /= 10;
	}
	if (us > INT64_MAX / 2)
		us = INT64_MAX / 2;
	if (i->offset_s > INT64_MAX / 4000000 ||
		i->offset_s < -(INT64_MAX / 4000000))
		return (int64_t)us;
	return (int64_t)us + i->offset_s * 1000000;
}

/* The other way: the first tick of that microsecond; 0 where there is none. */
static uint64_t unscale_time(const struct cmi_interface *i, int64_t t_us)
{
	unsigned n = i->resolution & 0x7f, fine = n < 44 ? n : 44;
	int64_t start = scale_time(i, 0);
	uint64_t us, s;

	if (t_us < start)
		return 0;
	us = (uint64_t)t_us - (uint64_t)start;
	s = us / 1000000;
	if (i->resolution & 0x80) {
		if (n >= 64 || s >> (63 - n))
			return 0;
		return (s << n) + (((us % 1000000 << fine) + 999999) / 1000000
					  << (n - fine));
	}
	for (; n < 6; n++)
		us /= 10;
	for (; n > 6 && us; n--)
		us = us > UINT64_MAX / 10 ? 0 : us * 10;
	return us;
}

static void read_interface_options(const struct cmi_capfile *f,
	struct cmi_cursor *c, struct cmi_interface *i)
{
	enum { END = 0, RESOLUTION = 9, OFFSET = 14 };
	struct cmi_cursor v;
	uint16_t code, n;
	uint64_t offset;

	while (cmi_capfile_u16(f, c, &code) && cmi_capfile_u16(f, c, &n) &&
		code != END && cmi_cursor_sub(c, n, &v)) {
		if (code == RESOLUTION)
			(void)cmi_cursor_u8(&v, &i->resolution);
		if (code == OFFSET && (f->big ? cmi_cursor_u64(&v, &offset)
					      : cmi_cursor_u64le(&v, &offset)))
			i->offset_s = (int64_t)offset;
		if (n % 4 && !cmi_cursor_skip(c, 4 - n % 4))
			return;
	}
}

static cmend_status take_interface(
	struct cmi_capfile *f, struct cmi_cursor *c, cmend_error *err)
{
	struct cmi_interface i = {.resolution = 6};
	uint16_t link;

	if (!cmi_capfile_u16(f, c, &link) || !cmi_cursor_skip(c, 2) ||
		!cmi_capfile_u32(f, c, &i.snaplen)) {
		cmi_capfile_note(f, f->in->offset,
			"an interface description is too short");
		return CMEND_OK;
	}
	if (f->n_interfaces >= CMI_INTERFACES_MAX) {
		cmi_capfile_note(f, f->in->offset,
			"more than %zu interfaces; the rest is left out",
			CMI_INTERFACES_MAX);
		return CMEND_OK;
	}
	i.link = link;
	read_interface_options(f, c, &i);
	CMI_TRY(CMI_GROW(&f->interfaces, &f->cap_interfaces,
		f->n_interfaces + 1, CMI_INTERFACES_MAX, err));
	f->interfaces[f->n_interfaces++] = i;
	return CMEND_OK;
}

static cmend_status take_secrets(
	struct cmi_capfile *f, struct cmi_cursor *c, cmend_error *err)
{
	struct cmi_bytes secrets;
	uint32_t type, n;

	if (!cmi_capfile_u32(f, c, &type) || !cmi_capfile_u32(f, c, &n) ||
		!cmi_cursor_bytes(c, n, &secrets)) {
		cmi_capfile_note(f, f->in->offset,
			"a secrets block is longer than itself");
		return CMEND_OK;
	}
	return f->hooks.secrets
		       ? f->hooks.secrets(f->hooks.ctx, type, secrets, err)
		       : CMEND_OK;
}

static void start_section(struct cmi_capfile *f, bool big)
{
	f->big = big;
	f->n_interfaces = 0;
}

/* Interface number and time of the two packet blocks that have them. */
static bool read_packet_head(const struct cmi_capfile *f, uint32_t type,
	struct cmi_cursor *c, uint32_t *interface, uint64_t *t)
{
	uint32_t high, low;
	uint16_t narrow;

	if (type == BLOCK_PACKET) {
		/* The second half counts drops. */
		if (!cmi_capfile_u16(f, c, &narrow) || !cmi_cursor_skip(c, 2))
			return false;
		*interface = narrow;
	} else if (!cmi_capfile_u32(f, c, interface)) {
		return false;
	}
	if (!cmi_capfile_u32(f, c, &high) || !cmi_capfile_u32(f, c, &low))
		return false;
	*t = (uint64_t)high << 32 | low;
	return true;
}

/* c: the body of the block.  False: damaged, and said so. */
static bool take_packet(struct cmi_capfile *f, uint32_t type,
	struct cmi_cursor *c, struct cmi_frame *out)
{
	uint32_t interface = 0, captured = 0, length = 0;
	const struct cmi_interface *i;
	uint64_t t = 0;

	if (type != BLOCK_SIMPLE &&
		!(read_packet_head(f, type, c, &interface, &t) &&
			cmi_capfile_u32(f, c, &captured)))
		goto bad;
	if (!cmi_capfile_u32(f, c, &length) || interface >= f->n_interfaces)
		goto bad;
	i = &f->interfaces[interface];
	if (type == BLOCK_SIMPLE) {
		captured = length;
		if (i->snaplen && captured > i->snaplen)
			captured = i->snaplen;
		if (captured > c->n)
			captured = (uint32_t)c->n;
	} else {
		f->last_us = scale_time(i, t);
		out->untimed = false;
	}
	if (captured > CMI_PACKET_MAX ||
		!cmi_cursor_bytes(c, captured, &out->data))
		goto bad;
	out->length = length < captured ? captured : length;
	out->t_us = f->last_us;
	out->link = i->link;
	return true;
bad:
	cmi_capfile_note(f, f->in->offset, "%s",
		interface >= f->n_interfaces
			? "a packet names an interface that was not described"
			: "a packet is longer than its block");
	return false;
}

/* What a block other than a packet says. */
static cmend_status take_block(struct cmi_capfile *f, uint32_t type,
	struct cmi_cursor *c, cmend_error *err)
{
	if (type == BLOCK_INTERFACE)
		return take_interface(f, c, err);
	if (type == BLOCK_SECRETS)
		return take_secrets(f, c, err);
	return CMEND_OK;
}

static bool is_packet(uint32_t type)
{
	return type == BLOCK_ENHANCED || type == BLOCK_SIMPLE ||
	       type == BLOCK_PACKET;
}

/* Not a packet, and yet Wireshark counts it among the frames. */
static bool is_other_frame(uint32_t type)
{
	return type == BLOCK_JOURNAL || type == BLOCK_CUSTOM ||
	       type == BLOCK_CUSTOM_KEEP;
}

/* The next block, past any damage, wholly in view where it is of use. */
static cmend_status find_block(struct cmi_capfile *f, struct block *b,
	struct cmi_bytes *view, bool *more, cmend_error *err)
{
	size_t max;
	bool big;

	for (*more = true; *more;) {
		CMI_TRY(cmi_input_view(f->in, BLOCK_MIN, view, err));
		if (!view->n) {
			*more = false;
			break;
		}
		if (!read_block(f, *view, b, &big) || !has_sane_length(b)) {
			CMI_TRY(cmi_capfile_damage(
				f, resume, "a block is damaged", more, err));
			continue;
		}
		max = is_packet(b->type) ? CMI_PACKET_MAX + OPTIONS_MAX
					 : CMI_BLOCK_MAX;
		if (b->length <= max) {
			CMI_TRY(cmi_input_view(f->in, b->length, view, err));
			if (ends_well(*view, b, big)) {
				if (b->type == BLOCK_SECTION)
					start_section(f, big);
				return CMEND_OK;
			}
		}
		CMI_TRY(cmi_capfile_damage(f, resume,
			view->n < b->length ? "the file ends inside a block"
					    : "a block is damaged",
			more, err));
	}
	return CMEND_OK;
}

static cmend_status tell_block(struct cmi_capfile *f, const struct block *b,
	struct cmi_bytes view, uint64_t number, cmend_error *err)
{
	const struct cmi_interface *first =
		f->n_interfaces ? &f->interfaces[0] : NULL;
	const struct cmi_raw_block raw = {
		.type = b->type,
		.big = f->big,
		.number = number,
		.snaplen = first ? first->snaplen : 0,
		.time = first ? unscale_time(first, f->last_us) : 0,
		.bytes = {view.p, b->length},
	};

	return f->hooks.block ? f->hooks.block(f->hooks.ctx, &raw, err)
			      : CMEND_OK;
}

static cmend_status pcapng_next(struct cmi_capfile *f, struct cmi_frame *out,
	bool *more, cmend_error *err)
{
	struct cmi_bytes view;
	struct cmi_cursor c;
	struct block b;

	for (;;) {
		CMI_TRY(find_block(f, &b, &view, more, err));
		if (!*more)
			return CMEND_OK;
		c = cmi_cursor_of(
			(struct cmi_bytes){view.p + 8, b.length - BLOCK_MIN});
		*out = (struct cmi_frame){.offset = f->in->offset};
		if (is_packet(b.type) || is_other_frame(b.type)) {
			out->number = ++f->frames;
			out->link = CMI_LINK_NONE;
			out->t_us = f->last_us;
			out->untimed = true;
		}
		CMI_TRY(tell_block(f, &b, view, out->number, err));
		if (out->number) {
			if (is_other_frame(b.type) ||
				take_packet(f, b.type, &c, out)) {
				f->pass = b.length;
				return CMEND_OK;
			}
		} else {
			CMI_TRY(take_block(f, b.type, &c, err));
		}
		cmi_input_pass(f->in, b.length);
	}
}

/* A packet without options, which would have to be told. */
static bool is_ordinary(const struct cmi_capfile *f, struct cmi_bytes view)
{
	struct cmi_cursor c = cmi_cursor_of(view);
	uint32_t interface, captured;
	struct block b;
	uint64_t t;
	bool big;

	return read_block(f, view, &b, &big) && b.type == BLOCK_ENHANCED &&
	       cmi_cursor_skip(&c, 8) &&
	       read_packet_head(f, b.type, &c, &interface, &t) &&
	       interface < f->n_interfaces &&
	       cmi_capfile_u32(f, &c, &captured) &&
	       captured <= CMI_PACKET_MAX &&
	       b.length == 32 + cmi_block_padded(captured) &&
	       ends_well(view, &b, big);
}

static cmend_status pcapng_at_hand(struct cmi_capfile *f, struct cmi_frame *out,
	bool *is, cmend_error *err)
{
	*is = is_ordinary(f, cmi_input_beyond(f->in, f->pass));
	return *is ? cmi_capfile_next(f, out, is, err) : CMEND_OK;
}

cmend_status cmi_pcapng_begin(
	struct cmi_capfile *f, struct cmi_bytes head, cmend_error *err)
{
	struct block b;
	bool big;

	if (!read_block(f, head, &b, &big) || !has_sane_length(&b))
		return cmi_fail(err, CMEND_PARSE,
			"\"%s\" is damaged: its first block is no pcapng "
			"section header",
			f->in->name);
	start_section(f, big);
	f->has_blocks = true;
	f->next = pcapng_next;
	f->at_hand = pcapng_at_hand;
	return CMEND_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that wait for their answers.  Each byte of the input is a step:
 * what is done, and how much of it.  Oracle: a plain list kept beside it; the
 * queue shows what the list has, in its order, counts its memory rightly and
 * stays below its ceiling, and no more requests are taken as answered than
 * answers came before them.
 */
#include <string.h>

#include "capture/http_queue.h"
#include "core/limits.h"
#include "fuzz.h"

struct model {
	struct cmi_http_queue q;
	struct {
		uint32_t number; /* 0: a request that was lost */
		uint64_t frame;
	} list[CMI_HTTP_WAITING_MAX];
	size_t n, early;
	uint32_t given;
	uint64_t frame;
};

enum step { ASK, ASK_MANY, UNUSED, ANSWER, BODY, EARLY, LATE, LOST };

static uint32_t number_of(const struct cmi_http_request *r)
{
	struct cmi_http_seen seen = {0};
	struct cmi_bytes number;
	uint32_t n;

	cmi_http_request_show(r, &seen);
	if (!seen.method.n)
		return 0;
	number = seen.method;
	FUZZ_CHECK(number.n == sizeof(n));
	memcpy(&n, number.p, sizeof(n));
	FUZZ_CHECK(seen.request_frame == r->frame);
	FUZZ_CHECK(cmi_bytes_equal(seen.url, CMI_BYTES("http://h/t")));
	FUZZ_CHECK(cmi_bytes_equal(seen.soap_action, CMI_BYTES("a")));
	return n;
}

static void place(struct model *m, bool push)
{
	struct cmi_http_head head = {.target = CMI_BYTES("/t"),
		.host = CMI_BYTES("h"),
		.soap_action = CMI_BYTES("a")};
	struct cmi_http_request *r;

	if (cmi_http_queue_full(&m->q))
		return;
	m->given++;
	head.method = (struct cmi_bytes){
		(const uint8_t *)&m->given, sizeof(m->given)};
	FUZZ_CHECK(!cmi_http_queue_place(&m->q, &r, NULL));
	FUZZ_CHECK(r->text.n == 0 && r->body.n == 0);
	FUZZ_CHECK(!cmi_http_request_set(r, &head, "http", "d", NULL));
	r->frame = m->frame;
	if (!push)
		return;
	cmi_http_queue_push(&m->q);
	m->list[m->n].number = m->given;
	m->list[m->n++].frame = m->frame;
}

static void answer(struct model *m)
{
	if (!m->n) {
		cmi_http_queue_early_answer(&m->q, m->frame);
		m->early++;
		return;
	}
	cmi_http_queue_drop_oldest(&m->q);
	memmove(m->list, m->list + 1, --m->n * sizeof(m->list[0]));
}

static void lose(struct model *m)
{
	bool room = !cmi_http_queue_full(&m->q) && !m->q.early;

	if (m->q.early)
		m->early--;
	FUZZ_CHECK(!cmi_http_queue_lost_request(&m->q, NULL));
	if (!room)
		return;
	m->list[m->n].number = 0;
	m->list[m->n++].frame = 0;
}

static void take(struct model *m, uint8_t b)
{
	size_t much = b >> 3;

	switch ((enum step)(b & 7)) {
	case ASK:
	case ASK_MANY:
		for (size_t i = b & 7 ? 8 * much : 1; i > 0; i--)
			place(m, true);
		break;
	case UNUSED:
		place(m, false);
		break;
	case ANSWER:
		for (size_t i = 0; i <= much; i++)
			answer(m);
		break;
	case BODY:
		for (size_t i = 0; m->n && i < much; i++)
			cmi_buf_text(
				&cmi_http_queue_newest(&m->q)->body, "<soap/>");
		break;
	case EARLY:
		if (!m->n)
			answer(m);
		break;
	case LATE:
		if (!cmi_http_queue_was_answered(
			    &m->q, m->frame > much ? m->frame - much : 0)) {
			m->early = 0;
			break;
		}
		FUZZ_CHECK(m->early > 0);
		m->early--;
		break;
	case LOST:
		lose(m);
		break;
	}
}

static void check(struct model *m)
{
	struct cmi_http_request *r;
	size_t holds = m->q.cap * sizeof(*m->q.ring);

	FUZZ_CHECK(m->q.n == m->n && m->q.early == m->early);
	FUZZ_CHECK(m->n <= CMI_HTTP_WAITING_MAX && m->q.cap >= m->n);
	FUZZ_CHECK(!m->n == !cmi_http_queue_oldest(&m->q));
	FUZZ_CHECK(!m->n == !cmi_http_queue_newest(&m->q));
	for (size_t i = 0; i < m->n; i++) {
		r = &m->q.ring[(m->q.first + i) % m->q.cap];
		holds += r->text.cap + r->body.cap;
		FUZZ_CHECK(number_of(r) == m->list[i].number);
		FUZZ_CHECK(r->frame == m->list[i].frame);
	}
	FUZZ_CHECK(cmi_http_queue_holds(&m->q) == holds);
	FUZZ_CHECK(!m->n || number_of(cmi_http_queue_oldest(&m->q)) ==
				    m->list[0].number);
	FUZZ_CHECK(!m->n || number_of(cmi_http_queue_newest(&m->q)) ==
				    m->list[m->n - 1].number);
	FUZZ_CHECK(cmi_http_queue_asked_again(&m->q, m->frame) ==
		   (m->n > 1 && m->list[0].frame != m->list[1].frame &&
			   m->list[1].frame < m->frame));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model *m = calloc(1, sizeof(*m));

	FUZZ_CHECK(m);
	for (size_t i = 0; i < size && i < 256; i++) {
		m->frame++;
		take(m, data[i]);
		check(m);
	}
	cmi_http_queue_dispose(&m->q);
	FUZZ_CHECK(cmi_http_queue_holds(&m->q) == 0);
	free(m);
	return 0;
}

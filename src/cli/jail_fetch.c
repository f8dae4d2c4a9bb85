/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jail_fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/sandbox.h"

/* An answer's head; the body's bytes stand behind it in the same message. */
struct head {
	int32_t status; /* cmend_status */
	int32_t trouble;
	int64_t http;
	char type[128];
	char url[CMI_URL_MAX + 1];
	char says[200];
};

struct exchange {
	struct head head;
	uint8_t body[CMI_AIA_BODY_MAX];
};

/* ----------------------------------------------------------- the fetcher */

static void fill_head(
	struct head *h, cmend_status status, const struct cmi_fetch_answer *a)
{
	*h = (struct head){
		.status = (int32_t)status,
		.trouble = (int32_t)a->trouble,
		.http = a->status,
	};
	snprintf(h->type, sizeof(h->type), "%s", a->type);
	snprintf(h->url, sizeof(h->url), "%s", a->url);
	snprintf(h->says, sizeof(h->says), "%s", a->says);
}

static void fetch_one(struct cmi_fetcher *f, int fd, const char *url)
{
	struct cmi_fetch_answer a = {0};
	cmend_status status =
		cmi_fetch(f, url, (struct cmi_bytes){0}, NULL, NULL, &a, NULL);
	struct head head;
	struct iovec parts[] = {
		{&head, sizeof(head)},
		{a.body.p, a.body.n},
	};
	const struct msghdr h = {
		.msg_iov = parts, .msg_iovlen = CMI_LEN(parts)};

	fill_head(&head, status, &a);
	(void)sendmsg(fd, &h, MSG_NOSIGNAL);
	cmi_fetch_answer_dispose(&a);
}

void cmi_jail_fetcher(const struct cmi_jail *jail, int fd)
{
	struct cmi_fetcher *f = NULL;
	char url[CMI_URL_MAX + 1];
	cmend_error err = {0};
	cmend_status status;

	if (cmi_fetcher_new(jail->fetch, &f, &err) != CMEND_OK ||
		cmi_fetcher_warm(f, &err) != CMEND_OK)
		_exit(CMI_EXIT_CANNOT);
	/* That there is no sandbox is said by the reader. */
	status = cmi_sandbox_enter(CMI_ROLE_FETCHER, &err);
	if (status != CMEND_OK &&
		(jail->required || status != CMEND_UNSUPPORTED))
		_exit(CMI_EXIT_CANNOT);
	for (;;) {
		ssize_t n = recv(fd, url, sizeof(url) - 1, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 1)
			_exit(CMI_EXIT_OK);
		url[n] = 0;
		fetch_one(f, fd, url);
	}
}

/* ------------------------------------------------------------ the reader */

static cmend_status lost(
	struct cmi_fetch_answer *a, const char *url, cmend_error *err)
{
	a->trouble = CMI_F_AIA_DEAD;
	snprintf(a->says, sizeof(a->says), "%.150s: the fetcher is gone", url);
	return cmi_fail(err, CMEND_NET, "%s", a->says);
}

/* The fetcher faces the network: its words are held to their form too. */
static cmend_status take(struct exchange *e, size_t n,
	struct cmi_fetch_answer *a, cmend_error *err)
{
	struct head *h = &e->head;

	h->type[sizeof(h->type) - 1] = 0;
	h->url[sizeof(h->url) - 1] = 0;
	h->says[sizeof(h->says) - 1] = 0;
	if (h->status < 0 || h->status > CMEND_INTERNAL || h->trouble < 0 ||
		h->trouble >= CMI_F_COUNT)
		return lost(a, h->url, err);
	a->status = (long)h->http;
	a->trouble = (enum cmi_finding_id)h->trouble;
	snprintf(a->type, sizeof(a->type), "%s", h->type);
	snprintf(a->url, sizeof(a->url), "%s", h->url);
	snprintf(a->says, sizeof(a->says), "%s", h->says);
	if (h->status != CMEND_OK)
		return cmi_fail(err, (cmend_status)h->status, "%s", a->says);
	cmi_buf_add(&a->body, e->body, n);
	return cmi_buf_status(&a->body, err);
}

static cmend_status get(void *ctx, const char *url, struct cmi_fetch_answer *a,
	cmend_error *err)
{
	struct cmi_jail_inside *in = ctx;
	CMI_AUTO(cmi_freep) struct exchange *e = cmi_alloc(sizeof(*e));
	struct iovec out = {(void *)url, strlen(url)};
	struct iovec back = {e, sizeof(*e)};
	const struct msghdr ask = {.msg_iov = &out, .msg_iovlen = 1};
	struct msghdr answer = {.msg_iov = &back, .msg_iovlen = 1};
	ssize_t n;

	*a = (struct cmi_fetch_answer){0};
	cmi_buf_init(&a->body, CMI_AIA_BODY_MAX);
	if (!e)
		return cmi_nomem(err);
	in->fetches++;
	if (!out.iov_len || out.iov_len > CMI_URL_MAX ||
		sendmsg(in->fetch_fd, &ask, MSG_NOSIGNAL) < 0)
		return lost(a, url, err);
	do
		n = recvmsg(in->fetch_fd, &answer, 0);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)sizeof(e->head))
		return lost(a, url, err);
	return take(e, (size_t)n - sizeof(e->head), a, err);
}

static unsigned count(void *ctx)
{
	const struct cmi_jail_inside *in = ctx;

	return in->fetches;
}

struct cmi_aia_transport cmi_jail_transport(struct cmi_jail_inside *in)
{
	return (struct cmi_aia_transport){
		.get = get, .count = count, .ctx = in};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/tether.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/cursor.h"
#include "core/text.h"

struct line_end {
	int fd;
	int64_t deadline_ms;
	const struct cmi_env *env;
	struct cmi_buf in;
	struct cmi_buf payload; /* of the frame last read */
};

void cmi_tether_login_dispose(struct cmi_tether_login *l)
{
	cmi_wipe(l, sizeof(*l));
}

static void end_init(struct line_end *e, int fd, int64_t deadline_ms,
	const struct cmi_env *env)
{
	*e = (struct line_end){
		.fd = fd, .deadline_ms = deadline_ms, .env = env};
	cmi_buf_init_secret(&e->in, 2 * CMI_TETHER_FRAME_MAX);
	cmi_buf_init_secret(&e->payload, CMI_TETHER_FRAME_MAX);
}

static void end_dispose(struct line_end *e)
{
	cmi_buf_dispose(&e->in);
	cmi_buf_dispose(&e->payload);
}

static cmend_status wait_for(struct line_end *e, short what, cmend_error *err)
{
	struct pollfd p = {.fd = e->fd, .events = what};

	for (;;) {
		int64_t left = e->deadline_ms - cmi_mono_ms(e->env);
		int n;

		if (left <= 0)
			return cmi_fail(err, CMEND_TIMEOUT,
				"the other end of the cable did not answer in "
				"time");
		n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0)
			return CMEND_OK;
		if (n < 0 && errno != EINTR)
			return cmi_fail(
				err, CMEND_IO, "poll: %s", strerror(errno));
	}
}

static cmend_status send_frame(struct line_end *e, enum cmi_frame_type type,
	struct cmi_bytes payload, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	size_t sent = 0;
	cmend_status status;

	cmi_buf_init_secret(&out, 2 * CMI_TETHER_FRAME_MAX);
	cmi_frame_write(type, payload, &out);
	status = cmi_buf_status(&out, err);
	while (!status && sent < out.n) {
		ssize_t n = write(e->fd, out.p + sent, out.n - sent);

		if (n > 0)
			sent += (size_t)n;
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			status = cmi_fail(err, CMEND_NET,
				"the cable was pulled: %s", strerror(errno));
		else
			status = wait_for(e, POLLOUT, err);
	}
	return status;
}

static cmend_status read_some(struct line_end *e, cmend_error *err)
{
	uint8_t *to;
	ssize_t n;

	/* Noise without end: forget it, the next line feed starts anew. */
	if (e->in.n > CMI_TETHER_FRAME_MAX)
		cmi_buf_clear(&e->in);
	CMI_TRY(wait_for(e, POLLIN, err));
	to = cmi_buf_reserve(&e->in, 512);
	if (!to)
		return cmi_buf_status(&e->in, err);
	n = read(e->fd, to, 512);
	if (n > 0)
		cmi_buf_used(&e->in, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		return cmi_fail(err, CMEND_NET, "the cable was pulled");
	return CMEND_OK;
}

/* The next sound frame; noise is passed by. */
static cmend_status next_frame(
	struct line_end *e, struct cmi_frame *out, cmend_error *err)
{
	for (;;) {
		struct cmi_cursor at = cmi_cursor_of(cmi_buf_view(&e->in));
		struct cmi_bytes line;
		cmend_status status;

		if (!cmi_cursor_line(&at, &line)) {
			CMI_TRY(read_some(e, err));
			continue;
		}
		status = cmi_frame_read(line, &e->payload, out, NULL);
		cmi_buf_consume(&e->in, at.at);
		if (!status)
			return CMEND_OK;
		if (line.n)
			cmi_emit(e->env, "tether", NULL, "noise on the line",
				(int64_t)line.n);
	}
}

/* Frames of other types belong to an exchange that was cut: passed by. */
static cmend_status expect(struct line_end *e, enum cmi_frame_type type,
	struct cmi_frame *out, cmend_error *err)
{
	do {
		CMI_TRY(next_frame(e, out, err));
		if (out->type == CMI_FRAME_REFUSED && type != CMI_FRAME_HELLO) {
			char text[100];

			cmi_safe_cstr(text, sizeof(text), out->payload);
			return cmi_fail(err, CMEND_REFUSED,
				"the phone refuses: %s", text);
		}
	} while (out->type != type);
	return CMEND_OK;
}

static cmend_status prove(const char *code, const char *who,
	struct cmi_bytes pc, struct cmi_bytes phone, struct cmi_bytes more,
	uint8_t out[CMI_TETHER_PROOF], cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf all;
	unsigned n = 0;

	cmi_buf_init_secret(&all, CMI_TETHER_FRAME_MAX);
	cmi_buf_text(&all, who);
	cmi_buf_add_bytes(&all, pc);
	cmi_buf_add_bytes(&all, phone);
	cmi_buf_add_bytes(&all, more);
	CMI_TRY(cmi_buf_status(&all, err));
	if (!HMAC(EVP_sha256(), code, (int)strlen(code), all.p, all.n, out, &n))
		return cmi_fail(err, CMEND_CRYPTO, "HMAC failed");
	return CMEND_OK;
}

static void put_field(struct cmi_buf *out, const char *key, const char *value)
{
	cmi_buf_text(out, key);
	cmi_buf_u8(out, '=');
	cmi_buf_text(out, value);
	cmi_buf_u8(out, '\n');
}

static cmend_status fields(
	const struct cmi_tether_login *l, struct cmi_buf *out, cmend_error *err)
{
	const char *all[] = {l->user, l->sip, l->domain, l->password};

	for (size_t i = 0; i < CMI_LEN(all); i++)
		if (strpbrk(all[i], "\r\n"))
			return cmi_fail(err, CMEND_ARG,
				"a line break cannot be sent over the tether");
	put_field(out, "user", l->user);
	put_field(out, "sip", l->sip);
	put_field(out, "domain", l->domain);
	put_field(out, "password", l->password);
	return cmi_buf_status(out, err);
}

static cmend_status take_value(
	char *to, size_t n_to, struct cmi_bytes value, cmend_error *err)
{
	if (value.n >= n_to || (value.n && memchr(value.p, 0, value.n)))
		return cmi_fail(err, CMEND_PARSE,
			"a field from the tether is too long");
	memcpy(to, value.p, value.n);
	to[value.n] = 0;
	return CMEND_OK;
}

/* Exactly the known fields: anything else, a certificate above all, refuses
 * the message. */
static cmend_status take_field(
	struct cmi_bytes line, struct cmi_tether_login *l, cmend_error *err)
{
	const struct {
		const char *key;
		char *to;
		size_t n_to;
	} known[] = {
		{"user", l->user, sizeof(l->user)},
		{"sip", l->sip, sizeof(l->sip)},
		{"domain", l->domain, sizeof(l->domain)},
		{"password", l->password, sizeof(l->password)},
	};
	struct cmi_cursor at = cmi_cursor_of(line);
	struct cmi_bytes key;

	if (cmi_cursor_until(&at, '=', &key))
		for (size_t i = 0; i < CMI_LEN(known); i++)
			if (cmi_bytes_equal(key, cmi_bytes_of(known[i].key)))
				return take_value(known[i].to, known[i].n_to,
					cmi_cursor_rest(&at), err);
	return cmi_fail(err, CMEND_PARSE, "an unknown field from the tether");
}

static cmend_status take_login(
	struct cmi_bytes payload, struct cmi_tether_login *l, cmend_error *err)
{
	struct cmi_cursor at = cmi_cursor_of(payload);
	struct cmi_bytes line;

	*l = (struct cmi_tether_login){0};
	while (cmi_cursor_until(&at, '\n', &line))
		CMI_TRY(take_field(line, l, err));
	if (at.n || !*l->user || !*l->password)
		return cmi_fail(err, CMEND_PARSE,
			"an incomplete login from the tether");
	return CMEND_OK;
}

static cmend_status check_proof(const char *code, const char *who,
	struct cmi_bytes pc, struct cmi_bytes phone, struct cmi_bytes more,
	struct cmi_bytes given, cmend_error *err)
{
	uint8_t want[CMI_TETHER_PROOF];

	CMI_TRY(prove(code, who, pc, phone, more, want, err));
	if (given.n != sizeof(want) ||
		CRYPTO_memcmp(want, given.p, sizeof(want)) != 0)
		return cmi_fail(err, CMEND_REFUSED, "wrong pairing code");
	return CMEND_OK;
}

static cmend_status send_login(struct line_end *e, const char *code,
	const struct cmi_tether_login *login, struct cmi_bytes pc,
	struct cmi_bytes phone, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text, all;
	uint8_t proof[CMI_TETHER_PROOF];
	struct cmi_frame frame;
	cmend_status status;

	cmi_buf_init_secret(&text, CMI_TETHER_FRAME_MAX);
	cmi_buf_init_secret(&all, CMI_TETHER_FRAME_MAX);
	CMI_TRY(fields(login, &text, err));
	CMI_TRY(prove(code, "pc", pc, phone, cmi_buf_view(&text), proof, err));
	cmi_buf_add(&all, proof, sizeof(proof));
	cmi_buf_add_bytes(&all, cmi_buf_view(&text));
	status = cmi_buf_status(&all, err);
	if (!status)
		status = send_frame(
			e, CMI_FRAME_SIGNIN, cmi_buf_view(&all), err);
	CMI_TRY(status);
	return expect(e, CMI_FRAME_DONE, &frame, err);
}

static cmend_status pc_side(struct line_end *e, const char *code,
	const struct cmi_tether_login *login, cmend_error *err)
{
	uint8_t nonce[CMI_TETHER_NONCE], theirs[CMI_TETHER_NONCE];
	struct cmi_bytes pc = {nonce, sizeof(nonce)};
	struct cmi_bytes phone = {theirs, sizeof(theirs)};
	struct cmi_bytes random;
	struct cmi_frame frame;
	struct cmi_cursor at;

	if (cmi_random(e->env, nonce, sizeof(nonce)) != CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	CMI_TRY(send_frame(e, CMI_FRAME_HELLO, pc, err));
	CMI_TRY(expect(e, CMI_FRAME_PROVE, &frame, err));
	at = cmi_cursor_of(frame.payload);
	if (!cmi_cursor_bytes(&at, CMI_TETHER_NONCE, &random))
		return cmi_fail(err, CMEND_PARSE, "a proof that is too short");
	memcpy(theirs, random.p, sizeof(theirs));
	CMI_TRY(check_proof(code, "phone", pc, phone, (struct cmi_bytes){0},
		cmi_cursor_rest(&at), err));
	return send_login(e, code, login, pc, phone, err);
}

cmend_status cmi_tether_send(int fd, const char *code,
	const struct cmi_tether_login *login, int64_t deadline_ms,
	const struct cmi_env *env, cmend_error *err)
{
	struct line_end e;
	cmend_status status;

	end_init(&e, fd, deadline_ms, env);
	status = pc_side(&e, code, login, err);
	end_dispose(&e);
	return status;
}

static cmend_status send_proof(struct line_end *e, const char *code,
	struct cmi_bytes pc, struct cmi_bytes phone, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	uint8_t proof[CMI_TETHER_PROOF];

	cmi_buf_init(&out, CMI_TETHER_FRAME_MAX);
	CMI_TRY(prove(
		code, "phone", pc, phone, (struct cmi_bytes){0}, proof, err));
	cmi_buf_add_bytes(&out, phone);
	cmi_buf_add(&out, proof, sizeof(proof));
	return send_frame(e, CMI_FRAME_PROVE, cmi_buf_view(&out), err);
}

/* Takes HELLO (again, if the PC starts anew) until SIGNIN comes. */
static cmend_status phone_side(struct line_end *e, const char *code,
	struct cmi_tether_login *login, cmend_error *err)
{
	uint8_t nonce[CMI_TETHER_NONCE], theirs[CMI_TETHER_NONCE];
	struct cmi_bytes phone = {nonce, sizeof(nonce)};
	struct cmi_bytes pc = {theirs, sizeof(theirs)};
	struct cmi_bytes proof, random;
	struct cmi_cursor at;
	struct cmi_frame frame;
	bool greeted = false;

	for (;;) {
		CMI_TRY(next_frame(e, &frame, err));
		at = cmi_cursor_of(frame.payload);
		if (frame.type == CMI_FRAME_SIGNIN && greeted)
			break;
		if (frame.type != CMI_FRAME_HELLO ||
			!cmi_cursor_bytes(&at, CMI_TETHER_NONCE, &random))
			continue;
		memcpy(theirs, random.p, sizeof(theirs));
		if (cmi_random(e->env, nonce, sizeof(nonce)) != CMEND_OK)
			return cmi_fail(err, CMEND_IO, "no randomness");
		CMI_TRY(send_proof(e, code, pc, phone, err));
		greeted = true;
	}
	if (!cmi_cursor_bytes(&at, CMI_TETHER_PROOF, &proof))
		return cmi_fail(err, CMEND_PARSE, "a login that is too short");
	CMI_TRY(check_proof(
		code, "pc", pc, phone, cmi_cursor_rest(&at), proof, err));
	return take_login(cmi_cursor_rest(&at), login, err);
}

cmend_status cmi_tether_receive(int fd, const char *code,
	struct cmi_tether_login *login, int64_t deadline_ms,
	const struct cmi_env *env, cmend_error *err)
{
	struct line_end e;
	cmend_status status;

	end_init(&e, fd, deadline_ms, env);
	status = phone_side(&e, code, login, err);
	if (!status)
		status = send_frame(
			&e, CMI_FRAME_DONE, (struct cmi_bytes){0}, err);
	else if (status == CMEND_REFUSED || status == CMEND_PARSE)
		(void)!send_frame(&e, CMI_FRAME_REFUSED,
			CMI_BYTES("wrong pairing code or message"), NULL);
	end_dispose(&e);
	if (status)
		cmi_tether_login_dispose(login);
	return status;
}

cmend_status cmi_tether_make_code(
	const struct cmi_env *env, char code[7], cmend_error *err)
{
	uint64_t v = 0;

	if (cmi_random(env, (uint8_t *)&v, sizeof(v)) != CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	snprintf(code, 7, "%06u", (unsigned)(v % 1000000));
	return CMEND_OK;
}

static cmend_status make_raw(int fd, cmend_error *err)
{
	struct termios t;

	if (tcgetattr(fd, &t) < 0)
		return CMEND_OK; /* no tty: a pipe or socket is raw already */
	cfmakeraw(&t);
	t.c_cc[VMIN] = 1;
	if (tcsetattr(fd, TCSANOW, &t) < 0)
		return cmi_fail(err, CMEND_IO, "cannot set up the tty: %s",
			strerror(errno));
	return CMEND_OK;
}

cmend_status cmi_tether_open(const char *device, int *fd, cmend_error *err)
{
	*fd = open(device, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s", device,
			strerror(errno));
	return make_raw(*fd, err);
}

cmend_status cmi_tether_pair(int *pc, int *phone, cmend_error *err)
{
	if (openpty(pc, phone, NULL, NULL, NULL) < 0)
		return cmi_fail(err, CMEND_IO, "cannot make a tty pair: %s",
			strerror(errno));
	if (fcntl(*pc, F_SETFL, O_NONBLOCK) < 0 ||
		fcntl(*phone, F_SETFL, O_NONBLOCK) < 0)
		return cmi_fail(err, CMEND_IO, "fcntl: %s", strerror(errno));
	CMI_TRY(make_raw(*phone, err));
	return make_raw(*pc, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "boot/tether.h"

#define CODE "271828"

static const struct cmi_tether_login ada = {.user = "ada",
	.sip = "sip:ada@corp.example",
	.domain = "corp.example",
	.password = "correct horse battery"};

static void frame_text(struct cmi_buf *out)
{
	cmi_buf_init(out, 8192);
	cmi_frame_write(CMI_FRAME_SIGNIN, CMI_BYTES("user=ada\n"), out);
}

static cmend_status read_frame(struct cmi_bytes line)
{
	struct cmi_buf store;
	struct cmi_frame f;
	cmend_status status;

	cmi_buf_init(&store, CMI_TETHER_FRAME_MAX);
	status = cmi_frame_read(line, &store, &f, NULL);
	if (status == CMEND_OK)
		assert_true(
			cmi_bytes_equal(f.payload, CMI_BYTES("user=ada\n")));
	cmi_buf_dispose(&store);
	return status;
}

/* Written with a line feed before and behind. */
static struct cmi_bytes inner(const struct cmi_buf *b)
{
	return (struct cmi_bytes){b->p + 1, b->n - 2};
}

static void a_frame_cut_anywhere_is_none(void **state)
{
	struct cmi_buf b;
	struct cmi_bytes whole;

	(void)state;
	frame_text(&b);
	whole = inner(&b);
	assert_int_equal(read_frame(whole), CMEND_OK);
	for (size_t n = 0; n < whole.n; n++) {
		assert_int_not_equal(
			read_frame((struct cmi_bytes){whole.p, n}), CMEND_OK);
		assert_int_not_equal(read_frame((struct cmi_bytes){
					     whole.p + n + 1, whole.n - n - 1}),
			CMEND_OK);
	}
	cmi_buf_dispose(&b);
}

static void a_frame_with_any_bit_flipped_is_none(void **state)
{
	struct cmi_buf b;

	(void)state;
	frame_text(&b);
	for (size_t bit = 8; bit < (b.n - 1) * 8; bit++) {
		b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(read_frame(inner(&b)), CMEND_OK);
		b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	cmi_buf_dispose(&b);
}

static void other_lines_are_none(void **state)
{
	static const char *const rows[] = {"", " ", "CMT1", "CMT1 ",
		"CMT1 HELLO", "CMT2 HELLO 0 00000000 ", "CMT1 CERT 0 00000000 ",
		"CMT1 HELLO 99999 00000000 ", "CMT1 HELLO -1 00000000 ",
		"CMT1 HELLO 0 zzzzzzzz ", "AT+CGMI"};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		assert_int_not_equal(
			read_frame(cmi_bytes_of(rows[i])), CMEND_OK);
}

struct side {
	int fd;
	const char *code;
	int64_t deadline_ms;
	struct cmi_tether_login login;
	cmend_status status;
};

static void *phone_main(void *arg)
{
	struct side *s = arg;

	s->status = cmi_tether_receive(
		s->fd, s->code, &s->login, s->deadline_ms, NULL, NULL);
	return NULL;
}

/* Carries at most `limit` bytes from PC to phone, then pulls the cable. */
struct cable {
	int pc, phone;
	size_t limit;
};

static bool carry(int from, int to, size_t *limit)
{
	char buf[256];
	ssize_t n = recv(from, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		return true;
	if (n == 0)
		return false;
	if (limit && (size_t)n >= *limit)
		n = (ssize_t)*limit;
	if (n && send(to, buf, (size_t)n, MSG_NOSIGNAL) < 0)
		return false;
	if (limit)
		*limit -= (size_t)n;
	return !limit || *limit;
}

static void *cable_main(void *arg)
{
	struct cable *c = arg;
	bool up = c->limit > 0;

	while (up) {
		fd_set set;

		FD_ZERO(&set);
		FD_SET(c->pc, &set);
		FD_SET(c->phone, &set);
		select((c->pc > c->phone ? c->pc : c->phone) + 1, &set, NULL,
			NULL, NULL);
		if (FD_ISSET(c->phone, &set))
			up = carry(c->phone, c->pc, NULL);
		if (up && FD_ISSET(c->pc, &set))
			up = carry(c->pc, c->phone, &c->limit);
	}
	shutdown(c->pc, SHUT_RDWR);
	shutdown(c->phone, SHUT_RDWR);
	return NULL;
}

struct outcome {
	cmend_status pc, phone;
	struct cmi_tether_login login;
};

static struct outcome exchange(
	size_t limit, const char *pc_code, const char *phone_code)
{
	int64_t deadline = cmi_mono_ms(NULL) + 5000;
	pthread_t phone_thread, cable_thread;
	struct side phone = {.code = phone_code, .deadline_ms = deadline};
	struct cable cable = {.limit = limit};
	struct outcome o;
	int a[2], b[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
	cable.pc = a[1];
	cable.phone = b[1];
	phone.fd = b[0];
	pthread_create(&phone_thread, NULL, phone_main, &phone);
	pthread_create(&cable_thread, NULL, cable_main, &cable);
	o.pc = cmi_tether_send(a[0], pc_code, &ada, deadline, NULL, NULL);
	shutdown(a[0], SHUT_RDWR);
	shutdown(b[0], SHUT_RD);
	pthread_join(phone_thread, NULL);
	close(a[0]);
	close(b[0]);
	pthread_join(cable_thread, NULL);
	close(a[1]);
	close(b[1]);
	o.phone = phone.status;
	o.login = phone.login;
	return o;
}

static void a_login_crosses(void **state)
{
	struct outcome o = exchange((size_t)1 << 20, CODE, CODE);

	(void)state;
	assert_int_equal(o.pc, CMEND_OK);
	assert_int_equal(o.phone, CMEND_OK);
	assert_string_equal(o.login.user, "ada");
	assert_string_equal(o.login.sip, "sip:ada@corp.example");
	assert_string_equal(o.login.domain, "corp.example");
	assert_string_equal(o.login.password, "correct horse battery");
}

/* Bytes from PC to phone in a whole exchange: HELLO is 1 + 41 + 1, and so on;
 * measured, so that the test notices when it grows. */
static void pulled_at_every_byte(void **state)
{
	size_t whole = 0;

	(void)state;
	for (size_t n = 0; !whole && n < 2048; n++) {
		struct outcome o = exchange(n, CODE, CODE);

		if (o.phone == CMEND_OK) {
			/* All of it went over: nothing less may do. */
			assert_string_equal(
				o.login.password, "correct horse battery");
			whole = n;
		} else {
			assert_int_not_equal(o.pc, CMEND_OK);
			assert_string_equal(o.login.user, "");
			assert_string_equal(o.login.password, "");
		}
	}
	assert_in_range(whole, 150, 400);
}

static void wrong_code_gives_nothing_away(void **state)
{
	struct outcome o = exchange((size_t)1 << 20, "111111", CODE);

	(void)state;
	assert_int_equal(o.pc, CMEND_REFUSED);
	assert_int_not_equal(o.phone, CMEND_OK);
	assert_string_equal(o.login.password, "");
}

/* What a cable left behind when it was pulled does not spoil the next one. */
static void noise_is_passed_by(void **state)
{
	/* Longer than any frame, and than what is kept of one. */
	static char noise[3 * CMI_TETHER_FRAME_MAX] =
		"CMT1 HELLO 16 dead\xff\xfe CMT1 SIG";
	int64_t deadline = cmi_mono_ms(NULL) + 5000;
	struct side phone = {.code = CODE, .deadline_ms = deadline};
	pthread_t thread;
	int a[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	phone.fd = a[1];
	assert_int_equal(send(a[0], noise, sizeof(noise), 0), sizeof(noise));
	pthread_create(&thread, NULL, phone_main, &phone);
	assert_int_equal(
		cmi_tether_send(a[0], CODE, &ada, deadline, NULL, NULL),
		CMEND_OK);
	pthread_join(thread, NULL);
	assert_int_equal(phone.status, CMEND_OK);
	assert_string_equal(phone.login.user, "ada");
	close(a[0]);
	close(a[1]);
}

/* A field that would be two. */
static void no_field_is_smuggled(void **state)
{
	static const struct cmi_tether_login rows[] = {
		{.user = "ada\nuser=eve", .password = "x"},
		{.user = "ada", .sip = "sip:a\rb", .password = "x"},
		{.user = "ada", .domain = "a\nb", .password = "x"},
		{.user = "ada", .password = "x\nuser=eve"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct side phone = {
			.code = CODE, .deadline_ms = cmi_mono_ms(NULL) + 5000};
		pthread_t thread;
		int a[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
		phone.fd = a[1];
		pthread_create(&thread, NULL, phone_main, &phone);
		assert_int_equal(cmi_tether_send(a[0], CODE, &rows[i],
					 phone.deadline_ms, NULL, NULL),
			CMEND_ARG);
		close(a[0]);
		pthread_join(thread, NULL);
		assert_int_equal(phone.status, CMEND_NET);
		assert_string_equal(phone.login.user, "");
		close(a[1]);
	}
}

static void a_silent_end_times_out(void **state)
{
	int a[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	assert_int_equal(cmi_tether_send(a[0], CODE, &ada,
				 cmi_mono_ms(NULL) + 20, NULL, NULL),
		CMEND_TIMEOUT);
	close(a[0]);
	close(a[1]);
}

/* What the PC's end says next; false when it hangs up. */
static bool hear(int fd, struct cmi_buf *store, struct cmi_frame *out)
{
	uint8_t line[CMI_TETHER_FRAME_MAX];
	size_t n = 0;

	while (n < sizeof(line) && recv(fd, line + n, 1, 0) == 1) {
		if (line[n] != '\n') {
			n++;
		} else if (n) {
			assert_int_equal(
				cmi_frame_read((struct cmi_bytes){line, n},
					store, out, NULL),
				CMEND_OK);
			return true;
		}
	}
	return false;
}

struct pc {
	int fd;
	cmend_status status;
};

static void *pc_main(void *arg)
{
	struct pc *pc = arg;

	pc->status = cmi_tether_send(
		pc->fd, CODE, &ada, cmi_mono_ms(NULL) + 5000, NULL, NULL);
	shutdown(pc->fd, SHUT_RDWR);
	return NULL;
}

/* A phone that knows the code, and sends so many bytes of proof.  True: the
 * PC told it the login. */
static bool is_trusted(size_t n_proof)
{
	struct pc pc = {0};
	struct cmi_buf store, said;
	uint8_t proof[EVP_MAX_MD_SIZE] = {0};
	uint8_t all[5 + 2 * CMI_TETHER_NONCE] = "phone"; /* both nonces: */
	struct cmi_frame f;
	pthread_t thread;
	unsigned n = 0;
	bool told;
	int a[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
	pc.fd = a[0];
	pthread_create(&thread, NULL, pc_main, &pc);
	cmi_buf_init(&store, CMI_TETHER_FRAME_MAX);
	cmi_buf_init(&said, CMI_TETHER_FRAME_MAX);
	assert_true(hear(a[1], &store, &f));
	assert_int_equal(f.payload.n, CMI_TETHER_NONCE);
	memcpy(all + 5, f.payload.p, CMI_TETHER_NONCE);
	memset(all + 5 + CMI_TETHER_NONCE, 0x5a, CMI_TETHER_NONCE);
	assert_non_null(HMAC(EVP_sha256(), CODE, (int)strlen(CODE), all,
		sizeof(all), proof, &n));
	cmi_buf_add(&said, all + 5 + CMI_TETHER_NONCE, CMI_TETHER_NONCE);
	cmi_buf_add(&said, proof, n_proof);
	cmi_buf_clear(&store);
	cmi_frame_write(CMI_FRAME_PROVE, cmi_buf_view(&said), &store);
	assert_int_equal(send(a[1], store.p, store.n, 0), (ssize_t)store.n);
	cmi_buf_clear(&store);
	told = hear(a[1], &store, &f) && f.type == CMI_FRAME_SIGNIN;
	close(a[1]);
	pthread_join(thread, NULL);
	close(a[0]);
	assert_int_equal(pc.status, told ? CMEND_NET : CMEND_REFUSED);
	cmi_buf_dispose(&store);
	cmi_buf_dispose(&said);
	return told;
}

/* SHA-256 gives 32 bytes: with one less, or one more that says nothing, it is
 * no proof. */
static void a_proof_is_as_long_as_its_hash(void **state)
{
	(void)state;
	assert_true(is_trusted(32));
	assert_false(is_trusted(0));
	assert_false(is_trusted(31));
	assert_false(is_trusted(33));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_cut_anywhere_is_none),
		cmocka_unit_test(a_frame_with_any_bit_flipped_is_none),
		cmocka_unit_test(other_lines_are_none),
		cmocka_unit_test(a_login_crosses),
		cmocka_unit_test(pulled_at_every_byte),
		cmocka_unit_test(wrong_code_gives_nothing_away),
		cmocka_unit_test(noise_is_passed_by),
		cmocka_unit_test(no_field_is_smuggled),
		cmocka_unit_test(a_silent_end_times_out),
		cmocka_unit_test(a_proof_is_as_long_as_its_hash),
	};

	/* As the program does. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

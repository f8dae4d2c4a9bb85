/* SPDX-License-Identifier: Apache-2.0 */
/* A program that must not block: cmend_complete says which URL it waits for,
 * the program fetches it in its own poll loop, and asks again.
 * usage: event_loop ROOTS.pem LEAF.der
 *
 * The bytes of an answer stay the program's: cmend_job_fetched copies them.
 * The URL is the job's, until the next call with that job. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chainmend/chainmend.h>

static char page[65536 + 4096];

static cmend_bytes read_file(const char *path)
{
	static uint8_t der[65536];
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(der, 1, sizeof(der), f) : 0;

	if (f)
		fclose(f);
	return (cmend_bytes){der, n};
}

/* "http://1.2.3.4:80/path", all that this example's own client knows; the
 * middle of it is what HTTP calls the host. */
static int split(const char *url, struct sockaddr_in *to, char host[80],
	const char **path)
{
	const char *at = url + strlen("http://"), *slash = strchr(at, '/');
	char address[80], *colon;

	if (!slash || slash - at >= 80)
		return -1;
	snprintf(host, 80, "%.*s", (int)(slash - at), at);
	snprintf(address, sizeof(address), "%s", host);
	colon = strchr(address, ':');
	if (colon)
		*colon = 0;
	to->sin_family = AF_INET;
	to->sin_port =
		htons((uint16_t)(colon ? strtoul(colon + 1, NULL, 10) : 80));
	*path = slash;
	return inet_pton(AF_INET, address, &to->sin_addr) == 1 ? 0 : -1;
}

/* One non-blocking GET inside a poll loop.  A real program would watch its
 * other descriptors in the same poll.  Nothing (n of 0) where it failed. */
static cmend_bytes fetch(const char *url)
{
	struct sockaddr_in to = {0};
	const char *path = NULL, *body;
	char request[2400], host[80];
	size_t n = 0;
	int sent = 0, fd;

	if (split(url, &to, host, &path))
		return (cmend_bytes){NULL, 0};
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)connect(fd, (struct sockaddr *)&to, sizeof(to));
	snprintf(request, sizeof(request),
		"GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, host);
	for (;;) {
		struct pollfd p = {fd, sent ? POLLIN : POLLOUT, 0};
		ssize_t got;

		if (poll(&p, 1, 3000) != 1)
			break;
		if (!sent) {
			sent = send(fd, request, strlen(request),
				       MSG_NOSIGNAL) > 0;
			if (!sent)
				break;
			continue;
		}
		got = recv(fd, page + n, sizeof(page) - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	page[n] = 0;
	body = strstr(page, "\r\n\r\n");
	if (!body || strncmp(page, "HTTP/1.", 7) != 0 ||
		strncmp(page + 8, " 200", 4) != 0)
		return (cmend_bytes){NULL, 0};
	body += 4;
	return (cmend_bytes){(const uint8_t *)body, n - (size_t)(body - page)};
}

int main(int argc, char **argv)
{
	cmend_trust *trust = NULL;
	cmend_job *job = NULL;
	cmend_error err = {0};
	cmend_bytes leaf;
	cmend_status status;

	if (argc < 3) {
		fputs("usage: event_loop ROOTS.pem LEAF.der\n", stderr);
		return 2;
	}
	if (cmend_trust_new(&trust, &err) ||
		cmend_trust_add_path(trust, argv[1], &err) ||
		cmend_job_new(trust, &job, &err) ||
		/* CMEND_FETCH_PRIVATE is for a lab; else 0 */
		cmend_job_fetch_later(job, CMEND_FETCH_PRIVATE, &err)) {
		fprintf(stderr, "%s\n", err.message);
		return 2;
	}
	leaf = read_file(argv[2]);
	while ((status = cmend_complete(job, leaf, NULL, 0, &err)) ==
		CMEND_AGAIN) {
		printf("wanted: %s\n", cmend_job_wants(job));
		status = cmend_job_fetched(
			job, fetch(cmend_job_wants(job)), &err);
		/* What was too large counts as refused: the job goes on. */
		if (status && status != CMEND_LIMIT)
			break;
	}
	if (status)
		fprintf(stderr, "%s\n", err.message);
	else if (cmend_job_accepted(job))
		printf("accepted: %zu added\n", cmend_path_added(job));
	else
		printf("refused: %s\n", cmend_job_says(job));
	status = status ? 2 : cmend_job_accepted(job) ? 0 : 1;
	cmend_job_free(job);
	cmend_trust_free(trust);
	return (int)status;
}

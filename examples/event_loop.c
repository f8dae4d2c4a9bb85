/* SPDX-License-Identifier: Apache-2.0 */
/* A program that must not block: cmend_complete says which URL it waits for,
 * the program fetches it in its own poll loop, and asks again.
 * usage: event_loop ROOTS.pem LEAF.der */
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

/* "http://1.2.3.4:80/path", all that this example's own client knows. */
static int split(const char *url, struct sockaddr_in *to, const char **path)
{
	char host[64] = "";
	const char *at = url + strlen("http://"), *slash = strchr(at, '/');
	const char *colon = strchr(at, ':');

	if (!slash || (size_t)(slash - at) >= sizeof(host))
		return -1;
	memcpy(host, at,
		(size_t)((colon && colon < slash ? colon : slash) - at));
	to->sin_family = AF_INET;
	to->sin_port = htons(
		(uint16_t)(colon && colon < slash ? strtoul(colon + 1, NULL, 10)
						  : 80));
	*path = slash;
	return inet_pton(AF_INET, host, &to->sin_addr) == 1 ? 0 : -1;
}

/* One non-blocking GET inside a poll loop.  A real program would watch its
 * other descriptors in the same poll. */
static cmend_bytes fetch(const char *url)
{
	struct sockaddr_in to = {0};
	const char *path = NULL, *body;
	char request[2200];
	size_t n = 0;
	int sent = 0, fd;

	if (split(url, &to, &path))
		return (cmend_bytes){NULL, 0};
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)connect(fd, (struct sockaddr *)&to, sizeof(to));
	snprintf(request, sizeof(request),
		"GET %s HTTP/1.0\r\nHost: pki\r\n\r\n", path);
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
	if (!body || !strstr(page, " 200 "))
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

	if (argc < 3 || cmend_trust_new(&trust, &err) ||
		cmend_trust_add_path(trust, argv[1], &err) ||
		cmend_job_new(trust, &job, &err) ||
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
		if (status)
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jail_output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/limits.h"

void cmi_jail_output_init(
	struct cmi_jail_output *o, const struct cmi_jail *jail)
{
	*o = (struct cmi_jail_output){
		.jail = jail, .page = -1, .cert = -1, .copy.fd = -1};
}

static void let_go(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void cmi_jail_output_dispose(struct cmi_jail_output *o)
{
	let_go(&o->page);
	let_go(&o->cert);
	cmi_draft_dispose(&o->copy);
}

static int room(int *fd, int *give)
{
	*fd = memfd_create("chainmend", MFD_CLOEXEC);
	*give = *fd;
	return *fd < 0 ? errno : 0;
}

int cmi_jail_output_page(struct cmi_jail_output *o, int *give)
{
	if (!o->jail->page || o->page >= 0)
		return EACCES;
	return room(&o->page, give);
}

int cmi_jail_output_copy(struct cmi_jail_output *o, int *give)
{
	if (!o->jail->copy || o->copy.fd >= 0)
		return EACCES;
	errno = EIO;
	if (cmi_draft_open(&o->copy, o->jail->copy, NULL) != CMEND_OK)
		return errno;
	*give = o->copy.fd;
	return 0;
}

static bool is_digest(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool cert_path(
	const struct cmi_jail_output *o, const char *name, char out[4096])
{
	int n = snprintf(out, 4096, "%s/%s.pem", o->jail->certificates, name);

	return n > 0 && n < 4096;
}

int cmi_jail_output_cert(
	struct cmi_jail_output *o, const char *sha256_hex, int *give)
{
	char path[4096];

	if (!o->jail->certificates || !is_digest(sha256_hex))
		return EACCES;
	if (!cert_path(o, sha256_hex, path))
		return ENAMETOOLONG;
	if (access(path, F_OK) == 0)
		return EEXIST;
	let_go(&o->cert);
	memcpy(o->cert_name, sha256_hex, sizeof(o->cert_name));
	return room(&o->cert, give);
}

/* Whatever its offset is: the child wrote through the same one. */
static cmend_status read_back(int fd, struct cmi_buf *out, cmend_error *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return cmi_file_read(path, out, err);
}

int cmi_jail_output_keep_cert(struct cmi_jail_output *o)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem;
	char path[4096];

	cmi_buf_init(&pem, CMI_JAIL_CERT_MAX);
	if (o->cert < 0 || !cert_path(o, o->cert_name, path))
		return EACCES;
	errno = EIO;
	if (read_back(o->cert, &pem, NULL) != CMEND_OK ||
		cmi_file_write(path, cmi_buf_view(&pem), 0644, NULL) !=
			CMEND_OK)
		return errno ? errno : EIO;
	let_go(&o->cert);
	return 0;
}

static cmend_status finish_page(struct cmi_jail_output *o, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf page;

	cmi_buf_init(&page, CMI_FILE_MAX);
	CMI_TRY(read_back(o->page, &page, err));
	return cmi_file_write(o->jail->page, cmi_buf_view(&page), 0644, err);
}

cmend_status cmi_jail_output_finish(struct cmi_jail_output *o, cmend_error *err)
{
	if (o->page >= 0)
		CMI_TRY(finish_page(o, err));
	return o->copy.fd >= 0
		       ? cmi_draft_keep(&o->copy, o->jail->copy, 0644, err)
		       : CMEND_OK;
}

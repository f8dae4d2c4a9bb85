/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/file.h"

static cmend_status fail_errno(cmend_error *err, const char *what)
{
	return cmi_fail(
		err, CMEND_REFUSED, "cannot %s: %s", what, strerror(errno));
}

static cmend_status find_user(
	const char *user, const struct passwd **out, cmend_error *err)
{
	const char *name = user ? user : "nobody";

	errno = 0;
	*out = getpwnam(name);
	return *out ? CMEND_OK
		    : cmi_fail(err, CMEND_NOT_FOUND, "no user \"%s\" here",
			      name);
}

/* EINVAL: this user namespace does not know the user; EPERM: it may not
 * change groups.  Then the capabilities alone have to go. */
static cmend_status become(const struct passwd *p, cmend_error *err)
{
	if (initgroups(p->pw_name, p->pw_gid) < 0 || setgid(p->pw_gid) < 0 ||
		setuid(p->pw_uid) < 0) {
		if (errno == EINVAL || errno == EPERM)
			return CMEND_OK;
		return fail_errno(err, "become another user");
	}
	if (setuid(0) == 0)
		return cmi_fail(err, CMEND_REFUSED,
			"root came back after it was given up");
	return CMEND_OK;
}

/* No wrapper in libc, and libcap is one library more for one call. */
static cmend_status clear_capabilities(cmend_error *err)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	if (syscall(SYS_capset, &head, none) < 0)
		return fail_errno(err, "give up capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail_errno(err, "forbid new rights");
	return CMEND_OK;
}

cmend_status cmi_rights_drop(const char *user, cmend_error *err)
{
	const struct passwd *p;

	if (geteuid() == 0) {
		CMI_TRY(find_user(user, &p, err));
		CMI_TRY(become(p, err));
	}
	return clear_capabilities(err);
}

cmend_status cmi_rights_prepare_dir(
	const char *path, const char *user, cmend_error *err)
{
	const struct passwd *p;
	bool there = access(path, F_OK) == 0;

	CMI_TRY(cmi_file_make_dirs(path, err));
	if (there || geteuid() != 0)
		return CMEND_OK;
	CMI_TRY(find_user(user, &p, err));
	if (chown(path, p->pw_uid, p->pw_gid) < 0 && errno != EINVAL)
		return fail_errno(err, "hand over the directory");
	return CMEND_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PIN policy, as published for the platform: which PINs are taken, and
 * how many failures lock for how long.  Pure rules; boot/ledger applies them.
 */
#ifndef CMI_BOOT_PIN_H
#define CMI_BOOT_PIN_H

#include "core/mem.h"

struct cmi_pin_policy {
	unsigned min_length;  /* 4..24; default 5 */
	unsigned local_max;   /* failures allowed, 1..999; 0: by PIN length */
	unsigned life_days;   /* 1..999; 0: for ever */
	unsigned history;     /* latest PINs that do not come back: 0..20 */
	bool common_patterns; /* allowed */
};
extern const struct cmi_pin_policy cmi_pin_policy_default;

#define CMI_PIN_LENGTH_MIN   4
#define CMI_PIN_LENGTH_MAX   24
#define CMI_PIN_ATTEMPTS_MAX 999
#define CMI_PIN_LIFE_MAX     999
#define CMI_PIN_HISTORY_MAX  20
/* Failures count together inside this window ... */
#define CMI_PIN_WINDOW_S 1800
/* ... and lock for this long, even with the right PIN. */
#define CMI_PIN_LOCK_S 3600

/* CMEND_REFUSED: a number lies outside its bounds, or PINs would end without a
 * history, so that the old one could be set again. */
cmend_status cmi_pin_policy_check(const struct cmi_pin_policy *policy,
	cmend_error *err) __attribute__((warn_unused_result));

/* CMEND_REFUSED with a reason that never quotes the PIN. */
cmend_status cmi_pin_check_new(const struct cmi_pin_policy *policy,
	const char *pin, const char *number, const char *extension,
	cmend_error *err) __attribute__((warn_unused_result));

/* Failures that lock: local (for an hour) and global (until unlocked). */
unsigned cmi_pin_local_max(const struct cmi_pin_policy *policy, size_t length);
unsigned cmi_pin_global_max(size_t length);

/* When a PIN that was set then is too old; 0: never. */
int64_t cmi_pin_ends_s(const struct cmi_pin_policy *policy, int64_t set_s);

#endif

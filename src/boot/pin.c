/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/pin.h"

#include <string.h>

const struct cmi_pin_policy cmi_pin_policy_default = {.min_length = 5};

static cmend_status within(const char *what, unsigned value, unsigned least,
	unsigned most, cmend_error *err)
{
	return value >= least && value <= most
		       ? CMEND_OK
		       : cmi_fail(err, CMEND_REFUSED, "%s is %u to %u, not %u",
				 what, least, most, value);
}

cmend_status cmi_pin_policy_check(
	const struct cmi_pin_policy *policy, cmend_error *err)
{
	CMI_TRY(within("a PIN's least length", policy->min_length,
		CMI_PIN_LENGTH_MIN, CMI_PIN_LENGTH_MAX, err));
	if (policy->local_max)
		CMI_TRY(within("the number of attempts", policy->local_max, 1,
			CMI_PIN_ATTEMPTS_MAX, err));
	CMI_TRY(within("a PIN's life in days", policy->life_days, 0,
		CMI_PIN_LIFE_MAX, err));
	CMI_TRY(within("the history of PINs", policy->history, 0,
		CMI_PIN_HISTORY_MAX, err));
	if (policy->life_days && !policy->history)
		return cmi_fail(err, CMEND_REFUSED,
			"PINs that end need a history of 1 at least");
	return CMEND_OK;
}

int64_t cmi_pin_ends_s(const struct cmi_pin_policy *policy, int64_t set_s)
{
	return policy->life_days ? set_s + INT64_C(86400) * policy->life_days
				 : 0;
}

unsigned cmi_pin_local_max(const struct cmi_pin_policy *policy, size_t length)
{
	if (policy->local_max)
		return policy->local_max;
	return length <= 4 ? 10 : 25;
}

/* For six digits the published table has a gap; they count as longer ones. */
unsigned cmi_pin_global_max(size_t length)
{
	if (length <= 4)
		return 100;
	return length == 5 ? 1000 : 5000;
}

static bool all_same(const char *pin)
{
	return strspn(pin, (char[]){pin[0], 0}) == strlen(pin);
}

/* Four or more digits that count up or down, anywhere in it. */
static bool has_run(const char *pin)
{
	unsigned up = 1, down = 1;

	for (const char *p = pin + 1; *p; p++) {
		up = *p == p[-1] + 1 ? up + 1 : 1;
		down = *p == p[-1] - 1 ? down + 1 : 1;
		if (up >= 4 || down >= 4)
			return true;
	}
	return false;
}

/* Digits of a number as dialled: "+1 (555) 0100" is 15550100. */
static bool same_digits(const char *pin, const char *number)
{
	for (; *number; number++) {
		if (*number < '0' || *number > '9')
			continue;
		if (*pin != *number)
			return false;
		pin++;
	}
	return !*pin;
}

cmend_status cmi_pin_check_new(const struct cmi_pin_policy *policy,
	const char *pin, const char *number, const char *extension,
	cmend_error *err)
{
	size_t n = strlen(pin);

	if (strspn(pin, "0123456789") != n)
		return cmi_fail(err, CMEND_REFUSED, "a PIN has digits only");
	if (n < policy->min_length || n > CMI_PIN_LENGTH_MAX)
		return cmi_fail(err, CMEND_REFUSED, "a PIN has %u to %u digits",
			policy->min_length, CMI_PIN_LENGTH_MAX);
	if (policy->common_patterns)
		return CMEND_OK;
	if (all_same(pin))
		return cmi_fail(
			err, CMEND_REFUSED, "a PIN is not one digit repeated");
	if (has_run(pin))
		return cmi_fail(err, CMEND_REFUSED,
			"a PIN has no four digits in counting order");
	if ((number && same_digits(pin, number)) ||
		(extension && same_digits(pin, extension)))
		return cmi_fail(err, CMEND_REFUSED,
			"a PIN is not the phone's own number");
	return CMEND_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/signals.h"

#include <stddef.h>

volatile sig_atomic_t cmi_signal_stop, cmi_signal_reload;

static void on_signal(int number)
{
	if (number == SIGHUP)
		cmi_signal_reload = 1;
	else
		cmi_signal_stop = 1;
}

void cmi_signals_note(void)
{
	struct sigaction act = {.sa_handler = on_signal};

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals to a command that runs on and on: SIGINT and SIGTERM end it, SIGHUP
 * has it read its settings anew.
 */
#ifndef CMI_CLI_SIGNALS_H
#define CMI_CLI_SIGNALS_H

#include <signal.h>

/* Set by a signal; whoever does as told takes the second back. */
extern volatile sig_atomic_t cmi_signal_stop, cmi_signal_reload;

/* From now on the three are noted here.  Calls that wait are interrupted. */
void cmi_signals_note(void);

#endif

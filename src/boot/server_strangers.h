/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of one event loop that have not made themselves known: no whole
 * request came from them yet.  An idle timeout starts anew with every byte,
 * so who drips a handshake or a head would stay for ever; here the time from
 * accept() counts, and who is late is shut down, which its owner then meets
 * as the end of the connection.
 *
 * Holds a reference to each bufferevent; one that its owner has freed, without
 * a word to us, is let go within a second.  Used by the loop's thread only.
 */
#ifndef CMI_BOOT_SERVER_STRANGERS_H
#define CMI_BOOT_SERVER_STRANGERS_H

#include "core/env.h"

struct bufferevent;
struct event_base;
struct cmi_strangers;

/* env: borrowed, its clock is asked; may be NULL. */
cmend_status cmi_strangers_new(struct event_base *base,
	const struct cmi_env *env, struct cmi_strangers **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* When the owners have freed theirs, and before the base goes.  NULL is
 * fine. */
void cmi_strangers_free(struct cmi_strangers *s);
/* From now on its time counts.  False: no memory. */
bool cmi_strangers_add(struct cmi_strangers *s, struct bufferevent *b)
	__attribute__((warn_unused_result));
/* It has made itself known, or its owner is about to free it; one that is not
 * among them is passed over. */
void cmi_strangers_forget(struct cmi_strangers *s, struct bufferevent *b);

#endif

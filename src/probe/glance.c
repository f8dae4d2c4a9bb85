/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/glance.h"

#include "core/cursor.h"
#include "probe/handshake.h"
#include "wire/tls.h"

static enum cmi_glance read_message(
	struct cmi_dialed *record, const struct cmi_tls_message *message)
{
	struct cmi_tls_seen *t = &record->tls;
	struct cmi_tls_hello hello;

	switch (message->type) {
	case CMI_TLS_SERVER_HELLO:
		if (!cmi_tls_server_hello(message->body, &hello))
			return CMI_GLANCE_NOTHING;
		t->has_server_hello = true;
		t->version = hello.version;
		t->cipher = hello.cipher;
		return CMI_GLANCE_MORE;
	case CMI_TLS_CERTIFICATE:
		cmi_take_certificates(t, message->body, false);
		return CMI_GLANCE_CHAIN;
	case CMI_TLS_SERVER_HELLO_DONE:
		return CMI_GLANCE_NOTHING;
	}
	return CMI_GLANCE_MORE;
}

/* The stream of messages is read from its start each time, since it is short
 * and seldom comes in parts. */
enum cmi_glance cmi_glance(struct cmi_buf *in, struct cmi_dialed *record)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(in)), fragment;
	struct cmi_cursor stream;
	struct cmi_tls_record head;
	struct cmi_tls_message message;
	enum cmi_glance found = CMI_GLANCE_MORE;
	size_t taken = 0;

	while (cmi_tls_record_head(&c, &head) &&
		cmi_cursor_sub(&c, head.length, &fragment)) {
		taken = c.at;
		if (head.type != CMI_TLS_HANDSHAKE)
			return CMI_GLANCE_NOTHING; /* an alert: ask otherwise */
		cmi_buf_add_bytes(&record->bytes, cmi_cursor_rest(&fragment));
	}
	cmi_buf_consume(in, taken);
	if (record->bytes.failed)
		return CMI_GLANCE_NOTHING;
	stream = cmi_cursor_of(cmi_buf_view(&record->bytes));
	while (found == CMI_GLANCE_MORE && cmi_tls_message(&stream, &message))
		found = read_message(record, &message);
	return found;
}

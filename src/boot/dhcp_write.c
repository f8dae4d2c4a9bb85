/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/dhcp_write.h"

#include <stdio.h>

#include "core/cursor.h"
#include "core/text.h"

struct both {
	const struct cmi_uc_options *o;
	struct cmi_bytes v43, v120;
	struct cmi_buf *out;
};

/* "01:0c:4d" */
static void hex_with(struct cmi_buf *out, struct cmi_bytes v,
	const char *between, size_t group)
{
	struct cmi_cursor at = cmi_cursor_of(v);
	size_t i = 0;
	uint8_t b;

	for (; cmi_cursor_u8(&at, &b); i++)
		cmi_buf_printf(
			out, "%s%02x", i && i % group == 0 ? between : "", b);
}

static void write_raw(const struct both *b)
{
	cmi_buf_text(b->out, "option 43   ");
	cmi_hex(b->out, b->v43);
	cmi_buf_text(b->out, "\noption 120  ");
	cmi_hex(b->out, b->v120);
	cmi_buf_text(b->out, "\n");
}

static void write_isc(const struct both *b)
{
	cmi_buf_text(b->out,
		"option uc-sip-server code 120 = string;\n"
		"class \"" CMI_UC_CLASS "\" {\n"
		"\tmatch if option vendor-class-identifier = \"" CMI_UC_CLASS
		"\";\n\toption vendor-encapsulated-options ");
	hex_with(b->out, b->v43, ":", 1);
	cmi_buf_text(b->out, ";\n\toption uc-sip-server ");
	hex_with(b->out, b->v120, ":", 1);
	cmi_buf_text(b->out, ";\n}\n");
}

static void write_kea(const struct both *b)
{
	cmi_buf_text(b->out,
		"\"option-def\": [\n"
		"  { \"name\": \"uc-sip-server\", \"code\": 120, \"space\": "
		"\"dhcp4\", \"type\": \"binary\" }\n],\n"
		"\"client-classes\": [\n  {\n"
		"    \"name\": \"" CMI_UC_CLASS "\",\n"
		"    \"test\": \"option[60].text == '" CMI_UC_CLASS "'\",\n"
		"    \"option-def\": [\n"
		"      { \"name\": \"vendor-encapsulated-options\", \"code\": "
		"43, \"type\": \"binary\" }\n    ],\n"
		"    \"option-data\": [\n"
		"      { \"name\": \"vendor-encapsulated-options\", "
		"\"csv-format\": false, \"data\": \"");
	cmi_hex(b->out, b->v43);
	cmi_buf_text(b->out, "\" },\n      { \"name\": \"uc-sip-server\", "
			     "\"csv-format\": false, \"data\": \"");
	cmi_hex(b->out, b->v120);
	cmi_buf_text(b->out, "\" }\n    ]\n  }\n]\n");
}

static void write_dnsmasq(const struct both *b)
{
	cmi_buf_text(b->out, "dhcp-vendorclass=set:uc," CMI_UC_CLASS
			     "\ndhcp-option-force=tag:uc,43,");
	hex_with(b->out, b->v43, ":", 1);
	cmi_buf_text(b->out, "\ndhcp-option-force=tag:uc,120,");
	hex_with(b->out, b->v120, ":", 1);
	cmi_buf_text(b->out, "\n");
}

/* IOS of 15.1(3)S and later cuts silently at 180 digits: the path's end is
 * lost, and sign-in by PIN is never offered. */
static void write_cisco(const struct both *b)
{
	if (b->v43.n > 90)
		cmi_buf_printf(b->out,
			"! option 43 has %zu hex digits: IOS 15.1(3)S and "
			"later cut it at 180.\n! Take a web server name of 23 "
			"characters at most, or another DHCP server.\n",
			2 * b->v43.n);
	cmi_buf_text(b->out, "ip dhcp pool PHONES\n option 43 hex ");
	hex_with(b->out, b->v43, ".", 2);
	cmi_buf_text(b->out, "\n option 120 hex ");
	hex_with(b->out, b->v120, ".", 2);
	cmi_buf_text(b->out, "\n");
}

static void write_mikrotik(const struct both *b)
{
	cmi_buf_text(b->out, "/ip dhcp-server option\nadd name=uc-43 code=43 "
			     "value=0x");
	cmi_hex(b->out, b->v43);
	cmi_buf_text(b->out, "\nadd name=uc-120 code=120 value=0x");
	cmi_hex(b->out, b->v120);
	cmi_buf_text(b->out, "\n/ip dhcp-server network\nset [find] "
			     "dhcp-option=uc-43,uc-120\n");
}

static void netsh_value(struct cmi_buf *out, unsigned code, const char *value)
{
	cmi_buf_printf(out,
		"netsh dhcp server set optionvalue %u Binary "
		"vendor=MSUCClient \"",
		code);
	cmi_hex(out, cmi_bytes_of(value));
	cmi_buf_text(out, "\"\n");
}

/* Windows puts option 43 together from the vendor's options itself. */
static void write_netsh(const struct both *b)
{
	static const char *const names[] = {"UCIdentifier", "URLScheme",
		"WebServerFqdn", "WebServerPort", "CertProvRelPath"};
	const char *values[] = {b->o->class_id, b->o->scheme, b->o->web,
		b->o->port, b->o->path};

	cmi_buf_text(b->out,
		"netsh dhcp server add class MSUCClient \"UC Vendor Class "
		"Id\" \"" CMI_UC_CLASS "\" 1\n");
	for (unsigned i = 0; i < CMI_LEN(names); i++)
		cmi_buf_printf(b->out,
			"netsh dhcp server add optiondef %u %s Binary 0 "
			"vendor=MSUCClient\n",
			i + 1, names[i]);
	for (unsigned i = 0; i < CMI_LEN(names); i++)
		netsh_value(b->out, i + 1, values[i]);
	cmi_buf_text(b->out, "netsh dhcp server add optiondef 120 UCSipServer "
			     "Binary 0\nnetsh dhcp server set optionvalue 120 "
			     "Binary \"");
	cmi_hex(b->out, b->v120);
	cmi_buf_text(b->out, "\"\n");
}

static const struct {
	const char *name;
	void (*write)(const struct both *b);
} formats[CMI_UC_FORMATS] = {
	[CMI_UC_RAW] = {"raw", write_raw},
	[CMI_UC_ISC] = {"isc", write_isc},
	[CMI_UC_KEA] = {"kea", write_kea},
	[CMI_UC_DNSMASQ] = {"dnsmasq", write_dnsmasq},
	[CMI_UC_CISCO] = {"cisco", write_cisco},
	[CMI_UC_MIKROTIK] = {"mikrotik", write_mikrotik},
	[CMI_UC_NETSH] = {"netsh", write_netsh},
};

const char *cmi_uc_format_name(enum cmi_uc_format f)
{
	return f < CMI_UC_FORMATS ? formats[f].name : NULL;
}

cmend_status cmi_uc_write(enum cmi_uc_format f, const struct cmi_uc_options *o,
	struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf v43, v120;
	struct both b = {.o = o, .out = out};

	cmi_buf_init(&v43, 1024);
	cmi_buf_init(&v120, 1024);
	CMI_TRY(cmi_uc_encode(o, &v43, &v120, err));
	b.v43 = cmi_buf_view(&v43);
	b.v120 = cmi_buf_view(&v120);
	formats[f].write(&b);
	return cmi_buf_status(out, err);
}

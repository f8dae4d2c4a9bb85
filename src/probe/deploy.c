/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/deploy.h"

#include <string.h>

#include "core/text.h"

const struct cmi_deploy cmi_deploys[] = {
	{"nginx", "nginx", "nginx",
		"ssl_certificate     %c;\n"
		"ssl_certificate_key %k;\n",
		"nginx -t && nginx -s reload"},
	{"apache", "Apache 2.4.8 or later", "Apache/",
		"SSLCertificateFile    %c\n"
		"SSLCertificateKeyFile %k\n",
		"apachectl configtest && apachectl graceful"},
	{"haproxy", "HAProxy", NULL,
		"# cat %c %k > /etc/haproxy/site.pem\n"
		"bind :443 ssl crt /etc/haproxy/site.pem\n",
		"haproxy -c -f /etc/haproxy/haproxy.cfg && "
		"systemctl reload haproxy"},
	{"iis", "IIS", "Microsoft-IIS",
		"# openssl pkcs12 -export -in %c -inkey %k -out site.pfx\n"
		"certutil -importpfx site.pfx\n"
		"# Windows sends the chain that it can build: the "
		"intermediates must stand in\n"
		"# \"Intermediate Certification Authorities\" of the computer "
		"account, not of a user;\n"
		"# bind the new certificate to the site afterwards\n",
		NULL},
	{"postfix", "Postfix 3.4 or later", "Postfix",
		"smtpd_tls_chain_files = %k, %c\n", "postfix reload"},
	{"dovecot", "Dovecot 2.3 or before", "Dovecot",
		"ssl_cert = <%c\n"
		"ssl_key  = <%k\n",
		"doveadm reload"},
	{"exim", "Exim", "Exim",
		"tls_certificate = %c\n"
		"tls_privatekey  = %k\n",
		"systemctl reload exim4"},
	{"lighttpd", "lighttpd", "lighttpd",
		"ssl.pemfile = \"%c\"\n"
		"ssl.privkey = \"%k\"\n",
		"lighttpd -tt -f /etc/lighttpd/lighttpd.conf && "
		"systemctl reload lighttpd"},
	{"caddy", "Caddy", "Caddy", "tls %c %k\n", "caddy reload"},
	{"openldap", "OpenLDAP", NULL,
		"olcTLSCertificateFile: %c\n"
		"olcTLSCertificateKeyFile: %k\n",
		NULL},
	{"postgresql", "PostgreSQL", NULL,
		"ssl_cert_file = '%c'\n"
		"ssl_key_file  = '%k'\n",
		"SELECT pg_reload_conf();"},
	{"vsftpd", "vsftpd", "vsFTPd",
		"rsa_cert_file=%c\n"
		"rsa_private_key_file=%k\n",
		"systemctl restart vsftpd"},
	{"tomcat", "Tomcat 8.5 or later", "Apache-Coyote",
		"<Certificate certificateFile=\"%c\"\n"
		"             certificateKeyFile=\"%k\" />\n",
		NULL},
	{NULL, NULL, NULL, NULL, NULL},
};

const struct cmi_deploy *cmi_deploy_by_name(const char *name)
{
	for (const struct cmi_deploy *d = cmi_deploys; d->name; d++)
		if (cmi_text_equal_nocase(
			    cmi_bytes_of(d->name), cmi_bytes_of(name)))
			return d;
	return NULL;
}

void cmi_deploy_names(struct cmi_buf *out)
{
	for (const struct cmi_deploy *d = cmi_deploys; d->name; d++) {
		if (d != cmi_deploys)
			cmi_buf_text(out, d[1].name ? ", " : " and ");
		cmi_buf_text(out, d->name);
	}
}

/* Without regard to case. */
static bool contains(struct cmi_bytes text, const char *word)
{
	size_t n = strlen(word);

	for (; text.n >= n; text.p++, text.n--)
		if (cmi_text_equal_nocase(
			    (struct cmi_bytes){text.p, n}, cmi_bytes_of(word)))
			return true;
	return false;
}

const struct cmi_deploy *cmi_deploy_by_announcement(const char *text)
{
	for (const struct cmi_deploy *d = cmi_deploys; d->name; d++)
		if (d->announces && contains(cmi_bytes_of(text), d->announces))
			return d;
	return NULL;
}

static void write_indent(struct cmi_buf *out, unsigned indent)
{
	while (indent--)
		cmi_buf_u8(out, ' ');
}

void cmi_deploy_write(const struct cmi_deploy *d, const char *chain,
	const char *key, unsigned indent, struct cmi_buf *out)
{
	bool at_start = true;

	for (const char *p = d->lines; *p; p++) {
		if (at_start)
			write_indent(out, indent);
		at_start = *p == '\n';
		if (*p == '%' && (p[1] == 'c' || p[1] == 'k'))
			cmi_safe_text(
				out, cmi_bytes_of(*++p == 'c' ? chain : key));
		else
			cmi_buf_u8(out, (uint8_t)*p);
	}
	if (d->check) {
		write_indent(out, indent);
		cmi_buf_printf(out, "# then: %s\n", d->check);
	}
}

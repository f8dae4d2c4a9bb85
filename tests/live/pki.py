# SPDX-License-Identifier: Apache-2.0
"""Certificates for the live tests, made by the openssl program.

Nothing of chainmend takes part in making them: what the tests compare with
comes from an independent implementation.
"""
import datetime
import hashlib
import re
import subprocess

CONFIG = """
[ca]
default_ca = here
[here]
database = {dir}/index.txt
new_certs_dir = {dir}
serial = {dir}/serial
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[req]
distinguished_name = none
[none]
"""


def openssl(*args, stdin=None):
    done = subprocess.run(["openssl", *map(str, args)], input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError("openssl " + " ".join(map(str, args)) + "\n" +
                           done.stderr.decode(errors="replace"))
    return done.stdout


def asn1_time(when):
    return when.strftime("%Y%m%d%H%M%SZ")


def days_from_now(days):
    return (datetime.datetime.now(datetime.timezone.utc) +
            datetime.timedelta(days=days))


class Cert:
    """A certificate, its key, and (for a CA) the means to issue others."""

    def __init__(self, pki, name, pem, key, issuer):
        self.pki, self.name, self.pem, self.key = pki, name, pem, key
        self.issuer = issuer or self
        self._der = None

    @property
    def der(self):
        if self._der is None:
            self._der = openssl("x509", "-in", self.pem, "-outform", "DER")
        return self._der

    @property
    def sha256(self):
        return hashlib.sha256(self.der).hexdigest()

    @property
    def text(self):
        return self.pem.read_text()

    def issue(self, name, **how):
        """A leaf; see Pki.make."""
        return self.pki.make(name, issuer=self, **how)

    def issue_ca(self, name, **how):
        return self.pki.make(name, issuer=self, ca=True, **how)


class Pki:
    """Makes certificates in one directory, each in files of its own."""

    def __init__(self, directory):
        self.dir = directory
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "index.txt").write_text("")
        self.config = directory / "ca.cnf"
        self.config.write_text(CONFIG.format(dir=directory))
        self.count = 0

    def new_key(self, path, kind):
        if kind == "rsa":
            openssl("genpkey", "-algorithm", "RSA", "-pkeyopt",
                    "rsa_keygen_bits:2048", "-out", path)
        elif kind == "ed25519":
            openssl("genpkey", "-algorithm", "ED25519", "-out", path)
        else:
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", path)

    def make(self, name, issuer=None, ca=False, sans=None, aia=None,
             not_before=None, not_after=None, key="ec", path_len=None,
             usage=None, extra=(), reuse_key=None, sigopts=()):
        """Make one certificate; without an issuer a self-signed one.

        name: the subject's common name; sans: ["DNS:a.example", "IP:::1"]
        (default for a leaf: DNS:name); aia: the caIssuers URL, or a list;
        not_before, not_after: datetime (default: yesterday, and a year on);
        usage: extendedKeyUsage (default for a leaf: serverAuth, clientAuth);
        extra: more extension lines; reuse_key: a Cert whose key to take;
        sigopts: the signer's, such as "rsa_padding_mode:pss".
        """
        self.count += 1
        stem = "%02d-%s" % (self.count, re.sub(r"[^A-Za-z0-9.-]+", "-", name))
        pem = self.dir / (stem + ".pem")
        key_path = self.dir / (stem + ".key")
        if reuse_key:
            key_path = reuse_key.key
        else:
            self.new_key(key_path, key)
        lines = ["subjectKeyIdentifier = hash"]
        if issuer:
            lines.append("authorityKeyIdentifier = keyid")
        if ca:
            lines.append("basicConstraints = critical,CA:TRUE" +
                         ("" if path_len is None else f",pathlen:{path_len}"))
            lines.append("keyUsage = critical,keyCertSign,cRLSign")
        else:
            lines.append("basicConstraints = critical,CA:FALSE")
            lines.append("keyUsage = critical,digitalSignature,keyEncipherment")
            lines.append("extendedKeyUsage = " +
                         (usage or "serverAuth,clientAuth"))
            names = [f"DNS:{name}"] if sans is None else sans
            if names:
                lines.append("subjectAltName = " + ",".join(names))
        urls = [aia] if isinstance(aia, str) else aia or []
        if urls:
            lines.append("authorityInfoAccess = " +
                         ",".join(f"caIssuers;URI:{u}" for u in urls))
        lines += extra
        extensions = self.dir / (stem + ".ext")
        extensions.write_text("\n".join(lines) + "\n")
        request = self.dir / (stem + ".csr")
        openssl("req", "-new", "-config", self.config, "-key", key_path,
                "-subj", f"/CN={name}", "-out", request)
        signer = (["-selfsign", "-keyfile", key_path] if issuer is None else
                  ["-cert", issuer.pem, "-keyfile", issuer.key])
        openssl("ca", "-batch", "-notext", "-config", self.config,
                "-in", request, "-out", pem,
                "-extfile", extensions,
                "-startdate", asn1_time(not_before or days_from_now(-1)),
                "-enddate", asn1_time(not_after or days_from_now(365)),
                *[x for o in sigopts for x in ("-sigopt", o)], *signer)
        return Cert(self, name, pem, key_path, issuer)

    def root(self, name, **how):
        return self.make(name, ca=True, **how)

    def file(self, name, *certs):
        """A PEM file with these certificates, in this order."""
        path = self.dir / name
        path.write_text("".join(c.text for c in certs))
        return path

    def p7b(self, name, *certs):
        """A certs-only PKCS#7 in DER."""
        path = self.dir / name
        openssl("crl2pkcs7", "-nocrl", "-certfile",
                self.file(name + ".pem", *certs), "-outform", "DER",
                "-out", path)
        return path


LOCAL = ["DNS:localhost", "DNS:web.example", "IP:127.0.0.1", "IP:::1"]


class StandardPki(Pki):
    """The certificates that most tests want, valid for localhost,
    web.example and both loopback addresses."""

    def __init__(self, directory):
        super().__init__(directory)
        self.anchor = self.root("Test Root",
                                not_before=days_from_now(-2000),
                                not_after=days_from_now(3650))
        self.intermediate = self.anchor.issue_ca(
            "Test Intermediate", path_len=0,
            not_before=days_from_now(-1000), not_after=days_from_now(2000))
        self.leaf = self.intermediate.issue("web.example", sans=LOCAL)
        self.leaf_direct = self.anchor.issue("web.example", sans=LOCAL)
        self.expired = self.intermediate.issue(
            "web.example", sans=LOCAL, not_before=days_from_now(-60),
            not_after=days_from_now(-30))
        self.not_yet = self.intermediate.issue(
            "web.example", sans=LOCAL, not_before=days_from_now(30),
            not_after=days_from_now(60))
        self.wrong_name = self.intermediate.issue("other.example")
        self.self_signed = self.make("web.example", sans=LOCAL)
        self.stranger = self.root("Unknown Root")
        self.stranger_leaf = self.stranger.issue("web.example", sans=LOCAL)

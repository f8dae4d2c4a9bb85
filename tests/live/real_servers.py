# SPDX-License-Identifier: Apache-2.0
"""Server software as people run it, each with a configuration of its own on a
high port.  A class says how to start it with some lines of TLS configuration;
the lines for a leaf alone are written here, by the server's own manual, and
those for a whole chain are the ones that `mend` prints.
"""
import getpass
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import servers

ROOT = os.geteuid() == 0


def own(path, user):
    """Give a file or a tree to another user."""
    shutil.chown(path, user)
    if path.is_dir():
        for p in path.rglob("*"):
            shutil.chown(p, user)


class Server:
    needs = ()       # programs
    mend = None      # what --server is told
    starttls = None
    only_root = False

    def __init__(self, leaf, key):
        # Not below pytest's own directory, which only one user may enter.
        self.dir = Path(tempfile.mkdtemp(prefix="chainmend-server-"))
        self.dir.chmod(0o755)
        self.port = servers.free_port()
        self.key = self.dir / "key.pem"
        self.key.write_bytes(Path(key).read_bytes())
        self.key.chmod(0o600)
        self.leaf = self.dir / "leaf.pem"
        self.leaf.write_bytes(Path(leaf).read_bytes())
        self.log = self.dir / "log"
        self.process = None

    @property
    def address(self):
        return f"localhost:{self.port}"

    def leaf_lines(self):
        raise NotImplementedError

    def command(self, lines):
        """Writes the configuration; the command that starts the server."""
        raise NotImplementedError

    def start(self, lines):
        command = self.command(lines)
        self.process = servers.Process(command, self.port, self.log,
                                       cwd=self.dir)

    def stop(self):
        if self.process:
            self.process.stop()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def write(self, name, text, mode=0o644):
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path


class Nginx(Server):
    needs, mend = ("nginx",), "nginx"

    def leaf_lines(self):
        return (f"ssl_certificate {self.leaf};\n"
                f"ssl_certificate_key {self.key};\n")

    def command(self, lines):
        temp = "".join(f"{x}_temp_path {self.dir}/{x};\n" for x in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.write("nginx.conf", f"""
daemon off;
pid {self.dir}/pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
access_log off;
{temp}
server {{ listen 127.0.0.1:{self.port} ssl;
{lines} }} }}
""")
        return [servers.program("nginx"), "-c", conf, "-e", "stderr"]


class Apache(Server):
    needs, mend = ("apache2",), "apache"

    def leaf_lines(self):
        return (f"SSLCertificateFile {self.leaf}\n"
                f"SSLCertificateKeyFile {self.key}\n")

    def command(self, lines):
        user = "User nobody\nGroup nogroup\n" if ROOT else ""
        modules = "".join(
            f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"
            for m in ("mpm_event", "authz_core", "ssl"))
        conf = self.write("apache.conf", f"""
{modules}{user}
ServerName localhost
ServerRoot {self.dir}
DefaultRuntimeDir {self.dir}
PidFile {self.dir}/pid
ErrorLog /dev/stderr
Listen 127.0.0.1:{self.port}
SSLSessionCache none
<VirtualHost *:{self.port}>
SSLEngine on
{lines}
</VirtualHost>
""")
        return [servers.program("apache2"), "-f", conf, "-D", "FOREGROUND"]


class Haproxy(Server):
    needs, mend = ("haproxy",), "haproxy"

    def leaf_lines(self):
        both = self.write("leaf-and-key.pem", self.leaf.read_text() +
                          self.key.read_text(), 0o600)
        return f"bind :443 ssl crt {both}\n"

    def command(self, lines):
        for line in lines.splitlines():
            if line.startswith("# cat "):  # as the line says, typed
                line = line[2:].replace("/etc/haproxy", str(self.dir))
                subprocess.run(["sh", "-c", line], check=True)
        lines = "".join(x + "\n" for x in lines.splitlines()
                        if not x.startswith("#"))
        lines = lines.replace("/etc/haproxy", str(self.dir)).replace(
            ":443", f"127.0.0.1:{self.port}")
        conf = self.write("haproxy.cfg", f"""
global
  log stderr format raw local0 err
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend f
  {lines}
  http-request return status 200
""")
        return [servers.program("haproxy"), "-db", "-f", conf]


class Postfix(Server):
    """Its master wants to be root, whatever the port."""
    needs, mend, starttls = ("postfix",), "postfix", "smtp"
    only_root = True

    def leaf_lines(self):
        return f"smtpd_tls_chain_files = {self.key}, {self.leaf}\n"

    def command(self, lines):
        for name in ("queue", "data"):
            (self.dir / name).mkdir(exist_ok=True)
        own(self.dir / "data", "postfix")
        self.write("main.cf", f"""
compatibility_level = 3.6
queue_directory = {self.dir}/queue
data_directory = {self.dir}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = localhost
mynetworks_style = host
inet_interfaces = loopback-only
smtpd_tls_security_level = may
maillog_file = {self.dir}/maillog
maillog_file_prefixes = {self.dir}
{lines}
""")
        self.write("master.cf", f"""
127.0.0.1:{self.port} inet n - n - - smtpd
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
cleanup unix n - n - 0 cleanup
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
""")
        return [servers.program("postfix"), "-c", self.dir, "start-fg"]

    def stop(self):
        if self.process:
            subprocess.run([servers.program("postfix"), "-c", self.dir,
                            "stop"], capture_output=True, timeout=30)
        super().stop()


class Dovecot(Server):
    needs, mend, starttls = ("dovecot",), "dovecot", "imap"
    protocol = "imap"
    only_root = True  # it gives its sockets to its own users

    def leaf_lines(self):
        return f"ssl_cert = <{self.leaf}\nssl_key = <{self.key}\n"

    def command(self, lines):
        user = "" if ROOT else (f"default_internal_user = {getpass.getuser()}\n"
                                f"default_login_user = {getpass.getuser()}\n")
        other = "pop3" if self.protocol == "imap" else "imap"
        conf = self.write("dovecot.conf", f"""
base_dir = {self.dir}/run
state_dir = {self.dir}/state
log_path = /dev/stderr
protocols = {self.protocol}
listen = 127.0.0.1
ssl = yes
{user}{lines}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={self.dir}/home
}}
service {self.protocol}-login {{
  chroot =
  inet_listener {self.protocol} {{
    port = {self.port}
  }}
  inet_listener {self.protocol}s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
""")
        assert f"protocols = {other}" not in conf.read_text()
        return [servers.program("dovecot"), "-F", "-c", conf]


class DovecotPop3(Dovecot):
    starttls = protocol = "pop3"


class Openldap(Server):
    needs, mend, starttls = ("slapd", "slapadd"), "openldap", "ldap"

    def leaf_lines(self):
        return (f"olcTLSCertificateFile: {self.leaf}\n"
                f"olcTLSCertificateKeyFile: {self.key}\n")

    def command(self, lines):
        config = self.dir / "config"
        shutil.rmtree(config, ignore_errors=True)
        config.mkdir()
        ldif = self.write("config.ldif", f"""dn: cn=config
objectClass: olcGlobal
cn: config
olcPidFile: {self.dir}/pid
{lines.strip()}

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

dn: olcDatabase={{0}}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {{0}}config
""")
        done = subprocess.run(
            [servers.program("slapadd"), "-n0", "-F", config, "-l", ldif],
            capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return [servers.program("slapd"), "-d", "0", "-F", config, "-h",
                f"ldap://127.0.0.1:{self.port}/"]


def postgres_program(name):
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


class Postgresql(Server):
    """It refuses to run as root."""
    mend, starttls = "postgresql", "postgres"

    @classmethod
    def missing(cls):
        return None if postgres_program("initdb") else "initdb"

    def leaf_lines(self):
        return f"ssl_cert_file = '{self.leaf}'\nssl_key_file = '{self.key}'\n"

    def as_user(self, *command):
        if not ROOT:
            return list(command)
        return ["setpriv", "--reuid=nobody", "--regid=nogroup",
                "--clear-groups", *command]

    def command(self, lines):
        data = self.dir / "data"
        if ROOT:
            own(self.dir, "nobody")
        if not data.exists():
            done = subprocess.run(
                self.as_user(postgres_program("initdb"), "-D", data, "-N",
                             "-A", "trust", "--no-locale", "-E", "UTF8"),
                capture_output=True, text=True, timeout=60, cwd=self.dir)
            assert done.returncode == 0, done.stderr
        conf = data / "postgresql.conf"
        conf.write_text(f"""
listen_addresses = '127.0.0.1'
port = {self.port}
unix_socket_directories = ''
shared_buffers = 1MB
max_connections = 10
ssl = on
{lines}
""")
        if ROOT:
            own(data, "nobody")
        return self.as_user(postgres_program("postgres"), "-D", data)


class Vsftpd(Server):
    needs, mend, starttls = ("vsftpd",), "vsftpd", "ftp"
    only_root = True

    def leaf_lines(self):
        return f"rsa_cert_file={self.leaf}\nrsa_private_key_file={self.key}\n"

    def command(self, lines):
        (self.dir / "empty").mkdir(exist_ok=True)
        conf = self.write("vsftpd.conf", f"""listen=YES
listen_address=127.0.0.1
listen_port={self.port}
background=NO
anonymous_enable=YES
anon_root={self.dir}/empty
secure_chroot_dir={self.dir}/empty
ftp_username=nobody
nopriv_user=nobody
ssl_enable=YES
allow_anon_ssl=YES
xferlog_enable=NO
seccomp_sandbox=NO
{lines.strip()}
""")
        return [servers.program("vsftpd"), conf]


ALL = [Nginx, Apache, Haproxy, Postfix, Dovecot, DovecotPop3, Openldap,
       Postgresql, Vsftpd]


def why_not(kind):
    """Why this server cannot be run here, or None."""
    if kind.only_root and not ROOT:
        return f"{kind.needs[0]} runs as root only"
    for needed in kind.needs:
        if not servers.program(needed):
            return f"no {needed} on this machine"
    missing = kind.missing() if hasattr(kind, "missing") else None
    return f"no {missing} on this machine" if missing else None



# SPDX-License-Identifier: Apache-2.0
"""A clean system of this machine's release below a directory, made with
debootstrap from where apt has its packages.  Needs root."""
import os
import re
import shutil
import subprocess
from pathlib import Path

# What package management and the kernel write there of themselves.
NOT_OURS = re.compile(r"^/(proc|sys|dev|tmp|run|debs|home)(/|$)|"
                      r"^/var/(lib/(dpkg|apt)|cache|log|tmp|backups)(/|$)|"
                      r"^/etc/ld\.so\.cache$")
# Into the system: its own mounts and processes, and no chroot, since the
# kernel gives no user namespace to who is in one.
ENTER = """set -e
mount --make-rprivate / && mount --bind "$1" "$1" && cd "$1"
mount -t proc proc proc && mount --rbind /dev dev && mkdir -p .old && pivot_root . .old
cd / && umount -l /.old && rmdir /.old
shift && exec "$@"
"""


class Trouble(Exception):
    pass


def say(text):
    print(text, flush=True)


def run(command, what, **how):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, **how)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-25:])
        raise Trouble(f"{tail}\n{what}: exit status {done.returncode}")
    return done.stdout


def mirror():
    """(release, where apt has it from)"""
    release = re.search(r'^VERSION_CODENAME="?(\w+)',
                        Path("/etc/os-release").read_text(), re.M).group(1)
    listed = run(["apt-get", "indextargets", "--format",
                  "$(CODENAME) $(COMPONENT) $(REPO_URI)",
                  "Created-By: Packages"], "apt-get indextargets")
    for line in listed.splitlines():
        words = line.split()
        if words[:2] == [release, "main"]:
            return release, words[2]
    raise Trouble(f"apt knows no place with {release} main")


class System:
    """A clean system below a directory."""

    def __init__(self, root):
        self.root = root

    def make(self):
        """Made anew; an old one may hold anything."""
        release, where = mirror()
        if self.root.exists():
            shutil.rmtree(self.root)
        run(["debootstrap", "--variant=minbase", release, self.root, where],
            "debootstrap")
        shutil.copy("/etc/resolv.conf", self.root / "etc" / "resolv.conf")
        (self.root / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
        policy = self.root / "usr" / "sbin" / "policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        self("apt-get update -qq")

    def __call__(self, script, what=None):
        return run(["unshare", "--mount", "--pid", "--fork", "--kill-child",
                    "sh", "-c", ENTER, "sh", self.root, "env", "-i",
                    "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                    "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
                    "sh", "-ec", script], what or script)

    def apt(self, verb, *words):
        self("apt-get " + verb + " -y -qq --no-install-recommends " +
             " ".join(words))

    def files(self):
        """{name: what it is} of all that packages could have left."""
        found = {}
        for path, folders, names in os.walk(self.root):
            for name in folders + names:
                full = os.path.join(path, name)
                shown = "/" + os.path.relpath(full, self.root)
                if not NOT_OURS.search(shown):
                    s = os.lstat(full)
                    found[shown] = (oct(s.st_mode), s.st_uid, s.st_gid)
        return found

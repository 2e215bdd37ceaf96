"""A resolver of the tests' own that validates, for programs that trust their host's: Unbound (Debian package unbound)."""

import atexit
import os
import subprocess

from checks import await_true, check
from peers import answers, need, run

CONFIGURATION = """server:
  interface: 127.0.0.1@53
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  directory: "{folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  module-config: "validator iterator"
  trust-anchor-file: "{anchor}"
  local-zone: "test." nodefault
forward-zone:
  name: "."
  forward-addr: {forward}
remote-control:
  control-enable: no
"""


class Resolver:
    """Unbound on port 53 of a network of the test's own (network.py): asks a Dns, validates by its anchor, says so by the AD bit."""

    def __init__(self, dns):
        self.resolv_conf = os.path.join(dns.folder, "resolv.conf")
        with open(self.resolv_conf, "w", encoding="ascii") as file:
            file.write("nameserver 127.0.0.1\noptions trust-ad timeout:5 attempts:1\n")
        path = os.path.join(dns.folder, "unbound.conf")
        keys = dns.keys()
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIGURATION.format(folder=dns.folder, anchor=keys["TMAIL_DNS_TRUST_ANCHOR"], forward=keys["TMAIL_DNS_FORWARD"]))
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with  -- lives until done()
            [need("unbound", "unbound"), "-d", "-c", path], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        atexit.register(self.done)
        await_true(lambda: answers("127.0.0.1", 53) or self.process.poll() is not None, "unbound to listen")
        check(self.process.poll() is None, "unbound ended at once")

    def done(self):
        """End it."""
        self.process.kill()
        self.process.wait()

    def run(self, *words):
        """Run a program for which this is the host's resolver, in a mount namespace of its own; return all that it said."""
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@" 2>&1'
        return run(need("unshare", "util-linux"), "--mount", "/bin/sh", "-c", script, self.resolv_conf, *words)

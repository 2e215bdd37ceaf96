#!/usr/bin/python3
"""Mail by MX to servers of another house (aiosmtpd, Debian package python3-aiosmtpd), one behind each kind of zone, on port 25."""

import collections
import logging
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from checks import AT_END  # noqa: E402  pylint: disable=wrong-import-position
from dns import Dns, Zone, tlsa  # noqa: E402  pylint: disable=wrong-import-position
from network import in_own_network  # noqa: E402  pylint: disable=wrong-import-position
from policies import Page, PolicyServer, policy  # noqa: E402  pylint: disable=wrong-import-position
from tmail import (ME, Certificates, Failure, Gateway, await_true, equal, fresh_loopback,  # noqa: E402  pylint: disable=wrong-import-position
                   main, server_context)

try:
    from aiosmtpd.controller import Controller
except ImportError:
    Controller = None

in_own_network()  # for the ports 25 and 443

# `records` are those of CASE.test, where {hop} is the address of a server of its own. `certificate` is that of the server: for `mx.CASE.test`
# ("good"), for another name, or None: it offers no STARTTLS. `outcome`: how the mail arrived, or the status with which it waits or fails.
Case = collections.namedtuple("Case", "records outcome kind certificate policy", defaults=("secure", "good", None))
MX = "@ MX 10 mx\nmx A {hop}\n"
GOOD = MX + "_25._tcp.mx TLSA {good}"
WRONG = MX + "_25._tcp.mx TLSA 3 1 1 " + 64 * "0"

CASES = {
    "signed": Case(MX, "TLS"),
    "signed-without-tls": Case(MX, "plain", certificate=None),
    "tlsa-good": Case(GOOD, "TLS"),
    "tlsa-good-for-another-name": Case(GOOD, "TLS", certificate="other"),
    "tlsa-good-without-tls": Case(GOOD, "4.7.4", certificate=None),
    "tlsa-wrong": Case(WRONG, "4.7.5"),
    "tlsa-unusable": Case(MX + "_25._tcp.mx TLSA 1 1 1 " + 64 * "0", "TLS"),
    "tlsa-unusable-without-tls": Case(MX + "_25._tcp.mx TLSA 1 1 1 " + 64 * "0", "4.7.4", certificate=None),
    "tlsa-in-an-unsigned-zone": Case(WRONG, "TLS", "insecure"),
    "alias": Case("@ MX 10 other\nother CNAME mx\nmx A {hop}\n_25._tcp.mx TLSA {good}", "TLS"),
    "unsigned": Case(MX, "TLS", "insecure"),
    "bogus": Case(MX, "4.4.3", "bogus"),
    "expired": Case(MX, "4.4.3", "expired"),
    "no-mx": Case("@ A {hop}", "TLS"),
    "null-mx": Case("@ MX 0 .", "5.1.10"),
    "nothing": Case("@ TXT x", "5.1.2"),
    "nowhere": Case("@ MX 10 nowhere", "4.4.4"),
    "us": Case("@ MX 10 {me}.", "5.4.6"),
    "enforced": Case(MX, "TLS", "insecure", policy="enforce"),
    "enforced-with-another-name": Case(MX, "4.7.5", "insecure", "other", "enforce"),
    "enforced-without-tls": Case(MX, "4.7.4", "insecure", None, "enforce"),
    "tested-with-another-name": Case(MX, "TLS", "insecure", "other", "testing"),
}
AUTHORITY = Certificates()


class Hop:
    """An aiosmtpd of its own: `taken` has a message for each that came, `TLS` or `plain`."""

    def __init__(self, name, certificate):
        self.address, self.taken = fresh_loopback(), []
        self.pair = certificate and AUTHORITY.make(name, hosts=[f"{'mx' if certificate == 'good' else certificate}.{name}.test"], ips=[])
        tls = {"tls_context": server_context(self.pair)} if self.pair else {}
        self.controller = Controller(self, hostname=self.address, port=25, **tls)
        self.controller.start()

    async def handle_DATA(self, server, _session, envelope):  # pylint: disable=invalid-name  -- aiosmtpd's name
        """Note how it came."""
        self.taken.append(("TLS" if server.transport.get_extra_info("ssl_object") else "plain", envelope.rcpt_tos))
        return "250 2.0.0 Kept"


class World:
    """All of it, with a message on its way to each."""

    made = None

    def __init__(self):
        if Controller is None:
            raise Failure("package python3-aiosmtpd is missing")
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)
        self.hops = {name: Hop(name, case.certificate) for name, case in CASES.items() if "{hop}" in case.records}
        self.dns = Dns(*(self.zone(name, case) for name, case in CASES.items()))
        strict = [name for name, case in CASES.items() if case.policy]
        self.web = PolicyServer(AUTHORITY.make("web", hosts=[f"mta-sts.{name}.test" for name in strict], ips=[]))
        for name in strict:
            self.web.pages[f"mta-sts.{name}.test"] = Page(policy(f"mx.{name}.test", mode=CASES[name].policy))
        self.gateway = Gateway({**self.dns.keys(), "TMAIL_DNS_TIMEOUT": "10s", "TMAIL_TLS_CA_FILE": AUTHORITY.ca})
        self.gateway.tmail("relayip", "add", "127.0.0.1")
        with self.gateway.session() as session:
            session.mail("a@client.example", [f"u@{name}.test" for name in CASES], b"Subject: for aiosmtpd\r\n\r\nHello.\r\n")
            session.quit()
        AT_END.append(self.done)

    def zone(self, name, case):
        """Its records, filled in."""
        hop = self.hops.get(name)
        good = tlsa(hop.pair.cert) if hop and hop.pair else "3 1 1 " + 64 * "0"
        records = case.records.format(hop=hop and hop.address, good=good, me=ME)
        if case.policy:
            records += "\n_mta-sts TXT \"v=STSv1; id=1;\"\nmta-sts A 127.0.0.1"
        return Zone(f"{name}.test", records, case.kind)

    def done(self):
        """End everything."""
        self.gateway.done()
        self.web.done()
        self.dns.done()
        for hop in self.hops.values():
            hop.controller.stop()

    @classmethod
    def of(cls):
        """The only one."""
        cls.made = cls.made or cls()
        return cls.made

    def outcome(self, name):
        """How the mail for it arrived, or the status in the log once it is settled."""
        line = self.gateway.await_log(rf"event=(delivered|deferred|failed) .*recipient=u@{name}\.test .*?status=([0-9.]+)")
        if line[1] != "delivered":
            return line[2]
        taken = self.hops[name].taken
        await_true(lambda: taken, f"mail for {name}")
        equal(taken[0][1], [f"u@{name}.test"], "recipients")
        return taken[0][0]


def judged(name, case):
    """The test of a case."""
    def test():
        world = World.of()
        equal(world.outcome(name), case.outcome, "outcome")
        if case.outcome[0] in "45" and name in world.hops:
            equal(world.hops[name].taken, [], "mail")
    return test


if __name__ == "__main__":
    main({name: judged(name, case) for name, case in CASES.items()})

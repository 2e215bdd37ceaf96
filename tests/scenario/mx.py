#!/usr/bin/python3
"""RFC 5321 section 5.1, RFC 7505, RFC 4035 and issue 4, item 2: where mail goes by MX; what waits, and what fails at once."""

import collections
import contextlib
import functools
import itertools
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dns import Dns, Zone  # noqa: E402  pylint: disable=wrong-import-position
from tmail import (ME, PATIENCE, Gateway, Sink, await_true, check, equal, free_port,  # noqa: E402  pylint: disable=wrong-import-position
                   fresh_loopback, main, run_program)

# `records` are those of CASE.mx.test; `a` to `c` are hosts with a next hop behind them, `d` to `k` hosts where nobody listens, `us` is the
# gateway. `{a}` is the address of a. `outcome` is who gets the mail, or the status; nobody else is connected to, but for the hosts that
# are `scripted`. `{domain}` in `recipient` is CASE.mx.test.
Case = collections.namedtuple("Case", "records outcome recipient scripted", defaults=("u@{domain}", {}))

HOST = re.compile(r"(?:MX \d+|CNAME) ([a-k]|us)$|\{([a-k])\}", re.M)
TEXT = b"Subject: x\r\n\r\n"
BUSY, CLOSED = ("greeting: 421 4.3.2 Busy; close",), ("greeting: 554 5.3.2 No service; close",)

CASES = {
    # RFC 5321 section 5.1: in order of preference, each that can be had
    "order-of-preference": Case("@ MX 20 b\n@ MX 10 a\n@ MX 30 c", "a"),
    "preferences-are-numbers": Case("@ MX 100 b\n@ MX 9 a", "a"),
    "the-highest-preference": Case("@ MX 65535 a", "a"),
    "first-host-down": Case("@ MX 10 d\n@ MX 20 a\n@ MX 30 b", "a"),
    "first-hosts-down": Case("@ MX 10 d\n@ MX 10 e\n@ MX 15 f\n@ MX 20 a", "a"),
    "first-host-busy": Case("@ MX 10 b\n@ MX 20 a", "a", scripted={"b": BUSY}),
    "first-host-without-service": Case("@ MX 10 b\n@ MX 20 a", "a", scripted={"b": CLOSED}),
    "first-host-does-not-exist": Case("@ MX 10 nowhere\n@ MX 20 a\n@ MX 30 b", "a"),
    "first-host-has-no-address": Case("@ MX 10 text\ntext TXT x\n@ MX 20 a", "a"),
    "first-host-is-an-alias-of-nothing": Case("@ MX 10 alias\nalias CNAME nowhere\n@ MX 20 a", "a"),
    "second-address-of-a-host": Case("@ MX 10 two\ntwo A {d}\ntwo A {a}\n@ MX 20 b", "a"),
    "the-same-host-twice": Case("@ MX 10 d\n@ MX 20 d\n@ MX 30 a", "a"),
    "all-hosts-down": Case("@ MX 10 d\n@ MX 20 e", "4.4.1"),
    "all-hosts-busy": Case("@ MX 10 a\n@ MX 20 b", "4.3.2", scripted={"a": BUSY, "b": BUSY}),
    "all-hosts-without-service": Case("@ MX 10 a\n@ MX 20 b", "4.3.2", scripted={"a": CLOSED, "b": CLOSED}),
    # sixty records fit into no datagram; of a hundred the best count
    "sixty-records": Case("\n".join([*(f"@ MX {number} h{number}\nh{number} A {{b}}" for number in range(10, 70)), "@ MX 5 d",
                                     "@ MX 6 a"]), "a"),
    "a-hundred-records": Case("\n".join([*(f"@ MX {number} h{number}\nh{number} A {{b}}" for number in range(101, 200)),
                                        "@ MX 100 a"]), "a"),
    # the domain itself, where it has no MX, and only then
    "no-MX-and-an-address": Case("@ A {a}", "a"),
    "an-MX-and-an-address": Case("@ MX 10 a\n@ A {b}", "a"),
    "an-MX-that-is-down-and-an-address": Case("@ MX 10 d\n@ A {b}", "4.4.1"),
    "an-MX-to-nowhere-and-an-address": Case("@ MX 10 nowhere\n@ A {b}", "4.4.4"),
    "no-MX-and-an-address-that-is-down": Case("@ A {d}", "4.4.1"),
    "no-MX-and-no-address": Case("@ TXT x", "5.1.2"),
    "nothing-but-names-below": Case("x TXT x", "5.1.2"),
    "no-such-domain": Case(None, "5.1.2"),
    "no-such-domain-below-one-that-is": Case("@ MX 10 a", "5.1.2", recipient="u@sub.{domain}"),
    # RFC 7505
    "null-MX": Case("@ MX 0 .", "5.1.10"),
    "null-MX-and-an-address": Case("@ MX 0 .\n@ A {a}", "5.1.10"),
    "null-MX-beside-another": Case("@ MX 0 .\n@ MX 10 a", "a"),
    # hosts that nobody finds: the administrator there may have mistyped
    "MX-to-nowhere": Case("@ MX 10 nowhere\n@ MX 20 text\ntext TXT x", "4.4.4"),
    "MX-to-a-top-level-domain-that-is-not": Case("@ MX 10 mail.nosuchtld.", "4.4.4"),
    "MX-to-an-address-for-a-name": Case("@ MX 10 {a}.", "4.4.4"),
    "MX-to-no-name-of-a-host": Case("@ MX 10 a\\000b\\010c\n@ MX 20 a", "a"),
    "MX-to-a-name-with-an-underscore": Case("@ MX 10 a_b\na_b A {a}", "a"),
    "MX-to-the-unspecified-address": Case("@ MX 10 zero\nzero A 0.0.0.0", "4.4.4"),
    # ourselves: only what is preferred to us may have it (RFC 5321 section 5.1)
    "us-by-name": Case(f"@ MX 10 {ME}.", "5.4.6"),
    "us-by-name-and-others-behind": Case(f"@ MX 10 {ME}.\n@ MX 20 a", "5.4.6"),
    "us-by-name-and-an-equal": Case(f"@ MX 10 {ME}.\n@ MX 10 a\n@ MX 10 b", "5.4.6"),
    "us-by-address": Case("@ MX 10 us", "5.4.6"),
    "us-by-IPv6-address": Case("@ MX 10 us6\nus6 AAAA ::1", "5.4.6"),
    "us-by-one-of-two-addresses": Case("@ MX 10 both\nboth A {a}\nboth A 127.0.0.1", "5.4.6"),
    "us-by-address-and-others-behind": Case("@ MX 10 us\n@ MX 20 a", "5.4.6"),
    "us-by-address-and-equals": Case("@ MX 10 us\n@ MX 10 a\n@ MX 10 b\n@ MX 10 c", "5.4.6"),
    "us-by-address-without-MX": Case("@ A 127.0.0.1", "5.4.6"),
    "us-by-an-alias": Case("@ MX 10 alias\nalias CNAME us", "5.4.6"),
    "we-are-the-backup": Case(f"@ MX 10 a\n@ MX 20 {ME}.\n@ MX 30 b", "a"),
    "we-are-the-backup-by-address": Case("@ MX 10 a\n@ MX 20 us\n@ MX 30 b", "a"),
    "we-are-the-backup-of-one-that-is-down": Case(f"@ MX 10 d\n@ MX 20 {ME}.\n@ MX 30 b", "4.4.1"),
    "we-are-the-backup-by-address-of-one-that-is-down": Case("@ MX 10 d\n@ MX 20 us\n@ MX 30 b", "4.4.1"),
    "we-are-one-of-many-backups": Case(f"@ MX 10 d\n@ MX 20 {ME}.\n@ MX 20 a\n@ MX 20 b\n@ MX 20 c", "4.4.1"),
    "we-are-one-of-many-backups-by-address": Case("@ MX 10 d\n@ MX 20 us\n@ MX 20 a\n@ MX 20 b\n@ MX 20 c", "4.4.1"),
    # aliases
    "alias-of-a-domain": Case("real MX 10 a\nalias CNAME real", "a", "u@alias.{domain}"),
    "alias-of-a-domain-without-MX": Case("real A {a}\nalias CNAME real", "a", "u@alias.{domain}"),
    "alias-of-an-alias": Case("real MX 10 a\none CNAME two\ntwo CNAME real", "a", "u@one.{domain}"),
    "alias-of-a-null-MX": Case("real MX 0 .\nalias CNAME real", "5.1.10", "u@alias.{domain}"),
    "alias-of-nothing": Case("alias CNAME nowhere", "5.1.2", "u@alias.{domain}"),
    "alias-of-itself": Case("alias CNAME alias2\nalias2 CNAME alias", "4.4.3", "u@alias.{domain}"),
    "alias-in-another-zone": Case("alias CNAME domain.plain.test.", "plain", "u@alias.{domain}"),
    "MX-to-an-alias": Case("@ MX 10 alias\nalias CNAME a\n@ MX 20 b", "a"),
    # names
    "wildcard": Case("*.wild MX 10 a", "a", "u@any.name.wild.{domain}"),
    "case-of-letters": Case("@ MX 10 a", "a", "u@Case-Of-LETTERS.MX.Test"),
    "not-ASCII": Case("xn--bcher-kva MX 10 a", "a", "u@bücher.{domain}"),
    "not-ASCII-as-its-ASCII-form": Case("xn--bcher-kva MX 10 a", "a", "u@xn--bcher-kva.{domain}"),
    # address literals are addresses (RFC 5321 section 4.1.3)
    "address-literal": Case("", "a", "u@[{a}]"),
    "address-literal-where-nobody-listens": Case("", "4.4.1", "u@[{d}]"),
    "address-literal-that-is-us": Case("", "5.4.6", "u@[127.0.0.1]"),
    "IPv6-address-literal-that-is-us": Case("", "5.4.6", "u@[IPv6:::1]"),
    # without DNSSEC
    "insecure": Case("", "plain", "u@domain.plain.test"),
}


def status_of(gateway, recipient):
    """Wait until the first attempt is over and has failed; return the status of the recipient in the queue, and its enhanced code."""
    said = gateway.await_log(rf" event=(deferred|failed|delivered) .*recipient={re.escape(recipient)} .* status=(\d\.\d+\.\d+)")
    check(said[1] != "delivered", f"{recipient} was delivered: {said.string}")
    entry = gateway.await_queue(lambda entries: next((entry for entry in entries if entry["recipient"] == recipient and entry["attempts"]
                                                      and entry["status"] in ("scheduled", "failed")), None), f"an attempt for {recipient}")
    check(entry["status"] != "failed" or not entry["reason"][:3].isdigit(), f"not a verdict of ours: {entry['reason']}")
    return entry["status"], said[2]


def expect_status(gateway, recipient, status, *sinks):
    """A first attempt ends like this: `failed` for a permanent status, `scheduled` for a temporary one; nobody was connected to."""
    equal(status_of(gateway, recipient), ("failed" if status[0] == "5" else "scheduled", status), f"status of {recipient}")
    equal([session.commands for sink in sinks for session in sink.sessions], [], "sessions")


def relaying(dns, port, **keys):
    """A gateway that relays for this host, asks this DNS, and sends by MX to this port."""
    gateway = Gateway({**dns.keys(), **{f"TMAIL_{key}": value for key, value in keys.items()}})
    gateway.tmail("relayip", "add", "127.0.0.1")
    gateway.tmail("routes", "add", "-rh", "mx", "-rp", str(port))
    return gateway


def send(gateway, *recipients):
    """Send a message to each."""
    with gateway.session() as client:
        for recipient in recipients:
            client.mail("a@client.example", [recipient], TEXT, "" if recipient.isascii() else "SMTPUTF8")
        client.quit()


def recipients_of(sink):
    """All that it took mail for."""
    return [recipient for message in list(sink.messages) for recipient in message.recipients]


class World:
    """All cases at once: a DNS, a gateway, the next hops of each case; every mail is sent before the first is looked for."""

    made = None

    @classmethod
    def get(cls):
        """The one of this script."""
        cls.made = cls.made or cls()
        return cls.made

    def __init__(self):
        self.gateway = Gateway(start=False)
        self.plain = Sink(port=self.gateway.port)
        self.sinks, self.recipients, records = {}, {}, []
        for name, case in CASES.items():
            domain, hosts = f"{name.lower()}.mx.test", self._hosts(case)
            self.recipients[name] = case.recipient.format(domain=domain, **hosts)
            self.sinks[name] = {host: Sink(hosts[host], case.scripted.get(host, ()), port=self.gateway.port)
                                for host in hosts if host in "abc"}
            if case.records is not None:
                records += [f"$ORIGIN {domain}.", *(f"{host} A {address}" for host, address in hosts.items())]
                records.append(case.records.format(**hosts))
        self.dns = Dns(Zone("mx.test", "\n".join(records)),
                       Zone("plain.test", f"domain MX 10 host\nhost A {self.plain.address}", "insecure"))
        self.gateway.config |= self.dns.keys() | {"TMAIL_SMTP_MAX_RCPT": "1000"}
        self.gateway.write_config()
        self.gateway.start()
        self.gateway.tmail("relayip", "add", "127.0.0.1")
        self.gateway.tmail("routes", "add", "-rh", "mx", "-rp", str(self.gateway.port))
        send(self.gateway, *self.recipients.values())

    @staticmethod
    def _hosts(case):
        """The addresses of the hosts that a case speaks of."""
        named = {host for pair in HOST.findall(f"{case.records}\n{case.recipient}") for host in pair if host}
        return {host: "127.0.0.1" if host == "us" else fresh_loopback() for host in sorted(named)}


def judged(name, case):
    """The test of a case."""
    def test():
        world = World.get()
        recipient, sinks = world.recipients[name], world.sinks[name]
        if case.outcome[0].isdigit():
            expect_status(world.gateway, recipient, case.outcome)
        else:
            sink = sinks.get(case.outcome, world.plain)
            sink.wait_for(lambda sink: recipient in recipients_of(sink), f"mail for {recipient}")
            world.gateway.await_log(rf"event=delivered .*{re.escape(recipient)}.* attempts=1 ")
        strangers = {host for host, sink in sinks.items() if sink.sessions} - {case.outcome, *case.scripted}
        equal(strangers, set(), "who else was connected to")
    return test


# --- equal preferences ---

def test_equal_preferences_share_the_mail():
    """And so do the addresses of a host. Forty messages, each over a connection of its own: all to one is not by chance."""
    sinks = {host: [fresh_loopback(), fresh_loopback()] for host in ("equal", "addresses")}
    port = free_port([address for pair in sinks.values() for address in pair])
    records = ["equal MX 10 one.equal", "equal MX 10 two.equal", "equal MX 20 d", "d A 127.0.0.1", "addresses MX 10 both.addresses"]
    records += [f"{name}.equal A {address}" for name, address in zip(("one", "two"), sinks["equal"])]
    records += [f"both.addresses A {address}" for address in sinks["addresses"]]
    with contextlib.ExitStack() as stack:
        opened = {host: [stack.enter_context(Sink(address, port=port)) for address in pair] for host, pair in sinks.items()}
        dns = stack.enter_context(Dns(Zone("share.test", "\n".join(records))))
        gateway = stack.enter_context(relaying(dns, port, DELIVERD_CONNECTION_MESSAGES="1"))
        for host, pair in opened.items():
            send(gateway, *(f"u{number}@{host}.share.test" for number in range(40)))
            gateway.await_empty_queue()
            equal(sum(len(sink.messages) for sink in pair), 40, "messages")
            check(all(sink.messages for sink in pair), f"{host}: all went to one")


# --- IPv4 and IPv6 ---

FAMILIES = {
    # preference: who gets the mail of hosts with both; the same, when IPv6 is down; when IPv4 is down
    "ipv6": ("six", "four", "six"),
    "ipv4": ("four", "four", "six"),
    "ipv6-only": ("six", None, "six"),
    "ipv4-only": ("four", "four", None),
}


def by_family(preference):
    """The test of a value of TMAIL_DELIVERD_IP_PREFERENCE."""
    def test():
        for down, outcome in zip((None, "six", "four"), FAMILIES[preference]):
            port, four = free_port(), fresh_loopback()
            records = f"mx MX 10 both\nboth A {four}\nboth AAAA ::1\nimplicit A {four}\nimplicit AAAA ::1"
            with (Dns(Zone("both.test", records)) as dns, Sink(four, port=port, listening=down != "four") as sink4,
                  Sink("::1", port=port, listening=down != "six") as sink6,
                  relaying(dns, port, DELIVERD_IP_PREFERENCE=preference, DELIVERD_CONNECTION_MESSAGES="1") as gateway):
                mails = [f"u{number}@{domain}.both.test" for number in range(4) for domain in ("mx", "implicit")]
                send(gateway, *mails)
                if outcome:
                    gateway.await_empty_queue()
                    equal(sorted(recipients_of({"four": sink4, "six": sink6}[outcome])), sorted(mails), f"mail to {outcome} ({down} down)")
                else:
                    # Who comes when the hop is known to be down is not tried for it.
                    gateway.await_queue(lambda entries: len(entries) == len(mails) and all("Cannot connect" in entry["reason"] for entry in entries),
                                        "nobody to be connected to")
                    equal((sink4.messages, sink6.messages), ([], []), "messages")
    return test


def test_a_host_without_an_address_of_the_only_family():
    """Is one that cannot be reached from here; the next one is."""
    port, four = free_port(), fresh_loopback()
    records = f"one MX 10 six\none MX 20 four\nsix AAAA ::1\nfour A {four}\nnone MX 10 six"
    with (Dns(Zone("fam.test", records)) as dns, Sink(four, port=port) as sink4, Sink("::1", port=port) as sink6,
          relaying(dns, port, DELIVERD_IP_PREFERENCE="ipv4-only") as gateway):
        send(gateway, "u@one.fam.test", "u@none.fam.test")
        sink4.wait(1)
        expect_status(gateway, "u@none.fam.test", "4.4.4", sink6)
        equal(dns.count("six.fam.test", "AAAA"), 0, "questions for AAAA")


def test_a_limit_on_addresses_reaches_both_families():
    """They take turns: many dead addresses of one do not hide the other."""
    port, four = free_port(), fresh_loopback()
    records = "@ MX 10 both\n" + "\n".join(f"both AAAA fd00::{number}" for number in range(1, 21)) + f"\nboth A {four}"
    with (Dns(Zone("turns.test", records)) as dns, Sink(four, port=port) as sink,
          relaying(dns, port, DELIVERD_ADDRESS_LIMIT="2", DELIVERD_CONNECT_TIMEOUT="1s") as gateway):
        send(gateway, "u@turns.test")
        sink.wait(1)


def limited(limit, records):
    """The test that so many connections are made in an attempt; a message may come over the last that is allowed."""
    def test():
        addresses = [fresh_loopback() for _ in range(14)]
        port = free_port(addresses)
        text = "\n".join(records.format(number=number, address=address) for number, address in enumerate(addresses))
        with contextlib.ExitStack() as stack:
            sinks = [stack.enter_context(Sink(address, BUSY, port=port)) for address in addresses]
            dns = stack.enter_context(Dns(Zone("limit.test", f"@ MX 10 many\n{text}")))
            gateway = stack.enter_context(relaying(dns, port, **({"DELIVERD_ADDRESS_LIMIT": str(limit)} if limit else {})))
            send(gateway, "u@limit.test")
            expect_status(gateway, "u@limit.test", "4.3.2")
            equal(sum(len(sink.sessions) for sink in sinks), limit or 10, "connections")
            equal(max(len(sink.sessions) for sink in sinks), 1, "connections to one address")
    return test


LIMITS = {
    "at-most-ten-connections-an-attempt-to-a-host-of-many-addresses": limited(None, "many A {address}"),
    "at-most-ten-connections-an-attempt-to-many-hosts": limited(None, "@ MX {number} h{number}\nh{number} A {address}"),
    "at-most-three-connections-an-attempt": limited(3, "@ MX {number} h{number}\nh{number} A {address}"),
    "at-most-one-connection-an-attempt": limited(1, "@ MX {number} h{number}\nh{number} A {address}"),
}


# --- a DNS that fails ---

# libunbound takes a key that did not validate for bad for a minute, whatever happens; nothing waits longer.
RECOVERY = PATIENCE + 60
HOP = "@ MX 10 host\nhost A {address}\n"

# Zones that cannot be trusted, by their kind, and faults of the servers of one zone: the action, and for which questions.
KINDS = ("bogus", "bogus MX", "bogus A AAAA NSEC", "expired", "wrong-ds")
LAME = {f"{action.split()[0]}-{'-'.join(types).lower().replace('*', 'all')}": (action, types)
        for action, types in itertools.product(("silent", "servfail"), (("MX",), ("A", "AAAA"), ("DNSKEY",), ("*",)))}
LAME |= {action: (action, ("*",)) for action in ("refused", "nxdomain", "garbage", "bad-id", "stripped")}
# Faults of the resolver.
DOWN = {action: (action, ("*",)) for action in ("silent", "servfail", "refused", "formerr", "nxdomain", "garbage", "bad-id", "stripped")}
DOWN |= {"servfail-dnskey": ("servfail", ("DNSKEY",)), "silent-dnskey": ("silent", ("DNSKEY",))}


class Outage:
    """A DNS with zones that each lead to the same next hop, and a gateway that has mail for them; nothing is cached for long."""

    def __init__(self, zones, faults):
        self.sink, self.names = Sink(), list(zones)
        self.dns = Dns(*(self._zone(name, kind) for name, kind in zones.items()))
        for name, (action, types) in faults.items():
            for kind in types:
                self.dns.fault(action, name, kind)
        self.gateway = relaying(self.dns, self.sink.port, DNS_TIMEOUT="2s")
        send(self.gateway, *map(self.recipient, self.names))

    def _zone(self, name, kind="secure"):
        return Zone(name, HOP.format(address=self.sink.address), kind, ttl=1)

    @staticmethod
    def recipient(name):
        """Whose mail goes to this zone."""
        return f"u@{name}"

    def expect_deferred(self, name):
        """Nothing that can be trusted was found, and so nothing was done."""
        expect_status(self.gateway, self.recipient(name), "4.4.3")
        check(self.recipient(name) not in recipients_of(self.sink), "it was sent")

    @functools.cached_property
    def is_mended(self):
        """Everything is as it should be, from when this is first asked for on."""
        for name in self.names:
            self.expect_deferred(name)
        equal(self.sink.sessions, [], "sessions")
        self.dns.mend()
        self.dns.update(*map(self._zone, self.names))
        return True

    def expect_recovery(self, name):
        """What failed is forgotten sooner or later, without a restart, and the mail goes, once."""
        def came():
            self.gateway.tmail("queue", "flush")
            time.sleep(0.5)
            return self.recipient(name) in recipients_of(self.sink)
        check(self.is_mended, "mended")
        await_true(came, lambda: f"mail to come after the DNS was mended; the queue: {self.gateway.queue()!r}", RECOVERY)
        equal(recipients_of(self.sink).count(self.recipient(name)), 1, "copies")

    @classmethod
    @functools.cache
    def of_zones(cls):
        """The one with a working resolver, and zones each of which is broken in its own way."""
        zones = {f"{name}.test": "secure" for name in LAME} | {f"{kind.replace(' ', '-').lower()}.test": kind for kind in KINDS}
        return cls(zones, {f".{name}.test": fault for name, fault in LAME.items()})

    @classmethod
    @functools.cache
    def of_resolvers(cls):
        """Those with good zones, and a resolver that does not do its work, by its fault."""
        return {name: cls({"hop.test": "secure"}, {"*": fault}) for name, fault in DOWN.items()}


def outage_tests():
    """First what fails, last what comes of it when all is well again: that takes its time, and other tests go on in between."""
    deferred, recovered = {}, {}
    for zone in (*LAME, *(kind.replace(" ", "-").lower() for kind in KINDS)):
        deferred[f"a-zone-that-is-{zone}-is-not-trusted"] = lambda zone=f"{zone}.test": Outage.of_zones().expect_deferred(zone)
        recovered[f"a-zone-that-was-{zone}-is-trusted-again"] = lambda zone=f"{zone}.test": Outage.of_zones().expect_recovery(zone)
    for down in DOWN:
        deferred[f"a-resolver-that-is-{down}-is-not-trusted"] = lambda down=down: Outage.of_resolvers()[down].expect_deferred("hop.test")
        recovered[f"a-resolver-that-was-{down}-is-used-again"] = lambda down=down: Outage.of_resolvers()[down].expect_recovery("hop.test")
    return deferred, recovered


@contextlib.contextmanager
def one_hop(kind="secure", **keys):
    """A DNS with the zone hop.test, the next hop there, and a gateway."""
    with Sink() as sink, Dns(Zone("hop.test", HOP.format(address=sink.address), kind)) as dns:
        with relaying(dns, sink.port, **{"DNS_TIMEOUT": "2s", **keys}) as gateway:
            yield dns, sink, gateway


def test_zones_that_fail_disturb_no_other():
    """Mail to a hundred domains whose servers are dead waits, and all other mail goes, at its first attempt."""
    good, bad = [f"u@d{number}.good.test" for number in range(100)], [f"u@d{number}.dead.test" for number in range(100)]
    with Sink() as sink, Dns(Zone("good.test", f"* MX 10 host\nhost A {sink.address}"), Zone("dead.test", "* MX 10 host")) as dns:
        dns.fault("silent", ".dead.test")
        with relaying(dns, sink.port, DNS_TIMEOUT="2s") as gateway:
            send(gateway, *(recipient for pair in zip(bad, good) for recipient in pair))
            sink.wait(100)
            for recipient in good:
                gateway.await_log(rf"event=delivered .*recipient={re.escape(recipient)} .* attempts=1 ")
            for recipient in bad:
                expect_status(gateway, recipient, "4.4.3")
            equal(sorted(recipients_of(sink)), sorted(good), "mail")


def test_a_slow_resolver_is_waited_for():
    """As long as the key says."""
    with one_hop(DNS_TIMEOUT="20s") as (dns, sink, gateway):
        dns.fault("delay 1", "hop.test")
        send(gateway, "u@hop.test")
        sink.wait(1)
        gateway.await_log("event=delivered .* attempts=1 ")


def test_a_resolver_that_cuts_every_datagram():
    """Is asked by TCP."""
    with one_hop() as (dns, sink, gateway):
        dns.fault("truncated")
        send(gateway, "u@hop.test")
        sink.wait(1)


def test_a_host_whose_lookup_fails_is_skipped():
    """However it fails; a host that comes next, and can be found, has the mail."""
    for fault in ("servfail", "silent"):
        with Sink() as sink, Dns(Zone("skip.test", f"@ MX 10 bad\n@ MX 20 good\nbad A 127.0.0.9\ngood A {sink.address}")) as dns:
            dns.fault(fault, "bad.skip.test")
            with relaying(dns, sink.port, DNS_TIMEOUT="2s") as gateway:
                send(gateway, "u@skip.test")
                sink.wait(1)
                gateway.await_log("event=delivered .* attempts=1 ")


def test_one_family_whose_lookup_fails_does_not_hide_the_other():
    """The host has an address, and that is enough."""
    with one_hop() as (dns, sink, gateway):
        dns.fault("servfail", "host.hop.test", "AAAA")
        send(gateway, "u@hop.test")
        sink.wait(1)


def test_an_alias_into_a_bogus_zone():
    """What is signed leads to what is not to be trusted."""
    with Sink() as sink, Dns(Zone("good.test", "alias CNAME bad.test.\n@ MX 10 host.bad.test."),
                             Zone("bad.test", HOP.format(address=sink.address), "bogus")) as dns:
        with relaying(dns, sink.port, DNS_TIMEOUT="2s") as gateway:
            for recipient in ("u@alias.good.test", "u@good.test"):
                send(gateway, recipient)
                expect_status(gateway, recipient, "4.4.3", sink)


def test_a_domain_that_a_bogus_zone_says_is_not_there():
    """Is not known not to be there."""
    with one_hop("bogus") as (_, sink, gateway):
        for recipient in ("u@nothing.hop.test", "u@host.hop.test"):
            send(gateway, recipient)
            expect_status(gateway, recipient, "4.4.3", sink)


def test_without_validation_a_bogus_zone_is_taken():
    """TMAIL_DNSSEC=false."""
    with one_hop("bogus", DNSSEC="false") as (_, sink, gateway):
        send(gateway, "u@hop.test")
        sink.wait(1)


def test_a_zone_that_is_declared_insecure():
    """TMAIL_DNS_UNBOUND_CONF says what other keys do not."""
    with one_hop("bogus") as (_, sink, gateway):
        gateway.config["TMAIL_DNS_UNBOUND_CONF"] = gateway.write_file("fragment.conf", 'server:\n  domain-insecure: "hop.test"\n')
        gateway.restart()
        send(gateway, "u@hop.test")
        sink.wait(1)


def test_files_that_cannot_be_read_stop_the_start():
    """With the name of the file."""
    for key, texts in {"TMAIL_DNS_UNBOUND_CONF": ("server:\n  no-such-word: 1\n", "nonsense\n"),
                       "TMAIL_DNS_TRUST_ANCHOR": ("nonsense\n", "")}.items():
        for text in texts:
            with Gateway(start=False) as gateway:
                gateway.config[key] = gateway.write_file("broken.file", text)
                gateway.write_config()
                result = run_program("-c", gateway.config_path, "run")
                check(result.status != 0, f"{key}: it started with {text!r}")
                check("broken.file" in result.out + result.err, f"{key}: the file is not named: {result.out!r} {result.err!r}")


# --- hosts that routes name ---

def test_the_host_of_a_route_is_found_by_the_same_DNS():
    """One that does not exist is the administrator's mistake, and a lie of the DNS nobody's: both wait."""
    with Sink() as sink, Dns(Zone("good.test", f"host A {sink.address}\nalias CNAME host\nnull MX 0 .\nnull A {sink.address}"),
                             Zone("bad.test", f"host A {sink.address}", "bogus")) as dns:
        with relaying(dns, sink.port, DNS_TIMEOUT="2s") as gateway:
            hosts = {"host.good.test": None, "alias.good.test": None, "null.good.test": None, "nowhere.good.test": "4.4.4",
                     "host.bad.test": "4.4.3"}
            for host in hosts:
                gateway.tmail("routes", "add", "-d", f"to.{host}", "-rh", host, "-rp", str(sink.port))
            send(gateway, *(f"u@to.{host}" for host in hosts))
            sink.wait(3)
            for host, status in hosts.items():
                if status:
                    expect_status(gateway, f"u@to.{host}", status)
            equal(sorted(recipients_of(sink)), sorted(f"u@to.{host}" for host in hosts if not hosts[host]), "mail")
            equal(dns.count("to.host.good.test"), 0, "questions for the destination")


if __name__ == "__main__":
    DEFERRED, RECOVERED = outage_tests()
    main({**DEFERRED, **{name: judged(name, case) for name, case in CASES.items()},
          **{f"families-{preference}": by_family(preference) for preference in FAMILIES}, **LIMITS, **RECOVERED})

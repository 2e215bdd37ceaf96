"""A world of destinations for TLS policies: the zones, servers, policies and gateways of the cases of tls_cases.py.

Needs a network of its own (network.py), for the ports 25 and 443.
"""

import collections
import functools
import json
import re
from concurrent.futures import ThreadPoolExecutor

from certificates import Certificates, Pair
from dns import Dns, Zone, tlsa
from gateway import Gateway
from policies import Page, PolicyServer, policy
from sink import Sink
from tls import server_context
from tls_cases import BROKEN, FAULTS, SERVERS, ZONES

AUTHORITY, PRIVATE = Certificates(), Certificates(name="a private CA")
SORTS = {"good": {}, "expired": {"expired": True}, "self-signed": {"signed_by": "self"}, "private": {"signed_by": PRIVATE},
         "private-expired": {"signed_by": PRIVATE, "expired": True}, "private-alone": {"signed_by": PRIVATE}}
SHOW_THEIR_CA = ("private", "private-expired")


@functools.cache
def web():
    """The web server of all policies."""
    return PolicyServer(AUTHORITY.make("nobody", hosts=["nobody.example"], ips=[]))


class Destination:
    """A case with its names: `hosts` are those of its hosts, `aliases` those in its MX records, `target` what an alias stands for."""

    def __init__(self, case, number):
        self.case, self.domain, self.target = case, f"d{number}.{case.zone}.test", f"t{number}.secure.test"
        self.hosts = [f"h{number}-{nth}.{host.zone}.test" for nth, host in enumerate(case.hosts, 1)]
        if case.shape == "implicit":
            self.hosts[0] = self.domain
        self.aliases = [f"a{number}-{nth}.{host.alias}.test" if host.alias else name
                        for nth, (host, name) in enumerate(zip(case.hosts, self.hosts), 1)]
        if case.shape == "implicit alias":
            self.aliases[0] = self.domain
        self.sinks = []

    def policy(self):
        """The text of its policy."""
        named = [self.aliases[who - 1] if isinstance(who, int) else who for who in self.case.named if who not in (1, 2)[len(self.aliases):]]
        return policy(*named, mode=self.case.policy)

    def records(self, association):
        """All its records, each with the name first. `association` makes the data of a TLSA record."""
        mail = self.target if self.case.shape == "alias" else self.domain
        if mail != self.domain:
            yield self.domain, f"CNAME {mail}."
        for nth, (host, name, alias, sink) in enumerate(zip(self.case.hosts, self.hosts, self.aliases, self.sinks), 1):
            if "implicit" not in self.case.shape:
                yield mail, f"MX {10 * nth} {alias}."
            if alias != name:
                yield alias, f"CNAME {name}."
            yield name, f"A {sink.address}"
            for owner, text in ((name, host.tlsa), (alias, host.alias_tlsa)):
                for record in filter(None, text.split("; ")):
                    yield f"_25._tcp.{owner}", f"TLSA {association(record)}"
        if not self.case.shape:  # who gives up on the MX must not go there
            yield self.domain, f"A {self.sinks[0].address}"
        if self.case.policy:
            yield f"_mta-sts.{self.domain}", 'TXT "v=STSv1; id=1;"'
            yield f"mta-sts.{self.domain}", "A 127.0.0.1"


class World:
    """Cases, by name: their zones, servers and policies. `at` are the Destinations, `groups` what was sent there."""

    def __init__(self, cases):
        self.cases, self.at = cases, {name: Destination(case, number) for number, (name, case) in enumerate(cases.items())}
        self.subjects = self._subjects()
        self.pairs = {name: AUTHORITY.make(name, **{"hosts": self.subjects[whose], "ips": [], **SORTS[sort]})
                      for name, (whose, sort) in SERVERS.items()}
        self.contexts = {name: server_context(self._shown(name)) for name in SERVERS}
        records = collections.defaultdict(list)
        for there in self.at.values():
            there.sinks = [self._sink(host.server) for host in there.case.hosts]
            for name, record in there.records(self.association):
                label, zone, _ = name.rsplit(".", 2)
                records[zone].append(f"{label} {record}")
        self.dns = Dns(*(Zone(f"{zone}.test", "\n".join(records[zone]), kind) for zone, kind in ZONES.items()))
        self._fail()
        web_pair = AUTHORITY.make("web", hosts=[f"mta-sts.{there.domain}" for there in self.at.values()], ips=[])
        for there in self.at.values():
            web().pairs[f"mta-sts.{there.domain}"] = web_pair
            web().pages[f"mta-sts.{there.domain}"] = Page(there.policy())
        self.groups = {}

    def _subjects(self):
        """The names that stand in certificates."""
        everywhere = self.at.values()
        domains = {there.domain for there in everywhere}
        hosts = {host for there in everywhere for host in there.hosts} - domains
        aliases = {alias for there in everywhere for alias in there.aliases} - domains - hosts
        return {"hosts": sorted(hosts), "aliases": sorted(aliases) or ["none.example"], "domains": sorted(domains),
                "targets": sorted(there.target for there in everywhere), "other": ["other.example"]}

    def _shown(self, name):
        """What a server shows: its certificate, and that of the CA behind it for some."""
        pair = self.pairs[name]
        if SERVERS[name][1] not in SHOW_THEIR_CA:
            return pair
        chain = Pair(f"{pair.cert}.chain", pair.key)
        with open(chain.cert, "wb") as file:
            file.write(pair.read()[0] + PRIVATE.pair.read()[0])
        return chain

    def _sink(self, server):
        shown = "good" if server in BROKEN else server
        return Sink(port=25, script=[BROKEN[server]] if server in BROKEN else [], tls=self.contexts.get(shown))

    def _fail(self):
        for zone, fault in FAULTS.items():
            self.dns.fault(fault, f".{zone}.test", "MX")
        for there in self.at.values():
            for host, name in zip(there.case.hosts, there.hosts):
                if host.fault:
                    self.dns.fault(host.fault, f"_25._tcp.{name}", "TLSA")

    def association(self, text):
        """The data of a TLSA record, given as in Host.tlsa."""
        parameters, whose = text.rsplit(" ", 1)
        if whose == "short":
            return f"{parameters} abcdef"
        usage, selector, matching = parameters.split()
        cert = PRIVATE.ca if whose == "CA" else self.pairs[whose].cert
        return f"{parameters} {tlsa(cert, f'{usage} {selector} {min(int(matching), 2)}').split()[3]}"

    def group(self, name):
        """The Group that a case is in."""
        keys = self.cases[name].keys
        if keys not in self.groups:
            self.groups[keys] = Group(self, keys)
        return self.groups[keys]


class Group:
    """A gateway with certain keys, and all cases that have them: explained, then sent at once, to be judged one by one.

    By name of the case: `explained`, `recipients`, and `ends`, the event and status of the first attempt. `queue` by recipient.
    """

    def __init__(self, world, keys):
        self.world, self.gateway = world, gateway_with(world.dns, **dict(keys))
        cases = [name for name, case in world.cases.items() if case.keys == keys]
        self.recipients = {name: f"b@{world.at[name].domain}" for name in cases}
        for there in filter(lambda there: there.case.route, map(world.at.get, cases)):
            kind, rule = there.case.route
            self.gateway.tmail("routes", "add", "-d", there.domain, "-rh", "mx" if kind == "mx" else there.aliases[0],
                               *(("--tls", rule) if rule else ()))
        with ThreadPoolExecutor(50) as idle, ThreadPoolExecutor(4) as busy:
            told = {name: (idle if is_silent(world.cases[name]) else busy).submit(explain, self.gateway, recipient)
                    for name, recipient in self.recipients.items()}
            self.explained = {name: future.result() for name, future in told.items()}
        send(self.gateway, *self.recipients.values())
        self.ends = {name: end_of(self.gateway, recipient) for name, recipient in self.recipients.items()}
        self.queue = {entry["recipient"]: entry for entry in self.gateway.queue()}

    def message(self, name):
        """The message that came, and the number of its host; or None twice."""
        for nth, sink in enumerate(self.world.at[name].sinks, 1):
            if sink.messages:
                return sink.messages[0], nth
        return None, None

    def outcome(self, name):
        """What became of the message, in the words of Case.outcome."""
        message, nth = self.message(name)
        return at_host("TLS" if message.session.tls else "plain", nth) if message else self.ends[name][1]


def is_silent(case):
    """Whether the time-out of the DNS is waited for."""
    return "silent" in (FAULTS.get(case.zone), *(host.fault for host in case.hosts))


def at_host(outcome, nth):
    """An outcome at a host, in the words of Case.outcome."""
    return outcome if nth == 1 else f"{outcome} at {nth}"


def gateway_with(dns, **keys):
    """A gateway that relays for this host, asks this DNS, trusts the authority of the tests, and keeps no connection."""
    gateway = Gateway({**dns.keys(), "TMAIL_TLS_CA_FILE": AUTHORITY.ca, "TMAIL_DELIVERD_REMOTE_TIMEOUT": "10s",
                       "TMAIL_DNS_TIMEOUT": "5s", "TMAIL_DELIVERD_CONNECTION_IDLE": "0", "TMAIL_DELIVERD_DEAD_HOST_TIME": "0",
                       **{f"TMAIL_{key}": value for key, value in keys.items()}})
    gateway.tmail("relayip", "add", "127.0.0.1")
    return gateway


def explain(gateway, recipient):
    """What `tmail explain` says of a message to this recipient."""
    return json.loads(gateway.tmail("explain", "--from", "a@client.example", "--to", recipient, "--json"))


def send(gateway, *recipients):
    """Send a message to each."""
    with gateway.session() as client:
        for recipient in recipients:
            client.mail("a@client.example", [recipient], b"Subject: x\r\n\r\n")
        client.quit()


def end_of(gateway, recipient):
    """The event and the status of the first attempt."""
    return gateway.await_log(rf"event=(delivered|deferred|failed) .*recipient={re.escape(recipient)} .*\bstatus=([0-9.]+)").groups()

#!/usr/bin/python3
"""RFC 7672, RFC 8461 and issue 4: each case of lib/tls_cases.py, as its servers and the queue saw it, and as `explain` told before."""

import functools
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from destinations import World, at_host, web  # noqa: E402  pylint: disable=wrong-import-position
from network import in_own_network  # noqa: E402  pylint: disable=wrong-import-position
from tls_cases import CASES, NO_STARTTLS, SERVERS  # noqa: E402  pylint: disable=wrong-import-position
from tmail import check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

in_own_network()  # for the ports 25 and 443


@functools.cache
def world():
    """All cases."""
    return World(CASES)


def judged(name, case):
    """The test of what became of a case."""
    def test():
        group, there = world().group(name), world().at[name]
        event, status = group.ends[name]
        entry = group.queue.get(group.recipients[name])
        equal(group.outcome(name), case.outcome, f"outcome ({event} {status} {entry and entry['reason']})")
        message, _ = group.message(name)
        equal(sum(len(sink.messages) + len(sink.refused) for sink in there.sinks), 1 if message else 0, "messages at all hosts")
        if message:
            equal((event, entry), ("delivered", None), "end and queue")
        else:
            equal((event, entry and entry["status"], entry and entry["attempts"]), ("deferred", "scheduled", 1), "end and queue")
            verbs = {line.split()[0] for sink in there.sinks for session in sink.sessions for line in session.commands}
            check(not verbs & {b"MAIL", b"RCPT", b"DATA", b"BDAT"}, f"the envelope was said: {verbs}")
        for host, sink in zip(case.hosts, there.sinks):
            if case.outcome == "4.4.3" or case.outcome == "TLS at 2" and (host.fault or host.zone in ("lying-hosts", "bogus-hosts")):
                equal(len(sink.sessions), 0, "connections to one that must not be spoken to")
        if case.sni:
            names = {"host": there.hosts[0], "alias": there.aliases[0], "domain": there.domain}
            equal(message.session.secure.sni, names[case.sni], "SNI (RFC 7672 8.1, RFC 8461 4.1)")
    return test


# --- what `explain` says is what then happens ---

def subjects_of(server):
    """The names in a server's certificate."""
    return set(world().subjects[SERVERS[server][0]])


@functools.cache
def provable(server, by_name):
    """The TLSA records of which one proves a server: of its certificate (RFC 7672 3.1.1), or of the CA that it shows (3.1.2)."""
    usages = {"3": server} | ({"2": "CA"} if by_name and SERVERS[server][1] == "private" else {})
    return {world().association(f"{usage} {selector} {matching} {whose}")
            for usage, whose in usages.items() for selector in "01" for matching in "012"}


def foretold_of_host(host, server, names):
    """What `explain` says of a host, put together with how its server is known to behave. `names`: those of the destination."""
    if host["status"][0] != "2":
        return host["status"]
    tls = host["tls"]
    if tls["policy"] == "none" or tls["policy"] == "may" and server == NO_STARTTLS:
        return "plain"
    if server not in SERVERS:
        return "plain" if tls["fallback"] else {"breaking": "4.7.5"}.get(server, "4.7.4")
    proven = True
    if tls["policy"] == "verify":
        proven = SERVERS[server][1] == "good" and host["name"] in subjects_of(server)
    elif tls["policy"] == "dane":
        named = bool(subjects_of(server) & {*names, tls["tlsa_name"].removeprefix("_25._tcp.")})
        proven = bool(provable(server, named) & set(tls["tlsa"]))
    return "TLS" if proven else "4.7.5"


def foretold(explained, servers, target):
    """The outcome by the words of `explain`. `servers`: by name of the host. `target`: what the domain stands for where it is an alias."""
    outcome, hop = explained["status"], explained["hops"][0]
    names = {explained["domain"], target} if hop["kind"] == "mx" else {hop["host"]}  # RFC 7672 3.2.2
    for nth, host in enumerate(hop["hosts"], 1):
        outcome = foretold_of_host(host, servers[host["name"]], names)
        if outcome in ("TLS", "plain"):
            return at_host(outcome, nth)
    return outcome


def compared(name, case):
    """The test that what `explain` said is what then happened."""
    def test():
        group, there = world().group(name), world().at[name]
        explained = group.explained[name]
        equal(explained["domain"], there.domain, "domain")
        servers = {label: host.server for host, *labels in zip(case.hosts, there.hosts, there.aliases) for label in labels}
        equal(group.outcome(name), foretold(explained, servers, there.target), f"what came of {json.dumps(explained)}")
    return test


def test_no_policy_is_asked_for_where_dane_decides_or_it_is_turned_off():
    """RFC 8461 2: it would change nothing."""
    asked = {name: web().count(f"mta-sts.{world().at[name].domain}") for name, case in CASES.items() if case.policy and world().group(name)}
    unasked = ("MX-secure-TLSA-good-policy", "MX-secure-TLSA-wrong-policy", "MTA-STS-false", "DELIVERD-REMOTE-TLS-none", "route-to-host",
               "route-to-mx-none", "route-to-mx-may", "route-to-mx-encrypt", "policy-and-a-proven")
    for name, count in asked.items():
        if name.startswith(unasked):
            equal(count, 0, f"requests for {name}")
    check(asked["policy-has-a-pattern"], "the server is one that counts")


def test_explain_tells_why_a_host_is_passed_by():
    """By a policy, and by an unanswered question."""
    name = "policy-names-the-second-host"
    hop, = world().group(name).explained[name]["hops"]
    equal((hop["mta_sts"]["mode"], hop["mta_sts"]["mx"]), ("enforce", world().at[name].hosts[1:]), "policy")
    equal([(host["status"], bool(host["reason"])) for host in hop["hosts"]], [("4.7.5", True), ("2.0.0", False)], "hosts")
    name = "records-servfail-and-another-host"
    hop, = world().group(name).explained[name]["hops"]
    equal([(host["status"], bool(host["reason"])) for host in hop["hosts"]], [("4.4.3", True), ("2.0.0", False)], "hosts")
    equal([host["tls"]["dane"] for host in hop["hosts"]], ["failed", "none"], "DANE")


if __name__ == "__main__":
    main({**{name: judged(name, case) for name, case in CASES.items()},
          **{f"explain-foretells-{name}": compared(name, case) for name, case in CASES.items()}})

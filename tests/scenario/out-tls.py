#!/usr/bin/python3
"""RFC 3207, RFC 8314 and issue 3, item 4: each policy against each next hop: what is sent under TLS, in plain text, or not yet."""

import collections
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import (Certificates, Gateway, Sink, check, equal, main,  # noqa: E402  pylint: disable=wrong-import-position
                   server_context)

Case = collections.namedtuple("Case", "keys rule hop outcome")

AUTHORITY = Certificates()
STANDARD, STRICT, NO_FALLBACK, VERIFYING = {}, {"SKIPVERIFY": "false", "FALLBACK": "false"}, {"FALLBACK": "false"}, {"SKIPVERIFY": "false"}

# Certificates of next hops: what Certificates.make is told beside the address.
CERTIFICATES = {
    "good": {},
    "expired": {"expired": True},
    "self-signed": {"signed_by": "self"},
    "wrong-name": {"ips": ["192.0.2.1"], "hosts": ["other.example"]},
    "unknown-authority": {"signed_by": Certificates(name="another CA")},
}
# Next hops whose STARTTLS comes to nothing, by their rule.
BROKEN = {
    "refusing": "STARTTLS: 454 4.7.0 TLS not available",
    "refusing-for-good": "STARTTLS: 554 5.7.0 Never",
    "closing": "STARTTLS: 220 2.0.0 Go ahead; close",
    "resetting": "STARTTLS: 220 2.0.0 Go ahead; reset",
    "talking-on": "STARTTLS: 220 2.0.0 Go ahead; raw 250 what handshake?\\r\\n; hang",
    "closing-at-once": "STARTTLS: close",
}
REFUSING = ("refusing", "refusing-for-good")

# What becomes of the mail: `TLS`, `plain`, or the status with which it waits. A policy against certificates, and against BROKEN.
OUTCOMES = [
    # keys, rule, certificate that is good, certificates that are not, not offered, STARTTLS refused, STARTTLS broken
    (STANDARD, "none", "plain", "plain", "plain", "plain", "plain"),
    (STANDARD, "may", "TLS", "TLS", "plain", "plain", "plain"),
    (STANDARD, "encrypt", "TLS", "TLS", "4.7.4", "4.7.4", "4.7.5"),
    (STANDARD, "verify", "TLS", "4.7.5", "4.7.4", "4.7.4", "4.7.5"),
    (VERIFYING, "may", "TLS", "plain", "plain", "plain", "plain"),
    (VERIFYING, "encrypt", "TLS", "TLS", "4.7.4", "4.7.4", "4.7.5"),
    (NO_FALLBACK, "may", "TLS", "TLS", "plain", "4.7.4", "4.7.5"),
    (STRICT, "may", "TLS", "4.7.5", "plain", "4.7.4", "4.7.5"),
]


def cases():
    """The whole table, by name."""
    for keys, rule, good, bad, absent, refused, broken in OUTCOMES:
        head = "-".join((rule, *(f"{key.lower()}-{value}" for key, value in keys.items()), "to-one-with"))
        for name in CERTIFICATES:
            yield f"{head}-a-certificate-{name}", Case(keys, rule, name, good if name == "good" else bad)
        yield f"{head}-no-STARTTLS", Case(keys, rule, None, absent)
        for name in BROKEN:
            outcome = refused if name in REFUSING else broken
            if name == "closing-at-once" and outcome == "4.7.5":
                outcome = "4."
            yield f"{head}-STARTTLS-{name}", Case(keys, rule, name, outcome)
    for rule, name, outcome in (("smtps", "good", "TLS"), ("smtps", "expired", "TLS"), ("smtps", None, "4.7.5"),
                                ("encrypt+smtps", "self-signed", "TLS"), ("verify+smtps", "good", "TLS"),
                                ("verify+smtps", "expired", "4.7.5"), ("verify+smtps", "wrong-name", "4.7.5"),
                                ("verify+smtps", None, "4.7.5"), ("may+smtps", "good", "TLS")):
        yield f"{rule}-to-one-with-{name or 'plain-text'}", Case(STANDARD, rule, name, outcome)


class Group:
    """A gateway with certain keys, and all cases that have them: routed and sent at once, judged one by one."""

    made = {}

    def __init__(self, keys):
        self.made[str(keys)] = self
        self.gateway = gateway_with(**keys)
        self.sinks = {}
        for name, case in TABLE.items():
            if case.keys == keys:
                self.sinks[name] = next_hop(case)
                self.gateway.route(destination_of(name), self.sinks[name], "--tls", case.rule)
        with self.gateway.session() as client:
            for name in self.sinks:
                client.mail("a@client.example", [f"b@{destination_of(name)}"], b"Subject: x\r\n\r\n")
            client.quit()

    @classmethod
    def of(cls, keys):
        """The one with these keys."""
        return cls.made.get(str(keys)) or cls(keys)


def destination_of(name):
    """The domain whose mail goes to the next hop of a case."""
    return f"case{list(TABLE).index(name)}.example"


def gateway_with(**keys):
    """A gateway that relays for this host and trusts the authority of the tests; the keys are those of TLS to next hops."""
    gateway = Gateway({"TMAIL_TLS_CA_FILE": AUTHORITY.ca, "TMAIL_SMTP_MAX_RCPT": "1000", "TMAIL_DELIVERD_REMOTE_TIMEOUT": "5s",
                       **{f"TMAIL_DELIVERD_REMOTE_TLS{'_' * bool(key)}{key}": value for key, value in keys.items()}})
    gateway.tmail("relayip", "add", "127.0.0.1")
    return gateway


def pair_for(sink_address, name="good"):
    """A certificate for a next hop at this address."""
    return AUTHORITY.make(f"{sink_address}-{name}", **{"hosts": [], "ips": [sink_address], **CERTIFICATES[name]})


def next_hop(case):
    """The server of a case."""
    sink = Sink(listening=False, script=[BROKEN[case.hop]] if case.hop in BROKEN else ())
    if case.hop:
        sink.tls = server_context(pair_for(sink.address, case.hop if case.hop in CERTIFICATES else "good"))
        sink.smtps = "smtps" in case.rule
    sink.listen()
    return sink


def spoken_in_plain_text(sink):
    """The verbs that a sink heard in sessions without TLS."""
    return {line.split()[0].upper() for session in sink.sessions if not session.tls for line in session.commands}


def judged(name, case):
    """The test of a case."""
    def test():
        group = Group.of(case.keys)
        sink, gateway = group.sinks[name], group.gateway
        recipient = re.escape(f"b@{destination_of(name)}")
        if case.outcome in ("TLS", "plain"):
            message, = sink.wait(1)
            equal("TLS" if message.session.tls else "plain", case.outcome, "how it came")
            line = gateway.await_log(rf"event=delivered.*{recipient}.*").string
            equal("TLSv1" in line, case.outcome == "TLS", f"whether the log speaks of TLS: {line}")
            check(case.rule != "none" or b"STARTTLS\r\n" not in sink.commands(), "STARTTLS was said in spite of the rule")
            check(case.outcome == "plain" or "MAIL" not in spoken_in_plain_text(sink), "the envelope was said in plain text")
        else:
            gateway.await_log(rf"event=deferred.*{recipient}.*status={re.escape(case.outcome)}")
            equal((sink.messages, sink.refused), ([], []), "messages")
            check(not {"MAIL", "RCPT", "DATA", "BDAT"} & spoken_in_plain_text(sink), "the envelope was said in plain text")
            check(not any(session.tls and b"MAIL" in b"".join(session.commands) for session in sink.sessions), "it was said under TLS")
    return test


TABLE = dict(cases())


def sent(gateway, destination, recipient="b"):
    """Send a message there; return its recipient."""
    address = f"{recipient}@{destination}"
    with gateway.session() as client:
        client.mail("a@client.example", [address], b"Subject: x\r\n\r\n")
        client.quit()
    return address


def test_the_key_is_the_rule_of_routes_without_one():
    """And a route's own rule is stronger."""
    with gateway_with(**{"": "encrypt"}) as gateway, Sink() as plain, Sink() as open_one:
        gateway.route("key.example", plain)
        gateway.route("own.example", open_one, "--tls", "none")
        gateway.await_log(rf"event=deferred.*{sent(gateway, 'key.example')}.*status=4\.7\.4")
        sent(gateway, "own.example")
        open_one.wait(1)
        equal(plain.messages, [], "messages")


def test_failures_of_tls_hand_over_to_the_next_route():
    """In the same attempt, whatever the failure."""
    with gateway_with() as gateway:
        for number, (name, options) in enumerate({"none": {}, "expired": {}, "closing": {"script": [BROKEN["closing"]]}}.items()):
            with Sink(listening=False, **options) as first, Sink() as second:
                if name != "none":
                    first.tls = server_context(pair_for(first.address, "expired" if name == "expired" else "good"))
                first.listen()
                destination = f"d{number}.example"
                gateway.route(destination, first, "-p", "1", "--tls", "verify")
                gateway.route(destination, second, "-p", "2", "--tls", "none")
                address = sent(gateway, destination)
                second.wait(1)
                gateway.await_log(rf"event=delivered.*{address}.*attempts=1\b")
                equal(first.messages, [], "messages of the first")


def test_the_name_of_a_next_hop_is_asked_for_and_must_be_in_the_certificate():
    """SNI (RFC 6066 3) has names and no addresses; the address that a name stands for is not good enough."""
    with gateway_with() as gateway:
        for number, (hosts, ips, good) in enumerate(((["localhost"], [], True), (["other.example"], [], False),
                                                     ([], ["127.0.0.1"], False))):
            with Sink("127.0.0.1", tls=AUTHORITY.make("named", hosts=hosts, ips=ips)) as sink:
                destination = f"named{number}.example"
                gateway.tmail("routes", "add", "-d", destination, "-rh", "localhost", "-rp", str(sink.port), "--tls", "verify")
                address = sent(gateway, destination)
                if good:
                    equal(sink.wait(1)[0].session.secure.sni, "localhost", "SNI")
                else:
                    gateway.await_log(rf"event=deferred.*{address}.*status=4\.7\.5")
                    equal(sink.messages, [], "messages")
        with Sink(listening=False) as sink:
            sink.tls = server_context(pair_for(sink.address))
            sink.listen()
            gateway.route("address.example", sink, "--tls", "verify")
            sent(gateway, "address.example")
            equal(sink.wait(1)[0].session.secure.sni, None, "SNI of an address")


def test_the_oldest_version():
    """TMAIL_TLS_MIN_VERSION holds here as well."""
    for least, outcome in (("1.2", "TLSv1.2"), ("1.3", None)):
        with gateway_with() as gateway, Sink(tls=server_context(AUTHORITY.make("old"), version="1.2")) as sink:
            gateway.config["TMAIL_TLS_MIN_VERSION"] = least
            gateway.restart()
            gateway.route("old.example", sink, "--tls", "encrypt")
            address = sent(gateway, "old.example")
            if outcome:
                equal(sink.wait(1)[0].session.tls, outcome, "version")
            else:
                gateway.await_log(rf"event=deferred.*{address}.*status=4\.7\.5")


# What a man in the middle may put behind the 220, in the same segment: the EHLO reply that he would like to be believed.
INJECTED = ("250-sink.example\\r\\n250-8BITMIME\\r\\n250 AUTH PLAIN\\r\\n", "250 ok\\r\\n", "\\r\\n", "2", "554 5.7.1 Go away\\r\\n")


def test_replies_injected_behind_the_220_of_starttls_are_never_used():
    """The handshake has not happened then, or what came before it is forgotten (RFC 3207 4.2): no login in answer to it."""
    with gateway_with() as gateway:
        for number, text in enumerate(INJECTED):
            with Sink(listening=False, script=[f"STARTTLS: raw 220 2.0.0 Go ahead\\r\\n{text}"]) as sink:
                sink.tls = server_context(pair_for(sink.address))
                sink.listen()
                gateway.route(f"injected{number}.example", sink, "--tls", "verify", "-rl", "joe", "-rpwd", "secret-word")
                address = sent(gateway, f"injected{number}.example")
                gateway.await_log(rf"event=deferred.*{address}.*status=4\.7\.")
                said = b"".join(sink.commands())
                check(b"AUTH" not in said and b"MAIL" not in said, f"it went on after {text!r}: {said!r}")


def test_after_tls_only_what_is_offered_then_counts():
    """EHLO is said again, and an extension that was offered in plain text alone is not used (RFC 3207 4.2)."""
    before = "EHLO#1: raw 250-sink.example\\r\\n250-SMTPUTF8\\r\\n250-PIPELINING\\r\\n250-DSN\\r\\n250 STARTTLS\\r\\n"
    after = "EHLO#2: raw 250 sink.example\\r\\n"
    with gateway_with() as gateway, Sink(tls=AUTHORITY.make("x"), script=[before, after]) as sink:
        gateway.route("later.example", sink)
        with gateway.session() as client:
            client.mail("a@client.example", ["b@later.example"], b"Subject: x\r\n\r\n", "RET=HDRS ENVID=x")
            client.quit()
        session = sink.wait(1)[0].session
        equal([line.split()[0] for line in session.commands][:4], [b"EHLO", b"STARTTLS", b"EHLO", b"MAIL"], "commands")
        check(not session.pipelined and b"RET=" not in b"".join(session.commands), f"used: {session.commands!r}")


def test_a_connection_under_tls_is_used_again():
    """More messages, one handshake; and one that ends TLS in order."""
    with gateway_with() as gateway, Sink(tls=AUTHORITY.make("x")) as sink:
        gateway.route("again.example", sink, "--tls", "encrypt")
        for number in range(3):
            sent(gateway, "again.example", f"b{number}")
            sink.wait(number + 1)
        equal((len(sink.sessions), sink.sessions[0].tls), (1, "TLSv1.3"), "sessions")


def test_rules_do_not_share_a_connection():
    """One that was opened in plain text, or with any certificate, carries nothing of a route that wants more."""
    with gateway_with() as gateway, Sink(tls=AUTHORITY.make("x", hosts=["other.example"], ips=[])) as sink:
        for rule in ("none", "encrypt", "verify"):
            gateway.route(f"{rule}.example", sink, "--tls", rule)
        sent(gateway, "none.example")
        sink.wait(1)
        sent(gateway, "encrypt.example")
        sink.wait(2)
        gateway.await_log(rf"event=deferred.*{sent(gateway, 'verify.example')}.*status=4\.7\.5")
        equal([bool(message.session.tls) for message in sink.messages], [False, True], "TLS of the messages")


def test_a_failure_under_one_rule_stands_in_the_way_of_no_other():
    """At the same next hop, right after it."""
    with gateway_with() as gateway, Sink(tls=AUTHORITY.make("x", hosts=["other.example"], ips=[])) as sink:
        for rule in ("verify", "encrypt", "may", "none"):
            gateway.route(f"{rule}.example", sink, "--tls", rule)
        gateway.await_log(rf"event=deferred.*{sent(gateway, 'verify.example')}.*status=4\.7\.5")
        for number, rule in enumerate(("encrypt", "may", "none")):
            sent(gateway, f"{rule}.example")
            equal(bool(sink.wait(number + 1)[number].session.tls), rule != "none", f"TLS of the message under {rule}")


if __name__ == "__main__":
    main({name: judged(name, case) for name, case in TABLE.items()})

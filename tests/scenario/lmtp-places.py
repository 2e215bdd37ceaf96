#!/usr/bin/python3
"""LMTP servers in many places: by a route, by a Unix socket, several of them, under TLS, and where SMTP was meant."""

import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from lmtp_cases import (DELIVERED, DOMAIN, KEYS, NAMES, OFFERS, PASSWORD, after,  # noqa: E402  pylint: disable=wrong-import-position
                        cases_through, counts, delivering, send, taken, through_a_route, through_mailboxes)
from tmail import Certificates, Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

AUTHORITY = Certificates()


# --- SMTP and LMTP do not mix ---

def test_an_smtp_server_at_an_lmtp_address():
    """It knows no LHLO: mail waits, and no HELO is tried."""
    for way in (through_mailboxes, through_a_route):
        with Sink(offers=OFFERS) as sink, way(sink, {}) as gateway:
            send(gateway)
            sink.wait_for(lambda hop: any(line.startswith(b"LHLO") for line in hop.commands()), "LHLO")
            outcomes = after(gateway)
            check(all(outcome[0] == "scheduled" for outcome in outcomes.values()), f"outcomes: {outcomes}")
            check(not any(line.startswith((b"EHLO", b"HELO", b"MAIL")) for line in sink.commands()), f"commands: {sink.commands()}")


def test_an_lmtp_server_at_an_smtp_port():
    """It knows neither EHLO nor HELO: mail waits."""
    with Sink(lmtp=True) as sink, Gateway(KEYS) as gateway:
        gateway.tmail("relayip", "add", "127.0.0.1")
        gateway.route(DOMAIN, sink)
        send(gateway)
        sink.wait_for(lambda hop: len(hop.commands()) > 1, "EHLO and HELO")
        outcomes = after(gateway)
        check(all(outcome[0] == "scheduled" for outcome in outcomes.values()), f"outcomes: {outcomes}")
        taken(sink, {})


# --- where it listens ---

def test_unix_sockets():
    """For mailboxes and by a route."""
    for way in (through_mailboxes, through_a_route):
        with tempfile.TemporaryDirectory(prefix="tmail-test-") as folder:
            os.chmod(folder, 0o755)
            with delivering([". <r2@: 452 4.2.2 Full"], way=way, address=os.path.join(folder, "lmtp")) as (gateway, sink):
                send(gateway)
                sink.wait(1)
                equal([outcome == DELIVERED for outcome in after(gateway).values()], [True, False, True], "delivered")


def test_nobody_is_there():
    """No socket, and a socket without a server: mail waits, with the address in its reason, until there is one."""
    with tempfile.TemporaryDirectory(prefix="tmail-test-") as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "lmtp")
        keys = {"TMAIL_DOVECOT_SUPPORT_ENABLED": "true", "TMAIL_LMTP_ADDRESS": f"unix:{path}"}
        with Gateway({**KEYS, **keys}) as gateway:
            gateway.tmail("user", "add", "-m", NAMES[0], PASSWORD)
            send(gateway, NAMES[:1])
            status, reason = after(gateway, NAMES[:1])[NAMES[0]]
            check(status == "scheduled" and path in reason, f"{status}: {reason}")
            with Sink(path, lmtp=True, listening=False, offers=OFFERS) as sink:
                gateway.tmail("queue", "flush")
                gateway.await_queue(lambda entries: entries[0]["attempts"] == 2, "a second attempt")
                sink.listen()
                gateway.tmail("queue", "flush")
                sink.wait(1)
                gateway.await_empty_queue()


def failing_over(script, listening=True, patience=None):
    """Of three servers the first cannot take mail: the second does, and the third is not asked."""
    keys = {"TMAIL_DELIVERD_REMOTE_TIMEOUT": patience} if patience else {}
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(Sink(script=script, lmtp=True, listening=listening, offers=OFFERS))
        second, third = (stack.enter_context(Sink(lmtp=True, offers=OFFERS)) for _ in range(2))
        addresses = ";".join(sink.endpoint for sink in (first, second, third))
        gateway = stack.enter_context(through_mailboxes(first, {**keys, "TMAIL_LMTP_ADDRESS": addresses}))
        send(gateway)
        second.wait(1)
        gateway.await_empty_queue()
        equal([counts(sink) for sink in (first, second, third)], [{}, {name: 1 for name in NAMES}, {}], "taken")
        lines = [line for line in gateway.log().splitlines() if "event=delivered" in line]
        check(lines and all("attempts=1" in line for line in lines), f"more than one attempt: {lines!r}")


def test_failover_where_nobody_listens():
    """Refused connections."""
    failing_over([], listening=False)


def test_failover_where_it_says_later():
    """A greeting 421."""
    failing_over(["greeting: 421 4.3.2 Come later; close"])


def test_failover_where_it_closes():
    """No greeting."""
    failing_over(["greeting: close"])


def test_failover_where_it_is_silent():
    """One that has no process left takes connections and says nothing."""
    failing_over(["greeting: hang"], patience="1s")


def test_failover_when_the_first_goes():
    """The next message goes to the second, and when the first is back all is well, too."""
    with Sink(lmtp=True, offers=OFFERS) as second, Sink(lmtp=True, offers=OFFERS) as first:
        keys = {"TMAIL_LMTP_ADDRESS": f"{first.endpoint};{second.endpoint}"}
        with through_mailboxes(first, keys) as gateway:
            send(gateway)
            first.wait(1)
            gateway.await_empty_queue()
            first.done()
            send(gateway)
            second.wait(1)
            gateway.await_empty_queue()
            equal((counts(first), counts(second)), ({name: 1 for name in NAMES},) * 2, "taken")


# --- TLS ---

def over_tls(rule, pair, outcome):
    """By this rule, to a server with this certificate (None: without STARTTLS): `TLS`, `plain`, or the reason why mail waits."""
    tls = {} if pair is None else {"tls": pair}
    with delivering(keys={"TMAIL_LMTP_TLS": rule, "TMAIL_TLS_CA_FILE": AUTHORITY.ca}, address="127.0.0.1", **tls) as (gateway, sink):
        send(gateway)
        if outcome not in ("TLS", "plain"):
            for name, (status, reason) in after(gateway).items():
                check(status == "scheduled" and outcome in reason, f"{rule}: {name} is {status}: {reason}")
            equal((sink.messages, sink.refused), ([], []), "messages")
            return
        message, = sink.wait(1)
        equal("TLS" if message.session.secure else "plain", outcome, f"TMAIL_LMTP_TLS={rule}")
        gateway.await_empty_queue()


def test_tls():
    """TMAIL_LMTP_TLS against servers with a good certificate, with one that nobody has signed, and without STARTTLS."""
    good, bad = AUTHORITY.make("good"), AUTHORITY.make("bad", signed_by="self")
    for rule, outcomes in {"none": ("plain", "plain", "plain"), "may": ("TLS", "TLS", "plain"), "encrypt": ("TLS", "TLS", "STARTTLS"),
                           "verify": ("TLS", "self-signed", "STARTTLS")}.items():
        for pair, outcome in zip((good, bad, None), outcomes):
            over_tls(rule, pair, outcome)


def test_no_tls_over_a_unix_socket():
    """Whatever the rule says: nobody is in between."""
    with tempfile.TemporaryDirectory(prefix="tmail-test-") as folder:
        os.chmod(folder, 0o755)
        with delivering(keys={"TMAIL_LMTP_TLS": "verify"}, address=os.path.join(folder, "lmtp")) as (gateway, sink):
            send(gateway)
            equal(sink.wait(1)[0].session.secure, None, "TLS")
            gateway.await_empty_queue()


def test_words_before_tls_do_not_count():
    """What a server says ahead of the handshake is not taken for its answers afterwards."""
    with delivering(["STARTTLS: raw 220 2.0.0 Go\\r\\n250 2.0.0 Injected\\r\\n"], {"TMAIL_LMTP_TLS": "encrypt"}, address="127.0.0.1",
                    tls=AUTHORITY.make("injecting")) as (gateway, sink):
        send(gateway)
        outcomes = after(gateway)
        check(all(outcome[0] == "scheduled" for outcome in outcomes.values()), f"outcomes: {outcomes}")
        equal(sink.messages, [], "messages")


if __name__ == "__main__":
    main(cases_through(through_a_route))

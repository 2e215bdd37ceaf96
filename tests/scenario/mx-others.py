#!/usr/bin/python3
"""RFC 5321 section 5.1: mail that the first host of an MX greets and then would not take goes to the next one, once."""

import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dns import Dns, Zone  # noqa: E402  pylint: disable=wrong-import-position
from sink import OFFERS  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, Sink, await_true, check, equal, fresh_loopback, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
ALL = ("u@hop.test", "v@hop.test")


SMALL = {"offers": (*OFFERS, "SIZE 10")}


def described(host):
    """What a Sink is told: a script, or a dict of its words."""
    return host if isinstance(host, dict) else {"script": host}


@contextlib.contextmanager
def hosts(*wanted, **keys):
    """Sinks on one port, the hosts of hop.test in this order, and a gateway that sends there by MX."""
    with contextlib.ExitStack() as stack:
        sinks = [stack.enter_context(Sink(**described(wanted[0])))]
        for host in wanted[1:]:
            sinks.append(stack.enter_context(Sink(fresh_loopback(), port=sinks[0].port, **described(host))))
        dns = stack.enter_context(Dns(Zone("hop.test", "\n".join(
            f"@ MX {10 * number} h{number}\nh{number} A {sink.address}" for number, sink in enumerate(sinks, 1)))))
        gateway = stack.enter_context(Gateway({**dns.keys(), "TMAIL_DNS_TIMEOUT": "10s", **keys}))
        gateway.tmail("relayip", "add", "127.0.0.0/8")
        gateway.tmail("routes", "add", "-rh", "mx", "-rp", str(sinks[0].port))
        yield sinks, gateway


def send(gateway, *recipients):
    """One message."""
    session = gateway.session()
    session.mail("a@client.example", list(recipients or ALL[:1]), TEXT)
    session.quit()


def received(sink):
    """Who got mail there, message by message."""
    return [sorted(message.recipients) for message in sink.messages]


def settled(gateway, recipient):
    """Wait until an attempt for this recipient is over; its entry in the queue, None when it is delivered."""
    def entry():
        return next((entry for entry in gateway.queue() if entry["recipient"] == recipient), None)

    def is_over(found):
        return found is None or (found["attempts"] > 0 and found["status"] != "in-progress")

    await_true(lambda: is_over(entry()), lambda: f"{entry()}")
    return entry()


def test_the_next_host_has_what_the_first_would_not_take():
    """At MAIL, at the one RCPT, at DATA, at the end of the content; and where the connection breaks before that."""
    for refusal in ("MAIL: 451 4.3.0 Later", "RCPT: 450 4.2.1 Later", "DATA: 451 4.3.0 Later", ".: 451 4.3.0 Later", ".: 421 4.3.2 Bye; close", "MAIL: close",
                    "RCPT: reset", "MAIL: 530 5.7.0 Log in", "RCPT: 530 5.7.0 Must issue a STARTTLS command first"):
        with hosts((refusal,), ()) as (sinks, gateway):
            send(gateway)
            sinks[1].wait(1)
            gateway.await_empty_queue()
            equal((received(sinks[0]), received(sinks[1])), ([], [["u@hop.test"]]), refusal)
            equal(len(sinks[0].sessions), 1, f"sessions, {refusal}")


def test_each_recipient_is_taken_once():
    """What one host took of a transaction is not said to the next."""
    with hosts(("RCPT <v@: 450 4.2.1 Later",), ()) as (sinks, gateway):
        send(gateway, *ALL)
        sinks[1].wait(1)
        gateway.await_empty_queue()
        equal((received(sinks[0]), received(sinks[1])), ([["u@hop.test"]], [["v@hop.test"]]), "recipients")


def test_what_is_refused_for_good_is_refused():
    """5xx is an answer of the destination, whichever host gives it."""
    with hosts(("RCPT <v@: 550 5.1.1 No such user",), ()) as (sinks, gateway):
        send(gateway, *ALL)
        sinks[0].wait(1)
        entry = settled(gateway, "v@hop.test")
        equal((entry["status"], received(sinks[0]), len(sinks[1].sessions)), ("failed", [["u@hop.test"]], 0), "outcome")


def test_a_host_that_may_have_taken_it_is_the_last():
    """The connection breaks when all has been sent: nobody knows, and another host would make it two."""
    with hosts((".: close",), ()) as (sinks, gateway):
        send(gateway)
        entry = settled(gateway, "u@hop.test")
        equal((entry["status"], len(sinks[1].sessions)), ("scheduled", 0), "outcome")


def test_what_the_hosts_said_stays_where_nobody_takes_it():
    """The reason is that of a host, also when the next one cannot be reached."""
    with hosts(("RCPT: 450 4.2.1 Greylisted",), ()) as (sinks, gateway):
        sinks[1].done()
        send(gateway)
        entry = settled(gateway, "u@hop.test")
        check("Greylisted" in entry["reason"], f"reason {entry['reason']!r}")


def test_three_hosts_are_enough():
    """An attempt is not a tour of all hosts that a destination may name."""
    with hosts(*[("RCPT: 450 4.2.1 Later",)] * 5) as (sinks, gateway):
        send(gateway)
        settled(gateway, "u@hop.test")
        equal([len(sink.sessions) for sink in sinks], [1, 1, 1, 0, 0], "sessions")


def test_hosts_that_do_not_greet_are_asked_once():
    """One that refuses before the mail is not connected to again for each host behind it."""
    busy = ("RCPT: 450 4.2.1 Later",)
    with hosts(("greeting: 554 5.3.2 No service; close",), busy, busy, ()) as (sinks, gateway):
        send(gateway)
        settled(gateway, "u@hop.test")
        equal([len(sink.sessions) for sink in sinks], [1, 1, 1, 1], "sessions")
        equal(received(sinks[3]), [["u@hop.test"]], "mail")


def test_what_one_host_does_not_offer_another_may():
    """A size, or SMTPUTF8, that a host does not take is no answer of the destination."""
    with hosts(SMALL, ()) as (sinks, gateway):
        send(gateway)
        sinks[1].wait(1)
        gateway.await_empty_queue()
        equal(received(sinks[0]), [], "mail")


def test_what_no_host_offers_is_refused():
    """Then it is final, at once."""
    with hosts(SMALL, SMALL) as (sinks, gateway):
        send(gateway)
        equal(settled(gateway, "u@hop.test")["status"], "failed", "status")
        equal([len(sink.sessions) for sink in sinks], [1, 1], "sessions")


def test_what_three_hosts_of_five_do_not_offer_is_refused():
    """A message too large for a destination with many hosts does not wait until it is too old."""
    with hosts(*[SMALL] * 5) as (sinks, gateway):
        send(gateway)
        equal(settled(gateway, "u@hop.test")["status"], "failed", "status")
        equal([len(sink.sessions) for sink in sinks], [1, 1, 1, 0, 0], "sessions")


def test_what_a_backup_cannot_take_waits_for_the_others():
    """Whether the host before it was busy, or is down."""
    for first in (("RCPT: 450 4.2.1 Greylisted",), None):
        with hosts(first or (), SMALL) as (sinks, gateway):
            if first is None:
                sinks[0].done()
            send(gateway)
            entry = settled(gateway, "u@hop.test")
            equal(entry["status"], "scheduled", f"status, the first {first}")
            check(first is None or "Greylisted" in entry["reason"], f"reason {entry['reason']!r}")


def test_what_a_backup_says_of_us_waits_for_the_others():
    """Its word on the recipient counts."""
    for answer, status in (("MAIL: 550 5.7.1 You are blocked", "scheduled"), ("RCPT: 503 5.5.1 Bad sequence", "scheduled"),
                           ("MAIL: 555 5.5.4 Unknown parameter", "scheduled"), ("RCPT: 550 5.1.1 No such user", "failed")):
        with hosts(("MAIL: 451 4.3.0 Later",), (answer,)) as (_, gateway):
            send(gateway)
            equal(settled(gateway, "u@hop.test")["status"], status, answer)


def test_a_connection_that_was_closed_while_it_lay_idle_is_no_refusal():
    """The same host is asked again, over a fresh one, and not the next."""
    with hosts((".#1: 250 Taken; close",), (), TMAIL_DELIVERD_CONNECTION_IDLE="1h", TMAIL_DELIVERD_DESTINATION_CONCURRENCY="1") as (sinks, gateway):
        send(gateway)
        sinks[0].wait(1)
        gateway.await_empty_queue()
        send(gateway)
        sinks[0].wait(2)
        gateway.await_empty_queue()
        equal([len(sink.sessions) for sink in sinks], [2, 0], "sessions")


def test_a_route_beside_an_mx_that_is_none():
    """Whichever's turn it is, the mail goes where it can."""
    with Sink() as sink, Dns(Zone("hop.test", "")) as dns, Gateway({**dns.keys(), "TMAIL_DNS_TIMEOUT": "10s"}) as gateway:
        gateway.tmail("relayip", "add", "127.0.0.0/8")
        gateway.tmail("routes", "add", "-rh", "mx", "-p", "1")
        gateway.tmail("routes", "add", "-rh", sink.address, "-rp", str(sink.port), "-p", "1")
        for _ in range(4):
            send(gateway, "u@nowhere.hop.test")
        sink.wait(4)
        gateway.await_empty_queue()


def test_a_kept_connection_is_no_other():
    """The first host takes one message and not the next, over one connection."""
    with hosts(("MAIL#2: 451 4.3.0 Later",), (), TMAIL_DELIVERD_CONNECTION_IDLE="1h", TMAIL_DELIVERD_DESTINATION_CONCURRENCY="1") as (sinks, gateway):
        send(gateway)
        sinks[0].wait(1)
        send(gateway)
        sinks[1].wait(1)
        gateway.await_empty_queue()
        equal([len(sink.sessions) for sink in sinks], [1, 1], "sessions")


def test_a_route_that_names_its_host_has_no_others():
    """Its answer to the mail hands over to nobody, not even to another route."""
    with Sink(script=("RCPT: 450 4.2.1 Later",)) as first, Sink() as second, Gateway() as gateway:
        gateway.tmail("relayip", "add", "127.0.0.0/8")
        for priority, sink in enumerate((first, second), 1):
            gateway.tmail("routes", "add", "-d", "hop.test", "-rh", sink.address, "-rp", str(sink.port), "-p", str(priority))
        send(gateway)
        entry = settled(gateway, "u@hop.test")
        equal((entry["status"], len(first.sessions), len(second.sessions)), ("scheduled", 1, 0), "outcome")


def test_dead_hosts_leave_some_connections_for_the_others():
    """Whatever the limit: many dead addresses of the first host are not all that is tried."""
    with Sink() as sink:
        dead = "\n".join(f"many A {fresh_loopback()}" for _ in range(12))
        with Dns(Zone("hop.test", f"@ MX 10 many\n{dead}\n@ MX 20 good\ngood A {sink.address}")) as dns, \
                Gateway({**dns.keys(), "TMAIL_DNS_TIMEOUT": "10s", "TMAIL_DELIVERD_ADDRESS_LIMIT": "4"}) as gateway:
            gateway.tmail("relayip", "add", "127.0.0.0/8")
            gateway.tmail("routes", "add", "-rh", "mx", "-rp", str(sink.port))
            send(gateway)
            sink.wait(1)


def test_names_without_an_answer_hold_up_an_attempt_for_a_bounded_time():
    """TMAIL_DNS_TIMEOUT is for a question; all the hosts that a zone may name are not waited for one after the other."""
    records = "\n".join(f"@ MX {number} h{number}" for number in range(10, 40))
    with Dns(Zone("hop.test", records)) as dns, Gateway({**dns.keys(), "TMAIL_DNS_TIMEOUT": "1s"}) as gateway:
        gateway.tmail("relayip", "add", "127.0.0.0/8")
        for number in range(10, 40):
            dns.fault("silent", f"h{number}.hop.test")
        send(gateway)
        entry = settled(gateway, "u@hop.test")
        equal((entry["status"], entry["attempts"]), ("scheduled", 1), "outcome")
        check("was not looked for" in entry["reason"] or "do not answer" in entry["reason"], f"reason {entry['reason']!r}")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""DESIGN 6.11: limits of open sessions, and clients that keep others from being served: they must not."""

import contextlib
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Closed, Gateway, await_true, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

ATTACKER, HONEST = "127.0.0.66", "127.0.0.2"
CROWD = 2000


def gateway_with(**keys):
    """A gateway that accepts for example.com."""
    gateway = Gateway({"TMAIL_DELIVERD_LAUNCH": "false", **{f"TMAIL_{key}": value for key, value in keys.items()}})
    gateway.tmail("rcpthost", "add", "example.com")
    return gateway


def honest_mail(gateway, count=5):
    """A client from another address sends messages, each in a session of its own."""
    for number in range(count):
        with gateway.session(HONEST) as client:
            client.mail("a@client.example", [f"u{number}@example.com"], b"Subject: x\r\n\r\n")
            client.quit()


def greeting(gateway, source):
    """Connect from there; return the connection and its greeting."""
    client = gateway.client(source)
    return client, client.reply()


def test_sessions_in_total_are_bounded():
    """One more is told so and closed; when one leaves, the next is served."""
    with gateway_with(SMTPD_CONCURRENCY_INCOMING="3") as gateway, contextlib.ExitStack() as stack:
        held = [stack.enter_context(gateway.session(f"127.0.0.{number}")) for number in (21, 22, 23)]
        extra, reply = greeting(gateway, "127.0.0.24")
        equal(reply.last, "421 4.3.2 Too many sessions, try again later (limit 3)", "greeting")
        extra.eof()
        held[0].quit()
        await_true(lambda: greeting(gateway, "127.0.0.24")[1].code == 220, "a place that is free again")
        gateway.await_log("event=too-many-sessions")


def test_sessions_of_an_address_are_bounded():
    """One more is told so and closed; another address is served; when one leaves, the next is served."""
    with gateway_with(SMTPD_CONCURRENCY_PER_CLIENT="3") as gateway, contextlib.ExitStack() as stack:
        held = [stack.enter_context(gateway.session(ATTACKER)) for _ in range(3)]
        extra, reply = greeting(gateway, ATTACKER)
        equal(reply.last, "421 4.7.0 Too many sessions from your address (limit 3)", "greeting")
        extra.eof()
        honest_mail(gateway, 1)
        held[0].quit()
        await_true(lambda: greeting(gateway, ATTACKER)[1].code == 220, "a place that is free again")


def test_zero_is_no_limit_of_an_address():
    """TMAIL_SMTPD_CONCURRENCY_PER_CLIENT=0."""
    with gateway_with(SMTPD_CONCURRENCY_PER_CLIENT="0") as gateway, contextlib.ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(gateway.session(ATTACKER))


def test_a_crowd_from_one_address_does_not_stop_another():
    """Thousands of connections from one address, all kept open by it as long as the gateway lets them."""
    with gateway_with() as gateway, contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(gateway.client(ATTACKER)) for _ in range(CROWD)]
        honest_mail(gateway)
        served = sum(client.reply().code == 220 for client in crowd)
        check(0 < served <= 100, f"{served} of {CROWD} were served, the limit is 100")
        honest_mail(gateway)


def test_clients_that_trickle_do_not_stop_others():
    """As many slow sessions as one address may have: silent, half a command, half a message, half a chunk."""
    with gateway_with() as gateway, contextlib.ExitStack() as stack:
        for number in range(100):
            client = stack.enter_context(gateway.session(ATTACKER))
            if number % 4 >= 2:
                client.command("MAIL FROM:<a@client.example>", "250 ")
                client.command("RCPT TO:<half@example.com>", "250 ")
            if number % 4 == 2:
                client.command("DATA", "354 ")
            client.send((b"", b"MAIL FR", b"Subject: ha", b"BDAT 1000000 LAST\r\nSubject: ha")[number % 4])
        honest_mail(gateway, 20)
        equal({entry["recipient"][0] for entry in gateway.queue()}, {"u"}, "first letters of recipients")


def flood(gateway, data, stop):
    """Send `data` over and over, on a new connection when one is closed, until told to stop."""
    while not stop.is_set():
        with contextlib.suppress(OSError, Closed), gateway.client(ATTACKER) as client:
            client.wire.sock.settimeout(1)
            while not stop.is_set():
                client.send(data)


def flooded(data):
    """The test that an endless flood of `data` from ten connections does not stop another client."""
    def test():
        with gateway_with() as gateway:
            stop = threading.Event()
            threads = [threading.Thread(target=flood, args=(gateway, data, stop)) for _ in range(10)]
            for thread in threads:
                thread.start()
            try:
                honest_mail(gateway, 10)
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
            honest_mail(gateway, 1)
            check(gateway.alive, "the gateway lives")
    return test


FLOODS = {
    "empty-lines": b"\r\n" * 1000,
    "bare-LFs": b"\n" * 1000,
    "NULs": b"\0" * 10000,
    "a-line-without-end": b"x" * 10000,
    "unknown-commands": b"XYZZY\r\n" * 1000,
    "EHLO": b"EHLO client.example\r\n" * 1000,
    "a-message-without-end": b"MAIL FROM:<a@b.example>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n" + b"x\r\n" * 10000,
}


def test_a_client_that_reads_nothing_does_not_stop_others():
    """It asks for help without reading the answers, until no more can be sent."""
    with gateway_with(SMTPD_MAX_COMMANDS="1000000") as gateway, contextlib.ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(gateway.client(ATTACKER))
            client.wire.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                for _ in range(1000):
                    client.wire.sock.send(b"HELP\r\n" * 1000)
        honest_mail(gateway)


def test_clients_that_come_and_go_leave_nothing_behind():
    """A thousand connections that are closed or reset at once: memory of sessions is given back."""
    with gateway_with() as gateway:
        for number in range(1000):
            with gateway.client(ATTACKER) as client:
                if number % 2:
                    client.send(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n")
        await_true(lambda: greeting(gateway, ATTACKER)[1].code == 220, "the address to be served again")
        descriptors = f"/proc/{gateway.child('smtpd')}/fd"
        await_true(lambda: len(os.listdir(descriptors)) < 100, lambda: f"{len(os.listdir(descriptors))} open descriptors")


if __name__ == "__main__":
    main({f"a-flood-of-{name}-does-not-stop-others": flooded(data) for name, data in FLOODS.items()})

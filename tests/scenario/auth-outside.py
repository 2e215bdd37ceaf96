#!/usr/bin/python3
"""Issue 3, items 2 and 3: logins from addresses that are not this host's: locks after failures, and what plain text is open to."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from network import in_own_network  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, await_true, b64, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

JOE, PASSWORD = "joe@example.com", "secret-word"
ATTACKER, HONEST = "198.51.100.66", "198.51.100.67"
# Two of one IPv6 network, and one of another.
ATTACKER6, BESIDE6, HONEST6 = "2001:db8:1:2::66", "2001:db8:1:2:ffff::1", "2001:db8:1:3::66"
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256")
LOCKED = "454 4.7.0"


def gateway_with(**keys):
    """A gateway with one user and a TLS listener, that locks for an hour and does not wait after a failure unless told so."""
    standard = {"SMTPD_AUTH_FAILURE_DELAY": "0", "SMTPD_AUTH_LOCK_TIME": "1h", "DELIVERD_LAUNCH": "false"}
    gateway = Gateway({f"TMAIL_{key}": value for key, value in (standard | keys).items()}, listeners={"smtps": "true"})
    gateway.tmail("user", "add", "-r", JOE, PASSWORD)
    return gateway


def session(gateway, source):
    """A session under TLS from there."""
    client = gateway.client(source, "::1" if ":" in source else "127.0.0.1", at="smtps")
    client.greet()
    return client


def attempt(gateway, source, password=PASSWORD, mechanism="PLAIN", login=JOE):
    """One login in a session of its own; return the codes of its answer."""
    with session(gateway, source) as client:
        reply = client.login(mechanism, login, password).last[:9]
        client.quit()
        return reply


def test_failures_lock_an_address_out_for_a_time():
    """Even the right password gets 454, by every mechanism; others log in; the lock ends."""
    with gateway_with(SMTPD_AUTH_MAX_FAILURES="3", SMTPD_AUTH_LOCK_TIME="3s") as gateway:
        for _ in range(3):
            equal(attempt(gateway, ATTACKER, "wrong"), "535 5.7.8", "failure")
        for mechanism in MECHANISMS:
            equal(attempt(gateway, ATTACKER, mechanism=mechanism), LOCKED, f"{mechanism}, locked")
        gateway.await_log(rf"event=login-locked.*{re.escape(ATTACKER)}")
        equal(attempt(gateway, HONEST), "235 2.7.0", "another address")
        await_true(lambda: attempt(gateway, ATTACKER) == "235 2.7.0", "the lock to end")


def test_a_locked_address_may_still_send_to_local_users():
    """What is locked is the login, not the mail."""
    with gateway_with(SMTPD_AUTH_MAX_FAILURES="1") as gateway:
        gateway.tmail("rcpthost", "add", "example.com")
        attempt(gateway, ATTACKER, "wrong")
        with session(gateway, ATTACKER) as client:
            equal(client.login("PLAIN", JOE, PASSWORD).last[:9], LOCKED, "login")
            client.mail("a@client.example", ["b@example.com"], b"Subject: x\r\n\r\n")
            client.quit()


def test_failures_are_counted_over_mechanisms_logins_and_sessions():
    """And a login that succeeds forgives nothing."""
    with gateway_with(SMTPD_AUTH_MAX_FAILURES="4") as gateway:
        for number, mechanism in enumerate(MECHANISMS):
            equal(attempt(gateway, ATTACKER), "235 2.7.0", "login in between")
            equal(attempt(gateway, ATTACKER, "wrong", mechanism, f"user{number}@example.com")[:4], "535 ", mechanism)
        equal(attempt(gateway, HONEST), "235 2.7.0", "another address")
        equal(attempt(gateway, ATTACKER), LOCKED, "the address")


def test_a_session_is_locked_out_as_well():
    """Within one session, at the next AUTH."""
    with gateway_with(SMTPD_AUTH_MAX_FAILURES="2") as gateway, session(gateway, ATTACKER) as client:
        for expected in ("535 5.7.8", "535 5.7.8", LOCKED):
            equal(client.login("PLAIN", JOE, "wrong").last[:9], expected, "answer")
        equal(client.login("PLAIN", JOE, PASSWORD).last[:9], LOCKED, "answer to the right password")


def test_zero_is_no_lock():
    """TMAIL_SMTPD_AUTH_MAX_FAILURES=0."""
    with gateway_with(SMTPD_AUTH_MAX_FAILURES="0", SMTPD_MAX_ERRORS="1000") as gateway, session(gateway, ATTACKER) as client:
        for _ in range(40):
            equal(client.login("CRAM-MD5", JOE, "wrong").code, 535, "answer")
        equal(client.login("CRAM-MD5", JOE, PASSWORD).code, 235, "login")


def test_a_network_of_64_bits_is_one_address():
    """Of IPv6, where a client has as many addresses as it likes."""
    with gateway_with(SMTPD_AUTH_MAX_FAILURES="2") as gateway:
        equal(attempt(gateway, ATTACKER6, "wrong")[:4], "535 ", "failure")
        equal(attempt(gateway, BESIDE6, "wrong")[:4], "535 ", "failure of its neighbour")
        for source in (ATTACKER6, BESIDE6):
            equal(attempt(gateway, source), LOCKED, source)
        equal(attempt(gateway, HONEST6), "235 2.7.0", "another network")


def test_this_host_and_relay_clients_are_never_locked_out():
    """Many may log in through them."""
    with gateway_with(SMTPD_AUTH_MAX_FAILURES="1") as gateway:
        gateway.tmail("relayip", "add", HONEST)
        for source in ("127.0.0.1", "127.0.0.9", HONEST, "::1"):
            for _ in range(3):
                equal(attempt(gateway, source, "wrong")[:4], "535 ", f"failure of {source}")
            equal(attempt(gateway, source), "235 2.7.0", source)


def test_what_teaches_nothing_does_not_count():
    """Cancelled before a name was said, no base64, mechanisms that there are not."""
    with gateway_with(SMTPD_AUTH_MAX_FAILURES="1") as gateway, session(gateway, ATTACKER) as client:
        for _ in range(3):
            for mechanism in ("LOGIN", "CRAM-MD5", "PLAIN"):
                client.command(f"AUTH {mechanism}", "334 ")
                client.command("*", "501 5.7.0 ")
            client.command("AUTH PLAIN !", "501 5.5.2 ")
            client.command("AUTH GSSAPI", "504 5.5.4 ")
        equal(client.login("PLAIN", JOE, PASSWORD).code, 235, "login")


def test_who_stops_when_the_server_has_shown_what_it_knows_counts():
    """SCRAM's salt, and above all its last challenge, which comes only to who knows the password: whether cancelled or cut off."""
    for cut in (False, True):
        with gateway_with(SMTPD_AUTH_MAX_FAILURES="1") as gateway:
            with session(gateway, ATTACKER) as client:
                client.command(f"AUTH SCRAM-SHA-256 {b64(f'n,,n={JOE},r=abcdefgh')}", "334 ")
                if not cut:
                    client.command("*", "501 5.7.0 ")
            await_true(lambda gateway=gateway: attempt(gateway, ATTACKER) == LOCKED, "the lock")


def test_plain_text_is_open_where_a_key_says_so_to_this_host_and_relay_clients_only():
    """TMAIL_SMTPD_AUTH_PLAIN_TEXT: 538 for all others; -PLUS still needs TLS."""
    with gateway_with(SMTPD_AUTH_PLAIN_TEXT="true") as gateway:
        gateway.tmail("relayip", "add", HONEST)
        for source, opened in (("127.0.0.1", True), ("::1", True), (HONEST, True), (ATTACKER, False), (ATTACKER6, False)):
            with gateway.client(source, "::1" if ":" in source else "127.0.0.1") as client:
                offered = [line[4:] for line in client.greet().lines if re.match("250.AUTH", line)]
                equal(offered, ["AUTH SCRAM-SHA-256 CRAM-MD5" + " PLAIN LOGIN" * opened], f"offered to {source}")
                for mechanism in ("LOGIN", "PLAIN"):
                    equal(client.login(mechanism, JOE, "wrong").code, 535 if opened else 538, f"{mechanism} from {source}")
                equal(client.login("PLAIN", JOE, PASSWORD).code, 235 if opened else 538, f"login from {source}")
        check(not re.search("event=login .*" + re.escape(ATTACKER), gateway.log()), "a login from outside")


def test_without_the_key_nobody_sends_passwords_in_plain_text():
    """Not this host, not a relay client."""
    with gateway_with() as gateway:
        gateway.tmail("relayip", "add", HONEST)
        for source in ("127.0.0.1", HONEST, ATTACKER):
            with gateway.session(source) as client:
                equal(client.login("PLAIN", JOE, PASSWORD).code, 538, source)


if __name__ == "__main__":
    in_own_network(ATTACKER, HONEST, ATTACKER6, BESIDE6, HONEST6)
    main()

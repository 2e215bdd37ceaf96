#!/usr/bin/python3
"""RFC 4954, 5802, 9266 and issue 3, items 2 and 3: logins that no story can tell: work, time, secrets, bindings."""

import contextlib
import os
import re
import sqlite3
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import sasl  # noqa: E402  pylint: disable=wrong-import-position
from tls import exporter  # noqa: E402  pylint: disable=wrong-import-position
from tmail import (Gateway, await_true, b64, check, client_context, equal,  # noqa: E402  pylint: disable=wrong-import-position
                   main, unb64)

JOE, PASSWORD = "joe@example.com", "a-Secret-that-is-nowhere"
ATTACKER, HONEST = "127.0.0.66", "127.0.0.2"
# How far medians of the same work may lie apart on a machine that does other things.
ALIKE = 2.0


def gateway_with(**keys):
    """A gateway with three users and a TLS listener, that neither waits after a failure nor locks unless told so."""
    standard = {"SMTPD_AUTH_FAILURE_DELAY": "0", "SMTPD_AUTH_MAX_FAILURES": "0", "SMTPD_MAX_ERRORS": "100000", "DELIVERD_LAUNCH": "false"}
    gateway = Gateway({f"TMAIL_{key}": value for key, value in (standard | keys).items()}, listeners={"smtps": "true"})
    for login in (JOE, "off@example.com"):
        gateway.tmail("user", "add", "-r", login, stdin=PASSWORD + "\n")
    gateway.tmail("user", "update", "off@example.com", "--active", "no")
    return gateway


def attempt(gateway, mechanism="PLAIN", login=JOE, password=PASSWORD, source=HONEST):
    """One login in a session of its own; return the last line of its answer."""
    with gateway.secure_session(source, at="smtps") as client:
        reply = client.login(mechanism, login, password).last
        client.quit()
        return reply


# --- failures ---

def test_unknown_and_inactive_users_cost_what_a_wrong_password_costs():
    """For each mechanism: medians of times, in turn, from AUTH to the answer."""
    tried = {"wrong": (JOE, "wrong"), "unknown": ("nobody@example.com", "wrong"), "inactive": ("off@example.com", "wrong"),
             "inactive, right": ("off@example.com", PASSWORD)}
    with gateway_with() as gateway, gateway.secure_session(at="smtps") as client:
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"):
            times = {name: [] for name in tried}
            for _ in range(9):
                for name, (login, password) in tried.items():
                    began = time.monotonic()
                    equal(client.login(mechanism, login, password).code, 535, f"{mechanism}, {name}")
                    times[name].append(time.monotonic() - began)
            medians = {name: statistics.median(taken) for name, taken in times.items()}
            # What takes hardly any time at all tells nothing: a turn of the scheduler is more.
            check(max(medians.values()) < 0.003 or max(medians.values()) < ALIKE * min(medians.values()), f"{mechanism}: {medians}")


def test_a_failure_is_delayed_and_nobody_else():
    """At least as long as the key says, while others are served at once."""
    with gateway_with(SMTPD_AUTH_FAILURE_DELAY="2s") as gateway, gateway.secure_session(ATTACKER, at="smtps") as slow:
        began = time.monotonic()
        slow.send(f"AUTH PLAIN {b64(chr(0) + JOE + chr(0) + 'wrong')}\r\n".encode())
        equal(attempt(gateway)[:4], "235 ", "another's login")
        taken = time.monotonic() - began
        check(taken < 2, f"another's login took {taken:.1f}s")
        slow.expect("535 5.7.8 ")
        check(time.monotonic() - began >= 1.9, "the failure was not delayed")


def test_a_crowd_of_logins_does_not_stop_others():
    """Forty at a time, and someone who only sends mail; all are answered 235, 535 or 454."""
    answers = []
    with gateway_with() as gateway:
        gateway.tmail("rcpthost", "add", "example.com")
        def guess(number):
            with gateway.secure_session(ATTACKER, at="smtps") as client:
                answers.append(client.login("PLAIN", JOE, PASSWORD if number % 4 == 0 else "wrong").code)
        threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        with gateway.session(HONEST) as client:
            client.mail("a@client.example", ["b@example.com"], b"Subject: x\r\n\r\n")
            client.quit()
        for thread in threads:
            thread.join()
        equal(len(answers), 40, "answers")
        check(set(answers) <= {235, 535, 454}, f"answers: {sorted(answers)}")
        check(answers.count(235) + answers.count(454) >= 10 and answers.count(235) <= 10, f"answers: {sorted(answers)}")


@contextlib.contextmanager
def without_users(gateway):
    """The table of users has another name within the block."""
    def rename(one, other):
        with contextlib.closing(sqlite3.connect(gateway.path("tmail.db"), timeout=30)) as database, database:
            database.execute("PRAGMA legacy_alter_table=ON")
            database.execute(f"ALTER TABLE {one} RENAME TO {other}")
    rename("users", "gone_users")
    try:
        yield
    finally:
        rename("gone_users", "users")


def test_users_that_cannot_be_asked_are_a_temporary_failure():
    """454, neither welcome nor wrong."""
    with gateway_with() as gateway:
        with without_users(gateway):
            for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"):
                equal(attempt(gateway, mechanism)[:9], "454 4.7.0", mechanism)
        equal(attempt(gateway)[:4], "235 ", "when they can be asked again")


# --- secrets ---

def encodings(secret):
    """A secret, and its base64 wherever it may stand in a longer text."""
    raw = secret.encode()
    yield raw
    for pad in range(3):
        encoded = b64(b"\0" * pad + raw)
        yield encoded[4:-4].encode()
    yield raw.hex().encode()


def test_no_secret_is_logged_or_kept():
    """Every mechanism, right and wrong, with the debug log on; then log and database are searched."""
    with gateway_with(DEBUG_ENABLED="true") as gateway:
        for mechanism in sasl.MECHANISMS:
            for initial in (True, False):
                for password in (PASSWORD, "another-Secret-that-is-wrong"):
                    with gateway.secure_session(at="smtps") as client:
                        client.login(mechanism, JOE, password, initial)
                        client.quit()
        with gateway.secure_session(at="smtps") as client:
            client.command(f"AUTH PLAIN {b64(chr(0) + JOE + chr(0) + PASSWORD)} {b64(PASSWORD)}", "501 ")
            client.command(f"AUTH PLAIN {b64(chr(0) + JOE + chr(0) + PASSWORD)}=", "501 ")
            client.command("AUTH PLAIN", "334 ")
            client.command(f"{b64(chr(0) + JOE + chr(0) + PASSWORD)} ", "")
        with gateway.session() as client:
            client.command(f"AUTH PLAIN {b64(chr(0) + JOE + chr(0) + PASSWORD)}", "538 ")
            # Some go on without looking at the answer.
            client.command("AUTH LOGIN", "538 ")
            client.command(b64(JOE), "500 ")
            client.command(b64(PASSWORD), "500 ")
            client.command(PASSWORD, "500 ")
            client.quit()
        gateway.await_log("event=dialogue.*AUTH")
        logged = gateway.log().encode(errors="surrogateescape")
        kept = b"".join(open(gateway.path(name), "rb").read() for name in os.listdir(gateway.folder) if name.startswith("tmail.db"))
        for secret in (PASSWORD, "another-Secret-that-is-wrong"):
            for form in encodings(secret):
                equal([line for line in logged.splitlines() if form in line], [], "lines of the log with the secret")
                check(form not in kept, f"{form!r} is in the database")
        hashes = [value for row in rows(gateway, "SELECT passwd, dove_passwd, scram_sha256, cram_md5 FROM users") for value in row if value]
        check(len(hashes) >= 8, f"{len(hashes)} hashes")
        for value in hashes:
            check(value.encode() not in logged, "a hash is in the log")
            check(value not in gateway.tmail("user", "list", "--json"), "a hash is in the listing")


def rows(gateway, query):
    """What a query of the directory's database gives."""
    with contextlib.closing(sqlite3.connect(gateway.path("tmail.db"))) as database:
        return database.execute(query).fetchall()


def test_cram_md5_is_kept_only_while_it_is_offered():
    """A user of before has no such login, and is told what others are told, until the password is set again."""
    with gateway_with(SMTPD_AUTH_MECHANISMS="SCRAM-SHA-256, PLAIN") as gateway:
        equal(rows(gateway, "SELECT DISTINCT cram_md5 FROM users"), [(None,)], "cram_md5")
        gateway.config["TMAIL_SMTPD_AUTH_MECHANISMS"] = "CRAM-MD5, PLAIN"
        gateway.reload()
        await_true(lambda: attempt(gateway, "CRAM-MD5").startswith("535 "), "the new mechanisms")
        gateway.tmail("user", "update", JOE, "-p", PASSWORD)
        equal(attempt(gateway, "CRAM-MD5")[:4], "235 ", "after the password was set")
        equal(attempt(gateway, "SCRAM-SHA-256")[:4], "504 ", "a mechanism that is no more")


def test_a_list_of_mechanisms():
    """In its order, or none at all."""
    for text, expected in (("PLAIN", "AUTH PLAIN"), ("LOGIN; scram-sha-256", "AUTH LOGIN SCRAM-SHA-256"), ("none", None)):
        with gateway_with(SMTPD_AUTH_MECHANISMS=text) as gateway, gateway.client(at="smtps") as client:
            offered = [line[4:] for line in client.greet().lines if re.match("250.AUTH", line)]
            equal(offered, [expected] if expected else [], f"offered with {text}")
            if not expected:
                check(client.login("PLAIN", JOE, PASSWORD).code in (502, 503, 504), "AUTH with none")
            client.quit()


# --- SCRAM ---

def scram_first(client, login, flag="n", mechanism="SCRAM-SHA-256"):
    """The server's first message to a login, as a dict; the exchange is cancelled."""
    reply = client.command(f"AUTH {mechanism} {b64(f'{flag},,n={login},r=clientnonce')}", "334 ")
    client.command("*", "501 5.7.0 ")
    return dict(field.split("=", 1) for field in unb64(reply.last[4:]).decode().split(","))


def test_scram_shows_the_same_of_users_that_there_are_and_that_there_are_not():
    """A salt that stays the same for a name, of the same length, with as many iterations; another for another name."""
    with gateway_with() as gateway, gateway.secure_session(at="smtps") as client:
        known, inactive, *unknown = [[scram_first(client, login) for _ in range(3)]
                                     for login in (JOE, "off@example.com", "nobody@example.com", "noone@example.com", "x")]
        for firsts in (known, inactive, *unknown):
            equal(len({first["s"] for first in firsts}), 1, "salts of one name")
            equal((len(unb64(firsts[0]["s"])), firsts[0]["i"]), (len(unb64(known[0]["s"])), known[0]["i"]), "salt's length, iterations")
            equal(len({first["r"] for first in firsts}), 3, "nonces")
            check(all(first["r"].startswith("clientnonce") and len(first["r"]) > 22 for first in firsts), f"nonces: {firsts}")
        equal(len({firsts[0]["s"] for firsts in (known, inactive, *unknown)}), 5, "salts of five names")
        check(int(known[0]["i"]) >= 4096, "iterations (RFC 7677 4)")


def test_a_salt_stays_the_same_over_a_reload():
    """Of a name that there is not, too: else it would tell which names there are."""
    with gateway_with() as gateway:
        seen = []
        for _ in range(2):
            with gateway.secure_session(at="smtps") as client:
                seen.append([scram_first(client, login)["s"] for login in (JOE, "nobody@example.com")])
            gateway.reload()
        equal(seen[0], seen[1], "salts of a user and of nobody")


def test_scram_without_an_initial_response_and_with_quoted_names():
    """RFC 5802 5.1: `=2C` and `=3D`; a name that is quoted wrongly is none."""
    with gateway_with() as gateway, gateway.secure_session(at="smtps") as client:
        for name in (JOE.replace("@", "=2C"), JOE + "=", JOE + "=2c", "=3D" + JOE):
            check(client.command(f"AUTH SCRAM-SHA-256 {b64(f'n,,n={name},r=abcdefgh')}").code in (334, 501, 535), f"answer to {name}")
            client.command("*")
        equal(client.login("SCRAM-SHA-256", JOE, PASSWORD, initial=False).code, 235, "login")


MALFORMED_FIRSTS = ("", "n", "n,,", "n,,n=joe@example.com", "n,,r=abc", "n,,n=joe@example.com,r=", "x,,n=joe@example.com,r=abc",
                    "n,,m=ext,n=joe@example.com,r=abc", "p=tls-unique,,n=joe@example.com,r=abc",
                    "n,a=ann@example.com,n=joe@example.com,r=abc", "n,,n=,r=abc", "n,,n=joe\0,r=abc", "n,,n=joe@example.com,r=a b",
                    "N,,n=joe@example.com,r=abc", ",,n=joe@example.com,r=abc")


def test_scram_firsts_that_are_none():
    """Each is 501 or 535, at once, and the session goes on."""
    with gateway_with() as gateway, gateway.secure_session(at="smtps") as client:
        for first in MALFORMED_FIRSTS:
            check(client.command(f"AUTH SCRAM-SHA-256 {b64(first) or '='}").code in (501, 535), f"{first!r} was taken")
        equal(client.login("SCRAM-SHA-256", JOE, PASSWORD).code, 235, "login")


def altered_final(gateway, change):
    """The answer to a right final message that was changed."""
    with gateway.session() as client:
        exchange = sasl.client("SCRAM-SHA-256", JOE, PASSWORD)
        reply = client.command(f"AUTH SCRAM-SHA-256 {b64(next(exchange))}", "334 ")
        final = exchange.send(unb64(reply.last[4:])).decode()
        reply = client.command(b64(change(final)))
        return client.command("") if reply.code == 334 else reply


FINALS = {
    "as it was": (235, lambda final: final),
    "another nonce": (535, lambda final: re.sub("r=..", "r=xx", final)),
    "a nonce cut short": (535, lambda final: re.sub(r"(r=[^,]*).,", r"\1,", final)),
    "no proof": (535, lambda final: final.rpartition(",p=")[0]),
    "an empty proof": (535, lambda final: final.rpartition(",p=")[0] + ",p="),
    "a proof of zeros": (535, lambda final: final.rpartition(",p=")[0] + ",p=" + b64(b"\0" * 32)),
    "a proof too short": (535, lambda final: final.rpartition(",p=")[0] + ",p=" + b64(unb64(final.rpartition(",p=")[2])[:31])),
    "a proof too long": (535, lambda final: final.rpartition(",p=")[0] + ",p=" + b64(unb64(final.rpartition(",p=")[2]) + b"\0")),
    "another header": (535, lambda final: final.replace("c=biws", "c=" + b64("y,,"))),
    "nothing": (535, lambda final: ""),
}


def test_scram_finals():
    """Only the right one is taken. A refusal may be called one of syntax."""
    with gateway_with() as gateway:
        for name, (code, change) in FINALS.items():
            got = altered_final(gateway, change)
            check(got.code == code or (code, got.code) == (535, 501), f"{name}: expected {code}, got {got}")


def test_a_binding_to_another_connection_is_refused():
    """RFC 5802 6, RFC 9266: someone in the middle has another one; and who was told that there is none is told the truth."""
    with gateway_with() as gateway:
        for name, mechanism, binding, could, code in (("right", "SCRAM-SHA-256-PLUS", None, False, 235),
                                                      ("of another", "SCRAM-SHA-256-PLUS", b"\x01" * 32, False, 535),
                                                      ("empty", "SCRAM-SHA-256-PLUS", b"", False, 535),
                                                      ("no PLUS was seen", "SCRAM-SHA-256", None, True, 535),
                                                      ("none", "SCRAM-SHA-256", None, False, 235)):
            with gateway.secure_session(at="smtps") as client:
                exchange = sasl.client(mechanism, JOE, PASSWORD, exporter(client.wire.sock) if binding is None else binding, could)
                reply, response = client.command(f"AUTH {mechanism} {b64(next(exchange))}"), None
                while reply.code == 334:
                    response = exchange.send(unb64(reply.last[4:]))
                    reply = client.command(b64(response))
                check(reply.code in (code, 501 if code == 535 else code), f"{name}: {reply}")
        with gateway.client() as client:
            client.greet()
            client.starttls(client_context(version="1.2"))
            client.command("EHLO client.example", "250 ")
            equal(client.login("SCRAM-SHA-256", JOE, PASSWORD, could_bind=True).code, 235, "`y` where no PLUS was offered")


def test_plus_with_the_header_of_the_other_and_the_other_way_round():
    """`n,,` with -PLUS and `p=` without it are refused."""
    with gateway_with() as gateway, gateway.secure_session(at="smtps") as client:
        for mechanism, header in (("SCRAM-SHA-256-PLUS", "n,,"), ("SCRAM-SHA-256-PLUS", "y,,"), ("SCRAM-SHA-256", "p=tls-exporter,,")):
            check(client.command(f"AUTH {mechanism} {b64(f'{header}n={JOE},r=abcdefgh')}").code in (501, 535), f"{mechanism} with {header}")


def test_names_and_passwords_beyond_ascii():
    """SASLprep (RFC 4013): the same text in another form is the same; for every mechanism."""
    with gateway_with() as gateway:
        gateway.tmail("user", "add", "-r", "uml@example.com", stdin="Gr\u00fc\u00dfe \u2168\n")
        for mechanism in sasl.MECHANISMS:
            for password, code in (("Gr\u00fc\u00dfe \u2168", "235 "), ("Gr\u00fc\u00dfe IX", "235 " if "SCRAM" in mechanism else None),
                                   ("Gr\u00fc\u00dfe", "535 ")):
                got = attempt(gateway, mechanism, "uml@example.com", password)[:4]
                check(code in (None, got), f"{mechanism} with {password!r}: {got}")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Dovecot (Debian packages dovecot-core, dovecot-sqlite) as the judge of logins, with our own client, smtplib and swaks."""

import contextlib
import os
import re
import smtplib
import sqlite3
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dovecot import MECHANISMS, Dovecot  # noqa: E402  pylint: disable=wrong-import-position
from peers import need, run  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, Sink, await_true, b64, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

LOGIN, PASSWORD = "alice@local.example", "secret one"
SHOWN = ("PLAIN", "LOGIN")
HIDDEN = tuple(name for name in MECHANISMS if name not in SHOWN)
PLAIN = b64(f"\0{LOGIN}\0{PASSWORD}")
CONTENT = b"Subject: x\r\n\r\nHello.\r\n"


@contextlib.contextmanager
def judged(config=None, **options):
    """A Dovecot that knows one user, and a gateway that asks it."""
    with Dovecot({LOGIN: PASSWORD}, **options) as dovecot:
        keys = {"TMAIL_DOVECOT_AUTH": dovecot.socket, "TMAIL_SMTPD_AUTH_FAILURE_DELAY": "0s"}
        with Gateway({**keys, **(config or {})}) as gateway:
            yield dovecot, gateway


@contextlib.contextmanager
def judged_by_table():
    """A gateway with users of its own, and a Dovecot that reads their table."""
    with Dovecot(mechanisms=SHOWN, start=False) as dovecot:
        with Gateway({"TMAIL_DOVECOT_AUTH": dovecot.socket, "TMAIL_SMTPD_AUTH_FAILURE_DELAY": "0s"}) as gateway:
            gateway.tmail("user", "add", "-m", LOGIN, PASSWORD)
            dovecot.database = gateway.path("tmail.db")
            dovecot.start()
            yield dovecot, gateway


def offered(client):
    """The mechanisms of EHLO's one AUTH line."""
    lines = [line[4:].split() for line in client.command("EHLO client.example", "250 ").lines]
    lines = [words[1:] for words in lines if words[0] == "AUTH"]
    check(len(lines) <= 1, f"several AUTH lines: {lines}")
    return lines[0] if lines else []


def secure(gateway):
    """A session under TLS."""
    return gateway.secure_session()


def log_in(client, mechanism="PLAIN", login=LOGIN, password=PASSWORD, initial=True, start="235 2.7.0 "):
    """Log in, with this answer."""
    reply = client.login(mechanism, login, password, initial)
    check(reply.last.startswith(start), f"{mechanism}: expected {start!r}, got {str(reply)!r}")


def refused_then_accepted(*attempts):
    """In one session the first attempt is 535, and the user's own login good all the same."""
    with judged() as (_, gateway):
        for mechanism, login, password in attempts:
            client = secure(gateway)
            log_in(client, mechanism, login, password, start="535 5.7.8 ")
            log_in(client)
            client.quit()


# --- what is offered ---

def test_ehlo_names_its_mechanisms():
    """Those that show the password under TLS only."""
    with judged() as (_, gateway):
        client = gateway.session()
        equal(sorted(offered(client)), sorted(HIDDEN), "without TLS")
        client.command("AUTH PLAIN " + PLAIN, "538 5.7.11 ")
        client.command("AUTH GSSAPI", "504 5.5.4 ")
        client.starttls()
        equal(sorted(offered(client)), sorted(MECHANISMS), "with TLS")
        client.quit()


def test_the_key_picks_among_them():
    """TMAIL_SMTPD_AUTH_MECHANISMS."""
    with judged({"TMAIL_SMTPD_AUTH_MECHANISMS": "PLAIN, CRAM-MD5"}) as (_, gateway):
        client = secure(gateway)
        equal(sorted(offered(client)), ["CRAM-MD5", "PLAIN"], "mechanisms")
        client.command("AUTH LOGIN", "504 5.5.4 ")
        log_in(client)
        client.quit()


# --- logins ---

def test_each_mechanism():
    """With and without an initial response; the password, in no form that gives it away, is in no log."""
    with judged({"TMAIL_DEBUG_ENABLED": "true"}) as (_, gateway):
        for mechanism in MECHANISMS:
            for initial in (True, False):
                client = secure(gateway)
                mark = gateway.mark()
                log_in(client, mechanism, initial=initial)
                gateway.await_log(rf"event=login .*login={LOGIN} mechanism={mechanism}", mark)
                client.quit()
        for secret in (PASSWORD, PLAIN, b64(PASSWORD)):
            check(secret not in gateway.log(), f"the log has {secret!r}")


def test_hidden_passwords_need_no_tls():
    """CRAM-MD5 and SCRAM-SHA-256 in plain text."""
    with judged() as (_, gateway):
        for mechanism in HIDDEN:
            client = gateway.session()
            log_in(client, mechanism)
            client.quit()


def test_wrong_passwords():
    """By each mechanism; the session goes on."""
    refused_then_accepted(*((mechanism, LOGIN, "secret two") for mechanism in MECHANISMS))


def test_unknown_users():
    """The same answer as for a wrong password."""
    refused_then_accepted(*((mechanism, "nobody@local.example", PASSWORD) for mechanism in MECHANISMS))


def test_cancelled_exchanges():
    """`*`, what is no base64, and what could become a word of Dovecot's protocol: then the next one is good."""
    with judged() as (_, gateway):
        client = secure(gateway)
        client.command("AUTH LOGIN", "334 ")
        client.command("*", "501 5.7.0 ")
        client.command("AUTH PLAIN", "334 ")
        client.command("no base64", "501 5.5.2 ")
        client.command("AUTH PLAIN AA== nologin", "501 5.5.2 ")
        client.command("AUTH PLAIN", "334 ")
        client.command(PLAIN + "\tno-penalty", "501 5.5.2 ")
        client.command("AUTH PLAIN =", "535 5.7.8 ")
        log_in(client)
        client.quit()


def test_the_login_is_as_dovecot_has_it():
    """In its own case, which the log shows."""
    with judged() as (_, gateway):
        client = secure(gateway)
        log_in(client, login=LOGIN.upper())
        gateway.await_log(rf"event=login .*login={LOGIN} ")
        client.quit()


def test_dovecot_learns_who_asks():
    """Its own log names the client's address and our session."""
    with judged() as (dovecot, gateway):
        client = gateway.client(source="127.0.0.9")
        session = client.expect("220 ").last.rsplit(" ", 1)[1]
        client.command("EHLO client.example", "250 ")
        client.starttls()
        client.command("EHLO client.example", "250 ")
        log_in(client, password="secret two", start="535 ")
        client.quit()
        expected = re.compile(rf"\({LOGIN},127\.0\.0\.9,<{re.escape(session)}>\): Password mismatch")
        await_true(lambda: expected.search(dovecot.log()), lambda: f"/{expected.pattern}/ in Dovecot's log:\n{dovecot.log()}")


# --- what a login is good for ---

def test_relaying():
    """Refused before the login, allowed after it, also to one who is no user of ours."""
    with judged() as (_, gateway), Sink() as sink:
        gateway.route("hop.example", sink)
        client = secure(gateway)
        client.command(f"MAIL FROM:<{LOGIN}>", "250 ")
        client.command("RCPT TO:<b@hop.example>", "554 5.7.1 ")
        client.command("RSET", "250 ")
        log_in(client)
        client.mail(LOGIN, ["b@hop.example"], CONTENT)
        client.quit()
        check(b" with ESMTPSA id " in sink.wait(1)[0].content, "the trace field says ESMTPSA")


def test_smtplib():
    """Python's smtplib by the mechanism that it would rather have, and by each that it knows."""
    with judged() as (_, gateway), Sink() as sink:
        gateway.route("hop.example", sink)
        for mechanism in (None, "CRAM-MD5", "PLAIN", "LOGIN"):
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with smtplib.SMTP("127.0.0.1", gateway.port, "client.example") as client:
                client.starttls(context=context)
                client.ehlo()
                if mechanism:
                    client.user, client.password = LOGIN, PASSWORD
                    client.auth(mechanism, getattr(client, f"auth_{mechanism.lower().replace('-', '_')}"))
                else:
                    client.login(LOGIN, PASSWORD)
                client.sendmail(LOGIN, ["b@hop.example"], CONTENT)
        sink.wait(4)


def test_swaks():
    """swaks -a, by each mechanism that it knows, and with a wrong password."""
    with judged() as (_, gateway), Sink() as sink:
        gateway.route("hop.example", sink)
        words = [need("swaks", "swaks"), "--server", "127.0.0.1", "--port", str(gateway.port), "--helo", "client.example",
                 "--tls", "--from", LOGIN, "--to", "b@hop.example", "--auth-user", LOGIN]
        for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5"):
            transcript = run(*words, "--auth-password", PASSWORD, "-a", mechanism)
            check("235 2.7.0 " in transcript and "Ok: queued" in transcript, f"transcript: {transcript}")
        transcript = run("/bin/sh", "-c", '"$@"; test $? -eq 28', "sh", *words, "--auth-password", "secret two", "-a", "LOGIN")
        check("535 5.7.8 " in transcript, f"transcript: {transcript}")
        sink.wait(3)


# --- Dovecot is not there ---

def test_dovecot_is_down():
    """454, and the session goes on; when Dovecot is back it is good for the same session, without a word to the gateway."""
    with judged() as (dovecot, gateway):
        client = secure(gateway)
        for end in (dovecot.kill, dovecot.stop):
            end()
            log_in(client, start="454 4.7.0 ")
            client.command("NOOP", "250 ")
            dovecot.start()
        log_in(client)
        client.quit()
        gateway.await_log("event=dovecot-auth .*(Connection refused|No such file)")


def test_dovecot_dies_in_an_exchange():
    """The response is answered with 454; the next exchange is a new one."""
    with judged() as (dovecot, gateway):
        client = secure(gateway)
        client.command("AUTH LOGIN", "334 ")
        dovecot.kill()
        client.command(b64(LOGIN), "454 4.7.0 ")
        client.command("MAIL FROM:<a@client.example>", "250 ")
        client.command("RSET", "250 ")
        dovecot.start()
        log_in(client)
        client.quit()


def test_new_mechanisms_are_noticed():
    """A Dovecot that comes back with others: known from the next exchange on."""
    with judged() as (dovecot, gateway):
        client = secure(gateway)
        equal(sorted(offered(client)), sorted(MECHANISMS), "before")
        dovecot.kill()
        dovecot.mechanisms = SHOWN
        dovecot.start()
        log_in(client, start="235 ")
        client.quit()
        client = secure(gateway)
        equal(sorted(offered(client)), sorted(SHOWN), "after")
        client.command("AUTH CRAM-MD5", "504 5.5.4 ")
        client.quit()


def test_no_dovecot_at_the_start():
    """Nothing is offered, mail is taken; Dovecot is found when it comes."""
    with Dovecot({LOGIN: PASSWORD}, start=False) as dovecot, Gateway({"TMAIL_DOVECOT_AUTH": dovecot.socket}) as gateway:
        gateway.tmail("rcpthost", "add", "hop.example")
        client = secure(gateway)
        equal(offered(client), [], "mechanisms")
        client.command("MAIL FROM:<a@client.example>", "250 ")
        client.command("RCPT TO:<b@hop.example>", "250 ")
        client.command("RSET", "250 ")
        dovecot.start()
        await_true(lambda: offered(client), "logins to be offered")
        log_in(client)
        client.quit()


# --- our users by way of Dovecot ---

def test_our_users_are_users_of_dovecot():
    """Its query works on our table as it stands: for new users, changed passwords, and those who are gone."""
    with judged_by_table() as (_, gateway):
        client = secure(gateway)
        log_in(client)
        client.quit()
        gateway.tmail("user", "update", LOGIN, "-p", "secret two")
        for mechanism in SHOWN:
            client = secure(gateway)
            log_in(client, mechanism, start="535 5.7.8 ")
            log_in(client, mechanism, password="secret two")
            client.quit()
        gateway.tmail("user", "del", LOGIN)
        client = secure(gateway)
        log_in(client, password="secret two", start="535 5.7.8 ")
        client.quit()


def test_inactive_users_of_ours():
    """Dovecot refuses them."""
    with judged_by_table() as (_, gateway):
        client = secure(gateway)
        for active, start in (("no", "535 5.7.8 "), ("yes", "235 ")):
            gateway.tmail("user", "update", LOGIN, "--active", active)
            log_in(client, start=start)
        client.quit()


def test_a_database_that_cannot_be_read():
    """Dovecot says `temp`: 454, never a refusal."""
    with judged_by_table() as (dovecot, gateway):
        dovecot.kill()
        dovecot.database = gateway.path("other.db")
        sqlite3.connect(dovecot.database).close()
        dovecot.start()
        client = secure(gateway)
        log_in(client, start="454 4.7.0 ")
        client.command("NOOP", "250 ")
        client.quit()


if __name__ == "__main__":
    main()

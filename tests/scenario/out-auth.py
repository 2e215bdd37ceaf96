#!/usr/bin/python3
"""RFC 4954 and issue 3, item 5: logins at next hops: which mechanism, under what, and what becomes of mail when one fails."""

import contextlib
import os
import re
import socket
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import (Certificates, Gateway, Logins, Sink, await_true, b64,  # noqa: E402  pylint: disable=wrong-import-position
                   check, equal, fresh_loopback, main, server_context)

AUTHORITY = Certificates()
JOE, SECRET = "joe@hop.example", "a-Secret-that-is-nowhere"
LOGIN = ("-rl", JOE, "-rpwd", SECRET)
PROTECTED = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN")


def gateway_with(**keys):
    """A gateway that relays for this host, trusts the authority of the tests, and tries again soon."""
    gateway = Gateway({"TMAIL_TLS_CA_FILE": AUTHORITY.ca, "TMAIL_DELIVERD_REMOTE_TIMEOUT": "5s", **keys})
    gateway.tmail("relayip", "add", "127.0.0.1")
    return gateway


def hop(mechanisms=PROTECTED, tls="good", version=None, **options):
    """A next hop where joe has a login; its certificate is good for its address unless told otherwise."""
    address = fresh_loopback()
    options.setdefault("logins", Logins(list(mechanisms), JOE, SECRET))
    if tls:
        pair = AUTHORITY.make(address, hosts=[], ips=[address], expired=tls == "expired")
        options["tls"] = server_context(pair, version)
    return Sink(address, **options)


def sent(gateway, destination, recipient="b"):
    """Send a message there; return its recipient."""
    address = f"{recipient}@{destination}"
    with gateway.session() as client:
        client.mail("a@client.example", [address], b"Subject: x\r\n\r\n")
        client.quit()
    return address


def waits(gateway, sink, destination, status="4.7.8"):
    """Send a message there: it must wait with this status; nothing of it was said, no password shown."""
    address = sent(gateway, destination)
    line = gateway.await_log(rf"event=(deferred|failed|delivered).*{address}.*").string
    check("event=deferred" in line and f"status={status}" in line, f"expected deferred, {status}: {line}")
    check(SECRET not in line and b64(SECRET) not in line, f"the password is in the log: {line}")
    equal(gateway.await_recipient(address, "scheduled")["attempts"], 1, "attempts")
    equal((sink.messages, [session.exposed for session in sink.sessions if session.exposed]), ([], []), "messages, exposed")
    check(b"MAIL" not in b"".join(sink.commands()), f"MAIL was said: {sink.commands()!r}")


def test_every_mechanism():
    """Alone, under TLS by STARTTLS and from the first byte."""
    with gateway_with() as gateway:
        for number, mechanism in enumerate(PROTECTED):
            for smtps in (False, True):
                with hop([mechanism], smtps=smtps) as sink:
                    gateway.route(f"m{number}{smtps}.example", sink, *LOGIN, "--tls", "verify+smtps" if smtps else "verify")
                    sent(gateway, f"m{number}{smtps}.example")
                    session = sink.wait(1)[0].session
                    equal((session.login, session.mechanism, session.exposed), (JOE, mechanism, False), "login")


def test_the_strongest_mechanism_is_taken():
    """Of those that are offered then, in whatever order; -PLUS only where there is something to bind to."""
    with gateway_with() as gateway:
        for number, (offered, version, expected) in enumerate((
                (("LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"), "1.3", "SCRAM-SHA-256-PLUS"),
                (("GSSAPI", "LOGIN", "PLAIN", "CRAM-MD5", "SCRAM-SHA-256", "XOAUTH2"), "1.3", "SCRAM-SHA-256"),
                (("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN"), "1.2", "SCRAM-SHA-256"),
                (("LOGIN", "PLAIN", "CRAM-MD5"), "1.3", "CRAM-MD5"), (("LOGIN", "PLAIN"), "1.2", "PLAIN"),
                (("NTLM", "LOGIN"), "1.3", "LOGIN"))):
            with hop(offered, version=version) as sink:
                gateway.route(f"s{number}.example", sink, *LOGIN)
                sent(gateway, f"s{number}.example")
                session = sink.wait(1)[0].session
                equal((session.mechanism, session.attempts), (expected, [expected]), f"of {offered}")


def test_what_there_is_no_mechanism_for_waits():
    """None that we know, none at all, and tokens that we have not."""
    with gateway_with() as gateway:
        for number, offered in enumerate((["GSSAPI"], ["XOAUTH2", "OAUTHBEARER"], ["SCRAM-SHA-256-PLUS"])):
            with hop(offered, version="1.2") as sink:
                gateway.route(f"n{number}.example", sink, *LOGIN)
                waits(gateway, sink, f"n{number}.example", "4.7.")
                equal(sink.sessions[0].attempts, [], "attempts")
        with hop(logins=None) as sink:
            gateway.route("noauth.example", sink, *LOGIN)
            waits(gateway, sink, "noauth.example", "4.7.")


def test_no_login_without_tls():
    """Whatever the rule: STARTTLS that is not there, refused, or broken; no falling back for who has a login."""
    with gateway_with() as gateway:
        for number, (rule, tls, script) in enumerate((rule, tls, script) for rule in (None, "may", "encrypt", "verify")
                                                     for tls, script in ((None, ()), ("good", ["STARTTLS: 454 4.7.0 not now"]),
                                                                         ("good", ["STARTTLS: 220 go; close"]))):
            with hop(tls=tls, script=script) as sink:
                gateway.route(f"t{number}.example", sink, *LOGIN, *(("--tls", rule) if rule else ()))
                waits(gateway, sink, f"t{number}.example", "4.7.")
                equal([session.attempts for session in sink.sessions], [[]] * len(sink.sessions), f"attempts with {rule}")
        refused = gateway.run("routes", "add", "-d", "none.example", "-rh", "127.0.0.1", *LOGIN, "--tls", "none")
        equal(refused.status, 1, "exit status of a route with a login and `none`")


def test_a_rule_of_none_is_never_that_of_a_login():
    """By the key, and in a row that something else wrote."""
    with gateway_with(TMAIL_DELIVERD_REMOTE_TLS="none") as gateway:
        with hop(tls=None) as sink:
            gateway.route("key.example", sink, *LOGIN)
            waits(gateway, sink, "key.example", "4.7.4")
        for number, tls in enumerate((None, "good")):
            with hop(tls=tls) as sink:
                gateway.route(f"row{number}.example", sink, *LOGIN)
                with contextlib.closing(sqlite3.connect(gateway.path("tmail.db"), timeout=30)) as database, database:
                    database.execute("UPDATE routes SET tls = 'none'")
                waits(gateway, sink, f"row{number}.example", "4.")
                equal([session.attempts for session in sink.sessions], [[]] * len(sink.sessions), "attempts")


def test_without_a_rule_the_certificate_must_be_good():
    """And with `encrypt` or `may` it need not be: that is what was asked for."""
    with gateway_with() as gateway:
        with hop(tls="expired") as sink:
            gateway.route("expired.example", sink, *LOGIN)
            waits(gateway, sink, "expired.example", "4.7.5")
            equal(sink.sessions[0].attempts, [], "attempts")
        for rule in ("encrypt", "may"):
            with hop(tls="expired") as sink:
                gateway.route(f"{rule}.example", sink, *LOGIN, "--tls", rule)
                sent(gateway, f"{rule}.example")
                equal(sink.wait(1)[0].session.login, JOE, f"login with {rule}")


def test_a_server_that_offers_auth_before_tls_only():
    """RFC 3207 4.2: what was offered then counts no more; no password is tried on the offer of before."""
    with gateway_with() as gateway, hop(["PLAIN", "LOGIN"], logins=Logins(["PLAIN", "LOGIN"], JOE, SECRET, under="plain")) as sink:
        gateway.route("before.example", sink, *LOGIN)
        waits(gateway, sink, "before.example", "4.7.")
        equal(sink.sessions[0].attempts, [], "attempts")


# What a server may say to AUTH, or to a response: none of it is the fault of the mail.
VERDICTS = ("535 5.7.8 Authentication credentials invalid", "534 5.7.9 Authentication mechanism is too weak", "530 5.7.0 What?",
            "500 5.5.6 Authentication Exchange line is too long", "501 5.5.2 Cannot decode", "503 5.5.1 Not now", "504 5.5.4 Unknown",
            "538 5.7.11 Encryption required", "550 5.7.1 Account disabled", "554 5.7.0 Too many failures; close",
            "454 4.7.0 Temporary authentication failure", "421 4.3.2 Closing; close", "432 4.7.12 A password transition is needed",
            "250 2.0.0 ok", "999 what", "close", "reset")


def test_no_verdict_on_a_login_bounces_mail():
    """Each is temporary; the next message, or the next attempt, is tried again."""
    with gateway_with() as gateway:
        for number, verdict in enumerate(VERDICTS):
            with hop(["PLAIN"], script=[f"AUTH#1: {verdict}"]) as sink:
                gateway.route(f"v{number}.example", sink, *LOGIN)
                waits(gateway, sink, f"v{number}.example", "4.")
                gateway.tmail("queue", "flush")
                equal(sink.wait(1)[0].session.login, JOE, "login of the next attempt")


def test_a_wrong_password_is_tried_again_and_never_bounces():
    """Several attempts, all `scheduled` after it; 4.7.8 is the word for it."""
    with gateway_with(TMAIL_DELIVERD_RETRY_MIN="1s", TMAIL_DELIVERD_RETRY_MAX="1s", TMAIL_DELIVERD_DEAD_HOST_TIME="0") as gateway:
        for mechanism in PROTECTED:
            with hop([mechanism], logins=Logins([mechanism], JOE, "another-password")) as sink:
                gateway.route(f"{mechanism}.example".lower(), sink, *LOGIN)
                address = sent(gateway, f"{mechanism}.example".lower())
                gateway.await_log(rf"event=deferred.*{address}.*attempts=1\b.*status=4\.7\.8")
                gateway.await_log(rf"event=deferred.*{address}.*attempts=2\b.*status=4\.7\.8")
                check(len(sink.sessions) >= 2, "the second attempt did not ask")
                sink.logins = Logins([mechanism], JOE, SECRET)
                equal(sink.wait(1)[0].session.login, JOE, "login when the password is right")


def test_a_failed_login_hands_over_to_the_next_route():
    """In the same attempt, with the login of that route, or none."""
    with gateway_with() as gateway, hop(logins=Logins(["PLAIN"], "ann", "other")) as refusing, hop() as second, Sink() as third:
        gateway.route("next.example", refusing, *LOGIN, "-p", "1")
        gateway.route("next.example", second, *LOGIN, "-p", "2")
        address = sent(gateway, "next.example")
        equal(second.wait(1)[0].session.login, JOE, "login")
        gateway.await_log(rf"event=delivered.*{address}.*attempts=1\b")
        gateway.route("open.example", refusing, *LOGIN, "-p", "1")
        gateway.route("open.example", third, "-p", "2")
        sent(gateway, "open.example")
        equal(third.wait(1)[0].session.attempts, [], "attempts at the third")
        equal(refusing.messages, [], "messages of the first")


def test_scram_servers_that_do_not_know_the_password():
    """One that says yes without a proof, and one whose proof is wrong: neither gets the mail (RFC 5802 3)."""
    with gateway_with() as gateway:
        with hop(["SCRAM-SHA-256"], script=["AUTH: 235 2.7.0 Welcome", "MAIL: 250 ok"]) as sink:
            gateway.route("unproved.example", sink, *LOGIN)
            waits(gateway, sink, "unproved.example", "4.7.")
        with hop(logins=Logins(["SCRAM-SHA-256"], JOE, "not known", lying=True)) as sink:
            gateway.route("lying.example", sink, *LOGIN)
            waits(gateway, sink, "lying.example", "4.7.")


# Challenges that are none, by mechanism.
CHALLENGES = [(mechanism, challenge) for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256")
              for challenge in ("raw 334 !!!!\\r\\n", "raw 334\\r\\n", "raw 334-AAAA\\r\\n334 AAAA\\r\\n", f"334 {b64('x' * 600)}",
                                f"raw 334 ; repeat 5000 {b64('abc')}; raw \\r\\n", "raw 334 AAAA\\n", "334 AAAA\\0AAAA")]
SCRAM_CHALLENGES = ("r=x,s=AAAA,i=4096", "r={nonce}x,s=AAAA,i=0", "r={nonce}x,s=AAAA,i=4294967296",
                    "r={nonce}x,s=AAAA,i=100000000000000000000", "r={nonce}x,s=,i=4096", "r={nonce}x,i=4096", "e=other-error",
                    "m=x,r={nonce}x,s=AAAA,i=4096", "r={nonce}x,s=AAAA,i=-1")


def test_challenges_that_are_none():
    """The exchange ends, the mail waits, whatever the server makes of it."""
    with gateway_with(TMAIL_DELIVERD_REMOTE_TIMEOUT="1s") as gateway:
        for number, (mechanism, challenge) in enumerate(CHALLENGES):
            with hop([mechanism], script=[f"AUTH: {challenge}; hang"]) as sink:
                gateway.route(f"c{number}.example", sink, *LOGIN)
                waits(gateway, sink, f"c{number}.example", "4.")


def test_challenges_of_scram_that_are_none():
    """Another nonce, iterations that are none or would take for ever: ended at once, and no proof is given."""
    with gateway_with(TMAIL_DELIVERD_REMOTE_TIMEOUT="3s") as gateway:
        for number, text in enumerate(SCRAM_CHALLENGES):
            with hop(["SCRAM-SHA-256"], script=[f"AUTH: 334 {b64(text.replace('{nonce}', 'abcdefgh'))}; hang"]) as sink:
                gateway.route(f"q{number}.example", sink, *LOGIN)
                waits(gateway, sink, f"q{number}.example", "4.")


def scripted(address):
    """A next hop that takes any PLAIN, so that several logins can use it."""
    return Sink(address, ["AUTH: 235 2.7.0 Welcome"], offers=["PIPELINING", "AUTH PLAIN"],
                tls=AUTHORITY.make(address, hosts=[], ips=[address]))


def test_connections_are_shared_by_no_two_logins():
    """At one next hop: one login, another, none at all; each message comes over a connection of its own login."""
    address = fresh_loopback()
    with gateway_with() as gateway, scripted(address) as sink:
        for name in ("joe", "ann"):
            gateway.route(f"{name}.example", sink, "-rl", name, "-rpwd", f"{name}-secret", "--tls", "encrypt")
        gateway.route("nobody.example", sink, "--tls", "encrypt")
        gateway.route("joe2.example", sink, "-rl", "joe", "-rpwd", "another-secret", "--tls", "encrypt")
        order = ("joe", "ann", "nobody", "joe", "joe2", "nobody", "ann")
        for number, name in enumerate(order):
            sent(gateway, f"{name}.example", f"b{number}")
            sink.wait(number + 1)
        for message in sink.messages:
            name = re.search(r"@(\w+)\.example", message.recipients[0])[1]
            said = [line for line in message.session.commands if line.startswith(b"AUTH")]
            login, secret = {"joe2": ("joe", "another-secret"), "nobody": (None, None)}.get(name, (name, f"{name}-secret"))
            expected = [f"AUTH PLAIN {b64(f'{chr(0)}{login}{chr(0)}{secret}')}\r\n".encode()] if login else []
            equal(said, expected, f"the login of the connection of a message of {name}")


def test_what_protected_the_attempt_is_told():
    """In the log of a delivery, and with a message that waits, in the queue."""
    with gateway_with() as gateway, hop() as sink:
        gateway.route("told.example", sink, *LOGIN)
        recipient = sent(gateway, "told.example")
        gateway.await_log(rf'event=delivered .*recipient={recipient} .*tls="TLSv1\.3 TLS_\w+ verified"')
        sink.on("RCPT: 450 4.2.0 Not now")
        recipient = sent(gateway, "told.example", "later")
        gateway.await_recipient(recipient, "scheduled")
        gateway.await_log(rf'event=deferred .*recipient={recipient} .*tls="TLSv1\.3 TLS_\w+ verified"')
        shown = gateway.tmail("queue", "show", gateway.queue()[0]["id"])
        check(re.search(r" - TLS: TLSv1\.3 TLS_\w+ verified - 450 ", shown), f"it shows {shown}")


def test_what_failed_at_one_route_says_nothing_of_the_next():
    """TLS broke at the first; nobody listens at the second, where TLS was not even tried: nothing is to be done in plain text there."""
    with gateway_with() as gateway, hop(tls="expired") as first, contextlib.closing(socket.create_server((fresh_loopback(), 0))) as second:
        gateway.route("two.example", first, "--tls", "verify", "-p", "1")
        address, port = second.getsockname()
        second.close()
        gateway.tmail("routes", "add", "-d", "two.example", "-rh", address, "-rp", str(port), "--tls", "may", "-p", "2")
        recipient = sent(gateway, "two.example")
        gateway.await_log(rf"event=deferred .*recipient={recipient} .*Cannot connect")
        check("event=tls-fallback" not in gateway.log(), "it fell back to plain text")


def test_a_server_that_repeats_the_login_is_not_quoted():
    """All of it or a part, as some do with commands that they do not like: neither the log nor the queue shows it."""
    line = b64(chr(0) + "joe" + chr(0) + "joe-secret-word")
    for said in (line, line[:-4], "joe-secret-word", "secret-w"):
        address = fresh_loopback()
        with gateway_with(DEBUG_ENABLED="true") as gateway, scripted(address) as sink:
            sink.on(f"AUTH PLAIN {line}: 535 Unknown command {said}")
            gateway.route("parrot.example", sink, "-rl", "joe", "-rpwd", "joe-secret-word", "--tls", "encrypt")
            recipient = sent(gateway, "parrot.example")
            gateway.await_log(rf"event=deferred.*{recipient}.*status=4\.7\.8")
            for where, text in (("log", gateway.log()), ("queue", gateway.tmail("queue", "list", "--json")),
                                ("message", gateway.tmail("queue", "show", gateway.queue()[0]["id"]))):
                check(said not in text, f"{said} is in the {where}")


def test_a_login_that_fails_stands_in_the_way_of_no_other():
    """At the same next hop, right after the failure: another login, another password, and who has none."""
    address = fresh_loopback()
    with gateway_with() as gateway, scripted(address) as sink:
        sink.on(f"AUTH PLAIN {b64(chr(0) + 'joe' + chr(0) + 'wrong-word')}: 535 5.7.8 Not you")
        for name, login, password in (("wrong", "joe", "wrong-word"), ("right", "joe", "right-word"), ("ann", "ann", "ann-secret")):
            gateway.route(f"{name}.example", sink, "-rl", login, "-rpwd", password, "--tls", "encrypt")
        gateway.route("nobody.example", sink, "--tls", "encrypt")
        gateway.await_log(rf"event=deferred.*{sent(gateway, 'wrong.example')}.*status=4\.7\.8")
        for number, name in enumerate(("right", "ann", "nobody")):
            sent(gateway, f"{name}.example")
            sink.wait(number + 1)


def test_a_connection_is_used_again_by_the_same_login():
    """One login, several messages."""
    with gateway_with() as gateway, hop() as sink:
        gateway.route("again.example", sink, *LOGIN)
        for number in range(3):
            sent(gateway, "again.example", f"b{number}")
            sink.wait(number + 1)
        equal([session.attempts for session in sink.sessions], [["SCRAM-SHA-256-PLUS"]], "attempts of the sessions")


def test_an_identity_that_the_client_claims_goes_no_further():
    """RFC 4954 section 5: whom we do not trust in this is <> to those whom we log in at; who claims nothing has nothing said of it."""
    with gateway_with() as gateway, hop() as sink:
        gateway.route("claims.example", sink, *LOGIN)
        for number, parameter in enumerate(("", " AUTH=joe@client.example", " AUTH=<>")):
            with gateway.session() as client:
                client.mail("a@client.example", [f"b{number}@claims.example"], b"Subject: x\r\n\r\n", parameters=parameter)
                client.quit()
            sink.wait(number + 1)
        said = [line for line in b"".join(sink.commands()).split(b"\r\n") if line.startswith(b"MAIL")]
        equal([b"AUTH=" in line for line in said], [False, True, True], f"AUTH in {said}")
        equal([line.split(b"AUTH=")[1].split()[0] for line in said[1:]], [b"<>", b"<>"], "what it says")


def test_a_password_that_is_changed_is_used_for_the_next_message():
    """No connection of the old one, no cache."""
    with gateway_with() as gateway, hop(["PLAIN"]) as sink:
        gateway.route("changed.example", sink, "-rl", JOE, "-rpwd", "old-password")
        waits(gateway, sink, "changed.example")
        number = re.search(r"(\d+)", gateway.tmail("routes", "list"))[1]
        gateway.tmail("routes", "del", number)
        gateway.route("changed.example", sink, *LOGIN)
        gateway.tmail("queue", "flush")
        equal(sink.wait(1)[0].session.login, JOE, "login")


def test_the_password_is_kept_sealed_and_shown_nowhere():
    """Not in the database, the listings, the log, or the words of a process; the key file is 0600 and made when needed."""
    with gateway_with(TMAIL_DEBUG_ENABLED="true") as gateway, hop(["PLAIN"]) as sink:
        key = gateway.path("secret.key")
        check(not os.path.exists(key), "the key file is there before it is needed")
        destination = ("-d", "sealed.example", "-rh", sink.address, "-rp", str(sink.port))
        gateway.tmail("routes", "add", *destination, "-rl", JOE, stdin=SECRET + "\n")
        equal(os.stat(key).st_mode & 0o777, 0o600, "mode of the key file")
        sent(gateway, "sealed.example")
        equal(sink.wait(1)[0].session.login, JOE, "login")
        gateway.await_log("event=delivered")
        shown = gateway.tmail("routes", "list") + gateway.tmail("routes", "list", "--json") + gateway.log()
        kept = "".join(open(gateway.path(name), "rb").read().decode("latin-1")
                       for name in os.listdir(gateway.folder) if name.startswith("tmail.db"))
        check("{sealed}" in kept, "nothing sealed is in the database")
        check("{sealed}" not in shown, "the sealed password is shown")
        for form in (SECRET, b64(SECRET)[:-4], b64("\0" + JOE + "\0" + SECRET), SECRET.encode().hex()):
            check(form not in shown and form not in kept, f"{form} is shown or kept")


def test_a_key_file_that_is_gone_delays_mail():
    """It waits with a reason that names the file, and goes when the file is back."""
    with gateway_with() as gateway, hop() as sink:
        gateway.route("key.example", sink, *LOGIN)
        os.rename(gateway.path("secret.key"), gateway.path("away.key"))
        gateway.restart()
        address = sent(gateway, "key.example")
        line = gateway.await_log(rf"event=deferred.*{address}.*").string
        check("secret.key" in line, f"the reason does not name the file: {line}")
        os.rename(gateway.path("away.key"), gateway.path("secret.key"))
        gateway.tmail("queue", "flush")
        await_true(lambda: sink.messages or gateway.tmail("queue", "flush") is None, "the mail to go")


def test_a_password_is_good_for_its_host_and_login_only():
    """Whoever can write rows of the database cannot have it sent elsewhere."""
    with gateway_with() as gateway, hop() as sink, hop(["PLAIN"], script=["AUTH: 235 yes"]) as thief:
        gateway.route("mine.example", sink, *LOGIN)
        with contextlib.closing(sqlite3.connect(gateway.path("tmail.db"), timeout=30)) as database, database:
            database.execute("UPDATE routes SET remote_host = ?, remote_port = ?", (thief.address, thief.port))
        waits(gateway, thief, "mine.example", "4.7.0")
        equal([session.attempts for session in thief.sessions], [[]] * len(thief.sessions), "attempts at the thief's")


if __name__ == "__main__":
    main()

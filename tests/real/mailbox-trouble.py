#!/usr/bin/python3
"""Dovecot that refuses, cannot, or is not there: what is refused is reported, all else arrives, once."""

import collections
import concurrent.futures
import contextlib
import os
import re
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dovecot import MailDovecot, mailboxes  # noqa: E402  pylint: disable=wrong-import-position
from post import (ALICE, BOB, DOMAIN, PASSWORD, SENDER, SOON, add_many,  # noqa: E402  pylint: disable=wrong-import-position
                  add_users, header, report_of, send)
from recorder import Recorder  # noqa: E402  pylint: disable=wrong-import-position
from tmail import ME, PATIENCE, Certificates, Gateway, Sink, await_true, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

LARGE = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 300
EACH = {}


def each_way(*ways):
    """A test that is made with each of these ways to Dovecot."""
    def decorate(test):
        for way in ways:
            EACH[f"{test.__name__.replace('_', '-')}-by-{way}"] = lambda way=way: test(way)
    return decorate


@contextlib.contextmanager
def house(way, *logins, keys=None, **options):
    """A gateway that reports, its Dovecot with these users, and the sink that is the sender's home."""
    with Sink() as home, mailboxes(way, {**SOON, "TMAIL_BOUNCE_ENABLED": "true", **(keys or {})}, **options) as (gateway, dovecot):
        gateway.route("client.example", home)
        add_users(gateway, *logins)
        yield gateway, dovecot, home


def only_report(home):
    """The only report that came home, by recipient."""
    return report_of(home.wait(1)[0])


# --- quota ---

@each_way("unix", "lda")
def a_user_over_quota(way):
    """5.2.2 to the sender; what fits still comes."""
    with house(way, ALICE) as (gateway, dovecot, home):
        gateway.tmail("user", "add", "-m", "-q", "10K", BOB, PASSWORD)
        send(gateway, ALICE, BOB, text=LARGE)
        dovecot.await_mail(ALICE)
        group = only_report(home)[BOB]
        equal((group["Action"], group["Status"]), ("failed", "5.2.2"), "report")
        equal(dovecot.mailbox(BOB), [], "messages")
        send(gateway, BOB)
        dovecot.await_mail(BOB)
        gateway.await_empty_queue()
        equal(len(home.messages), 1, "reports")


def rcpt(gateway, login, start, parameters=""):
    """RCPT for one, with this answer."""
    with gateway.session() as client:
        client.command(f"MAIL FROM:<{SENDER}>{parameters}", "250 ")
        client.command(f"RCPT TO:<{login}>", start)
        client.command("RSET", "250 ")
        client.quit()


def test_quota_at_rcpt():
    """Dovecot's quota-status is asked: before the message is sent it is known that there is no room. Without it mail is taken."""
    with MailDovecot() as dovecot:
        keys = {**SOON, **dovecot.keys("unix"), "TMAIL_DOVECOT_QUOTA_STATUS": f"inet:{dovecot.address}:{dovecot.quota_status}"}
        with Gateway(keys) as gateway:
            dovecot.serve(gateway)
            add_users(gateway, ALICE)
            gateway.tmail("user", "add", "-m", "-q", "10K", BOB, PASSWORD)
            size = f" SIZE={len(LARGE)}"
            rcpt(gateway, ALICE, "250 ", size)
            rcpt(gateway, BOB, "552 5.2.2 ", size)
            rcpt(gateway, f"bob+detail@{DOMAIN}", "552 5.2.2 ", size)
            rcpt(gateway, BOB, "250 ", " SIZE=1000")
            send(gateway, BOB, text=LARGE[:9000] + b"\r\n")
            dovecot.await_mail(BOB)
            rcpt(gateway, BOB, "552 5.2.2 ", " SIZE=5000")
            gateway.tmail("alias", "add", "-d", BOB, f"robert@{DOMAIN}")
            rcpt(gateway, f"robert@{DOMAIN}", "552 5.2.2 ", " SIZE=5000")
            dovecot.kill()
            rcpt(gateway, BOB, "250 ", size)


def test_quota_at_rcpt_over_a_socket():
    """The same, by a Unix socket."""
    with MailDovecot() as dovecot:
        keys = {**SOON, **dovecot.keys("unix"), "TMAIL_DOVECOT_QUOTA_STATUS": f"unix:{dovecot.folder}/quota-status"}
        with Gateway(keys) as gateway:
            dovecot.serve(gateway)
            gateway.tmail("user", "add", "-m", "-q", "10K", BOB, PASSWORD)
            rcpt(gateway, BOB, "552 5.2.2 ", f" SIZE={len(LARGE)}")
            rcpt(gateway, BOB, "250 ")


def test_a_hundred_recipients_of_whom_seven_are_full():
    """One transaction: 93 are delivered, and one report tells of the other seven."""
    logins = [f"user{number}@{DOMAIN}" for number in range(100)]
    full = logins[3:100:14]
    with house("unix", ALICE) as (gateway, dovecot, home), Recorder(f"{dovecot.folder}/lmtp") as recorder:
        gateway.config["TMAIL_LMTP_ADDRESS"] = recorder.endpoint
        gateway.restart()
        add_many(gateway, ALICE, [login for login in logins if login not in full])
        add_many(gateway, ALICE, full, quota="10K")
        send(gateway, *logins, text=LARGE)
        groups = only_report(home)
        equal({name: group["Status"] for name, group in groups.items()}, {name: "5.2.2" for name in full}, "report")
        gateway.await_queue(lambda entries: not entries, "an empty queue")
        equal({login: len(dovecot.mailbox(login)) for login in logins}, {login: int(login not in full) for login in logins}, "messages")
        verbs = collections.Counter(line.split()[0].upper() for line in recorder.commands())
        equal({verb: verbs[verb] for verb in (b"LHLO", b"MAIL", b"RCPT", b"DATA", b"BDAT")},
              {b"LHLO": 1, b"MAIL": 1, b"RCPT": 100, b"DATA": 1 - min(1, verbs[b"BDAT"]), b"BDAT": verbs[b"BDAT"]}, "commands")
        equal(len(home.messages), 1, "reports")


# --- Dovecot cannot, or knows better ---

@each_way("unix", "lda")
def a_home_that_cannot_be_written(way):
    """Mail waits, and is there when the home has been mended; others have theirs meanwhile."""
    with house(way, ALICE, BOB) as (gateway, dovecot, home):
        dovecot.make_folder(os.path.dirname(dovecot.home(BOB)))
        with open(dovecot.home(BOB), "wb"):
            pass
        send(gateway, ALICE, BOB)
        dovecot.await_mail(ALICE)
        gateway.await_queue(lambda entries: [entry["recipient"] for entry in entries if entry["attempts"] >= 2] == [BOB], "two attempts for one")
        check("Temporar" in gateway.queue()[0]["reason"], f"reason: {gateway.queue()[0]['reason']}")
        os.remove(dovecot.home(BOB))
        gateway.tmail("queue", "flush")
        dovecot.await_mail(BOB)
        gateway.await_empty_queue()
        equal((len(dovecot.mailbox(ALICE)), len(dovecot.mailbox(BOB)), home.messages), (1, 1, []), "messages")


@each_way("unix", "lda")
def a_user_who_was_deleted_meanwhile(way):
    """5.1.1 to the sender, at the first attempt."""
    with house(way, ALICE, BOB) as (gateway, dovecot, home):
        dovecot.stop()
        send(gateway, ALICE, BOB)
        gateway.await_queue(lambda entries: len(entries) == 2 and all(entry["reason"] for entry in entries), "attempts in vain")
        gateway.tmail("user", "del", BOB)
        dovecot.start()
        gateway.tmail("queue", "flush")
        dovecot.await_mail(ALICE)
        group = only_report(home)[BOB]
        equal((group["Action"], group["Status"]), ("failed", "5.1.1"), "report")
        gateway.await_empty_queue()


def test_dovecot_support_is_off():
    """Mail waits, and its reason names the key; when it is on, mail is delivered."""
    with house("unix", ALICE) as (gateway, dovecot, _):
        gateway.config["TMAIL_DOVECOT_SUPPORT_ENABLED"] = "false"
        gateway.restart()
        send(gateway, ALICE)
        entry = gateway.await_queue(lambda entries: [one for one in entries if one["reason"]], "an attempt")[0]
        check("TMAIL_DOVECOT_SUPPORT_ENABLED" in entry["reason"] and entry["status"] == "scheduled", f"entry: {entry}")
        gateway.config["TMAIL_DOVECOT_SUPPORT_ENABLED"] = "true"
        gateway.restart()
        gateway.tmail("queue", "flush")
        dovecot.await_mail(ALICE)


# --- Dovecot goes and comes back ---

def pour(gateway, logins, count, gate, sessions=4):
    """So many messages, numbered, to these in turn, over several sessions at a time; the second half when the gate opens, so that there is mail in any case."""
    def one(first):
        with gateway.session() as client:
            for number in range(first, count, sessions):
                check(number < count // 2 or gate.wait(PATIENCE), "the gate stays closed")
                client.mail(SENDER, [logins[number % len(logins)]], b"Subject: %d\r\n\r\nHello.\r\n" % number)
            client.quit()
    pool = concurrent.futures.ThreadPoolExecutor(sessions)
    return [pool.submit(one, first) for first in range(sessions)]


# An attempt that failed when Dovecot may have had the content.
NO_ANSWER = re.compile(r"event=deferred .*?queue=(\w+) (?!.*Cannot connect|.*the reply to (?:connect|LHLO|MAIL|RCPT|DATA))")


def queue_id(message):
    """What the message was called in our queue."""
    return next(found[1] for found in (re.search(rf"by {ME} with E?SMTP\S* id (\w+)", value) for value in header(message, "Received")) if found)


def numbers(dovecot, logins):
    """How often each numbered message is there."""
    return collections.Counter(int(header(message, "Subject")[0]) for login in logins for message in dovecot.mailbox(login))


def interrupted(way, end, count, keys=None):
    """Dovecot ends in the midst of so many deliveries, and is started again: all arrive, once each but for those that Dovecot had stored and then
    did not say so; of those our log knows."""
    logins = [f"user{number}@{DOMAIN}" for number in range(10)]
    with house(way, ALICE, keys=keys) as (gateway, dovecot, home):
        add_many(gateway, ALICE, logins)
        gate = threading.Event()
        sessions = pour(gateway, logins, count, gate)
        await_true(lambda: sum(numbers(dovecot, logins).values()) >= count // 5, "a fifth to be delivered")
        mark = gateway.mark()
        end(dovecot)
        gate.set()
        gateway.await_log("event=deferred", mark)
        for session in sessions:
            session.result()
        dovecot.start()
        gateway.tmail("queue", "flush")
        gateway.await_queue(lambda entries: not entries, "an empty queue", 120)
        copies = collections.Counter(queue_id(message) for login in logins for message in dovecot.mailbox(login))
        equal(sorted(numbers(dovecot, logins)), list(range(count)), "messages that arrived")
        deferred = collections.Counter(found[1] for found in map(NO_ANSWER.search, gateway.log().splitlines()) if found)
        equal({name: times for name, times in copies.items() if times > 1 + deferred[name]}, {}, f"more than once; had no answer: {deferred}")
        delivered = collections.Counter(re.findall(r"event=delivered .*?queue=(\w+) ", gateway.log()))
        equal((len(delivered), set(delivered.values())), (count, {1}), "deliveries")
        equal(home.messages, [], "reports")


def test_a_thousand_deliveries_and_dovecot_is_stopped():
    """By LMTP, in order, over a socket."""
    interrupted("unix", MailDovecot.stop, 1000)


def test_a_thousand_deliveries_and_dovecot_is_killed():
    """By LMTP over TCP, as a crash would."""
    interrupted("tcp", MailDovecot.kill, 1000)


def test_dovecot_lda_while_dovecot_is_stopped():
    """By dovecot-lda, 200."""
    interrupted("lda", MailDovecot.stop, 200)


def test_a_second_dovecot():
    """Two addresses: the second takes what the first, which is gone, cannot; nothing waits."""
    with MailDovecot() as second, house("tcp", ALICE) as (gateway, first, _):
        second.serve(gateway)
        gateway.config["TMAIL_LMTP_ADDRESS"] += f";unix:{second.folder}/lmtp"
        gateway.restart()
        send(gateway, ALICE)
        first.await_mail(ALICE)
        saved(first)
        check("saved mail" not in second.log(), "the first is asked first")
        gateway.await_empty_queue()
        first.kill()
        send(gateway, ALICE)
        first.await_mail(ALICE, 2)
        gateway.await_empty_queue()
        saved(second)
        waited = [line for line in gateway.log().splitlines() if "event=deferred" in line]
        equal(waited, [], "deferred")


def saved(dovecot):
    """Wait until the log of a Dovecot, which another process of it writes, says that it has stored a message."""
    await_true(lambda: "saved mail to INBOX" in dovecot.log(), "a message to be stored")


# --- LMTP as a route ---

def test_a_route_to_lmtp():
    """`routes add -rh lmtp:...`, by address and by socket, comes before TMAIL_LMTP_ADDRESS, also for a domain that is local."""
    with house("unix", ALICE, keys={}) as (gateway, dovecot, _), Recorder((dovecot.address, dovecot.lmtp)) as recorder:
        gateway.config["TMAIL_LMTP_ADDRESS"] = "unix:/nonexistent/lmtp"
        gateway.restart()
        for count, host in enumerate((f"lmtp:{recorder.address}:{recorder.port}", f"lmtp:inet:{recorder.address}:{recorder.port}",
                                      f"lmtp:unix:{dovecot.folder}/lmtp"), 1):
            gateway.tmail("routes", "add", "-d", DOMAIN, "-rh", host)
            send(gateway, ALICE)
            dovecot.await_mail(ALICE, count)
            gateway.await_empty_queue()
            equal(len(recorder.commands("MAIL")), min(count, 2), "transactions over TCP")
            equal(recorder.commands("EHLO"), [], "EHLO")
            for line in gateway.tmail("routes", "list", "--json").splitlines():
                if '"id"' in line:
                    gateway.tmail("routes", "del", line.split('"id":')[1].split(",")[0].strip())


def test_dovecots_tls():
    """TMAIL_LMTP_TLS=verify: with a certificate of the CA that is trusted mail is delivered, and without one of it waits."""
    authority = Certificates()
    keys = {"TMAIL_LMTP_TLS": "verify", "TMAIL_TLS_CA_FILE": authority.ca}
    with house("tcp", ALICE, keys=keys, tls=authority.make("mail", ips=["127.0.0.1"])) as (gateway, dovecot, _):
        send(gateway, ALICE)
        entry = gateway.await_queue(lambda entries: [one for one in entries if one["reason"]], "an attempt")[0]
        check("certificate" in entry["reason"], f"another name: {entry['reason']}")
        equal(dovecot.mailbox(ALICE), [], "messages")
        dovecot.tls = authority.make("mail", ips=[dovecot.address])
        dovecot.kill()
        dovecot.start()
        gateway.tmail("queue", "flush")
        check(any("(version=TLS" in value or "using TLS" in value for value in header(dovecot.await_mail(ALICE)[0], "Received")), "Received by TLS")


if __name__ == "__main__":
    main(EACH)

#!/usr/bin/python3
"""Dovecot's quota-status service and its LMTP server (packages of lib/dovecot.py) as what is asked at RCPT."""

import contextlib
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dovecot import mailboxes  # noqa: E402  pylint: disable=wrong-import-position
from tmail import await_true, check, main  # noqa: E402  pylint: disable=wrong-import-position

LOCAL, OTHER = "local.example", "other.example"
ALICE, BOB, PASSWORD = f"alice@{LOCAL}", f"bob@{OTHER}", "secret-word"
LETTER = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 100


@contextlib.contextmanager
def asking(way="unix", keys=None, **options):
    """A gateway whose LMTP server and quota-status service are Dovecot's, and a user with room for 4000 octets."""
    with mailboxes(way, keys, **options) as (gateway, dovecot):
        services = {"unix": f"unix:{dovecot.folder}/quota-status", "tcp": f"inet:{dovecot.address}:{dovecot.quota_status}"}
        gateway.config["TMAIL_DOVECOT_QUOTA_STATUS"] = services[way]
        gateway.restart()
        gateway.tmail("user", "add", "-m", "-q", "4000", ALICE, PASSWORD)
        yield gateway, dovecot


def rcpt(gateway, recipient, start, parameters=""):
    """One recipient in a session of its own."""
    client = gateway.session()
    client.command(f"MAIL FROM:<a@client.example>{parameters}", "250 ")
    reply = client.command(f"RCPT TO:<{recipient}>", start)
    client.quit()
    return reply


def deliver(gateway, recipient):
    """One letter."""
    client = gateway.session()
    client.mail("a@client.example", [recipient], LETTER)
    client.quit()


def fill_and_ask(way):
    """As long as it fits it is taken; a size that does not fit, and a mailbox that is full, are refused."""
    with asking(way) as (gateway, dovecot):
        rcpt(gateway, ALICE, "250 ", " SIZE=3000")
        rcpt(gateway, ALICE, "552 5.2.2 Mailbox is full", " SIZE=5000")
        rcpt(gateway, f"alice+lists@{LOCAL.upper()}", "552 5.2.2 Mailbox is full", " SIZE=5000")
        for count in (1, 2):
            deliver(gateway, ALICE)
            dovecot.await_mail(ALICE, count)
        rcpt(gateway, ALICE, "552 5.2.2 Mailbox is full", " SIZE=3000")
        rcpt(gateway, ALICE, "250 ", " SIZE=10")


def test_quota_status_by_its_socket():
    """552 5.2.2 at RCPT."""
    fill_and_ask("unix")


def test_quota_status_by_tcp():
    """552 5.2.2 at RCPT."""
    fill_and_ask("tcp")


def test_without_quota_status_mail_is_taken():
    """While Dovecot is not there; when it is again, it is asked again."""
    with asking() as (gateway, dovecot):
        dovecot.stop()
        rcpt(gateway, ALICE, "250 ", " SIZE=5000")
        gateway.await_log(rf"event=quota-status mailbox={ALICE} ")
        dovecot.start()
        await_true(lambda: rcpt(gateway, ALICE, "", " SIZE=5000").code == 552, "Dovecot to be asked again")


@contextlib.contextmanager
def probing(way="unix"):
    """A gateway that asks Dovecot for mailboxes of a domain that it does not know: Dovecot's users are in a table of their own."""
    with mailboxes(way, {"TMAIL_LMTP_PROBE_DOMAINS": OTHER}) as (gateway, dovecot):
        gateway.tmail("user", "add", "-m", f"first@{OTHER}", PASSWORD)
        gateway.tmail("user", "add", "-m", BOB, PASSWORD)
        home, others = dovecot.home(BOB), os.path.join(dovecot.base, "others.db")
        copy_table(dovecot.database, others, dovecot.account)
        gateway.tmail("user", "del", BOB)
        dovecot.stop()
        dovecot.database = others
        dovecot.start()
        yield gateway, dovecot, home


def copy_table(database, path, account):
    """The users as they are now, for the account that reads them (and, as SQLite wants it, writes beside them)."""
    with contextlib.closing(sqlite3.connect(database)) as source, contextlib.closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    os.chown(path, account.pw_uid, account.pw_gid)


def test_a_user_whom_only_dovecot_knows():
    """Gets mail, and others of the domain are refused at RCPT."""
    for way in ("unix", "tcp"):
        with probing(way) as (gateway, dovecot, home):
            reply = rcpt(gateway, f"nobody@{OTHER}", f"550 5.1.1 <nobody@{OTHER}>: No such user here")
            check("User doesn't exist" in reply.last, f"Dovecot's words: {reply}")
            rcpt(gateway, f"nobody@{LOCAL}", "554 5.7.1 ")
            deliver(gateway, BOB)
            await_true(lambda: dovecot.mailbox(BOB, home=home), "the letter")  # pylint: disable=cell-var-from-loop


def test_without_dovecot_probes_are_temporary():
    """For those whom nobody knows; the others' mail is taken."""
    with probing() as (gateway, dovecot, _):
        dovecot.stop()
        rcpt(gateway, BOB, "451 4.4.1 ")
        rcpt(gateway, f"nobody@{OTHER}", "451 4.4.1 ")
        rcpt(gateway, f"first@{OTHER}", "250 ")
        dovecot.start()
        await_true(lambda: rcpt(gateway, BOB, "").code == 250, "Dovecot to be asked again")
        rcpt(gateway, f"nobody@{OTHER}", "550 5.1.1 ")


if __name__ == "__main__":
    main()

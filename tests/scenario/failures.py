#!/usr/bin/python3
"""DESIGN 6.1 and 6.7: a lookup or a queue that fails is 451 4.3.0, never "no such user", never "welcome", never a 250."""

import contextlib
import os
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, equal, main  # noqa: E402  pylint: disable=wrong-import-position


@contextlib.contextmanager
def without_tables(path):
    """Every table of a database has another name within the block."""
    def rename(change):
        with contextlib.closing(sqlite3.connect(path, timeout=30)) as database:
            database.execute("PRAGMA legacy_alter_table=ON")
            names = [name for name, in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")]
            with database:
                for name in names:
                    database.execute(f'ALTER TABLE "{name}" RENAME TO "{change(name)}"')
    rename("gone_{}".format)
    try:
        yield
    finally:
        rename(lambda name: name.removeprefix("gone_"))


def local_gateway(**keys):
    """A gateway with a local domain of one user, and a relayed domain."""
    gateway = Gateway(keys)
    gateway.tmail("rcpthost", "add", "relayed.example")
    gateway.tmail("rcpthost", "add", "-l", "local.example")
    gateway.tmail("user", "add", "-m", "known@local.example", "secret-word")
    return gateway


def test_a_directory_that_cannot_be_read_is_a_temporary_failure():
    """For every recipient, and only as long as it lasts."""
    recipients = ("a@relayed.example", "known@local.example", "unknown@local.example", "a@elsewhere.example")
    with local_gateway(TMAIL_DELIVERD_LAUNCH="false") as gateway, gateway.session() as client:
        client.command("MAIL FROM:<a@client.example>", "250 ")
        with without_tables(gateway.path("tmail.db")):
            for recipient in recipients:
                client.command(f"RCPT TO:<{recipient}>", "451 4.3.0 ")
        codes = [client.command(f"RCPT TO:<{recipient}>").code for recipient in recipients]
        equal(codes, [250, 250, 550, 554], "codes when it is back")
        client.quit()


def test_a_queue_that_cannot_be_written_is_a_temporary_failure():
    """The message gets no 250, the session goes on, and the next message is taken when the queue is back."""
    with local_gateway(TMAIL_DELIVERD_LAUNCH="false") as gateway, gateway.session() as client:
        with without_tables(gateway.path("store", "queue.db")):
            client.command("MAIL FROM:<a@client.example>", "250 ")
            client.command("RCPT TO:<lost@relayed.example>", "250 ")
            client.command("DATA", "354 ")
            client.send(b"Subject: x\r\n\r\n.\r\n")
            client.expect("451 4.3.0 ")
        client.mail("a@client.example", ["kept@relayed.example"], b"Subject: x\r\n\r\n")
        equal([entry["recipient"] for entry in gateway.queue()], ["kept@relayed.example"], "queue")
        client.quit()


def test_a_delivery_waits_while_routes_cannot_be_read():
    """No recipient fails because of it, and it is delivered afterwards."""
    with Sink() as sink, local_gateway() as gateway:
        gateway.route("relayed.example", sink)
        with gateway.session() as client:
            client.command("MAIL FROM:<a@client.example>", "250 ")
            client.command("RCPT TO:<b@relayed.example>", "250 ")
            client.command("DATA", "354 ")
            with without_tables(gateway.path("tmail.db")):
                client.send(b"Subject: x\r\n\r\n.\r\n")
                client.expect("250 2.0.0 Ok: queued ")
                gateway.await_queue(lambda entries: entries[0]["attempts"] and entries[0]["status"] == "scheduled", "an attempt")
        gateway.tmail("queue", "flush")
        sink.wait(1)
        gateway.await_empty_queue()


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Dovecot's sieve (Debian package dovecot-sieve) behind the gateway: folders, details, refusals, and the mail that it sends by itself."""

import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dovecot import mailboxes  # noqa: E402  pylint: disable=wrong-import-position
from post import (ALICE, DOMAIN, PASSWORD, SENDER, SOON, add_users, header,  # noqa: E402  pylint: disable=wrong-import-position
                  report_of, send)
from tmail import Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = f"From: <{SENDER}>\r\nTo: <{ALICE}>\r\nSubject: x\r\nMessage-ID: <1@client.example>\r\n\r\nHello.\r\n".encode()
FILING = """
require ["fileinto", "mailbox", "envelope", "subaddress"];
if header :contains "X-Spam" "YES" { fileinto :create "Junk"; stop; }
if envelope :detail "to" "lists" { fileinto :create "Lists"; stop; }
"""
VACATION = """
require "vacation";
vacation :days 1 :subject "Away" "I am on an island.";
"""
REJECT = """
require "reject";
if header :is "Subject" "x" { reject "That is not wanted here."; stop; }
"""
REDIRECT = """
redirect "other@client.example";
"""
EACH = {}


def each_way(test):
    """A test that is made with each way to Dovecot."""
    for way in ("unix", "lda"):
        EACH[f"{test.__name__.replace('_', '-')}-by-{way}"] = lambda way=way: test(way)


@contextlib.contextmanager
def house(way, script):
    """A gateway and its Dovecot, whose one user has this script, and the sink that is the sender's home."""
    with Sink() as home, mailboxes(way, {**SOON, "TMAIL_BOUNCE_ENABLED": "true"}) as (gateway, dovecot):
        gateway.route("client.example", home)
        gateway.tmail("relayip", "add", "127.0.0.1")
        add_users(gateway, ALICE)
        dovecot.sieve(ALICE, script)
        yield gateway, dovecot, home


@each_way
def fileinto(way):
    """By a field and by the detail of the address; what the script does not mention is in the inbox."""
    with house(way, FILING) as (gateway, dovecot, _):
        send(gateway, ALICE, text=b"X-Spam: YES\r\n" + TEXT)
        send(gateway, f"alice+lists@{DOMAIN}", text=TEXT)
        send(gateway, f"alice+other@{DOMAIN}", text=TEXT)
        for folder in "Junk", "Lists", "INBOX":
            message, = dovecot.await_mail(ALICE, 1, folder)
            equal(dovecot.imap(ALICE, PASSWORD, folder), [message], f"{folder} by IMAP")
        gateway.await_empty_queue()


@each_way
def vacation(way):
    """The reply goes out through the gateway, with a null sender, and once for two messages."""
    with house(way, VACATION) as (gateway, dovecot, home):
        send(gateway, ALICE, text=TEXT)
        reply, = home.wait(1)
        equal((reply.sender, reply.recipients), ("", [SENDER]), "envelope")
        equal((header(reply.content, "Subject"), header(reply.content, "To")), (["Away"], [f"<{SENDER}>"]), "header")
        check(b"I am on an island." in reply.content, f"text: {reply.content!r}")
        check(header(reply.content, "Auto-Submitted")[0].startswith("auto-replied"), "Auto-Submitted")
        send(gateway, ALICE, text=TEXT)
        dovecot.await_mail(ALICE, 2)
        gateway.await_empty_queue()
        equal(len(home.messages), 1, "replies")


@each_way
def reject(way):
    """The sender is told the reason, once; the message is in no mailbox."""
    with house(way, REJECT) as (gateway, dovecot, home):
        send(gateway, ALICE, text=TEXT)
        refusal, = home.wait(1)
        equal((refusal.sender, refusal.recipients), ("", [SENDER]), "envelope")
        check(b"That is not wanted here." in refusal.content, f"reason: {refusal.content!r}")
        gateway.await_empty_queue()
        equal((dovecot.mailbox(ALICE), len(home.messages)), ([], 1), "messages and refusals")


def test_a_full_mailbox_is_reported_by_the_gateway_alone():
    """dovecot-lda -e: one report, ours, with Dovecot's reason; Dovecot sends none."""
    with house("lda", "keep;") as (gateway, dovecot, home):
        gateway.tmail("user", "update", ALICE, "-q", "5K")
        send(gateway, ALICE, text=TEXT + b"x" * 70 * 13 + b"\r\n" + (b"y" * 70 + b"\r\n") * 200)
        group = report_of(home.wait(1)[0])[ALICE]
        equal(group["Status"], "5.2.2", "status")
        check("uota" in group["Diagnostic-Code"] + group["Status"], f"reason: {group}")
        gateway.await_empty_queue()
        equal((dovecot.mailbox(ALICE), len(home.messages)), ([], 1), "messages and reports")


@each_way
def redirect(way):
    """What is redirected goes out through the gateway."""
    with house(way, REDIRECT) as (gateway, dovecot, home):
        send(gateway, ALICE, text=TEXT)
        message, = home.wait(1)
        equal(message.recipients, ["other@client.example"], "recipients")
        check(message.content.endswith(b"\r\n\r\nHello.\r\n"), f"content: {message.content!r}")
        gateway.await_empty_queue()
        equal(dovecot.mailbox(ALICE), [], "messages")


if __name__ == "__main__":
    main(EACH)

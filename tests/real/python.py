#!/usr/bin/python3
"""Python's smtplib as a client and aiosmtpd (Debian package python3-aiosmtpd) as a next hop."""

import email.message
import email.policy
import os
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import (Failure, Gateway, await_true, check, equal,  # noqa: E402  pylint: disable=wrong-import-position
                   free_port, fresh_loopback, main)

try:
    from aiosmtpd.controller import Controller
except ImportError:
    Controller = None


class Mailbox:
    """An aiosmtpd server that keeps what it takes; a context manager that also routes a gateway's mail to itself."""

    def __init__(self, **options):
        if Controller is None:
            raise Failure("package python3-aiosmtpd is missing")
        self.envelopes = []
        self.address = fresh_loopback()
        self.port = free_port((self.address,))
        self.controller = Controller(self, hostname=self.address, port=self.port, **options)

    def __enter__(self):
        self.controller.start()
        return self

    def __exit__(self, *_):
        self.controller.stop()

    async def handle_DATA(self, _server, _session, envelope):  # pylint: disable=invalid-name  -- aiosmtpd's name
        """Keep a message."""
        self.envelopes.append(envelope)
        return "250 2.0.0 Kept"

    def wait(self, count=1):
        """Wait for so many messages."""
        await_true(lambda: len(self.envelopes) >= count, f"{count} messages")
        return self.envelopes


def a_message(text="Hello.\n", subject="from smtplib"):
    """A message as a program of today makes it."""
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@client.example", "b@hop.example", subject
    message.set_content(text)
    return message


def relaying(mailbox):
    """A gateway that relays to this mailbox."""
    gateway = Gateway()
    gateway.tmail("rcpthost", "add", "hop.example")
    gateway.tmail("routes", "add", "-d", "hop.example", "-rh", mailbox.address, "-rp", str(mailbox.port))
    return gateway


def sent(message, **options):
    """Send a message with smtplib; return it as aiosmtpd got it, and its envelope."""
    with Mailbox(**options) as mailbox, relaying(mailbox) as gateway:
        with smtplib.SMTP("127.0.0.1", gateway.port, "client.example") as client:
            equal(client.send_message(message), {}, "refused recipients")
        envelope = mailbox.wait()[0]
        gateway.await_empty_queue()
        return email.message_from_bytes(envelope.content, policy=email.policy.default), envelope


def text_of(message):
    """The text with the line ends of Python."""
    return message.get_content().replace("\r\n", "\n")


def test_a_message():
    """Header, text and envelope."""
    message, envelope = sent(a_message())
    equal((envelope.mail_from, envelope.rcpt_tos), ("a@client.example", ["b@hop.example"]), "envelope")
    equal((message["Subject"], text_of(message)), ("from smtplib", "Hello.\n"), "message")
    check(message["Received"].startswith("from client.example ([127.0.0.1])"), f"Received: {message['Received']!r}")


def test_a_message_with_attachments():
    """Binary data in base64, as large as a picture."""
    data = bytes(range(256)) * 4000
    original = a_message()
    original.add_attachment(data, maintype="image", subtype="png", filename="picture.png")
    message, _ = sent(original)
    equal(next(message.iter_attachments()).get_content(), data, "attachment")


def test_text_beyond_ascii():
    """8-bit text and an encoded subject."""
    message, _ = sent(a_message("Grüße aus München.\n", "Grüße"))
    equal((message["Subject"], text_of(message)), ("Grüße", "Grüße aus München.\n"), "message")


def test_addresses_beyond_ascii():
    """smtplib asks for SMTPUTF8, the gateway passes it on."""
    with Mailbox(enable_SMTPUTF8=True, decode_data=False) as mailbox, relaying(mailbox) as gateway:
        with smtplib.SMTP("127.0.0.1", gateway.port, "client.example") as client:
            client.send_message(a_message(), "jürgen@client.example", ["данила@hop.example"])
        envelope = mailbox.wait()[0]
        equal((envelope.mail_from, envelope.rcpt_tos), ("jürgen@client.example", ["данила@hop.example"]), "envelope")
        check(envelope.smtp_utf8, "SMTPUTF8 was asked for")


def test_over_ipv6():
    """To ::1."""
    with Mailbox() as mailbox, relaying(mailbox) as gateway:
        with smtplib.SMTP("::1", gateway.port, "client.example") as client:
            client.send_message(a_message())
        check(b"([IPv6:::1])" in mailbox.wait()[0].content, "the trace field has the address")


def test_every_method_of_smtplib():
    """ehlo, has_extn, noop, verify, help, rset, docmd."""
    with Mailbox() as mailbox, relaying(mailbox) as gateway, smtplib.SMTP("127.0.0.1", gateway.port) as client:
        equal(client.ehlo()[0], 250, "EHLO")
        for extension in "pipelining size 8bitmime enhancedstatuscodes chunking smtputf8 dsn limits help".split():
            check(client.has_extn(extension), f"{extension} is not offered")
        equal(client.noop()[0], 250, "NOOP")
        equal(client.verify("b@hop.example")[0], 252, "VRFY")
        equal(client.docmd("HELP")[0], 214, "HELP")
        equal(client.rset()[0], 250, "RSET")


def test_a_refused_recipient_among_others():
    """smtplib tells which one."""
    with Mailbox() as mailbox, relaying(mailbox) as gateway:
        with smtplib.SMTP("127.0.0.1", gateway.port) as client:
            refused = client.sendmail("a@client.example", ["b@hop.example", "c@elsewhere.example"], a_message().as_string())
        equal({name: reply[0] for name, reply in refused.items()}, {"c@elsewhere.example": 554}, "refused")
        equal(mailbox.wait()[0].rcpt_tos, ["b@hop.example"], "recipients")


def test_a_message_above_the_next_hops_size():
    """aiosmtpd announces SIZE 1000: the recipient fails with 5.3.4."""
    with Mailbox(data_size_limit=1000) as mailbox, relaying(mailbox) as gateway:
        with smtplib.SMTP("127.0.0.1", gateway.port) as client:
            client.send_message(a_message("x" * 70 + "\n" + "y\n" * 1000))
        gateway.await_recipient("b@hop.example", "failed")
        equal(mailbox.envelopes, [], "messages")


if __name__ == "__main__":
    main()

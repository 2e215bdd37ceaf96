#!/usr/bin/python3
"""swaks as a client of the gateway."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import need, run  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position


def swaks(gateway, *options):
    """Run swaks against the gateway; return its transcript."""
    return run(need("swaks", "swaks"), "--server", "127.0.0.1", "--port", str(gateway.port), "--helo", "client.example",
               "--from", "a@client.example", *options)


def delivered(*options, to="b@hop.example"):
    """Send one message with swaks; return what arrives at the next hop."""
    with Sink() as sink, Gateway() as gateway:
        gateway.tmail("rcpthost", "add", "hop.example")
        gateway.route("hop.example", sink)
        transcript = swaks(gateway, "--to", to, *options)
        check("Ok: queued" in transcript, f"transcript: {transcript}")
        return sink.wait(1)[0]


def test_a_plain_message():
    """It arrives with its envelope."""
    message = delivered("--header", "Subject: from swaks", "--body", "Hello from swaks")
    equal((message.sender, message.recipients), ("a@client.example", ["b@hop.example"]), "envelope")
    check(b"Subject: from swaks\r\n" in message.content and b"Hello from swaks" in message.content, f"{message.content!r}")


def test_pipelining():
    """swaks --pipeline."""
    equal(delivered("--pipeline").recipients, ["b@hop.example"], "recipients")


def test_several_recipients():
    """A list."""
    equal(delivered(to="b@hop.example,c@hop.example").recipients, ["b@hop.example", "c@hop.example"], "recipients")


def test_helo_only():
    """swaks --protocol SMTP."""
    check(b" with SMTP id " in delivered("--protocol", "SMTP").content, "the trace field says SMTP")


def test_an_attachment_of_dots():
    """A body whose lines begin with dots."""
    check(b"\r\n.\r\n..\r\n" in delivered("--data", "Subject: x\\n\\n.\\n..\\n").content, "the dots arrive")


def test_relay_is_refused():
    """A recipient elsewhere: the program ends with a status of its own and shows our reply."""
    with Gateway() as gateway:
        transcript = run("/bin/sh", "-c", '"$@"; test $? -eq 24', "sh", need("swaks", "swaks"), "--server", "127.0.0.1",
                         "--port", str(gateway.port), "--from", "a@client.example", "--to", "b@elsewhere.example")
        check("554 5.7.1 <b@elsewhere.example>: Relay access denied." in transcript, f"transcript: {transcript}")


if __name__ == "__main__":
    main()

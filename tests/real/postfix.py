#!/usr/bin/python3
"""Postfix's smtp-source and smtp-sink (Debian package postfix, its daemon not started) at both ends of the gateway."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import SmtpSink, need, run  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

RECIPIENT = re.compile(rb"^X-Rcpt-Args: <([^>]*)>", re.M)


def relaying(sink):
    """A gateway that relays all of hop.example to this sink."""
    gateway = Gateway()
    gateway.tmail("relayip", "add", "127.0.0.1")
    gateway.route("hop.example", sink)
    return gateway


def source(gateway, count, *options):
    """Send so many messages with smtp-source."""
    run(need("smtp-source", "postfix"), "-m", str(count), "-f", "a@client.example", "-t", "b@hop.example",
        "-M", "client.example", *options, f"127.0.0.1:{gateway.port}")


def through(folder_of, count, *, source_options=(), sink_options=()):
    """Send messages from smtp-source through the gateway to smtp-sink; return what smtp-sink kept."""
    with folder_of as holder, SmtpSink(holder.folder, *sink_options) as sink, relaying(sink) as gateway:
        source(gateway, count, *source_options)
        gateway.await_empty_queue()
        return sink.messages()


def folder():
    """A private folder that goes away with the test: that of a gateway that is never started."""
    return Gateway(start=False)


def test_messages_of_several_sessions_arrive_once_each():
    """Two hundred of them, ten at a time, to two hundred recipients."""
    messages = through(folder(), 200, source_options=("-s", "10", "-N", "-l", "4096"))
    equal(len(messages), 200, "messages")
    recipients = [RECIPIENT.search(message)[1] for message in messages]
    equal(len(set(recipients)), 200, "different recipients")
    for message in messages:
        check(b"X-Mail-Args: <a@client.example>" in message, f"sender: {message[:500]!r}")
        check(b"\nReceived: from client.example ([127.0.0.1])" in message, f"trace field: {message[:500]!r}")


def test_many_messages_over_one_session():
    """smtp-source -d keeps its session."""
    equal(len(through(folder(), 100, source_options=("-d",))), 100, "messages")


def test_many_recipients_of_a_message():
    """Fifty recipients in one transaction, to the last."""
    messages = through(folder(), 4, source_options=("-r", "50"))
    equal(sum(len(RECIPIENT.findall(message)) for message in messages), 200, "recipients")


def test_large_messages():
    """Of nearly 5 MB each."""
    messages = through(folder(), 3, source_options=("-l", "5000000"))
    equal(len(messages), 3, "messages")
    check(all(len(message) > 4900000 for message in messages), f"sizes: {[len(message) for message in messages]}")


def test_a_source_without_helo():
    """smtp-source -o: the oldest dialogue there is."""
    equal(len(through(folder(), 5, source_options=("-o",))), 5, "messages")


def test_a_sink_without_esmtp():
    """smtp-sink -e."""
    messages = through(folder(), 5, sink_options=("-e",))
    equal(len(messages), 5, "messages")
    check(all(b"X-Client-Proto: SMTP\n" in message for message in messages), "HELO was used")


def test_a_sink_without_pipelining():
    """smtp-sink -p."""
    equal(len(through(folder(), 5, sink_options=("-p",))), 5, "messages")


def test_a_sink_that_refuses_every_recipient():
    """smtp-sink -f RCPT: all failed, with its words."""
    with folder() as holder, SmtpSink(holder.folder, "-f", "RCPT") as sink, relaying(sink) as gateway:
        source(gateway, 3, "-N")
        gateway.await_queue(lambda entries: [entry["status"] for entry in entries] == ["failed"] * 3, "three failed")
        check(all("command failed" in entry["reason"] for entry in gateway.queue()), f"reasons: {gateway.queue()!r}")


def test_a_sink_that_goes_away_at_the_final_dot():
    """smtp-sink -q .: nothing is lost, all wait."""
    with folder() as holder, SmtpSink(holder.folder, "-q", ".") as sink, relaying(sink) as gateway:
        source(gateway, 3, "-N")
        gateway.await_queue(lambda entries: [entry["attempts"] for entry in entries] == [1] * 3
                            and {entry["status"] for entry in entries} == {"scheduled"}, "three waiting")


if __name__ == "__main__":
    main()

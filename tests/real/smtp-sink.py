#!/usr/bin/python3
"""Issue 5, item 1: Postfix's smtp-sink with its failure switches, and what becomes of the mail.

Each switch names the command that fails: -r answers 4xx, -f 5xx, -Q 421 and goes away, -q goes away without a word.
"""

import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import SmtpSink  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
RECIPIENT = re.compile(rb"^X-Rcpt-Args: <([^>]*)>", re.M)
COUNT = 3
ALL = [f"u{number}@hop.example" for number in range(COUNT)]
QUICK = {"TMAIL_DELIVERD_RETRY_TIMES": "1s", "TMAIL_DELIVERD_RETRY_GREYLIST": "1s", "TMAIL_DELIVERD_RETRY_MIN": "1s",
         "TMAIL_DELIVERD_RETRY_MAX": "2s", "TMAIL_DELIVERD_DEAD_HOST_TIME": "1s", "TMAIL_BOUNCE_ENABLED": "true"}


class Places:
    """A gateway that reports, the sender's home, and a folder for smtp-sink; a context manager."""

    def __init__(self):
        self.home = Sink()
        self.gateway = Gateway(QUICK)
        self.gateway.tmail("relayip", "add", "127.0.0.1")
        self.gateway.route("client.example", self.home)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.gateway.__exit__(*why)
        self.home.done()

    def send(self, sink):
        """Messages to all recipients, each for itself, by way of this sink."""
        self.gateway.route("hop.example", sink)
        with self.gateway.session() as client:
            for recipient in ALL:
                client.mail("a@client.example", [recipient], TEXT)
            client.quit()

    def sink(self, *options, after=None):
        """An smtp-sink."""
        return SmtpSink(self.gateway.folder, *options, after=after)


def taken(sink):
    """Who got mail, from the dumps."""
    return sorted(recipient.decode() for message in sink.messages() for recipient in RECIPIENT.findall(message))


def passing(switch, where):
    """The test that mail waits for a hop that fails so for a time, and is delivered when it works again; nobody hears of it."""
    def test():
        with Places() as places:
            with places.sink(switch, where) as bad:
                places.send(bad)
                places.gateway.await_queue(lambda entries: all(entry["reason"] or entry["attempts"] > 1 for entry in entries), "reasons")
                states = {entry["status"] for entry in places.gateway.queue()}
                check(states <= {"scheduled", "in-progress"}, f"states: {states}")
            if where == ".":  # it keeps even what it does not take
                shutil.rmtree(bad.folder)
            with places.sink(after=bad) as good:
                places.gateway.await_empty_queue()
                equal(sorted(set(taken(good))), ALL, "recipients")
            equal(len(places.home.messages), 0, "reports")
    test.__doc__ = f"smtp-sink {switch} {where}."
    return test


def lasting(*options):
    """The test that mail which the hop refuses for good is reported, once for each message."""
    def test():
        with Places() as places, places.sink(*options) as bad:
            places.send(bad)
            places.gateway.await_empty_queue()
            about = sorted(recipient.decode() for message in places.home.messages
                           for recipient in re.findall(rb"^Final-Recipient: rfc822; (\S+)", message.content, re.M))
            equal(about, ALL, "who was reported")
    test.__doc__ = f"smtp-sink {' '.join(options)}."
    return test


def slow(*options):
    """The test that a hop that takes its time gets its mail, in one attempt."""
    def test():
        with Places() as places, places.sink(*options) as sink:
            places.send(sink)
            places.gateway.await_empty_queue()
            equal(taken(sink), ALL, "recipients")
            lines = [line for line in places.gateway.log().splitlines() if "event=delivered" in line]
            check(all("attempts=1" in line for line in lines), f"more than one attempt: {lines!r}")
    test.__doc__ = f"smtp-sink {' '.join(options)}."
    return test


NAMES = {"-r": "says_4xx", "-Q": "says_421_and_leaves", "-q": "leaves", "-f": "says_5xx", ".": "the_final_dot"}
for _switch in ("-r", "-Q", "-q"):
    for _where in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", ".", "QUIT"):
        globals()[f"test_a_sink_that_{NAMES[_switch]}_at_{NAMES.get(_where, _where.lower())}"] = passing(_switch, _where)
for _where in ("MAIL", "RCPT", "DATA", "."):
    globals()[f"test_a_sink_that_{NAMES['-f']}_at_{NAMES.get(_where, _where.lower())}"] = lasting("-f", _where)
test_a_sink_that_reads_late = slow("-H", "1")
test_a_sink_that_answers_late = slow("-w", "1")


if __name__ == "__main__":
    main()

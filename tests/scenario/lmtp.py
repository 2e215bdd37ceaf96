#!/usr/bin/python3
"""RFC 2033, from the client's side: a status a recipient after the content, from servers that keep the rules and from servers that do not."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from lmtp_cases import (DELIVERED, NAMES, OFFERS, SENDER, TEXT, after,  # noqa: E402  pylint: disable=wrong-import-position
                        cases_through, delivering, flush, send, taken, through_mailboxes)
from tmail import check, equal, main  # noqa: E402  pylint: disable=wrong-import-position


# --- answers that are too many, or late ---

def surplus(extra):
    """After three answers there is a fourth: the next message is not taken for what it says."""
    with delivering([f".#3: 250 2.0.0 Taken; repeat 1 {extra}\\r\\n", ".#4: 452 4.2.2 Full"]) as (gateway, sink):
        send(gateway)
        sink.wait(1)
        gateway.await_empty_queue()
        send(gateway, NAMES[:1])
        sink.wait_for(lambda hop: hop.refused, "the second message")
        outcome = after(gateway, NAMES[:1])[NAMES[0]]
        check(outcome != DELIVERED and outcome[0] == "scheduled", f"the second message: {outcome}")
        check("9.9" not in outcome[1], f"the surplus answer counted: {outcome}")
        flush(gateway, sink)
        gateway.await_empty_queue()
        taken(sink, {NAMES[0]: 2, NAMES[1]: 1, NAMES[2]: 1})


def test_an_answer_too_many_that_says_yes():
    """It is not the answer to the next command."""
    surplus("250 2.9.9 And another")


def test_an_answer_too_many_that_says_no():
    """It refuses nothing."""
    surplus("550 5.9.9 Or rather not")


def test_answers_that_take_their_time():
    """Each is waited for, and nobody is tried again meanwhile."""
    with delivering([".#2: gate; 250 2.0.0 Taken"]) as (gateway, sink):
        send(gateway)
        sink.wait_for(lambda hop: b"DATA\r\n" in hop.commands(), "the content")
        equal({entry["status"] for entry in gateway.queue()}, {"in-progress"}, "status meanwhile")
        sink.gate.set()
        gateway.await_empty_queue()
        taken(sink, {name: 1 for name in NAMES})
        equal(len(sink.sessions), 1, "sessions")


def test_a_stop_among_the_answers():
    """Who was answered is delivered; the others are after the next start, each once."""
    with delivering([".#2: hang"], {"TMAIL_STOP_TIMEOUT": "1s"}) as (gateway, sink):
        send(gateway)
        sink.wait_for(lambda hop: b"DATA\r\n" in hop.commands(), "the content")
        gateway.stop()
        sink.wait(1)
        with sink.changed:
            sink.rules.clear()
        gateway.config["TMAIL_DELIVERD_RETRY_MIN"] = gateway.config["TMAIL_DELIVERD_RETRY_MAX"] = "1s"
        gateway.write_config()
        gateway.start()
        gateway.tmail("queue", "flush")
        gateway.await_empty_queue()
        taken(sink, {name: 1 for name in NAMES})


def test_one_message_after_the_other_with_every_fault():
    """Twenty messages to three, and an answer in four is a fault: in the end each is there once."""
    faults = ("452 4.2.2 Full", "close", "421 4.3.2 Bye; close", "raw ?\\r\\n; close")
    script = [f".#{4 * number + 1}: {faults[number % 4]}" for number in range(25)]
    keys = {"TMAIL_DELIVERD_RETRY_MIN": "1s", "TMAIL_DELIVERD_RETRY_MAX": "1s"}
    with delivering(script, keys) as (gateway, sink):
        with gateway.session() as client:
            for _ in range(20):
                client.mail(SENDER, NAMES, TEXT)
            client.quit()
        gateway.await_empty_queue()
        taken(sink, {name: 20 for name in NAMES})


# --- what is said ---

def test_the_dialogue():
    """LHLO and what was offered, nothing else; a message after the other over one connection."""
    with delivering() as (gateway, sink):
        for number in (1, 2):
            send(gateway)
            sink.wait(number)
            gateway.await_empty_queue()
        equal(len(sink.sessions), 1, "sessions")
        one = [b"MAIL FROM:<a@client.example>\r\n", *(f"RCPT TO:<{name}>\r\n".encode() for name in NAMES), b"DATA\r\n"]
        equal(sink.commands(), [b"LHLO mx.tmail.test\r\n", *one, *one], "commands")
        check(sink.sessions[0].pipelined, "PIPELINING was offered")
        equal(sink.messages[0].content.partition(b"Subject:")[2], b" x\r\n\r\nHello.\r\n", "content")


def test_a_server_that_offers_nothing():
    """No parameter, and no command ahead of an answer; the content as it is, 8-bit too, for there is nobody behind it."""
    text = "Subject: x\r\n\r\nGrüße\r\n".encode()
    with delivering(offers=()) as (gateway, sink):
        send(gateway, text=text, parameters="BODY=8BITMIME")
        message, = sink.wait(1)
        equal(message.mail, b"MAIL FROM:<a@client.example>\r\n", "MAIL")
        check(not sink.sessions[0].pipelined, "pipelined without an offer")
        check(message.content.endswith(text), f"content {message.content!r}")
        gateway.await_empty_queue()


def test_a_server_that_offers_everything():
    """BODY, SIZE and SMTPUTF8 where they are due; a chunk that is not the last has one answer, the last one an answer a recipient."""
    with delivering([". <r2@: 452 4.2.2 Full"], offers=("PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "CHUNKING")) as (gateway, sink):
        send(gateway, text="Subject: Grüße\r\n\r\nGrüße\r\n".encode(), sender="jürgen@client.example", parameters="BODY=8BITMIME SMTPUTF8")
        message, = sink.wait(1)
        words = message.mail.decode().split()
        check({"BODY=8BITMIME", "SMTPUTF8"} <= set(words) and any(word.startswith("SIZE=") for word in words), f"MAIL: {words}")
        equal([outcome == DELIVERED for outcome in after(gateway).values()], [True, False, True], "delivered")
        taken(sink, {NAMES[0]: 1, NAMES[2]: 1})


def test_a_large_content():
    """Five megabytes with dots at the start of lines, bit by bit."""
    text = b"Subject: x\r\n\r\n" + b".\r\n..dots\r\n" + b"".join(b"%07d" % number + b"x" * 63 + b"\r\n" for number in range(70000))
    for offers in OFFERS, (*OFFERS, "CHUNKING"):
        with delivering(offers=offers) as (gateway, sink):
            send(gateway, text=text)
            message, = sink.wait(1)
            check(message.content.endswith(text), "the content has changed")
            equal(message.taken, NAMES, "taken")
            gateway.await_empty_queue()


def test_a_null_sender():
    """Reports come with it."""
    with delivering() as (gateway, sink):
        send(gateway, sender="")
        equal(sink.wait(1)[0].mail, b"MAIL FROM:<>\r\n", "MAIL")


if __name__ == "__main__":
    main(cases_through(through_mailboxes))

#!/usr/bin/python3
"""Issue 5, item 3: routes with --verp: what their next hops hear at MAIL, and that everybody else hears what the client said."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
LIST = "list@client.example"


def gateway_with(**keys):
    """A gateway that relays for this host."""
    gateway = Gateway({f"TMAIL_{key}": value for key, value in keys.items()})
    gateway.tmail("relayip", "add", "127.0.0.1")
    return gateway


def said(sink):
    """Sender and recipients of each transaction that the sink took, sorted."""
    return sorted((message.sender, message.recipients) for message in sink.messages)


def send(gateway, sender, recipients, parameters=""):
    """Send a message."""
    with gateway.session() as client:
        client.mail(sender, recipients, TEXT, parameters)
        client.quit()


def test_each_recipient_has_a_transaction_and_a_sender_of_its_own():
    """Three recipients of one message, in two domains; the content is the same for all."""
    with Sink() as sink, gateway_with() as gateway:
        gateway.route("one.example", sink, "--verp")
        gateway.route("two.example", sink, "--verp")
        send(gateway, LIST, ["joe@one.example", "Ann.B@ONE.example", "joe@two.example"])
        sink.wait(3)
        gateway.await_empty_queue()
        equal(said(sink), [("list+Ann.B=ONE.example@client.example", ["Ann.B@ONE.example"]),
                           ("list+joe=one.example@client.example", ["joe@one.example"]),
                           ("list+joe=two.example@client.example", ["joe@two.example"])], "transactions")
        equal(len({message.content for message in sink.messages}), 1, "contents")


def test_other_routes_are_as_they_were():
    """One message over a route with and one without, to the same next hop, whose connections they do not share."""
    with Sink() as sink, gateway_with(DELIVERD_CONNECTION_IDLE="1m", DELIVERD_DESTINATION_CONCURRENCY="1") as gateway:
        gateway.route("verp.example", sink, "--verp")
        gateway.route("plain.example", sink)
        for _ in range(2):
            send(gateway, LIST, ["a@verp.example", "b@verp.example", "a@plain.example", "b@plain.example"])
        sink.wait(6)
        gateway.await_empty_queue()
        equal(said(sink), 2 * [("list+a=verp.example@client.example", ["a@verp.example"])]
              + 2 * [("list+b=verp.example@client.example", ["b@verp.example"])]
              + 2 * [(LIST, ["a@plain.example", "b@plain.example"])], "transactions")
        equal(len(sink.sessions), 2, "sessions")


def test_the_null_sender_stays():
    """Reports are from nobody, and nobody would answer them."""
    with Sink() as sink, gateway_with() as gateway:
        gateway.route("one.example", sink, "--verp")
        send(gateway, "", ["a@one.example", "b@one.example"])
        equal(sink.wait(1)[0].sender, "", "sender")
        equal(sink.messages[0].recipients, ["a@one.example", "b@one.example"], "recipients")


def test_delimiters_are_a_key():
    """TMAIL_VERP_DELIMITERS; what is none is refused."""
    with Sink() as sink, gateway_with(VERP_DELIMITERS="-#") as gateway:
        gateway.route("one.example", sink, "--verp")
        send(gateway, LIST, ["joe@one.example"])
        equal(sink.wait(1)[0].sender, "list-joe#one.example@client.example", "sender")
    with Gateway({"TMAIL_VERP_DELIMITERS": "@@"}, start=False) as gateway:
        result = gateway.run("config")
        check(result.status != 0 and "TMAIL_VERP_DELIMITERS" in result.err, f"@@ passed: {result!r}")


def test_a_sender_that_would_be_too_long_stays():
    """64 octets before the @ (RFC 5321 4.5.3.1.1); the log says so, and the other recipient's sender is not held up."""
    long = "r" * 50
    with Sink() as sink, gateway_with() as gateway:
        gateway.route("one.example", sink, "--verp")
        send(gateway, LIST, [f"{long}@one.example", "joe@one.example"])
        sink.wait(2)
        equal(said(sink), [("list+joe=one.example@client.example", ["joe@one.example"]), (LIST, [f"{long}@one.example"])], "transactions")
        gateway.await_log(rf"event=note .*recipient={long}@one.example .*VERP")


def test_parameters_are_kept():
    """What the client said of reports and of the content goes along with each transaction."""
    with Sink() as sink, gateway_with() as gateway:
        gateway.route("one.example", sink, "--verp")
        with gateway.session() as client:
            client.command(f"MAIL FROM:<{LIST}> RET=HDRS ENVID=e-1 BODY=8BITMIME", "250 ")
            client.command("RCPT TO:<a@one.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@y.example", "250 ")
            client.command("RCPT TO:<b@one.example> NOTIFY=NEVER", "250 ")
            client.command("DATA", "354 ")
            client.send(b"Subject: \xc3\xa4\r\n\r\n.\r\n")
            client.expect("250 ")
        sink.wait(2)
        for message in sink.messages:
            for word in (b" RET=HDRS", b" ENVID=e-1", b" BODY=8BITMIME"):
                check(word in message.mail, f"no {word!r} in {message.mail!r}")
        lines = [line for line in sink.commands() if line.startswith(b"RCPT")]
        equal(sorted(line.strip() for line in lines), [b"RCPT TO:<a@one.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@y.example",
                                                       b"RCPT TO:<b@one.example> NOTIFY=NEVER"], "RCPT lines")


def test_recipients_that_need_smtputf8():
    """RFC 6531: the sender gets what only the recipient had; a domain is written in ASCII, so that a next hop without SMTPUTF8 takes it."""
    with Sink() as sink, Sink(offers=("PIPELINING", "8BITMIME")) as old, gateway_with() as gateway:
        gateway.route("one.example", sink, "--verp")
        gateway.route("xn--bcher-kva.example", old, "--verp")
        send(gateway, LIST, ["j\u00f6@one.example", "joe@one.example"], "SMTPUTF8")
        send(gateway, LIST, ["joe@b\u00fccher.example"], "SMTPUTF8")
        sink.wait(2)
        old.wait(1)
        equal(said(sink), [("list+joe=one.example@client.example", ["joe@one.example"]),
                           ("list+j\u00f6=one.example@client.example", ["j\u00f6@one.example"])], "transactions")
        equal([b" SMTPUTF8" in message.mail for message in sorted(sink.messages, key=lambda message: message.recipients)], [False, True],
              "SMTPUTF8 at MAIL")
        equal(said(old), [("list+joe=xn--bcher-kva.example@client.example", ["joe@xn--bcher-kva.example"])], "transactions")


def test_what_one_recipient_meets_is_its_own():
    """One is refused, one is told to wait, one is taken."""
    with Sink(script=["RCPT <no@: 550 5.1.1 no", "RCPT <later@: 450 4.2.1 later"]) as sink, \
            gateway_with(DELIVERD_RETRY_GREYLIST="1h", DELIVERD_RETRY_TIMES="1h") as gateway:
        gateway.route("one.example", sink, "--verp")
        send(gateway, LIST, ["no@one.example", "later@one.example", "yes@one.example"])
        equal(sink.wait(1)[0].sender, "list+yes=one.example@client.example", "sender")
        gateway.await_recipient("no@one.example", "failed")

        def attempts(entries):
            return [entry["attempts"] for entry in entries if entry["recipient"] == "later@one.example"]
        gateway.await_queue(lambda entries: attempts(entries) == [1], "an attempt")


def test_a_route_that_takes_over_does_as_it_says():
    """The first route is marked and its host is dead, the second is not; and the other way round."""
    with Sink() as sink, Sink(listening=False) as dead, gateway_with() as gateway:
        gateway.route("one.example", dead, "--verp", "-p", "1")
        gateway.route("one.example", sink, "-p", "2")
        gateway.route("two.example", dead, "-p", "1")
        gateway.route("two.example", sink, "--verp", "-p", "2")
        send(gateway, LIST, ["a@one.example", "a@two.example"])
        sink.wait(2)
        equal(said(sink), [("list+a=two.example@client.example", ["a@two.example"]), (LIST, ["a@one.example"])], "transactions")


def test_many_recipients():
    """Each once, over the connections that one next hop may have."""
    names = [f"u{number}@one.example" for number in range(300)]
    with Sink() as sink, gateway_with(DELIVERD_DESTINATION_CONCURRENCY="5") as gateway:
        gateway.route("one.example", sink, "--verp")
        send(gateway, LIST, names)
        sink.wait(300)
        gateway.await_empty_queue()
        equal(said(sink), sorted((f"list+{name.replace('@', '=')}@client.example", [name]) for name in names), "transactions")
        check(sink.peak <= 5, f"{sink.peak} sessions at a time")


def test_the_listing_shows_it():
    """In both forms."""
    with Gateway(start=False) as gateway:
        gateway.tmail("routes", "add", "-d", "one.example", "-rh", "r.example", "--verp")
        gateway.tmail("routes", "add", "-d", "two.example", "-rh", "r.example")
        equal([row["verp"] for row in json.loads(gateway.tmail("routes", "list", "--json"))], [True, False], "verp")
        equal([line.endswith(" - VERP") for line in gateway.tmail("routes", "list").splitlines()], [True, False], "lines")


if __name__ == "__main__":
    main()

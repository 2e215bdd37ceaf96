#!/usr/bin/python3
"""Issue 5, item 1: a rate for a next hop and for a destination domain, set by key and by `tmail limit`."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"


def gateway_to(routes, **keys):
    """A gateway that relays for 127.0.0.1, with a route to a sink for each domain."""
    gateway = Gateway({f"TMAIL_{key}": value for key, value in keys.items()})
    gateway.tmail("relayip", "add", "127.0.0.1")
    for domain, sink in routes.items():
        gateway.route(domain, sink)
    return gateway


def send(gateway, *recipients):
    """A message to each of them, or to all of a tuple of them."""
    with gateway.session() as client:
        for recipient in recipients:
            client.mail("a@client.example", [recipient] if isinstance(recipient, str) else list(recipient), TEXT)
        client.quit()


def arrived(sink):
    """Who got mail, in order."""
    return [recipient for message in sink.messages for recipient in message.recipients]


def held_back(gateway, recipient, why):
    """The queue's entry of a recipient that waits for a limit, for an hour from about now, and without an attempt."""
    entry = gateway.await_queue(
        lambda entries: next((entry for entry in entries if entry["recipient"] == recipient and entry["reason"]), None),
        f"a reason why {recipient} waits")
    equal((entry["status"], entry["attempts"]), ("scheduled", 0), f"status and attempts of {recipient}, whose reason is {entry['reason']}")
    check(why in entry["reason"], f"expected {why!r} in the reason {entry['reason']!r}")
    waits = time.mktime(time.strptime(entry["next"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - time.time()
    check(3000 < waits < 4300, f"expected to wait for about an hour, not for {waits} seconds")
    return entry


def explained(gateway, recipient):
    """What `tmail explain` says."""
    words = ("explain", "--from", "a@client.example", "--to", recipient)
    return json.loads(gateway.tmail(*words, "--json")), gateway.tmail(*words)


def test_a_next_hop_has_the_rate_of_the_key():
    """The second message to it waits and says why; those to another hop do not; a limit that is raised is in force after a flush."""
    with Sink() as slow, Sink() as other, gateway_to(
            {"one.example": slow, "two.example": slow, "other.example": other}, DELIVERD_DESTINATION_RATE="1/hour") as gateway:
        send(gateway, "a@one.example")
        slow.wait(1)
        send(gateway, "b@two.example", "c@other.example")
        other.wait(1)
        held_back(gateway, "b@two.example", f"held back: the limit of the next hop {slow.address} is 1/hour")
        found, text = explained(gateway, "b@two.example")
        equal((found["rate"], found["hops"][0]["rate"]), (None, "1/hour"), "rates that tmail explain shows")
        check("This next hop gets at most 1/hour" in text, text)
        gateway.tmail("limit", "add", "-rh", slow.address, "1000/second")
        gateway.tmail("queue", "flush")
        slow.wait(2)
        gateway.await_empty_queue()
        equal(arrived(slow), ["a@one.example", "b@two.example"], "recipients")


def test_a_domain_has_its_limit_whichever_way_it_goes():
    """A message counts once, however many recipients it has; another domain over the same hop is not limited."""
    with Sink() as sink, gateway_to({"slow.example": sink, "other.example": sink}) as gateway:
        gateway.tmail("limit", "add", "-d", "Slow.Example", "1/hour")
        send(gateway, ("a@slow.example", "b@slow.example", "c@slow.example"))
        sink.wait(1)
        send(gateway, "d@slow.example", ("e@other.example", "f@slow.example"), "g@other.example")
        held_back(gateway, "d@slow.example", "held back: the limit of the domain slow.example is 1/hour")
        held_back(gateway, "f@slow.example", "slow.example")
        sink.wait(3)
        equal(sorted(arrived(sink)), [f"{name}@{domain}.example" for name, domain in
                                      (("a", "slow"), ("b", "slow"), ("c", "slow"), ("e", "other"), ("g", "other"))], "recipients")
        found, text = explained(gateway, "d@slow.example")
        equal((found["rate"], found["hops"][0]["rate"]), ("1/hour", None), "rates that tmail explain shows")
        check("This destination gets at most 1/hour" in text, text)
        gateway.tmail("limit", "del", "-d", "slow.example")
        gateway.tmail("queue", "flush", "slow.example")
        sink.wait(5)
        gateway.await_empty_queue()


def test_a_row_lifts_the_rate_of_the_key():
    """`none` is as many as come, for that name alone."""
    with Sink() as free, Sink() as sink, gateway_to(
            {"free.example": free, "other.example": sink}, DELIVERD_DESTINATION_RATE="1/hour", DELIVERD_DOMAIN_RATE="1/hour") as gateway:
        gateway.tmail("limit", "add", "-rh", free.address, "-rp", str(free.port), "none")
        gateway.tmail("limit", "add", "-d", "free.example", "none")
        send(gateway, *(f"{number}@free.example" for number in range(5)), "a@other.example", "b@other.example")
        free.wait(5)
        sink.wait(1)
        held = gateway.await_queue(lambda entries: len(entries) == 1 and entries[0]["reason"] and entries, "one that waits")
        check(held[0]["recipient"].endswith("@other.example"), f"{held[0]['recipient']} waits")


def test_messages_of_a_limited_hop_are_spaced():
    """Ten a second: 25 messages take as long as they must, at least, and all arrive without a retry."""
    with Sink() as sink, gateway_to({"hop.example": sink}, DELIVERD_DESTINATION_RATE="10/second", DELIVERD_RETRY_MIN="1h",
                                    DELIVERD_RETRY_TIMES="1h") as gateway:
        before = time.monotonic()
        send(gateway, *(f"u{number}@hop.example" for number in range(25)))
        sink.wait(25)
        took = time.monotonic() - before
        check(took > 2.4, f"25 messages came within {took:.3f} seconds")
        gateway.await_empty_queue()
        equal(len(sink.messages), 25, "messages")
        lines = [line for line in gateway.log().splitlines() if "event=delivered" in line]
        check(all("attempts=1" in line for line in lines), f"more than one attempt: {lines!r}")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Issue 2, items 8 and 9: connections kept, bounded and fresh; source addresses; weights; retries; what survives a stop."""

import contextlib
import os
import signal
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
DOMAIN = "hop.example"


def gateway_to(*sinks, routes=(), **keys):
    """A gateway that relays for 127.0.0.1, with a route of equal priority to each sink, or with these `routes` words."""
    gateway = Gateway({f"TMAIL_{key}": value for key, value in keys.items()})
    gateway.tmail("relayip", "add", "127.0.0.1")
    for number, sink in enumerate(sinks):
        gateway.route(DOMAIN, sink, *(routes[number] if routes else ()))
    return gateway


def send(gateway, count, domain=DOMAIN):
    """Send so many messages over one session, to u0, u1, ...; return their ids."""
    with gateway.session() as client:
        ids = [client.mail("a@client.example", [f"u{number}@{domain}"], TEXT) for number in range(count)]
        client.quit()
    return ids


def one_by_one(gateway, sink, count):
    """Send messages, each after the one before has arrived."""
    for number in range(count):
        send(gateway, 1)
        sink.wait(number + 1)
        gateway.await_empty_queue()


def after_one_attempt(entries):
    """Whether every recipient waits again after its first attempt."""
    return entries and all((entry["status"], entry["attempts"]) == ("scheduled", 1) for entry in entries)


def recipients(sink):
    """All recipients that the sink took, sorted."""
    return sorted(recipient for message in sink.messages for recipient in message.recipients)


def test_a_connection_is_used_again():
    """Five messages, one after the other, over one connection."""
    with Sink() as sink, gateway_to(sink, DELIVERD_CONNECTION_IDLE="1m") as gateway:
        one_by_one(gateway, sink, 5)
        equal(len(sink.sessions), 1, "sessions")


def test_a_connection_has_its_number_of_messages():
    """No session brings more messages than the key allows."""
    with Sink() as sink, gateway_to(sink, DELIVERD_CONNECTION_IDLE="1m", DELIVERD_CONNECTION_MESSAGES="2") as gateway:
        one_by_one(gateway, sink, 5)
        brought = [sum(message.session is session for message in sink.messages) for session in sink.sessions]
        equal([number for number in brought if number], [2, 2, 1], "messages a session")


def stale(rule):
    """A second message over a connection that turns out to be stale by `rule` goes over a fresh one, in one attempt."""
    with Sink(script=[rule]) as sink, gateway_to(sink, DELIVERD_CONNECTION_IDLE="1m") as gateway:
        one_by_one(gateway, sink, 2)
        equal(len(sink.sessions), 2, "sessions")
        lines = [line for line in gateway.log().splitlines() if "event=delivered" in line]
        check(all("attempts=1" in line for line in lines), f"more than one attempt: {lines!r}")


def test_a_connection_that_was_closed_while_idle_is_replaced():
    """The next hop closes after the first message."""
    stale(".#1: 250 ok; close")


def test_a_connection_that_closes_at_mail_is_replaced_in_the_same_attempt():
    """The next hop closes when it hears MAIL again."""
    stale("MAIL#2: close")


def test_a_connection_that_says_421_at_mail_is_replaced_in_the_same_attempt():
    """The next hop says that it was idle too long."""
    stale("MAIL#2: 421 4.4.2 Idle too long; close")


def test_a_connection_that_is_reset_at_mail_is_replaced_in_the_same_attempt():
    """The next hop is gone."""
    stale("MAIL#2: reset")


def test_a_refused_message_does_not_spoil_the_connection():
    """After a 550 to the content, the next message goes over the same connection, in a clean transaction."""
    with Sink(script=[".#1: 550 5.6.0 no"]) as sink, gateway_to(sink, DELIVERD_CONNECTION_IDLE="1m") as gateway:
        send(gateway, 1)
        gateway.await_recipient("u0@" + DOMAIN, "failed")
        with gateway.session() as client:
            client.mail("a@client.example", ["after@" + DOMAIN], TEXT)
        equal(sink.wait(1)[0].recipients, ["after@" + DOMAIN], "recipients")


def test_recipients_too_many_for_a_transaction_go_in_the_next():
    """RFC 5321 4.5.3.1.10: what 452 4.5.3 leaves over follows at once, over the same connection, which had a message before."""
    names = [f"r{number}@{DOMAIN}" for number in range(5)]
    script = [f"RCPT#{number}: 452 4.5.3 Too many recipients" for number in (4, 5, 6, 9)]
    with Sink(script=script) as sink, \
            gateway_to(sink, DELIVERD_CONNECTION_IDLE="1m", DELIVERD_DESTINATION_CONCURRENCY="1", DELIVERD_RETRY_MIN="1h",
                       DELIVERD_RETRY_MAX="1h") as gateway:
        one_by_one(gateway, sink, 1)
        with gateway.session() as client:
            client.mail("a@client.example", names, TEXT)
        gateway.await_empty_queue()
        equal([message.recipients for message in sink.messages], [["u0@" + DOMAIN], names[:2], names[2:4], names[4:]], "recipients")
        equal(len(sink.sessions), 1, "sessions")
        equal({message.content.partition(b"\r\nSubject: ")[2] for message in sink.messages}, {b"x\r\n\r\nHello.\r\n"}, "contents")


def test_hops_that_hang_leave_room_for_others():
    """Twelve hops take connections and say nothing, with more mail for each than there is room for: mail for another hop goes."""
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(Sink(script=["greeting: hang"])) for _ in range(12)]
        good = stack.enter_context(Sink())
        gateway = stack.enter_context(gateway_to(DELIVERD_MAX_IN_FLIGHT="30", DELIVERD_DESTINATION_CONCURRENCY="2", STOP_TIMEOUT="1s"))
        for number, sink in enumerate(silent):
            gateway.route(f"silent{number}.example", sink)
        gateway.route("good.example", good)
        for number, sink in enumerate(silent):
            send(gateway, 10, f"silent{number}.example")
            sink.wait_for(lambda hop: hop.sessions, "a connection")
        send(gateway, 10, "good.example")
        good.wait(10)
        equal(recipients(good), sorted(f"u{number}@good.example" for number in range(10)), "recipients")
        check(not any(session.ended for sink in silent for session in sink.sessions), "a silent hop was given up meanwhile")
        check(all(sink.peak <= 2 for sink in silent), "more sessions with a silent hop than one may have")


def test_a_refusal_of_all_recipients_leaves_the_connection_in_step():
    """A server that knows its order: after a transaction without recipients, which DATA does not end, the next one is taken."""
    with Sink(script=["RCPT <u0@: 550 5.1.1 Unknown"]) as sink, gateway_to(sink, DELIVERD_DESTINATION_CONCURRENCY="1", DELIVERD_CONNECTION_IDLE="1m") as gateway:
        send(gateway, 1)
        gateway.await_recipient("u0@hop.example", "failed")
        with gateway.session() as client:
            client.mail("a@client.example", ["good@hop.example"], b"Subject: x\r\n\r\nHello.\r\n")
            client.quit()
        sink.wait(1)
        equal(len(sink.sessions), 1, "sessions")


def test_connections_to_a_next_hop_are_bounded():
    """While two sessions are held at their final dot there is no third; another destination is served meanwhile."""
    with Sink(script=[".: gate; 250 ok"]) as sink, Sink() as other, \
            gateway_to(sink, DELIVERD_DESTINATION_CONCURRENCY="2", DELIVERD_CONNECTION_IDLE="0s") as gateway:
        gateway.route("other.example", other)
        send(gateway, 8)
        sink.wait_for(lambda hop: len(hop.sessions) >= 2, "two sessions")
        send(gateway, 3, "other.example")
        other.wait(3)
        equal(sink.peak, 2, "sessions at a time")
        sink.gate.set()
        sink.wait(8)
        gateway.await_empty_queue()
        equal(sink.peak, 2, "sessions at a time")
        equal(recipients(sink), sorted(f"u{number}@{DOMAIN}" for number in range(8)), "recipients")


def test_remote_deliveries_are_bounded():
    """TMAIL_DELIVERD_REMOTE_CONCURRENCY counts over all destinations."""
    sinks = [Sink(script=[".: gate; 250 ok"]) for _ in range(4)]
    with gateway_to(DELIVERD_REMOTE_CONCURRENCY="2", DELIVERD_CONNECTION_IDLE="0s") as gateway:
        for number, sink in enumerate(sinks):
            gateway.route(f"d{number}.example", sink)
            send(gateway, 1, f"d{number}.example")

        def busy(entries):
            return sum(entry["status"] == "in-progress" for entry in entries) >= 2
        gateway.await_queue(busy, "two in progress")
        at_once = sum(bool(sink.sessions) for sink in sinks)
        check(at_once <= 2, f"{at_once} deliveries at a time")
        for sink in sinks:
            sink.gate.set()
        for sink in sinks:
            sink.wait(1)
        gateway.await_empty_queue()
    for sink in sinks:
        sink.done()


def sources(local_ips, count):
    """The addresses that so many messages came from, each over its own connection."""
    with Sink() as sink, gateway_to(sink, DELIVERD_LOCAL_IPS=local_ips, DELIVERD_CONNECTION_IDLE="0s",
                                    DELIVERD_CONNECTION_MESSAGES="1") as gateway:
        send(gateway, count)
        sink.wait(count)
        gateway.await_empty_queue()
        return [message.session.peer for message in sink.messages]


def test_source_addresses_in_order_use_the_first():
    """`a&b`: b is for when a cannot connect."""
    equal(set(sources("127.0.0.2&127.0.0.3", 20)), {"127.0.0.2"}, "addresses")


def test_source_addresses_in_order_fail_over():
    """192.0.2.1 is no address of this host."""
    equal(set(sources("192.0.2.1&127.0.0.3", 3)), {"127.0.0.3"}, "addresses")


def test_source_addresses_in_turn_are_all_used():
    """`a|b`."""
    equal(set(sources("127.0.0.2|127.0.0.3", 40)), {"127.0.0.2", "127.0.0.3"}, "addresses")


def test_source_addresses_in_turn_have_weights():
    """An address named three times is used more than one named once."""
    used = sources("127.0.0.2|127.0.0.2|127.0.0.2|127.0.0.3", 80)
    share = used.count("127.0.0.2") / len(used)
    check(0.5 < share < 0.95, f"used in {share:.0%} of 80 messages, expected about 75%")


def test_source_addresses_in_turn_fail_over_too():
    """One that cannot be used does not cost the attempt."""
    equal(set(sources("192.0.2.1|127.0.0.3", 10)), {"127.0.0.3"}, "addresses")


def test_routes_of_equal_priority_take_turns_by_weight():
    """A route that was added twice is used about twice as often as one added once."""
    with Sink() as twice, Sink() as once, gateway_to(twice, twice, once, DELIVERD_CONNECTION_IDLE="0s") as gateway:
        send(gateway, 90)
        gateway.await_empty_queue()
        equal(len(twice.messages) + len(once.messages), 90, "messages")
        check(36 <= len(twice.messages) <= 84, f"used for {len(twice.messages)} of 90 messages, expected about 60")


def test_priorities_mix_with_turns():
    """1, 2, 2: the first alone is used while it works."""
    with Sink() as first, Sink() as second, Sink() as third, \
            gateway_to(first, second, third, routes=[("-p", "1"), ("-p", "2"), ("-p", "2")]) as gateway:
        send(gateway, 10)
        first.wait(10)
        first.done()
        send(gateway, 30)
        second.wait_for(lambda _: len(second.messages) + len(third.messages) == 30, "30 messages", 60)
        gateway.await_empty_queue()


def test_a_temporary_failure_is_tried_again():
    """Without anybody's help, and the attempts are counted."""
    with Sink(script=["RCPT#1: 450 4.2.1 busy", "RCPT#2: 450 4.2.1 busy"]) as sink, \
            gateway_to(sink, DELIVERD_RETRY_MIN="1s", DELIVERD_RETRY_MAX="2s") as gateway:
        send(gateway, 1)
        sink.wait(1)
        gateway.await_log(r"event=delivered.*attempts=3\b")


def test_a_message_that_outlives_the_queue_fails():
    """With the reason of the last attempt."""
    with Sink(script=["RCPT: 450 4.2.1 busy"]) as sink, \
            gateway_to(sink, DELIVERD_RETRY_MIN="1s", DELIVERD_RETRY_MAX="1s", DELIVERD_QUEUE_LIFETIME="1s") as gateway:
        send(gateway, 1)
        check("busy" in gateway.await_recipient("u0@" + DOMAIN, "failed")["reason"], "the reason is kept")


def test_discard_of_a_message_that_waits():
    """It is never delivered; the one after it is."""
    with Sink(script=["RCPT <u0@: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        identifier, = send(gateway, 1)
        gateway.await_recipient("u0@" + DOMAIN, "scheduled")
        gateway.tmail("queue", "discard", identifier)
        gateway.await_empty_queue()
        sink.rules.clear()
        gateway.tmail("queue", "flush")
        with gateway.session() as client:
            client.mail("a@client.example", ["after@" + DOMAIN], TEXT)
        sink.wait(1)
        equal(recipients(sink), ["after@" + DOMAIN], "recipients")


def test_a_held_message_is_not_delivered_until_released():
    """Not even by flush."""
    with Sink(script=["RCPT#1: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        identifier, = send(gateway, 1)
        gateway.await_queue(after_one_attempt, "one attempt")
        gateway.tmail("queue", "hold", identifier)
        gateway.tmail("queue", "flush")
        with gateway.session() as client:
            client.mail("a@client.example", ["after@" + DOMAIN], TEXT)
        sink.wait(1)
        equal(recipients(sink), ["after@" + DOMAIN], "recipients before the release")
        gateway.tmail("queue", "release", identifier)
        sink.wait(2)
        equal(recipients(sink), ["after@" + DOMAIN, "u0@" + DOMAIN], "recipients")


def test_flush_of_a_domain_leaves_others():
    """`queue flush DOMAIN`."""
    with Sink(script=["RCPT#1: 450 4.2.1 busy", "RCPT#2: 450 4.2.1 busy"]) as sink, gateway_to(sink) as gateway:
        gateway.route("other.example", sink)
        send(gateway, 1)
        send(gateway, 1, "other.example")
        gateway.await_queue(after_one_attempt, "one attempt each")
        gateway.tmail("queue", "flush", "other.example")
        sink.wait(1)
        gateway.await_queue(lambda entries: len(entries) == 1, "one recipient left")
        equal(recipients(sink), ["u0@other.example"], "recipients")


def test_what_was_accepted_is_delivered_after_a_restart():
    """Received without a deliverd, delivered by the next run."""
    with Sink() as sink, gateway_to(sink, DELIVERD_LAUNCH="false") as gateway:
        send(gateway, 20)
        gateway.config["TMAIL_DELIVERD_LAUNCH"] = "true"
        gateway.restart()
        sink.wait(20)
        gateway.await_empty_queue()
        equal(recipients(sink), sorted(f"u{number}@{DOMAIN}" for number in range(20)), "recipients")


def change_queue(gateway, *statements):
    """Carry out SQL in the queue's database, each statement in a connection of its own."""
    for statement in statements:
        with contextlib.closing(sqlite3.connect(gateway.path("store", "queue.db"), timeout=30)) as database, database:
            database.executescript(statement)


def damaged(damage, size=0, status="held"):
    """The test that a message whose row has such damage waits in that status and says why, while those before and behind it go."""
    def test():
        with Sink() as sink, gateway_to(sink, DELIVERD_LAUNCH="false") as gateway:
            gateway.route("*", sink)
            with gateway.session() as client:
                ids = [client.mail("a@client.example", [f"a@{domain}.example"], TEXT + size * b"x\r\n")
                       for domain in ("before", "hurt", "later")]
                client.mail("a@client.example", ["b@hurt.example"], TEXT)
                client.quit()
            change_queue(gateway, *(line.format(id=int(ids[1], 16)) for line in damage))
            gateway.config["TMAIL_DELIVERD_LAUNCH"] = "true"
            gateway.restart()
            sink.wait(3)
            entry = gateway.await_recipient("a@hurt.example", status)
            equal((entry["id"], len(gateway.queue())), (ids[1], 1), "what waits, of how many")
            check("the queue" in entry["reason"], f"no reason: {entry!r}")
            equal(recipients(sink), ["a@before.example", "a@later.example", "b@hurt.example"], "recipients")
    return test


WITHOUT_RULES = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'domain TEXT NOT NULL', 'domain TEXT')"
DAMAGES = {
    "a-content-that-was-cut": (["UPDATE message SET content = substr(content, 1, 9) WHERE id = {id}"],),
    "a-large-content-that-was-cut": (["UPDATE message SET content = substr(content, 1, 9) WHERE id = {id}"], 50000, "scheduled"),
    "no-content": (["UPDATE message SET content = x'' WHERE id = {id}"],),
    "a-size-that-is-none": (["UPDATE message SET size = 'many' WHERE id = {id}"],),
    "no-domain": ([WITHOUT_RULES, "UPDATE recipient SET domain = NULL WHERE message = {id}"],),
    "an-empty-domain": (["UPDATE recipient SET domain = '' WHERE message = {id}"],),
    "a-domain-longer-than-any": (["UPDATE recipient SET domain = 'hurt.' || hex(zeroblob(200)) WHERE message = {id}"],),
    "a-domain-with-a-nul": (["UPDATE recipient SET domain = CAST(x'6875007274' AS TEXT) WHERE message = {id}"],),
}


def test_what_was_in_progress_when_all_was_killed_is_delivered():
    """SIGKILL to everything while the next hop holds the messages; after the start they are due at once."""
    with Sink(script=[".#1: gate; close", ".#2: gate; close"]) as sink, gateway_to(sink) as gateway:
        send(gateway, 2)
        gateway.await_queue(lambda entries: [entry["status"] for entry in entries] == ["in-progress"] * 2, "in progress")
        gateway.kill()
        sink.gate.set()
        sink.rules.clear()
        gateway.start()
        sink.wait(2)
        gateway.await_empty_queue()
        equal(sorted(set(recipients(sink))), [f"u0@{DOMAIN}", f"u1@{DOMAIN}"], "recipients")


def test_a_message_that_is_in_progress_at_three_crashes_is_held():
    """Due at once after the first crash, after RETRY_MIN after the second, held after the third."""
    with Sink(script=[".: hang"]) as sink, gateway_to(sink, DELIVERD_RETRY_MIN="1s", DELIVERD_RETRY_MAX="1s") as gateway:
        send(gateway, 1)
        for crash in range(3):
            sink.wait_for(lambda hop, crash=crash: len(hop.sessions) > crash, f"attempt {crash + 1}")
            gateway.await_recipient("u0@" + DOMAIN, "in-progress")
            os.kill(gateway.child("deliverd"), signal.SIGKILL)
        gateway.await_recipient("u0@" + DOMAIN, "held")


def test_many_recipients_in_one_transaction():
    """A thousand recipients of one domain are one transaction or a few, each recipient once."""
    names = [f"r{number}@{DOMAIN}" for number in range(1000)]
    with Sink() as sink, gateway_to(sink) as gateway:
        with gateway.session() as client:
            client.mail("a@client.example", names, TEXT)
        gateway.await_empty_queue()
        equal(recipients(sink), sorted(names), "recipients")
        check(len(sink.messages) <= 20, f"{len(sink.messages)} transactions for 1000 recipients")


def test_many_messages_arrive_once_each():
    """Five hundred messages over several sessions at a time."""
    with Sink() as sink, gateway_to(sink) as gateway:
        clients = [gateway.session() for _ in range(5)]
        for number in range(100):
            for who, client in enumerate(clients):
                client.mail("a@client.example", [f"u{number}.{who}@{DOMAIN}"], TEXT)
        gateway.await_empty_queue()
        equal(recipients(sink), sorted(f"u{number}.{who}@{DOMAIN}" for number in range(100) for who in range(5)), "recipients")


if __name__ == "__main__":
    main({f"damage-in-the-queue-{name}": damaged(*damage) for name, damage in DAMAGES.items()})

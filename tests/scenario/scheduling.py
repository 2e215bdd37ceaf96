#!/usr/bin/python3
"""Who is served when: hops that are down, senders that take turns, greylists, hops with little room, and answers that never came."""

import concurrent.futures
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
HOP, OTHER, HOME = "hop.example", "other.example", "client.example"
QUICK = {"DELIVERD_RETRY_TIMES": "1s", "DELIVERD_RETRY_MIN": "1s", "DELIVERD_RETRY_MAX": "2s", "DELIVERD_DEAD_HOST_TIME": "1s"}
SLOW = {"DELIVERD_RETRY_TIMES": "1h", "DELIVERD_RETRY_MIN": "1h", "DELIVERD_DEAD_HOST_TIME": "1h"}


def gateway_to(routes, **keys):
    """A gateway that relays for 127.0.0.1, with a route to a sink for each domain."""
    gateway = Gateway({f"TMAIL_{key}": value for key, value in keys.items()})
    gateway.tmail("relayip", "add", "127.0.0.1")
    for domain, sink in routes.items():
        gateway.route(domain, sink)
    return gateway


@contextlib.contextmanager
def reporting(hop, **keys):
    """A gateway that reports, and the sender's home."""
    with Sink() as home, gateway_to({HOP: hop, HOME: home}, BOUNCE_ENABLED="true", **keys) as gateway:
        yield gateway, home


def send(gateway, numbers, domain=HOP, sender="a@client.example"):
    """A message to uN@DOMAIN for each number, over one session."""
    with gateway.session() as client:
        for number in numbers:
            client.mail(sender, [f"u{number}@{domain}"], TEXT)
        client.quit()


def send_many(gateway, count, domain=HOP, sender="a@client.example"):
    """The same over ten sessions at a time."""
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        for done in [pool.submit(send, gateway, range(first, count, 10), domain, sender) for first in range(10)]:
            done.result()


def all_of(count, domain=HOP):
    """The recipients of so many messages."""
    return sorted(f"u{number}@{domain}" for number in range(count))


def arrived(sink):
    """Who got mail, in order."""
    return [recipient for message in sink.messages for recipient in message.recipients]


def await_reasons(gateway, count, domain=HOP):
    """Wait until so many recipients of the domain wait and say why."""
    def waiting(entries):
        reasons = [entry["reason"] for entry in entries
                   if entry["recipient"].endswith(domain) and entry["status"] == "scheduled" and entry["reason"]]
        return len(reasons) == count
    gateway.await_queue(waiting, f"{count} recipients that say why they wait", 60)


def test_a_hop_that_is_down_hears_few_of_those_that_wait():
    """Two hundred wait; it is knocked at no more often than the window is wide.  After a flush one probes it, and all go."""
    with Sink(script=["greeting: 421 4.3.2 Not now; close"]) as hop, Sink() as other, \
            gateway_to({HOP: hop, OTHER: other}, **SLOW) as gateway:
        send_many(gateway, 200)
        await_reasons(gateway, 200)
        check(1 <= len(hop.sessions) <= 20, f"{len(hop.sessions)} connections to a hop that is down")
        before = len(hop.sessions)
        gateway.tmail("queue", "flush")
        hop.wait_for(lambda sink: len(sink.sessions) > before, "a probe")
        await_reasons(gateway, 200)
        check(len(hop.sessions) - before <= 20, f"{len(hop.sessions) - before} probes after a flush")
        send(gateway, range(3), OTHER)
        other.wait(3)
        hop.rules.clear()
        gateway.tmail("queue", "flush")
        hop.wait_for(lambda sink: len(sink.messages) >= 200, "200 messages", 60)
        gateway.await_empty_queue()
        equal(sorted(arrived(hop)), all_of(200), "recipients")


def test_what_waits_for_a_closed_port_goes_when_it_opens():
    """Without anybody's help; another hop's mail goes meanwhile."""
    with Sink(listening=False) as hop, Sink() as other, gateway_to({HOP: hop, OTHER: other}, **QUICK) as gateway:
        send_many(gateway, 200)
        await_reasons(gateway, 200)
        send(gateway, range(10), OTHER)
        other.wait(10)
        hop.listen()
        hop.wait_for(lambda sink: len(sink.messages) >= 200, "200 messages", 60)
        gateway.await_empty_queue()
        equal(sorted(arrived(hop)), all_of(200), "recipients")


def test_a_route_to_fall_back_on_is_used_though_the_first_is_down():
    """Others, who have no second route, found it down: that holds nobody who has one."""
    with Sink(listening=False) as dead, Sink() as good, gateway_to({HOP: dead}, **SLOW) as gateway:
        gateway.tmail("routes", "add", "-d", OTHER, "-rh", dead.address, "-rp", str(dead.port), "-p", "1")
        gateway.tmail("routes", "add", "-d", OTHER, "-rh", good.address, "-rp", str(good.port), "-p", "2")
        send(gateway, range(20))
        await_reasons(gateway, 20)
        send(gateway, range(20), OTHER)
        good.wait(20)
        equal(sorted(arrived(good)), all_of(20, OTHER), "recipients")


def test_a_route_to_fall_back_on_is_used_while_the_first_is_probed():
    """The probe is taken and gets no answer: who has another way does not wait for that."""
    with Sink(script=["greeting: 421 4.3.2 Not now; close"]) as first, Sink() as good, \
            gateway_to({HOP: first}, **{**QUICK, "DELIVERD_DEAD_HOST_TIME": "2s"}) as gateway:
        gateway.tmail("routes", "add", "-d", OTHER, "-rh", first.address, "-rp", str(first.port), "-p", "1")
        gateway.tmail("routes", "add", "-d", OTHER, "-rh", good.address, "-rp", str(good.port), "-p", "2")
        send(gateway, range(20))
        gateway.await_log("event=hop-down ")
        first.on("greeting: hang")
        seen = len(first.sessions)
        first.wait_for(lambda sink: len(sink.sessions) > seen, "a probe")
        send(gateway, range(20), OTHER)
        good.wait(20)
        check(not first.sessions[-1].ended, "the probe was over")
        equal(sorted(arrived(good)), all_of(20, OTHER), "recipients")


def test_a_full_hop_is_in_the_way_of_nobody_else():
    """Messages with a recipient at a hop that hangs, and mail of the same sender behind them: what goes elsewhere arrives."""
    with Sink(script=[".: gate; 250 ok"]) as slow, Sink() as fast, \
            gateway_to({HOP: slow, OTHER: fast}, DELIVERD_DESTINATION_CONCURRENCY="2") as gateway:
        send(gateway, range(200))
        slow.wait_for(lambda sink: len(sink.sessions) == 2, "two sessions")
        with gateway.session() as client:
            for number in range(60):
                client.mail("a@client.example", [f"slow{number}@{HOP}", f"both{number}@{OTHER}"], TEXT)
            client.quit()
        send(gateway, range(10), OTHER)
        fast.wait_for(lambda sink: len(sink.messages) >= 70, "70 messages", 60)
        slow.gate.set()
        slow.wait_for(lambda sink: len(sink.messages) >= 260, "260 messages", 60)
        gateway.await_empty_queue()
        equal(sorted(arrived(fast)), sorted(all_of(10, OTHER) + [f"both{number}@{OTHER}" for number in range(60)]), "recipients")


def test_a_sender_with_mail_for_a_full_hop_keeps_its_turn():
    """Another's backlog for the hop that takes mail does not come first."""
    with Sink(script=[".: gate; 250 ok"]) as slow, Sink(script=[".#1: gate; 250 ok"]) as fast, \
            gateway_to({HOP: slow, OTHER: fast}, DELIVERD_DESTINATION_CONCURRENCY="1") as gateway:
        send(gateway, range(300))
        send_many(gateway, 1000, OTHER, "many@client.example")
        fast.wait_for(lambda sink: sink.sessions, "a session")
        send(gateway, [7777], OTHER)
        fast.gate.set()
        fast.wait_for(lambda sink: len(sink.messages) >= 1001, "1001 messages", 60)
        order = arrived(fast).index(f"u7777@{OTHER}")
        check(order < 200, f"it came as number {order} of 1001")
        slow.gate.set()
        slow.wait_for(lambda sink: len(sink.messages) >= 300, "300 messages", 60)
        gateway.await_empty_queue()


def overtakes(lone_domain, lone_sender, most, claimed):
    """While 2000 messages wait for a hop with one place, another comes, is perhaps `claimed` at once, and is one of the next `most`."""
    lone = f"lone@{lone_domain}"
    with Sink(script=[".#1: gate; 250 ok"]) as hop, \
            gateway_to({HOP: hop, OTHER: hop}, DELIVERD_DESTINATION_CONCURRENCY="1", DELIVERD_CONNECTION_IDLE="1m") as gateway:
        send_many(gateway, 2000)
        hop.wait_for(lambda sink: sink.sessions, "a session")
        with gateway.session() as client:
            client.mail(lone_sender, [lone], TEXT)
        if claimed:
            gateway.await_recipient(lone, "in-progress")
        hop.gate.set()
        hop.wait_for(lambda sink: lone in arrived(sink), "the lone message")
        place = arrived(hop).index(lone)
        check(place <= most, f"{place} messages went first")
        gateway.tmail("queue", "discard", "--yes", "--domain", HOP)


def test_a_sender_with_a_backlog_does_not_delay_another():
    """The senders take turns: one's single message is not behind the other's thousands."""
    overtakes(HOP, "b@client.example", 3, True)


def test_a_domain_with_a_backlog_does_not_delay_another_over_the_same_hop():
    """The same sender's mail for another domain behind the same smart host waits only for what was claimed already."""
    overtakes(OTHER, "a@client.example", 60, False)


def test_a_greylist_has_waits_of_its_own():
    """RFC 6647: a temporary answer to RCPT is tried again soon, and one to the content is not."""
    script = [f"RCPT#{number}: 450 4.2.0 Greylisted, come again" for number in (1, 2, 3)]
    with Sink(script=script) as grey, Sink(script=[".: 450 4.2.0 Not this one"]) as busy, \
            gateway_to({HOP: grey, OTHER: busy}, DELIVERD_RETRY_GREYLIST="1s", **SLOW) as gateway:
        send(gateway, range(1), OTHER)
        with gateway.session() as client:
            client.mail("a@client.example", [f"u{number}@{HOP}" for number in range(3)], TEXT)
        grey.wait_for(lambda sink: len(arrived(sink)) == 3, "three recipients")
        equal(sorted(arrived(grey)), all_of(3), "recipients")
        await_reasons(gateway, 1, OTHER)
        entry, = gateway.await_queue(lambda entries: len(entries) == 1 and entries, "one that waits")
        equal(entry["attempts"], 1, "attempts")
        waits = time.mktime(time.strptime(entry["next"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone - time.time()
        check(3000 < waits < 4300, f"expected to wait for about an hour, not for {waits} seconds")


class Narrow(Sink):
    """Takes one session at a time, and refuses any further."""

    def actions(self, verb, line):
        """As of any sink, but for the greeting."""
        with self.changed:
            crowded = verb == "GREETING" and sum(not session.ended for session in self.sessions) > 1
        return ["421 4.3.2 Too many connections", "close"] if crowded else super().actions(verb, line)


def test_a_hop_with_room_for_one_session_gets_all():
    """Whatever the window learns of it: nothing is lost, reported or sent twice."""
    with Narrow() as hop, reporting(hop, **QUICK) as (gateway, home):
        send_many(gateway, 150)
        hop.wait_for(lambda sink: len(sink.messages) >= 150, "150 messages", 60)
        gateway.await_empty_queue()
        equal(sorted(arrived(hop)), all_of(150), "recipients")
        equal(len(home.messages), 0, "reports")


def unknown_outcome(*script, **keys):
    """A next hop that takes the content and whose answer never comes gets it again; it is neither lost nor reported."""
    with Sink(script=script) as hop, reporting(hop, **{**QUICK, **keys}) as (gateway, home):
        send(gateway, range(3))
        gateway.await_empty_queue()
        equal(sorted(set(arrived(hop))), all_of(3), "recipients")
        equal(len(home.messages), 0, "reports")


def test_a_hop_that_closes_after_the_final_dot():
    """In order."""
    unknown_outcome(".#1: close", ".#3: close")


def test_a_hop_that_resets_after_the_final_dot():
    """And with the next attempt, too."""
    unknown_outcome(".#1: reset", ".#2: reset")


def test_a_hop_that_hangs_after_the_final_dot():
    """RFC 5321 4.5.3.2.6, with a shorter patience."""
    unknown_outcome(".#1: hang", DELIVERD_REMOTE_TIMEOUT="2s")


def test_mail_for_a_hop_that_is_never_reached_is_reported_once():
    """Most of them never had an attempt of their own: their time is over all the same."""
    keys = {**QUICK, "DELIVERD_DEAD_HOST_TIME": "1h", "DELIVERD_QUEUE_LIFETIME": "4s"}
    with Sink(listening=False) as hop, reporting(hop, **keys) as (gateway, home):
        send(gateway, range(30))
        home.wait_for(lambda sink: len(sink.messages) >= 30, "30 reports")
        gateway.await_empty_queue()
        about = sorted(line.split(b";")[1].strip().decode() for message in home.messages for line in message.content.splitlines()
                       if line.startswith(b"Final-Recipient:"))
        equal(about, all_of(30), "who was reported")
        equal(len(home.messages), 30, "reports")


if __name__ == "__main__":
    main()

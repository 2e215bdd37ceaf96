#!/usr/bin/python3
"""Issue 4, a resolver that is down with a backlog: nothing is lost, nothing bounces, memory and CPU stay as they are.

TESTS_LONG=1 makes it ten thousand messages and ten minutes.
"""

import collections
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dns import Dns, Zone  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, Sink, await_true, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

LONG = bool(os.environ.get("TESTS_LONG"))
MESSAGES, SECONDS, RETRY_MAX = (10000, 600, "1m") if LONG else (500, 8, "1s")
PATIENCE = 1200 if LONG else 120
# Of deliverd while the resolver is silent. A loop that is busy takes all of a processor; memory that leaks grows with every attempt.
CPU_SHARE, GROWTH_KB = 0.5, 512
TICKS = os.sysconf("SC_CLK_TCK")


def domain_of(number):
    """Ten messages go to each domain."""
    return f"d{number // 10}.out.test"


def inject(gateway):
    """Hand in all messages; return their recipients."""
    recipients = [f"u{number}@{domain_of(number)}" for number in range(MESSAGES)]
    for start in range(0, MESSAGES, 500):
        with gateway.session() as client:
            for recipient in recipients[start:start + 500]:
                client.mail("a@client.example", [recipient], b"Subject: x\r\n\r\n")
            client.quit()
    return recipients


def cpu_seconds(pid):
    """What the process has used, its threads too."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_kb(pid):
    """Its resident memory."""
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def is_sanitized(pid):
    """Whether a sanitizer of the compiler is in it: these keep what was freed for a while."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        return re.search(r"/lib[at]san\.so", file.read()) is not None


def all_waiting(gateway, recipients):
    """Every recipient is in the queue, has been tried, and is no failure."""
    entries = gateway.queue()
    equal(sorted(entry["recipient"] for entry in entries), sorted(recipients), "recipients in the queue")
    failed = [entry for entry in entries if entry["status"] == "failed"]
    equal(failed, [], "failed recipients")
    return all(entry["attempts"] > 0 for entry in entries)


def watched(gateway, seconds):
    """Let deliverd go on for a while; return the processor time that it took, and by how much its memory has grown in the end.

    Much of what the mails took when they came is given back at first: growth is what comes after the lowest point of the first half.
    """
    deliverd = gateway.child("deliverd")
    used, memory = cpu_seconds(deliverd), []
    for _ in range(100):
        time.sleep(seconds / 100)
        memory.append(resident_kb(deliverd))
    equal(gateway.child("deliverd"), deliverd, "process of deliverd")
    return cpu_seconds(deliverd) - used, 0 if is_sanitized(deliverd) else memory[-1] - min(memory[:50])


def test_a_resolver_that_is_down_for_a_while():
    """Attempts go on all the time; then everything arrives, once."""
    records = [f"d{number} MX 10 host" for number in range(MESSAGES // 10)]
    with Sink() as sink, Dns(Zone("out.test", "\n".join([*records, f"host A {sink.address}"]))) as dns:
        dns.fault("silent")
        with Gateway({**dns.keys(), "TMAIL_DNS_TIMEOUT": "2s", "TMAIL_DELIVERD_RETRY_MIN": "1s",
                      "TMAIL_DELIVERD_RETRY_MAX": RETRY_MAX}) as gateway:
            gateway.tmail("relayip", "add", "127.0.0.1")
            gateway.tmail("routes", "add", "-rh", "mx", "-rp", str(sink.port))
            recipients = inject(gateway)
            await_true(lambda: all_waiting(gateway, recipients), "a first attempt for all", PATIENCE)
            attempts = sum(entry["attempts"] for entry in gateway.queue())
            used, grown = watched(gateway, SECONDS)
            check(all_waiting(gateway, recipients), "a recipient without an attempt")
            more = sum(entry["attempts"] for entry in gateway.queue()) - attempts
            print(f"# {MESSAGES} waiting for {SECONDS}s: {more} attempts, {used:.2f}s of a processor, {grown:+d} KB, "
                  f"{dns.count()} questions", flush=True)
            check(more > 0, "no attempt was made")
            check(used < CPU_SHARE * SECONDS, f"deliverd used {used:.2f}s of a processor in {SECONDS}s")
            check(grown < GROWTH_KB, f"deliverd grew by {grown} KB in {more} attempts")
            equal(sink.sessions, [], "sessions")
            dns.mend()
            arrive(gateway, sink, recipients)


def arrive(gateway, sink, recipients):
    """Everything comes, without a restart."""
    def empty():
        gateway.tmail("queue", "flush")
        time.sleep(1)
        return not gateway.queue()
    await_true(empty, lambda: f"the queue to be empty; {len(gateway.queue())} are left", PATIENCE)
    came = collections.Counter(recipient for message in sink.messages for recipient in message.recipients)
    equal([recipient for recipient in recipients if came[recipient] != 1], [], "recipients whose mail did not come exactly once")
    equal(len(came), len(recipients), "recipients")


if __name__ == "__main__":
    main()

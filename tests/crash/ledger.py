"""What was promised and what arrived; the judge of every crash test.

A message is promised to a recipient when its 250 has been read. It has arrived there when the next hop has read all of
it and answered 250. Then two rules hold:

- What was promised arrives, with the content that was sent.
- It arrives twice only in the window that no gateway can close: the deliverer died, or the disk went, after the next
  hop's 250 and before the commit that records it. So for two copies there must have been a death, WINDOW seconds
  or less from the first copy, and the gateway must not have logged `delivered`, which it does after that commit,
  before it.
"""

import collections
import hashlib
import re
import threading
import time
from datetime import datetime

WINDOW = 2.0

ID = re.compile(rb"^Message-ID: <([^>]*)>\r$", re.M)
DIGEST = re.compile(rb"^X-Digest: ([0-9a-f]*)\r$", re.M)
QUEUE = re.compile(rb"\sid ([0-9a-f]{16})\b")
DELIVERED = re.compile(r"time=(\S+) .*event=delivered .*queue=([0-9a-f]+) .*recipient=(\S+)")

Death = collections.namedtuple("Death", "began ended what")
Arrival = collections.namedtuple("Arrival", "time queue")


def compose(identity, body):
    """A message that can be recognised and checked where it arrives."""
    head = f"Message-ID: <{identity}>\r\nX-Digest: {hashlib.sha256(body).hexdigest()}\r\n\r\n"
    return head.encode() + body


class Ledger:
    """The accounts of one test. It also stands in for the sink's list of messages: what is appended has arrived."""

    def __init__(self):
        self._lock = threading.Lock()
        self._promised, self._sent, self._refusals, self._refused = {}, {}, collections.Counter(), set()
        self._arrived, self._spoilt, self._count = {}, [], 0
        self._deaths, self._expected = [], set()

    # --- what clients saw ---

    def promise(self, identity, recipients, seconds):
        """The 250 after the final dot was read."""
        with self._lock:
            self._sent.pop(identity)
            self._promised[identity] = recipients, seconds

    def sent(self, identity, recipients):
        """The final dot has been sent: from now on the message may arrive."""
        with self._lock:
            self._sent[identity] = recipients

    def refused(self, reply, identity):
        """A message was refused, at its end or before."""
        with self._lock:
            self._refusals[reply.lines[0][:9]] += 1
            if identity in self._sent:
                self._refused.add(identity)

    # --- what the next hop saw ---

    def __len__(self):
        return self._count

    def append(self, message):
        """The next hop took a message."""
        now, (head, _, body) = time.time(), message.content.partition(b"\r\n\r\n")
        identity, digest, queue = (found[1].decode() if found else "unreadable" for found in
                                   (pattern.search(head + b"\r\n") for pattern in (ID, DIGEST, QUEUE)))
        intact = digest == hashlib.sha256(body).hexdigest()
        with self._lock:
            self._count += 1
            if not intact:
                self._spoilt.append(identity)
            for recipient in message.recipients:
                self._arrived.setdefault((identity, recipient), []).append(Arrival(now, queue))

    # --- what the test did ---

    def death(self, began, what, pids=()):
        """The deliverer died, or its disk did; it began at `began` and is over now. `pids` died by our hand."""
        with self._lock:
            self._deaths.append(Death(began, time.time(), what))
            self._expected.update(pids)

    def killed(self, pids):
        """Processes that died by our hand."""
        with self._lock:
            self._expected.update(pids)

    # --- the verdict ---

    def backlog(self):
        """Promised messages that have not arrived."""
        with self._lock:
            return len(self._promised) - self._count

    def promises(self):
        """How many messages were promised."""
        with self._lock:
            return len(self._promised)

    def lost(self):
        """Promised and not arrived, as (message, recipient)."""
        with self._lock:
            return [(identity, recipient) for identity, (recipients, _) in self._promised.items()
                    for recipient in recipients if (identity, recipient) not in self._arrived]

    def unasked(self):
        """Arrived, but the client never finished sending it to that recipient."""
        with self._lock:
            known = {identity: recipients for identity, (recipients, _) in self._promised.items()} | self._sent
            return [(identity, recipient) for identity, recipient in self._arrived
                    if recipient not in known.get(identity, ())]

    def spoilt(self):
        """Messages that arrived with another content."""
        return list(self._spoilt)

    def duplicates(self, log):
        """Deliveries too many in the allowed window, as (message, recipient), and descriptions of those outside it.

        `log` is the gateway's.
        """
        logged = collections.defaultdict(list)
        for moment, queue, recipient in DELIVERED.findall(log):
            logged[queue, recipient].append(datetime.fromisoformat(moment).timestamp())
        allowed, wrong = [], []
        for (identity, recipient), copies in self._arrived.items():
            for first, second in zip(copies, copies[1:]):
                why = self._why_wrong(first, second, logged[first.queue, recipient])
                if why:
                    wrong.append(f"{identity} to {recipient}: {why}")
                else:
                    allowed.append((identity, recipient))
        return allowed, wrong

    def _why_wrong(self, first, second, recorded):
        if first.queue != second.queue:
            return f"in the queue twice, as {first.queue} and {second.queue}"
        near = [death for death in self._deaths if death.began - WINDOW <= first.time <= death.ended + WINDOW
                and death.began < second.time]
        if not near:
            return f"sent again {second.time - first.time:.3f}s after the first copy, and no deliverer had died"
        if all(any(moment <= death.ended for moment in recorded) for death in near):
            return f"sent again after its delivery was recorded and a {near[0].what}"
        return ""

    def unexpected_deaths(self, log):
        """Lines of the log about children that died and that we did not kill."""
        return [line for line in log.splitlines() if "event=child-died" in line
                and int(re.search(r"pid=(\d+)", line)[1]) not in self._expected]

    def summary(self):
        """A line for the reader."""
        with self._lock:
            arrived = {identity for identity, _ in self._arrived}
            times = sorted(seconds for _, seconds in self._promised.values()) or [0]
            refusals = ", ".join(f"{count} x {reply}" for reply, count in sorted(self._refusals.items())) or "none"
            unanswered = set(self._sent) - self._refused
            return (f"{len(self._promised)} messages promised (median {times[len(times) // 2] * 1000:.0f} ms, "
                    f"longest {times[-1]:.1f} s), {self._count} taken by the next hop; {len(arrived & unanswered)} of "
                    f"{len(unanswered)} that were never answered arrived, and {len(arrived & self._refused)} of "
                    f"{len(self._refused)} refused at their end; refusals: {refusals}")

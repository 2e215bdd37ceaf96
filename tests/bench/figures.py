"""What is measured, one function a kind. Each returns a dict of figures; nothing here compares."""

import contextlib
import os
import time

from load import Source, find_ways, idle_sessions, tls_sessions
from local import load_mail
from meter import Meter, Noise, await_quiet, disk_use
from tmail import await_true, check, equal
from waiting import DEAD_DOMAIN, SMALL, Senders, fill, part, time_commands, time_drain, transits


@contextlib.contextmanager
def pinned(processors):
    """What is started meanwhile runs on these processors only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def halves():
    """The processors in two halves; of only one, both are that one."""
    processors = sorted(os.sched_getaffinity(0))
    middle = len(processors) // 2
    return processors[:middle] or processors, processors[middle:]


class Bench:
    """One gateway under one load. `quiet`: how long to wait, before each measurement, for others to be done."""

    def __init__(self, hop, quiet=0, size=4096):
        self.hop, self.quiet, self.size = hop, quiet, size
        self._own, self._load = Meter("gateway"), Meter("load")
        self.exact = self._own.exact

    def done(self):
        """Remove the control groups."""
        self._own.done()
        self._load.done()

    @contextlib.contextmanager
    def _running(self, gateway, processors=None):
        with contextlib.ExitStack() as stack:
            with pinned(processors or os.sched_getaffinity(0)):
                stack.enter_context(gateway.running(self._own))
            yield
        await_true(lambda: not self._own.pids(), f"the processes of {gateway.name} to end")

    def _source(self, port, count, sessions, kept_open, size=None):
        return Source(port, self._load, count, sessions, kept_open, size or self.size)

    def tools_alone(self, count, sessions, kept_open):
        """The load straight into the sink: what could be had with nothing between."""
        await_quiet(self.quiet)
        with self.hop.up(self._load) as sink:
            before, began = sink.count(), time.monotonic()
            with self._source(self.hop.port, count, sessions, kept_open) as source:
                source.wait()
            return {"rate": count / (sink.wait(before + count) - began)}

    def relay(self, gateway, count, sessions, kept_open):
        """From the first connection of the load to the last message at the next hop."""
        with self._running(gateway), self.hop.up(self._load) as sink:
            with self._source(gateway.port, 5 * sessions, sessions, kept_open) as warm_up:
                warm_up.wait()
            sink.wait(5 * sessions)
            await_quiet(self.quiet)
            used, before = self._own.settle(), sink.count()
            noise, began = Noise(self._own, self._load), time.monotonic()
            with self._source(gateway.port, count, sessions, kept_open) as source:
                accepted = source.wait()
            delivered, others = sink.wait(before + count), noise.share()
            used = self._own.settle() - used
            equal(sink.count() - before, count, "messages at the next hop")
        return {"accepted": count / (accepted - began), "delivered": count / (delivered - began),
                "cpu": used * 1000 / count, "others": others}

    def local(self, gateway, mailboxes, count, sessions):
        """From the first message of the load to the last in its mailbox, which were empty but for the warm-up."""
        warm_up = 5 * len(mailboxes.users)
        with mailboxes.up(self._load), self._running(gateway):
            load_mail(gateway, mailboxes, self._load, warm_up, sessions, self.size)
            mailboxes.wait(warm_up)
            await_quiet(self.quiet)
            used, noise, began = self._own.settle(), Noise(self._own, self._load), time.monotonic()
            accepted = load_mail(gateway, mailboxes, self._load, count, sessions, self.size)["rate"]
            delivered, others = mailboxes.wait(warm_up + count), noise.share()
            used = self._own.settle() - used
            equal(mailboxes.stored(), warm_up + count, "messages in the mailboxes")
        return {"accepted": accepted, "delivered": count / (delivered - began), "cpu": used * 1000 / count, "others": others}

    def ways(self, dns, count, threads):
        """Ways found by MX, first in an empty cache and then again."""
        await_quiet(self.quiet)
        noise = Noise(self._own, self._load)
        found = find_ways(dns, self._load, count, threads)
        return {**found, **{key: found[key] * 1000 / count for key in ("uncached_cpu", "cached_cpu")}, "others": noise.share()}

    def tls(self, gateway, count, at_once, resumed):
        """Sessions over TLS with a message each, which stays in the queue.

        A client has as much to compute as the server. So the gateway has one half of the processors to itself and the
        load the other; else both would be slowed down by the same thing, and look more alike than they are.
        """
        own, others = halves()

        def load(sessions):
            with pinned(others):
                return tls_sessions(gateway.port, self._load, sessions, at_once, len(others), resumed, self.size)

        with self._running(gateway, own):
            load(5 * at_once)
            await_quiet(self.quiet)
            used, noise = self._own.settle(), Noise(self._own, self._load)
            done = load(count)
            disturbed = noise.share()
            used = self._own.settle() - used
            equal(done["resumed"], count if resumed else 0, "resumed sessions")
        gateway.forget()
        return {"rate": done["rate"], "cpu": used * 1000 / count, "load_cpu": done["cpu"] * 1000 / count,
                "others": disturbed}

    def memory(self, gateway, sessions, tls=False):
        """Of a fresh gateway, and with idle sessions, in KiB."""
        with self._running(gateway):
            time.sleep(1)
            idle = self._own.memory()
            check(idle > 0, "no memory of the gateway can be read")
            with idle_sessions(gateway.port, sessions, tls):
                time.sleep(1)
                held = self._own.memory()
        return {"idle": idle, "held": held, "a_session": (held - idle) / sessions}

    def backlog(self, gateway, count, sessions):
        """All accepted while the next hop is down, then sent."""
        with self._running(gateway):
            await_quiet(self.quiet)
            memory = [self._own.memory()]
            used, noise, began = self._own.cpu(), Noise(self._own, self._load), time.monotonic()
            with self._source(gateway.port, count, sessions, True) as source:
                accepted = source.wait(meanwhile=lambda: memory.append(self._own.memory()))
            others = noise.share()
            filling = self._own.settle() - used
            memory.append(self._own.memory())
            disk = disk_use(gateway.queue_folder)
            return {"accepted": count / (accepted - began), "cpu": filling * 1000 / count, "disk": disk / count,
                    "memory": memory[-1], "memory_most": max(memory), "others": others,
                    **self._drain(gateway, count)}

    def waiting(self, gateway, count, few, sessions, seconds):
        """A long queue: all accepted while the next hop is down; then sent, and as fast as a short one?"""
        gateway.forget()
        short = self._drain_filled(gateway, few)
        with self._running(gateway):
            await_quiet(self.quiet)
            noise, began = Noise(self._own, self._load), time.monotonic()
            with self._source(gateway.port, count, sessions, True, SMALL) as source:
                accepted = source.wait(patience=7200) - began
            others, disk = noise.share(), disk_use(gateway.queue_folder)
            with self._source(gateway.port, 10 * count, sessions, True, SMALL), Senders(gateway.port) as accepting:
                time.sleep(seconds)
            figures = {"accepted": accepted, "disk": disk / 2**20, "memory": self._own.memory() / 1024, **time_commands(gateway),
                       **accepting.figures("accepting"), "others": others}
        gateway.forget()
        figures |= self._drain_long(gateway, count, few, seconds)
        return {**figures, "short": short, "share": 100 * figures["drained"] / short}

    def _drain_filled(self, gateway, count):
        fill(gateway, count, "hop.example")
        with self.hop.up(self._load) as sink, self._running(gateway):
            rate = time_drain(sink, count, count)
            self._own.settle()
        gateway.forget()
        return rate

    def _drain_long(self, gateway, count, few, seconds):
        fill(gateway, count, "hop.example")
        with self.hop.up(self._load) as sink, self._running(gateway):
            noise = Noise(self._own, self._load)
            rate, others = time_drain(sink, count, max(few, count // 2)), noise.share()
            with Senders(gateway.port) as draining:
                time.sleep(seconds)
            memory = self._own.memory() / 1024
        gateway.forget()
        return {"drained": rate, **draining.figures("draining"), "drain_memory": memory, "drain_others": others}

    def beside_dead(self, gateway, kind, count, seconds):
        """How long messages to a hop that lives take, while others wait for one that is dead; "none" wait."""
        gateway.forget()
        if kind != "none":
            fill(gateway, count, DEAD_DOMAIN)
        gateway.dead.be(kind)
        with self._running(gateway):
            noise = Noise(self._own, self._load)
            transit, waits = transits(gateway, self.hop, seconds)
            others = noise.share()
        return {"median": part(transit, 0.5), "99": part(transit, 0.99), "max": max(transit), "accepted_99": part(waits, 0.99),
                "others": others}

    def _drain(self, gateway, count):
        with self.hop.up(self._load) as sink:
            await_quiet(self.quiet)
            used, noise, before, began = self._own.cpu(), Noise(self._own, self._load), sink.count(), time.monotonic()
            gateway.flush()
            ended, others = sink.wait(count, stall=120), noise.share()
            used = self._own.settle() - used
            equal(sink.count(), count, "messages at the next hop")
        return {"drained": (count - before) / (ended - began), "drain_cpu": used * 1000 / count, "drain_others": others}

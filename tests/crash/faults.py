"""Writes and syncs of the queue that fail, one at a time or all; then everything is killed, and must be there."""

import errno
import glob
import mmap
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import time

from ledger import Ledger
from peers import need
from subject import Subject
from tmail import await_true, check, equal
from traffic import Traffic, hop

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fault.c")
FIELDS = struct.Struct("=6q")
PREFIX_SIZE = 512
WRITE, SYNC, TRUNCATE = 1, 2, 4
EVER = 1 << 40
# name, calls, error (0: half of it is written). Few calls truncate: some places are not reached.
FAULTS = (("sync, EIO", SYNC, errno.EIO), ("write, EIO", WRITE, errno.EIO), ("write, ENOSPC", WRITE, errno.ENOSPC),
          ("write, half", WRITE, 0), ("truncate, EIO", TRUNCATE, errno.EIO))
RARE = 3
SIZES = ((80, 100, 4000), (20, 66000, 300000))


class Switch:
    """The library, and the file by which it is told what to let fail."""

    def __init__(self, folder, prefix):
        self.library, path = os.path.join(folder, "fault.so"), os.path.join(folder, "fault.switch")
        done = subprocess.run([need("cc", "gcc"), "-O1", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o",
                               self.library, SOURCE], capture_output=True, check=False)
        check(done.returncode == 0, f"cannot compile fault.c: {done.stderr.decode()}")
        with open(path, "wb") as file:
            file.write(bytes(FIELDS.size) + prefix.encode().ljust(PREFIX_SIZE, b"\0"))
        os.chmod(path, 0o666)
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), FIELDS.size + PREFIX_SIZE)
        sanitizers = " ".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        self.environment = {"LD_PRELOAD": self.library, "FAULT_SWITCH": path, "ASAN_OPTIONS": sanitizers}

    def arm(self, calls, error, first, count=1):
        """Let the calls of these kinds fail from the `first` one from now on."""
        FIELDS.pack_into(self._map, 0, 0, first, count, error, 0, 0)
        struct.pack_into("=q", self._map, 0, calls)

    def off(self):
        """Let all be well; returns how many calls failed."""
        struct.pack_into("=q", self._map, 0, 0)
        return FIELDS.unpack_from(self._map, 0)[5]

    def seen(self):
        """How many calls of the kinds that are armed there were."""
        return FIELDS.unpack_from(self._map, 0)[4]


def check_integrity(store, folder):
    """SQLite finds nothing wrong with a copy of the queue, taken while nobody runs."""
    copy = os.path.join(folder, "copy")
    os.makedirs(copy, exist_ok=True)
    for path in glob.glob(os.path.join(store, "queue.db*")):
        if not path.endswith("-shm"):
            shutil.copy(path, copy)
    connection = sqlite3.connect(os.path.join(copy, "queue.db"))
    try:
        equal(connection.execute("PRAGMA integrity_check").fetchall(), [("ok",)], "integrity of the queue")
    finally:
        connection.close()
        shutil.rmtree(copy)


class Trial:
    """The gateway, its switch, and the ledger."""

    def __init__(self, gateway, switch, ledger):
        self.gateway, self.switch, self.ledger = gateway, switch, ledger

    def restart(self):
        """Kill everything, look at the queue as it was left, start again."""
        began = time.time()
        self.ledger.death(began, "kill of all", self.gateway.kill_all())
        check_integrity(self.gateway.path("store"), self.gateway.folder)
        self.gateway.bring_up(self.switch.environment)

    def one(self, calls, error, first):
        """One call fails in the midst of traffic; whether it came to that."""
        self.switch.arm(calls, error, first)
        deadline = time.monotonic() + 3
        while self.switch.seen() < first and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        hit = self.switch.off()
        self.restart()
        return hit

    def all(self, calls, error):
        """All calls fail for a while: nothing is promised meanwhile. Then the service is what it was."""
        self.switch.arm(calls, error, 1, EVER)
        time.sleep(0.5)  # the promises of what was synced before are on their way
        before = self.ledger.promises()
        time.sleep(1.5)
        promised = self.ledger.promises() - before
        hit = self.switch.off()
        check(hit, "no call failed")
        equal(promised, 0, "messages promised while nothing could be stored")
        before = self.ledger.promises()
        await_true(lambda: self.ledger.promises() > before + 20, "mail to be accepted again")
        check(self.gateway.alive, "the parent ended")
        self.gateway.child("smtpd"), self.gateway.child("deliverd")
        self.restart()


def run(options, verdict):
    """Every kind of fault at `options.faults` places, then for good."""
    dice, ledger = random.Random(options.seed), Ledger()
    with hop(ledger) as sink, Subject(sink) as gateway:
        switch = Switch(gateway.folder, gateway.path("store", "queue.db"))
        gateway.bring_up(switch.environment)
        trial = Trial(gateway, switch, ledger)
        with Traffic(gateway.port, ledger, options.seed, sizes=SIZES):
            for name, calls, error in FAULTS:
                def some(calls=calls, error=error):
                    number = min(options.faults, RARE) if calls == TRUNCATE else options.faults
                    places = [place + 1 if place < 5 else dice.randint(5, 400) for place in range(number)]
                    hits = sum(trial.one(calls, error, place) for place in places)
                    print(f"# fault: {hits} of {number} calls were made to fail", flush=True)
                    check(hits or calls == TRUNCATE, "no call could be made to fail")
                verdict.test(f"fault: {name}: one call", some)
            for name, calls, error in FAULTS[:3]:
                verdict.test(f"fault: {name}: all calls for a while",
                             lambda calls=calls, error=error: trial.all(calls, error))
        verdict.settle("fault", gateway, ledger, strict=False)
        verdict.test("fault: the queue is whole", lambda: check_integrity(gateway.path("store"), gateway.folder))

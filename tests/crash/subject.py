"""The gateway that is struck, and brought up again."""

import contextlib
import os
import signal
import time

from tmail import Failure, Gateway, await_true, check

SUPERVISOR_PATIENCE = 45


def is_alive(pid):
    """Whether a process runs; one that is dead and unburied does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Subject(Gateway):
    """A gateway that relays from loopback to one next hop. Times are short, so that what waits is soon tried again."""

    def __init__(self, sink, config=None):
        super().__init__({"TMAIL_DELIVERD_RETRY_MIN": "1s", "TMAIL_DELIVERD_RETRY_MAX": "5s", **(config or {})},
                         start=False)
        self._orphans = set()
        self.tmail("relayip", "add", "127.0.0.0/8")
        self.route("*", sink)

    def bring_up(self, env=None):
        """Start it and wait until both children are ready; again when it ends at once, as a supervisor would do."""
        deadline = time.monotonic() + SUPERVISOR_PATIENCE
        while True:
            mark = self.mark()
            with contextlib.suppress(Failure):  # a connection that orphans have cut, or it ended at once
                self.start(env)
            await_true(lambda: self._ready_since(mark) == {"smtpd", "deliverd"} or not self.alive,
                       lambda: f"the children to be ready; the log:\n{self.log_tail()}")
            if self.alive:
                return
            check(time.monotonic() < deadline, f"it cannot be started again; the log:\n{self.log_tail()}")
            self.kill()
            time.sleep(0.1)

    def _ready_since(self, mark):
        with self._logged:
            lines = [line for line in self.log_lines[mark:] if "event=child-ready" in line]
        return {name for name in ("smtpd", "deliverd") for line in lines if f"child={name}" in line}

    def kill_child(self, name):
        """SIGKILL a child; its process id, or None when it is not there just now."""
        for pid, title in self.children().items():
            if title == name:
                os.kill(pid, signal.SIGKILL)
                return pid
        return None

    def kill_parent(self):
        """SIGKILL the parent alone; its children go on until they have finished what they have."""
        self._orphans |= set(self.children())
        self.process.kill()
        self.process.wait()

    def kill_all(self):
        """SIGKILL everything; returns the children."""
        children = set(self.children())
        self.kill()
        return children

    def check_orphans(self):
        """Children whose parent was killed must end by themselves."""
        await_true(lambda: not any(map(is_alive, self._orphans)), "children whose parent was killed do not end", 60)

    def done(self):
        """End everything, orphans too."""
        for pid in filter(is_alive, getattr(self, "_orphans", ())):
            os.kill(pid, signal.SIGKILL)
        super().done()

    def drain(self, patience=120):
        """Make everything go out; returns how many messages three crashes had put on hold."""
        held, deadline = set(), time.monotonic() + patience
        while entries := self.queue():
            failed = [entry for entry in entries if entry["status"] == "failed"]
            check(not failed, f"{len(failed)} recipients failed for good, such as {failed[:1]}")
            check(time.monotonic() < deadline, f"{len(entries)} recipients are still queued, such as {entries[0]}")
            now_held = {entry["id"] for entry in entries if entry["status"] == "held"}
            for identity in now_held:
                self.run("queue", "release", identity)
            held |= now_held
            self.run("queue", "flush")
            time.sleep(0.2)
        return held

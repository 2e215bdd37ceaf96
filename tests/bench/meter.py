"""What a set of processes uses: CPU time, memory, disk; and what the rest of the machine does meanwhile."""

import os
import re
import time

TICKS = os.sysconf("SC_CLK_TCK")
ROOMS = (("cgroup2", "", "cpu.stat", re.compile(r"usage_usec (\d+)"), 1e6),
         ("cgroup", "cpuacct", "cpuacct.usage", re.compile(r"(\d+)"), 1e9))


def read(path):
    """The text of a small file, or an empty one when it is gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def stat_of(pid):
    """The fields of /proc/PID/stat from the state on, or an empty list."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def all_pids():
    """Every process id there is."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def descendants(root):
    """`root` and all that live below it."""
    parents = {pid: stat_of(pid) for pid in all_pids()}
    found, left = [], [root]
    while left:
        pid = left.pop()
        found.append(pid)
        left += [child for child, fields in parents.items() if len(fields) > 1 and int(fields[1]) == pid]
    return found


class ControlGroup:
    """A control group of its own, which counts the CPU time of all that ever ran in it."""

    def __init__(self, folder, counter, pattern, scale):
        self.folder, self._counter, self._pattern, self._scale = folder, counter, pattern, scale
        os.mkdir(folder)

    @classmethod
    def make(cls, name):
        """A new group below the one that we are in, of either version; None where that is not allowed."""
        mounts = [line.split() for line in read("/proc/self/mounts").splitlines()]
        ours = dict(line.split(":", 2)[1:] for line in read("/proc/self/cgroup").splitlines())
        for kind, controller, counter, pattern, scale in ROOMS:
            for _, mount, mounted, options, *_ in mounts:
                if mounted != kind or (controller and controller not in options.split(",")):
                    continue
                try:
                    group = cls(os.path.join(mount + ours.get(controller, "/"), name), counter, pattern, scale)
                except OSError:
                    continue
                if os.path.exists(os.path.join(group.folder, counter)):
                    return group
                group.done()
        return None

    def add(self, pid):
        """Move a process in; its children will be born there."""
        with open(os.path.join(self.folder, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(pid))

    def pids(self):
        """Who lives in it."""
        return [int(word) for word in read(os.path.join(self.folder, "cgroup.procs")).split()]

    def cpu(self):
        """Seconds used so far, by the dead too."""
        return int(self._pattern.search(read(os.path.join(self.folder, self._counter)))[1]) / self._scale

    def done(self):
        """Remove it; whoever is left in it stays alive, and the group with him."""
        try:
            os.rmdir(self.folder)
        except OSError:
            pass


class Tree:
    """Without a control group: processes and what lives below them, with the times of the children they have buried."""

    folder = None

    def __init__(self):
        self._roots = []

    def add(self, pid):
        """Count this process and all below it."""
        self._roots.append(pid)

    def pids(self):
        """Who lives."""
        return sorted({pid for root in self._roots for pid in descendants(root) if stat_of(pid)})

    def cpu(self):
        """Seconds used so far."""
        return sum(sum(map(int, fields[11:15])) for fields in map(stat_of, self.pids()) if fields) / TICKS

    def done(self):
        """Forget them."""
        self._roots.clear()


class Meter:
    """The CPU time and the memory of the processes that `add` was told of, and of their descendants."""

    def __init__(self, name):
        self._group = ControlGroup.make(f"tmail-bench-{os.getpid()}-{name}") or Tree()
        self.exact = isinstance(self._group, ControlGroup)
        self.add, self.pids, self.cpu, self.done = (
            self._group.add, self._group.pids, self._group.cpu, self._group.done)

    def add_tree(self, root):
        """Add a process and all that live below it now."""
        for pid in descendants(root) if self.exact else [root]:
            self.add(pid)

    def memory(self):
        """Proportional set size of them all, in KiB: pages that are shared count once."""
        found = (re.search(r"^Pss:\s+(\d+)", read(f"/proc/{pid}/smaps_rollup"), re.M) for pid in self.pids())
        return sum(int(match[1]) for match in found if match)

    def settle(self, patience=60):
        """Wait until they have stopped working; return the seconds of CPU used so far."""
        deadline, used, calm = time.monotonic() + patience, self.cpu(), 0
        while calm < 3 and time.monotonic() < deadline:
            time.sleep(0.25)
            before, used = used, self.cpu()
            calm = calm + 1 if used - before < 0.01 else 0
        return used


def machine_cpu():
    """Seconds of CPU that the whole machine has used, without its kernel threads (they write our pages to the disk)."""
    busy = [int(word) for word in read("/proc/stat").split("\n", 1)[0].split()[1:8]]
    del busy[3:5]  # idle, and waiting for the disk
    kernel = sum(int(fields[11]) + int(fields[12]) for fields in map(stat_of, all_pids())
                 if len(fields) > 12 and fields[1] == "2")
    return (sum(busy) - kernel) / TICKS


class Noise:
    """What others on the machine used, as a share of all its processors, from the start to `share()`."""

    def __init__(self, *meters):
        self._meters = meters
        self._start = self._now()

    def _now(self):
        return time.monotonic(), machine_cpu() - time.process_time() - sum(meter.cpu() for meter in self._meters)

    def share(self):
        """The share up to now."""
        (began, before), (now, after) = self._start, self._now()
        return max(0.0, (after - before) / (now - began) / os.cpu_count())


def await_quiet(patience, most=0.15):
    """Wait until others use less than `most` of the machine for a second, but no longer than `patience` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        noise = Noise()
        time.sleep(1)
        if noise.share() < most:
            return


def disk_use(folder):
    """Octets that the files and folders below `folder` take on the disk."""
    total = 0
    for place, _, names in os.walk(folder):
        for path in [place, *(os.path.join(place, name) for name in names)]:
            try:
                total += os.lstat(path).st_blocks * 512
            except OSError:
                pass
    return total

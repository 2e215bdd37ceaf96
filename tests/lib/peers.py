"""Real programs as peers: found or named as missing, started, and ended with the test."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess

from checks import PATIENCE, Failure, await_true, check
from wire import fresh_loopback, free_port

# Debian's folders of system programs, which a user's PATH may lack.
SEARCHED = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def need(program, package):
    """Return the path of a program; fail with the name of its package where it is missing."""
    path = shutil.which(program, path=SEARCHED)
    check(path, f"package {package} is missing")
    return path


def run(*words, stdin=b""):
    """Run a peer that must succeed; return its standard output."""
    try:
        done = subprocess.run(words, input=stdin, capture_output=True, timeout=4 * PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{words[0]} did not end; it said {error.stdout!r} {error.stderr!r}") from None
    check(done.returncode == 0, f"{' '.join(map(str, words))}: status {done.returncode}: {done.stdout!r} {done.stderr!r}")
    return done.stdout.decode(errors="surrogateescape")


def _alive(group):
    """Whether a process of this group still runs; one that only waits to be collected does not."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
            state, _, its = file.read().rsplit(")", 1)[1].split()[:3]
            if int(its) == group and state not in "ZX":
                return True
    return False


def end_group(process):
    """End a process that leads a group, and all of the group, at once; nobody holds its sockets when this returns."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    await_true(lambda: not _alive(process.pid), f"the processes of group {process.pid} to end")


def answers(address, port):
    """Whether something takes connections there."""
    try:
        socket.create_connection((address, port), PATIENCE).close()
        return True
    except OSError:
        return False


class SmtpSink:
    """Postfix's smtp-sink with these options, as a next hop that keeps what it takes. A context manager.

    `after` is another one that has ended, whose address and port it takes over.
    """

    def __init__(self, folder, *options, after=None):
        self.address, self.folder = after.address if after else fresh_loopback(), os.path.join(folder, "dump")
        self.port = after.port if after else free_port((self.address,))
        os.makedirs(self.folder, mode=0o777, exist_ok=True)
        os.chmod(self.folder, 0o777)
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with  -- lives until done()
            [need("smtp-sink", "postfix"), *user, "-d", f"{self.folder}/m.", *options, f"{self.address}:{self.port}", "1000"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        atexit.register(self.done)
        await_true(lambda: answers(self.address, self.port) or self.process.poll() is not None, "smtp-sink to listen")
        check(self.process.poll() is None, "smtp-sink ended at once")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done()

    def done(self):
        """End it."""
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def messages(self):
        """The dumps so far: each an envelope in X- lines, then the message."""
        dumps = []
        for name in sorted(os.listdir(self.folder)):
            with contextlib.suppress(FileNotFoundError), open(os.path.join(self.folder, name), "rb") as file:
                dumps.append(file.read())
        return dumps

"""The load: Postfix's smtp-source and smtp-sink, tlsload, and clients that connect and stay."""

import contextlib
import os
import re
import subprocess
import tempfile
import time

from client import Client
from peers import answers, need
from tls import client_context
from tmail import ROOT, Failure, await_true, check
from wire import free_port

TLSLOAD = os.path.join(os.environ.get("BUILD", ROOT), "tests/bench/tlsload")
MXLOAD = os.path.join(os.environ.get("BUILD", ROOT), "tests/bench/mxload")
COUNTS = re.compile(rb"sess=\d+ +quit=\d+ +mesg=(\d+)")


class Hop:
    """Where the next hop of all gateways is. `with hop.up(meter) as sink:` runs smtp-sink there."""

    address = "127.0.0.1"

    def __init__(self):
        self.port = free_port((self.address,))

    @contextlib.contextmanager
    def up(self, meter):
        """Run the sink, as one of the processes of `meter`."""
        sink = CountingSink(self, meter)
        try:
            yield sink
        finally:
            sink.done()


class CountingSink:
    """A running smtp-sink that counts the messages it takes."""

    def __init__(self, hop, meter):
        self._log = tempfile.TemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with  -- lives until done()
            [need("smtp-sink", "postfix"), "-c", "-m", "4000", *user, f"{hop.address}:{hop.port}", "1024"],
            stdin=subprocess.DEVNULL, stdout=self._log)
        meter.add(self._process.pid)
        await_true(lambda: answers(hop.address, hop.port) or self._process.poll() is not None, "smtp-sink to listen")
        check(self._process.poll() is None, "smtp-sink ended at once")

    def count(self):
        """How many messages it has taken."""
        end = os.fstat(self._log.fileno()).st_size
        counts = COUNTS.findall(os.pread(self._log.fileno(), 300, max(0, end - 300)))
        return int(counts[-1]) if counts else 0

    def wait(self, wanted, stall=30):
        """Wait for that many messages; return the moment of the last. Fails when `stall` seconds bring no new one."""
        last, moved = self.count(), time.monotonic()
        while last < wanted:
            now, count = time.monotonic(), self.count()
            if count != last:
                last, moved = count, now
            check(now - moved < stall, f"the sink has {last} of {wanted} messages and nothing more comes")
            time.sleep(0.003)
        return time.monotonic()

    def done(self):
        """End it."""
        self._process.kill()
        self._process.wait()
        self._log.close()


class Source:
    """A running smtp-source. `wait()` returns the moment of its end."""

    def __init__(self, port, meter, count, sessions, kept_open, size):
        self._process = subprocess.Popen(  # pylint: disable=consider-using-with  -- lives until wait() or done()
            [need("smtp-source", "postfix"), "-s", str(sessions), "-m", str(count), "-l", str(size),
             "-f", "sender@client.example", "-t", "recipient@hop.example", "-M", "client.example",
             *(["-d"] if kept_open else []), f"127.0.0.1:{port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        meter.add(self._process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()

    def wait(self, patience=600, meanwhile=None):
        """Wait for its end; `meanwhile` is called about once a second."""
        deadline = time.monotonic() + patience
        while True:
            try:
                self._process.wait(1 if meanwhile else patience)
                break
            except subprocess.TimeoutExpired:
                check(time.monotonic() < deadline, f"smtp-source is not done after {patience}s")
                if meanwhile:
                    meanwhile()
        ended = time.monotonic()
        complaint = self._process.stderr.read().decode(errors="replace").strip()
        check(self._process.returncode == 0, f"smtp-source: {complaint[:300]}")
        return ended


def figures_of(words, meter):
    """Run a load of ours; return the numbers that it prints, by name."""
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        meter.add(process.pid)
        said, complaint = process.communicate()
    check(process.returncode == 0, f"{complaint.strip()[:300]} (status {process.returncode})")
    return {key: float(value) for key, value in (word.split("=") for word in said.split())}


def tls_sessions(port, meter, count, at_once, threads, resumed, size):
    """Run that many sessions over TLS with a message each; return what tlsload says of them, as numbers by name."""
    check(os.path.exists(TLSLOAD), f"{TLSLOAD} is missing: make tests/bench/tlsload")
    words = [TLSLOAD, "-n", str(count), "-c", str(at_once), "-t", str(threads), "-l", str(size),
             *(["-r"] if resumed else []), str(port)]
    return figures_of(words, meter)


def find_ways(dns, meter, count, threads):
    """Find that many ways, twice; return what mxload says of it, as numbers by name."""
    check(os.path.exists(MXLOAD), f"{MXLOAD} is missing: make tests/bench/mxload")
    return figures_of([MXLOAD, dns.forward, dns.anchor, str(threads), str(count), dns.suffix], meter)


@contextlib.contextmanager
def idle_sessions(port, count, tls=False):
    """Hold that many sessions open, each after its EHLO; each must still answer at the end."""
    clients, context = [], client_context(version="1.3")
    try:
        for number in range(count):
            try:
                clients.append(Client("127.0.0.1", port))
                clients[-1].greet()
                if tls:
                    clients[-1].starttls(context)
                    clients[-1].command("EHLO client.example", "250 ")
            except (OSError, Failure) as error:
                raise Failure(f"session {number + 1} of {count}: {error}") from None
        yield
        for client in clients:
            client.command("NOOP", "250 ")
    finally:
        for client in clients:
            client.close()

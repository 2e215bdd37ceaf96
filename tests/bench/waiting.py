"""A long queue: what it costs, what it costs others, and how soon it is empty again. Measured of tmail alone.

Latencies are those of clients that send message after message: from the end of the content to the 250.
"""

import os
import shutil
import socket
import subprocess
import threading
import time

from client import Client
from tmail import ROOT, Failure, check
from wire import stuff

FILL = os.path.join(os.environ.get("BUILD", ROOT), "tests/bench/fill")
DEAD_DOMAIN = "dead.example"
SMALL = 1024  # octets of a message in a long queue
CONTENT = b"Subject: one more\r\n\r\n" + b"0123456789" * 98 + b"\r\n"
COMMANDS = {"count": ("count",), "list": ("list", "--limit", "100"), "stats": ("stats",)}


def part(values, share):
    """The value below which that share of them is, or 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0


class Senders:
    """Clients that send all the time; `with` ends them. `waits` has milliseconds, one a message."""

    def __init__(self, port, count=2):
        self.waits, self._port, self._ends, self._failure = [], port, False, None
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self._ends = True
        for thread in self._threads:
            thread.join()
        check(kind or not self._failure, f"a client: {self._failure}")

    def _work(self):
        try:
            with Client("127.0.0.1", self._port, patience=120) as client:
                client.greet()
                while not self._ends:
                    self.waits.append(send(client, "recipient@hop.example", CONTENT)[1] * 1000)
        except (OSError, Failure) as failure:
            self._failure = failure

    def figures(self, name):
        """What they found."""
        return {f"{name}_median": part(self.waits, 0.5), f"{name}_999": part(self.waits, 0.999), f"{name}_max": max(self.waits, default=0)}


def send(client, recipient, content):
    """Send a message in one go as far as SMTP allows; return when it was taken, and how long that took from its end."""
    client.queue(f"MAIL FROM:<sender@client.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
    for code in ("250 ", "250 ", "354 "):
        client.expect(code)
    ended = time.monotonic()
    client.send(stuff(content))
    client.expect("250 ")
    now = time.monotonic()
    return now, now - ended


class Arrivals:
    """A next hop that notes when a message with a field `Number` was there, in `at`."""

    address = "127.0.0.1"

    def __init__(self, port):
        self.at, self._listener = {}, socket.create_server((self.address, port), backlog=1024)
        threading.Thread(target=self._accept, daemon=True).start()

    def done(self):
        """Listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        try:
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()
        except OSError:
            pass

    def _serve(self, connection):
        replies = {b"DATA": b"354 Go on\r\n", b"EHLO": b"250-here\r\n250 PIPELINING\r\n", b"QUIT": b"221 Bye\r\n"}
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"220 here ESMTP\r\n")
                for line in lines:
                    connection.sendall(replies.get(line[:4].upper(), b"250 Ok\r\n"))
                    if line[:4].upper() == b"DATA":
                        self._take(lines)
                        connection.sendall(b"250 Ok\r\n")
        except OSError:
            pass

    def _take(self, lines):
        for line in lines:
            if line.startswith(b"Number: "):
                self.at[int(line[8:])] = time.monotonic()
            if line == b".\r\n":
                return


class Dead:
    """A next hop that is none. Refusing: nobody listens; silent: connections are taken, and nothing is ever said."""

    address = "127.0.0.1"

    def __init__(self):
        self._socket = socket.create_server((self.address, 0), backlog=4096)
        self.port = self._socket.getsockname()[1]
        self._socket.close()

    def be(self, kind):
        """Become what `kind` says."""
        self._socket.close()
        if kind == "silent":
            self._socket = socket.create_server((self.address, self.port), backlog=4096)

    def done(self):
        """Close it."""
        self._socket.close()


def fill(gateway, count, domain):
    """Queue that many messages while the gateway does not run."""
    owner = os.stat(gateway.queue_folder)
    done = subprocess.run([FILL, gateway.queue_folder, str(count), str(SMALL), domain, "1", "1", "0"], stderr=subprocess.PIPE, check=False)
    check(done.returncode == 0, f"fill: {done.stderr!r}")
    for name in os.listdir(gateway.queue_folder):
        shutil.chown(os.path.join(gateway.queue_folder, name), owner.st_uid, owner.st_gid)


def time_commands(gateway):
    """Seconds that commands take."""
    figures = {}
    for name, words in COMMANDS.items():
        began = time.monotonic()
        gateway.command("queue", *words)
        figures[name] = time.monotonic() - began
    return figures


def time_drain(sink, count, enough):
    """From the first message at the sink to that many: messages a second, of `count` that wait."""
    sink.wait(1, stall=120)
    before, began = sink.count(), time.monotonic()
    return (min(enough, count) - before) / (sink.wait(min(enough, count), stall=120) - began)


def transits(gateway, hop, seconds):
    """Send message after message to a hop that lives; milliseconds from each 250 to the arrival, and of the acceptance."""
    arrivals, taken, waits = Arrivals(hop.port), {}, []
    try:
        with Client("127.0.0.1", gateway.port, patience=120) as client:
            client.greet()
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                number = len(taken)
                taken[number], wait = send(client, "recipient@hop.example", b"Number: %d\r\n%s" % (number, CONTENT))
                waits.append(wait * 1000)
                time.sleep(0.005)
        await_all(arrivals, taken)
    finally:
        arrivals.done()
    return [(arrivals.at[number] - taken[number]) * 1000 for number in taken], waits


def await_all(arrivals, taken, patience=60):
    """Wait until all that were taken have arrived."""
    deadline = time.monotonic() + patience
    while len(arrivals.at) < len(taken):
        check(time.monotonic() < deadline, f"{len(taken) - len(arrivals.at)} of {len(taken)} messages have not arrived")
        time.sleep(0.05)

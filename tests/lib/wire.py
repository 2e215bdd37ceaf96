"""Bytes of SMTP, for both ends of the harness: a buffered socket, C escapes, dot-stuffing, free addresses and ports."""

import itertools
import os
import random
import re
import socket
import ssl

from checks import PATIENCE, Failure
from tls import secure_of

ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[rnt0\\])")
ESCAPED = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "\\": b"\\"}


class Closed(Failure):
    """The peer closed the connection where more was expected."""


def unescape(text):
    """Return the bytes of `text`, with the C escapes \\r \\n \\t \\0 \\\\ \\xHH resolved and all else as UTF-8."""
    parts, end = [], 0
    for found in ESCAPE.finditer(text):
        word = found[1]
        parts += [text[end:found.start()].encode(), ESCAPED.get(word) or bytes.fromhex(word[1:])]
        end = found.end()
    return b"".join(parts) + text[end:].encode()


def stuff(content):
    """Return `content` as DATA sends it: dots doubled at the start of lines, and the final line of one dot."""
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    return re.sub(rb"(?:(?<=\r\n)|\A)\.", b"..", content) + b".\r\n"


def unstuff(wire):
    """Return the content of a message that came as `wire`, the final line of one dot taken off already."""
    return re.sub(rb"(?:(?<=\r\n)|\A)\.", b"", wire)


def family_of(address):
    """The socket family of an address literal, or of a path."""
    if address.startswith("/"):
        return socket.AF_UNIX
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def free_port(addresses=("127.0.0.1", "::1")):
    """Return a port that is free on all `addresses` now, outside the range that the kernel hands out by itself."""
    for _ in range(1000):
        port = random.randint(20000, 32000)
        try:
            for address in addresses:
                with socket.socket(family_of(address)) as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((address, port))
        except OSError:
            continue
        return port
    raise Failure("no free port on loopback")


def _loopbacks():
    """Addresses of 127/8, each handed out once by this process, and unlikely to be another's."""
    base = random.Random(os.getpid()).randint(1, 200)
    for number in itertools.count(256):
        yield f"127.{base + number // 65536}.{number // 256 % 256}.{number % 256}"


_fresh = _loopbacks()


def fresh_loopback():
    """Return an address of 127/8 that no other peer of this test has: dead-host memory never crosses stories."""
    address = next(_fresh)
    while address.endswith((".0", ".255")):
        address = next(_fresh)
    return address


class Wire:
    """A connected socket with a read buffer; every read ends within the patience of the tests.

    The caller owns it and closes it. `Closed` is raised where the peer ended the connection before the bytes came.
    `secure` says what protects it (tls.py), or is None; `cut` that the peer ended TLS without saying so (RFC 8446 6.1).
    """

    def __init__(self, sock, patience=PATIENCE):
        sock.settimeout(patience)
        self.sock = sock
        self.buffer = b""
        self.secure, self.cut = None, False

    def handshake(self, context, host=None, session=None, server=False):
        """Go on under TLS, as client (of `host`, resuming `session`) or as server. `ssl.SSLError` where that fails.

        What was read before and not taken would have come in plain text; it must not be there.
        """
        if self.buffer:
            raise Failure(f"there is plain text ahead of the handshake: {self.buffer!r}")
        self.sock = context.wrap_socket(self.sock, server, suppress_ragged_eofs=False, server_hostname=host, session=session)
        self.secure = secure_of(self.sock)

    def fill(self):
        """Read what there is, at least one byte; return False at the end of the stream."""
        try:
            more = self.sock.recv(65536)
        except socket.timeout:
            raise Failure(f"nothing came within the patience of the test; unread so far: {self.buffer!r}") from None
        except ConnectionError:
            more = b""
        except ssl.SSLEOFError:
            self.cut, more = True, b""
        except ssl.SSLError as error:
            raise Failure(f"TLS failed: {error}; unread so far: {self.buffer!r}") from None
        self.buffer += more
        return bool(more)

    def take_until(self, end):
        """Return the bytes up to and with `end`."""
        start = 0
        while (found := self.buffer.find(end, start)) < 0:
            start = max(0, len(self.buffer) - len(end) + 1)
            if not self.fill():
                raise Closed(f"connection closed after {self.buffer!r}")
        return self.take(found + len(end))

    def take(self, count):
        """Return the next `count` bytes."""
        while len(self.buffer) < count:
            if not self.fill():
                raise Closed(f"connection closed after {len(self.buffer)} of {count} octets")
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def send(self, data):
        """Send all of `data`; `Closed` when the peer is gone."""
        try:
            self.sock.sendall(data)
        except (ConnectionError, ssl.SSLEOFError) as error:
            raise Closed(f"connection closed while sending: {error}") from None

    def shut(self):
        """End the connection under whoever reads from it in another thread; no word of TLS is said."""
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self):
        """Close at once; harmless when closed already."""
        self.sock.close()

"""A proxy in front of the DNS of the tests: it counts the questions, and answers them wrongly where a test says so.

A fault is one of

    silent             no answer
    servfail, refused, nxdomain, formerr
    delay SECONDS      the answer, late
    truncated          by UDP only that there is more (RFC 1035 section 4.2.1); by TCP the answer
    garbage            bytes that are no answer, but for the question's id
    bad-id             the answer to another question
    stripped           the answer without what DNSSEC needs, as some home routers give it
"""

import asyncio
import collections
import os
import random
import socket
import struct
import threading

from checks import Failure, check

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "DS": 43, "DNSKEY": 48, "TLSA": 52}
NAMES = {number: name for name, number in TYPES.items()}
CODES = {"formerr": 1, "servfail": 2, "nxdomain": 3, "refused": 5}
ACTIONS = ("silent", "delay", "truncated", "garbage", "bad-id", "stripped", *CODES)
TRUNCATED = 0x0200
PATIENCE_WITH_NSD = 5


def free_dns_port():
    """A port of 127.0.0.1 that is free for UDP and TCP now."""
    with _bound_pair() as (udp, _):
        return udp.getsockname()[1]


class _bound_pair:  # pylint: disable=invalid-name  -- used as a function
    """An UDP and a TCP socket on the same free port, closed at the end of a `with` block."""

    def __init__(self):
        for _ in range(1000):
            udp, tcp = socket.socket(type=socket.SOCK_DGRAM), socket.socket()
            self.pair = udp, tcp
            address = ("127.0.0.1", random.randint(20000, 32000))
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                udp.bind(address)
                tcp.bind(address)
                return
            except OSError:
                self.__exit__()
        raise Failure("no free port for a DNS on loopback")

    def __enter__(self):
        return self.pair

    def __exit__(self, *_):
        for sock in self.pair:
            sock.close()


class DnsProxy:
    """Listens on `port` of 127.0.0.1, UDP and TCP, in a thread of its own, and passes questions on to `upstream`."""

    def __init__(self):
        self.upstream = None
        self.faults, self.questions, self.lock = [], collections.Counter(), threading.Lock()
        self.sockets = _bound_pair()
        udp, tcp = self.sockets.pair
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.port = udp.getsockname()[1]
        self.loop, self.tasks = asyncio.new_event_loop(), set()
        self.loop.run_until_complete(self._listen(udp, tcp))
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def done(self):
        """Close the sockets; what is being answered is dropped."""
        if self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()
        self.sockets.__exit__()

    # --- what a test says and asks ---

    def fault(self, action, name="*", kind="*"):
        """Of several faults for a question the last one counts; `*` is any name or type."""
        check(action.split()[0] in ACTIONS, f"not a fault: {action!r}")
        with self.lock:
            self.faults.insert(0, (action, name.rstrip(".").lower(), kind))

    def mend(self):
        """Forget all faults."""
        with self.lock:
            self.faults.clear()

    def asked(self):
        """The questions so far, as a dict of (name, type) to how often."""
        with self.lock:
            return dict(self.questions)

    def count(self, name=None, kind=None):
        """How many questions came for this name and type; None stands for any."""
        return sum(count for (asked, of_kind), count in self.asked().items() if name in (None, asked) and kind in (None, of_kind))

    # --- the server's side ---

    async def _listen(self, udp, tcp):
        proxy = self

        class Udp(asyncio.DatagramProtocol):
            """Of this proxy."""

            def connection_made(self, transport):
                self.transport = transport  # pylint: disable=attribute-defined-outside-init

            def datagram_received(self, data, addr):
                """A question."""
                task = proxy.loop.create_task(proxy.answer_udp(self.transport, data, addr))
                proxy.tasks.add(task)
                task.add_done_callback(proxy.tasks.discard)

        udp.setblocking(False)
        await self.loop.create_datagram_endpoint(Udp, sock=udp)
        await asyncio.start_server(self._serve_tcp, sock=tcp)

    async def answer_udp(self, transport, query, peer):
        """Answer one datagram."""
        answer = await self._answer(query, self._ask_udp)
        if answer:
            transport.sendto(answer, peer)

    async def _serve_tcp(self, reader, writer):
        try:
            while True:
                query = await _read_framed(reader)
                answer = await self._answer(query, self._ask_tcp)
                if not answer:
                    return
                writer.write(struct.pack(">H", len(answer)) + answer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    async def _answer(self, query, ask):
        """The answer to a question, or None."""
        name, kind, end = _question(query)
        with self.lock:
            self.questions[name, kind] += 1
            action = next((action for action, of, types in self.faults if _is_of(name, of) and types in ("*", kind)), "")
        word, _, rest = action.partition(" ")
        if word == "silent":
            return None
        if word in CODES:
            return _bare(query, end, CODES[word])
        if word == "truncated" and ask == self._ask_udp:  # pylint: disable=comparison-with-callable
            return _bare(query, end, TRUNCATED)
        if word == "garbage":
            return query[:2] + os.urandom(40)
        if word == "delay":
            await asyncio.sleep(float(rest))
        answer = await ask(query[:10] + b"\0\0" + query[12:end] if word == "stripped" else query)
        return bytes([answer[0] ^ 0x55]) + answer[1:] if answer and word == "bad-id" else answer

    async def _ask_udp(self, query):
        future = self.loop.create_future()

        class Upstream(asyncio.DatagramProtocol):
            """For one question."""

            def datagram_received(self, data, _addr):
                """Its answer."""
                if not future.done():
                    future.set_result(data)

            def error_received(self, _error):
                if not future.done():
                    future.set_result(None)

        transport, _ = await self.loop.create_datagram_endpoint(Upstream, remote_addr=self.upstream)
        try:
            transport.sendto(query)
            return await asyncio.wait_for(future, PATIENCE_WITH_NSD)
        except asyncio.TimeoutError:
            return None
        finally:
            transport.close()

    async def _ask_tcp(self, query):
        reader, writer = await asyncio.open_connection(*self.upstream)
        try:
            writer.write(struct.pack(">H", len(query)) + query)
            return await _read_framed(reader)
        finally:
            writer.close()


async def _read_framed(reader):
    """A message of TCP (RFC 1035 section 4.2.2)."""
    size, = struct.unpack(">H", await reader.readexactly(2))
    return await reader.readexactly(size)


def _question(query):
    """The name, the type, and where the question ends (RFC 1035 section 4.1.2)."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1").lower())
        at += query[at] + 1
    number, = struct.unpack(">H", query[at + 1:at + 3])
    return ".".join(labels), NAMES.get(number, str(number)), at + 5


def _bare(query, end, flags):
    """An answer with these flags and no records."""
    return query[:2] + struct.pack(">H4H", 0x8480 | (query[2] & 1) << 8 | flags, 1, 0, 0, 0) + query[12:end]


def _is_of(name, wanted):
    """Whether a name is meant by that of a fault."""
    return wanted in ("*", name) or wanted.startswith(".") and (name == wanted[1:] or name.endswith(wanted))

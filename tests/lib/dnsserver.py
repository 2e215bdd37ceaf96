"""A name server that a test fills and bends as it goes: UDP, no DNSSEC. For zones as they ought to be see dns.py."""

import contextlib
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28}
SERVFAIL, NXDOMAIN = 2, 3
NO_TIME = b"\0\0" + struct.pack(">IIIII", 1, 60, 60, 60, 0)  # a SOA record: that nothing is there is not to be cached either


class DnsServer:
    """Listens on a port of 127.0.0.1; `forward` is how a gateway is told of it. Knows every name below `hosts` as 127.0.0.1.

    `set(NAME, TYPE, VALUE…)` replaces records, of a CNAME only the alias is told; a TXT value is a text, or a list of the texts
    that it is made of; `ttl` holds for all that is there. Names in `broken` get SERVFAIL, those in `silent` no answer; `asked`
    holds the questions, in order.
    """

    def __init__(self, hosts="mta-sts", ttl=0):
        self.hosts, self.ttl, self.records, self.broken, self.silent, self.asked = hosts, ttl, {}, set(), set(), []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.forward = f"127.0.0.1@{self.socket.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):  # it has no peer, but the thread wakes
            self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()

    def set(self, name, kind, *values):
        """What stands there from now on; nothing without values."""
        self.records[name, TYPES[kind]] = [_data(kind, value) for value in values]

    def count(self, name, kind):
        """How often that was asked."""
        return self.asked.count((name, TYPES[kind]))

    def _serve(self):
        query, peer = self.socket.recvfrom(4096)
        while query:
            answer = self._answer(query)
            if answer:
                self.socket.sendto(answer, peer)
            query, peer = self.socket.recvfrom(4096)

    def _answer(self, query):
        labels, end = [], 12
        while query[end]:
            labels.append(query[end + 1:end + 1 + query[end]].decode().lower())
            end += 1 + query[end]
        kind, name = struct.unpack_from(">H", query, end + 1)[0], ".".join(labels)
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        code, records = self._find(name, kind)
        negative = [] if records or code == SERVFAIL else [(TYPES["SOA"], NO_TIME)]
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), len(negative), 0)
        return head + query[12:end + 5] + b"".join(b"\xc0\x0c" + struct.pack(">HHIH", of, 1, self.ttl, len(data)) + data
                                                   for of, data in records + negative)

    def _find(self, name, kind):
        if name in self.broken:
            return SERVFAIL, []
        records = [(kind, data) for data in self.records.get((name, kind), [])]
        known = any(of == name for of, _ in self.records)
        if not known and name.split(".")[0] == self.hosts:
            return 0, [(kind, socket.inet_aton("127.0.0.1"))] if kind == TYPES["A"] else []
        aliases = [(TYPES["CNAME"], data) for data in self.records.get((name, TYPES["CNAME"]), [])]
        return 0 if known else NXDOMAIN, records or aliases


def _name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.strip(".").split(".")) + b"\0"


def _data(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "CNAME":
        return _name(value)
    if kind == "MX":
        return struct.pack(">H", value[0]) + _name(value[1])
    parts = [value] if isinstance(value, str) else value
    return b"".join(bytes([len(part)]) + part.encode("latin-1") for part in parts)

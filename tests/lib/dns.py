"""A DNS of the tests' own: NSD (Debian packages nsd, bind9-utils) with a signed root, and in front of it a proxy with faults.

    with Dns(Zone("good.test", "@ MX 10 mx\\n mx A 127.0.0.5"), Zone("odd.test", "@ A 127.0.0.6", "bogus")) as dns:
        gateway = Gateway({**dns.keys(), ...})

The root, `test` and every further zone are served from one server; each zone is delegated by the closest one above it. A gateway asks
by forwarding to the proxy, validates from the trust anchor, and thinks that it is the Internet.
"""

import atexit
import base64
import functools
import hashlib
import ipaddress
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from checks import await_true, check
from dns_proxy import TYPES, DnsProxy, free_dns_port
from peers import end_group, need, run

ALGORITHM = "13"
KINDS = ("secure", "insecure", "bogus", "expired", "wrong-ds")
SIGNATURE = re.compile(r"^(\S+\s+\d+\s+IN\s+RRSIG\s+(\w+)(?:\s+\S+){6}\s+\S+ )(\S)", re.M)
LONG_AGO = ("-s", "20200101000000", "-e", "20200201000000")
SERVER = """server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  tcp-count: 200
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: ""
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  xfrdir: "{folder}"
  rrl-ratelimit: 0
  minimal-responses: yes
remote-control:
  control-enable: no
"""


@dataclass(frozen=True)
class Zone:
    """A zone: its name, its records in the form of a zone file (RFC 1035 section 5; a line each, SOA and NS not among them), and its kind.

    `secure` is signed; `insecure` is neither signed nor has its parent a DS record; `expired` has old signatures; in a `bogus` one all
    signatures but that of the key are broken, and in `bogus MX TLSA` those over these types; the parent of a `wrong-ds` has a DS of no
    key. `ttl` is that of all records, and of what is not there.
    """

    name: str
    records: str = ""
    kind: str = "secure"
    ttl: int = 60

    @property
    def origin(self):
        """The name with its final dot."""
        return self.name.strip(".").lower() + "."


def reverse_zones(names, kind="secure"):
    """The zones in-addr.arpa and ip6.arpa with PTR records, from a dict of addresses to names."""
    records = {4: [], 6: []}
    for address, name in names.items():
        address = ipaddress.ip_address(address)
        records[address.version].append(f"{address.reverse_pointer}. PTR {name.rstrip('.')}.")
    return [Zone(zone, "\n".join(records[version]), kind) for version, zone in ((4, "in-addr.arpa"), (6, "ip6.arpa")) if records[version]]


def tlsa(cert, parameters="3 1 1"):
    """The data of a TLSA record (RFC 6698) for a certificate, given by its path: usage, selector, matching type, association."""
    _, selector, matching = parameters.split()
    if selector == "0":
        with open(cert, encoding="ascii") as file:
            chosen = ssl.PEM_cert_to_DER_cert(file.read())
    else:
        lines = run(need("openssl", "openssl"), "x509", "-in", cert, "-noout", "-pubkey").splitlines()
        chosen = base64.b64decode("".join(lines[1:-1]))
    hashed = {"0": bytes, "1": lambda data: hashlib.sha256(data).digest(), "2": lambda data: hashlib.sha512(data).digest()}
    return f"{parameters} {hashed[matching](chosen).hex()}"


class Dns:
    """The server and the proxy, running. A context manager; `done()` ends both, at exit at the latest.

    Without faults every question is answered as the zones have it. `proxy` counts the questions and makes the faults (dns_proxy.py).
    """

    def __init__(self, *zones):
        self.folder = tempfile.mkdtemp(prefix="tmail-test-dns-")
        os.chmod(self.folder, 0o755)
        self.zones, self.signed, self.server, self.rounds = {}, {}, None, 0
        self.anchor = os.path.join(self.folder, "anchor")
        with open(self.anchor, "w", encoding="ascii") as file:
            file.write(f". IN DNSKEY {_key().data}\n")
        self.proxy = DnsProxy()
        atexit.register(self.done)
        try:
            self.update(Zone("."), Zone("test"), *zones)
        except BaseException:
            self.done()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self._tell()
        self.done()

    def done(self):
        """End everything and remove the folder."""
        self.proxy.done()
        if self.server:
            self.server.end()
            self.server = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def keys(self):
        """The keys of a gateway that asks here."""
        return {"TMAIL_DNS_FORWARD": f"127.0.0.1@{self.proxy.port}", "TMAIL_DNS_TRUST_ANCHOR": self.anchor}

    def update(self, *zones):
        """Put these zones in place of those with their names, or beside the others; what is asked next is answered from them."""
        for zone in zones:
            check(zone.kind.split()[0] in KINDS, f"not a kind of zone: {zone.kind!r}")
        self.zones |= {zone.origin: zone for zone in zones}
        self.rounds += 1
        folder = os.path.join(self.folder, str(self.rounds))
        os.mkdir(folder)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda zone: self._publish(zone, folder), self.zones.values()))
        before, self.server = self.server, _Nsd(folder, self.zones)
        self.proxy.upstream = ("127.0.0.1", self.server.port)
        if before:
            before.end()

    def count(self, name=None, kind=None):
        """How many questions came for this name and type; None stands for any."""
        return self.proxy.count(name, kind)

    def fault(self, action, name="*", kind="*"):
        """Answer questions for this name, or `.NAME` and all below it, in another way from now on; see dns_proxy.py."""
        self.proxy.fault(action, name, kind)

    def mend(self):
        """No faults any more."""
        self.proxy.mend()

    # --- zones ---

    def _publish(self, zone, folder):
        """Write the file of a zone, signed where it is to be; one that is as it was keeps its signatures."""
        text = self._text(zone)
        path = os.path.join(folder, _file_of(zone.origin))
        if self.signed.get(zone.origin, (None,))[0] == (zone.kind, text):
            shutil.copyfile(self.signed[zone.origin][1], path)
        elif zone.kind == "insecure":
            _write(path, text)
        else:
            self._sign(zone, text, path)
        self.signed[zone.origin] = (zone.kind, text), path

    def _text(self, zone):
        """A zone as its file has it before it is signed."""
        lines = [f"$ORIGIN {zone.origin}", f"$TTL {zone.ttl}", f"@ SOA ns.test. hostmaster.test. 1 3600 900 604800 {zone.ttl}",
                 "@ NS ns.test."]
        if zone.origin in (".", "test."):
            lines.append("ns.test. A 127.0.0.1")
        for child in self._children(zone):
            lines.append(f"{child.origin} NS ns.test.")
            if child.kind != "insecure":
                lines.append(f"{child.origin} DS {_ds(child)}")
        return "\n".join([*lines, *(line.strip() for line in zone.records.splitlines()), ""])

    def _children(self, zone):
        """The zones that this one delegates."""
        return [child for child in self.zones.values() if child.origin != "." and self._parent(child) == zone.origin]

    def _parent(self, zone):
        above = zone.origin.split(".", 1)[1] or "."
        while above not in self.zones:
            above = above.split(".", 1)[1] or "."
        return above

    def _sign(self, zone, text, path):
        key = _key()
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            name = os.path.join(folder, f"K{zone.origin}+{ALGORITHM.zfill(3)}+{key.tag:05}")
            _write(f"{name}.key", f"{zone.origin} IN DNSKEY {key.data}\n")
            _write(f"{name}.private", key.private)
            _write(os.path.join(folder, "zone"), f"{text}{zone.origin} DNSKEY {key.data}\n")
            run(need("dnssec-signzone", "bind9-utils"), "-q", "-P", "-z", "-O", "full", "-d", folder, "-o", zone.origin, "-f", path,
                *(LONG_AGO if zone.kind == "expired" else ()), os.path.join(folder, "zone"), name)
        kind, *types = zone.kind.split()
        if kind == "bogus":
            with open(path, encoding="ascii") as file:
                signed = file.read()
            _write(path, SIGNATURE.sub(lambda found: _broken(found, types), signed))

    def _tell(self):
        """What a reader of a failure wants to know."""
        asked = [f"{name or '.'} {kind} x{count}" for (name, kind), count in self.proxy.asked().items()]
        print(f"# the DNS was asked for {', '.join(asked) or 'nothing'}")
        if self.server:
            print("".join(f"# nsd: {line}\n" for line in self.server.log().splitlines() if "notice:" not in line), end="", flush=True)


@dataclass(frozen=True)
class _Key:
    """A key pair: the data of its DNSKEY record, its tag, and the private half as BIND's programs keep it."""

    data: str
    tag: int
    private: str


@functools.cache
def _key():
    """The one of this script: each zone has it, and so a DS record is known before anything is signed."""
    with tempfile.TemporaryDirectory() as folder:
        name = run(need("dnssec-keygen", "bind9-utils"), "-q", "-K", folder, "-a", ALGORITHM, "-f", "KSK", ".").strip()
        with open(os.path.join(folder, f"{name}.key"), encoding="ascii") as file:
            data = next(line for line in file if "DNSKEY" in line).split("DNSKEY", 1)[1].strip()
        with open(os.path.join(folder, f"{name}.private"), encoding="ascii") as file:
            return _Key(data, int(name.rsplit("+", 1)[1]), file.read())


def _ds(zone):
    """The DS record of a zone (RFC 4034 section 5), or one of no key."""
    flags, protocol, algorithm, *public = _key().data.split()
    owner = b"".join(bytes([len(label)]) + label.encode() for label in zone.origin.split(".")[:-1]) + b"\0"
    data = struct.pack(">HBB", int(flags), int(protocol), int(algorithm)) + base64.b64decode("".join(public))
    digest = hashlib.sha256((b"another" if zone.kind == "wrong-ds" else b"") + owner + data).hexdigest()
    return f"{_key().tag} {ALGORITHM} 2 {digest}"


def _broken(found, types):
    """A signature with another first character, unless it is of a type that is left alone."""
    head, covered, first = found.groups()
    if covered == "DNSKEY" or (types and covered not in types):
        return found[0]
    return head + ("B" if first == "A" else "A")


def _file_of(origin):
    return (origin.strip(".") or "root") + ".zone"


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class _Nsd:
    """One NSD on a free port that serves the zone files of a folder."""

    def __init__(self, folder, zones):
        self.folder, self.port = folder, free_dns_port()
        lines = [f'zone:\n  name: "{origin}"\n  zonefile: "{os.path.join(folder, _file_of(origin))}"\n' for origin in zones]
        self.conf = os.path.join(folder, "nsd.conf")
        _write(self.conf, SERVER.format(port=self.port, folder=folder) + "".join(lines))
        with open(os.path.join(folder, "log"), "wb") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with  -- lives until end()
                [need("nsd", "nsd"), "-d", "-c", self.conf], stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)
        try:
            await_true(self._serves, lambda: f"nsd to serve; it said:\n{self.log()}")
            wrong = [line for line in self.log().splitlines() if "error:" in line]
            check(not wrong, "nsd complains:\n" + "\n".join(wrong))
        except BaseException:
            self.end()
            raise

    def _serves(self):
        """Whether the root's SOA is answered."""
        check(self.process.poll() is None, f"nsd ended at once; it said:\n{self.log()}")
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.1)
            try:
                sock.connect(("127.0.0.1", self.port))
                sock.send(struct.pack(">6HBHH", 1, 0, 1, 0, 0, 0, 0, TYPES["SOA"], 1))
                return sock.recv(512)[7] > 0
            except OSError:
                return False

    def log(self):
        """What it said."""
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def end(self):
        """End it and its children, which are a group of their own."""
        end_group(self.process)

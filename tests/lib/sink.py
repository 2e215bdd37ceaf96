"""A scripted SMTP server: the next hop of the gateway under test.

It records every session, every command line and every message raw, and misbehaves where its script says so. A script
is a list of rules `WHERE: ACTION; ACTION…`. WHERE is a verb (`MAIL`), `greeting`, or `.` for the end of the content;
`#N` picks its N-th occurrence in the life of the sink, and words after it must be part of the command line
(`RCPT <b@: 450 4.2.1 Busy`). The first rule that fits is followed. An action is one of

    250 any text          a reply; C escapes are resolved, CR LF is added
    raw TEXT              these bytes, C escapes resolved, nothing added
    repeat N TEXT         these bytes N times
    flood TEXT            these bytes until the client goes away
    close, reset          end the connection, in order or with a TCP reset
    hang                  no word more, until the client goes away
    gate                  wait until the test opens the gate of this sink

Without a rule the sink answers as a friendly server does. With a certificate it offers STARTTLS, or, where `smtps`, speaks TLS
from the first byte (`tls_only`: it takes no MAIL without); with `logins` it offers AUTH, and takes MAIL only after it. A reply 220 to STARTTLS is followed by the
handshake, whatever script sent it; an AUTH that a rule answers has no exchange.

With `lmtp` it is a server of LMTP (RFC 2033): it wants LHLO, and `.` is the reply to one recipient after the content, whose path is the
command line that rules see (`.#2: 450 4.2.0 Busy`, `. <b@: 550 5.2.2 Full`, `.#3: close`; `raw` alone is no reply). A path for an address
makes it a Unix socket.
"""

import os
import re
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field

import sasl
from checks import PATIENCE, Failure, check
from tls import exporter, server_context
from wire import Closed, Wire, family_of, fresh_loopback, unescape, unstuff

OFFERS = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8")
RULE = re.compile(r"(?P<verb>[A-Za-z.]+)(?:#(?P<nth>\d+))?(?: (?P<part>.*?))?: (?P<actions>.*)")
PATH = re.compile(rb"(?:FROM|TO):<(.*?)>(?: |\r\n|$)", re.I)


@dataclass
class Rule:
    """One line of a script, as the module's text describes it."""

    verb: str
    nth: int
    part: bytes
    actions: list

    @classmethod
    def parse(cls, text):
        """Read a rule from its text."""
        parsed = RULE.fullmatch(text.strip())
        check(parsed, f"not a rule of a sink: {text!r}")
        part = (parsed["part"] or "").encode()
        return cls(parsed["verb"].upper(), int(parsed["nth"] or 0), part, parsed["actions"].split("; "))

    def fits(self, verb, count, line):
        """Whether the `count`-th command of this `verb`, whose bytes are `line`, is meant."""
        return self.verb == verb and self.nth in (0, count) and self.part in line


@dataclass
class Message:
    """What one transaction brought. `wire` is the content as sent, `content` without the transparency of DATA. `taken` are the recipients whose
    mail was answered with 2xx: by LMTP each for itself."""

    mail: bytes
    recipients: list = field(default_factory=list)
    taken: list = field(default_factory=list)
    wire: bytes = b""
    content: bytes = b""
    chunks: list = field(default_factory=list)
    session: "Session" = None

    @property
    def sender(self):
        """The path of MAIL FROM, without its brackets."""
        return PATH.search(self.mail)[1].decode()


@dataclass
class Logins:
    """What a sink wants of those who log in: one login, with a password or, for OAuth's mechanisms, a token.

    AUTH is offered `under` TLS ("tls"), only before it ("plain"), or either way ("any"). One that is `lying` says yes to any
    SCRAM without knowing the password.
    """

    mechanisms: list
    login: str
    password: str = ""
    token: str = ""
    under: str = "any"
    lying: bool = False

    def offered(self, secure):
        """Whether AUTH is offered now."""
        return self.under == "any" or (self.under == "tls") == bool(secure)


@dataclass
class Session:
    """One connection: who came, what it said line by line, and whether it sent ahead of a reply.

    `secure` says what protects it (tls.py), or is None, and `distrust` why a handshake failed. `login` has logged in, by
    `mechanism`; `attempts` are the mechanisms that were begun, and `exposed` that one of them showed its secret in plain text.
    """

    peer: str
    commands: list = field(default_factory=list)
    pipelined: bool = False
    ended: bool = False
    secure: object = None
    distrust: str = ""
    login: str = None
    mechanism: str = None
    attempts: list = field(default_factory=list)
    exposed: bool = False

    @property
    def tls(self):
        """The version of TLS, or None."""
        return self.secure and self.secure.version


class Sink:
    """A listening scripted server, on a free port or `port`. `done()` ends it and all its sessions.

    `tls` is a Pair (certificates.py) or a context.
    """

    def __init__(self, address=None, script=(), offers=OFFERS, listening=True, tls=None, smtps=False, tls_only=False, logins=None,
                 port=0, lmtp=False):
        self.address, self.lmtp = address or fresh_loopback(), lmtp
        self.rules = [Rule.parse(line) for line in script]
        self.offers = list(offers)
        self.tls = tls if tls is None or isinstance(tls, ssl.SSLContext) else server_context(tls)
        self.smtps, self.tls_only, self.logins = smtps, tls_only, logins
        self.sessions, self.messages, self.refused = [], [], []
        self.peak = 0
        self.changed = threading.Condition()
        self.gate = threading.Event()
        self._counts, self._wires, self._stopping = {}, set(), False
        self.port = self._bind(port)
        if listening:
            self.listen()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done()

    def _bind(self, port):
        """Have an address; return its port, 0 for a path."""
        self._listener = socket.socket(family_of(self.address))
        if self.address.startswith("/"):
            self._listener.bind(self.address)
            os.chmod(self.address, 0o666)
            return 0
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((self.address, port))
        return self._listener.getsockname()[1]

    @property
    def endpoint(self):
        """Where it listens, as the configuration has it."""
        return f"unix:{self.address}" if self.address.startswith("/") else f"inet:{self.address}:{self.port}"

    def listen(self):
        """Begin to take connections; until then they are refused."""
        self._listener.listen(1024)
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self):
        """Listen with a full backlog: connections are neither taken nor refused."""
        self._listener.listen(0)
        for _ in range(3):
            filler = socket.socket(family_of(self.address))
            filler.setblocking(False)
            filler.connect_ex((self.address, self.port))
            self._wires.add(Wire(filler))

    def done(self):
        """Close the listener and every session."""
        self._stopping = True
        self.gate.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        with self.changed:
            wires = list(self._wires)
        for wire in wires:
            wire.shut()

    def on(self, *lines):
        """Put rules before all others, while the sink runs."""
        self.rules[:0] = [Rule.parse(line) for line in lines]

    def commands(self):
        """All command lines so far, raw, session after session."""
        with self.changed:
            return [line for session in self.sessions for line in session.commands]

    def wait_for(self, probe, what, patience=PATIENCE):
        """Wait until `probe(self)` is true, asked after each event, and return its answer."""
        with self.changed:
            if self.changed.wait_for(lambda: probe(self), patience):
                return probe(self)
            heard = [line for session in self.sessions for line in session.commands]
        raise Failure(f"the next hop waited {patience:g}s in vain: {what}; it heard {heard!r}")

    def wait(self, count=1):
        """Wait until `count` messages were accepted, and return them all."""
        self.wait_for(lambda sink: len(sink.messages) >= count, f"{count} messages")
        return list(self.messages)

    # --- the server's side ---

    def _accept(self):
        while not self._stopping:
            try:
                sock, peer = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock, peer and peer[0]), daemon=True).start()

    def _serve(self, sock, peer):
        wire, session = Wire(sock, patience=None), Session(peer)
        with self.changed:
            self._wires.add(wire)
            self.sessions.append(session)
            self.peak = max(self.peak, sum(not other.ended for other in self.sessions))
            self.changed.notify_all()
        try:
            _Dialogue(self, wire, session).run()
        except (Closed, OSError):
            pass
        finally:
            with self.changed:
                session.ended = True
                self._wires.discard(wire)
                self.changed.notify_all()
            wire.close()

    def record(self, change):
        """Make a change to what is recorded, and tell those who wait."""
        with self.changed:
            change()
            self.changed.notify_all()

    def actions(self, verb, line):
        """Count this command and return the actions of the rule that fits it, or None."""
        with self.changed:
            count = self._counts[verb] = self._counts.get(verb, 0) + 1
            for rule in self.rules:
                if rule.fits(verb, count, line):
                    return rule.actions
        return None


class _Dialogue:
    """One session of a sink: reads commands, answers by script or by habit, keeps the transaction."""

    def __init__(self, sink, wire, session):
        self.sink, self.wire, self.session = sink, wire, session
        self.message, self.code = None, 0

    def run(self):
        """Serve until the connection ends."""
        if self.sink.smtps:
            self.handshake()
        self.answer("GREETING", b"", "220 sink.example ESMTP")
        while True:
            line = self.wire.take_until(b"\n")
            self.sink.record(lambda: self.session.commands.append(line))
            self.session.pipelined |= bool(self.wire.buffer)
            verb = line.split(None, 1)[0].upper().decode("latin-1") if line.strip() else ""
            if getattr(self, f"on_{verb.lower()}", self.on_other)(verb, line) == "end":
                return

    def answer(self, verb, line, habit):
        """Answer by the script, else with `habit` (None: not at all); return the last reply code sent, which `code` has too."""
        self.code = 0
        for action in self.sink.actions(verb, line) or filter(None, [habit]):
            self.code = self.act(action) or self.code
        return self.code

    def act(self, action):
        """Carry out one action; return the code of the reply that it sent, or 0."""
        word, _, rest = action.partition(" ")
        doer = getattr(self, f"act_{word}", None)
        if doer:
            return doer(rest)
        self.wire.send(unescape(action) + b"\r\n")
        return int(action[:3])

    def act_raw(self, text):
        """Send exactly these bytes."""
        data = unescape(text)
        self.wire.send(data)
        return int(data[:3]) if data[:3].isdigit() else 0

    def act_repeat(self, text):
        """Send these bytes so many times."""
        count, _, text = text.partition(" ")
        self.wire.send(unescape(text) * int(count))

    def act_flood(self, text):
        """Send these bytes until the client closes."""
        data = unescape(text)
        while True:
            self.wire.send(data * 100)

    def act_close(self, _):
        """End the connection in order."""
        raise Closed("by script")

    def act_reset(self, _):
        """End the connection with a TCP reset."""
        self.wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed("by script")

    def act_hang(self, _):
        """Say nothing until the client closes."""
        while self.wire.fill():
            pass
        raise Closed("by the client, at last")

    def act_gate(self, _):
        """Wait for the test."""
        self.sink.gate.wait()

    def handshake(self):
        """Go on under TLS; where that fails the session ends, and why is kept."""
        try:
            self.wire.handshake(self.sink.tls, server=True)
        except (OSError, Failure) as error:
            self.sink.record(lambda: setattr(self.session, "distrust", str(error) or repr(error)))
            raise Closed("no handshake") from None
        self.sink.record(lambda: setattr(self.session, "secure", self.wire.secure))
        self.session.login = self.message = None

    def extensions(self):
        """What EHLO is told now."""
        secure, logins = self.wire.secure, self.sink.logins
        more = ["STARTTLS"] if self.sink.tls and not secure else []
        if logins and logins.offered(secure):
            more.append(" ".join(("AUTH", *logins.mechanisms)))
        return [*self.sink.offers, *more]

    def on_ehlo(self, verb, line):
        """Greet, with the extensions offered."""
        if self.sink.lmtp != (verb == "LHLO"):
            self.on_other(verb, line)
            return
        lines = ["sink.example", *self.extensions()]
        self.message = None
        self.answer(verb, line, "\\r\\n".join(f"250{'-' if text is not lines[-1] else ' '}{text}" for text in lines))

    on_lhlo = on_ehlo

    def on_starttls(self, verb, line):
        """Begin TLS (RFC 3207)."""
        ready = self.sink.tls and not self.wire.secure
        if self.answer(verb, line, "220 2.0.0 Go ahead" if ready else "503 5.5.1 No TLS here") == 220:
            self.handshake()

    def on_auth(self, verb, line):
        """A login (RFC 4954), by the script or by an exchange."""
        words = line.decode("latin-1").split()
        mechanism, initial = "".join(words[1:2]).upper(), words[2:]
        self.sink.record(lambda: self.session.attempts.append(mechanism))
        self.session.exposed |= bool(initial) and self.exposes(mechanism)
        if self.answer(verb, line, self.no_login(mechanism, initial)):
            return
        try:
            login = self.exchange(mechanism, initial)
        except (sasl.Refused, ValueError):
            self.act("535 5.7.8 Not you")
            return
        self.sink.record(lambda: self.session.__dict__.update(login=login, mechanism=mechanism))
        self.act("235 2.7.0 Welcome")

    def exposes(self, mechanism):
        """Whether a response of this mechanism shows its secret to whoever reads along now."""
        return mechanism in sasl.SHOWS_SECRET and not self.wire.secure

    def no_login(self, mechanism, initial):
        """Why there is no exchange, as a reply, or None where there is one."""
        logins = self.sink.logins
        if not logins or self.session.login:
            return "503 5.5.1 Not now"
        if mechanism not in logins.mechanisms or not logins.offered(self.wire.secure):
            return "504 5.5.4 Not here"
        return "501 5.7.0 I speak first" if initial and mechanism == "CRAM-MD5" else None

    def exchange(self, mechanism, initial):
        """Carry out the exchange; return who has logged in."""
        logins = self.sink.logins
        binding = exporter(self.wire.sock) if mechanism.endswith("-PLUS") else b""
        steps = sasl.server(mechanism, logins.login, logins.password, logins.token, binding, logins.lying)
        try:
            challenge = next(steps)
            if initial:
                challenge = steps.send(sasl.unb64("" if initial[0] == "=" else initial[0]))
            while True:
                self.act(f"334 {sasl.b64(challenge)}")
                response = self.wire.take_until(b"\n").rstrip(b"\r\n")
                self.session.exposed |= self.exposes(mechanism)
                if response == b"*":
                    raise sasl.Refused
                challenge = steps.send(sasl.unb64(response))
        except StopIteration as end:
            return end.value

    def on_mail(self, verb, line):
        """Open a transaction."""
        if self.sink.tls_only and not self.wire.secure:
            habit = "530 5.7.0 Must issue a STARTTLS command first"
        elif self.message:
            habit = "503 5.5.1 The last transaction is not over"
        else:
            habit = "530 5.7.0 Authentication required" if self.sink.logins and not self.session.login else "250 2.1.0 Sender ok"
        if self.answer(verb, line, habit) < 300:
            self.message = Message(line, session=self.session)

    def on_rcpt(self, verb, line):
        """Add a recipient."""
        habit = "250 2.1.5 Recipient ok" if self.message else "503 5.5.1 MAIL first"
        if self.answer(verb, line, habit) < 300 and self.message:
            self.message.recipients.append(PATH.search(line)[1].decode())

    def on_data(self, verb, line):
        """Read a message up to its final dot."""
        if self.message and self.message.recipients:
            habit = "354 Go ahead"
        else:
            habit = "554 5.5.1 No valid recipients" if self.message else "503 5.5.1 MAIL first"
        if self.answer(verb, line, habit) != 354:
            return
        message = self.message or Message(b"", session=self.session)
        self.wire.buffer = b"\r\n" + self.wire.buffer
        message.wire = self.wire.take_until(b"\r\n.\r\n")[2:-3]
        message.content = unstuff(message.wire)
        self.finish(message)

    def on_bdat(self, verb, line):
        """Read one chunk."""
        words = line.split()
        chunk = self.wire.take(int(words[1]))
        if not self.message or not self.message.recipients:
            self.answer(verb, line, "503 5.5.1 RCPT first")
            return
        self.message.chunks.append(chunk)
        self.message.wire += chunk
        if words[2:]:
            self.message.content = self.message.wire
            self.finish(self.message)
        else:
            self.answer(verb, line, f"250 2.0.0 {len(chunk)} octets")

    def finish(self, message):
        """Answer a whole message and file it."""
        self.message, self.code = None, 0
        try:
            for asked in [[name] for name in message.recipients] if self.sink.lmtp else [message.recipients]:
                self.answer_content(message, asked)
        finally:
            filed = self.sink.messages if message.taken or 200 <= self.code < 300 else self.sink.refused
            self.sink.record(lambda: filed.append(message))

    def answer_content(self, message, asked):
        """One reply, for these recipients; one that ended the connection after it had said yes did say yes."""
        path = f"<{asked[0]}>".encode() if self.sink.lmtp else b""
        self.code = 0
        try:
            self.answer(".", path, f"250 2.0.0 Taken as {len(self.sink.messages) + 1}")
        finally:
            if 200 <= self.code < 300:
                message.taken += asked

    def on_rset(self, verb, line):
        """Drop the transaction."""
        self.message = None
        self.answer(verb, line, "250 2.0.0 ok")

    def on_quit(self, verb, line):
        """Say good-bye."""
        self.answer(verb, line, "221 2.0.0 Bye")
        return "end"

    def on_helo(self, verb, line):
        """Greet an old client."""
        if self.sink.lmtp:
            self.on_other(verb, line)
            return
        self.message = None
        self.answer(verb, line, "250 sink.example")

    def on_noop(self, verb, line):
        """Do nothing."""
        self.answer(verb, line, "250 2.0.0 ok")

    def on_other(self, verb, line):
        """Refuse what is not known."""
        self.answer(verb or "EMPTY", line, "500 5.5.1 What?")

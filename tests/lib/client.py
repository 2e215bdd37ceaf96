"""A raw SMTP client: it sends the bytes it is told to and reads replies strictly (every line ends in CR LF)."""

import re
import socket
from dataclasses import dataclass

import sasl
from checks import PATIENCE, Failure, check
from tls import client_context, exporter
from wire import Wire, family_of, stuff

REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])([ -])(.*)", re.S)


@dataclass(frozen=True)
class Reply:
    """One reply of the server: its code, and its lines without CR LF, the code still in front."""

    code: int
    lines: tuple

    @property
    def last(self):
        """The last line, the only one of most replies."""
        return self.lines[-1]

    def __str__(self):
        return "\n".join(self.lines)


class Client:
    """One connection to an SMTP server, from `source` if given. The server's first reply is read by the caller.

    `pending` collects what `queue()` adds; it goes out in one segment at the next read, as a pipelining client would.
    `wire.secure` says what protects the connection. Contexts are those of tls.py; the one that is used without is content
    with any certificate.
    """

    def __init__(self, address, port, source=None, patience=PATIENCE):
        sock = socket.socket(family_of(address))
        sock.settimeout(patience)
        try:
            if source:
                sock.bind((source, 0))
            sock.connect((address, port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            sock.close()
            raise
        self.wire = Wire(sock, patience)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def queue(self, data):
        """Add bytes to what the next read sends first."""
        self.pending += data

    def flush(self):
        """Send what is pending, now."""
        data, self.pending = self.pending, b""
        if data:
            self.wire.send(data)

    def send(self, data):
        """Send bytes at once, what is pending before them."""
        self.queue(data)
        self.flush()

    def line(self):
        """Return the next line of a reply, without its CR LF."""
        self.flush()
        line = self.wire.take_until(b"\n")
        check(line.endswith(b"\r\n"), f"a line of a reply ends in a bare LF: {line!r}")
        line = line[:-2]
        check(b"\r" not in line and b"\0" not in line, f"a reply holds a bare CR or NUL: {line!r}")
        return line.decode("utf-8", "surrogateescape")

    def reply(self):
        """Return the next whole reply."""
        lines = []
        while True:
            line = self.line()
            parsed = REPLY_LINE.fullmatch(line.encode("utf-8", "surrogateescape"))
            check(parsed, f"not a line of an SMTP reply: {line!r}")
            lines.append(line)
            check(lines[0][:3] == line[:3], f"the code changes within a reply: {lines!r}")
            if parsed[2] == b" ":
                return Reply(int(parsed[1]), tuple(lines))

    def expect(self, start):
        """Return the next whole reply; its last line must begin with `start`."""
        reply = self.reply()
        check(reply.last.startswith(start), f"expected a reply {start!r}, got {str(reply)!r}")
        return reply

    def command(self, line, start=""):
        """Send a command line and return the reply, whose last line must begin with `start`."""
        self.send(line.encode("utf-8", "surrogateescape") + b"\r\n")
        return self.expect(start)

    def greet(self, name="client.example"):
        """Read the banner and say EHLO; return the EHLO reply."""
        self.expect("220 ")
        return self.command(f"EHLO {name}", "250 ")

    def mail(self, sender, recipients, content, parameters=""):
        """Send one message by MAIL, RCPT, DATA; return its queue id."""
        self.command(f"MAIL FROM:<{sender}>{parameters and ' ' + parameters}", "250 ")
        for recipient in recipients:
            self.command(f"RCPT TO:<{recipient}>", "250 ")
        self.command("DATA", "354 ")
        self.send(stuff(content))
        reply = self.expect("250 2.0.0 Ok: queued ")
        return reply.last.rsplit(" ", 1)[1]

    def handshake(self, context=None, host="localhost", session=None):
        """Go on under TLS; return what protects the connection now. `ssl.SSLError` where that fails."""
        self.flush()
        self.wire.handshake(context or client_context(), host, session)
        return self.wire.secure

    def starttls(self, context=None, host="localhost", session=None):
        """Say STARTTLS and go on under TLS; the caller says EHLO again."""
        self.command("STARTTLS", "220 2.0.0 ")
        return self.handshake(context, host, session)

    def login(self, mechanism, login, password, initial=True, could_bind=False):
        """Log in; return the last reply, whatever it is. With `initial` the first response comes along with AUTH (RFC 4954).

        A server that owes a proof and has not given it is found.
        """
        binding = exporter(self.wire.sock) if mechanism.endswith("-PLUS") and self.wire.secure else None
        exchange = sasl.client(mechanism, login, password, binding, could_bind)
        response = next(exchange)
        at_once = initial and response is not None
        reply = self.command(f"AUTH {mechanism}" + (f" {sasl.b64(response) or '='}" if at_once else ""))
        if reply.code == 334 and response is not None and not at_once:
            check(reply.last == "334 ", f"expected an empty challenge, got {str(reply)!r}")
            reply = self.command(sasl.b64(response))
        while reply.code == 334:
            try:
                response = exchange.send(sasl.unb64(reply.last[4:]))
            except StopIteration:
                raise Failure(f"{mechanism} knows no challenge here: {str(reply)!r}") from None
            reply = self.command(sasl.b64(response))
        if reply.code == 235 and mechanism.startswith("SCRAM"):
            check(response == b"", "SCRAM: a login without the proof that the server knows the password")
        return reply

    def eof(self):
        """Expect that the server closes, with nothing unread before it, and not without a word of TLS."""
        self.flush()
        check(not self.wire.buffer, f"expected the end of the connection, got {self.wire.buffer!r}")
        check(not self.wire.fill(), f"expected the end of the connection, got {self.wire.buffer!r}")
        check(not self.wire.cut, "the server ended the connection without close_notify")

    def quit(self):
        """Say QUIT; the very next line must be its answer, so a surplus reply before it is found."""
        try:
            reply = self.command("QUIT")
        except Failure as failure:
            raise Failure(f"at the QUIT that ends every session: {failure}") from None
        check(reply.last == "221 2.0.0 Bye", f"expected only the answer to QUIT, got {str(reply)!r}")
        self.eof()
        self.close()

    def close(self):
        """Close without a word."""
        self.wire.close()

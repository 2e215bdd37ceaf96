"""The player of stories: it carries out the steps that story.py reads, against a gateway.

A step that does not hold raises Failure with its file and line. Everything that a story waits for is an event or a
state; nothing in a story depends on time. The docstrings of the `do_` methods are the manual of the format.
"""

import contextlib
import re
import shlex
import signal
import sqlite3

from certificates import Certificates
from checks import Failure, await_true, check, report
from gateway import Gateway, run_program
from sasl import b64
from sink import Logins, Sink
from story import parse
from tls import VERSIONS, client_context
from wire import fresh_loopback, stuff, unescape

NAME = re.compile(r"\{(?:([a-z][a-z0-9_.]*)|64:([^}]*))\}")
PASSED_OVER = re.compile(rb"(?:EHLO|HELO|STARTTLS|AUTH|RSET|NOOP|QUIT)\b", re.I)
# The certificates of a sink: what Certificates.make is told beside its address.
KINDS = {"good": {}, "expired": {"expired": True}, "self-signed": {"signed_by": "self"}, "wrong name": {"ips": ["192.0.2.1"]}}
UNDER = {"tls": "tls", "before-tls": "plain", "": "any"}
# The lines below `sink:` that are no rules, by the method that reads them.
SINK_WORDS = {"offer": "offer", "tls": "tls", "smtps": "tls", "auth": "auth"}
DEFAULT_MESSAGE = b"From: a@client.example\r\nSubject: a story\r\n\r\nHello.\r\n"
# The trace field that the gateway puts before a message, with its folded lines.
TRACE = re.compile(rb"\AReceived: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


def play(path):
    """Play a file: a line of report for each of its stories. Returns whether all passed."""
    preamble, stories = parse(path)
    config = dict(step.text.split("=", 1) for step in preamble.steps if step.word == "config")
    listeners = dict(step.text.replace(" ", ":").split(":", 1) for step in preamble.steps if step.word == "listener")
    player = Player()
    try:
        player.begin(config, listeners)
        for step in preamble.steps:
            player.play_step(step)
    except Exception as error:  # pylint: disable=broad-except  -- whatever it was, no story of the file can be told
        player.end()
        return all([report(f"{path}: {story.name}", error) for story in stories or [preamble]])
    passed = [player.play(path, story) for story in stories]
    passed.append(player.finish(path))
    player.end()
    return all(passed)


class Player:
    """Plays the stories of one file against one gateway.

    Names in braces in the text of a step are replaced: {port}, {dir}, {me}, {ca}, {NAME.port} for each listener, {SINK} and
    {SINK.port} for each sink, and the named groups of every regular expression that matched; {64:TEXT} by TEXT in base64.
    """

    def __init__(self):
        self.gateway, self.names, self.mark, self.certificates = None, {}, 0, None
        self.clients, self.client, self.reply = {}, None, None
        self.sinks, self.hop = {}, None

    def begin(self, config, listeners):
        """Start the gateway with these keys and further listeners; `{dir}` in a value is its folder."""
        self.gateway = Gateway(start=False, listeners=listeners)
        self.certificates = Certificates(self.gateway.path("certificates"))
        self.names = {"dir": self.gateway.folder, "port": str(self.gateway.port), "me": self.gateway.config["TMAIL_ME"],
                      "ca": self.certificates.ca}
        self.names |= {f"{name}.port": str(port) for name, (port, _) in self.gateway.listeners.items()}
        self.gateway.config |= {key: self.fill(value) for key, value in config.items()}
        self.gateway.write_config()
        self.gateway.start()

    def play(self, path, story):
        """Play one story and report it; its connections and its sinks end with it."""
        kept = dict(self.sinks)
        try:
            self._open()
            for step in story.steps:
                self.play_step(step)
            for client in self.clients.values():
                client.quit()
        except Exception as error:  # pylint: disable=broad-except  -- reported, and the next story goes on
            return report(f"{path}: {story.name}", error)
        finally:
            self._leave(kept)
        return report(f"{path}: {story.name}")

    def _open(self):
        check(self.gateway.alive, f"the gateway has died:\n{self.gateway.log_tail()}")
        self.mark = self.gateway.mark()
        for hop in self.sinks.values():
            hop.skip_all()

    def _leave(self, kept):
        for client in self.clients.values():
            client.close()
        for name, hop in self.sinks.items():
            if name not in kept:
                hop.sink.done()
        self.clients, self.client, self.sinks = {}, None, kept

    def finish(self, path):
        """Stop the gateway. That it ends well, without a word from a sanitizer, is worth a line only if it does not."""
        try:
            self.gateway.finish()
        except Exception as error:  # pylint: disable=broad-except
            return report(f"{path}: the gateway ends in order", error)
        return True

    def end(self):
        """Leave nothing behind."""
        for hop in self.sinks.values():
            hop.sink.done()
        if self.gateway:
            self.gateway.done()

    def play_step(self, step):
        """Carry out one step; a failure names its place."""
        try:
            doer = getattr(self, "do_" + step.word.replace("-", "_").replace("*", "_rest"), None)
            check(doer, "there is no such directive")
            doer(step)
        except Failure as failure:
            raise Failure(f"{step.where}: {step.word}: {step.text}\n{failure}") from None

    # --- texts and patterns ---

    def fill(self, text):
        """Replace the known names in braces."""
        return NAME.sub(self.value, text)

    def value(self, found):
        """What stands for a name in braces; an unknown one stays as it is."""
        return self.names.get(found[1], found[0]) if found[1] else b64(unescape(self.fill(found[2])))

    def pattern(self, text):
        """Compile the regular expression of `text`, which may stand between slashes."""
        text = text[1:-1] if len(text) > 1 and text.startswith("/") and text.endswith("/") else text
        return re.compile(NAME.sub(lambda found: re.escape(self.value(found)), text), re.S)

    def keep(self, found):
        """Remember the named groups of a match. Returns the match."""
        self.names |= {name: text for name, text in found.groupdict().items() if text is not None} if found else {}
        return found

    def fits(self, expected, got):
        """Hold `got` against an expectation: exact, `/regular expression/`, or with a final ` ...` for any rest."""
        if len(expected) > 1 and expected.startswith("/") and expected.endswith("/"):
            return bool(self.keep(self.pattern(expected).fullmatch(got)))
        expected = self.fill(expected)
        if expected.endswith(" ..."):
            return got.startswith(expected[:-3]) or got == expected[:-4]
        return got == expected

    def expect(self, expected, got, what):
        """Fail unless `got` is as expected."""
        check(self.fits(expected, got), f"{what}:\n  expected {self.fill(expected)}\n  got      {got}")

    # --- set-up ---

    def do_config(self, _):
        """Read before the gateway starts; `begin` has it."""

    do_listener = do_config

    def do_tmail(self, step):
        """Run a command; it must succeed unless an `exit:` line is indented below it."""
        words = shlex.split(self.fill(step.text))
        stdin = self.fill("\n".join(step.block) + "\n") if step.block else ""
        self._judge(self.gateway.run(*words, stdin=stdin), step)

    def do_program(self, step):
        """Run the program with these words alone, without `-c FILE`."""
        self._judge(run_program(*shlex.split(self.fill(step.text))), step)

    def _judge(self, result, step):
        """Hold the result of a command against the lines indented below it."""
        wanted = [line.partition(": ")[::2] for line in step.script]
        status = next((text for word, text in wanted if word == "exit"), "0")
        check(self.fits(status, str(result.status)), f"exit status: expected {status}, got {result.status}\n"
              f"standard output: {result.out!r}\nstandard error: {result.err!r}")
        streams = {"out": result.out.splitlines(), "err": result.err.splitlines()}
        for word, text in wanted:
            if word in streams:
                self._line_of(text, streams[word], word)
            elif word in ("no-out", "no-err"):
                for line in streams[word[3:]]:
                    check(not self.fits(text, line), f"{word}: {text}: there is {line!r}")
            else:
                check(word == "exit", f"unknown expectation: {word!r}")

    def _line_of(self, expected, lines, what):
        """Drop lines up to and with the first that is as expected."""
        seen = list(lines)
        while lines:
            if self.fits(expected, lines.pop(0)):
                return
        raise Failure(f"{what}: expected a line {self.fill(expected)}\n  in {seen!r}")

    def do_file(self, step):
        """Write a file of the gateway's folder."""
        self.gateway.write_file(self.fill(step.text), self.fill("\n".join(step.block) + "\n"))

    def do_sql(self, step):
        """A query of the directory's database; the lines `row:` indented below it are its rows, columns joined by `|`."""
        with contextlib.closing(sqlite3.connect(f"file:{self.gateway.path('tmail.db')}?mode=ro", uri=True)) as database:
            rows = ["|".join(map(str, row)) for row in database.execute(self.fill(step.text))]
        wanted = [line.removeprefix("row: ") for line in step.script]
        check(len(rows) == len(wanted) and all(map(self.fits, wanted, rows)), f"rows: expected {wanted!r}, got {rows!r}")

    def do_sink(self, step):
        """Start a next hop: `NAME [ADDRESS]`, below it what README.md has, or rules."""
        name, _, address = step.text.partition(" ")
        options, rules, state = {}, [], "up"
        address = address or fresh_loopback()
        for line in step.script:
            word, _, text = line.partition(": ")
            if word in ("down", "swallow"):
                state = word
            elif word in SINK_WORDS:
                options |= getattr(self, f"_sink_{SINK_WORDS[word]}")(word, text, address)
            else:
                rules.append(line)
        sink = Sink(address, rules, listening=state == "up", **options)
        if state == "swallow":
            sink.swallow()
        self.sinks[name] = self.hop = Hop(sink)
        self.names |= {name: sink.address, f"{name}.port": str(sink.port)}

    def _sink_offer(self, _word, text, _address):
        return {"offers": [] if text == "none" else text.split(", ")}

    def _sink_tls(self, word, text, address):
        check(text in KINDS, f"not a certificate: {text!r}; there are: {', '.join(KINDS)}")
        pair = self.certificates.make(address, **{"hosts": [], "ips": [address], **KINDS[text]})
        return {"tls": pair, "smtps": word == "smtps"}

    def _sink_auth(self, _word, text, _address):
        mechanisms, login, secret, under = (shlex.split(text) + [""])[:4]
        return {"logins": Logins(mechanisms.split(","), login, secret, secret, UNDER[under])}

    def do_up(self, step):
        """A sink that was `down` begins to listen."""
        self.sinks[step.text].sink.listen()

    def do_gate(self, step):
        """Let the sessions go on that wait at the gate of a sink."""
        self.sinks[step.text].sink.gate.set()

    def do_route(self, step):
        """`DOMAIN -> SINK [words]`: what `tmail routes add` is told, with those words added."""
        destination, _, rest = self.fill(step.text).partition(" -> ")
        name, *words = rest.split()
        self.gateway.route(destination, self.sinks[name].sink, *words)

    def do_signal(self, step):
        """Send a signal to the parent."""
        self.gateway.signal(getattr(signal, f"SIG{step.text}"))

    # --- the client's side ---

    def do_client(self, step):
        """Go on as the client `NAME [from ADDRESS] [to ADDRESS] [at LISTENER]`; a new one connects and reads nothing."""
        name, *options = step.text.split()
        if name not in self.clients:
            options = dict(zip(options[::2], options[1::2]))
            self.clients[name] = self.gateway.client(options.get("from"), options.get("to", "127.0.0.1"), options.get("at"))
        self.client = self.clients[name]

    def speaker(self):
        """The client that speaks; one that reads the banner is made where the story names none."""
        if self.client is None:
            self.client = self.clients[""] = self.gateway.client()
            self.client.expect("220 ")
        return self.client

    def do_hello(self, step):
        """Say EHLO (or what the text says) and read the whole reply."""
        self.reply = self.speaker().command(self.fill(step.text) or "EHLO client.example", "250 ")

    def do_starttls(self, step):
        """Say STARTTLS, expect `220 2.0.0 Ready to start TLS`, go on under TLS, of any version or of that one."""
        self.expect("220 2.0.0 Ready to start TLS", self.speaker().command("STARTTLS").last, "reply")
        self.do_handshake(step)

    def do_handshake(self, step):
        """Go on under TLS, of any version or of that one."""
        check(step.text in ("", *VERSIONS), f"there are: {', '.join(VERSIONS)}")
        try:
            self.speaker().handshake(client_context(version=step.text or None))
        except OSError as error:
            raise Failure(f"no handshake: {error}") from None

    def do_auth(self, step):
        """`MECHANISM LOGIN PASSWORD [-> REPLY]`: log in with an initial response, where the mechanism has one."""
        words, _, reply = step.text.partition(" -> ")
        mechanism, login, password = shlex.split(self.fill(words))
        self.expect(reply or "235 2.7.0 ...", self.speaker().login(mechanism, login, password).last, "reply")

    def do_C(self, step):
        """Send a line, or a message with its dots made transparent and its end. Lines in a row go as one segment."""
        if step.block is None:
            self.speaker().queue(self.fill(step.text).encode() + b"\r\n")
        else:
            self.speaker().queue(stuff(step.content(self.fill)))

    def do_C_raw(self, step):
        """Send bytes: C escapes, nothing added. `N * TEXT` repeats."""
        repeated = re.fullmatch(r"(\d+) \* (.*)", step.text, re.S)
        count, text = (int(repeated[1]), repeated[2]) if repeated else (1, step.text)
        self.speaker().queue(unescape(self.fill(text)) * count)

    def do_S(self, step):
        """Expect a line of a reply."""
        self.expect(step.text, self.speaker().line(), "reply")

    def do_S_rest(self, step):
        """Expect a whole reply, whatever its lines, with this last line."""
        self.reply = self.speaker().reply()
        self.expect(step.text, self.reply.last, "last line of the reply")

    def do_S_has(self, step):
        """Expect a line like this in the last whole reply, that of `hello:` or `S*:`."""
        check(any(self.fits(step.text, line) for line in self.reply.lines), f"there is none in {self.reply.lines!r}")

    def do_S_not(self, step):
        """Expect no such line in it."""
        check(not any(self.fits(step.text, line) for line in self.reply.lines), f"there is one in {self.reply.lines!r}")

    def do_S_each(self, step):
        """`N * TEXT`: expect this line N times."""
        count, _, text = step.text.partition(" * ")
        for _ in range(int(count)):
            self.expect(text, self.speaker().line(), "reply")

    def do_flush(self, _):
        """Send what was written so far in a segment of its own, and read nothing."""
        self.speaker().flush()

    def do_eof(self, _):
        """Expect the end of the connection, and nothing before it."""
        self.speaker().eof()
        self.forget()

    def do_close(self, _):
        """Close the connection; what was written before is sent."""
        self.speaker().flush()
        self.speaker().close()
        self.forget()

    def forget(self):
        """The client that spoke is gone."""
        self.clients = {name: client for name, client in self.clients.items() if client is not self.client}
        self.client = None

    def do_mail(self, step):
        """`FROM -> RCPT, RCPT [| parameters]`: a session of its own sends a message, which must be queued as {id}."""
        envelope, _, parameters = self.fill(step.text).partition(" | ")
        sender, _, recipients = envelope.partition(" -> ")
        content = DEFAULT_MESSAGE if step.block is None else step.content(self.fill)
        with self.gateway.session() as client:
            self.names["id"] = client.mail(sender, recipients.split(", "), content, parameters)
            client.quit()

    # --- the next hop's side ---

    def do_on(self, step):
        """The lines that follow are about this sink."""
        self.hop = self.sinks[step.text]

    def do_R(self, step):
        """Expect the next command line, or, as a block, the next message behind the gateway's own trace field.

        EHLO, HELO, STARTTLS, AUTH, RSET, NOOP and QUIT are passed over where the expectation does not name one of them.
        """
        if step.block is not None:
            self._content(step.content(self.fill))
            return
        named = PASSED_OVER.match(step.text.strip("/").encode())
        line = self.hop.next_command(step.text)
        while not named and PASSED_OVER.match(line):
            line = self.hop.next_command(step.text)
        check(line.endswith(b"\r\n") and b"\r" not in line[:-2], f"a command that does not end in CR LF: {line!r}")
        self.expect(step.text, line[:-2].decode("utf-8", "surrogateescape"), "command line")

    def do_R_raw(self, step):
        """Expect the next message, as C escapes, behind the gateway's own trace field."""
        self._content(unescape(self.fill(step.text)))

    def _content(self, expected):
        content = TRACE.sub(b"", self.hop.next_message().content, count=1)
        check(content == expected, f"content:\n  expected {expected!r}\n  got      {content!r}")

    def do_R_has(self, step):
        """Expect a match of a regular expression in the last message, trace field included."""
        text = self.hop.sink.wait(max(1, self.hop.messages))[-1].content.decode("utf-8", "surrogateescape")
        check(self.keep(self.pattern(step.text).search(text)), f"no match in {text!r}")

    def do_R_not(self, step):
        """Expect no match of a regular expression in anything that the sink heard so far."""
        sink = self.hop.sink
        heard = b"".join(sink.commands() + [message.content for message in sink.messages + sink.refused])
        text = heard.decode("utf-8", "surrogateescape")
        check(not self.pattern(step.text).search(text), f"there is one in {text!r}")

    def do_R_pipelined(self, step):
        """Expect that the gateway did (`yes`) or did never (`no`) send ahead of a reply."""
        self.hop.sink.wait(1)
        got = any(session.pipelined for session in self.hop.sink.sessions)
        check(got == (step.text == "yes"), "it did" if got else "it did not")

    def do_R_from(self, step):
        """Expect that the last session came from this address."""
        self.hop.sink.wait(1)
        got = self.hop.sink.sessions[-1].peer
        check(got == step.text, f"it came from {got}")

    def do_R_tls(self, step):
        """Expect that the last session was under TLS: `yes`, `no`, or a version."""
        self.hop.sink.wait(1)
        got = self.hop.sink.sessions[-1].tls
        check(step.text in (got, "yes" if got else "no"), f"it was under {got}")

    def do_R_login(self, step):
        """Expect who has logged in in the last session: `LOGIN [MECHANISM]` or `none`."""
        self.hop.sink.wait(1)
        session = self.hop.sink.sessions[-1]
        check(step.text in (session.login or "none", f"{session.login} {session.mechanism}"),
              f"{session.login} has logged in by {session.mechanism}; begun were {session.attempts}")

    def do_got(self, step):
        """Expect `N messages`, or `N messages, N sessions`, in all so far; waits for the messages."""
        wanted = [int(number) for number in re.findall(r"\d+", step.text)]
        sink = self.hop.sink
        sink.wait(wanted[0])
        got = [len(sink.messages), len(sink.sessions)][:len(wanted)]
        check(got == wanted, f"there are {len(sink.messages)} messages, {len(sink.sessions)} sessions")

    # --- queue and log ---

    def do_queue(self, step):
        """`empty`, or `RECIPIENT gone`, or `RECIPIENT STATUS [attempts=N] [reason=TEXT]`: waits until it is so."""
        text = self.fill(step.text)
        if text == "empty":
            self.gateway.await_empty_queue()
            return
        recipient, status, *more = shlex.split(text)
        wanted = dict(item.split("=", 1) for item in more)

        def entries():
            return [entry for entry in self.gateway.queue() if entry["recipient"] == recipient]

        def so():
            found = entries()
            return not found if status == "gone" else any(self._entry_fits(entry, status, wanted) for entry in found)
        await_true(so, lambda: f"it is {entries()!r}")

    def _entry_fits(self, entry, status, wanted):
        """Whether an entry of the queue has this status, and these attempts and reason."""
        return (self.fits(status, entry["status"]) and wanted.get("attempts", entry["attempts"]) in
                (entry["attempts"], str(entry["attempts"])) and wanted.get("reason", "") in (entry["reason"] or ""))

    def do_log(self, step):
        """Wait for a line of the log, since the story began, that holds a match of this regular expression."""
        self.keep(self.gateway.await_log(self.pattern(step.text), since=self.mark))

    def do_no_log(self, step):
        """No line of the log, since the story began, holds a match so far."""
        pattern = self.pattern(step.text)
        found = [line for line in self.gateway.log().splitlines()[self.mark:] if pattern.search(line)]
        check(not found, f"there is {found!r}")


class Hop:
    """A sink and how far the story has read in what it heard."""

    def __init__(self, sink):
        self.sink, self.commands, self.messages = sink, 0, 0

    def skip_all(self):
        """Take everything so far as read."""
        self.commands, self.messages = len(self.sink.commands()), len(self.sink.messages)

    def next_command(self, expected):
        """Wait for the next command line; `expected` is for the complaint."""
        self.sink.wait_for(lambda sink: len(sink.commands()) > self.commands, f"a command {expected}")
        self.commands += 1
        return self.sink.commands()[self.commands - 1]

    def next_message(self):
        """Wait for the next message."""
        self.messages += 1
        return self.sink.wait(self.messages)[self.messages - 1]

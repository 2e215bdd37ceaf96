#!/usr/bin/python3
"""What is asked at RCPT of others than the directory: mailboxes that it does not know of an LMTP server, room of Dovecot's quota-status."""

import contextlib
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import (PATIENCE, Certificates, Gateway, Sink, await_true, check, equal,  # noqa: E402  pylint: disable=wrong-import-position
                   fresh_loopback, main)

LOCAL, OTHER = "local.example", "other.example"
JOE, ANN = f"joe@{LOCAL}", f"ann@{LOCAL}"
FULL = b"action=552 5.2.2 Mailbox is full\n\n"
PROBE = [b"MAIL FROM:<>\r\n", b"RSET\r\n", b"QUIT\r\n"]
ASKERS = 10


class QuotaStatus:
    """A policy service that says to each question what `answer` returns for its attributes; None: nothing. A context manager.

    `questions` are the attributes of those that were heard, as dicts.
    """

    def __init__(self, answer):
        self.answer, self.questions, self._heard = answer, [], []
        self._listener = socket.create_server((fresh_loopback(), 0), backlog=100)
        self.endpoint = "inet:{}:{}".format(*self._listener.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done()

    def done(self):
        """End it, and what it has not answered."""
        for sock in (self._listener, *self._heard):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock = self._listener.accept()[0]
                sock.settimeout(PATIENCE)
                self._heard.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        with contextlib.suppress(OSError):
            data = b""
            while not data.endswith(b"\n\n"):
                data += sock.recv(4096) or b"\n\n"
            question = dict(line.split("=", 1) for line in data.decode().splitlines() if line)
            self.questions.append(question)
            answer = self.answer(question)
            if answer is not None:
                sock.sendall(answer)
                sock.close()


def gateway_with(**keys):
    """A gateway that delivers nothing and has two users."""
    gateway = Gateway({"TMAIL_DELIVERD_LAUNCH": "false", **{f"TMAIL_{key}": value for key, value in keys.items()}})
    gateway.config["TMAIL_USERS_HOME_BASE"] = gateway.path("mail")
    gateway.write_config()
    for login in (JOE, ANN):
        gateway.tmail("user", "add", "-m", login, "secret-word")
    return gateway


@contextlib.contextmanager
def asking(answer):
    """A gateway and the quota-status service that it asks."""
    with QuotaStatus(answer) as service, gateway_with(DOVECOT_QUOTA_STATUS=service.endpoint) as gateway:
        yield gateway, service


@contextlib.contextmanager
def probing(*script, domains=LOCAL, servers="{}", offers=("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"), tls=None, **keys):
    """A gateway and the LMTP server that it asks for mailboxes that it does not know."""
    with Sink(script=script, lmtp=True, offers=offers, tls=tls) as sink:
        keys = {"LMTP_PROBE_DOMAINS": domains, "LMTP_ADDRESS": servers.format(sink.endpoint), **keys}
        with gateway_with(**keys) as gateway:
            yield gateway, sink


def transaction(gateway, parameters=""):
    """A session that has said MAIL."""
    client = gateway.session()
    client.command(f"MAIL FROM:<a@client.example>{parameters}", "250 ")
    return client


def rcpt(gateway, recipient, start, parameters=""):
    """One recipient in a session of its own."""
    client = transaction(gateway, parameters)
    reply = client.command(f"RCPT TO:<{recipient}>", start)
    client.quit()
    return reply


def queued(gateway):
    """The recipients in the queue."""
    return sorted(entry["recipient"] for entry in gateway.queue())


def asked(sink):
    """The addresses that the LMTP server was asked about."""
    return [line.decode()[9:-3] for line in sink.commands() if line.startswith(b"RCPT ")]


# --- quota-status ---

def test_a_full_mailbox_is_refused_by_itself():
    """The others of the transaction get the mail."""
    with asking(lambda question: FULL if question["recipient"] == JOE else b"action=DUNNO\n\n") as (gateway, _):
        client = transaction(gateway)
        client.command(f"RCPT TO:<{JOE}>", "552 5.2.2 Mailbox is full")
        client.command(f"RCPT TO:<{ANN}>", "250 ")
        client.command("DATA", "354 ")
        client.send(b"Subject: x\r\n\r\n.\r\n")
        client.expect("250 2.0.0 ")
        client.quit()
        equal(queued(gateway), [ANN], "queue")


def test_dovecots_words_are_passed_on():
    """A 4xx as well, and never as a second line."""
    answers = iter([b"action=452 4.2.2 Later\n\n", b"action=554 5.7.1 No \xe2\x80\xa6 \x1b[1m\n\n", b"action=552\n\n",
                    b"action=421 4.3.2 Bye\n\n"])
    with asking(lambda _: next(answers)) as (gateway, _):
        rcpt(gateway, JOE, "452 4.2.2 Later")
        rcpt(gateway, JOE, "554 5.7.1 No \u2026 ?[1m")
        rcpt(gateway, JOE, "552 5.2.2 ")
        rcpt(gateway, JOE, "450 4.3.2 Bye")


def test_what_is_asked():
    """The mailbox's own address, and the size that MAIL announced."""
    with asking(lambda _: b"action=OK\n\n") as (gateway, service):
        gateway.tmail("alias", "add", "-d", JOE, f"boss@{LOCAL}")
        rcpt(gateway, f"joe+lists@{LOCAL}", "250 ", " SIZE=4711")
        rcpt(gateway, f"boss@{LOCAL}", "250 ")
        rcpt(gateway, f"ann@{LOCAL.upper()}", "250 ")
        questions = [(question["recipient"], question["size"]) for question in service.questions]
        equal(questions, [(JOE, "4711"), (JOE, "0"), (ANN, "0")], "questions")
        equal({question["request"] for question in service.questions}, {"smtpd_access_policy"}, "kind of question")


def test_what_is_not_asked():
    """Aliases to several mailboxes, or to others; domains that are not ours; who is not known."""
    with asking(lambda _: FULL) as (gateway, service):
        gateway.tmail("alias", "add", "-d", f"{JOE};{ANN}", f"both@{LOCAL}")
        gateway.tmail("alias", "add", "-d", "x@elsewhere.example", f"away@{LOCAL}")
        gateway.tmail("rcpthost", "add", OTHER)
        for recipient in (f"both@{LOCAL}", f"away@{LOCAL}", f"joe@{OTHER}"):
            rcpt(gateway, recipient, "250 ")
        rcpt(gateway, f"nobody@{LOCAL}", "550 5.1.1 ")
        equal(service.questions, [], "questions")


def taken_in_spite_of(answer, reason):
    """The mailbox is taken, and the log says why nothing is known of its room."""
    with asking(lambda _: answer) as (gateway, _):
        mark = gateway.mark()
        rcpt(gateway, JOE, "250 ")
        gateway.await_log(rf"level=warning .*event=quota-status mailbox={JOE} .*reason={reason}", mark)


def test_a_service_that_is_silent():
    """For five seconds."""
    taken_in_spite_of(None, '"?timed out')


def test_a_service_that_closes():
    """Without a word, or in the middle of one."""
    taken_in_spite_of(b"", '"connection closed by peer')
    taken_in_spite_of(b"action=552 5.2.2 no\n", '"connection closed by peer')


def test_a_service_that_says_something_else():
    """Another protocol, two actions, no action, a NUL."""
    for answer in (b"220 smtp.example ESMTP\n\n", b"action=OK\naction=552 5.2.2 no\n\n", b"\n\n", b"action=552 5.2.2 \0\n\n"):
        taken_in_spite_of(answer, '"what it says is no answer')


def test_a_service_that_says_too_much():
    """A line without an end, and lines without an end."""
    for answer in (b"action=552 5.2.2 " + b"x" * 100000, b"x=y\n" * 100000):
        taken_in_spite_of(answer, '"the answer is too long')


def test_an_action_that_says_nothing_of_the_room():
    """It is in the log, and the next is asked again."""
    answers = iter([b"action=REJECT Unknown user\n\n", FULL])
    with asking(lambda _: next(answers)) as (gateway, _):
        rcpt(gateway, JOE, "250 ")
        gateway.await_log(r'event=quota-status .*reason="REJECT Unknown user"')
        rcpt(gateway, JOE, "552 5.2.2 ")


def test_a_service_that_is_not_there():
    """Neither its port nor its host."""
    with socket.create_server((fresh_loopback(), 0)) as reserved:
        nobody = "inet:{}:{}".format(*reserved.getsockname())
    for endpoint in (nobody, "unix:/nonexistent/quota-status", "inet:quota.invalid:1"):
        with gateway_with(DOVECOT_QUOTA_STATUS=endpoint) as gateway:
            rcpt(gateway, JOE, "250 ")
            gateway.await_log(r"event=quota-status ")


# --- LMTP probes ---

def test_a_mailbox_that_only_the_server_knows():
    """It is asked for once, with nothing sent, and queued as it was given."""
    with probing("RCPT <no: 550 5.1.1 <no> User doesn't exist") as (gateway, sink):
        client = gateway.session()
        client.mail("a@client.example", [f"Sam.X+y@{LOCAL.upper()}"], b"Subject: x\r\n\r\n")
        client.command("MAIL FROM:<a@client.example>", "250 ")
        reply = client.command(f"RCPT TO:<no@{LOCAL}>", f"550 5.1.1 <no@{LOCAL}>: No such user here")
        check("User doesn't exist" in reply.last, f"the server's words: {reply}")
        client.command(f"RCPT TO:<Sam.X+y@{LOCAL}>", "250 ")
        client.command(f"RCPT TO:<no@{LOCAL}>", "550 5.1.1 ")
        client.quit()
        equal(asked(sink), [f"Sam.X+y@{LOCAL}", f"no@{LOCAL}"], "questions")
        equal(queued(gateway), [f"Sam.X+y@{LOCAL.upper()}"], "queue")
        for session in sink.sessions:
            sink.wait_for(lambda _, session=session: session.ended, "the end of a session")
            equal([line for line in session.commands[1:] if not line.startswith(b"RCPT ")], PROBE, "commands")


def test_case_is_kept():
    """Two that differ in case are two."""
    with probing("RCPT <Sam@: 550 5.1.1 no") as (gateway, sink):
        rcpt(gateway, f"sam@{LOCAL}", "250 ")
        rcpt(gateway, f"Sam@{LOCAL}", "550 5.1.1 ")
        equal(asked(sink), [f"sam@{LOCAL}", f"Sam@{LOCAL}"], "questions")


def test_whom_the_directory_knows_nobody_is_asked_for():
    """Users, aliases, and domains that are not probed."""
    with probing(domains=OTHER) as (gateway, sink):
        rcpt(gateway, f"sam@{LOCAL}", "550 5.1.1 ")
        gateway.tmail("user", "add", "-m", f"joe@{OTHER}", "secret-word")
        gateway.tmail("alias", "add", "-d", JOE, f"boss@{OTHER}")
        for recipient in (f"joe@{OTHER}", f"joe+x@{OTHER}", f"boss@{OTHER}"):
            rcpt(gateway, recipient, "250 ")
        equal(asked(sink), [], "questions")
        rcpt(gateway, f"sam@{OTHER}", "250 ")


def test_all_local_domains():
    """And only those."""
    with probing(domains="*") as (gateway, sink):
        gateway.tmail("user", "add", "-m", f"joe@{OTHER}", "secret-word")
        for domain in (LOCAL, OTHER):
            rcpt(gateway, f"sam@{domain}", "250 ")
        rcpt(gateway, "sam@elsewhere.example", "554 5.7.1 ")
        equal(asked(sink), [f"sam@{LOCAL}", f"sam@{OTHER}"], "questions")


def test_a_probed_mailbox_is_asked_for_room():
    """As any other."""
    with QuotaStatus(lambda question: FULL) as service, probing(DOVECOT_QUOTA_STATUS=service.endpoint) as (gateway, _):
        rcpt(gateway, f"sam@{LOCAL.upper()}", "552 5.2.2 ")
        equal([question["recipient"] for question in service.questions], [f"sam@{LOCAL}"], "questions")


def test_unknown_ones_count():
    """TMAIL_SMTP_MAX_BAD_RCPT."""
    with probing("RCPT: 550 5.1.1 no", SMTP_MAX_BAD_RCPT="2") as (gateway, _):
        client = transaction(gateway)
        for number in range(3):
            client.command(f"RCPT TO:<no{number}@{LOCAL}>", "550 5.1.1 ")
        client.command("NOOP", "421 4.7.0 Too many unknown recipients")
        client.eof()


def test_what_is_unclear_is_temporary():
    """Neither taken nor refused, and it does not count as unknown."""
    replies = ("451 4.3.0 Not now", "452 4.2.2 Full", "500 5.5.2 What", "530 5.7.0 TLS first", "354 Go on")
    script = [f"RCPT <{number}@: {reply}" for number, reply in enumerate(replies)]
    with probing(*script, SMTP_MAX_BAD_RCPT="1") as (gateway, _):
        client = transaction(gateway)
        for number in range(len(replies)):
            client.command(f"RCPT TO:<{number}@{LOCAL}>", "451 4.3.0 ")
        client.quit()


def test_what_the_server_says_of_a_mailbox():
    """Is passed on."""
    with probing("RCPT: 552 5.2.2 Quota exceeded") as (gateway, _):
        rcpt(gateway, f"sam@{LOCAL}", "552 5.2.2 Quota exceeded")


def test_servers_without_extensions():
    """A command at a time."""
    with probing("RCPT <no@: 550 no", offers=()) as (gateway, sink):
        rcpt(gateway, f"sam@{LOCAL}", "250 ")
        rcpt(gateway, f"no@{LOCAL}", "550 5.1.1 ")
        check(not any(session.pipelined for session in sink.sessions), "commands were sent ahead")
        client = transaction(gateway, " SMTPUTF8")
        client.command(f"RCPT TO:<s\u00e4m@{LOCAL}>", "550 5.6.7 ")
        client.quit()


def test_tls():
    """As TMAIL_LMTP_TLS wants it: any, or no questions."""
    pair = Certificates().make("lmtp")
    with probing(tls=pair) as (gateway, sink):
        rcpt(gateway, f"sam@{LOCAL}", "250 ")
        check(sink.sessions[0].tls, "the session was in plain text")
    with probing(LMTP_TLS="encrypt") as (gateway, _):
        rcpt(gateway, f"sam@{LOCAL}", "451 4.4.1 ")
    with probing(tls=pair, LMTP_TLS="verify") as (gateway, sink):
        rcpt(gateway, f"sam@{LOCAL}", "451 4.4.1 ")
        gateway.await_log(r"event=lmtp-probe .*reason=.*TLS")
        equal(asked(sink), [], "questions")


def test_servers_that_break_the_rules():
    """In every place where one can."""
    for script in ("greeting: close", "greeting: 554 5.3.2 Not here", "greeting: raw garbage\\r\\n", "greeting: flood 220-x\\r\\n",
                   "LHLO: 500 5.5.1 What", "LHLO: close", "MAIL: 451 4.3.0 No", "MAIL: 550 5.1.8 No", "MAIL: 421 4.3.2 Bye; close",
                   "RCPT: close", "RCPT: reset", "RCPT: 421 4.3.2 Bye; close", "RCPT: raw \\x00\\xff\\r\\n", "RCPT: raw 250",
                   "RCPT: flood x", "RCPT: flood 250-x\\r\\n"):
        try:
            with probing(script) as (gateway, _):
                rcpt(gateway, f"sam@{LOCAL}", "451 4.")
        except AssertionError as failure:
            raise AssertionError(f"{script}: {failure}") from None


def test_a_server_that_hangs():
    """Does so for ten seconds, for those who ask for its mailboxes; others pass, and the stop ends it at once."""
    with probing("RCPT: hang") as (gateway, sink):
        client = transaction(gateway)
        client.send(f"RCPT TO:<sam@{LOCAL}>\r\n".encode())
        sink.wait_for(asked, "the question")
        rcpt(gateway, JOE, "250 ")
        client.expect("451 4.4.1 ")
        client.quit()


def test_a_stop_while_a_server_hangs():
    """The client gets its answer, and the process its end."""
    with probing("RCPT: hang") as (gateway, sink):
        client = transaction(gateway)
        client.send(f"RCPT TO:<sam@{LOCAL}>\r\n".encode())
        sink.wait_for(asked, "the question")
        gateway.signal(signal.SIGTERM)
        client.expect("451 4.4.1 ")
        client.close()
        equal(gateway.await_exit(), 0, "exit status")


def test_a_server_that_is_not_there():
    """451, and no word of where it would be; what it said before is still known, and soon it is asked again."""
    with probing() as (gateway, sink):
        rcpt(gateway, f"sam@{LOCAL}", "250 ")
        address, port = sink.address, sink.port
        sink.done()
        reply = rcpt(gateway, f"ann2@{LOCAL}", "451 4.4.1 ")
        check(address not in reply.last, f"the client sees our server: {reply}")
        gateway.await_log(rf'event=lmtp-probe server={address}:{port} message="recipients cannot be looked up there"')
        rcpt(gateway, f"sam@{LOCAL}", "250 ")
        with Sink(address, lmtp=True, port=port):
            await_true(lambda: rcpt(gateway, f"ann2@{LOCAL}", "").code == 250, "the server to be asked again")
            gateway.await_log(rf'event=lmtp-probe server={address}:{port} message="recipients can be looked up again"')


def test_the_next_server_answers():
    """One that is not there holds nobody up."""
    with probing("RCPT <no@: 550 5.1.1 no", servers="unix:/nonexistent/lmtp;{}") as (gateway, _):
        rcpt(gateway, f"sam@{LOCAL}", "250 ")
        rcpt(gateway, f"no@{LOCAL}", "550 5.1.1 ")


def test_many_ask_for_the_same():
    """The server is asked once, and all get its answer."""
    with probing("RCPT: gate; 250 2.1.5 Ok", DEBUG_ENABLED="true") as (gateway, sink):
        clients = [transaction(gateway) for _ in range(ASKERS)]
        for client in clients:
            client.send(f"RCPT TO:<sam@{LOCAL}>\r\n".encode())
        await_true(lambda: gateway.log().count(f"RCPT TO:<sam@{LOCAL}>") >= ASKERS, "all to be heard")
        sink.wait_for(asked, "the question")
        sink.gate.set()
        for client in clients:
            client.expect("250 ")
            client.quit()
        equal(asked(sink), [f"sam@{LOCAL}"], "questions")


def test_many_ask_for_different_ones():
    """No more than ten connections at a time, and all are answered."""
    with probing("RCPT: gate; 250 2.1.5 Ok") as (gateway, sink):
        clients = [transaction(gateway) for _ in range(3 * ASKERS)]
        for number, client in enumerate(clients):
            client.send(f"RCPT TO:<sam{number}@{LOCAL}>\r\n".encode())
        sink.wait_for(lambda sink: len(asked(sink)) == ASKERS, f"{ASKERS} questions")
        sink.gate.set()
        for client in clients:
            client.expect("250 ")
            client.quit()
        equal(len(asked(sink)), 3 * ASKERS, "questions")
        check(sink.peak <= ASKERS + 1, f"{sink.peak} connections at a time")


if __name__ == "__main__":
    main()

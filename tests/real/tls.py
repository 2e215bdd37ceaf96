#!/usr/bin/python3
"""TLS and logins with programs of other houses: openssl s_client, swaks, smtplib and posttls-finger (Debian package postfix) as
clients, aiosmtpd (Debian package python3-aiosmtpd) as a next hop that wants both."""

import email.message
import logging
import os
import re
import select
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import need, run  # noqa: E402  pylint: disable=wrong-import-position
from tmail import (ME, PATIENCE, Certificates, Failure, Gateway, Sink, await_true, check, equal,  # noqa: E402  pylint: disable=wrong-import-position
                   free_port, fresh_loopback, main, matches, server_context)

try:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult
except ImportError:
    Controller = AuthResult = None

AUTHORITY = Certificates()
PAIR = AUTHORITY.make("gateway")
JOE, SECRET = "joe@example.com", "a word & more = secret"
LISTENERS = {"smtps": "true", "submission": "false:submission", "submissions": "true:submission"}
PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
VERSIONS = ("1.2", "1.3")


def serving(sink=None, **keys):
    """A gateway with our certificate and joe, who may relay; where there is a sink, all mail goes there."""
    gateway = Gateway({"TMAIL_TLS_CERT": PAIR.cert, "TMAIL_TLS_KEY": PAIR.key, "TMAIL_TLS_CA_FILE": AUTHORITY.ca,
                       "TMAIL_SMTPD_AUTH_FAILURE_DELAY": "0", **keys}, listeners=LISTENERS)
    gateway.tmail("user", "add", "-r", JOE, stdin=SECRET + "\n")
    if sink:
        gateway.tmail("routes", "add", "-rh", sink.address, "-rp", str(sink.port))
    return gateway


def port_of(gateway, at):
    """The port of a listener, and whether TLS begins with the first byte."""
    port, mode = gateway.listeners[at] if at else (gateway.port, "false")
    return str(port), mode.startswith("true")


def received(message):
    """The first field of a message, ours, on one line."""
    return re.sub(r"\r\n[ \t]+", " ", message.content.decode()).split("\r\n")[0]


def trace(version=r"1\.[23]", certificate="none", protocol="ESMTPSA"):
    """What that field must say."""
    return re.compile(rf"^Received: from client\.example \(\[127\.0\.0\.1\]\) \(using TLSv{version} with cipher [\w-]+, "
                      rf"client certificate {certificate}\) by {re.escape(ME)} with {protocol} id \w+")


# --- openssl s_client ---

class SClient:
    """openssl s_client on a listener: what is said to it goes out in lines, and what it says is waited for; a context manager."""

    def __init__(self, gateway, *options, at=None):
        port, at_once = port_of(gateway, at)
        self.said, self.read_to = "", 0
        self.errors = tempfile.TemporaryFile()  # pylint: disable=consider-using-with  -- until __exit__
        self.process = subprocess.Popen(
            [need("openssl", "openssl"), "s_client", "-connect", f"localhost:{port}", "-4", "-crlf", "-CAfile", AUTHORITY.ca,
             *(() if at_once else ("-starttls", "smtp", "-name", "before.example")), *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()

    def say(self, line, answer=""):
        """Type a line, and wait for this at the start of a line of what comes then."""
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failure(f"s_client has ended: {self.everything()}") from None
        return self.wait_for(answer)

    def wait_for(self, answer):
        """Read until a line begins with this; what came before it is read for good."""
        pattern, deadline = re.compile("^" + answer, re.M), time.monotonic() + PATIENCE
        while not (found := pattern.search(self.said, self.read_to)):
            check(self.more(deadline), f"/{answer}/ does not come: {self.everything()}")
        self.read_to = found.end()
        return found

    def more(self, deadline):
        """Read what there is; False at the end."""
        check(select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0], f"nothing comes: {self.everything()}")
        chunk = os.read(self.process.stdout.fileno(), 65536)
        self.said += chunk.decode(errors="replace")
        return bool(chunk)

    def everything(self):
        """All that it said and complained of."""
        self.errors.seek(0)
        return self.said + self.errors.read().decode(errors="replace")

    def end(self):
        """Wait until it has ended; return all that it said."""
        deadline = time.monotonic() + PATIENCE
        while self.more(deadline):
            pass
        self.process.wait(PATIENCE)
        return self.everything()

    def greet(self):
        """EHLO."""
        return self.say("EHLO client.example", "250 HELP")

    def mail(self):
        """One message."""
        self.say(f"MAIL FROM:<{JOE}>", "250 ok")
        self.say("rcpt to:<b@hop.example>", "250 ok")
        self.say("DATA", "354 ")
        self.say("Subject: from s_client\n\n.", "250 2.0.0 Ok: queued")

    def quit(self):
        """In order; return all that it said. In capitals the first letter would be an order to s_client itself."""
        self.say("quit", "221 2.0.0 Bye")
        return self.end()


def only(version):
    """The option of s_client for one version."""
    return f"-tls{version.replace('.', '_')}"


def looked_at(gateway, *options, at=None):
    """One session of EHLO and QUIT; what s_client says of it."""
    with SClient(gateway, *options, at=at) as client:
        client.greet()
        return client.quit()


def test_s_client_sees_our_certificate():
    """Each version on both kinds of listener, verified against the authority and the name."""
    with open(PAIR.cert, encoding="ascii") as file, serving() as gateway:
        ours = PEM.search(file.read())[0]
        for at in (None, "smtps"):
            for version in VERSIONS:
                said = looked_at(gateway, only(version), "-verify_return_error",
                                 "-verify_hostname", "localhost", at=at)
                equal(matches(PEM, said)[0], ours, "certificate")
                check("Verification: OK" in said and "Verified peername: localhost" in said, f"not verified: {said}")
                check(f"New, TLSv{version}, Cipher is " in said, f"another version than {version}: {said}")
                check("Compression: NONE" in said, f"compression: {said}")


def test_s_client_of_an_old_version_is_refused():
    """By an alert of ours, with a client that would go on; and the next one is served."""
    with serving() as gateway:
        for option in ("-tls1", "-tls1_1"):
            for at in (None, "smtps"):
                with SClient(gateway, option, "-cipher", "ALL:@SECLEVEL=0", at=at) as client:
                    said = client.end()
                check("alert protocol version" in said and "Cipher is (NONE)" in said, f"{option}: {said}")
                gateway.await_log("event=tls-failed")
        looked_at(gateway)


def test_s_client_resumes_with_its_ticket():
    """Under both versions, from listener to listener; early data is never asked for."""
    with serving() as gateway:
        for version in VERSIONS:
            option, ticket = only(version), gateway.path(f"ticket-{version}")
            first = looked_at(gateway, option, "-sess_out", ticket)
            check(f"New, TLSv{version}" in first and "TLS session ticket:" in first, f"no ticket: {first}")
            check(version == "1.2" or "Max Early Data: 0\n" in first, f"early data: {first}")
            for at in (None, "smtps"):
                mark = gateway.mark()
                again = looked_at(gateway, option, "-sess_in", ticket, "-early_data", PAIR.cert, at=at)
                check(f"Reused, TLSv{version}" in again, f"not resumed: {again}")
                check("Early data was not sent" in again or version == "1.2", f"early data: {again}")
                gateway.await_log("event=tls .*resumed=yes", mark)


def test_s_client_with_a_ticket_of_another_key():
    """One that was given before a restart is no good, and no harm: a whole handshake comes instead."""
    with serving() as gateway:
        for version in VERSIONS:
            option, ticket = only(version), gateway.path("ticket")
            looked_at(gateway, option, "-sess_out", ticket)
            gateway.restart()
            check(f"New, TLSv{version}" in looked_at(gateway, option, "-sess_in", ticket), "resumed after a restart")


def test_s_client_with_a_certificate_of_its_own():
    """TMAIL_TLS_CLIENT_CA_FILE: Received says what is thought of it, in a resumed session too; none is needed."""
    stranger = Certificates(name="another CA")
    pairs = {"verified": AUTHORITY.make("client"), "not verified": stranger.make("client"), "none": None}
    with Sink() as sink, serving(sink, TMAIL_TLS_CLIENT_CA_FILE=AUTHORITY.ca) as gateway:
        gateway.tmail("relayip", "add", "127.0.0.1")
        count = 0
        for version in VERSIONS:
            for expected, pair in pairs.items():
                own, ticket = ("-cert", pair.cert, "-key", pair.key) if pair else (), gateway.path(f"ticket-{count}")
                for words in (("-sess_out", ticket), ("-sess_in", ticket)):
                    with SClient(gateway, only(version), *own, *words) as client:
                        client.greet()
                        client.mail()
                        said = client.quit()
                    count += 1
                    what = f"{expected}, {words[0]}, TLS {version}"
                    check("Reused, " in said or words[0] == "-sess_out", f"not resumed ({what}): {said}")
                    check("Acceptable client certificate CA names\nCN = CA of the tests" in said or "Reused, " in said, f"not asked for: {said}")
                    matches(trace(re.escape(version), expected, "ESMTPS"), received(sink.wait(count)[-1]), what)


def test_s_client_that_renegotiates():
    """Refused, whether it is s_client's own (`R`) or in the middle of a transaction; others do not notice."""
    with serving() as gateway, gateway.secure_session() as other:
        for lines in ((), (f"MAIL FROM:<{JOE}>",)):
            with SClient(gateway, "-tls1_2") as client:
                client.greet()
                for line in lines:
                    client.say(line, "250 ok")
                mark = gateway.mark()
                client.say("R")
                said = client.end()
                check("RENEGOTIATING" in said and "no renegotiation" in said, f"not refused: {said}")
                gateway.await_log("event=disconnect", mark)
        other.command("NOOP", "250 ")
        other.quit()
        looked_at(gateway)


def test_s_client_that_updates_its_keys():
    """RFC 8446 4.6.3: its own (`k`), and ours as well (`K`)."""
    with serving() as gateway, SClient(gateway, "-tls1_3") as client:
        client.greet()
        for count, letter in enumerate("kKkK", 1):
            client.say(letter)
            await_true(lambda count=count: client.everything().count("KEYUPDATE") == count, client.everything)
            client.say("noop", "250 2.0.0 ok")
        client.quit()


# --- swaks ---

def swaks(gateway, at, *options, status=0):
    """swaks sends a message as joe; its transcript. It must end with this status."""
    port, at_once = port_of(gateway, at)
    return run("/bin/sh", "-c", f'"$@" 2>&1; test $? -eq {status} || exit 1', "sh", need("swaks", "swaks"), "--server", "127.0.0.1",
               "--port", port, "--tls-on-connect" if at_once else "--tls", "--tls-verify", "--tls-ca-path", AUTHORITY.ca,
               "--helo", "client.example", "--from", JOE, "--to", "b@hop.example", "--auth-user", JOE, *options)


def test_swaks_logs_in_by_each_of_its_mechanisms():
    """Over STARTTLS and TLS from the first byte; the message says how it came."""
    with Sink() as sink, serving(sink) as gateway:
        for count, (at, mechanism) in enumerate((at, mechanism) for at in ("submission", "submissions") for mechanism in MECHANISMS):
            transcript = swaks(gateway, at, "--auth", mechanism, "--auth-password", SECRET, "--header", f"Subject: by {mechanism}")
            check(f"AUTH {mechanism}" in transcript and "Ok: queued" in transcript, f"transcript: {transcript}")
            message = sink.wait(count + 1)[-1]
            equal((message.sender, message.recipients), (JOE, ["b@hop.example"]), "envelope")
            matches(trace(), received(message))
            check(f"\r\nSubject: by {mechanism}\r\n".encode() in message.content, f"message: {message.content!r}")
            gateway.await_log(rf"event=login .*login={JOE} mechanism={mechanism} tls=yes")


def test_swaks_under_the_older_version_with_a_certificate():
    """Both together with a login."""
    pair = AUTHORITY.make("swaks")
    with Sink() as sink, serving(sink, TMAIL_TLS_CLIENT_CA_FILE=AUTHORITY.ca) as gateway:
        swaks(gateway, "submission", "--auth", "PLAIN", "--auth-password", SECRET, "--tls-protocol", "tlsv1_2",
              "--tls-cert", pair.cert, "--tls-key", pair.key)
        matches(trace(r"1\.2", "verified"), received(sink.wait(1)[0]))


def test_swaks_with_a_wrong_password():
    """535 to each mechanism, no message, and swaks ends with the status that it has for that."""
    with Sink() as sink, serving(sink) as gateway:
        for mechanism in MECHANISMS:
            transcript = swaks(gateway, "submission", "--auth", mechanism, "--auth-password", SECRET[:-1], status=28)
            check("<~* 535 5.7.8 " in transcript and "MAIL FROM" not in transcript, f"transcript: {transcript}")
        equal(sink.messages, [], "messages")


def test_swaks_without_a_login_or_tls():
    """Submission is for those who log in, and passwords are for TLS."""
    with serving() as gateway:
        port = port_of(gateway, "submission")[0]
        words = (need("swaks", "swaks"), "--server", "127.0.0.1", "--port", port, "--from", JOE, "--to", "b@hop.example")
        said = run("/bin/sh", "-c", '"$@"; test $? -eq 23', "sh", *words, "--tls")
        check("530 5.7.0 " in said, f"transcript: {said}")
        for mechanism in ("PLAIN", "LOGIN"):
            said = run("/bin/sh", "-c", '"$@" 2>&1; test $? -eq 28', "sh", *words, "--auth", mechanism, "--auth-user", JOE, "--auth-password", SECRET)
            check("requested type not available" in said and "-> AUTH" not in said, f"transcript: {said}")


# --- smtplib ---

def a_message(subject):
    """A message as a program of today makes it."""
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = JOE, "b@hop.example", subject
    message.set_content("Hello.\n")
    return message


def smtplib_client(gateway, at):
    """smtplib under TLS, with the certificate verified."""
    port, at_once = port_of(gateway, at)
    context = ssl.create_default_context(cafile=AUTHORITY.ca)
    if at_once:
        return smtplib.SMTP_SSL("localhost", int(port), "client.example", timeout=PATIENCE, context=context)
    client = smtplib.SMTP("localhost", int(port), "client.example", timeout=PATIENCE)
    equal(client.starttls(context=context)[0], 220, "STARTTLS")
    return client


def test_smtplib_logs_in_in_its_own_order():
    """CRAM-MD5, then PLAIN, then LOGIN: the first of them that is offered."""
    with Sink() as sink, serving(sink) as gateway:
        count = 0
        for offered, expected in (("SCRAM-SHA-256-PLUS, SCRAM-SHA-256, CRAM-MD5, PLAIN, LOGIN", "CRAM-MD5"), ("LOGIN, PLAIN", "PLAIN"), ("LOGIN", "LOGIN")):
            gateway.config["TMAIL_SMTPD_AUTH_MECHANISMS"] = offered
            gateway.reload()
            for at in ("submission", "submissions"):
                mark = gateway.mark()
                with smtplib_client(gateway, at) as client:
                    equal(client.login(JOE, SECRET)[0], 235, "login")
                    equal(client.send_message(a_message(f"by {expected}")), {}, "refused recipients")
                gateway.await_log(rf"event=login .*login={JOE} mechanism={expected} tls=yes", mark)
                count += 1
                message = sink.wait(count)[-1]
                matches(re.compile(trace().pattern.replace(r"\(\[127\.0\.0\.1\]\)", r"\(\[(?:127\.0\.0\.1|IPv6:::1)\]\)")), received(message))
                check(f"Subject: by {expected}\r\n".encode() in message.content, f"message: {message.content!r}")


def test_smtplib_with_and_without_an_initial_response():
    """RFC 4954 section 4: both are the same login."""
    with serving() as gateway:
        for mechanism, initial in (("PLAIN", True), ("PLAIN", False), ("LOGIN", True), ("LOGIN", False), ("CRAM-MD5", False)):
            with smtplib_client(gateway, "submission") as client:
                client.ehlo()
                client.user, client.password = JOE, SECRET
                answer = client.auth(mechanism, getattr(client, f"auth_{mechanism.lower().replace('-', '_')}"), initial_response_ok=initial)
                equal(answer[0], 235, f"{mechanism}, initial response {initial}")


def test_smtplib_with_a_wrong_password():
    """It tries all that it knows, is told 535, and may try again in the same session."""
    with serving() as gateway, smtplib_client(gateway, "submission") as client:
        for login, password in ((JOE, "wrong"), ("nobody@example.com", SECRET)):
            try:
                client.login(login, password)
                check(False, f"{login} has logged in by {password!r}")
            except smtplib.SMTPAuthenticationError as error:
                equal((error.smtp_code, error.smtp_error[:6]), (535, b"5.7.8 "), "answer")
        equal(client.login(JOE, SECRET)[0], 235, "login")


# --- posttls-finger ---

def finger(gateway, at, *options):
    """What Postfix's SMTP client would make of a listener whose certificate must be good for localhost."""
    port, at_once = port_of(gateway, at)
    return run(need("posttls-finger", "postfix"), "-c", "-l", "secure", "-F", AUTHORITY.ca, "-L", "summary,certmatch,cache", *(("-w",) if at_once else ()),
               *options, f"[127.0.0.1]:{port}", "localhost")


def test_posttls_finger():
    """Verified on both kinds of listener, and with a ticket the second time."""
    with serving() as gateway:
        for at in (None, "smtps"):
            for version in VERSIONS:
                said = finger(gateway, at, "-p", "TLSv1.2" if version == "1.2" else "TLSv1.3", "-r", "1", "-m", "1")
                equal(said.count(f": Verified TLS connection established to 127.0.0.1[127.0.0.1]:{port_of(gateway, at)[0]}: TLSv{version} with cipher"), 2,
                      f"verified connections in {said}")
                check("Reusing old session" in said, f"no session is used again: {said}")


# --- aiosmtpd ---

class Hop:
    """An aiosmtpd server under TLS where joe has a login; a context manager. `logins` are those that it was shown, `taken` its messages."""

    def __init__(self, password=SECRET, at_once=False, **options):
        if Controller is None:
            raise Failure("package python3-aiosmtpd is missing")
        self.password, self.logins, self.taken = password, [], []
        self.address = fresh_loopback()
        self.port = free_port((self.address,))
        context = server_context(AUTHORITY.make(self.address, hosts=[], ips=[self.address]))
        # aiosmtpd's own AUTH knows nothing of TLS that was there before its greeting, and warns.
        warnings.filterwarnings("ignore", "Requiring AUTH", UserWarning)
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        tls = {"ssl_context": context, "auth_require_tls": False} if at_once else {"tls_context": context, "require_starttls": True}
        self.controller = Controller(self, hostname=self.address, port=self.port, authenticator=self.authenticate, auth_required=True, **tls, **options)

    def __enter__(self):
        self.controller.start()
        return self

    def __exit__(self, *_):
        self.controller.stop()

    def authenticate(self, _server, _session, _envelope, mechanism, data):
        """aiosmtpd's question."""
        self.logins.append((mechanism, data.login.decode(), data.password.decode()))
        return AuthResult(success=self.logins[-1][1:] == (JOE, self.password), handled=False, auth_data=data)

    async def handle_DATA(self, server, session, envelope):  # pylint: disable=invalid-name  -- aiosmtpd's name
        """Keep a message, and under what it came."""
        self.taken.append((envelope, session.authenticated, server.transport.get_extra_info("ssl_object").version()))
        return "250 2.0.0 Kept"

    def wait(self, count=1):
        """Wait for so many messages."""
        await_true(lambda: len(self.taken) >= count, f"{count} messages")
        return self.taken


def forwarding(hop, *route):
    """A gateway whose mail for hop.example goes there, as joe."""
    gateway = serving()
    gateway.tmail("relayip", "add", "127.0.0.1")
    gateway.tmail("routes", "add", "-d", "hop.example", "-rh", hop.address, "-rp", str(hop.port), "-rl", JOE, *route, stdin=SECRET + "\n")
    return gateway


def send(gateway):
    """A message for the next hop."""
    with gateway.session() as client:
        client.mail("a@client.example", ["b@hop.example"], b"Subject: for aiosmtpd\r\n\r\nHello.\r\n")
        client.quit()


def outcome(gateway, since):
    """What becomes of it: a line of the log."""
    return gateway.await_log(r"event=(delivered|deferred|failed) .*recipient=b@hop\.example .*", since).string


def test_aiosmtpd_that_wants_tls_and_a_login():
    """It gets both, and the mail; again for a second message."""
    for at_once, excluded, mechanism in ((False, [], "PLAIN"), (False, ["PLAIN"], "LOGIN"), (True, [], "PLAIN"), (True, ["PLAIN"], "LOGIN")):
        with Hop(at_once=at_once, auth_exclude_mechanism=excluded) as hop, forwarding(hop, *(("--tls", "verify+smtps") if at_once else ())) as gateway:
            for count in (1, 2):
                mark = gateway.mark()
                send(gateway)
                line = outcome(gateway, mark)
                check("event=delivered" in line, f"not delivered: {line}")
                envelope, logged_in, version = hop.wait(count)[-1]
                equal((envelope.mail_from, envelope.rcpt_tos, logged_in, version), ("a@client.example", ["b@hop.example"], True, "TLSv1.3"), "message")
                check(b"Subject: for aiosmtpd\r\n\r\nHello.\r\n" in envelope.content, f"content: {envelope.content!r}")
            check({(mechanism, JOE, SECRET)} == set(hop.logins), f"logins: {hop.logins!r}")
            gateway.await_empty_queue()


def test_aiosmtpd_that_has_another_password():
    """The mail waits, however often it is tried, and goes once the route has the right password."""
    with Hop("another word") as hop, forwarding(hop) as gateway:
        send(gateway)
        for attempts in (1, 2):
            entry = gateway.await_queue(lambda entries, attempts=attempts: next((entry for entry in entries if entry["attempts"] == attempts
                                                                                 and entry["status"] != "in-progress"), None), f"{attempts} attempts")
            equal(entry["status"], "scheduled", "status")
            check("535 Authentication credentials invalid" in entry["reason"] and SECRET not in entry["reason"], f"reason: {entry['reason']}")
            if attempts == 1:
                gateway.tmail("queue", "flush")
        equal((hop.logins, hop.taken), ([("PLAIN", JOE, SECRET)] * 2, []), "logins and messages")
        number = matches(re.compile(r"\d+"), gateway.tmail("routes", "list"))[0]
        gateway.tmail("routes", "del", number)
        gateway.tmail("routes", "add", "-d", "hop.example", "-rh", hop.address, "-rp", str(hop.port), "-rl", JOE, stdin="another word\n")
        mark = gateway.mark()
        gateway.tmail("queue", "flush")
        line = outcome(gateway, mark)
        check("event=delivered" in line, f"not delivered: {line}")
        equal(hop.wait(1)[0][0].rcpt_tos, ["b@hop.example"], "recipients")
        gateway.await_empty_queue()
        check("event=failed" not in gateway.log(), f"a failure in the log:\n{gateway.log_tail()}")


if __name__ == "__main__":
    main()

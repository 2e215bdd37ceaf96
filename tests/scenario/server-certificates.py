#!/usr/bin/python3
"""Issue 3, item 1: the server's certificates: made at first, changed under load, chosen by name, refused; what clients show of theirs."""

import os
import re
import shutil
import signal
import socket
import ssl
import stat
import sys
import threading
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from peers import need, run  # noqa: E402  pylint: disable=wrong-import-position
from tmail import (ME, Certificates, Gateway, Sink, await_true, check,  # noqa: E402  pylint: disable=wrong-import-position
                   client_context, equal, main)

AUTHORITY = Certificates()
OTHER = Certificates(name="another CA")


def der(pair):
    """A certificate in DER."""
    with open(pair.cert, encoding="ascii") as file:
        return ssl.PEM_cert_to_DER_cert(file.read())


def put(gateway, pair, name="server", folder="ssl"):
    """Put a pair of files where the gateway looks, each at once, the key first; return their paths."""
    paths = []
    for path, end in ((pair.key, "key"), (pair.cert, "crt")):
        to = gateway.path(folder, f"{name}.{end}")
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copyfile(path, to + ".new")
        os.chmod(to + ".new", 0o600)
        os.replace(to + ".new", to)
        paths.insert(0, to)
    return paths


def gateway_with(pair=None, start=True, config=None):
    """A gateway with that pair, or none, as its certificate, and a TLS listener."""
    gateway = Gateway({"TMAIL_DELIVERD_LAUNCH": "false", **(config or {})}, start=False, listeners={"smtps": "true"})
    if pair:
        put(gateway, pair)
    if start:
        gateway.start()
    return gateway


def shown(gateway, host="localhost", context=None):
    """The certificate that a new connection is shown, in DER; one that does not verify raises ssl.SSLError."""
    with socket.create_connection(("127.0.0.1", gateway.listeners["smtps"][0]), 30) as plain:
        with (context or client_context()).wrap_socket(plain, server_hostname=host) as sock:
            return sock.getpeercert(True)


# --- made at the first start ---

def test_a_pair_is_made_where_there_is_none():
    """Self-signed, P-256, for TMAIL_ME, the key 0600, and the log says so; it is kept."""
    with gateway_with() as gateway:
        cert, key = gateway.path("ssl", "server.crt"), gateway.path("ssl", "server.key")
        equal(stat.S_IMODE(os.stat(key).st_mode), 0o600, "mode of the key")
        line = gateway.await_log("event=certificate-made").string
        check(cert in line and key in line and "self-signed" in line, f"the log: {line}")
        authority = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.load_verify_locations(cert)
        with gateway.client(at=None) as client:
            client.greet()
            secure = client.starttls(authority, ME)
            check(b"\x2a\x86\x48\xce\x3d\x03\x01\x07" in secure.peer, "not a key on P-256")
            client.command("EHLO client.example", "250 ")
            client.quit()
        first = shown(gateway)
        mark = gateway.mark()
        gateway.restart()
        equal(shown(gateway), first, "certificate after a restart")
        check("certificate-made" not in "\n".join(gateway.log().splitlines()[mark:]), "it was made again")


def test_a_path_of_its_own():
    """TMAIL_TLS_CERT and TMAIL_TLS_KEY; only where both are missing is a pair made."""
    pair = AUTHORITY.make("own")
    with gateway_with(start=False) as gateway:
        gateway.config |= {"TMAIL_TLS_CERT": pair.cert, "TMAIL_TLS_KEY": pair.key}
        gateway.write_config()
        gateway.start()
        equal(shown(gateway, context=client_context(AUTHORITY.ca)), der(pair), "certificate")
        check(not os.path.exists(gateway.path("ssl")), "a pair was made all the same")


def start_refused(gateway, *pieces):
    """`run` ends with status 78 and says all these pieces."""
    result = gateway.run("run")
    equal(result.status, 78, f"exit status ({result.err!r})")
    for piece in pieces:
        check(piece in result.err + result.out, f"{piece!r} is not in {result.err!r}")


def test_one_file_of_the_two_is_no_pair():
    """Nothing is made over what is there; the start is refused with the name of what is missing."""
    for missing in ("crt", "key"):
        with gateway_with(AUTHORITY.make("half"), start=False) as gateway:
            os.remove(gateway.path("ssl", f"server.{missing}"))
            start_refused(gateway, gateway.path("ssl", f"server.{missing}"))
            check(not os.path.exists(gateway.path("ssl", f"server.{missing}")), "the file was made")


def test_the_start_is_refused_with_the_key_of_another_certificate():
    """Both files are named."""
    with gateway_with(AUTHORITY.make("one"), start=False) as gateway:
        shutil.copyfile(AUTHORITY.make("two").key, gateway.path("ssl", "server.key"))
        start_refused(gateway, gateway.path("ssl", "server.crt"), gateway.path("ssl", "server.key"))


def test_the_start_is_refused_with_files_that_are_none():
    """Empty, cut short, something else; the file is named."""
    pair = AUTHORITY.make("cut")
    for name, data in (("server.crt", b""), ("server.crt", pair.read()[0][:300]), ("server.crt", b"\0" * 5000),
                       ("server.crt", pair.read()[1]), ("server.key", b""), ("server.key", pair.read()[1][:60]),
                       ("server.key", pair.read()[0])):
        with gateway_with(pair, start=False) as gateway:
            gateway.write_file(f"ssl/{name}", data)
            start_refused(gateway, gateway.path("ssl", name))


# --- changed while it runs ---

def test_a_new_pair_is_used_without_a_word():
    """No restart, no signal; a session of before goes on."""
    old, new = AUTHORITY.make("old"), AUTHORITY.make("new")
    with gateway_with(old) as gateway, gateway.secure_session(at="smtps") as kept:
        equal(shown(gateway), der(old), "certificate")
        put(gateway, new)
        await_true(lambda: shown(gateway) == der(new), "the new certificate")
        equal(starttls_shown(gateway), der(new), "certificate by STARTTLS")
        kept.command("NOOP", "250 ")
        kept.quit()


def unheard(pid):
    """What the parent has said to a child, which has not listened yet, in octets: of the socket that is its control."""
    inode = os.readlink(f"/proc/{pid}/fd/3").strip("socket:[]")
    found = re.search(rf"^\S+ +\S+ +(\d+) +\d+ +\S+ {inode} ", run(need("ss", "iproute2"), "--unix", "--all"), re.M)
    return int(found[1]) if found else 0


def test_a_pair_that_a_dead_child_was_told_of_is_not_lost():
    """smtpd stands still, is told of a new pair, and dies before it has heard: the next one has the new pair from its first moment."""
    old, new = AUTHORITY.make("untold"), AUTHORITY.make("told")
    with gateway_with(old) as gateway:
        gateway.await_children(0)
        victim, mark = gateway.child("smtpd"), gateway.mark()
        os.kill(victim, signal.SIGSTOP)
        put(gateway, new)
        await_true(lambda: unheard(victim), "the parent to tell of the new pair")
        os.kill(victim, signal.SIGKILL)
        gateway.await_log(r"event=child-ready child=smtpd\b", mark)
        equal(shown(gateway), der(new), "certificate")
        check("event=certificates " not in "\n".join(line for line in gateway.log().splitlines() if "level=error" in line), "an error")
        third = AUTHORITY.make("third")
        put(gateway, third)
        await_true(lambda: shown(gateway) == der(third), "a third pair")


def starttls_shown(gateway):
    """The certificate that STARTTLS shows."""
    with gateway.client() as client:
        client.greet()
        return client.starttls().peer


def test_pairs_that_do_not_fit_are_refused_while_it_runs():
    """The old pair stays in use, the log has both names, and a right pair is taken after it."""
    old, new = AUTHORITY.make("before"), AUTHORITY.make("after")
    with gateway_with(old) as gateway:
        mark = gateway.mark()
        cert, key = gateway.path("ssl", "server.crt"), gateway.path("ssl", "server.key")
        shutil.copyfile(new.key, key)
        gateway.await_log(rf"level=(?:warning|error)(?=.*{re.escape(cert)}).*{re.escape(key)}", mark)
        equal(shown(gateway), der(old), "certificate")
        put(gateway, new)
        await_true(lambda: shown(gateway) == der(new), "the new certificate")
        mark = gateway.mark()
        gateway.write_file("ssl/server.crt", b"no certificate")
        gateway.await_log(rf"level=(?:warning|error).*{re.escape(cert)}", mark)
        equal(shown(gateway), der(new), "certificate")
        mark = gateway.mark()
        os.remove(cert)
        gateway.await_log(rf"level=(?:warning|error).*{re.escape(cert)}", mark)
        equal(shown(gateway), der(new), "certificate while the file is away")
        put(gateway, old)
        await_true(lambda: shown(gateway) == der(old), "the certificate of before")


def test_a_reload_is_refused_with_the_key_of_another_certificate():
    """SIGHUP: the old children stay, and both names are in the log."""
    old = AUTHORITY.make("stays")
    with gateway_with(old) as gateway:
        gateway.await_children(0)
        wrong = gateway.write_file("wrong.key", AUTHORITY.make("wrong").read()[1])
        gateway.config |= {"TMAIL_TLS_CERT": gateway.path("ssl", "server.crt"), "TMAIL_TLS_KEY": wrong}
        gateway.write_config()
        mark, before = gateway.mark(), gateway.child("smtpd")
        gateway.signal(1)
        gateway.await_log(rf"event=reload-refused(?=.*{re.escape(wrong)}).*{re.escape(gateway.path('ssl', 'server.crt'))}", mark)
        equal((gateway.child("smtpd"), shown(gateway)), (before, der(old)), "child and certificate")


def test_a_reload_is_refused_when_the_pair_is_away():
    """A folder that is being swapped, a file system that is not there: no self-signed pair takes the place of what was trusted."""
    old = AUTHORITY.make("away")
    with gateway_with(old) as gateway:
        gateway.await_children(0)
        mark, before = gateway.mark(), gateway.child("smtpd")
        os.rename(gateway.path("ssl"), gateway.path("ssl.away"))
        gateway.signal(1)
        gateway.await_log(r"event=reload-refused.*server\.crt", mark)
        equal((gateway.child("smtpd"), shown(gateway), os.path.exists(gateway.path("ssl"))), (before, der(old), False),
              "child, certificate, folder")
        os.rename(gateway.path("ssl.away"), gateway.path("ssl"))
        gateway.reload()
        equal(shown(gateway), der(old), "certificate")


class Load:
    """Clients that make sessions one after the other until told to stop, each with a handshake and a message."""

    def __init__(self, gateway, count=6):
        self.gateway, self.stop = gateway, threading.Event()
        self.failures, self.seen, self.sessions = [], {}, 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        """One client: TLS from the first byte or by STARTTLS, one version or the other, a message in every session."""
        context = client_context(version=("1.2", "1.3")[number % 2])
        while not self.stop.is_set():
            try:
                with self.gateway.secure_session(at="smtps" if number % 3 else None, context=context) as client:
                    peer = client.wire.secure.peer
                    client.mail("a@client.example", ["b@example.com"], b"Subject: x\r\n\r\n")
                    client.quit()
                with self.lock:
                    self.sessions += 1
                    self.seen[peer] = self.seen.get(peer, 0) + 1
            except Exception as error:  # pylint: disable=broad-except  -- every failure counts
                self.failures.append(f"{type(error).__name__}: {error}")

    def end(self):
        """Stop; no session may have failed."""
        self.stop.set()
        for thread in self.threads:
            thread.join()
        equal(self.failures, [], "failures")


def test_certificates_are_swapped_under_load():
    """Pairs are put there one after the other while clients come and go: no session fails, each pair is seen."""
    pairs = [AUTHORITY.make(f"swap{number}") for number in range(6)]
    with gateway_with(pairs[0]) as gateway:
        gateway.tmail("rcpthost", "add", "example.com")
        load = Load(gateway)
        try:
            for pair in pairs[1:]:
                put(gateway, pair)
                await_true(lambda pair=pair: load.failures or load.seen.get(der(pair)), "the new certificate")
        finally:
            load.end()
        check(set(load.seen) <= {der(pair) for pair in pairs}, "a certificate that is none of them")
        check(load.sessions > 50, f"{load.sessions} sessions")


def test_certificates_are_swapped_under_load_with_reloads():
    """And with SIGHUP in between, which changes the processes, too."""
    pairs = [AUTHORITY.make(f"hup{number}") for number in range(4)]
    with gateway_with(pairs[0]) as gateway:
        gateway.tmail("rcpthost", "add", "example.com")
        load = Load(gateway, 4)
        try:
            for pair in pairs[1:]:
                put(gateway, pair)
                gateway.reload()
                await_true(lambda pair=pair: load.failures or load.seen.get(der(pair)), "the new certificate")
        finally:
            load.end()


# --- by name ---

def test_certificates_are_chosen_by_name():
    """TMAIL_TLS_SNI_DIR: exact names in any case, one label for `*`, the standing pair for all others; changes are seen."""
    default = AUTHORITY.make("default", hosts=["mx.tmail.test"])
    named = {host: AUTHORITY.make(f"sni-{number}", hosts=[host]) for number, host in
             enumerate(("mail.one.example", "mail.two.example", "*.wild.example"))}
    with gateway_with(default, start=False) as gateway:
        for host, pair in named.items():
            put(gateway, pair, host, "sni")
        gateway.config["TMAIL_TLS_SNI_DIR"] = gateway.path("sni")
        gateway.write_config()
        gateway.start()
        for host, expected in (("mail.one.example", "mail.one.example"), ("MAIL.Two.example", "mail.two.example"),
                               ("a.wild.example", "*.wild.example"), ("a.b.wild.example", None), ("wild.example", None),
                               ("one.example", None), ("elsewhere.example", None), (None, None), ("mail.one.example.evil.example", None),
                               ("x" * 60 + ".example", None)):
            equal(shown(gateway, host), der(named[expected] if expected else default), f"certificate for {host}")
        context = client_context(AUTHORITY.ca)
        for host in ("mail.one.example", "mail.two.example", "any.wild.example"):
            shown(gateway, host, context)
        later, fourth = AUTHORITY.make("later", hosts=["mail.one.example"]), AUTHORITY.make("fourth", hosts=["mail.four.example"])
        put(gateway, later, "mail.one.example", "sni")
        put(gateway, fourth, "mail.four.example", "sni")
        await_true(lambda: shown(gateway, "mail.one.example") == der(later), "the changed certificate")
        await_true(lambda: shown(gateway, "mail.four.example") == der(fourth), "the added certificate")
        for end in ("crt", "key"):
            os.remove(gateway.path("sni", f"mail.two.example.{end}"))
        await_true(lambda: shown(gateway, "mail.two.example") == der(default), "the removed certificate to be no more")


def test_a_bad_pair_among_the_named():
    """The start is refused with both names; while it runs, what is in use stays."""
    good = AUTHORITY.make("fine", hosts=["mail.one.example"])
    with gateway_with(AUTHORITY.make("standing"), start=False) as gateway:
        cert, key = put(gateway, good, "mail.one.example", "sni")
        shutil.copyfile(AUTHORITY.make("foreign").key, key)
        gateway.config["TMAIL_TLS_SNI_DIR"] = gateway.path("sni")
        gateway.write_config()
        start_refused(gateway, cert, key)
        put(gateway, good, "mail.one.example", "sni")
        gateway.start()
        mark = gateway.mark()
        shutil.copyfile(AUTHORITY.make("foreign").key, key)
        gateway.await_log(rf"level=(?:warning|error)(?=.*{re.escape(cert)}).*{re.escape(key)}", mark)
        equal(shown(gateway, "mail.one.example"), der(good), "certificate")


# --- clients ---

def test_sessions_are_resumed_with_tickets():
    """RFC 8446 2.2, RFC 5077: a client that comes again with its ticket, also over STARTTLS and after new certificates."""
    with gateway_with(AUTHORITY.make("tickets")) as gateway:
        for version in ("1.2", "1.3"):
            context = client_context(version=version)
            with gateway.secure_session(context=context) as client:
                check(not client.wire.secure.resumed, "resumed at first")
                ticket = client.wire.sock.session
                client.quit()
            with gateway.client() as client:
                client.greet()
                check(client.starttls(context, session=ticket).resumed, f"not resumed under {version}")
                client.command("EHLO client.example", "250 ")
                gateway.await_log(r"event=tls .*resumed=(?:true|yes)")
                client.quit()
        new = AUTHORITY.make("tickets-new")
        put(gateway, new)
        await_true(lambda: shown(gateway) == der(new), "the new certificate")
        with gateway.client() as client:
            client.greet()
            client.starttls(context, session=ticket)
            client.command("EHLO client.example", "250 ")
            client.quit()


def test_old_versions_are_refused():
    """TLS 1.1 never; TLS 1.2 not where TMAIL_TLS_MIN_VERSION is 1.3."""
    for least, refused, taken in (("1.2", ssl.TLSVersion.TLSv1_1, "1.2"), ("1.3", ssl.TLSVersion.TLSv1_2, "1.3")):
        with gateway_with(AUTHORITY.make("versions"), config={"TMAIL_TLS_MIN_VERSION": least}) as gateway:
            context = client_context()
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = refused
            try:
                shown(gateway, context=context)
                check(False, f"{refused.name} was taken with {least}")
            except (ssl.SSLError, ConnectionError):
                gateway.await_log("event=tls-failed")
            shown(gateway, context=client_context(version=taken))


def test_a_tls_listener_says_nothing_in_plain_text():
    """Bytes that are no handshake end the connection, and no reply comes; others are served."""
    with gateway_with(AUTHORITY.make("plain")) as gateway:
        for data in (b"EHLO client.example\r\nQUIT\r\n", b"\0" * 1000, b"\x16\x03\x01\xff\xff" + b"x" * 1000,
                     b"GET / HTTP/1.0\r\n\r\n", b""):
            with socket.create_connection(("127.0.0.1", gateway.listeners["smtps"][0]), 10) as sock:
                sock.sendall(data)
                if not data:
                    sock.shutdown(socket.SHUT_WR)
                said = b""
                try:
                    while more := sock.recv(4096):
                        said += more
                except ConnectionError:
                    pass
                check(b"220" not in said and b"5" not in said and len(said) < 100, f"it said {said!r} to {data[:20]!r}")
            shown(gateway)


def test_a_client_that_never_shakes_hands_is_let_go():
    """After the time that a silent client has; others are served meanwhile."""
    with gateway_with(AUTHORITY.make("silent"), config={"TMAIL_SMTPD_SERVER_TIMEOUT": "2s"}) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.listeners["smtps"][0]), 30) as sock, gateway.client() as client:
            client.greet()
            client.command("STARTTLS", "220 ")
            shown(gateway)
            sock.settimeout(30)
            check(len(sock.recv(4096)) < 100, "end of the silent connection")
            check(len(client.wire.sock.recv(4096)) < 100, "end of the connection that said STARTTLS alone")


def received(gateway, sink, context):
    """The trace field of a message from a client with this context."""
    count = len(sink.messages)
    with gateway.secure_session(at="smtps", context=context) as client:
        client.mail("a@client.example", ["b@example.com"], b"Subject: x\r\n\r\n")
        client.quit()
    return re.sub(r"\r\n[ \t]", " ", sink.wait(count + 1)[count].content.decode()).split("\r\n")[0]


def test_certificates_of_clients_are_told_and_never_needed():
    """TMAIL_TLS_CLIENT_CA_FILE: verified, not verified, none, in Received and in the log; without it nobody is asked."""
    with Sink() as sink:
        for config, contexts in (({"TMAIL_TLS_CLIENT_CA_FILE": OTHER.ca},
                                  {"verified": OTHER.make("joe", ips=[], hosts=["joe.example"]),
                                   "not verified": AUTHORITY.make("ann", ips=[]), "none": None}),
                                 ({}, {"none": OTHER.make("unasked")})):
            with gateway_with(AUTHORITY.make("asks"), config={"TMAIL_DELIVERD_LAUNCH": "true", **config}) as gateway:
                gateway.tmail("rcpthost", "add", "example.com")
                gateway.route("example.com", sink)
                for expected, pair in contexts.items():
                    for version in ("1.2", "1.3"):
                        mark = gateway.mark()
                        field = received(gateway, sink, client_context(pair=pair, version=version))
                        check(re.search(rf"\(using TLSv{version} with cipher [\w-]+, client certificate {expected}\)", field),
                              f"{expected}: {field}")
                        gateway.await_log(rf"""event=tls .*client_certificate="?{expected}"?""", mark)
        gone = OTHER.make("expired", expired=True)
        with gateway_with(AUTHORITY.make("asks"), config={"TMAIL_DELIVERD_LAUNCH": "true",
                                                          "TMAIL_TLS_CLIENT_CA_FILE": OTHER.ca}) as gateway:
            gateway.tmail("rcpthost", "add", "example.com")
            gateway.route("example.com", sink)
            check("client certificate not verified)" in received(gateway, sink, client_context(pair=gone)), "an expired one was verified")


def test_keys_stay_the_parents():
    """Started as root, the children are somebody else, and the key is root's alone, 0600; new ones are read all the same."""
    if os.geteuid() != 0:
        return
    with gateway_with(AUTHORITY.make("roots")) as gateway:
        equal((os.stat(gateway.path("ssl", "server.key")).st_uid, os.stat(gateway.path("ssl", "server.key")).st_mode & 0o777), (0, 0o600),
              "owner, mode")
        check(os.stat(f"/proc/{gateway.child('smtpd')}").st_uid != 0, "smtpd is root")
        new = AUTHORITY.make("roots2")
        put(gateway, new)
        await_true(lambda: shown(gateway) == der(new), "the new certificate")
        check("PRIVATE" not in gateway.log(), "a key is in the log")


if __name__ == "__main__":
    main()

#!/usr/bin/python3
"""Issue 4: what a session asks the DNS: the client's name (RFC 5321 4.4), and whether the sender's domain takes mail (RFC 7505)."""

import contextlib
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dns import Dns, Zone  # noqa: E402  pylint: disable=wrong-import-position
from network import in_own_network  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Gateway, Sink, await_true, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

TEXT = b"Subject: x\r\n\r\nHello.\r\n"
LONG = ".".join(["a" * 63] * 3 + ["a" * 40, "test"])
# What stands at the PTR record of 192.0.2.N (a line each), and what that client is called then. Zone files write octets as \DDD.
CLIENTS = {
    1: (["good.clients.test."], "good.clients.test"),
    2: (["Mixed.CLIENTS.test."], "mixed.clients.test"),
    3: (["elsewhere.clients.test."], ""),
    4: (["nothing.clients.test."], ""),
    5: (["only-six.clients.test."], ""),
    6: (["elsewhere.clients.test.", "second.clients.test."], "second.clients.test"),
    7: (["many.clients.test."], "many.clients.test"),
    8: (["alias.clients.test."], "alias.clients.test"),
    9: (["xn--bcher-kva.clients.test."], "xn--bcher-kva.clients.test"),
    10: ([LONG + "."], LONG),
    11: (["."], ""),
    12: ([r"a\013\010X-Evil\058\032y.clients.test."], ""),
    13: ([r"a\041\032by\032evil.clients.test."], ""),
    14: ([r"\255\000\027.clients.test."], ""),
    15: ([r"a\.b.clients.test."], ""),
    16: ([r"\*.clients.test."], ""),
    17: (["-.clients.test."], None),
    18: ([f"n{number}.clients.test." for number in range(20)], None),
    19: (["n0.clients.test."] + [f"no{number}.clients.test." for number in range(40)], None),
    20: (["localhost."], ""),
    21: (["192.0.2.21."], ""),
    22: ([], ""),
}
SIX = {"fd12:3456::10": ("six.clients.test.", "six.clients.test"), "fd12:3456::11": ("only-four.clients.test.", ""),
       "fd12:3456::12": ("good.clients.test.", "")}
RECORDS = r"""
good A 192.0.2.1
mixed A 192.0.2.2
elsewhere A 192.0.2.250
only-six AAAA ::ffff:192.0.2.5
second A 192.0.2.6
many A 192.0.2.90
many A 192.0.2.91
many A 192.0.2.7
many A 192.0.2.92
alias CNAME target
target A 192.0.2.8
xn--bcher-kva A 192.0.2.9
a\013\010X-Evil\058\032y A 192.0.2.12
a\041\032by\032evil A 192.0.2.13
\255\000\027 A 192.0.2.14
a\.b A 192.0.2.15
a.b A 192.0.2.15
\* A 192.0.2.16
- A 192.0.2.17
six AAAA fd12:3456::10
only-four A 192.0.2.1
""" + "\n".join(f"n{number} A 192.0.2.18" for number in range(20)) + "\nn0 A 192.0.2.19\n"


def reverse(records):
    """The zones of the clients' addresses."""
    four = "\n".join(f"{number}.2.0.192 PTR {name}" for number, (names, _) in records.items() for name in names)
    six = "\n".join(f"{'.'.join(reversed(address.replace('fd12:3456::', 'fd123456' + 22 * '0')))} PTR {name}"
                    for address, (name, _) in SIX.items())
    return Zone("in-addr.arpa", four, "insecure"), Zone("ip6.arpa", six, "insecure")


def clients_dns(*zones):
    """A DNS that knows the clients."""
    return Dns(Zone("clients.test", RECORDS, "insecure"), Zone(LONG.split(".", 1)[1], f"{'a' * 63} A 192.0.2.10", "insecure"),
               *reverse(CLIENTS), *zones)


@contextlib.contextmanager
def asking(dns, sink=None, listeners=None, **keys):
    """A gateway that asks there, and takes mail for example.com from everybody."""
    standard = {"SMTPD_DNS_TIMEOUT": "20s", **({} if sink else {"DELIVERD_LAUNCH": "false"})}
    with Gateway({**dns.keys(), **{f"TMAIL_{key}": value for key, value in (standard | keys).items()}}, listeners=listeners) as gateway:
        gateway.tmail("rcpthost", "add", "example.com")
        if sink:
            gateway.route("example.com", sink)
        yield gateway


def session_from(gateway, source):
    """A session from that address that has said EHLO."""
    return gateway.session(source, "::1" if ":" in source else "127.0.0.1")


def received(gateway, sink, source):
    """The beginning of the trace field of a message from there, unfolded, up to the end of the client's part."""
    count = len(sink.messages)
    with session_from(gateway, source) as client:
        client.mail("a@[127.0.0.1]", ["b@example.com"], TEXT)
        client.quit()
    content = sink.wait(count + 1)[count].content.decode("latin-1")
    equal(content.count("\r\nSubject: x\r\n\r\nHello.\r\n"), 1, f"the message behind the field in {content!r}")
    field = content.partition("\r\nSubject: x")[0]
    check(all(line.startswith("\t") and len(line) < 998 for line in field.split("\r\n")[1:]), f"not one field: {field!r}")
    return re.sub(r"\r\n[ \t]", " ", field).partition(" by mx.tmail.test ")[0]


def connect_line(gateway, source, since):
    """The line of the log about that client's connection."""
    return gateway.await_log(rf"event=connect .*client=\"?{re.escape(source)}\"? .*", since).string


def literal(source):
    """An address as Received has it."""
    return f"[IPv6:{source}]" if ":" in source else f"[{source}]"


# --- the client's name ---

def test_the_name_of_a_client_is_told_where_it_is_true():
    """In Received and in the log, where the PTR record's name has the client's address; nothing of it stands there otherwise."""
    clients = {f"192.0.2.{number}": name for number, (_, name) in CLIENTS.items() if name is not None}
    with Sink() as sink, clients_dns() as dns, asking(dns, sink) as gateway:
        for source, name in {**clients, **{source: name for source, (_, name) in SIX.items()}}.items():
            mark = gateway.mark()
            equal(received(gateway, sink, source), f"Received: from client.example ({name and name + ' '}{literal(source)})", source)
            line = connect_line(gateway, source, mark)
            equal(re.findall(r" name=\"?([^ \"]*)", line), [name] if name else [], f"name in {line}")


def test_a_client_with_many_names_costs_few_questions():
    """Twenty PTR records that are all true, and forty with one true one among them: no more than a few are looked at."""
    with Sink() as sink, clients_dns() as dns, asking(dns, sink) as gateway:
        found = received(gateway, sink, "192.0.2.18")
        check(re.fullmatch(r"Received: from client\.example \(n\d+\.clients\.test \[192\.0\.2\.18\]\)", found), found)
        found = received(gateway, sink, "192.0.2.19")
        check(found in [f"Received: from client.example ({name}[192.0.2.19])" for name in ("", "n0.clients.test ")], found)
        asked = sum(dns.count(f"{kind}{number}.clients.test", "A") for kind in ("n", "no") for number in range(40))
        check(1 <= asked <= 10, f"{asked} names were asked for")


def test_a_client_of_this_host_is_not_asked_for():
    """Loopback addresses show themselves, as ever."""
    with Sink() as sink, clients_dns() as dns, asking(dns, sink) as gateway:
        for source in ("127.0.0.1", "127.1.2.3", "::1"):
            mark = gateway.mark()
            equal(received(gateway, sink, source), f"Received: from client.example ({literal(source)})", source)
            check(" name=" not in connect_line(gateway, source, mark), "a name in the log")
        equal(dns.count(kind="PTR"), 0, "questions")


def test_a_client_under_tls_has_a_name_too():
    """With TLS from the first byte the question comes before the handshake."""
    with clients_dns() as dns, asking(dns, listeners={"smtps": "true"}) as gateway:
        with gateway.client("192.0.2.1", at="smtps") as client:
            client.greet()
            client.quit()
        check(" name=good.clients.test " in connect_line(gateway, "192.0.2.1", 0), "no name in the log")


def test_nothing_is_asked_where_the_key_says_so():
    """TMAIL_SMTPD_DNS_TIMEOUT=0."""
    null = Zone("null.test", "@ MX 0 .", "insecure")
    with Sink() as sink, clients_dns(null) as dns, asking(dns, sink, SMTPD_DNS_TIMEOUT="0") as gateway:
        equal(received(gateway, sink, "192.0.2.1"), "Received: from client.example ([192.0.2.1])", "field")
        with session_from(gateway, "192.0.2.1") as client:
            client.command("MAIL FROM:<a@null.test>", "250 ")
            client.quit()
        equal((dns.count(kind="PTR"), dns.count(kind="MX")), (0, 0), "questions")


def failing(action):
    """The test that a DNS which fails so delays nobody beyond the key, costs nobody the session, and is asked again when it is mended."""
    def test():
        with clients_dns() as dns, asking(dns, SMTPD_DNS_TIMEOUT="1s", DNSSEC="false") as gateway:
            dns.fault(action)
            for source in ("192.0.2.1", "192.0.2.2"):
                with session_from(gateway, source) as client:
                    client.mail("a@[127.0.0.1]", ["b@example.com"], TEXT)
                    client.quit()
                check(" name=" not in connect_line(gateway, source, 0), "a name in the log")
            dns.mend()

            def has_name():
                mark = gateway.mark()
                session_from(gateway, "192.0.2.7").quit()
                return " name=many.clients.test " in connect_line(gateway, "192.0.2.7", mark)
            await_true(has_name, "a name")
    return test


def greet_all(gateway, sources):
    """Sessions from all these addresses at once, each greeted."""
    troubles = []

    def come(source):
        try:
            session_from(gateway, source).quit()
        except (OSError, AssertionError) as error:
            troubles.append(f"{source}: {error!r}")
    threads = [threading.Thread(target=come, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(troubles, [], "troubles")


def test_a_silent_resolver_is_not_waited_for_by_all():
    """When some have waited in vain the others wait for half a second, and of a hundred that come at once many do not even ask."""
    with clients_dns() as dns, asking(dns, SMTPD_DNS_TIMEOUT="4s", SMTPD_CONCURRENCY_INCOMING="200", DNSSEC="false") as gateway:
        dns.fault("silent")
        greet_all(gateway, [f"192.0.2.{number}" for number in range(101, 106)])
        asked = sum(dns.count(f"{number}.2.0.192.in-addr.arpa", "PTR") > 0 for number in range(101, 106))
        equal(asked, 5, "clients that were asked for at first")
        began = time.monotonic()
        greet_all(gateway, [f"192.0.2.{number}" for number in range(110, 210)])
        took = time.monotonic() - began
        asked = sum(dns.count(f"{number}.2.0.192.in-addr.arpa", "PTR") > 0 for number in range(110, 210))
        check(asked <= 64, f"{asked} of 100 clients were asked for")
        check(took < 3, f"a hundred sessions took {took:.1f}s")


def wait_at_resolver(dns, gateway, source="192.0.2.1"):
    """A client whose session waits for the DNS, before the banner."""
    client = gateway.client(source)
    await_true(lambda: dns.count(kind="PTR"), "the question")
    return client


def test_limits_hold_while_a_session_waits():
    """TMAIL_SMTPD_CONCURRENCY_PER_CLIENT counts who has no banner yet."""
    with clients_dns() as dns, asking(dns, SMTPD_CONCURRENCY_PER_CLIENT="1", SMTPD_DNS_TIMEOUT="5s", DNSSEC="false") as gateway:
        dns.fault("silent")
        with wait_at_resolver(dns, gateway) as first, gateway.client("192.0.2.1") as second:
            second.expect("421 4.7.0 ")
            first.greet()
            first.quit()


def test_a_stop_does_not_wait_for_the_resolver():
    """Only for TMAIL_STOP_TIMEOUT, as for all else; the client is told to come again."""
    with clients_dns() as dns, asking(dns, SMTPD_DNS_TIMEOUT="30s", STOP_TIMEOUT="1s", DNSSEC="false") as gateway:
        dns.fault("silent")
        with wait_at_resolver(dns, gateway):
            mark = gateway.mark()
            gateway.stop()
            check("event=child-killed" not in "\n".join(gateway.log().splitlines()[mark:]), "a child had to be killed")


# --- the sender's domain ---

SENDERS = (
    Zone("null.test", "@ MX 0 .\nsub A 192.0.2.99\nalias CNAME @\nxn--bcher-kva MX 0 .\n"),
    Zone("plain.test", "@ MX 0 ."),
    Zone("other.test", "@ MX 0 .\n@ MX 10 mx\nmx A 192.0.2.99\nalias CNAME null.test.\nnone TXT x\nbad MX 10 \\255\\010.other.test."),
    Zone("insecure.test", "@ MX 0 .", "insecure", 0),
    Zone("bogus.test", "@ MX 0 .", "bogus"),
    Zone("mail.test", "@ MX 10 mx\nmx A 192.0.2.99", "insecure", 0),
)
REFUSED = "550 5.7.27 <{}>: Sender domain does not accept mail (null MX)"


def verdicts(gateway, senders, source="127.0.0.1", parameters=""):
    """What each sender is told at MAIL, in one session."""
    with session_from(gateway, source) as client:
        told = {}
        for sender in senders:
            told[sender] = client.command(f"MAIL FROM:<{sender}>{parameters}").last
            client.command("RSET", "250 ")
        client.quit()
        return told


def test_a_sender_whose_domain_takes_no_mail_is_refused():
    """Whoever it is, however the domain is written; with the code of RFC 7505 section 4.2."""
    senders = ("a@null.test", "postmaster@null.test", "A@NULL.Test", '"a b"@null.test', "a@plain.test", "a@insecure.test",
               "a@alias.null.test", "a@alias.other.test", "a@xn--bcher-kva.null.test")
    with Dns(*SENDERS) as dns, asking(dns) as gateway:
        gateway.tmail("relayip", "add", "127.0.0.2")
        for source in ("127.0.0.1", "127.0.0.2", "192.0.2.1"):
            equal(verdicts(gateway, senders, source), {sender: REFUSED.format(sender) for sender in senders}, f"replies to {source}")
        idn = "a@b\u00fccher.null.test"
        equal(verdicts(gateway, [idn], parameters=" SMTPUTF8"), {idn: REFUSED.format(idn)}, "reply")
        gateway.await_log(r"event=refused .*verb=MAIL .*reply=550 .*status=5\.7\.27")


def test_who_has_logged_in_is_asked_the_same():
    """After the login, which is asked for first."""
    with Dns(*SENDERS) as dns, asking(dns, listeners={"submission": "true:submission"}) as gateway:
        gateway.tmail("user", "add", "-r", "joe@example.com", "secret-word")
        with gateway.secure_session(at="submission") as client:
            client.command("MAIL FROM:<a@null.test>", "530 5.7.0 ")
            equal(dns.count("null.test"), 0, "questions before the login")
            equal(client.login("PLAIN", "joe@example.com", "secret-word").code, 235, "login")
            client.command("MAIL FROM:<a@null.test>", REFUSED.format("a@null.test"))
            client.command("MAIL FROM:<a@mail.test>", "250 ")
            client.quit()


def test_other_senders_are_not_refused():
    """Whose domain has hosts, or no MX record, or is not there; a `.` among others (RFC 7505 section 3); who has no domain."""
    senders = ("a@mail.test", "a@sub.null.test", "a@other.test", "a@none.other.test", "a@nowhere.test", "a@bad.other.test",
               "a@bogus.test", "", "a@[127.0.0.1]", "a@[IPv6:::1]")
    with Dns(*SENDERS) as dns, asking(dns) as gateway:
        told = verdicts(gateway, senders)
        equal({sender: reply for sender, reply in told.items() if not reply.startswith("250 ")}, {}, "refused")
        check(not any("127.0.0.1" in name or "::1" in name for name, _ in dns.proxy.asked()), "a literal was asked for")


def test_what_is_refused_for_its_form_is_not_asked_for():
    """Syntax, parameters and sizes come first."""
    with Dns(*SENDERS) as dns, asking(dns, SMTPD_MAX_DATABYTES="1000") as gateway, gateway.session() as client:
        for argument, expected in (("a@null.test> NONSENSE", "555 "), ("a@null.test> SIZE=9999", "552 "), ("a b@null.test>", "501 ")):
            client.command(f"MAIL FROM:<{argument}", expected)
        equal(dns.count("null.test"), 0, "questions")
        client.quit()


def test_a_refused_sender_spoils_nothing():
    """Pipelined commands behind it are refused one by one, and the next message of the session goes."""
    with Sink() as sink, Dns(*SENDERS) as dns, asking(dns, sink) as gateway, gateway.session() as client:
        client.send(b"MAIL FROM:<a@null.test>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n")
        client.expect("550 5.7.27 ")
        client.expect("503 ")
        client.expect("503 ")
        client.mail("a@mail.test", ["b@example.com"], TEXT)
        client.quit()
        equal([message.sender for message in sink.wait(1)], ["a@mail.test"], "senders")


def test_a_domain_is_asked_for_once_in_a_session():
    """As long as no other comes in between; these zones say that nothing of them may be kept."""
    with Dns(*SENDERS) as dns, asking(dns) as gateway:
        verdicts(gateway, ["a@insecure.test", "b@INSECURE.test", "a@insecure.test"])
        equal(dns.count("insecure.test", "MX"), 1, "questions of the first session")
        with gateway.session() as client:
            for _ in range(3):
                client.mail("a@mail.test", ["b@example.com"], TEXT)
            client.quit()
        equal(dns.count("mail.test", "MX"), 1, "questions for three messages")
        told = verdicts(gateway, ["a@insecure.test", "a@mail.test", "b@insecure.test"])
        equal([reply[:4] for reply in told.values()], ["550 ", "250 ", "550 "], "codes")
        equal(dns.count("insecure.test", "MX"), 3, "questions of both sessions")


def lookup_failing(action):
    """The test that a question for the sender's MX which fails so refuses nobody, and that the session goes on."""
    def test():
        with Dns(*SENDERS) as dns, asking(dns, SMTPD_DNS_TIMEOUT="1s") as gateway:
            dns.fault(action, "insecure.test", "MX")
            told = verdicts(gateway, ["a@insecure.test", "b@insecure.test", "a@mail.test"])
            equal([reply[:4] for reply in told.values()], ["250 "] * 3, "codes")
            check(dns.count("insecure.test", "MX") > 0, "nobody asked")
            dns.mend()
            # A resolver whose answers were worth nothing is asked less and less often for a while.
            await_true(lambda: verdicts(gateway, ["a@insecure.test"])["a@insecure.test"].startswith("550 5.7.27 "), "the null MX", 180)
    return test


if __name__ == "__main__":
    in_own_network("192.0.2.1/24", *SIX)
    FAULTS = {action.split()[0]: action for action in ("silent", "servfail", "refused", "garbage", "bad-id", "delay 3")}
    main({
        **{f"a-client-is-greeted-while-the-dns-is-{name}": failing(action) for name, action in FAULTS.items()},
        **{f"a-sender-is-taken-while-the-dns-is-{name}": lookup_failing(action) for name, action in FAULTS.items()},
    })

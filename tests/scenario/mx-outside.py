#!/usr/bin/python3
"""Issue 4, items 2 and 6, among addresses that are not this host's: mail without any route, by MX to port 25; names of clients."""

import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dns import Dns, Zone, reverse_zones  # noqa: E402  pylint: disable=wrong-import-position
from network import in_own_network  # noqa: E402  pylint: disable=wrong-import-position
from tmail import ME, Gateway, Sink, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

HOP, HOP6, BACKUP = "198.51.100.25", "2001:db8:25::25", "198.51.100.26"
SIGNED, UNSIGNED, UNPROVEN, LAN, SIGNED6 = "198.18.0.10", "198.18.0.11", "198.18.0.12", "10.1.2.3", "2001:2:0:1::10"
ADDRESSES = (HOP, HOP6, BACKUP, SIGNED, UNSIGNED, UNPROVEN, LAN, SIGNED6)
TEXT = b"Subject: x\r\n\r\n"

# The PTR record of each client, and the name that it is called by in the end.
POINTERS = {SIGNED: "client.names.test", SIGNED6: "client6.names.test", LAN: "lan.names.test", UNSIGNED: "host.plain.test",
            UNPROVEN: "host.bogus.test"}
NAMES = POINTERS | {UNPROVEN: None}


def zones(reverse="secure"):
    """The whole DNS of the clients."""
    return [Zone("names.test", f"client A {SIGNED}\nclient6 AAAA {SIGNED6}\nlan A {LAN}"),
            Zone("plain.test", f"host A {UNSIGNED}", "insecure"), Zone("bogus.test", f"host A {UNPROVEN}", "bogus"),
            *reverse_zones(POINTERS, reverse)]


def gateway_of(dns, sink=None, **keys):
    """A gateway that relays for all, and asks this DNS."""
    gateway = Gateway({**dns.keys(), "TMAIL_DNS_TIMEOUT": "5s", **{f"TMAIL_{key}": value for key, value in keys.items()}})
    for address in ("127.0.0.1", *ADDRESSES):
        gateway.tmail("relayip", "add", address)
    if sink:
        gateway.tmail("routes", "add", "-rh", sink.address, "-rp", str(sink.port))
    return gateway


def trace_of(gateway, sink, client):
    """The first field of a message that this client sends, on one line."""
    before = len(sink.messages)
    with gateway.session(client, "::1" if ":" in client else "127.0.0.1", name="helo.example") as session:
        session.mail("a@client.example", ["u@any.example"], TEXT)
        session.quit()
    content = sink.wait(before + 1)[before].content.decode("utf-8", "surrogateescape")
    return re.sub(r"\r\n[ \t]+", " ", content).split("\r\n")[0]


def expect_trace(gateway, sink, client, name):
    """It has this name of the client, or None."""
    address = f"[IPv6:{client}]" if ":" in client else f"[{client}]"
    trace = trace_of(gateway, sink, client)
    peer = f"{name} {address}" if name else address
    check(trace.startswith(f"Received: from helo.example ({peer}) by {ME} "), f"expected a client ({peer}), got {trace!r}")


# --- mail without routes ---

def test_without_a_route_mail_goes_by_MX_to_port_25():
    """No set-up is needed; TLS is not in the way where none is offered."""
    records = f"@ MX 10 first\n@ MX 20 second\nfirst A {HOP}\nsecond A {BACKUP}\nsix MX 10 host6\nhost6 AAAA {HOP6}\nbare A {HOP}"
    with (Dns(Zone("free.test", records)) as dns, Sink(HOP, port=25) as hop, Sink(HOP6, port=25) as hop6, Sink(BACKUP, port=25) as backup,
          gateway_of(dns) as gateway):
        with gateway.session() as client:
            for recipient in ("u@free.test", "u@six.free.test", "u@bare.free.test", f"u@[{HOP}]", f"u@[IPv6:{HOP6}]"):
                client.mail("a@client.example", [recipient], TEXT)
            client.quit()
        gateway.await_empty_queue()
        got = {sink: sorted(recipient for message in sink.messages for recipient in message.recipients) for sink in (hop, hop6, backup)}
        equal(got, {hop: sorted(["u@free.test", "u@bare.free.test", f"u@[{HOP}]"]), hop6: sorted(["u@six.free.test", f"u@[IPv6:{HOP6}]"]),
                    backup: []}, "mail")


def test_domains_that_share_a_host_do_not_share_their_mail():
    """A transaction goes to one domain."""
    records = f"one MX 10 host\ntwo MX 10 host\nhost A {HOP}"
    with Dns(Zone("free.test", records)) as dns, Sink(HOP, port=25) as hop, gateway_of(dns) as gateway:
        with gateway.session() as client:
            client.mail("a@client.example", ["u@one.free.test", "v@one.free.test", "u@two.free.test"], TEXT)
            client.quit()
        gateway.await_empty_queue()
        equal(sorted(sorted(message.recipients) for message in hop.messages), [["u@one.free.test", "v@one.free.test"], ["u@two.free.test"]],
              "mail")


def test_a_listener_on_all_addresses_is_us_by_any_of_them():
    """Mail that comes back is a loop, whatever the name of the host that it came by."""
    with Dns(Zone("loop.test", f"@ MX 10 host\nhost A {HOP}\nsix MX 10 host6\nhost6 AAAA {HOP6}")) as dns:
        with gateway_of(dns) as gateway:
            gateway.config["TMAIL_SMTPD_DSNS"] = f"0.0.0.0:{gateway.port}:false;[::]:{gateway.port}:false"
            gateway.restart()
            gateway.tmail("routes", "add", "-rh", "mx", "-rp", str(gateway.port))
            for recipient in ("u@loop.test", "u@six.loop.test", f"u@[{HOP}]"):
                with gateway.session() as client:
                    client.mail("a@client.example", [recipient], TEXT)
                    client.quit()
                gateway.await_log(rf"event=failed .*{re.escape(recipient)}.* status=5\.4\.6")


# --- names of clients: what signatures, private networks and outages mean for them; for the rest see names.py ---

def test_a_client_has_a_name_unless_it_is_known_to_be_a_lie():
    """Signed or not; nobody signs what is said of private networks, and no proof is asked for."""
    with Dns(*zones()) as dns, Sink() as sink, gateway_of(dns, sink, SMTPD_DNS_TIMEOUT="5s") as gateway:
        for client, name in NAMES.items():
            expect_trace(gateway, sink, client, name)


def test_a_client_has_no_name_where_the_zone_of_its_address_is_broken():
    """But one of a private network has: there is nothing to prove it by."""
    with Dns(*zones("bogus")) as dns, Sink() as sink, gateway_of(dns, sink, SMTPD_DNS_TIMEOUT="5s") as gateway:
        expect_trace(gateway, sink, SIGNED, None)
        expect_trace(gateway, sink, LAN, "lan.names.test")


def test_a_DNS_that_fails_delays_no_session_past_the_deadline():
    """The bound leaves room for a machine that is busy; libraries wait for half a minute."""
    for fault in ("silent", "servfail", "delay 30"):
        with Dns(*zones()) as dns, Sink() as sink, gateway_of(dns, sink, SMTPD_DNS_TIMEOUT="1s") as gateway:
            dns.fault(fault)
            for _ in range(2):
                began = time.monotonic()
                expect_trace(gateway, sink, SIGNED, None)
                check(time.monotonic() - began < 10, f"{fault}: the session took {time.monotonic() - began:.1f}s")


def test_many_clients_while_the_DNS_is_silent():
    """They wait side by side, not one after the other."""
    with Dns(*zones()) as dns, gateway_of(dns, SMTPD_DNS_TIMEOUT="1s") as gateway:
        dns.fault("silent")
        began = time.monotonic()
        clients = [gateway.client(SIGNED) for _ in range(40)]
        for client in clients:
            client.greet()
            client.send(b"MAIL FROM:<a@plain.test>\r\n")
        for client in clients:
            client.expect("250 ")
        check(time.monotonic() - began < 20, f"the sessions took {time.monotonic() - began:.1f}s")
        for client in clients:
            client.quit()


if __name__ == "__main__":
    in_own_network(*ADDRESSES)
    main()

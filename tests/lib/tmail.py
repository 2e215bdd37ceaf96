"""The harness of the black-box tests in one import: `from tmail import Gateway, Sink, Client, ...`.

    gateway.py  the program under test, in a private folder       sink.py    a scripted next hop
    client.py   a raw SMTP client                                 story.py, player.py  `*.smtp` stories
    wire.py     bytes, addresses, ports                           checks.py  checks, patience, `ok` lines
    peers.py    real programs as peers                            sasl.py    logins, both sides
    tls.py, certificates.py  contexts, a CA                       dovecot.py   Dovecot: logins, mailboxes
    network.py  a network namespace of its own                    dns.py, dns_proxy.py  a DNS: NSD, and faults in front of it
    tls_cases.py, destinations.py  DANE and MTA-STS, by cases     resolver.py  Unbound
    dnsserver.py  a name server without DNSSEC                    web.py, policies.py, tokens.py  servers under https
    driver.py  a room of the gateway at the end of a pipe         recorder.py  what passes to a real server
    post.py  users, mail for them, and what is in it              lmtp_cases.py  what LMTP servers may answer
"""

from certificates import Certificates, Pair
from checks import PATIENCE, Failure, await_true, check, equal, main, matches, report, run_test
from client import Client, Reply
from gateway import ME, PROGRAM, ROOT, Gateway, run_program
from sasl import b64, unb64
from sink import Logins, Message, Sink
from tls import client_context, server_context
from wire import Closed, fresh_loopback, free_port, stuff, unescape, unstuff

__all__ = ["PATIENCE", "Failure", "await_true", "check", "equal", "main", "matches", "report", "run_test", "Client",
           "Reply", "ME", "PROGRAM", "ROOT", "Gateway", "run_program", "Message", "Sink", "Closed", "fresh_loopback",
           "free_port", "stuff", "unescape", "unstuff", "Certificates", "Pair", "b64", "unb64", "Logins", "client_context",
           "server_context"]

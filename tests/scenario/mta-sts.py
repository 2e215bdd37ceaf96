#!/usr/bin/python3
"""RFC 8461: a policy in the course of time: fetched, changed, kept when its server is gone, taken back; and those that are none."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from destinations import AUTHORITY, PRIVATE, end_of, explain, gateway_with, send, web  # noqa: E402  pylint: disable=wrong-import-position
from dns import Dns, Zone  # noqa: E402  pylint: disable=wrong-import-position
from network import in_own_network  # noqa: E402  pylint: disable=wrong-import-position
from policies import Page, policy  # noqa: E402  pylint: disable=wrong-import-position
from tls_cases import NO_STARTTLS  # noqa: E402  pylint: disable=wrong-import-position
from tmail import Sink, equal, main, server_context  # noqa: E402  pylint: disable=wrong-import-position

in_own_network()  # for the ports 25 and 443


class Place:
    """A domain with one host, a policy that can change, and a gateway. Nothing in its zone is kept for any time."""

    domain, policy_host = "a.live.test", "mta-sts.a.live.test"

    def __init__(self, server="good", mode="enforce"):
        self.sink = Sink(port=25)
        self.pair = AUTHORITY.make("live", hosts=["mx.live.test"], ips=[])
        self.serve(server)
        web().pairs[self.policy_host] = AUTHORITY.make("live-web", hosts=[self.policy_host], ips=[])
        self.publish(mode)
        self.asked = web().count(self.policy_host)
        self.dns = Dns(self._zone("v=STSv1; id=1;"))
        self.gateway = gateway_with(self.dns)
        self.sent = 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.gateway.__exit__(*error)
        self.dns.__exit__(*error)
        self.sink.done()

    def _zone(self, *texts):
        records = "".join(f'_mta-sts.a TXT "{text}"\n' for text in texts)
        return Zone("live.test", f"a MX 10 mx\nmx A {self.sink.address}\nmta-sts.a A 127.0.0.1\n{records}", "insecure", 0)

    def serve(self, server):
        """Let the host have a good certificate, or no STARTTLS."""
        self.sink.tls = server_context(self.pair) if server == "good" else None

    def publish(self, mode, page=None):
        """Change what the web server gives."""
        web().pages[self.policy_host] = page or Page(policy("mx.live.test", mode=mode))

    def record(self, *texts):
        """Change the TXT record, by another one, several, or none."""
        self.dns.update(self._zone(*texts))

    def outcome(self):
        """What becomes of one more message now."""
        self.sent += 1
        recipient, before = f"b{self.sent}@{self.domain}", len(self.sink.messages)
        send(self.gateway, recipient)
        event, status = end_of(self.gateway, recipient)
        equal(len(self.sink.messages) - before, int(event == "delivered"), "messages that came")
        return ("TLS" if self.sink.messages[-1].session.tls else "plain") if event == "delivered" else status

    def fetched(self):
        """How often the policy was asked for."""
        return web().count(self.policy_host) - self.asked


def test_another_id_brings_another_policy():
    """RFC 8461 3.1, 5.1: and the same one does not."""
    with Place(NO_STARTTLS, "testing") as there:
        equal(there.outcome(), "plain", "under testing")
        there.publish("enforce")
        equal((there.outcome(), there.fetched()), ("plain", 1), "under the policy that is known, and fetches")
        there.record("v=STSv1; id=2;")
        equal((there.outcome(), there.fetched()), ("4.7.4", 2), "under the new one, and fetches")
        there.publish("none")
        there.record("v=STSv1; id=3;")
        equal((there.outcome(), there.fetched()), ("plain", 3), "under none, and fetches")


def test_a_policy_stands_whatever_becomes_of_its_record_and_of_the_web_server():
    """RFC 8461 5.1, 10.2: over a restart of the gateway as well; a gateway that never saw it has none."""
    with Place() as there:
        equal(there.outcome(), "TLS", "at first")
        there.serve(NO_STARTTLS)
        gone = Page(status=404)
        for what, records, page in (("the web server closes", ["v=STSv1; id=2;"], Page(close=True)), ("the record is gone", [], gone),
                                    ("the policy is gone", ["v=STSv1; id=3;"], gone),
                                    ("there are two records", ["v=STSv1; id=4;", "v=STSv1; id=5;"], None)):
            there.publish("none", page)
            there.record(*records)
            equal(there.outcome(), "4.7.4", what)
            there.gateway.restart()
            equal(there.outcome(), "4.7.4", f"{what}, after a restart")
            found = explain(there.gateway, f"b@{there.domain}")["hops"][0]["mta_sts"]
            equal((found["mode"], found["id"], found["mx"]), ("enforce", "1", ["mx.live.test"]), f"explained when {what}")
        for fault in ("servfail", "silent"):
            there.dns.fault(fault, f"_mta-sts.{there.domain}", "TXT")
            there.gateway.restart()
            equal(there.outcome(), "4.7.4", f"the question for the record: {fault}")
        there.dns.mend()
        there.record()
        with gateway_with(there.dns) as other:
            send(other, f"b@{there.domain}")
            equal(end_of(other, f"b@{there.domain}")[0], "delivered", "at another gateway")


def test_mode_none_ends_a_policy():
    """RFC 8461 8.3: it is how a domain takes its policy back; also over a restart."""
    with Place() as there:
        equal(there.outcome(), "TLS", "under enforce")
        there.serve(NO_STARTTLS)
        equal(there.outcome(), "4.7.4", "under enforce, without STARTTLS")
        there.publish("none")
        there.record("v=STSv1; id=2;")
        equal(there.outcome(), "plain", "under none")
        there.record()
        there.gateway.restart()
        equal(there.outcome(), "plain", "after a restart")


def test_explain_keeps_no_policy():
    """It shows one that it fetched, and that is all."""
    with Place(NO_STARTTLS) as there:
        hop, = explain(there.gateway, f"b@{there.domain}")["hops"]
        equal((hop["mta_sts"]["mode"], [host["tls"]["origin"] for host in hop["hosts"]]), ("enforce", ["mta-sts"]), "explained")
        there.publish("", Page(status=404))
        equal(there.outcome(), "plain", "outcome")


# Policies that cannot be had, or are none (RFC 8461 3.1, 3.2, 3.3): what becomes of mail to one without STARTTLS; TXT records, what the
# web server gives, its certificate.
RECORD, GOOD_PAGE = "v=STSv1; id=1;", Page(policy("mx.fetch.test"))
ELSEWHERE = {"Location": "https://mta-sts.good.fetch.test/.well-known/mta-sts.txt"}
FETCHES = {
    "good": ("4.7.4", [RECORD], GOOD_PAGE, {}),
    "certificate-for-another-name": ("plain", [RECORD], GOOD_PAGE, {"hosts": ["fetch.test"]}),
    "certificate-expired": ("plain", [RECORD], GOOD_PAGE, {"expired": True}),
    "certificate-self-signed": ("plain", [RECORD], GOOD_PAGE, {"signed_by": "self"}),
    "certificate-of-a-private-CA": ("plain", [RECORD], GOOD_PAGE, {"signed_by": PRIVATE}),
    "not-there": ("plain", [RECORD], Page("gone", 404), {}),
    "server-error": ("plain", [RECORD], Page(GOOD_PAGE.body, 500), {}),
    "moved": ("plain", [RECORD], Page(GOOD_PAGE.body, 301, headers=ELSEWHERE), {}),
    "found-elsewhere": ("plain", [RECORD], Page(GOOD_PAGE.body, 302, headers=ELSEWHERE), {}),
    "closed": ("plain", [RECORD], Page(close=True), {}),
    "no-policy": ("plain", [RECORD], Page("<html>Welcome</html>"), {}),
    "another-version": ("plain", [RECORD], Page(GOOD_PAGE.body.replace("STSv1", "STSv2")), {}),
    "no-mx": ("plain", [RECORD], Page(policy()), {}),
    "no-record": ("plain", [], GOOD_PAGE, {}),
    "two-records": ("plain", [RECORD, "v=STSv1; id=2;"], GOOD_PAGE, {}),
    "record-without-id": ("plain", ["v=STSv1;"], GOOD_PAGE, {}),
    "record-of-another-kind-besides": ("4.7.4", ["v=spf1 -all", RECORD], GOOD_PAGE, {}),
}


def test_policies_that_cannot_be_had_stop_no_mail():
    """Each in its own domain; `explain` says what is wrong with each."""
    records = [f"{name} MX 10 mx\nmta-sts.{name} A 127.0.0.1" for name in FETCHES]
    records += [f'_mta-sts.{name} TXT "{text}"' for name, (_, texts, _, _) in FETCHES.items() for text in texts]
    for name, (_, _, page, how) in FETCHES.items():
        host = f"mta-sts.{name}.fetch.test"
        web().pages[host] = page
        web().pairs[host] = AUTHORITY.make(f"web-{name}", **{"hosts": [host], "ips": [], **how})
    with Sink(port=25) as sink, Dns(Zone("fetch.test", "\n".join([f"mx A {sink.address}", *records]), "insecure")) as dns, \
            gateway_with(dns) as gateway:
        send(gateway, *(f"b@{name}.fetch.test" for name in FETCHES))
        for name, (outcome, texts, _, _) in FETCHES.items():
            recipient = f"b@{name}.fetch.test"
            event, status = end_of(gateway, recipient)
            equal("plain" if event == "delivered" else status, outcome, f"outcome of {name}")
            found = explain(gateway, recipient)["hops"][0]["mta_sts"]
            equal(found["found"], outcome != "plain", f"whether {name} is found: {found}")
            equal(bool(found["trouble"]), outcome == "plain" and bool(texts), f"trouble with {name}: {found}")


if __name__ == "__main__":
    main()

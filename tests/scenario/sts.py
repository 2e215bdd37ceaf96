#!/usr/bin/python3
"""MTA-STS policies (RFC 8461, route/sts.h) from a real web server: when they are fetched, kept, refreshed, and what is none."""

import contextlib
import os
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from dnsserver import DnsServer  # noqa: E402  pylint: disable=wrong-import-position
from driver import Driver  # noqa: E402  pylint: disable=wrong-import-position
from network import in_own_network  # noqa: E402  pylint: disable=wrong-import-position
from policies import Page, PolicyServer, policy  # noqa: E402  pylint: disable=wrong-import-position
from tmail import PATIENCE, Certificates, await_true, check, equal, main  # noqa: E402  pylint: disable=wrong-import-position

DOMAIN, HOST, RECORD = "a.example", "mta-sts.a.example", "_mta-sts.a.example"
FOUND = "enforce id1 mx.a.example fine"
DAY, REMEMBERED = 86400, 300

in_own_network()  # for port 443
CERTIFICATES = Certificates()
PAIR = CERTIFICATES.make("web", hosts=[f"mta-sts.{name}.example" for name in ("a", "b", "c")], ips=[])


class Sts(Driver):
    """route/sts in a process of its own."""

    def __init__(self, dns, beside=None, read_only=False, dns_timeout=10):
        words = [dns.forward, str(dns_timeout * 1000), CERTIFICATES.ca, *(["read-only"] if read_only else [])]
        super().__init__("sts_driver", lambda _: words, beside)
        self.later(0)  # the tables are there when it answers

    def find(self, domain=DOMAIN, seconds=10):
        """What is known of a domain."""
        return self.say("find", domain, seconds)

    def crowd(self, number=20, domain=DOMAIN):
        """What so many threads are told, each thing once."""
        answers = self.say("many", number, domain, 10).rstrip("\t").split("\t")
        equal(len(answers), number, "answers")
        return set(answers)

    def later(self, seconds):
        """So much time goes by."""
        equal(self.say("later", seconds), "ok", "later")

    def rows(self):
        """What is in the database: the ids by domain."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as database:
            return dict(database.execute("SELECT domain, id FROM sts_policies"))

    def run_sql(self, statement):
        """A change behind the driver's back."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as database, database:
            database.execute(statement)

    def times(self, event):
        """How often the log has it."""
        return self.log().count(f"event={event} ")


@contextlib.contextmanager
def world():
    """A name server and a web server with a policy of a.example."""
    with DnsServer() as dns, PolicyServer(PAIR) as web:
        publish(dns, web)
        yield dns, web


@contextlib.contextmanager
def place(**more):
    """These and a driver."""
    with world() as (dns, web), Sts(dns, **more) as driver:
        yield dns, web, driver


def publish(dns, web, number="id1", domain=DOMAIN, **more):
    """A policy that names mx.DOMAIN, and its record."""
    web.pages[f"mta-sts.{domain}"] = Page(policy(f"mx.{domain}", **more))
    dns.set(f"_mta-sts.{domain}", "TXT", f"v=STSv1; id={number};")


def test_a_policy_is_fetched_once_and_stored():
    """What is asked for, what is kept, and who is a host of it."""
    with place() as (_, web, driver):
        equal([driver.find() for _ in range(3)], [FOUND] * 3, "answers")
        equal(web.requests, [(HOST, "/.well-known/mta-sts.txt")], "requests")
        equal(driver.rows(), {DOMAIN: "id1"}, "rows")
        driver.logged("event=sts-fetched", "domain=a.example", "id=id1", "mode=enforce", "max_age=604800")
        equal([driver.say("names", DOMAIN, host) for host in ("mx.a.example", "my.a.example")], ["yes", "no"], "named hosts")


def test_without_a_record_nothing_is_fetched():
    """Section 3.1; and an address has no policy."""
    with place() as (dns, web, driver):
        for records in ([], ["v=spf1 -all"], ["v=STSv1"], ["v=STSv2; id=1;"], ["v=TLSRPTv1; rua=mailto:a@b.example"]):
            dns.set(RECORD, "TXT", *records)
            equal(driver.find(), "- fine", f"answer with {records}")
        for domain in ("nowhere.example", "[192.0.2.1]", "x" * 63 + ".example", ".".join(["y" * 49] * 5)):
            equal(driver.find(domain), "- fine", f"answer for {domain}")
        dns.broken.add(RECORD)
        equal(driver.find(), "- fine", "answer with SERVFAIL")
        equal(web.requests, [], "requests")


def test_records_are_one_and_whole():
    """Section 3.1: what begins otherwise is discarded; texts are joined; aliases are followed (section 8.2)."""
    with place() as (dns, web, driver):
        dns.set(RECORD, "TXT", "v=STSv1; id=id1;", "v=STSv1; id=id1;")
        equal(driver.find(), "- invalid: there is more than one MTA-STS record", "answer with two")
        for record in ("v=STSv1; id=a-b", "v=STSv1;", "v=STSv1; id=" + "1" * 33, "v=STSv1; id=1; \xff=1"):
            dns.set(RECORD, "TXT", record)
            equal(driver.find(), "- invalid: the MTA-STS record is broken", f"answer with {record}")
        equal(web.requests, [], "requests")
        dns.set(RECORD, "TXT", "hello", ["v=STS", "v1; i", "d=id1"], "v=STSv2; id=2")
        equal(driver.find(), FOUND, "answer with one among others")
        dns.set("_mta-sts.b.example", "CNAME", "records.example")
        dns.set("records.example", "TXT", "v=STSv1; id=id1;")
        web.pages["mta-sts.b.example"] = web.pages[HOST]
        equal(driver.find("b.example"), FOUND, "answer where the record is an alias")


def test_a_crowd_waits_for_one_request():
    """One thread fetches, the others wait for what it gets, be it a policy or none."""
    with place() as (dns, web, driver):
        web.pages[HOST].delay = 0.5
        equal(driver.crowd(), {FOUND}, "answers")
        publish(dns, web, domain="b.example")
        web.pages["mta-sts.b.example"] = Page("gone", 404, delay=0.5)
        equal(driver.crowd(domain="b.example"), {"- fetch: the policy cannot be fetched: HTTP status 404"}, "answers")
        equal([web.count(HOST), web.count("mta-sts.b.example")], [1, 1], "requests")


def test_who_waits_waits_no_longer_than_he_wants():
    """The deadline of each caller holds, a slow web server does not stop other domains, and too short a time is no failure to remember."""
    with place() as (dns, web, driver):
        publish(dns, web, domain="b.example")
        web.pages[HOST].delay = PATIENCE
        began = time.monotonic()
        driver.begin("many", 5, DOMAIN, 1)
        with Sts(dns, beside=driver) as other:
            equal(other.find("b.example"), "enforce id1 mx.b.example fine", "answer of another domain")
        answers = driver.answer().rstrip("\t").split("\t")
        check(len(answers) == 5 and all(answer.startswith("- fetch: ") for answer in answers), f"answers: {answers}")
        check(time.monotonic() - began < 5, "the deadline did not hold")
        web.pages[HOST].delay = 0
        equal(driver.find(), FOUND, "answer when it is quick again")


def test_the_question_for_the_record_has_its_own_time():
    """A name server that says nothing costs TMAIL_DNS_TIMEOUT, not all of the time that the fetch may take; the fetch may."""
    with place(dns_timeout=1) as (dns, web, driver):
        web.pages[HOST].delay = 2
        equal(driver.find(), FOUND, "answer of a slow web server")
        dns.silent.add(RECORD)
        began = time.monotonic()
        equal(driver.find(), FOUND, "answer without one of the name server")
        took = time.monotonic() - began
        check(0.9 < took < 4, f"took {took:.1f}s")


def test_a_policy_outlives_its_servers():
    """Section 3.3: what was fetched counts until it expires, also for another process, whatever becomes of the record and of the web."""
    with world() as (dns, web), Sts(dns) as driver:
        equal(driver.find(), FOUND, "answer")
        web.pages.clear()
        with Sts(dns, beside=driver) as other:
            for records in (["v=STSv1; id=id1;"], ["v=spf1 -all"], []):
                dns.set(RECORD, "TXT", *records)
                equal([driver.find(), other.find()], [FOUND] * 2, f"answers with {records}")
            dns.set(RECORD, "TXT", "v=STSv1; id=id1;", "v=STSv1; id=id2;")
            equal(other.find(), FOUND[:-4] + "invalid: there is more than one MTA-STS record", "answer with two records")
            dns.broken.add(RECORD)
            equal([driver.find(), other.find()], [FOUND] * 2, "answers with SERVFAIL")
            dns.silent.add(RECORD)
            equal([driver.find(seconds=1), other.find(seconds=1)], [FOUND] * 2, "answers without one of the name server")
        equal(web.count(HOST), 1, "requests")


def test_another_id_has_it_fetched_anew():
    """Section 3.3: at once; where that fails the old one goes on, and the web server is left alone for five minutes."""
    with place() as (dns, web, driver):
        equal(driver.find(), FOUND, "first")
        publish(dns, web, "id2", mode="testing")
        equal(driver.find(), "testing id2 mx.a.example fine", "with another id")
        equal(driver.rows(), {DOMAIN: "id2"}, "rows")
        dns.set(RECORD, "TXT", "v=STSv1; id=id3;")
        web.pages[HOST] = Page("gone", 404)
        old = "testing id2 mx.a.example fetch: the policy cannot be fetched: HTTP status 404"
        equal([driver.find(), driver.find()], [old] * 2, "while the web server fails")
        equal(web.count(HOST), 3, "requests")
        driver.logged("level=warning", "event=sts-not-fetched", "domain=a.example", "id=id3", "left_s=604", "HTTP status 404")
        driver.later(REMEMBERED)
        equal(driver.find(), old, "after five minutes")
        equal(web.count(HOST), 4, "requests after five minutes")
        publish(dns, web, "id3")
        driver.later(REMEMBERED)
        equal(driver.find(), "enforce id3 mx.a.example fine", "when it is mended")


def test_while_it_is_fetched_anew_the_old_one_counts():
    """Only the thread that fetches waits."""
    with place() as (dns, web, driver):
        equal(driver.find(), FOUND, "first")
        publish(dns, web, "id2")
        web.pages[HOST].delay = 1
        equal(driver.crowd(10), {FOUND, "enforce id2 mx.a.example fine"}, "answers")
        equal(web.count(HOST), 2, "requests")


def test_an_expired_policy_is_none():
    """It is gone at its second, and its row when that has been told or a month later."""
    with place() as (dns, web, driver):
        publish(dns, web, age=2 * DAY)
        publish(dns, web, age=2 * DAY, domain="c.example")
        equal([driver.find(), driver.find("c.example")], [FOUND, "enforce id1 mx.c.example fine"], "first")
        dns.set(RECORD, "TXT")
        web.pages[HOST] = Page("gone", 404)
        driver.later(2 * DAY - 60)
        equal(driver.find(), FOUND, "before the end")
        driver.later(61)
        equal(driver.find(), "- fine", "behind it")
        publish(dns, web, domain="b.example")
        equal(driver.find("b.example"), "enforce id1 mx.b.example fine", "another")
        equal(driver.rows(), {"b.example": "id1", "c.example": "id1"}, "rows")
        driver.later(30 * DAY)
        publish(dns, web, "id2", domain="b.example")
        equal(driver.find("b.example"), "enforce id2 mx.b.example fine", "another again")
        equal(driver.rows(), {"b.example": "id2"}, "rows after a month")
        publish(dns, web)
        web.pages[HOST] = Page("gone", 404)
        equal(driver.find(), "- fetch: the policy cannot be fetched: HTTP status 404", "behind it, with a record")


def test_an_old_policy_is_refreshed_beside():
    """Section 3.3: once a day nobody waits for the web server, and many who ask have it asked once."""
    with place() as (dns, web, driver):
        equal(driver.find(), FOUND, "first")
        with Sts(dns, beside=driver) as other:
            other.later(DAY - 60)
            equal(other.find(), FOUND, "on the first day")
        equal(web.count(HOST), 1, "requests on the first day")
        publish(dns, web, mode="testing")
        web.pages[HOST].delay = 1
        driver.later(DAY)
        began = time.monotonic()
        equal(driver.crowd(), {FOUND}, "on the second day")
        check(time.monotonic() - began < 1, "somebody waited")
        await_true(lambda: driver.find() == "testing id1 mx.a.example fine", "the new policy")
        equal(web.count(HOST), 2, "requests on the second day")


def test_a_refresh_that_fails_takes_nothing_away():
    """A warning is all, and five minutes of rest."""
    with place() as (dns, web, driver):
        equal(driver.find(), FOUND, "first")
        web.pages[HOST] = Page("gone", 404)
        driver.later(2 * DAY)
        equal(driver.find(), FOUND, "old")
        await_true(lambda: "event=sts-not-fetched" in driver.log(), "the warning")
        driver.logged("level=warning", "event=sts-not-fetched", "id=id1", "left_s=43", "HTTP status 404")
        equal(driver.crowd(), {FOUND}, "while the web server rests")
        equal(web.count(HOST), 2, "requests")
        driver.later(REMEMBERED)
        equal(driver.find(), FOUND, "after five minutes")
        web.await_requests(HOST, 3)
        dns.set(RECORD, "TXT")
        await_true(lambda: driver.times("sts-not-fetched") == 2, "the second warning")


def test_whoever_hides_the_record_does_not_stop_the_refresh():
    """Sections 3.3, 10.2: an old policy is fetched again beside whatever the name server says; that the record is gone is told, seldom."""
    with place(dns_timeout=1) as (dns, web, driver):
        equal(driver.find(), FOUND, "first")
        hide = [lambda: dns.set(RECORD, "TXT"), lambda: dns.set(RECORD, "TXT", "v=STSv1; id=1;", "v=STSv1; id=2;"),
                lambda: dns.records.pop((RECORD, 16)), lambda: dns.broken.add(RECORD), lambda: dns.silent.add(RECORD)]
        for number, step in enumerate(hide, 2):
            step()
            driver.later(DAY)
            check(driver.find().startswith("enforce id1 mx.a.example "), "the policy is lost")
            web.await_requests(HOST, number)
            await_true(lambda: driver.times("sts-fetched") == number, "the refresh")  # pylint: disable=cell-var-from-loop
            equal({driver.find(), driver.find()}, {driver.find()}, "right behind it")
            equal([web.count(HOST), driver.times("sts-record-gone")], [number, number - 1], "requests and warnings")
        driver.logged("level=warning", "event=sts-record-gone", "domain=a.example", "id=id1", "left_s=518", "there is no MTA-STS record")
        driver.logged("event=sts-record-gone", "there is more than one MTA-STS record")
        driver.logged("event=sts-record-gone", "SERVFAIL")
        driver.logged("event=sts-record-gone", "time")
        equal(driver.rows(), {DOMAIN: "id1"}, "rows")
        driver.later(6 * 3600 - 10)
        driver.find()
        equal(driver.times("sts-record-gone"), 5, "warnings within six hours")
        driver.later(11)
        driver.find()
        equal(driver.times("sts-record-gone"), 6, "warnings after six hours")


def test_of_a_policy_that_asks_for_nothing_nothing_is_lost():
    """Section 3.3: nobody is warned."""
    with place() as (dns, web, driver):
        publish(dns, web, mode="none")
        equal(driver.find(), "none id1 mx.a.example fine", "first")
        dns.set(RECORD, "TXT")
        web.pages[HOST] = Page("gone", 404)
        driver.later(DAY)
        equal(driver.find(), "none id1 mx.a.example fine", "without a record")
        await_true(lambda: driver.times("sts-not-fetched") == 1, "the refresh that fails")
        driver.logged("level=info", "event=sts-not-fetched")
        driver.later(7 * DAY)
        equal(driver.find(), "- fine", "behind its end")
        equal([driver.times("sts-record-gone"), driver.times("sts-expired")], [0, 0], "warnings")


def test_a_policy_that_lapses_is_told_once():
    """Section 10.2: by whoever has mail that it would have protected; not where another took its place, nor where it asked for nothing."""
    with place() as (dns, web, driver):
        publish(dns, web, domain="b.example", mode="testing")
        publish(dns, web, domain="c.example")
        for domain in "abc":
            check(driver.find(f"{domain}.example").endswith(" fine"), "first")
            web.pages[f"mta-sts.{domain}.example"] = Page("gone", 404)
        for domain in "ab":
            dns.set(f"_mta-sts.{domain}.example", "TXT")
        driver.later(7 * DAY + 60)
        publish(dns, web, "id2", domain="c.example")
        with Sts(dns, beside=driver, read_only=True) as reader:
            reader.later(7 * DAY + 60)
            equal(reader.find(), "- fine", "answer of a reader")
            equal(reader.log(), "", "log of a reader")
        equal(driver.crowd(), {"- fine"}, "answers of a.example")
        equal([driver.find("b.example"), driver.find("c.example")], ["- fine", "enforce id2 mx.c.example fine"], "answers of the others")
        with Sts(dns, beside=driver) as other:
            other.later(7 * DAY + 60)
            equal(other.find(), "- fine", "answer of another process")
            equal(other.times("sts-expired"), 0, "warnings of another process")
        equal(driver.times("sts-expired"), 1, "warnings")
        driver.logged("level=warning", "event=sts-expired", "domain=a.example", "id=id1", "ago_s=6", "there is no MTA-STS record")


def test_warnings_before_the_end_come_every_five_minutes():
    """Section 10.2: each refresh that fails is told with what is left, with and without a record, and none more often."""
    with place() as (dns, web, driver):
        publish(dns, web, age=1800)
        equal(driver.find(), FOUND, "first")
        web.pages[HOST] = Page("gone", 404)
        driver.later(900)
        for number, left in enumerate(("90", "60", "30", ""), 1):
            if number == 3:
                dns.set(RECORD, "TXT")
            equal(driver.crowd(), {FOUND if left else "- fine"}, f"answers with {left or 0}0s left")
            await_true(lambda: driver.times("sts-not-fetched") == min(number, 3), "the warning")  # pylint: disable=cell-var-from-loop
            equal(driver.crowd(), {FOUND if left else "- fine"}, "answers right behind it")
            driver.later(REMEMBERED)
        left = [int(line.split("left_s=")[1].split()[0]) for line in driver.log().splitlines() if "event=sts-not-fetched" in line]
        check(all(want - 30 < was <= want for want, was in zip((900, 600, 300), left)), f"seconds left: {left}")
        equal([len(left), web.count(HOST), driver.times("sts-expired")], [3, 4, 1], "warnings, requests, and the end")
    with place() as (dns, web, driver):
        equal(driver.find(), FOUND, "first")
        dns.set(RECORD, "TXT", "v=STSv1; id=id2;")
        web.pages[HOST].delay = PATIENCE
        for _ in range(3):
            check(driver.find(seconds=1).startswith("enforce id1 mx.a.example fetch: "), "answer in too short a time")
        equal([web.count(HOST), driver.times("sts-not-fetched")], [4, 1], "requests and warnings")


def test_a_stop_waits_for_no_web_server():
    """Whoever fetches and whoever waits is told so; what is not known is no lack of a policy, and not remembered as one, nor logged."""
    with place() as (dns, web, driver):
        web.pages[HOST].delay = PATIENCE
        equal(driver.say("stop", 1000), "ok", "stop")
        began = time.monotonic()
        equal(driver.crowd(10), {"- fetch: stopping"}, "answers")
        took = time.monotonic() - began
        check(0.9 < took < 3.5, f"took {took:.1f}s")
        began = time.monotonic()
        dns.broken.add("_mta-sts.b.example")
        equal([driver.find(), driver.find("b.example")], ["- fetch: stopping"] * 2, "answers of who comes later")
        check(time.monotonic() - began < 1, "who comes later waits")
        equal([web.count(HOST), driver.log()], [1, ""], "requests and log")


def test_a_stop_is_heard_by_those_who_wait():
    """Also while the one that they wait for cannot hear it, because the name server says nothing of the web server's host."""
    with place() as (dns, web, driver):
        dns.silent.add(HOST)
        driver.say("stop", 1000)
        driver.begin("many", 10, DOMAIN, 6)
        began, heard = time.monotonic(), b""
        while heard.count(b"\t") < 9:
            heard += os.read(driver.process.stdout.fileno(), 4096)
        took = time.monotonic() - began
        equal([heard, 0.5 < took < 3], [b"- fetch: stopping\t" * 9, True], f"answers after {took:.1f}s")
        equal([driver.answer(), web.requests, driver.log()], ["- fetch: stopping\t", [], ""], "the last answer, requests and log")


def test_a_stop_leaves_a_policy_in_force():
    """With another id, and while it is refreshed beside; nor does the end of the process wait for the web server."""
    with place() as (dns, web, driver):
        equal(driver.find(), FOUND, "first")
        with Sts(dns, beside=driver) as other, Sts(dns, beside=driver) as third:
            web.pages[HOST].delay = PATIENCE
            other.later(DAY)
            equal(other.crowd(), {FOUND}, "answers while it is refreshed")
            web.await_requests(HOST, 2)
            other.say("stop", 0)
            dns.set(RECORD, "TXT", "v=STSv1; id=id2;")
            third.say("stop", 1000)
            equal(third.crowd(), {FOUND}, "answers with another id")
            equal(other.crowd(), {FOUND}, "answers with another id after the stop")
            equal([other.log(), third.log()], [""] * 2, "logs")
        requests = web.count(HOST)
        dns.set(RECORD, "TXT", "v=STSv1; id=id1;")
        with Sts(dns, beside=driver) as last:
            last.later(DAY)
            equal(last.find(), FOUND, "answer while it is refreshed")
            web.await_requests(HOST, requests + 1)
            last.say("stop", 100)
            began = time.monotonic()
        check(time.monotonic() - began < 3, "the end waited")


def test_short_lives():
    """Half of the life is used before a refresh, but five minutes; a policy for no time is not fetched for each message."""
    with place() as (dns, web, driver):
        for domain, age, used in (("a.example", 1200, 600), ("b.example", 500, 300)):
            publish(dns, web, domain=domain, age=age)
            driver.find(domain)
            for seconds, requests in ((used - 10, 1), (used + 1, 2)):
                with Sts(dns, beside=driver) as other:  # at its end all that it does beside is done
                    other.later(seconds)
                    other.find(domain)
                equal(web.count(f"mta-sts.{domain}"), requests, f"requests for {domain} after {seconds}s")
        publish(dns, web, domain="c.example", age=0)
        for minute in (1, 2, 3):
            equal([driver.find("c.example") for _ in range(3)], ["enforce id1 mx.c.example fine"] * 3, "answers")
            equal(web.count("mta-sts.c.example"), minute, "requests")
            driver.later(61)


def test_a_clock_that_was_wrong():
    """A policy from the future counts, and is refreshed."""
    with place() as (dns, web, driver):
        driver.find()
        driver.run_sql("UPDATE sts_policies SET fetched = fetched + 9999999, expires = expires + 9999999")
        with Sts(dns, beside=driver) as other:
            equal(other.find(), FOUND, "answer")
        equal(web.count(HOST), 2, "requests")
        with Sts(dns, beside=driver) as other:
            other.later(8 * DAY)
            dns.set(RECORD, "TXT")
            equal(other.find(), "- fine", "answer after its time")


def test_modes():
    """testing and none are found as such; none takes the place of enforce."""
    with place() as (dns, web, driver):
        publish(dns, web, mode="testing", domain="b.example")
        equal(driver.find("b.example"), "testing id1 mx.b.example fine", "testing")
        equal(driver.find(), FOUND, "enforce")
        web.pages[HOST] = Page("version: STSv1\nmode: none\nmax_age: 0\n")
        dns.set(RECORD, "TXT", "v=STSv1; id=id2;")
        equal(driver.find(), "none id2  fine", "none")
        with Sts(dns, beside=driver) as other:
            equal(other.find(), "none id2  fine", "none in another process")


def test_certificates_are_verified():
    """Section 3.3: another name, another CA, an expired one, its own, or a name that stands only above it: no request is made."""
    pairs = {
        "another name": CERTIFICATES.make("elsewhere", hosts=["a.example", "elsewhere.example"], ips=["127.0.0.1"]),
        "another CA": Certificates().make("stranger", hosts=[HOST], ips=[]),
        "an expired one": CERTIFICATES.make("expired", hosts=[HOST], ips=[], expired=True),
        "its own": CERTIFICATES.make("self", hosts=[HOST], ips=[], signed_by="self"),
    }
    with world() as (dns, web):
        for what, pair in pairs.items():
            web.pairs[HOST] = pair
            with Sts(dns) as driver:
                answer = driver.find()
                check(answer.startswith("- webpki: the policy cannot be fetched: "), f"{what}: {answer}")
                equal(driver.find(), answer, f"the second time, {what}")
                equal(driver.rows(), {}, "rows")
        equal(web.requests, [], "requests")
        web.pairs[HOST] = CERTIFICATES.make("wild", hosts=["*.a.example"], ips=[])
        with Sts(dns) as driver:
            equal(driver.find(), FOUND, "answer with a name for all")


def test_what_is_no_policy():
    """Whatever the web server gives, it is bounded, and the reason is said."""
    good, moved = policy("mx.a.example"), {"Location": "https://mta-sts.b.example/.well-known/mta-sts.txt"}
    table = [
        (Page(good, 404), "fetch", "HTTP status 404"),
        (Page(good, 500), "fetch", "HTTP status 500"),
        (Page(good, 206), "fetch", "HTTP status 206"),
        *((Page(good, status, headers=moved), "fetch", f"HTTP status {status}") for status in (301, 302, 303, 307, 308)),
        (Page(good, type="text/html"), "invalid", 'the policy is of media type "text/html", not text/plain'),
        (Page(good, type="text/plainer"), "invalid", "media type"),
        (Page(good, type=None), "invalid", 'media type ""'),
        (Page(good + "x: " + "y" * 70000), "fetch", "the answer is too long"),
        (Page(b"x" * 4096, endless=True), "fetch", "the answer is too long"),
        (Page(good, headers={f"X-{number}": "y" * 6000 for number in range(20)}), "fetch", "the header of the answer is too long"),
        (Page(close=True), "fetch", "cannot be fetched"),
        (Page(""), "invalid", "the policy is invalid: it has no version"),
        (Page("<html>\n"), "invalid", "the policy is invalid: a line of it has no key"),
        (Page(good.replace("STSv1", "STSv2")), "invalid", "the policy is invalid: its version is not STSv1"),
        (Page(policy()), "invalid", "the policy is invalid: it has no mx"),
        (Page(policy("*.*.example")), "invalid", "the policy is invalid: an mx of it is no name of a host"),
        (Page(good.encode() + b"x: \xff\n"), "invalid", "the policy is invalid: a line of it has no value that can be read"),
    ]
    with place() as (dns, web, driver):
        for number, (page, trouble, words) in enumerate(table):
            web.pages[HOST] = page
            with Sts(dns) as fresh:
                answer = fresh.find()
                check(answer.startswith(f"- {trouble}: ") and words in answer, f"{page}: {answer}")
                equal(fresh.rows(), {}, "rows")
            equal(web.count(HOST), number + 1, f"requests until {page}")
        equal(web.count("mta-sts.b.example"), 0, "requests that were led away")
        web.pages[HOST] = Page(good, type="Text/Plain;charset=x")
        equal(driver.find(), FOUND, "answer with a type in other letters")


def test_slow_web_servers_cost_the_deadline():
    """Before the answer and within it; the next caller is not made to wait."""
    for page in (Page(delay=PATIENCE), Page(policy("mx.a.example"), drip=0.5)):
        with place() as (_, web, driver):
            web.pages[HOST] = page
            began = time.monotonic()
            answer = driver.find(seconds=6)
            took = time.monotonic() - began
            check(answer.startswith("- fetch: the policy cannot be fetched: ") and 5 < took < 9, f"{page}: {answer} after {took:.1f}s")
            began = time.monotonic()
            equal(driver.find(seconds=6), answer, "the second answer")
            check(time.monotonic() - began < 3, "the second one waited too")


def test_web_servers_that_are_not_there():
    """No name, no address, no host, nobody who listens."""
    with place() as (dns, web, driver):
        dns.set(HOST, "A", "127.0.0.9")
        check(driver.find().startswith("- fetch: the policy cannot be fetched: "), "nobody listens")
        for name, change in {"b": lambda: dns.set("mta-sts.b.example", "TXT", "no address"),
                             "c": lambda: dns.broken.add("mta-sts.c.example")}.items():
            publish(dns, web, domain=f"{name}.example")
            change()
            answer = driver.find(f"{name}.example")
            check(answer.startswith("- fetch: the policy cannot be fetched: "), f"{name}: {answer}")
        equal(web.requests, [], "requests")


def test_a_failure_is_remembered_for_five_minutes():
    """The web server is asked again then."""
    with place() as (_, web, driver):
        good, web.pages[HOST] = web.pages[HOST], Page("gone", 404)
        bad = "- fetch: the policy cannot be fetched: HTTP status 404"
        equal([driver.find() for _ in range(3)], [bad] * 3, "answers")
        web.pages[HOST] = good
        driver.later(REMEMBERED - 10)
        equal(driver.find(), bad, "within five minutes")
        equal(web.count(HOST), 1, "requests within five minutes")
        driver.later(11)
        equal(driver.find(), FOUND, "after five minutes")
        driver.logged("level=info", "event=sts-not-fetched", "domain=a.example", "HTTP status 404")


def test_a_database_that_cannot_be_read():
    """Whether there is a policy is not known, and nobody says that there is none."""
    with place() as (_, web, driver):
        driver.run_sql("ALTER TABLE sts_policies RENAME TO lost")
        equal(driver.find(), "- database: the database of MTA-STS policies cannot be read", "answer")
        equal(web.requests, [], "requests")
        driver.run_sql("ALTER TABLE lost RENAME TO sts_policies")
        equal(driver.find(), FOUND, "answer when it is mended")


def test_a_database_that_cannot_be_written():
    """What was fetched counts, and is not fetched for each message."""
    with place() as (dns, web, driver):
        driver.run_sql("CREATE TRIGGER no BEFORE INSERT ON sts_policies BEGIN SELECT RAISE(ABORT, 'out of order'); END")
        equal([driver.find() for _ in range(3)], [FOUND] * 3, "answers")
        driver.logged("level=error", "event=sts-not-stored", "domain=a.example", "out of order")
        equal(web.count(HOST), 1, "requests")
        dns.set(RECORD, "TXT")
        equal(driver.find(), FOUND, "answer when the record is gone")
        equal(driver.rows(), {}, "rows")


def test_a_row_that_is_no_policy():
    """It is fetched anew, and without a record it is none."""
    with place() as (dns, web, driver):
        equal(driver.find(), FOUND, "answer")
        for change in ("policy = 'version: STSv1'", "policy = x'00ff'", f"id = '{'x' * 40}'"):
            driver.run_sql(f"UPDATE sts_policies SET {change}")
            dns.set(RECORD, "TXT")
            with Sts(dns, beside=driver) as other:
                equal(other.find(), "- fine", f"answer without a record after {change}")
                dns.set(RECORD, "TXT", "v=STSv1; id=id1;")
                equal(other.find(), FOUND, f"answer after {change}")
        equal(web.count(HOST), 4, "requests")


def test_a_reader_stores_nothing():
    """`tmail explain` looks, fetches, and leaves no trace; an old policy is not refreshed."""
    with place(read_only=True) as (dns, web, reader):
        equal([reader.find() for _ in range(3)], [FOUND] * 3, "answers")
        equal(web.count(HOST), 1, "requests")
        equal([reader.rows(), reader.log()], [{}, ""], "rows and log")
        with Sts(dns, beside=reader) as writer, Sts(dns, beside=reader, read_only=True) as other:
            equal(writer.find(), FOUND, "answer of a writer")
            other.later(2 * DAY)
            equal(other.find(), FOUND, "answer of another reader")
        equal(web.count(HOST), 2, "requests of both")


if __name__ == "__main__":
    main()

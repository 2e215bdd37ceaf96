#!/usr/bin/python3
"""Issue 2, item 3: parent and children; stop, reload, crash."""

import contextlib
import os
import pwd
import signal
import sqlite3
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

from tmail import (Closed, Gateway, Sink, await_true, check, equal,  # noqa: E402  pylint: disable=wrong-import-position
                   main, stuff)

TEXT = b"Subject: x\r\n\r\nHello.\r\n"


def relaying(sink=None, **keys):
    """A gateway that relays for loopback, all of it to the sink."""
    gateway = Gateway({f"TMAIL_{key}": value for key, value in keys.items()})
    gateway.await_log("event=ready")  # a child that dies before ends the start
    gateway.tmail("relayip", "add", "127.0.0.0/8")
    if sink:
        gateway.route("*", sink)
    return gateway


def in_data(gateway):
    """A session in the middle of a message."""
    client = gateway.session()
    client.command("MAIL FROM:<a@client.example>", "250 ")
    client.command("RCPT TO:<a@hop.example>", "250 ")
    client.command("DATA", "354 ")
    client.send(b"Subject: x\r\n\r\nhalf")
    return client


def finish_data(client):
    """End that message; it must be accepted."""
    client.send(b"\r\n.\r\n")
    client.expect("250 2.0.0 Ok: queued ")


def greets_as(gateway, name):
    """Whether a new session is greeted with this name."""
    with gateway.client() as client:
        return client.reply().last.startswith(f"220 {name} ")


def test_the_children_have_their_names():
    """One of each, as ps shows them."""
    with relaying() as gateway:
        gateway.child("smtpd"), gateway.child("deliverd")
        equal(sorted(gateway.children().values()), ["deliverd", "smtpd"], "children")


def test_only_what_is_launched_runs():
    """TMAIL_DELIVERD_LAUNCH=false."""
    with relaying(DELIVERD_LAUNCH="false") as gateway:
        equal(sorted(gateway.children().values()), ["smtpd"], "children")


def test_the_children_have_no_rights_of_root():
    """Real, effective, saved ids and groups are those of TMAIL_USER where the test is root, else the caller's own."""
    with relaying() as gateway:
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        for name in ("smtpd", "deliverd"):
            with open(f"/proc/{gateway.child(name)}/status", encoding="utf-8") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            equal(status["Uid"].split(), [str(user.pw_uid)] * 4, f"user ids of {name}")
            equal(status["Gid"].split(), [str(user.pw_gid)] * 4, f"group ids of {name}")
            equal(status["CapEff"].strip("0"), "", f"capabilities of {name}")


def test_sigterm_and_sigint_end_an_idle_gateway():
    """With status 0 and a word in the log."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with relaying() as gateway:
            gateway.child("smtpd"), gateway.child("deliverd")
            gateway.signal(number)
            equal(gateway.await_exit(), 0, f"exit status after {number.name}")
            gateway.await_log("event=stopped")


def test_sigterm_lets_a_transaction_finish_then_says_421():
    """The message is accepted and kept; then the session ends."""
    with relaying(DELIVERD_LAUNCH="false") as gateway:
        client = in_data(gateway)
        gateway.signal(signal.SIGTERM)
        gateway.await_log("event=stopping")
        finish_data(client)
        client.expect("421 4.3.2 ")
        client.eof()
        equal(gateway.await_exit(), 0, "exit status")
        equal([entry["recipient"] for entry in gateway.queue()], ["a@hop.example"], "queue")


def test_sigterm_says_421_to_an_idle_session():
    """Between transactions nothing is waited for."""
    with relaying() as gateway:
        client = gateway.session()
        gateway.signal(signal.SIGTERM)
        client.expect("421 4.3.2 ")
        client.eof()
        equal(gateway.await_exit(), 0, "exit status")


def test_sigterm_is_bounded():
    """Clients that never finish their messages are left behind after TMAIL_STOP_TIMEOUT, and no child crashes over it."""
    with relaying(STOP_TIMEOUT="1s") as gateway:
        clients = [in_data(gateway) for _ in range(50)]
        gateway.signal(signal.SIGTERM)
        equal(gateway.await_exit(), 0, "exit status")
        gateway.await_log("event=stopped")
        ends = [line for line in gateway.log().splitlines() if "event=child-finished" in line]
        check(all("exit status 0" in line for line in ends), f"ends of children: {ends!r}")
        for client in clients:
            client.close()


def test_sigterm_gives_deliveries_back():
    """A delivery that the next hop holds is due again after the start."""
    with Sink(script=[".#1: hang"]) as sink, relaying(sink, STOP_TIMEOUT="1s") as gateway:
        with gateway.session() as client:
            client.mail("a@client.example", ["a@hop.example"], TEXT)
        gateway.await_recipient("a@hop.example", "in-progress")
        gateway.stop()
        gateway.start()
        sink.wait(1)
        gateway.await_empty_queue()


def test_sighup_brings_a_new_configuration():
    """New children, new banner; the parent stays."""
    with relaying() as gateway:
        before = gateway.child("smtpd"), gateway.child("deliverd")
        gateway.config["TMAIL_ME"] = "new.tmail.test"
        gateway.reload()
        await_true(lambda: greets_as(gateway, "new.tmail.test"), "the new name in the banner")
        await_true(lambda: not set(before) & set(gateway.children()), "the old children to be gone")


def test_a_sighup_in_the_middle_of_a_reload_is_not_lost():
    """Two changes, one right after the other: the second is in force in the end."""
    with relaying() as gateway:
        for name in ("first.tmail.test", "second.tmail.test"):
            gateway.config["TMAIL_ME"] = name
            gateway.write_config()
            gateway.signal(signal.SIGHUP)
            gateway.await_log("event=reload")
        await_true(lambda: greets_as(gateway, "second.tmail.test"), "the second configuration to be in force")


def test_sighup_lets_a_transaction_finish():
    """A session of before the reload completes its message."""
    with Sink() as sink, relaying(sink) as gateway:
        client = in_data(gateway)
        gateway.reload()
        finish_data(client)
        sink.wait(1)
        client.close()


def test_sighup_with_a_bad_configuration_keeps_serving():
    """It says what is wrong, all of it, and the old children go on."""
    with relaying() as gateway:
        before = gateway.child("smtpd"), gateway.child("deliverd")
        session = gateway.session()
        gateway.write_config("TMAIL_SMTPD_DNS=127.0.0.1:25:false\nTMAIL_SMTPD_MAX_HOPS=many\n")
        gateway.signal(signal.SIGHUP)
        gateway.await_log("event=reload-refused")
        gateway.await_log("TMAIL_SMTPD_DNS")
        gateway.await_log("TMAIL_SMTPD_MAX_HOPS")
        equal((gateway.child("smtpd"), gateway.child("deliverd")), before, "children")
        session.mail("a@client.example", ["a@hop.example"], TEXT)
        session.quit()
        gateway.session().quit()


def busy_client(gateway, source, stop, acknowledged, troubles):
    """Send messages, three to a session, until told to stop. Only a 421 between transactions may end a session early."""
    number = 0
    while not stop.is_set():
        try:
            with gateway.session(source) as client:
                for _ in range(3):
                    number += 1
                    recipient = f"{source}.{number}@hop.example"
                    reply = client.command("MAIL FROM:<a@client.example>")
                    if reply.code == 421:
                        break
                    client.command(f"RCPT TO:<{recipient}>", "250 ")
                    client.command("DATA", "354 ")
                    client.send(stuff(TEXT))
                    client.expect("250 ")
                    acknowledged.append(recipient)
        except (OSError, AssertionError) as error:
            troubles.append(f"{source} message {number}: {error!r}")


def test_sighup_under_load_refuses_and_cuts_no_connection():
    """Six reloads while four clients send; whatever was acknowledged arrives."""
    with Sink() as sink, relaying(sink) as gateway:
        stop, acknowledged, troubles = threading.Event(), [], []
        threads = [threading.Thread(target=busy_client, args=(gateway, f"127.0.0.{number}", stop, acknowledged, troubles))
                   for number in range(11, 15)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(6):
                seen = len(acknowledged)
                await_true(lambda: len(acknowledged) > seen + 10 or troubles, "messages to flow")  # noqa: B023
                gateway.reload()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        equal(troubles, [], "connections refused or cut")
        gateway.await_empty_queue()
        arrived = [name for message in sink.messages for name in message.recipients]
        equal(set(acknowledged) - set(arrived), set(), "lost")
        equal(sorted(name for name in set(arrived) if arrived.count(name) > 1), [], "delivered twice")


def delivering_over(reloads):
    """The test that a delivery which the next hop holds over so many reloads is finished by who began it, once."""
    def test():
        with Sink(script=[".#1: gate; 250 2.0.0 At last"]) as sink, relaying(sink) as gateway:
            with gateway.session() as client:
                client.mail("a@client.example", ["a@hop.example"], TEXT)
            sink.wait_for(lambda hop: any(b"DATA" in line for line in hop.commands()), "the message")
            gateway.await_recipient("a@hop.example", "in-progress")
            for _ in range(reloads):
                gateway.reload()
            gateway.await_recipient("a@hop.example", "in-progress")
            sink.gate.set()
            gateway.await_empty_queue()
            gateway.await_log(r"event=delivered.*attempts=1\b.*At last")
            equal(len(sink.messages), 1, "messages at the next hop")
    return test


def killed_beside_another(which):
    """The test that of two deliverers, an old one that drains and a new one, one is killed: what it had goes again, at once, by who is
    left or replaces it; what the other has stays with it. Each message arrives once."""
    kept, lost = ("before", "after") if which == "new" else ("after", "before")
    hangs = {"before": 1, "after": 2}[lost]

    def test():
        with Sink(script=[f"RCPT <{kept}@: gate; 250 2.1.5 At last", f"RCPT#{hangs} <{lost}@: hang"]) as sink, relaying(sink) as gateway:
            old = gateway.child("deliverd")
            hold_at(sink, gateway, "before")
            gateway.reload()
            new, = [pid for pid, name in gateway.children().items() if name == "deliverd" and pid != old]
            hold_at(sink, gateway, "after")
            os.kill(new if which == "new" else old, signal.SIGKILL)
            gateway.await_log("event=recovered")
            sink.wait(1)
            gateway.await_queue(lambda entries: [(entry["recipient"], entry["status"]) for entry in entries] ==
                                [(f"{kept}@hop.example", "in-progress")], "the other to go on")
            sink.gate.set()
            gateway.await_empty_queue()
            equal([message.recipients for message in sink.messages], [[f"{lost}@hop.example"], [f"{kept}@hop.example"]], "messages")
            gateway.await_log(rf"event=delivered.*recipient=\"?{kept}@hop\.example.*attempts=1\b")
    return test


def hold_at(sink, gateway, name):
    """Send a message that the next hop holds."""
    with gateway.session() as client:
        client.mail("a@client.example", [f"{name}@hop.example"], TEXT)
        client.quit()
    sink.wait_for(lambda hop: any(f"RCPT TO:<{name}@".encode() in line for line in hop.commands()), "the recipient")
    gateway.await_recipient(f"{name}@hop.example", "in-progress")


def killed(name):
    """The test that a child of this name, killed, is replaced within a moment, and that the log says of what it died."""
    def test():
        with Sink() as sink, relaying(sink) as gateway:
            victim = gateway.child(name)
            os.kill(victim, signal.SIGKILL)
            gateway.await_log(rf"event=child-died.*{name}.*(?:SIGKILL|signal[= ]\"?(?:9|[Kk]ill))|"
                              rf"process={name}.*event=child-died.*(?:SIGKILL|signal[= ]\"?(?:9|[Kk]ill))")
            with gateway.session() as client:
                client.mail("a@client.example", ["a@hop.example"], TEXT)
            sink.wait(1)
            check(gateway.child(name) != victim, "there is a new one")
            check(gateway.alive, "the parent lives")
    return test


def change_queue(gateway, sql):
    """Run a statement on the queue, behind the gateway's back."""
    with contextlib.closing(sqlite3.connect(gateway.path("store", "queue.db"), isolation_level=None)) as queue:
        queue.execute(sql)


def test_what_a_crash_left_is_found_by_a_deliverer_that_cannot_write_at_first():
    """A recovery that could not be committed is made again at once, not at the next look for the dead."""
    with Sink(script=["RCPT#1: hang"]) as sink, relaying(sink) as gateway:
        hold_at(sink, gateway, "a")
        change_queue(gateway, "CREATE TRIGGER fault BEFORE UPDATE ON recipient WHEN new.state = 2 BEGIN SELECT RAISE(ABORT, 'no'); END")
        mark = gateway.mark()
        os.kill(gateway.child("deliverd"), signal.SIGKILL)
        gateway.await_log("event=database", mark)
        change_queue(gateway, "DROP TRIGGER fault")
        sink.wait(1)
        gateway.await_empty_queue()


def test_a_session_cut_by_a_crash_is_no_accepted_message():
    """smtpd is killed in the middle of DATA: the client sees the end of the connection, and nothing is queued."""
    with relaying(DELIVERD_LAUNCH="false") as gateway:
        client = in_data(gateway)
        os.kill(gateway.child("smtpd"), signal.SIGKILL)
        try:
            check(False, f"the connection was answered: {client.reply()}")
        except Closed:
            pass
        gateway.session().quit()
        equal(gateway.queue(), [], "queue")


def test_a_crash_of_deliverd_does_not_touch_a_session():
    """Receiving and delivering meet at the queue only."""
    with Sink() as sink, relaying(sink) as gateway:
        client = in_data(gateway)
        os.kill(gateway.child("deliverd"), signal.SIGKILL)
        gateway.await_log("event=child-died")
        finish_data(client)
        client.quit()
        sink.wait(1)


def test_a_dead_parent_leaves_no_child_behind():
    """The children notice, and the port is free for the next start."""
    with relaying(STOP_TIMEOUT="1s") as gateway:
        children = gateway.child("smtpd"), gateway.child("deliverd")
        os.kill(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait()
        await_true(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), "the children to end")
        gateway.kill()
        gateway.start()
        gateway.session().quit()


def test_an_address_in_use_stops_the_start():
    """With the address in the complaint."""
    with relaying() as gateway, Gateway({"TMAIL_SMTPD_DSNS": f"127.0.0.1:{gateway.port}:false"}, start=False) as second:
        result = second.run("run")
        check(result.status not in (0, None), f"exit status {result.status}")
        check(f"127.0.0.1:{gateway.port}" in result.out + result.err, f"the address is not named: {result}")


def test_a_missing_user_stops_the_start_of_root_alone():
    """As root, TMAIL_USER must exist, and the complaint names it; otherwise the key is ignored."""
    with Gateway({"TMAIL_USER": "no-such-user-here"}, start=False) as gateway:
        if os.geteuid() != 0:
            gateway.start()
            return
        result = gateway.run("run")
        equal(result.status, 78, "exit status")
        check("no-such-user-here" in result.out + result.err, f"the user is not named: {result}")


if __name__ == "__main__":
    main({
        **{f"a-killed-{name}-is-replaced-and-the-log-says-why": killed(name) for name in ("smtpd", "deliverd")},
        **{f"a-killed-{which}-deliverer-beside-another-loses-nothing": killed_beside_another(which) for which in ("new", "old")},
        **{f"a-delivery-over-{number}-reloads-is-made-once": delivering_over(number) for number in (1, 2, 3)},
    })

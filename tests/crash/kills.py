"""SIGKILL at random moments, under load."""

import random
import time

from ledger import Ledger
from subject import Subject
from tmail import check
from traffic import Traffic, hop

TARGETS = ("smtpd", "deliverd", "parent", "all")


def strike(gateway, ledger, target):
    """Kill what is meant, and bring up what nobody else will."""
    began = time.time()
    if target in ("smtpd", "deliverd"):
        pid = gateway.kill_child(target)
        if pid and target == "deliverd":
            ledger.death(began, "kill of deliverd", [pid])
        ledger.killed([pid])
        return pid is not None
    if target == "parent":
        gateway.kill_parent()
    else:
        ledger.death(began, "kill of all", gateway.kill_all())
    gateway.bring_up()
    return True


def pause(dice, gateway):
    """Wait for a moment like any other: most often of a gateway at work, sometimes of one that is just starting."""
    time.sleep(dice.choice((0, 0.05, 0.3)) * dice.random() if dice.random() < 0.3 else dice.uniform(0.1, 1))
    check(gateway.alive, f"the parent ended by itself; the log:\n{gateway.log_tail()}")


def run(options, verdict):
    """The whole test."""
    dice, ledger = random.Random(options.seed), Ledger()
    counts = dict.fromkeys(TARGETS, 0)
    with hop(ledger) as sink, Subject(sink) as gateway:
        gateway.bring_up()
        with Traffic(gateway.port, ledger, options.seed):
            while sum(counts.values()) < options.kills:
                pause(dice, gateway)
                target = dice.choice(TARGETS)
                if strike(gateway, ledger, target):
                    counts[target] += 1
                    if sum(counts.values()) % 20 == 0:
                        print(f"# {sum(counts.values())} kills; {ledger.summary()}", flush=True)
            time.sleep(0.5)
        print("# kills: " + ", ".join(f"{count} of {target}" for target, count in counts.items()), flush=True)
        verdict.test("kill: children whose parent was killed end", gateway.check_orphans)
        verdict.settle("kill", gateway, ledger)

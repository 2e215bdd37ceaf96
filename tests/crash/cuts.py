"""Power cuts under load: the queue is on a disk that keeps only what was synced."""

import random
import time

from disks import PoweredDisk, Unavailable
from ledger import Ledger
from subject import Subject
from tmail import check
from traffic import Traffic, hop


def cut(gateway, ledger, disk):
    """The power goes, all processes with it, and comes back."""
    began = time.time()
    disk.cut()
    ledger.death(began, "power cut", gateway.kill_all())
    disk.unmount()
    disk.mount()
    gateway.bring_up()


def run_on(kind, number, options, verdict):
    """So many cuts on this kind of file system."""
    dice, ledger = random.Random(f"{options.seed}-{kind}"), Ledger()
    with PoweredDisk(kind) as disk, hop(ledger) as sink:
        disk.mount()
        with Subject(sink, {"TMAIL_STORE_SOURCE": disk.make_store()}) as gateway:
            gateway.bring_up()
            with Traffic(gateway.port, ledger, f"{options.seed}-{kind}"):
                for done in range(number):
                    time.sleep(dice.uniform(0.05, 1.2))
                    check(gateway.alive, f"the parent ended by itself; the log:\n{gateway.log_tail()}")
                    cut(gateway, ledger, disk)
                    if done % 10 == 9:
                        print(f"# {done + 1} cuts on {kind}; {ledger.summary()}", flush=True)
                time.sleep(0.5)
            verdict.settle(f"cut on {kind}", gateway, ledger, strict=False)


def run(options, verdict):
    """Half of them on each; what one kind cannot do does not keep the other from being done."""
    missing = []
    for kind, number in (("ext4", options.cuts - options.cuts // 2), ("xfs", options.cuts // 2)):
        try:
            if number:
                run_on(kind, number, options, verdict)
        except Unavailable as why:
            missing.append(f"{kind}: {why}")
        except Exception as error:  # pylint: disable=broad-except  -- reported; the other kind runs
            verdict.report(f"cut on {kind}", error)
    if missing:
        raise Unavailable("; ".join(missing))

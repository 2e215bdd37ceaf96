"""The end that the tests have in common: drain the queue, then ask the ledger."""

from checks import AT_END
from tmail import check, report, run_test


def some(items):
    """A few of them, for a report."""
    return ", ".join(map(str, items[:5])) + (" …" if len(items) > 5 else "")


def none_of(items, what):
    """A test that there are none."""
    def test():
        check(not items, f"{len(items)} {what}: {some(items)}")
    return test


class Verdict:
    """Collects the outcome of the tests. `failed` is whether any failed."""

    failed = False

    def test(self, name, function):
        """Run a test and report it."""
        self.failed |= not run_test(name, function)

    def report(self, name, error):
        """Report a test that could not run."""
        self.failed = True
        report(name, error)

    def settle(self, name, gateway, ledger, strict=True):
        """Empty the queue of a running gateway and judge; `strict`: no child may die but by our hand."""
        held = gateway.drain()
        log = gateway.log()
        allowed, wrong = ledger.duplicates(log)
        print(f"# {name}: {ledger.summary()}; in the allowed window {len(allowed)} duplicates, of "
              f"{len({message for message, _ in allowed})} messages; {len(held)} messages were held after three "
              "crashes and released", flush=True)
        self.test(f"{name}: something was promised", lambda: check(ledger.promises() > 0, "no message was accepted"))
        self.test(f"{name}: nothing is lost", none_of(ledger.lost(), "recipients did not get what was promised"))
        self.test(f"{name}: nothing is spoilt", none_of(ledger.spoilt(), "messages arrived with another content"))
        self.test(f"{name}: nothing comes that was not sent", none_of(ledger.unasked(), "deliveries that nobody sent"))
        self.test(f"{name}: no duplicate outside the window", none_of(wrong, "duplicates outside the window"))
        if strict:
            self.test(f"{name}: no process died by itself", none_of(ledger.unexpected_deaths(log), "deaths"))
        self.test(f"{name}: stops in order", gateway.finish)
        AT_END.clear()

"""What a Python test of tmail is made of: checks, patience, and lines that tests/run can count.

A test is a function whose name starts with `test_`. It passes by returning and fails by raising; `Failure` is the
polite way, with a text that says what was expected and what came. `main()` runs all tests of the calling script and
prints one line each, `ok NAME` or `not ok NAME # why`.
"""

import os
import sys
import time
import traceback

# The longest that a test waits for something that must happen. It only bounds a hang: no test depends on its value.
PATIENCE = float(os.environ.get("TESTS_PATIENCE", "30"))


class Failure(AssertionError):
    """A check that did not hold; its text is what the reader of the report sees."""


# What main() does after the last test, each a function; a failure counts, a success has no line.
AT_END = []


def check(truth, why):
    """Fail with `why` unless `truth`."""
    if not truth:
        raise Failure(why)


def equal(got, expected, what="value"):
    """Fail unless `got` is `expected`, and show both."""
    check(got == expected, f"{what}: expected {expected!r}, got {got!r}")


def matches(pattern, text, what="text"):
    """Return the match of the compiled `pattern` anywhere in `text`; fail where there is none."""
    found = pattern.search(text)
    check(found, f"{what}: expected a match of /{pattern.pattern}/, got {text!r}")
    return found


def await_true(probe, what, patience=PATIENCE):
    """Ask `probe` until it answers something true and return that; fail with `what` when patience ends.

    Only for states that can be asked for but not waited on (another process's queue, /proc). Where a condition can be
    notified, wait on it instead.
    """
    deadline = time.monotonic() + patience
    while not (answer := probe()):
        check(time.monotonic() < deadline, f"waited {patience:g}s in vain: {what() if callable(what) else what}")
        time.sleep(0.02)
    return answer


def report(name, error=None, out=sys.stdout):
    """Print the line of one test; `error` is the exception that ended it, if one did. Returns whether it passed."""
    if error is None:
        print(f"ok {name}", file=out, flush=True)
        return True
    head, *rest = (str(error) or repr(error)).splitlines() or [""]
    print(f"not ok {name} # {head}", file=out)
    for line in rest:
        print(f"#   {line}", file=out)
    if not isinstance(error, Failure):
        for line in "".join(traceback.format_exception(error)).splitlines():
            print(f"#   {line}", file=out)
    out.flush()
    return False


def run_test(name, test):
    """Run one test, report it, and return whether it passed."""
    try:
        test()
    except Exception as error:  # pylint: disable=broad-except  -- a test may fail in any way
        return report(name, error)
    return report(name)


def main(more=None):
    """Run the tests of the calling script (those named on its command line, else all); exit 1 when one failed.

    `more` is a dict of further tests by name, for scripts that make theirs from a table.
    """
    script = sys.modules["__main__"]
    tests = {name[5:].replace("_", "-"): test for name, test in vars(script).items() if name.startswith("test_")}
    tests |= more or {}
    wanted = sys.argv[1:] or tests
    unknown = [name for name in wanted if name not in tests]
    if unknown:
        sys.exit(f"no such test: {', '.join(unknown)}; there are: {', '.join(tests)}")
    passed = [run_test(name, tests[name]) for name in wanted]
    for number, last in enumerate(AT_END, 1):
        try:
            last()
        except Exception as error:  # pylint: disable=broad-except  -- reported
            passed.append(report(f"in-order-at-the-end-{number}", error))
    sys.exit(0 if all(passed) else 1)

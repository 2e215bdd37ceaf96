"""A program of lib/*_driver.c at the end of a pipe: a room of the gateway in a process of its own, with a database of its own."""

import os
import subprocess
import tempfile

from checks import PATIENCE, check, equal
from gateway import ROOT


class Driver:
    """The program NAME, on the database that it makes, or that of another driver; a context manager. `words(database)` follow the database in
    its command line."""

    def __init__(self, name, words, beside=None, env=None):
        self.folder = tempfile.TemporaryDirectory(prefix="tmail-test-")  # pylint: disable=consider-using-with  -- until __exit__
        self.database = beside.database if beside else os.path.join(self.folder.name, "tmail.db")
        self.log_path = os.path.join(self.folder.name, "log")
        program = os.path.join(os.environ.get("BUILD", ROOT), "tests/lib", name)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([program, self.database, *words(self.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                            text=True, env={**os.environ, **(env or {})})

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        log = self.log()
        self.folder.cleanup()
        if kind is None:
            equal(status, 0, f"status of the driver; its log:\n{log}")

    def begin(self, *words):
        """One command."""
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def answer(self):
        """The answer to it."""
        return self.process.stdout.readline().rstrip("\n")

    def say(self, *words):
        """Both."""
        self.begin(*words)
        return self.answer()

    def log(self):
        """All of it until now."""
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    def logged(self, *words):
        """Check that a line of the log has all these words."""
        log = self.log()
        check(any(all(word in line for word in words) for line in log.splitlines()), f"no line with {words} in the log:\n{log}")

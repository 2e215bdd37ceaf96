#!/usr/bin/python3
"""What compilers and analysers say of the code: cppcheck, clang-tidy and gcc -fanalyzer, each clean; suppressions stand in tests/lint/ with their reasons."""

import glob
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.get("SOURCE") or os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("BUILD") or SOURCE
FLAGS = ["-std=c17", "-D_GNU_SOURCE", f"-I{SOURCE}/gateway", f"-I{SOURCE}", f"-I{BUILD}"]
WORDS = ("strcpy", "strcat", "sprintf", "strtok", "atoi", "system", "popen", "gets", "vsprintf")


def files():
    """Every C file of the program."""
    return sorted(path for top in ("gateway", "lmtp", "milter", "dovecot", "ldap")
                  for path in glob.glob(f"{SOURCE}/{top}/**/*.c", recursive=True))


def run(command):
    """What a command said, and whether it said anything or failed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    return done.returncode != 0, done.stdout


def report(name, found):
    """One TAP line; what was found goes before it."""
    for text in found:
        print("\n".join("# " + line for line in text.strip().splitlines()))
    print(f"not ok {name} # {len(found)} complaints" if found else f"ok {name}")
    return bool(found)


def each(command_of):
    """Runs a command for every file, two at a time; the texts of those that complained."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [text for bad, text in pool.map(lambda path: run(command_of(path)), files()) if bad]


def cppcheck():
    """cppcheck over all files at once."""
    command = ["cppcheck", "--quiet", "--error-exitcode=1", "--std=c11", "--enable=warning,performance,portability", "--inline-suppr",
               f"--suppressions-list={HERE}/cppcheck.txt", "-D_GNU_SOURCE", f"-I{SOURCE}/gateway", f"-I{SOURCE}", f"-j{os.cpu_count()}", *files()]
    bad, text = run(command)
    return [text] if bad else []


def tidy():
    """clang-tidy with the checks of .clang-tidy."""
    return each(lambda path: ["clang-tidy", "--quiet", "--warnings-as-errors=*", f"--config-file={HERE}/clang-tidy.yaml", path, "--", *FLAGS])


def analyzer():
    """gcc's own path analysis."""
    return each(lambda path: ["gcc", *FLAGS, "-O2", "-fanalyzer", "-Werror", "-Wno-analyzer-malloc-leak", "-c", path, "-o", "/dev/null"])


def forbidden_words():
    """Functions of the C library that this house does without (ARCHITECTURE.md)."""
    import re
    pattern = re.compile(r"\b(" + "|".join(WORDS) + r")\s*\(")
    found = []
    for path in files():
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                match = pattern.search(line)
                if match and not line.lstrip().startswith(("*", "/*")):
                    found.append(f"{os.path.relpath(path, SOURCE)}:{number}: {match.group(1)}")
    return found


def main():
    """Four tests."""
    failed = False
    for name, tool, look in (("cppcheck", "cppcheck", cppcheck), ("clang-tidy", "clang-tidy", tidy), ("gcc-analyzer", "gcc", analyzer),
                             ("forbidden-functions", "gcc", forbidden_words)):
        missing = shutil.which(tool) is None
        if missing:
            print(f"not ok {name} # package {tool} is missing")
        failed |= missing or report(name, look())
    return 1 if failed else 0


sys.exit(main())

"""Stories as text: `parse()` turns a file into a preamble and stories, each a list of steps.

tests/scenario/README.md has the words of the format, player.py carries them out.
"""

import re
from dataclasses import dataclass, field

from checks import Failure, check

HEAD = re.compile(r"(?P<word>[A-Za-z][A-Za-z*-]*)(?::(?: (?P<text>.*))?)?")


@dataclass
class Step:
    """One directive: its word, the text after the colon, its block or indented script, and where it stands."""

    word: str
    text: str
    where: str
    block: list = None
    script: list = field(default_factory=list)

    def content(self, fill):
        """The block as bytes of a message: every line through `fill`, and ended by CR LF."""
        return "".join(fill(line) + "\r\n" for line in self.block).encode()


@dataclass
class Story:
    """A name and what happens."""

    name: str
    steps: list = field(default_factory=list)


def parse(path):
    """Read a file of stories; return its preamble (a Story without a name) and its stories."""
    stories = [Story("")]
    with open(path, encoding="utf-8", newline="\n") as file:
        lines = enumerate(file.read().split("\n"), 1)
    for number, line in lines:
        where = f"{path}:{number}"
        if not line.strip() or line.startswith("#"):
            continue
        if line[0] in " \t":
            check(stories[-1].steps, f"{where}: an indented line without a directive")
            stories[-1].steps[-1].script.append(line.strip())
            continue
        step = _step(line, where, lines)
        if step.word == "story":
            stories.append(Story(step.text))
        else:
            stories[-1].steps.append(step)
    return stories[0], stories[1:]


def _step(line, where, lines):
    """Make the step of a line, taking its block from `lines` when it ends in `<<`."""
    block = None
    if line.endswith("<<"):
        line, block = line[:-2].rstrip(), []
        for _, text in lines:
            if text == ">>":
                break
            block.append(text)
        else:
            raise Failure(f"{where}: the block that begins here has no end (a line `>>`)")
    parsed = HEAD.fullmatch(line)
    check(parsed, f"{where}: not a directive: {line!r}")
    return Step(parsed["word"], parsed["text"] or "", where, block)

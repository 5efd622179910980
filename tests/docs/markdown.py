"""Read what documentation shows: fenced blocks, links and curl commands."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
# A block may be indented, as part of a list.
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `language` is the word after the fence, empty when there is none."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class CurlRequest:
    """A GET request as a curl command states it; `target` is the path and the query string."""

    url: str
    headers: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        """The endpoint's name."""
        return urlsplit(self.url).path.rpartition("/")[2]

    @property
    def query(self) -> str:
        """The raw query string."""
        return urlsplit(self.url).query


def pages() -> list[Path]:
    """Return every Markdown file of the project, by path."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("dev/**/*.md")]
    found += ROOT.glob("infra/**/*.md")
    return sorted(found)


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    return blocks_of(page.read_text(encoding="utf-8"))


def blocks_of(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text in order, their indentation taken off."""
    return [Block(match[2], textwrap.dedent(match[3])) for match in _FENCE.finditer(text)]


def links(page: Path) -> list[str]:
    """Return the targets of a page's links, those inside fenced blocks left out."""
    return _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))


def headings(page: Path) -> list[str]:
    """Return the anchors of a page's headings in order, one that comes again with a number."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: list[str] = []
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        anchor = re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")
        again = sum(re.fullmatch(rf"{anchor}(-\d+)?", other) is not None for other in found)
        found.append(f"{anchor}-{again}" if again else anchor)
    return found


def curl_request(command: str) -> CurlRequest:
    """Parse `curl [-i] [-H 'name: value']... url`; raise ValueError for anything else."""
    program, *words = shlex.split(command)
    headers: dict[str, str] = {}
    urls = []
    rest = iter(words)
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif not word.startswith("-"):
            urls.append(word)
        elif word not in ("-i", "-s", "-f"):
            raise ValueError(f"{word} is not used in the documentation")
    if program != "curl" or len(urls) != 1:
        raise ValueError("not a curl command with one URL")
    return CurlRequest(urls[0], headers)


def curl_lines(page: Path) -> list[str]:
    """Return every line of a page's shell blocks that calls curl with a URL written out.

    One with variables is for a shell: `tests.docs.runbook` runs those.
    """
    shell = (block.text for block in blocks(page) if block.language == "sh")
    lines = [line for text in shell for line in text.splitlines()]
    return [line for line in lines if line.startswith("curl ") and "$" not in line]


def answered_requests(page: Path) -> Iterator[tuple[CurlRequest, str]]:
    """Yield each request whose block is followed by a JSON block, with that block's text.

    A request with `-i` shows headers: what follows is not its body.
    """
    found = blocks(page)
    for block, following in pairwise(found):
        is_request = block.language == "sh" and re.match(r"curl (?!-i )", block.text)
        if is_request and following.language == "json":
            yield curl_request(block.text), following.text

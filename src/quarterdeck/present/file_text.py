"""A definition as the text of its file, as people edit it. Reading it back: `sources.documents`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

# What YAML reads otherwise where it stands as itself, or not at all: it is written out, in double quotes.
_UNLIKE: Final = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_CRLF: Final = re.compile("(?<!\r)\r\n")


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return YAML that our own reader reads back as it was; texts of several lines stand as blocks."""
    import yaml

    found: str = yaml.dump(
        dict(document), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=2**20
    )
    return found


def with_lf(value: Any) -> Any:
    """Return the value with LF in texts whose lines all end in CRLF, so that they can stand as blocks."""
    if isinstance(value, Mapping):
        return {key: with_lf(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_lf(item) for item in value]
    return value.replace("\r\n", "\n") if _is_crlf(value) else value


def with_ends_of(before: Any, value: Any) -> Any:
    """Return what came of `with_lf(before)` with CRLF again in the texts that had it; texts without CR alone."""
    if isinstance(before, Mapping) and isinstance(value, Mapping):
        return {key: with_ends_of(before.get(key), item) for key, item in value.items()}
    if isinstance(before, list) and isinstance(value, list):
        known = [*before, *[None] * len(value)]
        return [with_ends_of(known[place], item) for place, item in enumerate(value)]
    if _is_crlf(before) and isinstance(value, str) and "\r" not in value:
        return value.replace("\n", "\r\n")
    return value


def _is_crlf(value: object) -> bool:
    if not isinstance(value, str) or "\r\n" not in value:
        return False
    rest = _CRLF.sub("", value)
    return "\r" not in rest and "\n" not in rest


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes text so that it cannot be read as something else, and what stands twice in full."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def analyze_scalar(self, scalar: str) -> Any:
            """Let a block hold blanks at the ends of lines and tabs, too."""
            found = super().analyze_scalar(scalar)
            found.allow_block = bool(scalar) and not _UNLIKE.search(scalar)
            return found

        def determine_block_hints(self, text: str) -> str:
            """Say the indentation where the first line does not show it."""
            hints: str = super().determine_block_hints(text)
            return f"{self.best_indent}{hints}" if text.startswith("\t") else hints

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None if value[:1].isalpha() else "'"
        if _UNLIKE.search(value):
            style = '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper

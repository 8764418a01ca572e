"""A definition as the text of its file, as people edit it. Reading it back: `sources.documents`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return YAML that our own reader reads back as it was; texts of several lines stand as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes text so that it cannot be read as something else, and what stands twice in full."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None if value[:1].isalpha() else "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    found: str = yaml.dump(
        dict(document), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=2**20
    )
    return found

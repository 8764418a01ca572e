"""What `job edit` says that it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def edited(changed: Mapping[str, Any], *, dry_run: bool = False) -> list[str]:
    """Return a line for what went, or would go, to the draft, what went back to its default, and what acts now."""
    name, would, said = changed["name"], "would be " if dry_run else "", []
    if changed["draft_changed"]:
        paths = ", ".join(changed["draft_changed"])
        said.append(
            f"{name}: {would}saved as draft v{changed['draft_version']}, not live (changed: {paths})"
        )
    if changed["back_to_default"]:
        paths = ", ".join(changed["back_to_default"])
        said.append(
            f"{name}: a spec replaces the draft's whole; missing keys go back to their defaults: {paths}"
        )
    if changed["changed_now"]:
        said.append(f"{name}: {would}changed immediately: {', '.join(changed['changed_now'])}")
    return said or [f"{name}: nothing {'would be' if dry_run else 'was'} changed"]

"""One step through what is shown: the same words and lengths in every list, log and page of lines."""

from __future__ import annotations


def stepped(name: str, at: int, last: int, page: int) -> int:
    """Return the place that a step leads to from `at`, be it there or not; `page` is how many are in sight."""
    half = max(1, page // 2)
    return {
        "down": at + 1, "up": at - 1, "top": 0, "bottom": last, "half_down": at + half,
        "half_up": at - half, "page_down": at + page, "page_up": at - page,
    }[name]  # fmt: skip

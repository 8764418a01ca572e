"""Whose lines a log holds, as people name them."""

from typing import Final

WORKER: Final = "worker"
"""What the origin of each worker's lines begins with: `worker-2`; alone it means all of them."""
ORIGINS: Final = ("runner", "payload", "engine", "installer", WORKER)

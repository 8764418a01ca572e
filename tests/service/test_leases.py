"""The lease: one holder at a time, and one that was frozen learns that it lost it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from quarterdeck.model.lease import LEASE_LASTS, Holder
from quarterdeck.service.leases import Leases
from tests.support.services import FakePorts, workspace

HERE = Holder("here", 1, "ana", "s-one")
THERE = Holder("there", 2, "ben", "s-two")


def leases(folder: Path) -> tuple[Leases, FakePorts]:
    services, ports = workspace(folder)
    return services.leases, ports


def test_another_waits_until_the_holder_is_not_heard_any_more(tmp_path: Path) -> None:
    found, ports = leases(tmp_path)
    assert found.held() is None
    taken = found.take(HERE)
    assert taken.holder == HERE
    ports.clock.tick((LEASE_LASTS - timedelta(seconds=1)).total_seconds())
    assert found.take(THERE).holder == HERE
    kept = found.take(HERE)
    assert kept.taken_at == taken.taken_at
    ports.clock.tick((LEASE_LASTS).total_seconds())
    assert found.held() is None
    assert found.take(THERE).holder == THERE
    assert found.take(HERE).holder == THERE  # it was frozen, and is told


def test_who_is_dead_is_not_waited_for(tmp_path: Path) -> None:
    found, _ = leases(tmp_path)
    found.take(HERE)
    assert found.take(THERE, lambda holder: holder != HERE).holder == THERE


def test_given_back_it_is_anybodys_and_only_its_holder_gives_it_back(tmp_path: Path) -> None:
    found, _ = leases(tmp_path)
    found.take(HERE)
    found.give_back(THERE)
    held = found.held()
    assert held is not None
    assert held.holder == HERE
    found.give_back(HERE)
    assert found.held() is None
    assert found.take(THERE).holder == THERE

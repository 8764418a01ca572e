"""The roles that `cluster rbac` prints: for exactly the service accounts that the cluster's teams use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.quarterdeck import Quarterdeck

CLUSTER: dict[str, Any] = {
    "name": "prod", "kind": "kubernetes", "context": "test", "kubeconfig": "/nowhere/kubeconfig",
    "namespace": "shared", "image": "registry.test/runner:1",
}  # fmt: skip


@pytest.fixture
def deck(tmp_path: Path) -> Quarterdeck:
    made = Quarterdeck(tmp_path)
    made.ok("cluster", "create", "-f", "-", text=json.dumps(CLUSTER))
    return made


def a_team(deck: Quarterdeck, name: str, **place: str) -> None:
    team = {"name": name, "members": ["ana"], "clusters": {"prod": place} if place else {}}
    deck.ok("team", "create", "-f", "-", text=json.dumps(team))


def printed(deck: Quarterdeck, *more: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(deck.call("cluster", "rbac", "prod", *more).out))


def drivers(documents: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {
        (one["metadata"]["namespace"], subject["namespace"], subject["name"])
        for one in documents if one["kind"] == "RoleBinding"
        for subject in one["subjects"] if subject["kind"] == "ServiceAccount"
    }  # fmt: skip


@pytest.mark.row("X3")
def test_roles_are_for_the_accounts_of_the_teams_and_for_no_other(deck: Quarterdeck) -> None:
    own = deck.ok("team", "list")
    assert drivers(printed(deck)) == {("shared", "shared", "default")}
    a_team(deck, "data-eng", namespace="data-eng", service_account="data-eng-jobs")
    a_team(deck, "science", namespace="data-eng", service_account="science-jobs")
    a_team(deck, "bare", namespace="bare")
    wanted = {
        ("data-eng", "data-eng", "data-eng-jobs"), ("data-eng", "data-eng", "science-jobs"),
        ("bare", "bare", "default"), ("shared", "shared", "default"),
    }  # fmt: skip
    assert drivers(printed(deck)) == wanted
    people = [
        one["metadata"]["namespace"]
        for one in printed(deck)
        if one["kind"] == "RoleBinding" and one["subjects"][0]["kind"] == "Group"
    ]
    assert sorted(people) == ["bare", "data-eng", "shared"]
    for team in own:  # the last teams without a place of their own on it
        place = {
            "name": team["name"],
            "members": ["ana"],
            "clusters": {"prod": {"namespace": "bare"}},
        }
        deck.ok("team", "edit", team["name"], "-f", "-", text=json.dumps(place))
    assert ("shared", "shared", "default") not in drivers(printed(deck))


def test_each_document_is_printed_once(deck: Quarterdeck) -> None:
    a_team(deck, "data-eng", namespace="data-eng")
    found = printed(deck, "--full")
    keys = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in found
    ]
    assert len(keys) == len(set(keys))

"""What keeps a job from being saved or run: everything that is missing or wrong, at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import NotAllowedError, Problem
from quarterdeck.model.ids import TeamId
from quarterdeck.policy import access, ceilings
from quarterdeck.service import outside, references

if TYPE_CHECKING:
    from quarterdeck.model.actor import Actor
    from quarterdeck.model.job import Job
    from quarterdeck.service.context import Context
    from quarterdeck.service.references import World


@contextmanager
def refusals(
    world: World, action: str, subject: str, *, name: object, team: object = None
) -> Iterator[None]:
    """Let a refusal for lack of right say the rule and who may, and record it; `team` is to own the thing."""
    context = world.context
    found = world.find("team", team) if isinstance(team, str) else None
    record = context.recording(action, subject, name=str(name), team=found.id if found else None)
    with record:
        try:
            yield
        except NotAllowedError as error:
            if "rule" in error.facts:
                raise
            yours = [context.team_name(one) for one in context.actor().teams]
            error.allowed = [*([f"team {found.name}"] if found else []), "org admins"]
            who = f"members of {found.name} and " if found else ""
            error.facts |= {"rule": f"only {who}org admins may save this", "your_teams": yours}
            error.advice = (
                f"Your teams: {', '.join(yours) or 'none'}. Ask {' or '.join(error.allowed)}."
            )
            raise


def team_problems(world: World, actor: Actor, team: object, path: str = "team") -> list[Problem]:
    """Return what is wrong with the owning team for this actor."""
    if not actor.teams and not actor.is_org_admin:
        return [Problem(path, "you are in no team; ask an org admin to add you", "prerequisite")]
    if not isinstance(team, str) or not team:
        return []
    found = world.find("team", team)
    if found is None:
        return [world.missing("team", team, path)]
    if TeamId(found.id) not in actor.teams and not actor.is_org_admin:
        return [Problem(path, f"you are not a member of team {team}", "denied")]
    return []


def shared_problems(world: World, document: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the shared teams: unknown, twice, or the owning one."""
    from quarterdeck.model.text import one_form

    given, owner = document.get("shared_teams"), document.get("team")
    shared = given if isinstance(given, list) else []
    found = []
    for place, name in enumerate(shared):
        path = f"shared_teams[{place}]"
        if not isinstance(name, str):
            continue
        forms = [one_form(one) if isinstance(one, str) else one for one in shared[:place]]
        if isinstance(owner, str) and one_form(name) == one_form(owner):
            found.append(Problem(path, f"{name} is the owning team already"))
        elif one_form(name) in forms:
            found.append(Problem(path, f"{name} stands here twice"))
        elif world.find("team", name) is None:
            found.append(world.missing("team", name, path))
    return found


def name_problems(
    context: Context, actor: Actor, name: object, *, this: Job | None = None
) -> tuple[list[Problem], list[Problem]]:
    """Return problems (in use, in any case and Unicode form) and warnings (one that looks alike)."""
    if not isinstance(name, str) or not name.strip():
        return [], []
    from quarterdeck.model.text import name_key, same_name
    from quarterdeck.ports.store import Where

    same = context.ports.store.jobs.page(Where("name_key", "=", name_key(name)), limit=100)
    seen = {
        k.value.id for k in same if access.is_visible(actor, k.value.team, k.value.shared_teams)
    }
    problems, warnings = [], []
    for other in (k.value for k in same if this is None or k.value.id != this.id):
        whose = f" by team {context.team_name(other.team)}" if other.id in seen else ""
        if same_name(other.name) == same_name(name):
            known = other.name if other.id in seen else name
            problems.append(Problem("name", in_use(name, known, whose)))
        elif other.id in seen:
            warnings.append(Problem("name", f"looks like {other.name}, which is another job"))
    return problems, warnings


def joined(parsed: list[Problem], known: list[Problem]) -> list[Problem]:
    """Return the problems that a spec's form shows with those that need the workspace, one for each path.

    Of an entry point the wheel knows better; what has to be there first is always told.
    """
    entry = "spec.source.entry_point"
    better = {one.path for one in known if one.path == entry}
    kept = [one for one in parsed if one.path not in better]
    told = {one.path for one in kept}
    return kept + [one for one in known if one.path not in told or one.code == "prerequisite"]


def in_use(name: str, by: str, whose: str = "") -> str:
    """Return in words that `name` is taken by what is called `by`, perhaps in another case or Unicode form."""
    other = "" if by == name else f" as {by}; case and Unicode form do not count"
    return f"{name} is in use{whose}{other}"


def spec_problems(
    context: Context, world: World, spec: Mapping[str, Any]
) -> tuple[list[Problem], list[Problem]]:
    """Return problems and warnings of a spec in file form: references, ceilings, files, cluster."""
    found = references.problems(world, spec)
    found += ceilings.problems(spec, context.workspace().value.ceilings)
    name = spec.get("cluster")
    cluster = world.find("cluster", name) if isinstance(name, str) else None
    if cluster is not None and cluster.status != "active":
        text = f"cluster {name} is {cluster.status}: `quarterdeck cluster check {name}`"
        found.append(Problem("spec.cluster", text, "prerequisite"))
    if not world.all("catalog"):  # then which one is named is moot
        found = [one for one in found if not one.path.startswith("spec.catalogs")]
        text = "no catalog is configured: `quarterdeck catalog create -f FILE`"
        found.append(Problem("spec.catalogs", text, "prerequisite"))
    kept = (
        cluster if ("cluster", name) not in world.extra else None
    )  # a file's own is not there yet
    more, warnings = outside.problems(context, spec, kept)
    return found + more, warnings

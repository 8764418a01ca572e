"""What each form asks, reads and saves: a new job, settings, a definition, the workspace. The page: `screen`.

All but the fields is called on threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from quarterdeck.model.errors import Problem, QuarterdeckError
from quarterdeck.model.form import DEFAULTS, FORM, NAMED, SHAPES, VARIANTS
from quarterdeck.present import glyphs, inert, written
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.entries import Entry, entries
from quarterdeck.tui.widgets.form_lines import Fix

if TYPE_CHECKING:
    from quarterdeck.service.bundle import Services

Document = Mapping[str, Any]
AT_ONCE: Final = ("name", "team", "shared_teams", "description")
OWNING: Final = "team:team"
"""Under this the teams are that may own what is made, for the field of the owning team alone."""
WHERE: Final = {"team": "team", "spec.cluster": "cluster", "spec.catalogs": "catalog"}
"""The kind of thing that is mended where something is missing that a job needs."""


class Known(NamedTuple):
    """What a form begins with.

    `document` and `rev`: what is edited, as it was read. `names`: what fields are chosen from, by kind; for one
    field only, by `kind:path`. `presets`: texts by path for fields where nothing stands. `why_not`: why this
    actor may not save it. `reach`: the jobs that were shown as those that take the edit; None: none were.
    """

    names: Mapping[str, Sequence[str]]
    document: Document | None = None
    rev: int | None = None
    presets: Mapping[str, str] = {}
    why_not: str = ""
    reach: frozenset[str] | None = None


class Checked(NamedTuple):
    """What is wrong with a document: problems, warnings, and what is mended elsewhere."""

    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    fixes: Sequence[Fix] = ()


class Saved(NamedTuple):
    """What became of a save: the words, the name by which the thing is chosen, where to go, and its revision."""

    words: str
    name: str
    place: Place | None = None
    rev: int = 0


class Kind:
    """One form."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name

    @property
    def title(self) -> str:
        """What the form is about."""
        return (
            f"{self.kind.capitalize()} {inert.line(self.name)}"
            if self.name
            else f"New {self.kind}"
        )

    @property
    def checks(self) -> bool:
        """Whether `check` says something while one types."""
        return False

    @property
    def asks_impact(self) -> bool:
        """Whether whom it reaches is shown before the save."""
        return False

    def entries(self) -> list[Entry]:
        """Return its fields, empty."""
        return entries(self.kind)

    def read(self, services: Services) -> Known:
        """Return what the form begins with."""
        raise NotImplementedError

    def check(self, services: Services, document: Document) -> Checked:
        """Return what is wrong with the document, whatever is wrong."""
        return Checked()

    def save(self, services: Services, document: Document, before: Known) -> Saved:
        """Save it; what is wrong is raised, all at once."""
        raise NotImplementedError


def kind_of(tab: str, name: str) -> Kind:
    """Return the form of a place's tab and name."""
    if tab == "job":
        return NewJob("job", name)
    if tab == "settings":
        return JobSettings("job", name)
    if tab == "workspace":
        return TheWorkspace("workspace", name)
    return EditedDefinition(tab, name) if name else NewDefinition(tab, name)


class NewJob(Kind):
    """A job that is to be; its first save is version 1."""

    @property
    def checks(self) -> bool:
        """Whether it is checked while one types: yes."""
        return True

    def entries(self) -> list[Entry]:
        """Return every field of a job but the schedule's."""
        return entries("job", only=lambda path: not path.startswith("schedule"), mark=_mark_of_job)

    def read(self, services: Services) -> Known:
        """Return the names; where there is only one of a kind, it is chosen."""
        names = _names(services, {**NAMED["job"]}.values())
        presets = {"type": "sql"}
        for path, kind in NAMED["job"].items():
            if path in ("spec.profile", "spec.cluster", "spec.catalogs") and len(names[kind]) == 1:
                presets[path] = (
                    written.write("list", names[kind])
                    if path == "spec.catalogs"
                    else names[kind][0]
                )
        if team := _own_team(services, names[OWNING]):
            presets["team"] = team
        return Known(names, presets=presets)

    def check(self, services: Services, document: Document) -> Checked:
        """Return problems, warnings, and what has to be mended elsewhere first."""
        problems, warnings = _validated(services, document, is_new=True)
        fixes = [
            Fix(f"{one.path}: {one.message}", WHERE[one.path], _named(document, one.path))
            for one in problems
            if one.code == "prerequisite" and one.path in WHERE
        ]
        fixes += [
            Fix(f"spec.{kind}: there is no {kind} yet", kind)
            for kind in ("cluster", "profile")
            if not services.definitions.page(kind)
        ]
        return Checked(problems, warnings, fixes)

    def save(self, services: Services, document: Document, before: Known) -> Saved:
        """Create the job."""
        made = services.jobs.create([document])[0]
        name = inert.line(made["name"])
        words = f"job {name} is saved: version {made['live_version']} is live"
        return Saved(
            _with_warnings(words, made),
            made["name"],
            Place("job", made["name"], "", {"said": words}),
            int(made["rev"]),
        )


class JobSettings(Kind):
    """What takes effect immediately: name, team, shared teams, description."""

    @property
    def title(self) -> str:
        """Name the job."""
        return f"{inert.line(self.name)} {glyphs.CRUMB} Settings"

    def entries(self) -> list[Entry]:
        """Return the four fields."""
        return entries("job", only=AT_ONCE.__contains__, mark=_mark_of_job)

    def read(self, services: Services) -> Known:
        """Return the job as it is."""
        document = services.jobs.document(self.name)
        rev = services.jobs.show(self.name)["rev"]
        names = _names(services, ["team"])
        why_not = services.rights.why("edit", self.name) or ""
        return Known(
            names, {key: document[key] for key in AT_ONCE if key in document}, rev, why_not=why_not
        )

    def save(self, services: Services, document: Document, before: Known) -> Saved:
        """Lay what was changed over the job."""
        changes = changed("job", before.document or {}, document)
        made = services.jobs.edit(self.name, changes, seen=before.document)
        what = ", ".join(made["changed_now"]).replace("_", " ")
        words = (
            f"{what} of {inert.line(made['name'])} changed, immediately"
            if what
            else "nothing was changed"
        )
        return Saved(_with_warnings(words, made), made["name"])


class NewDefinition(Kind):
    """A profile, query, cluster, catalog or team that is to be."""

    @property
    def checks(self) -> bool:
        """Whether it is checked while one types: not a cluster, which would be asked each time."""
        return self.kind != "cluster"

    def read(self, services: Services) -> Known:
        """Return the teams, and what the first choice is."""
        names = _names(services, NAMED.get(self.kind, {}).values())
        presets = {}
        if self.kind in VARIANTS:
            path, variants = VARIANTS[self.kind]
            presets[path] = next(iter(variants))
        if "team" in names:
            presets["team"] = _own_team(services, names[OWNING])
        why_not = ""
        if "team" not in names and not services.rights.header()["org_admin"]:
            why_not = f"only org admins may create a {self.kind}"
        return Known(names, presets=presets, why_not=why_not)

    def check(self, services: Services, document: Document) -> Checked:
        """Return problems and warnings."""
        return Checked(*_validated(services, {**document, "type": self.kind}))

    def save(self, services: Services, document: Document, before: Known) -> Saved:
        """Create it."""
        made = services.definitions.create(self.kind, document)
        return Saved(
            _with_warnings(f"{self._called(made)} is made{_status(made)}", made), self._ref(made)
        )

    def _called(self, made: Document) -> str:
        return f"{self.kind} {inert.line(self._ref(made))}"

    def _ref(self, made: Document) -> str:
        return str(made["id"] if self.kind == "query" else made["name"])


class EditedDefinition(NewDefinition):
    """One that is there; each save is a revision."""

    @property
    def checks(self) -> bool:
        """Whether it is checked while one types: no, it is not new."""
        return False

    @property
    def asks_impact(self) -> bool:
        """Whether whom it reaches is shown before the save: of what runs take."""
        return self.kind in ("profile", "query")

    def entries(self) -> list[Entry]:
        """Return its fields; what it is for good is locked."""
        found = entries(self.kind)
        for one in found:
            one.locked = one.path in ("id", "kind")
        return found

    def read(self, services: Services) -> Known:
        """Return it as its file would say it."""
        from quarterdeck.service import views
        from quarterdeck.service.references import World

        kept = services.context.get_definition(self.kind, self.name)
        names = _names(services, NAMED.get(self.kind, {}).values())
        why_not = services.definitions.why_not(self.kind, self.name, "edit") or ""
        return Known(
            names,
            views.file_form(World(services.context), kept.value),
            kept.value.revision,
            why_not=why_not,
        )

    def save(self, services: Services, document: Document, before: Known) -> Saved:
        """Lay what was changed over it."""
        changes = changed(self.kind, before.document or {}, document)
        made = services.definitions.edit(
            self.kind, self.name, changes, revision=before.rev, reach=before.reach
        )
        words = f"{self._called(made)} is at revision {made['revision']}{_status(made)}"
        if not changes:
            words = "nothing was changed"
        elif self.asks_impact:
            words += "; the next run of each job takes it"
        return Saved(_with_warnings(words, made), self._ref(made))


class TheWorkspace(Kind):
    """The workspace's own settings."""

    @property
    def title(self) -> str:
        """There is only one."""
        return "Workspace settings"

    def read(self, services: Services) -> Known:
        """Return the settings."""
        header = services.rights.header()
        why_not = "" if header["org_admin"] else "only org admins may edit the workspace"
        return Known(
            {}, services.workspaces.document(), services.workspaces.show()["rev"], why_not=why_not
        )

    def save(self, services: Services, document: Document, before: Known) -> Saved:
        """Lay what was changed over them."""
        changes = changed("workspace", before.document or {}, document)
        made = services.workspaces.edit(changes, expect_rev=before.rev)
        return Saved("the workspace's settings are saved", made["name"])


def changed(kind: str, before: Document, document: Document) -> dict[str, Any]:
    """Return the keys of the first level that differ; what was taken out is empty, or what is so by default."""
    made = {key: value for key, value in document.items() if before.get(key) != value}
    asked = {one.path.partition(".")[0] for one in FORM[kind]}
    for key in before:
        if key in asked and key not in document:
            made[key] = _nothing(kind, key)
    return made


def _nothing(kind: str, key: str) -> Any:
    shape = SHAPES.get(kind, {}).get(key, "line")
    if default := DEFAULTS.get(kind, {}).get(key):
        return written.read(shape, default)
    return {"list": [], "texts": {}, "values": {}}.get(shape)


def _mark_of_job(path: str) -> str:
    return "immediately" if path in AT_ONCE else "versioned"


def _names(services: Services, kinds: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of each kind; under `OWNING` the teams that this actor may let own something."""
    found = {}
    for kind in set(kinds):
        key = "id" if kind == "query" else "name"
        found[kind] = [one[key] for one in services.definitions.page(kind)]
    if "team" in found:
        header = services.rights.header()
        own = found["team"] if header["org_admin"] else header["teams"]
        found[OWNING] = sorted(own)
    return found


def _own_team(services: Services, teams: Sequence[str]) -> str:
    """Return the team that a new thing belongs to if nothing else is said; empty: that has to be asked."""
    header = services.rights.header()
    own = header["teams"] or teams
    return str(header["acting_as"] or (own[0] if len(own) == 1 else ""))


def _named(document: Document, path: str) -> str:
    value: Any = document
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else ""


def _validated(
    services: Services, document: Document, *, is_new: bool = False
) -> tuple[list[Problem], list[Problem]]:
    try:
        found = services.jobs.validate([document], is_new=is_new)
    except QuarterdeckError as error:
        return problems_of(error), []
    return [], [
        Problem(one["path"], one["message"], "warning") for one in found.get("warnings", ())
    ]


def problems_of(error: BaseException) -> list[Problem]:
    """Return the problems that an error carries."""
    if not isinstance(error, QuarterdeckError):
        raise error
    return list(getattr(error, "problems", None) or error.facts.get("problems") or [])


def _status(made: Document) -> str:
    return f" and is {made['status']}" if made.get("status") else ""


def _with_warnings(words: str, made: Document) -> str:
    told = "; ".join(f"{one['path']} {one['message']}" for one in made.get("warnings", ()))
    return f"{words}. {inert.line(told)}" if told else words

"""One registry of what can be done: id, keys, words, and the command that does the same.

Keys, footer, help, palette, `keys.toml` and `Y` are made from it. How an act is done is its screen's:
the act `job.log` is the method `action_job_log`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType


class Action(NamedTuple):
    """One act.

    `keys`: Textual's names, separated by commas, the first is the one shown; empty: palette only. `label`: in the
    footer. `help`: in `?` and the palette. `where`: what has to be open for it. `twin`: the command that does the
    same, with {job}, {run}, {version}, {kind}, {name} filled in from the screen; empty for acts that only move
    about the screen. `writes`: gone with `--read-only`. `verb`: the word of the table of rights, if rights decide.
    `takes`: on how many marked rows of a list it acts at once; None: it is about none, or about the cursor's.
    """

    id: str
    keys: str
    label: str
    help: str
    where: str = ""
    twin: str = ""
    writes: bool = False
    verb: str = ""
    priority: bool = False
    takes: int | None = None

    @property
    def method(self) -> str:
        """The name that Textual calls: `action_` and this."""
        return self.id.replace(".", "_")

    @property
    def scope(self) -> str:
        """The first half of the id."""
        return self.id.partition(".")[0]


_LIST, _JOB, _RUN, _LOG = "in a list", "on a job", "on a run", "in a log"
_EDITOR, _VERSION = "in the editor", "on a version"
ALL: Final = 1_000_000_000
"""An act that takes every marked row."""

_TABLE: Final = (
    # --- everywhere
    Action("app.help", "question_mark,f1", "Help", "all keys of this screen"),
    Action("app.palette", "colon,ctrl+p", "Commands", "every act by name, any job, any run", priority=True),
    Action("app.back", "escape", "Back", "back one level; never loses text"),
    Action("app.close", "q", "Close", "close this view; on the jobs list: quit"),
    Action("app.quit", "ctrl+q", "Quit", "quit from anywhere; runs go on", priority=True),
    Action("app.redraw", "ctrl+l", "Repaint", "draw the whole screen again"),
    Action("app.refresh", "R", "Refresh", "read again now, in the newest order"),
    Action("app.zoom", "z", "Zoom", "give the focused pane the whole screen, and back"),
    Action("app.undo", "u", "Undo", "undo the last act, for ten seconds after it"),
    Action("app.copy", "y", "Copy", "copy what is under the cursor", takes=ALL),
    Action("app.copy_command", "Y", "Copy command", "copy the command that does this", takes=1),
    Action("app.messages", "", "Messages", "the last 200 messages"),
    Action("app.theme", "", "Theme", "choose the colours"),
    Action("app.lift_read_only", "", "Lift read-only", "write from now on, as without --read-only; asks",
           twin="quarterdeck"),
    Action("app.act_as", "", "Act as", "choose the team that new things belong to",
           twin="quarterdeck --as {team} whoami"),
    Action("app.view_1", "1", "Jobs", "the jobs list", twin="quarterdeck job list"),
    Action("app.view_2", "2", "Runs", "all runs, newest first", twin="quarterdeck runs"),
    Action("app.view_4", "4", "Profiles", "compute profiles", twin="quarterdeck profile list"),
    Action("app.view_5", "5", "Queries", "saved queries", twin="quarterdeck query list"),
    Action("app.view_6", "6", "Clusters", "clusters and catalogs", twin="quarterdeck cluster list"),
    Action("app.view_7", "7", "Teams", "teams and their members", twin="quarterdeck team list"),
    Action("app.view_8", "8", "Audit", "who did what", twin="quarterdeck audit"),
    # --- lists
    Action("list.down", "j,down", "Down", "one line down", _LIST),
    Action("list.up", "k,up", "Up", "one line up", _LIST),
    Action("list.top", "g,home", "First", "to the first line", _LIST),
    Action("list.bottom", "G,end", "Last", "to the last line", _LIST),
    Action("list.half_down", "ctrl+d", "Half down", "half a page down", _LIST),
    Action("list.half_up", "ctrl+u", "Half up", "half a page up", _LIST),
    Action("list.page_down", "pagedown", "Page down", "a page down", _LIST),
    Action("list.page_up", "pageup", "Page up", "a page up", _LIST),
    Action("list.filter", "slash", "Filter", "filter as you type; Enter keeps it, Esc drops it", _LIST),
    Action("list.problems", "exclamation_mark", "Problems", "only what needs attention, and back", _LIST),
    Action("list.mark", "space", "Mark", "mark for the next act", _LIST),
    Action("list.sort", "o", "Sort", "sort by the next column", _LIST),
    Action("list.reverse", "O", "Reverse", "turn the order round", _LIST),
    Action("list.open", "enter", "Open", "open what is under the cursor", _LIST),
    Action("list.new", "i", "New", "make a new one", _LIST, "quarterdeck {kind} create -f FILE", writes=True),
    # --- jobs
    Action("job.log", "l", "Log", "log of the latest run", _JOB, "quarterdeck logs {run}", takes=1),
    Action("job.runs", "h", "Runs", "runs of the job", _JOB, "quarterdeck runs --job {job}", takes=1),
    Action("job.edit", "e", "Edit", "edit the draft", _JOB, "quarterdeck job edit {job}",
           writes=True, verb="edit", takes=1),
    Action("job.versions", "v", "Versions", "versions of the job", _JOB, "quarterdeck job versions {job}",
           takes=1),
    Action("job.plan", "P", "Plan", "what a run would make on its cluster, and what preflight says", _JOB,
           "quarterdeck job plan {job}", takes=1),
    Action("job.settings", "s", "Settings", "name, team, sharing, description: immediately", _JOB,
           "quarterdeck job edit {job} -f FILE", writes=True, verb="edit", takes=1),
    Action("job.delete", "X", "Delete", "delete the job; asks for its name", _JOB, "quarterdeck job delete {job}",
           writes=True, verb="delete", takes=ALL),
    Action("run.start", "r", "Run", "run it: live, the draft or a version", _JOB, "quarterdeck run {job}",
           writes=True, verb="run", takes=ALL),
    Action("tabs.prev", "left_square_bracket,comma", "Previous tab", "to the tab on the left", "on a job or run"),
    Action("tabs.next", "right_square_bracket,full_stop", "Next tab", "to the tab on the right",
           "on a job or run"),
    Action("version.activate", "a", "Activate", "make this version live; asks", _VERSION,
           "quarterdeck job activate {job} {version}", writes=True, verb="activate", takes=1),
    Action("version.diff", "d", "Diff", "against live, or the marked one", _VERSION,
           "quarterdeck job diff {job} {version} {other}", takes=2),
    Action("draft.discard", "", "Discard draft", "drop the draft; undo for ten seconds", _JOB,
           "quarterdeck job discard {job}", writes=True, verb="edit", takes=1),
    Action("draft.bring_back", "", "Dropped drafts", "bring a draft back that was dropped", _JOB,
           "quarterdeck job bring-back {job}", writes=True, verb="edit", takes=1),
    Action("draft.reset", "", "Reset draft", "make the draft equal to live; undo for ten seconds", _JOB,
           "quarterdeck job reset {job}", writes=True, verb="edit", takes=1),
    # --- runs
    Action("run.again", "r", "Again", "run it again: same version, exactly, or live", _RUN,
           "quarterdeck retry {run}", writes=True, verb="retry", takes=ALL),
    Action("run.exact", "", "Run exactly", "run again exactly what ran", _RUN, "quarterdeck rerun {run} --exact",
           writes=True, verb="run", takes=1),
    Action("run.node_off", "", "Node is off", "say that the lost node's machine is off, and try again; asks", _RUN,
           "quarterdeck retry {run} --node-off", writes=True, verb="retry", takes=1),
    Action("run.cancel", "x", "Cancel", "end the run; asks", _RUN, "quarterdeck cancel {run}",
           writes=True, verb="cancel", takes=ALL),
    Action("run.compare", "c", "Compare", "with the last good run, or the marked one", _RUN,
           "quarterdeck compare {run} {other}", takes=2),
    Action("run.version", "V", "Version", "the version that it ran", _RUN,
           "quarterdeck job show {job} --version {version}", takes=1),
    Action("run.drafts", "D", "Drafts", "runs of drafts, and back", _LIST, "quarterdeck runs --draft"),
    # --- log
    Action("log.follow", "f", "Follow", "follow the end, on and off", _LOG, "quarterdeck logs {run} -f"),
    Action("log.search", "slash", "Search", "search the whole log", _LOG, "quarterdeck logs {run} --search TEXT"),
    Action("log.next", "n", "Next", "next match; without a search: next error", _LOG),
    Action("log.previous", "N", "Previous", "previous match; without a search: previous error", _LOG),
    Action("log.problems", "exclamation_mark", "Errors", "only errors and warnings, and back", _LOG),
    Action("log.only", "ampersand", "Only", "only matching lines, and back", _LOG),
    Action("log.origin", "o", "Origin", "lines of one origin, the next one", _LOG,
           "quarterdeck logs {run} --origin ORIGIN"),
    Action("log.wrap", "w", "Wrap", "wrap long lines", _LOG),
    Action("log.times", "t", "Times", "times: off, local, UTC, since the start", _LOG),
    Action("log.left", "left", "Left", "half a screen to the left", _LOG),
    Action("log.right", "right", "Right", "half a screen to the right", _LOG),
    Action("log.plain", "m", "Plain", "plain text for the mouse; Enter comes back", _LOG,
           "quarterdeck logs {run}"),
    Action("log.save", "S", "Save", "save the whole log to a file", _LOG, "quarterdeck logs {run} --save FILE"),
    # --- editor
    Action("editor.save", "ctrl+s,f10", "Save", "save the draft now", _EDITOR,
           "quarterdeck job edit {job} -f FILE", writes=True),
    Action("editor.run", "ctrl+r,f5", "Run draft", "run the draft", _EDITOR, "quarterdeck run {job} --draft",
           writes=True, verb="run_draft"),
    Action("editor.pane", "ctrl+t", "Python", "the other pane: SQL or Python", _EDITOR),
    Action("editor.options", "ctrl+o,f2", "Settings", "the settings sheet", _EDITOR),
    Action("editor.next_problem", "ctrl+n", "Next problem", "the cursor to the next problem", _EDITOR,
           "quarterdeck job validate FILE"),
    Action("editor.find", "ctrl+f", "Find", "find in the pane", _EDITOR),
    Action("editor.publish", "ctrl+g", "Go live", "publish; shows the diff and asks", _EDITOR,
           "quarterdeck job publish {job} --note TEXT", writes=True, verb="publish"),
    Action("editor.external", "f4", "$EDITOR", "open the text in your own editor", _EDITOR,
           "quarterdeck job edit {job}"),
    Action("editor.plan", "f9", "Plan", "what a run of the draft would make, and what preflight says", _EDITOR,
           "quarterdeck job plan {job} --draft"),
    Action("editor.take", "", "Take it", "take the text from elsewhere into this job", _EDITOR, writes=True),
    Action("editor.write", "", "Write to file", "write the text to a file", _EDITOR),
    # --- definitions: profiles, queries, clusters, catalogs, teams
    Action("item.edit", "e", "Edit", "edit it; shows what it touches before the save", "on a definition",
           "quarterdeck {kind} edit {name}", writes=True, takes=1),
    Action("item.external", "f4", "$EDITOR", "edit it as a file in your own editor", "on a definition",
           "quarterdeck {kind} edit {name}", writes=True, takes=1),
    Action("item.duplicate", "", "Duplicate", "a new query that begins like this one", "on a definition",
           "quarterdeck query create -f FILE", writes=True, takes=1),
    Action("item.delete", "X", "Delete", "delete it; asks for its name", "on a definition",
           "quarterdeck {kind} delete {name}", writes=True, takes=ALL),
    Action("item.history", "v", "History", "its revisions", "on a definition",
           "quarterdeck {kind} history {name}", takes=1),
    Action("item.impact", "d", "Impact", "the jobs that use it", "on a definition",
           "quarterdeck {kind} impact {name}", takes=1),
    Action("item.check", "c", "Check", "run the checks of the cluster now", "on a cluster",
           "quarterdeck cluster check {name}", writes=True, takes=ALL),
    Action("form.save", "ctrl+s,f10", "Save", "check everything and save", "in a form",
           "quarterdeck {kind} create -f FILE", writes=True),
    Action("form.reset", "f8", "Start over", "drop what was typed; again: bring it back", "in a form"),
    Action("form.next_problem", "ctrl+n", "Next problem", "to the next field with a problem", "in a form",
           "quarterdeck job validate FILE"),
)  # fmt: skip

ACTIONS: Final[dict[str, Action]] = {action.id: action for action in _TABLE}
"""Every act by its id, in the order of the help."""
BY_METHOD: Final[dict[str, Action]] = {action.method: action for action in _TABLE}
"""Every act by the name of its method without `action_`."""

GLOBAL: Final = tuple(a.id for a in _TABLE if a.scope == "app")
MOVES: Final = tuple(
    f"list.{name}"
    for name in (
        "down", "up", "top", "bottom", "half_down", "half_up", "page_down", "page_up",
    )
)  # fmt: skip


def bindings(*ids: str) -> list[BindingType]:
    """Return Textual's bindings of these acts; each carries its id, by which `keys.toml` remaps it."""
    from textual.binding import Binding

    return [
        Binding(
            action.keys, action.method, action.label, id=action.id, tooltip=action.help,
            priority=action.priority,
        )
        for action in map(ACTIONS.__getitem__, ids)
        if action.keys
    ]  # fmt: skip


_SHORT: Final = {
    "question_mark": "?", "colon": ":", "slash": "/", "exclamation_mark": "!", "ampersand": "&",
    "left_square_bracket": "[", "right_square_bracket": "]", "comma": ",", "full_stop": ".",
    "escape": "Esc", "enter": "Enter", "space": "Space", "pagedown": "PgDn", "pageup": "PgUp",
    "up": "Up", "down": "Down", "left": "Left", "right": "Right", "home": "Home", "end": "End",
}  # fmt: skip


def shown(key: str) -> str:
    """Return a key as the footer and the help write it: `^s`, `F5`, `?`."""
    if key.startswith("ctrl+"):
        return "^" + shown(key.removeprefix("ctrl+"))
    if key in _SHORT:
        return _SHORT[key]
    return key.upper() if len(key) > 1 and key[0] == "f" and key[1:].isdigit() else key


def first_key(keys: str) -> str:
    """Return the first of several keys as it is shown; empty for none."""
    return shown(keys.partition(",")[0]) if keys else ""


def first_unprintable(keys: str) -> str:
    """Return the first of several keys that writes nothing into a field, as it is shown; empty for none."""
    return next((shown(key) for key in keys.split(",") if len(shown(key)) > 1), "")


def with_key(key: str, ids: Iterable[str]) -> list[Action]:
    """Return those of the acts that this key calls by default."""
    return [ACTIONS[one] for one in ids if key in ACTIONS[one].keys.split(",")]

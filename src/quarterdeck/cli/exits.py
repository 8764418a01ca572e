"""From what was raised to an exit code and a refusal on standard error, as words or as one JSON document."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from quarterdeck.cli.output import columns_of, to_json
from quarterdeck.model.errors import EXIT_CODES, NotAllowedError, Problem, QuarterdeckError
from quarterdeck.present import inert
from quarterdeck.present.table import wrap

if TYPE_CHECKING:
    from quarterdeck.cli.session import Session

INTERRUPTED: Final = 130
TERMINATED: Final = 143
OPTIONAL: Final = ("pysail", "pyspark", "pandas", "pyarrow", "grpc", "tpchgen_cli")


class StoppedError(BaseException):
    """A signal ended the wait; everything was said already."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def report(error: BaseException, session: Session) -> int:
    """Write the refusal to standard error and return the exit code."""
    if isinstance(error, StoppedError):
        return error.code
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        sys.stderr.write("interrupted\n")
        return INTERRUPTED
    document = explain(error)
    if document["code"] == "defect" and (damage := session.damage_behind_it()):
        advice = "See `quarterdeck store verify`; `quarterdeck store repair` keeps the rest."
        document = _document("prerequisite", f"The store is damaged: {damage}.", advice)
    if session.flags["json"]:
        sys.stderr.write(to_json({"error": document}) + "\n")
    else:
        most = columns_of(sys.stderr)
        for line in _words(document):
            sys.stderr.writelines(one + "\n" for one in wrap(line, most))
    return EXIT_CODES[document["code"]]


def explain(error: BaseException) -> dict[str, Any]:
    """Return code, message, advice, fields and further facts of anything that was raised."""
    if isinstance(error, QuarterdeckError):
        return _ours(error)
    if isinstance(error, click.ClickException):
        return _usage(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").split(".")[0] in OPTIONAL:
        text = f"The package {error.name} is not installed."
        return _document("prerequisite", text, "Run: pip install 'quarterdeck[local]'")
    if isinstance(error, OSError) and error.filename is None and error.errno is not None:
        return _document("failed", f"The system says: {error.strerror}.", "Fix that and repeat.")
    return _defect(error)


def _document(
    code: str, message: str, advice: str, fields: list[Problem] | None = None, **facts: Any
) -> dict[str, Any]:
    return {
        "code": code, "message": message, "advice": advice,
        "fields": [{"path": one.path, "message": one.message} for one in fields or ()],
        **facts,
    }  # fmt: skip


def _ours(error: QuarterdeckError) -> dict[str, Any]:
    facts = dict(error.facts)
    fields = getattr(error, "problems", None) or facts.pop("problems", [])
    if isinstance(error, NotAllowedError):
        facts["allowed"] = error.allowed
    return _document(error.code, error.message, error.advice, fields, **facts)


def _usage(error: click.ClickException) -> dict[str, Any]:
    message = error.format_message()
    path, advice = "", ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        advice = f"`{error.ctx.command_path} --help` shows how it is called."
    if isinstance(error, click.NoSuchOption):
        path = error.option_name
        advice += f" If {path} is a name, write it behind `--`: … -- {path}"
    elif isinstance(error, click.BadParameter) and error.param is not None:
        path = max(error.param.opts, key=len).lstrip("-").replace("-", "_")
    return _document("invalid", message, advice, [Problem(path, message)])


def _words(document: dict[str, Any]) -> Iterator[str]:
    fields = document["fields"]
    first = document["message"].removesuffix(f" (and {len(fields) - 1} more)")
    if first != document["message"]:  # all of them follow
        first = f"{len(fields)} things to fix"
    yield inert.line(f"error: {first}")
    if len(fields) > 1:
        for one in fields:
            yield inert.line(
                f"  {one['path']}: {one['message']}" if one["path"] else f"  {one['message']}"
            )
    if document["advice"]:
        yield inert.line(f"  {document['advice']}")


# --- defects


def _defect(error: BaseException) -> dict[str, Any]:
    import traceback

    from quarterdeck.tui import crash

    kept = crash.keep("".join(traceback.format_exception(error)))
    text = f"A defect of Quarterdeck: {type(error).__name__}; its trace was saved in {kept}."
    return _document("defect", text, "Please report it with that file.", trace=kept)

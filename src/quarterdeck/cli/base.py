"""What all commands share: the global options before and behind them, an example in `--help`, their values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from quarterdeck import __version__
from quarterdeck.cli.session import Session
from quarterdeck.model import limits
from quarterdeck.model.errors import InvalidInputError, Problem
from quarterdeck.model.origins import ORIGINS, WORKER

if TYPE_CHECKING:
    from collections.abc import Callable

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # takes no parameter before click 8.5

pass_session = click.make_pass_decorator(Session)
Decorated = TypeVar("Decorated", bound="Callable[..., Any] | click.Command")


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None and value is not False:
        ctx.ensure_object(Session).flags[str(param.name)] = value


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        ctx.ensure_object(Session).words({"version": __version__}, f"quarterdeck {__version__}")
        ctx.exit()


def _globals(*, hidden: bool) -> list[click.Option]:
    shared: dict[str, Any] = {"expose_value": False, "callback": _keep, "hidden": hidden}
    return [
        click.Option(["--store"], metavar="PATH", help="The workspace's folder (or QUARTERDECK_STORE).", **shared),
        click.Option(["--json"], is_flag=True, help="One JSON document on standard output.", **shared),
        click.Option(["--plain"], is_flag=True, help="Words in reading order: no table, no colour.", **shared),
        click.Option(["--read-only"], is_flag=True, help="Refuse everything that writes.", **shared),
        click.Option(["--as", "as_team"], metavar="TEAM", help="Act as this team of yours.", **shared),
    ]  # fmt: skip


def _version_option(*, hidden: bool) -> click.Option:
    return click.Option(
        ["--version", "show_version"], is_flag=True, is_eager=True, expose_value=False, callback=_version,
        hidden=hidden, help="Print the version.",
    )  # fmt: skip


_HIDDEN: Final = _globals(hidden=True)
_HIDDEN_VERSION: Final = _version_option(hidden=True)


class Command(click.Command):
    """A command with an example and the global options behind it."""

    def __init__(self, *args: Any, example: str, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {})["help_option_names"] = ["-h", "--help"]
        super().__init__(*args, **kwargs)
        self.example = example
        self.params += _HIDDEN
        if not any("--version" in one.opts for one in self.params):
            self.params.append(_HIDDEN_VERSION)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take a negative number for a wrong version where one is wanted, not for an option."""
        given = [*args]
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            wanted = [one for one in self.params if isinstance(one.type, VersionNumber)]
            if wanted and re.fullmatch("-[0-9]", error.option_name):
                typed = next(one for one in given if one.startswith(error.option_name))
                wanted[0].type.convert(typed, wanted[0], ctx)
            raise

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example, and where the global options are told."""
        super().format_epilog(ctx, formatter)
        _example(formatter, self.example)
        formatter.write_paragraph()
        formatter.write_text("Also everywhere: --json --plain --store PATH --read-only --as TEAM.")


class Group(click.Group):
    """A noun with its verbs; an unknown one is answered with the nearest."""

    command_class = Command

    def __init__(
        self, *args: Any, example: str = "", hidden_globals: bool = True, **kwargs: Any
    ) -> None:
        kwargs.setdefault("context_settings", {})["help_option_names"] = ["-h", "--help"]
        super().__init__(*args, **kwargs)
        self.example = example
        if hidden_globals:
            self.params += [*_HIDDEN, _HIDDEN_VERSION]
        else:
            self.params += [*_globals(hidden=False), _version_option(hidden=False)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"There is no command {name}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write every verb with its whole first sentence."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(n, one.get_short_help_str(limit=200)) for n, one in found if one])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        super().format_epilog(ctx, formatter)
        _example(formatter, self.example)


def _example(formatter: click.HelpFormatter, example: str) -> None:
    if example:
        with formatter.section("Example"):
            for line in example.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


# --- values


class Whole(_ParamType):
    """A whole number in a range, with an example in its refusal."""

    name = "number"

    def __init__(self, least: int, most: int, example: str) -> None:
        self.least, self.most, self.example = least, most, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        if isinstance(value, int):
            return value
        number = int(value) if re.fullmatch(r"[0-9]{1,18}", value) else None
        if number is None or not self.least <= number <= self.most:
            text = f"{value} is not a whole number from {self.least} to {self.most:,}; for example {self.example}"
            self.fail(text, param, ctx)
        return number


class VersionNumber(_ParamType):
    """The number of a version; `draft` where that is taken."""

    name = "version"

    def __init__(self, *, or_draft: bool = False) -> None:
        self.or_draft = or_draft

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number as it was typed: `int`, or text where `draft` is taken."""
        if self.or_draft and value == "draft":
            return value
        if not re.fullmatch(r"[1-9][0-9]{0,8}", str(value)):
            words = "a version's number, or draft" if self.or_draft else "a version's number"
            text = f"{value} is not {words}; for example 3"
            raise InvalidInputError(
                [Problem("version", text)], advice="`quarterdeck job versions NAME` lists them."
            )
        return str(value) if self.or_draft else int(value)


class Origin(_ParamType):
    """Where lines of a log come from: one of ORIGINS, or one worker."""

    name = "origin"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the origin, or say which there are."""
        kind, _, number = str(value).partition("-")
        if value not in ORIGINS and not (kind == WORKER and number.isdecimal()):
            self.fail(f"{value!r} is not one of {', '.join(ORIGINS)}, {WORKER}-1, …", param, ctx)
        return str(value)


class OneOf(_ParamType):
    """A member of an enum of the model, which is imported only when somebody names one."""

    name = "word"

    def __init__(self, module: str, enum: str) -> None:
        self.module, self.enum = module, enum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word, if it is one of them."""
        from importlib import import_module

        known = [one.value for one in getattr(import_module(self.module), self.enum)]
        if value not in known:
            self.fail(f"{value} is not one of {', '.join(known)}", param, ctx)
        return str(value)


EXPECT_LIVE: Final = Whole(1, 10**9, "--expect-live 7")
EXPECT_REV: Final = Whole(1, 2**53, "--expect-rev 4")
LIMIT: Final = Whole(1, limits.PAGE_MOST, "--limit 100")


def expect_rev_option(
    meaning: str = "this is the revision now",
) -> Callable[[Decorated], Decorated]:
    """Return the option that refuses a stale edit; `meaning` says what N is compared with."""
    return click.option(
        "--expect-rev", type=EXPECT_REV, metavar="N", help=f"Refuse (5) unless {meaning}."
    )


def expect_live_option() -> Callable[[Decorated], Decorated]:
    """Return the option that refuses an act for which another version is live than was looked at."""
    return click.option(
        "--expect-live", type=EXPECT_LIVE, metavar="N", help="Refuse (5) unless version N is live."
    )

"""The workspace that the application is over: opened on a thread, watched, and opened anew for writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.tui.calls import Calls
from quarterdeck.tui.feed import Feed
from quarterdeck.tui.messages import Later
from quarterdeck.tui.terminal import AtTerminal, Surroundings

if TYPE_CHECKING:
    from quarterdeck.service.bundle import Services
    from quarterdeck.tui.shell import Shell


class Making(NamedTuple):
    """Where a workspace would be, and what makes it and gives its services."""

    where: str
    make: Callable[[], Services]


class AtWorkspace(AtTerminal):
    """An application over the services that `opening` gives; `lifting` gives such as may write."""

    def __init__(
        self,
        around: Surroundings | None,
        opening: Callable[[], Services],
        making: Making | None,
        lifting: Callable[[], Services] | None,
    ) -> None:
        super().__init__(around)
        self.calls = Calls(lambda error: self._tell(partial(self.defect, error)))
        self.go_on = 0  # runs that had not ended when it was quit
        self._opening = opening
        self._making = making
        self._lifting = lifting
        self._services: Services | None = None
        self._header: dict[str, Any] = {}
        self._feed: Feed | None = None

    # --- what the application does with it

    def defect(self, error: BaseException) -> None:
        """End with a report of what broke."""
        raise NotImplementedError

    def _take_header(self, header: dict[str, Any]) -> None:
        raise NotImplementedError

    def _cannot_open(self, error: BaseException) -> None:
        raise NotImplementedError

    def _tell(self, act: Callable[[], None]) -> None:
        """Let the loop do this; from any thread."""
        self.post_message(Later(act))

    # --- who is here

    @property
    def services(self) -> Services:
        """The use cases; a page calls them on the threads of `Page.ask` alone."""
        if self._services is None:
            self._services = self._opening()
        return self._services

    @property
    def is_open(self) -> bool:
        """Whether the workspace was opened."""
        return self._services is not None

    @property
    def read_only(self) -> bool:
        """Whether nothing may be written."""
        return bool(self._header.get("read_only"))

    @property
    def header(self) -> Mapping[str, Any]:
        """Who is here with which rights, as `services.rights.header` said last; empty before that."""
        return self._header

    def make_workspace(self) -> None:
        """Make a workspace where there is none; on a thread."""
        if self._making is not None:
            self._services = self._making.make()

    @property
    def may_lift(self) -> bool:
        """Whether `--read-only` can be taken back: a damaged store stays as it is."""
        return self.read_only and self._lifting is not None and not self._header.get("damage")

    def lift_read_only(self) -> None:
        """Open the workspace for writing, in the place of the one for reading; on a thread."""
        if self._lifting is None:
            return
        services = self._lifting()
        if self._feed is not None:
            self._feed.stop()
        self._services = services
        self._attend()

    def _attend(self) -> None:
        """Learn who is here, then watch what changes, and move runs on; on threads of their own."""
        try:
            services = self.services
            header = services.rights.header()
            if not header["read_only"]:
                header["taken_up"] = services.moving.unfinished()
        except BaseException as error:  # noqa: BLE001  # told on the loop, where it is shown
            self._tell(partial(self._cannot_open, error))
            return
        self._tell(partial(self._take_header, header))
        self._feed = Feed(cast("Shell", self), services)
        self._feed.begin()

    def read_header(self) -> None:
        """Read again who is here, with which rights."""
        self.calls.submit(
            lambda: self._tell(partial(self._take_header, self.services.rights.header()))
        )

    def _count_unfinished(self) -> None:
        with suppress(QuarterdeckError):  # a store that does not answer keeps nobody here
            self.go_on = self.services.moving.unfinished()

    def on_unmount(self) -> None:
        """Let the threads of the feed end."""
        if self._feed is not None:
            self._feed.stop()

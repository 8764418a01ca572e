"""A saved query: SQL text with an id that is never used again. Its statements are checked in `problems`."""

from typing import Annotated

from quarterdeck.model.base import Frozen, Name, Reference, Text, pattern
from quarterdeck.model.source import QUERY_ID


class QueryFile(Frozen):
    """A saved query; without an id one is made from the name."""

    id: Annotated[Text, pattern(QUERY_ID, "an id: a-z, 0-9 and -, at most 63")] | None = None
    name: Name
    team: Reference
    text: str

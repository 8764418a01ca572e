"""Whether a wheel's `module:function` can be called, by the module's source; nothing is imported or run.

What can only be known by running it (star imports, `__getattr__`, decorators) is taken to be right.
"""

from __future__ import annotations

import ast
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from typing import Final

from quarterdeck.model.text import nearest
from quarterdeck.ports.files import EntryFacts

SOURCE_BYTES: Final = 1024 * 1024  # of a module; a longer one is not looked into
_SHOWN_VALUE: Final = 60  # characters of what a function returns
_SHOWN: Final = 8  # names that a message lists
_DATA: Final = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_INDIRECT: Final = frozenset(
    {"exec", "globals", "locals", "setattr", "vars", "modules", "__dict__"}
)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_VALUES: Final = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.JoinedStr)
_INNER: Final = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)


def look_at(content: bytes, entry_point: str) -> EntryFacts:
    """Return what the source says against this entry point of the wheel."""
    module, _, function = entry_point.partition(":")
    source = _source(content, module)
    if source is None:
        return EntryFacts()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python would say of the module's own style
            tree = ast.parse(source)
    except SyntaxError as error:
        where = f"line {error.lineno or 1} of module {module}"
        return EntryFacts(f"{where} is not Python as this Python reads it: {error.msg}")
    except (ValueError, RecursionError, MemoryError):
        return EntryFacts()
    name, _, inner = function.partition(".")
    bound = list(_bound(tree.body))
    if _is_open(tree, name):
        return EntryFacts()
    found = [node for known, node in bound if known == name]
    if not found:
        return EntryFacts(_missing(module, name, bound))
    if inner or len(found) > 1 or not isinstance(found[0], _FUNCTIONS) or found[0].decorator_list:
        return EntryFacts()
    inside = [one for statement in found[0].body for one in _walk(statement)]
    return EntryFacts(_uncallable(found[0], inside), _doubt(name, inside))


def _source(content: bytes, module: str) -> bytes | None:
    """Return the module's source; None if the wheel has none, or one that is too long."""
    path = module.replace(".", "/")
    wanted = (f"{path}/__init__.py", f"{path}.py")  # a package comes before a module of its name
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {_DATA.sub("", one.filename, count=1): one for one in archive.infolist()}
        member = next((members[one] for one in wanted if one in members), None)
        if member is None or member.file_size > SOURCE_BYTES:
            return None
        return archive.read(member)


def _bound(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Yield each name that these statements bind in the module, and by what."""
    for statement in body:
        for node in _walk(statement):
            yield from _names(node)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement and what is in it, but not what is in a function or class of it."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if not isinstance(one, _INNER):
            waiting += reversed(list(ast.iter_child_nodes(one)))


def _names(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name, node
        case ast.Import() | ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], node
        case ast.Name(id=name, ctx=ast.Store()):
            yield name, node
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name, node
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name, node
        case _:
            pass


def _is_open(tree: ast.Module, name: str) -> bool:
    """Whether the module may have the name, or have it otherwise, in a way that its source does not show."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                return True
            case ast.FunctionDef(name="__getattr__"):
                return True
            case ast.Global(names=names) if name in names:
                return True
            case ast.Name(id=word) | ast.Attribute(attr=word) if word in _INDIRECT:
                return True
    return False


def _missing(module: str, name: str, bound: list[tuple[str, ast.AST]]) -> str:
    has = dict.fromkeys(known for known, node in bound if isinstance(node, _FUNCTIONS))
    near = nearest(name, has)
    if near:
        return f"module {module} has no {name}; did you mean {module}:{near[0]}?"
    shown = [one for one in has if not one.startswith("_")][:_SHOWN]
    more = ", …" if len(has) > len(shown) else ""
    return f"module {module} has no {name}; its functions: {', '.join(shown) + more or 'none'}"


def _uncallable(node: ast.FunctionDef | ast.AsyncFunctionDef, inside: list[ast.AST]) -> str:
    name = node.name
    if isinstance(node, ast.AsyncFunctionDef):
        return (
            f"{name} is an async function, and a call alone does not run it:"
            f" name a function that calls asyncio.run({name}())"
        )
    if any(isinstance(one, (ast.Yield, ast.YieldFrom)) for one in inside):
        return f"{name} is a generator (it has `yield`), and a call alone does not run it"
    needed = _needed(node.args)
    if needed:
        return (
            f"{name} needs {', '.join(needed)}, and is called without arguments:"
            " give them defaults and read `args` from sys.argv"
        )
    return ""


def _doubt(name: str, inside: list[ast.AST]) -> str:
    """Return what the function returns if that makes the run fail: it is the exit code, as of a console script."""
    for one in inside:
        if isinstance(one, ast.Return) and isinstance(one.value, _VALUES):
            value = one.value.value if isinstance(one.value, ast.Constant) else ""
            if value is not None and value is not False and type(value) is not int:
                shown = " ".join(ast.unparse(one.value).split())[:_SHOWN_VALUE]
                return (
                    f"{name} returns {shown}, and what it returns is the exit code: the run fails"
                    " unless that is nothing or 0"
                )
    return ""


def _needed(arguments: ast.arguments) -> list[str]:
    """Return the names of the arguments that have no default."""
    listed = [*arguments.posonlyargs, *arguments.args]
    plain = listed[: len(listed) - len(arguments.defaults)]
    named = [
        one
        for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None
    ]
    return [one.arg for one in (*plain, *named)]

"""What people write in definition files, through the command line: kept as written, or refused with its line."""

import json
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.quarterdeck import Quarterdeck, job
from tests.support.terminal import typed
from tests.support.wheels import make_wheel


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path_factory.mktemp("files"))
    yield made
    assert made.ok("store", "verify")["ok"]


def text_of(name: str, source: str, rest: str = "catalogs: [main]") -> str:
    return (
        f"name: {name}\nspec:\n  source: {source}\n  profile: small\n  cluster: local\n  {rest}\n"
    )


@pytest.mark.row("I25")
@pytest.mark.parametrize(
    ("text", "line", "escape"),
    [
        (text_of("odd", "{kind: snapshot, text: \"SELECT 'a\u2028 b'\"}"), 3, r"\L"),
        (text_of("odd", "\n    kind: snapshot\n    text: |\n      SELECT 'a\x85b'"), 6, r"\N"),
        ("# note\u2029description: slipped in\n" + text_of("odd", "{}"), 1, r"\P"),
        ("# note\rdescription: slipped in\n" + text_of("odd", "{}"), 1, r"\r"),
    ],
    ids=["text", "block", "comment", "return"],
)
def test_a_line_end_that_most_editors_do_not_show_is_refused(
    deck: Quarterdeck, tmp_path: Path, text: str, line: int, escape: str
) -> None:
    file = tmp_path / "odd.yaml"
    file.write_bytes(text.encode())
    for command in ("create", "validate"):
        answer = deck.call("job", command, *(["-f"] if command == "create" else []), str(file))
        assert answer.code == 2
        assert f"odd.yaml:{line}:" in answer.out + answer.err
        assert escape in answer.words
    assert deck.json("job", "show", "odd").code == 4


@pytest.mark.row("A9")
def test_catalogs_that_are_no_list_of_names_are_one_problem_each_in_order(
    deck: Quarterdeck,
) -> None:
    source = "{kind: snapshot, text: SELECT 1}"
    for given, messages in (
        ("main", {"spec.catalogs": "must be a list, not text; write ['main']"}),
        ("a\n    b", {"spec.catalogs": "must be a list, not text; write ['a b']"}),
        (
            "[main, 5, null, [main], nope, main, nope]",
            {
                "spec.catalogs[1]": "must be text, not a number; write it in quotes",
                "spec.catalogs[2]": "is empty",
                "spec.catalogs[3]": "must be text, not a list",
                "spec.catalogs[4]": "there is no catalog nope",
                "spec.catalogs[5]": "'main' stands here twice",
                "spec.catalogs[6]": "'nope' stands here twice",
            },
        ),
    ):
        text = text_of("x", source, f"catalogs: {given}")
        answer = deck.json("job", "create", "-f", "-", text=text)
        assert answer.code == 2
        found = [(one["path"], one["message"]) for one in answer.error["fields"]]
        assert found == list(messages.items())


@pytest.mark.row("I8", "I10")
def test_another_case_is_told_with_what_is_there(deck: Quarterdeck) -> None:
    document = job("x", source={"kind": "Snapshot", "sql": "SELECT 1"})
    document["spec"] |= {"profile": "Small", "cluster": "LOCAL", "catalogs": ["MAIN"]}
    answer = deck.json("job", "create", "-f", "-", text=json.dumps(document))
    assert answer.code == 2
    assert [one["path"] for one in answer.error["fields"]] == [
        "spec.source.kind",
        "spec.profile",
        "spec.cluster",
        "spec.catalogs[0]",
    ]
    for one, near in zip(
        answer.error["fields"], ("snapshot", "small", "local", "main"), strict=True
    ):
        assert one["message"].endswith(f"did you mean {near}?")


def test_lines_that_the_file_joins_are_a_warning_where_they_change_the_meaning(
    deck: Quarterdeck,
) -> None:
    folded = "\n    kind: snapshot\n    text: >\n      SELECT 1 AS a -- one\n      , 2 AS b"
    made = deck.ok("job", "create", "-f", "-", text=text_of("folded", folded))
    (warning,) = made["warnings"]
    assert warning["path"] == "spec.source.text"
    assert "all that follows `--` is a comment; write `text: |`" in warning["message"]
    kept = deck.ok("job", "create", "-f", "-", text=text_of("kept", folded.replace(">", "|")))
    plain = folded.replace(" -- one", "")
    joined = deck.ok("job", "create", "-f", "-", text=text_of("joined", plain))
    script = folded.replace("snapshot", "py_file")
    python = deck.ok("job", "validate", "-", text=text_of("script", script))
    query = {"name": "q", "team": "ana"}
    text = "".join(f"{key}: {value}\n" for key, value in query.items())
    saved = deck.ok("query", "create", "-f", "-", text=f"{text}text: SELECT 1 -- a\n  , 2\n")
    assert kept.get("warnings", []) == joined.get("warnings", []) == []
    assert "write `text: |` to keep them" in python["warnings"][0]["message"]
    assert saved["warnings"][0]["path"] == "text"


@pytest.mark.row("I24")
def test_a_merge_key_is_told_by_its_line(deck: Quarterdeck) -> None:
    text = text_of("x", "{kind: snapshot, text: SELECT 1}", "<<: *base")
    answer = deck.call(
        "job", "create", "-f", "-", text=f"base: &base {{catalogs: [main]}}\n{text}"
    )
    assert answer.code == 2
    assert (
        "standard input:7: the merge key << is not read; write its keys out here" in answer.words
    )


def wheel_job(wheel: Path, entry: str = "tiny.jobs:main", **more: str) -> str:
    source = {"kind": "wheel", "package": "tiny", "entry_point": entry, "wheel_uri": str(wheel)}
    return json.dumps(job("packed", source={**source, **more}))


MODULE = """
async def later(): ...

def counted():
    return {"rows": 3}

def main(): ...
"""


@pytest.mark.row("A6", "I18", "I19")
@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("tiny.jobs:mian", "module tiny.jobs has no mian; did you mean tiny.jobs:main?"),
        ("tiny.jobs:later", "later is an async function"),
        ("tiny.job:main", "the wheel has no module tiny.job; its entry points: tiny.jobs:main"),
        ("tiny", "tiny is a script of the wheel; write what it calls: tiny.jobs:main"),
        ("other", "'other' is no entry point; write module:function"),
        ("", "write module:function"),
    ],
)
def test_an_entry_point_that_cannot_be_called_is_refused_before_it_is_saved(
    deck: Quarterdeck, tmp_path: Path, entry: str, words: str
) -> None:
    wheel = make_wheel(tmp_path, module=MODULE)
    for command in (("create", "-f"), ("validate",)):
        answer = deck.json("job", *command, "-", text=wheel_job(wheel, entry))
        assert answer.code == 2
        fields = answer.document["fields"] if answer.out else answer.error["fields"]
        assert [one["path"] for one in fields] == ["spec.source.entry_point"]
        assert words in fields[0]["message"]


@pytest.mark.row("A6", "I19")
def test_a_wheel_for_another_python_is_refused_and_one_version_has_many_spellings(
    deck: Quarterdeck, tmp_path: Path
) -> None:
    meta = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\nRequires-Python: >=3.99\n"
    newer = make_wheel(tmp_path, more={"tiny-1.0.dist-info/METADATA": meta})
    answer = deck.json("job", "create", "-f", "-", text=wheel_job(newer))
    assert answer.code == 2
    assert answer.paths == ["spec.source.wheel_uri"]
    here = platform.python_version()
    assert f"the wheel needs Python >=3.99; cluster local has {here}" in answer.words
    plain = make_wheel(tmp_path, version="1.0.0", module=MODULE)
    for version in ("1.0", "1", "1.0.0", "v1.0"):
        assert deck.ok("job", "validate", "-", text=wheel_job(plain, version=version))["ok"]
    answer = deck.json("job", "validate", "-", text=wheel_job(plain, version="1.1"))
    assert answer.document["fields"][0]["path"] == "spec.source.version"
    doubt = deck.ok("job", "validate", "-", text=wheel_job(plain, "tiny.jobs:counted"))
    assert "counted returns {'rows': 3}, and what it returns is the exit code" in str(doubt)


@pytest.mark.row("I19")
@pytest.mark.parametrize(
    ("part", "text", "words"),
    [
        ("entry_points.txt", "[console_scripts]\na = b:c\na = b:d\n", "line 3: a stands in"),
        ("METADATA", "Name: tiny\n", "its METADATA lacks Name or Version"),
        ("METADATA", "Name: other\nVersion: 1.0\n", "its METADATA says the name is other"),
        ("WHEEL", "Wheel-Version: 2.0\n", "its WHEEL file says format 2.0"),
    ],
)
def test_a_wheel_whose_parts_are_broken_is_refused_in_plain_words(
    deck: Quarterdeck, tmp_path: Path, part: str, text: str, words: str
) -> None:
    wheel = make_wheel(tmp_path, more={f"tiny-1.0.dist-info/{part}": text})
    answer = deck.json("job", "create", "-f", "-", text=wheel_job(wheel))
    assert answer.code == 2
    assert answer.paths == ["spec.source.wheel_uri"]
    assert words in answer.words


TEXTS = [
    "SELECT 1  \n  , 2\t\n",
    "\tSELECT 1\n",
    "  SELECT\n1\n\n\n",
    "SELECT 1\r\nFROM (SELECT 2)\r\n",
    "SELECT 1\r\n-- mixed\n",
    "SELECT 'a\u2028b\x85' AS é\n",
]


@pytest.mark.row("T4")
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back_from_the_editor_byte_for_byte(tmp_path: Path, text: str) -> None:
    deck = Quarterdeck(tmp_path)
    deck.create("daily", source={"kind": "snapshot", "text": text})
    code, shown = typed(deck, "quarterdeck job edit daily", edit="s/nothing/else/")
    assert code == 0, shown
    assert "Nothing was changed." in shown
    edit = "s/^name: daily/description: other\\nname: daily/; s/SELECT 1/SELECT 3/"
    code, shown = typed(deck, "quarterdeck job edit daily", edit=edit)
    assert code == 0, shown
    changed = text.replace("SELECT 1", "SELECT 3")
    if changed != text:
        assert deck.ok("job", "draft", "daily")["spec"]["source"]["text"] == changed
    shown = deck.ok("job", "show", "daily")
    assert (shown["description"], shown["spec"]["source"]["text"]) == ("other", text)


@pytest.mark.row("B2")
def test_keys_that_a_spec_leaves_out_are_told_as_back_to_their_defaults(deck: Quarterdeck) -> None:
    full = job("whole", timeout="1h", parameters={"day": "x"}, limits={"max_workers": 2})
    full["spec"]["source"] = {"kind": "py_file", "text": "print(1)", "args": ["a"]}
    deck.ok("job", "create", "-f", "-", text=json.dumps({**full, "description": "kept"}))
    less = job("whole", source={"kind": "py_file", "text": "print(2)"}, timeout="2h")
    text = json.dumps({"spec": less["spec"]})
    told = "missing keys go back to their defaults: source.args, parameters, limits"
    would = deck.call("job", "edit", "whole", "-f", "-", "--dry-run", text=text)
    assert would.code == 0
    assert "whole: would be saved as draft v2, not live" in would.words
    assert told in would.words
    assert deck.json("job", "draft", "whole").code == 4
    as_json = deck.ok("job", "edit", "whole", "-f", "-", "--dry-run", text=text)
    done = deck.call("job", "edit", "whole", "-f", "-", text=text)
    assert told in done.words
    assert as_json["back_to_default"] == ["source.args", "parameters", "limits"]
    assert deck.ok("job", "show", "whole")["description"] == "kept"
    again = deck.call("job", "edit", "whole", "-f", "-", text=text)
    assert again.words == "whole: nothing was changed"
    other = deck.ok("job", "edit", "whole", "--description", "other", "--dry-run")
    assert (other["changed_now"], other["description"]) == (["description"], "kept")
    sql = json.dumps(
        {"spec": {**less["spec"], "source": {"kind": "snapshot", "text": "SELECT 1"}}}
    )
    assert deck.ok("job", "edit", "whole", "-f", "-", text=sql)["back_to_default"] == []
    assert deck.call("job", "edit", "whole", "--dry-run").code == 2
    helped = deck.call("job", "edit", "--help").words
    assert "keys left out of it go back to their defaults" in helped

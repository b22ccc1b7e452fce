"""The documents: links and paths exist, examples run, tables and words are those of the code."""

import inspect
import re
from pathlib import Path
from unittest.mock import Mock

import gymnasium
import pytest

import move37  # noqa: F401  (registers the environments)

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*ROOT.glob("*.md"), *(p for p in ROOT.glob("docs/**/*.md") if p.parent.name != "comparison")]
)
TESTS = "".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
ENVIRONMENTS = {
    "drawing": "DrawingFree-v0",
    "drawing-concepts": "Drawing-v1",
    "composition": "Composition-v0",
    "composition-free": "CompositionFree-v0",
    "composition-four": "CompositionFour-v0",
}
OLD_WORDS = (
    "yardstick", "newness", "workshop", "recipe", "panel", "surprise", "variety", "habit", "crew",
    "lineup",
)  # fmt: skip
"""What version 0.1 called things; the changelog's table of renames alone has them."""


def anchors(text):
    """Names of the headings of a page, as links write them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_words_are_those_of_the_code(page):
    text = page.read_text()
    if page.name == "CHANGELOG.md":
        text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    found = re.findall(rf"\b(?:{'|'.join(OLD_WORDS)})\w*", text, re.IGNORECASE)
    assert not found
    assert not re.findall(r"/root/|/home/|/tmp/wt|/work/", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_tests_exist(page):
    names = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    tops = ("agents/", "envs/", "novelty/", "move37/", "docs/", "tests/", "benchmarks/")
    for name in names:
        path, _, test = name.partition("::")
        if path.startswith(tops) and not set(path) & set("* ="):
            assert (ROOT / path).exists(), name
        elif re.fullmatch(r"test_\w+\.py", path):
            assert (ROOT / "tests" / path).exists(), name
        test = test or (path if re.fullmatch(r"test_\w+", path) else "")
        assert not test or f"def {test}(" in TESTS, name


@pytest.mark.parametrize("page", ["README.md", "docs/running.md", "docs/novelty-reward.md"])
def test_examples_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert examples
    for example in examples:
        if "compare(" in example:  # minutes; test_compare.py has such comparisons
            monkeypatch.setattr("move37.compare.compare", Mock())
        exec(compile(example, page, "exec"), {})


def table(text, *heads):
    """Rows of the tables whose header begins with ``heads``, each a list of cells."""
    rows, inside = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[: len(heads)] == list(heads):
            inside = True
        elif inside and not set(line) <= set("|-"):
            rows.append(cells)
    return rows


def low_high(text):
    low, high = re.fullmatch(r"(-?\d+) to (-?\d+)", text).groups()
    return int(low), int(high)


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def documented(request):
    """The text of an environment's page, and the environment."""
    env = gymnasium.make(f"Move37/{ENVIRONMENTS[request.param]}")
    return (ROOT / f"docs/environments/{request.param}.md").read_text(), env.unwrapped


def test_the_action_table_is_the_action_space(documented):
    text, env = documented
    assert f"| action space | `{env.action_space}` |" in text
    (longest,) = re.findall(r"\| longest episode \| (\d+) moves \|", text)
    assert int(longest) == env.batch.simulator.max_moves
    actions = []
    for cell, _ in table(text, "action", "meaning"):
        low, high = low_high(cell) if " to " in cell else (int(cell), int(cell))
        actions += range(low, high + 1)
    assert actions == list(range(env.action_space.n))


def test_the_observation_tables_are_the_observation_space(documented):
    text, env = documented
    rows = table(text, "key", "shape", "dtype", "range")
    assert {row[0].strip("`") for row in rows} == set(env.observation_space)
    for key, shape, dtype, bounds, _ in rows:
        box = env.observation_space[key.strip("`")]
        assert (shape, dtype) == (str(box.shape), str(box.dtype)), key
        if bounds != "below":
            assert low_high(bounds) == (box.low.min(), box.high.max()), key
            continue
        places = {}
        for cell, within, _ in table(text, f"place in {key}"):
            places |= {int(place): low_high(within) for place in cell.split(", ")}
        assert places == dict(enumerate(zip(box.low.tolist(), box.high.tolist(), strict=True))), key


def test_the_arguments_table_is_the_signature(documented):
    text, env = documented
    parameters = list(inspect.signature(type(env)).parameters.values())
    rows = table(text, "argument", "default")
    assert [(name, default) for name, default, _ in rows] == [
        (f"`{p.name}`", f"`{p.default}`") for p in parameters
    ]


def test_a_page_that_is_wrong_is_found():
    text = (ROOT / "docs/environments/drawing.md").read_text()
    env = gymnasium.make("Move37/DrawingFree-v0").unwrapped
    changes = {
        "(6,)": "(7,)",
        "int16 | 0 to 578": "int16 | 0 to 577",
        "| 3 | 0 to 48 |": "| 3 | 0 to 47 |",
        "| `ink` |": "| `inks` |",
    }
    for right, wrong in changes.items():
        assert right in text
        with pytest.raises((AssertionError, KeyError)):
            test_the_observation_tables_are_the_observation_space((text.replace(right, wrong), env))

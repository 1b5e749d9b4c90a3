"""Right answers are told so, and the well-known wrong ones are told what is wrong with them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from upconv.book import exercises
from upconv.book.exercises import check, checking, exercise
from upconv.book.exercises.checking import compare

BOOK = Path(__file__).resolve().parents[2] / "book"


@pytest.fixture
def registry(monkeypatch):
    """The registered exercises, restored after the test."""
    monkeypatch.setattr(checking, "_CHECKERS", dict(checking._CHECKERS))


# ------------------------------------------------------------------------------------ The mechanism


def test_an_unknown_exercise_lists_those_there_are():
    with pytest.raises(ValueError, match="name: got 'no-such'; want one of columns-count, "):
        check("no-such", 3)


@pytest.mark.usefixtures("registry")
def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="got 'columns-count' twice"):
        exercise("columns-count", shows="nothing.")(lambda answer: None)


@pytest.mark.usefixtures("registry")
def test_a_registered_checker_decides(said):
    @exercise("parity", shows="two divides it.")
    def _parity(answer):
        return None if answer % 2 == 0 else f"{answer} is odd."

    assert said("parity", 4) == "Right: two divides it."
    assert said("parity", 3) == "Not yet: 3 is odd."


@pytest.mark.parametrize("name", exercises.names())
@pytest.mark.parametrize("answer", [None, ...])
def test_an_answer_still_to_be_given_is_asked_for(said, name, answer):
    assert said(name, answer) == f"Not yet: put your answer in the place of {answer!r}."


NONSENSE = ["text", 3, -1.5, [], [[1], [2, 3]], {}, object, (), np.nan, [None], check, (3, "x")]


@pytest.mark.parametrize("name", exercises.names())
@pytest.mark.parametrize(
    "answer", NONSENSE, ids=lambda value: getattr(value, "__name__", repr(value))
)
def test_nonsense_is_refused_and_never_crashes(said, name, answer):
    assert said(name, answer).startswith("Not yet: ")


@pytest.mark.parametrize("name", exercises.names())
def test_every_exercise_has_a_solution_that_is_checked(name):
    page = (BOOK / "back-matter" / "solutions.md").read_text(encoding="utf-8")
    assert f"{{solution-start}} ex-{name}\n" in page
    assert f'check("{name}", ' in page


def test_every_exercise_in_a_chapter_has_a_checker():
    text = "\n".join(path.read_text(encoding="utf-8") for path in BOOK.rglob("*.md"))
    labels = re.findall(r"^:label: ex-(\S+)$", text, re.MULTILINE)
    assert sorted(labels) == sorted(exercises.names())


@pytest.mark.parametrize(
    ("got", "message"),
    [
        ([[1, 2], [3, 4]], None),
        (np.array([[1.0, 2], [3, 4 + 1e-12]]), None),
        (torch.tensor([[1.0, 2], [3, 4]], requires_grad=True), None),
        ([[1, 2], [3, 5]], "your array has 5 at [1, 1], want 4."),
        ([[1, 2], [3, np.nan]], "your array has nan at [1, 1], want 4."),
        ([[True, 2], [3, 4]], None),
        ([[1, 2]], "your array has shape (1, 2), want (2, 2)."),
        ("text", "your array is no array of numbers: got str."),
        ([[1], [2, 3]], "your array is no array of numbers: got list."),
    ],
)
def test_compare_says_where_two_arrays_differ(got, message):
    assert compare(got, np.array([[1, 2], [3, 4]])) == message

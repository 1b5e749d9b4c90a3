"""Right answers are told so, and the well-known wrong ones are told what is wrong with them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from upconv import Geometry, conv_matrix
from upconv.book import exercises
from upconv.book.exercises import check, compare, exercise

BOOK = Path(__file__).resolve().parents[2] / "book"


@pytest.fixture
def said(capsys):
    """What `check` prints for an answer."""

    def say(name, answer):
        assert check(name, answer) is None
        return capsys.readouterr().out.strip()

    return say


@pytest.fixture
def registry(monkeypatch):
    """The registered exercises, restored after the test."""
    monkeypatch.setattr(exercises, "_CHECKERS", dict(exercises._CHECKERS))


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
@pytest.mark.parametrize("answer", NONSENSE, ids=repr)
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


# ----------------------------------------------------------------------- A convolution is a matrix

COUNTS = np.array([[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]])


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (COUNTS, "Right: a corner of the input is seen by one window"),
        (COUNTS.tolist(), "Right: "),
        (COUNTS.ravel(), "Not yet: the sixteen counts are right; give them the shape"),
        (np.full(4, 9), "Not yet: you counted along the rows of C"),
        (np.full((2, 2), 9), "Not yet: you counted along the rows of C"),
        (np.full((4, 4), 9), "Not yet: your array has 9 at [0, 0], want 1."),
    ],
)
def test_columns_count(said, answer, begins):
    assert said("columns-count", answer).startswith(begins)


def right(kernel, input_shape, stride):
    return conv_matrix(kernel, input_shape, Geometry(kernel.shape, stride), dense=True)


def stride_one(kernel, input_shape, stride):
    return right(kernel, input_shape, 1)


def square_only(kernel, input_shape, stride):
    return right(kernel[:2, :2], input_shape, stride)


def spoils_its_kernel(kernel, input_shape, stride):
    matrix = right(kernel, input_shape, stride)
    kernel[:] = 0
    return matrix


FIRST = "Not yet: for a 2×2 kernel, a 3×3 input and stride 1 "


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (right, "Right: one matrix does what the sliding window does"),
        (spoils_its_kernel, "Right: "),
        (lambda k, i, s: conv_matrix(k, i, Geometry(k.shape, s)), "Right: "),  # a sparse matrix
        (lambda k, i, s: right(k, i, s).T, FIRST + "you gave the transpose of C"),
        (lambda k, i, s: right(k[::-1, ::-1], i, s), FIRST + "your kernel is flipped"),
        (stride_one, "Not yet: for a 3×2 kernel, a 7×8 input and stride 2 your matrix has shape"),
        (square_only, "Not yet: for a 3×3 kernel, a 4×4 input and stride 1 your matrix has shape"),
        (lambda k, i, s: None, FIRST + "your function returned None; has it a return?"),
        (lambda k, i, s: 1 / 0, FIRST + "your function raised ZeroDivisionError: division"),
        (lambda k: k, FIRST + "your function raised TypeError"),
        (lambda k, i, s: "C", FIRST + "your matrix is no array of numbers: got str."),
        (np.eye(3), "Not yet: got ndarray; want a function."),
    ],
)
def test_conv_matrix(said, answer, begins):
    assert said("conv-matrix", answer).startswith(begins)


def test_channels_shape(said):
    geometry = Geometry((5, 5), stride=2, padding=2)
    shape = conv_matrix(np.ones((8, 3, 5, 5)), (3, 28, 28), geometry).shape
    assert said("channels-shape", shape).startswith("Right: C has 8·14·14 rows")
    assert said("channels-shape", list(shape)).startswith("Right: ")
    assert said("channels-shape", np.array(shape)).startswith("Right: ")


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ((2352, 1568), "which is the shape of the transpose"),
        ((8, 14, 14), "which is the output's shape"),
        ((8, 3, 5, 5), "which is the kernel's shape"),
        ((196, 784), "which is the shape for one channel"),
        ((1152, 2352), "which is the shape without padding"),
        ((6272, 2352), "which is the shape for stride 1"),
        ((3, 28, 28), "want (how many output values, how many input values)"),
    ],
)
def test_channels_shape_recognises_a_mistake(said, answer, what):
    assert said("channels-shape", answer).startswith(f"Not yet: got {answer}")
    assert what in said("channels-shape", answer)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((4, 1), "Right: "),
        ((1, 4), "Not yet: the two numbers are right"),
        ((2, 1), "Not yet: that is the answer along one axis"),
        ((9, 1), "Not yet: not all stamps meet"),
        ((4, 2), "Not yet: got (4, 2)"),
    ],
)
def test_overlap(said, answer, begins):
    assert said("overlap", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (lambda y: np.diff(np.eye(len(y) + 1), axis=0).T @ y, "Right: "),
        (lambda y: -np.diff(np.eye(len(y) + 1), axis=0).T @ y, "Not yet: the sign is wrong"),
        (lambda y: np.concatenate([[0], np.cumsum(y)]), "Not yet: that is an inverse"),
        (lambda y: np.diff(y), "Not yet: for 1 numbers your g(y) has shape (0,), want (2,)"),
    ],
)
def test_adjoint(said, answer, begins):
    assert said("adjoint", answer).startswith(begins)


INVISIBLE = np.zeros((4, 4))
INVISIBLE[1, 1], INVISIBLE[2, 2] = 1, -1


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        (INVISIBLE, "Right: "),
        (1e9 * INVISIBLE, "Right: "),
        (0 * INVISIBLE, "Not yet: your image is all zeros"),
        (np.ones((4, 4)), "Not yet: the output is not zero: window 0 sums to 9"),
        (INVISIBLE[:3], "Not yet: got shape (3, 4)"),
        (np.nan * INVISIBLE, "Not yet: your image holds values that are not finite"),
    ],
)
def test_invisible(said, answer, begins):
    assert said("invisible", answer).startswith(begins)


@pytest.mark.parametrize(
    ("answer", "begins"),
    [
        ((588, 0), "Right: "),
        ((196, 784), "Not yet: those are dimensions kept"),
        ((588, -784), "Not yet: no space has fewer than 0"),
        ((588, 588), "Not yet: got (588, 588)"),
    ],
)
def test_lost(said, answer, begins):
    assert said("lost", answer).startswith(begins)

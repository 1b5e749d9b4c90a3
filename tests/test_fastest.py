"""The fastest of some calls is timed once in each situation, and remembered as long as asked."""

import itertools
import json

import pytest
import torch
from upconv import fastest as module
from upconv import forms, remember
from upconv.fastest import fastest
from upconv.timing import Timing


@pytest.fixture
def clock(monkeypatch):
    """In place of the timer: the calls take the seconds that are written into it, by name."""
    seconds, asked = {"slow": 3.0, "quick": 1.0}, []

    def compare(calls, **_):
        asked.append(list(calls))
        return Timing({name: [seconds.get(name, 2.0)] * 3 for name in calls}, 0, 0)

    monkeypatch.setattr(module, "compare", compare)
    monkeypatch.setattr(module, "_found", {})
    monkeypatch.setattr(module, "_file", None)
    return seconds, asked


CALLS = dict.fromkeys(["slow", "quick", "middling"], lambda: None)


def test_the_quickest_is_taken_and_timed_once(clock):
    seconds, asked = clock
    assert fastest("here", CALLS) == "quick"
    seconds["slow"] = 0.5
    assert fastest("here", CALLS) == "quick"
    assert len(asked) == 1


def test_another_situation_or_number_of_threads_is_timed_anew(clock):
    seconds, asked = clock
    fastest("here", CALLS)
    seconds["slow"] = 0.5
    assert fastest("there", CALLS) == "slow"
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert fastest("here", CALLS) == "slow"
    finally:
        torch.set_num_threads(threads)
    assert len(asked) == 3


def test_what_is_no_longer_a_candidate_is_not_taken(clock):
    fastest("here", CALLS)
    assert fastest("here", {"slow": CALLS["slow"], "middling": CALLS["slow"]}) == "middling"


def test_a_file_keeps_it_from_one_session_to_the_next(clock, tmp_path, monkeypatch):
    _, asked = clock
    path = tmp_path / "fastest.json"
    remember(path)
    assert not path.exists()
    fastest("here", CALLS)
    monkeypatch.setattr(module, "_found", {})
    remember(path)
    assert fastest("here", CALLS) == "quick"
    assert len(asked) == 1
    assert [found.name for found in tmp_path.iterdir()] == ["fastest.json"]


def test_nothing_more_is_written_once_the_file_is_let_go(clock, tmp_path):
    path = tmp_path / "fastest.json"
    remember(path)
    fastest("here", CALLS)
    remember(None)
    fastest("there", CALLS)
    assert len(json.loads(path.read_text("utf8"))["fastest"]) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "damaged"),
        ('{"fastest": {"here": "qui', "damaged"),
        ("\udcff", "damaged"),
        ("[]", "another content"),
        ("{}", "another content"),
        ('{"name": "zeros"}', "another content"),
        ('{"fastest": ["here"]}', "another content"),
        ('{"fastest": {"here": 3}}', "another content"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_by_name_and_kept(clock, tmp_path, content, message):
    path = tmp_path / "kept.json"
    path.write_bytes(content.encode("utf8", "surrogateescape"))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"path: got .*kept\.json.*{message}"):
        remember(path)
    fastest("here", CALLS)
    assert path.read_bytes() == before


def test_a_folder_is_refused_by_name(clock, tmp_path):
    with pytest.raises(ValueError, match="path: got .*damaged"):
        remember(tmp_path)


ARGUMENTS = [(name, last) for name, last in itertools.product(forms.TIMED, (False, True))]


@pytest.mark.parametrize(("form", "last"), ARGUMENTS)
def test_the_transposed_convolution_is_computed_by_the_one_that_was_fastest(clock, form, last):
    seconds, asked = clock
    seconds[form + last * ", channels_last"] = 0.1
    x, weight = torch.randn(2, 3, 4, 5), torch.randn(3, 2, 3, 3)
    settings = {"stride": 2, "padding": ((0, 1), (1, 1)), "output_padding": 1}
    expected = forms.conv_transpose(x, weight, **settings, form="native")
    taken = []
    compute = forms.native_unchecked if form == "native" else forms.FORMS[form]

    def watched(x, *rest):
        taken.append((form, forms._channels_last(x)))
        return compute(x, *rest)

    with pytest.MonkeyPatch.context() as patch:
        if form == "native":
            patch.setattr(forms, "native_unchecked", watched)
        else:
            patch.setitem(forms.FORMS, form, watched)
        y = forms.conv_transpose(x, weight, **settings, form="fastest")
    assert taken == [(form, last)]
    assert len(asked[0]) == 8
    torch.testing.assert_close(y, expected)


def test_each_layer_dtype_and_memory_format_is_a_situation_of_its_own(clock):
    _, asked = clock
    x, weight = torch.randn(2, 3, 4, 5), torch.randn(3, 2, 3, 3)
    last = {"memory_format": torch.channels_last}
    for arguments in (
        (x, weight),
        (x.to(**last), weight),
        (x, weight.to(**last)),
        (x.double(), weight.double()),
        (x[:1], weight),
        (x, weight[:, :1]),
    ):
        for _ in range(2):
            forms.conv_transpose(*arguments, form="fastest")
    forms.conv_transpose(x, weight, stride=2, form="fastest")
    assert len(asked) == 7


def test_volumes_and_sequences_have_their_candidates_too(clock):
    _, asked = clock
    forms.conv_transpose(torch.randn(1, 2, 3), torch.randn(2, 3, 2), form="fastest")
    forms.conv_transpose(torch.randn(1, 2, 3, 3, 3), torch.randn(2, 3, 2, 2, 2), form="fastest")
    assert [len(candidates) for candidates in asked] == [4, 8]


def test_nothing_is_timed_where_nothing_can_be(clock):
    _, asked = clock
    x, weight = torch.randn(2, 3, 4, 5), torch.randn(3, 2, 3, 3)
    for arguments in (
        (x.to("meta"), weight.to("meta")),
        (x[:0], weight),
        (x[:1].expand(2, -1, -1, -1), weight),
    ):
        forms.conv_transpose(*arguments, form="fastest")
    assert asked == []

"""Tables that cells compute: what a reader sees, hears and reads in plain text."""

import pytest
from bs4 import BeautifulSoup
from upconv.book.tables import Table


@pytest.fixture
def table():
    return Table("k < s", ["in", "call"], [(14, "`f(x < 1)`"), (7, f"`{'g(x), ' * 9}`")])


def test_a_table_has_a_head_and_its_rows(table):
    page = BeautifulSoup(table._repr_html_(), "html.parser")
    assert [cell.text for cell in page.select("th[scope=col]")] == ["in", "call"]
    assert [cell.text for cell in page.select("tbody tr:first-child td")] == ["14", "f(x < 1)"]
    assert page.select_one("tbody td code").text == "f(x < 1)"


def test_the_box_is_named_and_can_be_scrolled_from_the_keyboard(table):
    box = BeautifulSoup(table._repr_html_(), "html.parser").div
    assert box["aria-label"] == "k < s"
    assert box["tabindex"] == "0"
    assert "overflow-x: auto" in box["style"]


def test_only_long_code_is_broken(table):
    short, long = BeautifulSoup(table._repr_html_(), "html.parser").select("code")
    assert "style" not in short.attrs
    assert "white-space: normal" in long["style"]


def test_plain_text_has_the_same_words(table):
    assert repr(table).splitlines()[:2] == ["in | call", "14 | f(x < 1)"]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"rows: got 1 cells in \['14'\]; want 2"):
        Table("", ["in", "call"], [(14,)])

"""Figures build, say what is to be seen, follow the theme, and come out the same each time."""

import re
from pathlib import Path

import numpy as np
import pytest
from upconv import Geometry
from upconv.book import figures
from upconv.book.figures.style import INK, canvas
from upconv.definition import conv_transpose

ROOT = Path(__file__).resolve().parents[2]
KERNEL = np.arange(1, 10).reshape(3, 3)
SMALL = np.array([[1, 2], [3, 4]])


def two_directions():
    return figures.two_directions(np.arange(16).reshape(4, 4), SMALL, KERNEL, chosen=0)


DRAWN = {
    "window_and_row": lambda: figures.window_and_row(np.arange(16).reshape(4, 4), KERNEL, 1),
    "rows_as_windows": lambda: figures.rows_as_windows(KERNEL, (4, 4)),
    "image_through_matrix": lambda: figures.image_through_matrix(np.eye(8), KERNEL),
    "matrices_on_one_axis": lambda: figures.matrices_on_one_axis(
        np.array([1, 2, 3]), 7, {"plain": Geometry(3), "stride 2": Geometry(3, 2)}
    ),
    "channel_blocks": lambda: figures.channel_blocks(4, 4, 2, 8),
    "memory": lambda: figures.memory([8, 16], [2**16, 2**20], [9000, 36000]),
    "stamps": lambda: figures.stamps(SMALL, KERNEL, stride=2),
    "contributions": lambda: figures.contributions(7, 3, [1, 2]),
    "passes": figures.passes,
    "pictures": lambda: figures.pictures({"x": np.eye(3)}, "A diagonal."),
    "two_directions": two_directions,
    "number_line": lambda: figures.number_line(Geometry(3, 2, 1, 1, 1), 4),
    "meeting_sizes": lambda: figures.meeting_sizes(Geometry(3, 2, 1), range(5, 13)),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_says_what_is_to_be_seen_and_takes_the_pages_colour(name):
    figure = DRAWN[name]()
    svg = figure.svg()
    assert len(figure.alt) > 8
    assert svg.startswith('<svg role="img" aria-label="')
    assert "currentColor" in svg
    assert INK not in svg
    assert "black" not in re.sub(r'aria-label="[^"]*"', "", svg)


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_the_same_each_time(name):
    assert DRAWN[name]()._repr_html_() == DRAWN[name]()._repr_html_()


def test_ids_of_two_figures_in_one_page_do_not_meet():
    first, second = (
        set(re.findall(r' id="([^"]+)"', DRAWN[name]().svg())) for name in ("memory", "passes")
    )
    assert first
    assert not first & second


def test_a_figure_without_words_is_refused():
    drawing, _ = canvas(1, height=1)
    with pytest.raises(ValueError, match="alt: got ' '"):
        figures.Figure(drawing, " ")


def test_alt_text_is_escaped():
    drawing, _ = canvas(1, height=1)
    assert (
        'aria-label="k &lt; s &amp; &quot;same&quot;"'
        in figures.Figure(drawing, 'k < s & "same"').svg()
    )


def test_the_readmes_picture_is_the_one_drawn_today(tmp_path):
    two_directions().save(tmp_path / "today.svg")
    shipped = ROOT / "book" / "_static" / "two-directions.svg"
    assert shipped.read_text("utf-8") == (tmp_path / "today.svg").read_text("utf-8")


# ------------------------------------------------------------------------------------------ Sizes


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(3, 2, 1),
        Geometry(3, 2, 1, 1, 1),
        Geometry(3, 2, 0, 1, 1),
        Geometry(3, 2, ((0, 1),)),
        Geometry(2, 3, 1, 1, 2),
        Geometry(3, 1, ((2, 0),), 2),
    ],
    ids=repr,
)
def test_the_number_line_tells_the_values_of_the_transposed_convolution(geometry):
    kernel = np.arange(1, geometry.kernel[0] + 1)
    y = conv_transpose(np.array([[[1, 2, 3, 4]]]), kernel[None, None], geometry).ravel()
    figure = figures.number_line(geometry, 4)
    told = f"The output has {len(y)} values: {' '.join(map(str, y))}."
    assert figure.alt.endswith(told)
    drawn = re.findall(r">(\d+)</text>", figure.svg())
    assert [int(number) for number in drawn[-len(y) :]] == y.tolist()


def test_the_number_line_is_one_axis():
    with pytest.raises(ValueError, match="input_shape: got"):
        figures.number_line(Geometry((3, 3)), 4)


def test_sizes_that_meet_are_told_with_their_output_padding():
    alt = figures.meeting_sizes(Geometry(5, 3, 2), range(13, 20)).alt
    assert "14 and 15 and 16 go to 5" not in alt
    assert "13 and 14 and 15 go to 5; they come back with output_padding 0, 1, 2." in alt

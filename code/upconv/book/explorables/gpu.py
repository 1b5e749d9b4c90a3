"""The explorable "gpu": the forms of one layer against each other on the reader's own machine."""

from __future__ import annotations

from upconv.book.figures.style import BLUE, INK, ORANGE, Figure, canvas
from upconv.cost import arithmetic
from upconv.geometry import Geometry

__all__ = ["TITLES", "counts", "still"]

CHANNELS = (8, 16, 32, 64, 128)
SIZES = (8, 16, 32)

TITLES = {
    "gather": "gather",
    "zero_insertion": "zero insertion",
    "polyphase": "polyphase",
    "nearest_then_convolution": "nearest then convolution",
}
"""The forms by the names that a record has for them, in words."""


def counts(channels: int, size: int) -> dict[str, int]:
    """How many multiplications the kernels of the page make, for each form.

    All are one layer that doubles the size, with as many channels out as in: nearest upsampling
    and a 3×3 convolution; collapsed, it is a transposed convolution with a 4×4 kernel, stride 2 and
    padding 1, which is the other three forms. The kernels skip what lies outside the input, but for
    zero insertion and for the convolution that comes after upsampling: they read a border of zeros.

    Args:
        channels: of the input and of the output.
        size: height and width of the input.

    Raises:
        ValueError: naming the argument that the explorable cannot take.

    Source:
        :func:`upconv.arithmetic`. Taught in "Your GPU, now".

    Example:
        >>> made = counts(32, 32)
        >>> round(made["zero_insertion"] / made["gather"], 2)
        4.13
    """
    _check(channels, size)
    x_shape, large = (1, channels, size, size), (1, channels, 2 * size, 2 * size)
    doubling = Geometry((4, 4), stride=2, padding=1)
    same = Geometry((3, 3), padding=1)  # at stride 1, zero insertion is an ordinary convolution
    return {
        form: arithmetic(
            how, shape, (channels, channels, *geometry.kernel), geometry
        ).multiplications
        for form, how, shape, geometry in (
            ("gather", "matrix", x_shape, doubling),
            ("zero_insertion", "zero_insertion", x_shape, doubling),
            ("polyphase", "matrix", x_shape, doubling),
            ("nearest_then_convolution", "zero_insertion", large, same),
        )
    }


def still(channels: int = 32, size: int = 32) -> Figure:
    """The multiplications of each form as bars: counts, not times.

    Args:
        channels: of the input and of the output: 8, 16, 32, 64 or 128.
        size: height and width of the input: 8, 16 or 32.

    Raises:
        ValueError: naming the argument that the explorable cannot take.

    Example:
        >>> still(size=16).alt[:28]
        'Bars of counts, not of times'
    """
    by_form = counts(channels, size)
    ratios = {form: made / by_form["gather"] for form, made in by_form.items()}
    drawing, (ax,) = canvas(1, width=3.9, height=2.9)
    for place, (form, ratio) in enumerate(ratios.items()):
        color = BLUE if form == "nearest_then_convolution" else ORANGE
        ax.barh(place, ratio, height=0.62, color=color, alpha=0.8)
        ax.text(ratio + 0.1, place, f"{ratio:.3g}", va="center", color=INK, fontsize=10)
    ax.set_yticks(range(len(ratios)), [TITLES[form] for form in ratios])
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0, max(ratios.values()) * 1.2)
    ax.set_xlabel("multiplications, gather being 1 (no times)")
    told = ", ".join(f"{TITLES[form]} {ratio:.3g}" for form, ratio in ratios.items())
    return Figure(
        drawing,
        "Bars of counts, not of times: the multiplications of each form, gather being 1, for "
        f"{channels} channels and a {size}×{size} input: {told}.",
    )


def _check(channels: int, size: int) -> None:
    known = {"channels": CHANNELS, "size": SIZES}
    for (name, wanted), got in zip(known.items(), (channels, size), strict=True):
        if isinstance(got, bool) or got not in wanted:
            raise ValueError(f"{name}: got {got!r}; want one of {', '.join(map(str, wanted))}")

"""The explorable "gpu": the forms of one layer against each other on the reader's own machine."""

from __future__ import annotations

from upconv.book.figures.style import BLUE, INK, ORANGE, Figure, canvas
from upconv.cost import Arithmetic, arithmetic
from upconv.geometry import Geometry

__all__ = ["TITLES", "counts", "still"]

CHANNELS = (8, 16, 32, 64, 128)
SIZES = (8, 16, 32)
KERNELS = (3, 4)

TITLES = {
    "gather": "gather",
    "zero_insertion": "zero insertion",
    "columns": "columns",
    "polyphase": "polyphase",
    "then": "nearest, then convolution",
    "fused": "the two fused",
    "collapsed": "the two collapsed",
}
"""The forms by the names that a record has for them, in words."""


def counts(channels: int, size: int, kernel: int) -> dict[str, int]:
    """How many multiplications the kernels of the page make, for each form.

    All are layers with as many channels out as in that double the size: transposed convolutions
    with stride 2, padding 1 (and output_padding 1 where the kernel is 3), and nearest upsampling
    with a 3×3 convolution, whose collapsed form is a transposed convolution with a 4×4 kernel. The
    kernels skip what lies outside the input, but for zero insertion and for the convolution that
    comes after upsampling: they read a border of zeros.

    Args:
        channels: of the input and of the output.
        size: height and width of the input.
        kernel: of the transposed convolution, 3 or 4.

    Raises:
        ValueError: naming the argument that the explorable cannot take.

    Source:
        :func:`upconv.arithmetic`. Taught in "Your GPU, now".

    Example:
        >>> made = counts(32, 32, 4)
        >>> round(made["zero_insertion"] / made["gather"], 2)
        4.13
    """
    _check(channels, size, kernel)
    x_shape, large = (1, channels, size, size), (1, channels, 2 * size, 2 * size)

    def made(form: str, k: int) -> int:
        geometry = Geometry((k, k), stride=2, padding=1, output_padding=k % 2)
        return _arithmetic(form, x_shape, geometry).multiplications

    same = Geometry((3, 3), padding=1)  # at stride 1, zero insertion is an ordinary convolution
    return {
        "gather": made("matrix", kernel),
        "zero_insertion": made("zero_insertion", kernel),
        "columns": made("columns", kernel),
        "polyphase": made("matrix", kernel),
        "then": _arithmetic("zero_insertion", large, same).multiplications,
        "fused": _arithmetic("matrix", large, same).multiplications,
        "collapsed": made("matrix", 4),
    }


def still(channels: int = 32, size: int = 32, kernel: int = 4) -> Figure:
    """The multiplications of each form as bars: counts, not times.

    Args:
        channels: of the input and of the output: 8, 16, 32, 64 or 128.
        size: height and width of the input: 8, 16 or 32.
        kernel: of the transposed convolution, 3 or 4.

    Raises:
        ValueError: naming the argument that the explorable cannot take.

    Example:
        >>> still(kernel=3).alt[:28]
        'Bars of counts, not of times'
    """
    by_form = counts(channels, size, kernel)
    ratios = {form: made / by_form["gather"] for form, made in by_form.items()}
    drawing, (ax,) = canvas(1, width=3.9, height=2.9)
    for place, (form, ratio) in enumerate(ratios.items()):
        color = BLUE if form in ("then", "fused", "collapsed") else ORANGE
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
        f"{channels} channels, a {size}×{size} input and a {kernel}×{kernel} kernel: {told}.",
    )


def _arithmetic(form: str, x_shape: tuple[int, ...], geometry: Geometry) -> Arithmetic:
    """The arithmetic of a layer with as many channels out as in."""
    channels = x_shape[1]
    return arithmetic(form, x_shape, (channels, channels, *geometry.kernel), geometry)


def _check(channels: int, size: int, kernel: int) -> None:
    known = {"channels": CHANNELS, "size": SIZES, "kernel": KERNELS}
    for (name, wanted), got in zip(known.items(), (channels, size, kernel), strict=True):
        if isinstance(got, bool) or got not in wanted:
            raise ValueError(f"{name}: got {got!r}; want one of {', '.join(map(str, wanted))}")

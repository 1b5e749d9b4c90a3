"""Chapter 10, "Remedies": its theorems, its heads and their measures, its record, its figures."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn
from torch.nn import functional as F
from upconv import Geometry, arithmetic, constant_response, imbalance, phase_gains
from upconv.book import figures, records, remedies

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def normal(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


# ---------------------------------------------------------------------------------- the theorems


@given(s=st.integers(2, 4), k=st.integers(1, 6), seed=seeds)
def test_a_convolution_nulls_every_grid_exactly_if_its_phase_sums_are_equal(s, k, seed):
    h = normal(seed, 1, 1, k)
    sums = phase_gains(h, s)[0, 0]
    patterns = torch.eye(s, dtype=torch.float64).repeat(1, 6)[:, None]  # a basis of all patterns
    got = F.conv1d(patterns, h)
    # The answers to the patterns of the basis are the phase sums, in some order.
    for y in got[:, 0]:
        assert_allclose(sorted(y[:s]), sorted(sums), atol=1e-12)
    equal = (
        h
        - sums[torch.arange(k) % s] / phase_gains(torch.ones_like(h), s)[0, 0][torch.arange(k) % s]
    )  # phase sums of zero
    assert_allclose(F.conv1d(patterns, equal), 0, atol=1e-12)
    if k >= s:
        equal[0, 0, :s] += 1  # phase sums of one
        assert_allclose(F.conv1d(patterns, equal), 1, atol=1e-12)


@given(s=st.integers(2, 4), k=st.integers(1, 5), channels=st.integers(1, 3), seed=seeds)
def test_a_box_after_is_a_resize_convolution(s, k, channels, seed):
    x, w = normal(seed, 1, channels, 4, 5), normal(seed + 1, channels, 2, k, k)
    box = torch.full((2, 1, s, s), 1 / s**2).double()
    blurred = F.conv2d(F.conv_transpose2d(x, w, stride=s), box, padding=s - 1, groups=2)
    resized = F.conv2d(
        F.interpolate(x, scale_factor=s), w.transpose(0, 1).flip(2, 3) / s**2, padding=k - 1
    )
    assert_allclose(blurred, resized, atol=1e-12)


@given(s=st.integers(2, 4), k=st.integers(1, 6), seed=seeds)
def test_a_ramp_stays_a_ramp_only_where_the_theorem_says(s, k, seed):
    def second_difference(mode, h):
        ramp = torch.arange(12.0).double()[None, None]
        y = F.conv1d(F.interpolate(ramp, scale_factor=s, mode=mode), h)[0, 0]
        return torch.diff(y[2 * s : -2 * s], n=2).abs().max()

    h = normal(seed, 1, 1, k)
    assert second_difference("linear", h) < 1e-12
    even = torch.ones(1, 1, s).double()
    both = F.conv1d(F.pad(h, (s - 1, s - 1)), even)  # all phase sums equal
    assert_allclose(phase_gains(both, s).std(-1), 0, atol=1e-12)
    assert second_difference("nearest", both) < 1e-11
    spread = phase_gains(h, s).std()
    if spread > 0.1:
        assert second_difference("nearest", h) > 1e-3 * spread


def test_a_random_convolution_keeps_the_grid():
    def pooled(s, *after, heads=250):
        grid = size = 0
        for _ in range(heads):
            up = nn.ConvTranspose2d(8, 16, 2 * s, stride=s, bias=False)
            head = nn.Sequential(up, *(make() for make in after))
            with torch.no_grad():
                response = constant_response(head, torch.randn(8, 8), 8, s)
            grid += response.amplitude**2
            size += (response.amplitude / response.relative) ** 2
        return math.sqrt(grid / size)

    def conv():
        return nn.Conv2d(16, 1, 3, bias=False)

    for s in (2, 3):
        law = math.sqrt(1 - 1 / s**2)
        # 250 heads: the squares vary by about 3 %, the imbalance by less.
        assert pooled(s) == pytest.approx(law, rel=0.04)
        assert pooled(s, conv) == pytest.approx(law, rel=0.04)
        with_relu = law * math.sqrt(1 - 1 / math.pi)
        assert pooled(s, nn.ReLU, conv) == pytest.approx(with_relu, rel=0.04)


# ------------------------------------------------------------------------ the heads, the measures

LINEAR = [name for name in remedies.HEADS if "ReLU" not in name]
GUARANTEED = [
    "k = 4, then blur (½, ½)",
    "k = 4, then blur (¼, ½, ¼)",
    "k = 4, kept flat",
    "k = 4, kept factorable",
    "depth-to-space, ICNR, then blur (½, ½)",
    "nearest, then 3×3",
    "bilinear, then 3×3",
]
CLEAN_AT_START = [
    *GUARANTEED,
    "depth-to-space, ICNR",
    "3×3, then bilinear k = 4, learned",
    "3×3, then bilinear k = 4, frozen",
]


@pytest.mark.parametrize("name", remedies.HEADS)
def test_every_head_doubles_the_size_and_makes_one_channel(name):
    model = remedies.super_resolver(name, seed=0)
    assert model(torch.rand(2, 1, 14, 14)).shape == (2, 1, 28, 28)
    again = remedies.super_resolver(name, seed=0)
    for first, second in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("name", remedies.HEADS)
def test_which_heads_are_clean_at_the_start(name):
    found = remedies.head_imbalance(remedies.super_resolver(name, seed=0)[1])
    if name in CLEAN_AT_START:
        assert found < 1e-5
    else:
        assert found > 0.3


@pytest.mark.parametrize("name", GUARANTEED)
def test_a_guaranteed_head_has_no_grid_whatever_its_weights(name):
    model = remedies.super_resolver(name, seed=0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    response = constant_response(model, torch.rand(4, 1), 32, 2)
    assert response.amplitude < 1e-5 * response.interior.abs().max()


def test_the_imbalance_of_a_head_is_that_of_its_weight():
    head = nn.ConvTranspose2d(16, 1, 4, 2, 1)
    nn.init.constant_(head.bias, 5.0)  # which plays no part
    # 256 features in place of all: the share of 16 channels varies by some per cent.
    weight = imbalance(head.weight.detach().double().numpy(), 2)
    assert remedies.head_imbalance(head) == pytest.approx(weight, rel=0.1)


def test_an_unknown_head_is_refused_by_name():
    with pytest.raises(ValueError, match="head: got 'k = 5'; want one of transposed, k = 3"):
        remedies.super_resolver("k = 5", seed=0)


def test_the_frozen_start_stays_and_every_other_weight_learns():
    for name in remedies.HEADS:
        model = remedies.super_resolver(name, seed=0)
        before = [p.clone() for p in model.parameters()]
        steps = remedies.train(model, seed=0)
        assert [next(steps) for _ in range(3)] == [0, 1, 2]
        changed = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
        assert all(changed[:-1])
        assert changed[-1] == ("frozen" not in name)


@pytest.mark.parametrize(
    ("name", "per_value"),
    [
        ("transposed, k = 2", 16 * 1),  # k²/s² taps, 16 channels
        ("transposed, k = 3", 16 * 9 / 4),
        ("transposed, k = 4", 16 * 4),
        ("k = 4, then a 3×3 convolution", 16 * 4 + 9),
        ("k = 4, 16 channels, ReLU, then 3×3", 16 * (16 * 4) + 16 * 9),
        ("k = 4, then blur (½, ½)", 16 * 4 + 4),
        ("k = 4, then blur (¼, ½, ¼)", 16 * 4 + 9),
        ("k = 4, kept flat", 16 * 4),
        ("depth-to-space", 16 * 9),
        ("nearest, then 3×3", 16 * 9),
        ("bilinear, then 3×3", 16 * 9 + 16 * 4),
        ("3×3, then bilinear k = 4, frozen", 16 * 9 / 4 + 4),
    ],
)
def test_multiplications_of_each_head(name, per_value):
    head = remedies.HEADS[name]()
    assert remedies.multiplications(head, torch.zeros(2, 16, 14, 14)) == per_value


def test_multiplications_of_a_transposed_layer_are_those_of_scatter():
    geometry = Geometry((3, 3), 2, 1, output_padding=1, groups=2)
    layer = nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2)
    counted = arithmetic("scatter", (1, 4, 7, 7), (4, 3, 3, 3), geometry).multiplications
    got = remedies.multiplications(layer, torch.zeros(1, 4, 7, 7))
    assert got == counted / (6 * 14 * 14)


def test_a_projection_afterwards_changes_only_the_head():
    model = remedies.super_resolver("transposed, k = 4", seed=0)
    for onto in remedies.AFTERWARDS.values():
        projected = remedies._projected(model, onto)
        assert torch.equal(projected[0][0].weight, model[0][0].weight)
        assert not torch.equal(projected[1].weight, model[1].weight)
        assert remedies.head_imbalance(projected[1]) < 1e-5
    assert remedies.head_imbalance(model[1]) > 0.3  # the model itself is as it was


def test_the_blur_keeps_sizes_means_and_constants():
    for taps in ((0.5, 0.5), (0.25, 0.5, 0.25), (0.1, 0.2, 0.3, 0.4)):
        blur = remedies.Blur(taps)
        x = torch.rand(2, 3, 5, 6)
        assert blur(x).shape == x.shape
        assert_allclose(blur(torch.ones_like(x)), 1, rtol=1e-6)
        line = np.zeros(9, np.float32)
        line[4] = 1
        answer = blur(torch.tensor(np.outer(line, line))[None, None])[0, 0].numpy()
        # torch's convolution reads with the taps as they stand, so a point is drawn flipped.
        wanted = np.convolve(line, taps[::-1])[len(taps) // 2 :][:9]
        assert_allclose(answer, np.outer(wanted, wanted), atol=1e-7)


# ------------------------------------------------------------------------------------- the record


def test_the_record_holds_every_remedy_and_every_seed():
    record = records.load("remedies")
    assert set(record.results) == {*remedies.HEADS, *remedies.AFTERWARDS}
    assert record.settings == {
        "seeds": remedies.SEEDS,
        "epochs": remedies.EPOCHS,
        "batch": remedies.BATCH,
        "rate": remedies.RATE,
        "channels": remedies.CHANNELS,
        "steps": list(remedies.STEPS),
    }
    for name, runs in record.results.items():
        assert len(runs) == remedies.SEEDS
        for run in runs:
            for when in ("start", "end"):
                assert set(run[when]) == {*remedies.MEASURES, "pattern"}
            if name in remedies.HEADS:
                assert len(run["imbalance"]) == len(remedies.STEPS)
                assert run["imbalance"][-1] == run["end"]["imbalance"]


def test_the_last_step_is_the_end_of_training():
    batches = math.ceil(len(remedies.pictures("train")) / remedies.BATCH)
    assert remedies.STEPS[-1] == remedies.EPOCHS * batches


def test_what_the_chapter_concludes_from_the_record():
    results = {n: remedies.Summary(r) for n, r in records.load("remedies").results.items()}

    def ends(name, measure="white"):
        return np.array(results[name].values(measure))

    clean = [*GUARANTEED, *remedies.AFTERWARDS, "3×3, then bilinear k = 4, frozen"]
    for name in results:  # no grid where it is guaranteed, in any seed, and some everywhere else
        assert (ends(name).max() < 0.01) == (name in clean), name
    # A clean start is left: ICNR has a grid after training, as depth to space without it.
    icnr, plain = (ends(n, "imbalance") for n in ("depth-to-space, ICNR", "depth-to-space"))
    assert icnr.min() > 0.05
    assert icnr.mean() < plain.mean()
    assert (icnr > plain).any()
    difference = ends("depth-to-space, ICNR").mean() - ends("depth-to-space").mean()
    assert abs(difference) < ends("depth-to-space").std() + ends("depth-to-space, ICNR").std()
    # The widest head is the most accurate, interpolation last the least.
    errors = {name: ends(name, "error").mean() for name in results}
    assert min(errors, key=errors.get) == "k = 4, 16 channels, ReLU, then 3×3"
    assert {n for n in errors if errors[n] > 27.5 and "afterwards" not in n} == {
        n for n in errors if "3×3, then bilinear" in n
    }
    # A projection afterwards costs accuracy in every seed, and nearest upsampling costs none.
    for name in remedies.AFTERWARDS:
        assert (ends(name, "error") > ends("transposed, k = 4", "error")).all()
    assert errors["nearest, then 3×3"] < errors["transposed, k = 4"]
    assert errors["nearest, then 3×3"] < errors["bilinear, then 3×3"]
    # The learned bilinear start drifts least of the heads that may make a grid.
    drifted = ends("3×3, then bilinear k = 4, learned").mean()
    assert drifted == min(ends(n).mean() for n in results if n not in clean)
    # k = 3 and k = 4 differ by less than their spreads, and so with a convolution after k = 4.
    k4 = ends("transposed, k = 4")
    for name in ("transposed, k = 3", "k = 4, then a 3×3 convolution"):
        assert abs(ends(name).mean() - k4.mean()) < ends(name).std() + k4.std()
    # On the images every trained head has less than the originals, on the average over the seeds.
    originals = float(remedies.grid_energy(remedies.pictures("test"), 2).mean().sqrt())
    assert max(ends(name, "on_images").mean() for name in results) < originals


def test_a_summary_needs_its_numbers():
    summary = remedies.Summary([{"end": {"white": 2.0}}, {"end": {"white": 4.0}}])
    assert summary.values("white") == [2.0, 4.0]
    assert summary.mean("white") == 3.0
    assert summary.spread("white") == pytest.approx(math.sqrt(2))


# ------------------------------------------------------------------------------------ the figures


def test_every_figure_says_its_numbers():
    even, uneven = [[5.0, 5.0], [5.0, 5.0]], [[0.0, 6.0], [6.0, 0.0]]
    white = figures.white_answers({"a": (uneven, even), "b": (uneven, uneven)})
    assert "a: 3.0 grey levels at first, 0.0 at the end" in white.alt
    assert "b: 3.0 grey levels at first, 3.0 at the end" in white.alt
    assert "3.0 → 0.0" in white.svg()
    over = figures.grid_over_seeds({"a": [0.0, 0.0], "b": [1.0, 2.5]}, "grid")
    assert "a: 0.00 to 0.00 (2); b: 1.00 to 2.50 (2)" in over.alt
    drift = figures.imbalance_over_steps([0, 2, 30], {"x": [[0, 0.2, 0.4], [0, 0.2, 0.6]]})
    assert "x from 0.00 to 0.50 (2)" in drift.alt
    gains = figures.blur_gains({"box": (0.5, 0.5), "sharp": (-0.5, 2, -0.5), "none": (1,)})
    assert "box 0, sharp 3, none 1" in gains.alt


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: figures.white_answers({}), "patterns: got none"),
        (lambda: figures.grid_over_seeds({}, "grid"), "values: got none"),
        (
            lambda: figures.imbalance_over_steps([0, 1], {"x": [[0.0]]}),
            "curves: got 1 numbers for 'x'; want 2",
        ),
    ],
)
def test_a_figure_refuses_what_it_cannot_draw(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()

"""Fused models: equal to the original at every size, and left alone where that is not proved."""

from __future__ import annotations

import copy
import pickle
import random
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from upconv import UpsampleConv1d, UpsampleConv2d, UpsampleConv3d, fuse, fusion
from upconv.book import decoders
from upconv.timing import Timing

LAYERS = (UpsampleConv1d, UpsampleConv2d, UpsampleConv3d)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """In the place of the timer: every layer takes one second, and each pair as long as is told."""
    told = {"pair": 2.0}

    def compare(calls, *, device):
        assert device.type == "cpu"
        assert not torch.is_grad_enabled()
        told.setdefault("outputs", []).append([call() for call in calls.values()])
        seconds = {"pair": [told["pair"]] * 3, "fused": [1.0] * 3}
        return Timing(seconds, 0, 0)

    monkeypatch.setattr(fusion, "compare", compare)
    return told


def conv(channels=4, out_channels=4, axes=2, **settings):
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
    return kind(channels, out_channels, 3, **{"padding": 1, **settings})


def nearest(scale=2, **settings):
    return nn.Upsample(scale_factor=scale, **settings)


def many():
    """So many channels for one that bilinear upsampling is worth saving."""
    return nn.Conv2d(4, 16, 1)


class Forward(nn.Module):
    """A model whose forward is a function of itself and the input, and its parts."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.function(self, x)


def picture(*size, channels=4, batch=2):
    return torch.randn(batch, channels, *size)


def actions(report):
    return [finding.action for finding in report.findings]


def fused_layers(model):
    return [module for module in model.modules() if isinstance(module, (*LAYERS, fusion._Call))]


def assert_equal(fused, model, x):
    """Outputs and all gradients, in training: the pair and the layer add in another order."""
    results = []
    for one in (model, fused):
        one.zero_grad()
        image = x.clone().requires_grad_()
        y = one(image)
        (y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum().backward()
        gradients = {name: p.grad for name, p in one.named_parameters()}
        results.append((y.detach(), {"x": image.grad} | gradients))
    (y, gradients), (z, others) = results
    assert y.shape == z.shape
    assert gradients.keys() == others.keys()
    # float32: up to some hundred products of numbers of size 1 to 10 make each value; a gradient
    # is a sum over the image.
    np.testing.assert_allclose(z, y, rtol=0, atol=2e-5 * max(1, y.abs().max()))
    for name, gradient in gradients.items():
        if gradient is None:
            assert others[name] is None
        else:
            scale = max(1, gradient.abs().max())
            np.testing.assert_allclose(others[name], gradient, rtol=0, atol=2e-4 * scale)


def functional(scale=2.0, size=None, mode="nearest", **settings):
    """F.interpolate, then an nn.Conv."""
    return Forward(
        lambda self, x: self.conv(
            F.interpolate(x, size=size, scale_factor=None if size else scale, mode=mode)
        ),
        conv=conv(**settings),
    )


def both_functional(self, x):
    x = F.interpolate(x, scale_factor=2)
    return F.conv2d(x, self.weight, self.bias, padding=1) + self.offset


# --------------------------------------------------------------------------------- what is fused

PAIRS = {
    "modules": lambda: nn.Sequential(nearest(), conv()),
    "nearest 2d": lambda: nn.Sequential(nn.UpsamplingNearest2d(scale_factor=2), conv()),
    "nearest-exact": lambda: nn.Sequential(nearest(3, mode="nearest-exact"), conv()),
    "bilinear": lambda: nn.Sequential(many(), nearest(2, mode="bilinear"), conv(16, 1)),
    "unequal scales": lambda: nn.Sequential(nearest((3.0, 2.0)), conv(bias=False)),
    "groups": lambda: nn.Sequential(
        nn.Conv2d(4, 32, 1), nearest(), conv(32, 32, groups=2, bias=False)
    ),
    "replicate": lambda: nn.Sequential(nearest(), conv(padding_mode="replicate")),
    "reflect": lambda: nn.Sequential(nearest(), conv(padding_mode="reflect")),
    "functional": functional,
    "functional bilinear": lambda: nn.Sequential(
        many(), functional(mode="bilinear", channels=16, out_channels=1)
    ),
    "functional size": lambda: functional(size=(12, 14)),
    "module size": lambda: nn.Sequential(nn.Upsample(size=(12, 14)), conv()),
    "sizes by multiplication": lambda: Forward(
        lambda self, x: self.conv(F.interpolate(x, size=(2 * x.shape[2], x.size(-1) * 3))),
        conv=conv(),
    ),
    "sizes by unpacking": lambda: Forward(
        lambda self, x: (
            lambda shape: self.conv(F.interpolate(x, [shape[-2] * 2, shape[3] * 2 * 2]))
        )(x.size()),
        conv=conv(),
    ),
    "both functional": lambda: Forward(
        both_functional,
        weight=nn.Parameter(torch.randn(5, 4, 3, 3)),
        bias=nn.Parameter(torch.randn(5)),
        offset=nn.Parameter(torch.randn(5, 1, 1)),
    ),
    "across modules": lambda: nn.Sequential(
        nn.Sequential(conv(), Forward(lambda self, x: F.interpolate(x, scale_factor=2))),
        nn.Sequential(conv(), nn.ReLU(inplace=True)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_a_fused_pair_is_equal_at_every_size_and_in_every_gradient(name):
    torch.manual_seed(0)
    model = PAIRS[name]()
    before = copy.deepcopy(model.state_dict())
    fused, report = fuse(model, picture(6, 7))
    assert actions(report) == ["fused"]
    assert report.difference < 1e-5
    assert len(fused_layers(fused)) == 1
    assert not fused_layers(model)
    for size in ((6, 7), (1, 1), (5, 9), (4, 4), (24, 12)):
        assert_equal(fused, model, picture(*size))
    for state in (model.state_dict(), fused.state_dict()):
        assert list(state) == list(before)
        assert all(torch.equal(state[key], before[key]) for key in before)


@pytest.mark.parametrize(("axes", "mode"), [(1, "nearest"), (1, "linear"), (3, "trilinear")])
def test_one_and_three_axes(axes, mode):
    function = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
    models = [
        nn.Sequential(nearest(2, mode=mode), conv(16, 1, axes)),
        Forward(
            lambda self, x: function(F.interpolate(x, scale_factor=3, mode=mode), self.weight),
            weight=nn.Parameter(torch.randn(1, 16, *(3,) * axes)),
        ),
        nn.Sequential(nn.Upsample(8, mode=mode), conv(16, 1, axes)),  # one size for all axes
    ]
    for model in models:
        fused, report = fuse(model, picture(*(4,) * axes, channels=16))
        assert actions(report) == ["fused"]
        assert len(fused_layers(fused)) == 1
        for size in (4, 2, 5):
            assert_equal(fused, model, picture(*(size,) * axes, channels=16))


def test_the_same_pair_in_several_places_is_one_layer():
    model = Forward(
        lambda self, x: self.conv(self.up(self.conv(self.up(x)))), up=nearest(), conv=conv()
    )
    fused, report = fuse(model, picture(5, 5))
    assert actions(report) == ["fused", "fused"]
    assert [finding.shapes for finding in report.findings] == [((2, 4, 5, 5),), ((2, 4, 10, 10),)]
    assert report.findings[0].gain == report.findings[1].gain
    assert isinstance(fused.up, nn.Identity)
    assert_equal(fused, model, picture(4, 7))


def test_an_upsampling_that_many_convolutions_share_goes_only_where_it_can():
    model = Forward(
        lambda self, x: self.second(self.up(self.first(self.up(x)))) + self.up(self.up(x)).relu(),
        up=nearest(), first=conv(), second=conv(),
    )  # fmt: skip
    fused, report = fuse(model, picture(5, 5))
    assert actions(report) == [
        "fused", "fused", "left: it goes to Upsample", "left: it goes to relu",
    ]  # fmt: skip
    assert isinstance(fused.up, nn.Upsample)
    assert_equal(fused, model, picture(4, 7))


def test_a_module_that_is_called_twice_is_written_anew_once():
    block = functional()
    model = nn.Sequential(block, nn.ReLU(), block)
    fused, report = fuse(model, picture(4, 4))
    assert actions(report) == ["fused"]
    assert report.findings[0].shapes == ((2, 4, 4, 4), (2, 4, 8, 8))
    assert fused[0] is fused[2]
    assert_equal(fused, model, picture(3, 5))


class Block(nn.Module):
    """Much that a block may be, besides its forward."""

    def __init__(self):
        super().__init__()
        self.conv = conv()
        self.unused = nn.Parameter(torch.ones(2))
        self.register_buffer("count", torch.zeros(()), persistent=False)
        self.note = "kept"

    def forward(self, x, skip=None, *, gain=1.0):
        x = self.conv(F.interpolate(x, scale_factor=2)) * gain
        return x if skip is None else x + skip

    def told(self):
        return self.note


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, x, gain=1.0):
        small, large = self.blocks
        x = small(x, None, gain=gain)
        return large(x, skip=F.avg_pool2d(x, 2).repeat(1, 1, 4, 4))


def test_a_forward_that_is_written_anew_leaves_all_else_of_its_module():
    model = Blocks().eval()
    model.blocks[1].train()
    model.blocks[1].conv.weight.requires_grad_(False)
    fused, report = fuse(model, picture(4, 4))
    assert actions(report) == ["fused", "fused"]
    for one in (fused, copy.deepcopy(fused), pickle.loads(pickle.dumps(fused))):
        block = one.blocks[1]
        assert isinstance(block, Block)
        assert block.told() == "kept"
        assert [module.training for module in one.modules()][2:4] == [False, False]
        assert block.training
        assert not block.conv.weight.requires_grad
        assert list(one.state_dict()) == list(model.state_dict())
        assert block.count.shape == ()
        assert_equal(one, model, picture(5, 3))


def test_a_module_that_is_replaced_keeps_its_own_state():
    model = nn.Sequential(nearest(), conv()).eval()
    model[1].register_state_dict_post_hook(lambda module, state, prefix, _: state.clear())
    fused, _ = fuse(model, picture(4, 4))
    assert not any(module.training for module in fused.modules())
    assert fused.state_dict() == {}


def test_what_was_taken_for_granted_is_checked():
    fused, _ = fuse(Blocks(), picture(4, 4))
    with pytest.raises(AssertionError, match="skip has been specialized to have value None"):
        fused.blocks[0](picture(4, 4), picture(8, 8))
    with pytest.raises(AssertionError, match="gain has been specialized to have value 1.0"):
        fused(picture(4, 4), gain=2.0)


def test_the_arguments_of_the_example_are_those_of_the_proof():
    fused, report = fuse(Blocks(), (picture(4, 4), 2.0))
    assert actions(report) == ["fused", "fused"]
    fused(picture(3, 3), 2.0)


def test_a_model_that_is_a_graph_already_is_fused_too():
    model = torch.fx.symbolic_trace(functional())
    fused, report = fuse(model, picture(4, 4))
    assert actions(report) == ["fused"]
    assert_equal(pickle.loads(pickle.dumps(fused)), model, picture(5, 3))


def test_a_fused_model_has_nothing_left_to_fuse():
    fused, _ = fuse(PAIRS["both functional"](), picture(4, 4))
    again, report = fuse(fused, picture(4, 4))
    assert report.findings == ()
    assert_equal(again, fused, picture(5, 3))


def test_a_fused_model_learns_as_the_original_does():
    torch.manual_seed(0)
    model = Blocks()
    fused, _ = fuse(model, picture(4, 4))
    x, y = picture(4, 4), picture(16, 16)
    for one in (model, fused):
        optimizer = torch.optim.SGD(one.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            F.mse_loss(one(x), y).backward()
            optimizer.step()
    for p, q in zip(model.parameters(), fused.parameters(), strict=True):
        # Five steps of 0.1 along gradients that differ by rounding.
        np.testing.assert_allclose(q.detach(), p.detach(), rtol=0, atol=1e-5)


def test_a_fused_model_is_exported_as_it_is():
    fused, _ = fuse(nn.Sequential(functional(), PAIRS["both functional"]()).eval(), picture(4, 4))
    program = torch.export.export(fused, (picture(4, 4),))
    x = picture(4, 4)
    np.testing.assert_allclose(program.module()(x).detach(), fused(x).detach(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_torch_repeats_pixels_equally_up_to_the_factor_that_is_trusted(mode):
    for scale in range(1, fusion._REPEATED + 1):
        for length in (1, 2, 3, 5, 31, 64, 127, 1000):
            x = torch.arange(length, dtype=torch.float32)[None, None]
            y = F.interpolate(x, scale_factor=scale, mode=mode)
            assert torch.equal(y, x.repeat_interleave(scale, 2))
    x = torch.arange(3.0)[None, None]
    assert not torch.equal(F.interpolate(x, scale_factor=41), x.repeat_interleave(41, 2))


# ---------------------------------------------------------------------------------- what is left


class Second(nn.Module):
    """An argument decides what is done."""

    def __init__(self):
        super().__init__()
        self.conv = conv()

    def forward(self, x, larger):
        return self.conv(F.interpolate(x, scale_factor=2)) if larger else x


def hooked(module, kind="forward_hook"):
    getattr(module, f"register_{kind}")(lambda *_: None)
    return module


def replaced(module):
    module.forward = type(module).forward.__get__(module)
    return module


LEFT = {
    "2 operations use its result": lambda: Forward(
        lambda self, x: (lambda y: self.conv(y) + y)(self.up(x)), up=nearest(), conv=conv()
    ),
    "its result is returned": nearest,
    "it goes to cat": lambda: Forward(
        lambda self, x: torch.cat([self.up(x), F.pad(x, (0, 6, 0, 6))], 1), up=nearest()
    ),
    "it goes to ReflectionPad2d": lambda: nn.Sequential(nearest(), nn.ReflectionPad2d(1), conv()),
    "it goes to relu": lambda: Forward(
        lambda self, x: self.conv(self.up(x).relu()), up=nearest(), conv=conv()
    ),
    "it goes to ConvTranspose2d": lambda: nn.Sequential(nearest(), nn.ConvTranspose2d(4, 4, 3)),
    "conv: got stride=(2, 2)": lambda: nn.Sequential(nearest(), conv(stride=2)),
    "conv: got ParametrizedConv2d": lambda: nn.Sequential(
        nearest(), parametrizations.weight_norm(conv())
    ),
    "upsample: got align_corners=True": lambda: nn.Sequential(
        nn.UpsamplingBilinear2d(scale_factor=2), conv()
    ),
    "upsample: got scale_factor=(1.5, 1.5)": lambda: nn.Sequential(nearest(1.5), conv()),
    "several sizes go to size=(12, 12)": lambda: (
        lambda block: nn.Sequential(block, nn.AvgPool2d(4), block)
    )(functional(size=(12, 12))),
    "upsample: got Upsample(scale_factor=(2.0, 2.0), mode='bicubic')": lambda: nn.Sequential(
        nearest(2, mode="bicubic"), conv()
    ),
    "antialias: got True": lambda: Forward(
        lambda self, x: self.conv(
            F.interpolate(x, scale_factor=2, mode="bilinear", antialias=True)
        ),
        conv=conv(),
    ),
    "torch repeats pixels unequally beyond a factor of 40": lambda: nn.Sequential(
        nearest(41), conv()
    ),
    "nothing is gained": lambda: nn.Sequential(
        nearest(), conv(padding=2, padding_mode="reflect")
    ),
    "it has hooks": lambda: nn.Sequential(hooked(nearest()), conv()),
    "its convolution has hooks": lambda: nn.Sequential(nearest(), hooked(conv())),
    "its convolution has hooks (before)": lambda: nn.Sequential(
        nearest(), hooked(conv(), "forward_pre_hook")
    ),
    "its convolution has hooks (backward)": lambda: nn.Sequential(
        nearest(), hooked(conv(), "full_backward_hook")
    ),
    "its convolution has hooks (another forward)": lambda: nn.Sequential(
        nearest(), replaced(conv())
    ),
    "its convolution is called elsewhere too": lambda: Forward(
        lambda self, x: self.conv(self.up(self.conv(x))), up=nearest(), conv=conv()
    ),
    "its size is computed from more than its input's": lambda: Forward(
        lambda self, x: self.conv(F.interpolate(x, size=self.conv(x).shape[2:])), conv=conv()
    ),
    "its size is no multiple": lambda: Forward(
        lambda self, x: self.conv(F.interpolate(x, size=(2 * x.shape[3], 2 * x.shape[2]))),
        conv=conv(),
    ),
    "its scale_factor is computed": lambda: Forward(
        lambda self, x: self.conv(F.interpolate(x, scale_factor=x.shape[1] / 2)), conv=conv()
    ),
    "the weight of its convolution is computed": lambda: Forward(
        lambda self, x: F.conv2d(F.interpolate(x, scale_factor=2), 2 * self.weight),
        weight=nn.Parameter(torch.randn(4, 4, 3, 3)),
    ),
    "the settings of its convolution are computed": lambda: Forward(
        lambda self, x: F.conv2d(
            F.interpolate(x, scale_factor=2), self.weight, padding=x.shape[0] - 1
        ),
        weight=nn.Parameter(torch.randn(4, 4, 3, 3)),
    ),
    "it is only there in training": lambda: Forward(
        lambda self, x: self.conv(self.up(x)) if self.training else x, up=nearest(), conv=conv()
    ),
    "it is only there in evaluation": lambda: Forward(
        lambda self, x: x if self.training else self.conv(self.up(x)), up=nearest(), conv=conv()
    ),
    "2 operations use its result (in training)": lambda: Forward(
        lambda self, x: (lambda y: self.conv(y) + (y if self.training else 0))(self.up(x)),
        up=nearest(), conv=conv(),
    ),
    "the forward of the model cannot be written anew: it differs in training": lambda: Forward(
        lambda self, x: F.dropout(
            self.conv(F.interpolate(x, scale_factor=2)), training=self.training
        ),
        conv=conv(),
    ),
    "the forward of the model cannot be written anew: it makes a tensor": lambda: Forward(
        lambda self, x: self.conv(F.interpolate(x, scale_factor=2)) + torch.ones(1), conv=conv()
    ),
    "something between the two may change its input in place": lambda: Forward(
        lambda self, x: (lambda z: (lambda y, _: self.conv(y))(self.up(z), z.add_(1)))(x * 2),
        up=nearest(), conv=conv(),
    ),
    "something between the two may change its input in place (module)": lambda: Forward(
        lambda self, x: (lambda z: (lambda y, _: self.conv(y))(self.up(z), self.act(z)))(x * 2),
        up=nearest(), conv=conv(), act=nn.ReLU(inplace=True),
    ),
    "something between the two may change its input in place (item)": lambda: Forward(
        lambda self, x: (
            lambda z: (lambda y, _: self.conv(y))(self.up(z), z.__setitem__(0, 1.0))
        )(x * 2),
        up=nearest(), conv=conv(),
    ),
    "it goes to Forward": lambda: nn.Sequential(
        nearest(), Forward(lambda self, x: self.conv(x) if x.sum() > 0 else x, conv=conv())
    ),
}  # fmt: skip


@pytest.mark.parametrize("reason", LEFT)
def test_what_is_not_proved_is_left_with_its_reason(reason):
    torch.manual_seed(0)
    model = LEFT[reason]()
    fused, report = fuse(model, picture(6, 6, batch=2))
    assert any(f"left: {reason.split(' (')[0]}" in action for action in actions(report)), report
    assert "fused" not in actions(report)
    assert report.difference == 0
    assert [type(m) for m in fused.modules()] == [type(m) for m in model.modules()]
    assert fused is not model


class Unreadable(nn.Module):
    """Its forward looks at the numbers; around it are forwards that do not."""

    def __init__(self, **parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        if x.mean() > 1e9:
            return x
        for part in self.children():
            x = part(x)
        return x


def test_what_can_be_read_of_a_model_that_cannot_is_fused():
    model = nn.Sequential(
        functional(),
        Unreadable(first=nn.Sequential(nearest(), conv()), up=nearest(), conv=conv()),
    )
    fused, report = fuse(model, picture(4, 4))
    assert actions(report) == ["fused", "fused", "left: torch.fx cannot read 1"]
    assert report.findings[2].shapes == ((2, 4, 16, 16),)
    assert list(report.unread) == ["1"]
    assert "control flow" in report.unread["1"]
    assert_equal(fused, model, picture(3, 5))
    fused, report = fuse(model[1], picture(4, 4))
    assert list(report.unread) == ["the model"]
    assert actions(report) == ["fused", "left: torch.fx cannot read the model"]


def test_a_convolution_that_an_unreadable_forward_calls_too_is_left():
    inner = nn.Sequential(nearest(), conv())
    model = Unreadable(inner=inner, alone=inner[1], shared=nn.Sequential(nearest(), conv()))
    fused, report = fuse(model, picture(4, 4))
    assert actions(report) == ["left: torch.fx cannot read the model", "fused"]
    assert_equal(fused, model, picture(3, 5))


def test_a_module_with_hooks_is_read_by_itself_and_keeps_them():
    called = []
    block, alone = functional(), nn.Sequential(nearest())
    block.register_forward_hook(lambda module, args, y: called.append(tuple(y.shape)))
    alone.register_forward_hook(lambda module, args, y: called.append(tuple(y.shape)))
    fused, report = fuse(nn.Sequential(block, alone, conv()), picture(4, 4))
    assert actions(report) == ["fused", "left: its result is returned"]
    called.clear()
    fused(picture(4, 4))
    assert called == [(2, 4, 8, 8), (2, 4, 16, 16)]


def test_a_forward_that_is_not_of_its_class_is_not_read():
    model = nn.Sequential(replaced(functional()), conv())
    _, report = fuse(model, picture(4, 4))
    assert actions(report) == ["left: torch.fx cannot read 0"]
    assert report.unread == {"0": "its forward is not that of its class"}


@pytest.mark.parametrize(
    ("forward", "reason"),
    [
        (lambda self, x: self.pair(x) * (1 + self.fused()), "with the new layers the output diff"),
        (lambda self, x: self.pair(x)[:, self.fused() :], "with the new layers the output has ano"),
        (lambda self, x: self.pair(x)[9 * self.fused()], "with the new layers the model fails: in"),
    ],
)
def test_a_model_that_notices_is_left_as_it_is(forward, reason):
    class Suspicious(Forward):
        def fused(self):
            return int(not isinstance(self.pair[0], nn.Upsample))

    model = Suspicious(forward, pair=nn.Sequential(nearest(), conv()))
    fused, report = fuse(model, picture(4, 4))
    assert actions(report)[0].startswith(f"left: {reason}")
    assert not fused_layers(fused)
    assert report.difference == 0


def test_random_numbers_of_a_model_are_the_same_with_the_new_layers():
    model = Forward(
        lambda self, x: self.conv(F.interpolate(x + torch.randn_like(x), scale_factor=2)),
        conv=conv(),
    )
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    _, report = fuse(model, torch.ones(2, 4, 4, 4))
    assert torch.equal(torch.rand(1), wanted)
    assert actions(report) == ["fused"]


@pytest.mark.parametrize(
    "draw",
    [lambda: torch.randn(1, 4, 1, 1), lambda: random.random(), lambda: np.random.rand(1)[0]],  # noqa: NPY002
)
def test_a_forward_that_draws_numbers_of_its_own_is_not_read(draw):
    inner = functional()
    model = Forward(
        lambda self, x: self.inner(self.conv(self.up(x * draw()))),
        inner=inner,
        up=nearest(),
        conv=conv(),
    )
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    _, report = fuse(model, picture(4, 4))
    assert report.unread == {"the model": "it draws random numbers"}
    assert actions(report) == ["fused", "left: torch.fx cannot read the model"]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


# ------------------------------------------------------------------------------- gains and report


def test_only_what_is_faster_is_fused_unless_all_is_wanted(clock):
    model = nn.Sequential(nearest(), conv(), functional())
    clock["pair"] = 1.0
    fused, report = fuse(model, picture(4, 4))
    assert actions(report) == ["left: it is not faster"] * 2
    assert [finding.gain for finding in report.findings] == [(1.0, 1.0, 1.0)] * 2
    assert not fused_layers(fused)
    fused, report = fuse(model, picture(4, 4), only_faster=False)
    assert actions(report) == ["fused", "fused"]
    assert [finding.gain for finding in report.findings] == [(1.0, 1.0, 1.0)] * 2
    assert len(fused_layers(fused)) == 2


def test_what_is_timed_is_the_pair_and_the_layer_for_all_sizes_that_come(clock):
    model = Forward(
        lambda self, x: self.block(self.block(F.avg_pool2d(self.block(x), 2))),
        block=nn.Sequential(nearest(), conv()),
    )
    fuse(model, picture(4, 4))
    ((pair, layer),) = clock["outputs"]
    assert [y.shape for y in pair] == [(2, 4, 8, 8), (2, 4, 16, 16)]
    for y, z in zip(pair, layer, strict=True):
        np.testing.assert_allclose(z, y, rtol=0, atol=1e-5)


def test_an_upsampling_is_kept_for_the_convolution_that_would_be_slower(monkeypatch, clock):
    compare = fusion.compare
    times = iter([2.0, 0.5])

    def changing(calls, *, device):
        clock["pair"] = next(times)
        return compare(calls, device=device)

    monkeypatch.setattr(fusion, "compare", changing)
    model = Forward(
        lambda self, x: self.second(self.up(self.first(self.up(x)))),
        up=nearest(), first=conv(), second=conv(),
    )  # fmt: skip
    fused, report = fuse(model, picture(4, 4))
    assert actions(report) == ["fused", "left: it is not faster"]
    assert isinstance(fused.up, nn.Upsample)
    assert_equal(fused, model, picture(5, 3))


def test_the_report_is_a_table():
    model = Unreadable(
        first=nn.Sequential(nearest(), conv()),
        second=functional(),
        third=Forward(lambda self, x: torch.cat([F.interpolate(x, scale_factor=2)] * 2)),
    )
    _, report = fuse(model, picture(4, 4))
    lines = str(report._replace(difference=1.2e-6)).splitlines()
    assert lines == [
        "upsampling, convolution                from       gain                 action",
        "first.0 → first.1                      2×4×4×4    2.00 (2.00 to 2.00)  fused",
        "F.interpolate in second → second.conv  2×4×8×8    2.00 (2.00 to 2.00)  fused",
        "F.interpolate in third                 2×4×16×16                       "
        "left: it goes to cat",
        "not read: the model: symbolically traced variables cannot be used as inputs to control "
        "flow",
        "largest difference in the output: 1.2e-06",
    ]


def test_a_report_of_nothing_says_so():
    _, report = fuse(conv(), picture(4, 4))
    assert str(report).splitlines()[0] == "no upsampling found: nothing to fuse"


# ---------------------------------------------------------------------------------- real decoders

GREY = {"channels": 1}
DECODERS = {
    "vae": (lambda: decoders.vae((16, 16, 8, 8), groups=4, blocks=1), picture(4, 5), 3),
    "up-conv": (lambda: decoders.unet((4, 8, 16)), picture(16, 8, **GREY), 2),
    "bilinear": (
        lambda: decoders.unet((4, 8, 16), upsampling="bilinear"),
        picture(16, 8, **GREY),
        0,
    ),
    "dcgan": (lambda: decoders.dcgan((8, 4), noise=4), picture(1, 1), 0),
    "srresnet": (lambda: decoders.srresnet(8, 2), picture(5, 6, channels=3), 0),
    "esrgan": (lambda: decoders.esrgan(8, 4, 1), picture(5, 6, channels=3), 2),
}  # fmt: skip


@pytest.mark.parametrize("name", DECODERS)
def test_real_decoders(name):
    torch.manual_seed(0)
    build, example, count = DECODERS[name]
    # In float64 no rounding takes a value to the other side of a kink, where its gradient jumps.
    model, example = build().eval().double(), example.double()
    fused, report = fuse(model, example)
    assert report.unread == {}
    assert actions(report).count("fused") == count == len(fused_layers(fused))
    assert report.difference < 1e-12
    if name == "bilinear":
        assert actions(report) == ["left: it goes to cat"] * 2
    elif count == 0:
        assert str(report).startswith("no upsampling found")
    else:
        assert_equal(fused, model, torch.cat([example, example.flip(3)], 3))


# -------------------------------------------------------------------------------------- bad input


class Uncopied(nn.Module):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("model", "example", "message"),
    [
        (torch.relu, None, "model: got builtin_function_or_method; want a torch.nn.Module"),
        (Uncopied(), None, "model: it cannot be copied: cannot pickle '_thread.lock' object"),
        (conv(), picture(4, 4, channels=3), "example: the model does not take it: Given groups=1"),
        (conv(), (picture(4, 4), 1), "example: the model does not take it: .* 2 positional arg"),
        (Unreadable(up=nearest(), conv=conv()), picture(4, 4), "model: torch.fx cannot read it: t"),
    ],
)
def test_bad_input_is_refused_by_name_and_the_model_untouched(model, example, message):
    before = copy.deepcopy(model.state_dict()) if isinstance(model, conv().__class__) else {}
    with pytest.raises(ValueError, match=message):
        fuse(model, example)
    for name, tensor in before.items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_the_model_and_the_example_are_untouched():
    model = nn.Sequential(nn.ReLU(inplace=True), nn.BatchNorm2d(4), nearest(), conv()).train()
    for p in model.parameters():
        p.grad = torch.randn(p.shape)
    before = pickle.dumps(model.state_dict()), [p.grad.clone() for p in model.parameters()]
    example = picture(4, 4)
    copied = example.clone()
    fused, _ = fuse(model, example)
    assert torch.equal(example, copied)
    assert pickle.dumps(model.state_dict()) == before[0]
    for p, q, gradient in zip(model.parameters(), fused.parameters(), before[1], strict=True):
        assert torch.equal(p.grad, gradient)
        assert p.data_ptr() != q.data_ptr()
    assert all(module.training for module in [*model.modules(), *fused.modules()])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in fused.modules())

"""The cost model: what it takes without timing, and what its choice leaves as it was."""

import pytest
import torch
from geometries import transposed_cases
from hypothesis import given
from upconv import Geometry, conv_transpose, cost, forms
from upconv.bench import LAYERS
from upconv.cost import Choice, choose, phase_taps, phases_of, predict

LAST = torch.channels_last
FEW = (4, 64, 32, 32), (64, 1, 4, 4), Geometry((4, 4), 2, 1)  # shuffled, or by columns
WIDE = (16, 256, 16, 16), (256, 128, 4, 4), Geometry((4, 4), 2, 1)  # torch's own


def tensors(layer, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    x_shape, weight_shape, _ = layer
    shapes = (x_shape, weight_shape, (weight_shape[1],))
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes]


@given(case=transposed_cases())
def test_no_phase_has_more_taps_than_the_shuffle_gives_it(case):
    geometry, x_shape, _ = case
    settings = zip(
        x_shape[2:],
        geometry.transposed_shape(x_shape[2:]),
        geometry.kernel,
        geometry.stride,
        geometry.dilation,
        [before for before, _ in geometry.padding],
        phase_taps(geometry),
        strict=True,
    )
    for i, o, k, s, d, before, taps in settings:
        assert (i + taps - 1) * s >= before + o  # the windows reach the last output
        for _, mine, _, dilation in phases_of(i, o, k, s, d, before):
            assert (len(range(k)[mine]) - 1) * dilation + 1 <= taps


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("choice", cost.CHOICES, ids=str)
def test_more_images_cost_more(layer, choice):
    x_shape, *rest = LAYERS[layer]
    one, two = (predict(choice, (n * x_shape[0], *x_shape[1:]), *rest) for n in (1, 2))
    assert 0 < one < two < 2.5 * one


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("layer", LAYERS)
def test_the_choice_is_the_least_of_what_is_expected_with_a_margin_for_torch(layer, last):
    shapes = LAYERS[layer]
    choice, native = choose(*shapes, last), Choice("native", last)
    if choice != native:
        assert predict(choice, *shapes) * cost.MARGIN < predict(native, *shapes)
    assert choice.channels_last or not last


def test_few_outputs_are_shuffled_and_wide_layers_left_to_torch():
    assert choose(*FEW).form != "native"
    assert choose(*WIDE) == Choice("native", False)
    assert choose(*WIDE, True) == Choice("native", True)


@given(case=transposed_cases())
def test_layers_that_take_no_time_are_left_to_torch(case):
    geometry, x_shape, weight_shape = case
    if geometry.axes == 2:
        assert choose(x_shape, weight_shape, geometry) == Choice("native", False)


@pytest.mark.parametrize("settings", [{"groups": 4}, {"dilation": 2}, {"stride": 1}])
def test_what_was_not_measured_is_left_to_torch(settings):
    geometry = Geometry((4, 4), **{"stride": 2, "padding": 1, **settings})
    assert choose((4, 64, 32, 32), (64, 1, 4, 4), geometry).form == "native"


@pytest.mark.parametrize(
    "change",
    [
        lambda x, w: (x.double(), w.double()),
        lambda x, w: (x.bfloat16(), w.bfloat16()),
        lambda x, w: (x.to("meta"), w.to("meta")),
        lambda x, w: (x[:1].expand(4, -1, -1, -1), w),
        lambda x, w: (x[:0], w),
        lambda x, w: (x.unsqueeze(2), w.unsqueeze(2)),
    ],
)
def test_auto_is_torchs_own_call_where_no_rates_are_known(change, monkeypatch):
    x, weight, _ = tensors(FEW)
    monkeypatch.setattr(forms, "choose", None)  # not even asked
    conv_transpose(*change(x, weight), stride=2)


def test_auto_is_torchs_own_call_while_it_is_traced(monkeypatch):
    x, weight, _ = tensors(FEW)
    monkeypatch.setattr(forms, "choose", None)

    class Layer(torch.nn.Module):
        def forward(self, x):
            return conv_transpose(x, weight, stride=2, padding=1)

    graph = torch.export.export(Layer(), (x,)).graph
    called = [node.target for node in graph.nodes if node.op == "call_function"]
    assert called == [torch.ops.aten.conv_transpose2d.input]
    compiled = torch.compile(Layer(), backend="eager", fullgraph=True)(x)
    torch.testing.assert_close(compiled, forms.native(x, weight, FEW[2]), rtol=0, atol=0)


@pytest.mark.parametrize("layer", [FEW, *list(LAYERS.values())[3:4], LAYERS["FCN k16 s8"]])
@pytest.mark.parametrize("order", [(False, False), (False, True), (True, False), (True, True)])
def test_auto_keeps_torchs_values_memory_format_and_gradients(layer, order):
    *tensors_, geometry = *tensors(layer), layer[2]
    leaves = [
        (t.to(memory_format=LAST) if last else t).requires_grad_()
        for t, last in zip(tensors_, (*order, False), strict=True)
    ]
    common = [before for before, _ in geometry.padding]
    y = conv_transpose(*leaves, stride=geometry.stride, padding=common)
    theirs = torch.nn.functional.conv_transpose2d(*leaves, geometry.stride, common)
    assert type(y.grad_fn).__name__ == "_NativeGradientBackward"  # another form was taken
    for memory_format in (torch.contiguous_format, LAST):  # a single channel is in both
        in_it = (tensor.is_contiguous(memory_format=memory_format) for tensor in (y, theirs))
        assert len(set(in_it)) == 1
    # Sums of up to 2,048 products of standard normals, in another order.
    torch.testing.assert_close(y, theirs, rtol=0, atol=2e-3)
    cotangent = torch.randn_like(theirs)
    for ours, their in zip(
        torch.autograd.grad(y, leaves, cotangent),
        torch.autograd.grad(theirs, leaves, cotangent),
        strict=True,
    ):
        torch.testing.assert_close(ours, their, rtol=0, atol=0)  # the same call


# Torch's own table of forward derivatives is a script.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("padding", [((1, 1), (1, 1)), ((0, 2), (1, 0))])
def test_derivatives_of_every_kind_pass_through_the_choice(padding, monkeypatch):
    geometry = Geometry((3, 2), 2, padding, 1, (1, 0))
    monkeypatch.setattr(forms, "_expected", lambda *_: Choice("shuffle", True))
    generator = torch.Generator().manual_seed(0)
    leaves = [
        torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True)
        for shape in ((2, 2, 3, 3), (2, 3, 3, 2), (3,))
    ]

    def auto(x, weight, bias):
        return conv_transpose(
            x, weight, bias, stride=2, padding=padding, output_padding=geometry.output_padding
        )

    def judge(x, weight, bias):
        return forms.native(x, weight, geometry, bias)

    assert torch.autograd.gradcheck(auto, leaves, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(auto, leaves)
    values = [leaf.detach() for leaf in leaves]
    for ours, theirs in zip(
        torch.func.jvp(auto, tuple(values), tuple(values)),
        torch.func.jvp(judge, tuple(values), tuple(values)),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)
    each = torch.func.vmap(auto, (0, None, None))(values[0][:, None], *values[1:])
    torch.testing.assert_close(each[:, 0], judge(*values))

    def energy(weight, x):
        return auto(x[None], weight, values[2]).square().sum()

    per_image = torch.func.vmap(torch.func.grad(energy), (None, 0))(values[1], values[0])
    whole = torch.func.grad(lambda weight: judge(values[0], weight, values[2]).square().sum())
    torch.testing.assert_close(per_image.sum(0), whole(values[1]))


def test_bad_input_is_refused_by_name():
    with pytest.raises(ValueError, match="choice: got .*polyphase.*; want one of .*native"):
        predict(Choice("polyphase", True), *FEW)
    with pytest.raises(ValueError, match="x_shape: got"):
        predict(Choice("native", True), (4, 63, 32, 32), *FEW[1:])

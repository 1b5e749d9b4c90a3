// Sizes: both convolutions on a number line, settings from one size to another, the layer as code.

(() => {
"use strict";
const { make, box, slider, choice, button, announcer } = upconv.ui;
const { Geometry, solve, limits } = upconv.arithmetic;

const MOST = 1024; // the largest size that can be asked for
const CAPS = { stride: 4, kernel: 7, padding: 3, output_padding: 3, dilation: 3 };

const range = (length) => [...Array(length).keys()];

// In the letters of the paper. `small` and `large` are input and output of the transposed
// convolution; `rest` is its output_padding, which the convolution leaves unread.
function read(settings) {
	const { input_size: i, kernel: k, stride: s, padding: p, dilation: d, transposed } = settings;
	const geometry = new Geometry({ ...settings, ...(transposed ? {} : { output_padding: 0 }) });
	const [o] = geometry[transposed ? "transposed_shape" : "output_shape"](i);
	const [rest] = (transposed ? geometry : geometry.adjoint_to(i)).output_padding;
	const [small, large] = transposed ? [i, o] : [o, i];
	return { ...settings, geometry, i, o, k, s, p, d, rest, small, large };
}

// The layer as code: {transposed|not}, and $ before the name of a value.
const values_of = (library) => `x = ${library}.zeros((1, $i, $i, 8))
kernel = ${library}.zeros(($k, $k, {4, 8|8, 4}))`;

const TEMPLATES = {
	PyTorch: `import torch

layer = torch.nn.Conv{Transpose|}2d(
    8, 4, kernel_size=$k, stride=$s, padding=$p,{ output_padding=$rest,|} dilation=$d
)
y = layer(torch.zeros(1, 8, $i, $i))  # (1, 4, $o, $o)`,
	Keras: `import keras

conv = keras.layers.Conv2D{Transpose|}(
    4, kernel_size=$k, strides=$s, padding="valid",{ output_padding=$added,|} dilation_rate=$d
)
layer = keras.Sequential([
    {conv, keras.layers.Cropping2D((($p, $after),) * 2)|keras.layers.ZeroPadding2D($p), conv}
])
y = layer(keras.ops.zeros((1, $i, $i, 8)))  # (1, $o, $o, 4)`,
	TensorFlow: `import tensorflow as tf

${values_of("tf")}
layer = tf.function(tf.nn.conv2d{_transpose|}, jit_compile=True)  # for dilation on a CPU
y = layer(
    x, kernel,{ [1, $o, $o, 4],|} strides=$s, dilations=$d,
    padding=[[0, 0], [$p, $after], [$p, $after], [0, 0]],
)  # (1, $o, $o, 4)`,
	JAX: `import jax.numpy as jnp
from jax import lax

${values_of("jnp")}
y = lax.conv_{transpose|general_dilated}(
    x, kernel, ($s, $s), [($p, $cut)] * 2, rhs_dilation=($d, $d),
    dimension_numbers=("NHWC", "HWIO", "NHWC"),{
    transpose_kernel=True, use_consistent_padding=True,|}
)  # (1, $o, $o, 4)`,
	ONNX: `import onnx

# x: (1, 8, $i, $i), weight: ({8, 4|4, 8}, $k, $k), y: (1, 4, $o, $o)
layer = onnx.helper.make_node(
    "Conv{Transpose|}", ["x", "weight"], ["y"], kernel_shape=[$k, $k], strides=[$s, $s],
    pads=[$p] * 4, dilations=[$d, $d],{ output_padding=[$rest, $rest],|}
)`,
};

function code(at) {
	const { framework, transposed, s, p, d, rest } = at;
	if (framework === "Keras" && s > 1 && d > 1)
		return "# Keras refuses strides and dilation_rate above 1 together.";
	const cut = transposed ? p - rest : p;
	const values = { ...at, cut, after: Math.max(cut, 0), added: Math.max(-cut, 0) };
	return TEMPLATES[framework]
		.replace(/\{([^{}|]*)\|([^{}]*)\}/g, transposed ? "$1" : "$2")
		.replace(/\$(\w+)/g, (_, name) => values[name]);
}

// The number line: words and squares [place, text, kind, layer]. The last `fit` places are shown.
function rows({ geometry, transposed, k, s, p, d, rest, small, large }, fit) {
	const line = large + 2 * p;
	const [reach] = geometry.reach;
	const input = (n) => (n % 9) + 1; // and the kernel is 1, 2, 3, …
	const tint = (q) => (q % 2 ? "odd" : "even");
	const cropped = (n) => n < p || n >= p + large;
	const sums = range(small).map((q) => (transposed ? input(q) : 0));
	const values = range(line).map((n) => (transposed || cropped(n) ? 0 : input(n - p)));
	const layers = Math.min(small, Math.ceil(reach / s));
	const stamps = range(small * k).map((n) => {
		const [q, tap] = [Math.floor(n / k), n % k];
		const place = s * q + d * tap;
		const value = (tap + 1) * (transposed ? sums[q] : values[place]);
		if (transposed) values[place] += value;
		else sums[q] += value;
		return [place, layers > 7 ? "" : value, tint(q), q % layers];
	});
	const end = (n) => (n < line - rest ? "" : "dashed");
	const late = (n) => (n < p + large - rest ? "" : "purple");
	const [above, middle, below] = transposed
		? ["input", "added up", `cropped by ${p} at each end: output`]
		: ["added up: output", `with ${p} × 0 at each end`, "input"];
	const all = [
		[`${above}, size ${small}`, sums.map((value, q) => [s * q + (reach - 1) / 2, value, tint(q)])],
		[`times the kernel, ${s} apart`, stamps],
		[
			`${middle}, size ${line - rest}${rest ? ` + ${rest}` : ""}`,
			values.map((value, n) => [n, value, `${cropped(n) ? "orange" : late(n)} ${end(n)}`]),
		],
		[
			`${below}, size ${large}`,
			values.map((value, n) => [n, value, `bold ${late(n)}`]).slice(p, p + large),
		],
	];
	const first = Math.max(line - fit, 0);
	const drawn = all.map(([words, squares]) => {
		const shown = squares.filter(([place]) => place >= first);
		const spans = shown.map(([place, value, kind, layer = 0]) => {
			const style = `grid-area: ${layer + 1} / ${2 * (place - first) + 1} / auto / span 2`;
			return make("span", { class: kind, style }, value);
		});
		return make("div", {}, words, first ? " (the end)" : "", make("div", {}, ...spans));
	});
	return transposed ? drawn : drawn.reverse();
}

function sentence({ transposed, i, o, p, rest }) {
	const sizes = `Size ${i} becomes size ${o}.`;
	if (!rest) return sizes;
	if (!transposed) return `${sizes} Unread at its end (dashed): ${rest}.`;
	const empty = Math.min(rest - p, o);
	const what = empty > 0 ? `${empty} beyond all stamps, always 0` : "cropped without it";
	const more = `${rest} more kept (purple), ${what}`;
	return `${sizes} output_padding makes the line longer (dashed): ${more}.`;
}

// The sizes that meet in one, each with the output_padding of its way back.
function meetings({ geometry, transposed, small }) {
	const [sizes] = geometry.ambiguous_inputs(small);
	const choices = sizes.map((size) => {
		const [output_padding] = geometry.adjoint_to(size).output_padding;
		const input_size = transposed ? small : size;
		return [`${output_padding} gives ${size}`, { input_size, output_padding }];
	});
	const words = `A convolution takes ${sizes.join(" or ")} to ${small}`;
	return [`${words}; output_padding says which comes back:`, choices];
}

const solved = {}; // it takes milliseconds

function ways({ have, want }) {
	const transposed = want > have;
	const names = Object.keys(CAPS).slice(0, transposed ? 4 : 3);
	const most = { max_kernel: CAPS.kernel, max_stride: CAPS.stride, max_padding: CAPS.padding };
	const found = (solved[[have, want]] ??= solve(have, want, { transposed, ...most }));
	const choices = found.map((geometry) => {
		const pairs = names.map((name) => [name, geometry[name].flat()[0]]);
		const text = pairs.filter(([, n]) => n).map((pair) => pair.join(" ")).join(", ");
		return [text, { ...Object.fromEntries(pairs), transposed, input_size: have, dilation: 1 }];
	});
	const kind = transposed ? "transposed " : "";
	return [`Settings of a ${kind}convolution for that: ${found.length}`, choices];
}

function render({ model, el }) {
	model.set({ have: 14, want: 28, framework: "PyTorch" });
	let at;
	let fit = 32;
	const said = announcer();
	const row = (...parts) => box("controls", ...parts);
	const tell = (element, text) => {
		if (element.textContent !== text) said.say((element.textContent = text));
	};

	// What is no size is refused in the browser's words and goes with the focus.
	function field(label, name) {
		const input = make("input", { type: "number", min: 1, max: MOST, required: "" });
		const show = () => (input.value = model.get(name));
		input.oninput = () =>
			input.validity.valid ? model.set(name, input.valueAsNumber) : input.reportValidity();
		input.onchange = show;
		model.on(`change:${name}`, show);
		show();
		return make("label", { class: "upconv-control" }, label, input);
	}

	// Shows words, and a button for each [text, settings].
	function offer(element, [text, choices]) {
		const [words, box] = element.children;
		tell(words, text);
		while (box.children[choices.length]) box.lastChild.remove();
		choices.forEach(([textContent, settings], n) => {
			const onclick = () => model.set(settings);
			const ariaPressed = Object.keys(settings).every((key) => settings[key] === at[key]);
			const one = box.children[n] ?? box.appendChild(button(""));
			Object.assign(one, { textContent, onclick, ariaPressed });
		});
	}

	// To turn round keeps both sizes.
	const turn = (_, transposed) => model.set({ transposed, input_size: Math.min(at.o, MOST) });
	const operation = choice({
		model: { ...model, set: turn },
		name: "transposed",
		label: "Operation",
		options: [[true, "transposed convolution"], [false, "convolution"]],
	});
	const options = Object.keys(TEMPLATES);
	const framework = choice({ model, name: "framework", label: "As code", options });
	const size = field("input size", "input_size");
	const sliders = Object.keys(CAPS).map((name) => slider({ model, name, label: name }));
	const words = make("p");
	const line = box("panel");
	const [meeting, way] = [0, 1].map(() => make("div", {}, make("p"), row()));
	const text = make("code");
	const copy = button("", () => {
		getSelection().selectAllChildren(text);
		if (document.execCommand("copy")) tell(copy, "Copied");
	});

	function update() {
		at = read(model.all());
		const { geometry, transposed, i, s, rest } = at;
		// No control leads to illegal settings.
		const ends = (name, cap) => limits(geometry, name, i, { transposed, cap });
		Object.entries(CAPS).forEach(([name, cap], n) => {
			let { min, max } = ends(name, name === "output_padding" ? s - 1 : cap);
			if (name === "stride" && transposed) min = Math.max(min, rest + 1);
			if (name === "output_padding" && !transposed) min = max = rest;
			sliders[n].bound(min, max);
		});
		size.control.min = ends("input_shape", Math.min(i, 32)).min;
		line.replaceChildren(...rows(at, fit));
		text.textContent = code(at);
		copy.textContent = "Copy";
		offer(meeting, meetings(at));
		offer(way, ways(at));
		tell(words, sentence(at)); // last: this is heard
	}

	el.append(
		operation.element, row(size, ...sliders), words, line, meeting,
		row(field("I have", "have"), field("and want", "want")), way,
		row(framework, copy), make("pre", {}, text), said.element,
	);
	update();
	model.on("change", update);
	new ResizeObserver(([{ contentRect }]) => {
		fit = Math.floor(contentRect.width / 24); // pixels of a square
		update();
	}).observe(line);
}

upconv.explorable("sizes", { render });
})();

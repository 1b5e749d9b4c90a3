// Two routes up: nearest upsampling and a convolution, and one strided layer. The kernel of one is
// dragged, that of the other follows. In the view "pooling", a gradient goes back through poolings.

"use strict";
(() => {
const { make, box, slider, choice, announcer, grid } = upconv.ui;
const { Geometry, tensor, number, ...arithmetic } = upconv.arithmetic;

const FIRST = [1, 2, 4, 3, 0, -1, -2, 5, -3]; // all different in windows of 2 and 3
const PIXELS = 8; // to drag for 1

const numbers = (count, each) => Array.from({ length: count }, (_, n) => each(n));
const cube = (axes, n) => Array(axes).fill(n);

// The numbers of a setting as an image; those that do not fit begin anew.
function image(values, axes, side, limit) {
	const given = values?.length === side ** axes ? values : null;
	const held = (n) => Math.min(Math.max(given?.[n] ?? FIRST[n % 9], -limit), limit);
	return tensor([1, 1, ...cube(axes, side)], numbers(side ** axes, held));
}

// Under a heading something that shows a tensor.
function panel(child, fill) {
	const heading = make("p");
	const show = (words, { shape, data }, ...rest) => {
		heading.textContent = child.ariaLabel = words;
		const largest = Math.max(1, ...data.map(Math.abs));
		fill([...data], shape.at(-1), (value) => value / largest, ...rest);
	};
	return { element: box("panel", heading, child), show };
}

function result() {
	const { element, fill } = grid({});
	return panel(element, (values, width, tint) => fill(values, width, { tint }));
}

// Whole numbers to drag up and down. An unseen range input in each takes the keys.
function dials(model, name) {
	const group = make("div", { class: "upconv-dials", role: "group" });
	let shown;

	function dial(n) {
		const take = () => model.set(name, shown.with(n, Number(input.value)));
		const input = make("input", { type: "range", oninput: take });
		const cell = make("label", { class: "upconv-bar" }, make("span"), input);
		let grip;
		cell.onpointerdown = ({ pointerId, clientY }) => {
			cell.setPointerCapture(pointerId);
			grip = PIXELS * input.value + clientY;
		};
		cell.onpointermove = ({ pointerId, clientY }) => {
			if (!cell.hasPointerCapture(pointerId)) return;
			input.value = (grip - clientY) / PIXELS;
			take();
		};
		return cell;
	}

	return panel(group, (values, width, tint, limit, framed = []) => {
		shown = values;
		group.style.setProperty("--columns", width);
		if (group.children.length !== values.length)
			group.replaceChildren(...numbers(values.length, dial));
		values.forEach((value, n) => {
			const cell = group.children[n];
			const [text, input] = cell.children;
			const mark = framed.includes(n) ? "lit" : "";
			const ariaLabel = `${group.ariaLabel} [${Math.floor(n / width)}, ${n % width}]`;
			text.textContent = number(value);
			const ariaValueText = number(value) + (mark && ", the largest");
			Object.assign(input, { min: -limit, max: limit, value, ariaLabel, ariaValueText });
			cell.dataset.mark = mark;
			cell.style.setProperty("--tint", Math.abs(tint(value)));
			cell.classList.toggle("minus", value < 0);
		});
	});
}

// Each view gives two tables to drag, two beside them, four below, and what is said. Here the
// convolution beside a strided layer has the quotient of its kernel.
function routes({ start, scale, axes, ...all }) {
	const strided = start === "transposed";
	const input = image(all.x, axes, axes > 1 ? 3 : 4, 9);
	const limit = strided ? 3 * scale ** axes : 3;
	const given = image(all.weight, axes, all.kernel, limit);
	const division = strided ? arithmetic.divide(given, scale) : { quotient: given };
	const { quotient: small, remainder, factorable } = division;
	const kernel = small.shape.slice(2);
	const before = (kernel[0] - 1) >> 1;
	const padding = cube(axes, [before, kernel[0] - 1 - before]);
	const collapsed = arithmetic.collapse(small, scale, { padding });
	const stamp = strided ? given : collapsed.weight;
	const upsampled = arithmetic.interpolate(input, { scale_factor: scale });
	const two = arithmetic.conv(upsampled, small, new Geometry({ kernel, padding }));
	const one = arithmetic.conv_transpose(input, stamp, collapsed.geometry);
	const difference = { ...one, data: one.data.map((value, n) => value - two.data[n]) };

	const kernels = ["Kernel after upsampling", `Kernel with stride ${scale}`];
	const gains = [...arithmetic.phase_gains(stamp, scale).data].map(number).join(", ");
	const sums = axes > 1 ? "of a row or column" : `(${gains})`;
	const verdict = factorable ? "Factorable." : `Not factorable: the phase sums ${sums} differ.`;
	const differ = difference.data.filter(Boolean).length;
	const outcome = `${differ} of ${one.data.length} outputs differ.`;
	return {
		tables: [
			["Input", input, 9],
			[kernels[Number(strided)], given, limit],
			strided ? [`${kernels[0]}: quotient`, small] : [`${kernels[1]}: collapsed`, stamp],
			strided && ["Remainder", remainder],
			axes < 2 && ["Upsampled", upsampled],
			["Upsampled, convolved", two],
			[`One layer with stride ${scale}`, one],
			["Difference", difference],
		],
		words: strided ? `${verdict} ${outcome}` : outcome,
	};
}

function pooling({ axes, scale, ...all }) {
	const windows = axes > 1 ? 2 : 3;
	const input = image(all.x, axes, scale * windows, 9);
	const gradient = image(all.gradient, axes, windows, 12);
	const size = input.shape.slice(2);
	const tiles = new Geometry({ kernel: cube(axes, scale), stride: scale });
	const { indices } = arithmetic.max_pool(input, tiles);
	const unpooled = arithmetic.max_pool_gradient(gradient, indices, size);
	const nothing = unpooled.data.filter((value) => !value).length;
	return {
		tables: [
			["Input", input, 9, indices.data],
			["Gradient to pass back", gradient, 12],
			null, null,
			["Sum: nearest upsampling", arithmetic.interpolate(gradient, { scale_factor: scale })],
			[`Average: that / ${scale ** axes}`, arithmetic.average_pool_gradient(gradient, tiles, size)],
			["Maximum: unpooling", unpooled],
			["Slice: zero insertion", arithmetic.insert_zeros(gradient, scale, size)],
		],
		words: `The maximum (framed) passes nothing to ${nothing} of ${input.data.length} inputs.`,
	};
}

function render({ model, el }) {
	const view = model.get("view");
	const second = view === "routes" ? "weight" : "gradient";
	const panels = [dials(model, "x"), dials(model, second), ...numbers(6, result)];
	const words = make("p");
	const said = announcer();
	const size = slider({ model, name: "kernel", label: "Kernel size" });
	let tables;

	function show() {
		const { start, scale } = model.all();
		size.bound(...(start === "transposed" ? [scale, scale + 2] : [1, 3]));
		const seen = { routes, pooling }[view](model.all());
		tables = seen.tables;
		panels.forEach(({ element, show }, n) => {
			element.hidden = !tables[n];
			if (tables[n]) show(...tables[n]);
		});
		words.textContent = seen.words;
	}

	// The kernel that followed is now the one to drag.
	model.on("change:start", () => {
		const { shape, data } = tables[2][1];
		model.set({ kernel: shape[2], weight: [...data] });
	});
	show();
	model.on("change", () => {
		show();
		said.say(words.textContent);
	});

	const pick = (name, label, options) => choice({ model, name, label, options });
	const kernels = [["convolution", "the convolution"], ["transposed", "the strided layer"]];
	const own = view === "routes" ? [pick("start", "Drag the kernel of", kernels), size] : [];
	const scale = pick("scale", "Scale", [2, 3]);
	const axes = pick("axes", "Axes", [[1, "1-D"], [2, "2-D"]]);
	el.append(
		box("controls", ...own, scale, axes),
		words,
		box("stage", ...panels.slice(0, 4)),
		box("stage", ...panels.slice(4)),
		said.element,
	);
}

upconv.explorable("routes", { render });
})();

// Overlap and phases: how many stamps meet in each phase, what their taps add up to, what becomes
// of a constant and of a ramp, and the remedies. All layers have one kernel and one channel.

(() => {
"use strict";

const A = upconv.arithmetic;
const { make, box, panel, slider, choice, button, announcer, grid, picture } = upconv.ui;

const list = (length, entry) => Array.from({ length }, (_, n) => entry(n));
const rows_of = (values, width) =>
	list(values.length / width, (n) => [...values.slice(n * width, (n + 1) * width)]);
const tint_of = (values) => {
	const most = Math.max(...values.map(Math.abs), 1e-9);
	return (value) => value / most;
};
// To three decimals; sums that are equal but for rounding become equal.
const rounded = (value) => Math.round((1000 * value).toPrecision(9)) / 1000;
const text = (value) => `${rounded(value)}`.replace("-", "−");

const weight_of = (axes, kernel, tap) =>
	A.tensor([1, 1, ...Array(axes).fill(kernel)], list(kernel ** axes, tap));

const ones = ({ axes, kernel }) => weight_of(axes, kernel, () => 1);

// Uniform within the framework's bound for one channel; with two decimals, so that what is read is
// what is computed with.
function drawn(now, kernel = now.kernel) {
	const uniform = A.random(now.seed);
	const bound = Math.sqrt((now.weights === "keras" ? 3 : 1) / kernel ** now.axes);
	return weight_of(now.axes, kernel, () => Math.round(100 * uniform(-bound, bound)) / 100);
}

// Given taps, cut or filled up with zeros; from one axis to two by the outer product.
function fitted({ axes, kernel, weight: { shape, data } }) {
	let rows = rows_of(data, shape.at(-1));
	if (axes + 2 > shape.length) rows = rows[0].map((one) => rows[0].map((tap) => one * tap));
	return weight_of(axes, kernel, (n) => rows[Math.floor(n / kernel)]?.[n % kernel] ?? 0);
}

const tent = ({ kernel, stride }) => ({ kernel: 2 * stride - (kernel < 2 * stride) });

const bilinear = (now) =>
	fitted({ ...now, weight: A.bilinear_(ones({ ...now, ...tent(now) }), now.stride) });

const MAKERS = { ones, torch: drawn, keras: drawn, bilinear, hand: fitted };

const by_hand = (weight) => ({ weights: "hand", kernel: weight.shape.at(-1), weight });

const begin = (kernel, weights) => () => ({ kernel, stride: 2, layers: 1, weights });

const project = (onto) => (now) => by_hand(A.project(now.weight, now.stride, onto));

const BUTTONS = {
	"k = 4, random": begin(4, "torch"),
	"k = 3, (½, 1, ½)": begin(3, "bilinear"),
	"Draw again": ({ seed }) => ({ seed: seed + 1 }),
	"Divisible kernel": ({ kernel, stride }) => ({ kernel: Math.ceil(kernel / stride) * stride }),
	"Resize, convolve"(now) {
		const taps = drawn(now, Math.max(now.kernel - now.stride, 0) + 1);
		return by_hand(A.collapse(taps, now.stride).weight);
	},
	ICNR(now) {
		const taps = drawn(now, Math.ceil(now.kernel / now.stride));
		return by_hand(A.interpolate(taps, { scale_factor: now.stride }));
	},
	Bilinear: (now) => ({ weights: "bilinear", ...tent(now) }),
	"Project: flat": project("flat"),
	"Project: factorable": project("factorable"),
	// w, then the box, is nearest upsampling, then flipped w: the theorem on blurs.
	"Blur after"({ axes, stride, weight }) {
		const boxed = A.collapse(A.flipped(weight), stride).weight;
		return by_hand({ ...boxed, data: boxed.data.map((tap) => tap / stride ** axes) });
	},
};

// Output m is the sum of w[t] x[(m − t) / s] over the taps of its phase. So a constant 1 becomes
// the gains, and a ramp x[n] = s n becomes m times the gain, less the sum of w[t] t.
function measured({ axes, stride, layers, weight }) {
	const geometry = new A.Geometry({ kernel: weight.shape.slice(2), stride });
	let composed = weight;
	for (let n = 1; n < layers; n++) composed = A.conv_transpose(composed, weight, geometry);
	const period = stride ** layers;
	const reach = composed.shape.at(-1);
	const moment = (tap, n) => tap * (Math.floor(n / reach) + (n % reach));
	const moments = { ...composed, data: composed.data.map(moment) };
	const [gains, less] = [composed, moments].map((taps) => A.phase_gains(taps, period).data);
	const counts = A.overlap(geometry.kernel, stride, layers).data;
	const side = 4 * Math.max(period, 6);
	const first = Math.max(reach - period, 0); // past the border's reach
	const images = [(r) => gains[r], (r, m) => gains[r] * m - less[r]].map((value) =>
		list(side ** 2, (n) => {
			const row = axes === 2 ? first + Math.floor(n / side) : 0;
			const column = first + (n % side);
			return value((row % period) * period + (column % period), row + column);
		}),
	);
	const shares = A.relative_grid(A.tensor([2, 1, side, side], images.flat()), period);
	return { period, side, counts, gains, images, shares };
}

const group = (label, buttons) =>
	make("fieldset", { class: "upconv-choice" }, make("legend", {}, label), ...buttons);

// An answer as a picture, and its first row as a line.
function answer({ element, show }, label, values, side) {
	const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
	show(values, side, { low, high, label });
	const unit = side / 3 / (high - low || 1);
	const steps = values.slice(0, side).map((value) => `V${-value * unit}h1`);
	const line = make("svg:path", { d: `M0 0${steps.join("")}V0Z` });
	const viewBox = `0 ${-high * unit} ${side} ${side / 3}`;
	return panel(label, element, make("svg:svg", { "aria-hidden": true, viewBox }, line));
}

function render({ model, el }) {
	function state() {
		const now = { row: 0, column: 0, weight: A.tensor([1, 1, 1], [1]), ...model.all() };
		return { ...now, weight: MAKERS[now.weights](now) };
	}

	const buttons = Object.entries(BUTTONS).map(([name, act]) =>
		button(name, () => model.set(act(state()))),
	);
	// By hand one goes on with the taps on show.
	const set = (_, kind) => model.set(kind === "hand" ? by_hand(state().weight) : { weights: kind });
	const weights = { ...model, set };
	const control = (name, label, max) => slider({ model, name, label, min: 1, max });
	const layers = control("layers", "Layers", 3);
	const onpoint = (row, column) => model.set({ row, column });
	const counted = grid({ label: "Stamps that meet", onpoint });
	const summed = grid({ label: "Sum of their taps", onpoint });
	const answers = box("stage");
	const pictures = [picture({}), picture({})];
	const said = announcer();

	const taps = make("table", { class: "upconv-grid", "aria-label": "Taps", onfocusout: draw });
	const field = (n) => {
		const oninput = ({ target }) => {
			const { weight } = state();
			const data = weight.data.with(n, target.valueAsNumber);
			if (data.every((tap) => Math.abs(tap) <= 100)) model.set(by_hand({ ...weight, data }));
		};
		return make("td", {}, make("input", { type: "number", step: 0.1, oninput }));
	};

	function draw() {
		layers.bound(1, model.get("stride") < 3 ? 3 : 2); // a period of 9 at most
		const now = state();
		const { axes, kernel, stride, weight } = now;
		const { period, side, counts, gains, images, shares } = measured(now);
		const name = (...at) => at.slice(-axes).join(", ");
		const chosen = name(now.row % period, now.column % period);
		const lit = (...at) => (name(...at) === chosen ? "lit" : "");

		for (const [table, values] of [[counted, counts], [summed, gains]]) {
			table.fill(values, period, { text, tint: tint_of(values) });
			table.mark(lit);
		}

		if (taps.dataset.shape !== `${weight.shape}`) {
			const rows = rows_of(list(weight.data.length, field), kernel);
			taps.replaceChildren(...rows.map((cells) => make("tr", {}, ...cells)));
			taps.dataset.shape = weight.shape;
		}
		const tint = tint_of(weight.data);
		taps.querySelectorAll("input").forEach((input, n) => {
			const [row, column] = [Math.floor(n / kernel), n % kernel];
			const tap = weight.data[n];
			const cell = input.parentNode;
			input.ariaLabel = `tap ${name(row, column)}`;
			if (input !== document.activeElement) input.value = rounded(tap);
			cell.dataset.mark = now.layers === 1 ? lit(row % stride, column % stride) : "";
			cell.style.setProperty("--tint", Math.abs(tint(tap)));
			cell.classList.toggle("minus", tap < 0);
		});

		const labels = ["A constant: ", "A ramp: "].map(
			(name, n) => name + (shares[n] < 1e-9 ? "no grid" : `grid ${A.number(shares[n])}`),
		);
		if (answers.textContent !== labels.join("")) said.say(labels.join("; "));
		answers.replaceChildren(...pictures.map((one, n) => answer(one, labels[n], images[n], side)));
		buttons[2].disabled = MAKERS[now.weights] !== drawn;
		buttons.at(-1).disabled = kernel + stride > 7;
	}

	el.append(
		box(
			"controls",
			group("Begin with", buttons.slice(0, 3)),
			control("kernel", "Kernel k", 6),
			control("stride", "Stride s", 3),
			layers,
			choice({ model, name: "axes", label: "Axes", options: [[1, "one"], [2, "two"]] }),
			choice({ model: weights, name: "weights", label: "Weights", options: Object.keys(MAKERS) }),
			group("Remedies", buttons.slice(3)),
		),
		box(
			"stage",
			panel("Stamps that meet", counted),
			panel("Sum of their taps", summed),
			answers,
			panel("Taps of each layer", taps),
		),
		said.element,
	);
	model.on("change", draw);
	draw();
}

upconv.explorable("overlap", { render });
})();

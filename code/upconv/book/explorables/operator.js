// A convolution or its transpose beside its matrix. What is pointed at lights all that takes part.
//
// A thing is an input (a column of the matrix), an output (a row), a weight, a zero that is no
// input, or a sum that padding crops.

"use strict";
(() => {
const { Geometry, connections } = upconv.arithmetic;
const { make, box, panel, slider, choice, button, announcer, grid } = upconv.ui;

const LEAST = { input_size: 1, kernel: 1, stride: 1, padding: 0, dilation: 1, output_padding: 0 };
const MOST = { input_size: 16, kernel: 5, stride: 4, padding: 3, dilation: 3, output_padding: 3 };
const LONGEST = { 1: 16, 2: 8 }; // input or output on 1 or 2 axes
const PHASES = "abcdefghijklmnop";
const WORDS = {
	forward: "The window moves by the stride; the sum of the products under it is an output.",
	transposed: "Each input stamps the kernel, times its value, a stride further; stamps add up.",
	zero_insertion: "Zeros between the inputs, then a convolution with the flipped kernel.",
	polyphase: "Outputs with the same letter see the weights with that letter only.",
};

const range = (length) => [...Array(length).keys()];
const coordinates = (n, size, axes) => (axes === 1 ? [n] : [Math.floor(n / size), n % size]);
const is_forward = ({ mode }) => mode === "forward";
const entries_of = (links) => links.filter(({ weight }) => weight); // of the matrix
const total = (links) => links.reduce((sum, { value }) => sum + value, 0);

const reach_of = ({ kernel, dilation }) => dilation * (kernel - 1) + 1;

function output_size(settings) {
	const to = is_forward(settings) ? "output_shape" : "transposed_shape";
	return new Geometry(settings)[to](settings.input_size)[0];
}

function legal(settings) {
	const { axes, input_size, output_padding } = settings;
	if (is_forward(settings) && output_padding) return false;
	try {
		return Math.max(output_size(settings), input_size) <= LONGEST[axes];
	} catch {
		return false;
	}
}

// All between these is legal: no condition comes and goes as a setting grows.
function ends(settings, name) {
	const reachable = (n) => n >= LEAST[name] && legal({ ...settings, [name]: n });
	const values = range(MOST[name] + 1).filter(reachable);
	return [values[0], values.at(-1)];
}

// Between forward and the others the matrix is transposed: the output becomes the input.
function turned(settings, old) {
	let wanted = settings;
	if (is_forward(settings) !== is_forward(old)) {
		wanted = { ...settings, input_size: output_size(old), output_padding: 0 };
		const over = old.input_size + 2 * old.padding - reach_of(old); // the last window leaves a rest
		if (is_forward(old)) wanted.output_padding = over % old.stride;
	}
	return legal(wanted) ? wanted : { ...wanted, ...LEAST, input_size: 4, kernel: 3 };
}

// Windows or stamps lie on the field: the padded input, the input with its zeros, or the output
// before padding crops it.
function scene_of(settings) {
	const { mode, axes, input_size, kernel, stride, padding, dilation, first, decimal } = settings;
	const spread = mode === "zero_insertion";
	const cropping = !spread && !is_forward(settings);
	const [layer, laid] = cropping ? ["input", "output"] : ["output", "input"];
	const size = { input: input_size, weight: kernel, output: output_size(settings) };
	const reach = reach_of(settings);
	const [step, border] = spread ? [stride, reach - 1 - padding] : [1, padding];
	size.field = spread ? size.output + reach - 1 : size[laid] + 2 * padding;

	function thing_of(kind, n, value) {
		const position = coordinates(n, size[kind] ?? size.field, axes);
		const at = `(${position.join(", ")})`;
		const hue = kind === "weight" ? (360 * n) / kernel ** axes : "";
		return { kind, n, value, position, at, name: `${kind} ${at}`, hue, phase: "", links: [] };
	}
	const powers = decimal && input_size ** axes <= 4;
	const things_of = (kind, value) =>
		range(size[kind] ** axes).map((n) => thing_of(kind, n, value?.(n)));
	const things = {
		input: things_of("input", (n) => (powers ? 10 ** n : n + first)),
		weight: things_of("weight", (n) => n + 1),
		output: things_of("output"),
	};
	const field = range(size.field ** axes).map((n) => {
		const position = coordinates(n, size.field, axes).map((m) => (m - border) / step);
		const inside = position.every((m) => m >= 0 && m <= size[laid] - 1);
		if (inside && position.every(Number.isInteger))
			return things[laid][position.reduce((number, m) => number * size[laid] + m, 0)];
		if (cropping) return thing_of("cropped", n);
		return inside ? thing_of("zero", n, 0) : thing_of("border", n, "·");
	});

	const [window, ...sizes] = ["weight", layer, "field"].map((of) => Array(axes).fill(size[of]));
	const laying = new Geometry({ kernel: window, dilation, stride: spread ? 1 : stride });
	const { small, tap, large } = connections(laying, ...sizes);
	const links = Array.from(tap, (number, i) => {
		const weight = things.weight.at(spread ? -1 - number : number); // flipped
		const joined = [things[layer][small[i]], field[large[i]]];
		if (joined[1].kind === laid) joined.push(weight);
		const link = Object.fromEntries(joined.map((thing) => [thing.kind, thing]));
		for (const thing of joined) thing.links.push(link);
		const x = link.input?.value ?? 0;
		return Object.assign(link, { value: weight.value * x, spelled: `${weight.value}·${x}` });
	});
	if (mode === "polyphase") add_phases(settings, things);
	const walker = mode === "transposed" ? "input" : "output"; // where the steps go
	const order = things[walker].toSorted((one, other) => one.hue - other.hue); // by phase
	return { ...settings, size, things, field, cropping, spread, links, walker, order };
}

// Outputs of one phase, counted before padding crops, see the same weights.
function add_phases({ axes, stride, padding, dilation }, { weight, output }) {
	const add = (thing, place) => {
		const phase = thing.position.reduce((sum, m) => sum * stride + (place(m) % stride), 0);
		Object.assign(thing, { phase: PHASES[phase], hue: (360 * phase) / stride ** axes });
	};
	for (const thing of weight) add(thing, (m) => m * dilation);
	for (const thing of output) add(thing, (m) => m + padding);
}

function sentence({ kind, name, value, links }) {
	const entries = entries_of(links);
	if (kind === "weight") return `${name} is ${value}, in ${entries.length} products.`;
	if (value === undefined) {
		const terms = links.filter(({ input }) => input).map(({ spelled }) => spelled);
		return `${name} = ${terms.length ? `${terms.join(" + ")} = ` : ""}${total(links)}.`;
	}
	const added = entries.map(({ spelled, output }) => `${spelled} to ${output.at}`);
	return `${name} is ${value}; it adds ${added.join(", ") || "nothing"}.`;
}

function table(title, things, columns, point, text) {
	const thing_at = (row, column) => things[row * columns + column];
	const onpoint = (...at) => point(thing_at(...at));
	const { element, fill, mark, cell } = grid({ label: title, onpoint });
	const names = ({ name, phase }, words) =>
		`${name}: ${words || "not yet"}${phase && `, phase ${phase}`}`;
	const show = () => fill(things, columns, { text, names });
	const light = (target) =>
		mark((row, column) => {
			const thing = thing_at(row, column);
			const { kind, phase, hue } = thing;
			const link = target.links.find((one) => one[kind] === thing);
			let note = "";
			if (link && target.kind === "output" && kind === "input") note = `×${link.weight.value}`;
			if (link && target.kind === "input" && kind === "output") note = `+${link.value}`;
			const { dataset, style } = cell(row, column);
			Object.assign(dataset, { kind, note, phase });
			style.setProperty("--hue", hue);
			return thing === target ? "at" : link ? "lit" : "";
		});
	return { element: panel(title, element), show, light };
}

const EDGE = 24; // px by which rows and columns reach out of the matrix

function matrix({ things, links }, title, point) {
	const { input, output, weight } = things;
	const side = Math.min(22, Math.floor(440 / Math.max(output.length, input.length)));
	const place = ({ n }) => EDGE + n * side;
	const [width, height] = [input, output].map(({ length }) => EDGE + length * side + 1);
	const rectangle = (x, y, across, down) => `M${x} ${y}h${across}v${down}h${-across}z`;
	const square = (link) => rectangle(place(link.input), place(link.output), side, side);
	const squares = (links) => entries_of(links).map(square).join("");
	const line = (thing) => {
		const at = place(thing);
		if (thing.kind === "output") return rectangle(1, at, width - 2, side);
		return thing.kind === "input" ? rectangle(at, 1, side, height - 2) : "";
	};
	const framed = make("svg:path", { class: "framed" });
	const light = (thing) => framed.setAttribute("d", line(thing) + squares(thing.links));
	const taps = weight.map(({ links, hue }) =>
		make("svg:path", { class: "tap", style: `--hue: ${hue}`, d: squares(links) }),
	);
	const numbers = entries_of(side < 14 ? [] : links).map((link) => {
		const [x, y] = [link.input, link.output].map((thing) => place(thing) + side / 2);
		return make("svg:text", { x, y }, link.weight.value);
	});
	const lines = [...input, ...output].map((thing) =>
		make("svg:path", { d: line(thing), onpointerover: () => point(thing) }),
	);
	const about = { role: "img", viewBox: `0 0 ${width} ${height}`, style: `width: ${width}px` };
	const svg = make("svg:svg", about, ...taps, ...numbers, framed, ...lines);
	svg.ariaLabel = title;
	return { element: panel(title, svg), light };
}

function render({ model, el }) {
	let [parts, steps, timer, scene] = [[], 0];
	let target = { n: model.get("focus") };
	model.set({ input: 0, output: 0 });
	const slide = (name, label = name) => ({ name, ...slider({ model, name, label }) });
	const sliders = Object.keys(MOST).map((name) => slide(name));
	const lines = [slide("output", "row"), slide("input", "column")];
	const options = Object.keys(WORDS).map((mode) => [mode, mode.replace("_", " ")]);
	const modes = choice({ model, name: "mode", label: "Mode", options });
	const axes = choice({ model, name: "axes", label: "Axes", options: [[1, "1-D"], [2, "2-D"]] });
	const play = button("Play", () => (timer ? pause() : run()));
	const back = button("Back", () => go(Math.max(steps - 1, 1)));
	const step = button("Step", () => go(next()));
	const [what, sum, counter, said] = [make("p"), make("p"), make("span"), announcer()];
	const stage = box("stage");
	for (const { name, input } of lines)
		input.addEventListener("input", () => point(scene.things[name][model.get(name)]));

	function point(thing) {
		pause();
		light(thing);
	}

	function light(thing) {
		target = thing;
		for (const part of parts) part.light(thing);
		sum.textContent = sentence(thing);
		if (!timer) said.say(sum.textContent);
		model.set(thing.kind, thing.n);
	}

	const next = () => (steps % scene.order.length) + 1;

	function go(to) {
		pause();
		walk(to);
	}

	function walk(to, thing = scene.order[to - 1] ?? target) {
		steps = to;
		if (steps === scene.order.length) pause();
		for (const part of parts) part.show?.();
		counter.textContent = `${steps} of ${scene.order.length} steps`;
		light(thing);
	}

	function pause() {
		clearInterval(timer);
		timer = 0;
		play.textContent = "Play";
	}

	// Slowly for those who want no motion.
	function run() {
		const { matches: calm } = matchMedia("(prefers-reduced-motion: reduce)");
		timer = setInterval(() => walk(next()), calm ? 2000 : 700);
		play.textContent = "Pause";
		walk(next());
	}

	function text(thing) {
		const { order, walker } = scene;
		if (thing.value !== undefined) return `${thing.value}`;
		const done = order.slice(0, steps);
		const whole = walker === "output";
		if (whole && steps < order.length && !done.includes(thing)) return "";
		return `${total(thing.links.filter(({ input }) => whole || done.includes(input)))}`;
	}

	function show() {
		const { axes, kernel, size, things, field, cropping, spread, links } = scene;
		const { input, weight } = things;
		parts = [];
		const add = (title, all, columns = all.length ** (1 / axes)) =>
			parts.push(table(title, all, columns, point, text));
		add("Input", is_forward(scene) ? field : input);
		if (spread) add("With zeros", field);
		add(spread ? "Kernel, flipped" : "Kernel", spread ? weight.toReversed() : weight);
		for (const letter of PHASES) {
			const own = weight.filter(({ phase }) => phase === letter);
			const rows = new Set(own.map(({ n }) => Math.floor(n / kernel))).size;
			if (rows) add(letter, own, own.length / rows);
		}
		add("Output", cropping ? field : things.output);
		const name = is_forward(scene) ? "C" : "Cᵀ";
		const [rows, columns] = [things.output.length, input.length];
		parts.push(matrix(scene, `${name}, ${rows}×${columns}: outputs by inputs`, point));
		stage.replaceChildren(...parts.map(({ element }) => element));
		const [all, entries] = [links, entries_of(links)].map(({ length }) => length);
		const zeros = `; ${all - entries} of ${all} products are by zero`;
		const outputs = Array(axes).fill(size.output).join("×");
		what.textContent = `${WORDS[scene.mode]} ${outputs} outputs; ${entries} of ${rows * columns} \
entries of ${name} are weights${spread ? zeros : ""}.`;
	}

	function update() {
		const settings = scene ? turned(model.all(), scene) : model.all();
		const watched = ["mode", "axes", ...Object.keys(MOST)];
		if (watched.every((name) => scene?.[name] === settings[name])) return;
		scene = scene_of(settings);
		model.set(settings);
		const { things, order } = scene;
		for (const { name, bound } of sliders) bound(...ends(settings, name));
		for (const { name, bound } of lines) bound(0, things[name].length - 1);
		show();
		walk(order.length, things[target.kind ?? scene.walker]?.[target.n] ?? things.output[0]);
		said.say(what.textContent);
	}

	el.classList.add("upconv-operator");
	el.append(
		box("controls", modes, axes),
		box("controls", ...sliders),
		what,
		stage,
		box("controls", ...lines),
		box("foot", sum, box("controls", back, play, step, counter)),
		said.element,
	);
	model.on("change", update);
	update();
}

upconv.explorable("operator", { render });
})();

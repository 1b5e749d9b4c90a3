// Draw and reconstruct: what every head of the Keras autoencoder makes of a picture, and of a
// constant latent, at several moments of its training. The weights come in scripts of their own.

"use strict";
(() => {
const { Geometry, tensor, conv, conv_transpose, max_pool, interpolate, insert_zeros } =
	upconv.arithmetic;
const { make, box, slider, choice, button, announcer, picture } = upconv.ui;

const SIDE = 28;

const numbers = (length, value) => Array.from({ length }, (_, n) => value(n));
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const bytes_of = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

// A scale, then 24 bits for each number.
function unpacked(text) {
	const view = new DataView(bytes_of(text).buffer);
	// 32 bits are read, a byte early, and the shift drops that byte.
	const value = (n) => view.getFloat32(0, true) * (view.getInt32(3 * n + 3, true) >> 8);
	return numbers((view.byteLength - 4) / 3, value);
}

// Four channels, far apart, give a pixel each to squares of 2 by 2.
function depth_to_space(x) {
	const { shape: [, channels, height, width], data } = interpolate(x, { scale_factor: 2 });
	const part = data.length / 4;
	const tap = (n) => 2 * (Math.floor(n / width) % 2) + (n % 2);
	const value = (n) => data[tap(n) * part + n];
	return tensor([1, channels / 4, height, width], numbers(part, value));
}

const ACTIVATIONS = {
	relu: (v) => Math.max(v, 0),
	sigmoid: (v) => 1 / (1 + Math.exp(-v)),
};

// A layer as a function; it takes its weight and its bias from the front of the arrays.
function built({ op, shape, geometry, mode, activation }, arrays) {
	const [weight, bias] = shape ? [tensor(shape, arrays.shift()), arrays.shift()] : [];
	const run = {
		conv: (x) => conv(x, weight, new Geometry(geometry), bias),
		conv_transpose: (x) => conv_transpose(x, weight, new Geometry(geometry), bias),
		max_pool: (x) => max_pool(x, new Geometry(geometry)).values,
		interpolate: (x) => interpolate(x, { scale_factor: 2, mode }),
		crop: (x) => insert_zeros(x, 1, x.shape.slice(2).map((n) => n - 1)),
		depth_to_space,
	}[op];
	return (x) => {
		const y = run(x);
		return { ...y, data: y.data.map(ACTIVATIONS[activation] ?? ((v) => v)) };
	};
}

// Binary cross-entropy a pixel, clipped as Keras clips it.
function loss(target, values = target) {
	const each = values.map((value, n) => {
		const y = Math.min(Math.max(value, 1e-7), 1 - 1e-7);
		return -target[n] * Math.log(y) - (1 - target[n]) * Math.log(1 - y);
	});
	return mean(each).toFixed(3);
}

// What a decoder repeats where all latents are equal, three times: on a field of 7 by 7 latents no
// border reaches the 8 pixels from 24.
function probed(decode, latent) {
	const { shape, data } = decode(interpolate(latent, { scale_factor: 7 }));
	const at = (n) => 24 + (n % 8);
	const values = numbers(24 ** 2, (n) => data[at(Math.floor(n / 24)) * shape[3] + at(n)]);
	const grey = mean(values);
	const levels = 255 * Math.sqrt(mean(values.map((value) => (value - grey) ** 2)));
	return { values, low: grey - 30 / 255, high: grey + 30 / 255, number: levels.toFixed(1) };
}

// Takes pixels to what each view shows: values and a number.
function autoencoder(texts, ...halves) {
	const arrays = texts.map(unpacked);
	const [encode, decode] = halves.map((layers) => {
		const steps = layers.map((layer) => built(layer, arrays));
		return (x) => steps.reduce((y, step) => step(y), x);
	});
	const constant = probed(decode, tensor([1, 8, 1, 1], arrays[0]));
	return (pixels) => {
		const values = decode(encode(tensor([1, 1, SIDE, SIDE], pixels))).data;
		const difference = values.map((value, n) => value - pixels[n]);
		const distance = (255 * mean(difference.map(Math.abs))).toFixed(1);
		return {
			answer: { values, number: loss(pixels, values) },
			difference: { values: difference, low: -1, number: distance },
			"constant latent": constant,
		};
	};
}

const KEYS = {
	ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0], " ": [0, 0],
};

function drawing_pad(model, said) {
	let at;
	const cursor = make("i");
	const move = (place) => {
		at = place.map((n) => Math.min(Math.max(n, 0.5), SIDE - 0.5));
		cursor.style.translate = at.map((n) => `${100 * n - 50}%`).join(" ");
	};
	const draw = (place) => {
		pen.strokeStyle = model.get("pen") === "erase" ? "black" : "white";
		pen.beginPath();
		pen.moveTo(...at);
		move(place);
		pen.lineTo(at[0] + 0.01, at[1]); // without any length there would be no dot
		pen.stroke();
		keep();
	};
	const keep = () => {
		const { data } = pen.getImageData(0, 0, SIDE, SIDE);
		model.set("pixels", numbers(SIDE ** 2, (n) => data[4 * n] / 255));
	};
	const wear = (picture) => {
		pen.drawImage(picture, 0, 0);
		keep();
	};
	const point = ({ type, buttons, offsetX, offsetY }) => {
		const place = [offsetX, offsetY].map((n) => (SIDE * n) / canvas.clientWidth);
		if (type !== "pointermove") move(place);
		if (buttons) draw(place);
	};
	const canvas = make("canvas", {
		class: "upconv-picture",
		width: SIDE,
		height: SIDE,
		tabindex: 0,
		role: "application",
		"aria-label": "Your picture: arrow keys move, with Shift they draw, Space paints",
		onpointerenter: point,
		onpointerdown: point,
		onpointermove: point,
		onkeydown(event) {
			const step = KEYS[event.key];
			if (!step) return;
			event.preventDefault();
			const place = at.map((n, axis) => n + step[axis]);
			(event.shiftKey || event.key === " " ? draw : move)(place);
			said.say(`Row ${Math.ceil(at[1])}, column ${Math.ceil(at[0])}`);
		},
	});
	const pen = canvas.getContext("2d", { willReadFrequently: true });
	Object.assign(pen, { lineCap: "round", lineWidth: 2.5 });
	move([14.5, 14.5]);
	return { element: box("pad", canvas, cursor), wear };
}

const VIEWS = ["answer", "difference", "constant latent"];

function render({ model, el }) {
	const { epochs, encoder, garments } = upconv.trained;
	const heads = upconv.trained.heads.map((head) => {
		return { ...head, number: make("b"), moments: [], ...picture({ label: head.name }) };
	});
	model.set({ pen: "draw", heads });
	const said = announcer();
	const perfect = make("p");

	function show({ shown, number, show }) {
		const now = shown?.[model.get("view")];
		number.textContent = now?.number ?? "…";
		if (now) show(now.values, Math.sqrt(now.values.length), now);
	}

	// In each frame the next head.
	const queue = [...heads];
	let frame = 0;
	function work() {
		const { moment, pixels } = model.all();
		const head = queue.shift();
		queue.push(head);
		const weights = head.weights[moment];
		if (!weights) head.loading ??= upconv.load(head.file).catch(failed);
		else if (!head.shown) {
			head.moments[moment] ??= autoencoder(weights, encoder, head.decoder);
			head.shown = head.moments[moment](pixels);
			show(head);
		}
		frame = heads.every(({ shown }) => shown) ? 0 : requestAnimationFrame(work);
		said.say(heads.map(({ name, number }) => `${name}: ${number.textContent}`).join("; "));
	}
	function failed({ message }) {
		scrub.element.replaceWith(message);
		model.set("moment", last);
	}

	const forget = () => heads.forEach((head) => (head.shown = null));
	model.on("change:pixels", forget);
	model.on("change:moment", forget);
	model.on("change", () => {
		perfect.textContent = `A perfect copy: loss ${loss(model.get("pixels"))}.`;
		heads.forEach(show);
		frame ||= requestAnimationFrame(work);
	});

	const pad = drawing_pad(model, said);
	const thumbnail = ([name, text]) => {
		const { element, show } = picture({ label: name });
		show(bytes_of(text), SIDE, { high: 255 });
		const wear = () => pad.wear(element);
		if (name === model.get("garment")) wear();
		return button(element, wear);
	};
	const nothing = btoa("\0".repeat(SIDE ** 2));
	const last = epochs.length - 1;
	const text = (moment) => epochs[moment];
	const scrub = slider({ model, name: "moment", label: "epochs", max: last, text });
	const view = choice({ model, name: "view", label: "show", options: VIEWS });
	const pen = choice({ model, name: "pen", label: "pen", options: ["draw", "erase"] });
	const tile = ({ name, number, element }) => make("p", {}, element, `${name} `, number);
	const yours = box("panel", pad, pen, perfect);
	el.append(
		box("choice", ...Object.entries({ nothing, ...garments }).map(thumbnail)),
		box("stage", scrub, view),
		box("stage", yours, box("heads", ...heads.map(tile))),
		said.element,
	);
}

upconv.explorable("draw", { render });
})();

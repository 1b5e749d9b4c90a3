// The arithmetic of the interactive figures, under the names of the Python package.
//
// A tensor is {shape: [batch, channels, ...size], data}. A convolution's weight, (out_channels,
// channels, ...kernel), is that of its transpose, (channels, out_channels, ...kernel). `stride` and
// `scale` are one number for all axes. What does not fit is a RangeError.

(() => {
"use strict";

function fail(name, got) {
	throw new RangeError(`${name}: got ${JSON.stringify(got)}`);
}

const sum = (numbers) => numbers.reduce((total, n) => total + n, 0);

const product = (numbers) => numbers.reduce((result, n) => result * n, 1);

const range = (start, stop, step = 1) =>
	Array.from({ length: Math.ceil((stop - start) / step) }, (_, n) => start + n * step);

// Every choice of one entry from each list, the last fastest.
const choices = (lists) =>
	lists.reduce((heads, list) => heads.flatMap((head) => list.map((n) => [...head, n])), [[]]);

const positions = (size) => choices(size.map((n) => range(0, n)));

function per_axis(name, value, axes) {
	const entries = Array.isArray(value) ? value : Array(axes).fill(value);
	return entries.length === axes ? entries : fail(name, value);
}

const least_of = (name) => (name.endsWith("padding") ? 0 : 1);

function integers(name, value, axes) {
	const entries = per_axis(name, value, axes);
	if (entries.every((n) => Number.isSafeInteger(n) && n >= least_of(name))) return entries;
	fail(name, value);
}

class Geometry {
	constructor({ kernel, stride = 1, padding = 0, dilation = 1, output_padding = 0 }) {
		const axes = Array.isArray(kernel) ? kernel.length : 1;
		if (axes < 1 || axes > 3) fail("kernel", kernel);
		const given = { kernel, stride, dilation, output_padding };
		for (const name in given) this[name] = integers(name, given[name], axes);
		const pairs = per_axis("padding", padding, axes); // before and after
		this.padding = pairs.map((pair) => integers("padding", pair, 2));
		for (const { s, d, a } of this.letters)
			if (a >= Math.max(s, d)) fail("output_padding", a);
	}

	get axes() {
		return this.kernel.length;
	}

	get reach() {
		return this.kernel.map((k, n) => this.dilation[n] * (k - 1) + 1);
	}

	// Of each axis, as in Dumoulin & Visin (2016), but p for both sides.
	get letters() {
		return this.reach.map((reach, n) => {
			const [s, d, a] = [this.stride[n], this.dilation[n], this.output_padding[n]];
			const [before, after] = this.padding[n];
			return { s, d, a, p: before + after, before, reach };
		});
	}

	#sizes(name, shape, formula) {
		const { letters } = this;
		return integers(name, shape, this.axes).map((size, n) => formula(size, letters[n]));
	}

	output_shape(input_shape) {
		return this.#sizes("input_shape", input_shape, (i, { s, p, reach }) => {
			if (i + p < reach) fail("input_shape", i);
			return Math.floor((i + p - reach) / s) + 1;
		});
	}

	transposed_shape(input_shape) {
		return this.#sizes("input_shape", input_shape, (i, { s, a, p, reach }) => {
			const out = (i - 1) * s + reach - p + a;
			return out > 0 ? out : fail("padding", this.padding);
		});
	}

	// The s neighbouring input sizes that a convolution takes to this output size.
	ambiguous_inputs(output_shape) {
		return this.#sizes("output_shape", output_shape, (o, { s, p, reach }) => {
			const smallest = (o - 1) * s + reach - p;
			const sizes = range(Math.max(smallest, 1), smallest + s);
			return sizes.length ? sizes : fail("output_shape", o);
		});
	}

	// With the output_padding that tells this input size from the others.
	adjoint_to(input_shape) {
		this.output_shape(input_shape);
		const left_over = (i, { s, p, reach }) => (i + p - reach) % s;
		const output_padding = this.#sizes("input_shape", input_shape, left_over);
		return new Geometry({ ...this, output_padding });
	}
}

const reached = (geometry, input_shape, transposed) =>
	transposed ? geometry.transposed_shape(input_shape) : geometry.output_shape(input_shape);

// The size that settings reach, or null where they are illegal.
function attempt(settings, transposed) {
	try {
		return reached(new Geometry(settings), settings.input_shape, transposed);
	} catch {
		return null;
	}
}

// The settings along one axis, with dilation 1, that lead from one size to another.
function solve(input_shape, out_size, { transposed, max_kernel, max_stride, max_padding }) {
	const bounds = [range(1, max_kernel + 1), range(1, max_stride + 1), range(0, max_padding + 1)];
	return choices([...bounds, range(0, transposed ? max_stride : 1)])
		.map(([kernel, stride, padding, output_padding]) => {
			return { input_shape, kernel, stride, padding, output_padding };
		})
		.filter((settings) => attempt(settings, transposed)?.[0] === out_size)
		.map((settings) => new Geometry(settings));
}

// The ends of a slider for a setting, or for "input_shape", on all axes. All between is legal: as
// one setting grows, outputs and the room for output_padding only grow, or only shrink.
function limits(geometry, name, input_shape, { transposed, cap }) {
	const legal = range(least_of(name), cap + 1).filter((n) => {
		const settings = { ...geometry, input_shape, [name]: Array(geometry.axes).fill(n) };
		return attempt(settings, transposed);
	});
	if (!legal.length) fail("cap", cap);
	return { min: legal[0], max: legal.at(-1) };
}

const filled = (shape, value) => ({ shape, data: new Float64Array(product(shape)).fill(value) });

function tensor(shape, data) {
	if (data.length !== product(shape)) fail("data", data.length);
	return { shape, data: Float64Array.from(data) };
}

// The values of each channel.
function images({ shape, data }) {
	const area = product(shape.slice(2));
	return range(0, data.length, area).map((first) => data.subarray(first, first + area));
}

// Every axis of the size times a sparse matrix: row m of rows_of(length, axis) lists what makes
// output m, as [index, factor]. An index beside the positions, or between, counts as zero.
function multiply(x, rows_of) {
	return x.shape.slice(2).reduce((given, length, axis) => {
		const matrix = rows_of(length, axis);
		const height = matrix.length;
		const inner = product(given.shape.slice(axis + 3));
		const result = filled(given.shape.with(axis + 2, height), 0);
		for (let n = 0; n < result.data.length; n++) {
			const row = Math.floor(n / inner);
			const first = Math.floor(row / height) * length;
			for (const [index, factor] of matrix[row % height])
				if (Number.isInteger(index) && index >= 0 && index < length)
					result.data[n] += factor * given.data[(first + index) * inner + (n % inner)];
		}
		return result;
	}, x);
}

const copies = (indices, step = 1) => indices.map((index) => [[index / step, 1]]);

const minus = (x, y) => ({ ...x, data: x.data.map((value, n) => value - y.data[n]) });

// Tap t joins position q of the small side with position q * stride + t * dilation - padding of
// the large side. Positions and taps count row by row.
function connections({ kernel, letters }, small_size, large_size) {
	const found = { small: [], tap: [], large: [] };
	const taps = positions(kernel);
	positions(small_size).forEach((q, small) =>
		taps.forEach((t, tap) => {
			let large = 0;
			for (let n = 0; n < t.length; n++) {
				const at = q[n] * letters[n].s + t[n] * letters[n].d - letters[n].before;
				if (at < 0 || at >= large_size[n]) return;
				large = large * large_size[n] + at;
			}
			found.small.push(small);
			found.tap.push(tap);
			found.large.push(large);
		}),
	);
	return found;
}

// From one side to the other, "small" or "large". The rows of a weight are the channels of the
// small side, its columns those of the large side.
function connect(from, to, x, weight, geometry, bias) {
	const [batch, channels, ...size] = x.shape;
	const [rows, columns, ...kernel] = weight.shape;
	const transposed = from === "small";
	const [wanted, out_channels] = transposed ? [rows, columns] : [columns, rows];
	if (channels !== wanted) fail("x", x.shape);
	if (`${kernel}` !== `${geometry.kernel}`) fail("weight", kernel);
	const sizes = { [from]: size, [to]: reached(geometry, size, transposed) };
	const { tap, [from]: read, [to]: write } = connections(geometry, sizes.small, sizes.large);
	const y = filled([batch, out_channels, ...sizes[to]], 0);
	const [kernels, given] = [weight, x].map(images);
	images(y).forEach((sums, n) => {
		const out = n % out_channels;
		if (bias) sums.fill(bias[out]);
		for (let c = 0; c < channels; c++) {
			const taps = kernels[transposed ? c * columns + out : out * columns + c];
			const values = given[((n - out) / out_channels) * channels + c];
			for (let n = 0; n < tap.length; n++) sums[write[n]] += taps[tap[n]] * values[read[n]];
		}
	});
	return y;
}

const conv = (...given) => connect("large", "small", ...given);

const conv_transpose = (...given) => connect("small", "large", ...given);

// Each channel by itself, with a kernel of one value.
function stamped(x, geometry, value = 1) {
	const [batch, channels, ...size] = x.shape;
	const planes = { ...x, shape: [batch * channels, 1, ...size] };
	const y = conv_transpose(planes, filled([1, 1, ...geometry.kernel], value), geometry);
	return { ...y, shape: [batch, channels, ...y.shape.slice(2)] };
}

// Between the layouts of the two directions.
function flipped(weight) {
	const [rows, columns, ...kernel] = weight.shape;
	const kernels = images(weight);
	const data = positions([columns, rows]).flatMap(([column, row]) =>
		[...kernels[row * columns + column].toReversed()],
	);
	return tensor([columns, rows, ...kernel], data);
}

// Linear with half pixels, align_corners=False: border values repeat.
function interpolate(x, { scale_factor: s, mode = "nearest" }) {
	return multiply(x, (length) =>
		range(0, length * s).map((m) => {
			const middle = Math.min(Math.max((m + 0.5) / s - 0.5, 0), length - 1);
			const at = mode === "nearest" ? Math.floor(m / s) : middle;
			const left = Math.floor(at);
			return [[left, left + 1 - at], [left + 1, at - left]];
		}),
	);
}

// Times what nearest upsampling makes of a single 1: polynomials, tap t the coefficient of z^t.
const boxed = (kernels, scale) =>
	stamped(kernels, new Geometry({ kernel: kernels.shape.slice(2).fill(scale) }));

function collapse(weight, scale, { padding = 0 } = {}) {
	const stamp = boxed(flipped(weight), scale);
	const plain = new Geometry({ kernel: weight.shape.slice(2), padding });
	const crop = plain.padding.map((pair, n) => pair.map((p) => plain.kernel[n] - 1 - p));
	const kernel = stamp.shape.slice(2);
	return { weight: stamp, geometry: new Geometry({ kernel, stride: scale, padding: crop }) };
}

function divide(weight, scale) {
	// The box is (1 - z^s) / (1 - z). So dividing is: times 1 - z, times 1 + z^s + z^2s + …
	const quotient = multiply(weight, (k) =>
		range(0, k - scale + 1).map((t) =>
			range(0, t + 1, scale).flatMap((m) => [[t - m, 1], [t - m - 1, -1]]),
		),
	);
	const remainder = minus(weight, boxed(quotient, scale));
	const small = 1e-5 * Math.max(...weight.data.map(Math.abs));
	const factorable = remainder.data.every((value) => Math.abs(value) <= small);
	return { quotient: flipped(quotient), remainder, factorable };
}

const average_pool_gradient = (gradient, geometry, input_shape) =>
	stamped(gradient, geometry.adjoint_to(input_shape), 1 / product(geometry.kernel));

// The largest value of each window, the first among equals, and its place in the channel.
function max_pool(x, geometry) {
	const [batch, channels, ...size] = x.shape;
	const out_size = geometry.output_shape(size);
	const { small, large } = connections(geometry, out_size, size);
	const values = filled([batch, channels, ...out_size], -Infinity);
	const indices = filled(values.shape, 0);
	const [largest, places] = [values, indices].map(images);
	images(x).forEach((pixels, c) =>
		small.forEach((q, n) => {
			if (pixels[large[n]] <= largest[c][q]) return;
			largest[c][q] = pixels[large[n]];
			places[c][q] = large[n];
		}),
	);
	return { values, indices };
}

function max_pool_gradient(gradient, indices, input_shape) {
	const y = filled([...gradient.shape.slice(0, 2), ...input_shape], 0);
	const [places, sums] = [indices, y].map(images);
	images(gradient).forEach((values, c) =>
		values.forEach((value, n) => (sums[c][places[c][n]] += value)),
	);
	return y;
}

const insert_zeros = (x, stride, size) =>
	multiply(x, (_, axis) => copies(range(0, size[axis]), stride));

// How many ways lead to each output of a period: through one layer, how many stamps meet there.
function overlap(kernel, stride, layers) {
	const geometry = new Geometry({ kernel, stride });
	let ways = filled([1, 1, ...kernel.map(() => 1)], 1);
	for (let n = 0; n < layers; n++) ways = stamped(ways, geometry);
	return phase_gains(ways, stride ** layers);
}

const phase_gains = (weight, stride) =>
	multiply(weight, (k) => range(0, stride).map((r) => range(r, k, stride).map((t) => [t, 1])));

const mean_square = (values) => sum(values.map((value) => value ** 2)) / values.length;

// The matrix that takes taps to the nearest ones whose phases have one gain: the mean of the gains,
// weighted with 1 / n where n taps share the work. A phase without taps, 1 / 0, holds it at 0.
function levelling(kernel, stride) {
	const phase = (tap) => tap.reduce((number, t) => number * stride + (t % stride), 0);
	const phases = positions(kernel).map(phase);
	const counts = Array(stride ** kernel.length).fill(0);
	for (const r of phases) counts[r] += 1;
	const total = sum(counts.map((n) => 1 / n));
	const factor = (r, other) => (1 / counts[other] / total - (r === other)) / counts[r];
	return phases.map((r, t) => phases.map((other, u) => [u, (t === u) + factor(r, other)]));
}

// On one axis the "flat" kernels, whose phases have equal gains, are the multiples of the box. So
// on more axes "factorable" kernels are those flat on every line.
function project({ shape, data }, stride, onto) {
	const [rows, columns, ...kernel] = shape;
	const lines = onto === "factorable" ? kernel.map((k) => [k]) : [kernel];
	const folded = tensor([rows, columns, ...lines.map(product)], data);
	return { ...multiply(folded, (_, axis) => levelling(lines[axis], stride)), shape };
}

// The pixels that see a whole tent of 2s - 1, in whole periods, and what is left of them without
// their mean under it: nothing of ramps, all of patterns of period s.
function without_smooth(image, s) {
	const inner = (n) => range(s - 1, n - s + 1 - ((n + 2) % s));
	const under = (m) => range(1 - s, s).map((t) => [m + t, (s - Math.abs(t)) / s ** 2]);
	const x = multiply(image, (n) => copies(inner(n)));
	return [x, minus(x, multiply(image, (n) => inner(n).map(under)))];
}

// For each image the root mean square of what is not smooth, divided by its own.
function relative_grid(image, stride) {
	const rest = images(without_smooth(image, stride)[1]);
	const share = (pixels, n) => mean_square(rest[n]) / (mean_square(pixels) || 1);
	return images(image).map(share).map(Math.sqrt);
}

// Linear interpolation, each channel by itself.
function bilinear_(weight, stride) {
	const [channels, , ...kernel] = weight.shape;
	const tent = (t, axis) => 1 - Math.abs(t - (kernel[axis] - 1) / 2) / stride;
	const stamp = positions(kernel).map((tap) => product(tap.map(tent)));
	weight.data.fill(0);
	for (let c = 0; c < channels; c++) weight.data.set(stamp, c * (channels + 1) * stamp.length);
	return weight;
}

// Mulberry32: uniform(a, b) gives the same numbers on every visit.
function random(seed) {
	return (a, b) => {
		seed = (seed + 0x6d2b79f5) | 0;
		let bits = Math.imul(seed ^ (seed >>> 15), seed | 1);
		bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
		return a + ((b - a) * ((bits ^ (bits >>> 14)) >>> 0)) / 2 ** 32;
	};
}

// Three significant digits as Python's ".3g" writes them, with a true minus sign; but no "−0".
function number(value) {
	// Halfway between two, as 12.25, JavaScript rounds away from zero, Python to the even digit.
	const untied = value.toExponential(99).replace(/^(-?\d\.\d[02468])50+e/, "$1e");
	const rounded = Number(untied).toExponential(2);
	const [, exponent] = rounded.split("e").map(Number);
	const scientific = rounded.replace(/\.?0+e/, "e").replace(/e.(?=\d$)/, "$&0");
	const text = exponent < -4 || exponent > 2 ? scientific : `${Number(rounded)}`;
	return text.replaceAll("-", "−");
}

(globalThis.upconv ??= {}).arithmetic = {
	Geometry, solve, limits,
	tensor, connections, conv, conv_transpose, flipped,
	interpolate, collapse, divide,
	average_pool_gradient, max_pool, max_pool_gradient, insert_zeros,
	overlap, phase_gains, project, relative_grid,
	bilinear_, random, number,
};
})();

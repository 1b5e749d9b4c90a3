// Your GPU: the forms of one layer on the reader's machine, each of them checked and then timed.

"use strict";
(() => {
const { make, box, choice, button, announcer } = upconv.ui;
const { Geometry, tensor, random, number, ...arithmetic } = upconv.arithmetic;

const ROUNDS = 15; // one less than a multiple of four, for the quartiles
const SAMPLE = 0.02; // seconds: 200 steps of a clock that is quantised to 100 µs
const REPEATS = 1024; // of a form in one sample, at most
const TURN = 12; // milliseconds after which the page has its turn

// WGSL and JavaScript at once, run for every (plane, row, column) of a grid. C channels of N×N go
// in, C of 2N×2N come out, the kernel has K×K taps. Where r and c are halved, they count in the
// output, and only their even places hold inputs.
const inside = "r >= 0 && c >= 0 && r < 2 * N && c < 2 * N";
const even = `(r & 1) == 0 && (c & 1) == 0 && ${inside}`;

// Every output adds up over the taps (t, u) that see an input.
const transposed = (place, [t, u, step], seen) => `
${place}
var sum = 0.0;
for (var t = ${t}; t < K; t += ${step}) {
  for (var u = ${u}; u < K; u += ${step}) {
    let r = m + 1 - t;
    let c = n + 1 - u;
    if (${seen}) {
      for (var i = 0; i < C; i++) {
        sum += w[((plane * C + i) * K + t) * K + u] * x[(i * N + (r >> 1)) * N + (c >> 1)];
      }
    }
  }
}
y[(plane * 2 * N + m) * 2 * N + n] = sum;`;

const bordered = (seen) => `
let r = row + 2 - K;
let c = column + 2 - K;
var value = 0.0;
if (${seen}) {
  value = x[(plane * N + (r >> 1)) * N + (c >> 1)];
}
y[(plane * (2 * N + K - 1) + row) * (2 * N + K - 1) + column] = value;`;

const kernels = {
	gather: transposed("let m = row;\nlet n = column;", [0, 0, 1], even),
	// The first N rows of the grid make the even rows, the others the odd ones: N is a power of two.
	polyphase: transposed(
		`let m = 2 * (row & (N - 1)) + (row & N) / N;
let n = 2 * (column & (N - 1)) + (column & N) / N;`,
		["(m + 1) & 1", "(n + 1) & 1", 2],
		inside,
	),
	insert: bordered(even),
	enlarge: bordered(inside),
	convolve: `
let side = 2 * N + K - 1;
var sum = 0.0;
for (var t = 0; t < K; t++) {
  for (var u = 0; u < K; u++) {
    for (var i = 0; i < C; i++) {
      sum += w[((plane * C + i) * K + t) * K + u] * x[(i * side + row + t) * side + column + u];
    }
  }
}
y[(plane * 2 * N + row) * 2 * N + column] = sum;`,
};

// Of one layer: the last is nearest upsampling and a convolution, the others what it collapses to.
// Their kernels one after the other, their weight, and its size.
const FORMS = {
	gather: [["gather"], "collapsed", 4],
	zero_insertion: [["insert", "convolve"], "flipped", 4],
	polyphase: [["polyphase"], "collapsed", 4],
	nearest_then_convolution: [["enlarge", "convolve"], "small", 3],
};

// The forms with these settings: how often each multiplies, and what its kernels read and write.
const prepared = ({ channels: C, size: N }) =>
	Object.entries(FORMS).map(([name, [parts, weight, K]]) => {
		const steps = parts.map((part, n) => {
			const names = [n ? "between" : "x", weight, parts[n + 1] ? "between" : "y"];
			const side = 2 * N + (parts[n + 1] ? K - 1 : 0);
			const text = `const C = ${C};\nconst N = ${N};\nconst K = ${K};${kernels[part]}`;
			return { planes: C, side, names, text };
		});
		// Along an axis two taps lie outside, which only the border of zeros multiplies.
		const count = (C * (parts[1] ? 2 * N * K : N * K - 2)) ** 2;
		return { name, title: name.replaceAll("_", " "), steps, count };
	});

// What goes into the forms, and y, what must come out by the definition. Of small integers every
// sum of products is exact in single precision: the right result is equal, without a tolerance.
async function numbers({ channels, size }, turn) {
	const draw = random(0);
	const whole = (side, length = channels * side ** 2) =>
		tensor([1, channels, side, side], Array.from({ length }, () => Math.floor(draw(-8, 8))));
	const x = whole(size);
	const large = arithmetic.interpolate(x, { scale_factor: 2 });
	const same = new Geometry({ kernel: [3, 3], padding: 1 });
	const arrays = { x: x.data, between: Array(channels * (2 * size + 3) ** 2).fill(0) };
	for (let n = 0; n < channels; n++) {
		await turn();
		const small = whole(3);
		const collapsed = arithmetic.collapse(small, 2, { padding: 1 }).weight;
		const [flipped, y] = [arithmetic.flipped(collapsed), arithmetic.conv(large, small, same)];
		const made = { small, collapsed, flipped, y };
		for (const name in made) (arrays[name] ??= []).push(...made[name].data);
	}
	for (const name in arrays) arrays[name] = Float32Array.from(arrays[name]);
	return arrays;
}

// `compile` makes a program of a form; `run` gives the seconds that it takes, and its outputs.

async function on_gpu(adapter, arrays) {
	const clock = adapter.features.has("timestamp-query");
	const requiredFeatures = clock ? ["timestamp-query"] : [];
	const device = await adapter.requestDevice({ requiredFeatures });
	const { STORAGE, COPY_SRC, COPY_DST, MAP_READ, QUERY_RESOLVE } = GPUBufferUsage;
	const usage = STORAGE | COPY_SRC | COPY_DST | QUERY_RESOLVE;
	const { y } = arrays;
	const buffers = {};
	device.pushErrorScope("out-of-memory");
	const all = { ...arrays, ticks: new Float32Array(4) };
	for (const name in all) {
		buffers[name] = device.createBuffer({ size: all[name].byteLength, usage });
		device.queue.writeBuffer(buffers[name], 0, all[name]);
	}
	const landing = device.createBuffer({ size: 16 + y.byteLength, usage: MAP_READ | COPY_DST });
	const querySet = clock && device.createQuerySet({ type: "timestamp", count: 2 });
	const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
	if (await device.popErrorScope())
		throw Error("the GPU has too little memory. Choose a smaller layer.");

	async function compile({ text, planes, side, names }) {
		device.queue.writeBuffer(buffers.y, 0, new Float32Array(y.length)); // clear
		const code = `
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3u) {
_ = &w; // which not every kernel reads
let column = i32(id.x);
let row = i32(id.y);
let plane = i32(id.z);
if (row >= ${side} || column >= ${side}) { return; }
${text}
}`;
		const compute = { module: device.createShaderModule({ code }), entryPoint: "main" };
		const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute });
		const resources = names.map((name) => ({ buffer: buffers[name] }));
		const entries = resources.map((resource, binding) => ({ binding, resource }));
		const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
		const groups = Math.ceil(side / 8);
		return (pass) => {
			pass.setPipeline(pipeline);
			pass.setBindGroup(0, group);
			pass.dispatchWorkgroups(groups, groups, planes);
		};
	}

	async function run(program, repeats) {
		const encoder = device.createCommandEncoder();
		const pass = encoder.beginComputePass(clock ? { timestampWrites } : {});
		for (let n = 0; n < repeats; n++) for (const dispatch of program) dispatch(pass);
		pass.end();
		if (clock) encoder.resolveQuerySet(querySet, 0, 2, buffers.ticks, 0);
		encoder.copyBufferToBuffer(buffers.ticks, 0, landing, 0, 16);
		encoder.copyBufferToBuffer(buffers.y, 0, landing, 16, y.byteLength);
		const start = performance.now();
		device.queue.submit([encoder.finish()]);
		await landing.mapAsync(GPUMapMode.READ).catch(({ message }) => {
			throw Error(`the GPU was lost (${message}), and what was measured is gone.`);
		});
		const waited = (performance.now() - start) / 1e3;
		const bytes = landing.getMappedRange().slice();
		landing.unmap();
		const [from, to] = new BigInt64Array(bytes, 0, 2);
		return [clock ? Number(to - from) / 1e9 : waited, new Float32Array(bytes, 16)];
	}

	const end = () => device.destroy();
	return { clock: clock ? "timestamp-query" : "mapAsync", compile, run, end };
}

function on_cpu(arrays, turn) {
	function compile({ text, planes, side, names }) {
		arrays.y.fill(0);
		const loop = (name) => `for (let ${name} = 0; ${name} < ${side}; ${name}++)`;
		const code = `${loop("row")} ${loop("column")} { ${text} }`;
		const work = new Function("x", "w", "y", "plane", code);
		const given = names.map((name) => arrays[name]);
		return Array.from({ length: planes }, (_, plane) => () => work(...given, plane));
	}

	// The clock stands while the page has its turn.
	async function run(program, repeats) {
		let seconds = 0;
		let start = performance.now();
		async function rest() {
			seconds += (performance.now() - start) / 1e3;
			await turn();
			start = performance.now();
		}
		for (let n = 0; n < repeats; n++)
			for (const plane of program.flat()) {
				plane();
				if (performance.now() - start > TURN) await rest();
			}
		await rest();
		return [seconds, arrays.y];
	}

	return { clock: "performance.now", compile, run, end() {} };
}

// The GPU that the browser offers, and what to call it.
async function find() {
	const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
	if (!adapter) return { machine: "No WebGPU here: plain JavaScript on the CPU", slow: true };
	const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
	const name = [vendor, architecture, device, description].filter(Boolean).join(" ");
	const slow = isFallbackAdapter || /swiftshader|pipe|basic render/i.test(name);
	const machine = slow ? `Software adapter: not a GPU (${name})` : `GPU: ${name}`;
	return { adapter, slow, machine };
}

let hidings = 0; // of the tab
document.addEventListener("visibilitychange", () => (hidings += document.hidden));

// Checks each form, finds how often a sample repeats it, and times them in turn, each round in
// another order. `step` tells how far it is, and throws if the run is over.
async function race(machine, forms, want, step) {
	for (const form of forms) {
		step(`Checking: ${form.title}`);
		form.program = await Promise.all(form.steps.map(machine.compile));
		const [, y] = await machine.run(form.program, 1);
		form.wrong = y.some((value, n) => value !== want[n]);
	}
	const sample = async ({ program, repeats }) => (await machine.run(program, repeats))[0];
	const right = forms.filter(({ wrong }) => !wrong);
	for (const form of right) {
		step(`Warming up: ${form.title}`);
		form.samples = [];
		// One of two was perhaps disturbed.
		for (form.repeats = 1; form.repeats < REPEATS; form.repeats *= 2)
			if (Math.min(await sample(form), await sample(form)) > SAMPLE) break;
		if ((await sample(form)) <= 0) throw Error("the clock of the GPU does not go on.");
	}
	let dropped = 0;
	for (let rounds = 0; rounds < ROUNDS; ) {
		const before = hidings;
		for (const form of right.toSorted(() => Math.random() - 0.5)) {
			step(`Round ${rounds + 1} of ${ROUNDS}`);
			form.last = (await sample(form)) / form.repeats;
		}
		const good = hidings === before && !document.hidden && right.every(({ last }) => last > 0);
		if (good) for (const { samples, last } of right) samples.push(last);
		rounds += good;
		dropped += !good;
		while (document.hidden) {
			step("Paused, for this tab is hidden; the round under way is dropped");
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	}
	step();
	return dropped;
}

// In the format of the book's timing records.
function record(machine, clock, chosen, forms, dropped, seconds) {
	const each = (key) =>
		Object.fromEntries(forms.filter((form) => form[key]).map((form) => [form.name, form[key]]));
	const rest = { kernel: 4, stride: 2, padding: 1, dtype: "float32", clock };
	const layer = `${chosen.channels} channels, ${chosen.size}×${chosen.size}`;
	return {
		name: "gpu",
		date: new Date().toISOString().slice(0, 10),
		machine,
		versions: { browser: navigator.userAgent },
		seconds,
		settings: { ...chosen, ...rest, dropped, repeats: each("repeats"), wrong: each("wrong") },
		results: { [layer]: { seconds: each("samples") } },
	};
}

function quartiles(values) {
	const sorted = values.toSorted((a, b) => a - b);
	return [1, 2, 3].map((n) => sorted[(n * (ROUNDS + 1)) / 4 - 1]);
}

// The cells of a form: a ratio to gather, in words, and what was counted or measured.
function cells({ count, samples, wrong }, gather) {
	const ratio = count / gather.count;
	const counted = [ratio, `${number(ratio)} ×`, count.toLocaleString("en")];
	if (!samples) return [counted, [0, wrong ? "wrong, not timed" : "", ""]];
	const median = `${number(1e3 * quartiles(samples)[1])} ms`;
	if (!gather.samples) return [counted, [0, "", median]];
	const ratios = quartiles(samples.map((seconds, n) => seconds / gather.samples[n]));
	const [low, middle, high] = ratios.map(number);
	return [counted, [ratios[1], `${middle} ×`, `${low} to ${high}, ${median}`]];
}

function render({ model, el }) {
	let current = null; // the run that is under way
	const label = make("p", {}, "Looking for a GPU …");
	const state = make("p");
	const table = make("table", { class: "upconv-race" });
	const said = announcer();
	const tell = (words) => said.say((state.textContent = words));
	const go = button("Run", () => (current ? show("Stopped.") : start()));
	go.dataset.slow = "";
	const copy = button("Copy as JSON", async () => {
		try {
			await navigator.clipboard.writeText(copy.value);
			tell("Copied.");
		} catch {
			tell("Your browser lets no page copy.");
		}
	});

	// What there is when no run is under way.
	function show(words, forms = prepared(model.all())) {
		current = null;
		go.textContent = "Run";
		copy.disabled = !forms.some(({ samples }) => samples);
		const pairs = forms.map((form) => cells(form, forms[0]));
		const most = Math.max(...pairs.flat().map(([ratio]) => ratio));
		const cell = ([ratio, short, long]) =>
			`<td><b>${short}</b><i style="width: ${(100 * ratio) / most}%"></i><small>${long}</small>`;
		const row = (pair, n) => `<tr><th scope="row">${forms[n].title}${pair.map(cell).join("")}`;
		const heads = ["Form", "Multi&shy;plications", "Time"].map((head) => `<th scope="col">${head}`);
		table.innerHTML = `<thead><tr>${heads.join("")}<tbody>${pairs.map(row).join("")}`;
		tell(words);
		said.say(`${words} ${table.innerText}`);
	}

	async function start() {
		const [chosen, begin] = [model.all(), performance.now()];
		const forms = prepared(chosen);
		show("Computing what must come out …");
		go.textContent = "Stop";
		const run = (current = {});
		const step = (words) => {
			if (run !== current) throw Error();
			if (words) state.textContent = `${words} …`;
		};
		const turn = () => new Promise((resolve) => setTimeout(resolve)).then(() => step());
		let on;
		try {
			const { adapter, machine } = await find();
			label.textContent = machine;
			const arrays = await numbers(chosen, turn);
			const want = arrays.y.slice();
			on = await (adapter ? on_gpu(adapter, arrays) : on_cpu(arrays, turn));
			const dropped = await race(on, forms, want, step);
			const seconds = (performance.now() - begin) / 1e3;
			const made = record(machine, on.clock, chosen, forms, dropped, seconds);
			copy.value = JSON.stringify(made, null, 1);
			const why = dropped ? `, ${dropped} dropped: the tab was hidden, or the clock jumped` : "";
			show(`${ROUNDS} rounds${why}.`, forms);
		} catch ({ message }) {
			if (run === current) show(`The run has ended: ${message}`);
		} finally {
			on?.end();
		}
	}

	const sizes = choice({ model, name: "size", label: "Input size", options: [8, 16, 32] });
	const options = [8, 16, 32, 64, 128];
	const channels = choice({ model, name: "channels", label: "Channels", options });
	const sources = Object.entries(kernels).map(([name, text]) => `// ${name}${text}`).join("\n\n");
	const listing = make("pre", { tabindex: 0 }, sources);
	el.append(
		label,
		box("controls", channels, sizes, go),
		state,
		table,
		copy,
		make("details", {}, make("summary", {}, "The kernels"), listing),
		said.element,
	);
	model.on("change", () => show("Not run yet."));
	show("Not run yet.");
	said.say(""); // nothing has changed
	find().then(({ machine, slow }) => {
		label.textContent = machine;
		if (slow && !current) model.set({ channels: 8, size: Math.min(model.get("size"), 16) });
	});
}

upconv.gpu = { kernels };
upconv.explorable("gpu", { render });
})();

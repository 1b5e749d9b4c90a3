// Your GPU: the forms of one layer on the reader's machine, each of them checked and then timed.

"use strict";
(() => {
  const { make, choice, button, announcer } = upconv.ui;
  const { Geometry, tensor, connections, random, ...arithmetic } = upconv.arithmetic;

  const ROUNDS = 15;
  const SAMPLE = 0.02; // seconds: 200 steps of a clock that is quantised to 100 µs
  const REPEATS = 1000; // of a form in one sample, at most
  const TURN = 12; // milliseconds after which the page has its turn

  // ---- Kernels ----

  // Each runs once for every (plane, row, column) of its grid. The text is WGSL and JavaScript at
  // once. The input has C channels of N×N, the kernel K×K taps. Where r and c are halved, they
  // count in the output, and only their even places hold inputs.
  const inside = (side) => `r >= 0 && c >= 0 && r < ${side} && c < ${side}`;
  const even = `(r & 1) == 0 && (c & 1) == 0 && ${inside("2 * N")}`;
  const halved = "N + (r >> 1)) * N + (c >> 1)";
  const store = (side, value = "sum") => `
y[(plane * ${side} + row) * ${side} + column] = ${value};`;

  // Adds up over the taps (t, u) that see something at (r, c).
  const over_taps = (r, c, seen, add, [t, u, step] = [0, 0, "++"]) => `var sum = 0.0;
for (var t = ${t}; t < K; t${step}) {
  for (var u = ${u}; u < K; u${step}) {
    let r = ${r};
    let c = ${c};
    if (${seen}) {
      ${add}
    }
  }
}`;
  const over_channels = (weight, x) => `for (var i = 0; i < C; i++) {
        sum += w[((${weight}) * K + t) * K + u] * x[(i * ${x}];
      }`;
  const copied = (r, c, seen) => `let r = ${r};
let c = ${c};
var value = 0.0;
if (${seen}) {
  value = x[(plane * ${halved}];
}${store("(2 * N + K - 1)", "value")}`;
  const backwards = ["row + 1 - t", "column + 1 - u", even];

  const kernels = {
    gather: `// Every output tries all taps, and keeps those that meet an input.
${over_taps(...backwards, over_channels("i * C + plane", halved))}${store("2 * N")}`,

    spread: `// The input with zeros between its values and around them.
${copied("row + 2 - K", "column + 2 - K", even)}`,

    convolve: `// An ordinary convolution of what is large already, and has its border.
let side = 2 * N + K - 1;
var sum = 0.0;
for (var t = 0; t < K; t++) {
  for (var u = 0; u < K; u++) {
    for (var i = 0; i < C; i++) {
      sum += w[((plane * C + i) * K + t) * K + u] * x[(i * side + row + t) * side + column + u];
    }
  }
}${store("2 * N")}`,

    multiply: `// Columns: a plane is one tap of one output channel, times each input.
var sum = 0.0;
for (var i = 0; i < C; i++) {
  sum += w[i * C * K * K + plane] * x[(i * N + row) * N + column];
}${store("N")}`,

    fold: `// Every output adds up the columns that land on it.
${over_taps(...backwards, `sum += x[(((plane * K + t) * K + u) * ${halved}];`)}${store("2 * N")}`,

    polyphase: `// A plane is one phase of one output channel: all its outputs see the same taps.
let o = plane >> 2;
let p = (plane >> 1) & 1;
let q = plane & 1;
${over_taps(
  "row + p - (t >> 1)",
  "column + q - (u >> 1)",
  inside("N"),
  over_channels("i * C + o", "N + r) * N + c"),
  ["1 - p", "1 - q", " += 2"],
)}
y[(o * 2 * N + 2 * row + p) * 2 * N + 2 * column + q] = sum;`,

    enlarge: `// Nearest upsampling, with a border of zeros.
${copied("row - 1", "column - 1", inside("2 * N"))}`,

    fused: `// A convolution that reads every input in four places, and stores nothing between.
${over_taps(
  "row + t - 1",
  "column + u - 1",
  inside("2 * N"),
  over_channels("plane * C + i", halved),
)}${store("2 * N")}`,
  };

  // ---- Forms ----

  const doubling = (kernel) =>
    new Geometry({ kernel, stride: 2, padding: 1, output_padding: [kernel].flat()[0] % 2 });
  const meetings = (geometry, small, large) => connections(geometry, [small], [large]).small.length;
  const useful = ({ N, K }) => meetings(doubling(K), N, 2 * N);
  const every = ({ N, K }) => 2 * N * K;
  const same = (kernel) => new Geometry({ kernel, padding: 1 });

  // Title, kernels one after the other, their weight, the multiplications along one axis, and the
  // size of the kernel where the reader does not choose it.
  const FORMS = {
    gather: ["Gather", ["gather"], "transposed", useful],
    zero_insertion: ["Zero insertion", ["spread", "convolve"], "flipped", every],
    columns: ["Columns", ["multiply", "fold"], "transposed", ({ N, K }) => N * K],
    polyphase: ["Polyphase", ["polyphase"], "transposed", useful],
    then: ["One after the other", ["enlarge", "convolve"], "small", every, 3],
    fused: ["Fused", ["fused"], "small", ({ N }) => meetings(same(3), 2 * N, 2 * N), 3],
    collapsed: ["Collapsed", ["polyphase"], "collapsed", useful, 4],
  };
  const NAMES = Object.keys(FORMS);

  const constants = (form, { channels, size, kernel }) => {
    return { C: channels, N: size, K: FORMS[form][4] ?? kernel };
  };

  const multiplications = (form, settings) =>
    (settings.channels * FORMS[form][3](constants(form, settings))) ** 2;

  // The kernels of a form for these settings: their grid, and what each reads and writes.
  function steps(form, settings) {
    const { C, N, K } = constants(form, settings);
    const bordered = [C, 2 * N + K - 1];
    const grids = {
      spread: bordered,
      enlarge: bordered,
      multiply: [C * K * K, N],
      polyphase: [4 * C, N],
    };
    return FORMS[form][1].map((kernel, n, all) => {
      const [planes, side] = grids[kernel] ?? [C, 2 * N];
      const arrays = [n ? "between" : "x", FORMS[form][2], all[n + 1] ? "between" : "y"];
      const head = `const C = ${C};\nconst N = ${N};\nconst K = ${K};\n`;
      return { head, text: kernels[kernel], planes, side, arrays };
    });
  }

  // ---- Numbers, and what must come out ----

  // The arrays of both layers. They hold small integers: every sum of their products is exact in
  // single precision, in any order. So the right result is equal to the reference, and no tolerance
  // hides a wrong tap. `want` gives the outputs of a form by the definition, in float64.
  async function numbers({ channels, size, kernel }, turn) {
    const draw = random(0);
    const whole = async (...shape) => {
      await turn();
      const length = shape.reduce((a, b) => a * b);
      return tensor(shape, Float64Array.from({ length }, () => Math.floor(draw(-8, 8))));
    };
    const x = await whole(1, channels, size, size);
    const flipped = await whole(channels, channels, kernel, kernel);
    const small = await whole(channels, channels, 3, 3);
    const transposed = arithmetic.flipped(flipped);
    const collapsed = arithmetic.collapse(small, 2, { padding: 1 }).weight;
    await turn();
    const large = arithmetic.interpolate(x, { scale_factor: 2 });

    const area = 4 * size ** 2; // of an output channel, which are computed one after the other
    const [by_transposed, by_nearest] = [0, 1].map(() => new Float64Array(channels * area));
    const one = ({ shape: [, ...shape], data }, n) => {
      const length = data.length / channels;
      return tensor([1, ...shape], data.slice(n * length, (n + 1) * length));
    };
    for (let n = 0; n < channels; n++) {
      await turn();
      const weight = arithmetic.flipped(one(flipped, n));
      const y = arithmetic.conv_transpose(x, weight, doubling([kernel, kernel]));
      by_transposed.set(y.data, n * area);
      await turn();
      by_nearest.set(arithmetic.conv(large, one(small, n), same([3, 3])).data, n * area);
    }

    const arrays = { between: (area / 4) * channels * kernel ** 2, y: area * channels };
    for (const name in arrays) arrays[name] = new Float32Array(arrays[name]);
    for (const [name, { data }] of Object.entries({ x, flipped, transposed, small, collapsed }))
      arrays[name] = Float32Array.from(data);
    return { arrays, want: (form) => (FORMS[form][4] ? by_nearest : by_transposed) };
  }

  // ---- Machines ----

  // `prepare` gives a form's program and its outputs, `run` the seconds that it takes.

  class Fault extends Error {} // one that ends the run, in words for the reader

  // What to await so that the page has its turn, if it is due; `then` is done after each.
  function turns(then) {
    let last = performance.now();
    const after = () => {
      last = performance.now();
      then();
    };
    return () =>
      performance.now() - last > TURN && new Promise((resolve) => setTimeout(resolve)).then(after);
  }

  const wgsl = ({ head, text, side }) => `${head}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3u) {
let column = i32(id.x);
let row = i32(id.y);
let plane = i32(id.z);
if (row >= ${side} || column >= ${side}) { return; }
${text}
}`;

  async function on_gpu(adapter, arrays) {
    const clock = adapter.features.has("timestamp-query");
    const requiredFeatures = clock ? ["timestamp-query"] : [];
    const device = (upconv.gpu.device = await adapter.requestDevice({ requiredFeatures }));
    const lost = device.lost.then(({ message }) => {
      throw new Fault(`The GPU was lost${message && ` (${message})`}: what was measured is gone.`);
    });
    lost.catch(() => {}); // also at the end of a run, when nobody waits
    // What fails because the GPU is lost may fail a moment before the loss is told.
    const later = (error) => new Promise((_, reject) => setTimeout(() => reject(error), 100));
    const alive = (promise) => Promise.race([promise.catch(later), lost]);

    // Does what may take too much memory, or compile what the GPU refuses.
    async function guarded(work) {
      for (const filter of ["out-of-memory", "validation"]) device.pushErrorScope(filter);
      const result = await work();
      const invalid = await alive(device.popErrorScope());
      if (await alive(device.popErrorScope()))
        throw new Fault("The GPU has too little memory for this. Choose a smaller layer.");
      if (invalid) throw Error(invalid.message);
      return result;
    }

    const { STORAGE, COPY_SRC, COPY_DST, MAP_READ, QUERY_RESOLVE } = GPUBufferUsage;
    const buffer = (size, usage) => device.createBuffer({ size, usage });
    const buffers = {};
    const { landing, ticks, stamps } = await guarded(() => {
      for (const name in arrays) {
        buffers[name] = buffer(arrays[name].byteLength, STORAGE | COPY_SRC | COPY_DST);
        device.queue.writeBuffer(buffers[name], 0, arrays[name]);
      }
      return {
        landing: buffer(arrays.y.byteLength, MAP_READ | COPY_DST),
        ticks: buffer(16, QUERY_RESOLVE | COPY_SRC),
        stamps: clock && device.createQuerySet({ type: "timestamp", count: 2 }),
      };
    });

    function compile(step) {
      const module = device.createShaderModule({ code: wgsl(step) });
      const compute = { module, entryPoint: "main" };
      const pipeline = device.createComputePipeline({ layout: "auto", compute });
      const entries = step.arrays
        .map((name, binding) => ({ binding, resource: { buffer: buffers[name] } }))
        .filter(({ binding }) => binding !== 1 || step.text.includes("w[")); // else w has no place
      const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
      const groups = Math.ceil(step.side / 8);
      return (pass) => {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(groups, groups, step.planes);
      };
    }

    async function read(encoder, source, length) {
      encoder.copyBufferToBuffer(source, 0, landing, 0, length);
      device.queue.submit([encoder.finish()]);
      await alive(landing.mapAsync(GPUMapMode.READ, 0, length));
      const copy = landing.getMappedRange(0, length).slice();
      landing.unmap();
      return copy;
    }

    async function run(program, repeats) {
      const encoder = device.createCommandEncoder();
      const at = { querySet: stamps, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
      const pass = encoder.beginComputePass(clock ? { timestampWrites: at } : {});
      for (let n = 0; n < repeats; n++) for (const dispatch of program) dispatch(pass);
      pass.end();
      if (clock) {
        encoder.resolveQuerySet(stamps, 0, 2, ticks, 0);
        const [begin, end] = new BigInt64Array(await read(encoder, ticks, 16));
        return Number(end - begin) / 1e9;
      }
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      await alive(device.queue.onSubmittedWorkDone());
      return (performance.now() - start) / 1e3;
    }

    const prepare = (form_steps) =>
      guarded(async () => {
        const program = form_steps.map(compile);
        device.queue.writeBuffer(buffers.y, 0, arrays.y); // over what another form has left
        await run(program, 1);
        const bytes = await read(device.createCommandEncoder(), buffers.y, landing.size);
        return { program, y: new Float32Array(bytes) };
      });

    const name = clock ? "timestamp-query" : "onSubmittedWorkDone";
    return { clock: name, prepare, run, end: () => device.destroy() };
  }

  function on_cpu(arrays, turn) {
    function compile({ head, text, planes, side, arrays: names }) {
      const rows = `for (let row = 0; row < ${side}; row++)`;
      const columns = `for (let column = 0; column < ${side}; column++)`;
      const plane = new Function("x", "w", "y", "plane", `${head}${rows} ${columns} {\n${text}\n}`);
      return { planes, loop: plane.bind(null, ...names.map((name) => arrays[name])) };
    }

    // The clock stands while the page has its turn.
    async function run(program, repeats) {
      let milliseconds = 0;
      let start = performance.now();
      for (let n = 0; n < repeats; n++)
        for (const { planes, loop } of program)
          for (let plane = 0; plane < planes; plane++) {
            loop(plane);
            const wait = turn();
            if (!wait) continue;
            milliseconds += performance.now() - start;
            await wait;
            start = performance.now();
          }
      return (milliseconds + performance.now() - start) / 1e3;
    }

    async function prepare(form_steps) {
      const program = form_steps.map(compile);
      arrays.y.fill(0);
      await run(program, 1);
      return { program, y: arrays.y };
    }

    return { clock: "performance.now", prepare, run, end() {} };
  }

  // The GPU that the browser offers, and what to call it.
  async function find() {
    const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
    if (!adapter) return { name: "No WebGPU here: plain JavaScript on the CPU", slow: true };
    const info = adapter.info ?? {};
    const words = [info.vendor, info.architecture, info.device, info.description];
    const name = words.filter(Boolean).join(" ") || "its name is not told";
    const known = /swiftshader|pipe|basic render/i.test(name);
    const slow = info.isFallbackAdapter || adapter.isFallbackAdapter || known;
    return { adapter, slow, name: slow ? `Software adapter: not a GPU (${name})` : `GPU: ${name}` };
  }

  // ---- The race ----

  let hidings = 0; // how often the page was hidden
  document.addEventListener("visibilitychange", () => (hidings += document.hidden));
  const next_showing = () =>
    new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true });
    });

  // Checks each form, finds how often a sample repeats it, and times all of them in turn, in a new
  // order each round. Results go into `found`; `step` tells how far it is, and throws at the end.
  async function race(machine, settings, want, found, step) {
    for (const form of NAMES) {
      step(`Checking: ${FORMS[form][0]}`);
      try {
        const { program, y } = await machine.prepare(steps(form, settings));
        const first = y.findIndex((value, n) => value !== want(form)[n]);
        if (first < 0) found.right[form] = { program, repeats: 1, samples: [] };
        else found.wrong[form] = `output ${first} is ${y[first]}, not ${want(form)[first]}`;
      } catch (error) {
        if (error instanceof Fault) throw error;
        found.wrong[form] = error.message;
      }
    }
    const forms = Object.entries(found.right);
    for (const [form, entry] of forms) {
      for (let short = true; short; ) {
        step(`Warming up: ${FORMS[form][0]}`);
        const once = () => machine.run(entry.program, entry.repeats);
        const seconds = Math.min(await once(), await once()); // the other was perhaps disturbed
        short = seconds < SAMPLE / 2 && entry.repeats < REPEATS;
        if (!short && seconds <= 0) throw new Fault("The clock of the GPU does not go on.");
        const grow = Math.min(SAMPLE / Math.max(seconds, SAMPLE / 10), REPEATS / entry.repeats);
        if (short) entry.repeats = Math.ceil(entry.repeats * grow);
      }
    }
    while (found.rounds < ROUNDS) {
      const before = hidings;
      const samples = [];
      const shuffled = forms.map(([, entry]) => [Math.random(), entry]).sort(([a], [b]) => a - b);
      for (const [, entry] of shuffled) {
        step(`Round ${found.rounds + 1} of ${ROUNDS}`);
        const seconds = await machine.run(entry.program, entry.repeats);
        samples.push([entry, seconds / entry.repeats]);
      }
      if (hidings === before && samples.every(([, seconds]) => seconds > 0)) {
        for (const [entry, seconds] of samples) entry.samples.push(seconds);
        found.rounds += 1;
      } else found.dropped += 1;
      if (document.hidden) {
        step("Paused, for this tab is hidden; the round under way is dropped");
        await next_showing();
      }
    }
  }

  // Lower quartile, median and upper quartile, as Python's statistics.quantiles has them.
  function quartiles(values) {
    const sorted = [...values].sort((a, b) => a - b);
    return [1, 2, 3].map((n) => {
      const at = (n * (sorted.length + 1)) / 4 - 1;
      const low = Math.floor(at);
      return sorted[low] + (at - low) * (sorted[low + 1] - sorted[low]);
    });
  }

  // How many times as long as another form one takes, round by round.
  const ratios = ({ samples }, base) =>
    quartiles(samples.map((seconds, n) => seconds / base.samples[n]));

  // In the format of the book's timing records.
  function record(place, machine, chosen, { right, wrong, dropped }, seconds) {
    const { channels, size, kernel } = chosen;
    const each = (key) =>
      Object.fromEntries(Object.entries(right).map(([form, entry]) => [form, entry[key]]));
    const layer = `${channels} channels, ${size}×${size}, k = ${kernel}, s = 2`;
    const rest = { stride: 2, padding: 1, output_padding: kernel % 2, clock: machine.clock };
    return {
      name: "gpu",
      date: new Date().toISOString().slice(0, 10),
      machine: place.name,
      versions: { browser: navigator.userAgent },
      seconds,
      settings: { ...chosen, ...rest, dtype: "float32", repeats: each("repeats"), dropped, wrong },
      results: { [layer]: { seconds: each("samples") } },
    };
  }

  // ---- The page ----

  const digits = (value) => `${Number(value.toPrecision(3))}`;
  const duration = (seconds) => {
    if (seconds >= 1) return `${digits(seconds)} s`;
    return seconds >= 1e-3 ? `${digits(seconds * 1e3)} ms` : `${digits(seconds * 1e6)} µs`;
  };

  function render({ model, el }) {
    const names = ["channels", "size", "kernel"];
    const settings = () => Object.fromEntries(names.map((name) => [name, model.get(name)]));
    let current = null; // the run that is under way
    let found = null; // by the last one

    const line = (words = "") => make("p", { class: "upconv-line" }, words);
    const [label, state, told] = [line("Looking for a GPU …"), line(), line()];
    const said = announcer();
    const tell = (words) => {
      state.textContent = words;
      said.say(words);
    };
    const go = button("Run", () => (current ? (current.stopped = true) : start()));
    go.dataset.slow = "";
    const text = make("textarea", { readonly: true, rows: 6, "aria-label": "The record as JSON" });
    const copy = button("Copy as JSON", async () => {
      text.hidden = false;
      text.select();
      try {
        await navigator.clipboard.writeText(text.value);
        tell("Copied.");
      } catch {
        tell("Your browser lets no page copy: the record is selected below.");
      }
    });

    // A cell: a ratio, its bar, and what was counted or measured.
    function cell() {
      const [ratio, bar, amount] = [make("b"), make("i", { "aria-hidden": true }), make("small")];
      const fill = (share, words, more) => {
        ratio.textContent = words;
        bar.style.width = `${100 * share}%`;
        amount.textContent = more;
      };
      return { element: make("td", {}, ratio, bar, amount), fill };
    }
    const rows = NAMES.map((form) => {
      const [count, time] = [cell(), cell()];
      const head = make("th", { scope: "row" }, FORMS[form][0]);
      return { count, time, element: make("tr", {}, head, count.element, time.element) };
    });
    const group = (title, from, to) => {
      const head = make("tr", {}, make("th", { colspan: 3, scope: "rowgroup" }, title));
      return make("tbody", {}, head, ...rows.slice(from, to).map(({ element }) => element));
    };
    const heads = ["Form", "Multi\u00adplications", "Time"];
    const table = make(
      "table",
      { class: "upconv-race" },
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
      group("Transposed convolution", 0, 4),
      group("Nearest upsampling and a 3×3 convolution", 4),
    );

    function show() {
      const { right = {}, wrong = {} } = found ?? {};
      const counts = NAMES.map((form) => multiplications(form, settings()));
      const shares = counts.map((count) => count / counts[0]);
      const { gather } = right;
      const times = NAMES.map((form) => gather && right[form] && ratios(right[form], gather));
      const most = Math.max(...shares, ...times.map((time) => time?.[1] ?? 0));
      NAMES.forEach((form, n) => {
        const { count, time } = rows[n];
        count.fill(shares[n] / most, `${digits(shares[n])} ×`, counts[n].toLocaleString("en"));
        const median = right[form] && duration(quartiles(right[form].samples)[1]);
        if (times[n]) {
          const [low, middle, high] = times[n].map(digits);
          time.fill(times[n][1] / most, `${middle} ×`, `${low} to ${high}, ${median}`);
        } else time.fill(0, form in wrong ? "wrong" : "", median ?? "not timed");
      });
      const list = NAMES.flatMap((form, n) => {
        const ratio = found ? times[n]?.[1] : shares[n];
        return n && ratio ? `${FORMS[form][0].toLowerCase()} ${digits(ratio)}` : [];
      });
      const subject = found ? "Time" : "Multiplications";
      told.textContent = list.length ? `${subject}, gather being 1: ${list.join(", ")}.` : "";
      copy.disabled = !Object.keys(right).length;
      text.hidden = true;
    }

    function end(run, result) {
      if (run) run.stopped = true;
      if (run !== current) return;
      current = null;
      found = result;
      go.textContent = "Run";
      show();
    }

    async function start() {
      const run = (current = {});
      const chosen = settings();
      const begin = performance.now();
      const result = { right: {}, wrong: {}, rounds: 0, dropped: 0 };
      const step = (words) => {
        if (run.stopped) throw new Fault("Stopped.");
        if (words) state.textContent = `${words} …`;
      };
      const turn = turns(step);
      let machine;
      try {
        found = null;
        go.textContent = "Stop";
        show();
        tell("Computing what must come out …");
        const place = await find();
        label.textContent = place.name;
        const { arrays, want } = await numbers(chosen, turn);
        machine = place.adapter ? await on_gpu(place.adapter, arrays) : on_cpu(arrays, turn);
        await race(machine, chosen, want, result, step);
        const seconds = (performance.now() - begin) / 1e3;
        text.value = JSON.stringify(record(place, machine, chosen, result, seconds), null, 1);
        const wrong = Object.entries(result.wrong).map(
          ([form, what]) => `${FORMS[form][0]} is wrong and was not timed: ${what}. `,
        );
        const why = "dropped, for the tab was hidden or the clock jumped";
        const dropped = result.dropped ? `, and ${result.dropped} ${why}` : "";
        tell(`${wrong.join("")}${ROUNDS} rounds${dropped}.`);
        end(run, result);
      } catch (error) {
        const words = error instanceof Fault ? error.message : `The run failed: ${error.message}`;
        if (run === current) tell(words);
        end(run, null);
      } finally {
        machine?.end();
      }
    }

    model.on("change", () => {
      state.textContent = "";
      end(current, null);
      said.say(told.textContent);
    });

    const chooser = (name, label, values) =>
      choice({ model, name, label, options: values.map((value) => [value, `${value}`]) }).element;
    const unfold = (title, ...inner) => make("details", {}, make("summary", {}, title), ...inner);
    const source = (name) => unfold(name, make("pre", { tabindex: 0 }, kernels[name]));
    el.append(
      label,
      make(
        "div",
        { class: "upconv-controls" },
        chooser("channels", "Channels", [8, 16, 32, 64, 128]),
        chooser("size", "Input size", [8, 16, 32]),
        chooser("kernel", "Kernel", [3, 4]),
        go,
      ),
      state,
      make("div", { class: "upconv-panel" }, table),
      told,
      copy,
      text,
      unfold("The kernels", ...Object.keys(kernels).map(source)),
      said.element,
    );
    show();
    find().then(({ name, slow }) => {
      label.textContent = name;
      if (slow && !current) model.set({ channels: 8, size: Math.min(model.get("size"), 16) });
    });
  }

  upconv.gpu = { kernels };
  upconv.explorable("gpu", { render });
})();

// A convolution or its transpose beside its matrix. What is pointed at, an input, an output, a
// weight, a row or a column of the matrix, lights all that takes part in it.
//
// A thing is { kind, n }: "input", "weight" or "output" number n, counted row by row; a row of the
// matrix is an output, a column an input. A "rest" is none of these: a zero that is no input, or a
// sum that padding crops.

"use strict";
(() => {
  const { Geometry, tensor, connections, inserted, conv, conv_transpose, zero_insertion } =
    upconv.arithmetic;
  const { make, slider, choice, button, announcer, grid } = upconv.ui;

  const MODES = ["forward", "transposed", "zero_insertion", "polyphase"];
  const LIMITS = {
    input_size: [1, 16],
    kernel: [1, 5],
    stride: [1, 4],
    padding: [0, 3],
    dilation: [1, 3],
    output_padding: [0, 3],
  };
  const PLAIN = { stride: 1, padding: 0, dilation: 1, output_padding: 0 };
  const LONGEST = { 1: 16, 2: 8 }; // of input and output along an axis, so that C can be read
  const REST = {
    padding: "A zero of the padding: its products add nothing.",
    "inserted zero": "A zero inserted between inputs: its products add nothing.",
    cropped: "Padding crops this sum: it is no output.",
  };

  const range = (start, stop) => Array.from({ length: stop - start }, (_, n) => start + n);
  const count_of = (size) => size.reduce((count, n) => count * n, 1);
  const by = (size) => size.join("×");
  const written = (value) => `${value}`.replace("-", "−");
  const image = (data, size) => tensor([1, 1, ...size], data);
  const coordinates = (n, size) => (size[1] ? [Math.floor(n / size[1]), n % size[1]] : [n]);
  const at = (n, size) => (size[1] ? `(${coordinates(n, size).join(", ")})` : `${n}`);
  const hue = (n, count) => Math.round((360 * n) / count);
  const letter = (phase) => String.fromCharCode(97 + phase);
  const is_forward = ({ mode }) => mode === "forward";

  // ---- Settings ----

  function geometry_of({ axes, kernel, stride, padding, dilation, output_padding }) {
    kernel = Array(axes).fill(kernel);
    return new Geometry({ kernel, stride, padding, dilation, output_padding });
  }

  function sizes_of(settings) {
    const input = Array(settings.axes).fill(settings.input_size);
    const geometry = geometry_of(settings);
    const reached = is_forward(settings) ? "output_shape" : "transposed_shape";
    return { input, output: geometry[reached](input), weight: geometry.kernel };
  }

  function legal(settings) {
    if (is_forward(settings) && settings.output_padding) return false; // it plays no part there
    try {
      const { input, output } = sizes_of(settings);
      return Math.max(input[0], output[0]) <= LONGEST[settings.axes];
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  // The ends of a slider. All between them is legal: as one setting grows, the output and the room
  // for output_padding only grow, or only shrink.
  function ends(settings, name) {
    const [least, most] = LIMITS[name];
    const values = range(least, most + 1).filter((n) => legal({ ...settings, [name]: n }));
    return [values[0], values.at(-1)];
  }

  // The settings after a change of mode or axes. Between forward and the others the matrix is
  // transposed: the output becomes the input. What then does not fit is made to.
  function turned(settings, old) {
    const wanted = { ...settings };
    if (is_forward(settings) !== is_forward(old)) {
      const { input, output } = old.size;
      wanted.input_size = output[0];
      const { output_padding } = old.geometry.adjoint_to(is_forward(old) ? input : output);
      wanted.output_padding = is_forward(old) ? output_padding[0] : 0;
    }
    const away = (size) => Math.abs(size - wanted.input_size);
    const sizes = range(1, LONGEST[settings.axes] + 1).sort((a, b) => away(a) - away(b));
    return [wanted, { ...wanted, ...PLAIN }]
      .flatMap((tried) => sizes.map((input_size) => ({ ...tried, input_size })))
      .find(legal);
  }

  // ---- What there is to see ----

  // All that settings and weights determine.
  function scene_of(settings, weights) {
    const { mode, first, decimal } = settings;
    const [geometry, size] = [geometry_of(settings), sizes_of(settings)];
    const count = count_of(size.input);
    const inputs = range(0, count).map((n) => (decimal && count <= 4 ? 10 ** n : n + first));
    const [few, many] = is_forward(settings) ? ["output", "input"] : ["input", "output"];
    const { small, tap, large } = connections(geometry, size[few], size[many]);
    const links = Array.from(tap, (weight, n) => {
      const link = { [few]: small[n], weight, [many]: large[n] };
      const [w, x] = [weights[weight], inputs[link.input]];
      return { ...link, w, value: w * x, spelled: `${w < 0 ? `(${written(w)})` : w}·${x}` };
    });
    const taps = weights.map((w, n) => ({ kind: "weight", n, w, hue: hue(n, weights.length) }));
    const walker = mode === "transposed" ? "input" : "output"; // what the steps go through
    const order = range(0, count_of(size[walker]));
    const scene = { ...settings, geometry, size, weights, inputs, links, taps, walker, order };
    add_field(scene, few, many);
    if (mode === "polyphase") add_phases(scene);
    return scene;
  }

  // The field is what windows or stamps are laid on: the padded input, the input with its zeros, or
  // the output before padding crops it. `window` joins its places with what lays them, the layer.
  function add_field(scene, few, many) {
    const { mode, geometry, size, axes, stride, padding, dilation } = scene;
    const spread = mode === "zero_insertion";
    const laid = spread ? "input" : many;
    const margin = new Geometry({ kernel: Array(axes).fill(padding + 1) });
    const counted = image(range(1, count_of(size[laid]) + 1), size[laid]);
    const numbers = inserted(counted, spread ? geometry : margin);
    size.field = numbers.shape.slice(2);
    scene.layer = spread ? "output" : few;
    const laying = new Geometry({ kernel: size.weight, dilation, stride: spread ? 1 : stride });
    scene.window = connections(laying, size[scene.layer], size.field);
    const border = spread ? geometry.reach[0] - 1 - padding : Infinity;
    const between = (m) => m >= border && m <= border + (size.input[0] - 1) * stride;
    scene.cropping = laid === "output";
    scene.field = Array.from(numbers.data, (n, place) => {
      if (n) return { kind: laid, n: n - 1, place };
      const zero = coordinates(place, size.field).every(between) ? "inserted zero" : "padding";
      return { kind: "rest", n: place, place, rest: scene.cropping ? "cropped" : zero };
    });
  }

  // Outputs of one phase, which is counted before padding crops, see the same weights.
  function add_phases({ field, taps, order, size, stride, dilation }) {
    const turn = [];
    const add = (thing, n, of, step) => {
      const rests = coordinates(n, of).map((m) => (m * step) % stride);
      thing.phase = rests.reduce((phase, rest) => phase * stride + rest, 0);
      thing.hue = hue(thing.phase, stride ** of.length);
    };
    for (const tap of taps) add(tap, tap.n, size.weight, dilation);
    for (const thing of field) {
      add(thing, thing.place, size.field, 1);
      if (!thing.rest) turn[thing.n] = thing.phase;
    }
    order.sort((a, b) => turn[a] - turn[b] || a - b);
  }

  // The sums of all inputs, or of the first ones alone: those that will be cropped too.
  function sums({ mode, geometry, size, inputs, weights }, used) {
    const x = image(inputs.map((value, n) => (n < used ? value : 0)), size.input);
    const weight = image(weights, size.weight);
    if (mode === "forward") return conv(x, weight, geometry).data;
    if (mode === "zero_insertion") return zero_insertion(x, weight, geometry).data;
    return conv_transpose(x, weight, new Geometry({ ...geometry, padding: 0 })).data;
  }

  // What a thing lights: the links that it takes part in, and for each kind of thing the numbers,
  // each with a note: the weight that meets an input, or what is added to an output.
  function lit_by({ links, window, layer }, { kind, n }) {
    const taking = links.filter((link) => link[kind] === n);
    const notes = { input: new Map(), weight: new Map(), output: new Map(), rest: new Map() };
    for (const { input, weight, output, w, value } of taking) {
      notes.input.set(input, kind === "output" ? `×${written(w)}` : "");
      notes.weight.set(weight, "");
      notes.output.set(output, kind === "input" ? `${value < 0 ? "" : "+"}${written(value)}` : "");
    }
    if (kind === layer)
      window.small.forEach((number, i) => number === n && notes.rest.set(window.large[i], ""));
    return { taking, notes };
  }

  // A thing in words, its sum spelled out.
  function sentence({ size, inputs, weights }, { kind, n, rest }, taking) {
    if (rest) return REST[rest];
    const name = `${kind[0].toUpperCase()}${kind.slice(1)} ${at(n, size[kind])}`;
    const made = `${taking.length} product${taking.length === 1 ? "" : "s"}`;
    if (kind === "weight") return `${name} is ${written(weights[n])}; it is a factor of ${made}.`;
    if (kind === "input") {
      const added = taking.map(({ spelled, output }) => `${spelled} to ${at(output, size.output)}`);
      return `${name} is ${inputs[n]}; it adds ${added.join(", ") || "nothing"}.`;
    }
    const terms = taking.map(({ spelled }) => spelled).join(" + ");
    const sum = taking.reduce((total, { value }) => total + value, 0);
    return `${name} = ${terms ? `${terms} = ` : ""}${written(sum)}.`;
  }

  const matrix_name = (scene) => (is_forward(scene) ? "C" : "Cᵀ");

  function summary(scene) {
    const { mode, size, links, taps, stride } = scene;
    const [rows, columns] = [count_of(size.output), count_of(size.input)];
    const products = rows * taps.length;
    const way = {
      forward: `a window of ${by(size.weight)} weights moves ${stride} at a time`,
      transposed: `each input stamps the kernel, ${stride} apart, and stamps add up`,
      zero_insertion: `the flipped kernel moves 1 at a time, and ${products - links.length} of \
${products} products are by zero`,
      polyphase: `each of ${stride ** size.input.length} phases has outputs and weights of its own`,
    }[mode];
    return `${by(size.input)} inputs become ${by(size.output)} outputs: ${way}. \
${matrix_name(scene)} has ${rows} rows and ${columns} columns; \
${links.length} of ${rows * columns} entries are weights.`;
  }

  // ---- Drawing ----

  // A table of things under a title. A thing brings text and name of its cell, some hue and phase.
  function panel(point) {
    const title = make("p");
    let [things, columns] = [[], 1];
    const thing = (row, column) => things[row * columns + column];
    const onpoint = (row, column) => row !== null && point(thing(row, column));
    const table = grid({ label: "", onpoint });

    function show(words, size, shown) {
      [things, columns] = [shown, size.at(-1)];
      title.textContent = table.element.ariaLabel = words;
      const longest = Math.max(...things.map(({ text }) => text.length));
      table.element.style.setProperty("--digits", longest);
      const rows = range(0, things.length / columns).map((row) =>
        things.slice(row * columns, (row + 1) * columns),
      );
      table.fill(rows, { text: ({ text }) => text, names: (...at) => thing(...at).name });
      things.forEach(({ kind, phase, hue = "" }, n) => {
        const cell = table.cell(Math.floor(n / columns), n % columns);
        cell.dataset.kind = kind;
        cell.dataset.phase = phase >= 0 ? letter(phase) : "";
        cell.style.setProperty("--hue", hue);
      });
    }

    function mark(notes, target) {
      table.mark((row, column) => {
        const { kind, n } = thing(row, column);
        const note = notes[kind].get(n);
        table.cell(row, column).dataset.note = note ?? "";
        if (kind === target.kind && n === target.n) return "at";
        return note === undefined ? "" : "lit";
      });
    }
    return { element: make("div", { class: "upconv-panel" }, title, table.element), show, mark };
  }

  const EDGE = 24; // px of the bars along the matrix: there, whole columns and rows are pointed at

  // The matrix: each weight where it stands, in its hue, with a number where there is room.
  function matrix(point) {
    const [title, svg] = [make("p"), make("svg:svg", { role: "img", class: "upconv-matrix" })];
    const path = (of, d = "") => make("svg:path", { class: of, d });
    const text = (words, x, y, more) => make("svg:text", { x, y, ...more }, words);
    const upright = { transform: "rotate(-90)" };
    const [band, framed] = [path("band"), path("framed")];
    let [scene, rows, columns, side] = [];

    const box = (x, y, width, height) => `M${x} ${y}h${width}v${height}h${-width}z`;
    const place = (n) => EDGE + n * side;
    const boxes = (links) =>
      links.map(({ input, output }) => box(place(input), place(output), side, side)).join("");

    function show(next) {
      scene = next;
      [rows, columns] = [count_of(scene.size.output), count_of(scene.size.input)];
      side = Math.max(5, Math.min(22, Math.floor(440 / columns), Math.floor(360 / rows)));
      const [width, height] = [columns * side, rows * side];
      const tap_paths = scene.taps.map(({ n, hue }) => {
        const drawn = path("tap", boxes(scene.links.filter(({ weight }) => weight === n)));
        drawn.style.setProperty("--hue", hue);
        return drawn;
      });
      const numbers = (side < 14 ? [] : scene.links).map(({ w, input, output }) =>
        text(written(w), place(input + 0.5), place(output + 0.5), { "font-size": side * 0.62 }),
      );
      title.textContent = `${matrix_name(scene)}, ${rows}×${columns}`;
      svg.ariaLabel = `The matrix ${title.textContent}: rows are outputs, columns are inputs`;
      svg.setAttribute("viewBox", `0 0 ${width + EDGE + 1} ${height + EDGE + 1}`);
      svg.style.width = `${width + EDGE + 1}px`;
      svg.replaceChildren(
        path("edge", box(EDGE, 1, width, EDGE - 1) + box(1, EDGE, EDGE - 1, height)),
        width < 44 ? "" : text("inputs", EDGE + width / 2, EDGE / 2),
        height < 52 ? "" : text("outputs", -EDGE - height / 2, EDGE / 2, upright),
        band,
        ...tap_paths,
        ...numbers,
        framed,
        path("frame", box(EDGE, EDGE, width, height)),
      );
    }

    function mark(taking, { kind, n }) {
      const bands = {
        output: box(1, place(n), place(columns), side),
        input: box(place(n), 1, side, place(rows)),
      };
      band.setAttribute("d", bands[kind] ?? "");
      framed.setAttribute("d", boxes(taking));
    }

    // Inside, the pointer means what the steps go through: a row, or a stamp's column.
    function follow({ clientX, clientY }) {
      const { left, top, width } = svg.getBoundingClientRect();
      const [column, row] = [clientX - left, clientY - top].map((px) =>
        Math.floor(((px * svg.viewBox.baseVal.width) / width - EDGE) / side),
      );
      const kind = column < 0 ? "output" : row < 0 ? "input" : scene.walker;
      const [n, count] = kind === "output" ? [row, rows] : [column, columns];
      if (n >= 0 && n < count) point({ kind, n });
    }
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    return { element: make("div", { class: "upconv-panel" }, title, svg), show, mark };
  }

  // ---- The explorable ----

  function render({ model, el }) {
    let [weights, chosen, steps, timer, scene] = [[], 0, 0];
    const kind = model.get("mode") === "transposed" ? "input" : "output";
    let target = { kind, n: model.get("focus") };
    const numbered = (name) => slider({ model, name, label: name, min: -9, max: 9, text: written });
    const controls = (...children) => make("div", { class: "upconv-controls" }, ...children);

    model.set({ weight: 1, row: 0, column: 0 });
    const sliders = Object.keys(LIMITS).map((name) => [name, numbered(name)]);
    const options = MODES.map((mode) => [mode, mode.replace("_", " ")]);
    const modes = choice({ model, name: "mode", label: "Mode", options });
    const axes = choice({ model, name: "axes", label: "Axes", options: [[1, "1-D"], [2, "2-D"]] });
    const [weight, row, column] = ["weight", "row", "column"].map((name) => numbered(name));
    const play = button("Play", () => (timer ? pause() : run()));
    const back = button("Back", () => go(steps - 1));
    const step = button("Step", () => go((steps % scene.order.length) + 1));
    const counter = make("span");
    const [what, sum, said] = [make("p"), make("p"), announcer()];
    const [input, field, kernel, output] = range(0, 4).map(() => panel(point));
    const drawing = matrix(point);
    const stage = make("div", { class: "upconv-stage" });
    let shown = [];
    kernel.element.append(weight.element);
    drawing.element.append(controls(row.element, column.element));

    // ---- Pointing ----

    function point(thing) {
      pause();
      light(thing);
    }

    function light(thing) {
      target = thing;
      const { taking, notes } = lit_by(scene, thing);
      for (const part of shown) part.mark(notes, thing);
      drawing.mark(taking, thing);
      sum.textContent = sentence(scene, thing, taking);
      if (!timer) said.say(sum.textContent);
      if (thing.kind === "weight") choose(thing.n);
      if (thing.kind === "output") model.set("row", thing.n);
      if (thing.kind === "input") model.set("column", thing.n);
      read(row, "output", "column", "input");
      read(column, "input", "row", "output");
    }

    // A row or column of the matrix for those who hear it.
    function read({ input }, kind, across, other) {
      const n = Number(input.value);
      const entries = scene.links.filter((link) => link[kind] === n);
      const words = entries.map((link) => `${written(link.w)} in ${across} ${link[other]}`);
      const name = `${kind} ${at(n, scene.size[kind])}`;
      input.ariaValueText = `${n}, ${name}: ${words.join(", ") || "zeros"}`;
    }

    function choose(tap) {
      chosen = tap;
      weight.element.firstChild.textContent = `weight ${at(tap, scene.size.weight)}`;
      model.set("weight", weights[tap]);
    }

    // ---- Steps ----

    function go(to) {
      pause();
      walk(to);
    }

    function walk(to) {
      steps = Math.max(to, 0);
      show_output();
      light(steps ? { kind: scene.walker, n: scene.order[steps - 1] } : target);
    }

    function pause() {
      clearTimeout(timer);
      timer = 0;
      play.textContent = "Play";
    }

    // It never starts by itself, and goes slowly for those who want no motion.
    function run() {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const wait = calm ? 2000 : Math.min(700, Math.max(150, 20000 / scene.order.length));
      const tick = () => {
        if (!el.isConnected || steps === scene.order.length) return go(steps);
        timer = setTimeout(tick, wait);
        walk(steps + 1);
      };
      if (steps === scene.order.length) steps = 0;
      tick();
      play.textContent = "Pause";
    }

    // ---- Showing ----

    const things = (kind) =>
      range(0, count_of(scene.size[kind])).map((n) => ({ kind, n, place: n }));

    // A thing with what its cell shows and what it is called.
    function worded(thing, text) {
      const { kind, n, rest, phase } = thing;
      const name = rest ?? `${kind} ${at(n, scene.size[kind])}`;
      const of_phase = phase >= 0 ? `, phase ${letter(phase)}` : "";
      return { ...thing, text, name: `${name}: ${text || "not yet"}${of_phase}` };
    }

    function show_output() {
      const { size, field: places, cropping, order, walker, padding } = scene;
      const all = sums(scene, walker === "input" ? steps : Infinity);
      const done = new Set(order.slice(0, steps));
      const hidden = ({ n, rest }) =>
        walker === "output" && (rest ? steps < order.length : !done.has(n));
      const cells = (cropping ? places : things("output")).map((thing) =>
        worded(thing, hidden(thing) ? "" : written(all[thing.place])),
      );
      const more = cropping && padding ? ", and what is cropped" : "";
      output.show(`Output, ${by(size.output)}${more}`, cropping ? size.field : size.output, cells);
      counter.textContent = `step ${steps} of ${order.length}`;
    }

    function show() {
      const { mode, size, stride, padding } = scene;
      const spread = mode === "zero_insertion";
      const zeros = { padding: "·", "inserted zero": "0" };
      const given = (thing) => worded(thing, zeros[thing.rest] ?? `${scene.inputs[thing.n]}`);
      const places = () => scene.field.map(given);
      const taps = scene.taps.map((tap) => worded(tap, written(tap.w)));
      const [width] = size.weight;
      shown = [input, kernel];
      if (is_forward(scene))
        input.show(`Input, ${by(size.input)}${padding ? ", padded" : ""}`, size.field, places());
      else input.show(`Input, ${by(size.input)}`, size.input, things("input").map(given));
      if (spread) {
        field.show(`With zeros, ${by(size.field)}`, size.field, places());
        shown.splice(1, 0, field);
      }
      kernel.show(
        `Kernel, ${by(size.weight)}${spread ? ", flipped" : ""}`,
        size.weight,
        spread ? taps.toReversed() : taps,
      );
      for (const phase of range(0, stride ** size.input.length)) {
        const own = taps.filter((tap) => tap.phase === phase);
        if (!own.length) continue; // another mode, or a phase without weights
        const rows = new Set(own.map(({ n }) => Math.floor(n / width))).size;
        const part = panel(point);
        part.show(letter(phase), [own.length / rows], own);
        shown.push(part);
      }
      shown.push(output);
      stage.replaceChildren(...shown.map(({ element }) => element), drawing.element);
      show_output();
      drawing.show(scene);
      what.textContent = summary(scene);
    }

    const WATCHED = ["mode", "axes", ...Object.keys(LIMITS)];

    function update() {
      let settings = model.all();
      const changed = WATCHED.filter((name) => scene?.[name] !== settings[name]);
      if (!changed.length && scene.weights === weights) return;
      pause();
      if (scene && changed.some((name) => ["mode", "axes"].includes(name)))
        settings = turned(settings, scene);
      const count = settings.kernel ** settings.axes;
      if (weights.length !== count) [weights, chosen] = [range(1, count + 1), 0];
      scene = scene_of(settings, weights);
      model.set(settings);
      for (const [name, one] of sliders) one.bound(...ends(settings, name));
      row.bound(0, count_of(scene.size.output) - 1);
      column.bound(0, count_of(scene.size.input) - 1);
      steps = scene.order.length;
      show();
      choose(chosen);
      const { kind, n } = target.rest ? { kind: "output", n: 0 } : target;
      light({ kind, n: Math.min(n, count_of(scene.size[kind]) - 1) });
      said.say(what.textContent);
    }

    const foot = make("div", { class: "upconv-foot" }, sum, controls(back, play, step, counter));
    el.classList.add("upconv-operator");
    el.append(
      controls(modes.element, axes.element),
      controls(...sliders.map(([, { element }]) => element)),
      what,
      stage,
      foot,
      said.element,
    );
    model.on("change", update);
    row.input.addEventListener("input", () => point({ kind: "output", n: model.get("row") }));
    column.input.addEventListener("input", () => point({ kind: "input", n: model.get("column") }));
    weight.input.addEventListener("input", () => {
      weights = weights.with(chosen, model.get("weight"));
      update();
    });
    update();
  }

  upconv.explorable("operator", { render });
})();

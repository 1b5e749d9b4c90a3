// A convolution or its transpose beside its matrix. What is pointed at, an input, an output, a
// weight, a row or a column of the matrix, lights all that takes part in it.
//
// A thing is { kind, n }: "input", "weight" or "output" number n, counted row by row; a row of the
// matrix is an output, a column an input. A "rest" is none of them: a zero that is not in the
// input, or a sum that padding crops. Its n is its place in the field.

"use strict";
(() => {
  const { Geometry, tensor, connections, inserted, phases, ...compute } = upconv.arithmetic;
  const { make, slider, choice, button, announcer, grid } = upconv.ui;

  const MODES = {
    forward: compute.conv,
    transposed: compute.conv_transpose,
    zero_insertion: compute.zero_insertion,
    polyphase: compute.polyphase,
  };
  const ENDS = {
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
    padding: ["·", "A zero of the padding: its products add nothing."],
    "inserted zero": ["0", "A zero inserted between inputs: its products add nothing."],
    cropped: ["", "Padding crops this sum: it is no output."],
  };

  const range = (start, stop) => Array.from({ length: stop - start }, (_, n) => start + n);
  const count_of = (size) => size.reduce((count, n) => count * n, 1);
  const by = (size) => size.join("×");
  const written = (value) => `${value}`.replace("-", "−");
  const batch = (data, size) => tensor([1, 1, ...size], data);
  const coordinates = (n, size) =>
    size.length === 1 ? [n] : [Math.floor(n / size[1]), n % size[1]];
  const at = (n, size) => (size.length === 1 ? `${n}` : `(${coordinates(n, size).join(", ")})`);

  // ---- Settings ----

  const is_forward = ({ mode }) => mode === "forward";

  function geometry_of({ axes, kernel, stride, padding, dilation, output_padding }) {
    kernel = Array(axes).fill(kernel);
    return new Geometry({ kernel, stride, padding, dilation, output_padding });
  }

  const sizes_of = (settings) => {
    const input = Array(settings.axes).fill(settings.input_size);
    const reach = is_forward(settings) ? "output_shape" : "transposed_shape";
    return { input, output: geometry_of(settings)[reach](input) };
  };

  function legal(settings) {
    if (is_forward(settings) && settings.output_padding) return false; // it plays no part there
    try {
      const { input, output } = sizes_of(settings);
      return Math.max(...input, ...output) <= LONGEST[settings.axes];
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  // The ends of a slider. All between them is legal: as one setting grows, the output and the room
  // for output_padding only grow, or only shrink.
  function ends(settings, name) {
    const [least, most] = ENDS[name];
    const values = range(least, most + 1).filter((n) => legal({ ...settings, [name]: n }));
    return [values[0], values.at(-1)];
  }

  // The settings after a change of mode or axes. Between forward and the others the matrix is
  // transposed: the output becomes the input. What then does not fit is made to.
  function turned(settings, old) {
    const wanted = { ...settings };
    if (is_forward(settings) !== is_forward(old)) {
      const { input, output } = sizes_of(old);
      wanted.input_size = output[0];
      wanted.output_padding = is_forward(old)
        ? geometry_of(old).adjoint_to(input).output_padding[0]
        : 0;
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
    const { mode, axes, stride, padding, first, decimal } = settings;
    const geometry = geometry_of(settings);
    const size = { ...sizes_of(settings), weight: geometry.kernel };
    const [few, many] = is_forward(settings) ? ["output", "input"] : ["input", "output"];
    const small_inputs = decimal && count_of(size.input) <= 4;
    const inputs = range(0, count_of(size.input)).map((n) => (small_inputs ? 10 ** n : n + first));

    const { small, tap, large } = connections(geometry, size[few], size[many]);
    const links = range(0, tap.length).map((n) => {
      const link = { [few]: small[n], weight: tap[n], [many]: large[n] };
      const [w, x] = [weights[link.weight], inputs[link.input]];
      return { ...link, w, value: w * x, spelled: `${w < 0 ? `(${written(w)})` : w}·${x}` };
    });

    // The field is what windows or stamps are laid on: the padded input, the input with its zeros,
    // or the output before padding crops it. `window` says where.
    const spread = mode === "zero_insertion";
    const laid = spread ? "input" : many;
    const margin = new Geometry({ kernel: Array(axes).fill(padding + 1) });
    const counted = batch(range(1, count_of(size[laid]) + 1), size[laid]);
    const numbers = inserted(counted, spread ? geometry : margin);
    size.field = numbers.shape.slice(2);
    const { kernel, dilation } = geometry;
    const laying = new Geometry({ kernel, dilation, stride: spread ? 1 : stride });
    const window = connections(laying, size[spread ? "output" : few], size.field);
    const between = (place) =>
      coordinates(place, size.field).every((m, axis) => {
        const from_first = m - geometry.reach[axis] + 1 + padding;
        return from_first >= 0 && from_first <= (size.input[axis] - 1) * stride;
      });
    const field = Array.from(numbers.data, (n, place) => {
      if (n) return { kind: laid, n: n - 1, place };
      const zero = spread && between(place) ? "inserted zero" : "padding";
      return { kind: "rest", n: place, place, rest: laid === "output" ? "cropped" : zero };
    });

    const scene = { ...settings, geometry, size, weights, inputs, links, field, laid, window };
    scene.layer = laid === "output" ? "input" : "output"; // what lays a window or a stamp
    scene.walker = mode === "transposed" ? "input" : "output"; // what the steps go through
    scene.order = range(0, count_of(size[scene.walker]));
    scene.phases = [];
    if (mode === "polyphase") {
      scene.phases = phases_of(scene);
      const turn = [];
      for (const { n, place } of field.filter(({ kind }) => kind === "output"))
        turn[n] = phase_at(scene, place);
      scene.order.sort((a, b) => turn[a] - turn[b] || a - b);
    }
    return scene;
  }

  const phase_number = (rests, stride) => rests.reduce((number, rest) => number * stride + rest, 0);
  const phase_at = ({ size, stride }, place) =>
    phase_number(coordinates(place, size.field).map((m) => m % stride), stride);
  const letter = (phase) => String.fromCharCode(97 + phase);

  // The phases that see weights: number, size of the sub-kernel, and its taps row by row.
  function phases_of({ geometry, size, inputs, weights, stride, padding }) {
    const found = phases(batch(inputs, size.input), batch(weights, size.weight), geometry);
    return found.map(({ start, taps }) => {
      const [rows, columns] = taps.length === 1 ? [[0], taps[0]] : taps;
      return {
        number: phase_number(start.map((m) => (m + padding) % stride), stride),
        size: taps.map((along) => along.length),
        taps: rows.flatMap((row) => columns.map((column) => row * size.weight.at(-1) + column)),
      };
    });
  }

  // What is written in the field or in the outputs, of all inputs or of the first ones alone.
  function sums({ mode, geometry, size, inputs, weights, laid }, used) {
    const x = batch(inputs.map((value, n) => (n < used ? value : 0)), size.input);
    const uncropped = new Geometry({ ...geometry, padding: 0 });
    const [way, how] = laid === "output" ? [MODES.transposed, uncropped] : [MODES[mode], geometry];
    return way(x, batch(weights, size.weight), how).data;
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
      window.small.forEach((laying, i) => laying === n && notes.rest.set(window.large[i], ""));
    return { taking, notes };
  }

  // A thing in words, its sum spelled out.
  function sentence({ size, inputs, weights }, { kind, n, rest }, taking) {
    if (kind === "rest") return REST[rest][1];
    const name = `${kind[0].toUpperCase()}${kind.slice(1)} ${at(n, size[kind])}`;
    if (kind === "weight")
      return `${name} is ${written(weights[n])}; it makes ${taking.length} products, all in different rows.`;
    if (!taking.length) return `${name}${kind === "input" ? " adds nothing" : " = 0: no weight meets an input"}.`;
    const spelled = taking.map((link) => link.spelled);
    if (kind === "output") {
      const sum = taking.reduce((total, { value }) => total + value, 0);
      return `${name} = ${spelled.join(" + ")} = ${written(sum)}.`;
    }
    const added = taking.map(
      ({ output, value }, i) => `${spelled[i]} = ${written(value)} to ${at(output, size.output)}`,
    );
    return `${name} is ${inputs[n]}; it adds ${added.join(", ")}.`;
  }

  const matrix_name = (scene) => (is_forward(scene) ? "C" : "Cᵀ");

  function summary(scene) {
    const { mode, size, links, stride, padding, laid } = scene;
    const [rows, columns] = [count_of(size.output), count_of(size.input)];
    const products = rows * count_of(size.weight);
    const way = {
      forward: `a window of ${by(size.weight)} weights slides on, ${stride} at a time`,
      transposed: `each input stamps the kernel, ${stride} apart, and stamps add up`,
      zero_insertion: `the flipped kernel slides over ${by(size.field)} inputs and zeros, 1 at a time; \
${products - links.length} of ${products} products are by zero`,
      polyphase: `${scene.phases.length} of ${stride ** size.input.length} phases have a sub-kernel; \
each makes every output of its letter`,
    }[mode];
    const crop = padding && laid === "output" ? `; padding crops ${padding} at each end` : "";
    return `${by(size.input)} inputs become ${by(size.output)} outputs: ${way}${crop}. \
${matrix_name(scene)} has ${rows} rows and ${columns} columns; \
${links.length} of its ${rows * columns} entries are weights.`;
  }

  // ---- Drawing ----

  // A table of things under a title. A thing brings the text of its cell, and its hue and phase.
  function panel(point) {
    const title = make("p");
    let [things, columns] = [[], 1];
    const thing = (row, column) => things[row * columns + column];
    const onpoint = (row, column) => row !== null && point(thing(row, column));
    const table = grid({ label: "", onpoint });

    function show(words, size, shown) {
      [things, columns] = [shown, size.at(-1)];
      title.textContent = table.element.ariaLabel = words;
      const texts = things.map(({ text }) => text);
      table.element.style.setProperty("--digits", Math.max(...texts.map((text) => text.length)));
      const rows = range(0, texts.length / columns).map((row) =>
        texts.slice(row * columns, (row + 1) * columns),
      );
      table.fill(rows, { text: String, names: (row, column) => thing(row, column).name });
      things.forEach(({ kind, hue, phase = "" }, n) => {
        const cell = table.cell(Math.floor(n / columns), n % columns);
        Object.assign(cell.dataset, { kind, phase });
        cell.style.setProperty("--hue", hue ?? "");
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

  const EDGE = 24; // px of the bars along the matrix, at which whole columns and rows are pointed at

  // The matrix: each weight where it stands, in its hue, with a number where there is room.
  function matrix(point) {
    const [title, svg] = [make("p"), make("svg:svg", { role: "img", class: "upconv-matrix" })];
    const path = (of, d = "") => make("svg:path", { class: of, d });
    const [band, framed] = [path("band"), path("framed")];
    let [scene, rows, columns, side] = [];

    const box = (x, y, width, height) => `M${x} ${y}h${width}v${height}h${-width}z`;
    const x_of = ({ input }) => EDGE + input * side;
    const y_of = ({ output }) => EDGE + output * side;
    const boxes = (links) => links.map((link) => box(x_of(link), y_of(link), side, side)).join("");

    function show(next, hues) {
      scene = next;
      [rows, columns] = [count_of(scene.size.output), count_of(scene.size.input)];
      side = Math.max(5, Math.min(22, Math.floor(440 / columns), Math.floor(420 / rows)));
      const [width, height] = [columns * side, rows * side];
      const taps = hues.map((hue, tap) => {
        const drawn = path("tap", boxes(scene.links.filter(({ weight }) => weight === tap)));
        drawn.style.setProperty("--hue", hue);
        return drawn;
      });
      const text = (words, x, y) => make("svg:text", { x, y, "font-size": side * 0.62 }, words);
      const numbers = side < 14 ? [] : scene.links;
      title.textContent = `${matrix_name(scene)}, ${rows}×${columns}: rows are outputs, columns are inputs`;
      svg.ariaLabel = `The matrix ${title.textContent}`;
      svg.setAttribute("viewBox", `0 0 ${width + EDGE + 1} ${height + EDGE + 1}`);
      svg.style.width = `${width + EDGE + 1}px`;
      svg.replaceChildren(
        path("edge", box(EDGE, 1, width, EDGE) + box(1, EDGE, EDGE, height)),
        band,
        ...taps,
        ...numbers.map((link) => text(written(link.w), x_of(link) + side / 2, y_of(link) + side / 2)),
        framed,
        path("frame", box(EDGE, EDGE, width, height)),
      );
    }

    function mark(taking, { kind, n }) {
      const along = EDGE + n * side;
      const bands = {
        output: box(1, along, EDGE + columns * side, side),
        input: box(along, 1, side, EDGE + rows * side),
      };
      band.setAttribute("d", bands[kind] ?? "");
      framed.setAttribute("d", boxes(taking));
    }

    // Inside, the pointer means what the steps go through: a row, or a stamp's column.
    function follow(event) {
      const { left, top, width } = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / width;
      const [column, row] = [event.clientX - left, event.clientY - top].map((from) =>
        Math.floor((from * scale - EDGE) / side),
      );
      const kind = column < 0 ? "output" : row < 0 ? "input" : scene.walker;
      const [n, most] = kind === "output" ? [row, rows] : [column, columns];
      if (n >= 0 && n < most) point({ kind, n });
    }
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    const element = make("div", { class: "upconv-panel" }, title, svg);
    return { element, show, mark };
  }

  // ---- The explorable ----

  function render({ model, el }) {
    let [weights, chosen, steps, timer, scene, seen] = [[], 0, 0];
    let [old, target] = [model.all(), { kind: "output", n: model.get("focus") }];
    if (old.mode === "transposed") target.kind = "input";
    model.set({ weight: 1, row: 0, column: 0 });

    const settings_of = { mode: 0, axes: 0, ...ENDS };
    const sliders = Object.keys(ENDS).map((name) => ({
      ...slider({ model, name, label: name, text: String }),
      name,
    }));
    const options = Object.keys(MODES).map((mode) => [mode, mode.replace("_", " ")]);
    const modes = choice({ model, name: "mode", label: "Mode", options });
    const axes = choice({ model, name: "axes", label: "Axes", options: [[1, "1-D"], [2, "2-D"]] });
    const weigh = slider({ model, name: "weight", label: "weight", min: -9, max: 9, text: written });
    const row = slider({ model, name: "row", label: "row", text: String });
    const column = slider({ model, name: "column", label: "column", text: String });
    const play = button("Play", () => (timer ? pause() : run()));
    const back = button("Back", () => go(steps - 1));
    const step = button("Step", () => go((steps % scene.order.length) + 1));
    const counter = make("span");
    const [what, spelled, said] = [make("p"), make("p", { class: "upconv-sum" }), announcer()];

    const [input, field, kernel, output] = range(0, 4).map(() => panel(point));
    const [parts, drawing] = [make("div", { class: "upconv-stage upconv-operator" }), matrix(point)];
    let shown = [];
    kernel.element.append(weigh.element);
    drawing.element.append(make("div", { class: "upconv-controls" }, row.element, column.element));

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
      spelled.textContent = sentence(scene, thing, taking);
      if (!timer) said.say(spelled.textContent);
      if (thing.kind === "weight") choose(thing.n);
      else if (thing.kind !== "rest") model.set(thing.kind === "output" ? "row" : "column", thing.n);
    }

    function choose(tap) {
      chosen = tap;
      weigh.element.firstChild.textContent = `weight ${at(tap, scene.size.weight)}`;
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
      if (timer) clearTimeout(timer);
      timer = 0;
      play.textContent = "Play";
    }

    // Slow for those who want no motion; it never starts by itself.
    function run() {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      const wait = calm ? 2000 : Math.min(700, Math.max(150, 20000 / scene.order.length));
      const tick = () => {
        if (!el.isConnected || steps === scene.order.length) return go(steps);
        timer = setTimeout(tick, wait);
        walk(steps + 1);
      };
      if (steps === scene.order.length) steps = 0;
      play.textContent = "Pause";
      tick();
    }

    // ---- Showing ----

    const hue = (n, count) => Math.round((360 * n) / count);
    const things = (kind) => range(0, count_of(scene.size[kind])).map((n) => ({ kind, n, place: n }));
    const finished = (thing, text, more) => {
      const { kind, n, rest } = thing;
      const name = rest ? `${rest} ${text}` : `${kind} ${at(n, scene.size[kind])}: ${text || "not yet"}`;
      return { ...thing, text, name, ...more };
    };

    function show_output() {
      const { mode, size, field, laid, order, walker, padding, stride } = scene;
      const all = sums(scene, walker === "input" ? steps : Infinity);
      const done = new Set(order.slice(0, steps));
      const hidden = (n) => walker === "output" && steps < order.length && !done.has(n);
      const cells = (laid === "output" ? field : things("output")).map((thing) => {
        const text = hidden(thing.rest ? -1 : thing.n) ? "" : written(all[thing.place]);
        if (mode !== "polyphase") return finished(thing, text);
        const phase = phase_at(scene, thing.place);
        return finished(thing, text, { phase: letter(phase), hue: hue(phase, stride ** size.input.length) });
      });
      const more = padding && laid === "output" ? ", and what is cropped" : "";
      output.show(`Output, ${by(size.output)}${more}`, laid === "output" ? size.field : size.output, cells);
      counter.textContent = `${steps} of ${order.length}`;
    }

    function show() {
      const { mode, size, field: laid_on, laid, phases: found, stride, padding } = scene;
      const spread = mode === "zero_insertion";
      const colour = (tap) => {
        const own = found.find(({ taps }) => taps.includes(tap));
        return own ? hue(own.number, stride ** size.input.length) : hue(tap, weights.length);
      };
      const weighted = (thing) =>
        finished(thing, written(weights[thing.n]), { hue: colour(thing.n) });
      const given = (thing) =>
        finished(thing, thing.rest ? REST[thing.rest][0] : `${scene.inputs[thing.n]}`);
      const padded = laid === "input" && !spread;
      input.show(
        `Input, ${by(size.input)}${padded && padding ? ", padded" : ""}`,
        padded ? size.field : size.input,
        (padded ? laid_on : things("input")).map(given),
      );
      const taps = things("weight").map(weighted);
      kernel.show(`Kernel, ${by(size.weight)}${spread ? ", flipped" : ""}`, size.weight, spread ? taps.reverse() : taps);
      shown = [input, kernel, output];
      if (spread) {
        field.show(`Inputs and zeros, ${by(size.field)}`, size.field, laid_on.map(given));
        shown.splice(1, 0, field);
      }
      const subkernels = found.map(({ number, size, taps }) => {
        const part = panel(point);
        part.show(letter(number), size, taps.map((n) => weighted({ kind: "weight", n })));
        return part;
      });
      shown.splice(2, 0, ...subkernels);
      parts.replaceChildren(...shown.map(({ element }) => element), drawing.element);
      show_output();
      drawing.show(scene, weights.map((_, tap) => colour(tap)));
      what.textContent = summary(scene);
    }

    function update() {
      const settings = model.all();
      const now = JSON.stringify([...Object.keys(settings_of).map((name) => settings[name]), weights]);
      if (now === seen) return;
      pause();
      if (settings.mode !== old.mode || settings.axes !== old.axes) {
        const fitting = turned(settings, old);
        old = { ...fitting };
        model.set(fitting);
        return update();
      }
      const count = settings.kernel ** settings.axes;
      if (weights.length !== count) [weights, chosen] = [range(1, count + 1), 0];
      old = settings;
      scene = scene_of(settings, weights);
      seen = JSON.stringify([...Object.keys(settings_of).map((name) => settings[name]), weights]);
      for (const one of sliders) one.bound(...ends(settings, one.name));
      row.bound(0, count_of(scene.size.output) - 1);
      column.bound(0, count_of(scene.size.input) - 1);
      steps = scene.order.length;
      show();
      choose(chosen);
      const { kind } = target;
      light(kind === "rest" ? { kind: "output", n: 0 } : { kind, n: Math.min(target.n, count_of(scene.size[kind]) - 1) });
      said.say(what.textContent);
    }

    el.append(
      make("div", { class: "upconv-controls" }, modes.element, axes.element),
      make("div", { class: "upconv-controls" }, ...sliders.map(({ element }) => element)),
      what,
      parts,
      spelled,
      make("div", { class: "upconv-controls" }, back, play, step, counter),
      said.element,
    );
    for (const name of Object.keys(settings_of)) model.on(`change:${name}`, update);
    model.on("change:row", () => light({ kind: "output", n: model.get("row") }));
    model.on("change:column", () => light({ kind: "input", n: model.get("column") }));
    model.on("change:weight", () => {
      weights = weights.with(chosen, model.get("weight"));
      update();
    });
    update();
  }

  upconv.explorable("operator", { render });
})();

// Overlap and phases: how many stamps meet in each phase of the output, what their taps add up to,
// what becomes of a constant and of a ramp, and the remedies for a grid.
//
// One kernel, from one channel to one, stands in every layer. Each layer crops what its border
// reaches, so the pictures show what repeats for ever.

"use strict";
(() => {
  const A = upconv.arithmetic;
  const { make, slider, choice, button, announcer, grid, picture } = upconv.ui;
  const MOST_TAPS = 6;
  const MOST_LAYERS = { 1: 3, 2: 3, 3: 2 }; // by stride: a period of 9 can still be read

  const list = (length, entry) => Array.from({ length }, (_, n) => entry(n));
  const rows_of = (values, width) =>
    list(values.length / width, (n) => [...values].slice(n * width, (n + 1) * width));
  const tidy = (value) => (Math.abs(value) < 1e-9 ? 0 : value); // what rounding leaves of 0
  const short = (value) => A.number(Math.round(1000 * value) / 1000);
  const even = (values) => Math.max(...values) - Math.min(...values) < 1e-9;

  // ---- Weights ----

  const kernel_of = (k, { axes }) => Array(axes).fill(k);
  const weight_of = (taps, k, now) => A.tensor([1, 1, ...kernel_of(k, now)], taps);

  // Uniform with the bound that torch takes for one channel, times `scale`; with two decimals, so
  // that the taps that are read are those that are computed with.
  function drawn(k, now, scale = 1) {
    const uniform = A.random(now.seed);
    const bound = scale / Math.sqrt(k ** now.axes);
    const draw = () => Math.round(100 * uniform(-bound, bound)) / 100;
    return weight_of(list(k ** now.axes, draw), k, now);
  }

  // The taps that stand there, in a kernel of another size or for another number of axes: from one
  // to two by the outer product, back by what an image of equal rows meets. So an interpolation
  // stays one.
  function fitted(now) {
    const { axes, kernel, stride, taps, held } = now;
    const at = (row, column) => (row < held.kernel && column < held.kernel ? taps[row * held.kernel + column] : 0);
    const across = list(kernel, (n) => n);
    const line = (row) => across.map((column) => at(row, column));
    let fit = axes === 2 ? across.flatMap(line) : line(0);
    if (taps.length === kernel ** axes) fit = taps;
    else if (axes > held.axes) fit = across.flatMap((row) => taps.map((tap) => tap * taps[row]));
    else if (axes < held.axes) fit = across.map((n) => across.reduce((sum, row) => sum + at(row, n), 0) / stride);
    return weight_of(fit, kernel, now);
  }

  const ones = (now) => weight_of(list(now.kernel ** now.axes, () => 1), now.kernel, now);

  // How weights are made from the settings; with which kernels and strides they cannot be.
  const WEIGHTS = {
    ones: { name: "ones", made: ones },
    torch: { name: "random (torch)", random: true, made: (now) => drawn(now.kernel, now) },
    keras: { name: "random (Keras)", random: true, made: (now) => drawn(now.kernel, now, Math.sqrt(3)) },
    hand: { name: "by hand", made: fitted },
    bilinear: {
      name: "bilinear",
      made: (now) => A.bilinear_(ones(now), now.stride),
      bars: (k, s) => Math.ceil(k / 2) !== s,
    },
    icnr: {
      name: "ICNR",
      random: true,
      made: (now) => A.interpolate(drawn(now.kernel / now.stride, now), { scale_factor: now.stride }),
      bars: (k, s) => k % s,
    },
    resize: {
      name: "nearest, then random",
      random: true,
      made: (now) => A.collapse(drawn(now.kernel - now.stride + 1, now), now.stride).weight,
      bars: (k, s) => k < s,
    },
  };

  const divisible = ({ kernel, stride }) => ({ kernel: Math.ceil(kernel / stride) * stride });

  const projected = (onto) => (now) => ({
    weights: "hand",
    taps: [...A.project(weight_of(now.taps, now.kernel, now), now.stride, onto).data],
  });

  // w and then the box is nearest upsampling and then flipped w, see the theorem on blurs.
  function blurred(now) {
    const { axes, kernel, stride, taps } = now;
    const { data } = A.collapse(A.flipped(weight_of(taps, kernel, now)), stride).weight;
    return { weights: "hand", kernel: kernel + stride - 1, taps: [...data].map((tap) => tap / stride ** axes) };
  }

  const REMEDIES = [
    ["Divisible kernel", divisible, "As many taps in every phase. What they add up to is another matter."],
    [
      "Resize, convolve",
      ({ kernel, stride }) => ({ weights: "resize", kernel: Math.max(kernel, stride) }),
      "Nearest upsampling, then random taps, as one kernel: no grid on a constant, whatever is drawn.",
    ],
    [
      "ICNR",
      (now) => ({ weights: "icnr", ...divisible(now) }),
      "Every phase starts with the same random taps. Nothing holds them together: change one.",
    ],
    [
      "Bilinear",
      ({ kernel, stride }) => ({ weights: "bilinear", kernel: 2 * stride - (kernel < 2 * stride) }),
      "A tent along each axis: constants stay constants, ramps stay ramps.",
    ],
    ["Project: flat", projected("flat"), "The nearest kernel whose phases all add up to the same."],
    [
      "Project: factorable",
      projected("factorable"),
      "The nearest kernel that nearest upsampling and a convolution can make.",
    ],
    ["Blur after", blurred, "A box of s taps 1/s behind, in one kernel. A second blur mends ramps, too."],
  ];

  // ---- What the layers do ----

  // What they make of an input that holds value(place, size): `side` pixels along each axis.
  function response(now, weight, side, value) {
    const { axes, kernel, stride, layers } = now;
    const crop = Math.max(kernel - stride, 0);
    const before = (size) => Math.ceil((size - kernel + 2 * crop) / stride) + 1;
    const size = list(layers, () => before).reduce((n, step) => step(n), side);
    const geometry = new A.Geometry({ kernel: kernel_of(kernel, now), stride, padding: crop });
    const values = list(size ** axes, (n) => value((Math.floor(n / size) * (axes - 1) + (n % size)) / axes, size));
    let x = weight_of(values, size, now);
    for (let n = 0; n < layers; n++) x = A.conv_transpose(x, weight, geometry);
    const width = x.shape.at(-1);
    return weight_of(x.data.filter((_, n) => n % width < side && n < side * width), side, now);
  }

  const constant = () => 1;
  const ramp = (place, size) => place / Math.max(size - 1, 1);

  function measured(now) {
    const { kernel, stride, layers, taps } = now;
    const weight = weight_of(taps, kernel, now);
    const geometry = new A.Geometry({ kernel: kernel_of(kernel, now), stride });
    let composed = weight; // of all layers, seen from the first
    for (let n = 1; n < layers; n++) composed = A.conv_transpose(composed, weight, geometry);
    const period = stride ** layers;
    const side = period < 5 ? 24 : 4 * period;
    const answers = [constant, ramp].map((value) => response(now, weight, side, value));
    return {
      period,
      side,
      counts: A.overlap(geometry.kernel, stride, layers).data,
      gains: A.phase_gains(composed, period).data.map(tidy),
      imbalance: tidy(A.imbalance(composed, period)),
      answers: answers.map(({ data }) => data),
      grids: answers.map((answer) => tidy(A.relative_grid(answer, period)[0])),
    };
  }

  // What is seen, in words.
  function told({ layers }, { counts, gains, grids }) {
    const between = (values) => {
      const ends = [Math.min(...values), Math.max(...values)].map(short);
      return ends[0] === ends[1] ? ends[0] : ends.join(" to ");
    };
    const word = (values) => (even(values) ? "even" : "uneven");
    const [met, sums] = layers > 1 ? ["ways to", "products"] : ["stamps in", "taps"];
    const [flat, rise] = grids.map((share) => (share ? `a grid, ${A.number(share)} of the answer` : "no grid"));
    return (
      `${between(counts)} ${met} each pixel: the counts are ${word(counts)}. Their ${sums} add up to ` +
      `${between(gains)}: the sums are ${word(gains)}. A constant gets ${flat}; a ramp gets ${rise}.`
    );
  }

  // ---- The parts of the figure ----

  function panel(kind, ...content) {
    const heading = make("p");
    return { heading, element: make("div", { class: `upconv-panel ${kind}` }, heading, ...content) };
  }

  // The taps as fields; the one that is being written in is left alone.
  function tap_fields(onedit) {
    const body = make("tbody");
    const element = make("table", { class: "upconv-grid upconv-taps", "aria-label": "Taps of the kernel" }, body);
    let fields = [];
    let shown;
    function field(n, name) {
      const input = make("input", { type: "number", step: 0.1, "aria-label": `tap ${name}` });
      input.addEventListener("input", () => {
        const value = Math.round(1e6 * input.valueAsNumber) / 1e6;
        if (Math.abs(value) <= 100) onedit(n, value);
      });
      input.addEventListener("blur", () => show(...shown));
      return input;
    }
    function show(taps, width) {
      if (fields.length !== taps.length || shown[1] !== width) {
        fields = taps.map((_, n) => field(n, width < taps.length ? `${Math.floor(n / width)}, ${n % width}` : n));
        const cells = fields.map((input) => make("td", {}, input));
        body.replaceChildren(...rows_of(cells, width).map((row) => make("tr", {}, ...row)));
      }
      shown = [taps, width];
      const largest = Math.max(...taps.map(Math.abs)) || 1;
      fields.forEach((input, n) => {
        if (input !== document.activeElement) input.value = Number(tidy(taps[n]).toPrecision(3));
        input.parentNode.style.setProperty("--tint", Math.abs(taps[n]) / largest);
        input.parentNode.classList.toggle("minus", taps[n] < 0);
      });
    }
    const mark = (lit) => fields.forEach((input, n) => (input.parentNode.dataset.mark = lit[n] ? "lit" : ""));
    return { element, show, mark };
  }

  // An answer as a picture, and its first row as a line above zero.
  function answer(name) {
    const image = picture({ label: name });
    const [line, zero] = [make("svg:path"), make("svg:path", { class: "upconv-zero" })];
    const profile = make("svg:svg", { "aria-hidden": "true", preserveAspectRatio: "none" }, zero, line);
    const { heading, element } = panel("upconv-answer", image.element, profile);
    const show = (values, side, share) => {
      heading.textContent = `${name}: ${share ? `grid ${A.number(share)}` : "no grid"}`;
      const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
      const pixels = list(side ** 2, (n) => values[n % values.length]); // one axis: equal rows
      image.show(pixels, side, { low, high, label: `What becomes of ${heading.textContent}.` });
      element.style.setProperty("--side", side);
      const height = (value) => (high - value) / (high - low || 1);
      profile.setAttribute("viewBox", `0 -0.05 ${side} 1.1`);
      zero.setAttribute("d", `M0 ${height(0)}h${side}`);
      line.setAttribute("d", pixels.slice(0, side).map((value, n) => `${n ? "V" : "M0 "}${height(value)}h1`).join(""));
    };
    return { element, show };
  }

  // ---- The figure ----

  function render({ model, el }) {
    let held = {}; // axes and kernel of the taps
    let made; // the settings that they were made for
    let found;
    let chosen = [0, 0];
    const state = () => ({ ...model.all(), held });

    const { seed } = model.all();
    const begin = (text, settings) => button(text, () => model.set({ stride: 2, layers: 1, ...settings }));
    const layers = slider({ model, name: "layers", label: "Layers", min: 1, max: 3 });
    const again = button("Draw again", () => model.set("seed", model.get("seed") + 1));
    const note = make("p", { class: "upconv-note" });
    const remedies = REMEDIES.map(([name, act, words]) =>
      button(name, () => {
        model.set(act(state()));
        note.textContent = words;
      }),
    );
    const sentence = make("p", { class: "upconv-told" });
    const said = announcer();
    const sum = make("p");
    const onpoint = (row, column) => {
      if (row === null) return;
      chosen = [row, column];
      show_phase();
    };
    const counts = grid({ label: "Stamps that meet in each phase", onpoint });
    const gains = grid({ label: "Sum of the taps of each phase", onpoint });
    const fields = tap_fields((n, tap) => model.set({ weights: "hand", taps: model.get("taps").with(n, tap) }));
    const counted = panel("", counts.element);
    const summed = panel("", gains.element);
    const tapped = panel("upconv-kernel", fields.element);
    const answers = ["A constant", "A ramp"].map(answer);

    // Which taps a phase sums. It stays chosen when the pointer or the focus has left it.
    function show_phase() {
      const { axes, kernel, stride, layers, taps } = model.all();
      const [row, column] = (chosen = [axes === 2 ? chosen[0] % found.period : 0, chosen[1] % found.period]);
      for (const table of [counts, gains]) table.mark((r, c) => (r === row && c === column ? "lit" : ""));
      const lit = taps.map(
        (_, n) => layers === 1 && Math.floor(n / kernel) % stride === row && (n % kernel) % stride === column,
      );
      fields.mark(lit);
      const at = row * found.period + column;
      const terms = taps.filter((_, n) => lit[n]).map((tap) => short(tap));
      if (terms.length > 9) terms.splice(8, terms.length, "…");
      const added = layers > 1 ? `the products of the taps on ${found.counts[at]} ways add up to` : terms.join(" + ") + " =";
      const name = axes === 2 ? `(${row}, ${column})` : column;
      sum.textContent = `Phase ${name}: ${added.replaceAll("+ −", "− ")} ${short(found.gains[at])}.`;
    }

    function draw() {
      const now = state();
      found = measured(now);
      const { period, side, imbalance } = found;
      const largest = (values) => Math.max(...values.map(Math.abs)) || 1;
      for (const [table, values] of [[counts, found.counts], [gains, found.gains]])
        table.fill(rows_of(values, period), { text: short, tint: (value) => value / largest(values) });
      counted.heading.textContent = `Stamps that meet: ${even(found.counts) ? "even" : "uneven"}`;
      summed.heading.textContent = `Sum of their taps: ${imbalance ? `uneven, imbalance ${A.number(imbalance)}` : "even"}`;
      tapped.heading.textContent = `Taps, k = ${now.kernel}: ${WEIGHTS[now.weights].name}`;
      fields.show(now.taps, now.kernel);
      answers.forEach(({ show }, n) => show(found.answers[n], side, found.grids[n]));
      again.disabled = !WEIGHTS[now.weights].random;
      remedies.at(-1).disabled = now.kernel + now.stride - 1 > MOST_TAPS;
      note.textContent = "Press one, and read here what it has done.";
      sentence.textContent = told(now, found);
      said.say(sentence.textContent);
      show_phase();
    }

    // Makes the taps anew where what they depend on has changed, then draws.
    function settle() {
      const now = state();
      const { axes, kernel, stride } = now;
      const weights = WEIGHTS[now.weights].bars?.(kernel, stride) ? "hand" : now.weights;
      const settings = [axes, kernel, stride, now.seed, weights].join();
      if (settings === made) return draw();
      made = settings;
      const taps = [...WEIGHTS[weights].made(now).data];
      held = { axes, kernel };
      layers.bound(1, MOST_LAYERS[stride]);
      model.set({ weights, taps });
    }

    const row = (...content) => make("div", { class: "upconv-controls" }, ...content);
    const group = (label, ...content) =>
      make("div", { class: "upconv-choice", role: "group", "aria-label": label }, make("span", {}, label), ...content);
    const kinds = ["ones", "torch", "keras", "hand"].map((kind) => [kind, WEIGHTS[kind].name]);
    el.append(
      group(
        "Begin with",
        begin("k = 4, random", { kernel: 4, weights: "torch", seed }),
        begin("k = 3, (½, 1, ½)", { kernel: 3, weights: "bilinear" }),
      ),
      row(
        slider({ model, name: "kernel", label: "Kernel k", min: 1, max: MOST_TAPS }).element,
        slider({ model, name: "stride", label: "Stride s", min: 1, max: 3 }).element,
        layers.element,
        choice({ model, name: "axes", label: "Axes", options: [[1, "one"], [2, "two"]] }).element,
      ),
      row(choice({ model, name: "weights", label: "Weights", options: kinds }).element, again),
      group("Remedies", ...remedies),
      note,
      sentence,
      make(
        "div",
        { class: "upconv-stage" },
        make("div", { class: "upconv-tables" }, counted.element, summed.element, sum),
        ...answers.map(({ element }) => element),
      ),
      tapped.element,
      said.element,
    );
    model.on("change", settle);
    settle();
  }

  upconv.explorable("overlap", { render });
})();

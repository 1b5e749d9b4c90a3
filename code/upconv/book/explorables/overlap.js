// Overlap and phases: how many stamps meet in each phase of the output, what their taps add up to,
// what becomes of a constant and of a ramp, and the remedies for a grid. One kernel, from one
// channel to one, stands in every layer.

"use strict";
(() => {
  const A = upconv.arithmetic;
  const { make, slider, choice, button, announcer, grid, picture } = upconv.ui;
  const MOST_TAPS = 6;
  const MOST_LAYERS = { 1: 3, 2: 3, 3: 2 }; // by stride: a period of 9 can still be read

  const list = (length, entry) => Array.from({ length }, (_, n) => entry(n));
  const rows_of = (values, width) =>
    list(values.length / width, (n) => [...values.slice(n * width, (n + 1) * width)]);
  // Three decimals; sums that are equal but for rounding are written equally.
  const short = (value) => A.number(Math.round((1000 * value).toPrecision(9)) / 1000);
  const even = (values) => Math.max(...values) - Math.min(...values) < 1e-9;
  const cube = (axes, n) => Array(axes).fill(n);
  const tensor = (axes, k, taps) => A.tensor([1, 1, ...cube(axes, k)], taps);
  const weight_of = ({ axes, kernel, taps }) => tensor(axes, kernel, taps);

  // ---- Weights ----

  // Uniform with the bound that torch takes for one channel, times `scale`; with two decimals, so
  // that the taps that are read are those that are computed with.
  function drawn({ axes, seed }, k, scale = 1) {
    const uniform = A.random(seed);
    const bound = scale / Math.sqrt(k ** axes);
    const draw = () => Math.round(100 * uniform(-bound, bound)) / 100;
    return tensor(axes, k, list(k ** axes, draw));
  }

  const ones = ({ axes, kernel }) => tensor(axes, kernel, cube(kernel ** axes, 1));

  // The taps that stand there, cut or filled up with zeros. From one axis to two by the outer
  // product, back by what an image of equal rows meets: so an interpolation stays one.
  function fitted({ axes, kernel, stride, taps, taps_axes }) {
    const old = Math.round(taps.length ** (1 / taps_axes));
    const at = (row, n) => (row < old && n < old ? taps[row * old + n] : 0);
    const sum = (n) => list(old, (row) => at(row, n)).reduce((one, other) => one + other);
    if (axes > taps_axes) return { data: taps.flatMap((one) => taps.map((tap) => one * tap)) };
    if (axes < taps_axes) return { data: list(kernel, (n) => sum(n) / stride) };
    return { data: list(kernel ** axes, (n) => at(Math.floor(n / kernel), n % kernel)) };
  }

  // How weights are made from the settings, and for which kernels and strides they cannot be.
  const WEIGHTS = {
    ones: { name: "ones", made: ones },
    torch: { name: "random (torch)", random: true, made: (now) => drawn(now, now.kernel) },
    keras: {
      name: "random (Keras)",
      random: true,
      made: (now) => drawn(now, now.kernel, Math.sqrt(3)),
    },
    hand: { name: "by hand", made: fitted },
    bilinear: {
      name: "bilinear",
      made: (now) => A.bilinear_(ones(now), now.stride),
      bars: (k, s) => Math.ceil(k / 2) !== s,
    },
    icnr: {
      name: "ICNR",
      random: true,
      made: (now) => {
        const first = drawn(now, now.kernel / now.stride);
        return A.interpolate(first, { scale_factor: now.stride });
      },
      bars: (k, s) => k % s,
    },
    resize: {
      name: "nearest, then random",
      random: true,
      made: (now) => A.collapse(drawn(now, now.kernel - now.stride + 1), now.stride).weight,
      bars: (k, s) => k < s,
    },
  };

  const divisible = ({ kernel, stride }) => ({ kernel: Math.ceil(kernel / stride) * stride });

  const projected = (onto) => (now) => ({
    weights: "hand",
    taps: [...A.project(weight_of(now), now.stride, onto).data],
  });

  // w and then the box is nearest upsampling and then flipped w: the theorem on blurs.
  function blurred(now) {
    const { axes, kernel, stride } = now;
    const { data } = A.collapse(A.flipped(weight_of(now)), stride).weight;
    const taps = [...data].map((tap) => tap / stride ** axes);
    return { weights: "hand", kernel: kernel + stride - 1, taps };
  }

  const REMEDIES = [
    ["Divisible kernel", divisible, "As many taps in each phase. Their sum is another matter."],
    [
      "Resize, convolve",
      ({ kernel, stride }) => ({ weights: "resize", kernel: Math.max(kernel, stride) }),
      "Nearest, then random taps, as one kernel: no grid on a constant, whatever is drawn.",
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
    ["Blur after", blurred, "A box of s taps 1/s behind, in one kernel. A second mends ramps."],
  ];

  // ---- What the layers do ----

  // What they make of a constant 1 and of a ramp from 0 to 1, `side` pixels along each axis. Each
  // layer crops what its border reaches, so that what is left repeats for ever.
  function responses({ axes, kernel, stride, layers }, weight, side) {
    const crop = Math.max(kernel - stride, 0);
    const paddings = [];
    let size = side;
    for (let n = 0; n < layers; n++) {
      const before = Math.ceil((size - kernel + 2 * crop) / stride) + 1;
      paddings.unshift([crop, (before - 1) * stride + kernel - crop - size]);
      size = before;
    }
    const along = (n) => (axes === 2 ? (Math.floor(n / size) + (n % size)) / 2 : n) / (size - 1);
    const area = size ** axes;
    const plain = [...cube(area, 1), ...list(area, along)];
    return paddings.reduce((x, padding) => {
      const settings = { kernel: cube(axes, kernel), stride, padding: cube(axes, padding) };
      return A.conv_transpose(x, weight, new A.Geometry(settings));
    }, A.tensor([2, 1, ...cube(axes, size)], plain));
  }

  function measured(now) {
    const { axes, kernel, stride, layers } = now;
    const weight = weight_of(now);
    const geometry = new A.Geometry({ kernel: cube(axes, kernel), stride });
    let composed = weight; // of all layers, seen from the first
    for (let n = 1; n < layers; n++) composed = A.conv_transpose(composed, weight, geometry);
    const period = stride ** layers;
    const side = period < 5 ? 24 : 4 * period;
    const answers = responses(now, weight, side);
    return {
      period,
      side,
      counts: [...A.overlap(geometry.kernel, stride, layers).data],
      gains: [...A.phase_gains(composed, period).data],
      imbalance: A.imbalance(composed, period),
      answers: rows_of(answers.data, side ** axes),
      grids: A.relative_grid(answers, period).map((share) => (share < 1e-9 ? 0 : share)),
    };
  }

  const evenness = (values) => (even(values) ? "even" : "uneven");
  const verdict = (share) => (share ? `grid ${A.number(share)}` : "no grid");

  // What is seen, in words.
  function told({ layers }, { counts, gains, grids }) {
    const between = (values, text) =>
      [...new Set([Math.min(...values), Math.max(...values)].map(text))].join(" to ");
    const [met, added] = layers > 1 ? ["ways to", "The products of their"] : ["stamps in", "Their"];
    return (
      `${between(counts, String)} ${met} each pixel: ${evenness(counts)}. ` +
      `${added} taps add up to ${between(gains, short)} in each phase: ${evenness(gains)}. ` +
      `On a constant: ${verdict(grids[0])}; on a ramp: ${verdict(grids[1])}.`
    );
  }

  // ---- The parts of the figure ----

  function panel(kind, ...content) {
    const heading = make("p");
    const element = make("div", { class: `upconv-panel ${kind}` }, heading, ...content);
    return { heading, element };
  }

  // The taps as fields; the one that is being written in is left alone.
  function tap_fields(onedit) {
    const body = make("tbody");
    const label = "Taps of the kernel";
    const element = make("table", { class: "upconv-grid", "aria-label": label }, body);
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
    function show(taps, width, axes) {
      if (fields.length !== taps.length || shown[2] !== axes) {
        const name = (n) => (axes === 2 ? `${Math.floor(n / width)}, ${n % width}` : n);
        fields = taps.map((_, n) => field(n, name(n)));
        const cells = fields.map((input) => make("td", {}, input));
        body.replaceChildren(...rows_of(cells, width).map((row) => make("tr", {}, ...row)));
      }
      shown = [taps, width, axes];
      const largest = Math.max(...taps.map(Math.abs), 1e-9);
      fields.forEach((input, n) => {
        if (input !== document.activeElement) input.value = Math.round(1000 * taps[n]) / 1000;
        input.parentNode.style.setProperty("--tint", Math.abs(taps[n]) / largest);
        input.parentNode.classList.toggle("minus", taps[n] < 0);
      });
    }
    const mark = (lit) =>
      fields.forEach((input, n) => {
        input.parentNode.dataset.mark = lit[n] ? "lit" : "";
      });
    return { element, show, mark };
  }

  // An answer as a picture, and its first row as a line above zero.
  function answer(name) {
    const image = picture({ label: name });
    const [line, zero] = [make("svg:path"), make("svg:path", { class: "upconv-zero" })];
    const hidden = { "aria-hidden": "true", preserveAspectRatio: "none" };
    const profile = make("svg:svg", hidden, zero, line);
    const { heading, element } = panel("upconv-answer", image.element, profile);
    const show = (values, side, share) => {
      heading.textContent = `${name}: ${verdict(share)}`;
      const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
      const pixels = list(side ** 2, (n) => values[n % values.length]); // one axis: equal rows
      image.show(pixels, side, { low, high, label: `What becomes of ${heading.textContent}.` });
      element.style.setProperty("--side", side);
      const height = (value) => (high - value) / (high - low || 1);
      profile.setAttribute("viewBox", `0 -0.05 ${side} 1.1`);
      zero.setAttribute("d", `M0 ${height(0)}h${side}`);
      const steps = list(side, (n) => `V${height(values[n])}h1`).join("");
      line.setAttribute("d", `M0 ${height(values[0])}${steps}`);
    };
    return { element, show };
  }

  // ---- The figure ----

  function render({ model, el }) {
    let taps_axes = 1;
    let made; // the settings for which the taps were made
    let found;
    let chosen = [0, 0];
    const state = () => ({ ...model.all(), taps_axes });

    const { seed } = state();
    const begin = (text, kernel, weights) =>
      button(text, () => model.set({ stride: 2, layers: 1, seed, kernel, weights }));
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
    const fields = tap_fields((n, tap) => {
      model.set({ weights: "hand", taps: model.get("taps").with(n, tap) });
    });
    const counted = panel("", counts.element);
    const summed = panel("", gains.element);
    const tapped = panel("upconv-kernel", fields.element);
    const answers = ["A constant", "A ramp"].map(answer);

    // Which taps a phase sums. It stays chosen when the pointer or the focus has left it.
    function show_phase() {
      const { axes, kernel, stride, layers, taps } = state();
      const { period } = found;
      const [row, column] = [axes === 2 ? chosen[0] % period : 0, chosen[1] % period];
      const is_chosen = (r, c) => r === row && c === column;
      for (const { mark } of [counts, gains]) mark((...at) => (is_chosen(...at) ? "lit" : ""));
      const lit = taps.map(
        (_, n) => layers === 1 && is_chosen(Math.floor(n / kernel) % stride, (n % kernel) % stride),
      );
      fields.mark(lit);
      const at = row * period + column;
      const terms = taps.filter((_, n) => lit[n]).map(short);
      if (terms.length > 9) terms.splice(8, terms.length, "…");
      const added =
        layers > 1
          ? `the products on ${found.counts[at]} ways add up to`
          : `${terms.join(" + ").replaceAll("+ −", "− ") || "no taps"} =`;
      const name = axes === 2 ? `(${row}, ${column})` : column;
      sum.textContent = `Phase ${name}: ${added} ${short(found.gains[at])}.`;
    }

    function draw() {
      const now = state();
      found = measured(now);
      const fill = (table, values, text) => {
        const largest = Math.max(...values.map(Math.abs), 1e-9);
        table.fill(rows_of(values, found.period), { text, tint: (value) => value / largest });
      };
      fill(counts, found.counts, String);
      fill(gains, found.gains, short);
      const imbalance = even(found.gains) ? "" : `, imbalance ${A.number(found.imbalance)}`;
      counted.heading.textContent = `Stamps that meet: ${evenness(found.counts)}`;
      summed.heading.textContent = `Sum of their taps: ${evenness(found.gains)}${imbalance}`;
      tapped.heading.textContent = `Taps, k = ${now.kernel}: ${WEIGHTS[now.weights].name}`;
      fields.show(now.taps, now.kernel, now.axes);
      answers.forEach(({ show }, n) => show(found.answers[n], found.side, found.grids[n]));
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
      taps_axes = axes;
      layers.bound(1, MOST_LAYERS[stride]);
      model.set({ weights, taps });
    }

    const block = (kind, ...content) => make("div", { class: `upconv-${kind}` }, ...content);
    const group = (label, ...content) => {
      const attributes = { class: "upconv-choice", role: "group", "aria-label": label };
      return make("div", attributes, make("span", {}, label), ...content);
    };
    const kinds = ["ones", "torch", "keras", "hand"].map((kind) => [kind, WEIGHTS[kind].name]);
    el.append(
      group(
        "Begin with",
        begin("k = 4, random", 4, "torch"),
        begin("k = 3, (½, 1, ½)", 3, "bilinear"),
      ),
      block(
        "controls",
        slider({ model, name: "kernel", label: "Kernel k", min: 1, max: MOST_TAPS }).element,
        slider({ model, name: "stride", label: "Stride s", min: 1, max: 3 }).element,
        layers.element,
        choice({ model, name: "axes", label: "Axes", options: [[1, "one"], [2, "two"]] }).element,
      ),
      block(
        "controls",
        choice({ model, name: "weights", label: "Weights", options: kinds }).element,
        again,
      ),
      group("Remedies", ...remedies),
      note,
      sentence,
      block(
        "stage",
        block("tables", counted.element, summed.element, sum),
        ...answers.map(({ element }) => element),
        tapped.element,
      ),
      said.element,
    );
    model.on("change", settle);
    settle();
  }

  upconv.explorable("overlap", { render });
})();

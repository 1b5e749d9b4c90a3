// Draw and reconstruct: what every head of the Keras autoencoder makes of a picture, and of a
// constant latent, at several moments of its training. Weights come in scripts of their own.

"use strict";
(() => {
  const { Geometry, tensor, conv, conv_transpose, max_pool, interpolate, grid_energy } =
    upconv.arithmetic;
  const { make, slider, choice, button, announcer, picture } = upconv.ui;

  const SIDE = 28;
  const BUSY = 8; // milliseconds of a frame that the heads may take
  const [FIELD, PERIOD, PIECE] = [7, 8, 24]; // latents along an axis; pixels that repeat, and shown
  const ENLARGED = 60 / 255; // from black to white where the answer to a constant is shown

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  // ---- The heads ----

  const bytes_of = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  // Takes one tensor after the other: each is a scale, then 24 bits for each number.
  function reader(text) {
    const view = new DataView(bytes_of(text).buffer);
    let at = 0;
    return (shape) => {
      const scale = view.getFloat32(at, true);
      const count = shape.reduce((product, n) => product * n, 1);
      // The 32 bits begin one byte early, and the shift drops that byte.
      const number = (_, n) => scale * (view.getInt32(at + 3 + 3 * n, true) >> 8);
      const data = Array.from({ length: count }, number);
      at += 4 + 3 * count;
      return tensor(shape, data);
    };
  }

  const LAYERS = {
    conv: ({ geometry }, weight, bias) => (x) => conv(x, weight, geometry, bias),
    conv_transpose: ({ geometry }, weight, bias) => (x) => conv_transpose(x, weight, geometry, bias),
    max_pool: ({ geometry }) => (x) => max_pool(x, geometry).values,
    interpolate: ({ mode }) => (x) => interpolate(x, { scale_factor: 2, mode }),
    // The last row and column: padding cuts them off a layer that changes nothing else.
    crop: () => (x) => {
      const groups = x.shape[1];
      const ones = tensor([groups, 1, 1, 1], Array(groups).fill(1));
      const end = [0, 1];
      return conv_transpose(x, ones, new Geometry({ kernel: [1, 1], padding: [end, end], groups }));
    },
    // Each channel becomes one tap of a stamp of 2 by 2; the tap is the slow part of its number.
    depth_to_space: () => (x) => {
      const channels = x.shape[1] / 4;
      const stamps = Array.from({ length: 16 * channels ** 2 }, (_, n) => {
        const [tap, out] = [n % 4, Math.floor(n / 4) % channels];
        return Number(Math.floor(n / 4 / channels) === tap * channels + out);
      });
      const weight = tensor([4 * channels, channels, 2, 2], stamps);
      return conv_transpose(x, weight, new Geometry({ kernel: [2, 2], stride: 2 }));
    },
  };

  const ACTIVATIONS = { relu: (v) => Math.max(v, 0), sigmoid: (v) => 1 / (1 + Math.exp(-v)) };

  function built(layer, take) {
    const { op, shape, activation } = layer;
    const parameters = shape
      ? [take(shape), take([shape[op === "conv_transpose" ? 1 : 0]]).data]
      : [];
    const geometry = layer.geometry && new Geometry(layer.geometry);
    const linear = LAYERS[op]({ ...layer, geometry }, ...parameters);
    const activate = ACTIVATIONS[activation];
    if (!activate) return linear;
    return (x) => {
      const y = linear(x);
      return { ...y, data: y.data.map(activate) };
    };
  }

  // The two halves of an autoencoder with the weights of one moment, and its mean latent.
  function autoencoder(decoder, text) {
    const take = reader(text);
    const [encode, decode] = [upconv.trained.encoder, decoder].map((layers) => {
      const steps = layers.map((layer) => built(layer, take));
      return (x) => steps.reduce((y, step) => step(y), x);
    });
    return { encode, decode, latent: take([8]).data };
  }

  const answer = ({ encode, decode }, pixels) =>
    decode(encode(tensor([1, 1, SIDE, SIDE], pixels))).data;

  // What a decoder repeats where all latents are equal. On a field of 7 by 7 no border is seen by
  // the pixels 24 to 31.
  function constant_answer({ decode, latent }) {
    const area = FIELD ** 2;
    const equal = Array.from({ length: 8 * area }, (_, n) => latent[Math.floor(n / area)]);
    const { shape, data } = decode(tensor([1, 8, FIELD, FIELD], equal));
    const at = (n) => PERIOD * Math.floor(FIELD / 2) + (n % PERIOD);
    const pixel = (_, n) => data[at(Math.floor(n / PIECE)) * shape[3] + at(n % PIECE)];
    const piece = Array.from({ length: PIECE ** 2 }, pixel);
    const middle = mean(piece);
    const levels = 255 * Math.sqrt(mean(piece.map((value) => (value - middle) ** 2)));
    return { piece, middle, levels };
  }

  // Binary cross-entropy a pixel, clipped as Keras clips it.
  function loss(target, values) {
    const terms = values.map((value, n) => {
      const y = Math.min(Math.max(value, 1e-7), 1 - 1e-7);
      return -target[n] * Math.log(y) - (1 - target[n]) * Math.log(1 - y);
    });
    return mean(terms);
  }

  const grid = (values) => Math.sqrt(grid_energy(tensor([1, 1, SIDE, SIDE], values), 2)[0]);

  // ---- The pad ----

  // A picture to draw on: `pixels`, its `element`, and `show()` after the pixels were set.
  function drawing_pad({ model, said, changed }) {
    const pixels = new Float64Array(SIDE ** 2);
    const { element, show } = picture({ label: "" });
    const cursor = make("i", { class: "upconv-cursor", "aria-hidden": "true" });
    let at = [SIDE / 2, SIDE / 2];

    const dab = (row, column) => {
      for (const [dy, dx] of [[0, 0], [0, 1], [1, 0], [0, -1], [-1, 0]]) {
        const [y, x] = [row + dy, column + dx];
        if (y < 0 || x < 0 || y >= SIDE || x >= SIDE) continue;
        const ink = dy || dx ? 0.7 : 1;
        const old = pixels[y * SIDE + x];
        pixels[y * SIDE + x] = model.get("tool") === "brush" ? Math.max(old, ink) : Math.min(old, 1 - ink);
      }
    };
    const paint = (row, column) => {
      const steps = Math.max(Math.abs(row - at[0]), Math.abs(column - at[1]), 1);
      for (let n = 1; n <= steps; n++)
        dab(...[row, column].map((end, axis) => Math.round(at[axis] + ((end - at[axis]) * n) / steps)));
      at = [row, column];
      changed();
    };
    const move = (row, column) => {
      at = [row, column].map((n) => Math.min(Math.max(n, 0), SIDE - 1));
      cursor.style.translate = `${at[1] * 100}% ${at[0] * 100}%`;
    };

    const pointed = ({ clientX, clientY }) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      const place = [(clientY - top) / height, (clientX - left) / width];
      return place.map((part) => Math.min(Math.max(Math.floor(SIDE * part), 0), SIDE - 1));
    };
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      move(...pointed(event));
      paint(...at);
    });
    element.addEventListener("pointermove", (event) => {
      if (!element.hasPointerCapture(event.pointerId)) return;
      const place = pointed(event);
      if (`${place}` !== `${at}`) paint(...place);
      move(...at);
    });
    const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    element.addEventListener("keydown", (event) => {
      const [down, right] = MOVES[event.key] ?? [0, 0];
      if (!(down || right || event.key === " " || event.key === "Enter")) return;
      event.preventDefault();
      move(at[0] + down, at[1] + right);
      if (event.shiftKey || !(down || right)) paint(...at);
      const grey = pixels[at[0] * SIDE + at[1]].toFixed(1);
      said.say(`Row ${at[0] + 1}, column ${at[1] + 1}: ${grey}.`);
    });

    element.tabIndex = 0;
    element.setAttribute("role", "application");
    const label =
      "Drawing pad of 28 by 28 pixels: arrow keys move, Space paints, Shift and an arrow key draw";
    move(...at);
    const frame = make("div", { class: "upconv-pad" }, element, cursor);
    return { pixels, element: frame, show: () => show(pixels, SIDE, { label }) };
  }

  // ---- The figure ----

  function render({ model, el }) {
    if (!upconv.trained) {
      const words = "The weights of the heads did not load, so nothing can be computed here.";
      return el.append(make("p", {}, words));
    }
    const { epochs, garments } = upconv.trained;
    const last = epochs.length - 1;
    const heads = upconv.trained.heads.map((head) => ({ ...head, autoencoders: [], constants: [] }));
    const chosen = () => heads.find(({ name }) => name === model.get("head"));
    const time = (moment) => (moment ? `${epochs[moment]} epochs` : "untrained");
    model.set("tool", "brush");

    // The autoencoder of a head now, or nothing while its weights are on their way.
    function current(head) {
      const moment = model.get("moment");
      const text = moment === last ? head.weights : upconv.moments?.[head.name]?.[moment];
      return text && (head.autoencoders[moment] ??= autoencoder(head.decoder, text));
    }

    let version = 0; // of the picture
    const state = () => `${version} ${model.get("moment")}`;
    const constant = (head) => head.constants[model.get("moment")];

    function reconstruct(head) {
      if (head.state === state() || !current(head)) return;
      head.values = answer(current(head), pad.pixels);
      head.loss = loss(pad.pixels, head.values);
      head.state = state();
      show(head);
    }

    function probe(head) {
      if (!current(head)) return;
      head.constants[model.get("moment")] ??= constant_answer(current(head));
      show(head);
    }

    // What waits for a frame; a job that is asked for again keeps its place.
    const jobs = new Map();
    function work() {
      const end = performance.now() + BUSY;
      for (const [name, job] of jobs) {
        jobs.delete(name);
        job();
        if (performance.now() > end) break;
      }
      if (jobs.size) requestAnimationFrame(work);
    }
    function later(name, job) {
      if (!jobs.size) requestAnimationFrame(work);
      if (!jobs.has(name)) jobs.set(name, job);
    }

    // The chosen head answers at once, the others in the frames that follow.
    function update() {
      reconstruct(chosen());
      show(chosen());
      const constants = model.get("view") === "constant latent" ? heads : [chosen()];
      for (const head of constants) if (!constant(head)) later(`0 ${head.name}`, () => probe(head));
      for (const head of heads)
        if (head.state !== state()) later(head.name, () => reconstruct(head));
    }

    // ---- What is seen ----

    const said = announcer();
    const sentence = make("p", { class: "upconv-sentence" });
    const note = make("p", { hidden: true });
    const titled = (title, element) => make("div", { class: "upconv-panel" }, make("p", {}, title), element);
    const pad = drawing_pad({ model, said, changed: () => model.set({ garment: "", drawn: ++version }) });
    const large = Object.fromEntries(
      ["answer", "difference", "constant latent"].map((what) => [what, picture({ label: what })]),
    );
    for (const head of heads) {
      head.tile = picture({ label: "" });
      head.tile.element.ariaHidden = "true";
      head.number = make("b", {}, "…");
    }

    const VIEWS = {
      answers: {
        legend: "With each answer its loss.",
        ready: (head) => head.state === state(),
        number: (head) => head.loss.toFixed(3),
        draw: (target, head, label) => target.show(head.values, SIDE, { label }),
      },
      differences: {
        legend: "White is too bright, black too dark; with the mean distance in grey levels.",
        ready: (head) => head.state === state(),
        number: (head) => (255 * mean(head.values.map((v, n) => Math.abs(v - pad.pixels[n])))).toFixed(1),
        draw: (target, head, label) =>
          target.show(head.values.map((v, n) => v - pad.pixels[n]), SIDE, { low: -1, high: 1, label }),
      },
      "constant latent": {
        legend: "All latents equal: what varies is the head's own grid, in grey levels.",
        ready: constant,
        number: (head) => constant(head).levels.toFixed(1),
        draw: (target, head, label) => {
          const { piece, middle } = constant(head);
          const [low, high] = [middle - ENLARGED / 2, middle + ENLARGED / 2];
          target.show(piece, PIECE, { low, high, label });
        },
      },
    };

    function show(head) {
      const view = VIEWS[model.get("view")];
      const ready = view.ready(head);
      head.number.textContent = ready ? view.number(head) : "…";
      if (ready) view.draw(head.tile, head);
      if (head === chosen()) show_closely(head);
    }

    function show_closely(head) {
      const words = [`${head.name}, ${time(model.get("moment"))}:`];
      if (head.state === state()) {
        VIEWS.answers.draw(large.answer, head, `The answer of ${head.name}`);
        VIEWS.differences.draw(large.difference, head, `The answer of ${head.name} less the picture`);
        const copy = loss(pad.pixels, pad.pixels).toFixed(3);
        words.push(`loss ${head.loss.toFixed(3)} (a perfect copy has ${copy});`);
        words.push(`grid of period 2 beside the picture's spread ${grid(head.values).toFixed(3)};`);
      } else words.push("the weights are on their way;");
      const piece = constant(head);
      if (piece) {
        const told = `${piece.levels.toFixed(1)} grey levels`;
        VIEWS["constant latent"].draw(large["constant latent"], head, `Answer to a constant: ${told}`);
        words.push(`on a constant latent a pattern of ${told}.`);
      } else words.push("on a constant latent …");
      sentence.textContent = words.join(" ");
      said.say(sentence.textContent);
    }

    // ---- Controls ----

    const thumbnail = (name, text) => {
      const { element, show } = picture({ label: name });
      show(bytes_of(text), SIDE, { high: 255 });
      return [name, element];
    };
    const wear = () => {
      const text = garments[model.get("garment")];
      if (!text) return pad.show();
      pad.pixels.set(bytes_of(text).map(Number));
      pad.pixels.forEach((value, n) => (pad.pixels[n] = value / 255));
      version++;
      pad.show();
    };
    const clear = () => {
      pad.pixels.fill(0);
      model.set({ garment: "", drawn: ++version });
    };
    const scrub = slider({ model, name: "moment", label: "training", max: last, text: time });
    const legend = make("p");
    const controls = [
      choice({ model, name: "garment", label: "Start from", options: Object.entries(garments).map((one) => thumbnail(...one)) }),
      choice({ model, name: "tool", label: "Draw with", options: [["brush", "brush"], ["eraser", "eraser"]] }),
      choice({ model, name: "view", label: "Of every head", options: Object.keys(VIEWS).map((name) => [name, name]) }),
      choice({
        model,
        name: "head",
        label: "Look closely at",
        options: heads.map(({ name, tile, number }) => [name, make("span", {}, tile.element, make("small", {}, name), number)]),
      }),
    ].map(({ element }) => element);
    const [garment, tool, view, head] = controls;

    // The weights before the end of the training: a file for each head, the chosen one first.
    let loading;
    async function load_moments() {
      for (const head of [chosen(), ...heads]) {
        if (!upconv.moments?.[head.name]) await upconv.load(head.file);
        update();
      }
    }
    function failed() {
      note.textContent = "Only the trained weights are here; the training steps lie beside the pages of the book.";
      note.hidden = false;
      scrub.bound(last, last);
    }

    model.on("change:moment", () => {
      if (model.get("moment") < last) loading ??= load_moments().catch(failed);
    });
    model.on("change:garment", wear);
    model.on("change:drawn", pad.show);
    model.on("change:view", () => heads.forEach(show));
    model.on("change", () => {
      legend.textContent = VIEWS[model.get("view")].legend;
      update();
    });

    el.append(
      sentence,
      garment,
      make(
        "div",
        { class: "upconv-stage" },
        titled("Your picture", pad.element),
        ...Object.entries(large).map(([what, { element }]) => titled(what, element)),
      ),
      make("div", { class: "upconv-controls" }, tool, button("clear", clear), scrub.element, view),
      note,
      legend,
      head,
      said.element,
    );
    wear();
    legend.textContent = VIEWS[model.get("view")].legend;
    update();
  }

  upconv.explorable("draw", { render });
})();

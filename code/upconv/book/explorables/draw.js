// Draw and reconstruct: what every head of the Keras autoencoder makes of a picture, and of a
// constant latent, at several moments of its training. The weights come in scripts of their own.

"use strict";
(() => {
  const { Geometry, tensor, conv, conv_transpose, max_pool, interpolate, grid_energy } =
    upconv.arithmetic;
  const { make, slider, choice, button, announcer, picture } = upconv.ui;

  const SIDE = 28;
  const BUSY = 8; // milliseconds into a frame after which no head begins
  const [FIELD, PERIOD, PIECE] = [7, 8, 24]; // latents along an axis; pixels that repeat; shown
  const ENLARGED = 60 / 255; // from black to white in the answer to a constant

  const numbers = (length, value) => Array.from({ length }, (_, n) => value(n));
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const held = (n) => Math.min(Math.max(n, 0), SIDE - 1);
  const bytes_of = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  // ---- The heads ----

  // Takes one tensor after the other: each is a scale, then 24 bits for each number.
  function reader(text) {
    const view = new DataView(bytes_of(text).buffer);
    let at = 0;
    return (shape) => {
      const scale = view.getFloat32(at, true);
      const first = at + 3; // 32 bits are read, a byte early, and the shift drops that byte
      const count = shape.reduce((product, n) => product * n);
      at += 4 + 3 * count;
      const value = (n) => scale * (view.getInt32(first + 3 * n, true) >> 8);
      return tensor(shape, numbers(count, value));
    };
  }

  const LAYERS = {
    conv: (x, { geometry }, weight, bias) => conv(x, weight, geometry, bias),
    conv_transpose: (x, { geometry }, weight, bias) => conv_transpose(x, weight, geometry, bias),
    max_pool: (x, { geometry }) => max_pool(x, geometry).values,
    interpolate: (x, { mode }) => interpolate(x, { scale_factor: 2, mode }),
    // The padding of a layer that changes nothing cuts off the last row and the last column.
    crop(x) {
      const count = x.shape[1];
      const same = numbers(count ** 2, (n) => Number(n % (count + 1) === 0));
      const padding = [[0, 1], [0, 1]];
      const geometry = new Geometry({ kernel: [1, 1], padding });
      return conv_transpose(x, tensor([count, count, 1, 1], same), geometry);
    },
    // Each channel becomes one tap of a stamp of 2 by 2; the tap is the slow part of its number.
    depth_to_space(x) {
      const count = x.shape[1] / 4;
      const stamps = numbers(16 * count ** 2, (n) => {
        const [tap, to, from] = [n % 4, Math.floor(n / 4) % count, Math.floor(n / 4 / count)];
        return Number(from === tap * count + to);
      });
      const weight = tensor([4 * count, count, 2, 2], stamps);
      return conv_transpose(x, weight, new Geometry({ kernel: [2, 2], stride: 2 }));
    },
  };

  const ACTIVATIONS = {
    relu: (v) => Math.max(v, 0),
    sigmoid: (v) => 1 / (1 + Math.exp(-v)),
  };

  // A layer as a function; `take` gives its weight and its bias.
  function built(layer, take) {
    const { op, shape, activation } = layer;
    const geometry = layer.geometry && new Geometry(layer.geometry);
    const out = shape?.[op === "conv_transpose" ? 1 : 0];
    const parameters = shape ? [take(shape), take([out]).data] : [];
    return (x) => {
      const y = LAYERS[op](x, { ...layer, geometry }, ...parameters);
      return { ...y, data: y.data.map(ACTIVATIONS[activation] ?? ((v) => v)) };
    };
  }

  // The two halves of an autoencoder with the weights of one moment, and its mean latent.
  function autoencoder(text, ...halves) {
    const take = reader(text);
    const [encode, decode] = halves.map((layers) => {
      const steps = layers.map((layer) => built(layer, take));
      return (x) => steps.reduce((y, step) => step(y), x);
    });
    return { encode, decode, latent: take([8]).data };
  }

  // Binary cross-entropy a pixel, clipped as Keras clips it.
  const loss = (target, values) =>
    mean(
      values.map((value, n) => {
        const y = Math.min(Math.max(value, 1e-7), 1 - 1e-7);
        return -target[n] * Math.log(y) - (1 - target[n]) * Math.log(1 - y);
      }),
    );

  const image = (pixels) => tensor([1, 1, SIDE, SIDE], pixels);

  // What is shown of a head: values, the ends of their scale, and a number in words.
  function reconstruct({ encode, decode }, pixels) {
    const values = decode(encode(image(pixels))).data;
    const difference = values.map((value, n) => value - pixels[n]);
    const distance = 255 * mean(difference.map(Math.abs));
    return {
      answer: { values, width: SIDE, number: loss(pixels, values).toFixed(3) },
      difference: { values: difference, width: SIDE, low: -1, number: distance.toFixed(1) },
    };
  }

  // What a decoder repeats where all latents are equal: on a field of 7 by 7 the pixels 24 to 31
  // see no border.
  function probe({ decode, latent }) {
    const area = FIELD ** 2;
    const field = numbers(8 * area, (n) => latent[Math.floor(n / area)]);
    const { shape, data } = decode(tensor([1, 8, FIELD, FIELD], field));
    const at = (n) => PERIOD * (FIELD >> 1) + (n % PERIOD);
    const pixel = (n) => data[at(Math.floor(n / PIECE)) * shape[3] + at(n % PIECE)];
    const values = numbers(PIECE ** 2, pixel);
    const grey = mean(values);
    const levels = 255 * Math.sqrt(mean(values.map((value) => (value - grey) ** 2)));
    const [low, high] = [grey - ENLARGED / 2, grey + ENLARGED / 2];
    return { values, width: PIECE, low, high, number: levels.toFixed(1) };
  }

  // ---- The pad ----

  // An element to draw on; what is drawn changes `pixels`, and then `changed()` is called.
  function drawing_pad({ model, pixels, said, changed }) {
    const { element, show } = picture({ label: "" });
    const cursor = make("i", { class: "upconv-cursor" });
    const keys = "arrow keys move, Space paints, Shift with an arrow key draws";
    const label = `Drawing pad of ${SIDE} by ${SIDE} pixels: ${keys}`;
    let at;

    const move = (row, column) => {
      at = [held(row), held(column)];
      cursor.style.translate = `${100 * at[1]}% ${100 * at[0]}%`;
    };
    const dab = (row, column) => {
      for (const [down, right] of [[0, 0], [0, 1], [1, 0], [0, -1], [-1, 0]]) {
        const place = held(row + down) * SIDE + held(column + right);
        const ink = down || right ? 0.7 : 1;
        const brush = model.get("tool") === "brush";
        pixels[place] = brush ? Math.max(pixels[place], ink) : Math.min(pixels[place], 1 - ink);
      }
    };
    // A line of dabs from where the last one was.
    const draw = (...end) => {
      const start = at;
      const steps = Math.max(...end.map((n, axis) => Math.abs(n - start[axis])), 1);
      for (let n = 1; n <= steps; n++)
        dab(...end.map((to, axis) => Math.round(start[axis] + ((to - start[axis]) * n) / steps)));
      move(...end);
      changed();
    };

    const pointed = ({ clientX, clientY }) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      const place = [(clientY - top) / height, (clientX - left) / width];
      return place.map((part) => held(Math.floor(SIDE * part)));
    };
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      move(...pointed(event));
      draw(...at);
    });
    element.addEventListener("pointermove", (event) => {
      const place = pointed(event);
      if (element.hasPointerCapture(event.pointerId) && `${place}` !== `${at}`) draw(...place);
    });
    const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    element.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (!arrow && ![" ", "Enter"].includes(event.key)) return;
      event.preventDefault();
      const place = at.map((n, axis) => held(n + (arrow?.[axis] ?? 0)));
      if (!arrow || event.shiftKey) draw(...place);
      else move(...place);
      const grey = pixels[at[0] * SIDE + at[1]].toFixed(1);
      said.say(`Row ${at[0] + 1}, column ${at[1] + 1}: ${grey}`);
    });

    move(SIDE / 2, SIDE / 2);
    for (const [name, value] of [["tabindex", 0], ["role", "application"]])
      element.setAttribute(name, value);
    const frame = make("div", { class: "upconv-pad" }, element, cursor);
    return { element: frame, show: () => show(pixels, SIDE, { label }) };
  }

  // ---- The figure ----

  const VIEWS = {
    answer: "What each head makes of your picture. Below: its loss.",
    difference: "White: too bright, black: too dark. Below: the mean distance, in grey levels.",
    "constant latent":
      "All latents are equal, so what varies is the head's own. Below: how much, in grey levels.",
  };

  function render({ model, el }) {
    if (!upconv.trained)
      return el.append("The weights of the heads did not load, so nothing can be computed here.");
    const { epochs, garments, encoder } = upconv.trained;
    const last = epochs.length - 1;
    const heads = upconv.trained.heads.map((head) => {
      const { element, show } = picture({ label: "" });
      element.ariaHidden = true; // the number beside it says what it shows
      return { ...head, tile: { element, show }, number: make("b"), moments: [], constants: [] };
    });
    const pixels = new Float64Array(SIDE ** 2);
    const chosen = () => heads.find(({ name }) => name === model.get("head"));
    const time = (moment) => (moment ? `${epochs[moment]} epochs` : "untrained");
    model.set({ tool: "brush", drawn: 0, pixels, heads }); // so that numbers can be had from it

    // The autoencoder of a head now; nothing while its weights are on their way.
    function current({ name, weights, decoder, moments }) {
      const moment = model.get("moment");
      const text = moment === last ? weights : upconv.moments?.[name]?.[moment];
      return text && (moments[moment] ??= autoencoder(text, encoder, decoder));
    }

    // What is known of a head now, under the names of the views.
    const state = () => [model.get("drawn"), model.get("moment")];
    const known = (head) => ({
      ...(`${head.state}` === `${state()}` && head.shown),
      "constant latent": head.constants[model.get("moment")],
    });

    // What is still to be computed: the chosen head first, then who has waited longest.
    function tasks() {
      const age = (head) => (head === chosen() ? -2 : (head.state?.[0] ?? -1));
      const all = model.get("view") === "constant latent";
      const order = heads.filter(current).sort((one, other) => age(one) - age(other));
      return order.flatMap((head) => {
        const now = known(head);
        const answers = () => {
          head.shown = reconstruct(current(head), pixels);
          head.state = state();
        };
        const constant = () => {
          head.constants[model.get("moment")] = probe(current(head));
        };
        const wanted = [
          !now.answer && answers,
          !now["constant latent"] && (all || head === chosen()) && constant,
        ];
        return wanted.filter(Boolean).map((task) => [task, head]);
      });
    }

    let frame;
    function work() {
      const end = performance.now() + BUSY;
      for (const [task, head] of tasks()) {
        task();
        show(head);
        if (performance.now() > end) break;
      }
      frame = tasks().length ? requestAnimationFrame(work) : undefined;
    }

    // ---- What is seen ----

    const said = announcer();
    const sentence = make("p", { class: "upconv-sentence" });
    const legend = make("p");
    const pad = drawing_pad({
      model,
      pixels,
      said,
      changed: () => model.set({ garment: "", drawn: model.get("drawn") + 1 }),
    });
    const views = Object.keys(VIEWS);
    const large = Object.fromEntries(views.map((view) => [view, picture({ label: view })]));

    function show(head) {
      const now = known(head)[model.get("view")];
      head.number.textContent = now?.number ?? "…";
      if (now) head.tile.show(now.values, now.width, now);
      if (head === chosen()) show_closely(head);
    }

    function show_closely(head) {
      const now = known(head);
      for (const [view, { show }] of Object.entries(large)) {
        const label = `${head.name}, ${view}: ${now[view]?.number ?? "…"}`;
        if (now[view]) show(now[view].values, now[view].width, { ...now[view], label });
      }
      const grid = now.answer && Math.sqrt(grid_energy(image(now.answer.values), 2)[0]).toFixed(3);
      const level = now["constant latent"]?.number ?? "…";
      const pattern = level === "0.0" ? "one plain grey" : `a pattern of ${level} grey levels`;
      const result = `loss of ${now.answer?.number ?? "…"}`;
      sentence.textContent =
        `${head.name}, ${time(model.get("moment"))}. Your picture comes back with a ${result}; a ` +
        `perfect copy has ${loss(pixels, pixels).toFixed(3)}. The grid in it is ${grid ?? "…"} of ` +
        `its contrast. From a constant latent the head makes ${pattern}.`;
      said.say(`${head.name}: ${result}; from a constant latent ${pattern}.`);
    }

    // ---- Controls ----

    function wear() {
      const text = garments[model.get("garment")];
      if (!text) return;
      pixels.set(bytes_of(text));
      pixels.forEach((value, n) => (pixels[n] = value / 255));
      model.set("drawn", model.get("drawn") + 1);
    }
    function clear() {
      pixels.fill(0);
      model.set({ garment: "", drawn: model.get("drawn") + 1 });
    }

    // The weights before the end of the training: a file for each head.
    let loading;
    async function load_moments() {
      for (const { name, file } of [chosen(), ...heads]) {
        if (!upconv.moments?.[name]) await upconv.load(file);
        update();
      }
    }
    const scrub = slider({ model, name: "moment", label: "training", max: last, text: time });
    let missing = "";
    function failed() {
      missing = " The steps of the training lie beside the pages of the book.";
      scrub.bound(last, last);
    }

    function update() {
      if (model.get("moment") < last) loading ??= load_moments().catch(failed);
      heads.forEach(show);
      frame ??= requestAnimationFrame(work);
    }

    model.on("change:garment", wear);
    model.on("change:drawn", pad.show);
    model.on("change", () => {
      legend.textContent = VIEWS[model.get("view")] + missing;
      update();
    });

    const pick = (name, label, options) => {
      const { element } = choice({ model, name, label, options });
      element.classList.add(`upconv-${name}`);
      return element;
    };
    const same = (name) => [name, name];
    const panel = (title, ...content) =>
      make("div", { class: "upconv-panel" }, make("p", {}, title), ...content);
    const row = (kind, ...content) => make("div", { class: `upconv-${kind}` }, ...content);
    const thumbnails = Object.entries(garments).map(([name, text]) => {
      const { element, show } = picture({ label: name });
      show([...bytes_of(text)], SIDE, { high: 255 });
      return [name, element];
    });
    const tiles = heads.map(({ name, tile, number }) => [
      name,
      make("small", {}, tile.element, `${name} `, number),
    ]);
    const tool = pick("tool", "draw with", ["brush", "eraser"].map(same));
    el.append(
      sentence,
      pick("garment", "start from", thumbnails),
      row(
        "stage",
        panel(
          "your picture",
          pad.element,
          row("controls", tool, button("clear", clear)),
        ),
        ...Object.entries(large).map(([view, { element }]) => panel(view, element)),
      ),
      row("controls", scrub.element, pick("view", "show of each head", views.map(same))),
      legend,
      pick("head", "look closely at", tiles),
      said.element,
    );
    wear();
  }

  upconv.explorable("draw", { render });
})();

// Sizes: both convolutions on one number line, the sizes that meet in one, the settings between two
// sizes, and the layer as code.

"use strict";
(() => {
  const { make, slider, choice, button, announcer } = upconv.ui;
  const { Geometry, solve, limits, tensor, conv, conv_transpose } = upconv.arithmetic;

  const MOST = 1024; // the largest size that can be asked for
  const CAPS = { stride: 4, kernel: 7, padding: 3, dilation: 3 };
  const KINDS = [
    [true, "transposed convolution"],
    [false, "convolution"],
  ];

  const range = (length) => [...Array(length).keys()];
  const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const listed = (words) => words.join(", ").replace(/, ([^,]+)$/, " and $1");

  // All that follows from the settings, in the letters of the paper. The small and the large side
  // are input and output of the transposed convolution; `rest` is its output_padding, and the
  // number of positions at the end of the line that the convolution leaves unread.
  function read(settings) {
    const { input_size: i, kernel: k, stride: s, padding: p, dilation: d, transposed } = settings;
    const geometry = new Geometry(settings);
    const [o] = transposed ? geometry.transposed_shape(i) : geometry.output_shape(i);
    const [small, large] = transposed ? [i, o] : [o, i];
    const [[reach], rest] = [geometry.reach, settings.output_padding];
    const line = large + 2 * p;
    return { geometry, transposed, i, o, k, s, p, d, rest, reach, small, large, line };
  }

  // ---- The layer as code: {transposed|not}, and $ before the name of a value ----

  const KERNEL = "(($k, $k, {4, 8|8, 4}))  # height, width, {out, in|in, out}";
  const LAST = "(1, $i, $i, 8)), kernel)  # (1, $o, $o, 4)";
  const TEMPLATES = {
    PyTorch: `import torch
from torch import nn

layer = nn.Conv{Transpose|}2d(
    8, 4, kernel_size=$k, stride=$s, padding=$p,{ output_padding=$rest,|} dilation=$d
)
y = layer(torch.zeros(1, 8, $i, $i))  # (1, 4, $o, $o)`,
    Keras: `import keras

$name = keras.layers.Conv2D{Transpose|}(
    4, kernel_size=$k, strides=$s, padding="$word",{ output_padding=$added,|} dilation_rate=$d
)$stack
y = layer(keras.ops.zeros((1, $i, $i, 8)))  # (1, $o, $o, 4)`,
    TensorFlow: `import tensorflow as tf

$compiled
def layer(x, kernel):
    return tf.nn.conv2d{_transpose|}(
        x, kernel,{ [1, $o, $o, 4],|} strides=$s, dilations=$d,
        padding=[[0, 0], [$p, $after], [$p, $after], [0, 0]],
    )

kernel = tf.zeros${KERNEL}
y = layer(tf.zeros(${LAST}`,
    JAX: `import jax.numpy as jnp
from jax import lax

def layer(x, kernel):
    return lax.conv_{transpose|general_dilated}(
        x, kernel, {|window_}strides=($s, $s), rhs_dilation=($d, $d),
        padding=(($p, $cut), ($p, $cut)),{ use_consistent_padding=True,|}
        {transpose_kernel=True|dimension_numbers=("NHWC", "HWIO", "NHWC")},
    )

kernel = jnp.zeros${KERNEL}
y = layer(jnp.zeros(${LAST}`,
    ONNX: `import onnx

# x: (1, 8, $i, $i), weight: ({8, 4|4, 8}, $k, $k), y: (1, 4, $o, $o)
layer = onnx.helper.make_node(
    "Conv{Transpose|}", ["x", "weight"], ["y"], kernel_shape=[$k, $k],
    strides=[$s, $s], pads=[$p, $p, $p, $p], dilations=[$d, $d],{
    output_padding=[$rest, $rest],|}
)`,
  };

  // Keras knows padding by words only: what they do not say is another layer's work.
  function in_keras({ transposed, s, p, rest, reach, after }) {
    if (p && reach - s === 2 * p && (transposed ? rest === 0 : s === 1))
      return { name: "layer", word: "same", added: "None", stack: "" };
    const bare = { name: "layer", word: "valid", added: Math.max(rest - p, 0), stack: "" };
    if (p === 0) return bare;
    const both = transposed
      ? `conv, keras.layers.Cropping2D(((${p}, ${after}), (${p}, ${after})))`
      : `keras.layers.ZeroPadding2D(${p}), conv`;
    return { ...bare, name: "conv", stack: `\nlayer = keras.Sequential([${both}])` };
  }

  function code(framework, at) {
    const { transposed, s, p, d, rest } = at;
    if (framework === "Keras" && s > 1 && d > 1)
      return "# Keras refuses strides and dilation_rate above 1\n# together. Set one of them to 1.";
    const cut = transposed ? p - rest : p;
    const compiled = d > 1 ? "@tf.function(jit_compile=True)  # dilation on a CPU" : "";
    const values = { ...at, cut, after: Math.max(cut, 0), compiled };
    Object.assign(values, in_keras(values));
    return TEMPLATES[framework]
      .replace(/\{([^{}|]*)\|([^{}]*)\}/g, transposed ? "$1" : "$2")
      .replace(/\$(\w+)/g, (_, name) => values[name])
      .replace("\n\n\n", "\n\n");
  }

  // ---- The number line ----

  // The numbers in the picture: inputs 1 to 9 over and over, and the kernel 1, 2, 3, …
  function numbers({ geometry, transposed, k, p, i, large }) {
    const row = (values) => tensor([1, 1, values.length], values);
    const [inputs, kernel] = [range(i).map((n) => (n % 9) + 1), range(k).map((n) => n + 1)];
    if (transposed) {
      const uncropped = new Geometry({ ...geometry, padding: 0 });
      const line = [...conv_transpose(row(inputs), row(kernel), uncropped).data];
      return { kernel, small: inputs, line, large: line.slice(p, p + large) };
    }
    const zeros = Array(p).fill(0);
    const small = [...conv(row(inputs), row(kernel), geometry).data];
    return { kernel, small, line: [...zeros, ...inputs, ...zeros], large: inputs };
  }

  // The rows from the top, and the words above each.
  function labels({ transposed, i, o, s, p, d, rest, line }) {
    const apart = `${s} apart${d > 1 ? `, dilated by ${d}` : ""}`;
    const more = rest ? `, and ${rest} more` : "";
    return transposed
      ? {
          small: `input: ${count(i, "value")}`,
          stamps: `stamps ${apart}`,
          line: `added up: ${count(line - rest, "position")}${more}`,
          large: `${p ? "orange" : "nothing"} is cropped: ${count(o, "output")}`,
        }
      : {
          large: `input: ${count(i, "value")}`,
          line: `with ${count(p, "zero")} at each end: ${count(line, "position")}`,
          stamps: `weighted windows ${apart}`,
          small: `each window added up: ${count(o, "output")}`,
        };
  }

  function sentence({ transposed, i, o, p, rest }) {
    const sizes = `${count(i, "input")} become${i > 1 ? "" : "s"} ${count(o, "output")}.`;
    if (!transposed) {
      const end = rest ? `leave ${count(rest, "position")} (dashed) unread at` : "reach";
      return `${sizes} The windows ${end} the end. The way back needs output_padding ${rest}.`;
    }
    if (!rest) return `${sizes} The line ends with the last stamp.`;
    const empty = Math.min(rest - p, o);
    const what = empty > 0 ? `${empty} beyond all stamps, always 0` : "what was cropped without it";
    return (
      `${sizes} output_padding adds ${rest} (dashed) to the line before it is cropped. ` +
      `That keeps ${rest} more (purple): ${what}.`
    );
  }

  const TEXT = 20; // pixels: the height of the words above a row
  const ROOM = 3; // squares: the height of all stamps, however many lie above each other

  function picture() {
    const kinds = ["odd", "even", "orange", "purple", "plain", "dashed", "bold"];
    const shapes = kinds.map((kind) => make("svg:path", { class: kind }));
    const texts = make("svg:g");
    const element = make("svg:svg", { role: "img" }, ...shapes, texts);

    function draw(at, width) {
      const { transposed, small, s, d, p, rest, reach, large, line } = at;
      const unit = width < 500 ? 24 : 28;
      const fit = Math.max(Math.floor(width / unit), 10);
      // A line that is too long shows its beginning and, the more important, its end.
      const [head, cut] = line > fit ? [Math.floor(0.4 * fit), line - fit] : [line, 0];
      const column = (place) => (place < head ? place : place > head + cut ? place - cut : NaN);
      const paths = Object.fromEntries(kinds.map((kind) => [kind, ""]));
      const written = [];
      let [row, y] = ["", 0];
      const write = (text, x, below, more) =>
        written.push(make("svg:text", { x, y: y + below, "data-row": row, ...more }, text));

      function square(place, top, height, text, ...fills) {
        const left = column(Math.floor(place));
        if (!(column(Math.ceil(place)) - left <= 1)) return;
        const x = unit * (left + (place % 1));
        for (const fill of fills) paths[fill] += `M${x} ${y + top}h${unit}v${height}h-${unit}z`;
        const style = `font-size: ${Math.min(13, height - 2)}px`;
        if (height > 11) write(text, x + unit / 2, top + height / 2, { style });
      }

      const values = numbers(at);
      const tint = (q) => (q % 2 ? "odd" : "even");
      const layers = Math.min(small, Math.ceil(reach / s));
      const height = (unit * Math.min(layers, ROOM)) / layers;
      const rows = {
        small: (value, q) => square(s * q + (reach - 1) / 2, 0, unit, value, tint(q), "plain"),
        stamps(_, q) {
          if (s * q >= head && s * q + reach <= head + cut) return; // wholly left out
          values.kernel.forEach((weight, tap) => {
            const place = s * q + d * tap;
            const value = weight * (transposed ? values.small[q] : values.line[place]);
            square(place, height * (q % layers), height, value, tint(q), "plain");
          });
        },
        line(value, place) {
          const cropped = place < p || place >= p + large;
          const edge = place < line - rest ? "plain" : "dashed";
          square(place, 0, unit, value, edge, ...(cropped ? ["orange"] : []));
        },
        large: (value, place) =>
          square(place + p, 0, unit, value, "bold", ...(place < large - rest ? [] : ["purple"])),
      };
      const named = labels(at);
      for (row of Object.keys(named)) {
        y += TEXT;
        write(named[row], 0, -9, { class: "label" });
        if (cut) write("⋯", unit * (head + 0.5), unit / 2);
        (values[row] ?? values.small).forEach(rows[row]);
        if (row === "line")
          for (const place of [p, p + large])
            if (p) paths.bold += `M${unit * column(place)} ${y - 3}v${unit + 6}`;
        y += row === "stamps" ? ROOM * unit : unit;
      }
      shapes.forEach((shape, n) => shape.setAttribute("d", paths[kinds[n]]));
      texts.replaceChildren(...written);
      element.setAttribute("width", unit * Math.max(Math.min(line, fit), 10) + 2);
      element.setAttribute("height", y + 2);
      const outputs = values[transposed ? "large" : "small"].join(" ");
      const all = cut ? "the middle of the line is left out" : outputs;
      element.ariaLabel = `${Object.values(named).join("; ")}: ${all}.`;
    }
    return { element, draw };
  }

  // ---- The parts around the line: each has its elements, and shows what the settings are ----

  const line_of = (...children) => make("div", { class: "upconv-sizes-row" }, ...children);

  // A field for a size. `take` is called with the whole number in it, or with words about it.
  function field(label, value, take) {
    const input = make("input", { type: "number", min: 1, max: MOST, value, "aria-label": label });
    input.addEventListener("input", () => {
      const n = input.valueAsNumber;
      const good = Number.isInteger(n) && n >= input.min && n <= input.max;
      input.ariaInvalid = !good;
      take(good ? n : `${label}: want a whole number from ${input.min} to ${input.max}.`);
    });
    return input;
  }

  const SETTINGS = ["stride", "kernel", "padding", "output_padding", "dilation"];

  // `answer` gets the words about what is no size.
  function controls({ model, answer, update }) {
    // To turn round keeps both sizes: what came out goes in.
    const turn = (_, transposed) =>
      model.set({ transposed, input_size: Math.min(read(model.all()).o, MOST) });
    const direction = choice({
      model: { get: (name) => model.get(name), set: turn, on: (...event) => model.on(...event) },
      name: "transposed",
      label: "Operation",
      options: KINDS,
    });
    const sliders = SETTINGS.map((name) => slider({ model, name, label: name }));
    const size = field("input size", model.get("input_size"), (n) =>
      Number.isInteger(n) ? model.set("input_size", n) : answer(n),
    );
    size.addEventListener("change", update); // what was no size goes
    const label = make("label", { class: "upconv-control" }, "input size", size);

    // Every control ends where the settings would become illegal. output_padding stays below the
    // stride: a smaller stride pulls it down, unless nothing would be left without it.
    function show({ geometry, transposed, i, s, rest, large }) {
      const ends = (name, cap, from = geometry) => limits(from, name, i, { transposed, cap });
      const needed = transposed && large <= rest;
      const bare = needed ? geometry : new Geometry({ ...geometry, output_padding: 0 });
      const special = {
        stride() {
          const { min, max } = ends("stride", CAPS.stride, bare);
          return { min: needed ? Math.max(min, rest + 1) : min, max };
        },
        output_padding: () =>
          transposed ? ends("output_padding", s - 1) : { min: rest, max: rest },
      };
      SETTINGS.forEach((name, n) => {
        const { min, max } = special[name]?.() ?? ends(name, CAPS[name]);
        sliders[n].bound(min, max);
      });
      size.min = ends("input_shape", Math.min(i, 32)).min;
      size.ariaInvalid = false;
      if (size.valueAsNumber !== i) size.value = i;
    }
    const boxes = [label, ...sliders.map(({ element }) => element)];
    const elements = [direction.element, make("div", { class: "upconv-controls" }, ...boxes)];
    return { elements, show };
  }

  // The sizes that the convolution takes to one, each with the output_padding of its way back.
  function meetings(model) {
    const words = make("p");
    const buttons = range(CAPS.stride).map(() => button("", ({ target: { dataset } }) =>
      model.set(
        model.get("transposed")
          ? { output_padding: Number(dataset.rest) }
          : { input_size: Number(dataset.size) },
      ),
    ));
    function show({ geometry, small, large }) {
      const [sizes] = geometry.ambiguous_inputs(small);
      words.textContent =
        `A convolution with these settings takes ${sizes.length > 1 ? "" : "only "}` +
        `${listed(sizes)} to ${small}. On the way back, output_padding says which:`;
      buttons.forEach((one, n) => {
        one.hidden = n >= sizes.length;
        if (one.hidden) return;
        const [rest] = geometry.adjoint_to(sizes[n]).output_padding;
        Object.assign(one.dataset, { size: sizes[n], rest });
        one.ariaPressed = sizes[n] === large;
        one.textContent = `${rest} gives ${sizes[n]}`;
      });
    }
    return { elements: [words, line_of(...buttons)], show };
  }

  // "I have 14 and want 28", answered by settings to choose from.
  function wish({ model, said }) {
    const asked = { have: 14, want: 28 };
    const answers = make("div", { class: "upconv-answers" });
    let found = []; // [button, its settings]

    function solutions([transposed, kind]) {
      const { have, want } = asked;
      const most = { max_kernel: CAPS.kernel, max_stride: CAPS.stride, max_padding: CAPS.padding };
      const buttons = solve(have, want, { transposed, ...most }).map((geometry) => {
        const all = { transposed, input_size: have };
        for (const name of SETTINGS) [all[name]] = geometry[name].flat();
        const text = ["kernel", "stride", "padding", "output_padding"]
          .filter((name) => all[name] > (name === "stride"))
          .map((name) => `${name} ${all[name]}`);
        if (!transposed) delete all.output_padding; // it follows from the size
        const one = button(text.join(", "), () => model.set(all));
        found.push([one, all]);
        return one;
      });
      const none = buttons.length ? ":" : ": none within the bounds of the sliders.";
      return [make("p", {}, `By a ${kind}${none}`), line_of(...buttons)];
    }
    function search() {
      found = [];
      const bad = Object.values(asked).find((n) => !Number.isInteger(n));
      answers.replaceChildren(...(bad ? [make("p", {}, bad)] : KINDS.flatMap(solutions)));
      said.say(bad ?? `${count(found.length, "setting")} from ${asked.have} to ${asked.want}.`);
      show();
    }
    function show() {
      for (const [one, all] of found)
        one.ariaPressed = Object.keys(all).every((name) => all[name] === model.get(name));
    }
    const ask = (name) =>
      field(name, asked[name], (n) => {
        asked[name] = n;
        search();
      });
    const question = make("p", {}, "I have ", ask("have"), " and want ", ask("want"));
    search();
    return { elements: [question, answers], show };
  }

  function as_code(said) {
    let [chosen, sizes] = ["PyTorch"];
    const choose = (_, name) => {
      chosen = name;
      show(sizes);
    };
    const framework = choice({
      model: { get: () => chosen, set: choose, on() {} },
      label: "As code",
      options: Object.keys(TEMPLATES).map((name) => [name, name]),
    });
    const text = make("code");
    const copy = button("Copy", async () => {
      let done = true;
      try {
        await navigator.clipboard.writeText(text.textContent);
      } catch {
        getSelection().selectAllChildren(text);
        done = document.execCommand("copy");
      }
      copy.textContent = done ? "Copied" : "Selected: press Ctrl+C";
      said.say(copy.textContent);
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    });
    function show(at) {
      sizes = at;
      text.textContent = code(chosen, at);
      copy.disabled = text.textContent.startsWith("#");
    }
    const label = "The layer as code";
    const box = make("pre", { tabindex: 0, role: "region", "aria-label": label }, text);
    return { elements: [line_of(framework.element, copy), box], show };
  }

  function render({ model, el }) {
    const said = announcer();
    const words = make("p", { class: "upconv-sizes-words" });
    const answer = (text) => said.say((words.textContent = text));
    const line = picture();
    const panel = make("div", { class: "upconv-panel" }, line.element);
    const parts = [meetings(model), wish({ model, said }), as_code(said)];
    const { elements, show } = controls({ model, answer, update });
    let width;

    function update() {
      const settings = model.all();
      const { transposed, input_size, stride, output_padding } = settings;
      const bare = new Geometry({ ...settings, output_padding: 0 });
      const held = transposed
        ? Math.min(output_padding, stride - 1)
        : bare.adjoint_to(input_size).output_padding[0];
      if (held !== output_padding) return model.set("output_padding", held);
      const at = read(settings);
      show(at);
      line.draw(at, width);
      for (const part of parts) part.show(at);
      answer(sentence(at));
    }

    el.classList.add("upconv-sizes");
    el.append(...elements, words, panel, ...parts.flatMap((part) => part.elements), said.element);
    width = panel.clientWidth; // asked for once: each time costs a layout of the page
    update();
    model.on("change", update);
    new ResizeObserver(([{ contentRect }]) => {
      width = contentRect.width;
      line.draw(read(model.all()), width);
    }).observe(panel);
  }

  upconv.explorable("sizes", { render });
})();

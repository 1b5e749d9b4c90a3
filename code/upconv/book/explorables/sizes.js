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
    return { geometry, transposed, i, o, k, s, p, d, rest, reach, small, large, line: large + 2 * p };
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
          stamps: `each stamps the kernel, ${apart}`,
          line: `added up: ${count(line - rest, "position")}${more}`,
          large: `${p ? "orange" : "nothing"} is cropped: ${count(o, "output")}`,
        }
      : {
          large: `input: ${count(i, "value")}`,
          line: `with ${count(p, "zero")} at each end: ${count(line, "position")}`,
          stamps: `windows, times the kernel, ${apart}`,
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
    const what = empty > 0 ? `${empty} beyond all stamps, always 0` : "what was cropped before";
    return (
      `${sizes} output_padding makes the line ${rest} longer (dashed) before it is cropped. ` +
      `So it keeps ${rest} more at the end (purple): ${what}.`
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
        const size = Math.min(13, height - 2);
        if (size > 9) write(text, x + unit / 2, top + height / 2, { style: `font-size: ${size}px` });
      }

      const values = numbers(at);
      const tint = (q) => (q % 2 ? "odd" : "even");
      const layers = Math.min(small, Math.ceil(reach / s));
      const height = (unit * Math.min(layers, ROOM)) / layers;
      const rows = {
        small: (value, q) => square(s * q + (reach - 1) / 2, 0, unit, value, tint(q), "plain"),
        stamps: (_, q) =>
          values.kernel.forEach((weight, tap) => {
            const place = s * q + d * tap;
            const value = weight * (transposed ? values.small[q] : values.line[place]);
            square(place, height * (q % layers), height, value, tint(q), "plain");
          }),
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
            if (p && column(place) >= 0) paths.bold += `M${unit * column(place)} ${y - 3}v${unit + 6}`;
        y += row === "stamps" ? ROOM * unit : unit;
      }
      shapes.forEach((shape, n) => shape.setAttribute("d", paths[kinds[n]]));
      texts.replaceChildren(...written);
      element.setAttribute("width", unit * Math.max(Math.min(line, fit), 10) + 2);
      element.setAttribute("height", y + 2);
      const shown = cut ? " (the middle is left out)" : `: ${values[transposed ? "large" : "small"].join(" ")}`;
      element.ariaLabel = `${Object.values(named).join("; ")}${shown}.`;
    }
    return { element, draw };
  }

  // ---- The explorable ----

  function render({ model, el }) {
    model.set("framework", "PyTorch");
    const said = announcer();
    const line = picture();
    const words = make("p", { class: "upconv-sizes-words" });

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

    // To turn round keeps both sizes: what came out goes in.
    const direction = choice({
      model: {
        get: () => model.get("transposed"),
        set: (_, transposed) =>
          model.set({ transposed, input_size: Math.min(read(model.all()).o, MOST) }),
        on: (...listener) => model.on(...listener),
      },
      name: "transposed",
      label: "Operation",
      options: KINDS,
    });
    const names = ["stride", "kernel", "padding", "output_padding", "dilation"];
    const sliders = names.map((name) => slider({ model, name, label: name }));
    const size = field("input size", model.get("input_size"), (n) => {
      if (Number.isInteger(n)) model.set("input_size", n);
      else said.say((words.textContent = n));
    });
    size.addEventListener("change", update); // what was no size goes

    // Every control ends where the settings would become illegal; output_padding stays below the
    // stride, and a smaller stride pulls it down, unless nothing would be left.
    function bound({ geometry, transposed, i, s, rest, large }) {
      const ends = (name, cap, from = geometry) => limits(from, name, i, { transposed, cap });
      const needed = transposed && large <= rest;
      const bare = needed ? geometry : new Geometry({ ...geometry, output_padding: 0 });
      names.forEach((name, n) => {
        let { min, max } =
          name === "output_padding"
            ? transposed ? ends(name, s - 1) : { min: rest, max: rest }
            : ends(name, CAPS[name], name === "stride" ? bare : geometry);
        if (name === "stride" && needed) min = Math.max(min, rest + 1);
        sliders[n].bound(min, max);
      });
      size.min = ends("input_shape", Math.min(i, 32)).min;
      size.ariaInvalid = false;
      if (size.valueAsNumber !== i) size.value = i;
    }

    // The sizes that the convolution takes to one, each with the output_padding of its way back.
    const meeting = make("p");
    const sizes = range(CAPS.stride).map(() => button("", (event) => choose(event.currentTarget)));
    const choose = ({ dataset: { size: large, rest } }) =>
      model.set(model.get("transposed") ? { output_padding: +rest } : { input_size: +large });
    function meet({ geometry, transposed, small, large }) {
      const [all] = geometry.ambiguous_inputs(small);
      meeting.textContent =
        `A convolution with these settings takes ${all.length > 1 ? "" : "only "}${listed(all)} ` +
        `to ${small}. On the way back, output_padding says which:`;
      sizes.forEach((one, n) => {
        one.hidden = n >= all.length;
        if (one.hidden) return;
        const [rest] = geometry.adjoint_to(all[n]).output_padding;
        one.dataset.size = all[n];
        one.dataset.rest = rest;
        one.ariaPressed = all[n] === large;
        one.textContent = `${rest} gives ${all[n]}`;
      });
    }

    // "I have 14 and want 28."
    const asked = { have: 14, want: 28 };
    const ask = (name) =>
      field(name, asked[name], (n) => {
        asked[name] = n;
        search();
      });
    const answers = make("div", { class: "upconv-answers" });
    let found = [];
    function search() {
      const { have, want } = asked;
      const bad = [have, want].find((n) => !Number.isInteger(n));
      found = [];
      answers.replaceChildren(...(bad ? [make("p", {}, bad)] : KINDS.flatMap(solutions)));
      said.say(bad ?? `${count(found.length, "setting")} from ${have} to ${want}.`);
      mark();
    }
    function solutions([transposed, kind]) {
      const { have, want } = asked;
      const bounds = { max_kernel: CAPS.kernel, max_padding: CAPS.padding, max_stride: CAPS.stride };
      const list = solve(have, want, { transposed, ...bounds }).map((geometry) => {
        const all = { transposed, input_size: have };
        for (const name of names) [all[name]] = geometry[name].flat();
        const text = ["kernel", "stride", "padding", "output_padding"]
          .filter((name) => all[name] > (name === "stride"))
          .map((name) => `${name} ${all[name]}`);
        if (!transposed) delete all.output_padding; // it follows from the size
        const one = button(text.join(", "), () => model.set(all));
        found.push([one, all]);
        return one;
      });
      const head = list.length ? `By a ${kind}:` : `By a ${kind}: none within these bounds.`;
      return [make("p", {}, head), make("div", { class: "upconv-sizes-row" }, ...list)];
    }
    const mark = () => {
      for (const [one, all] of found)
        one.ariaPressed = Object.keys(all).every((name) => all[name] === model.get(name));
    };

    const source = make("code");
    const copy = button("Copy", async () => {
      let done = true;
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        getSelection().selectAllChildren(source);
        done = document.execCommand("copy");
      }
      copy.textContent = done ? "Copied" : "Selected: press Ctrl+C";
      said.say(copy.textContent);
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    });
    const framework = choice({
      model,
      name: "framework",
      label: "As code",
      options: Object.keys(TEMPLATES).map((name) => [name, name]),
    });

    function update() {
      const settings = model.all();
      const bare = new Geometry({ ...settings, output_padding: 0 });
      const output_padding = settings.transposed
        ? Math.min(settings.output_padding, settings.stride - 1)
        : bare.adjoint_to(settings.input_size).output_padding[0];
      if (output_padding !== settings.output_padding)
        return model.set("output_padding", output_padding);
      const at = read(settings);
      bound(at);
      line.draw(at, width);
      words.textContent = sentence(at);
      said.say(words.textContent);
      meet(at);
      mark();
      source.textContent = code(settings.framework, at);
      copy.disabled = source.textContent.startsWith("#");
    }

    el.classList.add("upconv-sizes");
    const panel = make("div", { class: "upconv-panel" }, line.element);
    const row = (...children) => make("div", { class: "upconv-sizes-row" }, ...children);
    el.append(
      direction.element,
      make(
        "div",
        { class: "upconv-controls" },
        make("label", { class: "upconv-control" }, "input size", size),
        ...sliders.map(({ element }) => element),
      ),
      words,
      panel,
      meeting,
      row(...sizes),
      make("p", {}, "I have ", ask("have"), " and want ", ask("want"), ""),
      answers,
      row(framework.element, copy),
      make("pre", { tabindex: 0, role: "region", "aria-label": "The layer as code" }, source),
      said.element,
    );
    let width = panel.clientWidth; // asked for once: each time costs a layout of the page
    search();
    update();
    model.on("change", update);
    new ResizeObserver(([{ contentRect }]) => {
      width = contentRect.width;
      line.draw(read(model.all()), width);
    }).observe(panel);
  }

  upconv.explorable("sizes", { render });
})();

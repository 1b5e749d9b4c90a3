// Two routes up. The view "routes" sends an input through nearest upsampling and a convolution, and
// through one transposed convolution: the kernel of one is dragged, that of the other follows,
// collapsed or divided. The view "pooling" sends a gradient back through four poolings.

"use strict";
(() => {
  const { make, slider, choice, announcer, grid } = upconv.ui;
  const { Geometry, tensor, number, conv, conv_transpose, interpolate, collapse, divide } =
    upconv.arithmetic;
  const { phase_gains, max_pool, max_pool_gradient, average_pool_gradient, insert_zeros } =
    upconv.arithmetic;

  const DIGITS = [3, 1, 4, 2, 6, 5, 7, 0, 8]; // all different in windows of 2 and 3

  const numbers = (count, each) => Array.from({ length: count }, (_, n) => each(n));
  const first = (count) => numbers(count, (n) => DIGITS[n % 9]);
  const fitting = (values, count) => (values?.length === count ? values : first(count));
  const bounded = (value, low, high) => Math.min(Math.max(value, low), high);
  const largest = ({ data }) => data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const cube = (axes, n) => Array(axes).fill(n);
  const side = (axes, { length }) => Math.round(length ** (1 / axes));
  const image = (axes, data) => tensor([1, 1, ...cube(axes, side(axes, data))], data);
  const listed = (data) => `(${[...data].map(number).join(", ")})`;

  // What stands under a heading; `head` changes it.
  function panel(child) {
    const heading = make("p");
    const head = (words) => {
      heading.textContent = child.ariaLabel = words;
    };
    return { element: make("div", { class: "upconv-panel" }, heading, child), head };
  }

  const stage = (...parts) =>
    make("div", { class: "upconv-stage" }, ...parts.map(({ element }) => element));

  // A table of numbers that follow.
  function result() {
    const table = grid({});
    const { element, head } = panel(table.element);
    const show = (words, { shape, data }, limit = largest({ data })) => {
      const width = shape.at(-1);
      const row = (n) => [...data.subarray(n * width, (n + 1) * width)];
      head(words);
      table.fill(numbers(data.length / width, row), { tint: (value) => value / limit });
    };
    return { element, show };
  }

  // Whole numbers to drag up and down. An unseen range input in each takes the keys, and tells its
  // value to those who do not see the bar.
  function bars(model, name) {
    const group = make("div", { class: "upconv-bars", role: "group" });
    const { element, head } = panel(group);
    const pixels = ({ max }) => Math.max(32 / max, 4); // for 1: its height, if that can be hit

    function bar(n) {
      const text = make("span", { "aria-hidden": "true" });
      const input = make("input", { type: "range", "aria-orientation": "vertical" });
      const cell = make("div", { class: "upconv-bar" }, text, input);
      let grip;
      input.addEventListener("input", () => {
        const [values, value] = [model.get(name), Number(input.value)];
        if (value !== values[n]) model.set(name, values.with(n, value));
      });
      cell.addEventListener("mousedown", (event) => event.preventDefault()); // it takes the focus away
      cell.addEventListener("pointerdown", ({ pointerId, clientY }) => {
        input.focus({ preventScroll: true });
        cell.setPointerCapture(pointerId);
        grip = Number(input.value) + clientY / pixels(input);
      });
      cell.addEventListener("pointermove", ({ pointerId, clientY }) => {
        if (!cell.hasPointerCapture(pointerId)) return;
        input.value = Math.round(grip - clientY / pixels(input));
        input.dispatchEvent(new Event("input"));
      });
      return cell;
    }

    function show(words, axes, limit, framed = []) {
      const values = model.get(name);
      const columns = side(axes, values);
      head(words);
      group.style.setProperty("--columns", columns);
      if (group.children.length !== values.length) group.replaceChildren(...values.map((_, n) => bar(n)));
      values.forEach((value, n) => {
        const cell = group.children[n];
        const [text, input] = cell.children;
        const place = axes > 1 ? `[${Math.floor(n / columns)}, ${n % columns}]` : n;
        const lit = framed.includes(n);
        Object.assign(input, { min: -limit, max: limit, value, ariaLabel: `${words} ${place}` });
        text.textContent = number(value);
        input.ariaValueText = number(value) + (lit ? ", the largest" : "");
        cell.style.setProperty("--tint", Math.abs(value / limit));
        cell.classList.toggle("minus", value < 0);
        cell.dataset.mark = lit ? "lit" : "";
      });
    }
    return { element, show };
  }

  // Both routes. The convolution that stands beside a strided kernel has its quotient.
  function both({ start, scale, axes, weight, x }) {
    const [input, given] = [image(axes, x), image(axes, weight)];
    const division = start === "transposed" && divide(given, scale);
    const small = division ? division.quotient : given;
    const kernel = small.shape.slice(2);
    const before = Math.floor((kernel[0] - 1) / 2);
    const padding = cube(axes, [before, kernel[0] - 1 - before]);
    const collapsed = collapse(small, scale, { padding });
    const stamp = division ? given : collapsed.weight;
    const upsampled = interpolate(input, { scale_factor: scale });
    const two = conv(upsampled, small, new Geometry({ kernel, padding }));
    const one = conv_transpose(input, stamp, collapsed.geometry);
    const difference = { ...one, data: one.data.map((value, n) => value - two.data[n]) };
    return { division, small, stamp, upsampled, two, one, difference };
  }

  // What became of the kernel, and of the outputs.
  function told({ scale, axes }, { division, small, stamp, difference }) {
    const named = (data) => (axes > 1 ? `${side(2, data)}×${side(2, data)}` : listed(data));
    const [box, kernel, convolved] = [cube(scale ** axes, 1), stamp.data, small.data].map(named);
    const [count, differ] = [difference.data.length, difference.data.filter(Boolean).length];
    const sums = () => listed(phase_gains(stamp, scale).data);
    const kernels = !division
      ? `The ${convolved} kernel, flipped, times the ${box} box is the ${kernel} kernel of one layer.`
      : division.factorable
        ? `Factorable: the ${kernel} kernel is a multiple of the ${box} box.`
        : `Not factorable: the ${kernel} kernel is no multiple of the ${box} box, ` +
          `as its phase sums differ${axes > 1 ? " in a row or column" : `: ${sums()}`}.`;
    const outputs = differ
      ? `${differ} of ${count} outputs differ, by what the remainder stamps.`
      : `All ${count} outputs of the two routes are equal, at the border too.`;
    return [kernels, outputs];
  }

  function routes(model) {
    const [x, weight] = ["x", "weight"].map((name) => bars(model, name));
    const [follows, rest, upsampled, two, one, difference] = numbers(6, result);

    // Least and largest size of the kernel that is dragged, and its largest weight.
    const range = ({ start, scale, axes }) =>
      start === "transposed" ? [scale, scale + 2, 3 * scale ** axes] : [1, 3, 3];

    // What no longer fits begins anew, weights with 1, 2, 3.
    function fit() {
      const all = model.all();
      const [least, most, limit] = range(all);
      const kernel = bounded(all.kernel, least, most);
      const begun = (n) => Math.max((n % kernel) - Math.floor(n / kernel) + 1, 0);
      const count = kernel ** all.axes;
      const taps = all.weight?.length === count ? all.weight : numbers(count, begun);
      const held = taps.map((value) => bounded(value, -limit, limit));
      model.set({ kernel, weight: held, x: fitting(all.x, all.axes > 1 ? 9 : 4) });
    }

    // The kernel that followed is now the one to drag.
    model.on("change:start", () => {
      const { start, axes, scale, weight } = model.all();
      const given = image(axes, weight);
      const other =
        start === "transposed" ? collapse(given, scale).weight : divide(given, scale).quotient;
      model.set({ kernel: other.shape[2], weight: [...other.data] });
    });

    const options = [["convolution", "the convolution"], ["transposed", "the strided layer"]];
    const start = choice({ model, name: "start", label: "Drag the kernel of", options });
    const text = (k) => cube(model.get("axes"), k).join("×");
    const size = slider({ model, name: "kernel", label: "Kernel size", text });

    function update(words) {
      const all = model.all();
      const { axes, scale } = all;
      const seen = both(all);
      const [least, most, limit] = range(all);
      const names = ["Kernel after upsampling", `Kernel with stride ${scale}`];
      size.bound(least, most);
      x.show("Input", axes, 9);
      rest.element.hidden = !seen.division;
      if (seen.division) {
        weight.show(names[1], axes, limit);
        follows.show(`${names[0]}: quotient`, seen.small);
        rest.show("Remainder", seen.division.remainder, limit);
      } else {
        weight.show(names[0], axes, limit);
        follows.show(`${names[1]}: collapsed`, seen.stamp);
      }
      const high = Math.max(largest(seen.two), largest(seen.one));
      upsampled.element.hidden = axes > 1;
      upsampled.show("Upsampled", seen.upsampled, 9);
      two.show("Upsampled, then convolved", seen.two, high);
      one.show(`One layer with stride ${scale}`, seen.one, high);
      difference.show("Difference", seen.difference, high);
      const sentences = told(all, seen);
      words.textContent = sentences.join(" ");
      return sentences[1];
    }
    const stages = [stage(x, weight, follows, rest), stage(upsampled, two, one, difference)];
    return { controls: [start, size], stages, fit, update };
  }

  function pooling(model) {
    const [x, gradient] = ["x", "gradient"].map((name) => bars(model, name));
    const ways = numbers(4, result);

    function fit() {
      const { axes, scale, ...all } = model.all();
      const count = axes > 1 ? 4 : 3;
      model.set({ x: fitting(all.x, count * scale ** axes), gradient: fitting(all.gradient, count) });
    }

    function update(words) {
      const { axes, scale, ...all } = model.all();
      const [input, g] = [image(axes, all.x), image(axes, all.gradient)];
      const [size, count] = [input.shape.slice(2), scale ** axes];
      const tiles = new Geometry({ kernel: cube(axes, scale), stride: scale });
      const { indices } = max_pool(input, tiles);
      const unpooled = max_pool_gradient(g, indices, size);
      x.show("Input", axes, 9, [...indices.data]);
      gradient.show("Gradient", axes, 12);
      [
        ["the sum: nearest upsampling", interpolate(g, { scale_factor: scale })],
        [`the average: that / ${count}`, average_pool_gradient(g, tiles, size)],
        ["the maximum: unpooling", unpooled],
        ["the slice: zero insertion", insert_zeros(g, scale, size)],
      ].forEach(([way, back], n) => ways[n].show(`Back through ${way}`, back, 12));
      words.textContent =
        `The sum passes each gradient back to all ${count} inputs of its window, the average ` +
        `1/${count} of it; the maximum to the largest input (framed), the slice to the first.`;
      return `Back through the maximum: ${listed(unpooled.data)}`;
    }
    return { controls: [], stages: [stage(x, gradient), stage(...ways)], fit, update };
  }

  upconv.explorable("routes", {
    render({ model, el }) {
      const view = model.get("view");
      const { controls, stages, fit, update } = { routes, pooling }[view](model);
      const words = make("p", { class: "upconv-words" });
      const said = announcer();
      const two = [[2, "2"], [3, "3"]];
      controls.push(choice({ model, name: "scale", label: "Scale", options: two }));
      const planes = [[1, "1-D"], [2, "2-D"]];
      controls.push(choice({ model, name: "axes", label: "Axes", options: planes }));
      const bar = make("div", { class: "upconv-controls" }, ...controls.map(({ element }) => element));
      el.append(bar, words, make("div", { class: `upconv-${view}` }, ...stages), said.element);
      let shown = [];
      function show() {
        const values = Object.values(model.all());
        if (values.every((value, n) => value === shown[n])) return; // a change within a change
        shown = values;
        el.dataset.axes = model.get("axes");
        el.style.setProperty("--scale", model.get("scale"));
        said.say(update(words));
      }
      for (const name of ["scale", "axes", "kernel"]) model.on(`change:${name}`, fit);
      fit();
      show();
      model.on("change", show);
    },
  });
})();

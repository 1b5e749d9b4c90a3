// Two routes up. The view "routes" sends an input through nearest upsampling and a convolution, and
// through one transposed convolution: the kernel of one is dragged, that of the other follows,
// collapsed or divided. The view "pooling" sends a gradient back through four poolings.

"use strict";
(() => {
  const { make, slider, choice, announcer, grid } = upconv.ui;
  const { Geometry, tensor, number, ...arithmetic } = upconv.arithmetic;

  const SMALL = { routes: [4, 3], pooling: [3, 2] }; // sides of the small image, 1-D and 2-D
  const LIMITS = { weight: 3, x: 9, gradient: 12 };
  const DIGITS = [3, 1, 4, 2, 6, 5, 7, 0, 8]; // all different in windows of 2 and 3

  const numbers = (count, each) => Array.from({ length: count }, (_, n) => each(n));
  const first = (count) => numbers(count, (n) => DIGITS[n % 9]);
  const bounded = (value, low, high) => Math.min(Math.max(value, low), high);
  const largest = ({ data }) => data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const cube = (axes, n) => Array(axes).fill(n);
  const times = (axes, n) => cube(axes, n).join("×");
  const side = (axes, { length }) => Math.round(length ** (1 / axes));
  const image = (axes, data) => tensor([1, 1, ...cube(axes, side(axes, data))], data);
  const listed = ({ data }) => `(${[...data].map(number).join(", ")})`;

  const stage = (...parts) =>
    make("div", { class: "upconv-stage" }, ...parts.map(({ element }) => element));

  // A heading, and what stands under it.
  function panel(...children) {
    const heading = make("p");
    const element = make("div", { class: "upconv-panel" }, heading, ...children);
    return { element, heading };
  }

  // A table of numbers that follow.
  function result() {
    const table = grid({});
    const { element, heading } = panel(table.element);
    const show = (title, { shape, data }, limit = largest({ data })) => {
      const width = shape.at(-1);
      const row = (n) => [...data.subarray(n * width, (n + 1) * width)];
      heading.textContent = table.element.ariaLabel = title;
      table.fill(numbers(data.length / width, row), { tint: (value) => value / limit });
    };
    return { element, show };
  }

  // Whole numbers to drag up and down. An unseen range input in each takes the keys, and tells its
  // value to those who do not see the bar.
  function bars({ model, name }) {
    const group = make("div", { class: "upconv-bars", role: "group" });
    const { element, heading } = panel(group);

    function bar(n) {
      const input = make("input", { type: "range", "aria-orientation": "vertical" });
      const cell = make("div", { class: "upconv-bar" }, make("span", { "aria-hidden": "true" }), input);
      let grip;
      input.addEventListener("input", () => {
        const values = model.get(name);
        const value = Number(input.value);
        if (value !== values[n]) model.set(name, values.with(n, value));
      });
      cell.addEventListener("mousedown", (event) => event.preventDefault()); // it would take the focus
      cell.addEventListener("pointerdown", ({ pointerId, clientY }) => {
        input.focus({ preventScroll: true });
        cell.setPointerCapture(pointerId);
        grip = Number(input.value) + clientY / pace(input);
      });
      cell.addEventListener("pointermove", ({ pointerId, clientY }) => {
        if (!cell.hasPointerCapture(pointerId)) return;
        input.value = Math.round(grip - clientY / pace(input));
        input.dispatchEvent(new Event("input"));
      });
      return cell;
    }
    const pace = ({ max }) => Math.max(32 / max, 4); // pixels for 1: as high as it is, if not too low

    function show(title, axes, limit, framed = []) {
      const values = model.get(name);
      const columns = side(axes, values);
      heading.textContent = `${title}: drag`;
      group.ariaLabel = title;
      group.style.setProperty("--columns", columns);
      if (group.children.length !== values.length) group.replaceChildren(...numbers(values.length, bar));
      values.forEach((value, n) => {
        const cell = group.children[n];
        const [text, input] = cell.children;
        const place = axes > 1 ? `[${Math.floor(n / columns)}, ${n % columns}]` : n;
        const mark = framed.includes(n) ? "lit" : "";
        Object.assign(input, { min: -limit, max: limit, value, ariaLabel: `${title} ${place}` });
        input.ariaValueText = number(value) + (mark && ", the largest");
        text.textContent = number(value);
        cell.style.setProperty("--tint", Math.abs(value / limit));
        cell.classList.toggle("minus", value < 0);
        cell.dataset.mark = mark;
      });
    }
    return { element, show };
  }

  // Both routes; the convolution of a strided kernel has the quotient.
  function both({ start, scale, axes, weight, x }) {
    const [input, given] = [image(axes, x), image(axes, weight)];
    const division = start === "transposed" ? arithmetic.divide(given, scale) : null;
    const small = division?.quotient ?? given;
    const kernel = small.shape.slice(2);
    const before = Math.floor((kernel[0] - 1) / 2);
    const padding = cube(axes, [before, kernel[0] - 1 - before]);
    const collapsed = arithmetic.collapse(small, scale, { padding });
    const stamp = division ? given : collapsed.weight;
    const upsampled = arithmetic.interpolate(input, { scale_factor: scale });
    const two = arithmetic.conv(upsampled, small, new Geometry({ kernel, padding }));
    const one = arithmetic.conv_transpose(input, stamp, collapsed.geometry);
    const difference = { ...one, data: one.data.map((value, n) => value - two.data[n]) };
    return { division, small, stamp, upsampled, two, one, difference };
  }

  // What became of the kernel, and of the outputs.
  function told({ scale, axes }, { division, small, stamp, difference }) {
    const plane = axes > 1;
    const box = plane ? `the ${times(2, scale)} box` : `the box ${listed({ data: cube(scale, 1) })}`;
    const kernel = plane ? `this ${times(2, stamp.shape[2])} kernel` : listed(stamp);
    const count = difference.data.length;
    const differ = difference.data.filter(Boolean).length;
    const equal = `All ${count} outputs of both routes are equal, at the border too.`;
    if (!division) {
      const flipped = plane ? "the flipped kernel" : `the kernel, flipped to ${listed(arithmetic.flipped(small))},`;
      return [`Two layers are one: ${flipped} times ${box} is ${kernel} with stride ${scale}.`, equal];
    }
    if (division.factorable) return [`Factorable: ${kernel} is a multiple of ${box}.`, equal];
    const sums = plane ? "In some row or column the phase sums differ" : `Its phase sums ${listed(arithmetic.phase_gains(stamp, scale))} differ`;
    return [
      `Not factorable: ${box} does not divide ${kernel}. ${sums}.`,
      `The routes differ at ${differ} of ${count} outputs, by what the remainder stamps.`,
    ];
  }

  function routes({ model, el }) {
    const [x, weight] = ["x", "weight"].map((name) => bars({ model, name }));
    const [follows, rest, upsampled, two, one, difference] = numbers(6, result);
    const strided = () => model.get("start") === "transposed";
    const sizes = () => [1, 3].map((k) => (strided() ? k + model.get("scale") - 1 : k));
    const limit = () => LIMITS.weight * (strided() ? model.get("scale") ** model.get("axes") : 1);

    // What no longer fits begins anew: the input, and the weights with 1, 2, 3.
    function fit() {
      const { axes, ...old } = model.all();
      const [kernel, count] = [bounded(old.kernel, ...sizes()), SMALL.routes[axes - 1] ** axes];
      const begun = (n) => Math.max((n % kernel) - Math.floor(n / kernel) + 1, 0);
      const weight = old.weight?.length === kernel ** axes ? old.weight : numbers(kernel ** axes, begun);
      model.set({
        kernel,
        weight: weight.map((value) => bounded(value, -limit(), limit())),
        x: old.x?.length === count ? old.x : first(count),
      });
    }
    fit();
    for (const name of ["axes", "scale", "kernel"]) model.on(`change:${name}`, fit);
    model.on("change:start", () => {
      const { axes, scale, weight } = model.all();
      const given = image(axes, weight);
      const other = strided() ? arithmetic.collapse(given, scale).weight : arithmetic.divide(given, scale).quotient;
      model.set({ kernel: other.shape[2], weight: [...other.data] });
    });

    const options = [["convolution", "the convolution"], ["transposed", "the strided layer"]];
    const start = choice({ model, name: "start", label: "You give", options });
    const text = (k) => times(model.get("axes"), k);
    const size = slider({ model, name: "kernel", label: "its kernel", text });
    const [kernels, outputs] = numbers(2, () => make("p", { class: "upconv-told" }));
    el.append(kernels, stage(x, weight, follows, rest), outputs, stage(upsampled, two, one, difference));

    function update() {
      const all = model.all();
      const seen = both(all);
      const { division, small, stamp } = seen;
      const names = ["Kernel of the convolution", `Kernel with stride ${all.scale}`];
      if (division) names.reverse();
      size.bound(...sizes());
      x.show("Input", all.axes, LIMITS.x);
      weight.show(names[0], all.axes, limit());
      follows.show(`${names[1]}, ${division ? "the quotient" : "collapsed"}`, division ? small : stamp);
      rest.element.hidden = !division;
      if (division) rest.show("Remainder", division.remainder, limit());
      upsampled.element.hidden = all.axes > 1;
      const most = Math.max(largest(seen.two), largest(seen.one));
      upsampled.show("Upsampled", seen.upsampled, LIMITS.x);
      two.show("Upsampled and convolved", seen.two, most);
      one.show(`One layer with stride ${all.scale}`, seen.one, most);
      difference.show("Difference", seen.difference, most);
      [kernels.textContent, outputs.textContent] = told(all, seen);
      return outputs.textContent;
    }
    return { controls: [start, size], update };
  }

  function pooling({ model, el }) {
    const [x, gradient] = ["x", "gradient"].map((name) => bars({ model, name }));
    function fit() {
      const { axes, scale, ...old } = model.all();
      const small = SMALL.pooling[axes - 1];
      const fitting = (values, count) => (values?.length === count ? values : first(count));
      model.set({ x: fitting(old.x, (small * scale) ** axes), gradient: fitting(old.gradient, small ** axes) });
    }
    fit();
    for (const name of ["axes", "scale"]) model.on(`change:${name}`, fit);
    const [down, back] = numbers(2, () => numbers(4, result));
    const words = make("p", { class: "upconv-told" });
    const pairs = down.map((one, n) => ({ element: make("div", {}, one.element, back[n].element) }));
    el.append(words, stage(x, gradient), stage(...pairs));

    function update() {
      const { axes, scale, ...all } = model.all();
      const [input, g] = [image(axes, all.x), image(axes, all.gradient)];
      const [kernel, size, count] = [cube(axes, scale), input.shape.slice(2), scale ** axes];
      const tiles = new Geometry({ kernel, stride: scale });
      const box = image(axes, Array(count).fill(1));
      const slicing = new Geometry({ kernel: cube(axes, 1), stride: scale });
      const { values, indices } = arithmetic.max_pool(input, tiles);
      const unpooled = arithmetic.max_pool_gradient(g, indices, size);
      x.show("Input", axes, LIMITS.x, [...indices.data]);
      gradient.show("Gradient", axes, LIMITS.gradient);
      [
        ["Sum", arithmetic.conv(input, box, tiles)],
        ["Average", arithmetic.average_pool(input, tiles)],
        ["Maximum", values],
        ["Slice", arithmetic.conv(input, image(axes, [1]), slicing)],
      ].forEach((args, n) => down[n].show(...args));
      [
        ["nearest upsampling", arithmetic.conv_transpose(g, box, tiles)],
        [`the same, / ${count}`, arithmetic.average_pool_gradient(g, tiles, size)],
        ["unpooling", unpooled],
        ["zero insertion", arithmetic.insert_zeros(g, scale, size)],
      ].forEach(([name, values], n) => back[n].show(`Back: ${name}`, values, LIMITS.gradient));
      words.textContent =
        `Back through the sum, all ${count} inputs of a window get its gradient; through the average, ` +
        `1/${count} of it; through the maximum, only the largest (framed) gets it; through the slice, only the first.`;
      return `Back through the maximum: ${listed(unpooled)}`;
    }
    return { controls: [], update };
  }

  upconv.explorable("routes", {
    render({ model, el }) {
      el.classList.add("upconv-routes");
      const said = announcer();
      const bar = make("div", { class: "upconv-controls" });
      el.append(bar, said.element);
      const { controls, update } = { routes, pooling }[model.get("view")]({ model, el });
      const scale = choice({ model, name: "scale", label: "Scale", options: [[2, "2"], [3, "3"]] });
      const axes = choice({ model, name: "axes", label: "Axes", options: [[1, "1-D"], [2, "2-D"]] });
      bar.append(...[...controls, scale, axes].map(({ element }) => element));
      const show = () => {
        Object.assign(el.dataset, { axes: model.get("axes"), scale: model.get("scale") });
        return update();
      };
      show();
      model.on("change", () => said.say(show()));
    },
  });
})();

// Two routes up: nearest upsampling and a convolution, and one strided layer. The kernel of one is
// dragged, that of the other follows. In the view "pooling", a gradient goes back through poolings.

"use strict";
(() => {
  const { make, slider, choice, announcer, grid } = upconv.ui;
  const { Geometry, tensor, number, ...arithmetic } = upconv.arithmetic;

  const FIRST = [1, 2, 4, 3, 0, -1, -2, 5, -3]; // all different in windows of 2 and 3

  const numbers = (count, each) => Array.from({ length: count }, (_, n) => each(n));
  // What no longer fits begins anew.
  const fitting = (values, count) =>
    values?.length === count ? values : numbers(count, (n) => FIRST[n % 9]);
  const bounded = (value, low, high) => Math.min(Math.max(value, low), high);
  const largest = ({ data }) => data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const cube = (axes, n) => Array(axes).fill(n);
  const side = (axes, { length }) => Math.round(length ** (1 / axes));
  const image = (axes, data) => tensor([1, 1, ...cube(axes, side(axes, data))], data);
  const listed = (data) => `(${[...data].map(number).join(", ")})`;
  const stage = (...parts) =>
    make("div", { class: "upconv-stage" }, ...parts.map(({ element }) => element));

  // Something under a heading: `show` changes both.
  function panel(child, fill) {
    const heading = make("p");
    const show = (words, ...rest) => {
      heading.textContent = child.ariaLabel = words;
      fill(...rest);
    };
    return { element: make("div", { class: "upconv-panel" }, heading, child), show };
  }

  // A table of numbers that follow.
  function result() {
    const { element, fill } = grid({});
    return panel(element, ({ shape, data }, limit = largest({ data })) => {
      const width = shape.at(-1);
      const row = (n) => [...data.subarray(n * width, (n + 1) * width)];
      fill(numbers(data.length / width, row), { tint: (value) => value / limit });
    });
  }

  // Whole numbers to drag up and down. An unseen range input in each takes the keys, and tells its
  // value to those who do not see the bar.
  function bars(model, name) {
    const group = make("div", { class: "upconv-bars", role: "group" });
    const pixels = ({ max }) => Math.max(32 / max, 4); // for 1: its height, if that can be hit

    function bar(n) {
      const text = make("span", { "aria-hidden": "true" });
      const input = make("input", { type: "range" });
      const cell = make("div", { class: "upconv-bar" }, text, input);
      let grip;
      input.oninput = () => {
        const [values, value] = [model.get(name), Number(input.value)];
        if (value !== values[n]) model.set(name, values.with(n, value));
      };
      cell.onmousedown = (event) => event.preventDefault(); // or the focus is lost again
      cell.onpointerdown = ({ pointerId, clientY }) => {
        input.focus({ preventScroll: true });
        cell.setPointerCapture(pointerId);
        grip = Number(input.value) + clientY / pixels(input);
      };
      cell.onpointermove = ({ pointerId, clientY }) => {
        if (!cell.hasPointerCapture(pointerId)) return;
        input.value = Math.round(grip - clientY / pixels(input));
        input.oninput();
      };
      return cell;
    }

    return panel(group, (axes, limit, framed = []) => {
      const values = model.get(name);
      const columns = side(axes, values);
      group.style.setProperty("--columns", columns);
      if (group.children.length !== values.length)
        group.replaceChildren(...numbers(values.length, bar));
      values.forEach((value, n) => {
        const cell = group.children[n];
        const [text, input] = cell.children;
        const place = axes > 1 ? `[${Math.floor(n / columns)}, ${n % columns}]` : n;
        const ariaLabel = `${group.ariaLabel} ${place}`;
        const mark = framed.includes(n) ? "lit" : "";
        Object.assign(input, { min: -limit, max: limit, value, ariaLabel });
        text.textContent = number(value);
        input.ariaValueText = number(value) + (mark && ", the largest");
        cell.dataset.mark = mark;
        cell.style.setProperty("--tint", Math.abs(value / limit));
        cell.classList.toggle("minus", value < 0);
      });
    });
  }

  // Both routes. The convolution beside a strided layer has the quotient of its kernel.
  function both({ start, scale, axes, weight, x }) {
    const [input, given] = [image(axes, x), image(axes, weight)];
    const division = start === "transposed" && arithmetic.divide(given, scale);
    const small = division ? division.quotient : given;
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
    const named = (data) => (axes > 1 ? cube(2, side(2, data)).join("×") : listed(data));
    const [box, kernel, other] = [cube(scale ** axes, 1), stamp.data, small.data].map(named);
    const gains = listed(arithmetic.phase_gains(stamp, scale).data);
    const differ = difference.data.filter(Boolean).length;
    const verdict = division.factorable
      ? `Factorable: the ${kernel} kernel is a multiple of the ${box} box.`
      : `Not factorable: the phase sums ${axes > 1 ? "of a row or column" : gains} differ.`;
    return [
      division ? verdict : `The ${other} kernel, flipped, times the ${box} box is ${kernel}.`,
      (differ ? `${differ} of the ` : "All ") +
        `${difference.data.length} outputs ` +
        (differ ? "differ, by what the remainder stamps." : "agree, at the border too."),
    ];
  }

  function routes(model) {
    const [x, weight] = [bars(model, "x"), bars(model, "weight")];
    const [follows, rest, upsampled, two, one, difference] = numbers(6, result);

    // Least and largest size of the kernel that is dragged, and its largest weight.
    const range = ({ start, scale, axes }) =>
      start === "transposed" ? [scale, scale + 2, 3 * scale ** axes] : [1, 3, 3];

    function fit() {
      const all = model.all();
      const [least, most, limit] = range(all);
      const kernel = bounded(all.kernel, least, most);
      const taps = fitting(all.weight, kernel ** all.axes);
      const weight = taps.map((value) => bounded(value, -limit, limit));
      model.set({ kernel, weight, x: fitting(all.x, all.axes > 1 ? 9 : 4) });
    }

    // The kernel that followed is now the one to drag.
    let seen;
    model.on("change:start", () => {
      const { shape, data } = seen.division ? seen.small : seen.stamp;
      model.set({ kernel: shape[2], weight: [...data] });
    });

    const options = [["convolution", "the convolution"], ["transposed", "the strided layer"]];
    const start = choice({ model, name: "start", label: "Drag the kernel of", options });
    const text = (k) => cube(model.get("axes"), k).join("×");
    const size = slider({ model, name: "kernel", label: "Kernel size", text });

    function update() {
      const all = model.all();
      const { axes, scale } = all;
      seen = both(all);
      const [least, most, limit] = range(all);
      const [small, stamp] = ["Kernel after upsampling", `Kernel with stride ${scale}`];
      const high = Math.max(largest(seen.two), largest(seen.one));
      size.bound(least, most);
      x.show("Input", axes, 9);
      weight.show(seen.division ? stamp : small, axes, limit);
      rest.element.hidden = !seen.division;
      if (seen.division) {
        follows.show(`${small}: quotient`, seen.small);
        rest.show("Remainder", seen.division.remainder, limit);
      } else follows.show(`${stamp}: collapsed`, seen.stamp);
      upsampled.element.hidden = axes > 1;
      upsampled.show("Upsampled", seen.upsampled, 9);
      two.show("Upsampled, then convolved", seen.two, high);
      one.show(`One layer with stride ${scale}`, seen.one, high);
      difference.show("Difference", seen.difference, high);
      return told(all, seen);
    }
    const stages = [stage(x, weight, follows, rest), stage(upsampled, two, one, difference)];
    return { controls: [start, size], stages, fit, update };
  }

  function pooling(model) {
    const [x, gradient] = [bars(model, "x"), bars(model, "gradient")];
    const ways = numbers(4, result);

    function fit() {
      const { axes, scale, ...all } = model.all();
      const count = axes > 1 ? 4 : 3;
      const x = fitting(all.x, count * scale ** axes);
      model.set({ x, gradient: fitting(all.gradient, count) });
    }

    function update() {
      const { axes, scale, ...all } = model.all();
      const [input, g] = [image(axes, all.x), image(axes, all.gradient)];
      const [size, count] = [input.shape.slice(2), scale ** axes];
      const tiles = new Geometry({ kernel: cube(axes, scale), stride: scale });
      const { indices } = arithmetic.max_pool(input, tiles);
      const unpooled = arithmetic.max_pool_gradient(g, indices, size);
      const nothing = unpooled.data.filter((value) => !value).length;
      x.show("Input", axes, 9, [...indices.data]);
      gradient.show("Gradient", axes, 12);
      [
        ["sum: nearest upsampling", arithmetic.interpolate(g, { scale_factor: scale })],
        [`average: that / ${count}`, arithmetic.average_pool_gradient(g, tiles, size)],
        ["maximum: unpooling", unpooled],
        ["slice: zero insertion", arithmetic.insert_zeros(g, scale, size)],
      ].forEach(([way, back], n) => ways[n].show(`Back through the ${way}`, back, 12));
      return [
        `The sum passes each gradient back to all ${count} inputs of its window, the average ` +
          `1/${count} of it; the maximum to the largest input (framed), the slice to the first.`,
        `The maximum passes nothing to ${nothing} of ${input.data.length} inputs.`,
      ];
    }
    return { controls: [], stages: [stage(x, gradient), stage(...ways)], fit, update };
  }

  upconv.explorable("routes", {
    render({ model, el }) {
      const view = model.get("view");
      const { controls, stages, fit, update } = { routes, pooling }[view](model);
      const pair = (name, label, options) => choice({ model, name, label, options });
      controls.push(pair("scale", "Scale", [[2, "2"], [3, "3"]]));
      controls.push(pair("axes", "Axes", [[1, "1-D"], [2, "2-D"]]));
      const words = make("p", { class: "upconv-words" });
      const said = announcer();
      el.append(
        make("div", { class: "upconv-controls" }, ...controls.map(({ element }) => element)),
        words,
        make("div", { class: `upconv-${view}` }, ...stages),
        said.element,
      );
      function show() {
        el.dataset.axes = model.get("axes");
        const sentences = update();
        words.textContent = sentences.join(" ");
        return sentences[1];
      }
      for (const name of ["scale", "axes", "kernel"]) model.on(`change:${name}`, fit);
      fit();
      show();
      model.on("change", () => said.say(show()));
    },
  });
})();

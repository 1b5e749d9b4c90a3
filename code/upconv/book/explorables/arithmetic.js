// The arithmetic of the interactive figures, under the names of the Python package.
//
// A tensor is {shape: [batch, channels, ...size], data: Float64Array}, row by row. A convolution
// has the weight (out_channels, channels / groups, ...kernel); its transpose reads the very same
// array as (channels, out_channels / groups, ...kernel). What does not fit is a RangeError that
// names the argument.

(() => {
  "use strict";

  const shown = (value) => (Array.isArray(value) ? `[${value.map(shown).join(", ")}]` : `${value}`);

  function fail(name, got, wanted) {
    throw new RangeError(`${name}: got ${shown(got)}; want ${wanted}`);
  }

  const product = (numbers) => numbers.reduce((result, n) => result * n, 1);

  const range = (start, stop, step = 1) =>
    Array.from({ length: Math.ceil((stop - start) / step) }, (_, n) => start + n * step);

  // Of a division that rounds down, so that it is never negative.
  const remainder = (n, s) => ((n % s) + s) % s;

  // Every choice of one entry from each list, the last list fastest.
  const choices = (lists) =>
    lists.reduce((heads, list) => heads.flatMap((head) => list.map((n) => [...head, n])), [[]]);

  const positions = (size) => choices(size.map((n) => range(0, n)));

  function integer(name, value, minimum) {
    if (Number.isSafeInteger(value) && value >= minimum) return value;
    fail(name, value, `an integer of at least ${minimum}`);
  }

  function axes_of(name, value) {
    const axes = Array.isArray(value) ? value.length : 1;
    return axes >= 1 && axes <= 3 ? axes : fail(name, value, "1 to 3 axes");
  }

  function per_axis(name, value, axes, minimum) {
    const entries = Array.isArray(value) ? [...value] : Array(axes).fill(value);
    if (entries.length !== axes) fail(name, value, `one integer, or ${axes}`);
    return Object.freeze(entries.map((entry) => integer(name, entry, minimum)));
  }

  // ---- Sizes ----

  // The settings of each axis, in the letters of Dumoulin & Visin (2016).
  const letters = ({ kernel, stride, padding, dilation, output_padding }) =>
    kernel.map((k, n) => ({
      k,
      s: stride[n],
      d: dilation[n],
      a: output_padding[n],
      before: padding[n][0],
      after: padding[n][1],
      reach: dilation[n] * (k - 1) + 1,
    }));

  class Geometry {
    constructor({ kernel, stride = 1, padding = 0, dilation = 1, output_padding = 0, groups = 1 }) {
      const given = Object.entries({ kernel, stride, padding, dilation, output_padding });
      const axes = axes_of(...(given.find(([, value]) => Array.isArray(value)) ?? given[0]));
      this.kernel = per_axis("kernel", kernel, axes, 1);
      this.stride = per_axis("stride", stride, axes, 1);
      const pairs = Array.isArray(padding) ? padding : Array(axes).fill(padding);
      if (pairs.length !== axes) fail("padding", padding, `one integer, or ${axes} entries`);
      this.padding = Object.freeze(pairs.map((pair) => per_axis("padding", pair, 2, 0)));
      this.dilation = per_axis("dilation", dilation, axes, 1);
      this.output_padding = per_axis("output_padding", output_padding, axes, 0);
      this.groups = integer("groups", groups, 1);
      for (const { s, d, a } of letters(this))
        if (a >= Math.max(s, d)) fail("output_padding", a, `less than ${Math.max(s, d)}`);
      Object.freeze(this);
    }

    get axes() {
      return this.kernel.length;
    }

    get reach() {
      return letters(this).map(({ reach }) => reach);
    }

    output_shape(input_shape) {
      const shape = per_axis("input_shape", input_shape, this.axes, 1);
      return letters(this).map(({ s, before, after, reach }, n) => {
        const rest = shape[n] + before + after - reach;
        if (rest < 0) fail("input_shape", shape[n], `at least ${reach - before - after}`);
        return Math.floor(rest / s) + 1;
      });
    }

    transposed_shape(input_shape) {
      const shape = per_axis("input_shape", input_shape, this.axes, 1);
      return letters(this).map(({ s, before, after, reach, a }, n) => {
        const size = (shape[n] - 1) * s + reach - before - after + a;
        return size >= 1 ? size : fail("padding", [before, after], "one that leaves at least 1");
      });
    }

    // The s neighbouring input sizes that a convolution takes to one output size.
    ambiguous_inputs(output_shape) {
      const shape = per_axis("output_shape", output_shape, this.axes, 1);
      return letters(this).map(({ s, before, after, reach }, n) => {
        const smallest = (shape[n] - 1) * s + reach - before - after;
        const sizes = range(Math.max(smallest, 1), smallest + s);
        return sizes.length ? sizes : fail("output_shape", shape[n], "that of some input");
      });
    }

    // With the output_padding that tells this input size from the other ambiguous ones.
    adjoint_to(input_shape) {
      const shape = per_axis("input_shape", input_shape, this.axes, 1);
      this.output_shape(shape);
      const output_padding = letters(this).map(
        ({ s, before, after, reach }, n) => (shape[n] + before + after - reach) % s,
      );
      return new Geometry({ ...this, output_padding });
    }
  }

  const reached = (geometry, input_shape, transposed) =>
    transposed ? geometry.transposed_shape(input_shape) : geometry.output_shape(input_shape);

  // The geometry with these settings, if it is legal and takes the input to a size, else undefined.
  function legal(settings, input_shape, transposed) {
    try {
      const geometry = new Geometry(settings);
      return reached(geometry, input_shape, transposed) && geometry;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }

  function solve(
    in_size,
    out_size,
    { transposed = true, max_kernel = 5, max_stride = 4, max_padding = 2, max_dilation = 1 } = {},
  ) {
    const axes = axes_of("in_size", in_size);
    const start = per_axis("in_size", in_size, axes, 1);
    const target = per_axis("out_size", out_size, axes, 1);
    const same = (value) => Array(axes).fill(value);
    const found = [];
    for (const [kernel, stride, padding, dilation] of choices([
      range(1, integer("max_kernel", max_kernel, 1) + 1),
      range(1, integer("max_stride", max_stride, 1) + 1),
      range(0, integer("max_padding", max_padding, 0) + 1),
      range(1, integer("max_dilation", max_dilation, 1) + 1),
    ])) {
      if (kernel === 1 && dilation > 1) continue; // a single tap has no distance to its neighbour
      for (const output_padding of range(0, transposed ? Math.max(stride, dilation) : 1)) {
        const settings = { kernel: same(kernel), stride, padding, dilation, output_padding };
        const geometry = legal(settings, start, transposed);
        if (!geometry) continue;
        if (`${reached(geometry, start, transposed)}` === `${target}`) found.push(geometry);
      }
    }
    return found;
  }

  // The bounds {min, max} of a slider: of the values up to the cap that the setting (or
  // "input_shape") may take on all axes and both sides while all else stays, the smallest and the
  // largest. All values between are legal too, for both conditions, an output of size 1 or more
  // and an output_padding below stride or dilation, only get easier or only harder as one setting
  // grows. So no slider leads out of the legal states, if all get new bounds after each move.
  function limits(geometry, name, input_shape, { transposed = true, cap }) {
    const ones = { kernel: 1, stride: 1, dilation: 1, input_shape: 1 };
    const smallest = { ...ones, padding: 0, output_padding: 0 };
    if (!(name in smallest)) fail("name", name, Object.keys(smallest).join(", "));
    reached(geometry, input_shape, transposed);
    const values = range(smallest[name], integer("cap", cap, smallest[name]) + 1).filter((value) =>
      name === "input_shape"
        ? legal(geometry, value, transposed)
        : legal({ ...geometry, [name]: value }, input_shape, transposed),
    );
    if (!values.length) fail("cap", cap, `one that leaves a legal ${name}`);
    return { min: values[0], max: values.at(-1) };
  }

  // ---- Tensors ----

  const filled = (shape, value) => ({ shape, data: new Float64Array(product(shape)).fill(value) });

  function tensor(shape, data) {
    for (const n of shape) integer("shape", n, 0);
    if (data.length !== product(shape)) fail("data", data.length, `${product(shape)} numbers`);
    for (const value of data) if (typeof value !== "number") fail("data", value, "numbers");
    return { shape: [...shape], data: Float64Array.from(data) };
  }

  // The spatial size of a tensor.
  function size_of(name, { shape }, axes = axes_of(name, shape.slice(2))) {
    if (shape.length !== axes + 2 || shape.slice(1).includes(0))
      fail(name, shape, `batch, channels and ${axes} more axes, none of size 0 but the batch`);
    return shape.slice(2);
  }

  function kernel_of(weight) {
    const { shape } = weight;
    if (shape.length < 3 || shape.length > 5 || shape.includes(0))
      fail("weight", shape, "two channel axes and a kernel of 1 to 3 axes, none of size 0");
    return shape.slice(2);
  }

  function check(x, weight, geometry, transposed) {
    const { axes, kernel, groups } = geometry;
    size_of("x", x, axes);
    if (`${kernel_of(weight)}` !== `${kernel}`)
      fail("weight", weight.shape, `two channel axes and the kernel ${shown(kernel)}`);
    const [rows, columns] = weight.shape;
    if (rows % groups) fail("groups", groups, `a divisor of the weight's first axis, ${rows}`);
    const channels = transposed ? rows : columns * groups;
    if (x.shape[1] !== channels) fail("x", x.shape, `${channels} channels`);
  }

  // ---- Convolution, its transpose, its matrix ----

  // All that a geometry connects: tap t of the kernel joins position q of the small side with
  // q * stride + t * dilation - padding of the large side. Numbers count row by row.
  function connections(geometry, small_size, large_size) {
    const small = [];
    const tap = [];
    const large = [];
    const settings = letters(geometry);
    const taps = positions(geometry.kernel);
    positions(small_size).forEach((q, small_number) =>
      taps.forEach((t, tap_number) => {
        let number = 0;
        for (let n = 0; n < q.length; n++) {
          const at = q[n] * settings[n].s + t[n] * settings[n].d - settings[n].before;
          if (at < 0 || at >= large_size[n]) return;
          number = number * large_size[n] + at;
        }
        small.push(small_number);
        tap.push(tap_number);
        large.push(number);
      }),
    );
    return {
      small: Int32Array.from(small),
      tap: Int32Array.from(tap),
      large: Int32Array.from(large),
    };
  }

  // Each kernel of a weight: where its taps begin, and which channel of the small side it joins
  // with which of the large side.
  function kernels({ shape: [rows, columns, ...kernel] }, groups) {
    return range(0, rows * columns).map((number) => {
      const small = Math.floor(number / columns);
      const group = Math.floor((small * groups) / rows);
      const large = group * columns + (number % columns);
      return { small, large, first: number * product(kernel) };
    });
  }

  // Convolution and transposed convolution: the same connections, read in opposite directions.
  function along_connections(x, weight, geometry, bias, transposed) {
    check(x, weight, geometry, transposed);
    const in_size = x.shape.slice(2);
    const out_size = reached(geometry, in_size, transposed);
    const { small, tap, large } = transposed
      ? connections(geometry, in_size, out_size)
      : connections(geometry, out_size, in_size);
    const [read, write] = transposed ? [small, large] : [large, small];
    const [from, to] = transposed ? ["small", "large"] : ["large", "small"];
    const [w, [batch, channels]] = [weight.data, x.shape];
    const out_channels = transposed ? weight.shape[1] * geometry.groups : weight.shape[0];
    if (bias && bias.length !== out_channels) fail("bias", bias.length, `${out_channels} numbers`);
    const y = filled([batch, out_channels, ...out_size], 0);
    const [in_area, out_area] = [product(in_size), product(out_size)];
    for (const b of range(0, batch)) {
      for (const kernel of kernels(weight, geometry.groups)) {
        const x_first = (b * channels + kernel[from]) * in_area;
        const y_first = (b * out_channels + kernel[to]) * out_area;
        for (let n = 0; n < tap.length; n++)
          y.data[y_first + write[n]] += w[kernel.first + tap[n]] * x.data[x_first + read[n]];
      }
    }
    for (const n of range(0, bias ? y.data.length : 0))
      y.data[n] += bias[Math.floor(n / out_area) % out_channels];
    return y;
  }

  const conv = (x, weight, geometry, bias) => along_connections(x, weight, geometry, bias, false);

  const conv_transpose = (x, weight, geometry, bias) =>
    along_connections(x, weight, geometry, bias, true);

  // The matrix of conv, for an input of shape [channels, ...size].
  function conv_matrix(weight, input_shape, geometry) {
    check({ shape: [1, ...input_shape] }, weight, geometry, false);
    const in_size = input_shape.slice(1);
    const out_size = geometry.output_shape(in_size);
    const { small, tap, large } = connections(geometry, out_size, in_size);
    const [in_area, out_area] = [product(in_size), product(out_size)];
    const C = filled([weight.shape[0] * out_area, product(input_shape)], 0);
    for (const kernel of kernels(weight, geometry.groups)) {
      for (let n = 0; n < tap.length; n++) {
        const row = kernel.small * out_area + small[n];
        const column = kernel.large * in_area + large[n];
        C.data[row * C.shape[1] + column] = weight.data[kernel.first + tap[n]];
      }
    }
    return C;
  }

  // ---- Numbers ----

  // Three significant digits as Python's ".3g" writes them, with a true minus sign; but no "−0".
  function number(value) {
    if (typeof value === "string") return value;
    if (!Number.isFinite(value)) fail("value", value, "a finite number");
    // Where the digits end in a 5 that is a tie, JavaScript rounds away from zero, Python to even.
    const untied = value.toExponential(99).replace(/^(-?\d\.\d[02468])50+e/, "$1e");
    const [digits, exponent] = Number(untied).toExponential(2).split("e").map(Number);
    const sign = exponent < 0 ? "-" : "+";
    const written =
      exponent >= -4 && exponent < 3
        ? `${Number(`${digits}e${exponent}`)}`
        : `${digits}e${sign}${`${Math.abs(exponent)}`.padStart(2, "0")}`;
    return written.replaceAll("-", "−");
  }

  (globalThis.upconv ??= {}).arithmetic = Object.freeze({
    Geometry,
    solve,
    limits,
    tensor,
    connections,
    conv,
    conv_transpose,
    conv_matrix,
    number,
  });
})();

// The arithmetic of the interactive figures, under the names of the Python package.
//
// A tensor is {shape: [batch, channels, ...size], data}, row by row. A convolution has the weight
// (out_channels, channels / groups, ...kernel); its transpose reads the very same array as
// (channels, out_channels / groups, ...kernel). What does not fit is a RangeError that names it.

(() => {
  "use strict";

  const shown = (value) => (Array.isArray(value) ? `[${value.map(shown).join(", ")}]` : `${value}`);

  function fail(name, got, wanted) {
    throw new RangeError(`${name}: got ${shown(got)}; want ${wanted}`);
  }

  const same = (one, other) => shown(one) === shown(other);

  const product = (numbers) => numbers.reduce((result, n) => result * n, 1);

  const range = (start, stop, step = 1) =>
    Array.from({ length: Math.ceil((stop - start) / step) }, (_, n) => start + n * step);

  // Every choice of one entry from each list, the last list fastest.
  const choices = (lists) =>
    lists.reduce((heads, list) => heads.flatMap((head) => list.map((n) => [...head, n])), [[]]);

  const positions = (size) => choices(size.map((n) => range(0, n)));

  function integer(name, value, least) {
    if (Number.isSafeInteger(value) && value >= least) return value;
    fail(name, value, `an integer of at least ${least}`);
  }

  function axes_of(name, value) {
    const axes = Array.isArray(value) ? value.length : 1;
    return axes >= 1 && axes <= 3 ? axes : fail(name, value, "1 to 3 axes");
  }

  function per_axis(name, value, axes, least, entry = integer) {
    const entries = Array.isArray(value) ? [...value] : Array(axes).fill(value);
    if (entries.length !== axes) fail(name, value, `one for all, or ${axes}`);
    return Object.freeze(entries.map((one) => entry(name, one, least)));
  }

  // ---- Sizes ----

  const LEAST = { kernel: 1, stride: 1, padding: 0, dilation: 1, output_padding: 0 };

  class Geometry {
    constructor({ kernel, stride = 1, padding = 0, dilation = 1, output_padding = 0, groups = 1 }) {
      const given = { kernel, stride, padding, dilation, output_padding };
      const first = Object.keys(given).find((name) => Array.isArray(given[name])) ?? "kernel";
      const axes = axes_of(first, given[first]);
      const pair = (name, value, least) => per_axis(name, value, 2, least); // before, after
      for (const name in given)
        this[name] = per_axis(name, given[name], axes, LEAST[name], name === "padding" ? pair : integer);
      this.groups = integer("groups", groups, 1);
      this.each(({ a, s, d }) => a < s || a < d || fail("output_padding", a, "less than stride or dilation"));
      Object.freeze(this);
    }

    get axes() {
      return this.kernel.length;
    }

    get reach() {
      return this.each(({ reach }) => reach);
    }

    // A formula on each axis, in the letters of Dumoulin & Visin (2016).
    each(formula, name = "kernel", sizes = this.kernel) {
      return per_axis(name, sizes, this.axes, 1).map((size, n) => {
        const [k, s, d, a] = [this.kernel[n], this.stride[n], this.dilation[n], this.output_padding[n]];
        const [before, after] = this.padding[n];
        return formula({ size, k, s, d, a, before, after, reach: d * (k - 1) + 1 }, n);
      });
    }

    output_shape(input_shape) {
      const formula = ({ size, s, before, after, reach }) => {
        if (size + before + after < reach) fail("input_shape", size, `${reach - before - after} or more`);
        return Math.floor((size + before + after - reach) / s) + 1;
      };
      return this.each(formula, "input_shape", input_shape);
    }

    transposed_shape(input_shape) {
      const formula = ({ size, s, a, before, after, reach }) => {
        const out = (size - 1) * s + reach - before - after + a;
        return out > 0 ? out : fail("padding", [before, after], "one that leaves at least 1");
      };
      return this.each(formula, "input_shape", input_shape);
    }

    // The s neighbouring input sizes that a convolution takes to one output size.
    ambiguous_inputs(output_shape) {
      const formula = ({ size, s, before, after, reach }) => {
        const smallest = (size - 1) * s + reach - before - after;
        const sizes = range(Math.max(smallest, 1), smallest + s);
        return sizes.length ? sizes : fail("output_shape", size, "the output size of some input");
      };
      return this.each(formula, "output_shape", output_shape);
    }

    // With the output_padding that tells this input size from the other ambiguous ones.
    adjoint_to(input_shape) {
      this.output_shape(input_shape);
      const formula = ({ size, s, before, after, reach }) => (size + before + after - reach) % s;
      return new Geometry({ ...this, output_padding: this.each(formula, "input_shape", input_shape) });
    }
  }

  const reached = (geometry, input_shape, transposed) =>
    transposed ? geometry.transposed_shape(input_shape) : geometry.output_shape(input_shape);

  // The size that these settings reach, or null where they are illegal.
  function attempt(settings, input_shape, transposed) {
    try {
      return reached(new Geometry(settings), input_shape, transposed);
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
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
    const bounds = { max_kernel, max_stride, max_padding, max_dilation };
    const tried = Object.entries(bounds).map(([name, bound]) => {
      const least = LEAST[name.slice(4)];
      return range(least, integer(name, bound, least) + 1);
    });
    const found = [];
    for (const [k, stride, padding, dilation] of choices(tried)) {
      if (k === 1 && dilation > 1) continue; // a single tap has no distance to its neighbour
      for (const output_padding of range(0, transposed ? Math.max(stride, dilation) : 1)) {
        const settings = { kernel: Array(axes).fill(k), stride, padding, dilation, output_padding };
        if (same(attempt(settings, start, transposed), target)) found.push(new Geometry(settings));
      }
    }
    return found;
  }

  // The ends {min, max} of a slider for a setting or for "input_shape": the smallest and largest
  // value, up to the cap, that is legal on all axes while everything else stays. All between are
  // legal too: an output of size 1 or more, and an output_padding below stride or dilation, become
  // only easier, or only harder, as one setting grows. So sliders that take new ends after each
  // move never leave the legal states.
  function limits(geometry, name, input_shape, { transposed = true, cap }) {
    const least = { ...LEAST, input_shape: 1 }[name];
    if (least === undefined) fail("name", name, Object.keys(LEAST));
    reached(geometry, input_shape, transposed);
    const values = range(least, integer("cap", cap, least) + 1).filter((value) => {
      const { input_shape: size, ...settings } = { ...geometry, input_shape, [name]: value };
      return attempt(settings, size, transposed);
    });
    if (!values.length) fail("cap", cap, `a legal ${name} below it`);
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

  // The sizes after batch and channels, or the kernel of a weight.
  function size_of(name, { shape }, axes = axes_of(name, shape.slice(2))) {
    if (shape.length !== axes + 2 || shape.slice(name === "weight" ? 0 : 1).includes(0))
      fail(name, shape, `2 + ${axes} axes, none of size 0`);
    return shape.slice(2);
  }

  function check(x, weight, { axes, kernel, groups }, transposed) {
    size_of("x", x, axes);
    if (!same(size_of("weight", weight), kernel)) fail("weight", weight.shape, `a kernel ${kernel}`);
    const [rows, columns] = weight.shape;
    if (rows % groups) fail("groups", groups, `a divisor of ${rows}, the weight's first axis`);
    const channels = transposed ? rows : columns * groups;
    if (x.shape[1] !== channels) fail("x", x.shape, `${channels} channels`);
  }

  // Every spatial axis of x times a sparse matrix: rows[axis][m] lists what makes output m, as
  // [index, factor]. An index that is no position, beside x or between two, counts as zero.
  function multiply(x, rows) {
    return rows.reduce((before, matrix, axis) => {
      const length = before.shape[axis + 2];
      const inner = product(before.shape.slice(axis + 3));
      const after = filled(before.shape.with(axis + 2, matrix.length), 0);
      for (let n = 0; n < after.data.length; n++) {
        const row = Math.floor(n / inner);
        const first = Math.floor(row / matrix.length) * length;
        for (const [index, factor] of matrix[row % matrix.length])
          if (Number.isInteger(index) && index >= 0 && index < length)
            after.data[n] += factor * before.data[(first + index) * inner + (n % inner)];
      }
      return after;
    }, x);
  }

  const copies = (indices) => indices.map((index) => [[index, 1]]);

  const minus = (one, other) => ({ ...one, data: one.data.map((value, n) => value - other.data[n]) });

  // ---- Convolution, its transpose, its matrix ----

  // All that a geometry connects: tap t joins position q of the small side with position
  // q * stride + t * dilation - padding of the large side. Positions and taps count row by row.
  function connections(geometry, small_size, large_size) {
    const found = { small: [], tap: [], large: [] };
    const axes = geometry.each((letters) => letters);
    const taps = positions(geometry.kernel);
    positions(small_size).forEach((q, small) =>
      taps.forEach((t, tap) => {
        let large = 0;
        for (let n = 0; n < axes.length; n++) {
          const at = q[n] * axes[n].s + t[n] * axes[n].d - axes[n].before;
          if (at < 0 || at >= large_size[n]) return;
          large = large * large_size[n] + at;
        }
        found.small.push(small);
        found.tap.push(tap);
        found.large.push(large);
      }),
    );
    for (const side in found) found[side] = Int32Array.from(found[side]);
    return found;
  }

  // Each kernel of a weight: the channels of the small and the large side that it joins, and where
  // its taps begin.
  function kernels({ shape: [rows, columns, ...kernel] }, groups) {
    return range(0, rows * columns).map((n) => {
      const small = Math.floor(n / columns);
      const group = Math.floor((small * groups) / rows);
      return { small, large: group * columns + (n % columns), first: n * product(kernel) };
    });
  }

  // Both convolutions: the same connections, read in one direction or the other.
  function connect(x, weight, geometry, bias, transposed) {
    check(x, weight, geometry, transposed);
    const [batch, channels, ...size] = x.shape;
    const out_size = reached(geometry, size, transposed);
    const out_channels = transposed ? weight.shape[1] * geometry.groups : weight.shape[0];
    const starts = bias ?? Array(out_channels).fill(0);
    if (starts.length !== out_channels) fail("bias", starts.length, `${out_channels} numbers`);
    const [from, to, sizes] = transposed
      ? ["small", "large", [size, out_size]]
      : ["large", "small", [out_size, size]];
    const { tap, [from]: read, [to]: write } = connections(geometry, ...sizes);
    const [area, out_area] = [product(size), product(out_size)];
    const y = filled([batch, out_channels, ...out_size], 0);
    for (let b = 0; b < batch; b++) {
      for (const kernel of kernels(weight, geometry.groups)) {
        const w = weight.data.subarray(kernel.first);
        const source = x.data.subarray((b * channels + kernel[from]) * area);
        const sums = y.data.subarray((b * out_channels + kernel[to]) * out_area);
        for (let n = 0; n < tap.length; n++) sums[write[n]] += w[tap[n]] * source[read[n]];
      }
    }
    return { ...y, data: y.data.map((sum, n) => sum + starts[Math.floor(n / out_area) % out_channels]) };
  }

  const conv = (x, weight, geometry, bias) => connect(x, weight, geometry, bias, false);

  const conv_transpose = (x, weight, geometry, bias) => connect(x, weight, geometry, bias, true);

  // The matrix of conv for inputs [channels, ...size]: column n is what it makes of a 1 at place n.
  function conv_matrix(weight, input_shape, geometry) {
    const columns = product(input_shape);
    const ones = filled([columns, ...input_shape], 0);
    for (let n = 0; n < columns; n++) ones.data[n * (columns + 1)] = 1;
    const answers = conv(ones, weight, geometry).data;
    const rows = answers.length / columns;
    const data = answers.map((_, n) => answers[(n % columns) * rows + Math.floor(n / columns)]);
    return { shape: [rows, columns], data };
  }

  // ---- Two other ways to the transposed convolution ----

  // The kernels of the way back: channels exchanged, taps reversed along every axis.
  function flipped(weight, groups = 1) {
    const [rows, columns, ...kernel] = weight.shape;
    const [across, taps] = [rows / groups, product(kernel)];
    const result = filled([columns * groups, across, ...kernel], 0);
    for (const { small, large, first } of kernels(weight, groups))
      result.data.set(
        weight.data.slice(first, first + taps).reverse(),
        (large * across + (small % across)) * taps,
      );
    return result;
  }

  // x with stride - 1 zeros between its values, and so many around them as the kernel needs.
  function inserted(x, geometry) {
    const size = size_of("x", x, geometry.axes);
    const out_size = geometry.transposed_shape(size);
    const rows = geometry.each(({ s, before, reach }, n) =>
      copies(range(before + 1 - reach, before + out_size[n]).map((m) => m / s)),
    );
    return multiply(x, rows);
  }

  function zero_insertion(x, weight, geometry) {
    check(x, weight, geometry, true);
    const { kernel, dilation, groups } = geometry;
    const plain = new Geometry({ kernel, dilation, groups });
    return conv(inserted(x, geometry), flipped(weight, groups), plain);
  }

  const divisor = (n, m) => (m ? divisor(m, n % m) : n);

  // The phases of the output that see taps: outputs start, start + stride, … are the convolution
  // of `input`, a part of x with its zeros, with the small `kernel` of every n-th tap, flipped.
  function phases(x, weight, geometry) {
    check(x, weight, geometry, true);
    const { groups } = geometry;
    const out_size = geometry.transposed_shape(x.shape.slice(2));
    const axes = geometry.each(({ k, s, d, before }, n) => {
      const [step, dilation] = [s / divisor(s, d), d / divisor(s, d)];
      return range(0, Math.min(step, k)).flatMap((tap) => {
        const start = (((tap * d - before) % s) + s) % s;
        const count = Math.ceil((out_size[n] - start) / s);
        const taps = range(tap, k, step);
        // Output u of the phase reads the inputs last + u, last + u - dilation, …
        const last = (start + before - tap * d) / s;
        const inputs = range(last - (taps.length - 1) * dilation, last + count);
        return count > 0 ? [{ start, taps, inputs, dilation }] : [];
      });
    });
    return choices(axes).map((phase) => {
      const [start, taps, inputs, dilation] = ["start", "taps", "inputs", "dilation"].map((name) =>
        phase.map((axis) => axis[name]),
      );
      const input = multiply(x, inputs.map(copies));
      const kernel = flipped(multiply(weight, taps.map(copies)), groups);
      const plain = new Geometry({ kernel: kernel.shape.slice(2), dilation, groups });
      return { start, taps, dilation, input, kernel, output: conv(input, kernel, plain) };
    });
  }

  function polyphase(x, weight, geometry) {
    const parts = phases(x, weight, geometry);
    const size = geometry.transposed_shape(x.shape.slice(2));
    const y = filled([x.shape[0], weight.shape[1] * geometry.groups, ...size], 0);
    for (const { start, output } of parts) {
      const rows = geometry.each(({ s }, n) => copies(range(-start[n], size[n] - start[n]).map((m) => m / s)));
      multiply(output, rows).data.forEach((value, n) => (y.data[n] += value));
    }
    return y;
  }

  // ---- Upsampling and a convolution, as one transposed convolution and back ----

  const check_mode = (mode) =>
    ["nearest", "linear"].includes(mode) || fail("mode", mode, "nearest or linear");

  // By whole factors; linear with half pixels, align_corners=False.
  function interpolate(x, { scale_factor, mode = "nearest" }) {
    check_mode(mode);
    const size = size_of("x", x);
    const scale = per_axis("scale_factor", scale_factor, size.length, 1);
    const rows = size.map((i, axis) =>
      range(0, i * scale[axis]).map((m) => {
        if (mode === "nearest") return [[Math.floor(m / scale[axis]), 1]];
        const at = (m + 0.5) / scale[axis] - 0.5;
        const left = Math.floor(at);
        return [
          [Math.max(left, 0), left + 1 - at],
          [Math.min(left + 1, i - 1), at - left],
        ];
      }),
    );
    return multiply(x, rows);
  }

  // The product of polynomials along each axis, tap t being the coefficient of z to the t.
  const convolved = (kernel, stamps) =>
    multiply(
      kernel,
      stamps.map((stamp, axis) =>
        range(0, kernel.shape[axis + 2] + stamp.length - 1).map((m) =>
          stamp.map((value, t) => [m - t, value]),
        ),
      ),
    );

  function collapse(weight, scale, { padding = 0, mode = "nearest" } = {}) {
    check_mode(mode);
    const conv = new Geometry({ kernel: size_of("weight", weight), padding });
    const stride = per_axis("scale", scale, conv.axes, 1);
    // How far what upsampling makes of a single 1, a box or a tent, reaches over its s outputs.
    const over = stride.map((s) => (mode === "nearest" ? 0 : Math.floor(s / 2)));
    const stamps = stride.map((s, n) =>
      range(-over[n], s + over[n]).map((m) => (over[n] ? 1 - Math.abs(m + (1 - s) / 2) / s : 1)),
    );
    const both_ends = (formula) =>
      conv.each(({ k, before, after }, n) => [before, after].map((p) => formula(p, k, n)));
    const margin = both_ends((p, k, n) => {
      if (p >= k) fail("padding", p, `less than the kernel ${k}`);
      return over[n] ? Math.floor((p + over[n] - 1) / stride[n]) + 1 : 0;
    });
    const crop = conv.each(({ k, before, after }, n) =>
      [before, after].map((p, end) => k - 1 - p + over[n] + stride[n] * margin[n][end]),
    );
    const kernel = convolved(flipped(weight), stamps);
    return {
      weight: kernel,
      geometry: new Geometry({ kernel: kernel.shape.slice(2), stride, padding: crop }),
      margin,
      strip: both_ends((p, k, n) => (over[n] ? p : 0)),
    };
  }

  function divide(weight, scale) {
    const kernel = size_of("weight", weight);
    const stride = per_axis("scale", scale, kernel.length, 1);
    // The box is (1 - z^s) / (1 - z), and 1 / (1 - z^s) = 1 + z^s + z^2s + …
    const rows = kernel.map((k, axis) => {
      const s = stride[axis];
      if (s > k) fail("scale", scale, `at most the kernel ${kernel}`);
      return range(0, k - s + 1).map((t) =>
        range(0, t + 1, s).flatMap((m) => [[t - m, 1], [t - m - 1, -1]]),
      );
    });
    const quotient = multiply(weight, rows);
    const rest = minus(weight, convolved(quotient, stride.map((s) => Array(s).fill(1))));
    const largest = ({ data }) => data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const factorable = largest(rest) <= 1e-5 * largest(weight);
    return { quotient: flipped(quotient), remainder: rest, factorable };
  }

  // ---- Pooling and its gradients ----

  // Average pooling as a convolution of each channel by itself.
  function average(name, x, geometry) {
    size_of(name, x, geometry.axes);
    const { kernel } = geometry;
    const box = filled([x.shape[1], 1, ...kernel], 1 / product(kernel));
    return [box, new Geometry({ ...geometry, groups: x.shape[1] })];
  }

  const average_pool = (x, geometry) => conv(x, ...average("x", x, geometry));

  function average_pool_gradient(gradient, geometry, input_shape) {
    const [box, each] = average("gradient", gradient, geometry);
    const out_size = each.output_shape(input_shape);
    if (!same(gradient.shape.slice(2), out_size)) fail("gradient", gradient.shape, `size ${out_size}`);
    return conv_transpose(gradient, box, each.adjoint_to(input_shape));
  }

  // The largest value of each window and where in its channel it stood, the first among equals.
  function max_pool(x, geometry) {
    const size = size_of("x", x, geometry.axes);
    const out_size = geometry.output_shape(size);
    const { small, large } = connections(geometry, out_size, size);
    const values = filled([...x.shape.slice(0, 2), ...out_size], -Infinity);
    const indices = filled(values.shape, -1);
    const [area, out_area] = [product(size), product(out_size)];
    for (let c = 0; c < x.shape[0] * x.shape[1]; c++) {
      small.forEach((q, n) => {
        const [value, at] = [x.data[c * area + large[n]], c * out_area + q];
        if (indices.data[at] >= 0 && value <= values.data[at]) return;
        values.data[at] = value;
        indices.data[at] = large[n];
      });
    }
    if (indices.data.includes(-1)) fail("padding", geometry.padding, "less: a window sees no input");
    return { values, indices };
  }

  // Where in a larger tensor the values belong, and that tensor, empty.
  function places(name, x, indices, size_name, size) {
    const pooled = size_of(name, x);
    const inside = per_axis(size_name, size, pooled.length, 1);
    if (!same(indices.shape, x.shape)) fail("indices", indices.shape, `those of ${name}, ${x.shape}`);
    const at = indices.data.map((index, n) => {
      if (integer("indices", index, 0) >= product(inside)) fail("indices", index, `below ${product(inside)}`);
      return Math.floor(n / product(pooled)) * product(inside) + index;
    });
    return [at, filled([...x.shape.slice(0, 2), ...inside], 0)];
  }

  function max_pool_gradient(gradient, indices, input_shape) {
    const [at, y] = places("gradient", gradient, indices, "input_shape", input_shape);
    at.forEach((place, n) => (y.data[place] += gradient.data[n]));
    return y;
  }

  const within = (size, bounds) =>
    per_axis("size", size, bounds.length, 1).map((n, axis) => {
      const [low, high] = bounds[axis];
      return n >= low && n <= high ? n : fail("size", n, `${low} to ${high}`);
    });

  function max_unpool(x, indices, geometry, size) {
    const pooled = size_of("x", x, geometry.axes);
    const bounds = () =>
      geometry.ambiguous_inputs(pooled).map((sizes, n) => {
        const last = sizes.at(-1);
        return [last + 2 - 2 * geometry.stride[n], last]; // torch allows a stride less, too
      });
    const whole = size === undefined ? geometry.transposed_shape(pooled) : within(size, bounds());
    const [at, y] = places("x", x, indices, "size", whole);
    at.forEach((place, n) => (y.data[place] = x.data[n]));
    at.forEach((place, n) => {
      if (y.data[place] !== x.data[n]) fail("indices", indices.data[n], "it only once, or equal values");
    });
    return y;
  }

  function insert_zeros(x, stride, size) {
    const small = size_of("x", x);
    const steps = per_axis("stride", stride, small.length, 1);
    const bounds = steps.map((s, n) => [(small[n] - 1) * s + 1, small[n] * s]);
    const whole = within(size ?? bounds.map(([low]) => low), bounds);
    return multiply(x, whole.map((n, axis) => copies(range(0, n).map((m) => m / steps[axis]))));
  }

  // ---- Checkerboards ----

  // How many stamps meet in each output of a period, or how many ways through all layers do.
  function overlap(kernel, stride, layers = 1) {
    const geometry = new Geometry({ kernel, stride });
    const one = geometry.kernel.map(() => 1);
    const stamp = filled([1, 1, ...geometry.kernel], 1);
    let ways = filled([1, 1, ...one], 1);
    for (let n = 0; n < integer("layers", layers, 1); n++) ways = conv_transpose(ways, stamp, geometry);
    return phase_gains(ways, geometry.stride.map((s) => s ** layers));
  }

  function phase_gains(weight, stride, dilation = 1) {
    const geometry = new Geometry({ kernel: size_of("weight", weight), stride, dilation });
    const rows = geometry.each(({ k, s, d }) =>
      range(0, s).map((r) => range(0, k).flatMap((t) => ((t * d) % s === r ? [[t, 1]] : []))),
    );
    return multiply(weight, rows);
  }

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));

  const variance = (values) => {
    const middle = mean(values);
    return mean(values.map((value) => (value - middle) ** 2));
  };

  // What each channel holds, one after the other.
  const images = ({ shape, data }) => {
    const area = product(shape.slice(2));
    return range(0, data.length, area).map((first) => data.subarray(first, first + area));
  };

  const ROUNDING = 64 * Number.EPSILON; // what may be left of a sum that is 0, relative to its terms
  const TINY = 2 ** -1022; // the smallest number with all its digits, so that nothing is 0 / 0

  function imbalance(weight, stride, dilation = 1) {
    const gains = phase_gains(weight, stride, dilation);
    const deviations = images(gains).map((phases) => Math.sqrt(variance(phases) * phases.length));
    const floor = Math.max(ROUNDING * norm(weight.data), TINY);
    return norm(gains.data) > floor ? norm(deviations) / norm(gains.data) : 0;
  }

  // The matrix that takes taps to the nearest ones whose phases all have one gain. What a gain
  // lacks of the common one is spread over its n taps, and costs so much less: the common gain is
  // the mean with the weights 1 / n. A phase without taps, 1 / 0, holds it at 0.
  function levelling(phase_of, phases) {
    const counts = range(0, phases).map((r) => phase_of.filter((phase) => phase === r).length);
    const total = counts.reduce((sum, n) => sum + 1 / n, 0);
    return phase_of.map((r, t) =>
      phase_of.map((other, u) => {
        const common = 1 / (counts[r] * counts[other] * total);
        return [u, (t === u) - (r === other) / counts[r] + common];
      }),
    );
  }

  // Onto kernels with equal gains ("flat"), or multiples of the box ("factorable"): along one axis
  // these are the same, so the latter are the kernels that are flat along every line of taps.
  function project(weight, stride, onto = "flat") {
    const kernel = size_of("weight", weight);
    const steps = per_axis("stride", stride, kernel.length, 1);
    if (onto === "factorable")
      return multiply(weight, kernel.map((k, n) => levelling(range(0, k).map((t) => t % steps[n]), steps[n])));
    if (onto !== "flat") fail("onto", onto, "flat or factorable");
    const phase_of = positions(kernel).map((tap) => tap.reduce((r, t, n) => r * steps[n] + (t % steps[n]), 0));
    const line = { ...weight, shape: [...weight.shape.slice(0, 2), phase_of.length] };
    return { ...multiply(line, [levelling(phase_of, product(steps))]), shape: weight.shape };
  }

  // For each image, the share of its variance that is a grid, once what is smooth is taken away.
  function grid_energy(image, stride) {
    const size = size_of("image", image);
    const steps = per_axis("stride", stride, size.length, 1);
    const rows = (make) => size.map((n, axis) => make(steps[axis], n));
    // Whole periods of the pixels around which a tent lies within the image.
    const inner = (s, n) => range(s - 1, s - 1 + Math.floor((n - 2 * (s - 1)) / s) * s);
    const tent = (s, n) => inner(s, n).map((m) => range(1 - s, s).map((t) => [m + t, (s - Math.abs(t)) / s ** 2]));
    const phases = (s, n) => range(0, s).map((r) => range(r, inner(s, n).length, s).map((m, _, { length }) => [m, 1 / length]));
    if (size.some((n, axis) => n < 4 * steps[axis] - 2)) fail("image", size, "4 * stride - 2 or more");
    const x = multiply(image, rows((s, n) => copies(inner(s, n))));
    const rest = minus(x, multiply(image, rows(tent)));
    const grids = images(multiply(rest, rows(phases)));
    return images(x).map((pixels, n) => {
      const floor = ROUNDING ** 2 * mean(pixels.map((value) => value ** 2));
      return variance(grids[n]) / Math.max(variance(pixels), floor, TINY);
    });
  }

  // ---- Weights to start from ----

  // A transposed convolution that begins as linear interpolation, each channel by itself.
  function bilinear_(weight, stride, groups = 1) {
    const kernel = size_of("weight", weight);
    const steps = per_axis("stride", stride, kernel.length, 1);
    const [channels, columns] = weight.shape;
    if (channels !== columns * integer("groups", groups, 1))
      fail("weight", weight.shape, "as many outputs as inputs");
    if (kernel.some((k, n) => Math.ceil(k / 2) !== steps[n]))
      fail("weight", weight.shape, "kernels of 2 * stride or 2 * stride - 1");
    const tent = positions(kernel).map((tap) =>
      product(tap.map((t, n) => 1 - Math.abs(t - (kernel[n] - 1) / 2) / steps[n])),
    );
    weight.data.fill(0);
    for (let c = 0; c < channels; c++) weight.data.set(tent, (c * columns + (c % columns)) * tent.length);
    return weight;
  }

  // A convolution before a pixel shuffle that begins as nearest upsampling: all phases of a channel
  // are equal, as the initializer fills them.
  function icnr_(weight, upscale_factor, initializer) {
    const kernel = size_of("weight", weight);
    const phases = product(per_axis("upscale_factor", upscale_factor, kernel.length, 1));
    const [rows, ...rest] = weight.shape;
    if (rows % phases) fail("weight", weight.shape, `a first axis that ${phases} divides`);
    if (typeof initializer !== "function") fail("initializer", initializer, "a function");
    const first = filled([rows / phases, ...rest], 0);
    initializer(first);
    const length = product(rest);
    weight.data.forEach((_, n) => {
      weight.data[n] = first.data[Math.floor(n / length / phases) * length + (n % length)];
    });
    return weight;
  }

  // Numbers that look random and are the same on each visit: uniform(a, b). (Mulberry32.)
  function random(seed) {
    let state = integer("seed", seed, 0);
    return (a = 0, b = 1) => {
      state = (state + 0x6d2b79f5) | 0;
      let bits = Math.imul(state ^ (state >>> 15), state | 1);
      bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
      return a + ((b - a) * ((bits ^ (bits >>> 14)) >>> 0)) / 2 ** 32;
    };
  }

  // Three significant digits as Python's ".3g" writes them, with a true minus sign; but no "−0".
  function number(value) {
    if (typeof value === "string") return value;
    if (!Number.isFinite(value)) fail("value", value, "a finite number");
    // Halfway between two JavaScript rounds away from zero, Python to the even digit.
    const untied = value.toExponential(99).replace(/^(-?\d\.\d[02468])50+e/, "$1e");
    const [digits, exponent] = Number(untied).toExponential(2).split("e").map(Number);
    const power = `${exponent < 0 ? "-" : "+"}${`${Math.abs(exponent)}`.padStart(2, "0")}`;
    const plain = exponent >= -4 && exponent < 3;
    const text = plain ? `${Number(`${digits}e${exponent}`)}` : `${digits}e${power}`;
    return text.replaceAll("-", "−");
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
    flipped,
    inserted,
    zero_insertion,
    phases,
    polyphase,
    interpolate,
    collapse,
    divide,
    average_pool,
    average_pool_gradient,
    max_pool,
    max_pool_gradient,
    max_unpool,
    insert_zeros,
    overlap,
    phase_gains,
    imbalance,
    project,
    grid_energy,
    bilinear_,
    icnr_,
    random,
    number,
  });
})();

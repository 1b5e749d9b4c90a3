// The arithmetic of the interactive figures, under the names of the Python package.
//
// A tensor is {shape: [batch, channels, ...size], data}, row by row. A convolution has the weight
// (out_channels, channels / groups, ...kernel); its transpose reads the very same array as
// (channels, out_channels / groups, ...kernel). What does not fit is a RangeError that names it.

(() => {
  "use strict";

  const shown = (value) => (Array.isArray(value) ? `[${value.map(shown).join(", ")}]` : `${value}`);

  function fail(name, got, wanted) {
    throw new RangeError(`${name}: got ${shown(got)}; want ${shown(wanted)}`);
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
    if (entries.length !== axes) fail(name, value, `one entry for all, or ${axes}`);
    return Object.freeze(entries.map((each) => entry(name, each, least)));
  }

  // ---- Sizes ----

  const LEAST = { kernel: 1, stride: 1, padding: 0, dilation: 1, output_padding: 0 };

  class Geometry {
    constructor({ kernel, stride = 1, padding = 0, dilation = 1, output_padding = 0, groups = 1 }) {
      const given = { kernel, stride, padding, dilation, output_padding };
      const first = Object.keys(given).find((name) => Array.isArray(given[name])) ?? "kernel";
      const axes = axes_of(first, given[first]);
      const pair = (name, value) => per_axis(name, value, 2, 0); // before and after
      for (const [name, value] of Object.entries(given))
        this[name] = per_axis(name, value, axes, LEAST[name], name === "padding" ? pair : integer);
      this.groups = integer("groups", groups, 1);
      for (const { s, d, a } of this.letters)
        if (a >= Math.max(s, d)) fail("output_padding", a, "less than the stride or the dilation");
      Object.freeze(this);
    }

    get axes() {
      return this.kernel.length;
    }

    get reach() {
      return this.letters.map(({ reach }) => reach);
    }

    // The settings of each axis in the letters of Dumoulin & Visin (2016), p for both sides.
    get letters() {
      return this.kernel.map((k, n) => {
        const [s, d, a] = [this.stride[n], this.dilation[n], this.output_padding[n]];
        const [before, after] = this.padding[n];
        return { k, s, d, a, p: before + after, before, reach: d * (k - 1) + 1 };
      });
    }

    #sizes(name, shape, formula) {
      const sizes = per_axis(name, shape, this.axes, 1);
      return this.letters.map((letters, n) => formula(sizes[n], letters));
    }

    output_shape(input_shape) {
      return this.#sizes("input_shape", input_shape, (i, { s, p, reach }) => {
        if (i + p < reach) fail("input_shape", i, `at least ${reach - p}`);
        return Math.floor((i + p - reach) / s) + 1;
      });
    }

    transposed_shape(input_shape) {
      return this.#sizes("input_shape", input_shape, (i, { s, a, p, reach }) => {
        const out = (i - 1) * s + reach - p + a;
        return out > 0 ? out : fail("padding", this.padding, "some that leaves at least 1");
      });
    }

    // The s neighbouring input sizes that a convolution takes to one output size.
    ambiguous_inputs(output_shape) {
      return this.#sizes("output_shape", output_shape, (o, { s, p, reach }) => {
        const smallest = (o - 1) * s + reach - p;
        const sizes = range(Math.max(smallest, 1), smallest + s);
        return sizes.length ? sizes : fail("output_shape", o, "one that some input has");
      });
    }

    // With the output_padding that tells this input size from the other ambiguous ones.
    adjoint_to(input_shape) {
      this.output_shape(input_shape);
      const left_over = (i, { s, p, reach }) => (i + p - reach) % s;
      const output_padding = this.#sizes("input_shape", input_shape, left_over);
      return new Geometry({ ...this, output_padding });
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
      const least = LEAST[name.slice("max_".length)];
      return range(least, integer(name, bound, least) + 1);
    });
    const found = [];
    for (const [k, stride, padding, dilation] of choices(tried)) {
      if (k === 1 && dilation > 1) continue; // a single tap has no distance to its neighbour
      for (const output_padding of range(0, transposed ? Math.max(stride, dilation) : 1)) {
        const kernel = Array(axes).fill(k);
        const settings = { kernel, stride, padding, dilation, output_padding };
        if (same(attempt(settings, start, transposed), target)) found.push(new Geometry(settings));
      }
    }
    return found;
  }

  // The ends {min, max} of a slider for a setting, or for "input_shape": the smallest and largest
  // value up to the cap that is legal, on all axes and both sides, while everything else stays.
  // All between are legal too: an output of size 1 or more, and an output_padding below stride or
  // dilation, become only easier, or only harder, as one setting grows. So sliders whose ends are
  // computed anew after each move never leave the legal states.
  function limits(geometry, name, input_shape, { transposed = true, cap }) {
    const smallest = { ...LEAST, input_shape: 1 };
    const least = smallest[name] ?? fail("name", name, Object.keys(smallest));
    reached(geometry, input_shape, transposed);
    const values = range(least, integer("cap", cap, least) + 1).filter((value) => {
      const { input_shape: size, ...settings } = { ...geometry, input_shape, [name]: value };
      return attempt(settings, size, transposed);
    });
    if (!values.length) fail("cap", cap, `more: no ${name} up to it is legal`);
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

  // The size that follows two axes, of which the first, a batch, may be empty.
  function size_of(name, { shape }, axes = axes_of(name, shape.slice(2))) {
    if (shape.length !== axes + 2 || shape.slice(1).includes(0))
      fail(name, shape, `2 + ${axes} axes, none of size 0`);
    return shape.slice(2);
  }

  function kernel_of(weight) {
    const kernel = size_of("weight", weight);
    return weight.shape[0] ? kernel : fail("weight", weight.shape, "no axis of size 0");
  }

  function check(x, weight, { axes, kernel, groups }, transposed, name = "x") {
    size_of(name, x, axes);
    if (!same(kernel_of(weight), kernel)) fail("weight", weight.shape, `a kernel ${shown(kernel)}`);
    const [rows, columns] = weight.shape;
    if (rows % groups) fail("groups", groups, `a divisor of ${rows}, the weight's first axis`);
    const channels = transposed ? rows : columns * groups;
    if (x.shape[1] !== channels) fail(name, x.shape, `${channels} channels`);
  }

  // Every spatial axis of x times a sparse matrix: rows[axis][m] lists what makes output m, as
  // [index, factor]. An index that is no position, beside x or between two, counts as zero.
  function multiply(x, rows) {
    return rows.reduce((given, matrix, axis) => {
      const [height, length] = [matrix.length, given.shape[axis + 2]];
      const inner = product(given.shape.slice(axis + 3));
      const result = filled(given.shape.with(axis + 2, height), 0);
      for (let n = 0; n < result.data.length; n++) {
        const row = Math.floor(n / inner);
        const first = Math.floor(row / height) * length;
        for (const [index, factor] of matrix[row % height])
          if (Number.isInteger(index) && index >= 0 && index < length)
            result.data[n] += factor * given.data[(first + index) * inner + (n % inner)];
      }
      return result;
    }, x);
  }

  const copies = (indices) => indices.map((index) => [[index, 1]]);

  const minus = ({ shape, data }, other) => ({
    shape,
    data: data.map((value, n) => value - other.data[n]),
  });

  // ---- Convolution, its transpose, its matrix ----

  // All that a geometry connects: tap t joins position q of the small side with position
  // q * stride + t * dilation - padding of the large side. Positions and taps count row by row.
  function connections(geometry, small_size, large_size) {
    const found = { small: [], tap: [], large: [] };
    const axes = geometry.letters;
    const taps = positions(geometry.kernel);
    positions(small_size).forEach((q, small) => {
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
      });
    });
    for (const side in found) found[side] = Int32Array.from(found[side]);
    return found;
  }

  // Both directions along the same connections. The rows of a weight are the channels of the small
  // side, its columns those of the large side in one group.
  function connect(x, weight, geometry, bias, transposed) {
    check(x, weight, geometry, transposed);
    const { groups, kernel } = geometry;
    const [batch, channels, ...size] = x.shape;
    const [rows, columns] = weight.shape;
    const out_size = reached(geometry, size, transposed);
    const out_channels = transposed ? columns * groups : rows;
    if (bias && bias.length !== out_channels) fail("bias", bias.length, `${out_channels} numbers`);
    const { small, tap, large } = transposed
      ? connections(geometry, size, out_size)
      : connections(geometry, out_size, size);
    const [read, write] = transposed ? [small, large] : [large, small];
    const [taps, area, out_area] = [kernel, size, out_size].map(product);
    const [reads, writes] = [channels / groups, out_channels / groups];
    const step = transposed ? columns * taps : taps;
    const y = filled([batch, out_channels, ...out_size], 0);
    const [w, values, sums] = [weight.data, x.data, y.data];
    for (let b = 0; b < batch; b++) {
      for (let n = 0; n < tap.length; n++) {
        for (let to = 0; to < out_channels; to++) {
          const from = Math.floor(to / writes) * reads; // the first channel of the same group
          const kernel_number = transposed ? from * columns + (to % columns) : to * columns;
          let weight_at = kernel_number * taps + tap[n];
          let value_at = (b * channels + from) * area + read[n];
          let sum = 0;
          for (let c = 0; c < reads; c++) {
            sum += w[weight_at] * values[value_at];
            weight_at += step;
            value_at += area;
          }
          sums[(b * out_channels + to) * out_area + write[n]] += sum;
        }
      }
    }
    if (!bias) return y;
    return { ...y, data: y.data.map((v, n) => v + bias[Math.floor(n / out_area) % out_channels]) };
  }

  const conv = (x, weight, geometry, bias) => connect(x, weight, geometry, bias, false);

  const conv_transpose = (x, weight, geometry, bias) => connect(x, weight, geometry, bias, true);

  // The matrix of conv for inputs [channels, ...size]: column n is what it makes of a 1 at place n.
  function conv_matrix(weight, input_shape, geometry) {
    check({ shape: [1, ...input_shape] }, weight, geometry, false, "input_shape");
    const columns = product(input_shape);
    const ones = filled([columns, ...input_shape], 0);
    for (let n = 0; n < columns; n++) ones.data[n * columns + n] = 1;
    const { data } = conv(ones, weight, geometry);
    const rows = data.length / columns;
    const entry = (_, n) => data[(n % columns) * rows + Math.floor(n / columns)];
    return { shape: [rows, columns], data: data.map(entry) };
  }

  // ---- Two other ways to the transposed convolution ----

  // Between the layouts of the two directions: channels exchanged, taps reversed on every axis.
  function flipped(weight, groups = 1) {
    const [rows, columns, ...kernel] = weight.shape;
    const [across, taps] = [rows / groups, product(kernel)];
    const data = weight.data.map((_, n) => {
      const [row, column] = [Math.floor(n / taps / across), Math.floor(n / taps) % across];
      const from = Math.floor(row / columns) * across + column;
      return weight.data[(from * columns + (row % columns)) * taps + taps - 1 - (n % taps)];
    });
    return { shape: [columns * groups, across, ...kernel], data };
  }

  // x with stride - 1 zeros between its values, and so many around them as the kernel needs.
  function inserted(x, geometry) {
    const out_size = geometry.transposed_shape(size_of("x", x, geometry.axes));
    const rows = geometry.letters.map(({ s, before, reach }, n) =>
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

  // Those phases of the output that see taps. On each axis, the outputs start, start + stride, …
  // see these `taps`: they are the convolution of `input`, which is x cropped or with zeros around
  // it, with the small `kernel` of these taps, flipped.
  function phases(x, weight, geometry) {
    check(x, weight, geometry, true);
    const { groups } = geometry;
    const out_size = geometry.transposed_shape(x.shape.slice(2));
    const axes = geometry.letters.map(({ k, s, d, before }, n) => {
      const [step, dilation] = [s, d].map((distance) => distance / divisor(s, d));
      const all = range(0, Math.min(step, k)).map((tap) => {
        const start = (((tap * d - before) % s) + s) % s;
        const taps = range(tap, k, step);
        // Output u of the phase reads the inputs last + u, last + u - dilation, …
        const last = (start + before - tap * d) / s;
        const count = Math.ceil((out_size[n] - start) / s);
        const inputs = range(last - (taps.length - 1) * dilation, last + count);
        return { start, taps, inputs, dilation };
      });
      return all.filter(({ start }) => start < out_size[n]);
    });
    return choices(axes).map((phase) => {
      const all = (name) => phase.map((axis) => axis[name]);
      const [start, taps, dilation] = ["start", "taps", "dilation"].map(all);
      const input = multiply(x, all("inputs").map(copies));
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
      const rows = geometry.stride.map((s, n) =>
        copies(range(0, size[n]).map((m) => (m - start[n]) / s)),
      );
      multiply(output, rows).data.forEach((value, n) => (y.data[n] += value));
    }
    return y;
  }

  // ---- Upsampling and a convolution as one transposed convolution, and back ----

  // What linear upsampling by s makes of a single 1, for an even k of 2s or an odd one of 2s - 1.
  const tent = (k, s) => range(0, k).map((t) => 1 - Math.abs(t - (k - 1) / 2) / s);

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
          [Math.max(left, 0), left + 1 - at], // beyond the border its values repeat
          [Math.min(left + 1, i - 1), at - left],
        ];
      }),
    );
    return multiply(x, rows);
  }

  const box = (s) => Array(s).fill(1);

  // The product of polynomials along each axis, tap t being the coefficient of z to the t.
  function convolved(kernel, stamps) {
    const rows = stamps.map((stamp, axis) =>
      range(0, kernel.shape[axis + 2] + stamp.length - 1).map((m) =>
        stamp.map((value, t) => [m - t, value]),
      ),
    );
    return multiply(kernel, rows);
  }

  // With x extended by the margin, border values repeated, the transposed convolution gives what
  // upsampling and a zero-padded convolution give, except on the strip: margin and strip count
  // [before, after] on each axis.
  function collapse(weight, scale, { padding = 0, mode = "nearest" } = {}) {
    check_mode(mode);
    const conv = new Geometry({ kernel: kernel_of(weight), padding });
    const stride = per_axis("scale", scale, conv.axes, 1);
    // Upsampling makes of a single 1 a box, or a tent that reaches so far over its s outputs.
    const over = stride.map((s) => (mode === "nearest" ? 0 : Math.floor(s / 2)));
    const stamps = stride.map((s, n) => (over[n] ? tent(s + 2 * over[n], s) : box(s)));
    const ends = (formula) =>
      conv.padding.map((pair, n) => pair.map((p, end) => formula(p, n, end)));
    const margin = ends((p, n) => {
      if (p >= conv.kernel[n]) fail("padding", p, `less than the kernel's ${conv.kernel[n]}`);
      return over[n] && Math.ceil((p + over[n]) / stride[n]);
    });
    const crop = ends(
      (p, n, end) => conv.kernel[n] - 1 - p + over[n] + stride[n] * margin[n][end],
    );
    const result = convolved(flipped(weight), stamps);
    const geometry = new Geometry({ kernel: result.shape.slice(2), stride, padding: crop });
    return { weight: result, geometry, margin, strip: ends((p, n) => over[n] && p) };
  }

  function divide(weight, scale) {
    const kernel = kernel_of(weight);
    const stride = per_axis("scale", scale, kernel.length, 1);
    // The box is (1 - z^s) / (1 - z). So dividing is: times 1 - z, times 1 + z^s + z^2s + …
    const rows = stride.map((s, axis) => {
      if (s > kernel[axis]) fail("scale", scale, `none above the kernel's ${kernel[axis]}`);
      return range(0, kernel[axis] - s + 1).map((t) =>
        range(0, t + 1, s).flatMap((m) => [[t - m, 1], [t - m - 1, -1]]),
      );
    });
    const quotient = multiply(weight, rows);
    const remainder = minus(weight, convolved(quotient, stride.map(box)));
    const largest = ({ data }) => data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const factorable = largest(remainder) <= 1e-5 * largest(weight);
    return { quotient: flipped(quotient), remainder, factorable };
  }

  // ---- Pooling and its gradients ----

  // Average pooling is a convolution of each channel by itself: its weight and its geometry.
  function averaging(name, x, geometry) {
    size_of(name, x, geometry.axes);
    const [groups, { kernel }] = [x.shape[1], geometry];
    const weight = filled([groups, 1, ...kernel], 1 / product(kernel));
    return [weight, new Geometry({ ...geometry, groups })];
  }

  const average_pool = (x, geometry) => conv(x, ...averaging("x", x, geometry));

  function average_pool_gradient(gradient, geometry, input_shape) {
    const [weight, channelwise] = averaging("gradient", gradient, geometry);
    const out_size = geometry.output_shape(input_shape);
    if (!same(gradient.shape.slice(2), out_size)) fail("gradient", gradient.shape, out_size);
    return conv_transpose(gradient, weight, channelwise.adjoint_to(input_shape));
  }

  // The largest value of each window and its place in the channel; the first among equals.
  function max_pool(x, geometry) {
    const size = size_of("x", x, geometry.axes);
    const out_size = geometry.output_shape(size);
    const { small, large } = connections(geometry, out_size, size);
    const values = filled([...x.shape.slice(0, 2), ...out_size], 0);
    const indices = filled(values.shape, -1);
    const [area, out_area] = [size, out_size].map(product);
    for (let channel = 0; channel * area < x.data.length; channel++) {
      small.forEach((q, n) => {
        const [value, at] = [x.data[channel * area + large[n]], channel * out_area + q];
        if (indices.data[at] >= 0 && value <= values.data[at]) return;
        values.data[at] = value;
        indices.data[at] = large[n];
      });
    }
    if (indices.data.includes(-1)) fail("padding", geometry.padding, "an input in each window");
    return { values, indices };
  }

  // A larger tensor of zeros, and where in it the values of x belong.
  function places(name, x, indices, size_name, size) {
    const pooled = product(size_of(name, x));
    const whole = per_axis(size_name, size, x.shape.length - 2, 1);
    const area = product(whole);
    if (!same(indices.shape, x.shape)) fail("indices", indices.shape, x.shape);
    const at = indices.data.map((index, n) => {
      if (integer("indices", index, 0) >= area) fail("indices", index, `less than ${area}`);
      return Math.floor(n / pooled) * area + index;
    });
    return [filled([...x.shape.slice(0, 2), ...whole], 0), at];
  }

  function max_pool_gradient(gradient, indices, input_shape) {
    const [y, at] = places("gradient", gradient, indices, "input_shape", input_shape);
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
    const near = geometry.letters.map(({ s, p, reach }, n) => {
      const low = (pooled[n] - 1) * s + reach - p;
      return [low - s + 1, low + s - 1]; // less than a stride away, as torch allows
    });
    const whole = size === undefined ? geometry.transposed_shape(pooled) : within(size, near);
    const [y, at] = places("x", x, indices, "size", whole);
    at.forEach((place, n) => (y.data[place] = x.data[n]));
    const lost = at.findIndex((place, n) => y.data[place] !== x.data[n]);
    if (lost >= 0) fail("indices", indices.data[lost], "each once, or with equal values");
    return y;
  }

  function insert_zeros(x, stride, size) {
    const small = size_of("x", x);
    const steps = per_axis("stride", stride, small.length, 1);
    const bounds = steps.map((s, n) => [(small[n] - 1) * s + 1, small[n] * s]);
    const whole = within(size ?? bounds.map(([low]) => low), bounds);
    const rows = whole.map((n, axis) => copies(range(0, n).map((m) => m / steps[axis])));
    return multiply(x, rows);
  }

  // ---- Checkerboards ----

  // How many stamps meet in each output of a period; with more layers, how many ways lead there.
  function overlap(kernel, stride, layers = 1) {
    const geometry = new Geometry({ kernel, stride });
    const stamp = filled([1, 1, ...geometry.kernel], 1);
    let ways = filled([1, 1, ...geometry.kernel.map(() => 1)], 1);
    for (let n = 0; n < integer("layers", layers, 1); n++)
      ways = conv_transpose(ways, stamp, geometry);
    return phase_gains(ways, geometry.stride.map((s) => s ** layers));
  }

  function phase_gains(weight, stride, dilation = 1) {
    const geometry = new Geometry({ kernel: kernel_of(weight), stride, dilation });
    const rows = geometry.letters.map(({ k, s, d }) =>
      range(0, s).map((r) => range(0, k).filter((t) => (t * d) % s === r).map((t) => [t, 1])),
    );
    return multiply(weight, rows);
  }

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

  const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));

  function variance(values) {
    const middle = mean(values);
    return mean(values.map((value) => (value - middle) ** 2));
  }

  // The values of each channel.
  function images({ shape, data }) {
    const area = product(shape.slice(2));
    return range(0, data.length, area).map((first) => data.subarray(first, first + area));
  }

  const ROUNDING = 64 * Number.EPSILON; // what may be left, for each 1, of what cancels
  const TINY = 2 ** -1022; // the smallest number with all its digits, to divide by in place of 0

  function imbalance(weight, stride, dilation = 1) {
    const gains = phase_gains(weight, stride, dilation);
    const deviations = images(gains).map((phase) => Math.sqrt(variance(phase) * phase.length));
    const floor = Math.max(ROUNDING * norm(weight.data), TINY);
    return norm(gains.data) > floor ? norm(deviations) / norm(gains.data) : 0;
  }

  // The matrix that takes taps to the nearest ones whose phases all have the same gain. A gain is
  // corrected by its n taps together, the easier the more they are: so the common gain is the mean
  // of the gains with the weights 1 / n. A phase without taps, 1 / 0, holds it at 0.
  function levelling(phase_of, phase_count) {
    const counts = range(0, phase_count).map((r) => phase_of.filter((phase) => phase === r).length);
    const total = counts.reduce((sum, n) => sum + 1 / n, 0);
    return phase_of.map((r, t) =>
      phase_of.map((other, u) => {
        const common = 1 / (counts[r] * counts[other] * total);
        return [u, (t === u) - (r === other) / counts[r] + common];
      }),
    );
  }

  // Along one axis the kernels whose phases have equal gains ("flat") are the multiples of the box.
  // So on more axes "factorable" kernels, multiples of every box, are those flat on every line.
  function project(weight, stride, onto = "flat") {
    const kernel = kernel_of(weight);
    const steps = per_axis("stride", stride, kernel.length, 1);
    if (onto === "factorable") {
      const phase_of = (s, axis) => range(0, kernel[axis]).map((t) => t % s);
      return multiply(weight, steps.map((s, axis) => levelling(phase_of(s, axis), s)));
    }
    if (onto !== "flat") fail("onto", onto, "flat or factorable");
    const phase_of = positions(kernel).map((tap) =>
      tap.reduce((phase, t, axis) => phase * steps[axis] + (t % steps[axis]), 0),
    );
    const line = { ...weight, shape: [...weight.shape.slice(0, 2), phase_of.length] };
    const { data } = multiply(line, [levelling(phase_of, product(steps))]);
    return { shape: weight.shape, data };
  }

  // The pixels around which a tent of 2s - 1 lies within the image, in whole periods, and what they
  // have that their mean under it has not: ramps pass the tent, patterns of period s do not.
  function without_smooth(image, steps) {
    const inner = steps.map((s, axis) => {
      const periods = Math.floor((image.shape[axis + 2] - 2 * (s - 1)) / s);
      return range(s - 1, s - 1 + periods * s);
    });
    const means = steps.map((s, axis) =>
      inner[axis].map((m) => tent(2 * s - 1, s).map((value, t) => [m - s + 1 + t, value / s])),
    );
    const x = multiply(image, inner.map(copies));
    return [x, minus(x, multiply(image, means))];
  }

  // The steps of a stride, for images that hold so many of them and 2s - 2 pixels more.
  function steps_in(image, stride, periods) {
    const size = size_of("image", image);
    const steps = per_axis("stride", stride, size.length, 1);
    const least = steps.map((s) => (periods + 2) * s - 2);
    if (size.some((n, axis) => n < least[axis])) fail("image", size, `at least ${shown(least)}`);
    return steps;
  }

  // For each image the share of its variance that is a grid, once what is smooth is taken away.
  function grid_energy(image, stride) {
    const steps = steps_in(image, stride, 2);
    const [x, rest] = without_smooth(image, steps);
    const means = steps.map((s, axis) => {
      const length = x.shape[axis + 2];
      return range(0, s).map((r) => range(r, length, s).map((m) => [m, s / length]));
    });
    const grids = images(multiply(rest, means));
    return images(x).map((pixels, n) => {
      const floor = ROUNDING ** 2 * mean(pixels.map((value) => value ** 2));
      return variance(grids[n]) / Math.max(variance(pixels), floor, TINY);
    });
  }

  // For each image what is not smooth, as the root of its mean square divided by the image's: the
  // `relative` of ramp_response, for an answer without its border.
  function relative_grid(image, stride) {
    const rest = images(without_smooth(image, steps_in(image, stride, 1))[1]);
    const amplitude = (values) => norm(values) / Math.sqrt(values.length);
    return images(image).map((pixels, n) => amplitude(rest[n]) / (amplitude(pixels) || 1));
  }

  // ---- Weights to start from ----

  // A transposed convolution that begins as linear interpolation, each channel by itself.
  function bilinear_(weight, stride, groups = 1) {
    const kernel = kernel_of(weight);
    const steps = per_axis("stride", stride, kernel.length, 1);
    const [channels, columns] = weight.shape;
    if (channels !== columns * integer("groups", groups, 1))
      fail("weight", weight.shape, "as many outputs as inputs");
    if (kernel.some((k, axis) => Math.ceil(k / 2) !== steps[axis]))
      fail("weight", weight.shape, "a kernel of 2 * stride or 2 * stride - 1");
    const one = filled([1, 1, ...kernel.map(() => 1)], 1);
    const { data } = convolved(one, kernel.map((k, axis) => tent(k, steps[axis])));
    weight.data.fill(0);
    for (let c = 0; c < channels; c++)
      weight.data.set(data, (c * columns + (c % columns)) * data.length);
    return weight;
  }

  // A convolution before a pixel shuffle that begins as nearest upsampling: all phases of a channel
  // get the kernel with which the initializer fills the first.
  function icnr_(weight, upscale_factor, initializer) {
    const axes = kernel_of(weight).length;
    const phases = product(per_axis("upscale_factor", upscale_factor, axes, 1));
    const [rows, ...rest] = weight.shape;
    if (rows % phases) fail("weight", weight.shape, `a first axis that ${phases} divides`);
    if (typeof initializer !== "function") fail("initializer", initializer, "a function");
    const first = filled([rows / phases, ...rest], 0);
    initializer(first);
    const length = product(rest);
    for (const row of range(0, rows)) {
      const from = Math.floor(row / phases) * length;
      weight.data.set(first.data.subarray(from, from + length), row * length);
    }
    return weight;
  }

  // Numbers as if by chance, and the same on every visit: a function uniform(a, b). (Mulberry32.)
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
    // Halfway between two, JavaScript rounds away from zero, Python to the even digit.
    const untied = value.toExponential(99).replace(/^(-?\d\.\d[02468])50+e/, "$1e");
    const [digits, exponent] = Number(untied).toExponential(2).split("e").map(Number);
    const power = `${Math.abs(exponent)}`.padStart(2, "0");
    const scientific = `${digits}e${exponent < 0 ? "-" : "+"}${power}`;
    const text = exponent < -4 || exponent > 2 ? scientific : `${Number(`${digits}e${exponent}`)}`;
    return text.replaceAll("-", "−");
  }

  (globalThis.upconv ??= {}).arithmetic = Object.freeze({
    ...{ Geometry, solve, limits, tensor },
    ...{ connections, conv, conv_transpose, conv_matrix },
    ...{ flipped, inserted, zero_insertion, phases, polyphase },
    ...{ interpolate, collapse, divide },
    ...{ average_pool, average_pool_gradient, max_pool, max_pool_gradient },
    ...{ max_unpool, insert_zeros },
    ...{ overlap, phase_gains, imbalance, project, grid_energy, relative_grid },
    ...{ bilinear_, icnr_, random, number },
  });
})();

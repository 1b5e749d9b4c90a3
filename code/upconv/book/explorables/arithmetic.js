// The arithmetic of the interactive figures, under the names of the Python package.
//
// A tensor is {shape: [batch, channels, ...size], data}, row by row. A convolution has the weight
// (out_channels, channels, ...kernel); its transpose reads the very same array as (channels,
// out_channels, ...kernel). The settings of a Geometry may differ along its 1 to 3 axes; `stride`
// and `scale` as arguments of a function are one number for all. Settings and sizes that do not
// fit are a RangeError that names them.

(() => {
  "use strict";

  function fail(name, got, wanted) {
    throw new RangeError(`${name}: got ${JSON.stringify(got)}; want ${wanted}`);
  }

  const sum = (numbers) => numbers.reduce((total, n) => total + n, 0);

  const product = (numbers) => numbers.reduce((result, n) => result * n, 1);

  const range = (start, stop, step = 1) =>
    Array.from({ length: Math.ceil((stop - start) / step) }, (_, n) => start + n * step);

  // Every choice of one entry from each list, the last list fastest.
  const choices = (lists) =>
    lists.reduce((heads, list) => heads.flatMap((head) => list.map((n) => [...head, n])), [[]]);

  const positions = (size) => choices(size.map((n) => range(0, n)));

  function per_axis(name, value, axes) {
    const entries = Array.isArray(value) ? value : Array(axes).fill(value);
    return entries.length === axes ? entries : fail(name, value, `one entry for all, or ${axes}`);
  }

  function integers(name, value, axes, least) {
    const entries = per_axis(name, value, axes);
    if (entries.every((n) => Number.isSafeInteger(n) && n >= least)) return entries;
    fail(name, value, `integers of at least ${least}`);
  }

  // ---- Sizes ----

  class Geometry {
    constructor({ kernel, stride = 1, padding = 0, dilation = 1, output_padding = 0 }) {
      const axes = Array.isArray(kernel) ? kernel.length : 1;
      if (axes < 1 || axes > 3) fail("kernel", kernel, "1 to 3 axes");
      const pairs = per_axis("padding", padding, axes); // before and after
      this.kernel = integers("kernel", kernel, axes, 1);
      this.stride = integers("stride", stride, axes, 1);
      this.padding = pairs.map((pair) => integers("padding", pair, 2, 0));
      this.dilation = integers("dilation", dilation, axes, 1);
      this.output_padding = integers("output_padding", output_padding, axes, 0);
      for (const { s, d, a } of this.letters)
        if (a >= Math.max(s, d)) fail("output_padding", a, "less than the stride or the dilation");
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
      const sizes = integers(name, shape, this.axes, 1);
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

  // The settings along one axis, dilation 1, that lead from one size to another.
  function solve(
    in_size,
    out_size,
    { transposed = true, max_kernel = 5, max_stride = 4, max_padding = 2 } = {},
  ) {
    const most = [range(1, max_kernel + 1), range(1, max_stride + 1), range(0, max_padding + 1)];
    return choices(most).flatMap(([kernel, stride, padding]) =>
      range(0, transposed ? stride : 1)
        .map((output_padding) => ({ kernel, stride, padding, output_padding }))
        .filter((settings) => attempt(settings, in_size, transposed)?.[0] === out_size)
        .map((settings) => new Geometry(settings)),
    );
  }

  // The ends {min, max} of a slider for a setting, or for "input_shape": the smallest and largest
  // value up to the cap that is legal, on all axes and both sides, while everything else stays.
  // All between are legal too: an output of size 1 or more, and an output_padding below stride or
  // dilation, become only easier, or only harder, as one setting grows. So sliders whose ends are
  // computed anew after each move never leave the legal states.
  function limits(geometry, name, input_shape, { transposed = true, cap }) {
    const least = name.endsWith("padding") ? 0 : 1;
    const legal = range(least, cap + 1).filter((value) => {
      const everywhere = Array(geometry.axes).fill(value);
      const settings = { ...geometry, input_shape, [name]: everywhere };
      return attempt(settings, settings.input_shape, transposed);
    });
    if (!legal.length) fail("cap", cap, `more: no ${name} up to it is legal`);
    return { min: legal[0], max: legal.at(-1) };
  }

  // ---- Tensors ----

  const filled = (shape, value) => ({ shape, data: new Float64Array(product(shape)).fill(value) });

  function tensor(shape, data) {
    if (data.length !== product(shape)) fail("data", data.length, `${product(shape)} numbers`);
    return { shape: [...shape], data: Float64Array.from(data) };
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

  // ---- Convolution and its transpose ----

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
    return found;
  }

  // Both directions along the same connections. The rows of a weight are the channels of the small
  // side, its columns those of the large side.
  function connect(x, weight, geometry, bias, transposed) {
    const [batch, channels, ...size] = x.shape;
    const [rows, columns, ...kernel] = weight.shape;
    if (`${kernel}` !== `${geometry.kernel}`)
      fail("weight", weight.shape, `a kernel of ${geometry.kernel}`);
    const [wanted, out_channels] = transposed ? [rows, columns] : [columns, rows];
    if (channels !== wanted) fail("x", x.shape, `${wanted} channels`);
    const out_size = reached(geometry, size, transposed);
    const { small, tap, large } = transposed
      ? connections(geometry, size, out_size)
      : connections(geometry, out_size, size);
    const [read, write] = transposed ? [small, large] : [large, small];
    const [taps, area, out_area] = [kernel, size, out_size].map(product);
    const [step, out_step] = transposed ? [columns * taps, taps] : [taps, columns * taps];
    const y = filled([batch, out_channels, ...out_size], 0);
    const [w, values, sums] = [weight.data, x.data, y.data];
    for (let b = 0; b < batch; b++) {
      for (let n = 0; n < tap.length; n++) {
        for (let to = 0; to < out_channels; to++) {
          let weight_at = to * out_step + tap[n];
          let value_at = b * channels * area + read[n];
          let sum = 0;
          for (let from = 0; from < channels; from++) {
            sum += w[weight_at] * values[value_at];
            weight_at += step;
            value_at += area;
          }
          sums[(b * out_channels + to) * out_area + write[n]] += sum;
        }
      }
    }
    if (!bias) return y;
    return { ...y, data: sums.map((v, n) => v + bias[Math.floor(n / out_area) % out_channels]) };
  }

  const conv = (x, weight, geometry, bias) => connect(x, weight, geometry, bias, false);

  const conv_transpose = (x, weight, geometry, bias) => connect(x, weight, geometry, bias, true);

  // Each channel by itself, with a kernel of one value.
  function stamped(x, geometry, value = 1) {
    const [batch, channels, ...size] = x.shape;
    const planes = { ...x, shape: [batch * channels, 1, ...size] };
    const y = conv_transpose(planes, filled([1, 1, ...geometry.kernel], value), geometry);
    return { ...y, shape: [batch, channels, ...y.shape.slice(2)] };
  }

  // ---- Transposed convolution by zero insertion ----

  // Between the layouts of the two directions: channels exchanged, taps reversed on every axis.
  function flipped({ shape: [rows, columns, ...kernel], data }) {
    const taps = product(kernel);
    const from = (_, n) => {
      const [column, row] = [Math.floor(n / taps / rows), Math.floor(n / taps) % rows];
      return data[(row * columns + column) * taps + taps - 1 - (n % taps)];
    };
    return { shape: [columns, rows, ...kernel], data: data.map(from) };
  }

  // x with stride - 1 zeros between its values, and so many around them as the kernel needs.
  function inserted(x, geometry) {
    const out_size = geometry.transposed_shape(x.shape.slice(2));
    const rows = geometry.letters.map(({ s, before, reach }, n) =>
      copies(range(before + 1 - reach, before + out_size[n]).map((m) => m / s)),
    );
    return multiply(x, rows);
  }

  function zero_insertion(x, weight, geometry) {
    const { kernel, dilation } = geometry;
    return conv(inserted(x, geometry), flipped(weight), new Geometry({ kernel, dilation }));
  }

  // ---- Upsampling and a convolution as one transposed convolution, and back ----

  // Linear with half pixels, align_corners=False.
  function interpolate(x, { scale_factor, mode = "nearest" }) {
    const rows = x.shape.slice(2).map((i) =>
      range(0, i * scale_factor).map((m) => {
        if (mode === "nearest") return [[Math.floor(m / scale_factor), 1]];
        const at = (m + 0.5) / scale_factor - 0.5;
        const left = Math.floor(at);
        return [
          [Math.max(left, 0), left + 1 - at], // beyond the border its values repeat
          [Math.min(left + 1, i - 1), at - left],
        ];
      }),
    );
    return multiply(x, rows);
  }

  // Nearest upsampling makes of a single 1 a box. So kernels, too, are multiplied by it: as
  // polynomials along each axis, tap t being the coefficient of z to the t.
  const boxed = (kernels, scale) =>
    stamped(kernels, new Geometry({ kernel: kernels.shape.slice(2).map(() => scale) }));

  function collapse(weight, scale, { padding = 0 } = {}) {
    const result = boxed(flipped(weight), scale);
    const plain = new Geometry({ kernel: weight.shape.slice(2), padding });
    const crop = plain.padding.map((pair, n) => pair.map((p) => plain.kernel[n] - 1 - p));
    const settings = { kernel: result.shape.slice(2), stride: scale, padding: crop };
    return { weight: result, geometry: new Geometry(settings) };
  }

  function divide(weight, scale) {
    // The box is (1 - z^s) / (1 - z). So dividing is: times 1 - z, times 1 + z^s + z^2s + …
    const rows = weight.shape.slice(2).map((k) =>
      range(0, k - scale + 1).map((t) =>
        range(0, t + 1, scale).flatMap((m) => [[t - m, 1], [t - m - 1, -1]]),
      ),
    );
    const quotient = multiply(weight, rows);
    const remainder = minus(weight, boxed(quotient, scale));
    const small = 1e-5 * Math.max(...weight.data.map(Math.abs));
    const factorable = remainder.data.every((value) => Math.abs(value) <= small);
    return { quotient: flipped(quotient), remainder, factorable };
  }

  // ---- Pooling and its gradients ----

  const average_pool_gradient = (gradient, geometry, input_shape) =>
    stamped(gradient, geometry.adjoint_to(input_shape), 1 / product(geometry.kernel));

  // The largest value of each window and its place in the channel; the first among equals.
  function max_pool(x, geometry) {
    const [batch, channels, ...size] = x.shape;
    const out_size = geometry.output_shape(size);
    const { small, large } = connections(geometry, out_size, size);
    const values = filled([batch, channels, ...out_size], -Infinity);
    const indices = filled(values.shape, 0);
    const [area, out_area] = [size, out_size].map(product);
    for (let channel = 0; channel < batch * channels; channel++) {
      small.forEach((q, n) => {
        const [value, at] = [x.data[channel * area + large[n]], channel * out_area + q];
        if (value <= values.data[at]) return;
        values.data[at] = value;
        indices.data[at] = large[n];
      });
    }
    return { values, indices };
  }

  function max_pool_gradient({ shape: [batch, channels, ...size], data }, indices, input_shape) {
    const [area, pooled] = [input_shape, size].map(product);
    const y = filled([batch, channels, ...input_shape], 0);
    data.forEach((value, n) => {
      y.data[Math.floor(n / pooled) * area + indices.data[n]] += value;
    });
    return y;
  }

  const insert_zeros = (x, stride, size) =>
    multiply(x, size.map((n) => copies(range(0, n).map((m) => m / stride))));

  // ---- Checkerboards ----

  // How many stamps meet in each output of a period; with more layers, how many ways lead there.
  function overlap(kernel, stride, layers = 1) {
    const geometry = new Geometry({ kernel, stride });
    let ways = filled([1, 1, ...kernel.map(() => 1)], 1);
    for (let n = 0; n < layers; n++) ways = stamped(ways, geometry);
    return phase_gains(ways, stride ** layers);
  }

  function phase_gains(weight, stride) {
    const phases = (k) => range(0, stride).map((r) => range(r, k, stride).map((t) => [t, 1]));
    return multiply(weight, weight.shape.slice(2).map(phases));
  }

  // The values of each channel.
  function images({ shape, data }) {
    const area = product(shape.slice(2));
    return range(0, data.length, area).map((first) => data.subarray(first, first + area));
  }

  const squares = (values) => sum(values.map((value) => value ** 2));

  function deviations(values) {
    const mean = sum(values) / values.length;
    return squares(values.map((value) => value - mean));
  }

  const ROUNDING = (64 * Number.EPSILON) ** 2; // of squares, what may be left when all cancels

  function imbalance(weight, stride) {
    const gains = phase_gains(weight, stride);
    const size = squares(gains.data);
    if (size <= ROUNDING * squares(weight.data)) return 0;
    return Math.sqrt(sum(images(gains).map(deviations)) / size);
  }

  // The matrix that takes taps to the nearest ones whose phases all have the same gain. A gain is
  // corrected by its n taps together, the easier the more they are: so the common gain is the mean
  // of the gains with the weights 1 / n. A phase without taps, 1 / 0, holds it at 0.
  function levelling(kernel, stride) {
    const phase = (tap) => tap.reduce((number, t) => number * stride + (t % stride), 0);
    const phases = positions(kernel).map(phase);
    const counts = Array(stride ** kernel.length).fill(0);
    for (const r of phases) counts[r] += 1;
    const total = sum(counts.map((n) => 1 / n));
    return phases.map((r, t) =>
      phases.map((other, u) => {
        const common = 1 / (counts[r] * counts[other] * total);
        return [u, (t === u) - (r === other) / counts[r] + common];
      }),
    );
  }

  // Along one axis the kernels whose phases have equal gains ("flat") are the multiples of the box.
  // So on more axes "factorable" kernels, multiples of every box, are those flat on every line.
  function project(weight, stride, onto = "flat") {
    const { shape, data } = weight;
    const [rows, columns, ...kernel] = shape;
    if (onto === "factorable") return multiply(weight, kernel.map((k) => levelling([k], stride)));
    const line = { shape: [rows, columns, product(kernel)], data };
    return { ...multiply(line, [levelling(kernel, stride)]), shape };
  }

  // The pixels around which a tent of 2s - 1 lies within the image, in whole periods, and what they
  // have that their mean under it has not: ramps pass the tent, patterns of period s do not.
  function without_smooth(image, s) {
    const inner = image.shape.slice(2).map((n) => {
      const periods = Math.floor((n - 2 * (s - 1)) / s);
      return range(s - 1, s - 1 + periods * s);
    });
    const tent = range(1 - s, s).map((distance) => [distance, (s - Math.abs(distance)) / s ** 2]);
    const under = (m) => tent.map(([distance, factor]) => [m + distance, factor]);
    const means = inner.map((pixels) => pixels.map(under));
    const x = multiply(image, inner.map(copies));
    return [x, minus(x, multiply(image, means))];
  }

  // For each image the share of its variance that is a grid, once what is smooth is taken away.
  function grid_energy(image, stride) {
    const [x, rest] = without_smooth(image, stride);
    const grids = images(phase_gains(rest, stride)); // sums of as many pixels for every phase
    return images(x).map((pixels, n) => {
      const periods = pixels.length / grids[n].length;
      const whole = Math.max(deviations(pixels), ROUNDING * squares(pixels)) || 1;
      return deviations(grids[n]) / periods / whole;
    });
  }

  // For each image what is not smooth, as the root of its mean square divided by the image's: the
  // `relative` of ramp_response, for an answer without its border.
  function relative_grid(image, stride) {
    const rest = images(without_smooth(image, stride)[1]);
    const mean_square = (values) => squares(values) / values.length;
    return images(image).map((pixels, n) =>
      Math.sqrt(mean_square(rest[n]) / (mean_square(pixels) || 1)),
    );
  }

  // ---- Weights to start from ----

  // A transposed convolution that begins as linear interpolation, each channel by itself.
  function bilinear_(weight, stride) {
    const [channels, , ...kernel] = weight.shape;
    const tent = (t, axis) => 1 - Math.abs(t - (kernel[axis] - 1) / 2) / stride;
    const stamp = positions(kernel).map((tap) => product(tap.map(tent)));
    weight.data.fill(0);
    for (let c = 0; c < channels; c++) weight.data.set(stamp, c * (channels + 1) * stamp.length);
    return weight;
  }

  // Numbers as if by chance, and the same on every visit: a function uniform(a, b). (Mulberry32.)
  function random(seed) {
    let state = seed;
    return (a, b) => {
      state = (state + 0x6d2b79f5) | 0;
      let bits = Math.imul(state ^ (state >>> 15), state | 1);
      bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
      return a + ((b - a) * ((bits ^ (bits >>> 14)) >>> 0)) / 2 ** 32;
    };
  }

  // Three significant digits as Python's ".3g" writes them, with a true minus sign; but no "−0".
  function number(value) {
    // Halfway between two, JavaScript rounds away from zero, Python to the even digit; and a figure
    // shows such values, 1125 or 12.25.
    const untied = value.toExponential(99).replace(/^(-?\d\.\d[02468])50+e/, "$1e");
    const rounded = Number(untied).toExponential(2);
    const exponent = Number(rounded.split("e")[1]);
    const scientific = rounded.replace(/\.?0+e/, "e").replace(/e.(?=\d$)/, "$&0");
    const text = exponent < -4 || exponent > 2 ? scientific : `${Number(rounded)}`;
    return text.replaceAll("-", "−");
  }

  (globalThis.upconv ??= {}).arithmetic = {
    Geometry, solve, limits,
    tensor, connections, conv, conv_transpose, flipped, inserted, zero_insertion,
    interpolate, collapse, divide,
    average_pool_gradient, max_pool, max_pool_gradient, insert_zeros,
    overlap, phase_gains, imbalance, project, grid_energy, relative_grid,
    bilinear_, random, number,
  };
})();

// Holds arithmetic.js to the vectors that test_explorables_arithmetic.py writes with the package.

"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const test = require("node:test");
const vm = require("node:vm");

// As in a page: a classic script, in a world that has nothing of Node.
const script = "../../../code/upconv/book/explorables/arithmetic.js";
const world = vm.createContext({});
vm.runInContext(fs.readFileSync(path.join(__dirname, script), "utf8"), world);
const { arithmetic } = world.upconv;
const { Geometry, tensor } = arithmetic;

// What needs more than a call with the arguments of the vector.
const calls = {
  ...arithmetic,
  Geometry: (settings) => {
    const geometry = new Geometry(settings);
    return { ...geometry, axes: geometry.axes, reach: geometry.reach };
  },
  output_shape: (geometry, size) => geometry.output_shape(size),
  transposed_shape: (geometry, size) => geometry.transposed_shape(size),
  ambiguous_inputs: (geometry, size) => geometry.ambiguous_inputs(size),
  adjoint_to: (geometry, size) => geometry.adjoint_to(size),
  bilinear_: (weight, ...settings) => {
    assert.equal(arithmetic.bilinear_(weight, ...settings), weight);
    return weight;
  },
  random: (seed, count, a, b) => {
    const uniform = arithmetic.random(seed);
    return Array.from({ length: count }, () => uniform(a, b));
  },
};

// Arguments as they stand in the vectors: tensors as {shape, data}, geometries by their settings.
function revived(_, value) {
  if (value?.geometry) return new Geometry(value.geometry);
  return value?.shape ? tensor(value.shape, value.data) : value;
}

// The first difference as text, if there is one. Numbers may differ by the tolerance of the vector,
// which is absolute for those below 1 and relative for those above.
function difference(got, wanted, tolerance, where = "") {
  const keys = (value) => Object.keys(value).sort();
  if (typeof wanted === "number" && typeof got === "number") {
    if (Math.abs(got - wanted) <= tolerance * Math.max(1, Math.abs(wanted))) return;
  } else if (typeof wanted !== "object") {
    if (got === wanted) return;
  } else if (typeof got === "object" && keys(got).join() === keys(wanted).join()) {
    const entry = (key) => difference(got[key], wanted[key], tolerance, `${where}.${key}`);
    return keys(wanted).map(entry).find(Boolean);
  }
  return `result${where} is ${JSON.stringify(got)}; want ${JSON.stringify(wanted)}`;
}

function fault({ call, args, gives, throws, tolerance }) {
  try {
    const result = calls[call](...JSON.parse(JSON.stringify(args), revived));
    if (throws) return `gave ${JSON.stringify(result)}; want a RangeError that names ${throws}`;
    return difference(result, gives, tolerance);
  } catch (error) {
    const named = error.name === "RangeError" && error.message.startsWith(`${throws}: got `);
    if (!throws || !named) return `${error.stack}; want ${throws ? `an error of ${throws}` : "none"}`;
  }
}

const vectors = JSON.parse(fs.readFileSync(process.env.VECTORS, "utf8"));
for (const [call, cases] of Object.entries(Object.groupBy(vectors, ({ call }) => call))) {
  test(call, (context) => {
    let held = 0;
    for (const vector of cases) {
      const found = fault(vector);
      if (found) assert.fail(`${call}(${JSON.stringify(vector.args).slice(1, -1)}): ${found}`);
      held += 1;
    }
    context.diagnostic(`${held} vectors hold`);
  });
}

test("sliders within their limits never leave the legal states", () => {
  const uniform = arithmetic.random(7);
  const pick = (low, high) => Math.floor(uniform(low, high + 1));
  const caps = { kernel: 7, stride: 4, padding: 4, dilation: 3, output_padding: 3, input_shape: 9 };
  for (const transposed of [false, true]) {
    let settings = { kernel: [3, 3] };
    let size = 4;
    for (let move = 0; move < 1000; move++) {
      const name = Object.keys(caps)[pick(0, 5)];
      const ends = { transposed, cap: caps[name] };
      const { min, max } = arithmetic.limits(new Geometry(settings), name, size, ends);
      if (name === "input_shape") size = pick(min, max);
      else settings = { ...settings, [name]: pick(min, max) };
      const kernel = [settings.kernel].flat();
      settings.kernel = kernel.length === 2 ? kernel : [kernel[0], kernel[0]];
      const geometry = new Geometry(settings);
      if (transposed) geometry.transposed_shape(size);
      else geometry.output_shape(size);
    }
  }
});

test("what is no tensor is refused", () => {
  assert.throws(() => tensor([1, 1, 3], [1, 2]), /^RangeError: data: got 2/);
});

test("no figure shows a negative zero", () => {
  assert.equal(arithmetic.number(-0), "0");
});

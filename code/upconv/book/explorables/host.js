// Starts the explorables of a page, and makes the controls that they share.
//
// Each explorable's script calls `upconv.explorable(name, { render })`, and the host then calls
// `render({ model, el })` for each place of that name in the document: the anywidget protocol.
// `model` keeps the settings, `el` is an empty element that takes the place of the still figure.
// Should `render` throw, the still stays where it is, and the error reaches the console.

"use strict";
(() => {
  const upconv = (globalThis.upconv ??= {});
  const here = document.currentScript?.src;

  class Model {
    #values;
    #listeners = [];

    constructor(values) {
      this.#values = values;
    }

    get(name) {
      return this.#values[name];
    }

    // Sets one value, or several at once, and tells the listeners if anything has changed.
    set(name, value) {
      const changes = typeof name === "string" ? { [name]: value } : name;
      const changed = Object.keys(changes).filter((key) => this.#values[key] !== changes[key]);
      Object.assign(this.#values, changes);
      const told = this.#listeners.filter(
        ([event]) => (event === "change" && changed.length) || changed.includes(event.slice(7)),
      );
      for (const [, listener] of told) listener();
    }

    // `event` is "change", or "change:name" for one setting.
    on(event, listener) {
      this.#listeners.push([event, listener]);
    }

    save_changes() {} // there is no kernel at the other end

    all() {
      return { ...this.#values };
    }
  }

  const renders = {};
  upconv.mounted ??= [];

  function mount(place) {
    const { name, settings } = place.dataset;
    const start = performance.now();
    const model = new Model(JSON.parse(settings));
    const el = make("div", { class: "upconv-live" });
    place.append(el);
    try {
      renders[name]({ model, el });
    } catch (error) {
      el.remove();
      throw error;
    }
    place.dataset.live = "";
    upconv.mounted.push({ name, model, el });
    performance.measure(`upconv ${name}`, { start, end: performance.now() });
  }

  upconv.explorable = (name, { render }) => {
    renders[name] = render;
    const places = `.upconv-explorable[data-name="${name}"]:not([data-live])`;
    for (const place of document.querySelectorAll(places)) mount(place);
  };

  // Runs a script that lies beside this one, where there is one: not in a notebook.
  upconv.load = (file) =>
    new Promise((resolve, reject) => {
      if (!here) return reject(Error(`${file} can be had in the book only`));
      const script = make("script", { src: new URL(file, here).href });
      script.onload = resolve;
      script.onerror = () => reject(Error(`${file} did not load`));
      document.head.append(script);
    });

  // An element: `make("p", { class: "x", onclick: … }, "text", child)`; "svg:rect" for drawings.
  function make(tag, attributes = {}, ...children) {
    const [name, kind] = tag.split(":").reverse();
    const element = kind
      ? document.createElementNS("http://www.w3.org/2000/svg", name)
      : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value === true) element.setAttribute(key, "");
      else if (value !== false && value != null) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  let names = 0;
  const fresh = (word) => `upconv-${word}-${++names}`;

  // A slider bound to a setting. `bound(min, max)` moves its limits, and the setting with them.
  function slider({ model, name, label, min = 0, max = 10, step = 1, text = upconv.arithmetic.number }) {
    const id = fresh("slider");
    const input = make("input", { type: "range", id, min, max, step, value: model.get(name) });
    const output = make("output", { for: id });
    const show = () => {
      input.value = model.get(name);
      const words = text(model.get(name));
      output.value = words;
      input.setAttribute("aria-valuetext", words);
    };
    input.addEventListener("input", () => model.set(name, Number(input.value)));
    model.on(`change:${name}`, show);
    show();
    const element = make("div", { class: "upconv-control" }, make("label", { for: id }, label), output, input);
    const bound = (low, high) => {
      input.min = low;
      input.max = high;
      input.disabled = low === high;
      const held = Math.min(Math.max(model.get(name), low), high);
      if (held !== model.get(name)) model.set(name, held);
      show();
    };
    return { element, input, bound };
  }

  // A choice of one among a few, as radio buttons: `options` are [value, text].
  function choice({ model, name, label, options }) {
    const group = fresh("choice");
    const radios = options.map(([value, text]) => {
      const input = make("input", { type: "radio", name: group, value });
      input.addEventListener("change", () => model.set(name, value));
      return [value, input, make("label", {}, input, make("span", {}, text))];
    });
    const show = () => {
      for (const [value, input] of radios) input.checked = value === model.get(name);
    };
    model.on(`change:${name}`, show);
    show();
    const element = make(
      "fieldset",
      { class: "upconv-choice" },
      make("legend", {}, label),
      ...radios.map(([, , option]) => option),
    );
    return { element };
  }

  // A setting that is on or off.
  function toggle({ model, name, label }) {
    const input = make("input", { type: "checkbox" });
    input.addEventListener("change", () => model.set(name, input.checked));
    const show = () => {
      input.checked = model.get(name);
    };
    model.on(`change:${name}`, show);
    show();
    return { element: make("label", { class: "upconv-toggle" }, input, label) };
  }

  const button = (text, onclick) => make("button", { type: "button", class: "upconv-button", onclick }, text);

  // What has changed, in words, for those who hear the page: the last of a quick row of changes.
  function announcer() {
    const element = make("p", { class: "upconv-said", role: "status" });
    let timer;
    const say = (words) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        element.textContent = words;
      }, 250);
    };
    return { element, say };
  }

  // A table of numbers through which the arrow keys lead. `onpoint(row, column)` is called when a
  // cell is pointed at or has the focus, `onpoint(null)` when it is left. `fill(rows, options)`
  // shows numbers: text of a cell, its tint from −1 (orange) to 1 (blue); `mark(kind)` with
  // kind(row, column) = "lit", "dim" or "" sets cells off.
  function grid({ label, onpoint = () => {}, headings = false }) {
    const body = make("tbody");
    const table = make("table", { class: "upconv-grid", role: "grid", "aria-label": label }, body);
    let cells = [];
    const place = (target) => {
      const cell = target.closest?.("td");
      return cell && body.contains(cell) ? [cell.parentNode.rowIndex, cell.cellIndex - headings] : null;
    };
    const focusable = (row, column) => {
      for (const line of cells) for (const cell of line) cell.tabIndex = -1;
      cells[row][column].tabIndex = 0;
    };
    const point = (event) => {
      const at = place(event.target);
      if (at) onpoint(...at);
    };
    table.addEventListener("pointerover", point);
    table.addEventListener("pointerdown", point);
    table.addEventListener("pointerleave", () => onpoint(null));
    table.addEventListener("focusin", (event) => {
      const at = place(event.target);
      if (at) focusable(...at);
      point(event);
    });
    table.addEventListener("focusout", () => onpoint(null));
    table.addEventListener("keydown", (event) => {
      const at = place(event.target);
      if (!at) return;
      let [row, column] = at;
      if (event.key === "ArrowUp") row -= 1;
      else if (event.key === "ArrowDown") row += 1;
      else if (event.key === "ArrowLeft") column -= 1;
      else if (event.key === "ArrowRight") column += 1;
      else if (event.key === "Home") column = 0;
      else if (event.key === "End") column = cells[0].length - 1;
      else return;
      event.preventDefault();
      cells[row]?.[column]?.focus();
    });
    const fill = (rows, { text = upconv.arithmetic.number, tint = () => 0, names } = {}) => {
      if (cells.length !== rows.length || cells[0]?.length !== rows[0].length) {
        cells = rows.map((line) => line.map(() => make("td", { role: "gridcell", tabindex: -1 })));
        body.replaceChildren(...cells.map((line) => make("tr", { role: "row" }, ...line)));
        cells[0][0].tabIndex = 0;
      }
      rows.forEach((line, row) =>
        line.forEach((value, column) => {
          const cell = cells[row][column];
          const words = text(value);
          if (cell.textContent !== words) cell.textContent = words;
          cell.ariaLabel = names ? names(row, column, words) : words || "empty";
          const strength = tint(value, row, column);
          cell.style.setProperty("--tint", Math.abs(strength).toFixed(3));
          cell.classList.toggle("minus", strength < 0);
        }),
      );
    };
    const mark = (kind) =>
      cells.forEach((line, row) =>
        line.forEach((cell, column) => {
          const mark = kind(row, column);
          if ((cell.dataset.mark ?? "") !== mark) cell.dataset.mark = mark;
        }),
      );
    return { element: table, fill, mark, cell: (row, column) => cells[row][column] };
  }

  // A grey image, `low` black and `high` white; drawn with hard pixels.
  function picture({ label }) {
    const element = make("canvas", { class: "upconv-picture", role: "img", "aria-label": label });
    const show = (values, width, { low = 0, high = 1, label: words = label } = {}) => {
      element.width = width;
      element.height = values.length / width;
      const image = new ImageData(width, element.height);
      values.forEach((value, i) => {
        const grey = Math.round((255 * (value - low)) / (high - low || 1));
        image.data.set([grey, grey, grey, 255], 4 * i);
      });
      element.getContext("2d").putImageData(image, 0, 0);
      element.ariaLabel = words;
    };
    return { element, show };
  }

  upconv.ui = { make, slider, choice, toggle, button, announcer, grid, picture };
})();

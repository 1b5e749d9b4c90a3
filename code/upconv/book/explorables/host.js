// Starts the explorables of a page, and makes the controls that they share.
//
// A script calls `upconv.explorable(name, { render })`, and the host `render({ model, el })` for
// each place of that name: the anywidget protocol. `model` keeps the settings, `el` takes the place
// of the still figure. Should `render` throw, the still stays.

"use strict";
(() => {
const upconv = (globalThis.upconv ??= {});
const here = document.currentScript?.src;
const { number } = upconv.arithmetic;
const renders = {};
upconv.mounted ??= [];
upconv.ids ??= 0;

// `on` takes "change", or "change:name"; `set` a name and a value, or several as an object.
function model_of(values) {
	const listeners = [];
	return {
		get: (name) => values[name],
		all: () => ({ ...values }),
		on: (event, listener) => listeners.push([event, listener]),
		set(name, value) {
			const changes = typeof name === "string" ? { [name]: value } : name;
			const changed = Object.keys(changes).filter((key) => values[key] !== changes[key]);
			Object.assign(values, changes);
			const events = changed.map((key) => `change:${key}`).concat(changed.length ? "change" : []);
			for (const [event, told] of listeners) if (events.includes(event)) told();
		},
	};
}

function mount(place) {
	const { name, settings } = place.dataset;
	const start = performance.now();
	const el = make("div", { class: "upconv-live" });
	place.append(el);
	try {
		const model = model_of(JSON.parse(settings));
		renders[name]({ model, el });
		upconv.mounted.push({ name, model, el });
	} catch (error) {
		el.remove();
		throw error;
	}
	place.dataset.live = "";
	performance.measure(`upconv ${name}`, { start });
}

upconv.explorable = (name, { render }) => {
	renders[name] = render;
	const places = `.upconv-explorable[data-name="${name}"]:not([data-live])`;
	document.querySelectorAll(places).forEach(mount);
};

// Runs a script that lies beside this one; a notebook has none.
upconv.load = (file) =>
	new Promise((resolve, reject) => {
		if (!here) return reject(Error(`${file} can be had in the book only`));
		const onerror = () => reject(Error(`${file} did not load`));
		document.head.append(
			make("script", { src: new URL(file, here).href, onload: resolve, onerror }),
		);
	});

// An element: `make("p", { class: "x", onclick: … }, "text", control)`; "svg:rect" for drawings.
function make(tag, attributes = {}, ...children) {
	const [name, kind] = tag.split(":").reverse();
	const space = kind ? "http://www.w3.org/2000/svg" : "http://www.w3.org/1999/xhtml";
	const element = document.createElementNS(space, name);
	for (const [key, value] of Object.entries(attributes)) {
		if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
		else if (value !== false && value != null) element.setAttribute(key, value);
	}
	element.append(...children.map((child) => child.element ?? child));
	return element;
}

const box = (kind, ...children) => make("div", { class: `upconv-${kind}` }, ...children);

const panel = (title, ...children) => box("panel", make("p", {}, title), ...children);

// Keeps a control showing its setting.
function bind(model, name, show) {
	model.on(`change:${name}`, show);
	show();
}

// `bound(min, max)` moves the limits of the slider, and the setting with them.
function slider({ model, name, label, min = 0, max = 10, text = number }) {
	const id = `upconv-slider-${++upconv.ids}`;
	const input = make("input", { type: "range", id, min, max });
	const output = make("output", { for: id });
	const show = () => {
		input.value = model.get(name);
		output.value = input.ariaValueText = text(model.get(name));
	};
	input.addEventListener("input", () => model.set(name, Number(input.value)));
	bind(model, name, show);
	const words = make("label", { for: id }, label);
	const element = make("div", { class: "upconv-control" }, words, output, input);
	const bound = (low, high) => {
		Object.assign(input, { min: low, max: high, disabled: low === high });
		model.set(name, Math.min(Math.max(model.get(name), low), high));
		show();
	};
	return { element, input, bound };
}

// One of a few, as radio buttons: `options` are [value, text], or both in one.
function choice({ model, name, label, options }) {
	const group = `upconv-choice-${++upconv.ids}`;
	const element = make("fieldset", { class: "upconv-choice" }, make("legend", {}, label));
	for (const [value, text = value] of options.map((option) => [option].flat())) {
		const onchange = () => model.set(name, value);
		const input = make("input", { type: "radio", name: group, value, onchange });
		bind(model, name, () => (input.checked = value === model.get(name)));
		element.append(make("label", {}, input, make("span", {}, text)));
	}
	return { element };
}

const button = (text, onclick) =>
	make("button", { type: "button", class: "upconv-button", onclick }, text);

// What has changed, for those who hear the page: the last of a quick row of changes.
function announcer() {
	const element = make("p", { class: "upconv-said", role: "status" });
	let timer;
	const say = (words) => {
		clearTimeout(timer);
		timer = setTimeout(() => (element.textContent = words), 250);
	};
	return { element, say };
}

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

// A table of numbers through which the arrow keys lead; onpoint(row, column) tells of the cell that
// is pointed at. `fill` shows numbers, tinted from −1, orange, to 1, blue; `mark` sets cells off.
function grid({ label, onpoint = () => {} }) {
	let cells = [];
	const each = (action) =>
		cells.forEach((line, row) => line.forEach((cell, column) => action(cell, row, column)));
	const place = (cell) => [cell.parentNode.rowIndex, cell.cellIndex];
	const point = ({ target }) => {
		const cell = target.closest("td");
		if (cell) onpoint(...place(cell));
	};
	const table = make("table", {
		class: "upconv-grid",
		role: "grid",
		"aria-label": label,
		onpointerover: point,
		onpointerdown: point,
		onfocusin(event) {
			each((cell) => (cell.tabIndex = cell === event.target ? 0 : -1));
			point(event);
		},
		onkeydown(event) {
			const [row, column] = place(event.target);
			const along = { Home: -column, End: Infinity, " ": 0 };
		const [down, right] = STEPS[event.key] ?? [0, along[event.key]];
			if (right === undefined) return;
			event.preventDefault();
			const line = cells[row + down];
			line?.[Math.min(column + right, line.length - 1)]?.focus();
		},
	});
	const fill = (values, width, { text = number, tint = () => 0, names } = {}) => {
		if (cells.length !== values.length / width || cells[0].length !== width) {
			const line = () => Array.from({ length: width }, () => make("td", { role: "gridcell" }));
			cells = Array.from({ length: values.length / width }, line);
			table.replaceChildren(...cells.map((line) => make("tr", { role: "row" }, ...line)));
			each((cell, row, column) => (cell.tabIndex = row + column ? -1 : 0));
		}
		each((cell, row, column) => {
			const value = values[row * width + column];
			const words = text(value);
			if (cell.textContent !== words) cell.textContent = words;
			cell.ariaLabel = names ? names(value, words) : words;
			const strength = tint(value);
			cell.style.setProperty("--tint", Math.abs(strength).toFixed(3));
			cell.classList.toggle("minus", strength < 0);
		});
	};
	const mark = (kind) =>
		each((cell, row, column) => {
			const wanted = kind(row, column);
			if ((cell.dataset.mark ?? "") !== wanted) cell.dataset.mark = wanted;
		});
	return { element: table, fill, mark, cell: (row, column) => cells[row][column] };
}

// A grey image, `low` black and `high` white; drawn with hard pixels.
function picture({ label }) {
	const element = make("canvas", { class: "upconv-picture", role: "img", "aria-label": label });
	const show = (values, width, { low = 0, high = 1, label: words = label } = {}) => {
		const image = new ImageData(width, values.length / width);
		values.forEach((value, i) => {
			const grey = (255 * (value - low)) / (high - low || 1);
			image.data.set([grey, grey, grey, 255], 4 * i);
		});
		Object.assign(element, { width, height: image.height, ariaLabel: words });
		element.getContext("2d").putImageData(image, 0, 0);
	};
	return { element, show };
}

upconv.ui = { make, box, panel, slider, choice, button, announcer, grid, picture };
})();

// What a restless reader does to an explorable, and what may never come of it. Each function that
// looks for faults returns them as text.

globalThis.restless = (() => {
  const live = () => [...document.querySelectorAll(".upconv-live")];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const name = (element) =>
    element.getAttribute("aria-label") ||
    (element.labels?.[0] ?? element).textContent.trim().slice(0, 30) ||
    element.outerHTML.slice(0, 60);

  // What can be operated now; a button that starts something long says so by data-slow.
  const controls = (el) =>
    [...el.querySelectorAll("input, select, button, textarea")].filter(
      (control) => !control.disabled && shown(control) && !("slow" in control.dataset),
    );

  // The same numbers for the same seed (mulberry32).
  function random(seed) {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  // Operates a control as the browser would, and returns what was done, in words.
  function operate(control, draw) {
    const fire = (event) => control.dispatchEvent(new Event(event, { bubbles: true }));
    if (["range", "number"].includes(control.type)) {
      const low = Number(control.min || 0);
      const high = Number(control.max || 10);
      const step = Number(control.step) || (high - low) / 20;
      control.value = low + step * Math.floor(draw() * (Math.floor((high - low) / step) + 1));
      fire("input");
      fire("change");
    } else if (control.tagName === "SELECT") {
      control.selectedIndex = Math.floor(draw() * control.options.length);
      fire("input");
      fire("change");
    } else if (["text", "textarea"].includes(control.type)) {
      control.value = String(Math.floor(draw() * 40) - 5);
      fire("input");
      fire("change");
    } else control.click();
    return `${name(control)} = ${control.value ?? ""}`;
  }

  function faulty(el) {
    const found = [];
    const words = [el.innerText];
    for (const element of el.querySelectorAll("[aria-label], [aria-valuetext]"))
      words.push(element.getAttribute("aria-label"), element.getAttribute("aria-valuetext"));
    const bad = words.join(" ").match(/.{0,30}\b(NaN|undefined|Infinity|\[object|null)\b.{0,30}/);
    if (bad) found.push(`says "${bad[0]}"`);
    for (const input of el.querySelectorAll("input[type=range]")) {
      const [low, value, high] = [input.min, input.value, input.max].map(Number);
      if (!(low <= value && value <= high)) found.push(`${name(input)}: ${value} in ${low}…${high}`);
    }
    for (const image of el.querySelectorAll("svg *"))
      for (const { value } of image.attributes)
        if (/NaN|undefined/.test(value)) found.push(`draws ${image.outerHTML.slice(0, 80)}`);
    return found;
  }

  // A row of random operations on every explorable of the page.
  function play(count, seed) {
    const draw = random(seed);
    const found = [];
    for (const el of live()) {
      const done = [];
      for (let i = 0; i < count && found.length < 5; i += 1) {
        const all = controls(el);
        try {
          done.push(operate(all[Math.floor(draw() * all.length)], draw));
        } catch (error) {
          found.push(`${error} after ${done.slice(-4).join("; ")}`);
        }
        for (const fault of faulty(el)) found.push(`${fault} after ${done.slice(-4).join("; ")}`);
      }
    }
    return found;
  }

  // Whether what has the focus shows it, by an outline of its own or on what stands for it.
  function focus() {
    const element = document.activeElement;
    if (!element?.closest(".upconv-live")) return null;
    const outlined = [element, element.nextElementSibling, element.parentElement].some(
      (node) => node && getComputedStyle(node).outlineStyle !== "none" &&
        parseFloat(getComputedStyle(node).outlineWidth) >= 2,
    );
    return { name: name(element), outlined, index: controls(element.closest(".upconv-live")).indexOf(element) };
  }

  // Operable things smaller than 24 px, on which a finger misses.
  function small() {
    return live().flatMap(controls).flatMap((control) => {
      const { width, height } = (control.closest("label") ?? control).getBoundingClientRect();
      return Math.min(width, height) < 24 ? [`${name(control)}: ${width} × ${height} px`] : [];
    });
  }

  return { live, name, controls, operate, play, focus, small, random };
})();

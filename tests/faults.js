// What the tests of the pages ask of a page from within. Each function returns the faults as text.

globalThis.faults = (() => {
  // Opens what is folded, stops what moves, and waits until the math and the fonts stand.
  async function settle() {
    const still = document.createElement("style");
    still.textContent = "* { transition: none !important; animation: none !important }";
    document.head.append(still);
    for (const folded of document.querySelectorAll("details")) folded.open = true;
    for (const folded of document.querySelectorAll(".toggle-hidden"))
      folded.classList.remove("toggle-hidden");
    if (window.MathJax?.startup) await MathJax.startup.promise;
    await document.fonts.ready;
  }

  function unrenderedMath() {
    const found = [];
    const nodes = [...document.querySelectorAll(".math")].filter(
      (node) => !node.parentElement.closest(".math"),
    );
    for (const node of nodes)
      if (!node.querySelector("mjx-container")) found.push("unrendered: " + node.textContent);
    const rendered = document.querySelectorAll("mjx-container").length;
    if (rendered !== nodes.length) found.push(`${nodes.length} formulas, ${rendered} rendered`);
    for (const error of document.querySelectorAll("mjx-merror"))
      found.push("error: " + (error.getAttribute("data-mjx-error") ?? error.textContent));
    return found;
  }

  function tooWide() {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const boxed = (element) =>
      element && (getComputedStyle(element).overflowX !== "visible" || boxed(element.parentElement));
    const wide = [...document.body.querySelectorAll("*")].filter(
      (element) =>
        element.getBoundingClientRect().right > clientWidth + 1 && !boxed(element.parentElement),
    );
    const names = wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 80));
    return [`${scrollWidth} px wide in ${clientWidth} px: ${names.join(" | ")}`];
  }

  function unlabelled() {
    const found = [];
    for (const image of document.images)
      if (image.closest("article") ? !image.alt.trim() : !image.hasAttribute("alt"))
        found.push("image without alt text: " + image.outerHTML.slice(0, 80));
    for (const svg of document.querySelectorAll("article svg")) {
      if (svg.closest("button, [aria-hidden=true]") || svg.parentElement.closest("svg")) continue;
      const label = svg.ariaLabel ?? svg.querySelector(":scope > title")?.textContent;
      if (svg.getAttribute("role") !== "img" || !label?.trim())
        found.push("figure without a label: " + svg.outerHTML.slice(0, 80));
    }
    return found;
  }

  function parse(css) {
    const numbers = css.match(/[\d.]+/g).map(Number);
    const scale = css.startsWith("color(") ? 255 : 1;
    return { rgb: numbers.slice(0, 3).map((n) => n * scale), alpha: numbers[3] ?? 1 };
  }

  function over(top, ground) {
    return ground.map((value, i) => top.rgb[i] * top.alpha + value * (1 - top.alpha));
  }

  // Contrast as WCAG 2 defines it.
  function luminance(rgb) {
    const linear = rgb
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  }

  function contrast(one, other) {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }

  // What a page paints behind its text: the backgrounds of the ancestors, each over the next.
  function groundOf(element, known) {
    if (!element) return [255, 255, 255];
    if (!known.has(element)) {
      const below = groundOf(element.parentElement, known);
      known.set(element, over(parse(getComputedStyle(element).backgroundColor), below));
    }
    return known.get(element);
  }

  // What a figure paints under the middle of a text, from the top; null where that is an image,
  // which has no one colour.
  function shapesUnder(text) {
    const found = [];
    const figure = text.closest("svg");
    const { x, y, width, height } = text.getBoundingClientRect();
    for (const below of document.elementsFromPoint(x + width / 2, y + height / 2)) {
      if (!figure.contains(below)) continue;
      if (["image", "use"].includes(below.tagName)) return null;
      const style = getComputedStyle(below);
      if (!["path", "rect", "circle", "ellipse", "polygon"].includes(below.tagName)) continue;
      if (style.fill === "none") continue;
      const fill = parse(style.fill);
      found.push({ rgb: fill.rgb, alpha: fill.alpha * style.fillOpacity * style.opacity });
    }
    return found;
  }

  function ownText(element) {
    return [...element.childNodes]
      .filter((node) => node.nodeType === Node.TEXT_NODE)
      .map((node) => node.data)
      .join("")
      .trim();
  }

  function paleText(theme) {
    document.documentElement.dataset.theme = theme;
    const found = new Set();
    const known = new Map();
    for (const element of document.querySelectorAll("body *")) {
      const text = ownText(element);
      if (!text || element.closest("script, style, noscript, title, dialog, mjx-container")) continue;
      if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const style = getComputedStyle(element);
      let ink = style.color;
      let ground = groundOf(element.closest("svg") ?? element, known);
      if (element.closest("svg")) {
        element.scrollIntoView({ block: "center", behavior: "instant" });
        ink = style.fill;
        const shapes = shapesUnder(element);
        if (!shapes || ink === "none") continue;
        ground = shapes.reduceRight((below, layer) => over(layer, below), ground);
      }
      const ratio = contrast(over(parse(ink), ground), ground);
      if (ratio < 4.5) found.add(`${theme}: ${ratio.toFixed(2)} for "${text.slice(0, 40)}"`);
    }
    return [...found];
  }

  return { settle, unrenderedMath, tooWide, unlabelled, paleText };
})();

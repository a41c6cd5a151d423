// Elements, numbers in words, and axes: what every figure of the page is made of.

const SVG = "http://www.w3.org/2000/svg";
const facts = JSON.parse(document.getElementById("facts").textContent);
const byId = (id) => document.getElementById(id);

// An element with attributes and children; text is text, never markup.
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// A number to so many significant digits, as the page's own text writes it.
function rounded(value, digits = 3) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  if (magnitude < -6) return value.toExponential(digits - 1).replace("-", "−");
  const decimals = Math.min(Math.max(digits - 1 - magnitude, 0), 20);
  let [whole, part] = Math.abs(value).toFixed(decimals).split(".");
  whole = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  part = (part || "").replace(/0+$/, "");
  return (value < 0 ? "−" : "") + whole + (part ? "." + part : "");
}

// The step of 1, 2 or 5 times a power of ten that cuts a length into about so many pieces.
function niceStep(length, pieces) {
  const raw = length / pieces;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((one) => one * power >= raw * 0.999);
  return step * power;
}

function ticks(low, high, pieces) {
  if (!(high > low)) return [low];
  const step = niceStep(high - low, pieces);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, n) => (first + n) * step);
}

const palette = new Map();

// A colour of the style sheet, as it is now: dark, light, or on paper.
function colour(name) {
  if (!palette.has(name)) {
    const style = getComputedStyle(document.documentElement);
    palette.set(name, style.getPropertyValue(`--${name}`).trim());
  }
  return palette.get(name);
}

function key(name, words) {
  const square = element("i");
  square.style.background = `var(--${name})`;
  return element("span", {}, square, words);
}

const redraws = [];

// Calls a drawing now, and again when the width or the colours change.
function keepDrawn(holder, draw) {
  redraws.push(draw);
  let width = 0;
  new ResizeObserver(() => {
    if (holder.clientWidth !== width && holder.clientWidth > 0) {
      width = holder.clientWidth;
      draw();
    }
  }).observe(holder);
}

function redrawAll() {
  palette.clear();
  for (const draw of redraws) draw();
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("on-paper");
  redrawAll();
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("on-paper");
  redrawAll();
});

// The stage beside the spectra: a part of the map is summed; a range of the spectrum is mapped.
import { compact, draw, floats, problem, tell } from "./plot.js";

const desk = document.getElementById("desk");
const form = document.getElementById("look");
const image = document.getElementById("map-image");
const canvas = document.getElementById("map-canvas");
const scale = document.getElementById("map-scale");
const reading = document.getElementById("map-reading");
const place = document.getElementById("sum-plot");
const words = JSON.parse(desk.dataset.words);
const images = JSON.parse(desk.dataset.images);
const state = { places: [], roi: null, area: desk.dataset.area, tool: "rectangle", path: [], at: -1, marks: [] };
let waiting = new AbortController();
let summing = new AbortController();
let looking = new AbortController();
let sum = null;

const LOOK = ["low", "high", "unit", "back_low", "back_high", "scale", "colours", "vmin", "vmax", "type", "axis"];

function query(names, extra = {}) {
  const found = new URLSearchParams(words);
  for (const name of names) {
    const value = form.elements[name]?.value.trim();
    if (value) found.set(name, value);
  }
  for (const [name, value] of Object.entries(extra)) if (value) found.set(name, value);
  return found;
}

function selection() {
  return { area: state.area, positions: form.elements.positions.value.trim() };
}

function remember() {
  const found = query([...LOOK, "lines", "orders"], selection());
  history.replaceState(null, "", `analysis?${found}`);
}

async function showMap() {
  waiting.abort();
  waiting = new AbortController();
  const found = query(LOOK);
  try {
    const answer = await fetch(`roi.json?${found}`, { signal: waiting.signal });
    if (!answer.ok) throw new Error(await problem(answer));
    state.roi = await answer.json();
    image.src = `map.png?${found}`;
    scale.src = `scale.svg?${found}`;
    const [x0, x1, y0, y1] = state.roi.extent_mm;
    const [rows, columns] = state.roi.cells;
    image.style.aspectRatio = `${Math.max(0.2, (x1 - x0) / (y1 - y0) || columns / rows)}`;
    document.getElementById("map-extent").textContent =
      `Stage x ${x0.toFixed(4)} to ${x1.toFixed(4)} mm (right is +x), y ${y0.toFixed(4)} to ${y1.toFixed(4)} mm (up is +y).`;
    tell(state.roi.warnings.join("; "));
    paint();
  } catch (error) {
    if (error.name !== "AbortError") tell(error.message);
  }
}

async function showSum() {
  summing.abort();
  summing = new AbortController();
  try {
    const { lines, label, count } = await floats(`sum.f32?${query(["type", "axis"], selection())}`, summing.signal);
    sum = { x: lines[0], y: lines[1], label, count };
    document.getElementById("sum-head").textContent = `Sum spectrum of ${count.toLocaleString("en")} position${count === 1 ? "" : "s"}`;
    await showMarks();
    plotSum();
  } catch (error) {
    if (error.name !== "AbortError") tell(error.message);
  }
}

function plotSum(one = null) {
  const curves = [{ y: sum.y }, ...(one ? [{ y: one.y, scale: "one" }] : [])];
  draw(place, {
    x: sum.x, curves, names: [`sum of ${sum.count}`, ...(one ? [one.name] : [])], xLabel: sum.label, yLabel: "counts",
    marks: () => [...band(), ...state.marks], chosen: region,
  });
}

// The region that is mapped, where the spectrum has its unit.
function band() {
  const [low, high] = ["low", "high"].map((name) => Number(form.elements[name].value.replace(",", ".") || NaN));
  const unit = form.elements.unit.value;
  if (unit !== unitOf(sum.label) || !(low < high)) return [];
  return [{ low, high, label: "mapped region" }];
}

function unitOf(label) {
  return label.startsWith("energy") ? "eV" : label.startsWith("wave") ? "Å" : "channel";
}

async function showMarks() {
  state.marks = [];
  const kind = sum.label.startsWith("energy") ? "energy" : sum.label.startsWith("wave") ? "wavelength" : "";
  const elements = form.elements.lines.value.trim();
  if (!elements || !kind) return;
  const found = new URLSearchParams({ lines: elements, orders: form.elements.orders.value || "1", axis: kind, uncertainty: "0.21" });
  const answer = await fetch(`marks.json?${found}`);
  if (answer.ok) state.marks = (await answer.json()).marks;
  else tell(await problem(answer));
}

// A range of the spectrum becomes the region of the map.
function region(low, high) {
  form.elements.low.value = low.toFixed(2);
  form.elements.high.value = high.toFixed(2);
  form.elements.unit.value = unitOf(sum.label);
  form.elements.vmin.value = form.elements.vmax.value = "";
  remember();
  showMap();
  setTimeout(plotSum); // after the drag: the plot is made anew, with the region marked
}

// A part of the map becomes the selection: spectra, table and files follow.
async function choose(area) {
  state.area = area;
  form.elements.area.value = area;
  form.elements.positions.value = "";
  remember();
  paint();
  showSum();
  const answer = await fetch(`analysis?${query(LOOK, selection())}`, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.getElementById("selection").replaceWith(page.getElementById("selection"));
}

function toPixel([x, y]) {
  const [x0, x1, y0, y1] = state.roi.extent_mm;
  return [((x - x0) / (x1 - x0)) * canvas.width, ((y1 - y) / (y1 - y0)) * canvas.height];
}

function toStage(event) {
  const box = canvas.getBoundingClientRect();
  const [x0, x1, y0, y1] = state.roi.extent_mm;
  const u = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const v = Math.min(1, Math.max(0, (event.clientY - box.top) / box.height));
  return [x0 + u * (x1 - x0), y1 - v * (y1 - y0)];
}

function nearest([x, y]) {
  let best = -1;
  let least = Infinity;
  state.places.forEach(([, px, py], n) => {
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [n, distance];
  });
  return best;
}

function paint() {
  if (!state.roi) return;
  const box = canvas.getBoundingClientRect();
  canvas.width = Math.max(1, Math.round(box.width * devicePixelRatio));
  canvas.height = Math.max(1, Math.round(box.height * devicePixelRatio));
  const pen = canvas.getContext("2d");
  const corners = state.path.length ? state.path : state.area.split(" ").filter(Boolean).map((pair) => pair.split(",").map(Number));
  if (corners.length > 1) {
    pen.beginPath();
    corners.map(toPixel).forEach(([x, y], n) => (n ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.closePath();
    pen.lineWidth = 3 * devicePixelRatio;
    pen.strokeStyle = "#000";
    pen.stroke();
    pen.lineWidth = 1.5 * devicePixelRatio;
    pen.strokeStyle = "#fff";
    pen.stroke();
  }
  pen.font = `${11 * devicePixelRatio}px sans-serif`;
  for (const { number, x, y, outline } of images) {
    if (!outline && (x === null || y === null)) continue;
    const half = 5 * devicePixelRatio;
    const corners = outline ? outline.map(toPixel) : [];
    const [px, py] = outline
      ? [Math.min(...corners.map((one) => one[0])), Math.min(...corners.map((one) => one[1])) + 2 * half]
      : toPixel([x, y]);
    for (const [colour, width] of [["#000", 3], ["#fff", 1.5]]) {
      pen.lineWidth = width * devicePixelRatio;
      pen.strokeStyle = pen.fillStyle = colour;
      if (!outline) {
        pen.strokeRect(px - half, py - half, 2 * half, 2 * half);
        continue;
      }
      pen.beginPath();
      corners.forEach(([cx, cy], n) => (n ? pen.lineTo(cx, cy) : pen.moveTo(cx, cy)));
      pen.closePath();
      pen.stroke();
    }
    pen.fillText(`image ${number}`, px + half + 3, py + half);
  }
  if (state.at >= 0) {
    const [, x, y] = state.places[state.at];
    const [px, py] = toPixel([x, y]);
    pen.lineWidth = 2 * devicePixelRatio;
    for (const [colour, radius] of [["#000", 8], ["#fff", 6]]) {
      pen.beginPath();
      pen.arc(px, py, radius * devicePixelRatio, 0, 7);
      pen.strokeStyle = colour;
      pen.stroke();
    }
  }
}

let pause = 0;
function look(at) {
  if (at === state.at || at < 0) return;
  state.at = at;
  const [number, x, y] = state.places[at];
  const known = state.roi.numbers.indexOf(number);
  const value = known < 0 ? "not read" : `${compact(state.roi.values[known])} counts`;
  reading.textContent = `Position ${number}: ${value}; stage ${x.toFixed(4)}, ${y.toFixed(4)} mm`;
  paint();
  clearTimeout(pause);
  pause = setTimeout(async () => {
    looking.abort();
    looking = new AbortController();
    const found = new URLSearchParams({ p: `${words.of}:${number}` });
    for (const name of ["type", "axis"]) if (form.elements[name].value) found.set(name, form.elements[name].value);
    try {
      const { lines } = await floats(`spectra.f32?${found}`, looking.signal);
      if (sum && lines[1].length === sum.x.length) plotSum({ y: lines[1], name: `position ${number}` });
    } catch (error) {
      if (error.name !== "AbortError") tell(error.message);
    }
  }, 120);
}

function open(at) {
  if (at >= 0) location.href = `position?${new URLSearchParams({ of: `${words.of}:${state.places[at][0]}` })}`;
}

function corners(path) {
  if (state.tool === "rectangle") {
    const [[x0, y0], [x1, y1]] = [path[0], path[path.length - 1]];
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  }
  const step = Math.max(1, Math.ceil(path.length / 60));
  return path.filter((_, n) => n % step === 0);
}

let pressed = null;
canvas.addEventListener("pointerdown", (event) => {
  if (!state.roi) return;
  canvas.setPointerCapture(event.pointerId);
  pressed = { path: [toStage(event)], x: event.clientX, y: event.clientY };
});
canvas.addEventListener("pointermove", (event) => {
  if (!state.roi) return;
  if (!pressed) return look(nearest(toStage(event)));
  pressed.path.push(toStage(event));
  state.path = corners(pressed.path);
  paint();
});
canvas.addEventListener("pointerup", (event) => {
  if (!pressed) return;
  const far = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > 5;
  const found = corners(pressed.path);
  pressed = null;
  state.path = [];
  if (!far) return open(nearest(toStage(event)));
  choose(found.map((pair) => pair.map((each) => each.toFixed(5)).join(",")).join(" "));
});
canvas.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  if (event.key === "Enter") return open(state.at);
  if (event.key === "Escape") return choose("");
  if (!steps[event.key] || !state.roi) return;
  event.preventDefault();
  if (state.at < 0) return look(0);
  const [dx, dy] = steps[event.key];
  const [, x, y] = state.places[state.at];
  let best = -1;
  let least = Infinity;
  state.places.forEach(([, px, py], n) => {
    const along = (px - x) * dx + (py - y) * dy;
    const across = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    if (along > 1e-6 && along + 3 * across < least) [best, least] = [n, along + 3 * across];
  });
  look(best);
});
for (const button of document.querySelectorAll("[data-tool]")) {
  button.addEventListener("click", () => {
    if (button.dataset.tool === "all") return choose("");
    state.tool = button.dataset.tool;
    for (const each of document.querySelectorAll("[data-tool][aria-pressed]"))
      each.setAttribute("aria-pressed", String(each === button));
  });
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  state.area = form.elements.positions.value.trim() ? "" : state.area;
  form.elements.area.value = state.area;
  tell("");
  remember();
  showMap();
  showSum();
});
place.addEventListener("dblclick", () => {
  form.elements.low.value = form.elements.high.value = "";
  remember();
  showMap();
  plotSum();
});
// An image whose registration is known has an outline on the stage; its size in pixels is in the file.
for (const each of images.filter((one) => one.affine).slice(0, 20)) {
  const picture = new Image();
  picture.addEventListener("load", () => {
    const [a, b, c, d, e, f] = each.affine;
    const [columns, rows] = [picture.naturalWidth, picture.naturalHeight - each.bar];
    each.outline = [[0, 0], [columns, 0], [columns, rows], [0, rows]].map(([u, v]) => [a * u + b * v + c, d * u + e * v + f]);
    paint();
  });
  picture.src = each.href;
}
image.addEventListener("load", paint);
addEventListener("resize", paint);
document.getElementById("map-tools").hidden = false;
document.getElementById("sum-reading").hidden = false;

(async () => {
  try {
    const { lines } = await floats(`places?${new URLSearchParams(words)}`);
    state.places = lines.map((each) => [...each]);
  } catch (error) {
    tell(error.message);
  }
  await showMap();
  await showSum();
})();

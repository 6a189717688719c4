// Spectra on a canvas, by uPlot: axes with units, curves that an eye tells apart, marks of X-ray lines.

const ON_LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07a00", "#2f8fc4", "#8c564b", "#6f6f6f"];
const ON_DARK = ["#62bdf0", "#ff9447", "#3fd0a4", "#e8a0cb", "#f2c64d", "#9bb8ff", "#d39b88", "#bdbdbd"];
const CURVES = matchMedia("(prefers-color-scheme: dark)").matches ? ON_DARK : ON_LIGHT;
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
const DASHES = [[], [6, 4], [2, 3]];

// A float32 matrix: its rows, the label of its first row (the axis), and what else the headers tell.
export async function floats(url, signal) {
  const answer = await fetch(url, { signal });
  if (!answer.ok) throw new Error(await problem(answer));
  const [rows, columns] = answer.headers.get("X-Shape").split(",").map(Number);
  const data = new Float32Array(await answer.arrayBuffer());
  const lines = Array.from({ length: rows }, (_, n) => data.subarray(n * columns, (n + 1) * columns));
  const label = (answer.headers.get("X-Axis") || "").replace("(A)", "(Å)");
  return { lines, label, count: Number(answer.headers.get("X-Positions") || 0) };
}

// What a page of failure says, in one line.
export async function problem(answer) {
  const text = await answer.text();
  if ((answer.headers.get("content-type") || "").includes("json")) {
    const { message, hint } = JSON.parse(text).error;
    return `${message} ${hint}`;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  const words = [...page.querySelectorAll("main h1, main p.lines")].map((each) => each.textContent.trim());
  return words.join(" ") || `The server answered ${answer.status}.`;
}

function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Bands behind the curves, each with its label.
function markDrawing(marks) {
  return (plot) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = `${11 * devicePixelRatio}px sans-serif`;
    let row = 0;
    for (const mark of marks()) {
      const low = plot.valToPos(mark.low, "x", true);
      const high = plot.valToPos(mark.high, "x", true);
      if (high < bbox.left || low > bbox.left + bbox.width) continue;
      ctx.fillStyle = "rgba(128,128,128,.22)";
      ctx.fillRect(low, bbox.top, Math.max(1, high - low), bbox.height);
      ctx.fillStyle = ink("--ink");
      ctx.fillText(mark.label, high + 3, bbox.top + (14 + 13 * (row++ % 5)) * devicePixelRatio);
    }
    ctx.restore();
  };
}

// A plot in an element; `chosen` hears of a range that was dragged where it is given, else dragging zooms.
export function draw(place, { x, curves, names, xLabel, yLabel, marks = () => [], chosen = null, height = 340 }) {
  place.replaceChildren();
  const text = ink("--ink");
  const grid = { stroke: ink("--line"), width: 1 };
  const second = curves.some((each) => each.scale === "one");
  const axis = (extra) => ({ stroke: text, grid, ticks: grid, font: "12px sans-serif", labelFont: "12px sans-serif", ...extra });
  const options = {
    width: Math.max(280, place.clientWidth),
    height,
    scales: { x: { time: false }, y: {}, one: {} },
    legend: { live: true },
    cursor: { drag: { x: true, y: false, setScale: !chosen, uni: 12 }, focus: { prox: 24 } },
    axes: [
      axis({ label: xLabel }),
      axis({ label: yLabel, size: 76, values: (_, ticks) => ticks.map((each) => (each === null ? "" : short.format(each))) }),
      ...(second ? [axis({ scale: "one", side: 1, label: "one position, counts", size: 70, grid: { show: false } })] : []),
    ],
    series: [
      { label: xLabel, value: (_, each) => (each === null ? "–" : each.toFixed(2)) },
      ...curves.map((curve, n) => ({
        label: names[n] || `curve ${n + 1}`,
        scale: curve.scale || "y",
        stroke: curve.colour || CURVES[n % CURVES.length],
        dash: DASHES[Math.floor(n / CURVES.length) % DASHES.length],
        width: 1.3,
        points: { show: false },
        value: (_, each) => (each === null || each === undefined ? "–" : compact(each)),
      })),
    ],
    hooks: {
      drawClear: [markDrawing(marks)],
      setSelect: [
        (plot) => {
          if (!chosen || plot.select.width < 3) return;
          const low = plot.posToVal(plot.select.left, "x");
          const high = plot.posToVal(plot.select.left + plot.select.width, "x");
          chosen(low, high);
        },
      ],
    },
  };
  const plot = new uPlot(options, [x, ...curves.map((curve) => curve.y)], place);
  const canvas = place.querySelector("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Spectra over ${xLabel}: ${names.join(", ")}`);
  const watcher = new ResizeObserver(() => {
    const width = Math.max(280, place.clientWidth);
    if (Math.abs(width - plot.width) > 2) plot.setSize({ width, height });
  });
  watcher.observe(place);
  return plot;
}

export function compact(value) {
  const size = Math.abs(value);
  if (size && (size >= 1e7 || size < 1e-3)) return value.toExponential(2);
  return value.toLocaleString("en", { maximumSignificantDigits: size >= 10000 ? 7 : 5 });
}

export function tell(text) {
  const place = document.getElementById("trouble");
  if (!place) return;
  place.hidden = !text;
  place.textContent = text;
}

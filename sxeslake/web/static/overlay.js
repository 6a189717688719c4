// Spectra laid over one another: the pages Position and Compare.
import { draw, floats } from "./plot.js";

for (const place of document.querySelectorAll("[data-spectra]")) show(place);

async function show(place) {
  try {
    const names = JSON.parse(place.dataset.names || "[]");
    const marks = JSON.parse(place.dataset.marks || "[]");
    const { lines, label } = await floats(place.dataset.spectra);
    const [x, ...spectra] = lines;
    let unit = place.dataset.unit || "counts";
    let shown = spectra;
    let called = names;
    if (place.dataset.difference && spectra.length > 1) {
      shown = spectra.slice(1).map((each) => each.map((value, n) => value - spectra[0][n]));
      called = names.slice(1).map((name) => `${name} − ${names[0]}`);
      unit = `difference, ${unit}`;
    }
    draw(place, {
      x, curves: shown.map((y) => ({ y })), names: called, xLabel: label, yLabel: unit, marks: () => marks,
      height: place.classList.contains("tall") ? 440 : 320,
    });
  } catch (error) {
    const words = document.createElement("p");
    words.className = "trouble";
    words.setAttribute("role", "alert");
    words.textContent = error.message;
    place.replaceChildren(words);
  }
}

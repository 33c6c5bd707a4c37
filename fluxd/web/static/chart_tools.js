// The buttons around a chart, and its view in the page's address: ?last=1d, or ?from=…&to=….

import { Chart } from "./chart.js";
import { pan, zoom } from "./chart_gestures.js";

// What a finger does is something else than what a mouse and keys do.
const HINT = matchMedia("(pointer: coarse)").matches
  ? "Drag to move, two fingers to zoom, tap to read values."
  : "Drag to move, wheel or + and − to zoom, arrow keys to read values.";

// Returns a chart in `host` with the buttons of `tools` and `readout` below it at work.
export function chartWithTools(host, options) {
  const readout = document.getElementById("readout");
  const tools = document.getElementById("tools");
  const read = (text) => {
    readout.textContent = text ?? HINT;
    readout.classList.toggle("is-hint", text === null || text === undefined);
  };
  read(null);
  const chart = new Chart(host, {
    ...options,
    onread: read,
    onview: (view) => {
      markRange(tools, chart);
      options.onview?.(view);
    },
  });
  chart.moved = () => {
    chart.last = null;
    markRange(tools, chart);
  };
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { range, seconds, pan: share, zoom: factor } = button.dataset;
    if (range) showLast(chart, range, Number(seconds));
    else if (share) pan(chart, Number(share));
    else zoom(chart, Number(factor));
  });
  return chart;
}

// Shows the last so many seconds, and goes on showing the last ones as time goes by.
export function showLast(chart, range, seconds) {
  const now = Date.now() / 1000;
  chart.show(now - seconds, now, { by: "range" });
  chart.last = { range, seconds };
}

function markRange(tools, chart) {
  for (const button of tools.querySelectorAll("[data-range]")) {
    button.setAttribute("aria-pressed", String(button.dataset.range === chart.last?.range));
  }
}

// The view as parameters of an address.
export function viewQuery(chart) {
  const { from, to } = chart.view;
  return new URLSearchParams({ from: Math.floor(from), to: Math.ceil(to) });
}

// Shows what the address asks for; false where it asks for nothing that makes sense.
export function showAddress(chart, tools, query) {
  const button = [...tools.querySelectorAll("[data-range]")]
    .find((one) => one.dataset.range === query.get("last"));
  if (button) {
    showLast(chart, button.dataset.range, Number(button.dataset.seconds));
    return true;
  }
  const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
  if (!(from > 0 && to > from)) return false;
  chart.show(from, to);
  return true;
}

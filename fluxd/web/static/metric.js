// A metric's page: its chart, what would be noticed now, and links to what is in view.

import { fetchSensitivity } from "./chart_data.js";
import { chartWithTools, showAddress, showLast, viewQuery } from "./chart_tools.js";
import { every, refresh, remember } from "./live.js";

const PARTS = ["status", "anomalies", "facts"];
const HOUR = 3600, DAY = 86400;
const host = document.getElementById("chart");
const tools = document.getElementById("tools");
const { metric } = host.dataset;
const interval = Number(host.dataset.interval) || null;
const first = Number(host.dataset.first) || null;
const last = Number(host.dataset.last) || null;

PARTS.forEach((id) => remember(document.getElementById(id)));

const chart = chartWithTools(host, { metric, interval, onview: link });

// Puts the view into the address and into the links of its data.
function link() {
  const view = viewQuery(chart);
  const shown = chart.last ? new URLSearchParams({ last: chart.last.range }) : view;
  history.replaceState(null, "", `${location.pathname}?${shown}`);
  for (const [id, name] of [["csv", "datapoints.csv"], ["svg", "chart.svg"]]) {
    document.getElementById(id).href = `${location.pathname}/${name}?${view}`;
  }
}

function showFirst() {
  if (showAddress(chart, tools, new URLSearchParams(location.search))) return;
  const now = Date.now() / 1000;
  if (last !== null && now - last > DAY / 2) {
    chart.show(last - DAY, last + HOUR); // it is silent: what it said last
  } else if (first !== null && now - first < HOUR) {
    showLast(chart, "1h", HOUR);
  } else if (first !== null && now - first < 6 * HOUR) {
    showLast(chart, "6h", 6 * HOUR);
  } else {
    showLast(chart, "1d", DAY);
  }
}

async function tellSensitivity() {
  const place = document.getElementById("sensitivity");
  const line = document.createElement("p");
  try {
    const { sentence } = await fetchSensitivity(metric);
    line.textContent = `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
  } catch (error) {
    line.textContent = error.message;
  }
  place.replaceChildren(line);
}

showFirst();
tellSensitivity();
every(Math.min(Math.max((interval || 10) / 4, 5), 60), async () => {
  if (chart.last) {
    showLast(chart, chart.last.range, chart.last.seconds);
    await refresh(PARTS);
  }
});
every(60, tellSensitivity);

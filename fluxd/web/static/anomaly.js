// An anomaly's page: the chart around it, which can be moved as the metric's own.

import { chartWithTools } from "./chart_tools.js";
import { localTimes } from "./format.js";

const host = document.getElementById("chart");
const { metric, interval, anomaly, from, to } = host.dataset;

localTimes();
const chart = chartWithTools(host, {
  metric, interval: Number(interval) || null, highlight: Number(anomaly),
  onview: () => openKept(),
});
chart.show(Number(from), Number(to));

// Where the datapoints themselves are gone, what was kept is shown instead.
function openKept() {
  if (host.dataset.empty === "true") document.querySelector(".kept").open = true;
}

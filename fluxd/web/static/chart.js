// A metric's chart: its value, the band it was expected in, its anomalies, and its gaps as gaps.
// What is shown is in `view` ({from, to} in Unix seconds); who moves it calls `show`.

import { brief, clock, day, number } from "./format.js";
import { columnsOf, fetchAnomalies, fetchEvents, fetchRange } from "./chart_data.js";
import { drawWindows, tellWindows, windowAt } from "./chart_windows.js";
import { watchGestures } from "./chart_gestures.js";
import { axisWidth, coloursOf, extent, tickLabels, timeLabels } from "./chart_scales.js";

export const MIN_SPAN = 60;
export const MAX_SPAN = 2 * 366 * 86400;
const FETCH_AFTER_MS = 120; // while somebody drags, one request at rest is enough
const AHEAD = 60; // s; datapoints may be that far ahead of the clock
const BAND_SHARE = 12; // as BAND_SHARE of core/plot.py
const VALUE = 1, LOWER = 2, UPPER = 3, EXPECTED = 4, LEAST = 5, MOST = 6;

export class Chart {
  // `onview(view)` hears of every view that comes to rest, `onread(text)` what the pointer reads.
  constructor(host, { metric, interval = null, height = 340, highlight = null, onview, onread }) {
    Object.assign(this, { host, metric, interval, height, highlight, onview, onread });
    this.anomalies = [];
    this.windows = [];
    this.view = { from: 0, to: 1 };
    this.covered = null;
    this.plot = null;
    this.data = [[], [], [], [], [], [], []];
    this.build();
    watchGestures(this);
    new ResizeObserver(() => this.resize()).observe(host);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  get width() {
    return Math.max(240, Math.floor(this.host.clientWidth));
  }

  build() {
    this.colours = coloursOf(this.host);
    this.plot?.destroy();
    this.plot = new window.uPlot(this.options(), this.data, this.host);
    this.plot.over.setAttribute("aria-hidden", "true");
    this.applyView();
  }

  resize() {
    if (this.plot.width === this.width) return;
    this.plot.setSize({ width: this.width, height: this.height });
    this.fetchSoon();
  }

  // Shows a range; the data that it lacks is fetched once the view is at rest.
  show(from, to, { by = "hand" } = {}) {
    const now = Date.now() / 1000 + AHEAD;
    const length = Math.min(Math.max(to - from, MIN_SPAN), MAX_SPAN);
    const middle = (from + to) / 2;
    let start = middle - length / 2;
    if (start + length > now) start = Math.max(0, now - length);
    this.view = { from: start, to: start + length };
    this.applyView();
    if (by === "hand") this.moved?.();
    this.fetchSoon();
  }

  applyView() {
    this.plot.setScale("x", { min: this.view.from, max: this.view.to });
  }

  fetchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), this.request ? FETCH_AFTER_MS : 0);
  }

  // Fetches the view and half as much on either side, so that a drag meets no blank.
  async load() {
    const { from, to } = this.view;
    const margin = (to - from) / 2;
    this.request?.abort();
    const { signal } = (this.request = new AbortController());
    this.host.dataset.state = "loading";
    try {
      const [answer, anomalies, windows] = await Promise.all([
        fetchRange(this.metric, from - margin, to + margin, 2 * this.width, this.interval, signal),
        fetchAnomalies(this.metric, from - margin, to + margin, signal),
        fetchEvents(this.metric, from - margin, to + margin, signal),
      ]);
      this.anomalies = anomalies;
      this.windows = windows;
      tellWindows(this);
      this.take(answer);
      this.host.dataset.state = "ready";
      this.onview?.(this.view);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.host.dataset.state = "failed";
      this.onread?.(error.message);
    }
  }

  take(answer) {
    this.step = answer.step;
    this.data = columnsOf(answer, this.interval);
    this.plot.setData(this.data, false);
    this.applyView();
    this.describe(answer);
  }

  describe(answer) {
    const shown = answer.timestamps.filter((at) => at >= this.view.from && at <= this.view.to);
    const found = this.anomalies.length === 1 ? "1 anomaly" : `${this.anomalies.length} anomalies`;
    const text = shown.length
      ? `${brief(this.view.from)} to ${brief(this.view.to)}: ${shown.length} points, ${found}.`
      : "No datapoints in this range.";
    this.host.setAttribute("aria-label", `Chart of ${this.metric}. ${text}`);
    this.host.dataset.empty = String(shown.length === 0);
  }

  // What the cursor is on, in words; `index` null where it is on nothing.
  read(index) {
    const at = index === null || index === undefined ? undefined : this.data[0][index];
    if (at === undefined) return this.onread?.(null);
    const [value, lower, upper, expected] = [VALUE, LOWER, UPPER, EXPECTED]
      .map((column) => this.data[column][index]);
    const width = (upper ?? 0) - (lower ?? 0);
    const parts = [`${day(at)} ${clock(at, { withSeconds: !this.step || this.step < 60 })}`];
    parts.push(value === null ? "no datapoints" : `value ${number(value, width)}`);
    const [least, most] = [this.data[LEAST][index], this.data[MOST][index]];
    if (least !== null && most !== null && least !== most) {
      parts.push(`from ${number(least, width)} to ${number(most, width)}`);
    }
    if (expected !== null) {
      parts.push(`expected ${number(expected, width)}`);
      parts.push(`usual ${number(lower, width)} to ${number(upper, width)}`);
    }
    const odd = this.anomalies.find((one) => one.started <= at && at <= (one.ended ?? Infinity));
    if (odd) parts.push("▲ anomaly");
    const window = windowAt(this, at);
    if (window) parts.push(`expected: ${window.title}`);
    return this.onread?.(parts.join(" · "));
  }

  // Moves the cursor by datapoints that there are, from the middle where it is nowhere.
  stepCursor(by) {
    const times = this.data[0];
    const inside = times.map((at, index) => index).filter((index) =>
      times[index] >= this.view.from && times[index] <= this.view.to &&
      this.data[VALUE][index] !== null);
    if (!inside.length) return;
    const now = inside.indexOf(this.plot.cursor.idx ?? -1);
    const next = now < 0 ? (by > 0 ? 0 : inside.length - 1) : now + by;
    const index = inside[Math.min(Math.max(next, 0), inside.length - 1)];
    const left = this.plot.valToPos(times[index], "x");
    const top = this.plot.valToPos(this.data[VALUE][index], "y");
    this.plot.setCursor({ left, top });
    this.read(index);
  }

  options() {
    const { line, band, expected, grid, text, muted } = this.colours;
    const font = "12px system-ui, sans-serif";
    const axis = { stroke: muted, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    const hidden = { points: { show: false }, stroke: "transparent", width: 0 };
    const reach = { points: { show: false }, stroke: this.colours.reach, width: 1 };
    return {
      width: this.width,
      height: this.height,
      legend: { show: false },
      padding: [16, 26, 0, 0],
      cursor: {
        y: false,
        drag: { x: false, y: false, setScale: false },
        points: { size: 8, fill: text, show: (u, n) => (n === VALUE ? pointOf() : false) },
        bind: { dblclick: () => null },
      },
      scales: { x: { time: true, auto: false }, y: { range: (u) => this.yRange(u) } },
      axes: [
        { ...axis, space: 80, values: timeLabels },
        { ...axis, size: (u, values) => axisWidth(values), values: (u, ticks) => tickLabels(ticks) },
      ],
      series: [
        {},
        { stroke: line, width: 1.6, spanGaps: false, points: { size: 4, fill: line } },
        hidden,
        hidden,
        { stroke: expected, width: 1, dash: [4, 4], points: { show: false } },
        reach,
        reach,
      ],
      bands: [
        { series: [UPPER, LOWER], fill: band },
        { series: [MOST, LEAST], fill: this.colours.reach },
      ],
      hooks: { drawClear: [(u) => drawWindows(this, u), (u) => this.drawStretches(u)], draw: [(u) => this.drawMarks(u)],
        setCursor: [(u) => this.read(u.cursor.left < 0 ? null : u.cursor.idx)] },
    };
  }

  // Fits the height to what is in view, without letting one enormous band press all else flat.
  yRange(u) {
    const [first, last] = [this.view.from, this.view.to];
    const values = [], limits = [];
    this.data[0].forEach((at, index) => {
      if (at < first || at > last) return;
      for (const n of [VALUE, LEAST, MOST]) values.push(this.data[n][index]);
      for (const n of [LOWER, UPPER]) limits.push(this.data[n][index]);
    });
    const [low, high] = extent(values, [0, 1]);
    const [under, over] = extent(limits, [low, high]);
    const reach = Math.max(high - low, (over - under) / BAND_SHARE, Math.abs(high) * 1e-6, 1e-9);
    return window.uPlot.rangeNum(
      Math.max(Math.min(low, under), low - 1.5 * reach),
      Math.min(Math.max(high, over), high + 1.5 * reach), 0.06, true);
  }

  eachStretch(u, draw) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    const beside = 8 * devicePixelRatio; // room for half a mark at either edge
    ctx.rect(bbox.left - beside, 0, bbox.width + 2 * beside, bbox.top + bbox.height);
    ctx.clip();
    for (const one of this.anomalies) {
      const end = one.ended ?? Math.min(this.view.to, Date.now() / 1000);
      const edge = bbox.left + bbox.width;
      const left = Math.max(u.valToPos(one.started, "x", true), bbox.left);
      const right = Math.min(Math.max(u.valToPos(end, "x", true), left + 3 * devicePixelRatio), edge);
      if (right > left) draw(ctx, one, left, right, bbox);
    }
    ctx.restore();
  }

  drawStretches(u) {
    this.eachStretch(u, (ctx, one, left, right, bbox) => {
      ctx.fillStyle = this.colours.stretch;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    });
  }

  // A triangle above, a line along the top and a ring at the peak: it is seen without colour too.
  drawMarks(u) {
    const ratio = devicePixelRatio;
    this.eachStretch(u, (ctx, one, left, right, bbox) => {
      const x = u.valToPos(one.peak, "x", true);
      const chosen = this.highlight === one.id;
      ctx.strokeStyle = ctx.fillStyle = this.colours.odd;
      ctx.lineWidth = (chosen ? 3 : 2) * ratio;
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(right, bbox.top);
      ctx.stroke();
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      const size = (chosen ? 6 : 4.5) * ratio;
      ctx.beginPath();
      ctx.moveTo(x - size, bbox.top - 2 * size);
      ctx.lineTo(x + size, bbox.top - 2 * size);
      ctx.lineTo(x, bbox.top - size / 2);
      ctx.fill();
      const y = u.valToPos(one.value, "y", true);
      if (one.kind === "stopped" || y < bbox.top || y > bbox.top + bbox.height) return;
      ctx.lineWidth = 2 * ratio;
      ctx.beginPath();
      ctx.arc(x, y, 5 * ratio, 0, 2 * Math.PI);
      ctx.stroke();
    });
  }
}

function pointOf() {
  const point = document.createElement("div");
  point.className = "u-cursor-pt chart-point";
  return point;
}

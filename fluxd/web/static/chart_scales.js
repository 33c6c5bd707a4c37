// How a chart is measured and labelled: colours, numbers and times along its sides.

import { clock, day, number } from "./format.js";

export function coloursOf(host) {
  const style = getComputedStyle(host);
  const of = (name) => style.getPropertyValue(name).trim() || "gray";
  return {
    line: of("--chart-line"), band: of("--chart-band"), reach: of("--chart-reach"),
    expected: of("--chart-expected"), grid: of("--chart-grid"), stretch: of("--chart-stretch"),
    odd: of("--odd"), text: of("--chart-text"), muted: of("--chart-muted"),
    event: of("--accent-soft"), eventLine: of("--accent"),
  };
}

export function extent(numbers, otherwise) {
  let [low, high] = [Infinity, -Infinity];
  for (const one of numbers) {
    if (one === null || one === undefined) continue;
    if (one < low) low = one;
    if (one > high) high = one;
  }
  return low <= high ? [low, high] : otherwise;
}

export function tickLabels(ticks) {
  const width = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) * 10 : 0;
  return ticks.map((tick) => number(tick, width));
}

export function axisWidth(labels) {
  const longest = Math.max(0, ...(labels || []).map((label) => label.length));
  return 18 + 7 * longest;
}

export function timeLabels(u, ticks, axis, space, step) {
  return ticks.map((tick, index) => {
    const before = index ? day(ticks[index - 1]) : null;
    if (step >= 86400) return step >= 28 * 86400 ? day(tick).slice(0, 7) : day(tick).slice(5);
    const label = clock(tick, { withSeconds: step < 60 });
    return day(tick) === before ? label : `${label}\n${day(tick).slice(5)}`;
  });
}

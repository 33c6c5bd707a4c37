// Numbers, times and lengths of time as a person would write them; times by the browser's clock.

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const pad = (n) => String(n).padStart(2, "0");

// A number so that a hundredth of `width`, a part of the chart's height, would still be seen.
export function number(value, width = 0) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(2);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  let digits = 3;
  if (width > 0) digits += Math.max(0, Math.ceil(Math.log10(Math.max(size / width, 1))));
  digits = Math.min(digits, 12);
  return value.toLocaleString("en", { maximumSignificantDigits: digits });
}

export function clock(seconds, { withSeconds = false } = {}) {
  const at = new Date(seconds * 1000);
  const text = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  return withSeconds ? `${text}:${pad(at.getSeconds())}` : text;
}

export function day(seconds) {
  const at = new Date(seconds * 1000);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
}

export function moment(seconds, options) {
  return `${day(seconds)} ${clock(seconds, options)}`;
}

// As short as can be: of today the clock, of the last days "Mon 14:05", else day and clock.
export function brief(seconds, now = Date.now() / 1000) {
  if (day(seconds) === day(now)) return clock(seconds);
  const weekday = DAYS[new Date(seconds * 1000).getDay()];
  if (seconds < now && now - seconds < 6 * 86400) return `${weekday} ${clock(seconds)}`;
  return moment(seconds);
}

// 5400 → "90 minutes", in the largest unit of which there are two.
export function span(seconds) {
  for (const [name, unit] of UNITS) {
    if (seconds >= 2 * unit) return `${Math.floor(seconds / unit)} ${name}s`;
  }
  return "1 second";
}

const FORMS = { clock: (at) => clock(at), full: (at) => moment(at) };

// Puts the browser's time into every <time data-at="seconds">, in the form that it asks for.
export function localTimes(root = document) {
  for (const node of root.querySelectorAll("time[data-at]")) {
    const at = Number(node.dataset.at);
    const text = (FORMS[node.dataset.form] ?? brief)(at);
    if (node.textContent !== text) node.textContent = text;
  }
}

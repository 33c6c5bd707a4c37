// What a chart shows: datapoints and anomalies of a range, fetched at the chart's width.

// Steps (s) in which buckets read well, as the API chooses them itself.
const STEPS = [1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800,
  14400, 21600, 28800, 43200, 86400, 172800, 604800, 1209600, 2592000];

// Without datapoints for this many intervals the line is interrupted.
const GAP_INTERVALS = 2.5;

// The step that gives about a bucket for each pixel; null where the datapoints themselves fit.
export function stepFor(from, to, width, interval) {
  const wanted = (to - from) / Math.max(width, 200);
  if (wanted <= Math.max(interval || 0, 1)) return null;
  return STEPS.find((step) => step >= wanted) || STEPS[STEPS.length - 1];
}

export async function fetchJson(url, signal) {
  const answer = await fetch(url, { signal, headers: { Accept: "application/json" } });
  if (answer.status === 401) {
    location.reload(); // the session is over: the page says how to sign in
  }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.message || `the answer was ${answer.status}`);
  return body;
}

const metricPath = (metric) => `/api/v1/metrics/${encodeURIComponent(metric)}`;
const whole = (second) => Math.max(0, Math.min(9999999999, Math.round(second)));

export async function fetchRange(metric, from, to, width, interval, signal) {
  const query = new URLSearchParams({ from: whole(from), to: whole(to) });
  const step = stepFor(from, to, width, interval);
  if (step !== null) query.set("step", step);
  return fetchJson(`${metricPath(metric)}/datapoints?${query}`, signal);
}

export async function fetchAnomalies(metric, from, to, signal) {
  const query = new URLSearchParams({ metric, from: whole(from), to: whole(to), limit: 200 });
  return (await fetchJson(`/api/v1/anomalies?${query}`, signal)).anomalies;
}

// What was or is expected of the metric: {title, from, to} for each time that it holds.
export async function fetchEvents(metric, from, to, signal) {
  const query = new URLSearchParams({ metric, from: whole(from), to: whole(to) });
  const { events } = await fetchJson(`/api/v1/events?${query}`, signal);
  return events.flatMap(({ title, times }) => times.map((time) => ({ title, ...time })));
}

export const fetchSensitivity = (metric) => fetchJson(`${metricPath(metric)}/sensitivity`);

// The answer's arrays as the columns of the chart, with a hole wherever datapoints are missing.
export function columnsOf(answer, interval) {
  const names = ["values", "lower", "upper", "expected", "min", "max"];
  const times = [];
  const columns = names.map(() => []);
  const usual = Math.max(interval || 0, answer.step || 0) || typicalSpacing(answer.timestamps);
  answer.timestamps.forEach((at, index) => {
    const before = times[times.length - 1];
    if (before !== undefined && usual && at - before > GAP_INTERVALS * usual) {
      times.push(before + usual);
      columns.forEach((column) => column.push(null));
    }
    times.push(at);
    names.forEach((name, n) => columns[n].push(answer[name] ? answer[name][index] : null));
  });
  return [times, ...columns];
}

function typicalSpacing(times) {
  const gaps = times.slice(1).map((at, index) => at - times[index]).sort((a, b) => a - b);
  return gaps.length ? gaps[gaps.length >> 1] : 0;
}

// Moving a chart: drag to move it, Shift and drag to choose a part, wheel and two fingers to zoom.

const WHEEL = 0.0015; // zoom per pixel of the wheel
const ZOOM = 1.6; // per key or button
const PAN = 0.25; // of the view, per key
const LEAST_SELECTION = 8; // px; less is a click
const SLOP = 4; // px; a finger that presses or begins to scroll the page wavers as much

export function watchGestures(chart) {
  const pointers = new Map();
  let start = null;
  let armed = false; // a page that scrolls under a resting pointer is not zoomed

  const at = (x) => {
    const box = chart.plot.over.getBoundingClientRect();
    const share = (x - box.left) / box.width;
    return chart.view.from + share * (chart.view.to - chart.view.from);
  };
  const spread = () => {
    const [one, two] = [...pointers.values()];
    return two === undefined ? null : Math.max(Math.abs(one - two), 10);
  };
  const begin = (shift) => {
    const xs = [...pointers.values()];
    start = xs.length && {
      x: xs.reduce((sum, x) => sum + x, 0) / xs.length,
      spread: spread(), view: { ...chart.view }, last: chart.last, moves: xs.length > 1,
      select: shift && xs.length === 1,
    };
  };

  chart.host.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !chart.plot.over.contains(event.target)) return;
    pointers.set(event.pointerId, event.clientX);
    chart.host.setPointerCapture(event.pointerId);
    begin(event.shiftKey);
  });
  chart.host.addEventListener("pointermove", (event) => {
    armed = true;
    if (!pointers.has(event.pointerId) || !start) return;
    pointers.set(event.pointerId, event.clientX);
    const xs = [...pointers.values()];
    const x = xs.reduce((sum, one) => sum + one, 0) / xs.length;
    if (start.select) return select(chart, start.x, x);
    if (!start.moves && Math.abs(x - start.x) < SLOP) return;
    start.moves = true;
    const { from, to } = start.view;
    const factor = start.spread && spread() ? start.spread / spread() : 1;
    const box = chart.plot.over.getBoundingClientRect();
    const held = from + ((start.x - box.left) / box.width) * (to - from);
    const left = held - ((x - box.left) / box.width) * (to - from) * factor;
    chart.show(left, left + (to - from) * factor);
  });
  const end = (event) => {
    if (!pointers.has(event.pointerId)) return;
    if (start?.select && Math.abs(event.clientX - start.x) >= LEAST_SELECTION) {
      const [one, two] = [at(start.x), at(event.clientX)];
      chart.show(Math.min(one, two), Math.max(one, two));
    }
    if (event.type === "pointercancel" && start?.moves && pointers.size === 1) {
      chart.show(start.view.from, start.view.to, { by: "cancel" }); // it scrolls the page instead
      chart.last = start.last;
    }
    chart.plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    pointers.delete(event.pointerId);
    begin(false);
  };
  chart.host.addEventListener("pointerup", end);
  chart.host.addEventListener("pointercancel", end);
  chart.host.addEventListener("pointerleave", () => (armed = false));
  window.addEventListener("scroll", () => (armed = false), { passive: true });
  chart.host.addEventListener("dblclick", () => zoom(chart, 1 / ZOOM / ZOOM));
  chart.host.addEventListener("wheel", (event) => {
    if (!armed) return;
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) return pan(chart, event.deltaX / 800);
    zoom(chart, Math.exp(event.deltaY * WHEEL), at(event.clientX));
  }, { passive: false });
  chart.host.addEventListener("keydown", (event) => press(chart, event));
}

// `factor` below 1 comes nearer; `around` (s) stays where it is.
export function zoom(chart, factor, around = (chart.view.from + chart.view.to) / 2) {
  const { from, to } = chart.view;
  chart.show(around - (around - from) * factor, around + (to - around) * factor);
}

export function pan(chart, share) {
  const by = (chart.view.to - chart.view.from) * share;
  chart.show(chart.view.from + by, chart.view.to + by);
}

function press(chart, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const actions = {
    ArrowLeft: () => (event.shiftKey ? pan(chart, -PAN) : chart.stepCursor(-1)),
    ArrowRight: () => (event.shiftKey ? pan(chart, PAN) : chart.stepCursor(1)),
    PageUp: () => pan(chart, -1),
    PageDown: () => pan(chart, 1),
    "+": () => zoom(chart, 1 / ZOOM),
    "=": () => zoom(chart, 1 / ZOOM),
    "-": () => zoom(chart, ZOOM),
    End: () => pan(chart, 1e6),
    Escape: () => chart.plot.setCursor({ left: -10, top: -10 }),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
}

function select(chart, one, two) {
  const box = chart.plot.over.getBoundingClientRect();
  const left = Math.min(one, two) - box.left;
  chart.plot.setSelect({ left, top: 0, width: Math.abs(two - one), height: box.height }, false);
}

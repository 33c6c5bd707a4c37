// Times in which something was expected, on a metric's chart: shaded, with dashed edges and a name.

export const windowAt = (chart, at) => chart.windows.find((one) => one.from <= at && at <= one.to);

export function drawWindows(chart, u) {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = "bottom";
  for (const one of chart.windows) {
    const left = u.valToPos(one.from, "x", true);
    const right = Math.max(u.valToPos(one.to, "x", true), left + 2 * ratio);
    if (right < bbox.left || left > bbox.left + bbox.width) continue;
    ctx.fillStyle = chart.colours.event;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.strokeStyle = chart.colours.eventLine;
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    ctx.beginPath();
    for (const x of [left, right]) {
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
    }
    ctx.stroke();
    const room = Math.min(right, bbox.left + bbox.width) - Math.max(left, bbox.left) - 8 * ratio;
    if (ctx.measureText(one.title).width > room) continue; // the legend names it
    ctx.fillStyle = chart.colours.muted;
    ctx.fillText(one.title, Math.max(left, bbox.left) + 4 * ratio, bbox.top + bbox.height - 3 * ratio);
  }
  ctx.restore();
}

// Names what is in view below the chart.
export function tellWindows(chart) {
  const place = document.getElementById("windows");
  if (!place) return;
  const { from, to } = chart.view;
  const titles = chart.windows.filter((one) => one.from <= to && one.to >= from).map((one) => one.title);
  place.hidden = !titles.length;
  place.lastElementChild.textContent = `expected: ${[...new Set(titles)].join(", ")}`;
}

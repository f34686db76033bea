// Plots of the page: lines and dots by uPlot, with zoom, pan, values, and the same numbers as a table.
"use strict";

const Charts = (() => {
  const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];
  const drawn = new Set(); // plots that are there, to be drawn again in other colours
  // a plot is as wide as its place, which a window, or what comes beside it, makes wider or narrower
  const seen = new ResizeObserver(() => {
    for (const one of drawn) {
      const width = Math.max(240, one.box.clientWidth);
      if (width !== one.u.width) one.u.setSize({ width, height: one.spec.height || 300 });
    }
  });
  const MOST_ROWS = 200; // of a table beside a plot
  const WHOLE = Array.from({ length: 9 }, (_, k) => [1, 2, 5].map((n) => n * 10 ** k)).flat(); // apart are ticks of whole numbers

  // An element: tag, attributes (`on...` are listeners), children (texts or elements)
  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "style") Object.assign(node.style, value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  }

  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (name) => (name.startsWith("--") ? variable(name) : name);

  function faded(name, share) {
    const hex = colour(name), part = (k) => parseInt(hex.slice(k, k + 2), 16);
    return `rgba(${part(1)}, ${part(3)}, ${part(5)}, ${share})`;
  }

  function number(v) {
    if (v === null || v === undefined || Number.isNaN(v)) return "–";
    if (v !== 0 && (Math.abs(v) >= 1e6 || Math.abs(v) < 1e-3)) return Number(v.toPrecision(3)).toExponential();
    return String(Number(v.toPrecision(5)));
  }

  function date(ms) {
    const text = new Date(ms).toISOString();
    return text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : text.slice(0, 16).replace("T", " ");
  }

  // A label of the data as it is seen: one that is blank by a sign
  const visible = (label) => (label.trim() ? label : { "": "(empty)", "\n": "(line end)", "\t": "(tab)" }[label] || "(space)");

  // A name of the data, the first lines of one that is very long, and all of it where it is pointed at
  const named = (text) => element("span", text.length > 60 ? { class: "clamp", title: text } : { class: text.length < 15 ? "brief" : null }, text);

  // What stands at the ticks of an axis of time
  function stamps(splits) {
    const day = 86400000, whole = splits.every((ms) => ms % day === 0);
    return splits.map((ms) => {
      const text = new Date(ms).toISOString();
      return whole ? text.slice(0, 10) : ms % day === 0 ? text.slice(5, 10) : text.slice(11, 16);
    });
  }

  // A table from rows of texts; the first column heads its row
  function table(columns, rows, caption = null, words = false) {
    const head = element("tr", {}, columns.map((one) => element("th", { scope: "col" }, one)));
    const body = rows.map((row) => element("tr", {}, row.map((cell, k) =>
      element(k ? "td" : "th", k ? {} : { scope: "row" }, cell))));
    return element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": caption || columns.join(", ") },
      element("table", { class: words ? "words" : null },
        caption ? element("caption", {}, caption) : null,
        element("thead", {}, head), element("tbody", {}, body)));
  }

  function numbers(spec) { // of a plot, filled when it is opened
    const details = element("details", { class: "numbers" }, element("summary", {}, "Numbers"));
    details.addEventListener("toggle", () => {
      if (!details.open || details.querySelector("table")) return;
      const shown = spec.series.filter((one) => !one.hidden);
      const n = spec.x.length, every = Math.ceil(n / MOST_ROWS);
      const rows = [];
      for (let k = 0; k < n; k += every)
        rows.push([spec.dates ? date(spec.x[k]) : number(spec.x[k]),
          ...shown.map((one) => (one.names ? one.names[one.values[k]] || "–" : number(one.values[k])))]);
      details.append(table([spec.xLabel || "step", ...shown.map((one) => one.label)], rows,
        every > 1 ? `Every ${every}th of ${n} rows.` : spec.title));
    });
    return details;
  }

  // Scale of x within what there is
  function moved(u, low, high, whole) {
    const width = Math.min(high - low, whole[1] - whole[0]);
    const start = Math.min(Math.max(low, whole[0]), whole[1] - width);
    u.setScale("x", { min: start, max: start + width });
  }

  function zoomed(u, factor, at, whole) {
    const { min, max } = u.scales.x, middle = at === null ? (min + max) / 2 : at;
    moved(u, middle - (middle - min) * factor, middle + (max - middle) * factor, whole);
  }

  // Pan and zoom by pointer: Shift and drag, one finger, two fingers, Ctrl and wheel
  function gestures(u, whole, spec) {
    const over = u.over, fingers = new Map();
    let held = null;
    over.style.touchAction = "pan-y";
    over.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const at = u.posToVal(event.clientX - over.getBoundingClientRect().left, "x");
      zoomed(u, event.deltaY > 0 ? 1.25 : 0.8, at, whole());
    }, { passive: false });
    over.addEventListener("pointerdown", (event) => {
      if (spec.drag) {
        held = nearest(u, event);
        over.setPointerCapture(event.pointerId);
        spec.drag(held, u.posToVal(event.clientY - over.getBoundingClientRect().top, "y"), false);
        return;
      }
      if (event.pointerType === "touch" || event.shiftKey) fingers.set(event.pointerId, event.clientX);
    });
    over.addEventListener("pointermove", (event) => {
      if (held !== null) {
        spec.drag(held, u.posToVal(event.clientY - over.getBoundingClientRect().top, "y"), false);
        return;
      }
      if (!fingers.has(event.pointerId)) return;
      const before = [...fingers.values()], { min, max } = u.scales.x;
      const perPixel = (max - min) / over.clientWidth;
      const step = event.clientX - fingers.get(event.pointerId);
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size === 1) moved(u, min - step * perPixel, max - step * perPixel, whole());
      else {
        const after = [...fingers.values()], apart = (two) => Math.abs(two[0] - two[1]) || 1;
        zoomed(u, apart(before) / apart(after), null, whole());
      }
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"])
      over.addEventListener(end, (event) => {
        fingers.delete(event.pointerId);
        if (held !== null && end !== "pointerleave") {
          spec.drag(held, null, true);
          held = null;
        }
      });
  }

  const nearest = (u, event) => u.posToIdx(event.clientX - u.over.getBoundingClientRect().left);

  function paths(one) {
    if (one.kind === "bars") return uPlot.paths.bars({ size: [0.9, 200] });
    if (one.kind === "steps") return uPlot.paths.stepped({ align: 1 });
    return one.kind === "dots" ? () => null : uPlot.paths.linear();
  }

  function options(spec, width) {
    const grid = { stroke: faded("--soft", 0.22), width: 1 }, ink = colour("--ink");
    const axis = { stroke: ink, grid, ticks: { ...grid, size: 5 }, font: "12px system-ui, sans-serif",
      labelFont: "12px system-ui, sans-serif", labelSize: 18 };
    const names = spec.series.map((one) => one.names).find(Boolean);
    const whole = !spec.dates && spec.x.every(Number.isInteger); // epochs, ranks and steps have no fractions
    const longest = names ? Math.min(120, 12 + 7 * names.reduce((n, one) => Math.max(n, one.length), 0)) : 0;
    const series = [{ label: spec.xLabel || (spec.dates ? "time" : "step"),
      value: (u, v) => (v === null ? "–" : spec.dates ? date(v) : number(v)) }];
    for (const one of spec.series) {
      const dots = one.kind === "dots";
      series.push({
        label: one.label, stroke: one.hidden ? "transparent" : colour(one.colour || "--c1"),
        fill: one.kind === "bars" ? faded(one.colour || "--c1", 0.6) : undefined,
        width: one.width === undefined ? 1.6 : one.width, dash: one.dash, paths: paths(one),
        points: { show: dots || Boolean(one.points), size: one.points || 5,
          fill: dots ? faded(one.colour || "--c1", 0.5) : colour(one.colour || "--c1"), width: dots ? 0 : 1 },
        spanGaps: false, value: (u, v) => (one.names ? one.names[v] || "–" : number(v)),
      });
    }
    return {
      width, height: spec.height || 300, ms: 1, series, padding: [null, spec.dates ? 36 : null, null, null],
      tzDate: (ms) => uPlot.tzDate(new Date(ms), "Etc/UTC"),
      cursor: { drag: { x: !spec.drag, y: false }, focus: { prox: 30 },
        sync: spec.sync ? { key: spec.sync } : undefined },
      legend: { show: spec.legend !== false, live: true },
      scales: {
        x: { time: Boolean(spec.dates), range: spec.xRange ? (u, low, high) =>
          (low === spec.x[0] && high === spec.x[spec.x.length - 1] ? spec.xRange : [low, high]) : undefined },
        y: names ? { range: [-0.5, names.length - 0.5] } : { range: spec.range || rangeOf },
      },
      bands: (spec.bands || []).map((band) => (
        { series: [band.high + 1, band.low + 1], fill: faded(band.colour, band.share || 0.22) })),
      axes: [
        { ...axis, label: spec.xLabel, space: spec.dates ? 90 : 60, size: 30, labelGap: 0,
          ...(whole ? { incrs: WHOLE } : {}),
          ...(spec.dates ? { values: (u, splits) => stamps(splits) } : {}) },
        { ...axis, label: spec.yLabel, size: (u, values) =>
            names ? longest : Math.max(44, 14 + 7 * Math.max(0, ...(values || []).map((v) => String(v).length))),
          ...(names ? { splits: names.map((_, k) => k), values: names.map((one) => (one.length > 15 ? one.slice(0, 14) + "…" : one)) }
            : { values: (u, all) => all.map(number) }) },
      ],
      hooks: { draw: [(u) => marks(u, spec)] },
    };
  }

  function rangeOf(u, low, high) {
    if (low === null || high === null) return [0, 1];
    if (low === high) return [low - (Math.abs(low) / 2 || 1), high + (Math.abs(high) / 2 || 1)];
    const edge = (high - low) * 0.06;
    return [low - edge, high + edge];
  }

  function marks(u, spec) { // lines across the plot, and what they say
    const { ctx, bbox } = u, scale = devicePixelRatio;
    ctx.save();
    ctx.font = `${12 * scale}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "alphabetic";
    for (const mark of spec.marks || []) {
      ctx.strokeStyle = ctx.fillStyle = colour(mark.colour || "--soft");
      ctx.setLineDash([4 * scale, 3 * scale]);
      ctx.lineWidth = scale;
      ctx.beginPath();
      if (mark.diagonal) {
        const low = Math.max(u.scales.x.min, u.scales.y.min), high = Math.min(u.scales.x.max, u.scales.y.max);
        ctx.moveTo(u.valToPos(low, "x", true), u.valToPos(low, "y", true));
        ctx.lineTo(u.valToPos(high, "x", true), u.valToPos(high, "y", true));
      } else {
        const x = u.valToPos(mark.x, "x", true);
        if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        const wide = ctx.measureText(mark.label || "").width, right = x + wide + 8 * scale < bbox.left + bbox.width;
        ctx.fillText(mark.label || "", right ? x + 4 * scale : x - wide - 4 * scale, bbox.top + 12 * scale);
      }
      ctx.stroke();
    }
    ctx.restore();
  }

  // A figure with a plot of `spec`; `update(spec)` of what it returns draws other numbers
  function plot(parent, spec) {
    if (spec.series.some((one) => one.kind === "bars")) { // whole bars, from 0
      const x = spec.x, half = x.length > 1 ? (x[1] - x[0]) / 2 : 0.5;
      spec = { range: (u, low, high) => [0, (high || 1) * 1.05], xRange: [x[0] - half, x[x.length - 1] + half], ...spec };
    }
    const said = element("p", { class: "sr-only", "aria-live": "polite" });
    const box = element("div", { class: "plot", tabindex: 0, role: "img", "aria-label":
      `${spec.title}. Plot of ${spec.series.filter((s) => !s.hidden).map((s) => s.label).join(", ")}. ` +
      "Left and right arrow read values, plus and minus zoom; the numbers are in the table below." });
    const button = (label, text, act) => element("button", { type: "button", "aria-label": `${label}: ${spec.title}`, title: label, onclick: act }, text);
    const whole = () => {
      const x = self.spec.xRange || [self.spec.x[0], self.spec.x[self.spec.x.length - 1]];
      return x[0] === x[1] ? [x[0] - 1, x[1] + 1] : x;
    };
    const tools = element("div", { class: "tools" },
      button("Zoom in", "+", () => zoomed(self.u, 0.6, null, whole())),
      button("Zoom out", "−", () => zoomed(self.u, 1 / 0.6, null, whole())),
      button("Show all", "All", () => moved(self.u, ...whole(), whole())));
    const figure = element("figure", { class: "chart" },
      element("figcaption", {}, element("span", {}, spec.title), spec.fixed ? null : tools), box, said,
      spec.note ? element("p", { class: "soft" }, spec.note) : null, numbers(spec));
    parent.append(figure);
    const self = { u: null, spec, figure, box, draw, update, whole };

    function draw() {
      if (self.u) self.u.destroy();
      const spec = self.spec, width = Math.max(240, box.clientWidth);
      self.u = new uPlot(options(spec, width), [spec.x, ...spec.series.map((one) => one.values)], box);
      gestures(self.u, whole, spec);
      const legend = box.querySelector(".u-legend");
      if (legend) legend.setAttribute("aria-hidden", "true");
    }

    function update(next) { // other numbers in the same frame, zoomed as it is
      const same = next.series.length === self.spec.series.length && next.x.length === self.spec.x.length;
      self.spec = next;
      if (!same) return draw();
      self.u.setData([next.x, ...next.series.map((one) => one.values)], false);
      self.u.setScale("x", { min: self.u.scales.x.min, max: self.u.scales.x.max });
    }

    box.addEventListener("keydown", (event) => {
      const u = self.u, step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) {
        const at = u.cursor.idx === null || u.cursor.idx === undefined ? u.valToIdx(u.scales.x.min) : u.cursor.idx + step;
        const idx = Math.min(Math.max(at, 0), self.spec.x.length - 1);
        u.setCursor({ left: u.valToPos(self.spec.x[idx], "x"), top: u.over.clientHeight / 2 });
        const values = self.spec.series.filter((one) => !one.hidden && one.values[idx] !== null)
          .map((one) => `${one.label} ${one.names ? one.names[one.values[idx]] : number(one.values[idx])}`);
        said.textContent = `${self.spec.dates ? date(self.spec.x[idx]) : number(self.spec.x[idx])}: ${values.join(", ")}`;
      } else if (event.key === "+" || event.key === "=") zoomed(u, 0.6, null, whole());
      else if (event.key === "-") zoomed(u, 1 / 0.6, null, whole());
      else if (event.key === "0") moved(u, ...whole(), whole());
      else return;
      event.preventDefault();
    });
    draw();
    drawn.add(self);
    seen.observe(box);
    return self;
  }

  function clear(parent) { // take plots away with what they stand in
    for (const one of [...drawn])
      if (parent.contains(one.box)) {
        one.u.destroy();
        drawn.delete(one);
        seen.unobserve(one.box);
      }
    parent.replaceChildren();
  }

  function redraw() {
    for (const one of drawn) one.draw();
  }

  // Dots of pairs: x has to ascend for uPlot
  function pairs(x, y) {
    const order = x.map((_, k) => k).sort((a, b) => x[a] - x[b]);
    return [order.map((k) => x[k]), order.map((k) => y[k])];
  }

  // Times of a kept series: what stands on its axis, and whether these are dates
  function axis(times, n, from = 0) {
    if (!times) return [Array.from({ length: n }, (_, k) => k + from), false];
    const at = times.at || Array.from({ length: n }, (_, k) => times.start + k * times.step);
    return [at.slice(0, n), times.dates];
  }

  return { COLOURS, axis, clear, colour, date, element, faded, named, number, pairs, plot, redraw, table, visible };
})();

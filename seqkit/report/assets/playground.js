// The model of the run, tried in the page: an input that is changed, the answer, the gates.
"use strict";

const Playground = (() => {
  const { element, number, plot, clear } = Charts;
  const SHOWN = { "h~": "candidate", g: "candidate", i: "input gate", f: "forget gate", o: "output gate", z: "update gate", r: "reset gate", c: "memory", h: "output" };
  const GATES = ["i", "f", "o", "z", "r"];

  // --- what the network is given and gives, by task ----------------------------------------------

  // (1, time, width) from columns of a kept series; places of tokens in their list
  function seriesInput(page, kept) {
    if (kept.tokens) {
      const codes = kept.tokens.slice(0, 500).map((token) => page.tokens.indexOf(token) + 1);
      return Model.tensor([1, codes.length], Float64Array.from(codes));
    }
    const x = Model.array(kept.values);
    return Model.tensor([1, ...x.shape], x.data);
  }

  // Rows of all channels around an origin, as the forecaster reads them
  function windowInput(page, kept, row) {
    const all = Model.array(kept.channels || kept.values), width = all.shape[1], end = row - kept.from;
    const part = (from, to, columns) => {
      const out = Model.tensor([1, to - from, columns[1] - columns[0]]);
      for (let t = from; t < to; t++)
        for (let j = columns[0]; j < columns[1]; j++)
          out.data[(t - from) * (columns[1] - columns[0]) + j - columns[0]] = all.data[t * width + j];
      return out;
    };
    const network = page.members[0].network, wanted = Object.fromEntries(network.inputs.map((one) => [one.name, one.shape]));
    const start = Math.max(0, end - Math.max(...page.contexts, page.theta ? page.theta.window : 0));
    const inputs = { x: part(start, end, [page.targetInputs ? 0 : page.targets, width]) };
    if (wanted.future) inputs.future = part(end, end + page.horizon, [width - wanted.future[1], width]);
    if (wanted.static) inputs.static = Model.tensor([1, wanted.static[0]], Model.array(kept.static).data);
    if (wanted.static_codes) inputs.static_codes = Model.tensor([1, wanted.static_codes[0]], Float64Array.from(kept.static_codes));
    return [inputs, start];
  }

  function absent(data) {
    const page = data.model;
    if (!page || page.absent) return `The model cannot be tried in this page: ${page ? page.absent : "the run folder has none"}.`;
    const kinds = Model.missing(page);
    if (kinds.length) return `The model cannot be tried in this page, which does not compute layers of the kind ${kinds.join(", ")}.`;
    if (!data.series || !data.series.kept) return "The model cannot be tried in this page: the run folder keeps no series.";
    return null;
  }

  function make(body, data) {
    const why = absent(data);
    if (why) {
      body.append(element("p", { class: "soft" }, why));
      return { follow: () => {} };
    }
    const forecasts = data.task === "forecasting", page = data.model;
    const state = { input: null, first: null, base: null, dropped: new Set(), feature: 0, step: 0, layer: null, gate: null, traces: {} };
    const parts = {};
    for (const name of ["told", "controls", "input", "answer", "gates"]) body.append(parts[name] = element("div"));
    parts.answer.setAttribute("aria-live", "polite");

    const names = () => {
      const all = forecasts ? page.channels.slice(page.targetInputs ? 0 : page.targets) : data.series.features;
      const width = state.input.x.shape[2] || 1;
      return Array.from({ length: width }, (_, k) => all[k] || `channel ${k + 1}`);
    };

    // The mean of a feature stands for one that is dropped: of its own series
    function given() {
      const x = state.input.x, width = x.shape[2];
      if (!state.dropped.size || !width) return state.input;
      const data = x.data.slice(), n = x.shape[1];
      for (const k of state.dropped) {
        let total = 0;
        for (let t = 0; t < n; t++) total += data[t * width + k];
        for (let t = 0; t < n; t++) data[t * width + k] = total / n;
      }
      return { ...state.input, x: Model.tensor(x.shape, data) };
    }

    function compute() {
      state.traces = {};
      return Model.answer(page, given(), state.traces);
    }

    function follow(item, place) {
      const kept = data.series.kept[place];
      state.item = item;
      state.kept = kept;
      state.place = place;
      state.usable = Boolean(kept) && !kept.every && !kept.gaps && (!forecasts || item.windows.length > 0);
      for (const part of Object.values(parts)) clear(part);
      if (!state.usable) {
        parts.told.append(element("p", {}, "Of this series not enough is kept to try the model on it."));
        return;
      }
      state.window = forecasts ? item.windows[item.windows.length - 1] : null;
      begin();
    }

    function begin() {
      for (const part of Object.values(parts)) clear(part);
      state.dropped.clear();
      state.now = null;
      state.feature = 0;
      if (forecasts) {
        [state.input, state.start] = windowInput(page, state.kept, state.window.row);
      } else state.input = { x: seriesInput(page, state.kept) };
      state.original = state.input.x.data.slice();
      state.base = compute();
      state.step = state.input.x.shape[1] - 1;
      parts.told.append(element("h3", {}, state.item.id), element("p", { class: "soft" },
        state.kept.tokens ? "Choose a step and another token for it." : `Drag a point of the input up or down, or choose a step and write its value${names().length > 1 ? "; drop a feature, which its mean then stands for" : ""}.`));
      controls();
      inputPlot();
      gatesBox();
      answer();
    }

    function changed() {
      state.now = compute();
      if (state.plot) state.plot.update(inputSpec());
      answer();
      drawGates();
      if (state.value && !state.kept.tokens) state.value.value = Number(number(at(state.step)));
    }

    const at = (step) => state.input.x.data[step * (state.input.x.shape[2] || 1) + state.feature];
    function set(step, v) {
      if (!Number.isFinite(v)) return;
      state.input.x.data[step * (state.input.x.shape[2] || 1) + state.feature] = v;
      state.step = step;
      if (state.steps) state.steps.value = step + 1;
      changed();
    }

    function controls() {
      const row = element("div", { class: "row controls" }), labelled = (text, node) => element("label", {}, `${text} `, node);
      if (forecasts && state.item.windows.length > 1)
        row.append(labelled("window", choice(state.item.windows.map((one) => [one.window, String(one.window + 1)]), state.window.window, (v) => {
          state.window = state.item.windows.find((one) => one.window === Number(v));
          begin();
        })));
      if (!state.kept.tokens && names().length > 1)
        row.append(labelled("feature", choice(names().map((name, k) => [k, name]), state.feature, (v) => {
          state.feature = Number(v);
          clear(parts.input);
          inputPlot();
          changed();
        })));
      const n = state.input.x.shape[1];
      state.steps = element("input", { type: "number", min: 1, max: n, value: state.step + 1, onchange: (event) => {
        state.step = Math.min(Math.max(Number(event.target.value) - 1 || 0, 0), n - 1);
        event.target.value = state.step + 1;
        state.value.value = state.kept.tokens ? at(state.step) : Number(number(at(state.step)));
      } });
      state.value = state.kept.tokens
        ? choice([["0", "(unknown)"], ...page.tokens.map((token, k) => [k + 1, Charts.visible(token)])], at(state.step), (v) => set(state.step, Number(v)))
        : element("input", { type: "number", step: "any", value: Number(number(at(state.step))), onchange: (event) => set(state.step, Number(event.target.value)) });
      row.append(labelled("step", state.steps), labelled(state.kept.tokens ? "token" : "value", state.value),
        element("button", { type: "button", onclick: () => { state.input.x.data.set(state.original); changed(); } }, "As it was"));
      if (!state.kept.tokens && names().length > 1)
        row.append(element("fieldset", {}, element("legend", {}, "Dropped"), names().slice(0, 24).map((name, k) =>
          element("label", {}, element("input", { type: "checkbox", onchange: (event) => {
            state.dropped[event.target.checked ? "add" : "delete"](k);
            changed();
          } }), ` ${name}`))));
      parts.controls.append(row);
    }

    function choice(options, value, act) {
      const node = element("select", { onchange: (event) => act(event.target.value) }, options.map(([v, text]) => element("option", { value: v }, text)));
      node.value = value;
      return node;
    }

    // --- the input, and of forecasters the forecast after it ---------------------------------------

    const isDrawn = () => !state.kept.tokens;

    function forecastLine(out) { // the middle of the first target
      const [, horizon, n, width = 1] = out.shape, middle = page.head === "quantiles" ? width >> 1 : 0;
      const target = Math.min(state.feature, n - 1);
      return Array.from({ length: horizon }, (_, h) => out.data[(h * n + target) * width + middle]);
    }

    function inputSpec() {
      const x = state.input.x, width = x.shape[2], n = x.shape[1];
      const read = (numbers) => Array.from({ length: n }, (_, t) => numbers[t * width + state.feature]);
      const name = names()[state.feature], own = read(given().x.data), series = [];
      let at = Array.from({ length: n }, (_, t) => t + 1), dates = false;
      const isTarget = forecasts && page.targetInputs && state.feature < page.targets;
      if (isTarget) {
        const more = state.base.shape[1], blank = (k) => new Array(k).fill(null);
        at = at.concat(Array.from({ length: more }, (_, h) => n + 1 + h));
        const [times, dated] = Charts.axis(state.kept.times, state.start + n + more);
        if (state.kept.times) { at = times.slice(state.start, state.start + n + more); dates = dated; }
        const truth = state.window.targets[state.feature].true;
        series.push({ label: "truth", values: [...blank(n), ...truth], colour: "--ink", dash: [3, 2] },
          { label: "forecast before", values: [...blank(n), ...forecastLine(state.base)], colour: "--c2", dash: [5, 3] },
          { label: "forecast now", values: [...blank(n), ...forecastLine(state.now || state.base)], colour: "--c1", width: 2.4 },
          { label: "before", values: [...read(state.original), ...blank(more)], colour: "--soft", width: 1 },
          { label: name, values: [...own, ...blank(more)], colour: "--ink", width: 1.6, points: n < 250 ? 6 : 0 });
      } else
        series.push({ label: "before", values: read(state.original), colour: "--soft", width: 1 },
          { label: name, values: own, colour: "--c1", width: 1.8, points: n < 250 ? 6 : 0 });
      return { title: `Input: ${name}`, x: at, dates, xLabel: dates ? "time" : "step", series, height: 280,
        drag: (idx, v, done) => { if (!done && idx < n) set(idx, v); } };
    }

    function inputPlot() {
      state.plot = isDrawn() ? plot(parts.input, inputSpec()) : null;
    }

    // --- the answer ------------------------------------------------------------------------------

    function answer() {
      const out = state.now || state.base, base = state.base, box = parts.answer;
      clear(box);
      if (forecasts) {
        const now = forecastLine(out), before = forecastLine(base);
        const apart = Math.max(...now.map((v, h) => Math.abs(v - before[h])));
        box.append(element("p", {}, `Forecast of the next step ${number(now[0])}, before ${number(before[0])}; the largest change in ${now.length} steps is ${number(apart)}.`));
        return;
      }
      box.append(element("h3", {}, "Answer"));
      if (data.task === "tagging") return tagAnswer(box, out, base);
      if (page.classes && data.task === "classification") {
        Series.bars(box, page.classes, Array.from(out.data), state.item.true, Array.from(base.data));
        box.append(element("p", { class: "soft" }, "The mark is where the answer was before."));
        return;
      }
      const rows = Array.from(out.data, (v, k) => [out.data.length > 1 ? String(k + 1) : "value", number(base.data[k]), number(v)]);
      box.append(Charts.table(["output", "before", "now"], rows, "The answer"));
    }

    function tagAnswer(box, out, base) {
      const [, n, width] = out.shape;
      const best = (x) => Array.from({ length: n }, (_, t) => {
        const row = x.data.subarray(t * width, (t + 1) * width);
        return row.indexOf(row.reduce((a, b) => Math.max(a, b), -Infinity));
      });
      const now = best(out), before = best(base), moved = now.filter((v, t) => v !== before[t]).length;
      box.append(element("p", {}, `${moved} of ${n} labels are others than before. At step ${state.step + 1}: `,
        element("strong", {}, Charts.visible(page.classes[now[state.step]])), ` (before ${Charts.visible(page.classes[before[state.step]])}).`));
      const row = Array.from(out.data.subarray(state.step * width, (state.step + 1) * width));
      Series.bars(box, page.classes, row, null, Array.from(base.data.subarray(state.step * width, (state.step + 1) * width)));
    }

    // --- gates -------------------------------------------------------------------------------------

    function gatesBox() {
      const options = [];
      for (const [layer, directions] of Object.entries(state.traces))
        directions.forEach((one, k) => options.push([`${layer}|${k}`, one.direction ? `${layer.replaceAll("_", " ")}, ${one.direction}` : layer.replaceAll("_", " ")]));
      if (!options.length) return;
      if (!options.some(([v]) => v === state.layer)) state.layer = options[0][0];
      const trace = () => {
        const [layer, k] = state.layer.split("|");
        return state.traces[layer][Number(k)].gates;
      };
      state.trace = trace;
      const kinds = () => Object.keys(trace()).map((name) => [name, `${name}: ${SHOWN[name] || name}`]);
      if (!kinds().some(([v]) => v === state.gate)) state.gate = kinds()[0][0];
      const row = element("div", { class: "row controls" },
        element("label", {}, "layer ", choice(options, state.layer, (v) => { state.layer = v; drawGates(); })),
        element("label", {}, "gate ", choice(kinds(), state.gate, (v) => { state.gate = v; drawGates(); })));
      state.canvas = element("canvas", { role: "img", class: "heat" });
      state.heatNote = element("p", { class: "soft" });
      parts.gates.append(element("h3", {}, "Gates and states"), row, state.canvas, state.heatNote);
      drawGates();
    }

    function drawGates() {
      if (!state.canvas || !state.canvas.isConnected) return;
      const steps = state.trace()[state.gate];
      if (!steps) return;
      const n = steps.length, units = steps[0].length, canvas = state.canvas;
      const average = Array.from({ length: units }, (_, j) => steps.reduce((total, one) => total + one[j], 0) / n);
      const order = average.map((_, j) => j).sort((a, b) => average[b] - average[a]);
      const isGate = GATES.includes(state.gate), flat = steps.flatMap((one) => Array.from(one));
      const most = isGate ? 1 : flat.reduce((a, v) => Math.max(a, Math.abs(v)), 1e-9);
      canvas.width = n;
      canvas.height = units;
      canvas.style.height = `${Math.min(360, Math.max(90, 7 * units))}px`;
      const ctx = canvas.getContext("2d"), image = ctx.createImageData(n, units);
      const hex = (name) => { const text = Charts.colour(name); return [1, 3, 5].map((k) => parseInt(text.slice(k, k + 2), 16)); };
      const none = hex("--page"), high = hex("--c1"), low = hex("--c6");
      for (let t = 0; t < n; t++)
        order.forEach((j, row) => {
          const v = steps[t][j] / most, end = v < 0 ? low : high, share = Math.min(Math.abs(v), 1);
          for (let k = 0; k < 3; k++) image.data[4 * (row * n + t) + k] = none[k] + (end[k] - none[k]) * share;
          image.data[4 * (row * n + t) + 3] = 255;
        });
      ctx.putImageData(image, 0, 0);
      const shut = flat.filter((v) => v < 0.1).length / flat.length, open = flat.filter((v) => v > 0.9).length / flat.length;
      const said = isGate ? `${Math.round(100 * shut)} % of its values are below .1, ${Math.round(100 * open)} % above .9.` : `From ${number(flat.reduce((a, b) => Math.min(a, b)))} to ${number(flat.reduce((a, b) => Math.max(a, b)))}.`;
      state.heatNote.textContent = `${SHOWN[state.gate] || state.gate}: a row for each of ${units} units, the largest mean first, a column for each of ${n} steps; blue is up to ${number(most)}${isGate ? "" : ", red down to its negative"}. ${said}`;
      canvas.setAttribute("aria-label", state.heatNote.textContent);
    }

    document.addEventListener("theme", drawGates);
    return { follow };
  }

  return { make, seriesInput, windowInput };
})();

// One series at a time: a list of them, the worst first, and what the model makes of the one chosen.
"use strict";

const Series = (() => {
  const { element, number, plot, clear } = Charts;
  const MOST_LINES = 12; // features drawn at once
  const column = (x, k) => { // one feature of (time, features), null where there is nothing
    const [n, width] = x.shape;
    return Array.from({ length: n }, (_, t) => {
      const v = x.data[t * width + k];
      return Number.isFinite(v) ? v : null;
    });
  };

  // What the list says of a series besides its name
  function told(data, item) {
    const shown = data.series;
    if (data.task === "forecasting")
      return `error ${item.error === null ? "–" : Number(item.error.toPrecision(3))}${item.relative === undefined ? "" : `, ${item.relative.toPrecision(2)} of its spread`}`;
    if (item.p) return `${item.true === undefined ? "" : `${item.true} → `}${item.predicted}, ${number(Math.max(...item.p))}`;
    if (item.next) return item.error === null ? "" : `${number(item.error)} nats a step`;
    if (item.sure) return item.error === null ? "" : `${(100 * item.error).toFixed(0)} % wrong`;
    if (!item.numbers) return "";
    const at = (name) => shown.columns.indexOf(name);
    return at("true") < 0 ? `error ${number(item.error)}` : `true ${number(item.numbers[at("true")])}, predicted ${number(item.numbers[at("predicted")])}`;
  }

  // The list with its search; `show(item, place)` is called with the one chosen
  function picker(parent, data, show) {
    const items = data.series.items, select = element("select", { id: "series-list", size: 8 });
    const search = element("input", { type: "search", id: "series-search", autocomplete: "off", placeholder: "name or class" });
    const count = element("p", { class: "soft", id: "series-count", "aria-live": "polite" });
    let wanted = null; // a cell of the confusion matrix: [true, predicted]
    const lift = element("button", { type: "button", hidden: true, onclick: () => { wanted = null; fill(); } }, "All classes");

    function fill(keep = true) {
      const before = keep ? select.value : "", text = search.value.trim().toLowerCase();
      const found = items.map((item, k) => [item, k]).filter(([item]) =>
        (!wanted || (item.true === wanted[0] && item.predicted === wanted[1]))
        && `${item.id} ${told(data, item)}`.toLowerCase().includes(text));
      select.replaceChildren(...found.map(([item, k]) => {
        const text = `${item.id} · ${told(data, item)}`;
        return element("option", { value: k, title: text }, text);
      }));
      lift.hidden = !wanted;
      const kept = items.length < data.series.of
        ? `${items.length} of ${data.series.of} series are kept: the worst, and others from the worst to the best.`
        : `${items.length} series.`;
      const lines = data.series.kept ? "" : " The folder has what was predicted of them; the series themselves are kept from this version on.";
      count.textContent = `${kept}${lines} ${found.length < items.length ? `${found.length} shown` : ""}${wanted ? `: true ${wanted[0]}, predicted ${wanted[1]}` : ""}`;
      if (!found.length) return;
      select.value = found.some(([, k]) => String(k) === before) ? before : found[0][1];
      if (select.value !== before) change();
    }
    const change = () => select.value !== "" && show(items[select.value], Number(select.value));
    const step = (by) => {
      const next = select.selectedIndex + by;
      if (next < 0 || next >= select.options.length) return;
      select.selectedIndex = next;
      change();
    };
    select.addEventListener("change", change);
    search.addEventListener("input", () => fill());
    parent.append(
      element("label", { for: "series-search" }, "Search"), search,
      element("label", { for: "series-list" }, "Series, the worst first"), select,
      element("div", { class: "row" },
        element("button", { type: "button", onclick: () => step(-1) }, "Previous"),
        element("button", { type: "button", onclick: () => step(1) }, "Next"), lift), count);
    return {
      start: () => fill(false),
      only(pair) { wanted = pair; search.value = ""; fill(false); select.focus(); },
    };
  }

  // Probabilities as bars, with numbers; `other` are those to compare with
  function bars(parent, classes, p, truth, other = null) {
    const order = classes.map((_, k) => k).sort((a, b) => p[b] - p[a]).slice(0, 12);
    const row = (k) => element("div", { class: "bar" },
      element("span", { class: "name" }, Charts.named(Charts.visible(classes[k])), classes[k] === truth ? element("span", { class: "soft" }, " (true)") : null),
      element("span", { class: "track" },
        element("span", { class: "fill", style: { width: `${100 * p[k]}%` } }),
        other ? element("span", { class: "before", style: { left: `${100 * other[k]}%` } }) : null),
      element("span", { class: "value" }, p[k].toFixed(3)));
    parent.append(element("div", { class: "bars" }, order.map(row)));
  }

  function lines(parent, data, kept, title) { // the features of a series
    const x = Model.array(kept.values), names = data.series.features;
    const every = kept.every || 1, [at, dates] = Charts.axis(kept.times, x.shape[0]);
    plot(parent, { title, x: kept.times ? at : at.map((t) => t * every), dates, sync: "series",
      xLabel: dates ? "time" : "step",
      note: [every > 1 ? `Every ${every}th step is kept.` : "", names.length > MOST_LINES ? `The first ${MOST_LINES} of ${names.length} features.` : ""].join(" ").trim() || null,
      series: names.slice(0, MOST_LINES).map((label, k) => (
        { label, values: column(x, k), colour: Charts.COLOURS[k % 6], dash: k > 5 ? [6, 3] : undefined })) });
    return [at, dates];
  }

  function ofClass(parent, data, item, kept) {
    const wrong = item.true !== undefined && item.true !== item.predicted;
    parent.append(element("p", {}, "Predicted ", element("strong", {}, item.predicted),
      item.true === undefined ? "" : wrong ? ", but the class is " : ", which is right",
      wrong ? element("strong", {}, item.true) : null, "."));
    bars(parent, data.series.classes, item.p, item.true);
    if (kept && kept.values) lines(parent, data, kept, item.id);
  }

  function ofNumber(parent, data, item, kept) {
    const rows = data.series.columns.map((name, k) => [name.replaceAll("_", " "), number(item.numbers[k])]);
    parent.append(Charts.table(["what", "value"], rows, "What was predicted"));
    if (kept && kept.values) lines(parent, data, kept, item.id);
  }

  function ofNext(parent, data, item) { // the numbers of the next step, a plot a feature
    item.next.slice(0, MOST_LINES).forEach((line, k) => {
      const from = (sign) => line.predicted.map((v, t) => (v === null || line.spread[t] === null ? null : v + sign * line.spread[t]));
      plot(parent, { title: `${item.id}: ${data.series.columns[k]}`, x: line.true.map((_, t) => t + 1), sync: "series", xLabel: "step",
        note: k ? null : "What was predicted one step before: the mean, and a standard deviation on either side.",
        bands: [{ low: 2, high: 3, colour: "--c1" }],
        series: [{ label: "truth", values: line.true, colour: "--ink", width: 1.3 },
          { label: "predicted", values: line.predicted, colour: "--c1", width: 2 },
          { label: "low", values: from(-1), colour: "--c1", width: 0.6 }, { label: "high", values: from(1), colour: "--c1", width: 0.6 }] });
    });
  }

  function ofSteps(parent, data, item, kept) {
    const labels = data.series.labels.map(Charts.visible), wrong = item.true ? item.true.filter((one, k) => one !== item.predicted[k]).length : null;
    if (wrong !== null) parent.append(element("p", {}, `${wrong} of ${item.true.length} steps are labelled wrongly.`));
    if (kept && kept.tokens) {
      parent.append(element("p", { class: "tokens", tabindex: 0, role: "group", "aria-label": "The tokens, wrong ones marked" }, kept.tokens.slice(0, 2000).map((token, k) => {
        const right = !item.true || item.true[k] === item.predicted[k];
        const title = `${item.true ? `true ${labels[item.true[k]]}, ` : ""}predicted ${labels[item.predicted[k]]} (${item.sure[k]})`;
        return element(right ? "span" : "mark", { title }, token.length > 1 ? `${token} ` : token);
      })));
    }
    let at = item.predicted.map((_, k) => k), dates = false;
    if (kept && kept.values) [at, dates] = lines(parent, data, kept, item.id);
    const n = Math.min(at.length, item.predicted.length), x = at.slice(0, n), sure = item.sure.slice(0, n);
    if (labels.length <= 60 && !(kept && kept.tokens)) {
      const series = [{ label: "predicted", values: item.predicted.slice(0, n), names: labels, kind: "steps", colour: "--c1", width: 2 }];
      if (item.true) series.unshift({ label: "true", values: item.true.slice(0, n), names: labels, kind: "steps", colour: "--ink", width: 3.5 });
      plot(parent, { title: "Labels of the steps", x, dates, sync: "series", height: Math.min(420, 110 + 24 * labels.length), xLabel: dates ? "time" : "step", series });
    }
    plot(parent, { title: "How sure the model is", x, dates, sync: "series", height: 180, range: [0, 1.02],
      xLabel: dates ? "time" : "step", yLabel: "probability", series: [{ label: "probability", values: sure, colour: "--c3" }] });
  }

  // --- forecasts ------------------------------------------------------------------------------

  const isApart = (windows, horizon) => windows.every((one, k) => !k || one.row - windows[k - 1].row >= horizon);

  // Pairs of quantiles that mirror each other, the widest first
  function intervals(levels) {
    const at = levels.map((name) => Number(name.slice(1)));
    return at.map((low, k) => [k, at.findIndex((high) => Math.abs(low + high - 1) < 1e-6)])
      .filter(([low, high]) => low < high && high >= 0)
      .map(([low, high]) => ({ low, high, share: Math.round(100 * (at[high] - at[low])) }));
  }

  // What is drawn of some windows of a series: the truth, forecasts, intervals, baselines
  function forecastSpec(data, item, place, chosen, target, besides) {
    const shown = data.series, kept = shown.kept ? shown.kept[place] : null;
    const windows = item.windows.filter((one) => chosen === "all" || one.window === chosen);
    const rows = item.windows.map((one) => one.row), horizon = item.windows[0].targets[0].true.length;
    const from = kept ? kept.from : Math.min(...rows), values = kept ? Model.array(kept.values) : null;
    const n = kept ? values.shape[0] : Math.max(...rows) + horizon - from;
    const [x, dates] = Charts.axis(kept && kept.times, n, from);
    const blank = () => new Array(n).fill(null);
    const spread = (read) => {
      const line = blank();
      for (const one of windows) read(one).forEach((v, h) => { if (one.row - from + h < n) line[one.row - from + h] = v; });
      return line;
    };
    const truth = kept ? column(values, target) : spread((one) => one.targets[target].true);
    const series = [{ label: "truth", values: truth, colour: "--ink", width: 1.3 }], bands = [];
    intervals(shown.levels).forEach(({ low, high, share }) => {
      const k = series.length;
      for (const q of [low, high])
        series.push({ label: `${share} % interval, ${q === low ? "low" : "high"}`, colour: "--c1", width: 0.6,
          values: spread((one) => one.targets[target][shown.levels[q]]) });
      bands.push({ low: k, high: k + 1, colour: "--c1" });
    });
    Object.entries(shown.baselines || {}).forEach(([name, all], k) => {
      if (!besides.has(name)) return;
      const made = Model.array(all[place]), [, H, T] = made.shape;
      series.push({ label: data.titles[name] || name, colour: Charts.COLOURS[1 + (k % 5)], width: 1.2, dash: [5, 3],
        values: spread((one) => Array.from({ length: H }, (_, h) =>
          made.data[(shown.windows.indexOf(one.window) * H + h) * T + target])) });
    });
    series.push({ label: "forecast", values: spread((one) => one.targets[target].forecast), colour: "--c1", width: 2.2, points: n < 200 ? 5 : 0 });
    const marks = chosen === "all" ? [] : windows.map((one) => ({ x: x[Math.max(one.row - 1 - from, 0)], label: "origin" }));
    return { title: `${item.id}: ${shown.targets[target]}`, x, dates, series, bands, marks, xLabel: dates ? "time" : "step", yLabel: shown.targets[target] };
  }

  const state = { besides: null, target: 0 };

  function ofForecast(parent, data, item, kept, place) {
    if (!item.windows.length) return parent.append(element("p", {}, "No window of it is kept."));
    const shown = data.series, horizon = item.windows[0].targets[0].true.length;
    const names = Object.keys(shown.baselines || {}), apart = isApart(item.windows, horizon);
    if (!state.besides) state.besides = new Set(names.includes("seasonal_naive") ? ["seasonal_naive"] : names.slice(0, 1));
    let chosen = apart ? "all" : item.windows[item.windows.length - 1].window;
    const spec = () => forecastSpec(data, item, place, chosen, state.target, state.besides);
    const controls = element("div", { class: "row controls" }), target = element("div");
    let drawn = null;
    const again = () => { clear(target); drawn = plot(target, spec()); };
    const select = (label, options, value, act) => {
      const id = `choose-${label.replaceAll(" ", "-")}`;
      const node = element("select", { id, onchange: (event) => act(event.target.value) },
        options.map(([v, text]) => element("option", { value: v }, text)));
      node.value = value;
      controls.append(element("span", {}, element("label", { for: id }, `${label} `), node));
    };
    const options = item.windows.map((one) => [one.window, `${one.window + 1} of ${shown.ofWindows || item.windows.length}`]);
    if (options.length > 1)
      select("window", [...(apart ? [["all", "all"]] : []), ...options], chosen, (v) => { chosen = v === "all" ? v : Number(v); again(); });
    if (shown.targets.length > 1)
      select("target", shown.targets.map((name, k) => [k, name]), state.target, (v) => { state.target = Number(v); again(); });
    if (names.length)
      controls.append(element("fieldset", {}, element("legend", {}, "Beside it"), names.map((name) =>
        element("label", {}, element("input", { type: "checkbox", checked: state.besides.has(name), onchange: (event) => {
          state.besides[event.target.checked ? "add" : "delete"](name);
          again();
        } }), ` ${data.titles[name] || name}`))));
    parent.append(controls, target);
    again();
    if (drawn && drawn.spec.x.length > 8 * horizon) { // the forecasts, and some of what came before
      const first = item.windows[0].row - (kept ? kept.from : 0), x = drawn.spec.x;
      drawn.u.setScale("x", { min: x[Math.max(0, first - 3 * horizon)], max: x[x.length - 1] });
    }
  }

  const SHOWN = { classification: ofClass, regression: ofNumber, tagging: ofSteps, forecasting: ofForecast };

  // The whole section; `follow(item, place)` is told of each choice
  function explorer(parent, data, follow) {
    const list = element("div", { class: "picker" }), detail = element("div", { class: "detail" });
    parent.append(element("div", { class: "explorer" }, list, detail));
    const kind = data.series.items.some((item) => item.next) ? ofNext : data.series.items.some((item) => item.p) ? ofClass : SHOWN[data.task] || ofNumber;
    return picker(list, data, (item, place) => {
      clear(detail);
      detail.append(element("h3", {}, item.id));
      kind(detail, data, item, data.series.kept ? data.series.kept[place] : null, place);
      follow(item, place);
    });
  }

  return { bars, column, explorer, forecastSpec, intervals };
})();

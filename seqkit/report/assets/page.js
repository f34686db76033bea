// The page: what is drawn in each section, from the data that stand in it.
"use strict";

(() => {
  const { element, number, plot, table } = Charts;
  const data = JSON.parse(document.getElementById("data").textContent);
  const section = (id) => document.getElementById(id);

  // A section and its link in the contents appear with what is put into them
  function fill(id, write) {
    const body = section(id).querySelector(".body");
    write(body);
    section(id).hidden = !body.childNodes.length;
    const link = document.querySelector(`nav a[href="#${id}"]`);
    if (link) link.parentNode.hidden = section(id).hidden;
  }

  const TITLES = { grad_norm: "Mean norm of the gradient by epoch", grad_norm_max: "Largest norm of a gradient by epoch", clipped: "Share of steps whose gradient was clipped, by epoch" };

  function training(body) {
    if (!data.history) return;
    const networks = [data.history, ...data.history.others || []], target = element("div"), id = "training-network";
    if (networks.length > 1) {
      const select = element("select", { id, onchange: () => draw(select.value) },
        networks.map((_, k) => element("option", { value: k }, `${k + 1} of ${networks.length}`)));
      body.append(element("p", { class: "row" }, element("label", { for: id }, "Network "), select));
    }
    body.append(target);
    const draw = (which) => { Charts.clear(target); lossCurves(target, networks[which]); };
    draw(0);
  }

  function lossCurves(body, history) {
    const names = Object.keys(history.curves), groups = [];
    for (const name of names) {
      if (name.startsWith("val_") && names.includes(name.slice(4))) continue;
      const pair = [name, `val_${name}`].filter((one) => names.includes(one));
      if (pair.some((one) => history.curves[one].some((v) => v !== null))) groups.push(pair);
    }
    const epochs = history.curves[names[0]].map((_, k) => k + 1);
    const marks = [{ x: history.best, label: `epoch ${history.best - history.stopped}: kept`, colour: "--c3" }];
    if (history.stopped) marks.push({ x: history.stopped + 0.5, label: "trained anew on all" });
    const title = (name) => TITLES[name] || `${name[0].toUpperCase()}${name.slice(1).replaceAll("_", " ")} by epoch`;
    for (const pair of groups)
      plot(body, { title: title(pair[0]),
        x: epochs, xLabel: "epoch", height: pair[0] === "loss" ? 300 : 180, marks: pair[0] === "loss" ? marks : [],
        range: pair[0] === "clipped" ? [0, 1] : undefined,
        series: pair.map((name, k) => ({ label: pair.length < 2 && name !== "loss" ? name.replaceAll("_", " ") : k ? "validation" : "training",
          values: history.curves[name], colour: Charts.COLOURS[k], points: epochs.length < 3 ? 6 : 0 })) });
  }

  function byStep(body) {
    const metrics = Object.entries(data.byStep || {}).filter(([, one]) => one.scores.model.length > 1);
    if (!metrics.length) return;
    const target = element("div"), id = "step-metric";
    const select = element("select", { id, onchange: () => draw(select.value) },
      metrics.map(([name, one]) => element("option", { value: name }, one.title)));
    body.append(element("p", { class: "row" }, element("label", { for: id }, "Metric "), select), target);
    const draw = (name) => {
      Charts.clear(target);
      const { title, scores } = data.byStep[name];
      plot(target, { title: `${title} by step of the horizon`, x: scores.model.map((_, k) => k + 1), xLabel: "step of the horizon", yLabel: title,
        series: Object.entries(scores).map(([who, values], k) => ({ label: data.titles[who] || who, values,
          colour: Charts.COLOURS[k % 6], width: k ? 1.2 : 2.4, points: values.length < 30 ? 5 : 0 })) });
    };
    draw(metrics[0][0]);
  }

  function byTime(body) {
    const one = data.byTime;
    if (!one || one.at.length < 2) return;
    plot(body, { title: one.scaled ? "Mean error by time, in standard deviations of each series" : "Mean error by time",
      x: one.at, dates: one.dates, xLabel: one.dates ? "time" : "step",
      note: data.series && (one.series || data.series.items.length) < data.series.of ? `Of ${one.series || data.series.items.length} of ${data.series.of} series.` : null,
      series: Object.entries(one.errors).map(([who, values], k) => ({ label: data.titles[who] || who, values, colour: Charts.COLOURS[k % 6], width: k ? 1 : 2 })) });
  }

  function bySeries(body) {
    const errors = data.series ? data.series.items.map((item) => (item.relative === undefined ? item.error : item.relative)).filter((v) => v !== null) : [];
    if (errors.length < 2) return;
    const ranked = [...errors].sort((a, b) => b - a);
    plot(body, { title: "Error by series, the worst first", x: ranked.map((_, k) => k + 1), xLabel: "rank", yLabel: "error",
      note: data.series.items.length < data.series.of ? `Of ${data.series.items.length} of ${data.series.of} series.` : null, height: 220,
      series: [{ label: { classification: "1 − probability of the true class", tagging: data.series && data.series.items.some((item) => item.next) ? "mean negative log-likelihood of a step, in nats" : "share of wrong steps", forecasting: data.series && data.series.items.some((item) => item.relative !== undefined) ? "mean error in standard deviations of the series" : "mean error" }[data.task] || "distance in standard deviations", values: ranked, colour: "--c1", kind: "bars" }] });
  }

  function confusion(body, list) {
    const found = data.confusion;
    if (!found) return;
    const labels = found.labels.map(String), seen = labels.map(Charts.visible), can = data.task === "classification" && list;
    const most = found.counts.map((row) => Math.max(1, row.reduce((a, b) => a + b, 0)));
    const cell = (n, i, j) => {
      const share = n / most[i], label = `${n} true ${seen[i]}, predicted ${seen[j]}`;
      const inside = n && can ? element("button", { type: "button", "aria-label": `${label}: show them`, title: label, onclick: () => {
        list.only([labels[i], labels[j]]);
        section("series").scrollIntoView();
      } }, String(n)) : String(n);
      return element("td", { class: share > 0.5 ? "full" : null, style: { background: n ? `color-mix(in srgb, var(${i === j ? "--cell" : "--cell-bad"}) ${Math.round(15 + 85 * share)}%, transparent)` : "" } }, inside);
    };
    body.append(element("h3", {}, "Confusion matrix"), element("p", { class: "soft" }, `True classes down, predicted ones across; the colour is the share of a row.${can ? " A number opens its series." : ""}`),
      element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Confusion matrix" }, element("table", { class: "confusion" },
        element("thead", {}, element("tr", {}, element("td"), seen.map((label) => element("th", { scope: "col" }, Charts.named(label))))),
        element("tbody", {}, found.counts.map((row, i) => element("tr", {}, element("th", { scope: "row" }, Charts.named(seen[i])), row.map((n, j) => cell(n, i, j))))))));
  }

  function curves(body) {
    const found = data.curves;
    if (!found || !found.reliability) return;
    const one = found.reliability, grid = element("div", { class: "two" });
    body.append(grid);
    plot(grid, { title: "Reliability", x: one.said, xLabel: "probability said", yLabel: "share that is right", xRange: [0, 1], range: [0, 1], marks: [{ diagonal: true }], fixed: true,
      note: `On the dashed line what the model says is what comes true. Mean distance: ${number(one.error)}. Of ${one.counts.reduce((a, b) => a + b, 0)} answers.`,
      series: [{ label: "right", values: one.right, colour: "--c1", points: 8 }, { label: "answers", values: one.counts, hidden: true }].slice(0, 1) });
    if (!found.classes || !found.classes.length) return;
    const note = found.classes.length < found.n_classes && found.n_classes > 2 ? `The ${found.classes.length} commonest of ${found.n_classes} classes.` : null;
    ranking(grid, "ROC curve", "false positives", "true positives", "roc", "auc", [{ diagonal: true }], note);
    ranking(grid, "Precision and recall", "recall", "precision", "pr", "ap", [], note);
  }

  function ranking(body, title, xLabel, yLabel, name, area, marks, note) {
    const classes = data.curves.classes, xs = [...new Set(classes.flatMap((one) => one[name][0]))].sort((a, b) => a - b);
    const series = classes.map((one, k) => {
      const values = new Map();
      one[name][0].forEach((v, i) => values.set(v, values.has(v) && name === "roc" ? Math.max(values.get(v), one[name][1][i]) : one[name][1][i]));
      return { label: `${Charts.visible(one.class)} (${area} ${number(one[area])})`, colour: Charts.COLOURS[k % 6], dash: k > 5 ? [6, 3] : undefined,
        values: between(xs, [...values.keys()], [...values.values()]) };
    });
    plot(body, { title, x: xs, xLabel, yLabel, xRange: [0, 1], range: [0, 1.01], marks, series, note, fixed: true });
  }

  function between(xs, x, y) { // on straight lines between known points
    let k = 0;
    return xs.map((v) => {
      while (k < x.length - 2 && x[k + 1] < v) k++;
      if (x[k + 1] === undefined || x[k + 1] === x[k]) return y[k];
      return y[k] + (y[k + 1] - y[k]) * Math.min(Math.max((v - x[k]) / (x[k + 1] - x[k]), 0), 1);
    });
  }

  function residuals(body) {
    for (const one of data.residuals || []) {
      if (!one.of) continue;
      const of = one.target ? ` of ${one.target}` : "", grid = element("div", { class: "two" });
      const note = one.true.length && one.true.length < one.of ? `${one.true.length} of ${one.of}, drawn at random.` : null;
      body.append(grid);
      const dots = (title, x, y, xLabel, yLabel, marks) => {
        if (!x.length) return; // of a run that keeps no series
        const [xs, ys] = Charts.pairs(x, y);
        plot(grid, { title, x: xs, xLabel, yLabel, marks, note, series: [{ label: yLabel, values: ys, kind: "dots", colour: "--c1", points: 5 }] });
      };
      dots(`Predicted and true${of}`, one.true, one.predicted, "true", "predicted", [{ diagonal: true }]);
      dots(`Residuals${of}`, one.predicted, one.true.map((v, k) => v - one.predicted[k]), "predicted", "true less predicted", []);
      plot(grid, { title: `Spread of residuals${of}`, x: one.counts.map((_, k) => (one.edges[k] + one.edges[k + 1]) / 2), xLabel: "true less predicted", yLabel: "how many",
        note: `Mean ${number(one.mean)}.`, series: [{ label: "how many", values: one.counts, kind: "bars", colour: "--c1" }], marks: [{ x: 0, label: "" }] });
    }
  }

  function described(body) {
    const found = data.data;
    if (!found) return;
    const named = (one) => (data.task === "forecasting" && one.part === "test" ? "with test" : one.part); // whose contexts come before it
    const rows = found.parts.map((one) => [named(one), String(one.series), String(one.steps), one.lengths.map(number).join(" / "), one.missing ? `${one.missing} (${number(100 * one.missing / one.values)} %)` : "none",
      one.from === undefined ? "–" : one.dates ? `${Charts.date(one.from)} to ${Charts.date(one.to)}` : `${number(one.from)} to ${number(one.to)}`]);
    body.append(table(["part", "series", "steps", "length: least / median / most", "missing values", "time"], rows, null, true));
    timeline(body, found.parts);
    if (found.edges.length > 2 && found.parts.some((one) => one.lengths[0] !== one.lengths[2]))
      plot(body, { title: "Lengths of series", x: found.edges.slice(0, -1), xLabel: "steps", yLabel: "series", height: 220, range: (u, low, high) => [0, high * 1.05],
        series: found.parts.map((one, k) => ({ label: one.part, values: one.counts, kind: "steps", colour: Charts.COLOURS[k] })) });
    if (found.classes && found.classes.rows.length) {
      const more = found.classes.of > found.classes.rows.length ? `The commonest of ${found.classes.of}.` : "How often each class is in each part.";
      body.append(element("h3", {}, "Classes"), table(["class", ...found.classes.parts], found.classes.rows.map((row) => row.map(String).map(Charts.visible)), more));
    }
  }

  function timeline(body, parts) { // where the parts are in time; without stamps, how large they are
    const timed = parts.every((one) => one.from !== undefined && one.to > one.from) && !parts.every((one) => one.from === parts[0].from && one.to === parts[0].to);
    const forecasts = data.task === "forecasting" && parts.length === 2;
    const low = Math.min(...parts.map((one) => one.from)), high = Math.max(...parts.map((one) => one.to));
    const total = parts.reduce((n, one) => n + one.series, 0);
    let start = 0;
    const spans = parts.map((one, k) => {
      if (!timed) {
        const share = one.series / total;
        start += share;
        return [one.part, start - share, start];
      }
      const from = forecasts && k ? parts[0].to : one.from;
      return [forecasts && k ? "test" : one.part, (from - low) / (high - low), (one.to - low) / (high - low)];
    });
    if (parts.length < 2) return;
    const row = ([name, from, to], k) => element("div", { class: "bar" }, element("span", { class: "name" }, name),
      element("span", { class: "track" }, element("span", { class: "fill", style: { marginLeft: `${100 * from}%`, width: `${Math.max(100 * (to - from), 0.4)}%`, background: `var(${Charts.COLOURS[k % 6]})` } })),
      element("span", { class: "value" }, timed ? "" : `${Math.round(100 * (to - from))} %`));
    body.append(element("h3", {}, timed ? "Parts on a time line" : "Share of each part"), element("div", { class: "bars wide" }, spans.map(row)));
  }

  function copying() {
    for (const button of document.querySelectorAll("button[data-copies]"))
      button.addEventListener("click", async () => {
        const text = document.getElementById(button.dataset.copies).textContent;
        try {
          await navigator.clipboard.writeText(text);
        } catch { // a file has no clipboard in some browsers: by selection
          const area = element("textarea", { style: { position: "fixed", opacity: 0 } });
          area.value = text;
          document.body.append(area);
          area.select();
          document.execCommand("copy");
          area.remove();
        }
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
  }

  function themes() {
    const root = document.documentElement, button = section("theme"), names = ["auto", "light", "dark"];
    const kept = (() => { try { return localStorage.getItem("seqkit-theme"); } catch { return null; } })();
    const set = (name, first) => {
      root.dataset.theme = name;
      button.textContent = `Theme: ${name}`;
      if (!first) Charts.redraw();
    };
    set(names.includes(kept) ? kept : "auto", true);
    button.addEventListener("click", () => {
      const next = names[(names.indexOf(root.dataset.theme) + 1) % 3];
      set(next, false);
      document.dispatchEvent(new Event("theme"));
      try { localStorage.setItem("seqkit-theme", next); } catch { /* a file may have no storage */ }
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => Charts.redraw());
    addEventListener("beforeprint", () => { root.classList.add("printing"); root.dataset.before = root.dataset.theme; set("light", false); });
    addEventListener("afterprint", () => { root.classList.remove("printing"); set(root.dataset.before || "auto", false); });
  }

  themes();
  copying();
  let list = null;
  for (const id of ["series", "errors", "training", "data-section", "try"]) section(id).hidden = false;
  const trial = Playground.make(section("try").querySelector(".body"), data);
  fill("series", (body) => {
    if (data.series && data.series.items.length) {
      list = Series.explorer(body, data, trial.follow);
      list.start();
    } else if (data.series && data.series.leftOut)
      body.append(element("p", { class: "soft" }, `The run keeps none of its ${data.series.of} series: evaluate.keep_series is false in its recipe. So there is none to choose, and none to try the model on.`));
  });
  fill("errors", (body) => {
    confusion(body, list);
    byStep(body);
    byTime(body);
    residuals(body);
    curves(body);
    bySeries(body);
  });
  fill("training", training);
  fill("data-section", described);
  fill("try", () => {});
  document.documentElement.dataset.ready = "yes";
})();

// The network of a run, computed in the page: forward passes of what network.json describes.
//
// A tensor is {shape, data}: batch first, sequences (batch, time, features), numbers in double
// precision. A series is computed at its own length, so there is no padding and no `lengths`: where
// a layer takes or gives them they are null. What a layer computes is said in its file of
// seqkit/network/layers; cells are rows of seqkit.cells.CELLS, which the page holds as data.
"use strict";

const Model = (() => {
  const sizeOf = (shape) => shape.reduce((n, m) => n * m, 1);
  const tensor = (shape, data) => ({ shape, data: data || new Float64Array(sizeOf(shape)) });
  const map = (x, f) => tensor(x.shape, x.data.map(f));
  const last = (x) => x.shape[x.shape.length - 1];
  const sigmoid = (v) => 1 / (1 + Math.exp(-v));
  const softplus = (v) => (v > 30 ? v : Math.log1p(Math.exp(v)));
  const ACTIVATIONS = {
    linear: (v) => v, relu: (v) => Math.max(v, 0), tanh: Math.tanh, sigmoid,
  };

  // f(x, statistic) of each feature, or of each place that a statistic is of, repeated in front
  const along = (x, statistic, f) =>
    map(x, (v, k) => f(v, statistic.data[k % statistic.data.length]));

  // x W + b over the last axis
  function dense(x, kernel, bias, activation = "linear") {
    const [n, units] = kernel.shape, rows = x.data.length / n, w = kernel.data;
    const out = tensor([...x.shape.slice(0, -1), units]), act = ACTIVATIONS[activation];
    const sum = new Float64Array(units);
    for (let r = 0; r < rows; r++) {
      if (bias) sum.set(bias.data); else sum.fill(0);
      for (let i = 0; i < n; i++) {
        const v = x.data[r * n + i];
        if (v !== 0) for (let j = 0; j < units; j++) sum[j] += v * w[i * units + j];
      }
      for (let j = 0; j < units; j++) out.data[r * units + j] = act(sum[j]);
    }
    return out;
  }

  // Rows of axis 1 by a function of the place: (batch, n, ...)
  function gather(x, n, place) {
    const [batch, time, ...rest] = x.shape, width = sizeOf(rest);
    const out = tensor([batch, n, ...rest]);
    for (let b = 0; b < batch; b++)
      for (let t = 0; t < n; t++) {
        const from = place(t);
        if (from < 0 || from >= time) continue; // zeros
        const start = (b * time + from) * width;
        out.data.set(x.data.subarray(start, start + width), (b * n + t) * width);
      }
    return out;
  }

  function transpose(x, order) { // of three or four axes
    const shape = order.map((axis) => x.shape[axis]), out = tensor(shape);
    const step = x.shape.map((_, axis) => sizeOf(x.shape.slice(axis + 1)));
    const at = new Array(shape.length).fill(0);
    for (let k = 0; k < out.data.length; k++) {
      let from = 0;
      for (let a = 0; a < shape.length; a++) from += at[a] * step[order[a]];
      out.data[k] = x.data[from];
      for (let a = shape.length - 1; a >= 0 && ++at[a] === shape[a]; a--) at[a] = 0;
    }
    return out;
  }

  function concatenate(parts, axis) {
    const n = parts[0].shape.length, index = axis < 0 ? n + axis : axis;
    const shape = [...parts[0].shape];
    shape[index] = parts.reduce((sum, part) => sum + part.shape[index], 0);
    const out = tensor(shape), blocks = sizeOf(shape.slice(0, index));
    const widths = parts.map((part) => part.data.length / blocks);
    let to = 0;
    for (let b = 0; b < blocks; b++)
      parts.forEach((part, k) => {
        out.data.set(part.data.subarray(b * widths[k], (b + 1) * widths[k]), to);
        to += widths[k];
      });
    return out;
  }

  // One number for each (batch, feature) from its steps
  function overTime(x, f) {
    const [batch, time, width] = x.shape, out = tensor([batch, width]);
    const steps = new Float64Array(time);
    for (let b = 0; b < batch; b++)
      for (let j = 0; j < width; j++) {
        for (let t = 0; t < time; t++) steps[t] = x.data[(b * time + t) * width + j];
        out.data[b * width + j] = f(steps);
      }
    return out;
  }
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const greatest = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
  const variance = (values) => {
    const middle = mean(values);
    return values.reduce((sum, v) => sum + (v - middle) ** 2, 0) / values.length;
  };

  // The sum of equal shapes, or of steps and a vector that is added to each of them
  function sum(x, y, f = (v) => v) {
    if (x.shape.length === y.shape.length) return map(x, (v, k) => f(v + y.data[k]));
    const width = last(x), each = x.data.length / x.shape[0];
    return map(x, (v, k) => f(v + y.data[Math.floor(k / each) * width + (k % width)]));
  }

  function softmax(x) {
    const n = last(x), out = tensor(x.shape);
    for (let k = 0; k < x.data.length; k += n) {
      const row = x.data.subarray(k, k + n), top = greatest(row);
      const e = row.map((v) => Math.exp(v - top)), total = e.reduce((a, b) => a + b, 0);
      out.data.set(e.map((v) => v / total), k);
    }
    return out;
  }

  function unitOf(x, axisTime, epsilon) { // (x - mean) / sqrt(variance + epsilon)
    const out = tensor(x.shape), width = last(x);
    const time = axisTime ? x.shape[1] : width, step = axisTime ? width : 1;
    const groups = x.data.length / time, values = new Float64Array(time);
    for (let g = 0; g < groups; g++) {
      const start = axisTime ? Math.floor(g / width) * time * width + (g % width) : g * time;
      for (let t = 0; t < time; t++) values[t] = x.data[start + t * step];
      const middle = mean(values), inverse = 1 / Math.sqrt(variance(values) + epsilon);
      for (let t = 0; t < time; t++) out.data[start + t * step] = (values[t] - middle) * inverse;
    }
    return out;
  }

  // --- the recurrent layer --------------------------------------------------------------------

  // One step of a cell for one series: `wx` is W x + b by gate, `before` the states by name.
  function cellStep(cell, weights, units, wx, before) {
    const gate = ACTIVATIONS[cell.gate_activation], input = ACTIVATIONS[cell.input_activation];
    const output = ACTIVATIONS[cell.output_activation], h = before.h, n = cell.gates.length;
    const columns = n * units, R = weights.recurrent_kernel.data;
    const product = (state, name) => { // R of one gate times a state
      const out = new Float64Array(units), start = cell.gates.indexOf(name) * units;
      for (let i = 0; i < units; i++) {
        const v = state[i];
        if (v !== 0) for (let j = 0; j < units; j++) out[j] += v * R[i * columns + start + j];
      }
      return out;
    };
    const each = (f) => Float64Array.from({ length: units }, (_, j) => f(j));
    if (cell.family === "gru") {
      const d = (name, j) =>
        cell.reset === "after" ? weights.bias.data[columns + cell.gates.indexOf(name) * units + j] : 0;
      const gated = (name) => {
        const r = product(h, name);
        return each((j) => gate(wx[name][j] + r[j] + d(name, j)));
      };
      const z = gated("z"), r = gated("r");
      const R_h = product(cell.reset === "after" ? h : each((j) => r[j] * h[j]), "h");
      const candidate = each((j) => cell.reset === "after"
        ? input(wx.h[j] + r[j] * (R_h[j] + d("h", j))) : input(wx.h[j] + R_h[j]));
      return [{ h: each((j) => z[j] * h[j] + (1 - z[j]) * candidate[j]) }, { z, r, "h~": candidate }];
    }
    if (cell.family === "simple") {
      const r = product(h, "h");
      return [{ h: each((j) => input(wx.h[j] + r[j])) }, {}];
    }
    let fed = null; // gates of the step before, which feed the gates
    if (cell.gate_recurrence.length) {
      const K = weights.gate_kernel, width = K.shape[1], gates = cell.gate_recurrence;
      fed = new Float64Array(width);
      gates.forEach((name, k) => {
        for (let i = 0; i < units; i++)
          for (let j = 0; j < width; j++)
            fed[j] += before[name][i] * K.data[(k * units + i) * width + j];
      });
    }
    const gated = (name, memory) => {
      const r = product(h, name), peep = cell.peepholes.indexOf(name);
      const from = cell.gate_recurrence.indexOf(name) * units;
      return each((j) => gate(wx[name][j] + r[j] + (fed ? fed[from + j] : 0)
        + (peep < 0 ? 0 : weights.peephole_kernel.data[peep * units + j] * memory[j])));
    };
    const has = (name) => cell.gates.includes(name), r = product(h, "c");
    const g = each((j) => input(wx.c[j] + r[j])), gates = { g };
    if (has("i")) gates.i = gated("i", before.c);
    if (has("f")) gates.f = gated("f", before.c);
    if (cell.coupled) gates.f = gates.i.map((v) => 1 - v);
    const c = each((j) => (gates.f ? gates.f[j] : 1) * before.c[j] + (gates.i ? gates.i[j] : 1) * g[j]);
    if (has("o")) gates.o = gated("o", c);
    const after = { h: each((j) => (gates.o ? gates.o[j] : 1) * output(c[j])), c };
    for (const name of cell.gate_recurrence) after[name] = gates[name];
    return [after, gates];
  }

  // One direction over a batch: the h of each step, the last states, and what each step did
  function direction(cell, weights, units, x, reverse, initial, trace) {
    const [batch, time, width] = x.shape, columns = cell.gates.length * units;
    const bias = tensor([columns], weights.bias.data.subarray(0, columns));
    const projected = dense(x, weights.kernel, bias).data;
    const out = tensor([batch, time, units]), ends = cell.states.map(() => tensor([batch, units]));
    for (let b = 0; b < batch; b++) {
      let states = {};
      cell.states.forEach((name, k) => {
        states[name] = initial.length ? initial[k].data.slice(b * units, (b + 1) * units)
          : new Float64Array(units);
      });
      for (let step = 0; step < time; step++) {
        const t = reverse ? time - 1 - step : step, wx = {};
        cell.gates.forEach((name, k) => {
          const start = (b * time + t) * columns + k * units;
          wx[name] = projected.subarray(start, start + units);
        });
        const [after, gates] = cellStep(cell, weights, units, wx, states);
        if (trace && b === 0)
          for (const [name, values] of Object.entries({ ...gates, ...after }))
            (trace[name] = trace[name] || new Array(time))[t] = values;
        states = after;
        out.data.set(states.h, (b * time + t) * units);
      }
      cell.states.forEach((name, k) => ends[k].data.set(states[name], b * units));
    }
    return { out, ends };
  }

  function recurrent(s, p, x, initial, cells, trace) {
    const cell = cells[s.cell], both = s.bidirectional ? ["forward/", "backward/"] : [""];
    const found = both.map((start, index) => {
      const weights = {};
      for (const [path, value] of Object.entries(p))
        if (path.startsWith(start)) weights[path.slice(start.length)] = value;
      const steps = trace ? (trace[index] = { direction: start.slice(0, -1), gates: {} }) : null;
      return direction(cell, weights, s.units, x, index === 1, initial, steps && steps.gates);
    });
    const parts = found.map((one) => (s.return_sequences ? one.out : one.ends[0]));
    const out = parts.length === 1 ? parts[0] : concatenate(parts, -1);
    return s.return_state ? [out, ...found[0].ends] : out;
  }

  // --- heads of forecasters -------------------------------------------------------------------

  function headed(head, net, naive) { // (b, h, t, p)
    const n = last(net), out = tensor(net.shape), start = (k) => (naive ? naive.data[k / n] : 0);
    for (let k = 0; k < net.data.length; k += n) {
      const v = net.data.subarray(k, k + n), o = out.data.subarray(k, k + n);
      if (head === "point") o[0] = v[0] + start(k);
      else if (head === "quantiles") {
        const middle = Math.floor(n / 2);
        o[middle] = v[middle] + start(k);
        for (let q = middle + 1; q < n; q++) o[q] = o[q - 1] + softplus(v[q]);
        for (let q = middle - 1; q >= 0; q--) o[q] = o[q + 1] - softplus(v[q]);
      } else if (head === "normal" || head === "student_t") {
        o[0] = v[0] + start(k);
        o[1] = softplus(v[1]) + 1e-3;
        for (let q = 2; q < n; q++) o[q] = 2 + softplus(v[q]);
      } else for (let q = 0; q < n; q++) o[q] = softplus(v[q]) + 1e-4;
    }
    return head === "point" ? tensor(net.shape.slice(0, -1), out.data) : out;
  }

  const COUNTS = ["negative_binomial", "poisson"];

  function windowStatistics(s, p, x) { // of the first n_targets channels, [(b, 1, t), (b, 1, t)]
    const n = s.n_targets, [batch, time, width] = x.shape;
    const center = tensor([batch, 1, n]), spread = tensor([batch, 1, n]);
    for (let b = 0; b < batch; b++)
      for (let j = 0; j < n; j++) {
        const at = b * n + j;
        if (s.kind === "none" || width < n) {
          center.data[at] = p.offset.data[j];
          spread.data[at] = p.scale.data[j];
          continue;
        }
        const values = Float64Array.from({ length: time }, (_, t) => x.data[(b * time + t) * width + j]);
        center.data[at] = values[time - 1];
        spread.data[at] = p.scale.data[j];
        if (s.kind === "last") continue;
        center.data[at] = mean(values);
        const apart = Math.sqrt(variance(values)), level = Math.abs(center.data[at]);
        const usual = p.scale.data[j], known = level > 0 ? Math.min(level, usual) : usual;
        spread.data[at] = apart <= 4 * Number.EPSILON * level ? known : apart;
      }
    return [center, spread];
  }

  // f(value, center, spread) over (b, h, t[, p]), a statistic for each b and t
  function inWindow(x, center, spread, f) {
    const [batch, time, n] = x.shape, width = x.shape.length > 3 ? x.shape[3] : 1;
    return map(x, (v, k) => {
      const at = Math.floor(k / (time * n * width)) * n + (Math.floor(k / width) % n);
      return f(v, center.data[at], spread.data[at], k % width);
    });
  }

  function naive(s, x) {
    const n = x.shape[1];
    return gather(x, s.horizon, (h) => {
      const step = s.kind === "last" ? n - 1 : n - s.season + (h % s.season);
      return step < 0 ? n - 1 : step;
    });
  }

  // --- every kind of layer: (settings, weights, inputs, page) => tensor, or several -------------

  const KINDS = {
    Add: (s, p, [x, y]) => sum(x, y),
    AsSequence: (s, p, [x]) => tensor([x.shape[0], 1, x.shape[1]], x.data),
    AttentionPooling(s, p, [x]) {
      const [batch, time, width] = x.shape, out = tensor([batch, width]);
      const score = dense(dense(x, p.kernel, p.bias, "tanh"), p.query, null);
      const share = softmax(tensor([batch, time], score.data)).data;
      x.data.forEach((v, k) => {
        const row = Math.floor(k / width);
        out.data[Math.floor(row / time) * width + (k % width)] += share[row] * v;
      });
      return out;
    },
    BatchNormalization(s, p, [x]) {
      const act = ACTIVATIONS[s.activation], n = last(x);
      return map(x, (v, k) => {
        const j = k % n, factor = p.gamma.data[j] / Math.sqrt(p.moving_variance.data[j] + s.epsilon);
        return act(v * factor + (p.beta.data[j] - p.moving_mean.data[j] * factor));
      });
    },
    Columns(s, p, [x]) {
      const n = last(x), stop = s.stop === null ? n : s.stop, width = stop - s.start;
      return tensor([...x.shape.slice(0, -1), width],
        x.data.filter((_, k) => k % n >= s.start && k % n < stop));
    },
    Concatenate(s, p, parts) {
      const whole = concatenate(parts, s.axis);
      return s.most === null ? whole : gather(whole, s.most, (t) => t);
    },
    Convolution(s, p, [x]) {
      const [batch, time, width] = x.shape, K = s.kernel_size, before = Math.floor((K - 1) / 2);
      const steps = Math.ceil(time / s.stride), padded = gather(x, time + K - 1, (t) => t - before);
      const patches = tensor([batch, steps, K * width]);
      for (let b = 0; b < batch; b++)
        for (let t = 0; t < steps; t++) {
          const start = (b * (time + K - 1) + t * s.stride) * width;
          patches.data.set(padded.data.subarray(start, start + K * width), (b * steps + t) * K * width);
        }
      return [dense(patches, tensor([K * width, s.filters], p.kernel.data), p.bias), null];
    },
    CountScale(s, p, [x, targets]) {
      const level = overTime(targets, mean), [, horizon, n, width] = x.shape;
      return map(x, (v, k) => {
        const at = Math.floor(k / (horizon * n * width)) * n + (Math.floor(k / width) % n);
        return k % width ? v : v * (1 + Math.abs(level.data[at]));
      });
    },
    Dense: (s, p, [x]) => dense(x, p.kernel, p.bias, s.activation),
    Deviations(s, p, [x]) {
      const each = x.shape[1] * x.shape[2];
      return map(x, (v, k) => (v - p.offset.data[k % each]) / p.scale.data[k % each]);
    },
    Averages(s, p, [x]) {
      const [batch, time, width] = x.shape, n = s.steps.length;
      const out = tensor([batch, time, n * width]);
      s.steps.forEach((steps, k) => {
        for (let b = 0; b < batch; b++) {
          const sums = new Float32Array(width);
          for (let t = 0, weight = 0; t < time; t++) {
            weight = weight * (1 - 1 / steps) + 1;
            for (let j = 0; j < width; j++) {
              sums[j] = sums[j] * (1 - 1 / steps) + x.data[(b * time + t) * width + j];
              out.data[((b * time + t) * n + k) * width + j] = sums[j] / weight;
            }
          }
        }
      });
      return out;
    },
    Differences(s, p, [x]) {
      const [, time, width] = x.shape;
      return map(x, (v, k) => (Math.floor(k / width) % time ? (v - x.data[k - width]) / p.scale.data[k % width] : 0));
    },
    Dropout: (s, p, [x]) => x,
    Embedding(s, p, [codes]) {
      const n = codes.shape[1], out = tensor([codes.shape[0], s.units]);
      for (let b = 0; b < codes.shape[0]; b++) {
        const row = codes.data[b * n + s.column] * s.units;
        out.data.set(p.embeddings.data.subarray(row, row + s.units), b * s.units);
      }
      return out;
    },
    FoldChannels(s, p, [x]) {
      return tensor([x.shape[0] * s.n_channels, x.shape[1], 1], transpose(x, [0, 2, 1]).data);
    },
    FoldSteps: (s, p, [x]) => tensor([x.shape[0] * x.shape[1], 1, x.shape[2]], x.data),
    HeadLayer(s, p, [net, from]) {
      if (net.shape.length === 4) return headed(s.head, net, from);
      const out = headed(s.head, tensor([net.shape[0], 1, ...net.shape.slice(1)], net.data), from);
      return tensor([out.shape[0], ...out.shape.slice(2)], out.data);
    },
    Last: (s, p, [x]) => gather(x, s.n_steps, (t) => x.shape[1] - s.n_steps + t),
    LayerNormalization(s, p, [x]) {
      return along(along(unitOf(x, false, s.epsilon), p.gamma, (v, w) => v * w), p.beta, (v, w) => v + w);
    },
    LeftPatch(s, p, [x]) {
      const n = Math.ceil(x.shape[1] / s.size), rest = n * s.size - x.shape[1];
      const padded = gather(x, n * s.size, (t) => t - rest);
      return [tensor([x.shape[0], n, s.size * x.shape[2]], padded.data), null];
    },
    MaskPadding: (s, p, [x]) => x,
    MeanOfMoves(s, p, [x]) {
      const batch = x.shape[0] / s.n, each = batch * x.shape[1], out = tensor([batch, x.shape[1]]);
      x.data.forEach((v, k) => { out.data[k % each] += v / s.n; });
      return out;
    },
    Moves(s, p, [x]) {
      const end = x.shape[1] - 1;
      const moved = s.moves.map((move) =>
        gather(x, end + 1, (t) => Math.min(Math.max(t + move, 0), end)));
      return [concatenate(moved, 0), null];
    },
    NaiveForecast: (s, p, [x]) => naive(s, x),
    Normalize: (s, p, [x, center, spread]) => inWindow(x, center, spread, (v, c, w) => (v - c) / w),
    NormalizeSeries: (s, p, [x]) => unitOf(x, true, s.epsilon),
    Patch(s, p, [x]) {
      const [batch, time, width] = x.shape, n = Math.ceil(time / s.size), reads = s.size + s.overlap;
      const before = Math.floor(s.overlap / 2);
      const steps = gather(x, n * reads, (k) => Math.floor(k / reads) * s.size + (k % reads) - before);
      return [tensor([batch, n, reads * width], steps.data), null];
    },
    Pick(s, p, [x]) {
      const n = last(x), at = s.place < 0 ? n + s.place : s.place;
      return tensor(x.shape.slice(0, -1), x.data.filter((_, k) => k % n === at));
    },
    Pooling(s, p, [x]) {
      const [batch, time, width] = x.shape, half = s.bidirectional ? width / 2 : width;
      if (s.mode === "last") {
        const out = tensor([batch, width]);
        for (let b = 0; b < batch; b++)
          for (let j = 0; j < width; j++)
            out.data[b * width + j] = x.data[(b * time + (j < half ? time - 1 : 0)) * width + j];
        return out;
      }
      const parts = { mean: [mean], max: [greatest], mean_max: [mean, greatest] }[s.mode];
      return concatenate(parts.map((f) => overTime(x, f)), -1);
    },
    Recurrent: (s, p, [x, lengths, ...initial], page, trace) =>
      recurrent(s, p, x, initial, page.cells, trace),
    ReluSum: (s, p, [x, y]) => sum(x, y, ACTIVATIONS.relu),
    RepeatRows(s, p, [x]) {
      const each = x.data.length / x.shape[0], out = tensor([x.shape[0] * s.times, ...x.shape.slice(1)]);
      for (let b = 0; b < out.shape[0]; b++) {
        const from = Math.floor(b / s.times) * each;
        out.data.set(x.data.subarray(from, from + each), b * each);
      }
      return out;
    },
    Reshape: (s, p, [x]) => tensor([x.data.length / sizeOf(s.target), ...s.target], x.data),
    SegmentQueries(s, p, [x]) {
      const batch = x.shape[0], own = last(p.position), out = tensor([batch, s.n_segments, s.width]);
      for (let b = 0; b < batch; b++)
        for (let k = 0; k < s.n_segments; k++) {
          const to = (b * s.n_segments + k) * s.width;
          out.data.set(p.position.data.subarray(k * own, (k + 1) * own), to);
          if (!p.channel) continue;
          const n = last(p.channel), row = (b % s.n_channels) * n;
          out.data.set(p.channel.data.subarray(row, row + n), to + own);
        }
      return out;
    },
    Segments(s, p, [x]) {
      const whole = gather(x, s.n_segments * s.patch, (t) => t);
      return tensor([x.shape[0], s.n_segments, s.patch * x.shape[2]], whole.data);
    },
    Sigmoid: (s, p, [x]) => map(x, sigmoid),
    Softmax: (s, p, [x]) => softmax(x),
    Standardize: (s, p, [x]) =>
      along(along(x, p.offset, (v, w) => v - w), p.scale, (v, w) => v / w),
    Step(s, p, [x]) {
      const at = s.place < 0 ? x.shape[1] + s.place : s.place, out = gather(x, 1, () => at);
      return tensor([x.shape[0], ...x.shape.slice(2)], out.data);
    },
    TokenEmbedding(s, p, [codes]) {
      const out = tensor([...codes.shape, s.units]);
      codes.data.forEach((code, k) =>
        out.data.set(p.embeddings.data.subarray(code * s.units, (code + 1) * s.units), k * s.units));
      return out;
    },
    ToUnits(s, p, [x, center, spread]) {
      if (COUNTS.includes(s.head)) return x;
      const all = s.head === "point" || s.head === "quantiles";
      return inWindow(x, center, spread, (v, c, w, k) =>
        all || k === 0 ? c + w * v : k === 1 ? w * v : v);
    },
    UnfoldChannels(s, p, [x]) { // (b n, h, 1, p) -> (b, h, n, p)
      const [rows, horizon, , width] = x.shape;
      return transpose(tensor([rows / s.n_channels, s.n_channels, horizon, width], x.data), [0, 2, 1, 3]);
    },
    UnfoldSegments(s, p, [x]) {
      const [horizon, ...rest] = s.target, steps = (s.n_segments * last(x)) / sizeOf(rest);
      const batch = x.data.length / (steps * sizeOf(rest));
      return gather(tensor([batch, steps, ...rest], x.data), horizon, (t) => t);
    },
    Unstandardize(s, p, [x]) {
      const n = s.axis === -1 ? 1 : last(x), m = p.scale.data.length;
      return map(x, (v, k) => {
        const j = Math.floor(k / n) % m;
        return v * p.scale.data[j] + p.offset.data[j];
      });
    },
    WindowStatistics: (s, p, [x]) => windowStatistics(s, p, x),
  };

  // --- the theta forecast, of windows that are valid as a whole -----------------------------------

  const SMOOTHING = [0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 0.99], SHARES = [0, 0.5, 1];
  const STRETCH = [0.3, 3], MOST_THETA_STEPS = 512, TINY = 1e-9;
  const total = (values) => values.reduce((a, b) => a + b, 0);
  const squares = (values) => values.reduce((a, v) => a + v * v, 0);
  const keptShare = (spread, square) => Math.max(1 - spread / (square + TINY), 0);
  const stretched = (v) => Math.min(Math.max(v, STRETCH[0]), STRETCH[1]);
  const modulo = (k, m) => ((k % m) + m) % m;

  // The season of a series that ends at its last step: of each step, and of each step ahead; a step
  // counts less by `fades` for each season that it is ago
  function seasonOf(y, m, fades = null) {
    const n = y.length, ends = m % 2 ? 0 : 0.5, half = Math.floor(m / 2);
    const average = y.map((_, k) => {
      if (k < half || k >= n - half) return 0;
      let sum = 0;
      for (let j = -half; j <= half; j++) sum += y[k + j] * (ends && Math.abs(j) === half ? ends : 1);
      return sum / m;
    });
    const inside = y.map((_, k) => (k >= half && k < n - half ? 1 : 0)), number = Math.max(total(inside), 1);
    const apart = y.map((v, k) => (v - average[k]) * inside[k]), phase = y.map((_, k) => modulo(k - n, m));
    const sums = new Float64Array(m), each = new Float64Array(m);
    apart.forEach((v, k) => {
      const weight = fades === null ? 1 : Math.pow(fades, Math.floor((n - 1 - k) / m));
      sums[phase[k]] += v * weight;
      each[phase[k]] += inside[k] * weight;
    });
    const least = fades === null ? 1 : TINY;
    const raw = sums.map((v, j) => v / Math.max(each[j], least)), figure = raw.map((v) => v - mean(raw));
    const usual = y.map((_, k) => figure[phase[k]] * inside[k]), rest = apart.map((v, k) => v - usual[k]);
    const middle = total(average.map((v, k) => v * inside[k])) / number;
    const moved = usual.map((v, k) => v * (average[k] - middle) * inside[k]), moves = squares(moved) + TINY;
    const slope = total(rest.map((v, k) => v * moved[k])) / moves;
    const noise = squares(rest.map((v, k) => v - slope * moved[k])) / Math.max(number - m, 1);
    const growth = slope * keptShare(noise / moves, slope * slope), size = squares(figure) / m;
    const spread = (m / Math.max(number, m)) * (m > 3 ? (m - 3) / (m - 1) : 1);
    const shrunk = figure.map((v) => v * keptShare(spread * noise, size));
    const level = (k) => average[Math.min(Math.max(k, half), n - half - 1)];
    const steps = y.map((_, k) => shrunk[phase[k]] * stretched(1 + growth * (level(k) - middle)));
    return [steps, (h, at) => shrunk[h % m] * stretched(1 + growth * (at - middle))];
  }

  // Level and trend of a series without a season, going on for the horizon; `decays` are what is left
  // of a step's weight at the next, `damping` of a trend
  function smoothed(all, horizon, decays, damping) {
    const y = all.slice(-MOST_THETA_STEPS), n = y.length;
    const step = y.map((_, k) => k + 1 - n), middle = mean(step), away = step.map((v) => v - middle);
    const slope = total(away.map((v, k) => v * y[k])) / Math.max(squares(away), TINY);
    const likely = [], ends = [], slopes = [];
    const grid = decays.map((left) => { // discounted means of the series and of time, and their errors
      let weight = 0, sum = 0, time = 0, yy = 0, yt = 0, tt = 0;
      for (let k = 0; k < n; k++) {
        if (k) {
          const w = Math.max(weight, TINY), e = y[k] - sum / w, t = (step[k] - time / w) * slope;
          yy += e * e; yt += e * t; tt += t * t;
        }
        weight = weight * left + 1;
        sum = sum * left + y[k];
        time = time * left + step[k];
      }
      const w = Math.max(weight, TINY);
      return { level: sum / w, time: time / w, yy, yt, tt };
    });
    for (const share of SHARES)
      for (const one of grid) {
        const error = Math.max(one.yy - 2 * share * one.yt + share * share * one.tt, 0) + TINY;
        likely.push(-0.5 * Math.max(n - 1, 1) * Math.log(error));
        ends.push(one.level - share * slope * one.time);
        slopes.push(share * slope);
      }
    const weights = softmax(tensor([likely.length], Float64Array.from(likely))).data;
    const end = total(ends.map((v, k) => v * weights[k])), trend = total(slopes.map((v, k) => v * weights[k]));
    let ahead = 0, kept = 1;
    return Array.from({ length: horizon }, () => {
      kept *= damping;
      ahead += kept;
      return end + trend * ahead;
    });
  }

  const FIXED = { decays: SMOOTHING.map((a) => 1 - a), damping: 1, fades: null };

  KINDS.ThetaForecast = (s, p, [x], page, trace, constants = FIXED) => {
    const [batch, n, width] = x.shape, out = tensor([batch, s.horizon, width]);
    for (let b = 0; b < batch; b++)
      for (let j = 0; j < width; j++) {
        const values = Array.from({ length: n }, (_, t) => x.data[(b * n + t) * width + j]);
        const center = values[n - 1], apart = values.map((v) => v - center);
        const unit = Math.sqrt(squares(apart) / n) || 1;
        let y = apart.map((v) => v / unit), ahead = () => 0;
        if (s.season > 1 && 2 * s.season <= n) {
          const [season, following] = seasonOf(y, s.season, constants.fades);
          y = y.map((v, k) => v - season[k]);
          ahead = following;
        }
        smoothed(y, s.horizon, constants.decays, constants.damping).forEach((level, h) => {
          out.data[(b * s.horizon + h) * width + j] = center + unit * (level + ahead(h, level));
        });
      }
    return out;
  };

  KINDS.LearnedTheta = (s, p, inputs, page, trace) => KINDS.ThetaForecast(s, p, inputs, page, trace, {
    decays: Array.from(p.smoothing.data, (w) => sigmoid(-w)), damping: sigmoid(p.damping.data[0]),
    fades: p.seasonal_smoothing ? sigmoid(-p.seasonal_smoothing.data[0]) : null,
  });

  // A prediction moved towards another forecast of its middle
  KINDS.Combine = (s, p, [x, other]) => {
    const n = s.middle.length || 1, weights = s.middle.length ? s.middle : [1];
    return map(x, (v, k) => {
      const start = k - (k % n);
      const middle = weights.reduce((sum, w, q) => sum + w * x.data[start + q], 0);
      return k % n < (s.middle.length ? s.moved : 1) ? v + s.share * (other.data[start / n] - middle) : v;
    });
  };

  KINDS.FixedNormalization = KINDS.BatchNormalization; // the same, of weights that are not trained

  // --- a network, and the networks of a run -----------------------------------------------------

  function unpack(text, dtype) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return dtype === "float64" ? new Float64Array(bytes.buffer)
      : Float64Array.from(new Float32Array(bytes.buffer));
  }
  const array = (packed) => tensor(packed.shape, unpack(packed.base64, packed.dtype));

  // Weights by node and name, from one text of all numbers
  function weightsOf(member) {
    const all = unpack(member.numbers, "float32"), found = {};
    let start = 0;
    for (const [node, name, shape] of member.weights) {
      const n = sizeOf(shape);
      (found[node] = found[node] || {})[name] = tensor(shape, all.subarray(start, start + n));
      start += n;
    }
    return found;
  }

  // Kinds of layers of a page's model that are not computed here
  function missing(page) {
    const kinds = page.members.flatMap((member) => member.network.nodes.map((node) => node.kind));
    return [...new Set(kinds.filter((kind) => !(kind in KINDS)))];
  }

  // The output of a network for named inputs; `traces` takes what each recurrent layer did
  function run(member, page, inputs, traces = null) {
    const network = member.network, values = { ...inputs };
    member.values = member.values || weightsOf(member);
    for (const node of network.nodes) {
      const given = node.inputs.map((ref) => (ref === null ? null : values[ref] || null));
      const trace = traces && node.kind === "Recurrent" ? (traces[node.name] = []) : null;
      const weights = member.values[node.shares || node.name] || {};
      const out = KINDS[node.kind](node.settings, weights, given, page, trace);
      (Array.isArray(out) ? out : [out]).forEach((one, k) => {
        values[k ? `${node.name}:${k}` : node.name] = one;
      });
    }
    return values[network.output];
  }

  const power = (v, k) => (k ? Math.pow(v, k) / k : Math.log(v));
  const unpower = (v, k) => (k ? Math.pow(Math.max(k * v, 0), 1 / k) : Math.exp(v));
  // f of the first columns of (b, t, n[, p]), each with its own power
  const powered = (x, powers, f) => {
    const n = x.shape[2], width = x.shape.length > 3 ? x.shape[3] : 1;
    return map(x, (v, k) => {
      const j = Math.floor(k / width) % n;
      return j < powers.length ? f(v, powers[j]) : v;
    });
  };

  // What the networks of a run answer together: the mean of classes and numbers, the median of
  // forecasts. Each forecaster sees the last steps of x that it has a context for.
  function answer(page, inputs, traces = null) {
    const forecasts = page.contexts !== null;
    const answers = page.members.map((member, k) => {
      let own = inputs;
      if (forecasts) {
        const n = Math.min(page.contexts[k], inputs.x.shape[1]);
        let x = gather(inputs.x, n, (t) => inputs.x.shape[1] - n + t);
        if (page.powers) x = powered(x, page.powers, power);
        own = { ...inputs, x };
      }
      const out = run(member, page, own, k === 0 ? traces : null);
      return page.powers ? powered(out, page.powers, unpower) : out;
    });
    const together = answers.length === 1 ? answers[0] : map(answers[0], (_, k) => {
      const all = answers.map((one) => one.data[k]);
      if (!forecasts) return mean(all);
      all.sort((a, b) => a - b);
      return (all[(all.length - 1) >> 1] + all[all.length >> 1]) / 2;
    });
    return page.theta ? combined(page, together, inputs) : together;
  }

  // A forecast with the theta forecast of the last steps beside it
  function combined(page, forecast, inputs) {
    const past = inputs.x, n = Math.min(page.theta.window, past.shape[1]);
    const x = gather(past, n, (t) => past.shape[1] - n + t);
    const targets = KINDS.Columns({ start: 0, stop: page.targets }, null, [x]);
    const other = KINDS.ThetaForecast(page.theta, null, [targets]);
    return KINDS.Combine(page.theta.combine, null, [forecast, other]);
  }

  return { KINDS, answer, array, missing, run, tensor };
})();

if (typeof module !== "undefined") module.exports = Model;

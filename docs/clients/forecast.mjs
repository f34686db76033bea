// Forecast with an exported model, by ONNX Runtime Web alone.

/** Yield the parts of a protobuf message that have a length, as [number, bytes]. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0, unit = 1, byte;
    do {
      byte = bytes[at++];
      value += (byte & 127) * unit;
      unit *= 128;
    } while (byte > 127);
    return value;
  };
  while (at < bytes.length) {
    const tag = varint(), kind = tag % 8;
    if (kind === 0) varint();
    else if (kind !== 2) at += kind === 1 ? 8 : 4;
    else {
      const size = varint();
      at += size;
      yield [Math.floor(tag / 8), bytes.subarray(at - size, at)];
    }
  }
}

/** Return what a file says of itself, which ONNX Runtime Web does not tell: its field 14. */
export function factsOf(file) {
  const text = new TextDecoder();
  for (const [number, bytes] of fields(new Uint8Array(file))) {
    if (number !== 14) continue;
    const entry = Object.fromEntries([...fields(bytes)].map(([k, v]) => [k, text.decode(v)]));
    if (entry[1] === "seqkit") return JSON.parse(entry[2]);
  }
  throw new Error("the file says nothing of itself: seqkit has not written it");
}

/** Forecast nSteps after past, an array of rows of channels: rows of [target][quantile], flat. */
export async function forecast(ort, session, facts, past, nSteps, future = [], fixed = {}) {
  const { horizon, channels, targets, future: names = [], static_codes: codes = {} } = facts;
  const tensors = Object.fromEntries(facts.inputs.map((one) => [one.name, one]));
  const window = tensors.x.shape[1];
  if (nSteps > horizon && String(channels) !== String([...targets, ...names]))
    throw new Error(`at most ${horizon} steps: what past covariates will be is not known`);
  if (past.length < window && !tensors.lengths)
    throw new Error(`the model reads ${window} steps; past has ${past.length}`);
  if (names.length && future.length < nSteps)
    throw new Error(`future must have ${nSteps} rows, of ${names}`);
  const given = {
    static: (facts.static ?? []).filter((name) => !(name in codes)).map((name) => fixed[name]),
    static_codes: Object.entries(codes).map(([name, known]) => known.indexOf(fixed[name]) + 1),
  };
  const made = [];
  for (let start = 0; start < nSteps; start += horizon) {
    const seen = past.slice(-window);
    given.lengths = [seen.length];
    const before = Array.from({ length: window - seen.length }, () => channels.map(() => 0));
    given.x = [...before, ...seen].flat();
    const steps = Array.from({ length: horizon }, (_, k) => start + k);
    const block = steps.map((k) => (names.length ? future[Math.min(k, future.length - 1)] : []));
    given.future = block.flat();
    const inputs = {};
    for (const { name, dtype, shape } of facts.inputs)
      inputs[name] = new ort.Tensor(dtype, given[name], [1, ...shape.slice(1)]);
    const { data, dims } = (await session.run(inputs))[facts.output.name];
    const levels = dims[3] ?? 1, width = targets.length * levels;
    const median = facts.quantiles ? Math.floor(levels / 2) : 0;
    const rows = block.map((_, k) => Array.from(data.slice(k * width, (k + 1) * width)));
    made.push(...rows);
    const middle = rows.map((row) => targets.map((_, k) => row[k * levels + median]));
    past = [...past, ...middle.map((row, k) => [...row, ...block[k]])]; // go on from the median
  }
  return made.slice(0, nSteps);
}

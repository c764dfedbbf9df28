"use strict";
// The Transformer, and the techniques on it: what transformer/ and peft/ compute, in plain JavaScript.
//
// A sequence is a list of vectors; a vector is a Float32Array. The parts have the names that they have in transformer/,
// the weights the paths that they have in PyTorch. Pre-norm order, as in the base: y = x + sublayer(LayerNorm(x)).
// A technique has a strength a (strength.py): 0 is the base, 1 the technique, and between them the change is a part.

const dot = (w, first, x) => {
  let a = 0, b = 0, c = 0, d = 0;
  for (let i = 0; i < x.length; i += 4) {
    a += w[first + i] * x[i]; b += w[first + i + 1] * x[i + 1];
    c += w[first + i + 2] * x[i + 2]; d += w[first + i + 3] * x[i + 3];
  }
  return a + b + c + d;
};
const affine = (weight, bias, x) => {                                  // W x + b
  const y = new Float32Array(weight.length / x.length);
  for (let i = 0; i < y.length; i++) y[i] = dot(weight, i * x.length, x) + (bias ? bias[i] : 0);
  return y;
};
const plus = (x, y, times = 1) => x.map((value, i) => value + times * y[i]);
const softmax = scores => {
  const largest = Math.max(...scores), sizes = Array.from(scores, s => Math.exp(s - largest));
  const sum = sizes.reduce((a, b) => a + b, 0);
  return sizes.map(size => size / sum);
};
const erf = x => {                                                     // Abramowitz and Stegun 7.1.26, within 1.5e-7
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const y = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - y * Math.exp(-x * x));
};
const ACTIVATIONS = {
  relu: x => Math.max(0, x),
  gelu: x => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  silu: x => x / (1 + Math.exp(-x)),
};

class Transformer {
  constructor(config, base) {
    this.config = config;
    this.base = base;                                                  // path → Float32Array, never written
    this.room = {};                                                    // where P + a ΔP is written
    this.silenced = new Set();                                         // "path:head": heads that say nothing
    this.put(null);
  }

  // ---- the model, in the order of the figure

  embed(token) {                                                       // √d · E[token]
    const d = this.config.d_model, scale = Math.sqrt(d);
    return this.weights["source_embedding.weight"].slice(token * d, (token + 1) * d).map(value => scale * value);
  }

  addPosition(x, time) {                                               // + sin and cos of time / 10000^(2i/d)
    return x.map((value, i) => {
      const angle = time / 10000 ** ((i - (i % 2)) / x.length);
      return value + (i % 2 ? Math.cos(angle) : Math.sin(angle));
    });
  }

  linear(path, x) {
    const weight = this.weights[path + ".weight"], bias = this.weights[path + ".bias"];
    return x.map(row => affine(weight, bias, row));
  }

  layerNorm(path, x) {                                                 // g ⊙ (x - mean) / √(var + ε) + b
    const gain = this.weights[path + ".weight"], bias = this.weights[path + ".bias"];
    return x.map(row => {
      const mean = row.reduce((a, b) => a + b, 0) / row.length;
      const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
      const factor = 1 / Math.sqrt(variance + this.config.layer_norm_eps);
      return row.map((value, i) => gain[i] * (value - mean) * factor + bias[i]);
    });
  }

  addNorm(path, x, sublayer) {                                         // x + sublayer(LayerNorm(x))
    let change = sublayer(this.layerNorm(path + ".norm", x));
    change = this.beside(path + ".dropout", "houlsby", change, change);
    change = this.beside(path, "pfeiffer", change, change);
    return x.map((row, t) => plus(row, change[t]));
  }

  feedForward(path, x) {                                               // W₂ φ(W₁ x + b₁) + b₂
    const input = this.expert(path, x);
    const phi = ACTIVATIONS[this.config.activation];
    const hidden = this.linear(path + ".fc1", input).map(row => row.map(phi));
    return this.beside(path, "parallel", this.linear(path + ".fc2", hidden), x);
  }

  attention(path, x, memory) {                                         // softmax(Q Kᵀ / √d_head) V, head by head
    const heads = this.attend(path, this.linear(path + ".q_proj", x), memory);
    return this.linear(path + ".out_proj", heads);
  }

  keysAndValues(path, x, past = { keys: [], values: [] }) {            // behind those of earlier calls
    const values = this.gated(path + ".v_proj", this.linear(path + ".v_proj", x), x);
    return { keys: [...past.keys, ...this.linear(path + ".k_proj", x)], values: [...past.values, ...values] };
  }

  attend(path, queries, memory) {
    const { keys, values, counted, times } = this.inFront(path, memory);
    const heads = this.config.num_heads, size = this.config.d_model / heads;
    return queries.map(query => {
      const output = new Float32Array(query.length), maps = [];
      for (let head = 0; head < heads; head++) {
        const first = head * size, mine = query.subarray(first, first + size);
        const scores = keys.map(key => dot(key, first, mine) / Math.sqrt(size));
        for (let j = 0; j < counted; j++) scores[j] += Math.log(times); // a · e^score: each counts a times
        const weights = softmax(scores);
        maps.push(weights);
        if (this.silenced.has(`${path}:${head}`)) continue;
        for (let j = 0; j < keys.length; j++)
          for (let i = first; i < first + size; i++) output[i] += weights[j] * values[j][i];
      }
      (this.maps[path] ??= []).push(maps);                             // seen[query][head][key]
      return output;
    });
  }

  selfAttention(path, x, past) {
    const input = this.glu(path, "self_attention_glu", x);
    const memory = this.keysAndValues(path, input, past);
    if (past) Object.assign(past, memory);
    return this.attention(path, input, memory);
  }

  encoderLayer(path, x) {
    x = this.addNorm(path + ".self_attention_norm", x, h => this.selfAttention(path + ".self_attention", h));
    return this.addNorm(path + ".feed_forward_norm", x, h => this.feedForward(path + ".feed_forward", h));
  }

  decoderLayer(path, x, past, memory) {                                // `past`: the keys and values of what was said
    x = this.addNorm(path + ".self_attention_norm", x, h => this.selfAttention(path + ".self_attention", h, past));
    x = this.addNorm(path + ".cross_attention_norm", x, h => this.attention(path + ".cross_attention", h, memory));
    return this.addNorm(path + ".feed_forward_norm", x, h => this.feedForward(path + ".feed_forward", h));
  }

  encode(source) {                                                     // token ids → the memory
    this.maps = {};
    this.sourceTypes = source.map(token => this.types[token]);
    let x = [...this.prompt, ...source.map(token => this.embed(token))].map((row, t) => this.addPosition(row, t));
    for (let n = 0; n < this.config.num_encoder_layers; n++) x = this.encoderLayer(`encoder.layers.${n}`, x);
    return this.layerNorm("encoder.norm", x);
  }

  start(source) {                                                      // what the decoder reads at every step
    const memory = this.encode(source), layers = [];
    for (let n = 0; n < this.config.num_decoder_layers; n++)
      layers.push({
        past: { keys: [], values: [] },
        memory: this.keysAndValues(`decoder.layers.${n}.cross_attention`, memory),
      });
    return { layers, time: 0 };
  }

  decode(token, state) {                                               // one more token in, logits for the next out
    this.targetTypes = [this.types[token]];
    let x = [this.addPosition(this.embed(token), state.time++)];
    state.layers.forEach(({ past, memory }, n) => { x = this.decoderLayer(`decoder.layers.${n}`, x, past, memory); });
    return affine(this.weights["source_embedding.weight"], null, this.layerNorm("decoder.norm", x)[0]);
  }

  generate(source, most) {                                             // greedily: the likeliest token each time
    const state = this.start(source), tokens = [], probabilities = [];
    let token = this.config.bos_id;
    while (tokens.length < most) {
      const logits = this.decode(token, state);
      token = logits.indexOf(Math.max(...logits));
      probabilities.push(softmax(logits));
      tokens.push(token);
      if (token === this.config.eos_id) break;
    }
    return { tokens, probabilities, maps: this.maps };
  }

  logits(source, target) {                                             // for the token after each of `target`
    const state = this.start(source);
    return target.map(token => this.decode(token, state));
  }

  // ---- techniques: what stands beside the base

  put(technique, strength = 1) {                                       // null: the base alone
    this.technique = technique;
    this.layers = Object.fromEntries((technique?.layers ?? []).map(layer => [`${layer.kind}@${layer.path}`, layer]));
    this.types = technique?.types ?? new Array(this.config.vocab_size).fill(0);
    this.below = technique?.fourBit ? inFourBits(technique.fourBit, this.base) : this.base;
    this.changes = technique ? changesOf(technique, this.below) : {};
    this.setStrength(technique ? strength : 0);
  }

  setStrength(a) {                                                     // P + a ΔP for everything that has a ΔP
    this.strength = a;
    this.weights = { ...this.below };
    for (const [name, change] of Object.entries(this.changes)) {
      const before = this.below[name], after = (this.room[name] ??= new Float32Array(before.length));
      for (let i = 0; i < after.length; i++) after[i] = before[i] + a * change[i];
      this.weights[name] = after;
    }
    const prompt = this.layers["prompt@source_input"]?.tensors.prompt;
    this.prompt = prompt && a > 0 ? rowsOf(prompt, this.config.d_model) : [];
  }

  beside(path, kind, y, x) {                                           // y + a · s · (W_up φ(W_down x + b) + b)
    const layer = this.layers[`${kind}@${path}`];
    if (!layer) return y;
    const { tensors, activation, scaling } = layer, phi = ACTIVATIONS[activation];
    return x.map((row, t) => {
      const narrow = affine(tensors["down.weight"], tensors["down.bias"], row).map(phi);
      return plus(y[t], affine(tensors["up.weight"], tensors["up.bias"], narrow), this.strength * scaling);
    });
  }

  glu(path, kind, x, name = () => "") {                                // x + a · U (silu(G x) ⊙ D x)
    const tensors = this.layers[`${kind}@${path}`]?.tensors;
    if (!tensors) return x;
    return x.map((row, t) => {
      const gate = affine(tensors[name(t) + "gate.weight"], null, row).map(ACTIVATIONS.silu);
      const hidden = affine(tensors[name(t) + "down.weight"], null, row).map((value, i) => value * gate[i]);
      return plus(row, affine(tensors[name(t) + "up.weight"], null, hidden), this.strength);
    });
  }

  expert(path, x) {                                                    // PILL: each token by the expert of its type
    const types = path.startsWith("encoder") ? this.sourceTypes : this.targetTypes;
    return this.glu(path, "experts", x, t => `${types[t]}.`);
  }

  gated(path, values, x) {                                             // PILL: a new token's values, times its gate
    const gate = this.layers[`value_gate@${path}`]?.tensors.gate;
    if (!gate) return values;
    const size = this.config.d_model / this.config.num_heads;
    return values.map((row, t) => {
      if (!this.sourceTypes[t]) return row;
      const factors = affine(gate, null, x[t]).map(score => 1 + this.strength * (Math.tanh(score) - 1));
      return row.map((value, i) => value * factors[Math.floor(i / size)]);
    });
  }

  inFront(path, { keys, values }) {                                    // a prefix, or how much a prompt counts
    const prefix = this.layers[`prefix@${path}.attend`]?.tensors.prefix, times = this.strength;
    const reads = path.startsWith("encoder") || path.endsWith("cross_attention");
    if (!prefix) return { keys, values, counted: reads ? this.prompt.length : 0, times };
    const d = this.config.d_model, rows = rowsOf(prefix, 2 * d);
    return {
      keys: [...rows.map(row => row.subarray(0, d)), ...keys],
      values: [...rows.map(row => row.subarray(d)), ...values],
      counted: rows.length, times,
    };
  }
}

const rowsOf = (matrix, columns) =>
  Array.from({ length: matrix.length / columns }, (_, i) => matrix.subarray(i * columns, (i + 1) * columns));

// ΔP of every parameter that the technique changes: what it has at strength 1, less what the base has.
function changesOf(technique, base) {
  const changes = {};
  for (const layer of technique.layers)
    for (const [name, change] of Object.entries(CHANGE[layer.kind]?.(layer, name => base[`${layer.path}.${name}`], technique) ?? {}))
      changes[`${layer.path}.${name}`] = change;
  for (const name of technique.owned) changes[name] = plus(technique.tensors[`owned.${name}`], base[name], -1);
  const embedding = base["source_embedding.weight"], rows = technique.tensors.rows;
  if (rows) {                                                          // symbols that the base has never seen
    const change = changes["source_embedding.weight"] = new Float32Array(embedding.length);
    const d = rows.length / technique.tokens.length;
    technique.tokens.forEach((token, j) => {
      for (let i = 0; i < d; i++) change[token * d + i] = rows[j * d + i] - embedding[token * d + i];
    });
  }
  return changes;
}

const CHANGE = {
  low_rank: layer => ({ weight: product(layer.tensors.up, layer.tensors.down, layer.scaling, layer.rank) }),      // s B A
  dora: (layer, base) => {                                                                            // m / ‖V‖ ⊙ V - W
    const weight = base("weight"), turned = plus(weight, product(layer.tensors.up, layer.tensors.down, layer.scaling, layer.rank));
    const columns = weight.length / layer.tensors.magnitude.length;
    const stretch = rowsOf(turned, columns).map((row, i) => layer.tensors.magnitude[i] / Math.sqrt(dot(row, 0, row)));
    return { weight: turned.map((value, i) => stretch[Math.floor(i / columns)] * value - weight[i]) };
  },
  vera: (layer, base, technique) => {                                                                 // diag(λ_b) B diag(λ_d) A
    const { outer, inner } = layer.tensors, rank = inner.length, weight = base("weight");
    const columns = weight.length / outer.length, all = technique.tensors["shared.vera_A"].length / rank;
    const down = new Float32Array(rank * columns), up = new Float32Array(outer.length * rank);
    for (let r = 0; r < rank; r++)
      for (let j = 0; j < columns; j++) down[r * columns + j] = inner[r] * technique.tensors["shared.vera_A"][r * all + j];
    for (let i = 0; i < up.length; i++) up[i] = outer[Math.floor(i / rank)] * technique.tensors["shared.vera_B"][i];
    return { weight: product(up, down, 1, rank) };
  },
  ia3: (layer, base) => {                                                                             // (l - 1) ⊙ W
    const { factors } = layer.tensors, weight = base("weight"), bias = base("bias");
    const columns = layer.input ? factors.length : weight.length / factors.length;
    const factor = i => factors[layer.input ? i % columns : Math.floor(i / columns)] - 1;
    const change = { weight: weight.map((value, i) => factor(i) * value) };
    return layer.input ? change : { ...change, bias: bias.map((value, i) => (factors[i] - 1) * value) };
  },
  ssf: (layer, base) => {                                                                             // (γ - 1) ⊙ W, and β
    const { scale, shift } = layer.tensors, weight = base("weight"), columns = weight.length / scale.length;
    return {
      weight: weight.map((value, i) => (scale[Math.floor(i / columns)] - 1) * value),
      bias: base("bias").map((value, i) => (scale[i] - 1) * value + shift[i]),
    };
  },
};

function product(up, down, scaling, rank) {                                        // s · B A
  const columns = down.length / rank, result = new Float32Array((up.length / rank) * columns);
  for (let i = 0; i < up.length / rank; i++)
    for (let r = 0; r < rank; r++) {
      const factor = scaling * up[i * rank + r];
      for (let j = 0; j < columns; j++) result[i * columns + j] += factor * down[r * columns + j];
    }
  return result;
}

"use strict";
// The page: what is chosen, what follows from it, and what is drawn of it.

const $ = id => document.getElementById(id);
const contents = JSON.parse($("contents").textContent);
const LONGEST_WORD = 34;
const STEPS = Array.from({ length: 26 }, (_, i) => i / 20);             // strengths at which flips are looked for
const FIRST_FLIP = -1;                                                  // no sound is chosen: look at the first that flips
const chosen = { word: "tomato", technique: null, strength: 1, symbol: FIRST_FLIP, known: {} };
let model, base, later = 0;

// ---- words and tokens

const FIRST_SYMBOL = 3 + contents.letters.length;
const nameOf = token => token === contents.config.eos_id ? "end" : token < 3 ? "·" : token < FIRST_SYMBOL ? contents.letters[token - 3] : contents.symbols[token - FIRST_SYMBOL];
const encode = word => [...[...word].map(letter => 3 + contents.letters.indexOf(letter)), contents.config.eos_id];
const spoken = tokens => tokens.filter(token => token !== contents.config.eos_id).map(nameOf);
const mostFor = word => Math.min(2 * word.length + 8, contents.longest);

// What can be read of what was typed, and a plain sentence where it cannot be read as it stands.
function readWord(typed) {
  const parts = typed.trim().toLowerCase().split(/\s+/u).filter(Boolean);
  if (!parts.length) return { problem: "Type a word of the letters a to z." };
  const word = parts[0].replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, ""), letters = [...word];
  const unknown = [...new Set([...(word || parts[0])].filter(letter => !contents.letters.includes(letter)))];
  if (unknown.length) return { problem: `The model reads the letters a to z; it does not know ${unknown.slice(0, 4).map(c => `“${c}”`).join(", ")}.` };
  if (letters.length > LONGEST_WORD) return { problem: `That word has ${letters.length} letters; give one of at most ${LONGEST_WORD}.` };
  return parts.length > 1 ? { word, problem: `The model reads one word at a time: this is the first of ${parts.length}, “${word}”.` } : { word };
}

// ---- computing

function speak(technique, strength, word) {
  if (model.technique !== technique) model.put(technique, strength);
  else if (model.strength !== strength) model.setStrength(strength);
  return model.generate(encode(word), mostFor(word));
}

function compute() {
  chosen.said = speak(chosen.technique, chosen.strength, chosen.word);
  chosen.baseKey !== baseKey() && Object.assign(chosen, { base: base.generate(encode(chosen.word), mostFor(chosen.word)), baseKey: baseKey() });
  if (chosen.symbol === FIRST_FLIP) chosen.symbol = Math.max(0, flipped(chosen.base.tokens, chosen.said.tokens).indexOf(true));
  chosen.symbol = Math.min(chosen.symbol, chosen.said.tokens.length - 1);
}
const baseKey = () => [chosen.word, ...base.silenced].join(" ");
const saidKey = () => [chosen.technique.name, chosen.word, ...model.silenced].join(" ");

// What the base would say next after the same beginning: one more reading of it.
function baseAt(symbol) {
  const beginning = [contents.config.bos_id, ...chosen.said.tokens.slice(0, symbol)], key = `${baseKey()} ${beginning}`;
  if (baseAt.key !== key) Object.assign(baseAt, { key, found: softmax(base.logits(encode(chosen.word), beginning).at(-1)) });
  return baseAt.found;
}

// The whole strip needs the word at every strength: in small pieces, so that the page never waits for it.
function findFlips() {
  const key = saidKey(), run = ++later, technique = chosen.technique, word = chosen.word;
  const found = chosen.known[key] ?? [];
  if (found.length === STEPS.length) return drawFlips(found);
  const other = findFlips.model ??= new Transformer(contents.config, base.base);
  const next = () => {
    if (run !== later) return;
    const strength = STEPS[found.length];
    other.silenced = model.silenced;
    if (other.technique !== technique) other.put(technique, strength); else other.setStrength(strength);
    found.push({ strength, text: spoken(other.generate(encode(word), mostFor(word)).tokens).join("") });
    if (found.length < STEPS.length) return setTimeout(next, 0);
    chosen.known[key] = found;
    drawFlips(found);
  };
  $("flips").innerHTML ||= '<p class="soft">Trying every strength…</p>';
  setTimeout(next, 250);
}

// ---- drawing

function draw() {
  const { said, technique, strength } = chosen, symbols = spoken(said.tokens), plain = spoken(chosen.base.tokens);
  $("strength-value").value = strength.toFixed(2);
  const listed = contents.examples.find(({ word }) => word === chosen.word);
  $("said").innerHTML = voiceRow('<b class="american">The base</b>', plain, plain.map(() => false))
    + voiceRow(`<b class="british">${escapeText(technique.title)}</b> at ${strength.toFixed(2)}`, symbols, flipped(plain, symbols), Math.min(chosen.symbol, symbols.length - 1))
    + (listed ? voiceRow("American dictionary", [...listed.american], []) + voiceRow("British dictionary", [...listed.british], []) : "");
  if (chosen.known[saidKey()]) drawFlips(chosen.known[saidKey()]);
  drawSymbol();
  drawErrors();
}

function drawSymbol() {
  const i = Math.max(0, Math.min(chosen.symbol, chosen.said.tokens.length - 1)), names = Array.from({ length: contents.config.vocab_size }, (_, token) => nameOf(token));
  $("softmax-symbol").textContent = nameOf(chosen.said.tokens[i]);
  $("softmax-bars").innerHTML = softmaxBars(names, baseAt(i), chosen.said.probabilities[i]);
  drawMap();
}

const drawFlips = found => { $("flips").innerHTML = flipStrip(found, chosen.strength); };

const mapPath = () => $("map-kind").value === "encoder" ? `encoder.layers.${$("map-layer").value}.self_attention` : `decoder.layers.${$("map-layer").value}.${$("map-kind").value}`;

function drawMap() {
  const kind = $("map-kind").value, head = $("map-head").value, maps = chosen.said.maps[mapPath()];
  const letters = [...chosen.word, "end"], symbols = chosen.said.tokens.map(nameOf);
  const own = kind === "self_attention" ? ["begin", ...symbols.slice(0, -1)] : letters;
  const rows = kind === "encoder" ? letters : symbols, front = Math.max(...maps.map(heads => heads[0].length)) - own.length;
  const columns = [...Array.from({ length: front }, (_, i) => `v${i + 1}`), ...own];
  const weights = maps.map(heads => head === "mean" ? heads[0].map((_, j) => heads.reduce((sum, row) => sum + row[j], 0) / heads.length) : heads[+head]);
  const queries = kind === "encoder" ? weights.slice(weights.length - rows.length) : weights;
  $("map").innerHTML = mapTable(rows, columns, queries, kind === "encoder" ? -1 : chosen.symbol);
  const row = queries[Math.min(chosen.symbol, queries.length - 1)], best = row.indexOf(Math.max(...row));
  $("map-words").textContent = `“${rows[Math.min(chosen.symbol, queries.length - 1)]}” attends most to “${columns[best]}”: ${percent(row[best])}.`
    + (front > 0 ? ` v1 to v${front} are the technique's virtual tokens.` : "");
  $("silence").disabled = head === "mean";
  $("silence").checked = model.silenced.has(`${mapPath()}:${head}`);
  $("speak-again").hidden = !model.silenced.size;
}

function drawTechnique() {
  const { technique } = chosen, names = Object.keys(model.changes).filter(name => name.endsWith(".weight") && name.includes("layers") && !name.includes("norm"));
  document.querySelectorAll("#figure [data-place]").forEach(box => box.classList.toggle("lit", technique.place.includes(box.dataset.place)));
  $("place-words").textContent = `${technique.title} (${technique.family}). ${technique.strength}${technique.fourBit ? " Its base is in 4 bits, also at 0." : ""}`;
  const share = technique.parameters / contents.base.parameters;
  $("size-words").innerHTML = `<div class="facts"><div><b>${technique.parameters.toLocaleString("en")}</b><span>numbers of its own</span></div>`
    + `<div><b>${percent(share, 2)}</b><span>of the base's ${contents.base.parameters.toLocaleString("en")}</span></div>`
    + `<div><b>${(technique.bytes / 1000).toFixed(0)} kB</b><span>its file</span></div></div>`;
  const kept = $("change-layer").value;
  $("change-layer").innerHTML = names.map(name => `<option>${name.replace(".weight", "")}</option>`).join("");
  if (names.includes(kept + ".weight")) $("change-layer").value = kept;
  $("change-layer").disabled = !names.length;
  drawChange();
}

function drawChange() {
  const name = $("change-layer").value && $("change-layer").value + ".weight", change = model.changes[name];
  if (!change) {
    $("change-picture").innerHTML = "";
    $("change-words").textContent = `${chosen.technique.title} changes no weight matrix: there is no ΔW.`;
    return;
  }
  const bias = base.base[name.replace("weight", "bias")], rows = bias.length, columns = change.length / rows;
  $("change-picture").innerHTML = `<canvas role="img" aria-label="ΔW of ${name}: ${rows} rows, ${columns} columns; orange below 0, blue above"></canvas><div id="change-values"></div>`;
  paintChange($("change-picture").firstChild, change, rows, columns, chosen.strength);
  $("change-words").textContent = `${rows} × ${columns}. Orange is below 0, blue above. Finding its singular values…`;
  clearTimeout(drawChange.waiting);
  drawChange.waiting = setTimeout(() => {
    const values = chosen.technique.values?.[name] ?? singularValues(change, rows, columns);
    (chosen.technique.values ??= {})[name] = values;
    const rank = values.filter(value => value > 1e-4 * values[0]).length;
    $("change-values").innerHTML = valueBars(values, chosen.strength);
    $("change-words").textContent = `${rows} × ${columns}, rank ${rank}${rank < values.length ? ` of at most ${values.length}` : ""}. Orange is below 0, blue above. The largest singular value is ${(chosen.strength * values[0]).toFixed(3)} at this strength.`;
  }, chosen.technique.values?.[name] ? 0 : 400);
}

function drawErrors() {
  const kept = contents.strengths, curves = kept?.techniques?.[chosen.technique.name];
  if (!curves) {
    $("errors-picture").innerHTML = "";
    $("errors-words").innerHTML = "Not measured yet: <code>python -m lessons.page.measure</code>, then make the page again.";
    return;
  }
  $("errors-picture").innerHTML = errorCurves(kept.strengths, curves, chosen.strength);
  const [american, british] = ["american", "british"].map(accent => between(kept.strengths, curves[accent], chosen.strength));
  $("errors-words").textContent = `Phoneme error on ${kept.words} held-out words of each accent: American ${percent(american, 1)}, British ${percent(british, 1)}.`;
}

// ---- choosing

function say(text, isProblem = false) {
  $("status").textContent = text;
  $("status").classList.toggle("problem", isProblem);
}

function update(changedTechnique = false) {
  compute();
  draw();
  if (changedTechnique) drawTechnique(); else if (chosen.strength !== update.strength) drawChange();
  update.strength = chosen.strength;
  findFlips();
}

function chooseWord(typed) {
  const { word, problem } = readWord(typed);
  say(problem ?? "", Boolean(problem));
  if (word && word !== chosen.word) { Object.assign(chosen, { word, symbol: FIRST_FLIP }); $("flips").innerHTML = ""; update(); }
}

function chooseTechnique(name) {
  chosen.technique = contents.techniques.find(technique => technique.name === name);
  $("technique").value = name;
  $("flips").innerHTML = "";
  update(true);
}

function chooseStrength(strength) {
  chosen.strength = Math.round(20 * strength) / 20;
  $("strength").value = chosen.strength;
  update();
}

function choose(control, value) { $(control).value = value; $(control).dispatchEvent(new Event("change")); }

function fill() {
  const families = [...new Set(contents.techniques.map(({ family }) => family))];
  $("technique").innerHTML = families.map(family => `<optgroup label="${family}">${contents.techniques.filter(t => t.family === family)
    .map(t => `<option value="${t.name}">${t.title}</option>`).join("")}</optgroup>`).join("");
  $("examples").innerHTML = contents.examples.map(({ word }) => `<button type="button" data-word="${word}">${word}</button>`).join("");
  const { num_encoder_layers: layers, num_heads: heads, d_model, num_decoder_layers } = contents.config;
  $("map-layer").innerHTML = Array.from({ length: layers }, (_, i) => `<option value="${i}">${i + 1}</option>`).join("");
  $("map-layer").value = layers - 1;
  $("map-head").innerHTML = '<option value="mean">all, mean</option>' + Array.from({ length: heads }, (_, i) => `<option value="${i}">${i + 1}</option>`).join("");
  $("facts").textContent = `${layers} + ${num_decoder_layers} layers, ${heads} heads, ${d_model} features, ${contents.base.parameters.toLocaleString("en")} numbers.`;
}

function listen() {
  $("word").addEventListener("input", event => chooseWord(event.target.value));
  $("technique").addEventListener("change", event => chooseTechnique(event.target.value));
  $("strength").addEventListener("input", event => chooseStrength(+event.target.value));
  $("examples").addEventListener("click", event => { if (event.target.dataset.word) { $("word").value = event.target.dataset.word; chooseWord(event.target.dataset.word); } });
  $("said").addEventListener("click", event => {
    if (event.target.dataset.symbol === undefined) return;
    chosen.symbol = +event.target.dataset.symbol;
    draw();
    document.querySelector(`[data-symbol="${chosen.symbol}"]`)?.focus();
  });
  for (const id of ["map-kind", "map-layer", "map-head"]) $(id).addEventListener("change", drawMap);
  $("silence").addEventListener("change", event => silence(`${mapPath()}:${$("map-head").value}`, event.target.checked));
  $("speak-again").addEventListener("click", () => { model.silenced.clear(); base.silenced.clear(); update(); });
  $("change-layer").addEventListener("change", drawChange);
  document.addEventListener("keydown", key);
}

function silence(head, silent) {                                         // in the base as well, so that both can be compared
  for (const each of [model, base]) silent ? each.silenced.add(head) : each.silenced.delete(head);
  update();
}

function key(event) {
  if (event.key === "Escape") return endTour();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=text], select")) return;
  const names = contents.techniques.map(({ name }) => name), at = names.indexOf(chosen.technique.name);
  if (event.key === "/") { $("word").focus(); $("word").select(); }
  else if (event.key === "[") chooseTechnique(names[(at + names.length - 1) % names.length]);
  else if (event.key === "]") chooseTechnique(names[(at + 1) % names.length]);
  else if (event.key === "0" || event.key === "1") chooseStrength(+event.key);
  else return;
  event.preventDefault();
}

async function begin() {
  if (!("DecompressionStream" in window)) throw new Error("this browser is older than 2023 and cannot unpack the model: open the page in a newer one");
  const tensors = await unpack($("weights").textContent, contents.index), parts = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    const cut = name.indexOf("/");
    (parts[name.slice(0, cut)] ??= {})[name.slice(cut + 1)] = tensor;
  }
  for (const technique of contents.techniques) give(technique, parts[technique.name]);
  base = new Transformer(contents.config, parts.base);
  model = new Transformer(contents.config, parts.base);
  fill();
  listen();
  chooseTechnique(contents.techniques.some(({ name }) => name === "lora") ? "lora" : contents.techniques[0].name);
  say("");
}

// Its tensors to a technique, and to each of its layers those of its path.
function give(technique, tensors) {
  technique.tensors = tensors;
  for (const layer of technique.layers)
    layer.tensors = Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith(layer.path + ".")).map(([name, tensor]) => [name.slice(layer.path.length + 1), tensor]));
  if (technique.fourBit)
    for (const [weight, name] of Object.entries(technique.fourBit.scales)) technique.fourBit.scales[weight] = tensors[name.slice(technique.name.length + 1)];
}

const ready = begin().catch(error => { say(`The page cannot go on: ${error.message}.`, true); throw error; });

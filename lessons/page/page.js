"use strict";
// The page: what is chosen, and what is computed of it.

const STEPS = Array.from({ length: 26 }, (_, i) => i / 20);             // strengths at which flips are looked for
const FIRST_FLIP = -1;                                                  // no sound is chosen: look at the first that flips
const chosen = { word: "tomato", technique: null, strength: 1, symbol: FIRST_FLIP, known: {} };
let model, base, later = 0;

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
  $("flips").innerHTML ||= `<p class="soft">${say("Trying every strength…")}</p>`;
  setTimeout(next, 250);
}

// ---- choosing

function notify(text, isProblem = false) {
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
  notify(problem ?? "", Boolean(problem));
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
  $("map-head").innerHTML = `<option value="mean">${say("all, mean")}</option>` + Array.from({ length: heads }, (_, i) => `<option value="${i}">${i + 1}</option>`).join("");
  $("facts").textContent = tell("{encoder} + {decoder} layers, {heads} heads, {features} features, {count} numbers.",
    { encoder: layers, decoder: num_decoder_layers, heads, features: d_model, count: contents.base.parameters.toLocaleString("en") });
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
  if (!("DecompressionStream" in window)) throw new Error(say("this browser is older than 2023 and cannot unpack the model: open the page in a newer one"));
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
  notify("");
}

// Its tensors to a technique, and to each of its layers those of its path.
function give(technique, tensors) {
  technique.tensors = tensors;
  for (const layer of technique.layers)
    layer.tensors = Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith(layer.path + ".")).map(([name, tensor]) => [name.slice(layer.path.length + 1), tensor]));
  if (technique.fourBit)
    for (const [weight, name] of Object.entries(technique.fourBit.scales)) technique.fourBit.scales[weight] = tensors[name.slice(technique.name.length + 1)];
}

const ready = begin().catch(error => { notify(tell("The page cannot go on: {reason}.", { reason: error.message }), true); throw error; });

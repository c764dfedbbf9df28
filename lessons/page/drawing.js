"use strict";
// What is computed, put on the page.

function draw() {
  const { said, technique, strength } = chosen, symbols = spoken(said.tokens), plain = spoken(chosen.base.tokens);
  $("strength-value").value = strength.toFixed(2);
  const listed = contents.examples.find(({ word }) => word === chosen.word);
  $("said").innerHTML = voiceRow(`<b class="american">${say("The base")}</b>`, plain, plain.map(() => false))
    + voiceRow(tell("{technique} at {strength}", { technique: `<b class="british">${escapeText(technique.title)}</b>`, strength: strength.toFixed(2) }), symbols, flipped(plain, symbols), Math.min(chosen.symbol, symbols.length - 1))
    + (listed ? voiceRow(say("American dictionary"), [...listed.american], []) + voiceRow(say("British dictionary"), [...listed.british], []) : "");
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
  const letters = [...chosen.word, say("end")], symbols = chosen.said.tokens.map(nameOf);
  const own = kind === "self_attention" ? [say("begin"), ...symbols.slice(0, -1)] : letters;
  const rows = kind === "encoder" ? letters : symbols, front = Math.max(...maps.map(heads => heads[0].length)) - own.length;
  const columns = [...Array.from({ length: front }, (_, i) => `v${i + 1}`), ...own];
  const weights = maps.map(heads => head === "mean" ? heads[0].map((_, j) => heads.reduce((sum, row) => sum + row[j], 0) / heads.length) : heads[+head]);
  const queries = kind === "encoder" ? weights.slice(weights.length - rows.length) : weights;
  $("map").innerHTML = mapTable(rows, columns, queries, kind === "encoder" ? -1 : chosen.symbol);
  const row = queries[Math.min(chosen.symbol, queries.length - 1)], best = row.indexOf(Math.max(...row));
  const about = { row: rows[Math.min(chosen.symbol, queries.length - 1)], column: columns[best], share: percent(row[best]), last: front };
  $("map-words").textContent = together([tell("“{row}” attends most to “{column}”: {share}.", about),
    front > 0 && tell("v1 to v{last} are the technique's virtual tokens.", about)]);
  $("silence").disabled = head === "mean";
  $("silence").checked = model.silenced.has(`${mapPath()}:${head}`);
  $("speak-again").hidden = !model.silenced.size;
}

function drawTechnique() {
  const { technique } = chosen, names = Object.keys(model.changes).filter(name => name.endsWith(".weight") && name.includes("layers") && !name.includes("norm"));
  document.querySelectorAll("#figure [data-place]").forEach(box => box.classList.toggle("lit", technique.place.includes(box.dataset.place)));
  $("place-words").textContent = together([tell("{technique} ({family}).", { technique: technique.title, family: technique.family }), technique.strength,
    technique.fourBit && say("Its base is in 4 bits, also at 0.")]);
  const share = technique.parameters / contents.base.parameters;
  $("size-words").innerHTML = `<div class="facts"><div><b>${technique.parameters.toLocaleString("en")}</b><span>${say("numbers of its own")}</span></div>`
    + `<div><b>${percent(share, 2)}</b><span>${tell("of the base's {count}", { count: contents.base.parameters.toLocaleString("en") })}</span></div>`
    + `<div><b>${(technique.bytes / 1000).toFixed(0)} kB</b><span>${say("its file")}</span></div></div>`;
  const kept = $("change-layer").value;
  $("change-layer").innerHTML = names.map(name => `<option>${name.replace(".weight", "")}</option>`).join("");
  if (names.includes(kept + ".weight")) $("change-layer").value = kept;
  $("change-layer").disabled = !names.length;
  drawChange();
}

function drawChange() {
  clearTimeout(drawChange.waiting);  // the last picture's singular values have no place in this one
  const name = $("change-layer").value && $("change-layer").value + ".weight", change = model.changes[name];
  if (!change) {
    $("change-picture").innerHTML = "";
    $("change-words").textContent = tell("{technique} changes no weight matrix: there is no ΔW.", { technique: chosen.technique.title });
    return;
  }
  const bias = base.base[name.replace("weight", "bias")], rows = bias.length, columns = change.length / rows;
  const about = { name, rows, columns }, size = tell("{rows} × {columns}. Orange is below 0, blue above.", about);
  const label = tell("ΔW of {name}: {rows} rows, {columns} columns; orange below 0, blue above", about);
  $("change-picture").innerHTML = `<canvas role="img" aria-label="${label}"></canvas><div id="change-values"></div>`;
  paintChange($("change-picture").firstChild, change, rows, columns, chosen.strength);
  $("change-words").textContent = together([size, say("Finding its singular values…")]);
  drawChange.waiting = setTimeout(() => {
    const values = chosen.technique.values?.[name] ?? singularValues(change, rows, columns);
    (chosen.technique.values ??= {})[name] = values;
    const rank = values.filter(value => value > 1e-4 * values[0]).length;
    const found = { rank, most: values.length, largest: (chosen.strength * values[0]).toFixed(3) };
    $("change-values").innerHTML = valueBars(values, chosen.strength);
    $("change-words").textContent = together([size, tell("Its rank is {rank} of at most {most}.", found),
      tell("The largest singular value is {largest} at this strength.", found)]);
  }, chosen.technique.values?.[name] ? 0 : 400);
}

function drawErrors() {
  const kept = contents.strengths, curves = kept?.techniques?.[chosen.technique.name];
  if (!curves) {
    $("errors-picture").innerHTML = "";
    $("errors-words").innerHTML = say("Not measured yet: <code>python -m lessons.page.measure</code>, then make the page again.");
    return;
  }
  $("errors-picture").innerHTML = errorCurves(kept.strengths, curves, chosen.strength);
  const [american, british] = ["american", "british"].map(accent => between(kept.strengths, curves[accent], chosen.strength));
  $("errors-words").textContent = tell("Phoneme error on {words} held-out words of each accent: American {american}, British {british}.",
    { words: kept.words, american: percent(american, 1), british: percent(british, 1) });
}

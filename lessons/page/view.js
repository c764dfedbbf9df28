"use strict";
// Pictures: each function takes what was computed and gives back markup. None of them computes with the model.

const escapeText = text => String(text).replace(/[&<>"]/g, c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[c]));
const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)} %`;
// From orange over pale to blue, in steps of lightness; the list below the strip says each stretch in numbers as well.
const RUN_COLOURS = ["#d55e00", "#f0b27a", "#f3e3c3", "#b9dcf0", "#56b4e9", "#0072b2", "#4b3fa0", "#cc79a7", "#8c8c8c"];

// Which symbols of b are no part of the longest common subsequence with a: what flipped.
function flipped(a, b) {
  const longest = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i][j] = a[i] === b[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
  const marks = new Array(b.length).fill(true);
  for (let i = 0, j = 0; i < a.length && j < b.length;)
    if (a[i] === b[j]) { marks[j++] = false; i++; } else if (longest[i + 1][j] >= longest[i][j + 1]) i++; else j++;
  return marks;
}

function voiceRow(label, symbols, marks, chosen) {
  const items = symbols.map((symbol, i) => {
    if (chosen === undefined) return `<span class="${marks[i] ? "differs" : ""}">${symbol}</span>`;
    const about = { number: i + 1, symbol };
    const name = marks[i] ? tell("sound {number}: {symbol}, differs from the base", about) : tell("sound {number}: {symbol}", about);
    return `<button type="button" data-symbol="${i}" aria-pressed="${i === chosen}" class="${marks[i] ? "differs" : ""}" aria-label="${name}">${symbol}</button>`;
  }).join("");
  return `<div class="voice ${chosen === undefined ? "small" : ""}"><span>${label}</span><div class="symbols">${items || "–"}</div></div>`;
}

// One run for each stretch of strengths at which the same is said.
function runsOf(saidAt) {
  const runs = [];
  for (const { strength, text } of saidAt)
    if (runs.length && runs.at(-1).text === text) runs.at(-1).to = strength; else runs.push({ from: strength, to: strength, text });
  return runs;
}

function flipStrip(saidAt, strength) {
  const runs = runsOf(saidAt), colour = run => RUN_COLOURS[runs.indexOf(run) % RUN_COLOURS.length];
  const cells = saidAt.map(({ strength: a }) => {
    const run = runs.find(run => a >= run.from && a <= run.to);
    return `<i style="background:${colour(run)}" class="${Math.abs(a - strength) < 0.026 ? "now" : ""}"></i>`;
  }).join("");
  const list = runs.map(run => `<li><i style="background:${colour(run)}"></i><span>${run.from.toFixed(2)}${run.to > run.from ? `–${run.to.toFixed(2)}` : ""}</span><b>${escapeText(run.text) || say("nothing")}</b></li>`).join("");
  return `<div class="strip" aria-hidden="true">${cells}</div><ul class="runs" aria-label="${say("What is said from which strength to which")}">${list}</ul>`;
}

function softmaxBars(names, before, after) {
  const order = [...after.keys()].sort((i, j) => after[j] + before[j] - after[i] - before[i]).slice(0, 10);
  return order.map(i => `<div class="bar"><b>${names[i]}</b><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">`
    + `<rect x="0" y="0" width="${100 * before[i]}" height="4" style="fill:var(--american);opacity:.55"/><rect x="0" y="5" width="${100 * after[i]}" height="5" style="fill:var(--british)"/></svg>`
    + `<span>○ ${percent(before[i])} · ● ${percent(after[i])}</span></div>`).join("");
}

function mapTable(rows, columns, weights, chosen) {
  const head = `<tr><td></td>${columns.map(name => `<th scope="col">${escapeText(name)}</th>`).join("")}</tr>`;
  const body = weights.map((row, i) => `<tr class="${i === chosen ? "chosen" : ""}"><th scope="row">${escapeText(rows[i])}</th>`
    + columns.map((_, j) => {
      const weight = row[j] ?? 0, shade = row[j] === undefined ? "none" : `rgba(var(--tint), ${Math.min(1, 0.05 + 0.95 * weight).toFixed(3)})`;
      return `<td style="background:${shade}" title="${escapeText(tell("{row} at {column}: {share}", { row: rows[i], column: columns[j], share: percent(weight) }))}"></td>`;
    }).join("") + "</tr>").join("");
  return `<table class="map"><caption class="quiet">${say("Each row is a query, each column what it attends to; the stronger the colour, the more")}</caption>${head}${body}</table>`;
}

// Orange below 0, blue above, white at 0. The colour grows with the square root, so that small numbers can be seen too.
function paintChange(canvas, change, rows, columns, strength) {
  canvas.width = columns; canvas.height = rows;
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  const largest = change.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
  change.forEach((value, i) => {
    const share = Math.min(1, Math.sqrt(Math.abs(value) / largest) * strength), to = value < 0 ? [213, 94, 0] : [0, 114, 178];
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = 255 + share * (to[c] - 255);
    image.data[4 * i + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

function valueBars(values, strength) {
  const shown = values.slice(0, 24), largest = values[0] || 1;
  const bars = shown.map((value, i) => `<rect x="${i * 10 + 1}" width="8" y="${60 - 56 * (value / largest) * Math.min(1, strength / 1.25)}" height="${56 * (value / largest) * Math.min(1, strength / 1.25)}" style="fill:var(--british)"/>`).join("");
  return `<svg viewBox="0 0 242 62" role="img" aria-label="${tell("The {count} largest singular values", { count: shown.length })}" style="width:100%;max-width:20rem"><line class="axis" x1="0" x2="242" y1="60.5" y2="60.5"/>${bars}</svg>`;
}

function errorCurves(strengths, curves, strength) {
  const most = Math.max(0.05, ...curves.american, ...curves.british), x = a => 34 + (a / 1.25) * 300, y = e => 130 - (e / most) * 112;
  const line = (values, name, dash) => `<polyline points="${strengths.map((a, i) => `${x(a)},${y(values[i])}`).join(" ")}" style="fill:none;stroke:var(--${name});stroke-width:2.2;stroke-dasharray:${dash}"/>`
    + strengths.map((a, i) => name === "british" ? `<circle cx="${x(a)}" cy="${y(values[i])}" r="3" style="fill:var(--british)"/>` : `<rect x="${x(a) - 2.6}" y="${y(values[i]) - 2.6}" width="5.2" height="5.2" style="fill:var(--american)"/>`).join("");
  const grid = [0, most / 2, most].map(e => `<text x="30" y="${y(e) + 4}" text-anchor="end">${percent(e)}</text><line x1="34" x2="334" y1="${y(e)}" y2="${y(e)}" style="stroke:var(--line)"/>`).join("");
  return `<svg viewBox="0 0 350 160" role="img" aria-label="${say("Phoneme error by strength, American squares and British dots")}" style="width:100%">${grid}`
    + `<line class="axis" x1="${x(strength)}" x2="${x(strength)}" y1="12" y2="132" style="stroke-width:1.5"/>${line(curves.american, "american", "6 3")}${line(curves.british, "british", "none")}`
    + [0, 0.5, 1, 1.25].map(a => `<text x="${x(a)}" y="147" text-anchor="middle">${a}</text>`).join("")
    + `</svg><div class="row"><span class="american">■ ${say("American, forgotten")}</span><span class="british">● ${say("British, learnt")}</span></div>`;
}

// The kept curve at a strength between two measured ones: on the straight line between them.
function between(strengths, values, strength) {
  const next = strengths.findIndex(a => a >= strength - 1e-9);
  if (next <= 0) return values[Math.max(0, next)];
  const share = (strength - strengths[next - 1]) / (strengths[next] - strengths[next - 1]);
  return values[next - 1] + share * (values[next] - values[next - 1]);
}

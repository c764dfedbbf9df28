"use strict";
// What the page holds, and its sentences in the language that it speaks (words.py): English, or from a table.

const $ = id => document.getElementById(id);
const contents = JSON.parse($("contents").textContent);
const say = text => contents.words[text] ?? text;
const tell = (template, values) => say(template).replace(/\{(\w+)\}/g, (_, name) => values[name]);
const together = sentences => sentences.filter(Boolean).join(document.documentElement.lang === "en" ? " " : "");

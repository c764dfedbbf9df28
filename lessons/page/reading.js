"use strict";
// Letters to tokens, tokens to symbols, and what can be read of what was typed.

const LONGEST_WORD = 34;
const FIRST_SYMBOL = 3 + contents.letters.length;

function nameOf(token) {
  if (token === contents.config.eos_id) return say("end");
  return token < 3 ? "·" : token < FIRST_SYMBOL ? contents.letters[token - 3] : contents.symbols[token - FIRST_SYMBOL];
}
const encode = word => [...[...word].map(letter => 3 + contents.letters.indexOf(letter)), contents.config.eos_id];
const spoken = tokens => tokens.filter(token => token !== contents.config.eos_id).map(nameOf);
const mostFor = word => Math.min(2 * word.length + 8, contents.longest);

// The word, and a plain sentence where what was typed cannot be read as it stands.
function readWord(typed) {
  const parts = typed.trim().toLowerCase().split(/\s+/u).filter(Boolean);
  if (!parts.length) return { problem: say("Type a word of the letters a to z.") };
  const word = parts[0].replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, ""), letters = [...word];
  const unknown = [...new Set([...(word || parts[0])].filter(letter => !contents.letters.includes(letter)))];
  if (unknown.length) {
    const list = unknown.slice(0, 4).map(letter => `“${letter}”`).join(say(", "));
    return { problem: tell("The model reads the letters a to z; it does not know {list}.", { list }) };
  }
  if (letters.length > LONGEST_WORD)
    return { problem: tell("That word has {count} letters; give one of at most {most}.", { count: letters.length, most: LONGEST_WORD }) };
  if (parts.length === 1) return { word };
  return { word, problem: tell("The model reads one word at a time: this is the first of {count}, “{word}”.", { count: parts.length, word }) };
}

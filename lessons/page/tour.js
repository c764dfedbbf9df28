"use strict";
// A first visit in seven steps: each sets the page and says what to look at.

const TOUR = [
  ["controls", say("A word goes in"), say("Letters go in on the left side of the Transformer, and symbols for sounds come out on the right. Type any word; “tomato” is a good one."),
    () => { if (LORA) chooseTechnique("lora"); $("word").value = "tomato"; chooseWord("tomato"); chooseStrength(0); }],
  ["sounds", say("American first"), say("At strength 0 this is the base alone. It learnt from American words only: it says the a of tomato as eɪ, the t after it as the quick ɾ, and the o at the end as oʊ."),
    () => chooseStrength(0)],
  ["sounds", say("Slide it in"), say("At strength 1 the technique is whole. Dotted sounds differ from the base. Below, every strength at which something flips."),
    () => chooseStrength(1)],
  ["softmax", say("Why it flips"), say("The model gives every symbol a probability, and says the likeliest. Slide the strength: one bar shrinks while the other grows, and where they cross the sound flips."),
    () => { const i = flipped(spoken(chosen.base.tokens), spoken(chosen.said.tokens)).indexOf(true); if (i >= 0) { chosen.symbol = i; draw(); } }],
  ["attention", say("Where it looks"), say("Each row is a sound, each column a letter: the stronger the colour, the more the sound takes from the letter. Choose a head and silence it: do the sounds still come out?"),
    () => {}],
  ["change", say("What was learnt"), say("LoRA adds to each weight matrix the product of two thin ones. However large the matrix, only a few singular values are not zero: that is its rank."),
    () => { if (LORA) chooseTechnique("lora"); }],
  ["place", say("Now another technique"), say("Each technique changes another place of the same figure: weights, inputs, keys and values, or what a sub-layer puts out. Press ] to go through them."),
    () => {}],
];
const LORA = contents.techniques.some(({ name }) => name === "lora");
let step = -1;

function showStep(to) {
  step = to;
  const [place, title, text, set] = TOUR[step];
  set();
  document.querySelectorAll(".shown").forEach(card => card.classList.remove("shown"));
  $(place).classList.add("shown");
  $(place).scrollIntoView({ block: "center" });
  $("tour-count").textContent = tell("Step {step} of {all}", { step: step + 1, all: TOUR.length });
  $("tour-title").textContent = title;
  $("tour-text").textContent = text;
  $("tour-back").disabled = step === 0;
  $("tour-next").textContent = step === TOUR.length - 1 ? say("Done") : say("Next");
  $("tour").hidden = false;
}

function endTour() {
  if ($("tour").hidden) return;
  $("tour").hidden = true;
  document.querySelectorAll(".shown").forEach(card => card.classList.remove("shown"));
  $("tour-start").focus();
}

ready.then(() => {
  $("tour-start").addEventListener("click", () => { showStep(0); $("tour-next").focus(); });
  $("tour-back").addEventListener("click", () => showStep(step - 1));
  $("tour-next").addEventListener("click", () => step === TOUR.length - 1 ? endTour() : showStep(step + 1));
  $("tour-end").addEventListener("click", endTour);
}, () => {});

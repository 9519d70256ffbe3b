"use strict";
/* The review page: a grid that only holds visible cards, a dock, and keyboard shortcuts. */

const $ = (id) => document.getElementById(id);
const KEYS = [..."123456789abcdefghijklmnopqrstvwyz"]; // without u and x, which are commands
const CELL = 132, GAP = 8, CAPTION = 28, SPARE = 2;

let data, shown = [], place = 0, cards = new Map(), busy = Promise.resolve();

async function ask(path, body) {
  const how = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(path, how);
  } catch {
    throw new Error("The server does not answer: start gradmix review again. Nothing that was saved is lost.");
  }
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.error);
  return content;
}

/* Single-letter and single-digit classes are their own keys; others are numbered. */
function keysOf(classes) {
  const names = classes.map((name) => name.toLowerCase());
  const plain = names.every((name) => KEYS.includes(name) || name === "0");
  return plain && new Set(names).size === names.length ? names : KEYS;
}

const percent = (share) => `${Math.round(100 * share)} %`;
const decided = (image) => data.decisions.get(image);
const labelOf = (image) => {
  const one = decided(image);
  return one ? (one.decision === "reject" ? "rejected" : one.label) : data.classes[data.label[image]];
};

/* Which images are shown, and in which order. */

function choose() {
  const which = $("which").value, name = $("class").value;
  const pool = which === "next" ? data.next : data.names.keys();
  shown = [...pool].filter((image) =>
    (which !== "open" || !decided(image)) && (which !== "decided" || decided(image)) &&
    (name === "" || labelOf(image) === name));
  if (which !== "next") shown.sort(ORDERS[$("order").value]);
  $("by").hidden = which === "next";
  place = Math.min(place, Math.max(0, shown.length - 1));
  for (const card of cards.values()) card.remove();
  cards.clear();
  $("empty").hidden = shown.length > 0;
  $("grid").hidden = shown.length === 0;
  draw();
  select(place, false);
}

const ORDERS = {
  unsure: (a, b) => data.confidence[a] - data.confidence[b] || a - b,
  sure: (a, b) => data.confidence[b] - data.confidence[a] || a - b,
  split: (a, b) => data.disagreement[b] - data.disagreement[a] || a - b,
  name: (a, b) => (data.names[a] < data.names[b] ? -1 : 1),
};

/* The grid: as tall as all images, with cards for the visible ones. */

function measure() {
  const width = $("grid").clientWidth, columns = Math.max(2, Math.floor((width + GAP) / (CELL + GAP)));
  const side = Math.floor((width - (columns - 1) * GAP) / columns);
  return { columns, side, height: side + CAPTION + GAP };
}

function draw() {
  const { columns, side, height } = measure();
  $("space").style.height = `${Math.ceil(shown.length / columns) * height}px`;
  const top = -$("grid").getBoundingClientRect().top;
  const first = Math.max(0, (Math.floor(top / height) - SPARE) * columns);
  const last = Math.min(shown.length, (Math.ceil((top + innerHeight) / height) + SPARE) * columns);
  for (const [at, card] of cards) {
    if (at < first || at >= last) { card.remove(); cards.delete(at); }
  }
  for (let at = first; at < last; at++) {
    let card = cards.get(at);
    if (!card) { card = make(at); cards.set(at, card); $("space").append(card); }
    card.style.width = `${side}px`;
    card.style.transform = `translate(${(at % columns) * (side + GAP)}px,${Math.floor(at / columns) * height}px)`;
  }
}

function make(at) {
  const image = shown[at], card = document.createElement("div");
  card.className = "photo";
  card.id = `photo-${image}`;
  card.setAttribute("role", "option");
  const picture = document.createElement("img");
  picture.alt = "";
  picture.decoding = "async";
  picture.src = `/image/small/${image}`;
  picture.onerror = () => { picture.remove(); card.classList.add("gone"); };
  const tick = document.createElement("button");
  tick.className = "tick";
  tick.tabIndex = -1;
  tick.textContent = "✓";
  tick.title = "Confirm";
  tick.onclick = (event) => { event.stopPropagation(); select(shown.indexOf(image), false); decide("confirm"); };
  const words = document.createElement("span");
  card.append(picture, tick, words);
  card.onclick = () => select(shown.indexOf(image), false);
  paint(card, image, at);
  return card;
}

function paint(card, image, at) {
  const one = decided(image);
  card.classList.remove("confirm", "change", "reject");
  if (one) card.classList.add(one.decision);
  card.setAttribute("aria-selected", at === place);
  const words = card.lastChild, mark = { confirm: "✓ ", change: "→ ", reject: "✗ " };
  words.textContent = `${one ? mark[one.decision] : ""}${labelOf(image)}`;
  const share = document.createElement("small");
  share.textContent = percent(data.confidence[image]);
  words.append(share);
}

function repaint() {
  for (const [at, card] of cards) paint(card, shown[at], at);
  const all = data.names.length.toLocaleString("en"), n = data.decisions.size.toLocaleString("en");
  $("count").textContent = `${n} of ${all} decided. Saved at once in ${data.table}.`;
}

/* The chosen image. */

function select(at, scroll = true) {
  place = Math.max(0, Math.min(at, shown.length - 1));
  const image = shown[place];
  $("dock").hidden = image === undefined;
  repaint();
  if (image === undefined) return;
  if (scroll) reveal();
  $("grid").setAttribute("aria-activedescendant", `photo-${image}`);
  enlarge(image);
  const said = data.classes[data.label[image]], second = data.classes[data.runner_up[image]];
  $("what").textContent = `${said} ${percent(data.confidence[image])}` +
    (second === undefined ? "" : `, ${second} ${percent(data.runner_up_confidence[image])}`);
  $("why").textContent = `${percent(data.agreement[image])} of the members agree · ${data.names[image]}`;
  for (const button of $("classes").children) {
    button.setAttribute("aria-pressed", button.dataset.label === labelOf(image));
  }
}

/* Show the small image at once, and the large one when it has loaded. */
function enlarge(image) {
  const large = $("large");
  if (large.dataset.image === String(image)) return;
  large.dataset.image = image;
  large.src = `/image/small/${image}`;
  const whole = new Image();
  whole.onload = () => { if (large.dataset.image === String(image)) large.src = whole.src; };
  whole.src = `/image/large/${image}`;
}

function reveal() {
  const { columns, height } = measure();
  const grid = $("grid").getBoundingClientRect().top + scrollY;
  const top = grid + Math.floor(place / columns) * height;
  const above = document.querySelector(".top").offsetHeight, below = $("dock").offsetHeight;
  const docked = matchMedia("(max-width: 60rem)").matches ? below : 0;
  if (top < scrollY + above) scrollTo(0, top - above - GAP);
  else if (top + height > scrollY + innerHeight - docked) scrollTo(0, top + height - innerHeight + docked);
}

/* Decisions: sent one at a time, each saved before the next. */

function decide(decision, label) {
  const image = shown[place];
  if (image === undefined) return;
  forward(image);
  send("/api/decide", { image, decision, label });
}

function undo() { send("/api/undo", {}); }

function send(path, body) {
  busy = busy.then(async () => {
    try {
      take(await ask(path, body));
      showMessage("");
    } catch (error) {
      showMessage(error.message);
      const at = shown.indexOf(body.image);
      if (at >= 0) select(at);
    }
  });
}

function take(one) {
  if (one.decision) data.decisions.set(one.image, one);
  else data.decisions.delete(one.image);
  const at = shown.indexOf(one.image);
  if (!one.decision && at >= 0) select(at);
  else if (!one.decision && one.image !== null) { $("which").value = "all"; $("class").value = ""; choose(); select(shown.indexOf(one.image)); }
  else select(place, false);
}

function forward() {
  let at = place + 1;
  while (at < shown.length && decided(shown[at])) at++;
  if (at < shown.length) select(at);
}

function showMessage(text) { $("message").textContent = text; }

/* Keys and buttons. */

document.addEventListener("keydown", (event) => {
  if (event.target === $("name") || event.target.tagName === "SELECT") return;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { columns } = measure(), at = keysOf(data.classes).indexOf(event.key.toLowerCase());
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  if (event.key in steps) { draw(); select(place + steps[event.key]); }
  else if (event.key === "Enter" || event.key === " ") decide("confirm");
  else if (event.key === "x") decide("reject");
  else if (event.key === "u") undo();
  else if (event.key.length === 1 && at >= 0 && at < data.classes.length) decide("change", data.classes[at]);
  else return;
  event.preventDefault();
});

function prepare() {
  data.classes.forEach((name, at) => {
    $("class").add(new Option(name, name));
    const button = document.createElement("button"), key = document.createElement("kbd");
    key.textContent = keysOf(data.classes)[at] ?? "";
    button.append(key, name);
    button.dataset.label = name;
    button.onclick = () => decide("change", name);
    $("classes").append(button);
    const option = document.createElement("option");
    option.value = name;
    $("names").append(option);
  });
  $("class").add(new Option("rejected", "rejected"));
  $("confirm").onclick = () => decide("confirm");
  $("reject").onclick = () => decide("reject");
  $("undo").onclick = undo;
  $("other").onsubmit = (event) => {
    event.preventDefault();
    if ($("name").value.trim()) decide("change", $("name").value);
    $("name").value = "";
    $("name").blur();
  };
  for (const id of ["which", "class", "order"]) {
    $(id).onchange = () => { place = 0; scrollTo(0, 0); $(id).blur(); choose(); };
  }
  let asked = false;
  const later = () => {
    if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); }
  };
  addEventListener("scroll", later, { passive: true });
  addEventListener("resize", later);
}

(async () => {
  try {
    data = await ask("/api/images");
  } catch (error) {
    $("count").textContent = error.message;
    return;
  }
  data.decisions = new Map(data.decisions.map((one) => [one.image, one]));
  if (!data.next.length) $("which").value = "open";
  prepare();
  choose();
  const open = shown.findIndex((image) => !decided(image));
  if (open > 0) select(open);
})();

"use strict";
/* The page of all cells: a table that holds the rows on screen alone, filters, and one in full. */

const $ = (id) => document.getElementById(id);
const SPARE = 16, SHORT = { learning_rate: "lr" };
const WORDS = new Intl.Collator("en", { numeric: true });
const cells = JSON.parse($("data").textContent);

const percent = (share) => (share === null ? "" : (100 * share).toFixed(1));
const when = (time) => new Date(1000 * time).toISOString().slice(0, 16).replace("T", " ");
const worded = (value) => (typeof value === "string" ? value : value === null ? "none" : JSON.stringify(value));
const pair = ([name, value]) => `${SHORT[name] ?? name}=${worded(value)}`;
const pairs = (settings) => Object.entries(settings).map(pair);

function lasted(seconds) {
  if (seconds === null) return "";
  const whole = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

const reportOf = (run) => `${encodeURIComponent(run)}/report.html`;
const COLUMNS = [ // name, what is shown, what it is sorted by, classes, address
  ["Row", (c) => c.row, (c) => c.row, "row"],
  ["Method", (c) => c.method, (c) => c.method, "more method"],
  ["k", (c) => c.k ?? "", (c) => c.k, "number tiny"],
  ["Draw", (c) => c.draw ?? "", (c) => c.draw, "number tiny"],
  ["Settings", (c) => pairs(c.told).join(" "), (c) => pairs(c.told).join(" "), "more wide"],
  ["Hyper-val.", (c) => percent(c.accuracy), (c) => c.accuracy, "number score"],
  ["Test", (c) => percent(c.test), (c) => c.test, "number"],
  ["Time", (c) => lasted(c.seconds), (c) => c.seconds, "number more"],
  ["When (UTC)", (c) => when(c.time), (c) => c.time, "more date"],
  ["Report", (c) => c.runs.join(" "), (c) => c.runs.join(" "), "more report", (c) => c.runs[0] && reportOf(c.runs[0])],
  ["MLflow", (c) => c.run_id.slice(0, 8), (c) => c.run_id, "more id", (c) => c.page],
  ["Identity", (c) => c.identity.slice(0, 8), (c) => c.identity, "more id"],
];

let shown = cells, sorted = 8, down = true, height = 0, drawn = [0, 0], rows = new Map();

/* Filters. */

const text = cells.map((c) => [
  c.row, c.method, c.scope, c.identity, c.run_id, ...c.runs, ...pairs(c.told), ...pairs(c.settings),
].join(" ").toLowerCase());
const CHOICES = {
  run: ["any report", (c) => c.runs], row: ["any row", (c) => [c.row]],
  method: ["any method", (c) => [c.method]],
  k: ["any k", (c) => [c.k], "k = "], draw: ["any draw", (c) => [c.draw], "draw "],
};

function fill() {
  for (const [id, [all, of, lead = ""]] of Object.entries(CHOICES)) {
    const values = [...new Set(cells.flatMap(of))].filter((value) => value !== null);
    values.sort((a, b) => (typeof a === "number" ? a - b : WORDS.compare(a, b)));
    $(id).append(new Option(all, ""), ...values.map((value) => new Option(lead + value, value)));
    $(id).hidden = values.length < 2;
  }
  const several = new Map();
  for (const c of cells) {
    for (const [name, value] of Object.entries({ ...c.settings, ...c.told })) {
      several.set(name, (several.get(name) ?? new Set()).add(pair([name, value])));
    }
  }
  const found = [...several.values()].filter((values) => values.size > 1).flatMap((v) => [...v]);
  $("pairs").append(...found.slice(0, 500).map((value) => new Option(value)));
}

const TESTS = {
  "=": (a, b) => worded(a) === b || (typeof a === "number" && a === Number(b)), "<": (a, b) => a < Number(b),
  ">": (a, b) => a > Number(b), "<=": (a, b) => a <= Number(b), ">=": (a, b) => a >= Number(b),
};

/* One word of the settings' filter: beta=5, steps>100, or the beginning of either. */
function tested(word) {
  const [, name, sign, value] = /^([\w.]+)(<=|>=|=|<|>)(.+)$/.exec(word) ?? [];
  if (!name) return (c) => pairs({ ...c.settings, ...c.told }).some((one) => one.startsWith(word));
  const full = Object.keys(SHORT).find((key) => SHORT[key] === name) ?? name;
  return (c) => {
    const held = c.told[full] ?? c.settings[full];
    return held !== undefined && (held !== null || sign === "=") && TESTS[sign](held, value);
  };
}

function choose() {
  const words = $("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = $("settings").value.split(/\s+/).filter(Boolean).map(tested);
  const picks = Object.entries(CHOICES).filter(([id]) => $(id).value !== "");
  const fits = (c, i) => words.every((word) => text[i].includes(word)) &&
    picks.every(([id, [, of]]) => of(c).some((value) => String(value) === $(id).value)) &&
    tests.every((test) => test(c));
  shown = cells.filter(fits);
  order();
}

function order() {
  const by = COLUMNS[sorted][2], sign = down ? -1 : 1;
  const compare = (a, b) => (typeof a === "string" ? WORDS.compare(a, b) : a - b);
  // What has no value is last either way.
  const keys = new Map(shown.map((c) => [c, by(c)]));
  const empty = (key) => key === null || key === "";
  shown.sort((a, b) => {
    const [one, other] = [keys.get(a), keys.get(b)];
    if (empty(one) || empty(other)) return empty(one) - empty(other);
    return sign * compare(one, other);
  });
  document.querySelectorAll("thead th").forEach((th, i) => {
    if (i === sorted) th.setAttribute("aria-sort", down ? "descending" : "ascending");
    else th.removeAttribute("aria-sort");
  });
  $("count").textContent = `${shown.length.toLocaleString("en")} of ${cells.length.toLocaleString("en")}`;
  $("table").setAttribute("aria-rowcount", shown.length + 1);
  $("empty").hidden = shown.length > 0;
  $("scroll").scrollTop = 0;
  redraw();
}

/* The rows on screen. */

const space = (height) => {
  const row = document.createElement("tr");
  row.className = "space";
  row.style.height = `${height}px`;
  return row;
};

function line(c, number) {
  const row = document.createElement("tr");
  row.setAttribute("aria-rowindex", number + 2);
  COLUMNS.forEach(([, words, , classes, address], i) => {
    const cell = row.insertCell(), said = String(words(c)), to = address?.(c);
    cell.className = classes;
    if (said.length > 12) cell.title = said;
    if (i === 0 || to) {
      const inner = document.createElement(i === 0 ? "button" : "a");
      if (to) Object.assign(inner, { href: to, target: "_blank", rel: "noopener" });
      inner.textContent = said;
      cell.append(inner);
    } else cell.textContent = said;
  });
  row.onclick = (event) => { if (!event.target.closest("a")) open(c); };
  return row;
}

/* Rows that stay on screen are kept; nothing is done before a row is missing. */
function draw() {
  const box = $("scroll"), top = Math.floor(box.scrollTop / height);
  const bottom = Math.min(shown.length, top + Math.ceil(box.clientHeight / height));
  if (top >= drawn[0] && bottom <= drawn[1]) return;
  drawn = [Math.max(0, top - SPARE), Math.min(shown.length, bottom + SPARE)];
  const kept = new Map();
  for (let i = drawn[0]; i < drawn[1]; i++) kept.set(i, rows.get(i) ?? line(shown[i], i));
  rows = kept;
  $("table").tBodies[0].replaceChildren(
    space(drawn[0] * height), ...rows.values(), space((shown.length - drawn[1]) * height));
}

function redraw() {
  height = parseFloat(getComputedStyle($("scroll")).getPropertyValue("--line-height"));
  [drawn, rows] = [[0, -1], new Map()];
  draw();
}

/* One cell in full. */

function open(c) {
  $("name").textContent = c.k === null ? c.row : `${c.row}, k = ${c.k}, draw ${c.draw}`;
  const facts = [
    ["Hyper-validation", c.accuracy === null ? "none" : `${percent(c.accuracy)} %`],
    ["Test", c.test === null ? "not in a report" : `${percent(c.test)} %`],
    ["Method", c.method], ["Made for", c.scope], ["Time", lasted(c.seconds)], ["When", `${when(c.time)} UTC`],
    ...c.runs.map((run) => ["Report", run, reportOf(run)]),
    ["MLflow run", c.run_id, c.page], ["Identity", c.identity],
    ...Object.entries({ ...c.settings, ...c.told }).map(([name, value]) => [name, worded(value)]),
  ];
  $("one").querySelector("dl").replaceChildren(...facts.flatMap(([name, value, to]) => {
    const term = document.createElement("dt"), said = document.createElement("dd");
    term.textContent = name;
    const inner = to ? said.appendChild(document.createElement("a")) : said;
    if (to) Object.assign(inner, { href: to, target: "_blank", rel: "noopener" });
    inner.textContent = value;
    return [term, said];
  }));
  $("one").showModal();
}

/* Start. */

COLUMNS.forEach(([name, , , classes], i) => {
  const head = document.createElement("th"), button = document.createElement("button");
  head.className = classes;
  head.scope = "col";
  button.textContent = name;
  button.onclick = () => {
    down = i === sorted ? !down : /number|date/.test(classes);
    sorted = i;
    order();
  };
  head.append(button);
  $("table").tHead.rows[0].append(head);
});
fill();
for (const id of ["words", "settings", ...Object.keys(CHOICES)]) $(id).oninput = choose;
$("clear").onclick = () => {
  for (const id of ["words", "settings", ...Object.keys(CHOICES)]) $(id).value = "";
  choose();
};
$("one").onclick = (event) => { if (event.target === $("one")) $("one").close(); };
$("scroll").onscroll = () => requestAnimationFrame(draw);
addEventListener("resize", redraw);
choose();

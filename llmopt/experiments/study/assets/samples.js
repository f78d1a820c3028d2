// The list of samples: search, filters, order, and the sample that is read.
const columns = [["question", "Question", ""], ["other", "Before", "figure"], ["score", "Score", "figure"], ["change", "Change", "figure"]];

// Pictures and tables that are wider than the page can be scrolled by keyboard.
function reachable() {
  for (const frame of document.querySelectorAll(".scroll")) frame.tabIndex = frame.scrollWidth > frame.clientWidth ? 0 : -1;
}

async function start() {
  const index = await block("index");
  const several = index.variants.length > 1;
  const state = { sort: "", down: false, sample: -1 };
  const asked = new URLSearchParams(location.hash.slice(1));
  const texts = index.questions.map((question, number) => (index.ids[number] + "\n" + question).toLowerCase());
  let searchable = false;

  choices("variant", index.variants.map(({ name }) => name), index.top);
  choices("other", index.variants.map(({ name }) => name), 0);
  choices("metric", index.metrics, 0);
  choices("category", ["all", ...index.categories.map((name) => name || "(none)")], 0);
  choices("cause", ["all", ...index.causes, "no failure"], 0);
  for (const id of ["variant", "other"]) byId(id).parentElement.hidden = !several;
  byId("metric").parentElement.hidden = index.metrics.length < 2;
  byId("category").parentElement.hidden = index.categories.length < 2;
  byId("cause").parentElement.hidden = !index.causes.length;
  if (!several) for (const value of ["worse", "better"]) byId("show").querySelector(`[value=${value}]`).remove();
  byId("filters").hidden = false;
  byId("explorer").hidden = false;

  const chosen = (id) => Number(byId(id).value);
  const scores = (id) => index.scores[chosen(id)][chosen("metric")];
  const numbers = (score, before) => typeof score === "number" && typeof before === "number";
  const kind = (number) => [index.categories[index.category[number]], index.causes[index.cause[number]]].filter(Boolean).join(" · ");

  function fill(number) {
    const score = scores("variant")[number];
    const before = scores("other")[number];
    const change = numbers(score, before) ? Math.round((score - before) * 1000) / 1000 : null;
    const sign = change === null ? "" : change > 0 ? "▲ +" + change : change < 0 ? "▼ −" + -change : "=";
    const cells = [made("div", { role: "gridcell" }, made("div", {}, index.questions[number]), made("div", { class: "kind" }, kind(number)))];
    if (several) cells.push(made("span", { role: "gridcell", class: "figure" }, figure(before)));
    cells.push(made("span", { role: "gridcell", class: "figure" }, figure(score)));
    if (several) cells.push(made("span", { role: "gridcell", class: "figure" }, sign));
    return made("div", { role: "row", class: several ? "row" : "row plain" }, ...cells);
  }

  function wanted() {
    const [score, before] = [scores("variant"), scores("other")];
    const [show, category, cause] = [byId("show").value, chosen("category") - 1, chosen("cause") - 1];
    const terms = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const tests = {
      all: () => true,
      low: (at) => typeof score[at] === "number" && score[at] < 0.5,
      worse: (at) => numbers(score[at], before[at]) && score[at] < before[at],
      better: (at) => numbers(score[at], before[at]) && score[at] > before[at],
      none: (at) => typeof score[at] !== "number",
    };
    const fits = (at) => tests[show](at)
      && (category < 0 || index.category[at] === category)
      && (cause < 0 || index.cause[at] === (cause < index.causes.length ? cause : -1))
      && terms.every((term) => texts[at].includes(term));
    const found = [];
    for (let at = 0; at < index.ids.length; at += 1) if (fits(at)) found.push(at);
    return sorted(found, score, before);
  }

  function sorted(found, score, before) {
    const number = (value) => (typeof value === "number" ? value : -Infinity);
    const keys = {
      question: (at) => index.questions[at],
      other: (at) => number(before[at]),
      score: (at) => number(score[at]),
      change: (at) => (numbers(score[at], before[at]) ? score[at] - before[at] : -Infinity),
    };
    if (!state.sort) return found;
    const key = new Map(found.map((at) => [at, keys[state.sort](at)]));
    const way = state.down ? -1 : 1;
    return found.sort((one, two) => { const [a, b] = [key.get(one), key.get(two)]; return a < b ? -way : a > b ? way : one - two; });
  }

  function refresh() {
    const found = wanted();
    list.show(found, state.sample);
    const loading = searchable || !byId("search").value ? "" : " (answers are still being read)";
    byId("count").textContent = found.length.toLocaleString("en") + " of " + index.ids.length.toLocaleString("en") + " samples" + loading;
  }

  function heads() {
    const shown = columns.filter(([key]) => several || (key !== "other" && key !== "change"));
    byId("head").replaceChildren(made("div", { role: "row", class: several ? "row" : "row plain", "aria-rowindex": "1" }, ...shown.map(([key, name, style]) => {
      const arrow = state.sort === key ? (state.down ? " ↓" : " ↑") : "";
      const button = made("button", { type: "button", id: "sort-" + key }, name + arrow);
      button.addEventListener("click", () => sortBy(key));
      return made("span", { role: "columnheader", class: style, "aria-sort": state.sort === key ? (state.down ? "descending" : "ascending") : "none" }, button);
    })));
  }

  function sortBy(key) {
    if (state.sort !== key) Object.assign(state, { sort: key, down: false });
    else if (!state.down) state.down = true;
    else Object.assign(state, { sort: "", down: false });
    heads();
    byId("sort-" + key).focus();
    refresh();
  }

  async function read(sample, focus) {
    state.sample = sample;
    const parts = await drawn(index, sample, chosen("variant"), chosen("other"), pick);
    if (state.sample !== sample) return; // another one was chosen meanwhile
    byId("detail").replaceChildren(steps(), ...parts.filter(Boolean));
    byId("detail").dataset.sample = index.ids[sample];
    remember(sample);
    if (focus) byId("question").focus({ preventScroll: matchMedia("(min-width: 56rem)").matches });
  }

  function steps() {
    const button = (name, style, act) => { const one = made("button", { type: "button", class: style }, name); one.addEventListener("click", act); return one; };
    const at = list.items.indexOf(state.sample);
    return made("div", { class: "bar-of-buttons" }, button("Back to the list", "back", () => { byId("grid").focus(); byId("filters").scrollIntoView(); }),
      button("Previous", null, () => list.go(at - 1, true)), button("Next", null, () => list.go(at + 1, true)),
      made("span", { class: "interval" }, at < 0 ? "not in the list" : (at + 1).toLocaleString("en") + " of " + list.items.length.toLocaleString("en")));
  }

  function pick(variant) {
    byId("variant").value = variant;
    refresh();
    read(state.sample, false).then(() => byId("detail").querySelector("[aria-pressed=true]").focus());
  }

  function remember(sample) {
    const place = new URLSearchParams({ sample: index.ids[sample], variant: byId("variant").value });
    try { history.replaceState(null, "", "#" + place); } catch { /* some browsers refuse that for files */ }
  }

  async function readAnswers() {
    for (let part = 0; part * index.perBlock < index.ids.length; part += 1) {
      const answers = await block("answers-" + part);
      answers.forEach((given, at) => {
        const number = part * index.perBlock + at; // joined, not added: browsers put sums together when they are first searched
        texts[number] = [texts[number], ...given.filter((text) => typeof text === "string")].join("\n").toLowerCase();
      });
    }
    searchable = true;
    performance.mark("search-ready");
    if (byId("search").value) refresh();
  }

  const list = new List(fill, read);
  byId("search").addEventListener("input", refresh);
  for (const id of ["show", "category", "cause"]) byId(id).addEventListener("change", refresh);
  for (const id of ["variant", "other", "metric"]) byId(id).addEventListener("change", () => { refresh(); if (state.sample >= 0) read(state.sample, false); });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => { byId("search").value = ""; for (const id of ["category", "cause"]) byId(id).value = 0; byId("show").value = "all"; refresh(); });
  byId("detail").addEventListener("keydown", (event) => { if (event.key === "Escape") byId("grid").focus(); });
  heads();
  refresh();
  const linked = index.ids.indexOf(asked.get("sample"));
  if (linked >= 0) {
    byId("variant").value = index.variants[asked.get("variant")] ? asked.get("variant") : index.top;
    refresh();
    list.go(linked, false);
    byId("samples").scrollIntoView();
  }
  performance.mark("list-ready");
  setTimeout(readAnswers);
}

function choices(id, names, at) {
  byId(id).replaceChildren(...names.map((name, number) => made("option", { value: number, selected: number === at }, name)));
}

new ResizeObserver(reachable).observe(document.body);
start().catch((error) => {
  byId("samples").append(made("p", { role: "alert" }, "The samples cannot be shown (" + error.message + "): the page needs a browser of 2023 or later."));
});

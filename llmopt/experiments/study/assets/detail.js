// One sample with everything that is known of it, for one of the variants. The order of the fields is that of packed.py.
const marks = { true: "✓", false: "✗", null: "?" };
const words = { true: "holds", false: "does not hold", null: "no verdict" };

async function record(index, sample) {
  const place = [Math.floor(sample / index.perBlock), sample % index.perBlock];
  const [answers, details] = await Promise.all([block("answers-" + place[0]), block("details-" + place[0])]);
  const [reference, ...given] = answers[place[1]];
  const [requests, ...columns] = details;
  const [about, finding, ...fields] = columns.map((column) => column[place[1]]);
  const rows = given.map((_, number) => {
    const [contexts, ids, run, calls, nonces, ...scores] = fields.map((field) => field[number]);
    return contexts && { contexts, ids, run, calls: calls.map(([request, reply]) => [...requests[request], reply]), nonces, scores };
  });
  const answer = (number) => (typeof given[number] === "number" ? given[given[number]] : given[number]);
  return { reference, answers: given.map((_, number) => answer(number)), about, finding, rows };
}

// A text is itself, or the number of a shared one; those that a row needs are looked up before it is drawn.
async function lookup(index, row) {
  const { contexts, ids, scores, calls } = row;
  const statements = scores.flatMap((score) => (score ? score[2] : []));
  const templates = calls.flatMap(([, , messages, , , reply]) => [reply, ...messages.map(([, template]) => template)]);
  const part = (number) => "texts-" + Math.floor(number / index.textsPerBlock);
  const names = new Set([...contexts, ...ids, ...statements, ...templates].filter(Number.isInteger).map(part));
  const blocks = new Map(await Promise.all([...names].map(async (name) => [name, await block(name)])));
  return (place) => (Number.isInteger(place) ? blocks.get(part(place))[place % index.textsPerBlock] : place);
}

// The texts that prompts may repeat, numbered as in `Known` of texts.py.
function known(index, sample, found, variant, text) {
  const row = found.rows[variant];
  const texts = [...row.contexts.map(text), found.answers[variant], found.reference ?? "", index.questions[sample]];
  const scores = row.scores.filter(Boolean);
  texts.push(...scores.flatMap((score) => score[4]), ...scores.flatMap((score) => score[2].map(text)));
  return (template) => text(template).replace(/\u0001(n?)(\d*);/g, (_, nonce, number) => (number === "" ? "\u0001" : nonce ? row.nonces[number] : texts[number]));
}

function verdictList([, , statements, holds, reasons, chances], text) {
  return made("ul", { class: "verdicts" }, ...statements.map((statement, place) => {
    const why = [reasons[place], typeof chances[place] === "number" ? "p = " + chances[place] : ""].filter(Boolean).join(" · ");
    return made("li", {}, made("span", { role: "img", "aria-label": words[holds[place]] }, marks[holds[place]]),
      made("div", {}, made("div", { class: "text" }, text(statement)), made("div", { class: "interval" }, why)));
  }));
}

function scoreTable(index, sample, variant, scores, text) {
  const rows = index.metrics.map((metric, number) => {
    const score = scores[number] || ["", {}, []];
    const [reason, details] = score;
    const more = Object.entries(details).map(([key, one]) => key + ": " + (typeof one === "string" ? one : JSON.stringify(one))).join(", ");
    return made("tr", {}, made("th", { scope: "row" }, metric), made("td", { class: "number" }, figure(index.scores[variant][number][sample])),
      made("td", {}, made("div", { class: "text" }, reason), more ? made("div", { class: "interval" }, more) : null, score[2].length ? verdictList(score, text) : null));
  });
  return made("table", {}, made("thead", {}, made("tr", {}, ...["metric", "score", "why"].map((name, place) => made("th", { scope: "col", class: place === 1 ? "number" : null }, name)))), made("tbody", {}, ...rows));
}

function contextList(row, gold, cited, text) {
  return made("ol", { class: "contexts" }, ...row.contexts.map((context, number) => {
    const id = number < row.ids.length ? text(row.ids[number]) : "";
    const tags = [id && gold.includes(id) ? "gold" : "", cited.includes(number + 1) ? "cited" : ""].filter(Boolean);
    return made("li", {}, made("div", { class: "interval" }, id, ...tags.map((tag) => made("span", { class: "tag" }, tag))), made("div", { class: "text" }, text(context)));
  }));
}

function callList(calls, filled) {
  return calls.map(([purpose, component, messages, cached, error, reply]) => made("details", {},
    made("summary", {}, [purpose, component, cached ? "from the cache" : "", error ? "failed" : ""].filter(Boolean).join(" · ")),
    ...messages.map(([role, template, ...tools]) => made("div", { class: "message" }, made("h4", {}, role), made("pre", { tabindex: "0" }, [filled(template), ...tools].join("\n")))),
    made("div", { class: "message" }, made("h4", {}, error ? "error" : "reply"), made("pre", { tabindex: "0" }, error || filled(reply)))));
}

function diagnosed([cause, axis, reason, scores]) {
  const tried = Object.entries(scores).map(([condition, values]) => (condition === "none" ? "no" : condition) + " contexts: " + values.map(figure).join(" ")).join(" · ");
  return made("div", { class: "because" }, made("strong", {}, cause), made("span", { class: "interval" }, " (" + axis + ")"), made("div", { class: "text" }, reason), made("div", { class: "interval" }, tried));
}

function took([seconds, cost, calls, input, output, outcome, failure]) {
  const price = cost === null ? "price unknown" : "$" + cost.toPrecision(3);
  const facts = [outcome, seconds.toPrecision(3) + " s", calls + " calls", input + " + " + output + " tokens", price].join(" · ");
  return made("p", { class: "facts" }, facts, failure ? made("strong", { class: "text" }, " failed: " + failure) : null);
}

// The answers of this variant and of the one it is compared with; those of the others on demand.
function answerList(index, found, sample, variant, other, pick) {
  const button = (number) => {
    const one = made("button", { type: "button", class: "answer", "aria-pressed": String(number === variant) },
      made("span", { class: "name" }, made("span", {}, index.variants[number].name), made("span", {}, index.target + " " + figure(index.scores[number][0][sample]))),
      made("span", { class: "text" }, found.answers[number] || "(no answer)"));
    one.addEventListener("click", () => pick(number));
    return one;
  };
  const ran = index.variants.map((_, number) => number).filter((number) => found.rows[number]);
  const near = ran.filter((number) => number === variant || number === other);
  const far = ran.filter((number) => !near.includes(number));
  return [...near.map(button), far.length ? made("details", {}, made("summary", {}, far.length + (far.length > 1 ? " more variants" : " more variant")), ...far.map(button)) : null];
}

function further(about) {
  const [gold, group, answerable, metadata] = about;
  const facts = { gold: gold.join(", "), group, answerable: answerable === null ? "" : String(answerable), metadata: Object.keys(metadata).length ? JSON.stringify(metadata, null, 1) : "" };
  const shown = Object.entries(facts).filter(([, value]) => value);
  return shown.length ? made("details", {}, made("summary", {}, "More of the sample"), made("dl", {}, ...shown.flatMap(([key, value]) => [made("dt", {}, key), made("dd", { class: "text" }, value)]))) : null;
}

async function drawn(index, sample, variant, other, pick) {
  const found = await record(index, sample);
  const row = found.rows[variant];
  const parts = [made("h3", { id: "question", tabindex: "-1" }, index.questions[sample]),
    made("p", { class: "facts" }, [index.ids[sample], index.categories[index.category[sample]]].filter(Boolean).join(" · ")),
    found.finding ? diagnosed(found.finding) : null,
    made("h4", {}, "Reference"), made("div", { class: "text" }, found.reference ?? "(none)"),
    made("h4", {}, index.variants.length > 1 ? "Answers" : "Answer"), ...answerList(index, found, sample, variant, other, pick)];
  if (!row) return [...parts, made("p", {}, "This variant did not run on this sample."), further(found.about)];
  const text = await lookup(index, row);
  const calls = callList(row.calls, known(index, sample, found, variant, text));
  return [...parts, row.run ? took(row.run) : null,
    made("h4", {}, "Scores"), scoreTable(index, sample, variant, row.scores, text),
    made("h4", {}, "Contexts"), row.contexts.length ? contextList(row, found.about[0], row.run ? row.run[7] : [], text) : made("p", {}, "(none)"),
    made("h4", {}, "Prompts and replies"), ...(calls.length ? calls : [made("p", {}, "(not kept)")]), further(found.about)];
}

/*
 * Asks the built site's search the questions of docs/questions.tsv: `hatch run docs:ask`.
 *
 * Each line has the pages that answer a question, separated by |, a tab, and the question in the
 * words of issues and forums. One of its pages has to be among the first three results. Only the
 * site's own scripts answer, as in a browser; what they need of one is made here.
 */
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const vm = require("node:vm");

const SITE = join(__dirname, "_build", "html");
const SHOWN = 3;

/** Return the site's `Search` with its index, in the order in which a page loads the scripts. */
const loadSearch = () => {
  const browser = vm.createContext({
    document: { getElementById: () => null },
    _: (text) => text,
    _ready: () => {},
    SPHINX_HIGHLIGHT_ENABLED: false,
  });
  const scripts = ["_static/searchtools.js", "_static/language_data.js", "searchindex.js"];
  const texts = scripts.map((name) => readFileSync(join(SITE, name), "utf8"));
  browser.window = browser;
  return vm.runInContext(`${texts.join("\n")}\nSearch`, browser);
};

/** Return the names of the pages that the search shows first, each page once. */
const ask = (search, question) => {
  const results = search._performSearch(...search._parseQuery(question)).reverse();
  return [...new Set(results.map(([page]) => page))].slice(0, SHOWN);
};

const search = loadSearch();
const questions = readFileSync(join(__dirname, "questions.tsv"), "utf8").trim().split("\n");
const missed = questions
  .map((line) => line.split("\t"))
  .map(([pages, question]) => ({ pages, question, found: ask(search, question) }))
  .filter(({ pages, found }) => !pages.split("|").some((page) => found.includes(page)));

for (const { pages, question, found } of missed) {
  console.error(`${question}\n  expected ${pages}\n  found    ${found.join(", ")}`);
}
console.log(`${questions.length - missed.length} of ${questions.length} questions find their page`);
process.exitCode = missed.length ? 1 : 0;

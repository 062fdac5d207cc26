/*
 * How the site is searched: a page need not have all the words of a question.
 *
 * Sphinx finds only pages that have every word, and ranks them by one word. Here a page scores for
 * each word that it has, more for a rare one, for one in a heading, and for one in its title.
 * Pages with fewer than half of the words are left out. The reference and the designs rank behind
 * the guides.
 *
 * `html_search_scorer` in conf.py puts this file into language_data.js, which Furo loads between
 * searchtools.js, where `Search` is, and the index.
 */
const WEIGHTS = { title: 3.5, heading: 3, text: 1, headingPart: 1, textPart: 0.3 };
const BEHIND = /^reference\/|-design$/;

const filesOf = (index, word) => (Object.hasOwn(index, word) ? [index[word]].flat() : []);

/** Return the weight of a word in each page that has it, by the page's number. */
const weightsOfWord = (word) => {
  const weights = new Map();
  const add = (files, weight) =>
    files.forEach((file) => weights.set(file, Math.max(weight, weights.get(file) ?? 0)));
  const addParts = (index, weight) =>
    Object.keys(index)
      .filter((term) => term.includes(word))
      .forEach((term) => add(filesOf(index, term), weight));

  const { terms, titles, titleterms } = Search._index;
  const headed = filesOf(titleterms, word);
  const stemmer = new Stemmer();
  const isOfTitle = (file) =>
    splitQuery(titles[file].toLowerCase()).some((each) => stemmer.stemWord(each) === word);
  add(filesOf(terms, word), WEIGHTS.text);
  add(headed, WEIGHTS.heading);
  add(headed.filter(isOfTitle), WEIGHTS.title);
  if (word.length > 2 && !weights.size) {
    addParts(terms, WEIGHTS.textPart);
    addParts(titleterms, WEIGHTS.headingPart);
  }
  return weights;
};

const searchTermsOneByOne = (searchTerms, excludedTerms) => {
  const { docnames, filenames, titles, terms, titleterms } = Search._index;
  const scores = new Map();
  const counts = new Map();
  for (const word of searchTerms) {
    const weights = weightsOfWord(word);
    const rarity = Math.log(1 + docnames.length / weights.size);
    for (const [file, weight] of weights) {
      scores.set(file, (scores.get(file) ?? 0) + weight * rarity);
      counts.set(file, (counts.get(file) ?? 0) + 1);
    }
  }
  const excluded = new Set(
    [...excludedTerms].flatMap((word) => [...filesOf(terms, word), ...filesOf(titleterms, word)]),
  );
  return [...scores.keys()]
    .filter((file) => !excluded.has(file) && counts.get(file) * 2 >= searchTerms.size)
    .map((file) => {
      const share = counts.get(file) / searchTerms.size;
      const place = BEHIND.test(docnames[file]) ? 0.4 : 1;
      const score = scores.get(file) * share * share * place;
      return [docnames[file], titles[file], "", null, score, filenames[file], SearchResultKind.text];
    });
};

// A name that one of several words hits is worth less than a name that is the whole question.
const searchNames = Search.performObjectSearch;
const searchNamesWithWeight = (word, words) =>
  searchNames(word, words).map((result) => result.with(4, result[4] / words.size ** 2));

Search.performTermsSearch = searchTermsOneByOne;
Search.performObjectSearch = searchNamesWithWeight;

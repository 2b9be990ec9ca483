// Which items are listed: by what became of them, by subject, and by a text that they hold.

// Of each letter of a state, the changes that it is one of; a dispute of judges is one too.
const BITS = { lost: 1, gained: 2, 'both-wrong': 4, 'other-wrong': 8, failed: 16, disagree: 32, all: 64 };
const LETTER_BITS = new Uint8Array(128);
for (const [letter, bits] of [['l', 1], ['g', 2], ['w', 4], ['o', 12], ['f', 16]]) LETTER_BITS[letter.charCodeAt(0)] = bits;
const LABELS = {
  task: {
    all: 'All items', lost: 'Lost', gained: 'Gained', 'both-wrong': 'Both wrong',
    'other-wrong': 'Wrong, to another wrong', failed: 'Failed',
  },
  prompts: {
    all: 'All prompts', lost: 'Worse than baseline', gained: 'Better than baseline', 'both-wrong': 'Both bad',
    failed: 'Failed',
  },
  dialogues: {
    all: 'All dialogues', lost: 'Baseline preferred', gained: 'Model preferred', disagree: 'Judges disagree',
    failed: 'Failed',
  },
};
const SLICE_MS = 12;

// For each change, the items of one model, or of any, within a subject.
function selections(collection, model, subject) {
  const { columns, models, baseline } = collection;
  const others = models.filter(name => name !== baseline);
  const asked = model ? [model] : others.length ? others : models;
  const states = asked.map(name => columns[`state:${name}`]);
  const disputes = asked.map(name => columns[`disagree:${name}`]).filter(Boolean);
  // That the baseline failed is seen where any model is asked for.
  const ofBase = model ? undefined : columns[`state:${baseline}`];
  const number = subject ? collection.subjects.indexOf(subject) : -1;
  const found = Object.keys(LABELS[collection.kind]).map(show => [BITS[show], show, []]);
  for (let at = 0; at < columns.ids.length; at++) {
    if (subject && columns.subjects[at] !== number) continue;
    let bits = BITS.all | (ofBase ? LETTER_BITS[ofBase.charCodeAt(at)] & BITS.failed : 0);
    for (const letters of states) bits |= LETTER_BITS[letters.charCodeAt(at)];
    for (const marks of disputes) if (marks[at] === '1') bits |= BITS.disagree;
    for (const [bit, , places] of found) if (bits & bit) places.push(at);
  }
  return Object.fromEntries(found.map(([, show, places]) => [show, places]));
}

function hasText(value, sought) {
  if (typeof value === 'string') return value.includes(sought);
  return value !== null && typeof value === 'object' && Object.values(value).some(part => hasText(part, sought));
}

// Those of some places whose texts hold what is sought, told batch by batch; ends early where `isCurrent` no longer holds.
async function search(collection, places, query, tell, isCurrent) {
  const sought = query.toLowerCase(), written = JSON.stringify(sought).slice(1, -1);
  const starts = collection.head.items;
  const byBlock = new Map();
  for (const at of places) {
    const number = blockOf(starts, at);
    if (!byBlock.has(number)) byBlock.set(number, []);
    byBlock.get(number).push(at);
  }
  let done = 0, since = performance.now();
  for (const [number, within] of byBlock) {
    const lines = await collection.searchedBlock(number);
    // The JSON holds more than texts, so what it holds is looked at once more.
    const hits = within.filter(at => {
      const line = lines[at - starts[number]];
      return collection.columns.ids[at].toLowerCase().includes(sought)
        || (line.includes(written) && hasText(JSON.parse(line), sought));
    });
    if (performance.now() - since > SLICE_MS) {
      await pause();
      since = performance.now();
    }
    if (!isCurrent()) return;
    tell(hits, ++done / byBlock.size);
  }
}

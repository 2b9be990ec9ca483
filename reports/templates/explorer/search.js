// Which items are listed: by what became of them, by subject, and by a text that they hold.

const CHANGES = { lost: 'l', gained: 'g', 'both-wrong': 'wo', 'other-wrong': 'o', failed: 'f' };
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
  const found = Object.fromEntries(Object.keys(LABELS[collection.kind]).map(show => [show, []]));
  const letters = names => names.map(name => columns[`state:${name}`]);
  const compared = letters(asked), every = letters(model ? [model] : models);
  const disputes = asked.map(name => columns[`disagree:${name}`]).filter(Boolean);
  const number = subject ? collection.subjects.indexOf(subject) : -1;
  for (let at = 0; at < columns.ids.length; at++) {
    if (subject && columns.subjects[at] !== number) continue;
    for (const show in found) {
      const column = show === 'failed' ? every : compared;
      const holds = show === 'all' || (show === 'disagree'
        ? disputes.some(marks => marks[at] === '1')
        : column.some(states => CHANGES[show].includes(states[at])));
      if (holds) found[show].push(at);
    }
  }
  return found;
}

function hasText(value, sought) {
  if (typeof value === 'string') return value.toLowerCase().includes(sought);
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
    const text = await collection.blockText(number);
    let hits = within.filter(at => collection.columns.ids[at].toLowerCase().includes(sought));
    if (text.toLowerCase().includes(written)) {
      const items = JSON.parse(text);
      hits = within.filter(at => hits.includes(at) || hasText(items[at - starts[number]], sought));
    }
    if (performance.now() - since > SLICE_MS) {
      await pause();
      since = performance.now();
    }
    if (!isCurrent()) return;
    tell(hits, ++done / byBlock.size);
  }
}

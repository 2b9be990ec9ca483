// One item, opened: the question, and what every chosen model made of it, side by side.

const SAMPLE_LONG = 400;

// The chosen models that the collection has, each with its place among the answers.
const chosenModels = (collection, chosen) => collection.models
  .map((name, place) => ({ ...collection.labels[name], place }))
  .filter(model => chosen.includes(model.name));

async function itemNodes(collection, at, options) {
  const item = await collection.item(at);
  const models = chosenModels(collection, options.models);
  if (collection.kind === 'dialogues') return dialogueNodes(collection, item, models, options);
  const nodes = [];
  if (item.s) nodes.push(sharedTexts(collection, item.s, 'Few-shot examples and instructions'));
  nodes.push(longText(item.q || '(no prompt is stored)', 'prompt'));
  if (item.t !== undefined) nodes.push(make('p', { class: 'small' }, collection.kind === 'prompts' ? 'Request: ' : 'Reference: ',
    longText(item.t, 'x-inline', SAMPLE_LONG)));
  if (item.c) nodes.push(choiceTable(collection, item, at, models));
  const columns = models.map(model => collection.kind === 'prompts'
    ? sampleColumn(collection, item, at, model)
    : answerColumn(collection, item, at, model, options)).filter(column => !item.c || column.childElementCount > 1);
  return [...nodes, make('div', { class: 'x-columns' }, columns)];
}

function sharedTexts(collection, numbers, title) {
  return folded(`${title}: ${counted(numbers.length, 'paragraph')}`, async () =>
    [longText((await collection.sharedTexts(numbers)).join('\n\n'), 'prompt', 20000)]);
}

function modelHeading(collection, model, at) {
  const state = collection.state(model.name, at);
  const word = model.name === collection.baseline || state === 'f' ? '' : STATES[collection.kind][state] ?? '';
  return [shape(model), make('b', {}, model.name), ` ${scoreText(collection, model.name, at)}`,
    word ? make('span', { class: `chip s-${state}` }, word) : null];
}

// What is said of an answer besides its text: why it failed, its reasoning, a prompt of its own.
function answerNotes(collection, answer) {
  const notes = [];
  if (answer.e) notes.push(make('div', { class: 'reason small' }, 'Failed: ', longText(answer.e, 'x-inline', SAMPLE_LONG)));
  if (answer.z) notes.push(make('p', { class: 'small' }, `${counted(answer.z, 'token')} of the prompt’s beginning were cut.`));
  if (answer.h !== undefined) {
    const size = answer.n ? `, ${counted(answer.n, 'token')}` : '';
    notes.push(folded(`Reasoning${size}${answer.u ? ', never ended: no answer' : ''}`,
      () => [longText(answer.h.trim() ? answer.h : '(nothing)', 'said reason small')]));
  }
  if (answer.p) notes.push(sharedTexts(collection, answer.p, 'Asked with another prompt'));
  return notes;
}

const generated = answer => answer?.g ? answer.g.join('\n') : null;

// A generated text, with what differs from the baseline's marked where that is wanted and readable.
function generation(text, baseText, options) {
  if (!text.trim()) return [make('p', { class: 'said small' }, '(nothing)')];
  if (!options.difference || baseText === null || baseText === text) {
    return [longText(text, 'said'), ...(baseText === text ? [make('p', { class: 'small' }, 'The baseline’s, word for word.')] : [])];
  }
  const runs = wordDifference(baseText, text);
  if (!runs) return [longText(text, 'said'), make('p', { class: 'small' }, 'Too few words in common with the baseline’s, or too many in all, to mark a difference.')];
  if (text.length > LONG) return [longText(text, 'said', LONG, shown => shown === text ? differenceNodes(runs) : [visible(shown)])];
  return [make('div', { class: 'said', dir: 'auto' }, differenceNodes(runs))];
}

function answerColumn(collection, item, at, model, options) {
  const answer = item.a[model.place], column = make('div', { class: `say ${model.css}`, role: 'group', 'aria-label': model.name });
  column.append(make('h4', {}, modelHeading(collection, model, at)));
  if (!answer) { column.append(make('p', { class: 'small' }, 'Nothing is stored.')); return column; }
  column.append(...answerNotes(collection, answer));
  if (answer.w !== undefined) column.append(make('div', { class: 'small' }, 'Answer taken: ', longText(answer.w || '(nothing)', 'x-inline', SAMPLE_LONG)));
  const text = generated(answer);
  if (text !== null) {
    const base = item.a[collection.models.indexOf(collection.baseline)];
    column.append(...generation(text, model.name === collection.baseline ? null : generated(base), options));
  }
  return column;
}

// What the metric compares: a log-probability, or one per character of the choice.
function choiceValue(collection, choice, value) {
  return collection.byLength ? value / Math.max([...choice].length, 1) : value;
}

const logProbability = value => value.toFixed(2).replace('-', '−');

function choiceTable(collection, item, at, models) {
  const values = models.map(model => item.a[model.place]?.l?.map((value, n) => value === null ? null : choiceValue(collection, item.c[n], value)));
  const lowest = Math.min(0, ...values.flat().filter(value => typeof value === 'number'));
  const heads = models.map(model => make('th', { scope: 'col', class: model.css }, modelHeading(collection, model, at)));
  const rows = item.c.map((choice, n) => {
    const isTarget = choice === item.t;
    const name = make('th', { scope: 'row' }, longText(choice || '(nothing)', 'x-inline', SAMPLE_LONG),
      isTarget ? make('span', { class: 'chip' }, 'reference') : null);
    return make('tr', { class: isTarget ? 'x-target' : '' }, name, models.map((model, place) => choiceCell(item, n, model, values[place], lowest)));
  });
  const what = collection.byLength ? 'Log-probability per character' : 'Log-probability';
  const caption = `${what} in nats, which ${collection.metric} compares. A longer bar is more likely; the model’s pick is marked.`;
  return make('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Choices' },
    make('table', { class: 'plain x-choices' }, make('caption', { class: 'small' }, caption),
      make('thead', {}, make('tr', {}, make('th', { scope: 'col' }, 'Choice'), heads)), make('tbody', {}, rows)));
}

function choiceCell(item, n, model, values, lowest) {
  const answer = item.a[model.place], value = values?.[n];
  const cell = make('td', { class: `n ${model.css}` });
  if (value === undefined) { cell.append('–'); return cell; }
  if (answer.k === n) cell.classList.add('x-pick');
  if (value === null) { cell.append('−∞'); return cell; }
  const bar = make('span', { class: 'x-bar', 'aria-hidden': 'true' });
  bar.style.setProperty('--width', `${lowest ? (100 * (1 - value / (lowest * 1.05))).toFixed(1) : 100}%`);
  cell.append(bar, make('span', {}, logProbability(value)));
  if (answer.k === n) cell.append(make('b', {}, ' pick'));
  return cell;
}

// All samples of a prompt, the worst first.
function sampleColumn(collection, item, at, model) {
  const samples = item.a[model.place], column = make('div', { class: `say ${model.css}`, role: 'group', 'aria-label': model.name });
  column.append(make('h4', {}, modelHeading(collection, model, at)));
  for (const sample of [...samples ?? []].sort((a, b) => (b.v ?? -1) - (a.v ?? -1))) {
    const score = collection.scale === 'decimal' && sample.v !== undefined ? sample.v.toFixed(2) : sample.w ?? '';
    const ending = sample.d === false ? 'truncated' : '';
    column.append(make('div', { class: 'x-sample' }, make('span', { class: 'small' }, [score, ending].filter(Boolean).join(', ')),
      answerNotes(collection, sample), longText(generated(sample)?.trim() ? generated(sample) : '(nothing)', 'said', SAMPLE_LONG)));
  }
  if (!samples) column.append(make('p', { class: 'small' }, 'Nothing is stored.'));
  return column;
}

function dialogueNodes(collection, item, models, options) {
  return item.r.map((turn, number) => {
    const columns = models.map(model => {
      const answer = turn.a[model.place], column = make('div', { class: `say ${model.css}`, role: 'group', 'aria-label': model.name });
      column.append(make('h4', {}, shape(model), make('b', {}, model.name),
        make('span', { class: 'small' }, answer?.d === false ? ' truncated' : answer?.d ? ' ended with EOS' : '')));
      if (!answer) column.append(make('p', { class: 'small' }, 'Nothing is stored.'));
      else {
        const base = turn.a[collection.models.indexOf(collection.baseline)];
        column.append(...answerNotes(collection, answer));
        if (generated(answer) !== null) column.append(...generation(generated(answer), model.name === collection.baseline ? null : generated(base), options));
      }
      column.append(...judgementNodes(collection, turn, model));
      return column;
    });
    const user = make('div', { class: 'prompt' }, make('b', { class: 'speaker' }, item.r.length > 1 ? `User, turn ${number + 1}` : 'User'),
      longText(turn.q, 'x-said'));
    return make('article', { class: 'x-turn' }, user, make('div', { class: 'x-columns' }, columns));
  });
}

// What each judge said of a model's answer, and a mark where two of them prefer different ones.
function judgementNodes(collection, turn, model) {
  const given = turn.j.map(judge => judge[model.place]);
  const preferences = given.filter(Boolean).map(judgement => judgement.v);
  const nodes = given.map((judgement, number) => judgement && judgementNode(collection, judgement, collection.judges[number], model));
  if (preferences.includes(1) && preferences.includes(0)) nodes.unshift(make('p', { class: 'small' }, make('span', { class: 'chip x-disagree' }, '≠ judges disagree')));
  return nodes.filter(Boolean);
}

function judgementNode(collection, judgement, judge, model) {
  const { baseline } = collection, preferred = value => value === 0.5 ? 'a tie' : value === 1 ? `${model.name} preferred` : `${baseline} preferred`;
  const flips = judgement.f !== undefined && judgement.b !== undefined && judgement.f !== judgement.b;
  let said = judgement.v === undefined ? `no verdict (${judgement.e ?? 'not judged'})` : preferred(judgement.v);
  if (flips) said = `the order decided: ${model.name} shown first, ${preferred(judgement.f)}; ${baseline} shown first, ${preferred(judgement.b)}`;
  if (judgement.m !== undefined) said += ` (score ${judgement.m < 0 ? '−' : '+'}${Math.abs(judgement.m)} compared with ${baseline}’s)`;
  const mark = { 1: ['+', 'g'], 0: ['−', 'l'], 0.5: ['=', 'same'] }[judgement.v] ?? ['?', 'none'];
  const box = make('div', { class: `x-judgement s-${mark[1]}` }, make('b', {}, mark[0]), ' ', isolated(judge), ': ', isolated(said));
  const reasons = judgement.x ?? [], names = [baseline, model.name];
  if (reasons.length) box.append(folded(counted(reasons.length, 'reason'), () => reasons.map((reason, n) =>
    longText(reasons.length === 2 ? `A is ${names[n]}: ${reason}` : reason, 'reason small', SAMPLE_LONG))));
  return box;
}

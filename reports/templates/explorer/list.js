// The list: a listbox of which only the rows in sight exist.

const SIGNS = { l: '−', g: '+', f: '×' };
const STATES = {
  task: { l: 'lost', g: 'gained', w: 'both wrong', o: 'wrong, to another wrong', f: 'failed' },
  prompts: { l: 'worse', g: 'better', w: 'both bad', o: 'both bad', f: 'failed' },
  dialogues: { f: 'failed' },
};
const CLASSES = { '=': 'same', '-': 'none' };
const BEYOND = 6;
const MOST_ROWS = 11;

// How a score is written: of two values a word, else a number.
function scoreText(collection, model, at) {
  if (collection.state(model, at) === 'f') return 'failed';
  const score = collection.score(model, at);
  if (score === null) return '–';
  if (collection.scale === 'preference') {
    if (model === collection.baseline) return '–';
    return score === 0.5 ? 'tied' : score === 1 ? 'won' : score === 0 ? 'lost' : `${Math.round(score * 100)} %`;
  }
  if (collection.scale === 'right' && (score === 1 || score === 0)) return score ? 'right' : 'wrong';
  if (collection.scale === 'decimal') return score.toFixed(2);
  if (collection.scale === 'plain') return String(Number(score.toPrecision(3))).replace('-', '−');
  return (score * 100).toFixed(1);
}

class List {
  constructor(box, heading, pick) {
    Object.assign(this, { box, heading, pick, places: [], active: 0, rows: [] });
    this.sizer = make('div', { class: 'sizer', role: 'presentation' });
    box.append(this.sizer);
    box.addEventListener('scroll', () => this.later());
    box.addEventListener('keydown', event => this.key(event));
    box.addEventListener('click', event => {
      const row = event.target.closest('[role=option]');
      if (row) { this.activate(Number(row.dataset.number)); this.pick(this.places[this.active], false); }
    });
    addEventListener('resize', () => { if (this.collection) this.measure(); });
  }

  // Shows some items of a collection, from the top unless they go on from those shown.
  show(collection, places, { goesOn = false, hidesPreviews = false } = {}) {
    this.places = places;
    if (collection !== this.collection || hidesPreviews !== this.hidesPreviews) {
      Object.assign(this, { collection, hidesPreviews });
      this.head();
      this.rows = [];
      this.sizer.replaceChildren();
    }
    if (!goesOn) { this.active = 0; this.box.scrollTop = 0; }
    for (const row of this.rows) row.number = -1;
    this.measure();
  }

  head() {
    const models = this.collection.models.map(name => this.collection.labels[name]);
    this.box.style.setProperty('--models', models.length);
    this.heading.style.setProperty('--models', models.length);
    this.heading.replaceChildren(make('span', {}, 'Item'), ...models.map(model =>
      make('span', { class: model.css, title: model.name }, shape(model), make('b', {}, model.name))));
  }

  measure() {
    this.height = parseFloat(getComputedStyle(this.box).getPropertyValue('--row'));
    this.sizer.style.height = `${this.places.length * this.height}px`;
    this.box.style.height = `${Math.min(Math.max(this.places.length, 1), MOST_ROWS) * this.height + 1}px`;
    this.heading.style.marginRight = `${this.box.offsetWidth - this.box.clientWidth}px`;
    const wanted = Math.ceil(this.box.clientHeight / this.height) + 2 * BEYOND;
    while (this.rows.length < wanted) this.rows.push(this.row());
    for (const row of this.rows) row.number = -1;
    this.draw();
  }

  row() {
    const id = make('b', {}), preview = make('bdi', {});
    const cells = this.collection.models.map(() => {
      const [sign, score, dispute] = ['b', 'span', 'b'].map(tag => make(tag, {}, ''));
      return { box: make('span', { class: 'x-cell' }, sign, score, dispute), sign: sign.firstChild, score: score.firstChild, dispute: dispute.firstChild };
    });
    const element = make('div', { role: 'option', class: 'x-row' }, make('span', { class: 'x-what' }, id, ' ', preview), cells.map(({ box }) => box));
    this.sizer.append(element);
    return { element, id, preview, cells, number: -1 };
  }

  later() {
    this.drawing ??= requestAnimationFrame(() => { this.drawing = null; this.draw(); });
  }

  // Rows are used again in turn, so that scrolling by one writes one.
  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - BEYOND);
    for (let number = first; number < first + this.rows.length; number++) {
      const row = this.rows[number % this.rows.length];
      if (row.number !== number) this.write(row, number);
      row.element.setAttribute('aria-selected', String(this.places[number] === this.opened));
      row.element.classList.toggle('active', number === this.active);
    }
    const shown = this.active >= first && this.active < first + this.rows.length && this.places.length > 0;
    if (shown) this.box.setAttribute('aria-activedescendant', `x-row-${this.active}`);
    else this.box.removeAttribute('aria-activedescendant');
  }

  write(row, number) {
    const { collection } = this, at = this.places[number];
    row.number = number;
    row.element.hidden = at === undefined;
    row.element.style.transform = `translateY(${number * this.height}px)`;
    row.element.id = `x-row-${number}`;
    row.element.dataset.number = number;
    if (at === undefined) return;
    const id = visible(collection.columns.ids[at]);
    const preview = this.hidesPreviews ? '' : visible(collection.columns.previews[at]);
    row.id.textContent = id;
    row.preview.textContent = preview;
    const told = [];
    for (const [place, model] of collection.models.entries()) {
      const state = collection.state(model, at), score = scoreText(collection, model, at);
      const cell = row.cells[place], isBase = model === collection.baseline && state !== 'f';
      const disputed = collection.disagree(model, at);
      cell.box.className = `x-cell s-${isBase ? 'base' : CLASSES[state] ?? state}`;
      cell.sign.data = isBase ? '' : SIGNS[state] ?? '';
      cell.score.data = score;
      cell.dispute.data = disputed ? '≠' : '';
      told.push(`${model} ${[score, isBase ? '' : STATES[collection.kind][state], disputed ? 'judges disagree' : ''].filter(Boolean).join(', ')}`);
    }
    row.element.setAttribute('aria-label', [id, preview, told.join('; ')].filter(Boolean).join('. '));
    row.element.setAttribute('aria-setsize', this.places.length);
    row.element.setAttribute('aria-posinset', number + 1);
  }

  activate(number) {
    this.active = Math.max(0, Math.min(number, this.places.length - 1));
    const top = this.active * this.height, { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.box.scrollTop = top + this.height - clientHeight;
    this.draw();
  }

  // Marks the opened item, and brings it into sight where it is listed.
  open(at) {
    this.opened = at;
    const number = this.places.indexOf(at);
    if (number >= 0) this.activate(number); else this.draw();
    return number;
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.activate(this.active + steps[event.key]);
    else if ((event.key === 'Enter' || event.key === ' ') && this.places.length) this.pick(this.places[this.active], true);
    else return;
    event.preventDefault();
  }
}

// What is shown follows the fragment: #items?task=TASK&model=NAME&show=lost&subject=NAME&q=TEXT&models=A,B&item=ID

const PREFIX = '#items?';
const KEYS = ['task', 'model', 'show', 'subject', 'q', 'models', 'item'];
const MANY_MODELS = 6;
const FEW_MODELS = 3;
const TYPING_MS = 200;
const part = name => document.getElementById(`x-${name}`);

class Explorer {
  constructor(catalogue) {
    this.catalogue = catalogue;
    const labels = Object.fromEntries(catalogue.models.map(model => [model.name, model]));
    this.collections = catalogue.collections.map((facts, number) =>
      new Collection({ ...facts, labels, baseline: catalogue.baseline }, part(`data-${number}`)));
    this.list = new List(part('list'), part('head'), (at, focuses) => this.pick(at, focuses));
    this.options = { difference: true };
    this.round = 0;
    this.fill(part('task'), this.collections.map(({ name, n }) => [name, `${visible(name)} (${n.toLocaleString('en')})`]));
    this.listen();
  }

  fill(select, options) {
    select.replaceChildren(...options.map(([value, text]) => make('option', { value }, text)));
  }

  listen() {
    for (const key of ['task', 'subject', 'model', 'show']) {
      part(key).onchange = () => this.go({ ...this.read(), item: '', ...(key === 'task' ? { subject: '', model: '', show: '', models: '' } : {}) });
    }
    part('q').oninput = () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.go({ ...this.read(), item: '' }, { keepsPlace: true }), TYPING_MS);
    };
    part('difference').onchange = () => { this.options.difference = part('difference').checked; this.render(); };
    part('unveil').onclick = () => {
      this.unveiled = !this.unveiled;
      part('unveil').setAttribute('aria-pressed', String(this.unveiled));
      part('unveil').textContent = this.unveiled ? 'Hide texts' : 'Show texts';
      this.list.show(this.collection, this.list.places, { goesOn: true, hidesPreviews: this.isVeiled() });
      this.render();
    };
    part('previous').onclick = () => this.step(-1);
    part('next').onclick = () => this.step(1);
    part('close').onclick = () => { this.go({ ...this.state, item: '' }); part('list').focus(); };
    addEventListener('hashchange', () => this.follow());
    addEventListener('popstate', () => this.follow());
  }

  // The state as the controls have it.
  read() {
    const state = { ...this.state };
    for (const key of ['task', 'subject', 'model', 'show', 'q']) state[key] = part(key).value;
    return state;
  }

  // Shows a state, and puts it into the address.
  go(state, { keepsPlace = false } = {}) {
    const given = KEYS.filter(key => state[key] && !(key === 'show' && state[key] === 'all'));
    const fragment = PREFIX + new URLSearchParams(given.map(key => [key, state[key]]));
    if (fragment === location.hash) return this.show(state);
    history[keepsPlace ? 'replaceState' : 'pushState'](null, '', fragment);
    return this.show(state);
  }

  // Shows what the address says, where it speaks of items.
  follow() {
    if (!location.hash.startsWith(PREFIX) || location.hash === this.followed) return;
    const given = new URLSearchParams(location.hash.slice(PREFIX.length));
    this.show(Object.fromEntries(KEYS.map(key => [key, given.get(key) ?? ''])), { arrives: true });
  }

  async show(state, { arrives = false } = {}) {
    const round = ++this.round;
    this.followed = location.hash;
    const collection = this.collections.find(({ name }) => name === state.task) ?? this.collections[0];
    part('count').textContent = 'Unpacking …';
    await collection.opened();
    if (round !== this.round) return;
    this.collection = collection;
    this.state = { ...state, task: collection.name, show: state.show in LABELS[collection.kind] ? state.show : 'all' };
    if (!collection.models.includes(this.state.model)) this.state.model = '';
    if (!collection.subjects.includes(this.state.subject)) this.state.subject = '';
    this.controls();
    const places = this.found[this.state.show];
    const opened = state.item ? this.placeOf(state.item) : -1;
    if (this.state.q) this.searchIn(places, round);
    else this.listed(places);
    await this.openItem(opened, round);
    if (arrives) this.arrive(opened >= 0 ? part('item') : part('list'));
    if (state.item && opened < 0) part('count').textContent += `. No item ${visible(state.item)} is in this page.`;
  }

  controls() {
    const { collection, state } = this;
    part('task').value = collection.name;
    this.fill(part('subject'), [['', 'All'], ...collection.subjects.map(name => [name, visible(name)])]);
    part('subject').value = state.subject;
    part('subject').parentElement.hidden = collection.subjects.length < 2;
    const others = collection.models.filter(name => name !== collection.baseline);
    this.fill(part('model'), [['', 'Any'], ...others.map(name => [name, name])]);
    part('model').value = state.model;
    this.found = selections(collection, state.model, state.subject);
    this.fill(part('show'), Object.entries(LABELS[collection.kind]).map(([show, label]) =>
      [show, `${label} (${this.found[show].length.toLocaleString('en')})`]));
    part('show').value = state.show;
    if (part('q').value !== state.q) part('q').value = state.q;
    part('unveil').parentElement.hidden = !collection.veiled;
    this.modelBoxes();
  }

  // Which models stand side by side in the opened item.
  chosen() {
    const { models, baseline } = this.collection;
    const named = this.state.models.split(',').filter(name => models.includes(name));
    if (named.length) return named;
    if (models.length <= MANY_MODELS && this.collection.kind === 'task') return models;
    return [...new Set([baseline, this.state.model, ...models])].filter(name => models.includes(name)).slice(0, FEW_MODELS);
  }

  modelBoxes() {
    const chosen = this.chosen();
    if (part('models').dataset.of !== this.collection.models.join()) {
      part('models').replaceChildren(...this.collection.models.map(name => {
        const model = this.collection.labels[name];
        const box = make('input', { type: 'checkbox', value: name });
        box.onchange = () => {
          const boxes = [...part('models').querySelectorAll('input')];
          this.go({ ...this.state, models: boxes.filter(each => each.checked).map(each => each.value).join() }, { keepsPlace: true });
        };
        return make('label', { class: model.css }, box, shape(model), name);
      }));
      part('models').dataset.of = this.collection.models.join();
    }
    for (const box of part('models').querySelectorAll('input')) box.checked = chosen.includes(box.value);
  }

  isVeiled() { return Boolean(this.collection.veiled && !this.unveiled); }

  listed(places, note = '') {
    const key = JSON.stringify([this.state.task, this.state.model, this.state.show, this.state.subject, this.state.q]);
    this.list.show(this.collection, places, { goesOn: key === this.listedKey, hidesPreviews: this.isVeiled() });
    this.listedKey = key;
    const noun = { task: 'item', prompts: 'prompt', dialogues: 'dialogue' }[this.collection.kind];
    const of = this.collection.stored > this.collection.n ? ` Of ${counted(this.collection.stored, noun)} those that changed or failed are in this page.` : '';
    part('count').textContent = `${counted(places.length, noun)}${note}${note ? '' : '.'}${of}`;
    this.position();
  }

  async searchIn(places, round) {
    const hits = [];
    let told = 0;
    this.listed(hits, ', searching …');
    await search(this.collection, places, this.state.q, (found, share) => {
      hits.push(...found);
      if (share < 1 && performance.now() - told < 150) return;
      told = performance.now();
      this.listed(hits, share < 1 ? ` so far, ${Math.round(share * 100)} % searched` : '');
    }, () => round === this.round);
    if (round === this.round && !places.length) this.listed(hits);
  }

  placeOf(id) {
    const { columns, subjects } = this.collection, wanted = subjects.indexOf(this.state.subject);
    return columns.ids.findIndex((name, at) => name === id && (!this.state.subject || columns.subjects[at] === wanted));
  }

  pick(at, focuses) {
    this.go({ ...this.state, item: this.collection.columns.ids[at] }).then(() => { if (focuses) this.arrive(part('title')); });
  }

  step(by) {
    const number = this.list.places.indexOf(this.opened) + by;
    if (number in this.list.places) this.go({ ...this.state, item: this.collection.columns.ids[this.list.places[number]] }, { keepsPlace: true });
  }

  async openItem(at, round) {
    this.opened = at >= 0 ? at : undefined;
    part('item').hidden = this.opened === undefined;
    this.list.open(this.opened);
    this.position();
    if (this.opened !== undefined) await this.render(round);
  }

  position() {
    const number = this.list.places.indexOf(this.opened), total = this.list.places.length;
    part('position').textContent = number < 0 ? 'not among those listed' : `${(number + 1).toLocaleString('en')} of ${total.toLocaleString('en')}`;
    part('previous').disabled = number <= 0;
    part('next').disabled = number < 0 || number >= total - 1;
  }

  async render(round = this.round) {
    if (this.opened === undefined) return;
    const { collection, opened } = this, subject = collection.subjects[collection.columns.subjects[opened]];
    const id = collection.columns.ids[opened];
    part('title').replaceChildren(isolated(collection.name), ' · ', ...(id.includes(subject) || subject === collection.name ? [] : [isolated(subject), ' · ']), isolated(id));
    const nodes = this.isVeiled()
      ? [make('p', { class: 'small' }, 'Warning: offensive content, hidden until “Show texts” is pressed.')]
      : await itemNodes(collection, opened, { ...this.options, models: this.chosen() });
    if (round !== this.round) return;
    part('texts').replaceChildren(...nodes);
    part('difference').parentElement.hidden = !part('texts').querySelector('.x-columns .said');
  }

  // Brings what was asked for into sight, whatever it is folded into.
  arrive(element) {
    for (let box = element.closest('details'); box; box = box.parentElement.closest('details')) box.open = true;
    element.scrollIntoView({ block: element.id === 'x-item' ? 'start' : 'nearest' });
    element.focus({ preventScroll: true });
  }
}

async function begin() {
  const root = document.getElementById('explorer');
  root.hidden = false;
  if (!window.DecompressionStream) {
    part('count').textContent = 'This browser cannot unpack the items: it has no DecompressionStream.';
    return;
  }
  const explorer = new Explorer(JSON.parse(await unpacked(part('data-catalogue').textContent.trim())));
  if (location.hash.startsWith(PREFIX)) { explorer.follow(); return; }
  // Nothing is unpacked until the list is nearly in sight.
  const watch = new IntersectionObserver(entries => {
    if (!entries.some(entry => entry.isIntersecting)) return;
    watch.disconnect();
    // A link may have asked for something already, which is still being unpacked.
    if (!explorer.round) explorer.show(Object.fromEntries(KEYS.map(key => [key, ''])));
  }, { rootMargin: '400px' });
  watch.observe(root);
}

begin();

// Text of models and tasks is data: it is shown as text nodes, and what would act is shown as its code point.

const ACTS = /[\p{Cc}\p{Cs}\p{Cf}]/gu;
const SPARED = '\n\t\u200c\u200d\u00ad';
const LONG = 1500;

const visible = text => text.replaceAll('\r\n', '\n').replace(ACTS, character => SPARED.includes(character)
  ? character
  : `⟨U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`);
const counted = (n, noun) => `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;

// An element with attributes and children; texts among them become text nodes.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && typeof value !== 'string') element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(child => child !== null && child !== undefined));
  return element;
}

const isolated = text => make('bdi', {}, visible(text));

function shape(model) {
  const vector = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  vector.setAttribute('class', `md ${model.css}`);
  vector.setAttribute('viewBox', '-6 -6 12 12');
  vector.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `#shape-${model.shape}`);
  vector.append(use);
  return vector;
}

// A text that may be long: cut, with a button for the rest. `write` turns the shown text into nodes.
function longText(text, className, limit = LONG, write = shown => [visible(shown)]) {
  const box = make('div', { class: className, dir: 'auto' });
  if (text.length <= limit) {
    box.append(...write(text));
    return box;
  }
  const rest = make('button', { type: 'button', class: 'rest' }, `Show all (${counted(text.length, 'character')})`);
  rest.onclick = () => {
    box.replaceChildren(...write(text));
    box.classList.add('whole');
    box.tabIndex = 0;
    box.focus();
  };
  // No half of a surrogate pair is left at the cut.
  box.append(...write(text.slice(0, limit).replace(/[\ud800-\udbff]$/, '')), ' … ', rest);
  return box;
}

// Something folded whose content is made when it is first opened.
function folded(title, fill) {
  const box = make('details', {}, make('summary', {}, title));
  box.addEventListener('toggle', async () => {
    if (box.open && box.childElementCount === 1) box.append(...await fill());
  });
  return box;
}

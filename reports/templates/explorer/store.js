// Unpacking. A line of an element is JSON, gzip, base64 (reports/explorer/packing.py), and is unpacked when it is looked at.

const KEPT_BLOCKS = 12;
const MOST_KEPT = 64e6;

// Lets the page do what else it has to, such as scroll.
const pause = () => new Promise(done => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => { port1.close(); done(); };
  port2.postMessage(0);
});

function bytesOf(line) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(line);
  const text = atob(line), bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function unpacked(line) {
  const stream = new DecompressionStream('gzip'), writer = stream.writable.getWriter();
  // What is wrong with the bytes is told by the readable side.
  writer.write(bytesOf(line)).catch(() => {});
  writer.close().catch(() => {});
  return new Response(stream.readable).text();
}

// Which block an entry lies in: the last that begins at or before it.
function blockOf(starts, entry) {
  let low = 0, high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= entry) low = middle; else high = middle - 1;
  }
  return low;
}

class Collection {
  constructor(facts, element) {
    Object.assign(this, facts);
    this.element = element;
    this.blocks = new Map();
    this.searched = new Map();
    this.kept = 0;
  }

  // The columns of the list, an entry an item.
  opened() {
    this.opening ??= (async () => {
      this.lines = this.element.textContent.trim().split('\n');
      this.head = JSON.parse(await unpacked(this.lines[0]));
      this.columns = {};
      for (const [number, name] of this.head.columns.entries()) {
        this.columns[name] = JSON.parse(await unpacked(this.lines[1 + number]));
        await pause();
      }
      return this;
    })();
    return this.opening;
  }

  line(kind, number) {
    const before = kind === 'items' ? this.head.shared.length : 0;
    return this.lines[1 + this.head.columns.length + before + number];
  }

  // The entries of a block as JSON, a line each.
  async block(kind, number) {
    const key = `${kind}${number}`;
    const block = this.blocks.get(key) ?? unpacked(this.line(kind, number)).then(text => text.split('\n'));
    this.blocks.delete(key);
    this.blocks.set(key, block);
    if (this.blocks.size > KEPT_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
    return block;
  }

  async entry(kind, at) {
    const number = blockOf(this.head[kind], at);
    return JSON.parse((await this.block(kind, number))[at - this.head[kind][number]]);
  }

  // The items of a block in lower case, as they are searched; kept as far as memory is.
  async searchedBlock(number) {
    if (this.searched.has(number)) return this.searched.get(number);
    const text = (await unpacked(this.line('items', number))).toLowerCase();
    const lines = text.split('\n');
    if ((this.kept += text.length) < MOST_KEPT) this.searched.set(number, lines);
    return lines;
  }

  item(at) { return this.entry('items', at); }

  async sharedTexts(numbers) {
    const texts = [];
    for (const number of numbers) texts.push(await this.entry('shared', number));
    return texts;
  }

  state(model, at) { return this.columns[`state:${model}`][at]; }
  score(model, at) { return this.columns[`score:${model}`][at]; }
  disagree(model, at) { return this.columns[`disagree:${model}`]?.[at] === '1'; }
}

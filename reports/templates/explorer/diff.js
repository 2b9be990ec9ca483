// A difference word by word: the longest common subsequence, with what both ends share taken off first.

const MOST_STEPS = 4e6;
const LEAST_IN_COMMON = 0.3;

const wordsOf = text => text.match(/\s+|[^\s]+/g) ?? [];

// Runs of [kind, text]: kind is '=' in both, '+' in the second alone, '-' in the first alone. Null where the texts are
// too long, or have too little in common for a difference to be read.
function wordDifference(first, second) {
  const a = wordsOf(first), b = wordsOf(second);
  let start = 0, end = 0;
  while (start < Math.min(a.length, b.length) && a[start] === b[start]) start++;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const n = a.length - start - end, m = b.length - start - end;
  if (n * m > MOST_STEPS) return null;
  const width = m + 1, common = new Uint16Array((n + 1) * width);
  for (let i = n - 1; i >= 0; i--) {
    for (let j = m - 1; j >= 0; j--) {
      common[i * width + j] = a[start + i] === b[start + j]
        ? common[(i + 1) * width + j + 1] + 1
        : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  const runs = [];
  const put = (kind, word) => {
    const last = runs.at(-1);
    if (last?.[0] === kind) last[1] += word; else runs.push([kind, word]);
  };
  let shared = 0, i = 0, j = 0;
  const both = word => { put('=', word); shared += word.trim() ? 1 : 0; };
  a.slice(0, start).forEach(both);
  while (i < n || j < m) {
    if (i < n && j < m && a[start + i] === b[start + j]) { both(a[start + i]); i++; j++; }
    else if (j >= m || (i < n && common[(i + 1) * width + j] >= common[i * width + j + 1])) put('-', a[start + i++]);
    else put('+', b[start + j++]);
  }
  a.slice(a.length - end).forEach(both);
  const longest = Math.max(...[a, b].map(words => words.filter(word => word.trim()).length));
  return shared < LEAST_IN_COMMON * longest ? null : runs;
}

const differenceNodes = runs => runs.map(([kind, text]) => kind === '='
  ? visible(text)
  : make(kind === '+' ? 'ins' : 'del', {}, visible(text)));

(() => {
  const root = document.documentElement;
  root.classList.add('js');
  const theme = document.getElementById('theme');
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  const label = () => { theme.textContent = isDark() ? 'Light' : 'Dark'; };
  theme.hidden = false;
  label();
  theme.onclick = () => { root.dataset.theme = isDark() ? 'light' : 'dark'; label(); };
  // Texts that may offend are shown one by one by their boxes, or all at once.
  const unveil = document.getElementById('unveil');
  if (unveil) {
    unveil.hidden = false;
    unveil.onclick = () => {
      const shows = unveil.getAttribute('aria-pressed') !== 'true';
      unveil.setAttribute('aria-pressed', shows);
      unveil.textContent = shows ? 'Hide all texts' : 'Show all texts';
      for (const box of document.querySelectorAll('#examples .ask input')) box.checked = shows;
    };
  }
  // Numbers sort by data-k; what is missing always comes last.
  for (const heading of document.querySelectorAll('th[aria-sort]')) {
    heading.querySelector('button').onclick = () => {
      const ascending = heading.getAttribute('aria-sort') !== 'ascending';
      const body = heading.closest('table').tBodies[0];
      for (const other of heading.parentNode.querySelectorAll('th[aria-sort]')) other.setAttribute('aria-sort', 'none');
      heading.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
      const key = row => row.cells[heading.cellIndex].dataset.k ?? '';
      const order = (first, second) => {
        const [a, b] = [key(first), key(second)];
        if (!a || !b) return !a - !b;
        const difference = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
        return ascending ? difference : -difference;
      };
      body.append(...[...body.rows].sort(order));
    };
  }
})();

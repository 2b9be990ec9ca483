(() => {
  const all = selector => [...document.querySelectorAll(selector)];

  // Tabs: each link of the navigation shows its sections and hides the others.
  const tabs = all('.nav a');
  const show = tab => {
    const shown = tab.dataset.sections.split(' ');
    for (const section of all('main > section')) section.classList.toggle('away', !shown.includes(section.id));
    for (const other of tabs) other.removeAttribute('aria-current');
    tab.setAttribute('aria-current', 'true');
    const list = tab.closest('ul');
    list.scrollLeft = tab.offsetLeft - (list.clientWidth - tab.offsetWidth) / 2;
  };

  // Links: the target's tab is shown, every fold around it opened. The items' state stands behind a question mark.
  let latest;
  const follow = () => {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* An id never holds a percent sign. */ }
    const target = document.getElementById(name) ?? document.getElementById(name.split('?')[0]);
    const section = target?.closest('main > section');
    const tab = section && tabs.find(one => one.dataset.sections.split(' ').includes(section.id));
    // Back at the page's beginning the first tab is shown again.
    if (tab || !name) show(tab || tabs[0]);
    if (!target) return;
    for (let fold = target.closest('details'); fold; fold = fold.parentElement.closest('details')) fold.open = true;
    // A state that changes behind the question mark moves nothing.
    if (target !== latest || !name.includes('?')) target.scrollIntoView();
    latest = target;
  };
  show(tabs[0]);
  follow();
  addEventListener('hashchange', follow);
  document.addEventListener('click', event => {
    const link = event.target.closest?.('a[href^="#"]');
    if (link && link.getAttribute('href') === location.hash) follow();
  });

  // Filters: models by their boxes; tasks by a part of their name, and by a verdict that a shown model has on them.
  const filters = document.getElementById('filters');
  filters.hidden = false;
  const boxes = [...filters.querySelectorAll('[type=checkbox]')];
  const [text, verdict, reset] = ['[type=search]', 'select', 'button'].map(selector => filters.querySelector(selector));
  const filter = () => {
    const off = new Set(boxes.filter(box => !box.checked).map(box => box.value));
    const [wanted, kind] = [text.value.trim().toLowerCase(), verdict.value];
    const fits = row => {
      const cells = [...row.querySelectorAll('td[data-verdict]')].filter(cell => !off.has(cell.dataset.model));
      return row.dataset.task.toLowerCase().includes(wanted)
        && (!kind || cells.some(cell => cell.dataset.verdict === kind));
    };
    const rows = all('#matrix [data-task]');
    const tasks = new Set(rows.filter(fits).map(row => row.dataset.task));
    for (const one of all('[data-model]')) one.classList.toggle('out', off.has(one.dataset.model));
    for (const one of all('[data-task]')) one.classList.toggle('out', !tasks.has(one.dataset.task));
    for (const cell of all('#matrix td[data-verdict]')) {
      cell.classList.toggle('faint', kind !== '' && cell.dataset.verdict !== kind);
    }
    const isOn = off.size > 0 || wanted !== '' || kind !== '';
    filters.querySelector('summary').textContent = isOn ? 'Filter: on' : 'Filter';
    filters.querySelector('output').textContent = `${boxes.length - off.size} of ${boxes.length} models and `
      + `${tasks.size} of ${new Set(rows.map(row => row.dataset.task)).size} tasks and prompt sets shown`;
  };
  filters.oninput = filter;
  reset.onclick = () => {
    for (const box of boxes) box.checked = true;
    text.value = verdict.value = '';
    filter();
  };
  addEventListener('keydown', event => { if (event.key === 'Escape') filters.open = false; });
  addEventListener('click', event => { if (!filters.contains(event.target)) filters.open = false; });
  // A browser may have kept what was chosen before the page was loaded again.
  filter();

  // Texts that may offend are shown one by one by their boxes, or all at once.
  const unveil = document.getElementById('unveil');
  if (unveil) {
    unveil.hidden = false;
    unveil.onclick = () => {
      const shows = unveil.getAttribute('aria-pressed') !== 'true';
      unveil.setAttribute('aria-pressed', shows);
      unveil.textContent = shows ? 'Hide all texts' : 'Reveal all texts';
      for (const box of all('#examples .ask input')) box.checked = shows;
    };
  }

  // Numbers sort by data-k; what is missing always comes last.
  for (const heading of all('th[aria-sort]')) {
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

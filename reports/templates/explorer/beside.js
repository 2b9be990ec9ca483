// The items lie in a page of their own: links to them, and the report opened with such a link, lead there.
(() => {
  const page = document.getElementById('items-beside').getAttribute('href'), prefix = '#items?';
  const lead = () => { if (location.hash.startsWith(prefix)) location.replace(page + location.hash); };
  for (const link of document.querySelectorAll(`a[href^="${prefix}"]`)) link.setAttribute('href', page + link.getAttribute('href'));
  addEventListener('hashchange', lead);
  lead();
})();

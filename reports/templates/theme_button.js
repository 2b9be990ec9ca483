(() => {
  const root = document.documentElement;
  // Theme: the reader's preference until the button is pressed, then what was chosen, also when the page is opened again.
  const theme = document.getElementById('theme');
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  const nameTheme = () => { theme.textContent = isDark() ? 'Light' : 'Dark'; };
  theme.hidden = false;
  nameTheme();
  theme.onclick = () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    try { localStorage.setItem('mplus-eval-theme', root.dataset.theme); } catch { /* It holds for this visit. */ }
    nameTheme();
  };
})();

(() => {
  const root = document.documentElement;
  root.classList.add('js');
  // A page opened from disk may have no storage, and asking for it may throw.
  try {
    const stored = localStorage.getItem('mplus-eval-theme');
    if (stored === 'dark' || stored === 'light') root.dataset.theme = stored;
  } catch { /* The reader's preference stands. */ }
})();

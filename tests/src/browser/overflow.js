const root = document.documentElement, wide = root.clientWidth;
if (root.scrollWidth <= wide && document.body.scrollWidth <= wide) return [];
const name = e => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '')
  + (typeof e.className === 'string' && e.className ? '.' + e.className.trim().split(/\s+/).join('.') : '')
  + ' ' + (e.textContent || '').trim().slice(0, 40);
const scrolls = e => { for (let p = e.parentElement; p && p !== document.body; p = p.parentElement) {
  const o = getComputedStyle(p).overflowX; if (o !== 'visible') return true; } return false; };
const out = [...document.body.querySelectorAll('*')].filter(e => {
  const r = e.getBoundingClientRect();
  return r.width > 0 && r.right > wide + 1 && !scrolls(e); });
const found = out.slice(0, 5).map(e => ({ what: name(e), right: e.getBoundingClientRect().right }));
return found.length ? found : [{ what: 'the page', right: root.scrollWidth }];

const targets = [...document.querySelectorAll('a[href],button,input:not([type=hidden]),select,textarea,summary,[tabindex="0"]')]
  .filter(e => !e.disabled && e.checkVisibility({ visibilityProperty: true, opacityProperty: true }));
const hit = e => { const label = e.matches('input[type=checkbox],input[type=radio]') && e.closest('label');
  return (label || e).getBoundingClientRect(); };
const boxes = targets.map(e => ({ e, r: hit(e) })).filter(({ r }) => r.width > 1 && r.height > 1);
const inline = e => { if (e.tagName !== 'A' || getComputedStyle(e).display !== 'inline') return false;
  const p = e.parentElement; return !!p && (p.textContent || '').trim().length > (e.textContent || '').trim().length; };
const small = boxes.filter(({ r }) => r.width < 23.5 || r.height < 23.5).filter(({ e }) => !inline(e));
const near = ({ e, r }) => { const x = (r.left + r.right) / 2, y = (r.top + r.bottom) / 2;
  return boxes.some(o => { if (o.e === e || o.e.contains(e) || e.contains(o.e)) return false;
    const dx = Math.max(o.r.left - x, 0, x - o.r.right), dy = Math.max(o.r.top - y, 0, y - o.r.bottom);
    if (Math.hypot(dx, dy) < 12) return true;
    const tiny = o.r.width < 23.5 || o.r.height < 23.5; if (!tiny) return false;
    return Math.hypot((o.r.left + o.r.right) / 2 - x, (o.r.top + o.r.bottom) / 2 - y) < 24; }); };
return small.filter(near).slice(0, 8).map(({ e, r }) => ({
  what: e.outerHTML.slice(0, 120), width: r.width, height: r.height }));

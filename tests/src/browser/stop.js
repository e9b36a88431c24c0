const [css] = arguments, e = document.activeElement;
if (!e || e === document.body) return { what: 'nothing', wanted: false, shown: true, hidden: false };
const look = e => { const s = getComputedStyle(e);
  return [s.outlineStyle, s.outlineWidth, s.outlineColor, s.boxShadow, s.borderColor, s.backgroundColor, s.textDecoration].join('|'); };
const s = getComputedStyle(e);
const outline = s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1;
let shown = outline || s.boxShadow !== 'none';
if (e.matches('input[type=checkbox],input[type=radio]') && !shown) {
  const l = e.closest('label'); shown = !!l && (getComputedStyle(l).outlineStyle !== 'none' || getComputedStyle(l).boxShadow !== 'none'); }
// The parts of a date field show the browser's own ring.
if (e.matches('input[type=date],input[type=time],input[type=datetime-local],input[type=month]')) shown = true;
const r = e.getBoundingClientRect();
const at = (x, y) => { const t = document.elementFromPoint(x, y);
  return !!t && (t === e || e.contains(t) || t.contains(e) || (e.labels && [...e.labels].some(l => l === t || l.contains(t)))); };
const points = [0.1, 0.5, 0.9].flatMap(i => [0.2, 0.5, 0.8].map(j => [r.left + r.width * i, r.top + r.height * j]));
const inside = points.filter(([x, y]) => x >= 0 && y >= 0 && x < innerWidth && y < innerHeight);
const hidden = e.id !== 'main' && !inside.some(([x, y]) => at(x, y));
return { what: e.outerHTML.slice(0, 140), wanted: e.matches(css), shown, hidden };

// What is wrong with the page for people who see badly, hear it read, have a
// small screen or no mouse: a list of sentences. The rules are of WCAG 2.2 AA.
(() => {
  const faults = [];
  const visible = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && e.getClientRects().length > 0;
  const clipped = (e) => e.closest('.unseen') !== null || getComputedStyle(e).clipPath.includes('50%');
  const name = (e) => `<${e.tagName.toLowerCase()} class="${e.getAttribute('class') ?? ''}"> ${(e.textContent ?? '').trim().slice(0, 40)}`;

  // 1.4.3 contrast of text against what is painted behind it.
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) known.set(colour, painted(colour));
    return known.get(colour);
  };
  const painted = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const part = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !visible(e) || clipped(e) || e.closest('svg')) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgba(style.color)), light(behind(e))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) faults.push(`contrast ${ratio.toFixed(2)}: ${name(e)}`);
  }

  // 2.5.8 targets of at least 24 by 24, links in running text excepted.
  for (const e of document.querySelectorAll('button, select, input, summary, a[href]')) {
    if (!visible(e) || clipped(e)) continue;
    const boxes = [e, ...(e.labels ?? [])].map((x) => x.getBoundingClientRect()); // a label is part of the target
    const box = { width: Math.max(...boxes.map((b) => b.width)), height: Math.max(...boxes.map((b) => b.height)) };
    const inText = getComputedStyle(e).display === 'inline' || e.classList.contains('whole') || e.closest('.term');
    if (!inText && (box.width < 24 || box.height < 23.5)) faults.push(`target of ${box.width.toFixed(0)} by ${box.height.toFixed(0)}: ${name(e)}`);
  }

  // 1.3.1, 4.1.2: structure that those who listen rely on.
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((x) => x === id).length > 1) faults.push(`id ${id} is given twice`);
  for (const attribute of ['aria-labelledby', 'aria-describedby', 'aria-controls', 'for']) {
    for (const e of document.querySelectorAll(`[${attribute}]`)) {
      for (const id of e.getAttribute(attribute).split(/\s+/)) if (!ids.includes(id)) faults.push(`${attribute} names no element ${id}: ${name(e)}`);
    }
  }
  for (const row of document.querySelectorAll('[role=row]')) if (!row.closest('[role=table]')) faults.push(`row outside a table: ${name(row)}`);
  for (const table of document.querySelectorAll('[role=table]')) {
    const counts = new Set([...table.querySelectorAll('[role=row]')].map((r) => r.querySelectorAll('[role$=header], [role=cell]').length));
    if (counts.size > 1) faults.push(`rows of ${[...counts].join(' and ')} cells: ${table.getAttribute('aria-labelledby')}`);
  }
  if (document.querySelectorAll('main').length !== 1) faults.push('there is not one main');
  if (!document.documentElement.lang) faults.push('the page has no language');
  if (!document.title) faults.push('the page has no title');
  let before = 0;
  for (const h of document.querySelectorAll('h1, h2, h3, h4')) {
    const level = Number(h.tagName[1]);
    if (level > before + 1) faults.push(`heading of level ${level} after ${before}: ${name(h)}`);
    before = level;
  }
  if (document.querySelectorAll('h1').length !== 1) faults.push('there is not one h1');
  for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) faults.push(`tabindex ${e.tabIndex}: ${name(e)}`);
  return faults;
})();

// What runs out of the page or of its card: a list of sentences (WCAG 1.4.10).
(() => {
  const faults = [];
  const clipped = (e) => e.closest('.unseen') !== null || getComputedStyle(e).clipPath.includes('50%');
  const seen = (e) => e.checkVisibility() && e.getClientRects().length > 0 && !clipped(e);
  const name = (e) => `<${e.tagName.toLowerCase()} class="${e.getAttribute('class') ?? ''}"> ${(e.textContent ?? '').trim().slice(0, 40)}`;
  // cut reports whether an element of whole is cut off, or scrolls, on purpose.
  const cut = (e, whole) => {
    for (let at = e.parentElement; at && at !== whole; at = at.parentElement) if (getComputedStyle(at).overflowX !== 'visible') return true;
    return false;
  };
  const root = document.documentElement;
  const screen = root.clientWidth;
  if (root.scrollWidth > screen) faults.push(`${root.scrollWidth} px wide on a screen of ${screen}`);
  for (const whole of [document.body, ...document.querySelectorAll('.card')]) {
    const right = whole === document.body ? screen : whole.getBoundingClientRect().right;
    const out = [...whole.querySelectorAll('*')].filter((e) => seen(e) && !cut(e, whole) && !e.closest('[role=tooltip]') && e.getBoundingClientRect().right > right + 1);
    if (out.length > 0) faults.push(`out by ${(out.at(-1).getBoundingClientRect().right - right).toFixed(0)} px: ${name(out.at(-1))}`);
  }
  // Words broken letter by letter are on the screen and still not readable.
  for (const e of document.querySelectorAll('bdi, a, b, h2, h3')) {
    if (!seen(e)) continue;
    const box = e.getBoundingClientRect();
    const letter = parseFloat(getComputedStyle(e).fontSize);
    if (box.width < 3.5 * letter && box.height > 3.5 * letter) faults.push(`squeezed to ${box.width.toFixed(0)} px: ${name(e)}`);
  }
  return faults;
})();

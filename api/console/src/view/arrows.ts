// arrows lets the arrow keys, Home and End move between the links of a list's
// rows, besides Tab.
export function arrows(list: HTMLElement): () => void {
  const onkeydown = (e: KeyboardEvent) => {
    const rows = [...list.querySelectorAll<HTMLElement>('a.whole')];
    const at = rows.indexOf(document.activeElement as HTMLElement);
    if (at < 0 || e.altKey || e.ctrlKey || e.metaKey) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    rows[to]?.focus();
  };
  list.addEventListener('keydown', onkeydown);
  return () => list.removeEventListener('keydown', onkeydown);
}

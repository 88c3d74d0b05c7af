import { describe, expect, it } from 'vitest';
import { forget, keep, kept, looksLikeKey, takeFromAddress, tidy } from './key';

class Drawer implements Storage {
  #kept = new Map<string, string>();
  get length() { return this.#kept.size; }
  clear() { this.#kept.clear(); }
  key() { return null; }
  getItem(k: string) { return this.#kept.get(k) ?? null; }
  setItem(k: string, v: string) { this.#kept.set(k, v); }
  removeItem(k: string) { this.#kept.delete(k); }
}

describe('a key', () => {
  it('is taken from a link, once, and leaves the page that was meant', () => {
    expect(takeFromAddress('#key=rm_abc_Zm9v')).toEqual({ key: 'rm_abc_Zm9v', hash: '#/' });
    expect(takeFromAddress('#/?key=rm_abc_Zm9v')).toEqual({ key: 'rm_abc_Zm9v', hash: '#/' });
    expect(takeFromAddress('#key=rm_abc_a%2Db&/call/1')).toEqual({ key: 'rm_abc_a-b', hash: '#/call/1' });
    for (const hash of ['', '#/', '#/call/1', '#key=', '#key=%', '#monkey=1']) expect(takeFromAddress(hash)).toBeUndefined();
  });

  it('is known by its shape', () => {
    expect(looksLikeKey('rm_k7m2p9xq_Zm9v-_')).toBe(true);
    for (const text of ['', 'rm_', 'rm_abc', 'rm_abc_', 'sk_abc_x', 'rm_abc_x y', 'rm_abc_é', 'rm_abc_x\ny']) expect(looksLikeKey(text)).toBe(false);
  });

  it('is found in what was copied with it', () => {
    for (const text of [' rm_a_b\n', '"rm_a_b"', 'RINGMASTER_KEY=rm_a_b', 'Bearer rm_a_b']) expect(tidy(text)).toBe('rm_a_b');
  });

  it('stays in the tab unless the device is to remember it', () => {
    const drawers = { tab: new Drawer(), device: new Drawer() };
    keep(drawers, 'rm_a_b', false);
    expect(kept(drawers)).toBe('rm_a_b');
    expect(drawers.device.length).toBe(0);
    drawers.tab.clear();
    expect(kept(drawers)).toBe('');
    keep(drawers, 'rm_a_b', true);
    drawers.tab.clear();
    expect(kept(drawers)).toBe('rm_a_b');
    forget(drawers);
    expect(kept(drawers)).toBe('');
  });
});

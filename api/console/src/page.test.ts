// Every pair of colours that meets on the page, in both themes, against WCAG
// 2.2: text 4.5 to 1, lines and signs that matter 3 to 1.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('page.css', import.meta.url), 'utf8');
const tokens = new Map([...css.matchAll(/--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map((m) => [m[1]!, { light: m[2]!, dark: m[3]! }]));

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const v = parseInt(hex.slice(i, i + 2), 16) / 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const tones = ['good', 'busy', 'ring', 'after', 'rest', 'bad', 'off'];
const grounds = ['ground', 'paper', 'sunk'];
const text: [string, string][] = [
  ...grounds.flatMap((g): [string, string][] => [['ink', g], ['quiet', g], ['accent', g]]),
  ...tones.flatMap((t): [string, string][] => [[t, `${t}-tint`], [t, 'paper'], [t, 'ground'], [t, 'sunk']]),
  ['on-accent', 'accent'],
];
const signs: [string, string][] = [['edge', 'paper'], ['edge', 'ground'], ...grounds.map((g): [string, string] => ['accent', g]), ['busy', 'sunk']];

describe.each(['light', 'dark'] as const)('in the %s theme', (theme) => {
  const of = (name: string) => tokens.get(name)?.[theme] ?? `no token ${name}`;
  it.each(text)('%s is readable on %s', (ink, ground) => expect(contrast(of(ink), of(ground))).toBeGreaterThanOrEqual(4.5));
  it.each(signs)('%s is seen on %s', (ink, ground) => expect(contrast(of(ink), of(ground))).toBeGreaterThanOrEqual(3));
});

it('knows every colour there is', () => {
  const used = new Set([...text, ...signs].flat());
  expect([...tokens.keys()].filter((t) => !used.has(t))).toEqual(['line']); // hairlines carry no meaning
});

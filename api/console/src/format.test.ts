import { describe, expect, it } from 'vitest';
import { clock, clockSpan, localTimes, offset, percent, plain, span, threshold, who } from './format';

describe('format', () => {
  it.each([[-5, '0:00'], [999, '0:00'], [61_000, '1:01'], [3_599_999, '59:59'], [3_600_000, '1:00:00'], [172_800_000, '2 d 0 h']])(
    'clockSpan(%i) is %s', (ms, text) => expect(clockSpan(ms)).toBe(text));
  it.each([[0, '0.0 s'], [449, '0.4 s'], [59_949, '59.9 s'], [117_700, '1:58']])('span(%i) is %s', (ms, text) => expect(span(ms)).toBe(text));
  it.each([[500, '500 ms'], [20_000, '20 s'], [60_000, '1 min'], [90_000, '1 min 30 s'], [1500, '1.5 s']])(
    'threshold(%i) is %s', (ms, text) => expect(threshold(ms)).toBe(text));
  it.each([[0, '+0:00.00'], [21_345, '+0:21.35'], [59_999, '+1:00.00'], [3_661_000, '+1:01:01.00'], [-500, '−0:00.50']])(
    'offset(%i) is %s', (ms, text) => expect(offset(ms)).toBe(text));
  it.each([[0, '0 %'], [0.0001, '1 %'], [0.5, '50 %'], [0.999, '99 %'], [1, '100 %']])('percent(%f) is %s', (r, text) => expect(percent(r)).toBe(text));

  it('tells the times in a sentence by the clock of this place', () => {
    const near = new Date('2026-11-23T00:10:00Z');
    const before = clock(Date.parse('2026-11-22T23:58:11Z'));
    expect(localTimes('paused (lunch) since 23:58:11Z, so', near)).toBe(`paused (lunch) since ${before}, so`);
    expect(localTimes('node 12:00 of 9Z', near)).toBe('node 12:00 of 9Z');
  });

  it('makes visible what could turn or break the text around it', () => {
    expect(plain('a\u202eb\u0000c\r\nd\u2066')).toBe('a\uFFFDb\uFFFDc\uFFFD\uFFFDd\uFFFD');
    expect(plain('Özdemir 🎩 <b>')).toBe('Özdemir 🎩 <b>');
  });

  it('calls a caller by name, number, or neither', () => {
    expect(who({ name: 'Jo', number: '1' })).toBe('Jo');
    expect(who({ number: '1' })).toBe('1');
    expect(who({})).toBe('Number withheld');
  });
});

import { describe, expect, it } from 'vitest';
import { EventReader } from './sse';

const text = '\uFEFFretry: 2000\r\n\r\n: still here\n\nevent: fact\nid: 7.0\ndata: {"a":1}\n\nid:7.1\rdata:one\rdata: two\r\rdata\n\nid: 8\nevent: resync\ndata: {"reason":"too_old"}\r\n\r\ndata: never ended';

const all = [
  { type: 'fact', id: '7.0', data: '{"a":1}' },
  { type: 'message', id: '7.1', data: 'one\ntwo' },
  { type: 'message', id: '7.1', data: '' },
  { type: 'resync', id: '8', data: '{"reason":"too_old"}' },
];

describe('EventReader', () => {
  it('reads a stream that comes in one piece', () => {
    expect(new EventReader().feed(text)).toEqual(all);
  });

  it('reads the same however the stream is cut', () => {
    for (let cut = 0; cut <= text.length; cut++) {
      const reader = new EventReader();
      expect([...reader.feed(text.slice(0, cut)), ...reader.feed(text.slice(cut))], `cut at ${cut}`).toEqual(all);
    }
  });

  it('reads it letter by letter', () => {
    const reader = new EventReader();
    expect([...text].flatMap((letter) => reader.feed(letter))).toEqual(all);
  });

  it('ignores fields it does not know and ids with a null', () => {
    expect(new EventReader().feed('colour: red\nid: 1\0\ndata: x\n\n')).toEqual([{ type: 'message', id: '', data: 'x' }]);
  });

  it('refuses an event without an end', () => {
    const reader = new EventReader();
    const line = `data: ${'x'.repeat(1 << 20)}\n`;
    expect(() => {
      for (let i = 0; i < 5; i++) reader.feed(line);
    }).toThrow('too large');
    expect(() => new EventReader().feed('x'.repeat(5 << 20))).toThrow('too large');
  });
});

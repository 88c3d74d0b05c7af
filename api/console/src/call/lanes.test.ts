import { describe, expect, it } from 'vitest';
import type { CallStory } from '../api/client';
import { pictureOf, ticks } from './lanes';

const begin = Date.parse('2026-11-23T09:00:00Z');
const at = (ms: number) => new Date(begin + ms).toISOString();
const names = { agent: (id?: string) => id?.toUpperCase() ?? '', queue: (id?: string) => id ?? '' };

let seq = 0;
function fact(ms: number, name: string, leg?: string, what: Record<string, unknown> = {}): CallStory['timeline'][number] {
  return { seq: seq++, index: 0, at: at(ms), offset_ms: ms, fact: name, text: name, what, ...(leg ? { leg } : {}) };
}

function story(change: Partial<CallStory>): CallStory {
  return {
    call: { id: 'c', direction: 'inbound', caller: {}, dialled: '500', switch: 'pbx', arrived_at: at(0), ended_at: at(60_000), connected_at: at(20_000), state: 'ended', offers: 1, flow: 'main' },
    legs: [
      { leg: 'l1', role: 'caller', switch: 'pbx', started_at: at(0), answered_at: at(100), ended_at: at(60_000) },
      { leg: 'l2', role: 'agent', agent: 'ana', switch: 'pbx', endpoint: 'PJSIP/1', started_at: at(12_000), rang_at: at(12_200), answered_at: at(20_000), ended_at: at(59_000) },
    ],
    visits: [{ queue: 'sales', version: 1, priority: 0, arrived_at: at(10_000), joined_at: at(10_000), left_at: at(20_000) }],
    offers: [{ offer: 'o', queue: 'sales', agent: 'ana', phone: 'desk-1', leg: 'l2', made_at: at(12_000), outcome: 'answered' }],
    timeline: [
      fact(0, 'node_entered', undefined, { node: 'menu', type: 'menu' }),
      fact(200, 'play_started', 'l1', { play: 'p1', purpose: 'question' }),
      fact(6000, 'play_ended', 'l1', { play: 'p1' }),
      fact(10_000, 'node_entered', undefined, { node: 'queue', type: 'queue' }),
      fact(10_000, 'music_started', 'l1'),
      fact(14_000, 'play_started', 'l1', { play: 'p2', purpose: 'announcement' }),
      fact(15_000, 'play_ended', 'l1', { play: 'p2' }),
      fact(19_900, 'music_stopped', 'l1'),
      fact(20_000, 'call_connected'),
      fact(30_000, 'leg_held', 'l2'),
      fact(34_000, 'leg_resumed', 'l2'),
      fact(60_000, 'call_ended'),
    ],
    more_facts: false,
    ...change,
  };
}

describe('pictureOf', () => {
  it('has a lane for each part of the call', () => {
    const p = pictureOf(story({}), names, begin + 90_000);
    expect(p.total).toBe(60_000);
    expect(p.connected).toBe(20_000);
    expect(p.lanes.map((l) => [l.name, l.note, l.spans.map((s) => [s.label, s.from, s.to])])).toEqual([
      ['Caller', '', [['dialled', 0, 100], ['connected', 100, 60_000]]],
      ['Flow', 'main', [['menu', 0, 10_000]]],
      ['Caller hears', '', [['music', 10_000, 14_000], ['music', 15_000, 19_900], ['question', 200, 6000], ['announcement', 14_000, 15_000]]],
      ['Queue sales', '', [['waits', 10_000, 20_000]]],
      ['ANA', 'desk-1', [['dialled', 12_000, 12_200], ['rings', 12_200, 20_000], ['talks', 20_000, 59_000], ['on hold', 30_000, 34_000]]],
    ]);
    expect(p.lanes.flatMap((l) => l.spans).some((s) => s.open)).toBe(false);
  });

  it('lets what goes on end now', () => {
    const { call, legs, visits } = story({});
    const { ended_at: _e, connected_at: _c, ...open } = call;
    const [caller] = legs;
    const [visit] = visits;
    const p = pictureOf(
      story({
        call: { ...open, state: 'open' },
        legs: [{ ...caller!, ended_at: undefined }],
        visits: [{ ...visit!, left_at: undefined }],
        timeline: [fact(10_000, 'music_started', 'l1')],
      }),
      names, begin + 25_000,
    );
    expect(p.total).toBe(25_000);
    for (const lane of p.lanes) expect(lane.spans.at(-1)).toMatchObject({ to: 25_000, open: true });
  });

  it('tells beside the agent why a ring was in vain', () => {
    const s = story({});
    const [offer] = s.offers;
    const p = pictureOf({ ...s, offers: [{ ...offer!, outcome: 'no_answer' }] }, names, begin);
    expect(p.lanes.at(-1)?.note).toBe('desk-1 · no answer');
  });
});

describe('ticks', () => {
  it('are round and few', () => {
    expect(ticks(60_000, 6)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
    expect(ticks(1500, 8)).toEqual([0, 200, 400, 600, 800, 1000, 1200, 1400]);
    for (const total of [1, 999, 59_000, 3_600_000, 40_000_000, 9e9]) expect(ticks(total, 10).length).toBeLessThanOrEqual(12);
  });
});

import { describe, expect, it } from 'vitest';
import type { Live } from '../api/client';
import { Announcer, summary } from './summary';

describe('summary', () => {
  it('is one sentence', () => {
    const live = { queues: [{ waiting: 2 }, { waiting: 1 }], agents: [{ state: 'ready' }, { state: 'paused' }], switches: [{ switch: 'pbx', attached: false }] };
    expect(summary(live as unknown as Live)).toBe('3 calls wait, 1 agent is ready, switch pbx is not attached.');
    expect(summary({ queues: [], agents: [], switches: [] } as unknown as Live)).toBe('No call waits, no agent is ready.');
  });
});

describe('Announcer', () => {
  it('does not chatter: news only, and not more often than agreed', () => {
    const a = new Announcer(30_000);
    expect(a.next('one', 0)).toBe('one');
    expect(a.next('two', 10_000)).toBe('one');
    expect(a.next('three', 29_999)).toBe('one');
    expect(a.next('three', 30_000)).toBe('three');
    expect(a.next('three', 90_000)).toBe('three');
    expect(a.next('four', 90_001)).toBe('four');
  });
});

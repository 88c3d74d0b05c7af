import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Problem, type Fact, type Live } from '../api/client';
import { Follower, gapMs, gapHiddenMs, refreshMs, settleMs, silenceMs, type Link } from './follower';

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

// Server stands in for the API: what it answers is set, what it was asked is kept.
class Server {
  seq = 5;
  reads = 0;
  opened: number[] = [];
  readProblem: Problem | undefined;
  openProblem: Problem | undefined;
  slow = 0;
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  async live(signal: AbortSignal): Promise<Live> {
    this.reads++;
    if (this.slow > 0) await new Promise((done) => setTimeout(done, this.slow));
    signal.throwIfAborted();
    if (this.readProblem) throw this.readProblem;
    return { at: '2026-11-23T09:00:00Z', seq: this.seq, switches: [], queues: [], agents: [], calls: [] };
  }

  async events(after: number): Promise<ReadableStream<Uint8Array>> {
    this.opened.push(after);
    if (this.openProblem) throw this.openProblem;
    return new ReadableStream({ start: (c) => void (this.#stream = c) });
  }

  say(text: string): void {
    this.#stream?.enqueue(new TextEncoder().encode(text));
  }

  fact(name = 'call_queued'): void {
    this.seq++;
    this.say(`event: fact\nid: ${this.seq}.0\ndata: {"seq":${this.seq},"index":0,"at":"","fact":"${name}","what":{}}\n\n`);
  }

  end(): void {
    this.#stream?.close();
  }

  break(): void {
    this.#stream?.error(new TypeError('network error'));
  }
}

async function followed(visible = () => true) {
  const server = new Server();
  const links: Link[] = [];
  const facts: Fact[] = [];
  const snapshots: number[] = [];
  const follower = new Follower(
    server,
    { snapshot: (live) => snapshots.push(live.seq), link: (link) => links.push(link), fact: (fact) => facts.push(fact) },
    visible,
  );
  const run = follower.run();
  await vi.advanceTimersByTimeAsync(0);
  return { server, follower, run, links, facts, snapshots, last: () => links.at(-1)?.state };
}

describe('Follower', () => {
  it('reads the floor and follows from there', async () => {
    const f = await followed();
    expect(f.links.map((l) => l.state)).toEqual(['opening', 'live']);
    expect(f.server.opened).toEqual([5]);
    expect(f.snapshots).toEqual([5]);
  });

  it('reads again soon after a fact, once for many', async () => {
    const f = await followed();
    await vi.advanceTimersByTimeAsync(1000);
    for (let i = 0; i < 20; i++) f.server.fact();
    await vi.advanceTimersByTimeAsync(settleMs + 1);
    expect(f.facts).toHaveLength(20);
    expect(f.snapshots).toEqual([5, 25]);
  });

  it('reads at most four times a second under a storm of facts', async () => {
    const f = await followed();
    f.server.reads = 0;
    for (let ms = 0; ms < 5000; ms += 10) {
      f.server.fact();
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(f.server.reads).toBeLessThanOrEqual(5 * (1000 / gapMs));
    expect(f.server.reads).toBeGreaterThan(15);
    await vi.advanceTimersByTimeAsync(gapMs);
    expect(f.snapshots.at(-1)).toBe(f.server.seq);
  });

  it('never has two reads at a time, and misses no fact that came during one', async () => {
    const f = await followed();
    f.server.slow = 900;
    f.server.fact();
    await vi.advanceTimersByTimeAsync(400);
    f.server.fact();
    f.server.fact();
    await vi.advanceTimersByTimeAsync(300);
    expect(f.server.reads).toBe(2);
    await vi.advanceTimersByTimeAsync(2000);
    expect(f.server.reads).toBe(3);
    expect(f.snapshots.at(-1)).toBe(8);
  });

  it('reads seldom while nobody looks, and at once when somebody does', async () => {
    let looking = false;
    const f = await followed(() => looking);
    f.server.fact();
    await vi.advanceTimersByTimeAsync(gapHiddenMs - 100);
    expect(f.server.reads).toBe(1);
    looking = true;
    f.follower.wake();
    await vi.advanceTimersByTimeAsync(settleMs + 1);
    expect(f.server.reads).toBe(2);
  });

  it('reads after a resync', async () => {
    const f = await followed();
    f.server.seq = 90;
    f.server.say('event: resync\ndata: {"reason":"too_old"}\n\n');
    await vi.advanceTimersByTimeAsync(gapMs + settleMs);
    expect(f.snapshots).toEqual([5, 90]);
  });

  it('reads once a minute without any fact: figures start anew at midnight', async () => {
    const f = await followed();
    for (let ms = 0; ms < refreshMs + 1000; ms += 15_000) {
      f.server.say(': still here\n\n');
      await vi.advanceTimersByTimeAsync(15_000);
    }
    expect(f.server.reads).toBe(2);
  });

  for (const [how, cut] of [
    ['ends', (s: Server) => s.end()],
    ['breaks', (s: Server) => s.break()],
  ] as const) {
    it(`says that it is cut when the stream ${how}, and comes back from what is new`, async () => {
      const f = await followed();
      cut(f.server);
      await vi.advanceTimersByTimeAsync(0);
      expect(f.last()).toBe('cut');
      f.server.seq = 77;
      await vi.advanceTimersByTimeAsync(1000);
      expect(f.last()).toBe('live');
      expect(f.server.opened).toEqual([5, 77]);
      expect(f.snapshots.at(-1)).toBe(77);
    });
  }

  it('takes silence for a cut', async () => {
    const f = await followed();
    await vi.advanceTimersByTimeAsync(silenceMs - 1);
    expect(f.last()).toBe('live');
    await vi.advanceTimersByTimeAsync(2);
    const link = f.links.at(-1);
    expect(link).toMatchObject({ state: 'cut', why: 'nothing was heard for too long' });
  });

  it('waits longer after each failure, tells since when, and tries at once when woken', async () => {
    const f = await followed();
    f.server.readProblem = new Problem(0, 'Ringmaster does not answer');
    f.server.break();
    await vi.advanceTimersByTimeAsync(60_000);
    const cuts = f.links.filter((l) => l.state === 'cut');
    expect(cuts.length).toBeGreaterThan(6);
    expect(cuts.length).toBeLessThan(16);
    expect(new Set(cuts.map((l) => (l.state === 'cut' ? l.since : 0))).size).toBe(1);
    f.server.readProblem = undefined;
    f.follower.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(f.last()).toBe('live');
  });

  it('obeys Retry-After', async () => {
    const f = await followed();
    f.server.readProblem = new Problem(503, 'busy', 20_000);
    f.server.end();
    await vi.advanceTimersByTimeAsync(2_000);
    const reads = f.server.reads;
    await vi.advanceTimersByTimeAsync(15_000);
    expect(f.server.reads).toBe(reads);
  });

  it('gives up on a refused key only', async () => {
    const f = await followed();
    f.server.readProblem = new Problem(401, 'this key is not known');
    f.server.fact();
    await vi.advanceTimersByTimeAsync(1000);
    await f.run;
    expect(f.last()).toBe('refused');
  });

  it('is silent once stopped', async () => {
    const f = await followed();
    f.follower.stop();
    await f.run;
    const told = f.links.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(f.links).toHaveLength(told);
    expect(f.server.reads).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

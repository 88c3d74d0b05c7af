// What a screen reader is told about the floor without asking: little, and
// only when it is another sentence than the last.
import type { Live } from '../api/client';
import { plural } from '../format';

export function summary(live: Live): string {
  const waiting = live.queues.reduce((n, q) => n + q.waiting, 0);
  const ready = live.agents.filter((a) => a.state === 'ready').length;
  const lost = live.switches.filter((s) => !s.attached).map((s) => s.switch);
  const parts = [
    waiting === 0 ? 'No call waits' : `${plural(waiting, 'call')} ${waiting === 1 ? 'waits' : 'wait'}`,
    ready === 0 ? 'no agent is ready' : `${plural(ready, 'agent')} ${ready === 1 ? 'is' : 'are'} ready`,
  ];
  if (lost.length > 0) parts.push(`switch ${lost.join(', ')} is not attached`);
  return `${parts.join(', ')}.`;
}

// Announcer lets a sentence through when it is new and the last one is long
// enough ago.
export class Announcer {
  #last = '';
  #at = -Infinity;

  constructor(private readonly everyMs = 30_000) {}

  next(sentence: string, now: number): string {
    if (sentence !== this.#last && now - this.#at >= this.everyMs) {
      this.#last = sentence;
      this.#at = now;
    }
    return this.#last;
  }
}

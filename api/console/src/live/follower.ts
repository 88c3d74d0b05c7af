// The follower keeps a picture of the floor fresh: it reads /v1/live, follows
// the event stream from there, and reads again when facts tell that something
// changed. When the stream breaks it says so, and comes back by itself.
import { Problem, type Fact, type Live } from '../api/client';
import { EventReader } from './sse';

export interface Source {
  live(signal: AbortSignal): Promise<Live>;
  events(after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array> | null>;
}

export type Link =
  | { state: 'opening' }
  | { state: 'live' }
  | { state: 'cut'; since: number; why: string }
  | { state: 'refused'; problem: Problem };

export interface Listener {
  // snapshot is given the floor and the local instant it was true at, as well
  // as that can be known: the middle of the request.
  snapshot(live: Live, at: number): void;
  link(link: Link): void;
  fact(fact: Fact): void;
}

export const settleMs = 30; // facts of one step arrive together: wait for them
export const gapMs = 250; // between two reads of the floor
export const gapHiddenMs = 5_000; // while nobody looks
export const silenceMs = 40_000; // the server says something every 15 s
export const refreshMs = 60_000; // figures change at midnight without a fact
export const requestMs = 10_000;
const backoffMs = 400;
const backoffMaxMs = 8_000;
const steadyMs = 5_000; // a stream that lived so long was no failure

export class Follower {
  #over = new AbortController();
  #stream = new AbortController();
  #failures = 0;
  #cutSince = 0;
  #lastRead = 0;
  #reading = false;
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wake: (() => void) | undefined;

  constructor(
    private readonly source: Source,
    private readonly listener: Listener,
    private readonly visible: () => boolean = () => true,
  ) {}

  // run follows until stop is called or the key is refused.
  async run(): Promise<void> {
    this.listener.link({ state: 'opening' });
    while (!this.#over.signal.aborted) {
      const why = await this.#session();
      if (this.#over.signal.aborted) return;
      if (why.keyless) {
        this.listener.link({ state: 'refused', problem: why });
        return;
      }
      this.#cutSince ||= Date.now();
      this.listener.link({ state: 'cut', since: this.#cutSince, why: why.message });
      await this.#pause(Math.max(why.retryAfterMs, this.#backoff()));
    }
  }

  stop(): void {
    this.#over.abort();
    this.#stream.abort();
    clearTimeout(this.#timer);
    this.#wake?.();
  }

  // wake ends a wait: somebody looks again, or the network is back.
  wake(): void {
    this.#wake?.();
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#want();
    }
  }

  // session is one stream from its opening to its end, and why it ended.
  async #session(): Promise<Problem> {
    this.#stream = new AbortController();
    let begun = Infinity;
    try {
      const live = await this.#read();
      const stream = await this.#opened(live.seq);
      begun = Date.now();
      this.#cutSince = 0;
      this.listener.link({ state: 'live' });
      await this.#listen(stream);
      return new Problem(0, 'the server ended the stream');
    } catch (cause) {
      const reason: unknown = this.#stream.signal.reason;
      if (reason instanceof Problem) return reason;
      return cause instanceof Problem ? cause : new Problem(0, 'the connection broke');
    } finally {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#again = false;
      if (Date.now() - begun >= steadyMs) this.#failures = 0;
    }
  }

  async #opened(after: number): Promise<ReadableStream<Uint8Array>> {
    const slow = setTimeout(() => this.#cut('the server is slow to open the stream'), requestMs);
    try {
      const stream = await this.source.events(after, this.#stream.signal);
      if (!stream) throw new Problem(0, 'the server sent no stream');
      return stream;
    } finally {
      clearTimeout(slow);
    }
  }

  #cut(why: string): void {
    this.#stream.abort(new Problem(0, why));
  }

  async #listen(stream: ReadableStream<Uint8Array>): Promise<void> {
    const events = new EventReader();
    const decoder = new TextDecoder();
    const reader = stream.getReader();
    const refresh = setInterval(() => this.#want(), refreshMs);
    let silence: ReturnType<typeof setTimeout> | undefined;
    const signal = this.#stream.signal;
    const cancel = () => void reader.cancel(signal.reason).catch(() => undefined);
    signal.addEventListener('abort', cancel);
    try {
      for (;;) {
        silence = setTimeout(() => this.#cut('nothing was heard for too long'), silenceMs);
        const { done, value } = await reader.read();
        clearTimeout(silence);
        signal.throwIfAborted();
        if (done) return;
        for (const event of events.feed(decoder.decode(value, { stream: true }))) this.#heard(event.type, event.data);
      }
    } finally {
      clearTimeout(silence);
      clearInterval(refresh);
      signal.removeEventListener('abort', cancel);
      cancel();
    }
  }

  #heard(type: string, data: string): void {
    if (type === 'fact') this.listener.fact(JSON.parse(data) as Fact);
    if (type === 'fact' || type === 'resync') this.#want();
  }

  // want has the floor read soon, and never two reads at a time.
  #want(): void {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    if (this.#timer !== undefined) return;
    const gap = this.visible() ? gapMs : gapHiddenMs;
    this.#timer = setTimeout(() => void this.#reread(), Math.max(settleMs, this.#lastRead + gap - Date.now()));
  }

  async #reread(): Promise<void> {
    this.#timer = undefined;
    try {
      await this.#read();
    } catch (cause) {
      this.#stream.abort(cause instanceof Problem ? cause : new Problem(0, 'the connection broke'));
      return;
    }
    if (this.#again) {
      this.#again = false;
      this.#want();
    }
  }

  async #read(): Promise<Live> {
    this.#reading = true;
    const asked = Date.now();
    this.#lastRead = asked;
    try {
      const live = await this.source.live(AbortSignal.any([this.#stream.signal, AbortSignal.timeout(requestMs)]));
      if (!this.#over.signal.aborted) this.listener.snapshot(live, (asked + Date.now()) / 2);
      return live;
    } finally {
      this.#reading = false;
    }
  }

  // backoff grows with each failure in a row, with a little chance in it so
  // that many consoles do not come back at the same instant.
  #backoff(): number {
    const wait = Math.min(backoffMs * 2 ** this.#failures, backoffMaxMs);
    this.#failures++;
    return wait * (0.8 + 0.4 * Math.random());
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((done) => {
      const timer = setTimeout(done, ms);
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
    this.#wake = undefined;
  }
}

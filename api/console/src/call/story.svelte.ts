// One call's story and explanation, kept fresh while the call goes on.
import { Problem, type CallStory, type Explanation } from '../api/client';
import { floor } from '../live/floor.svelte';

const settleMs = 200; // facts of one moment arrive together and reach the database a moment later
const refreshMs = 5_000; // what agents do changes why a call waits, without a fact of the call
const youngMs = 10_000; // so long a call may be missing from the database

export class Story {
  story = $state.raw<CallStory | undefined>();
  explanation = $state.raw<Explanation | undefined>();
  problem = $state.raw<Problem | undefined>();

  #over = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #begun = Date.now();

  constructor(private readonly id: string) {}

  // follow reads until the returned function is called.
  follow(): () => void {
    const stop = floor.onFact((fact) => {
      if (fact.what.call === this.id) this.#soon(settleMs);
    });
    void this.#read();
    return () => {
      stop();
      clearTimeout(this.#timer);
      this.#over.abort();
    };
  }

  // again is for a person who does not want to wait.
  again(): void {
    this.problem = undefined;
    this.#begun = Date.now();
    this.#soon(0);
  }

  #soon(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), ms);
  }

  async #read(): Promise<void> {
    const signal = this.#over.signal;
    try {
      const [story, explanation] = await Promise.all([
        floor.api.call(this.id, signal),
        floor.api.explain(this.id, signal).catch((cause: unknown) => this.#unexplained(cause)),
      ]);
      this.story = story;
      this.explanation = explanation ?? this.explanation;
      this.problem = undefined;
      if (story.call.state === 'open') this.#soon(refreshMs);
    } catch (cause) {
      if (signal.aborted) return;
      const problem = cause instanceof Problem ? cause : new Problem(0, String(cause));
      const young = problem.status === 404 && Date.now() - this.#begun < youngMs && this.#isLive();
      if (!young) this.problem = problem;
      if (problem.status !== 404 || young) this.#soon(young ? settleMs : refreshMs);
    }
  }

  // A story without its explanation is still worth showing.
  #unexplained(cause: unknown): undefined {
    if (this.#over.signal.aborted) throw cause;
  }

  #isLive(): boolean {
    return floor.live?.calls.some((c) => c.call === this.id) ?? true;
  }
}

// The list of calls that are over. It outlives its view, so that whoever comes
// back from a call finds the list as they left it.
import { Problem, type Call, type CallFilter } from '../api/client';
import { floor } from '../live/floor.svelte';

const settleMs = 700; // an ended call is in the database a moment later

class Recent {
  filter = $state<CallFilter>({});
  items = $state.raw<Call[]>([]);
  next = $state<string | undefined>();
  state = $state<'idle' | 'reading' | 'failed'>('idle');
  problem = $state('');
  read = $state(false); // at least once, with this filter
  opened = ''; // the call whose page was last open

  #asked: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  // follow keeps the first page fresh while the list is in view. Who has asked
  // for more pages is left alone.
  follow(): () => void {
    const stop = floor.onFact((fact) => {
      if (fact.fact !== 'call_ended' || this.items.length > 25 || this.#timer !== undefined) return;
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        void this.refresh();
      }, settleMs);
    });
    return () => {
      stop();
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#asked?.abort();
    };
  }

  ask(filter: CallFilter): void {
    this.filter = filter;
    this.read = false;
    void this.refresh();
  }

  refresh(): Promise<void> {
    return this.#get(undefined);
  }

  more(): Promise<void> {
    return this.#get(this.next);
  }

  async #get(cursor: string | undefined): Promise<void> {
    this.#asked?.abort();
    const asked = new AbortController();
    this.#asked = asked;
    this.state = 'reading';
    try {
      const page = await floor.api.calls({ ...this.filter, cursor }, asked.signal);
      this.items = cursor ? [...this.items, ...page.items] : page.items;
      this.next = page.next_cursor;
      this.state = 'idle';
      this.read = true;
    } catch (cause) {
      if (asked.signal.aborted) return;
      this.state = 'failed';
      this.problem = cause instanceof Problem ? cause.message : String(cause);
    }
  }
}

export const recent = new Recent();

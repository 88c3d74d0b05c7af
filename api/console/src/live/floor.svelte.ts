// The floor as the page knows it. One object for the whole page: views read
// from it, the follower writes.
import { open, type Api, type Fact, type Live, type MetricDefinition, type Problem, type Settings } from '../api/client';
import { forget, keep, kept, takeFromAddress, type Drawers } from '../key';
import { address } from '../route.svelte';
import { Follower, type Link } from './follower';

const drawers: Drawers = { tab: sessionStorage, device: localStorage };

class Floor {
  key = $state('');
  refused = $state.raw<Problem | undefined>(); // why the last key was refused
  live = $state.raw<Live | undefined>();
  link = $state.raw<Link>({ state: 'opening' });
  // now is the server's clock in ms. It stands still while nothing is heard,
  // so that no duration grows that may be over.
  now = $state(Date.now());
  definitions = $state.raw<MetricDefinition[]>([]);
  settings = $state.raw<Settings>({});

  api: Api = open('');
  #follower: Follower | undefined;
  #ahead = 0; // of the server's clock before this machine's
  #listeners = new Set<(fact: Fact) => void>();

  // begin takes the key of the address or the one that is kept.
  begin(): void {
    const given = takeFromAddress(location.hash);
    if (given) {
      address.replace(given.hash);
      this.enter(given.key, false);
    } else if (kept(drawers)) {
      this.#follow(kept(drawers));
    }
    addEventListener('hashchange', () => {
      const pasted = takeFromAddress(location.hash);
      if (!pasted) return;
      address.replace(pasted.hash);
      this.enter(pasted.key, false);
    });
    addEventListener('online', () => this.#follower?.wake());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.#follower?.wake();
    });
    this.#tick();
  }

  enter(key: string, onDevice: boolean): void {
    keep(drawers, key, onDevice);
    this.#follow(key);
  }

  // leave forgets the key and everything it showed.
  leave(why?: Problem): void {
    forget(drawers);
    this.#follower?.stop();
    this.#follower = undefined;
    this.key = '';
    this.api = open('');
    this.live = undefined;
    this.refused = why;
  }

  onFact(listener: (fact: Fact) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  agentName(id: string | undefined): string {
    return this.live?.agents.find((a) => a.agent === id)?.name || id || '';
  }

  reasonName(id: string): string {
    return this.settings.pause_reasons?.find((r) => r.id === id)?.name || id;
  }

  queueName(id: string | undefined): string {
    return this.live?.queues.find((q) => q.queue === id)?.name || id || '';
  }

  #follow(key: string): void {
    this.#follower?.stop();
    this.api = open(key);
    this.key = key;
    this.refused = undefined;
    this.live = undefined;
    const follower: Follower = new Follower(
      this.api,
      {
        snapshot: (live, at) => this.#shown(live, at),
        link: (link) => this.#linked(link),
        fact: (fact) => this.#happened(fact),
      },
      () => !document.hidden,
    );
    this.#follower = follower;
    void follower.run();
  }

  #shown(live: Live, at: number): void {
    this.#ahead = Date.parse(live.at) - at;
    this.live = live;
    this.now = Date.now() + this.#ahead;
    if (this.definitions.length === 0) void this.#define();
  }

  #happened(fact: Fact): void {
    if (fact.fact === 'config_applied') void this.#define();
    this.#listeners.forEach((listener) => listener(fact));
  }

  #linked(link: Link): void {
    this.link = link;
    if (link.state === 'refused') this.leave(link.problem);
  }

  async #define(): Promise<void> {
    try {
      [this.definitions, this.settings] = await Promise.all([this.api.definitions(), this.api.settings()]);
    } catch {
      // Figures go without their formulas, reasons by their ids; the next read asks again.
    }
  }

  // tick moves the clock at the server's full seconds.
  #tick(): void {
    const now = Date.now() + this.#ahead;
    if (this.link.state === 'live') this.now = now;
    setTimeout(() => this.#tick(), 1000 - (now % 1000) + 5);
  }
}

export const floor = new Floor();

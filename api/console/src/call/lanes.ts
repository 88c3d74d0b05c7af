// A call's story as lanes of spans: what the picture on a call's page draws.
// Times are ms since the call arrived.
import type { CallLeg, CallOffer, CallStory, TimelineEntry } from '../api/client';

export type SpanKind = 'node' | 'wait' | 'dial' | 'ring' | 'up' | 'hold' | 'sound' | 'music';

export interface Span {
  kind: SpanKind;
  from: number;
  to: number;
  open: boolean; // it goes on: to is only now
  label: string;
}

export interface Lane {
  id: string;
  name: string;
  note: string;
  spans: Span[];
}

export interface Names {
  agent(id: string | undefined): string;
  queue(id: string | undefined): string;
}

export interface Picture {
  lanes: Lane[];
  total: number;
  connected: number | undefined;
}

// pictureOf draws a story as it was, or is at now.
export function pictureOf(story: CallStory, names: Names, now: number): Picture {
  const begin = Date.parse(story.call.arrived_at);
  const since = (at: string) => Date.parse(at) - begin;
  const total = Math.max(story.call.ended_at ? since(story.call.ended_at) : now - begin, 1);
  const drawer = new Drawer(story, names, since, total);
  const callers = story.legs.filter((l) => l.role === 'caller');
  const others = story.legs.filter((l) => l.role !== 'caller');
  const lanes = [
    ...callers.map((l) => drawer.leg(l)),
    drawer.flow(),
    drawer.sound(new Set(callers.map((l) => l.leg))),
    ...story.visits.map((v, i) => drawer.visit(v, i)),
    ...others.map((l) => drawer.leg(l)),
  ].filter((lane) => lane.spans.length > 0);
  return { lanes, total, connected: story.call.connected_at ? since(story.call.connected_at) : undefined };
}

class Drawer {
  constructor(
    private readonly story: CallStory,
    private readonly names: Names,
    private readonly since: (at: string) => number,
    private readonly total: number,
  ) {}

  leg(leg: CallLeg): Lane {
    const offer = this.story.offers.find((o) => o.leg === leg.leg);
    const name = leg.role === 'caller' ? 'Caller' : this.names.agent(leg.agent) || leg.role;
    const note = [offer?.phone ?? leg.endpoint, missed(offer)].filter(Boolean).join(' · ');
    const spans = [
      this.span('dial', leg.started_at, leg.rang_at ?? leg.answered_at ?? leg.ended_at, 'dialled'),
      ...(leg.rang_at ? [this.span('ring', leg.rang_at, leg.answered_at ?? leg.ended_at, 'rings')] : []),
      ...(leg.answered_at ? [this.span('up', leg.answered_at, leg.ended_at, leg.role === 'caller' ? 'connected' : 'talks')] : []),
      ...this.holds(leg),
    ];
    return { id: `leg ${leg.leg}`, name, note, spans: spans.filter((s) => s.to > s.from || s.open) };
  }

  holds(leg: CallLeg): Span[] {
    return this.pairs(
      (e) => e.leg === leg.leg && e.fact === 'leg_held',
      (e) => e.leg === leg.leg && (e.fact === 'leg_resumed' || e.fact === 'leg_closed'),
      () => ({ kind: 'hold', label: 'on hold' }),
    );
  }

  flow(): Lane {
    const leaves = new Set(['node_entered', 'call_connected', 'call_released', 'call_ending', 'call_ended']);
    const spans = this.pairs(
      (e) => e.fact === 'node_entered' && e.what.type !== 'queue',
      (e) => leaves.has(e.fact),
      (e) => ({ kind: 'node', label: text(e.what.node) }),
    );
    return { id: 'flow', name: 'Flow', note: this.story.call.flow ?? '', spans };
  }

  sound(legs: Set<string>): Lane {
    const mine = (e: TimelineEntry) => legs.has(e.leg ?? '');
    const gone = (e: TimelineEntry) => e.fact === 'leg_closed' && mine(e);
    const prompts = this.pairs(
      (e) => e.fact === 'play_started' && mine(e),
      (e, begun) => (e.fact === 'play_ended' && e.what.play === begun.what.play) || gone(e),
      (e) => ({ kind: 'sound', label: text(e.what.purpose) }),
    );
    const music = this.pairs(
      (e) => e.fact === 'music_started' && mine(e),
      (e) => (e.fact === 'music_stopped' && mine(e)) || gone(e),
      () => ({ kind: 'music', label: 'music' }),
    );
    return { id: 'sound', name: 'Caller hears', note: '', spans: [...music.flatMap((m) => without(m, prompts)), ...prompts] };
  }

  visit(visit: CallStory['visits'][number], index: number): Lane {
    const span = this.span('wait', visit.joined_at, visit.left_at, 'waits');
    return { id: `visit ${index}`, name: `Queue ${this.names.queue(visit.queue)}`, note: '', spans: [span] };
  }

  // pairs joins each fact that begins something with the first later one that
  // ends it.
  pairs(
    begins: (e: TimelineEntry) => boolean,
    ends: (e: TimelineEntry, begun: TimelineEntry) => boolean,
    make: (e: TimelineEntry) => { kind: SpanKind; label: string },
  ): Span[] {
    const entries = this.story.timeline;
    return entries.flatMap((begun, i) => {
      if (!begins(begun)) return [];
      const ended = entries.slice(i + 1).find((e) => ends(e, begun));
      const to = ended?.offset_ms ?? this.total;
      const open = !ended && this.story.call.state === 'open';
      return to > begun.offset_ms || open ? [{ ...make(begun), from: begun.offset_ms, to, open }] : [];
    });
  }

  span(kind: SpanKind, from: string, to: string | undefined, label: string): Span {
    return {
      kind, label, from: this.since(from), to: to ? this.since(to) : this.total,
      open: !to && this.story.call.state === 'open',
    };
  }
}

// without is a span less the parts that others cover: music pauses for a prompt.
function without(whole: Span, others: Span[]): Span[] {
  const parts: Span[] = [];
  let from = whole.from;
  for (const o of others.toSorted((a, b) => a.from - b.from)) {
    if (o.to <= from || o.from >= whole.to) continue;
    if (o.from > from) parts.push({ ...whole, from, to: o.from, open: false });
    from = o.to;
  }
  if (from < whole.to) parts.push({ ...whole, from });
  return parts;
}

function missed(offer: CallOffer | undefined): string {
  if (!offer?.outcome || offer.outcome === 'answered') return '';
  return offer.outcome.replaceAll('_', ' ');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

// steps are the distances between marks of the axis, in seconds.
const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

// ticks are the marks of an axis of total ms, at most max of them.
export function ticks(total: number, max: number): number[] {
  const step = (steps.find((s) => total / (s * 1000) <= max) ?? total / 1000 / max) * 1000;
  const marks: number[] = [];
  for (let at = 0; at <= total; at += step) marks.push(at);
  return marks;
}

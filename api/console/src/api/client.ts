// The public API, typed by openapi.yaml. Every failure is thrown as a Problem.
import createClient from 'openapi-fetch';
import type { components, paths } from '../../gen/openapi';

type Schemas = components['schemas'];
export type Live = Schemas['Live'];
export type LiveQueue = Schemas['LiveQueue'];
export type LiveAgent = Schemas['LiveAgent'];
export type LiveCall = Schemas['LiveCall'];
export type AgentState = Schemas['AgentState'];
export type CallPhase = Schemas['CallPhase'];
export type Fact = Schemas['Fact'];
export type Call = Schemas['Call'];
export type CallStory = Schemas['CallStory'];
export type CallLeg = Schemas['CallLeg'];
export type CallOffer = Schemas['CallOffer'];
export type Explanation = Schemas['Explanation'];
export type AgentStanding = Schemas['AgentStanding'];
export type OfferOutcome = Schemas['OfferOutcome'];
export type Outcome = Schemas['Outcome'];
export type Reason = Schemas['Reason'];
export type Settings = Schemas['Settings'];
export type MetricDefinition = Schemas['MetricDefinition'];
export type TimelineEntry = Schemas['TimelineEntry'];

// Problem is a request that did not work. Status 0: nobody answered.
export class Problem extends Error {
  readonly status: number;
  readonly retryAfterMs: number;

  constructor(status: number, detail: string, retryAfterMs = 0) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  // keyless: the key does not open this. Trying again with it is of no use.
  get keyless(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export interface CallFilter {
  number?: string;
  queue?: string;
  reason?: Reason;
  cursor?: string;
}

export type Api = ReturnType<typeof open>;

// open makes a client that speaks with this key.
export function open(key: string) {
  const client = createClient<paths>({ baseUrl: location.origin, headers: { Authorization: `Bearer ${key}` } });
  return {
    live: (signal?: AbortSignal) => result(client.GET('/v1/live', { signal })),
    events: (after: number, signal: AbortSignal) =>
      result(client.GET('/v1/live/events', { params: { query: { after } }, parseAs: 'stream', signal })),
    definitions: async () => (await result(client.GET('/v1/metrics-definitions'))).items,
    numbers: async () => (await result(client.GET('/v1/numbers', { params: { query: { limit: 5 } } }))).items,
    settings: () => result(client.GET('/v1/settings')),
    calls: (filter: CallFilter, signal?: AbortSignal) =>
      result(client.GET('/v1/calls', { params: { query: { ...filter, state: 'ended', limit: 25 } }, signal })),
    call: (id: string, signal?: AbortSignal) => result(client.GET('/v1/calls/{id}', { params: { path: { id } }, signal })),
    explain: (id: string, signal?: AbortSignal) =>
      result(client.GET('/v1/calls/{id}/explanation', { params: { path: { id } }, signal })),
  };
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

async function result<T>(asked: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await asked;
  } catch (cause) {
    if (cause instanceof Problem) throw cause; // why it was aborted
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new Problem(0, 'Ringmaster does not answer');
  }
  if (answer.data !== undefined && answer.response.ok) return answer.data;
  throw new Problem(answer.response.status, detailOf(answer), retryAfter(answer.response));
}

function detailOf({ error, response }: Answer<unknown>): string {
  if (typeof error === 'object' && error !== null && 'detail' in error && typeof error.detail === 'string') return error.detail;
  return `the server answered ${response.status}`;
}

function retryAfter(response: Response): number {
  const seconds = Number(response.headers.get('Retry-After'));
  return Number.isFinite(seconds) ? seconds * 1000 : 0;
}

// What the API's closed sets are called on the page, and which icon and tone
// they have. A tone is never the only sign: an icon and a word stand with it.
import type { AgentState, CallPhase, OfferOutcome, Outcome, Reason } from './api/client';
import type { IconName } from './view/icons';

export type Tone = 'good' | 'busy' | 'ring' | 'after' | 'rest' | 'bad' | 'off';

export interface Word {
  word: string;
  icon: IconName;
  tone: Tone;
}

export const agentStates: Record<AgentState, Word> = {
  ready: { word: 'Ready', icon: 'check', tone: 'good' },
  reserved: { word: 'Ringing', icon: 'bell', tone: 'ring' },
  talking: { word: 'Talking', icon: 'talk', tone: 'busy' },
  holding: { word: 'On hold', icon: 'hourglass', tone: 'busy' },
  wrap_up: { word: 'Wrap-up', icon: 'pen', tone: 'after' },
  busy: { word: 'Other call', icon: 'phone', tone: 'busy' },
  paused: { word: 'Paused', icon: 'pause', tone: 'rest' },
  phone_lost: { word: 'Phone lost', icon: 'unplugged', tone: 'bad' },
  logged_out: { word: 'Logged out', icon: 'power', tone: 'off' },
};

// The order in which states are counted out above the agents.
export const stateOrder = Object.keys(agentStates) as AgentState[];

export const callPhases: Record<CallPhase, Word> = {
  flow: { word: 'In flow', icon: 'flow', tone: 'off' },
  queued: { word: 'Waiting', icon: 'hourglass', tone: 'rest' },
  ringing: { word: 'Ringing', icon: 'bell', tone: 'ring' },
  talking: { word: 'Talking', icon: 'talk', tone: 'busy' },
  ended: { word: 'Ended', icon: 'power', tone: 'off' },
};

export const offerOutcomes: Record<OfferOutcome, Word> = {
  answered: { word: 'Answered', icon: 'check', tone: 'good' },
  cancelled: { word: 'Cancelled', icon: 'power', tone: 'off' },
  lost_race: { word: 'Another was quicker', icon: 'power', tone: 'off' },
  busy: { word: 'Busy', icon: 'phone', tone: 'rest' },
  rejected: { word: 'Rejected', icon: 'cross', tone: 'bad' },
  unreachable: { word: 'Unreachable', icon: 'unplugged', tone: 'bad' },
  no_answer: { word: 'No answer', icon: 'bell', tone: 'bad' },
};

export const reasons: Record<Reason, Word> = {
  talked: { word: 'Talked', icon: 'talk', tone: 'good' },
  abandoned_in_queue: { word: 'Abandoned in queue', icon: 'leave', tone: 'bad' },
  abandoned_in_flow: { word: 'Left in flow', icon: 'leave', tone: 'off' },
  abandoned_in_ringing: { word: 'Left while it rang', icon: 'leave', tone: 'off' },
  busy: { word: 'Busy', icon: 'phone', tone: 'rest' },
  no_answer: { word: 'No answer', icon: 'bell', tone: 'bad' },
  rejected: { word: 'Rejected', icon: 'cross', tone: 'bad' },
  unreachable: { word: 'Unreachable', icon: 'unplugged', tone: 'bad' },
  max_wait: { word: 'Waited too long', icon: 'hourglass', tone: 'bad' },
  no_agents: { word: 'No agents', icon: 'power', tone: 'bad' },
  flow_end: { word: 'Flow ended', icon: 'flow', tone: 'off' },
  flow_hangup: { word: 'Flow hung up', icon: 'flow', tone: 'off' },
  flow_budget: { word: 'Flow ran in circles', icon: 'cross', tone: 'bad' },
  transferred: { word: 'Transferred', icon: 'flow', tone: 'good' },
  switch_lost: { word: 'Switch lost', icon: 'unplugged', tone: 'bad' },
  requested: { word: 'Hung up on request', icon: 'cross', tone: 'off' },
  unknown_number: { word: 'Unknown number', icon: 'cross', tone: 'off' },
  connected: { word: 'Connected', icon: 'talk', tone: 'good' },
  unknown: { word: 'Not known', icon: 'power', tone: 'off' },
};

// The reasons a call can end with, as the filter offers them.
export const endings: Reason[] = [
  'talked', 'abandoned_in_queue', 'abandoned_in_flow', 'abandoned_in_ringing', 'max_wait', 'no_agents', 'transferred', 'busy',
  'no_answer', 'rejected', 'unreachable', 'flow_end', 'flow_hangup',
  'flow_budget', 'switch_lost', 'requested', 'unknown',
];

const doers: Record<Outcome['result'], string> = {
  completed: '', caller: 'by the caller', agent: 'by the agent', carrier: 'by the network', system: 'by a rule', unknown: '',
};

// ending is an outcome in words: what happened, and by whose doing.
export function ending(outcome: Outcome): { word: Word; by: string } {
  return { word: wordOf(reasons, outcome.reason), by: doers[outcome.result] ?? '' };
}

// wordOf never fails: a newer server may know a word this page does not.
export function wordOf<K extends string>(words: Record<K, Word>, key: K): Word {
  return words[key] ?? { word: key.replaceAll('_', ' '), icon: 'power', tone: 'off' };
}

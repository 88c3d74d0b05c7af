// Figures and times as people read them.

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

// clockSpan is a duration as a clock shows it: 0:07, 12:34, 1:02:03, 3 d 4 h.
export function clockSpan(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / second));
  const s = String(whole % 60).padStart(2, '0');
  const m = Math.floor(whole / 60) % 60;
  const h = Math.floor(whole / 3600);
  if (h >= 48) return `${Math.floor(h / 24)} d ${h % 24} h`;
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`;
}

// span is a duration that was measured: 0.4 s, 12.3 s, 2:05.
export function span(ms: number): string {
  if (ms >= minute) return clockSpan(Math.round(ms / second) * second);
  return `${(Math.round(ms / 100) / 10).toFixed(1)} s`;
}

// threshold is a duration that was set: 20 s, 1 min 30 s, 500 ms.
export function threshold(ms: number): string {
  if (ms < second || ms % second !== 0) return ms < second ? `${ms} ms` : `${ms / second} s`;
  const m = Math.floor(ms / minute);
  const s = (ms % minute) / second;
  if (m === 0) return `${s} s`;
  return s === 0 ? `${m} min` : `${m} min ${s} s`;
}

// offset is a place in a call: +0:21.34.
export function offset(ms: number): string {
  const sign = ms < 0 ? '−' : '+';
  const all = Math.abs(Math.round(ms / 10));
  const hundredths = String(all % 100).padStart(2, '0');
  const s = Math.floor(all / 100);
  const h = Math.floor(s / 3600);
  const mm = Math.floor(s / 60) % 60;
  const ss = String(s % 60).padStart(2, '0');
  return h > 0
    ? `${sign}${h}:${String(mm).padStart(2, '0')}:${ss}.${hundredths}`
    : `${sign}${mm}:${ss}.${hundredths}`;
}

// percent never rounds up to 100 nor down to 0: both are claims.
export function percent(ratio: number): string {
  const rounded = Math.round(ratio * 100);
  if (rounded === 100 && ratio < 1) return '99 %';
  if (rounded === 0 && ratio > 0) return '1 %';
  return `${rounded} %`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const dateFormat = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const dayAndTimeFormat = new Intl.DateTimeFormat(undefined, {
  day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23',
});

export function clock(at: Date | number): string {
  return clockFormat.format(at);
}

export function date(at: Date | number): string {
  return dateFormat.format(at);
}

// when is a clock time; of another day than today's it is the day and the minute.
export function when(at: number, now: number): string {
  const sameDay = new Date(at).toDateString() === new Date(now).toDateString();
  return sameDay ? clock(at) : dayAndTimeFormat.format(at);
}

// localTimes rewrites the UTC clock times in a sentence of the API (10:02:11Z)
// to this place's clock. near is an instant they are about.
export function localTimes(sentence: string, near: Date): string {
  return sentence.replace(/\b(\d\d):(\d\d):(\d\d)Z/g, (_, h: string, m: string, s: string) => {
    const noon = Date.UTC(near.getUTCFullYear(), near.getUTCMonth(), near.getUTCDate(), +h, +m, +s);
    const nearest = [-day, 0, day].map((d) => noon + d).sort((a, b) => Math.abs(a - +near) - Math.abs(b - +near))[0];
    return clock(nearest ?? noon);
  });
}

// plain shows text that strangers wrote: what could turn, hide or break the
// text around it becomes a visible mark.
export function plain(foreign: string): string {
  return foreign.replace(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]/gu, '\uFFFD');
}

export function who(party: { number?: string; name?: string }): string {
  return plain(party.name || party.number || '') || 'Number withheld';
}

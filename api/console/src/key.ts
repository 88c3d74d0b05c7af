// The API key: where it comes from and where it is kept. A key lives in the
// tab; only who asks for it has it kept on the device.

const place = 'ringmaster.key';

export interface Drawers {
  tab: Storage;
  device: Storage;
}

// takeFromAddress is the key of a link such as /#key=rm_…, and the hash to
// show instead, so that it stays neither in the address bar nor in history.
export function takeFromAddress(hash: string): { key: string; hash: string } | undefined {
  const given = /^#\/?\??key=([^&]+)&?(.*)$/.exec(hash);
  if (!given?.[1]) return undefined;
  let key: string;
  try {
    key = decodeURIComponent(given[1]);
  } catch {
    return undefined;
  }
  return { key: tidy(key), hash: given[2]?.startsWith('/') ? `#${given[2]}` : '#/' };
}

// tidy removes what comes along when a key is copied: blanks, quotes, a name.
export function tidy(pasted: string): string {
  return pasted
    .trim()
    .replace(/^(RINGMASTER_KEY=|Bearer\s+)/i, '')
    .replace(/^["']|["']$/g, '')
    .trim();
}

export function looksLikeKey(key: string): boolean {
  return /^rm_[a-z0-9]+_[\x21-\x7e]+$/.test(key);
}

export function kept({ tab, device }: Drawers): string {
  return tab.getItem(place) ?? device.getItem(place) ?? '';
}

export function keep({ tab, device }: Drawers, key: string, onDevice: boolean): void {
  tab.setItem(place, key);
  if (onDevice) device.setItem(place, key);
}

export function forget({ tab, device }: Drawers): void {
  tab.removeItem(place);
  device.removeItem(place);
}

// Which page the address asks for. Everything after # is the page's own, so
// that the server needs to know one file only.

export type Route = { page: 'board' } | { page: 'call'; id: string };

export function read(hash: string): Route {
  const call = /^#\/call\/([0-9a-f-]{36})$/.exec(hash);
  return call?.[1] ? { page: 'call', id: call[1] } : { page: 'board' };
}

export const callLink = (id: string) => `#/call/${id}`;

class Address {
  route = $state.raw<Route>(read(location.hash));

  constructor() {
    addEventListener('hashchange', () => {
      this.route = read(location.hash);
    });
  }

  replace(hash: string): void {
    history.replaceState(null, '', hash);
    this.route = read(hash);
  }
}

export const address = new Address();

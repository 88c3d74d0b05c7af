// Server-sent events, read from text as it comes in. The browser's EventSource
// cannot send an Authorization header, so the stream is read with fetch and
// taken apart here, as the HTML standard says (9.2.6, interpreting an event
// stream).

export interface ServerEvent {
  type: string;
  id: string;
  data: string;
}

// bufferMax bounds one event: a server that never ends a line must not fill
// the page's memory.
const bufferMax = 4 << 20;

export class EventReader {
  #rest = '';
  #type = '';
  #id = '';
  #data: string[] = [];
  #size = 0;
  #begun = false;
  #afterCR = false;

  // feed takes the next piece and returns the events it completed. Pieces may
  // end anywhere, between CR and LF too.
  feed(piece: string): ServerEvent[] {
    if (!this.#begun && piece !== '') {
      this.#begun = true;
      if (piece.startsWith('\uFEFF')) piece = piece.slice(1);
    }
    if (this.#afterCR && piece !== '') {
      this.#afterCR = false;
      if (piece.startsWith('\n')) piece = piece.slice(1);
    }
    const events: ServerEvent[] = [];
    const lines = (this.#rest + piece).split(/\r\n|\r|\n/);
    this.#afterCR = piece.endsWith('\r');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = this.#line(line);
      if (event) events.push(event);
    }
    if (this.#rest.length + this.#size > bufferMax) throw new Error('an event is too large');
    return events;
  }

  #line(line: string): ServerEvent | undefined {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'event') this.#type = value;
    if (field === 'id' && !value.includes('\0')) this.#id = value;
    if (field === 'data') {
      this.#data.push(value);
      this.#size += value.length;
    }
    return undefined;
  }

  #end(): ServerEvent | undefined {
    const event = { type: this.#type || 'message', id: this.#id, data: this.#data.join('\n') };
    const empty = this.#data.length === 0;
    this.#type = '';
    this.#data = [];
    this.#size = 0;
    return empty ? undefined : event;
  }
}

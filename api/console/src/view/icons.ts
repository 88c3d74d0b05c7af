// The page's icons: one path each on a field of 20 by 20, drawn as a line.
export const icons = {
  check: 'M4.5 10.5l3.7 3.7 7.3-8',
  cross: 'M5.5 5.5l9 9m0-9l-9 9',
  bell: 'M5.5 13.5V9a4.5 4.5 0 019 0v4.5l1.5 1.2H4zM8.5 17h3M10 4.5V3',
  talk: 'M3.5 4.5h13v8.5h-6.5l-3.5 3v-3h-3zM7 7.6h6M7 10h4',
  hourglass: 'M5.5 3h9M5.5 17h9M6.5 3c0 4.5 3 4.5 3.5 7-.5 2.5-3.5 2.5-3.5 7M13.5 3c0 4.5-3 4.5-3.5 7 .5 2.5 3.5 2.5 3.5 7',
  pen: 'M4 16l.8-3.5L13.5 4l2.5 2.5-8.5 8.7zM11.5 6l2.5 2.5',
  phone: 'M5 3.5h2.5l1.2 3.3-1.7 1.3a9 9 0 004.9 4.9l1.3-1.7 3.3 1.2V15a1.7 1.7 0 01-1.7 1.7A12.3 12.3 0 013.3 5.2 1.7 1.7 0 015 3.5z',
  pause: 'M7 4.5v11M13 4.5v11',
  unplugged: 'M3 3l14 14M7.5 5V3M12.5 8V3M6 7v2a4 4 0 004 4c.6 0 1.1-.1 1.6-.3M14 10.4c0-.5.1-.9.1-1.4V8h-3.7M10 13v4',
  power: 'M10 3v6.5M6 5.5a6 6 0 108 0',
  flow: 'M3.5 4h4v4h-4zM12.5 12h4v4h-4zM7.5 6h4.5a2 2 0 012 2v4',
  leave: 'M11.5 4h-7v12h7M9 10h8m-3-3l3 3-3 3',
  screen: 'M2.5 4h15v9.5h-15zM7 17h6M10 13.5V17',
  sun: 'M10 6.5a3.5 3.5 0 100 7 3.5 3.5 0 000-7zM10 1.8v2M10 16.2v2M1.8 10h2M16.2 10h2M4.2 4.2l1.4 1.4M14.4 14.4l1.4 1.4M15.8 4.2l-1.4 1.4M5.6 14.4l-1.4 1.4',
  moon: 'M16.5 11.8A7 7 0 018.2 3.5a7 7 0 108.3 8.3z',
  halfmoon: 'M10 3a7 7 0 100 14 7 7 0 000-14zM10 3v14M12.5 4.5v11M15 6.2v7.6',
  back: 'M12 4.5L6.5 10l5.5 5.5',
  warn: 'M10 3l7.5 13.5h-15zM10 8v4M10 14.3v.2',
} as const;

export type IconName = keyof typeof icons;

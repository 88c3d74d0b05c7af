// How the page looks, by the person's choice, kept on the device.

export type Theme = 'system' | 'light' | 'dark';
const next: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };

class Look {
  theme = $state<Theme>(stored());
  wall = $state(localStorage.getItem('ringmaster.wall') === 'on');

  turnTheme(): void {
    this.theme = next[this.theme];
    localStorage.setItem('ringmaster.theme', this.theme);
    this.show();
  }

  turnWall(): void {
    this.wall = !this.wall;
    localStorage.setItem('ringmaster.wall', this.wall ? 'on' : 'off');
    this.show();
  }

  show(): void {
    document.documentElement.dataset.theme = this.theme;
    document.documentElement.dataset.wall = this.wall ? 'on' : 'off';
  }
}

function stored(): Theme {
  const kept = localStorage.getItem('ringmaster.theme');
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

export const look = new Look();

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { rmSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vite';

// sweep empties dist of the last build but leaves its README, which the
// repository keeps so that the Go package embeds something when nothing is
// built.
function sweep(): Plugin {
  return {
    name: 'sweep',
    apply: 'build',
    buildStart() {
      for (const name of ['assets', 'index.html', 'mark.svg']) {
        rmSync(new URL(`dist/${name}`, import.meta.url), { recursive: true, force: true });
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), sweep()],
  build: {
    emptyOutDir: false, target: 'es2023', assetsInlineLimit: 0, modulePreload: { polyfill: false },
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  server: { proxy: { '/v1': process.env.RINGMASTER_URL ?? 'http://127.0.0.1:8080' } },
});

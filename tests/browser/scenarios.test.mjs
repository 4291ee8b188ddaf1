// The pages of the ten scenarios of the page "Disaster Scenarios", wide and on a phone, by day and by night.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { close, folder, open, pagesBeside } from './pages.mjs';

const SCENARIOS = [
  'worker-power-off', 'worker-vm-deleted', 'control-plane-power-off', 'control-plane-vm-deleted', 'worker-kubelet-stopped',
  'worker-kubelet-crashed', 'control-plane-kubelet-stopped', 'control-plane-kubelet-crashed', 'etcd-one-of-three', 'apiserver-removed',
];
const SCREENS = [1280, 390].flatMap((width) => ['light', 'dark'].map((scheme) => ({ width, scheme, height: width > 400 ? 900 : 844 })));
let files;

before(async () => { files = await pagesBeside(SCENARIOS); });
after(close);

for (const [i, name] of SCENARIOS.entries()) {
  test(`${name} is shown on each screen, and says and asks nothing`, async () => {
    const tab = await open(files[i], { hash: '#t=61' });
    for (const { width, height, scheme } of SCREENS) {
      const how = `${width}-${scheme}`;
      await tab.emulateMedia({ colorScheme: scheme });
      await tab.setViewportSize({ width, height });
      await tab.evaluate((t) => window.healsim.seek(t), 400e6);
      assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${how}: wider than the screen`);
      // Most have a moment at which nobody answers, and in two of them it is now: what is said then is a sentence, and is read whole.
      const cut = await tab.locator('.print:has(.said)').evaluateAll((all) => all.filter((it) => it.scrollWidth > it.clientWidth).map((it) => it.textContent));
      assert.deepEqual(cut, [], `${how}: kubectl's words are cut`);
      await tab.screenshot({ path: join(folder, `${name}-${how}.png`) });
      assert.deepEqual(tab.wrong, [], how);
    }
    await tab.context().close();
  });
}

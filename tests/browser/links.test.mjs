// Links that are cut, slow or lossy, and who is cut off, as they are drawn in the cluster.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { close, folder, healsim, open, page } from './pages.mjs';

const FAULTS = [
  [30, 'cutLink: { from: control-plane-0, to: control-plane-1 }'],
  [40, 'cutLink: { from: worker-0, to: control-plane-0, oneWay: true }'],
  [50, 'lossyLink: { from: worker-1, to: control-plane-2, loss: 30% }'],
  [60, 'isolateVm: { vm: worker-2 }'],
  [70, 'healLink: { from: control-plane-0, to: control-plane-1, oneWay: true }'],
  [80, 'healLink: { from: control-plane-0, to: control-plane-1 }'],
  [81, 'healLink: { from: worker-0, to: control-plane-0 }'],
  [82, 'healLink: { from: worker-1, to: control-plane-2 }'],
  [83, 'rejoinVm: { vm: worker-2 }'],
  [84, 'cutZone: { zone: zone-0 }'],
  [90, 'rejoinZone: { zone: zone-0 }'],
];
let scenario;
let file;

before(() => {
  scenario = join(folder, 'links.yaml');
  const faults = FAULTS.map(([at, fault]) => `    - { at: ${at}s, ${fault} }\n`).join('');
  writeFileSync(scenario, `apiVersion: healsim/v1\nkind: Scenario\nmetadata: { name: links }\nspec:
  platform: tkgs-2024\n  cluster: { controlPlane: 3, workers: 3, zones: 3 }\n  faults:\n${faults}  until: 100s\n`);
  file = page('links', 'run', scenario, '-o', 'summary');
});
after(close);

const seek = (tab, seconds) => tab.evaluate((t) => window.healsim.seek(t * 1e6), seconds);
const labels = (tab) => tab.locator('.wires [role=img]').evaluateAll((all) => all.map((it) => it.getAttribute('aria-label')));
const cutOff = (tab) => tab.locator('.cut-off').evaluateAll((all) => all.map((it) => it.dataset.vm ?? it.querySelector('h3').textContent.trim().split(/\s+/)[0]));

test('a link is drawn from when it is cut until it is healed, one way or both', async () => {
  const tab = await open(file);
  const both = 'link between control-plane-0 and control-plane-1: cut';
  const one = 'link from worker-0 to control-plane-0: cut';
  const lossy = 'link between control-plane-2 and worker-1: loses packets';
  for (const [at, drawn, off] of [
    [29, [], []], [30, [both], []], [45, [both, one], []], [55, [both, one, lossy], []], [65, [both, one, lossy], ['worker-2']],
    [75, ['link from control-plane-1 to control-plane-0: cut', one, lossy], ['worker-2']], [83, [], []],
    [85, [], ['esxi-0', 'esxi-3']], [95, [], []], [30, [both], []],
  ]) {
    await seek(tab, at);
    assert.deepEqual((await labels(tab)).sort(), drawn.slice().sort(), `lines at ${at} s`);
    assert.deepEqual(await cutOff(tab), off, `cut off at ${at} s`);
    assert.equal(await tab.locator('.troubles').isVisible(), drawn.length + off.length > 0, `words at ${at} s`);
  }
  assert.deepEqual(tab.wrong, []);
});

test('a line ends at the cards of its VMs, on each screen, and is seen on its ground', async () => {
  for (const scheme of ['light', 'dark']) {
    const tab = await open(file, { hash: '#t=55', scheme });
    for (const width of [1280, 390]) {
      await tab.setViewportSize({ width, height: 900 });
      await tab.waitForTimeout(100);
      const off = await tab.evaluate(() => {
        const near = (name, x, y) => {
          const box = document.querySelector(`[data-vm="${name}"]`).getBoundingClientRect();
          return x >= box.left && x <= box.right && Math.abs(y - box.top) < 2;
        };
        return [...document.querySelectorAll('.wires [role=img]')].filter((it) => {
          const path = it.querySelector('path');
          const [from, to] = it.getAttribute('aria-label').match(/[a-z-]+-\d/g);
          const at = (far) => path.getPointAtLength(far).matrixTransform(path.getScreenCTM());
          const [start, end] = [at(0), at(path.getTotalLength())];
          return !near(from, start.x, start.y) || !near(to, end.x, end.y) || !getComputedStyle(path).strokeDasharray.includes(',');
        }).map((it) => it.outerHTML);
      });
      assert.deepEqual(off, [], `${width} ${scheme}`);
      assert.ok(await tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width} ${scheme}`);
    }
    // Contrast by brightness alone, as in grey: 3 to 1 is what graphics need.
    const contrasts = await tab.evaluate(() => {
      const pen = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
      const light = (color) => {
        pen.fillStyle = color;
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((it) => (it / 255 <= 0.04045 ? it / 255 / 12.92 : ((it / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const ground = light(getComputedStyle(document.documentElement).backgroundColor);
      return [...document.querySelectorAll('.wires path')].map((path) => {
        const own = light(getComputedStyle(path).stroke);
        return (Math.max(own, ground) + 0.05) / (Math.min(own, ground) + 0.05);
      });
    });
    assert.ok(contrasts.length === 3 && contrasts.every((it) => it >= 3), `${scheme}: ${contrasts}`);
    assert.deepEqual(tab.wrong, []);
  }
});

test('the page of a stored trace has the same lines', async () => {
  const trace = join(folder, 'links.jsonl');
  writeFileSync(trace, healsim('run', scenario, '-o', 'jsonl'));
  const written = join(folder, 'links-traced.html');
  healsim('report', trace, '--out', `html=${written}`);
  const tab = await open(written, { hash: '#t=45' });
  assert.deepEqual(await labels(tab), ['link between control-plane-0 and control-plane-1: cut', 'link from worker-0 to control-plane-0: cut']);
  assert.deepEqual(tab.wrong, []);
});

// Pages to look at: made by the binary that HEALSIM names, once for all tests.

import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const here = dirname(fileURLToPath(import.meta.url));
export const folder = resolve(here, '../../target/pages');
mkdirSync(folder, { recursive: true });

const binary = process.env.HEALSIM ?? ['release', 'debug'].map((it) => resolve(here, `../../target/${it}/healsim`)).find(existsSync);

/** Runs healsim; what it prints. A failed expectation is no failure here, nor is nobody who answers: kubectl says so on standard error. */
export function healsim(...words) {
  try {
    return execFileSync(binary, words, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (failed) {
    if (failed.status === 4) return failed.stdout;
    if (words[0] === 'get' && failed.status === 1) return failed.stderr;
    throw failed;
  }
}

/** The same beside others. */
export async function healsimBeside(...words) {
  try {
    return (await promisify(execFile)(binary, words, { encoding: 'utf8', maxBuffer: 1 << 28 })).stdout;
  } catch (failed) {
    if (words[0] === 'get' && failed.code === 1) return failed.stderr;
    throw failed;
  }
}

/** The page of these words after `healsim`, as a file. */
export function page(name, ...words) {
  const file = join(folder, `${name}.html`);
  healsim(...words, '--out', `html=${file}`);
  return file;
}

/** The pages of these scenarios, two at a time. */
export async function pagesBeside(names) {
  const files = names.map((name) => join(folder, `${name}.html`));
  const waits = names.map((name, i) => [name, files[i]]);
  const make = async () => {
    for (let next = waits.shift(); next; next = waits.shift()) {
      await healsimBeside('run', next[0], '-o', 'summary', '--out', `html=${next[1]}`);
    }
  };
  await Promise.all([make(), make()]);
  return files;
}

/** The data of an hour with so many workers, made here because playing it takes half an hour: a third of them lose
 * their power, and come back one by one. With 5,000 it is no smaller than a page of a real run (docs/page.md,
 * "Large runs": 45,106 objects, 190,391 facts, 3,694 samples of etcd), and a hundred times as much happens. */
export function largeRun(workers) {
  const texts = [null];
  const numbers = new Map([[null, 0]]);
  const text = (value) => {
    if (!numbers.has(value)) numbers.set(value, texts.push(value) - 1);
    return numbers.get(value);
  };
  const objects = [];
  const places = new Map();
  const object = (kind, name) => {
    const id = `${kind}/${name}`;
    if (!places.has(id)) {
      places.set(id, objects.length / 3);
      objects.push(text(kind), text(name), text(kind === 'Machine' ? 'management' : 'workload'));
    }
    return places.get(id);
  };
  const facts = [];
  const known = new Map();
  const of = [];
  const fact = (place, field, value) => {
    const key = `${field} ${value}`;
    if (!known.has(key)) known.set(key, facts.push(text(field), text(value), 0, 0) / 4 - 1);
    (of[place] ??= []).push(known.get(key));
  };
  const tables = { nodes: [], machines: [], pods: [] };
  const row = (table, t, name, cells) => tables[table].push([t, name, cells]);
  const names = Array.from({ length: workers }, (_, i) => `worker-${i}`);
  for (const name of ['control-plane-0', 'control-plane-1', 'control-plane-2']) {
    for (const [field, value] of [['exists', true], ['role', 'Follower'], ['leader', 'control-plane-0']]) fact(object('EtcdMember', name), field, value);
    fact(object('Process', `etcd@${name}`), 'running', true);
  }
  for (const name of ['control-plane-0', 'control-plane-1', 'control-plane-2', ...names]) {
    for (const [kind, ...fields] of [
      ['VM', ['exists', true], ['power', 'on'], ['host', 'esxi-0']],
      ['Process', ['running', true]],
      ['Node', ['exists', true], ['Ready', 'True'], ['MemoryPressure', 'False'], ['DiskPressure', 'False'], ['PIDPressure', 'False'], ['providerID', `vsphere://${name}`]],
      ['Machine', ['exists', true], ['phase', 'Running'], ['nodeRef', name], ['NodeHealthy', 'True'], ['providerID', `vsphere://${name}`]],
      ['Lease', ['exists', true], ['holder', name]],
      ...['VirtualMachine', 'VSphereMachine', 'KubeadmConfig', 'Secret'].map((of) => [of, ['exists', true],
        ...['Ready', 'powerState', 'zone', 'bootstrap', 'owner'].map((field) => [field, `${field} of ${name}`])]),
      ['Pod', ['exists', true], ['phase', 'Running'], ['Ready', 'True'], ['ContainersReady', 'True'], ['nodeName', name]],
    ]) {
      const own = { Process: `kubelet@${name}`, Pod: `web-6d4b75cb6d-${name}` }[kind] ?? name;
      const place = object(kind, own);
      for (const [field, value] of fields) fact(place, field, value);
    }
    row('nodes', 0, name, [name, 'Ready', '<none>', '', 'v1.28.8']);
    row('machines', 0, name, [name, 'workload', name, `vsphere://${name}`, 'Running', '', 'v1.28.8']);
    row('pods', 0, `web-6d4b75cb6d-${name}`, [`web-6d4b75cb6d-${name}`, '1/1', 'Running', '0', '']);
  }
  fact(object('ReplicaSet', 'web-6d4b75cb6d'), 'exists', true);
  const events = [];
  const add = (t, place, field, from, to, reason = '') => events.push([t, place, field, from, to, reason]);
  add(60e6, object('Fault', 'powerOffHost'), 'injected', null, 'Host/esxi-0');
  names.filter((_, i) => i % 3 === 0).forEach((name, i) => {
    const [unknown, back] = [100e6 + (i % 500) * 1e4, 600e6 + i * 1.5e6];
    add(60e6, object('VM', name), 'power', 'on', 'off');
    add(60e6, object('Process', `kubelet@${name}`), 'running', true, false);
    add(unknown, object('Node', name), 'Ready', 'True', 'Unknown', 'NodeStatusUnknown');
    add(unknown, object('Pod', `web-6d4b75cb6d-${name}`), 'Ready', 'True', 'False');
    add(back, object('VM', name), 'power', 'off', 'on');
    add(back + 1e5, object('Process', `kubelet@${name}`), 'running', false, true);
    add(back + 2e5, object('Node', name), 'Ready', 'Unknown', 'True', 'KubeletReady');
    add(back + 3e5, object('Pod', `web-6d4b75cb6d-${name}`), 'Ready', 'False', 'True');
    row('nodes', unknown, name, [name, 'NotReady', '<none>', '', 'v1.28.8']);
    row('nodes', back + 2e5, name, [name, 'Ready', '<none>', '', 'v1.28.8']);
  });
  events.sort((a, b) => a[0] - b[0]);
  const steps = (rows, write) => {
    let before = 0;
    return rows.flatMap(([t, ...rest]) => {
      const step = t - before;
      before = t;
      return [step, ...write(...rest)];
    });
  };
  const table = (name, columns) => ({
    name, columns, age: columns.indexOf('AGE'), empty: 'No resources found',
    rows: steps(tables[name].sort((a, b) => a[0] - b[0]), (of, cells) => [text(of), 0, ...cells.map((cell) => text(cell || null))]),
  });
  const data = {
    label: `${workers} workers`, command: '', first: 1, took: [], notes: [],
    entries: steps(events, (place, field, from, to, reason) => [place, text(field), text(from), text(to), text(reason || null), 0, 0, 0]),
    tables: [
      table('nodes', ['NAME', 'STATUS', 'ROLES', 'AGE', 'VERSION']),
      table('machines', ['NAME', 'CLUSTER', 'NODENAME', 'PROVIDERID', 'PHASE', 'AGE', 'VERSION']),
      table('pods', ['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE']),
    ],
    summary: { platform: 'made up', seed: 1, firstFault: 60, end: 'recovered', endedAt: 3600, recovered: true, recoveryTime: 3040, milestones: [], availability: {}, expectations: [] },
    beginning: { facts, of: Array.from({ length: objects.length / 3 }, (_, i) => of[i] ?? []) },
    etcd: {
      every: 1e6, at: [0, ...Array(3693).fill(974_817)],
      of: [0, 1, 2].map((i) => ({ name: `control-plane-${i}`, term: [3694, 2], longer: [100, ...Array(3693).fill(500)], behind: [3694, 0] })),
    },
    objects, texts,
  };
  return { healsim: 'test', runs: [data], lesson: null };
}

/** A page around data of one's own: everything but these is what the binary has written. */
export function pageAround(name, template, data) {
  const page = readFileSync(template, 'utf8');
  const [before, rest] = page.split(/(?<=id="data">)/);
  const after = rest.slice(rest.indexOf('</script>'));
  const file = join(folder, `${name}.html`);
  writeFileSync(file, before + JSON.stringify(data).replaceAll('<', '\\u003c') + after);
  return file;
}

let browser;

/** A tab in which every console message and every request beyond the file itself is a failure. */
export async function open(file, { hash = '', width = 1280, height = 900, scheme = 'light' } = {}) {
  // One browser, whoever asks first: several tabs may be opened at once.
  browser ??= chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  const context = await (await browser).newContext({ viewport: { width, height }, colorScheme: scheme });
  const tab = await context.newPage();
  tab.wrong = [];
  tab.on('console', (message) => tab.wrong.push(`console: ${message.text()}`));
  tab.on('pageerror', (error) => tab.wrong.push(`error: ${error.stack}`));
  tab.on('request', (request) => {
    if (!request.url().startsWith('file:') && !request.url().startsWith('data:')) tab.wrong.push(`request: ${request.url()}`);
  });
  await tab.goto(`file://${file}${hash}`);
  await tab.waitForFunction(() => window.healsim?.took !== undefined);
  return tab;
}

export async function close() {
  await (await browser)?.close();
}

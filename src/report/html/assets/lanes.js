// Lanes: what each VM, Node, Machine, group of Pods and member of etcd was over the whole run, as
// bands with a letter, and the critical path over them. Only rows that can be seen are in the page.

import { byName, clockText, lengthText, safe } from './time.js';
import { answerBands, appBands, arePodsStill, bandsOf, isStill, levelBands, podBands, podGroups } from './states.js';

const ROW = 22;
/** Where in its row a path runs: below the letters. */
const PATH = 18;
/** So many lanes that never change are folded into one. */
const FOLDED = 2;

/** All lanes of a run, in groups: [{title, lanes: [{id, name, bands, objects}]}]. */
export function laneGroups(run) {
  const lanesOf = (kind, fits = () => true, name = (object) => object.name) => run.ofKind(kind)
    .filter(fits).sort(byName)
    .map((object) => ({ id: object.id, name: name(object), objects: [object], make: () => bandsOf(run, object), still: isStill(run, object) }));
  const isOwn = (object) => object.cluster !== 'management';
  const servers = lanesOf('Process', (it) => it.name.startsWith('kube-apiserver@'), (it) => `API ${it.name.split('@')[1]}`);
  const members = lanesOf('EtcdMember', () => true, (it) => `etcd ${it.name}`);
  const groups = podGroups(run);
  const pods = [...groups].sort((a, b) => byName({ name: a[0] }, { name: b[0] })).map(([name, all]) => ({
    id: `Pods/${name}`, name, objects: all, make: () => podBands(run, all), still: arePodsStill(run, all),
  }));
  const probes = lanesOf('Probe', (it) => !it.name.includes('@'), (it) => it.name.replace(/^app-/, 'app '));
  (run.data.answers?.sources ?? []).forEach((source, i) => {
    const bands = answerBands(run, source);
    if (i === 0 || bands.length > 1) probes.push({ id: `kubectl/${i}`, name: i === 0 ? 'kubectl' : 'kubectl, management', objects: [], bands });
  });
  const { levels } = run.data;
  for (const service of Object.keys(levels ?? run.summary.availability ?? {})) {
    const name = service.replace(/^app\//, '');
    const isApp = name !== service;
    if (levels) probes.push({ id: service, name: isApp ? `app ${name}` : 'API', objects: [], bands: levelBands(run, levels[service]) });
    const own = !levels && isApp && !run.named.has(`Probe/app-${name}`) && groups.get(name);
    if (own) probes.push({ id: service, name: `${name}, as the API has it`, isBelief: true, objects: own, make: () => appBands(run, own) });
  }
  return [
    { title: 'For users', lanes: probes, open: true },
    { title: 'API servers, etcd', lanes: [...servers, ...members] },
    { title: 'Hosts', lanes: lanesOf('Host') },
    { title: 'VMs', lanes: lanesOf('VM') },
    { title: 'Nodes', lanes: lanesOf('Node', isOwn) },
    { title: 'Machines', lanes: lanesOf('Machine') },
    { title: 'Pods', lanes: pods },
  ].filter((group) => group.lanes.length > 0);
}

export class Lanes {
  /** `seek(time)` and `select(id)` are called for what is clicked. */
  constructor(run, { seek, select }) {
    this.run = run;
    this.seek = seek;
    this.select = select;
    this.groups = laneGroups(run);
    this.unfolded = new Set();
    this.drawn = new Map();
    this.element = document.createElement('section');
    this.element.className = 'lanes';
    this.element.setAttribute('aria-label', 'States over the whole run');
    this.element.innerHTML = `
      <div class="ruler" aria-hidden="true"></div>
      <div class="rows"><div class="sheet"></div><svg class="path" aria-hidden="true"></svg><div class="playhead"></div></div>${waits(run)}`;
    this.rows = this.element.querySelector('.rows');
    this.sheet = this.element.querySelector('.sheet');
    this.path = this.element.querySelector('.path');
    this.playhead = this.element.querySelector('.playhead');
    this.drawRuler();
    this.layOut();
    this.rows.addEventListener('scroll', () => this.draw(), { passive: true });
    this.sheet.addEventListener('click', (event) => this.clicked(event));
    this.sheet.addEventListener('pointerdown', (event) => this.dragged(event));
    if ('ResizeObserver' in window) new ResizeObserver(() => this.draw()).observe(this.rows);
    addEventListener('beforeprint', () => this.drawAll());
  }

  share(time) {
    const { offset, length } = this.run;
    return length > 0 ? Math.min(1, Math.max(0, (time + offset) / length)) : 0;
  }

  drawRuler() {
    const { offset, length } = this.run;
    const step = tick(length);
    const marks = [];
    for (let at = 0; at <= length; at += step) {
      marks.push(`<span style="left:${100 * this.share(at - offset)}%">${clockText(at)}</span>`);
    }
    const faults = this.run.faults.map((place) => `<i class="flagline" style="left:${100 * this.share(this.run.at[place])}%"></i>`);
    this.element.querySelector('.ruler').innerHTML = `<b></b><div>${marks.join('')}${faults.join('')}</div>`;
  }

  /** Decides which rows there are, folded as they are. */
  layOut() {
    const rows = [];
    const parts = this.run.way?.parts ?? [];
    if (parts.length > 0) {
      rows.push({ heading: 'Critical path', note: `from ${beginning(this.run)} to ${this.run.way.milestone}` });
      rows.push({ id: 'way', name: 'waits for', parts });
    }
    for (const group of this.groups) {
      const still = group.open ? [] : group.lanes.filter((lane) => lane.still);
      const folded = still.length >= FOLDED && !this.unfolded.has(group.title);
      rows.push({ heading: group.title, group, fold: still.length >= FOLDED ? still.length : 0, folded });
      for (const lane of group.lanes) if (!folded || !lane.still) rows.push(lane);
    }
    this.all = rows;
    this.placeOf = new Map(rows.map((row, place) => [row.id, place]));
    this.sheet.style.height = `${rows.length * ROW}px`;
    this.path.style.height = this.sheet.style.height;
    this.playhead.style.height = this.sheet.style.height;
    this.sheet.replaceChildren();
    this.drawn.clear();
    this.draw();
    this.drawPath();
  }

  /** Brings the rows that can be seen into the page, and takes the others out. */
  draw() {
    const [top, height] = [this.rows.scrollTop, this.rows.clientHeight || 900];
    this.drawRows(Math.max(0, Math.floor(top / ROW) - 4), Math.min(this.all.length, Math.ceil((top + height) / ROW) + 4));
  }

  /** For paper, all rows that a page of it can take. */
  drawAll() {
    this.drawRows(0, Math.min(this.all.length, 400));
  }

  drawRows(first, last) {
    for (const [place, element] of this.drawn) {
      if (place < first || place >= last) {
        element.remove();
        this.drawn.delete(place);
      }
    }
    for (let place = first; place < last; place += 1) {
      if (this.drawn.has(place)) continue;
      const element = this.rowElement(this.all[place]);
      element.style.top = `${place * ROW}px`;
      this.sheet.append(element);
      this.drawn.set(place, element);
    }
  }

  rowElement(row) {
    const element = document.createElement('div');
    if (row.heading) {
      element.className = 'lane-head';
      element.innerHTML = `<h3>${row.heading}</h3>`;
      if (row.note) {
        const note = document.createElement('span');
        note.textContent = row.note;
        element.append(note);
      }
      if (row.fold) {
        const button = document.createElement('button');
        button.dataset.fold = row.heading;
        button.setAttribute('aria-expanded', String(!row.folded));
        button.textContent = row.folded ? `${row.fold} never change: show` : 'fold what never changes';
        element.append(button);
      }
      return element;
    }
    element.className = row.parts ? 'lane way' : 'lane';
    element.dataset.id = row.id;
    if (row.id === this.selected) element.classList.add('selected');
    const name = document.createElement('button');
    name.className = 'name';
    // Where it is too long its middle is left out: what tells it from others mostly stands last.
    const [, head, tail] = /^(.*?)(-[^-]{1,8})?$/.exec(row.name);
    name.innerHTML = `<span>${safe(head)}</span>${tail ? `<span>${safe(tail)}</span>` : ''}`;
    name.title = row.id === 'way' ? `the waits from ${beginning(this.run)} on` : row.id;
    const track = document.createElement('div');
    track.className = 'track';
    track.setAttribute('role', 'img');
    if (row.parts) this.fillWay(track, row.parts);
    else this.fill(track, (row.bands ??= row.make()), row.name);
    element.append(name, track);
    return element;
  }

  fill(track, bands, name) {
    const words = bands.map(({ from, state }) => `${state.word} from ${this.run.clock(from)}`);
    track.setAttribute('aria-label', `${name}: ${words.join(', ')}`);
    track.innerHTML = bands.filter(({ state }) => state.tone !== 'none').map(({ from, to, state }) => {
      const [left, width] = [100 * this.share(from), 100 * (this.share(to) - this.share(from))];
      const title = `${state.word}, ${this.run.clock(from)} to ${this.run.clock(to)} (${lengthText(to - from)})`;
      return `<i class="band ${state.tone}" style="left:${left}%;width:${width}%" title="${safe(title)}"><b>${state.letter}</b></i>`;
    }).join('');
  }

  fillWay(track, parts) {
    const words = parts.filter((part) => part.to - part.from >= 1e6).map((part) => `${part.rule} ${lengthText(part.to - part.from)}`);
    track.setAttribute('aria-label', `critical path: ${words.join(', ')}`);
    parts.forEach((part, number) => {
      const band = document.createElement('i');
      const share = this.share(part.to) - this.share(part.from);
      band.className = `band wait ${number % 2 ? 'odd' : 'even'}`;
      band.style.left = `${100 * this.share(part.from)}%`;
      band.style.width = `${100 * share}%`;
      const value = part.value ? ` = ${part.value}` : '';
      band.title = `${part.rule}${value}: ${lengthText(part.to - part.from)}${part.who ? `, ${part.who}` : ''}`;
      const label = document.createElement('b');
      label.textContent = part.rule;
      band.append(label);
      track.append(band);
    });
  }

  /** The entries of the critical path, joined by a line over the lanes that they belong to. */
  drawPath(places) {
    const stations = places ?? (this.run.way?.stations ?? []).map((id) => id - this.run.first);
    const points = [];
    for (const place of stations) {
      if (place < 0) continue;
      const row = this.placeOf.get(this.laneOfEntry(place));
      if (row !== undefined) points.push([1000 * this.share(this.run.at[place]), row * ROW + PATH]);
    }
    const height = Math.max(1, this.all.length * ROW);
    this.path.setAttribute('viewBox', `0 0 1000 ${height}`);
    this.path.setAttribute('preserveAspectRatio', 'none');
    const line = points.map(([x, y], i) => `${i ? 'L' : 'M'}${x.toFixed(2)} ${y}`).join('');
    const dots = points.map(([x, y]) => `<path class="dot" d="M${x.toFixed(2)} ${y}h0"/>`).join('');
    this.path.innerHTML = points.length > 1 ? `<path class="back" d="${line}"/><path class="line" d="${line}"/>${dots}` : '';
    this.path.classList.toggle('of-causes', Boolean(places));
  }

  /** The lane of an entry's object; of a fault, that of its target. */
  laneOfEntry(place) {
    const { object, to } = this.run.entry(place);
    if (object.kind !== 'Fault') return this.laneOf(object);
    const [kind, ...rest] = String(to).split('/');
    const name = rest.join('/');
    if (kind === 'Link') return `VM/${name.split(/<?->/)[0]}`;
    return kind === 'File' ? `VM/${name.split('@')[1]}` : kind === 'Disk' ? `VM/${name}` : this.laneOf({ kind, name });
  }

  /** The lane that shows an object, or what stands for it. */
  laneOf({ kind, name }) {
    const vm = name.split('@')[1];
    if (kind === 'Process' && !name.startsWith('kube-apiserver@')) return name.startsWith('etcd@') ? `EtcdMember/${vm}` : `VM/${vm}`;
    if (kind === 'VirtualMachine') return `VM/${name}`;
    if (['VSphereMachine', 'InfraMachine', 'KubeadmConfig', 'Secret'].includes(kind)) return `Machine/${name}`;
    if (kind === 'Lease') return `Node/${name}`;
    const group = this.groups.find(({ title }) => title === 'Pods');
    if (kind === 'Pod') return group?.lanes.find((lane) => lane.objects.some((pod) => pod.name === name))?.id;
    if (kind === 'Deployment' || kind === 'StatefulSet' || kind === 'DaemonSet') return `Pods/${name}`;
    if (kind === 'ReplicaSet') return `Pods/${name.replace(/-[0-9a-z]{8,10}$/, '')}`;
    return `${kind}/${name}`;
  }

  clicked(event) {
    const fold = event.target.closest('[data-fold]');
    if (fold) {
      const title = fold.dataset.fold;
      if (!this.unfolded.delete(title)) this.unfolded.add(title);
      this.layOut();
      this.sheet.querySelector(`[data-fold="${title}"]`)?.focus();
      return;
    }
    const name = event.target.closest('.name');
    if (name && name.parentElement.dataset.id !== 'way') this.select(name.parentElement.dataset.id);
  }

  dragged(event) {
    const track = event.target.closest('.track');
    if (!track || event.button !== 0) return;
    const seek = ({ clientX }) => {
      const { left, width } = track.getBoundingClientRect();
      this.seek(Math.min(1, Math.max(0, (clientX - left) / width)) * this.run.length - this.run.offset);
    };
    seek(event);
    const stop = () => removeEventListener('pointermove', seek);
    addEventListener('pointermove', seek);
    addEventListener('pointerup', stop, { once: true });
    addEventListener('pointercancel', stop, { once: true });
  }

  /** Marks the lane of what is selected, and shows it. */
  mark(id) {
    const object = id && this.run.named.get(id);
    this.selected = id && (this.placeOf.has(id) ? id : object && this.laneOf(object));
    for (const element of this.drawn.values()) {
      element.classList.toggle('selected', element.dataset.id !== undefined && element.dataset.id === this.selected);
    }
  }

  show(time) {
    this.playhead.style.setProperty('--at', this.share(time));
  }
}

/** Where the critical path begins. */
function beginning(run) {
  const { from } = run.way.parts[0];
  return from > run.fault ? `the fault at ${run.clock(from)}` : 'the first fault';
}

/** The waits of the critical path, the longer ones one by one. */
function waits(run) {
  const { way } = run;
  if (!way) return '';
  if (way.parts.length === 0) return `<p class="note">No critical path is drawn. ${safe(way.absent)}</p>`;
  const whole = way.parts[way.parts.length - 1].to - way.parts[0].from;
  const [long, short] = [[], []];
  for (const part of way.parts) (part.to - part.from >= whole / 200 ? long : short).push(part);
  const row = ({ from, to, rule, value, flag, who }) => `<tr><td>${run.clock(from, true)}</td><td>${lengthText(to - from)}</td>
    <td>${safe(rule)}${value ? ` = ${safe(value)}` : ''}</td><td>${safe(flag)}</td><td>${safe(who)}</td></tr>`;
  const rest = short.reduce((sum, part) => sum + part.to - part.from, 0);
  const others = short.length > 0 ? `<tr><td></td><td>${lengthText(rest)}</td><td colspan="3">${short.length} shorter waits together</td></tr>` : '';
  return `<details class="waits"><summary>What it waited for, from ${beginning(run)} to ${safe(way.milestone)} of ${safe(way.object)}: ${lengthText(whole)}</summary>
    <table><thead><tr><th>from</th><th>took</th><th>because of</th><th>flag or field</th><th>process</th></tr></thead><tbody>${long.map(row).join('')}${others}</tbody></table></details>`;
}

/** A round step for a ruler of about eight marks. */
function tick(length) {
  const steps = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400].map((it) => it * 1e6);
  return steps.find((step) => length / step <= 8) ?? Math.ceil(length / 8 / 86400e6) * 86400e6;
}

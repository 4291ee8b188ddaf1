// The cluster at an instant: hosts with their VMs, on these what runs and what the API says of it;
// who leads, where the endpoint leads to, which links are cut. Many VMs are drawn as a field of cells.

import { podGroups, podStateOf, stateOf, workerStates } from './states.js';
import { countUpTo } from './model.js';
import { redrawn } from './focus.js';
import { Troubles, Wires, isCutOff, troubleMarkup } from './troubles.js';
import { byName, safe } from './time.js';

/** With more VMs than these, each is a cell and not a card. */
const CARDS = 60;
const CELL = 9;

export class Topology {
  constructor(run, { select }) {
    this.run = run;
    this.select = select;
    this.element = document.createElement('section');
    this.element.className = 'topology';
    this.element.setAttribute('aria-label', 'The cluster at this instant');
    this.vms = run.ofKind('VM').slice().sort((a, b) => rank(a) - rank(b) || byName(a, b));
    podGroups(run);
    this.readMembers();
    this.element.innerHTML = '<div class="near"></div>';
    this.near = this.element.firstElementChild;
    this.element.addEventListener('click', (event) => {
      const part = event.target.closest('[data-select]');
      if (part) select(part.dataset.select);
    });
    if (this.vms.length > CARDS) this.field = new Field(run, this.vms.filter((vm) => rank(vm) === 2), select, this.element);
    this.troubles = new Troubles(run);
    this.wires = new Wires(this.element, (name) => this.boxOf(name));
  }

  /** Where a VM is drawn: its card, or its cell in the field. */
  boxOf(name) {
    const card = this.near.querySelector(`[data-vm="${CSS.escape(name)}"]`);
    return card ? card.getBoundingClientRect() : this.field?.boxOf(name);
  }

  /** How far each member of etcd is at each sample: when, and Map name -> {term, index, applied}, columns. A fork's follow the run's. */
  readMembers() {
    const parts = [this.run.data.etcd ?? []].flat();
    const read = parts.map(({ at, of }, i) => {
      let time = 0;
      const times = at.map((step) => (time += step));
      const count = i + 1 < parts.length ? countUpTo(times, parts[i + 1].from) : times.length;
      return { times: times.slice(0, count), of: new Map(of.map((member) => [member.name, columns(member, count)])) };
    });
    const names = new Set(read.flatMap(({ of }) => [...of.keys()]));
    const whole = (name, column) => read.flatMap(({ times, of }) => of.get(name)?.[column] ?? times.map(() => -1));
    this.sampled = { every: parts[0]?.every ?? 0, at: read.flatMap(({ times }) => times) };
    this.members = new Map([...names].map((name) => [name, Object.fromEntries(['term', 'index', 'applied'].map((it) => [it, whole(name, it)]))]));
  }

  /** What a member of etcd says of itself, as of the latest sample: in short, and at length; empty if it says nothing. */
  told(name, time) {
    const of = this.members.get(name);
    const { at, every } = this.sampled;
    const place = countUpTo(at, time) - 1;
    if (!of || place < 0 || of.term[place] < 0) return ['', ''];
    const state = `term ${of.term[place]}, log ${of.index[place]}`;
    // A sample like the one before it is not written.
    const since = Math.max(at[place], time - (time % every));
    // Between two samples the log may be longer already.
    const short = since === time ? state : `${state} at ${this.run.clock(since)}`;
    return [short, `${state}, of which ${of.applied[place]} applied, at ${this.run.clock(since, true)}`];
  }

  show(time, selected) {
    const upTo = this.run.upTo(time);
    if (upTo === this.upTo && selected === this.selected) {
      if (time !== this.time) this.tellLogs(time);
      return;
    }
    Object.assign(this, { upTo, selected, time });
    const many = Boolean(this.field);
    const planes = this.vms.filter((vm) => !many || rank(vm) < 2);
    this.podsOn = many ? new Map() : this.findPods(upTo);
    this.wrong = this.troubles.at(upTo);
    const hosts = this.hosts(upTo);
    const cards = hosts.length > 0 && !many ? this.byHost(hosts, planes, upTo) : this.byRole(planes, upTo);
    redrawn(this.near, () => {
      this.near.innerHTML = `${this.endpoint(upTo)}${troubleMarkup(this.wrong)}<div class="hosts">${cards}</div>`;
    });
    this.field?.show(time);
    this.wires.show(this.wrong);
  }

  /** Between two events only etcd's logs go on: what stands there is mended, and all else stays where it is. */
  tellLogs(time) {
    this.time = time;
    for (const button of this.near.querySelectorAll('[data-log]')) {
      const [short, long] = this.told(button.dataset.log, time);
      const text = button.querySelector('small');
      if (!short || !text || (text.textContent === short && button.title.endsWith(long))) continue;
      text.textContent = short;
      button.title = `${button.dataset.about}, ${long}`;
    }
  }

  findPods(upTo) {
    const found = new Map();
    for (const pod of this.run.ofKind('Pod')) {
      if (pod.isMirror || this.run.value(pod, 'exists', upTo) !== true) continue;
      const node = this.run.value(pod, 'nodeName', upTo) ?? '';
      if (!found.has(node)) found.set(node, []);
      found.get(node).push(pod);
    }
    return found;
  }

  hosts(upTo) {
    return this.run.ofKind('Host').filter((host) => this.run.value(host, 'power', upTo) !== undefined);
  }

  hostOf(vm, upTo) {
    const now = this.run.value(vm, 'host', upTo);
    if (now) return now;
    // What is gone is drawn where it was.
    const place = this.run.lastOf(vm, 'host', upTo);
    return place < 0 ? this.run.atFirst(vm, 'host') : this.run.texts[this.run.to[place]];
  }

  byHost(hosts, vms, upTo) {
    const boxes = hosts.map((host) => {
      const own = vms.filter((vm) => this.hostOf(vm, upTo) === host.name);
      const zone = this.run.zones[host.name];
      const its = stateOf(this.run, host, upTo);
      const isCut = zone && isCutOff(this.wrong, zone);
      return `<div class="host ${its.tone}${isCut ? ' cut-off' : ''}"><h3><button data-select="${safe(host.id)}">${safe(host.name)}</button>
        ${zone ? `<small>${safe(zone)}${isCut ? ', cut off' : ''}</small>` : ''}<small>${its.tone === 'good' ? '' : safe(its.word)}</small></h3>
        ${own.map((vm) => this.card(vm, upTo)).join('')}</div>`;
    });
    const names = new Set(hosts.map((host) => host.name));
    const rest = vms.filter((vm) => !names.has(this.hostOf(vm, upTo)));
    const others = rest.map((vm) => this.card(vm, upTo)).join('');
    return boxes.join('') + (others.trim() ? `<div class="host"><h3>elsewhere</h3>${others}</div>` : '') + this.homeless(upTo);
  }

  byRole(vms, upTo) {
    const titles = ['Control plane', 'Management', 'Workers'];
    const boxes = titles.map((title, role) => {
      const cards = vms.filter((vm) => rank(vm) === role).map((vm) => this.card(vm, upTo)).join('');
      return cards.trim() ? `<div class="host"><h3>${title}</h3>${cards}</div>` : '';
    });
    return boxes.join('') + this.homeless(upTo);
  }

  /** Pods that are on no Node. */
  homeless(upTo) {
    const pods = this.podsOn.get('') ?? [];
    if (pods.length === 0) return '';
    return `<div class="host wait"><h3>no Node yet</h3><div class="pods">${pods.map((pod) => this.pod(pod, upTo)).join('')}</div></div>`;
  }

  card(vm, upTo) {
    const { run } = this;
    const its = stateOf(run, vm, upTo);
    const node = run.named.get(`Node/${vm.name}`);
    const machine = run.named.get(`Machine/${vm.name}`);
    const isKnown = [node, machine].some((object) => object && run.value(object, 'exists', upTo) === true);
    if (its.tone === 'none' && !isKnown) return '';
    const mark = (object, title) => {
      if (!object) return '';
      const now = stateOf(run, object, upTo);
      return now.tone === 'none' ? '' : `<button class="mark" data-select="${safe(object.id)}" title="${safe(`${object.id}: ${now.word}`)}">
        <i class="band ${now.tone}">${now.letter}</i> ${title} <span>${safe(now.word)}</span></button>`;
    };
    const server = run.named.get(`Process/kube-apiserver@${vm.name}`);
    const pods = (this.podsOn.get(vm.name) ?? []).map((pod) => this.pod(pod, upTo)).join('');
    const chosen = [vm.id, node?.id, machine?.id].includes(this.selected) && this.selected ? ' selected' : '';
    const isCut = isCutOff(this.wrong, vm.name) || isCutOff(this.wrong, run.zones[vm.name]);
    const state = its.tone === 'good' ? '' : its.tone === 'none' ? this.absence(vm, upTo) : its.word;
    const about = [state, isCut ? 'cut off' : ''].filter(Boolean).join(', ');
    return `<div class="vm ${['plane', 'manager', 'worker'][rank(vm)]} ${its.tone}${chosen}${isCut ? ' cut-off' : ''}" data-vm="${safe(vm.name)}">
      <h4><button data-select="${safe(vm.id)}" title="${safe(`${vm.id}: ${its.word}`)}"><i class="band ${its.tone}">${its.letter || '–'}</i> ${safe(vm.name)}</button>
      ${about ? `<small>${safe(about)}</small>` : ''}</h4>
      ${mark(node, 'Node')}${mark(machine, 'Machine')}${its.tone === 'none' ? '' : mark(server, 'API server')}${this.etcd(vm, upTo)}
      ${pods ? `<div class="pods">${pods}</div>` : ''}</div>`;
  }

  absence(vm, upTo) {
    const was = this.run.atFirst(vm, 'exists') === true || this.run.track(vm, 'exists').some((place) => place < upTo);
    return was ? 'deleted' : 'no VM yet';
  }

  etcd(vm, upTo) {
    const member = this.run.named.get(`EtcdMember/${vm.name}`);
    if (!member) return '';
    const now = stateOf(this.run, member, upTo);
    if (now.tone === 'none') return '';
    const [short, long] = this.told(vm.name, this.time);
    // A trace tells of no member how far it is.
    const text = short || (now.tone === 'bad' || this.members.size === 0 ? '' : 'no status');
    const about = safe(`${member.id}: ${now.word}`);
    return `<button class="mark${now.word === 'leader' ? ' leads' : ''}" data-select="${safe(member.id)}" data-log="${safe(vm.name)}" data-about="${about}" title="${about}${long && `, ${long}`}">
      <i class="band ${now.tone}">${now.letter}</i> etcd <span>${safe(now.word)}</span>${text ? `<small>${text}</small>` : ''}</button>`;
  }

  pod(pod, upTo) {
    const now = podStateOf(this.run, pod, upTo);
    return `<button class="pod band ${now.tone}${pod.id === this.selected ? ' selected' : ''}" data-select="${safe(pod.id)}" title="${safe(`${pod.id}: ${now.word}`)}" aria-label="${safe(`${pod.id}: ${now.word}`)}">${now.letter}</button>`;
  }

  endpoint(upTo) {
    const { endpoints = {} } = this.run.data;
    const names = new Set([...Object.keys(endpoints), ...this.run.ofKind('Endpoint').map(({ name }) => name)]);
    const rows = [...names].map((name) => {
      const endpoint = this.run.named.get(`Endpoint/${name}`);
      // One that always leads to the same has no entry, and nothing to select.
      const told = endpoint ? String(this.run.value(endpoint, 'backends', upTo) ?? '').split(',') : endpoints[name];
      const backends = told.filter((it) => it && it !== 'none');
      const to = backends.length > 0 ? backends.map((it) => `<span class="backend">${safe(it)}</span>`).join(' ')
        : '<span class="backend bad">no backend</span>';
      const title = `endpoint ${safe(name)}`;
      return `<p class="endpoint">${endpoint ? `<button data-select="${safe(endpoint.id)}">${title}</button>` : `<b>${title}</b>`} → ${to}</p>`;
    });
    const probes = this.run.ofKind('Probe').filter((probe) => !probe.name.includes('@')).map((probe) => {
      const now = stateOf(this.run, probe, upTo);
      if (now.tone === 'none') return '';
      return `<button class="mark" data-select="${safe(probe.id)}"><i class="band ${now.tone}">${now.letter}</i> ${safe(probe.name)} <span>${now.word}</span></button>`;
    });
    return `<div class="front">${rows.join('')}<p class="probes">${probes.join('')}</p></div>`;
  }
}

/** The first lines of what the data have of a member of etcd: terms and what is applied by how often each value stands there. */
function columns({ term, longer, behind }, count) {
  const spread = (runs) => {
    const all = [];
    for (let i = 0; i < runs.length && all.length < count; i += 2) for (let k = 0; k < runs[i]; k += 1) all.push(runs[i + 1]);
    return all.slice(0, count);
  };
  let index = 0;
  const logs = longer.slice(0, count).map((more) => (index += more));
  const late = spread(behind);
  return { term: spread(term), index: logs, applied: logs.map((it, i) => it - late[i]) };
}

/** Many workers, each a cell: of what its Node says, or its VM while there is no Node. Only cells that change are drawn. */
class Field {
  constructor(run, workers, select, parent) {
    this.workers = workers;
    this.select = select;
    this.run = run;
    this.box = document.createElement('div');
    this.box.className = 'field';
    this.box.innerHTML = '<h3>Workers</h3><p></p><canvas role="img"></canvas>';
    parent.append(this.box);
    [this.words, this.cells] = [this.box.querySelector('p'), this.box.querySelector('canvas')];
    this.cells.addEventListener('click', (event) => this.clicked(event));
    this.states = workers.map((vm) => workerStates(run, vm));
    this.moving = [...workers.keys()].filter((place) => this.states[place].all.length > 1);
    addEventListener('resize', () => { this.shown = undefined; });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { this.shown = undefined; });
  }

  /** Lays the cells out anew, as after a change of the window. */
  layOut() {
    this.columns = Math.max(20, Math.floor((this.box.clientWidth || 600) / CELL));
    const rows = Math.ceil(this.workers.length / this.columns);
    const scale = devicePixelRatio || 1;
    Object.assign(this.cells, { width: this.columns * CELL * scale, height: rows * CELL * scale });
    Object.assign(this.cells.style, { width: `${this.columns * CELL}px`, height: `${rows * CELL}px` });
    const style = getComputedStyle(document.documentElement);
    this.color = Object.fromEntries(['good', 'calm', 'busy', 'warn', 'bad'].map((tone) => [tone, style.getPropertyValue(`--${tone}`)]));
    this.pen = this.cells.getContext('2d');
    this.pen.scale(scale, scale);
    this.shown = new Array(this.workers.length);
    this.counts = new Map();
  }

  show(time) {
    const isNew = !this.shown;
    if (isNew) this.layOut();
    let changed = isNew;
    const draw = (place) => {
      const { times, all } = this.states[place];
      const now = all[Math.max(0, countUpTo(times, time) - 1)];
      const before = this.shown[place];
      if (now === before) return;
      changed = true;
      this.shown[place] = now;
      if (before) this.counts.set(before.word, this.counts.get(before.word) - 1);
      if (now) this.counts.set(now.word, (this.counts.get(now.word) ?? 0) + 1);
      const [x, y] = [(place % this.columns) * CELL, Math.floor(place / this.columns) * CELL];
      this.pen.clearRect(x, y, CELL - 1, CELL - 1);
      this.pen.fillStyle = this.color[now?.tone] ?? 'transparent';
      this.pen.fillRect(x, y, CELL - 1, CELL - 1);
    };
    if (isNew) this.workers.forEach((_, place) => draw(place));
    else this.moving.forEach(draw);
    if (!changed) return;
    const counted = [...this.counts].filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
    this.words.textContent = counted.map(([word, count]) => `${count.toLocaleString('en')} ${word}`).join(' · ');
    this.cells.setAttribute('aria-label', `Workers: ${this.words.textContent}`);
  }

  /** Where the cell of a worker is on the screen. */
  boxOf(name) {
    const place = this.workers.findIndex((vm) => vm.name === name);
    if (place < 0 || !this.columns) return undefined;
    const { left, top } = this.cells.getBoundingClientRect();
    return new DOMRect(left + (place % this.columns) * CELL, top + Math.floor(place / this.columns) * CELL, CELL, CELL);
  }

  clicked({ offsetX, offsetY }) {
    const vm = this.workers[Math.floor(offsetY / CELL) * this.columns + Math.floor(offsetX / CELL)];
    if (vm) this.select(this.run.named.has(`Node/${vm.name}`) ? `Node/${vm.name}` : vm.id);
  }
}

/** 0 for control planes, 1 for what manages the cluster, 2 for workers. */
function rank({ name }) {
  if (name.startsWith('control-plane')) return 0;
  return /^(supervisor|management)/.test(name) ? 1 : 2;
}

// One run on the page: what it is, the cluster, the events, the lanes and the tables, all at one instant.

import { lengthText, safe } from './time.js';
import { Lanes } from './lanes.js';
import { Topology } from './topology.js';
import { Tables } from './tables.js';
import { Events } from './events.js';

export class RunView {
  constructor(run, app) {
    this.run = run;
    this.offset = run.offset;
    const seek = (time) => app.seek(time + this.offset);
    const select = (id) => app.select(id);
    const trace = (place, jump) => app.trace(this, place, jump);
    this.topology = new Topology(this.run, { select });
    this.events = new Events(this.run, { seek, select, trace });
    this.lanes = new Lanes(this.run, { seek, select });
    this.tables = new Tables(this.run);
    this.element = document.createElement('article');
    this.element.className = 'run';
  }

  /** Puts the parts into the page; `letter` names one of two. */
  build(letter) {
    const title = document.createElement('div');
    title.className = 'title';
    title.innerHTML = headMarkup(this.run, letter);
    this.element.append(title, this.topology.element, this.events.element, this.events.detail, this.lanes.element, this.tables.element);
  }

  show(time, selected) {
    const own = Math.min(this.run.end, Math.max(0, time - this.offset));
    this.time = own;
    this.topology.show(own, selected);
    this.events.show(own);
    this.lanes.show(own);
    this.tables.show(own);
  }

  mark(id) {
    this.lanes.mark(id);
    this.events.choose(id);
  }
}

/** What the run is and how it came out. */
function headMarkup(run, letter) {
  const { summary } = run;
  const name = letter ? `<span class="letter">${letter}</span> ${safe(run.label)}` : safe(run.label);
  const seconds = (value) => lengthText(Math.round(value * 1e6));
  const ends = { recovered: 'Recovered', stuck: 'Stuck', horizon: 'Not recovered yet', budget: 'Cut off' };
  const isMended = summary.recovered && summary.recoveryTime !== null && summary.recoveryTime !== undefined;
  const verdict = run.fault === null ? 'Nothing broke'
    : isMended && summary.recoveryTime === 0 ? 'Nothing was lacking at the first fault' : isMended ? `Recovered ${seconds(summary.recoveryTime)} after the first fault`
    : `${ends[summary.end] ?? summary.end} at ${seconds(summary.endedAt)}`;
  const services = Object.entries(summary.availability ?? {}).map(([service, { unavailable, degraded, atEnd }]) => {
    const still = (state) => (atEnd === state ? ' (still at the end)' : '');
    const down = unavailable > 0 ? `down ${seconds(unavailable)}${still('unavailable')}` : 'never down';
    const less = degraded > 0 ? `, degraded ${seconds(degraded)}${still('degraded')}` : '';
    return `<li class="${unavailable > 0 ? 'is-bad' : degraded > 0 ? 'is-warn' : ''}"><b>${safe(service)}</b> ${down}${less}</li>`;
  });
  const failed = (summary.expectations ?? []).filter((it) => it.applicable && !it.met);
  const expected = failed.map((it) => `<li class="is-bad">expected, and not so: ${safe(it.text)}</li>`);
  const broken = (summary.invariants?.violated ?? []).map((it) => `<li class="is-bad">law broken: ${safe(it)}</li>`);
  return `<h1>${name}</h1>
    <p class="about">${safe(summary.platform)} · seed ${safe(summary.seed)}${run.data.command ? ` · <code>${safe(run.data.command)}</code>` : ''}</p>
    <p class="verdict ${summary.recovered ? '' : 'is-bad'}">${safe(verdict)}</p>
    <ul class="services">${services.join('')}${expected.join('')}${broken.join('')}</ul>`;
}

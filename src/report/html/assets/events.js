// The events at the instant, each with its cause; a click walks the chain back to the fault. Beside
// them what is selected: all fields of an object, and since when they hold.

import { redrawn } from './focus.js';
import { lengthText, safe } from './time.js';
import { changeText } from './model.js';

const SHOWN = 40;

export class Events {
  constructor(run, { seek, select, trace }) {
    this.run = run;
    this.seek = seek;
    this.select = select;
    this.trace = trace;
    this.all = false;
    this.element = document.createElement('section');
    this.element.className = 'events';
    this.element.innerHTML = `
      <div class="panel-head"><h2>Events</h2>
        <label><input type="checkbox"> every entry</label></div>
      <ol class="log" aria-label="Events up to this instant, the latest first"></ol>`;
    /** Stands apart, where there is room. */
    this.detail = document.createElement('section');
    this.detail.className = 'detail events';
    this.detail.setAttribute('aria-label', 'What is selected');
    this.detail.innerHTML = '<div class="chain" hidden></div><div class="object" hidden></div>';
    this.log = this.element.querySelector('.log');
    this.chainBox = this.detail.querySelector('.chain');
    this.objectBox = this.detail.querySelector('.object');
    this.element.querySelector('input').addEventListener('change', ({ target }) => {
      this.all = target.checked;
      this.upTo = undefined;
      this.show(this.time);
    });
    for (const part of [this.element, this.detail]) part.addEventListener('click', (event) => this.clicked(event));
  }

  /** True for an entry that is shown among the events. */
  isShown(place) {
    return this.all || !this.run.told || this.run.told.has(place);
  }

  show(time) {
    this.time = time;
    const upTo = this.run.upTo(time);
    if (upTo === this.upTo) return;
    this.upTo = upTo;
    const places = [];
    for (let place = upTo - 1; place >= 0 && places.length < SHOWN; place -= 1) if (this.isShown(place)) places.push(place);
    const latest = upTo > 0 ? this.run.at[upTo - 1] : -1;
    redrawn(this.log, () => {
      this.log.innerHTML = places.map((place) => this.line(place, this.run.at[place] >= latest - 1e5)).join('')
        || '<li class="quiet">Nothing has happened yet. The cluster is steady.</li>';
    });
    this.showObject();
  }

  line(place, isNew) {
    const entry = this.run.entry(place);
    const { kind, name } = entry.object;
    const why = entry.cause >= 0 ? 'What led to this' : 'This goes back to nothing else';
    const reason = [entry.reason, entry.message].filter(Boolean).join(': ');
    const classes = [isNew && 'new', kind === 'Fault' && 'fault', place === this.traced && 'traced'].filter(Boolean).join(' ');
    return `<li class="${classes}"><button data-place="${place}" title="${why}">
      <time>${this.run.clock(entry.at, true)}</time>
      <span><b>${safe(kind)}/${safe(name)}</b> ${safe(changeText(entry))}${reason ? ` <em>${safe(reason)}</em>` : ''}</span></button></li>`;
  }

  clicked(event) {
    const step = event.target.closest('[data-place]');
    if (step) this.trace(Number(step.dataset.place), Boolean(step.closest('.chain')));
    const object = event.target.closest('[data-select]');
    if (object) this.select(object.dataset.select);
    if (event.target.closest('[data-close]')) this.select(null);
  }

  /** Shows how an entry came about; null for none. */
  showChain(place) {
    this.traced = place;
    this.upTo = undefined;
    this.chainBox.hidden = place === null;
    if (place === null) return;
    const chain = this.run.chain(place);
    const head = this.run.entry(place);
    const steps = chain.map((step, i) => {
      const entry = this.run.entry(step);
      const later = i + 1 < chain.length ? ` <i>${lengthText(entry.at - this.run.at[chain[i + 1]])} after</i>` : '';
      const reason = [entry.reason, entry.message].filter(Boolean).join(': ');
      return `<li class="${entry.object.kind === 'Fault' ? 'fault' : ''}"><button data-place="${step}">
        <time>${this.run.clock(entry.at, true)}</time>
        <span><b>${safe(entry.object.id)}</b> ${safe(changeText(entry))}${reason ? ` <em>${safe(reason)}</em>` : ''}${entry.by ? ` <small>by ${safe(entry.by)}</small>` : ''}${later}</span></button></li>`;
    });
    const last = this.run.entry(chain[chain.length - 1]);
    const end = last.object.kind === 'Fault' ? '' : '<p class="quiet">It goes no further: a timer or a beginning, not another event, led to it.</p>';
    redrawn(this.chainBox, () => {
      this.chainBox.innerHTML = `<div class="panel-head"><h2>Why: ${safe(head.object.id)}</h2><button data-close>close</button></div>
        <ol aria-label="From this event back to what it goes back to">${steps.join('')}</ol>${end}`;
    });
  }

  /** Shows all fields of an object; null for none. */
  choose(id) {
    this.chosen = id ? this.run.named.get(id) : null;
    this.objectBox.hidden = !this.chosen;
    this.showObject();
  }

  showObject() {
    if (!this.chosen) return;
    const { run, chosen } = this;
    const upTo = run.upTo(this.time);
    const rows = run.fields(chosen, upTo).map(([field, value, place]) => {
      const since = place < 0 ? 'from the beginning' : `since ${run.clock(run.at[place], true)}`;
      const button = place < 0 ? since : `<button data-place="${place}">${since}</button>`;
      return `<tr><th scope="row">${safe(field)}</th><td>${safe(value ?? 'none')}</td><td>${button}</td></tr>`;
    });
    this.objectBox.innerHTML = `<div class="panel-head"><h2>${safe(chosen.id)}</h2><button data-close>close</button></div>
      <table><tbody>${rows.join('') || '<tr><td>not there yet</td></tr>'}</tbody></table>`;
  }
}

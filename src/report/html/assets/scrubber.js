// The clock: where the run is, and how it goes on. Faults are flags, milestones are marks.

import { clockText, lengthText, safe } from './time.js';

const icon = (path) => `<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d="${path}" fill="currentColor" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round"/></svg>`;
const PLAY = icon('M4 3v10l9-5z');
const PAUSE = icon('M4 3h2v10h-2zM10 3h2v10h-2z');
const FLAG = '<svg viewBox="0 0 12 16" width="12" height="16" aria-hidden="true"><path d="M2 1h9l-2.5 3.5L11 8H2z" fill="currentColor"/><path d="M2 0v16" stroke="currentColor" stroke-width="2"/></svg>';
const SPEEDS = [1, 5, 10, 30, 60, 120, 300, 600];

export class Scrubber {
  /** `app` has time, length, runs, seek, play, pause, next, previous. */
  constructor(app, element) {
    this.app = app;
    this.element = element;
    this.speed = 60;
    element.innerHTML = `
      <div class="controls">
        <button class="play" aria-label="Play">${PLAY}</button>
        <button class="previous" aria-label="Previous event" title="Previous event (←)">${icon('M4 3v10M13 3v10L6 8z')}</button>
        <button class="next" aria-label="Next event" title="Next event (→)">${icon('M12 3v10M3 3v10l7-5z')}</button>
        <output class="time"></output>
        <label class="speed"><span>speed</span> <select aria-label="Speed">${SPEEDS.map((it) => `<option value="${it}"${it === 60 ? ' selected' : ''}>${it}×</option>`).join('')}</select></label>
        <button class="help" aria-label="Keys and help" title="Keys (?)">?</button>
      </div>
      <div class="slider" role="slider" tabindex="0" aria-label="Instant of the run" aria-valuemin="0">
        <div class="flags"></div><div class="strips"></div><div class="marks"></div><div class="thumb"></div>
      </div>
      <p class="in-fork" aria-live="polite"></p>`;
    this.find = (name) => element.querySelector(`.${name}`);
    this.slider = this.find('slider');
    this.find('play').addEventListener('click', () => app.toggle());
    this.find('previous').addEventListener('click', () => app.previous());
    this.find('next').addEventListener('click', () => app.next());
    this.find('help').addEventListener('click', () => app.help());
    this.find('in-fork').addEventListener('click', ({ target }) => target.closest('button') && app.leave());
    element.querySelector('select').addEventListener('change', ({ target }) => { this.speed = Number(target.value); });
    this.drag();
    this.drawMarks();
  }

  faster(by) {
    const place = SPEEDS.indexOf(this.speed);
    this.speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, place + by))];
    this.element.querySelector('select').value = String(this.speed);
  }

  share(time) {
    return this.app.length > 0 ? Math.min(1, Math.max(0, time / this.app.length)) : 0;
  }

  /** Says in which fork of the run the clock is, and the way back; nothing if in none. */
  tellFork(words) {
    this.find('in-fork').innerHTML = words && `<button>Back to the run</button> <span>What comes of it: <b>${safe(words)}</b></span>`;
  }

  drawMarks() {
    const { app } = this;
    this.slider.setAttribute('aria-valuemax', String(Math.round(app.length / 1e6)));
    const flags = [];
    const marks = [];
    const strips = [];
    const faults = app.views.map(({ run, offset }) => faultsOf(run, offset));
    /** Where both runs have one, one flag is enough. */
    const both = new Set();
    app.views.forEach(({ run, offset, lanes }, number) => {
      const seen = faults[number];
      for (const [at, words] of seen) {
        if (both.has(at)) continue;
        if (seen === faults[0] && faults[1]?.has(at)) both.add(at);
        const letter = app.views.length > 1 && !both.has(at) ? 'AB'[number] : '';
        flags.push(`<button data-at="${at}" style="left:${100 * this.share(at)}%" title="${safe(`${clockText(at)} ${words}`)}" aria-label="${safe(`Fault at ${clockText(at)}: ${words}`)}">${FLAG}${letter}</button>`);
      }
      for (const { name, object, at } of run.summary.milestones ?? []) {
        const time = Math.round(at * 1e6) + offset;
        marks.push(`<i class="${name === 'recovered' ? 'recovered' : ''}" style="left:${100 * this.share(time)}%" title="${safe(`${clockText(time)} ${name} ${object}`)}"></i>`);
      }
      const users = lanes.groups.find(({ title }) => title === 'For users')?.lanes ?? [];
      // What the API has of an app is not how it serves.
      for (const lane of users.filter(({ isBelief }) => !isBelief).slice(0, 4)) {
        const bands = (lane.bands ??= lane.make()).filter(({ state }) => state.tone === 'bad' || state.tone === 'warn');
        strips.push(`<div>${bands.map(({ from, to, state }) => `<i class="band ${state.tone}" style="left:${100 * this.share(from + offset)}%;width:${100 * (this.share(to + offset) - this.share(from + offset))}%" title="${safe(`${lane.name}: ${state.word} for ${lengthText(to - from)}`)}"></i>`).join('')}</div>`);
      }
    });
    this.find('flags').innerHTML = flags.join('');
    this.find('marks').innerHTML = marks.join('');
    this.find('strips').innerHTML = strips.join('');
    // Two runs have twice as many strips.
    this.slider.style.height = `${Math.max(46, 36 + 6 * strips.length)}px`;
  }

  drag() {
    const seek = ({ clientX }) => {
      const { left, width } = this.slider.getBoundingClientRect();
      this.app.seek(Math.min(1, Math.max(0, (clientX - left) / width)) * this.app.length);
    };
    this.slider.addEventListener('pointerdown', (event) => {
      const flag = event.target.closest('[data-at]');
      if (flag) return;
      this.app.pause();
      seek(event);
      this.slider.setPointerCapture(event.pointerId);
      this.slider.addEventListener('pointermove', seek);
    });
    for (const end of ['pointerup', 'pointercancel']) {
      this.slider.addEventListener(end, () => this.slider.removeEventListener('pointermove', seek));
    }
    this.slider.addEventListener('click', ({ target }) => {
      const flag = target.closest('[data-at]');
      if (flag) this.app.seek(Number(flag.dataset.at));
    });
  }

  show(time, playing) {
    const { fault } = this.app;
    const after = fault === null ? '' : time < fault ? `${lengthText(fault - time)} before the fault` : `${lengthText(time - fault)} after the fault`;
    const text = `<b>${clockText(time, true)}</b>${after ? ` <span>${after}</span>` : ''}`;
    if (text !== this.shown) this.find('time').innerHTML = text;
    this.shown = text;
    this.slider.style.setProperty('--at', this.share(time));
    this.slider.setAttribute('aria-valuenow', String(Math.round(time / 1e6)));
    this.slider.setAttribute('aria-valuetext', `${clockText(time)}${after ? `, ${after}` : ''}`);
    const play = this.find('play');
    if (this.playing !== playing) {
      play.innerHTML = playing ? PAUSE : PLAY;
      play.setAttribute('aria-label', playing ? 'Pause' : 'Play');
    }
    this.playing = playing;
  }
}

/** The faults of a run by the page's clock: Map time -> words. */
function faultsOf(run, offset) {
  const seen = new Map();
  for (const place of run.faults) {
    const entry = run.entry(place);
    const at = entry.at + offset;
    const words = `${entry.object.name} ${entry.to}`;
    seen.set(at, seen.has(at) ? `${seen.get(at)}\n${words}` : words);
  }
  return seen;
}

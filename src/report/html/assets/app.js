// The page: one clock for one run or two, the keys, and the address that holds the instant.

import { RunView } from './run.js';
import { Scrubber } from './scrubber.js';
import { Lesson } from './lesson.js';
import { Run, countUpTo } from './model.js';
import { forked } from './fork.js';

class App {
  constructor(data) {
    this.data = data;
    this.time = 0;
    this.selected = null;
    this.traced = null;
    /** What is left while a fork is shown in its place; null while it is shown itself. */
    this.left = null;
    const stage = this.staged(data.runs.map((run) => new Run(run)));
    Object.assign(this, stage);
    const runs = document.getElementById('runs');
    runs.classList.toggle('two', this.views.length > 1);
    runs.append(...this.views.map(({ element }) => element));
    this.scrubber = new Scrubber(this, document.getElementById('clock'));
    this.lesson = new Lesson(this, data.lesson, document.getElementById('lesson'));
    document.getElementById('foot').textContent = `healsim ${data.healsim}: the same scenario, platform and seed give the same page.`;
    addEventListener('keydown', (event) => this.key(event));
    // What a key has done is not done again by the button that has the focus.
    addEventListener('keyup', (event) => event.key === ' ' && this.spaceIsOurs(event.target) && event.preventDefault());
    addEventListener('pointerdown', () => { this.byPointer = true; }, true);
    addEventListener('hashchange', () => {
      this.leave();
      this.readAddress();
    });
    this.readAddress();
    this.show();
  }

  /** All that there is to show of these runs. Two have their first faults at the same reading of the clock. */
  staged(played) {
    const latest = Math.max(...played.map(({ fault }) => fault ?? 0));
    const offsetOf = ({ fault }) => latest - (fault ?? 0);
    const length = Math.max(...played.map((run) => run.end + offsetOf(run)));
    played.forEach((run) => run.place(offsetOf(run), length));
    const views = played.map((run) => new RunView(run, this));
    views.forEach((view, i) => view.build(views.length > 1 ? 'AB'[i] : ''));
    const fault = played.some((run) => run.fault !== null) ? latest : null;
    return { views, length, fault, marks: marksOf(views) };
  }

  /** Shows something else, at an instant of it. */
  change(stage, time, selected) {
    this.pause();
    if (this.traced !== null) this.endTrace();
    document.getElementById('runs').replaceChildren(...stage.views.map(({ element }) => element));
    Object.assign(this, stage, { time, selected });
    for (const view of this.views) view.mark(selected);
    this.scrubber.drawMarks();
    // What is scrolled to stays below the clock, which is higher in a fork, and on a phone.
    document.body.style.setProperty('--clock', `${document.getElementById('clock').offsetHeight}px`);
    this.relayOut();
  }

  /** Goes into a fork of the run, which is shown in its place until it is left; not beyond an instant, where it
   * would tell what is still to be asked. */
  enter(fork, words, until, button) {
    clearTimeout(this.writing);
    const { views, length, fault, marks, time, selected } = this;
    this.left ??= { stage: { views, length, fault, marks }, time, selected };
    Object.assign(this.left, { until, button });
    fork.stage ??= this.staged([new Run(forked(this.data.runs[0], fork))]);
    this.scrubber.tellFork(until < Infinity ? `${words} (up to the next question)` : words);
    this.lesson.hide(until < Infinity);
    this.change(fork.stage, fork.at, null);
    document.getElementById('runs').scrollIntoView();
    document.querySelector('#clock .play').focus({ preventScroll: true });
    this.play();
  }

  /** Goes back to the run, where it was left. */
  leave() {
    if (!this.left) return;
    const { stage, time, selected, button } = this.left;
    const isAsked = document.activeElement?.closest('#lesson');
    this.left = null;
    this.scrubber.tellFork('');
    this.lesson.hide(true);
    this.change(stage, time, selected);
    document.getElementById('lesson').scrollIntoView({ block: 'nearest' });
    // Who has come by another button of the lesson stays at that.
    if (!isAsked) button?.focus({ preventScroll: true });
    this.writeAddress();
  }

  /** The last instant that can be shown now: a lesson stops the clock at its questions. */
  get reach() {
    return Math.min(this.length, this.lesson?.limit ?? Infinity);
  }

  /** After something was hidden or shown. */
  relayOut() {
    for (const { lanes } of this.views) lanes.draw();
    this.show();
  }

  seek(time) {
    this.time = Math.min(this.reach, Math.max(0, Math.round(time)));
    this.show();
    this.writeAddress();
  }

  show() {
    for (const view of this.views) view.show(this.time, this.selected);
    this.scrubber.show(this.time, Boolean(this.playing));
    this.lesson.show(this.time);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.time >= this.length) this.time = 0;
    let last = performance.now();
    const frame = (now) => {
      this.time = Math.min(this.reach, this.time + (now - last) * 1000 * this.scrubber.speed);
      last = now;
      this.playing = this.time >= this.reach ? null : requestAnimationFrame(frame);
      this.show();
      if (!this.playing) this.writeAddress();
    };
    this.playing = requestAnimationFrame(frame);
    this.show();
  }

  pause() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = null;
    this.time = Math.round(this.time);
    this.show();
    this.writeAddress();
  }

  next() {
    this.pause();
    const place = countUpTo(this.marks, this.time);
    if (place < this.marks.length) this.seek(this.marks[place]);
  }

  previous() {
    this.pause();
    const place = countUpTo(this.marks, this.time - 1) - 1;
    this.seek(place < 0 ? 0 : this.marks[place]);
  }

  nextFault() {
    const times = this.views.flatMap(({ run, offset }) => run.faults.map((place) => run.at[place] + offset)).sort((a, b) => a - b);
    const next = times.find((time) => time > this.time) ?? times[0];
    if (next !== undefined) this.seek(next);
  }

  /** Selects an object by kind and name; null for none. */
  select(id) {
    this.selected = id;
    if (id === null && this.traced !== null) this.endTrace();
    for (const view of this.views) view.mark(id);
    this.show();
    this.writeAddress();
  }

  /** Shows how an entry came about, and with `jump` goes to its instant. */
  trace(view, place, jump) {
    this.pause();
    if (!this.lesson.letsTrace(view.run.at[place] + view.offset)) return;
    if (this.traced && this.traced.view !== view) this.endTrace();
    if (!jump || !view.run.chain(this.traced?.place ?? -1).includes(place)) this.traced = { view, place };
    view.events.showChain(this.traced.place);
    view.lanes.drawPath(view.run.chain(this.traced.place).reverse());
    const entry = view.run.entry(place);
    this.selected = entry.object.id;
    view.lanes.mark(this.selected);
    if (jump) this.time = Math.min(this.reach, entry.at + view.offset);
    this.show();
    this.writeAddress();
  }

  endTrace() {
    const { view } = this.traced;
    this.traced = null;
    view.events.showChain(null);
    view.lanes.drawPath();
  }

  help() {
    const dialog = document.getElementById('help');
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    if (event.key === 'Tab') this.byPointer = false;
    if (target.closest('input:not([type=checkbox]), select, textarea, dialog') && event.key !== '?') return;
    const keys = {
      ArrowRight: () => (event.shiftKey ? this.seek(this.time + 10e6) : this.next()),
      ArrowLeft: () => (event.shiftKey ? this.seek(this.time - 10e6) : this.previous()),
      '[': () => this.scrubber.faster(-1),
      ']': () => this.scrubber.faster(1),
      Home: () => this.seek(0),
      End: () => this.seek(this.length),
      f: () => this.nextFault(),
      Escape: () => this.select(null),
      '?': () => this.help(),
    };
    if (this.spaceIsOurs(target)) keys[' '] = () => this.toggle();
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Whether the space bar plays: it presses a button to which the keyboard has led, but not the one clicked last. */
  spaceIsOurs(target) {
    if (target.closest('input, select, textarea, summary, a, dialog')) return false;
    return this.byPointer || !target.closest('button');
  }

  readAddress() {
    const words = new URLSearchParams(location.hash.slice(1));
    const time = Number.parseFloat(words.get('t'));
    if (Number.isFinite(time)) this.time = Math.min(this.reach, Math.max(0, Math.round(time * 1e6)));
    const id = words.get('select');
    if (id !== this.selected) {
      this.selected = id;
      for (const view of this.views) view.mark(id);
    }
    const entry = Number.parseInt(words.get('entry'), 10);
    const view = this.views[words.get('run') === 'B' ? 1 : 0] ?? this.views[0];
    const place = entry - view.run.first;
    if (place >= 0 && place < view.run.count && !(this.traced?.view === view && this.traced.place === place)) this.trace(view, place, false);
    this.show();
  }

  /** The address follows the clock, but not many times a second: browsers refuse that. */
  writeAddress() {
    clearTimeout(this.writing);
    // It knows no forks.
    if (this.left) return;
    this.writing = setTimeout(() => {
      const words = [`t=${Number((this.time / 1e6).toFixed(6))}`];
      if (this.selected) words.push(`select=${encodeURIComponent(this.selected).replace(/%2F/g, '/').replace(/%40/g, '@')}`);
      if (this.traced) words.push(`entry=${this.traced.view.run.first + this.traced.place}`);
      if (this.traced && this.traced.view === this.views[1]) words.push('run=B');
      history.replaceState(null, '', `#${words.join('&')}`);
    }, 150);
  }
}

/** The times of all events that are told, in order. */
function marksOf(views) {
  const times = new Set();
  for (const { run, offset, events } of views) {
    for (let place = 0; place < run.count; place += 1) if (events.isShown(place)) times.add(run.at[place] + offset);
  }
  return Float64Array.from(times).sort();
}

const began = performance.now();
const app = new App(JSON.parse(document.getElementById('data').textContent));
// For tests, and for people with a console.
window.healsim = app;
requestAnimationFrame(() => requestAnimationFrame(() => { app.took = performance.now() - began; }));

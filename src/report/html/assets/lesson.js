// Course mode: the clock stops at each question, the learner predicts, and the run shows what is right.
// What is to come stays hidden until the end. The other side of this file is `report/html/lesson.rs`.

import { clockText, exactText, lengthText, safe } from './time.js';

const FULL = 10;
const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

export class Lesson {
  constructor(app, data, element) {
    this.app = app;
    this.data = data;
    this.element = element;
    element.hidden = !data;
    this.cards = (data?.questions ?? []).map((question) => ({ question, at: Math.round(question.t * 1e6), state: 'waits' }));
    if (!data) return;
    this.hide(true);
    element.innerHTML = `<div class="panel-head"><h2>${safe(data.lesson)}</h2><span class="points"></span><button class="giveup">Show everything now</button></div>
      <div class="folds"><details class="intro" open><summary>Introduction</summary>
        ${safe(data.introduction).split(/\n\s*\n/).map((part) => `<p>${part}</p>`).join('')}
        <p class="quiet">${this.cards.length} questions. Predict, and let the clock go on: the run shows what is right.
        What is to come is hidden until you have answered all of them.</p></details>
      <details class="past" hidden><summary></summary><ol></ol></details></div>
      <ol class="cards"></ol><div class="score" hidden></div>`;
    [this.list, this.past] = [element.querySelector('.cards'), element.querySelector('.past')];
    /** What has been answered and told since the last question. */
    this.fresh = new Set();
    foldOnPaper(element);
    element.addEventListener('submit', (event) => this.submitted(event));
    element.addEventListener('click', (event) => this.clicked(event));
    this.showPoints();
  }

  /** How far the clock may go now. */
  get limit() {
    return this.app.left ? this.app.left.until : this.open;
  }

  /** When the next question is asked that nobody has answered. */
  get open() {
    const open = this.cards.find(({ state }) => state === 'waits' || state === 'asked');
    return open && !this.isOver ? open.at : Infinity;
  }

  /** Up to when a fork may be seen: not beyond what is still to be asked, if it goes on as the run does. */
  untilIn({ alikeUntil }) {
    return this.open < Math.round(alikeUntil * 1e6) ? this.open : Infinity;
  }

  /** The way into a fork, or that there is nothing to see in it yet. */
  wayInto(outcome, of, place) {
    const differs = outcome.differsAt === null ? Infinity : Math.round(outcome.differsAt * 1e6);
    const until = this.untilIn(outcome);
    if (until < Infinity && differs > until) return ' <small>nothing else than in the run happens so far</small>';
    return ` <button data-of="${of}" data-fork="${place}">see what comes of it</button>`;
  }

  /** Whether the causes of what happened at a time may be shown: not before it, and not while they are asked for. */
  letsTrace(time) {
    if (!this.data || this.isOver) return true;
    const isAsked = this.cards.some(({ state, question }) => state === 'asked' && question.kind === 'cause');
    return !isAsked && (time <= this.app.time || this.app.left?.until === Infinity);
  }

  /** Hides what is to come, or shows it: all of it once it is over, and in a fork. */
  hide(isHidden) {
    document.body.classList.toggle('learning', isHidden && Boolean(this.data) && !this.isOver);
  }

  show(time) {
    if (!this.data || this.isOver || this.app.left) return;
    for (const card of this.cards) {
      if (card.state === 'waits' && time >= card.at && !this.asked) this.ask(card);
      if (card.state === 'answered' && time >= card.toldAt) this.tell(card);
    }
    if (this.cards.every(({ state }) => state === 'told')) this.finish('done');
  }

  /** The one question that is asked now. */
  get asked() {
    return this.cards.find(({ state }) => state === 'asked');
  }

  /** Shows what is asked, or else what the run has just told; all else is folded, so that the cluster stays in sight. */
  arrange() {
    const there = this.cards.filter(({ element }) => element).reverse();
    const isShown = (card) => (this.isOver ? true : this.asked ? card === this.asked : this.fresh.has(card));
    const folded = there.filter((card) => !isShown(card));
    this.list.replaceChildren(...there.filter(isShown).map(({ element }) => element));
    this.past.querySelector('ol').replaceChildren(...folded.map(({ element }) => element));
    this.past.hidden = folded.length === 0;
    const of = folded.length === 1 ? 'question' : 'questions';
    this.past.querySelector('summary').textContent = `${folded.length} earlier ${of}`;
  }

  ask(card) {
    card.state = 'asked';
    this.fresh.clear();
    for (const fold of [this.element.querySelector('.intro'), this.past]) fold.open = false;
    const { question } = card;
    const type = question.form === 'all' ? 'checkbox' : 'radio';
    const choices = question.choices.map((text, i) => `<label><input type="${type}" name="choice" value="${i}"> ${safe(text)}</label>`).join('');
    const form = question.form === 'length'
      ? `<label>after <input type="text" name="length" placeholder="45s or 5m30s" aria-label="A time, as 45s or 5m30s"></label>
         <label><input type="checkbox" name="never"> never</label>`
      : choices;
    card.element = document.createElement('li');
    card.element.className = 'card';
    card.element.innerHTML = `<form data-card="${this.cards.indexOf(card)}"><fieldset><legend><b>${question.number}</b> ${safe(question.ask)}</legend>${printed(question)}
      ${hintOf(question)}<div class="choices">${form}</div></fieldset>
      <div class="buttons"><button type="submit">Answer</button> <button type="button" class="pass">Pass</button><span class="hint" role="alert"></span></div></form>`;
    this.arrange();
    this.app.pause();
    card.element.scrollIntoView?.({ block: 'nearest' });
    card.element.querySelector('input')?.focus({ preventScroll: true });
  }

  submitted(event) {
    event.preventDefault();
    this.app.leave();
    const card = this.cards[Number(event.target.dataset.card)];
    const fields = new FormData(event.target);
    const { form } = card.question;
    let answer = fields.getAll('choice').map(Number);
    if (form === 'length') answer = fields.get('never') ? 'never' : readLength(String(fields.get('length')));
    const isEmpty = form === 'length' ? answer === null : answer.length === 0;
    if (isEmpty) {
      card.element.querySelector('.hint').textContent = form === 'length' ? noLength(String(fields.get('length'))) : 'Choose something, or pass.';
      return;
    }
    this.answered(card, answer);
  }

  clicked({ target }) {
    const fork = target.closest('[data-fork]');
    if (target.closest('button')) this.app.leave();
    if (fork) {
      const { question, right } = this.cards[Number(fork.dataset.of)];
      const place = Number(fork.dataset.fork);
      this.app.enter(right.outcomes[place].fork, question.choices[place], this.untilIn(right.outcomes[place]), fork);
    }
    if (target.closest('.pass')) this.answered(this.cards[Number(target.closest('form').dataset.card)], null);
    if (target.closest('.giveup')) this.finish('quit');
    const entry = target.closest('[data-entry]');
    if (entry) this.app.trace(this.app.views[0], Number(entry.dataset.entry) - this.app.views[0].run.first, true);
    if (target.closest('.save')) this.save();
  }

  answered(card, answer) {
    card.answer = answer;
    card.right = reveal(card.question, this.data.salt, this.app.length);
    card.points = answer === null ? 0 : pointsOf(card.question, card.right, answer);
    card.toldAt = Math.round(card.right.toldAt * 1e6);
    card.state = 'answered';
    // Of their forks more may be seen now.
    for (const told of this.cards) if (told.state === 'told' && told.question.kind === 'act') this.write(told);
    this.fresh.add(card);
    card.element.innerHTML = `<p><b>${card.question.number}</b> ${safe(card.question.ask)}</p>
      <p class="quiet">You say: ${safe(this.words(card, answer))}. ${card.toldAt > this.app.time ? 'The run will show it; let the clock go on.' : ''}</p>`;
    this.arrange();
    this.show(this.app.time);
    if (this.app.time < this.limit && !this.isOver && card.state === 'answered') this.app.play();
  }

  /** An answer in words. */
  words({ question }, answer) {
    if (answer === null) return 'nothing';
    if (answer === 'never') return 'never';
    if (question.form === 'length') return lengthText(answer * 1e6);
    return answer.map((place) => question.choices[place]).join('; ') || 'none of them';
  }

  bestOf({ question, right }) {
    if (question.form === 'length') return right.best === null ? 'never' : lengthText(Math.round(right.best * 1e6));
    return right.best.map((place) => question.choices[place]).join(question.form === 'one' ? '; as good: ' : '; ');
  }

  tell(card) {
    card.state = 'told';
    this.fresh.add(card);
    this.write(card);
    this.arrange();
    this.showPoints();
  }

  /** Writes what is right, and what came of what could be chosen. */
  write(card) {
    const { question, right, answer, points } = card;
    const outcomes = (right.outcomes ?? []).map((outcome, i) => {
      const took = outcome.took === undefined ? '' : outcome.took === null ? ' · not well in time' : ` · well after ${lengthText(Math.round(outcome.took * 1e6))}`;
      const isMine = Array.isArray(answer) && answer.includes(i);
      const mine = isMine ? ' <small>(yours)</small>' : '';
      // What others would have come to is shown when nothing is asked any more.
      const fork = outcome.fork && (isMine || this.isOver) ? this.wayInto(outcome, this.cards.indexOf(card), i) : '';
      return `<li class="${outcome.right ? 'is-right' : ''}"><b>${outcome.right ? '✓' : '✗'}</b> ${safe(question.choices[i])}${mine}${took}${outcome.because ? ` <em>· ${safe(outcome.because)}</em>` : ''}${fork}</li>`;
    });
    const shown = (right.shownBy ?? []).slice(0, 3).map((id) => `<button data-entry="${id}">event at ${clockText(this.app.views[0].run.at[id - this.app.views[0].run.first] ?? 0, true)}</button>`);
    card.element.innerHTML = `<p><b>${question.number}</b> ${safe(question.ask)} <strong>${points} of ${FULL}</strong></p>
      <p>You said: ${safe(this.words(card, answer))}. Right: <b>${safe(this.bestOf(card))}</b>.</p>
      ${outcomes.length > 0 ? `<ul class="outcomes">${outcomes.join('')}</ul>` : ''}
      ${right.because ? `<p>${safe(right.because)}</p>` : ''}${printed(question)}${shown.length > 0 ? `<p class="quiet">Shown by: ${shown.join(' ')}</p>` : ''}`;
  }

  get points() {
    return this.cards.reduce((sum, { state, points }) => sum + (state === 'told' || this.isOver ? points ?? 0 : 0), 0);
  }

  showPoints() {
    this.element.querySelector('.points').textContent = `${this.points} of ${this.data.worth} points`;
  }

  finish(ended) {
    this.isOver = ended;
    for (const card of this.cards) {
      if (card.state === 'answered' || card.state === 'told') this.tell(card);
      else delete card.element;
    }
    this.hide(false);
    this.element.querySelector('.giveup')?.remove();
    this.arrange();
    this.showPoints();
    const score = this.element.querySelector('.score');
    score.hidden = false;
    score.innerHTML = `<h3>${this.points} of ${this.data.worth} points</h3><button class="save">Save the score as JSON</button>
      <span class="quiet">Lanes, strips and the verdict are shown from now on.</span>`;
    this.app.relayOut();
  }

  /** The score in the form of `healsim learn --out json=`. */
  score() {
    return {
      lesson: this.data.lesson, healsim: this.app.data.healsim, platform: this.data.platform, seed: this.data.seed,
      ended: this.isOver ?? 'open', points: this.points, of: this.data.worth,
      questions: this.cards.map((card) => {
        const { question, state, answer, points } = card;
        const was = state === 'told';
        const length = (seconds) => [typeof seconds === 'number' ? exactText(Math.round(seconds * 1e6)) : 'never'];
        const list = (value) => (Array.isArray(value) ? value.map((place) => question.choices[place]) : length(value));
        const best = () => (question.form === 'length' ? length(card.right.best) : card.right.best.map((place) => question.choices[place]));
        return {
          number: question.number, t: question.t, kind: question.kind, asked: question.ask, wasAsked: was,
          answered: was && answer !== null ? list(answer) : null, right: was ? best() : null, points: points ?? 0, of: FULL,
        };
      }),
    };
  }

  save() {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(this.score())}\n`], { type: 'application/json' }));
    link.download = `${this.data.lesson}-${this.data.seed}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

/** What was printed at a question's instant, for who wants to look at it again when the clock has gone on. */
function printed({ show }) {
  if (!show?.length) return '';
  const tables = show.map(({ command, text }) => `<pre><b>$ ${safe(command)}</b>\n${safe(text)}</pre>`);
  return `<details class="shown"><summary>What is printed then: ${show.map(({ command }) => safe(command.split('   #')[0])).join(', ')}</summary>${tables.join('')}</details>`;
}

/** On paper nothing is folded. */
function foldOnPaper(element) {
  let closed = [];
  addEventListener('beforeprint', () => {
    closed = [...element.querySelectorAll('details:not([open])')];
    for (const fold of closed) fold.open = true;
  });
  addEventListener('afterprint', () => closed.forEach((fold) => { fold.open = false; }));
}

/** What an answer looks like, and how near a time has to be. */
function hintOf({ form, tolerance }) {
  if (form === 'all') return '<p class="quiet">All that are true.</p>';
  if (form !== 'length') return '';
  return `<p class="quiet">A time from now on; ${exactText(Math.round(tolerance * 1e6))} more or less is right.</p>`;
}

/** Why a text is no time, and what would be (the rule of `analysis/lesson/answer.rs`). */
function noLength(text) {
  const words = text.trim();
  if (/^\d+(\.\d+)?$/.test(words)) return `${words} has no unit: write ${words}s for seconds or ${words}m for minutes.`;
  return 'Write a time, as 45s or 5m30s, or choose never.';
}

/** A time as Go writes it, in seconds; null if it is none. */
function readLength(text) {
  const units = { h: 3600, m: 60, s: 1, ms: 0.001 };
  const words = text.trim().toLowerCase();
  if (!/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(words)) return null;
  return [...words.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)].reduce((sum, [, count, unit]) => sum + Number(count) * units[unit], 0);
}

/** The rule of `analysis/lesson/answer.rs`. */
function pointsOf(question, right, answer) {
  if (question.form === 'one') return right.outcomes[answer[0]]?.points ?? 0;
  if (question.form === 'all') {
    const hits = answer.filter((place) => right.best.includes(place)).length;
    return Math.floor((FULL * Math.max(0, hits - (answer.length - hits))) / Math.max(1, right.best.length));
  }
  if (right.best === null || answer === 'never') return right.best === null && answer === 'never' ? FULL : 0;
  const off = Math.abs(right.best - answer);
  if (off <= question.tolerance) return FULL;
  return off <= 2 * question.tolerance ? FULL / 2 : 0;
}

/** What is right: it stands in the page only for teachers; else the answer itself is the key to it. */
function reveal(question, salt, length) {
  if (question.answer) return question.answer;
  const { check, text } = question.veil;
  for (const candidate of candidates(question, length)) {
    const words = `${salt}|${question.number}|${candidate}`;
    if (check !== `${hash(`${words}|check`, 0x811c9dc5)}-${hash(`${words}|check`, 0x9747b28c)}`) continue;
    return JSON.parse(unveiled(text, hash(`${words}|key`, 0x811c9dc5)));
  }
  throw new Error(`nothing answers question ${question.number}`);
}

function* candidates({ form, choices }, length) {
  if (form === 'length') {
    yield 'never';
    for (let seconds = 0; seconds <= length / 1e6 + 1; seconds += 1) yield String(seconds);
    return;
  }
  for (let mask = 1; mask < 2 ** choices.length; mask += 1) {
    yield choices.map((_, place) => place).filter((place) => mask & (1 << place)).join(',');
  }
}

/** FNV-1a of a text. */
function hash(text, offset) {
  return ENCODER.encode(text).reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), offset) >>> 0;
}

function unveiled(text, key) {
  let state = key || 1;
  const bytes = Uint8Array.from(atob(text), (letter) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return letter.charCodeAt(0) ^ (state & 255);
  });
  return DECODER.decode(bytes);
}

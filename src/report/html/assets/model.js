// A run as the page's data hold it, and the state of anything in it at an instant.
// The other side of this file is `report/html/data.rs`.

import { clockText } from './time.js';

export const NUMBERS_PER_ENTRY = 9;

/** How many of the sorted `times` are not later than `time`. */
export function countUpTo(times, time) {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Run {
  constructor(written) {
    const data = opened(written);
    this.data = data;
    this.label = data.label;
    this.summary = data.summary;
    this.texts = data.texts;
    this.first = data.first;
    this.way = data.way ?? null;
    this.notes = data.notes ?? [];
    this.zones = data.zones ?? {};
    this.numberOf = new Map(data.texts.map((text, number) => [text, number]));
    this.readObjects(data.objects);
    this.readEntries(data.entries);
    this.took = new Map();
    for (let i = 0; i < data.took.length; i += 2) this.took.set(data.took[i], data.took[i + 1]);
    this.end = Math.round((this.summary.endedAt ?? 0) * 1e6);
    if (this.count > 0) this.end = Math.max(this.end, this.at[this.count - 1]);
    this.fault = (this.summary.firstFault ?? null) === null ? null : Math.round(this.summary.firstFault * 1e6);
    this.faults = this.entriesOf('Fault');
    this.told = data.told ? new Set(data.told) : null;
    this.place(0, this.end);
  }

  /** Where the run stands on the page's clock, which is `offset` ahead of its own and goes to `length`. */
  place(offset, length) {
    Object.assign(this, { offset, length });
  }

  /** The reading of the page's clock at a time of the run. */
  clock(time, tenths) {
    return clockText(time + this.offset, tenths);
  }

  readObjects(flat) {
    this.objects = [];
    this.named = new Map();
    this.kinds = new Map();
    for (let i = 0; i < flat.length; i += 3) {
      const [kind, name, cluster] = [this.texts[flat[i]], this.texts[flat[i + 1]], this.texts[flat[i + 2]]];
      const object = { number: this.objects.length, kind, name: name ?? '', cluster: cluster ?? '' };
      object.id = `${kind}/${object.name}`;
      this.objects.push(object);
      this.named.set(object.id, object);
      if (!this.kinds.has(kind)) this.kinds.set(kind, []);
      this.kinds.get(kind).push(object);
    }
  }

  readEntries(flat) {
    const count = flat.length / NUMBERS_PER_ENTRY;
    this.count = count;
    this.at = new Float64Array(count);
    const column = () => new Int32Array(count);
    Object.assign(this, { object: column(), field: column(), from: column(), to: column() });
    Object.assign(this, { reason: column(), message: column(), by: column(), cause: column() });
    /** The places of the entries of each object's fields, in order. */
    this.tracks = new Map();
    /** Objects to which anything happened. */
    this.moved = new Set();
    let time = 0;
    for (let i = 0, k = 0; i < count; i += 1, k += NUMBERS_PER_ENTRY) {
      time += flat[k];
      this.at[i] = time;
      this.object[i] = flat[k + 1];
      this.field[i] = flat[k + 2];
      this.from[i] = flat[k + 3];
      this.to[i] = flat[k + 4];
      this.reason[i] = flat[k + 5];
      this.message[i] = flat[k + 6];
      this.by[i] = flat[k + 7];
      this.cause[i] = flat[k + 8] === 0 ? -1 : i - flat[k + 8];
      const key = this.key(flat[k + 1], flat[k + 2]);
      const track = this.tracks.get(key);
      if (track) track.push(i);
      else this.tracks.set(key, [i]);
      this.moved.add(flat[k + 1]);
    }
  }

  key(object, field) {
    return object * this.texts.length + field;
  }

  ofKind(kind) {
    return this.kinds.get(kind) ?? [];
  }

  /** The places of all entries about objects of a kind. */
  entriesOf(kind) {
    const places = [];
    for (let i = 0; i < this.count; i += 1) {
      if (this.objects[this.object[i]].kind === kind) places.push(i);
    }
    return places;
  }

  /** The places of the entries of an object's field. */
  track(object, field) {
    const number = this.numberOf.get(field);
    return (number !== undefined && this.tracks.get(this.key(object.number, number))) || [];
  }

  /** What a field held at the beginning; undefined if nothing tells. */
  atFirst(object, field) {
    const number = this.numberOf.get(field);
    if (number === undefined) return undefined;
    const { facts, of } = this.data.beginning;
    for (const fact of of[object.number] ?? []) {
      if (facts[4 * fact] === number) return this.texts[facts[4 * fact + 1]];
    }
    const track = this.tracks.get(this.key(object.number, number));
    // What is first told when it changes was there before; but what did not run was not there yet.
    const before = track && this.texts[this.from[track[0]]];
    return before === false ? undefined : before;
  }

  /** The place of the last entry of a field among the first `upTo` entries, or -1. */
  lastOf(object, field, upTo) {
    const track = this.track(object, field);
    let [low, high] = [0, track.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (track[middle] < upTo) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? -1 : track[low - 1];
  }

  /** What a field holds after the first `upTo` entries. */
  value(object, field, upTo) {
    if (!object) return undefined;
    const place = this.lastOf(object, field, upTo);
    // A new object of the name has nothing of the old one.
    if (field !== 'exists' && place < this.lastOf(object, 'exists', upTo)) return undefined;
    return place < 0 ? this.atFirst(object, field) : this.texts[this.to[place]];
  }

  /** All fields of an object after the first `upTo` entries: [field, value, place or -1]. */
  fields(object, upTo) {
    const found = new Map();
    const { facts, of } = this.data.beginning;
    for (const fact of of[object.number] ?? []) {
      found.set(this.texts[facts[4 * fact]], [this.texts[facts[4 * fact + 1]], -1]);
    }
    for (const place of this.placesOf(object)) {
      if (place >= upTo) break;
      const field = this.texts[this.field[place]];
      if (field === 'exists') found.clear();
      // What an earlier life of a process told is over with it.
      if (field === 'running' && object.kind === 'Process') ['frozen', 'serving'].forEach((it) => found.delete(it));
      found.set(field, [this.texts[this.to[place]], place]);
    }
    return [...found].map(([field, [value, place]]) => [field, value, place]);
  }

  /** The places of all entries about an object. */
  placesOf(object) {
    if (!object.places) {
      object.places = [];
      for (let i = 0; i < this.count; i += 1) if (this.object[i] === object.number) object.places.push(i);
    }
    return object.places;
  }

  upTo(time) {
    return countUpTo(this.at, time);
  }

  text(number) {
    return number === 0 ? '' : String(this.texts[number]);
  }

  /** An entry, read. */
  entry(place) {
    return {
      place,
      id: this.first + place,
      at: this.at[place],
      object: this.objects[this.object[place]],
      field: this.text(this.field[place]),
      from: this.texts[this.from[place]],
      to: this.texts[this.to[place]],
      reason: this.text(this.reason[place]),
      message: this.text(this.message[place]),
      by: this.text(this.by[place]),
      cause: this.cause[place],
    };
  }

  /** The places from an entry back to what it goes back to, the entry first. */
  chain(place) {
    const chain = [];
    // A cause comes before what it leads to.
    for (let next = place; next >= 0; next = this.cause[next] < next ? this.cause[next] : -1) chain.push(next);
    return chain;
  }
}

/** A run's data with how it ended, which a learner is not to read in the page's source. */
export function opened(data) {
  if (!data.ending) return data;
  const letters = Uint8Array.from(atob(data.ending), (letter) => letter.charCodeAt(0));
  const { summary, ...rest } = JSON.parse(new TextDecoder().decode(letters));
  return { ...data, ...rest, summary: { ...data.summary, ...summary }, ending: '' };
}

/** What changed, in the words of `report/words.rs`. */
export function changeText({ field, from, to }) {
  const held = (value) => (value === null || value === undefined ? 'none' : String(value));
  if (field === 'exists') return to === null ? 'gone' : 'created';
  if (field === 'injected') return `injected: ${to}`;
  if (field === 'log') return 'log:';
  if (field === 'event') return `event ${to}:`;
  if (field === 'deletionTimestamp') return `deletionTimestamp ${held(to)}`;
  if (field === 'taints') return `taints ${taintText(from, to)}`;
  if (from === null) return `${field}: ${to}`;
  if (from === to) return `${field} ${held(to)}`;
  return `${field} ${from} → ${held(to)}`;
}

function taintText(from, to) {
  const items = (text) => (text ?? '').split(',').filter(Boolean).map((item) => item.replace(/^node\.kubernetes\.io\//, ''));
  const [before, after] = [items(from), items(to)];
  const lost = before.filter((item) => !after.includes(item)).map((item) => `−${item}`);
  const gained = after.filter((item) => !before.includes(item)).map((item) => `+${item}`);
  return [...lost, ...gained].join(' ');
}

// A fork of the run as a run of its own: what both share, up to where the fork begins, and what is new in it.
// The other side of this file is `report/html/forks.rs`.

import { NUMBERS_PER_ENTRY, opened } from './model.js';
import { NUMBERS_PER_CHANGE } from './troubles.js';

/** The data of a fork as a run's. */
export function forked(written, fork) {
  const data = opened(written);
  const { at, kept, entries, took, told, troubles, rows, etcd, answers, levels, objects, texts, summary } = fork;
  return {
    ...data,
    summary: { ...data.summary, ...summary },
    command: '',
    notes: [],
    way: { parts: [], stations: [], absent: 'It is drawn for the run, and not for its forks.' },
    texts: [...data.texts, ...texts],
    objects: [...data.objects, ...objects],
    entries: continued(data.entries, () => NUMBERS_PER_ENTRY, at, entries),
    took: [...before(data.took, 2, kept), ...took],
    troubles: [...before(data.troubles, NUMBERS_PER_CHANGE, kept), ...troubles],
    told: [...data.told.filter((place) => place < kept), ...told],
    tables: data.tables.map((table, i) => {
      const width = (place) => (table.rows[place + 2] < 0 ? 3 : 3 + table.columns.length);
      return { ...table, rows: continued(table.rows, width, at, rows[i]) };
    }),
    etcd: [data.etcd, { ...etcd, from: at }],
    levels: Object.fromEntries(Object.keys({ ...data.levels, ...levels }).map((service) => [
      service, continued(data.levels[service] ?? [], () => 2, at, levels[service] ?? []),
    ])),
    answers: {
      until: answers.until,
      sources: data.answers.sources.map((source, i) => ({ ...source, said: continued(source.said, () => 2, at, answers.sources[i].said) })),
    },
  };
}

/** Lines of numbers, of which the first is the step from the line before: those up to a time, and others after them. */
function continued(flat, widthAt, until, more) {
  let [end, time] = [0, 0];
  while (end < flat.length && time + flat[end] <= until) {
    time += flat[end];
    end += widthAt(end);
  }
  const kept = flat.slice(0, end);
  return more.length === 0 ? kept : kept.concat(more[0] - time, more.slice(1));
}

/** The lines of so many numbers whose first is below a limit; these stand in order. */
function before(flat, width, limit) {
  const place = flat.findIndex((number, i) => i % width === 0 && number >= limit);
  return place < 0 ? flat : flat.slice(0, place);
}

// The states of lanes and cells, read from a small run without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { workerStates } from '../../src/report/html/assets/states.js';

/** A run of these entries, each [time, object, field, value]; at its beginning each field is what `first` says. */
function runOf(first, entries) {
  const texts = [...new Set(entries.flatMap(([, , field, value]) => [field, value]))];
  const ids = [...new Set([...Object.keys(first), ...entries.map(([, id]) => id)])];
  const objects = ids.map((id, number) => ({ id, number, kind: id.split('/')[0], name: id.split('/')[1] }));
  const named = new Map(objects.map((object) => [object.id, object]));
  return {
    named, texts, end: 1000,
    at: entries.map(([at]) => at),
    object: entries.map(([, id]) => named.get(id).number),
    field: entries.map(([, , field]) => texts.indexOf(field)),
    to: entries.map(([, , , value]) => texts.indexOf(value)),
    text: (number) => texts[number],
    atFirst: ({ id }, field) => first[id]?.[field],
    track: ({ number }, field) => entries.flatMap(([, id, of], place) => (named.get(id).number === number && of === field ? [place] : [])),
  };
}

const shown = (run, name) => {
  const { times, all } = workerStates(run, run.named.get(`VM/${name}`));
  return times.map((time, i) => [time, all[i]?.word ?? null]).filter(([, word], i, rows) => word !== rows[i - 1]?.[1]);
};

test('a worker whose Machine nobody has made yet is not counted, and one that waits for its VM is', () => {
  const run = runOf({ 'VM/new': {}, 'Node/new': {}, 'Machine/new': {} }, [
    [100, 'Machine/new', 'exists', true],
    [200, 'VM/new', 'exists', true],
    [300, 'Node/new', 'exists', true],
    [310, 'Node/new', 'Ready', 'True'],
  ]);
  assert.deepEqual(shown(run, 'new'), [[0, null], [100, 'not there'], [200, 'powered on'], [300, 'not Ready'], [310, 'Ready']]);
});

test('a worker that is gone with its Machine is no longer counted', () => {
  const there = { exists: true, Ready: 'True' };
  const run = runOf({ 'VM/old': there, 'Node/old': there, 'Machine/old': { exists: true, phase: 'Running' } }, [
    [100, 'VM/old', 'exists', null],
    [150, 'Node/old', 'exists', null],
    [160, 'Machine/old', 'exists', null],
  ]);
  assert.deepEqual(shown(run, 'old'), [[0, 'Ready'], [150, 'not there'], [160, null]]);
});

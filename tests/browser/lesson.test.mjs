// Course mode, from the first question to the score.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { close, folder, healsim, open } from './pages.mjs';

const LESSON = 'lost-worker';
const LESSONS = [LESSON, 'lost-control-plane', 'silent-kubelet', 'lost-quorum', 'lost-api-servers'];
const [file, told, sheetFile] = ['lesson.html', 'told.html', 'sheet.json'].map((name) => join(folder, name));
let sheet;

before(() => {
  healsim('learn', LESSON, '--out', `html=${file}`);
  healsim('learn', LESSON, '--with-answers', '--out', `html=${told}`, '--out', `json=${sheetFile}`);
  sheet = JSON.parse(readFileSync(sheetFile, 'utf8'));
});
after(close);

/** Answers the question that is asked now as the sheet has it. */
async function answer(tab, question) {
  const form = tab.locator('.card form').first();
  if (question.form === 'length') {
    if (question.best === null) await form.locator('[name=never]').check();
    else await form.locator('[name=length]').fill(`${question.best.toFixed(3)}s`);
  } else {
    for (const place of question.best) await form.locator(`[value="${place}"]`).check();
  }
  await form.locator('[type=submit]').click();
}

test('the answers stand in the source only if a teacher asks', () => {
  const [hidden, open] = [file, told].map((it) => readFileSync(it, 'utf8').split('id="data">')[1]);
  const because = sheet.questions.map((question) => question.because).filter(Boolean);
  assert.ok(because.length > 0);
  for (const words of because) {
    const written = JSON.stringify(words).slice(1, -1).replaceAll('<', '\\u003c');
    assert.ok(!hidden.includes(written), words);
    assert.ok(open.includes(written), words);
  }
  for (const part of ['"best"', '"fork"', '"kept"']) assert.ok(!hidden.includes(part) && open.includes(part), part);
});

test('a lesson is taken from the first question to the score', async () => {
  const tab = await open(file);
  await tab.keyboard.press('End');
  const time = () => tab.evaluate(() => window.healsim.time);
  assert.equal(await time(), Math.round(sheet.questions[0].t * 1e6), 'the clock stops at the first question');
  assert.ok(!await tab.isVisible('.lanes') && !await tab.isVisible('.verdict'));
  await tab.locator('.card [type=submit]').first().click();
  assert.match(await tab.textContent('.card .hint'), /Choose something|Write a time/);
  for (const [i, question] of sheet.questions.entries()) {
    if (question.form === 'length') {
      const form = tab.locator('.card form').first();
      assert.match(await form.textContent(), /A time from now on; [0-9hms.]+ more or less is right/);
      await form.locator('[name=length]').fill('45');
      await form.locator('[type=submit]').click();
      assert.match(await form.locator('.hint').textContent(), /45 has no unit: write 45s/);
    }
    if (i === 1) await tab.locator('.card .pass').first().click();
    else await answer(tab, question);
    await tab.evaluate(() => { window.healsim.pause(); window.healsim.seek(window.healsim.length); });
  }
  await tab.waitForSelector('.score .save');
  assert.ok(await tab.isVisible('.lanes') && await tab.isVisible('.verdict'));
  const score = await tab.evaluate(() => window.healsim.lesson.score());
  assert.equal(score.points, sheet.worth - 10);
  assert.deepEqual([score.ended, score.of, score.lesson, score.seed], ['done', sheet.worth, sheet.lesson, sheet.seed]);
  assert.equal(score.questions[1].answered, null);
  assert.deepEqual(score.questions[0].answered, score.questions[0].right);
  const [saved] = await Promise.all([tab.waitForEvent('download'), tab.click('.save')]);
  assert.equal(JSON.parse(readFileSync(await saved.path(), 'utf8')).points, score.points);
  assert.deepEqual(tab.wrong, []);
});

test('what a learner would do is done in a fork, which he looks at and leaves', async () => {
  const tab = await open(file);
  const time = () => tab.evaluate(() => window.healsim.time);
  const last = sheet.questions.findIndex(({ kind }) => kind === 'act');
  for (const question of sheet.questions.slice(0, last + 1)) {
    await tab.evaluate(() => { window.healsim.pause(); window.healsim.seek(window.healsim.length); });
    await answer(tab, question);
  }
  const question = sheet.questions[last];
  const at = Math.round(question.t * 1e6);
  assert.equal(await time(), at);
  assert.equal(await tab.locator('[data-fork]').count(), 1, 'only what he has chosen himself is shown before the end');
  const run = () => tab.evaluate(() => {
    const { run } = window.healsim.views[0];
    return Array.from({ length: run.count }, (_, place) => [run.first + place, run.at[place], run.entry(place).object.id, run.text(run.field[place])]);
  });
  const before = await run();
  await tab.click('[data-fork]');
  assert.ok(await tab.evaluate(() => document.activeElement.matches('.play')));
  await tab.waitForFunction((from) => window.healsim.time > from + 1e6, at);
  assert.match(await tab.textContent('.in-fork'), /^Back to the run/);
  assert.ok(await tab.isVisible('.lanes'), 'in a fork nothing is hidden');
  // All that the fork's own run has, and of the run what comes before.
  const { entries, took } = question.outcomes[question.best[0]];
  const own = entries.map(({ id, t, object, field }) => [id, Math.round(t * 1e6), object, field]);
  const shown = await run();
  assert.deepEqual(shown.slice(-own.length), own);
  assert.deepEqual(shown.slice(0, -own.length), before.filter(([, when]) => when <= at).slice(0, shown.length - own.length));
  await tab.keyboard.press('End');
  assert.ok(await time() >= at + took * 1e6);
  const nodes = await tab.evaluate(() => window.healsim.views[0].tables.text('nodes', window.healsim.time));
  assert.ok(nodes.split('\n').length > 5 && !nodes.includes('NotReady'), nodes);
  await tab.click('.in-fork button');
  assert.ok(await tab.evaluate(() => document.activeElement.matches('[data-fork]')), 'he is where he came from');
  await tab.waitForFunction((t) => location.hash === `#t=${t}`, at / 1e6);
  assert.equal(await time(), at, 'the run is where it was left');
  assert.deepEqual(await run(), before);
  assert.ok(!await tab.isVisible('.lanes') && !await tab.isVisible('.in-fork'));
  await tab.click('.giveup');
  assert.equal(await tab.locator('[data-fork]').count(), question.choices.length, 'afterwards all can be seen');
  for (let place = 0; place < question.choices.length; place += 1) {
    await tab.locator('[data-fork]').nth(place).click();
    await tab.keyboard.press('End');
  }
  await tab.evaluate(() => { location.hash = '#t=61'; });
  await tab.waitForFunction(() => window.healsim.left === null && window.healsim.time === 61e6);
  assert.deepEqual(tab.wrong, []);
});

/** What of the run after the next question is seen in each fork of a question, looked at as far as it may be. */
function tooSoon(tab, number) {
  return tab.evaluate((place) => {
    const app = window.healsim;
    const { lesson } = app;
    const list = ({ run }) => Array.from({ length: run.count }, (_, i) => {
      const { at, object, to } = run.entry(i);
      return [at, `${at} ${object.id} ${run.text(run.field[i])} ${to}`];
    });
    const late = new Set(list(app.views[0]).filter(([at]) => at > lesson.open).map(([, said]) => said));
    return lesson.cards[place].right.outcomes.map((outcome) => {
      const until = lesson.untilIn(outcome);
      app.enter(outcome.fork, '', until);
      app.pause();
      app.seek(app.length);
      const seen = list(app.views[0]).filter(([at, said]) => at <= app.time && late.has(said)).map(([, said]) => said);
      const isHidden = document.body.classList.contains('learning');
      app.leave();
      return { seen, isCut: until < Infinity, isHidden };
    });
  }, number);
}

/** On a phone the clock is high in a fork, stands above its title, and says whole what was chosen. */
async function titleIsSeen(tab) {
  await tab.setViewportSize({ width: 390, height: 844 });
  const all = await tab.evaluate(() => {
    const { lesson } = window.healsim;
    const card = lesson.cards.findLast(({ state, question }) => state === 'told' && question.kind === 'act');
    return card.question.choices.map((words, place) => {
      window.healsim.enter(card.right.outcomes[place].fork, words, Infinity);
      window.healsim.pause();
      const [clock, title, said] = ['#clock', '.title h1', '.in-fork b'].map((name) => document.querySelector(name).getBoundingClientRect());
      const rights = [...document.querySelector('.in-fork b').getClientRects()].map(({ right }) => right);
      window.healsim.leave();
      return { words, clock: clock.bottom, title: title.top, right: Math.max(said.right, ...rights) };
    });
  });
  for (const { words, clock, title, right } of all) {
    assert.ok(clock <= title, `${words}: the title begins at ${title}, the clock ends at ${clock}`);
    assert.ok(right <= 390, `${words}: what was chosen ends at ${right}`);
  }
  await tab.setViewportSize({ width: 1280, height: 900 });
}

for (const lesson of LESSONS) {
  test(`${lesson}: the cluster stays in sight of each question, and no fork tells what is still to be asked`, async () => {
    const [page, written] = ['html', 'json'].map((it) => join(folder, `${lesson}.${it}`));
    healsim('learn', lesson, '--with-answers', '--out', `html=${page}`, '--out', `json=${written}`);
    const { questions } = JSON.parse(readFileSync(written, 'utf8'));
    const tab = await open(page);
    const phone = () => document.documentElement.scrollWidth <= innerWidth;
    const forks = [];
    for (const [number, question] of questions.entries()) {
      await tab.evaluate(() => { window.healsim.pause(); window.healsim.seek(window.healsim.length); });
      const top = await tab.evaluate(() => { scrollTo(0, 0); return document.querySelector('.topology').getBoundingClientRect().top; });
      assert.ok(top < 900, `question ${number + 1}: the cluster begins at ${top}`);
      assert.equal(await tab.locator('.cards .card').count(), 1);
      await tab.setViewportSize({ width: 390, height: 844 });
      assert.ok(await tab.evaluate(phone), `question ${number + 1} is wider than a phone`);
      await tab.setViewportSize({ width: 1280, height: 900 });
      await answer(tab, question);
      if (question.kind === 'act') await titleIsSeen(tab);
      if (question.kind === 'act') forks.push(...await tooSoon(tab, number));
    }
    for (const { seen, isCut, isHidden } of forks) assert.deepEqual([seen, isHidden], [[], isCut]);
    await tab.evaluate(() => { window.healsim.pause(); window.healsim.seek(window.healsim.length); });
    assert.equal(await tab.locator('.past:visible').count(), 0, 'at the end all can be read');
    assert.equal(await tab.locator('.cards .card').count(), questions.length);
    assert.deepEqual(tab.wrong, []);
  });
}

test('who gives up sees everything, and wrong answers get nothing', async () => {
  const tab = await open(told);
  await tab.keyboard.press('End');
  const first = sheet.questions[0];
  const wrong = await tab.evaluate(() => window.healsim.lesson.cards[0].question.choices.length);
  if (first.form === 'one') {
    const place = [...Array(wrong).keys()].find((it) => !first.outcomes[it].right);
    await tab.locator(`.card [value="${place}"]`).first().check();
    await tab.locator('.card [type=submit]').first().click();
  } else await tab.locator('.card .pass').first().click();
  await tab.click('.giveup');
  assert.equal(await tab.evaluate(() => window.healsim.lesson.points), 0);
  assert.ok(await tab.isVisible('.lanes'));
  assert.deepEqual(tab.wrong, []);
});

// What `kubectl get nodes`, `machines` and `pods` print at an instant, row by row as healsim itself
// prints them; only the ages are counted here, by the same rule. Long tables draw what can be seen.

import { ageText } from './time.js';
import { countUpTo } from './model.js';

const LINE = 18;

export class Tables {
  constructor(run) {
    this.run = run;
    this.tables = run.data.tables.map((table) => new Table(run, table));
    this.element = document.createElement('section');
    this.element.className = 'tables';
    this.element.setAttribute('aria-label', 'What kubectl prints at this instant');
    this.views = this.tables.map((table) => {
      const figure = document.createElement('figure');
      figure.innerHTML = `<figcaption><span aria-hidden="true">$ </span>kubectl get ${table.name}</figcaption>
        <div class="print" tabindex="0" role="region" aria-label="kubectl get ${table.name}"><pre></pre></div>`;
      const print = figure.querySelector('.print');
      print.addEventListener('scroll', () => this.drawLines(view), { passive: true });
      const view = { table, print, pre: figure.querySelector('pre') };
      this.element.append(figure);
      return view;
    });
    for (const note of run.notes) {
      const text = document.createElement('p');
      text.className = 'note';
      text.textContent = note;
      this.element.append(text);
    }
    addEventListener('beforeprint', () => this.drawAll());
  }

  /** The whole text of a table at a time, as `healsim get` prints it. */
  text(name, time) {
    const print = this.tables.find((table) => table.name === name).at(time);
    return Array.from({ length: print.count }, (_, i) => `${print.line(i)}\n`).join('');
  }

  show(time) {
    for (const view of this.views) {
      const print = view.table.at(time);
      if (view.table.isSame(view.shown, print)) continue;
      view.shown = print;
      view.pre.style.height = `${print.count * LINE}px`;
      view.pre.classList.toggle('said', !print.rows);
      view.drawn = undefined;
      this.drawLines(view);
    }
  }

  drawLines(view) {
    const first = Math.max(0, Math.floor(view.print.scrollTop / LINE) - 10);
    if (view.drawn === first) return;
    view.drawn = first;
    view.pre.style.paddingTop = `${first * LINE}px`;
    const { shown } = view;
    const lines = [];
    for (let i = first; i < Math.min(shown.count, first + 60); i += 1) {
      const line = document.createElement('span');
      line.textContent = `${shown.line(i)}\n`;
      if (i === 0 && shown.rows) line.className = 'columns';
      else if (ODD.test(line.textContent)) line.className = 'odd';
      lines.push(line);
    }
    view.pre.replaceChildren(...lines);
  }

  /** For paper, what a page of it can take. */
  drawAll() {
    for (const view of this.views) {
      view.pre.style.paddingTop = '0';
      view.pre.textContent = Array.from({ length: Math.min(200, view.shown.count) }, (_, i) => view.shown.line(i)).join('\n');
      view.drawn = undefined;
    }
  }
}

const ODD = /NotReady|Unknown|Deleting|Terminating|CrashLoop|Failed|Pending|refused|Unable|Error/;

class Table {
  constructor(run, data) {
    this.run = run;
    this.name = data.name;
    this.columns = data.columns;
    this.age = data.age;
    this.empty = data.empty;
    /** Each name's rows over time: {times, rows}; a row is null while it is not there. */
    this.byName = new Map();
    let time = 0;
    for (let i = 0; i < data.rows.length;) {
      time += data.rows[i];
      const name = run.texts[data.rows[i + 1]];
      const created = data.rows[i + 2];
      i += 3;
      let row = null;
      if (created >= 0) {
        row = { created, cells: data.rows.slice(i, i + this.columns.length).map((cell) => run.text(cell)) };
        i += this.columns.length;
      }
      if (!this.byName.has(name)) this.byName.set(name, { times: [], rows: [] });
      const known = this.byName.get(name);
      if (known.times[known.times.length - 1] === time) known.rows[known.rows.length - 1] = row;
      else {
        known.times.push(time);
        known.rows.push(row);
      }
    }
    this.tracks = [...this.byName].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, track]) => track);
    const source = run.data.answers?.sources.find(({ tables }) => tables.includes(data.name));
    this.answers = { times: [], words: [], until: run.data.answers?.until ?? Infinity };
    let at = 0;
    for (let i = 0; source && i < source.said.length; i += 2) {
      at += source.said[i];
      this.answers.times.push(at);
      // Nodes are asked for; who asks for Pods is told the same of Pods.
      const said = run.text(source.said[i + 1]).replace(/\(get nodes\)$/, `(get ${data.name})`);
      this.answers.words.push(data.name === 'pods' ? said.replace('/api/v1/nodes?', '/api/v1/namespaces/default/pods?') : said);
    }
  }

  /** What kubectl says instead of a table; empty if it prints one. */
  refusal(time) {
    const count = countUpTo(this.answers.times, time);
    // Later on nobody asked, and what is stored is all that can be told.
    if (time > this.answers.until) return '';
    return count === 0 ? '' : this.answers.words[count - 1];
  }

  rowsAt(time) {
    const rows = [];
    for (const { times, rows: all } of this.tracks) {
      const count = times.length === 1 ? Number(times[0] <= time) : countUpTo(times, time);
      if (count > 0 && all[count - 1]) rows.push(all[count - 1]);
    }
    return rows;
  }

  /** What is printed at a time: {count, line(i)}, and its rows if it is a table. */
  at(time) {
    const words = this.refusal(time);
    if (words) return { count: 1, words, line: () => words };
    const rows = this.rowsAt(time);
    if (rows.length === 0) return { count: 1, words: this.empty, line: () => this.empty };
    const ages = new Map();
    const widths = this.columns.map((column) => column.length);
    for (const { created, cells } of rows) {
      for (let i = 0; i < widths.length; i += 1) if (cells[i].length > widths[i]) widths[i] = cells[i].length;
      if (!ages.has(created)) ages.set(created, ageText(time, created));
    }
    for (const age of ages.values()) widths[this.age] = Math.max(widths[this.age], age.length);
    const print = (cells) => cells.map((cell, i) => cell.padEnd(widths[i] + 3)).join('').trimEnd();
    const line = (i) => (i === 0 ? print(this.columns)
      : print(rows[i - 1].cells.map((cell, column) => (column === this.age ? ages.get(rows[i - 1].created) : cell))));
    return { count: rows.length + 1, rows, ages, line };
  }

  /** True if two prints have the same text. */
  isSame(before, now) {
    if (!before || before.words !== now.words || before.count !== now.count) return false;
    if (!now.rows) return true;
    return now.rows.every((row, i) => row === before.rows[i]) && [...now.ages].every(([created, age]) => before.ages.get(created) === age);
  }
}

// What is wrong with links, zones and disks at an instant: in words, and drawn over the cluster as broken lines
// between VMs. The other side of this file is `report/html/troubles.rs`.

import { safe } from './time.js';

export const NUMBERS_PER_CHANGE = 5;
const ALL = '*';
const LINKS = { cut: ['cut', '×'], slow: ['slow', '~'], lossy: ['loses packets', '%'] };
const DISKS = { slowDisk: 'slow', stalledDisk: 'hangs', fullDisk: 'full' };

export class Troubles {
  constructor({ texts, data: { troubles = [] } }) {
    this.changes = [];
    for (let i = 0; i < troubles.length; i += NUMBERS_PER_CHANGE) {
      const [place, what, of, to, begins] = troubles.slice(i, i + NUMBERS_PER_CHANGE);
      this.changes.push({ place, trouble: { what: texts[what], of: texts[of], to: texts[to] }, begins: begins === 1 });
    }
  }

  /** What is wrong after the first `upTo` entries; both ways of a link are one trouble. */
  at(upTo) {
    const now = new Map();
    const keyOf = ({ what, of, to }) => `${what} ${of} ${to}`;
    for (const { place, trouble, begins } of this.changes) {
      if (place >= upTo) break;
      if (begins) now.set(keyOf(trouble), trouble);
      else now.delete(keyOf(trouble));
    }
    return [...now.values()].flatMap((trouble) => {
      const { what, of, to } = trouble;
      const isBoth = Boolean(to) && now.has(keyOf({ what, of: to, to: of }));
      return isBoth && of > to ? [] : [{ ...trouble, isBoth, vm: of === ALL ? to : of, isLink: what in LINKS && of !== ALL && to !== ALL }];
    });
  }
}

/** A trouble in words, short and as it is read aloud. */
function wordsOf({ what, of, to, isBoth, vm, isLink }) {
  if (what === 'zone') return [`${of} cut off from all others`];
  if (what in DISKS) return [`disk of ${of}: ${DISKS[what]}`];
  const [word] = LINKS[what];
  if (isLink) return [`${of} ${isBoth ? '↔' : '→'} ${to}: ${word}`, isBoth ? `link between ${of} and ${to}: ${word}` : `link from ${of} to ${to}: ${word}`];
  if (what === 'cut' && isBoth) return [`${vm} cut off from all others`];
  return [`${isBoth ? 'all links of' : of === ALL ? 'all ways to' : 'all ways from'} ${vm}: ${word}`];
}

/** What still works, slowly, is not as bad. */
function toneOf({ what }) {
  return ['slow', 'lossy', 'slowDisk'].includes(what) ? 'warn' : 'bad';
}

/** A line of all of them. */
export function troubleMarkup(troubles) {
  if (troubles.length === 0) return '';
  const items = troubles.map((trouble) => {
    const [short, long] = wordsOf(trouble);
    return `<li class="backend ${toneOf(trouble)}"${long ? ` aria-label="${safe(long)}"` : ''}>${safe(short)}</li>`;
  });
  return `<ul class="troubles" aria-label="Links, zones and disks that are not well">${items.join('')}</ul>`;
}

/** True if a VM or a zone is cut off from all others. */
export function isCutOff(troubles, name) {
  return troubles.some(({ what, of, vm, isBoth, isLink }) => (what === 'zone' ? of === name : what === 'cut' && isBoth && !isLink && vm === name));
}

/** How far a line swings out at most, in pixels: no further than there is room above a card. */
const SWING = 22;

/** Lines between VMs over what is drawn of them. */
export class Wires {
  /** `boxOf` tells where a VM is drawn: a rectangle on the screen, or nothing. */
  constructor(parent, boxOf) {
    Object.assign(this, { parent, boxOf, links: [] });
    parent.insertAdjacentHTML('beforeend', '<svg class="wires"></svg>');
    this.svg = parent.lastElementChild;
    new ResizeObserver(() => this.draw()).observe(parent);
  }

  show(troubles) {
    const links = troubles.filter(({ isLink }) => isLink);
    if (links.length === 0 && this.links.length === 0) return;
    this.links = links;
    this.draw();
  }

  draw() {
    if (this.links.length === 0 && !this.svg.firstChild) return;
    const home = this.parent.getBoundingClientRect();
    const drawn = new Map();
    const wires = this.links.map((link) => {
      const ends = [link.of, link.to].map((name) => this.boxOf(name));
      if (!ends[0] || !ends[1]) return '';
      // Several lines between the same two stand beside each other.
      const pair = [link.of, link.to].sort().join(' ');
      drawn.set(pair, (drawn.get(pair) ?? -1) + 1);
      return wire(link, ends.map(({ right, left, top }) => [Math.max(left + 4, right - 16) - home.left, top - home.top]), drawn.get(pair));
    });
    this.svg.innerHTML = wires.join('');
  }
}

/** One line from a point to another, which swings up or to the right, with a sign in its middle. */
function wire(link, [[ax, ay], [bx, by]], nth) {
  const [dx, dy] = [bx - ax, by - ay];
  const length = Math.hypot(dx, dy) || 1;
  const turn = (Math.abs(dx) > Math.abs(dy) ? dx < 0 : dy < 0) ? -1 : 1;
  const swing = Math.min(SWING, 8 + length * 0.1) + 18 * nth;
  const [nx, ny] = [(turn * dy) / length, (-turn * dx) / length];
  const [mx, my] = [(ax + bx) / 2 + nx * swing, (ay + by) / 2 + ny * swing];
  const [cx, cy] = [mx + nx * swing, my + ny * swing];
  const at = (...numbers) => numbers.map((number) => number.toFixed(1)).join(' ');
  const path = `M${at(ax, ay)} Q${at(cx, cy, bx, by)}`;
  const [short, long] = wordsOf(link);
  const end = link.isBoth ? '' : arrow(Math.atan2(by - cy, bx - cx), bx, by);
  return `<g class="${toneOf(link)}" role="img" aria-label="${safe(long ?? short)}"><path d="${path}"/>
    ${link.isBoth ? `<circle r="3" cx="${at(bx)}" cy="${at(by)}"/>` : end}<circle r="3" cx="${at(ax)}" cy="${at(ay)}"/>
    <circle class="sign" r="8" cx="${at(mx)}" cy="${at(my)}"/><text x="${at(mx)}" y="${at(my + 4.5)}">${LINKS[link.what][1]}</text></g>`;
}

function arrow(angle, x, y) {
  const corner = (turn, far) => `${(x - far * Math.cos(angle + turn)).toFixed(1)},${(y - far * Math.sin(angle + turn)).toFixed(1)}`;
  return `<polygon points="${x.toFixed(1)},${y.toFixed(1)} ${corner(0.45, 11)} ${corner(-0.45, 11)}"/>`;
}

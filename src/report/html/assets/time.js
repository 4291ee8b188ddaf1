// Times in words, names in order, and text that can stand in markup. All times are whole microseconds.

export const SECOND = 1e6;
const DAY = 86400;

/** A length as Go writes it, to the tenth of a second below a minute: `5m30s`, `4.2s`. */
export function lengthText(micros) {
  const sign = micros < 0 ? '−' : '';
  const tenths = Math.round(Math.abs(micros) / 1e5);
  if (tenths < 600) {
    return `${sign}${tenths % 10 === 0 ? tenths / 10 : (tenths / 10).toFixed(1)}s`;
  }
  const seconds = Math.round(tenths / 10);
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const parts = [hours && `${hours}h`, minutes && `${minutes}m`, rest && `${rest}s`];
  return sign + parts.filter(Boolean).join('');
}

/** A length as Go writes it, whole: `5m0s`, `1m31.204518s`, `300ms` (the rule of `engine/time.rs`). */
export function exactText(micros) {
  if (micros === 0) return '0s';
  if (micros < 1000) return `${micros}µs`;
  if (micros < SECOND) return `${micros / 1000}ms`;
  const [hours, minutes] = [Math.floor(micros / 3600e6), Math.floor(micros / 60e6) % 60];
  return `${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${(micros % 60e6) / SECOND}s`;
}

/** A reading of the clock, `12:05` or `1:02:05`, with tenths if asked for. */
export function clockText(micros, tenths = false) {
  const sign = micros < 0 ? '−' : '';
  const all = Math.floor(Math.abs(micros) / 1e5);
  const seconds = Math.floor(all / 10);
  const two = (number) => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const front = hours ? `${hours}:${two(minutes)}` : String(minutes);
  return `${sign}${front}:${two(seconds % 60)}${tenths ? `.${all % 10}` : ''}`;
}

/** An age as kubectl prints it (the rule of `report/kubectl/table.rs`). */
export function ageText(now, created) {
  const before = created === 0 ? 30 * DAY : 0;
  return humanText(Math.floor(Math.max(0, now - created) / SECOND) + before);
}

function humanText(seconds) {
  const [minutes, hours, days] = [60, 3600, DAY].map((unit) => Math.floor(seconds / unit));
  const both = (large, unit, small, smallUnit) => (small === 0 ? `${large}${unit}` : `${large}${unit}${small}${smallUnit}`);
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return both(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return both(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return both(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  return `${Math.floor(days / 365)}y`;
}

const collator = new Intl.Collator('en', { numeric: true });

/** Orders things by their names, numbers in them by value. */
export function byName(a, b) {
  return collator.compare(a.name, b.name);
}

/** Text that can stand in markup. */
export function safe(text) {
  return String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
}

// What a lane can show: each state has a letter, a word and a tone, so that it reads without color.
// Tones: good, busy, warn, bad, none (not there).

const GONE = { letter: '', word: 'not there', tone: 'none' };
const state = (letter, word, tone) => ({ letter, word, tone });

/** The state of each kind of lane from the values of its fields. */
const RULES = {
  VM(values) {
    const { exists, power, connectionState, kubelet, isKubeletFrozen } = values;
    if (exists !== true) return GONE;
    if (power === 'off') return state('O', 'off', 'bad');
    if (connectionState === 'disconnected') return state('D', 'on, disconnected', 'warn');
    if ('kubelet' in values && kubelet !== true) return state('k', 'on, its kubelet does not run', 'warn');
    if (isKubeletFrozen === true) return state('z', 'on, its kubelet is frozen', 'warn');
    return state('P', 'powered on', 'good');
  },
  Host({ power, connectionState }) {
    if (power === 'off') return state('O', 'off', 'bad');
    if (connectionState === 'notResponding') return state('D', 'not responding', 'warn');
    return state('P', 'powered on', 'good');
  },
  Node({ exists, Ready, unschedulable }) {
    if (exists !== true) return GONE;
    const also = unschedulable === true ? ', SchedulingDisabled' : '';
    if (Ready === 'True') return also ? state('S', `Ready${also}`, 'busy') : state('R', 'Ready', 'good');
    if (Ready === 'Unknown') return state('U', `Unknown${also}`, 'bad');
    return state('N', `not Ready${also}`, 'warn');
  },
  Machine({ exists, phase, deletionTimestamp, HealthCheckSucceeded }) {
    if (exists !== true) return GONE;
    if (deletionTimestamp || phase === 'Deleting') return state('D', 'Deleting', 'warn');
    if (HealthCheckSucceeded === 'False') return state('X', `${phase}, found unhealthy`, 'bad');
    if (phase === 'Running') return state('R', 'Running', 'good');
    const letters = { Provisioning: 'V', Provisioned: 'p', Pending: 'P', Failed: 'F' };
    return state(letters[phase] ?? '?', phase ?? 'created', phase === 'Failed' ? 'bad' : 'busy');
  },
  EtcdMember({ exists, role, leader, running, frozen }) {
    if (exists !== true) return state('', 'no member', 'none');
    if (running !== true) return state('×', 'does not run', 'bad');
    if (frozen === true) return state('Z', 'frozen', 'bad');
    if (role === 'Leader') return state('L', 'leader', 'good');
    // A new member follows from the start, which no entry tells.
    const follows = role === 'Follower' || role === undefined;
    if (follows && leader) return state('F', 'follower', 'calm');
    return state('C', follows ? 'knows no leader' : role, 'warn');
  },
  Process({ running, serving, frozen, vm }) {
    if (running === undefined || running === null || vm === null) return GONE;
    if (running !== true) return state('×', 'does not run', 'bad');
    if (frozen === true) return state('Z', 'frozen', 'bad');
    return serving === false ? state('s', 'starts', 'warn') : state('S', 'serves', 'good');
  },
  Probe({ status }) {
    if (status === 'ok') return state('A', 'available', 'good');
    if (status === 'degraded') return state('d', 'degraded', 'warn');
    return status === 'down' ? state('×', 'down', 'bad') : GONE;
  },
};

/** Which fields of which objects make a lane's state. */
function sources(run, object) {
  const process = (name) => run.named.get(`Process/${name}@${object.name}`);
  const own = (...fields) => fields.map((field) => [object, field, field]);
  switch (object.kind) {
    case 'VM': {
      const kubelet = process('kubelet');
      return [...own('exists', 'power', 'connectionState'), ...(kubelet ? [[kubelet, 'running', 'kubelet'], [kubelet, 'frozen', 'isKubeletFrozen']] : [])];
    }
    case 'EtcdMember': {
      const etcd = process('etcd');
      const also = etcd ? [[etcd, 'running', 'running'], [etcd, 'frozen', 'frozen']] : [];
      return [...own('exists', 'role', 'leader'), ...also];
    }
    case 'Host': return own('power', 'connectionState');
    case 'Node': return own('exists', 'Ready', 'unschedulable');
    case 'Machine': return own('exists', 'phase', 'deletionTimestamp', 'HealthCheckSucceeded');
    case 'Process': {
      const vm = run.named.get(`VM/${object.name.split('@')[1]}`);
      return [...own('running', 'serving', 'frozen'), ...(vm ? [[vm, 'exists', 'vm']] : [])];
    }
    case 'Probe': return own('status');
    default: return [];
  }
}

/** What a member of etcd does not keep when its process ends; no entry tells that it has forgotten. */
const FORGOTTEN = ['role', 'leader'];

/** The state of an object after the first `upTo` entries. */
export function stateOf(run, object, upTo) {
  const values = {};
  for (const [of, field, as] of sources(run, object)) values[as] = run.value(of, field, upTo);
  if (object.kind === 'EtcdMember') {
    const started = run.lastOf(run.named.get(`Process/etcd@${object.name}`) ?? object, 'running', upTo);
    for (const field of FORGOTTEN) if (run.lastOf(object, field, upTo) < started) values[field] = undefined;
  }
  for (const [of, field, as] of sources(run, object)) {
    if (field === 'frozen' && run.lastOf(of, 'frozen', upTo) < run.lastOf(of, 'running', upTo)) values[as] = undefined;
  }
  // An API server that was started has to begin to serve; no entry tells that it has stopped to.
  const served = object.kind !== 'Process' || run.lastOf(object, 'serving', upTo) >= run.lastOf(object, 'running', upTo);
  if (!served) values.serving = false;
  return RULES[object.kind](values);
}

/** True for a lane that shows one state only. */
export function isStill(run, object) {
  return sources(run, object).every(([of, field]) => run.track(of, field).length === 0);
}

/** All states of an object's lane: [{from, to, state}], without gaps. */
export function bandsOf(run, object) {
  const parts = sources(run, object);
  const places = parts.flatMap(([of, field]) => run.track(of, field)).sort((a, b) => a - b);
  const values = {};
  const byKey = new Map();
  for (const [of, field, as] of parts) {
    values[as] = run.atFirst(of, field);
    byKey.set(`${of.number} ${field}`, as);
  }
  const rule = RULES[object.kind];
  return joined(run, rule(values), places, (place) => {
    const field = run.text(run.field[place]);
    const isNew = field === 'exists' && run.object[place] === object.number;
    if (isNew) for (const [of, , as] of parts) if (of === object) values[as] = undefined;
    if (object.kind === 'EtcdMember' && field === 'running') for (const as of FORGOTTEN) values[as] = undefined;
    if (object.kind === 'Process' && field === 'running') values.serving = false;
    if (field === 'running') values[byKey.get(`${run.object[place]} frozen`)] = undefined;
    values[byKey.get(`${run.object[place]} ${field}`)] = run.texts[run.to[place]];
    return rule(values);
  });
}

/** A worker's states over time as its cell shows them, {times, all}: of its Node, or its VM while there is no Node; null
    while there is neither and nobody has made a Machine for it. */
export function workerStates(run, vm) {
  const of = (kind) => run.named.get(`${kind}/${vm.name}`);
  const bands = [of('Node'), vm, of('Machine')].map((object) => (object ? bandsOf(run, object) : []));
  const times = [...new Set([0, ...bands.flat().map(({ from }) => from)])].sort((a, b) => a - b);
  const all = times.map((time) => {
    const [node, own, machine] = bands.map((band) => band.findLast(({ from }) => from <= time)?.state ?? GONE);
    if (node.tone !== 'none') return node;
    return own.tone === 'none' && machine.tone === 'none' ? null : own;
  });
  return { times, all };
}

function joined(run, first, places, next) {
  const bands = [{ from: 0, to: run.end, state: first }];
  for (const place of places) {
    const now = next(place);
    const last = bands[bands.length - 1];
    if (now.word === last.state.word && now.letter === last.state.letter) continue;
    const at = run.at[place];
    if (last.from === at) {
      last.state = now;
      const before = bands[bands.length - 2];
      if (before && before.state.word === now.word) {
        bands.pop();
        before.to = run.end;
      }
      continue;
    }
    last.to = at;
    bands.push({ from: at, to: run.end, state: now });
  }
  return bands;
}

/** The Pods that belong together, by the controller that their names tell of: Map name -> Pods. */
export function podGroups(run) {
  const owners = [];
  for (const kind of ['ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job']) {
    for (const owner of run.ofKind(kind)) {
      owners.push([`${owner.name}-`, kind === 'ReplicaSet' ? owner.name.replace(/-[0-9a-z]{8,10}$/, '') : owner.name]);
    }
  }
  owners.sort((a, b) => b[0].length - a[0].length);
  const nodes = [...run.ofKind('Node'), ...run.ofKind('VM')].map((node) => `-${node.name}`);
  nodes.sort((a, b) => b.length - a.length);
  const mirrors = new Map(nodes.map((node) => [node.slice(node.lastIndexOf('-')), []]));
  for (const node of nodes) mirrors.get(node.slice(node.lastIndexOf('-'))).push(node);
  const groups = new Map();
  for (const pod of run.ofKind('Pod')) {
    const owner = owners.find(([start]) => pod.name.startsWith(start));
    const near = mirrors.get(pod.name.slice(pod.name.lastIndexOf('-'))) ?? [];
    const node = owner ? undefined : near.find((end) => pod.name.endsWith(end));
    const name = owner ? owner[1] : node ? pod.name.slice(0, -node.length) : pod.name;
    pod.isMirror = Boolean(node);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(pod);
  }
  return groups;
}

/** A Pod's state after the first `upTo` entries, or as its values tell. */
export function podState({ exists, phase, Ready, deletionTimestamp, waiting, nodeName }) {
  if (exists !== true) return GONE;
  if (phase === 'Succeeded') return state('✓', 'Completed', 'calm');
  if (phase === 'Failed') return state('F', 'Failed', 'bad');
  if (deletionTimestamp) return state('T', 'Terminating', 'warn');
  if (waiting) return state('C', waiting, 'bad');
  if (phase === 'Pending') return nodeName ? state('c', 'ContainerCreating', 'busy') : state('P', 'Pending', 'warn');
  return Ready === 'True' ? state('R', 'Running', 'good') : state('r', 'Running, not Ready', 'bad');
}

const POD_FIELDS = ['exists', 'phase', 'Ready', 'deletionTimestamp', 'waiting', 'nodeName'];

export function podStateOf(run, pod, upTo) {
  return podState(Object.fromEntries(POD_FIELDS.map((field) => [field, run.value(pod, field, upTo)])));
}

export function arePodsStill(run, pods) {
  return pods.every((pod) => !run.moved.has(pod.number) || POD_FIELDS.every((field) => run.track(pod, field).length === 0));
}

/** The lane of a group of Pods: how many of them are Ready. */
export function podBands(run, pods) {
  const values = new Map();
  const places = [];
  for (const pod of pods) {
    values.set(pod.number, Object.fromEntries(POD_FIELDS.map((field) => [field, run.atFirst(pod, field)])));
    for (const field of POD_FIELDS) places.push(...run.track(pod, field));
  }
  places.sort((a, b) => a - b);
  const counts = { Running: 0, Completed: 0, there: 0 };
  const count = (it, by) => {
    if (it.tone !== 'none') counts.there += by;
    if (it.word in counts) counts[it.word] += by;
  };
  const states = new Map([...values].map(([number, all]) => [number, podState(all)]));
  for (const it of states.values()) count(it, 1);
  const counted = () => [counts.Running, counts.there - counts.Completed, counts.Completed];
  const wanted = Math.max(1, counted()[1]);
  const now = () => {
    const [ready, there, done] = counted();
    if (there === 0) return done ? state('✓', 'all completed', 'calm') : state('0', 'none there', 'bad');
    const words = `${ready} of ${Math.max(wanted, there)} Ready`;
    return state(`${ready}/${wanted}`, words, ready >= wanted ? 'good' : ready === 0 ? 'bad' : 'warn');
  };
  return joined(run, now(), places, (place) => {
    const number = run.object[place];
    const all = values.get(number);
    const field = run.text(run.field[place]);
    if (field === 'exists') for (const other of POD_FIELDS) all[other] = undefined;
    all[field] = run.texts[run.to[place]];
    count(states.get(number), -1);
    states.set(number, podState(all));
    count(states.get(number), 1);
    return now();
  });
}

const LEVELS = [state('A', 'available', 'good'), state('d', 'degraded', 'warn'), state('×', 'down', 'bad')];

/** How well a service serves, as the summary's availability counts it: steps and places of LEVELS. */
export function levelBands(run, flat) {
  const bands = [];
  let at = 0;
  for (let i = 0; i < flat.length; i += 2) {
    at += flat[i];
    if (bands.length > 0) bands[bands.length - 1].to = at;
    bands.push({ from: at, to: run.end, state: LEVELS[flat[i + 1]] });
  }
  return bands;
}

/** What an app is by what the API has of its Pods, where nothing tells what runs. */
export function appBands(run, pods) {
  const words = { good: ['A', 'available'], warn: ['d', 'degraded'], bad: ['×', 'down'], calm: ['A', 'available'] };
  const bands = podBands(run, pods).map((band) => {
    const [letter, word] = words[band.state.tone];
    return { ...band, state: state(letter, `${word}, ${band.state.word}`, band.state.tone) };
  });
  return bands;
}

/** What kubectl finds: an answer, or words for why there is none. */
export function answerBands(run, source) {
  const bands = [];
  let said;
  let at = 0;
  for (let i = 0; i < source.said.length; i += 2) {
    at += source.said[i];
    const words = run.text(source.said[i + 1]);
    // A fork begins with the answer that the run had.
    if (words === said) continue;
    said = words;
    if (bands.length > 0) bands[bands.length - 1].to = at;
    bands.push({ from: at, to: run.end, state: words ? state('×', words, 'bad') : state('A', 'kubectl is answered', 'good') });
  }
  // Later on nobody asked.
  const until = run.data.answers.until ?? Infinity;
  const last = bands[bands.length - 1];
  if (last && until < run.end) {
    last.to = Math.max(last.from, until);
    bands.push({ from: last.to, to: run.end, state: GONE });
  }
  return bands;
}

// The drawing board.  The browser owns the drawing and sends it whole; the server answers with colours, field and
// boundary.  Every event has a number and every answer says which one it saw, so an old answer moves no point back.
const EDGE = 1000; // hundredths
const MOST = 300;
const REACH = 13; // pixels of the view box
const PACE = 125; // ms between two updates of a drag
const PATIENCE = 1500; // ms after which an update is sent though the last one is unanswered
const IDLE = 500; // ms after the last arrow key until a move counts as finished

const clamp = (value, edge) => Math.max(-edge, Math.min(edge, Math.round(value)));
const parse = (text) => (text ? text.split('.') : []).map((part) => {
  const [, mark, x, y] = part.match(/^([a-eA-E])(-?\d+)_(-?\d+)$/);
  return { letter: mark.toLowerCase(), test: mark < 'a', x: Number(x), y: Number(y) };
});
const textOf = (points) => points.map((p) => `${p.test ? p.letter.toUpperCase() : p.letter}${p.x}_${p.y}`).join('.');
const kinds = (points) => points.map((p) => (p.test ? p.letter.toUpperCase() : p.letter)).join('');
const called = (point) => `${point.test ? 'test' : 'training'} point of class ${point.letter}`;
const place2 = (value) => (value / 100).toFixed(2).replace('-', '−');

// What outlives the element: the page may draw the board anew in another place.
const memory = () => (window.influenceBoard ??= { seq: 0, tool: 'select', focus: null });

function say(board, words) {
  board.root.querySelector('.said').textContent = words;
}

function describe(board, point) {
  const { message } = board;
  const word = message.magnitude_only || !point.score ? '' : ` ${message.words[point.score > 0 ? 1 : 0]}`;
  const score = Number.isFinite(point.score) ? `,${word} ${number(message.sign * point.score)} ${message.unit}` : '';
  const flipped = point.flipped ? `, flipped on purpose to ${point.label}` : '';
  return `${called(point)}, x1 ${place2(point.x)}, x2 ${place2(point.y)}${score}${flipped}`;
}

// Sending: a drag waits for the last answer, at most about eight times a second; what is final goes at once.
function send(board, payload) {
  const { component, points, asked, selected } = board;
  const seq = (memory().seq = Math.max(memory().seq, board.sent) + 1);
  Object.assign(board, { sent: seq, sentAt: performance.now(), pending: null });
  clearTimeout(board.timer);
  component.setTriggerValue('edited', { seq, points: textOf(points), asked, selected, ...payload });
}

function pump(board) {
  clearTimeout(board.timer);
  if (!board.pending) return;
  const wait = board.answered < board.sent ? PATIENCE : PACE;
  const rest = board.pending.live ? board.sentAt + wait - performance.now() : 0;
  if (rest > 0) board.timer = setTimeout(() => pump(board), rest);
  else send(board, board.pending);
}

function commit(board, live = false) {
  clearTimeout(board.idle);
  board.undoable = true;
  board.pending = { live };
  paint(board);
  pump(board);
}

function undo(board) {
  if (!board.undoable || board.awaiting) return;
  board.awaiting = true; // until the answer tells what the drawing is
  board.pending = null;
  clearTimeout(board.idle);
  send(board, { undo: true, live: false });
  say(board, 'Last change undone.');
}

// Two classes of two training points and one question are needed; a drawing that has them must not lose them.
function suffices(points) {
  const trained = [...LETTERS].filter((letter) => points.filter((p) => !p.test && p.letter === letter).length > 1);
  return trained.length > 1 && points.some((p) => p.test);
}

function refused(board, after) {
  if (suffices(after) || !suffices(board.points)) return false;
  const words = after.some((p) => p.test) ? 'Two classes must keep at least two training points each: add one first.'
    : 'At least one test point must stay: add another one first.';
  say(board, words);
  return true;
}

const nearest = (points, test, at) => points.reduce((best, p, i) => {
  const distance = (p.x - at.x) ** 2 + (p.y - at.y) ** 2;
  return p.test === test && distance < best.distance ? { distance, i } : best;
}, { distance: Infinity, i: null });

function add(board, at, tool) {
  if (board.points.length >= MOST) return say(board, `At most ${MOST} points: delete one first.`);
  const test = tool === 'test';
  const letter = test ? (board.points[nearest(board.points, false, at).i]?.letter ?? 'a') : tool;
  const point = { letter, test, x: clamp(at.x, EDGE), y: clamp(at.y, EDGE) };
  board.points.push(point);
  board.focus = board.points.length - 1;
  say(board, `Added a ${called(point)}${test ? ', the class of its nearest training point' : ''}; ${count(board)}.`);
  commit(board);
}

function remove(board, i) {
  const after = board.points.toSpliced(i, 1);
  if (refused(board, after)) return;
  say(board, `Deleted a ${called(board.points[i])}; `);
  board.points = after;
  const follow = (at) => (at === null || at === i ? null : at > i ? at - 1 : at);
  board.asked = follow(board.asked) ?? after.findIndex((p) => p.test);
  board.selected = follow(board.selected);
  board.focus = Math.min(i, after.length - 1);
  board.root.querySelector('.said').append(`${count(board)}.`);
  commit(board);
}

function relabel(board, i) {
  const letters = classesOf(board.points);
  const point = board.points[i];
  const letter = letters[(letters.indexOf(point.letter) + 1) % letters.length];
  const after = board.points.with(i, { ...point, letter, label: null, flipped: false });
  if (letter === point.letter || refused(board, after)) return;
  board.points = after;
  say(board, `Now a ${called(after[i])}.`);
  commit(board);
}

function select(board, i) {
  if (i === null) board.selected = null;
  else if (board.points[i].test) board.asked = i;
  else board.selected = i;
  say(board, i === null ? 'Selection cleared.' : `Selected: ${describe(board, board.points[i])}.`);
  board.pending = { live: false };
  paint(board);
  pump(board);
}

function move(board, i, x, y) {
  const edge = Math.min(EDGE, Math.floor(100 * board.half));
  Object.assign(board.points[i], { x: clamp(x, edge), y: clamp(y, edge) });
}

const count = (board) => {
  const test = board.points.filter((p) => p.test).length;
  return `${board.points.length - test} training and ${test} test points`;
};

// Pointer: the nearest point within reach counts, not the one that happens to lie on top.
function spot(board, event) {
  const box = board.svg.getBoundingClientRect();
  const scale = SIDE / box.width;
  const [px, py] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  const unit = (200 * board.half) / (RIGHT - LEFT);
  const at = { x: (px - LEFT) * unit - 100 * board.half, y: (BOTTOM - py) * unit - 100 * board.half };
  const reach = event.pointerType === 'touch' ? 2 * REACH : REACH;
  const found = [true, false].map((test) => nearest(board.points, test, at)).reduce((a, b) => (b.distance < a.distance ? b : a));
  const inside = px >= LEFT && px <= RIGHT && py >= TOP && py <= BOTTOM;
  return { ...at, px, py, i: Math.sqrt(found.distance) / unit <= reach ? found.i : null, inside };
}

function press(board, event) {
  if (board.awaiting || event.button) return;
  event.preventDefault(); // or the browser takes the focus away from the point again
  const here = spot(board, event);
  const tool = memory().tool;
  board.drag = { ...here, moved: false, fixed: here.i === null || tool in { relabel: 1, delete: 1 } };
  board.svg.setPointerCapture(event.pointerId);
  if (here.i !== null) focusOn(board, here.i);
}

function drag(board, event) {
  const { drag: held } = board;
  const here = spot(board, event);
  if (!held) return hover(board, here);
  if (Math.hypot(here.px - held.px, here.py - held.py) > 3) held.moved = true;
  if (!held.moved || held.fixed) return;
  board.svg.classList.add('dragging');
  move(board, held.i, here.x, here.y);
  hover(board, { ...here, i: held.i });
  commit(board, true);
}

function release(board, event) {
  const { drag: held } = board;
  board.drag = null;
  board.svg.classList.remove('dragging');
  if (!held) return;
  const tool = memory().tool;
  if (held.moved && !held.fixed) {
    say(board, `Moved: ${called(board.points[held.i])} to x1 ${place2(board.points[held.i].x)}, x2 ${place2(board.points[held.i].y)}.`);
    commit(board);
  } else if (held.moved || event.type === 'pointercancel') paint(board);
  else if (held.i === null) {
    if (held.inside && tool.startsWith('add ')) add(board, held, tool.slice(4));
  } else if (tool === 'delete') remove(board, held.i);
  else if (tool === 'relabel') relabel(board, held.i);
  else select(board, held.i);
  if (tool !== 'select') focusOn(board, board.focus);
}

function hover(board, here) {
  const tip = board.root.querySelector('.tip');
  board.svg.classList.toggle('over', here.i !== null);
  tip.hidden = here.i === null;
  if (tip.hidden) return;
  tip.textContent = describe(board, board.points[here.i]);
  const scale = board.svg.getBoundingClientRect().width / SIDE;
  const width = board.root.querySelector('.frame').clientWidth;
  tip.style.left = `${Math.max(0, Math.min(here.px * scale + 14, width - tip.offsetWidth - 4))}px`;
  tip.style.top = `${here.py * scale + (here.py > SIDE / 2 ? -38 : 16)}px`;
}

// Keyboard: one stop for the Tab key, and every point within reach.
function focusOn(board, i) {
  board.focus = i;
  memory().focus = i;
  board.hits.forEach((hit, at) => hit.setAttribute('tabindex', at === i ? 0 : -1));
  board.hits[i]?.focus({ preventScroll: true });
}

function nudge(board, i, [dx, dy], step) {
  move(board, i, board.points[i].x + dx * step, board.points[i].y + dy * step);
  say(board, `x1 ${place2(board.points[i].x)}, x2 ${place2(board.points[i].y)}`);
  commit(board, true);
  board.idle = setTimeout(() => commit(board), IDLE);
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function act(board, i, event) {
  const last = board.points.length - 1;
  const to = { Home: 0, End: last, PageUp: i ? i - 1 : last, PageDown: i < last ? i + 1 : 0 }[event.key];
  const point = board.points[i];
  if (to !== undefined) focusOn(board, to);
  else if (ARROWS[event.key]) nudge(board, i, ARROWS[event.key], event.shiftKey ? 1 : 10);
  else if (event.key === 'Delete' || event.key === 'Backspace') remove(board, i);
  else if (event.key === 'Enter' || event.key === ' ') select(board, i);
  else if (event.key.toLowerCase() === 'l') relabel(board, i);
  else if (event.key.toLowerCase() === 'n') add(board, { x: point.x + 20, y: point.y }, point.test ? 'test' : point.letter);
  else return false;
  return true;
}

function key(board, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const i = board.hits.indexOf(event.target);
  if (board.awaiting) return;
  if (event.key.toLowerCase() === 'u') undo(board);
  else if (event.key === 'Escape' && board.selected !== null) select(board, null);
  else if (i < 0 || !act(board, i, event)) return;
  event.preventDefault();
  event.stopPropagation();
  if (i >= 0 && !['PageUp', 'PageDown', 'Home', 'End'].includes(event.key)) focusOn(board, board.focus ?? i);
}

// Painting: the picture is made anew; the focusable circles above it stay, or the keyboard would lose its place.
function focusLayer(board) {
  while (board.hits.length > board.points.length) board.hits.pop().remove();
  while (board.hits.length < board.points.length) {
    const hit = el('circle', { class: 'hit', r: 13, role: 'button', tabindex: -1 });
    hit.addEventListener('focus', () => (board.focus = memory().focus = board.hits.indexOf(hit)));
    board.hits.push(hit);
    board.layer.append(hit);
  }
  board.focus = Math.min(board.focus ?? board.asked ?? 0, board.points.length - 1);
  board.points.forEach((point, i) => {
    const said = [i === board.asked ? 'asked ' : i === board.selected ? 'selected ' : '', describe(board, point)].join('');
    for (const [name, value] of [['cx', across(point.x, board.half)], ['cy', down(point.y, board.half)],
      ['aria-label', said], ['tabindex', i === board.focus ? 0 : -1]]) board.hits[i].setAttribute(name, value);
  });
}

function paint(board) {
  const { root, message, points } = board;
  const look = palette(root);
  const plane = el('rect', { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP, fill: 'none', stroke: look.grid });
  if (board.drawn !== message || board.dark !== look.dark || board.shownHalf !== board.half) {
    board.ground.replaceChildren(axes(board.half, look), fieldLayer(board, look), plane);
    Object.assign(board, { drawn: message, dark: look.dark, shownHalf: board.half });
    legend(root, points, look);
  }
  board.picture.replaceChildren(marks(board, look));
  scaleBar(root, message, points, look);
  toolRow(board, look);
  focusLayer(board);
  root.querySelector('.undo').disabled = !board.undoable;
  board.svg.setAttribute('data-tool', memory().tool);
}

function toolRow(board, look) {
  const used = classesOf(board.points);
  const next = [...LETTERS].find((letter) => !used.includes(letter));
  const offered = [...used, ...(next ? [next] : [])];
  const signature = [...offered, look.dark].join();
  const row = board.root.querySelector('fieldset');
  if (row.signature !== signature) {
    row.signature = signature;
    const adds = offered.map((letter) => ['add ' + letter, `+ ${letter}${letter === next ? ' (new)' : ''}`,
      `Add ${letter}`, classIcon(LETTERS.indexOf(letter), look)]);
    const tools = [['select', 'Select'], ...adds, ['add test', '+ test', 'Add test point', testIcon(look)],
      ['relabel', 'Relabel'], ['delete', 'Delete']];
    row.replaceChildren(...tools.map((tool) => toolButton(board, ...tool)));
  }
  const radios = [...row.querySelectorAll('input')];
  if (!radios.some((radio) => radio.value === memory().tool)) memory().tool = 'select';
  for (const radio of radios) radio.checked = radio.value === memory().tool;
}

function toolButton(board, tool, words, name, picture) {
  const label = document.createElement('label');
  const radio = Object.assign(document.createElement('input'), { type: 'radio', name: 'tool', value: tool });
  if (name) radio.setAttribute('aria-label', name);
  radio.addEventListener('change', () => {
    memory().tool = tool;
    paint(board);
  });
  label.append(radio, ...(picture ? [picture] : []), words);
  return label;
}

// What the server says of each point goes with the point, so that it stays right when others come or go meanwhile.
function dress(board, message) {
  if (!message.scores) return board.points.forEach((point) => Object.assign(point, { score: NaN, label: null, flipped: false }));
  const flipped = new Set(message.flipped);
  board.points.forEach((point, i) => Object.assign(point, { score: message.scores[i], size: message.sizes[i],
    label: LETTERS[message.labels[i]], flipped: flipped.has(i) }));
}

function take(board, message) {
  board.answered = Math.max(board.answered, message.seq);
  const known = parse(message.points);
  const current = message.seq >= board.sent && !board.pending && !board.drag;
  if (current) {
    const { asked, selected, undo: undoable } = message;
    Object.assign(board, { points: known, asked, selected, undoable, awaiting: false });
  }
  if (!board.drag) board.half = message.half;
  if (current || kinds(known) === kinds(board.points)) dress(board, message);
  board.message = message;
  const sentence = board.root.querySelector('.sentence');
  if (sentence.textContent !== message.sentence) sentence.textContent = message.sentence;
  board.svg.setAttribute('aria-label', message.alt);
  paint(board);
  pump(board);
}

function contents({ root, points, message }) {
  const rows = points.map((p) => [p.test ? 'test' : 'training', p.letter, p.x / 100, p.y / 100,
    Number.isFinite(p.score) ? message.sign * p.score : '']);
  return { node: root.querySelector('.sheet'), title: message.title, file: 'drawing',
    rows: [['part', 'class', 'x1', 'x2', `predicted change, ${message.unit}`], ...rows] };
}

function build(root, message) {
  const svg = root.querySelector('.frame > svg');
  const board = { root, svg, hits: [], points: [], asked: null, selected: null, focus: memory().focus, sent: message.seq,
    answered: message.seq, sentAt: 0, pending: null, drag: null, half: message.half,
    ground: el('g', {}), picture: el('g', {}), layer: el('g', { 'data-aside': '' }) };
  const plane = el('clipPath', { id: 'plane' }, el('rect', { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP }));
  svg.replaceChildren(el('defs', {}, plane), board.ground, board.picture, board.layer);
  svg.addEventListener('pointerdown', (event) => press(board, event));
  svg.addEventListener('pointermove', (event) => drag(board, event));
  svg.addEventListener('pointerup', (event) => release(board, event));
  svg.addEventListener('pointercancel', (event) => release(board, event));
  svg.addEventListener('pointerleave', () => !board.drag && hover(board, { i: null }));
  root.addEventListener('keydown', (event) => key(board, event));
  root.querySelector('.undo').addEventListener('click', () => undo(board));
  fileButtons(root.querySelector('.if-files'), () => contents(board));
  return board;
}

export default function (component) {
  const root = component.parentElement.querySelector('.if-board');
  const message = unpack(component.data);
  root.board ??= build(root, message);
  root.board.component = component;
  take(root.board, message);
  return () => {
    clearTimeout(root.board.timer);
    clearTimeout(root.board.idle);
  };
}

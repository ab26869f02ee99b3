// The drawing board.  Every event has a number and every answer says which one it saw, so an old answer moves no point back.
import { svg } from '../shared/dom.js';
import { fileButtons } from '../shared/file_buttons.js';
import { markerSizes } from '../shared/palette.js';
import { component } from '../shared/start.js';
import { unpack } from '../shared/wire.js';
import FRAME from './component.html.js';
import STYLE from './component.css.js';
import { pump, undo } from './edits.js';
import { BOTTOM, LEFT, RIGHT, TOP } from './figure.js';
import { drag, hover, key, press, release } from './hands.js';
import { memory, paint } from './paint.js';
import { LETTERS, kinds, parse } from './points.js';

// What the server says of each point goes with the point, so that it stays right when others come or go meanwhile.
function dress(board, message) {
  if (!message.scores) return board.points.forEach((point) => Object.assign(point, { score: NaN, label: null, flipped: false }));
  const [flipped, sizes] = [new Set(message.flipped), markerSizes(message.scores, message.limit)];
  board.points.forEach((point, i) => Object.assign(point, { score: message.scores[i], size: sizes[i],
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
  root.innerHTML = FRAME;
  const plot = root.querySelector('.frame > svg');
  const board = { root, svg: plot, hits: [], points: [], asked: null, selected: null, focus: memory.focus, sent: message.seq,
    answered: message.seq, sentAt: 0, pending: null, drag: null, half: message.half,
    ground: svg('g', {}), picture: svg('g', {}), layer: svg('g', { 'data-aside': '' }) };
  const plane = svg('clipPath', { id: 'plane' }, svg('rect', { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP }));
  plot.replaceChildren(svg('defs', {}, plane), board.ground, board.picture, board.layer);
  plot.addEventListener('pointerdown', (event) => press(board, event));
  plot.addEventListener('pointermove', (event) => drag(board, event));
  plot.addEventListener('pointerup', (event) => release(board, event));
  plot.addEventListener('pointercancel', (event) => release(board, event));
  plot.addEventListener('pointerleave', () => !board.drag && hover(board, { i: null }));
  root.addEventListener('keydown', (event) => key(board, event));
  root.querySelector('.undo').addEventListener('click', () => undo(board));
  fileButtons(root.querySelector('.if-files'), () => contents(board));
  return board;
}

export default component((handle) => {
  const root = handle.parentElement.querySelector('.if-board');
  const message = unpack(handle.data);
  root.board ??= build(root, message);
  root.board.handle = handle;
  take(root.board, message);
  return () => {
    clearTimeout(root.board.timer);
    clearTimeout(root.board.idle);
  };
}, STYLE);

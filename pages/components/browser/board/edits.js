// What changes a drawing, and how it is sent: the browser owns the drawing and sends it whole.
import { EDGE, called, clamp, classesOf, count, nearest, place2, suffices, textOf } from './points.js';
import { describe, memory, paint, say } from './paint.js';

const MOST = 300;
const PACE = 125; // ms between two updates of a drag
const PATIENCE = 1500; // ms after which an update is sent though the last one is unanswered
const IDLE = 500; // ms after the last arrow key until a move counts as finished

// Sending: a drag waits for the last answer, at most about eight times a second; what is final goes at once.
function send(board, payload) {
  const { handle, points, asked, selected } = board;
  const seq = (memory.seq = Math.max(memory.seq, board.sent) + 1);
  Object.assign(board, { sent: seq, sentAt: performance.now(), pending: null });
  clearTimeout(board.timer);
  handle.setTriggerValue('edited', { seq, points: textOf(points), asked, selected, ...payload });
}

export function pump(board) {
  clearTimeout(board.timer);
  if (!board.pending) return;
  const wait = board.answered < board.sent ? PATIENCE : PACE;
  const rest = board.pending.live ? board.sentAt + wait - performance.now() : 0;
  if (rest > 0) board.timer = setTimeout(() => pump(board), rest);
  else send(board, board.pending);
}

export function commit(board, live = false) {
  clearTimeout(board.idle);
  board.undoable = true;
  board.pending = { live };
  paint(board);
  pump(board);
}

export function undo(board) {
  if (!board.undoable || board.awaiting) return;
  board.awaiting = true; // until the answer tells what the drawing is
  board.pending = null;
  clearTimeout(board.idle);
  send(board, { undo: true, live: false });
  say(board, 'Last change undone.');
}

function refused(board, after) {
  if (suffices(after) || !suffices(board.points)) return false;
  const words = after.some((p) => p.test) ? 'Two classes must keep at least two training points each: add one first.'
    : 'At least one test point must stay: add another one first.';
  say(board, words);
  return true;
}

export function add(board, at, tool) {
  if (board.points.length >= MOST) return say(board, `At most ${MOST} points: delete one first.`);
  const test = tool === 'test';
  const letter = test ? (board.points[nearest(board.points, false, at).i]?.letter ?? 'a') : tool;
  const point = { letter, test, x: clamp(at.x, EDGE), y: clamp(at.y, EDGE) };
  board.points.push(point);
  board.focus = board.points.length - 1;
  say(board, `Added a ${called(point)}${test ? ', the class of its nearest training point' : ''}; ${count(board.points)}.`);
  commit(board);
}

export function remove(board, i) {
  const after = board.points.toSpliced(i, 1);
  if (refused(board, after)) return;
  say(board, `Deleted a ${called(board.points[i])}; `);
  board.points = after;
  const follow = (at) => (at === null || at === i ? null : at > i ? at - 1 : at);
  board.asked = follow(board.asked) ?? after.findIndex((p) => p.test);
  board.selected = follow(board.selected);
  board.focus = Math.min(i, after.length - 1);
  board.root.querySelector('.said').append(`${count(board.points)}.`);
  commit(board);
}

export function relabel(board, i) {
  const letters = classesOf(board.points);
  const point = board.points[i];
  const letter = letters[(letters.indexOf(point.letter) + 1) % letters.length];
  const after = board.points.with(i, { ...point, letter, label: null, flipped: false });
  if (letter === point.letter || refused(board, after)) return;
  board.points = after;
  say(board, `Now a ${called(after[i])}.`);
  commit(board);
}

export function select(board, i) {
  if (i === null) board.selected = null;
  else if (board.points[i].test) board.asked = i;
  else board.selected = i;
  say(board, i === null ? 'Selection cleared.' : `Selected: ${describe(board, board.points[i])}.`);
  board.pending = { live: false };
  paint(board);
  pump(board);
}

export function move(board, i, x, y) {
  const edge = Math.min(EDGE, Math.floor(100 * board.half));
  Object.assign(board.points[i], { x: clamp(x, edge), y: clamp(y, edge) });
}

export function nudge(board, i, [dx, dy], step) {
  move(board, i, board.points[i].x + dx * step, board.points[i].y + dy * step);
  say(board, `x1 ${place2(board.points[i].x)}, x2 ${place2(board.points[i].y)}`);
  commit(board, true);
  board.idle = setTimeout(() => commit(board), IDLE);
}

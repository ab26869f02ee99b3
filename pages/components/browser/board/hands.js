// Pointer and keyboard.
import { add, commit, move, nudge, relabel, remove, select, undo } from './edits.js';
import { BOTTOM, LEFT, RIGHT, SIDE, TOP } from './figure.js';
import { describe, memory, paint, say } from './paint.js';
import { called, nearest, place2 } from './points.js';

const REACH = 13; // pixels of the view box

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

export function press(board, event) {
  if (board.awaiting || event.button) return;
  event.preventDefault(); // or the browser takes the focus away from the point again
  const here = spot(board, event);
  const tool = memory.tool;
  board.drag = { ...here, moved: false, fixed: here.i === null || tool in { relabel: 1, delete: 1 } };
  board.svg.setPointerCapture(event.pointerId);
  if (here.i !== null) focusOn(board, here.i);
}

export function drag(board, event) {
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

export function release(board, event) {
  const { drag: held } = board;
  board.drag = null;
  board.svg.classList.remove('dragging');
  if (!held) return;
  const tool = memory.tool;
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

export function hover(board, here) {
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
  memory.focus = i;
  board.hits.forEach((hit, at) => hit.setAttribute('tabindex', at === i ? 0 : -1));
  board.hits[i]?.focus({ preventScroll: true });
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

export function key(board, event) {
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

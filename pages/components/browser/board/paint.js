// The board on the page: what is said of it, its tools, its picture, and the circles above that a keyboard reaches.
import { element, svg } from '../shared/dom.js';
import { number, palette } from '../shared/palette.js';
import { BOTTOM, LEFT, RIGHT, TOP, across, axes, classIcon, down, fieldLayer, legend, marks, scaleBar, testIcon } from './figure.js';
import { LETTERS, called, classesOf, place2 } from './points.js';

// What outlives the element: the page may draw the board anew in another place.
export const memory = { seq: 0, tool: 'select', focus: null };

export function say(board, words) {
  board.root.querySelector('.said').textContent = words;
}

export function describe(board, point) {
  const { message } = board;
  const word = message.magnitude_only || !point.score ? '' : ` ${message.words[point.score > 0 ? 1 : 0]}`;
  const score = Number.isFinite(point.score) ? `,${word} ${number(message.sign * point.score)} ${message.unit}` : '';
  const flipped = point.flipped ? `, flipped on purpose to ${point.label}` : '';
  return `${called(point)}, x1 ${place2(point.x)}, x2 ${place2(point.y)}${score}${flipped}`;
}

// Painting: the picture is made anew; the focusable circles above it stay, or the keyboard would lose its place.
function focusLayer(board) {
  while (board.hits.length > board.points.length) board.hits.pop().remove();
  while (board.hits.length < board.points.length) {
    const hit = svg('circle', { class: 'hit', r: 13, role: 'button', tabindex: -1 });
    hit.addEventListener('focus', () => (board.focus = memory.focus = board.hits.indexOf(hit)));
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

export function paint(board) {
  const { root, message, points } = board;
  const look = palette(root);
  const plane = svg('rect', { x: LEFT, y: TOP, width: RIGHT - LEFT, height: BOTTOM - TOP, fill: 'none', stroke: look.grid });
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
  board.svg.setAttribute('data-tool', memory.tool);
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
  if (!radios.some((radio) => radio.value === memory.tool)) memory.tool = 'select';
  for (const radio of radios) radio.checked = radio.value === memory.tool;
}

function toolButton(board, tool, words, name, picture) {
  const radio = element('input', { type: 'radio', name: 'tool', value: tool, onchange: () => {
    memory.tool = tool;
    paint(board);
  } });
  if (name) radio.setAttribute('aria-label', name);
  return element('label', {}, radio, ...(picture ? [picture] : []), words);
}

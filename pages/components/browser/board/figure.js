// From the points of a drawing, and what the server says about them, to an SVG picture.
import { element, svg } from '../shared/dom.js';
import { fieldPicture } from '../shared/field.js';
import { HARMFUL, HELPFUL, STAR, place, rgbOf, scaleTitle, scaleWords } from '../shared/palette.js';
import { LETTERS, classesOf } from './points.js';

export const SIDE = 440; // of the view box
export const [LEFT, RIGHT, TOP, BOTTOM] = [36, 434, 6, 404]; // the plane in it

const polygon = (corners) => `M${corners.map(([x, y]) => `${x.toFixed(2)} ${y.toFixed(2)}`).join('L')}Z`;
const star = (r) => polygon(Array.from({ length: 10 }, (_, i) => {
  const [angle, reach] = [(Math.PI * i) / 5, i % 2 ? r * 0.45 : r];
  return [reach * Math.sin(angle), -reach * Math.cos(angle)];
}));
// One outline per class, as on the map; r is half the diameter of the marker.
const OUTLINES = [
  (r) => `M${-r} 0A${r} ${r} 0 1 0 ${r} 0A${r} ${r} 0 1 0 ${-r} 0Z`,
  (r) => polygon([[-r, -r], [r, -r], [r, r], [-r, r]].map(([x, y]) => [0.9 * x, 0.9 * y])),
  (r) => polygon([[0, -1.4 * r], [0.8 * r, 0], [0, 1.4 * r], [-0.8 * r, 0]]),
  (r) => polygon([[0, -1.15 * r], [1.1 * r, 0.8 * r], [-1.1 * r, 0.8 * r]]),
  (r) => polygon([[0, 1.15 * r], [1.1 * r, -0.8 * r], [-1.1 * r, -0.8 * r]]),
];

// Hundredths of the drawing to pixels of the view box, and back.
export const across = (x, half) => LEFT + ((x / 100 + half) / (2 * half)) * (RIGHT - LEFT);
export const down = (y, half) => BOTTOM - ((y / 100 + half) / (2 * half)) * (BOTTOM - TOP);

const rgb = (colour) => `rgb(${colour.map(Math.round).join(',')})`;

export function shade(at, view, look) {
  const end = rgbOf(view.magnitude_only ? look.strength : at < 0 ? HARMFUL : HELPFUL);
  const share = Math.min(Math.abs(at), 1);
  return rgb(rgbOf(look.neutral).map((from, k) => from + share * (end[k] - from)));
}

// Lines as one path: a gap (NaN) lifts the pen.
const pathOf = (xs, ys, half) => Array.from(xs, (x, i) => (Number.isNaN(x) ? ''
  : `${i && !Number.isNaN(xs[i - 1]) ? 'L' : 'M'}${across(100 * x, half)} ${down(100 * ys[i], half)}`)).join('');

export function fieldLayer(board, look) {
  const { message, half } = board;
  const layer = svg('g', { 'clip-path': 'url(#plane)' });
  if (!message.field_class) return layer;
  const [size, reach] = [Math.sqrt(message.field_class.length), 100 * message.half];
  const pad = reach / (size - 1); // a pixel's middle is its grid point
  const [x, y] = [across(-reach - pad, half), down(reach + pad, half)];
  const side = across(reach + pad, half) - x;
  const { field_class: kinds, field_strength: certain } = message;
  layer.append(svg('image', { href: fieldPicture(size, size, (i) => [kinds[i], certain[i]], look), x, y, width: side,
    height: side, preserveAspectRatio: 'none' }));
  layer.append(svg('path', { class: 'boundary', d: pathOf(message.boundary_x, message.boundary_y, half), fill: 'none',
    stroke: look.text, 'stroke-width': 2, opacity: 0.85 }));
  return layer;
}

export function axes(half, look) {
  const layer = svg('g', { 'font-size': 11, fill: look.text, 'aria-hidden': 'true' });
  const step = half <= 2 ? 1 : half <= 6 ? 2 : 5;
  for (let tick = -Math.floor(half / step) * step; tick <= half; tick += step) {
    const [x, y] = [across(100 * tick, half), down(100 * tick, half)];
    layer.append(svg('path', { d: `M${x} ${TOP}V${BOTTOM}M${LEFT} ${y}H${RIGHT}`, stroke: look.grid, fill: 'none' }),
      svg('text', { x, y: BOTTOM + 15, 'text-anchor': 'middle' }, String(tick).replace('-', '−')),
      svg('text', { x: LEFT - 5, y: y + 4, 'text-anchor': 'end' }, String(tick).replace('-', '−')));
  }
  layer.append(svg('text', { x: (LEFT + RIGHT) / 2, y: BOTTOM + 33, 'text-anchor': 'middle' }, 'x1'),
    svg('text', { transform: `translate(11 ${(TOP + BOTTOM) / 2}) rotate(-90)`, 'text-anchor': 'middle' }, 'x2'));
  return layer;
}

const kindOf = (point) => LETTERS.indexOf(point.label ?? point.letter);

function mark(point, at, view, look) {
  const scored = Number.isFinite(point.score);
  const r = (scored ? point.size : point.test ? 9 : 7) / 2;
  const fill = scored ? shade(place(point.score, view), view, look) : point.test ? 'none' : look.idle;
  const stroke = point.test ? { stroke: look.text, 'stroke-width': 1.6 } : { stroke: look.outline, 'stroke-width': 0.8 };
  const shape = svg('path', { class: point.test ? 'test' : 'train', 'data-at': at, d: OUTLINES[kindOf(point)](r), fill, ...stroke });
  if (!point.flipped) return svg('g', {}, shape);
  return svg('g', {}, svg('circle', { r: r + 4, fill: 'none', stroke: look.text, 'stroke-width': 1.6, 'stroke-dasharray': '3 2' }), shape);
}

const diamond = (look) => svg('path', { class: 'selected', d: polygon([[0, -15], [15, 0], [0, 15], [-15, 0]]), fill: 'none',
  stroke: look.text, 'stroke-width': 2.6 });
const asked = (look) => svg('g', { class: 'asked' },
  svg('circle', { r: 14, fill: 'none', stroke: look.text, 'stroke-width': 2 }),
  svg('path', { d: star(9), fill: STAR, stroke: look.edge, 'stroke-width': 1.2 }));

// Training points in ascending |score|, so that strong ones lie on top; test points above them.
export function marks(board, look) {
  const { points, half, message } = board;
  const size = (i) => (points[i].test ? 1e9 : 0) + (Number.isFinite(points[i].score) ? Math.abs(points[i].score) : 0);
  const layer = svg('g', {});
  const put = (node, i) => {
    node.setAttribute('transform', `translate(${across(points[i].x, half)} ${down(points[i].y, half)})`);
    layer.append(node);
  };
  for (const i of [...points.keys()].sort((a, b) => size(a) - size(b))) {
    if (i !== board.asked) put(mark(points[i], i, message, look), i);
  }
  if (points[board.selected]) put(diamond(look), board.selected);
  if (points[board.asked]) put(asked(look), board.asked);
  return layer;
}

export function scaleBar(root, message, points, look) {
  const scored = points.map((point) => point.score).filter(Number.isFinite);
  const scale = root.querySelector('.scale');
  scale.hidden = scored.length === 0;
  if (scale.hidden) return;
  const { limit, magnitude_only: unsigned } = message;
  scale.querySelector('.words').textContent = scaleTitle(message);
  const stops = unsigned ? [look.neutral, look.strength] : [HARMFUL, look.neutral, HELPFUL];
  scale.querySelector('.bar').style.background = `linear-gradient(to right, ${stops.join(', ')})`;
  const marks = unsigned ? [0, limit] : [-limit, 0, limit];
  scale.querySelector('.ticks').replaceChildren(...scaleWords(message, marks, scored).map((words) => element('span', {}, words)));
}

function icon(...shapes) {
  return svg('svg', { viewBox: '-10 -10 20 20', 'aria-hidden': 'true' }, ...shapes);
}

export const classIcon = (kind, look) => icon(svg('path', { d: OUTLINES[kind](6), fill: look.idle, stroke: look.outline, 'stroke-width': 1.2 }));
export const testIcon = (look) => icon(svg('path', { d: OUTLINES[0](6), fill: 'none', stroke: look.text, 'stroke-width': 2.2 }));

export function legend(root, points, look) {
  const entry = (picture, words) => element('span', {}, picture, words);
  const scaled = (node, by) => { node.setAttribute('transform', `scale(${by})`); return icon(node); };
  const entries = classesOf(points).map((letter) => entry(classIcon(LETTERS.indexOf(letter), look), `class ${letter}`));
  entries.push(entry(testIcon(look), 'test point (open shape)'), entry(scaled(asked(look), 0.62), 'asked test point'),
    entry(scaled(diamond(look), 0.6), 'selected training point'),
    entry(icon(svg('path', { d: 'M-9 0H9', stroke: look.text, 'stroke-width': 2.4 })), 'decision boundary'));
  if (points.some((point) => point.flipped)) {
    entries.push(entry(icon(svg('circle', { r: 7, fill: 'none', stroke: look.text, 'stroke-width': 1.8, 'stroke-dasharray': '3 2' })), 'label flipped on purpose'));
  }
  root.querySelector('.legend').replaceChildren(...entries);
}

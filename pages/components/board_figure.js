// From the points of a drawing, and what the server says about them, to an SVG picture.
const SIDE = 440; // of the view box
const [LEFT, RIGHT, TOP, BOTTOM] = [36, 434, 6, 404]; // the plane in it
const HELPFUL = [0, 114, 178];
const HARMFUL = [213, 94, 0];
const LETTERS = 'abcde';
const TINTS = [[204, 121, 167, 46], [0, 158, 115, 36], [240, 228, 66, 60], [86, 180, 233, 44], [120, 120, 120, 46]];
const LIGHT = { neutral: [247, 247, 247], outline: '#8A8F98', idle: '#C3C7CE', strength: [106, 61, 154], grid: '#E6E8EC' };
const DARK = { neutral: [58, 63, 75], outline: '#868C99', idle: '#5C6270', strength: [201, 166, 255], grid: '#2A2E38' };

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

function el(name, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function theme(root) {
  const style = getComputedStyle(root);
  const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const paint = document.createElement('canvas').getContext('2d');
  paint.fillStyle = read('--st-background-color', '#ffffff');
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(paint.fillStyle.slice(at, at + 2), 16));
  const dark = 0.299 * r + 0.587 * g + 0.114 * b < 128;
  return { ...(dark ? DARK : LIGHT), dark, text: read('--st-text-color', dark ? '#fafafa' : '#31333F') };
}

// Hundredths of the drawing to pixels of the view box, and back.
const across = (x, half) => LEFT + ((x / 100 + half) / (2 * half)) * (RIGHT - LEFT);
const down = (y, half) => BOTTOM - ((y / 100 + half) / (2 * half)) * (BOTTOM - TOP);

const rgb = (colour) => `rgb(${colour.map(Math.round).join(',')})`;

// A score's place on the colour scale: 0 is neutral, 1 is the limit.
function place(score, view) {
  if (view.magnitude_only) score = Math.abs(score);
  if (!view.symlog) return score / view.limit;
  const bend = view.limit / 100;
  return (Math.sign(score) * Math.log1p(Math.abs(score) / bend)) / Math.log1p(view.limit / bend);
}

function shade(at, view, look) {
  const end = view.magnitude_only ? look.strength : at < 0 ? HARMFUL : HELPFUL;
  const share = Math.min(Math.abs(at), 1);
  return rgb(end.map((c, k) => look.neutral[k] + share * (c - look.neutral[k])));
}

function number(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const digits = size < 1e-3 || size >= 1e5 ? size.toExponential(1) : String(Number(size.toPrecision(2)));
  return (value < 0 ? '−' : '+') + digits;
}

// The field as a small picture that the browser stretches.
function fieldPicture(message, look) {
  const size = Math.sqrt(message.field_class.length);
  const canvas = Object.assign(document.createElement('canvas'), { width: size, height: size });
  const paint = canvas.getContext('2d');
  const picture = paint.createImageData(size, size);
  message.field_class.forEach((kind, i) => {
    const [r, g, b, strength] = TINTS[kind];
    const pixel = 4 * ((size - 1 - Math.floor(i / size)) * size + (i % size));
    picture.data.set([r, g, b, message.field_strength[i] * strength * (look.dark ? 1.3 : 1)], pixel);
  });
  paint.putImageData(picture, 0, 0);
  return canvas.toDataURL();
}

function fieldLayer(board, look) {
  const { message, half } = board;
  const layer = el('g', { 'clip-path': 'url(#plane)' });
  if (!message.field_class) return layer;
  const [size, reach] = [Math.sqrt(message.field_class.length), 100 * message.half];
  const pad = reach / (size - 1); // a pixel's middle is its grid point
  const [x, y] = [across(-reach - pad, half), down(reach + pad, half)];
  const side = across(reach + pad, half) - x;
  layer.append(el('image', { href: fieldPicture(message, look), x, y, width: side, height: side, preserveAspectRatio: 'none' }));
  const ends = message.boundary;
  let line = '';
  for (let i = 0; i < ends.length; i += 4) {
    const [x0, y0, x1, y1] = ends.slice(i, i + 4).map((v) => 100 * v);
    line += `M${across(x0, half)} ${down(y0, half)}L${across(x1, half)} ${down(y1, half)}`;
  }
  layer.append(el('path', { class: 'boundary', d: line, fill: 'none', stroke: look.text, 'stroke-width': 2, opacity: 0.85 }));
  return layer;
}

function axes(half, look) {
  const layer = el('g', { 'font-size': 11, fill: look.text, 'aria-hidden': 'true' });
  const step = half <= 2 ? 1 : half <= 6 ? 2 : 5;
  for (let tick = -Math.floor(half / step) * step; tick <= half; tick += step) {
    const [x, y] = [across(100 * tick, half), down(100 * tick, half)];
    layer.append(el('path', { d: `M${x} ${TOP}V${BOTTOM}M${LEFT} ${y}H${RIGHT}`, stroke: look.grid, fill: 'none' }),
      el('text', { x, y: BOTTOM + 15, 'text-anchor': 'middle' }, String(tick).replace('-', '−')),
      el('text', { x: LEFT - 5, y: y + 4, 'text-anchor': 'end' }, String(tick).replace('-', '−')));
  }
  layer.append(el('text', { x: (LEFT + RIGHT) / 2, y: BOTTOM + 33, 'text-anchor': 'middle' }, 'x1'),
    el('text', { transform: `translate(11 ${(TOP + BOTTOM) / 2}) rotate(-90)`, 'text-anchor': 'middle' }, 'x2'));
  return layer;
}

const kindOf = (point) => LETTERS.indexOf(point.label ?? point.letter);

function mark(point, at, view, look) {
  const scored = Number.isFinite(point.score);
  const r = (scored ? point.size : point.test ? 9 : 7) / 2;
  const fill = scored ? shade(place(point.score, view), view, look) : point.test ? 'none' : look.idle;
  const stroke = point.test ? { stroke: look.text, 'stroke-width': 1.6 } : { stroke: look.outline, 'stroke-width': 0.8 };
  const shape = el('path', { class: point.test ? 'test' : 'train', 'data-at': at, d: OUTLINES[kindOf(point)](r), fill, ...stroke });
  if (!point.flipped) return el('g', {}, shape);
  return el('g', {}, el('circle', { r: r + 4, fill: 'none', stroke: look.text, 'stroke-width': 1.6, 'stroke-dasharray': '3 2' }), shape);
}

const diamond = (look) => el('path', { class: 'selected', d: polygon([[0, -15], [15, 0], [0, 15], [-15, 0]]), fill: 'none',
  stroke: look.text, 'stroke-width': 2.6 });
const asked = (look) => el('g', { class: 'asked' },
  el('circle', { r: 14, fill: 'none', stroke: look.text, 'stroke-width': 2 }),
  el('path', { d: star(9), fill: '#F0E442', stroke: look.dark ? '#000' : '#31333F', 'stroke-width': 1.2 }));

// Training points in ascending |score|, so that strong ones lie on top; test points above them.
function marks(board, look) {
  const { points, half, message } = board;
  const size = (i) => (points[i].test ? 1e9 : 0) + (Number.isFinite(points[i].score) ? Math.abs(points[i].score) : 0);
  const layer = el('g', {});
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

function scaleBar(root, message, points, look) {
  const scored = points.map((point) => point.score).filter(Number.isFinite);
  const scale = root.querySelector('.scale');
  scale.hidden = scored.length === 0;
  if (scale.hidden) return;
  const { limit, magnitude_only: unsigned } = message;
  const ends = unsigned ? 'weak → strong' : `← ${message.words[0]} | ${message.words[1]} →`;
  scale.querySelector('.words').textContent = `${ends}   (${message.unit}${message.symlog ? ', logarithmic' : ''})`;
  const stops = unsigned ? [look.neutral, look.strength] : [HARMFUL, look.neutral, HELPFUL];
  scale.querySelector('.bar').style.background = `linear-gradient(to right, ${stops.map(rgb).join(', ')})`;
  const marks = unsigned ? [0, limit] : [-limit, 0, limit];
  const text = marks.map((value) => (unsigned ? number(value).replace('+', '') : number(message.sign * value)));
  if (scored.some((s) => (unsigned ? Math.abs(s) : s) > limit)) text[text.length - 1] = '≥ ' + text.at(-1);
  if (!unsigned && scored.some((s) => s < -limit)) text[0] = '≤ ' + text[0];
  scale.querySelector('.ticks').replaceChildren(...text.map((words) => Object.assign(document.createElement('span'), { textContent: words })));
}

function icon(...shapes) {
  return el('svg', { viewBox: '-10 -10 20 20', 'aria-hidden': 'true' }, ...shapes);
}

const classIcon = (kind, look) => icon(el('path', { d: OUTLINES[kind](6), fill: look.idle, stroke: look.outline, 'stroke-width': 1.2 }));
const testIcon = (look) => icon(el('path', { d: OUTLINES[0](6), fill: 'none', stroke: look.text, 'stroke-width': 2.2 }));

function legend(root, points, look) {
  const entry = (picture, words) => {
    const line = document.createElement('span');
    line.append(picture, words);
    return line;
  };
  const scaled = (node, by) => { node.setAttribute('transform', `scale(${by})`); return icon(node); };
  const entries = classesOf(points).map((letter) => entry(classIcon(LETTERS.indexOf(letter), look), `class ${letter}`));
  entries.push(entry(testIcon(look), 'test point (open shape)'), entry(scaled(asked(look), 0.62), 'asked test point'),
    entry(scaled(diamond(look), 0.6), 'selected training point'),
    entry(icon(el('path', { d: 'M-9 0H9', stroke: look.text, 'stroke-width': 2.4 })), 'decision boundary'));
  if (points.some((point) => point.flipped)) {
    entries.push(entry(icon(el('circle', { r: 7, fill: 'none', stroke: look.text, 'stroke-width': 1.8, 'stroke-dasharray': '3 2' })), 'label flipped on purpose'));
  }
  root.querySelector('.legend').replaceChildren(...entries);
}

const classesOf = (points) => [...LETTERS].filter((letter) => points.some((point) => point.letter === letter));

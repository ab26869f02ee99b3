// Files of what a component of HTML shows: its layout written again as SVG shapes and text, that as pixels, and its
// numbers as CSV.  Tools and other controls carry data-aside and stay out.  Fetched at the first click on one of the buttons.
import { element, svg as shape } from './dom.js';
import { FORMULA } from './formula.js';
import { PICTURE_FONT, palette, wrapped } from './palette.js';

const [FILE_PAD, TITLE, FOOT] = [16, 16, 11]; // pixels around the picture, of its title, and of what it was made of
const LARGEST_SIDE = 16_000; // of a canvas

// Few programs read rgba() in an attribute.
const channels = (colour) => (colour.match(/[\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
function ink(colour, kind = 'fill') {
  const [r, g, b, a = 1] = channels(colour);
  return { [kind]: `rgb(${r},${g},${b})`, [kind + '-opacity']: a };
}
const paints = (colour) => colour.startsWith('rgb') && channels(colour)[3] !== 0;

function boxOf(sheet, box, grow = 0) {
  return { x: box.left - sheet.left - grow, y: box.top - sheet.top - grow, width: box.width + 2 * grow, height: box.height + 2 * grow };
}

function frame(sheet, box, style) {
  const rx = parseFloat(style.borderTopLeftRadius) || 0;
  const sides = ['Top', 'Bottom'].map((side) => [parseFloat(style[`border${side}Width`]), style[`border${side}Color`]]);
  const [[width, colour], [below, under]] = sides;
  const { x, y, width: w, height: h } = boxOf(sheet, box);
  const made = [];
  if (paints(style.backgroundColor)) made.push(shape('rect', { ...boxOf(sheet, box), rx, ...ink(style.backgroundColor) }));
  if (width && paints(colour)) made.push(shape('rect', { ...boxOf(sheet, box, -width / 2), rx, fill: 'none', 'stroke-width': width, ...ink(colour, 'stroke') }));
  if (below > width) made.push(shape('rect', { x, y: y + h - below, width: w, height: below, rx: 1, ...ink(under) }));
  return made;
}

// One tile of a sheet of pictures, or a scale of colours.
function background(sheet, node, box, style) {
  const stops = style.backgroundImage.startsWith('linear-gradient') && style.backgroundImage.match(/rgba?\([^)]*\)/g);
  if (stops) {
    const id = `scale-${sheet.defs.childElementCount}`;
    sheet.defs.append(shape('linearGradient', { id },
      ...stops.map((stop, k) => shape('stop', { offset: k / (stops.length - 1), 'stop-color': stop }))));
    return [shape('rect', { ...boxOf(sheet, box), fill: `url(#${id})` })];
  }
  const source = style.backgroundImage.match(/^url\("(data:image[^"]*)"\)$/)?.[1];
  if (!source) return [];
  const [w, h] = style.backgroundSize.split(' ').map(parseFloat);
  const [left, top] = style.backgroundPosition.split(' ').map(parseFloat);
  if (!sheet.images.has(source)) {
    const id = `sheet-${sheet.images.size}`;
    const image = shape('image', { id, href: source, width: w, height: h, preserveAspectRatio: 'none', style: 'image-rendering:pixelated' });
    sheet.images.set(source, { id, w, image, tiles: [] });
    sheet.defs.append(image);
  }
  const x = box.left - sheet.left + node.clientLeft + parseFloat(style.paddingLeft) * (style.backgroundOrigin === 'content-box');
  const y = box.top - sheet.top + node.clientTop + parseFloat(style.paddingTop) * (style.backgroundOrigin === 'content-box');
  const [width, height] = [parseFloat(style.width), parseFloat(style.height)];
  const { id, w: first, tiles } = sheet.images.get(source); // the file holds a sheet once, in the size of its first tile
  const viewBox = [-left, -top, width, height].map((length) => (length * first) / w);
  const tile = shape('svg', { x, y, width, height, viewBox: viewBox.join(' ') }, shape('use', { href: '#' + id }));
  tiles.push({ tile, viewBox });
  return [tile];
}

// A file holds no more of a sheet than it shows: where that is less than half, each tile is cut out.
async function cut({ image, w, tiles }) {
  const [source, canvas] = [new Image(), element('canvas')];
  source.src = image.getAttribute('href');
  await source.decode();
  const scale = source.naturalWidth / w;
  const areas = tiles.map(({ viewBox }) => viewBox.map((length) => Math.round(length * scale)));
  if (2 * areas.reduce((sum, [, , width, height]) => sum + width * height, 0) > source.naturalWidth * source.naturalHeight) return;
  areas.forEach(([x, y, width, height], k) => {
    Object.assign(canvas, { width, height });
    canvas.getContext('2d').drawImage(source, x, y, width, height, 0, 0, width, height);
    const [left, top, across, up] = tiles[k].viewBox;
    tiles[k].tile.replaceChildren(shape('image', { x: left, y: top, width: across, height: up, preserveAspectRatio: 'none',
      href: canvas.toDataURL(), style: 'image-rendering:pixelated' }));
  });
  image.remove();
}

// Line by line as the browser has broken them; a line that is cut off ends with dots.
function linesOf(text, limit) {
  const [range, lines] = [document.createRange(), []];
  for (const { 0: word, index } of text.data.matchAll(/\S+/g)) {
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    const { left, right, top, height } = range.getBoundingClientRect();
    const last = lines.at(-1);
    if (last && Math.abs(last.top - top) < 2) Object.assign(last, { words: `${last.words} ${word}`, right });
    else if (height) lines.push({ words: word, left, right, top, height });
  }
  for (const line of lines.filter(({ right }) => right > limit + 1)) {
    const share = (limit - line.left) / (line.right - line.left);
    Object.assign(line, { words: line.words.slice(0, Math.max(1, Math.floor(line.words.length * share) - 1)) + '…', right: limit });
  }
  return lines;
}

function writing(sheet, text, style) {
  const cut = style.textOverflow === 'ellipsis' ? text.parentElement.getBoundingClientRect().right : Infinity;
  const font = { 'font-size': style.fontSize, 'font-weight': style.fontWeight, ...ink(style.color) };
  return linesOf(text, cut).map(({ words, left, right, top, height }) => shape('text', { x: left - sheet.left,
    y: top - sheet.top + 0.78 * height, textLength: right - left, lengthAdjust: 'spacingAndGlyphs', ...font }, words));
}

function copyOf(sheet, svg, box) {
  const copy = svg.cloneNode(true);
  for (const tool of copy.querySelectorAll('[data-aside]')) tool.remove();
  copy.removeAttribute('class');
  for (const [key, value] of Object.entries(boxOf(sheet, box))) copy.setAttribute(key, value);
  return copy;
}

function drawn(sheet, node) {
  const [style, box] = [getComputedStyle(node), node.getBoundingClientRect()];
  if (!box.width || style.visibility === 'hidden' || 'aside' in node.dataset) return [];
  if (node instanceof SVGSVGElement) return [copyOf(sheet, node, box)];
  const made = [...frame(sheet, box, style), ...background(sheet, node, box, style)];
  for (const child of node.childNodes) {
    if (child instanceof Text) made.push(...writing(sheet, child, style));
    else if (child instanceof Element && child.tagName !== 'STYLE') made.push(...drawn(sheet, child));
  }
  const [ring, gap] = [parseFloat(style.outlineWidth), parseFloat(style.outlineOffset)];
  if (style.outlineStyle === 'solid' && ring && !node.matches(':focus-visible')) {
    made.push(shape('rect', { ...boxOf(sheet, box, gap + ring / 2), rx: 4, fill: 'none', 'stroke-width': ring, ...ink(style.outlineColor, 'stroke') }));
  }
  return Number(style.opacity) < 1 && made.length ? [shape('g', { opacity: style.opacity }, ...made)] : made;
}

// The whole of an element, also what has been scrolled out of sight.
async function pictureOf(node, title, about = '') {
  const look = palette(node);
  const box = node.getBoundingClientRect();
  const [head, foot] = [wrapped(title, node.scrollWidth, TITLE), about ? wrapped(about, node.scrollWidth, FOOT) : []];
  const [above, below] = [14 + 20 * head.length, foot.length && 8 + 15 * foot.length];
  const sheet = { left: box.left - node.scrollLeft - FILE_PAD, top: box.top - node.scrollTop - FILE_PAD - above,
    images: new Map(), defs: shape('defs', {}) };
  const [width, height] = [node.scrollWidth + 2 * FILE_PAD, node.scrollHeight + 2 * FILE_PAD + above + below];
  const size = { width, height, viewBox: `0 0 ${width} ${height}`, 'font-family': PICTURE_FONT };
  const parts = drawn(sheet, node);
  await Promise.all([...sheet.images.values()].map(cut));
  const text = (lines, y, size) => lines.map((line, k) => shape('text', { x: FILE_PAD, y: y + 1.25 * size * k, 'font-size': size,
    fill: look.text }, line));
  return shape('svg', size, sheet.defs, shape('rect', { width, height, fill: look.background }),
    ...text(head, FILE_PAD + 14, TITLE), ...text(foot, height - below, FOOT), ...parts);
}

function keep(blob, name) {
  const link = element('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function pixels(svg, address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const [width, height] = ['width', 'height'].map((side) => Number(svg.getAttribute(side)));
  const scale = Math.min(2, LARGEST_SIDE / width, LARGEST_SIDE / height);
  const canvas = element('canvas', { width: width * scale, height: height * scale });
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

export async function savePicture(kind, { node, title, file, about }) {
  const svg = await pictureOf(node, title, about);
  const blob = new Blob([new XMLSerializer().serializeToString(svg)], { type: 'image/svg+xml' });
  if (kind === 'svg') return keep(blob, `${file}.svg`);
  const address = URL.createObjectURL(blob);
  keep(await pixels(svg, address), `${file}.png`);
  URL.revokeObjectURL(address);
}

// Text cells that a spreadsheet would take for a formula get an apostrophe, as in every CSV of this app.
export function csvOf(rows) {
  const cell = (value) => {
    const text = typeof value === 'string' && FORMULA.test(value) ? `'${value}` : String(value ?? '');
    return /[",\n\r]|^ /.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(',')).join('\n') + '\n';
}

export const saveTable = ({ rows, file }) => keep(new Blob([csvOf(rows)], { type: 'text/csv' }), `${file}.csv`);

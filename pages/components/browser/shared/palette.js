// Colours, numbers, sizes and the colour scale, the same for every component of our own; PALETTE comes from colours.py.
import { PALETTE } from './colours.js';

export const { helpful: HELPFUL, harmful: HARMFUL, star: STAR, tints: TINTS } = PALETTE;
export const CLEAR = 'rgba(0,0,0,0)';
export const PICTURE_FONT = 'Arial, Helvetica, sans-serif'; // a picture cannot load the page's font, and its text would not fit

export const rgbOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

export function palette(root) {
  const style = getComputedStyle(root);
  const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const paint = document.createElement('canvas').getContext('2d');
  paint.fillStyle = read('--st-background-color', '#ffffff');
  const [r, g, b] = rgbOf(paint.fillStyle);
  const dark = 0.299 * r + 0.587 * g + 0.114 * b < 128;
  const look = PALETTE.themes[dark ? 'dark' : 'light'];
  return { ...look, dark, background: paint.fillStyle, veil: `rgba(${r},${g},${b},0.72)`, font: read('--st-font', 'sans-serif'),
    text: read('--st-text-color', look.text) };
}

// A score's place on the colour scale: 0 is neutral, 1 is the limit.
export function place(score, view) {
  if (view.magnitude_only) score = Math.abs(score);
  if (!view.symlog) return score / view.limit;
  const bend = view.limit / 100;
  return (Math.sign(score) * Math.log1p(Math.abs(score) / bend)) / Math.log1p(view.limit / bend);
}

// Diameters as marker_sizes() of charts/scale.py has them: area in proportion to |score| up to the limit, with a floor that
// stays visible, and smaller for a crowd.
export function markerSizes(scores, limit) {
  const crowding = Math.min(1, (500 / Math.max(scores.length, 1)) ** 0.25);
  const floor = 4.5 * Math.sqrt(crowding);
  const size = (score) => Math.max(16 * crowding * Math.sqrt(Math.min(Math.abs(score) / limit || 0, 1)), floor);
  return Float32Array.from(scores, size);
}

const signOf = (value) => (value < 0 ? '−' : value > 0 ? '+' : '');

// Three digits and no exponent for one number, two for the marks of a scale; always with its sign, and a real minus.
export function signed(score) {
  if (Number.isNaN(score)) return '–'; // without this point no unique minimum is left
  if (!score) return '0';
  const [digits, power] = Math.abs(score).toExponential(2).split('e').map(Number);
  const decimals = Math.min(Math.max(2 - power, 0), 20);
  const text = Number(`${digits}e${power}`).toFixed(decimals);
  return signOf(score) + text.replace(/\B(?=(\d{3})+(?!\d|\.))(?<!\..*)/g, ',');
}
export function number(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return signOf(value) + (size < 1e-3 || size >= 1e5 ? size.toExponential(1) : String(Number(size.toPrecision(2))));
}

// The marks of a colour scale in words: the ends say where they are clipped.
export function scaleWords(message, marks, scores) {
  const { limit, magnitude_only: unsigned, sign } = message;
  const text = marks.map((mark) => (unsigned ? number(mark).replace('+', '') : number(sign * mark)));
  if (scores.some((s) => (unsigned ? Math.abs(s) : s) > limit)) text[text.length - 1] = '≥ ' + text.at(-1);
  if (!unsigned && scores.some((s) => s < -limit)) text[0] = '≤ ' + text[0];
  return text;
}
export const scaleTitle = ({ magnitude_only: unsigned, words, unit, symlog }) =>
  `${unsigned ? 'weak → strong' : `← ${words[0]} | ${words[1]} →`}   (${unit}${symlog ? ', logarithmic' : ''})`;

// Lines of a text in the font of a file, by about how wide a letter is.
export function wrapped(text, width, size) {
  const [most, found] = [Math.max(12, Math.floor(width / (0.54 * size))), ['']];
  for (const word of text.split(' ')) {
    const next = found.at(-1) ? `${found.at(-1)} ${word}` : word;
    if (next.length <= most || !found.at(-1)) found[found.length - 1] = next;
    else found.push(word);
  }
  return found;
}

export const escapeText = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

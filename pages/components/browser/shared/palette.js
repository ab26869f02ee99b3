// Colours, numbers and the colour scale, the same for every component of our own; PALETTE comes from colours.py.
const { helpful: HELPFUL, harmful: HARMFUL, star: STAR, tints: TINTS } = PALETTE;
const CLEAR = 'rgba(0,0,0,0)';
const PICTURE_FONT = 'Arial, Helvetica, sans-serif'; // a picture cannot load the page's font, and its text would not fit

const rgbOf = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function palette(root) {
  const style = getComputedStyle(root);
  const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const paint = document.createElement('canvas').getContext('2d');
  paint.fillStyle = read('--st-background-color', '#ffffff');
  const [r, g, b] = rgbOf(paint.fillStyle);
  const dark = 0.299 * r + 0.587 * g + 0.114 * b < 128;
  const look = PALETTE.themes[dark ? 'dark' : 'light'];
  return { ...look, dark, background: paint.fillStyle, font: read('--st-font', 'sans-serif'),
    text: read('--st-text-color', look.text) };
}

// A score's place on the colour scale: 0 is neutral, 1 is the limit.
function place(score, view) {
  if (view.magnitude_only) score = Math.abs(score);
  if (!view.symlog) return score / view.limit;
  const bend = view.limit / 100;
  return (Math.sign(score) * Math.log1p(Math.abs(score) / bend)) / Math.log1p(view.limit / bend);
}

const signOf = (value) => (value < 0 ? '−' : value > 0 ? '+' : '');

// Three digits for one number, two for the marks of a scale; always with its sign, and a real minus.
const signed = (score) => signOf(score) + String(Number(Math.abs(score).toPrecision(3)));
function number(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return signOf(value) + (size < 1e-3 || size >= 1e5 ? size.toExponential(1) : String(Number(size.toPrecision(2))));
}

// The marks of a colour scale in words: the ends say where they are clipped.
function scaleWords(message, marks, scores) {
  const { limit, magnitude_only: unsigned, sign } = message;
  const text = marks.map((mark) => (unsigned ? number(mark).replace('+', '') : number(sign * mark)));
  if (scores.some((s) => (unsigned ? Math.abs(s) : s) > limit)) text[text.length - 1] = '≥ ' + text.at(-1);
  if (!unsigned && scores.some((s) => s < -limit)) text[0] = '≤ ' + text[0];
  return text;
}
const scaleTitle = ({ magnitude_only: unsigned, words, unit, symlog }) =>
  `${unsigned ? 'weak → strong' : `← ${words[0]} | ${words[1]} →`}   (${unit}${symlog ? ', logarithmic' : ''})`;

const escapeText = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

// The points of a drawing: from text and back, and what may be asked of them.
export const LETTERS = 'abcde';
export const EDGE = 1000; // hundredths

export const clamp = (value, edge) => Math.max(-edge, Math.min(edge, Math.round(value)));
export const parse = (text) => (text ? text.split('.') : []).map((part) => {
  const [, mark, x, y] = part.match(/^([a-eA-E])(-?\d+)_(-?\d+)$/);
  return { letter: mark.toLowerCase(), test: mark < 'a', x: Number(x), y: Number(y) };
});
export const textOf = (points) => points.map((p) => `${p.test ? p.letter.toUpperCase() : p.letter}${p.x}_${p.y}`).join('.');
export const kinds = (points) => points.map((p) => (p.test ? p.letter.toUpperCase() : p.letter)).join('');
export const called = (point) => `${point.test ? 'test' : 'training'} point of class ${point.letter}`;
export const place2 = (value) => (value / 100).toFixed(2).replace('-', '−');

// Two classes of two training points and one question are needed; a drawing that has them must not lose them.
export function suffices(points) {
  const trained = [...LETTERS].filter((letter) => points.filter((p) => !p.test && p.letter === letter).length > 1);
  return trained.length > 1 && points.some((p) => p.test);
}

export const nearest = (points, test, at) => points.reduce((best, p, i) => {
  const distance = (p.x - at.x) ** 2 + (p.y - at.y) ** 2;
  return p.test === test && distance < best.distance ? { distance, i } : best;
}, { distance: Infinity, i: null });

export const classesOf = (points) => [...LETTERS].filter((letter) => points.some((point) => point.letter === letter));

export const count = (points) => {
  const test = points.filter((p) => p.test).length;
  return `${points.length - test} training and ${test} test points`;
};

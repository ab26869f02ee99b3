import assert from 'node:assert/strict';
import test from 'node:test';
import { facts, served } from './site.mjs';

const { HARMFUL, HELPFUL, escapeText, markerSizes, number, place, rgbOf, scaleTitle, scaleWords, signed } = await served('shared/palette.js');

const VIEW = { limit: 0.5, sign: 1, words: ['harmful', 'helpful'], unit: 'nats' };

test('the colours are those of the Python charts', () => {
  assert.deepEqual([HARMFUL, HELPFUL], facts.ends);
  assert.deepEqual(rgbOf('#0a10Ff'), [10, 16, 255]);
});

test('sizes are those of the Python charts, in a crowd too', () => {
  for (const [n, sizes] of Object.entries(facts.sizes)) {
    const scores = Float32Array.from({ length: Number(n) }, (_, i) => facts.scores[i % facts.scores.length]);
    markerSizes(scores, VIEW.limit).slice(0, 5).forEach((size, i) => assert.ok(Math.abs(size - sizes[i]) < 1e-5 * size));
  }
  assert.deepEqual([...markerSizes([NaN, 0], 1)], [4.5, 4.5]);
});

test('zero is neutral and the limit the end of the scale, straight and bent', () => {
  for (const symlog of [false, true]) {
    const at = (score) => place(score, { ...VIEW, symlog });
    assert.deepEqual([at(0), at(0.5), at(-0.5)], [0, 1, -1]);
    assert.ok(at(0.6) > 1 && at(-0.1) === -at(0.1));
  }
  assert.ok(place(0.005, { ...VIEW, symlog: true }) > 10 * place(0.005, VIEW));
  assert.equal(place(-0.25, { ...VIEW, magnitude_only: true }), 0.5);
});

test('numbers have a sign, a real minus and no more digits than they are worth', () => {
  assert.deepEqual([0.012345, -0.012345, 0, -1234.5, 0.00023, 4.1e-6, 9.999, 0.9996].map(signed),
    ['+0.0123', '−0.0123', '0', '−1,230', '+0.000230', '+0.00000410', '+10.0', '+1.00']);
  assert.equal(signed(NaN), '–');
  assert.deepEqual([0, 0.0123, -4.16e-6, 123456].map(number), ['0', '+0.012', '−4.2e-6', '+1.2e+5']);
});

test('the ends of a scale say where it is clipped', () => {
  const marks = [-0.5, 0, 0.5];
  assert.deepEqual(scaleWords(VIEW, marks, [0.1, -0.1]), ['−0.5', '0', '+0.5']);
  assert.deepEqual(scaleWords(VIEW, marks, [0.6, -0.6]), ['≤ −0.5', '0', '≥ +0.5']);
  assert.deepEqual(scaleWords({ ...VIEW, sign: -1 }, marks, [0]), ['+0.5', '0', '−0.5']);
  assert.deepEqual(scaleWords({ ...VIEW, magnitude_only: true }, [0, 0.5], [-0.6]), ['0', '≥ 0.5']);
  assert.equal(scaleTitle(VIEW), '← harmful | helpful →   (nats)');
  assert.equal(scaleTitle({ ...VIEW, magnitude_only: true, symlog: true }), 'weak → strong   (nats, logarithmic)');
});

test('text is nothing that Plotly interprets', () => {
  const [text, plain] = facts.text;
  assert.equal(escapeText(text), plain);
});

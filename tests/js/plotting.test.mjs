import assert from 'node:assert/strict';
import test from 'node:test';
import { THEME, served } from './site.mjs';

const { printed } = await served('shared/plotting.js');
const { wrapped } = await served('shared/palette.js');

const ABOUT = 'MNIST, 5,000 images · Logistic regression, l2 = 1 · Influence (first order) · test point 74 (mnist-03886) · 2026-11-29';
const TITLE = 'Training points, coloured by influence on the ringed test points that were chosen by a lasso';
const legend = (y, yref) => ({ orientation: 'h', y, ...(yref ? { yref } : {}) });
const DATA = ['decision boundary (p = 0.5)', 'label flipped on purpose', 'test point (open shape)'].map((name) => ({ name }));

test('lines are no longer than the width, and no word is lost', () => {
  for (const width of [120, 300, 434, 1200]) {
    const lines = wrapped(TITLE, width, 16);
    assert.equal(lines.join(' '), TITLE);
    assert.ok(lines.every((line) => line.length * 0.54 * 16 <= Math.max(width, 12 * 0.54 * 16) || !line.includes(' ')));
  }
});

test('a file has its title and what it was made of, at any width, and the plot keeps its height', () => {
  for (const width of [320, 434, 900]) {
    for (const where of [legend(1.02), legend(0, 'container'), undefined]) {
      const layout = { margin: { l: 56, r: 12, t: 52, b: 70 }, font: {}, ...(where ? { legend: where } : {}) };
      const made = printed({ data: DATA, layout }, { title: TITLE, about: ABOUT, theme: THEME, width, height: 400 });
      const [head, foot] = made.layout.annotations;
      assert.equal(head.text.replaceAll('<br>', ' '), TITLE);
      assert.equal(foot.text.replaceAll('<br>', ' '), ABOUT);
      const { t, b } = made.layout.margin;
      assert.ok(Math.abs(made.height - t - b - (400 - 52 - 70)) < 1e-9);
      assert.ok(t >= 52 + 16 * head.text.split('<br>').length && b >= 70 + 11 * foot.text.split('<br>').length);
      if (where?.yref) assert.ok(made.layout.legend.y * made.height >= 11 * foot.text.split('<br>').length);
    }
  }
});

test('without a word on what it was made of there is no foot', () => {
  const layout = { margin: { l: 56, r: 12, t: 52, b: 70 }, font: {} };
  const { layout: made } = printed({ data: [], layout }, { title: 'T', theme: THEME, width: 400, height: 300 });
  assert.deepEqual([made.annotations.length, made.margin.b], [1, 70]);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { THEME, served } from './site.mjs';

const { csvOf } = await served('shared/picture_files.js');
const { drawable, configOf } = await served('shared/plotting.js');
const { sheetStyle, tileStyle, zoomTo } = await served('shared/sprite.js');

test('a table is CSV that a spreadsheet reads and does not run', () => {
  assert.equal(csvOf([['a', 'b'], [1, -2.5]]), 'a,b\n1,-2.5\n');
  assert.equal(csvOf([['x,y', 'say "so"', 'two\nlines', undefined]]), '"x,y","say ""so""","two\nlines",\n');
  assert.equal(csvOf([['=1+1', '+1', '@x', '+a', -1]]), "'=1+1,+1,'@x,'+a,-1\n");
});

test('a tile is cut from its sheet, enlarged by a whole factor', () => {
  const sheet = { data_uri: 'data:x', columns: 3, tile_w: 10, tile_h: 8, count: 7 };
  assert.deepEqual(tileStyle(sheet, 4, 2), { width: '20px', height: '16px', backgroundPosition: '-20px -16px' });
  assert.deepEqual(sheetStyle(sheet, 2), { backgroundImage: 'url("data:x")', backgroundSize: '60px 48px' });
  assert.deepEqual([zoomTo(64, 28), zoomTo(64, 8), zoomTo(48, 200)], [2, 8, 1]);
});

test('few points are SVG in a file and many stay pixels; a legend mark of numbers gets a colour', () => {
  const trace = (n) => ({ type: 'scattergl', name: 'a', customdata: new Int32Array(n), marker: { coloraxis: 'coloraxis', symbol: ['square'], line: {} } });
  const [few, mark] = drawable([trace(10)], THEME);
  assert.deepEqual([few.type, few.showlegend, mark.marker.symbol, mark.marker.color], ['scatter', false, 'square', THEME.idle]);
  assert.equal(drawable([trace(2001)], THEME)[0].type, 'scattergl');
});

test('no chart sends itself anywhere', () => {
  assert.ok(configOf().modeBarButtonsToRemove.includes('sendChartToCloud'));
  assert.deepEqual(configOf('lasso2d').modeBarButtonsToAdd.map(({ title }) => title), ['Download as PNG', 'Download as SVG']);
});

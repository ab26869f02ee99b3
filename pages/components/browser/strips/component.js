// Two rows of buttons and the test image between them; all text goes in as text, never as HTML.
import { element } from '../shared/dom.js';
import { fileButtons } from '../shared/file_buttons.js';
import { signed } from '../shared/palette.js';
import { sheetStyle, tileStyle, zoomTo } from '../shared/sprite.js';
import { component } from '../shared/start.js';
import { parked, unpack } from '../shared/wire.js';
import STYLE from './component.css.js';

const SIDE = 64; // pixels of a thumbnail's longer side, to the nearest whole multiple of its own size
const HUES = ['--if-helpful', '--if-harmful'];

function picture(sprite, tile, scale) {
  const zoom = zoomTo(SIDE * scale, Math.max(sprite.tile_h, sprite.tile_w));
  const node = element('div', { className: 'tile' });
  const { backgroundSize } = sheetStyle(sprite, zoom);
  Object.assign(node.style, { backgroundSize, ...tileStyle(sprite, tile, zoom) });
  return node;
}

function card(root, message, item, word) {
  const image = picture(message.sprite, item.tile, 1);
  const caption = element('div', { className: 'caption', style: `max-width: max(6.2rem, ${image.style.width})` }, item.caption);
  return element('button', { className: 'card', type: 'button', title: item.caption,
    ariaPressed: String(item.index === message.selected),
    ariaLabel: `${item.caption}, ${item.score} ${message.unit}, ${word}`,
    onclick: () => root.handle.setTriggerValue('clicked', { index: item.index, nonce: Date.now() }),
  }, image, element('div', { className: 'score' }, item.score), caption);
}

function row(root, message, { items, title, word }, hue) {
  const head = element('h4', {}, element('span', { className: 'swatch' }), element('span', {}, `${title} (${message.unit})`));
  const cards = items.map((item) => card(root, message, item, word));
  return element('section', { className: 'side', style: `--hue: var(${hue})` }, head,
    cards.length ? element('div', { className: 'row' }, ...cards)
      : element('p', { className: 'none' }, 'No training point on this side.'));
}

function middle(message) {
  const [first, ...others] = message.asked.map((tile) => picture(message.sprite, tile, message.asked.length > 1 ? 1 : 1.3));
  return element('div', { className: 'test' }, Object.assign(first, { role: 'img', ariaLabel: message.test }), ...others,
    element('div', { className: 'caption' }, message.test));
}

function contents(root) {
  const { rows, raw_unit: unit, heading, file, about } = root.message;
  const head = ['side', 'point', `predicted change, ${unit}`, 'made of'];
  return { node: root, title: heading, file, about,
    rows: [head, ...rows.flatMap(({ word, items }) => items.map(({ caption, value }) => [word, caption, value, about]))] };
}

// Pictures and captions of the points: the message's own, or those of the scene.
function complete({ rows, own, first, power }, { sprite, train_labels: train, test_labels: test }) {
  const at = (index) => own?.[index] ?? [first + index, train[first + index] ?? test[first + index - train.length]];
  const item = ([index, value]) => ({ index, value, score: signed(value / 10 ** power), tile: at(index)[0], caption: at(index)[1] });
  return { sprite, rows: rows.map((row) => ({ ...row, items: row.points.map(item) })) };
}

// The sheet's long address once, not once per tile.
function sheetOf(root, sprite) {
  if (root.sprite !== sprite) root.sheet = element('style', {}, `.if-strip .tile { background-image: url("${sprite.data_uri}"); }`);
  root.sprite = sprite;
  return root.sheet;
}

export default component((handle, current) => {
  const root = handle.parentElement.querySelector('.if-strip');
  const message = unpack(handle.data);
  const there = message.scene ? [message.scene, message.coloured].map(parked) : [message, message];
  Promise.all(there).then(([scene, { about }]) => {
    if (!current()) return;
    message.about = about;
    const { sprite } = Object.assign(message, complete(message, scene));
    Object.assign(root, { handle, message });
    const [helpful, harmful] = HUES.map((hue, k) => row(root, message, message.rows[k], hue));
    root.replaceChildren(sheetOf(root, sprite), helpful, ...(message.asked.length ? [middle(message)] : []), harmful);
    fileButtons(handle.parentElement.querySelector('.if-files'), () => contents(root));
  });
}, STYLE);

// One real button per thumbnail; the grid is built once per set of images and afterwards only the ring moves.
import { element } from '../shared/dom.js';
import { fileButtons } from '../shared/file_buttons.js';
import { sheetStyle, tileStyle, zoomTo } from '../shared/sprite.js';
import { component } from '../shared/start.js';
import { parked, unpack } from '../shared/wire.js';
import STYLE from './component.css.js';

const TARGET = 48; // pixels of a thumbnail's longer side, to the nearest whole multiple of its own size

function tileButton({ sprite, labels }, index, marked, zoom) {
  const button = element('button', { type: 'button', className: 'tile', tabIndex: -1, title: labels[index],
    ariaLabel: labels[index], ariaPressed: 'false' }, ...(marked ? [element('span', { className: 'mark' })] : []));
  Object.assign(button.style, tileStyle(sprite, index, zoom));
  return button;
}

function build(grid, set) {
  const { sprite } = set;
  const zoom = zoomTo(TARGET, Math.max(sprite.tile_h, sprite.tile_w));
  const marked = new Set(set.marked);
  const tiles = set.labels.map((_, index) => tileButton(set, index, marked.has(index), zoom));
  const { backgroundImage, backgroundSize } = sheetStyle(sprite, zoom); // the picture's long address once, not once per button
  const sheet = element('style', {}, `button.tile { background-image: ${backgroundImage}; background-size: ${backgroundSize}; }`);
  grid.style.gridTemplateColumns = `repeat(auto-fill, ${sprite.tile_w * zoom + 2}px)`;
  grid.setAttribute('aria-label', set.title);
  grid.replaceChildren(sheet, ...tiles);
  Object.assign(grid.state, { set, tiles, at: null });
}

function press(grid, index) {
  const { tiles, at } = grid.state;
  tiles[at]?.setAttribute('aria-pressed', 'false');
  grid.state.at = index;
  tiles.forEach((tile, i) => (tile.tabIndex = i === (index ?? 0) ? 0 : -1)); // one stop for the Tab key
  const tile = tiles[index];
  if (!tile) return;
  tile.setAttribute('aria-pressed', 'true');
  const [top, bottom] = [tile.offsetTop, tile.offsetTop + tile.offsetHeight];
  if (top < grid.scrollTop) grid.scrollTop = top - 6;
  if (bottom > grid.scrollTop + grid.clientHeight) grid.scrollTop = bottom - grid.clientHeight + 6;
}

function move(grid, event) {
  const { tiles } = grid.state;
  const from = tiles.indexOf(event.target);
  const first = tiles.findIndex((tile) => tile.offsetTop > tiles[0].offsetTop);
  const row = first < 0 ? tiles.length : first;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: row, ArrowUp: -row }[event.key];
  const to = { Home: 0, End: tiles.length - 1 }[event.key] ?? from + step;
  if (from < 0 || !tiles[to]) return;
  event.preventDefault();
  tiles[to].focus();
}

function listen(grid) {
  grid.addEventListener('keydown', (event) => move(grid, event));
  grid.addEventListener('click', (event) => {
    const index = grid.state.tiles.indexOf(event.target);
    if (index < 0) return;
    press(grid, index);
    grid.state.handle.setTriggerValue('clicked', { index, nonce: Date.now() });
  });
}

function contents({ state: { set, about }, parentNode }) {
  const marked = new Set(set.marked);
  const rows = set.labels.map((label, index) => [index, label, Number(marked.has(index)), about]);
  return { node: parentNode.querySelector('.if-gallery'), title: set.title, about, file: set.title.toLowerCase().replaceAll(' ', '-'),
    rows: [['number', 'image', set.mark, 'made of'], ...rows] };
}

export default component((handle, current) => {
  const grid = handle.parentElement.querySelector('.if-gallery');
  const message = unpack(handle.data);
  if (!grid.state) {
    grid.state = {};
    listen(grid);
    fileButtons(handle.parentElement.querySelector('.if-files'), () => contents(grid));
  }
  Object.assign(grid.state, { handle, about: message.about });
  parked(message.fingerprint).then((set) => {
    if (!current()) return;
    if (grid.state.set !== set) build(grid, set);
    press(grid, message.selected);
  });
}, STYLE);

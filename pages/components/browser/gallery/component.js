// One real button per thumbnail; the grid is built once per set of images and afterwards only the ring moves.
const TARGET = 48; // pixels of a thumbnail's longer side, to the nearest whole multiple of its own size

function tileButton(set, index, marked, zoom) {
  const { sprite } = set;
  const [w, h] = [sprite.tile_w * zoom, sprite.tile_h * zoom];
  const button = document.createElement('button');
  button.type = 'button';
  button.title = set.labels[index];
  button.setAttribute('aria-label', set.labels[index]);
  button.setAttribute('aria-pressed', 'false');
  button.tabIndex = -1;
  button.className = 'tile';
  if (marked) button.append(Object.assign(document.createElement('span'), { className: 'mark' }));
  Object.assign(button.style, { width: w + 'px', height: h + 'px',
    backgroundPosition: `${-w * (index % sprite.columns)}px ${-h * Math.floor(index / sprite.columns)}px` });
  return button;
}

function build(grid, set) {
  const { sprite } = set;
  const zoom = Math.max(1, Math.round(TARGET / Math.max(sprite.tile_h, sprite.tile_w)));
  const marked = new Set(set.marked);
  const tiles = set.labels.map((_, index) => tileButton(set, index, marked.has(index), zoom));
  const sheet = document.createElement('style'); // the picture's long address once, not once per button
  sheet.textContent = `button.tile { background-image: url("${sprite.data_uri}"); background-size:
    ${sprite.tile_w * zoom * sprite.columns}px ${sprite.tile_h * zoom * Math.ceil(sprite.count / sprite.columns)}px; }`;
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
    grid.state.component.setTriggerValue('clicked', { index, nonce: Date.now() });
  });
}

function contents({ state: { set }, parentNode }) {
  const marked = new Set(set.marked);
  const rows = set.labels.map((label, index) => [index, label, Number(marked.has(index))]);
  return { node: parentNode.querySelector('.if-gallery'), title: set.title, file: set.title.toLowerCase().replaceAll(' ', '-'),
    rows: [['number', 'image', set.mark], ...rows] };
}

export default function (component) {
  const grid = component.parentElement.querySelector('.if-gallery');
  const message = unpack(component.data);
  if (!grid.state) {
    grid.state = { ticket: 0 };
    listen(grid);
    fileButtons(component.parentElement.querySelector('.if-files'), () => contents(grid));
  }
  grid.state.component = component;
  const ticket = ++grid.state.ticket;
  parked(message.fingerprint).then((set) => {
    if (ticket !== grid.state.ticket) return;
    if (grid.state.set !== set) build(grid, set);
    press(grid, message.selected);
  });
  return () => void (grid.state.ticket += 1);
}

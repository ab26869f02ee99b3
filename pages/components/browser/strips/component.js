// Two rows of buttons and the test image between them; all text goes in as text, never as HTML.
const SIDE = 64; // pixels of a thumbnail's longer side, to the nearest whole multiple of its own size
const HUES = ['--if-helpful', '--if-harmful'];

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function picture(sprite, tile, scale) {
  const zoom = Math.max(1, Math.round((SIDE * scale) / Math.max(sprite.tile_h, sprite.tile_w)));
  const [w, h] = [sprite.tile_w * zoom, sprite.tile_h * zoom];
  const node = element('div', 'tile');
  Object.assign(node.style, { width: w + 'px', height: h + 'px', backgroundImage: `url("${sprite.data_uri}")`,
    backgroundSize: `${w * sprite.columns}px ${h}px`, backgroundPosition: `${-w * tile}px 0` });
  return node;
}

function card(root, message, item, word) {
  const button = element('button', 'card');
  button.type = 'button';
  button.title = item.caption;
  button.setAttribute('aria-pressed', String(item.index === message.selected));
  button.setAttribute('aria-label', `${item.caption}, ${item.score} ${message.unit}, ${word}`);
  const image = picture(message.sprite, item.tile, 1);
  const caption = element('div', 'caption', item.caption);
  caption.style.maxWidth = `max(6.2rem, ${image.style.width})`;
  button.append(image, element('div', 'score', item.score), caption);
  button.addEventListener('click', () =>
    root.component.setTriggerValue('clicked', { index: item.index, nonce: Date.now() }));
  return button;
}

function row(root, message, { items, title, word }, hue) {
  const section = element('section', 'side');
  section.style.setProperty('--hue', `var(${hue})`);
  const line = element('div', 'row');
  line.append(...items.map((item) => card(root, message, item, word)));
  const none = element('p', 'none', 'No training point on this side.');
  const head = element('h4', '');
  head.append(element('span', 'swatch'), element('span', '', `${title} (${message.unit})`));
  section.append(head, items.length ? line : none);
  return section;
}

function middle(message) {
  const box = element('div', 'test');
  const image = picture(message.sprite, 0, 1.3);
  image.setAttribute('role', 'img');
  image.setAttribute('aria-label', message.test);
  box.append(image, element('div', 'caption', message.test));
  return box;
}

function contents(root) {
  const { rows, unit, heading, file } = root.message;
  const head = ['side', 'point', `predicted change, ${unit}`];
  return { node: root, title: heading, file,
    rows: [head, ...rows.flatMap(({ word, items }) => items.map(({ caption, value }) => [word, caption, value]))] };
}

export default function (component) {
  const root = component.parentElement.querySelector('.if-strip');
  const message = unpack(component.data);
  Object.assign(root, { component, message });
  const [helpful, harmful] = HUES.map((hue, k) => row(root, message, message.rows[k], hue));
  root.replaceChildren(helpful, middle(message), harmful);
  fileButtons(component.parentElement.querySelector('.if-files'), () => contents(root));
}

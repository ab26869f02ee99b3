// A text with words that can be clicked.  Pieces are texts, or [written, name, said, up, tint, stop] of a word.
import { element } from '../shared/dom.js';
import { component } from '../shared/start.js';
import { unpack } from '../shared/wire.js';
import STYLE from './component.css.js';

function word(handle, chosen, [written, name, said, up, tint, stop]) {
  const made = element('button', { type: 'button', className: up ? 'up' : 'down', ariaLabel: said, tabIndex: stop ? 0 : -1,
    ariaPressed: String(name === chosen), style: `--hue: var(--if-${up ? 'helpful' : 'harmful'}); --tint: ${tint / 255}`,
    onclick: () => handle.setTriggerValue('clicked', { word: name, nonce: Date.now() }) }, written);
  made.dataset.said = said;
  return made;
}

export default component((handle) => {
  const root = handle.parentElement.querySelector('.if-text');
  const { pieces, chosen, whole } = unpack(handle.data);
  root.classList.toggle('whole', whole);
  const focused = [...root.children].indexOf(root.getRootNode().activeElement);
  root.replaceChildren(...pieces.map((piece) => (typeof piece === 'string' ? piece : word(handle, chosen, piece))));
  root.children[focused]?.focus(); // the keyboard stays where it was
}, STYLE);

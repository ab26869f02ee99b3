// The server knows which card is the newest, and a button acts on that one, whichever card a slow browser still shows.
// So no press leaves here before the last one was heard and its card painted, nor sooner than anybody can look.
import { component } from '../shared/start.js';
import STYLE from './component.css.js';

const TURN = 150; // milliseconds until a switch that was turned has taken the focus
const LOOK = 250, GIVE_UP = 5000, SAY = 4000; // milliseconds
const SLIP = 'That key came before anybody could see the card it was for and was taken for a slip: look, then press again.';

const button = (name) => `.st-key-${name} button:not([disabled])`; // a button with a tip is there twice

const fields = (at) => at?.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at?.tagName ?? '');
const typing = (event) => fields(event.composedPath()[0]);
// Arrows move within a row of choices, the parts of the page, and are no keys of the card there.
const choosing = (event) => event.key?.startsWith('Arrow') && event.target.closest?.('[role="radiogroup"]');
const ticked = (at) => /^(checkbox|radio)$/.test(at?.type ?? '');

// Keys are dead while a field has the focus: Esc leaves it, and so does a switch that was just turned.
const leave = (which, wait) => setTimeout(() => which(document.activeElement) && document.activeElement.blur(), wait);

function start(host) {
  const guard = { seen: null, since: 0, due: 0, at: 0, heard: 0, keys: {}, others: [], free: [] };
  const press = (name, event) => {
    const now = performance.now();
    if (!guard.free.includes(name) && (guard.due > guard.heard || now - guard.since < LOOK)) {
      event.preventDefault();
      event.stopImmediatePropagation();
      const words = host.querySelector('.if-slip');
      words.textContent = SLIP;
      clearTimeout(guard.timer);
      guard.timer = setTimeout(() => (words.textContent = ''), SAY);
    } else {
      Object.assign(guard, { due: Math.max(guard.due, guard.heard) + 1, at: now });
    }
  };
  const key = (event) => {
    if (event.key === 'Escape') leave(fields, 0);
    if (event.key === ' ') turned();
    if (guard.box && event.key?.toLowerCase() === guard.box.key && !typing(event)) return open(event);
    const name = !choosing(event) && guard.keys[event.key?.toLowerCase()];
    if (name && !event.ctrlKey && !event.metaKey && !event.altKey && !typing(event) && document.querySelector(button(name))) press(name, event);
  };
  const click = (event) => {
    const names = event.isTrusted ? [...Object.values(guard.keys), ...guard.others] : []; // others are keys that were let go
    const hit = names.find((name) => event.target.closest?.(button(name)));
    if (hit) press(hit, event);
  };
  const open = (event) => {
    const box = document.querySelector(`.st-key-${guard.box.name} input`);
    if (!box || box.disabled) return;
    event.preventDefault(); // else the letter is the first one typed
    box.focus();
    box.click();
  };
  const move = (event) => choosing(event) && event.stopPropagation(); // Streamlit listens for keys at the document
  const turned = () => leave(ticked, TURN); // clicked, or turned by the space bar: which of the two is not told
  window.addEventListener('keydown', key, true);
  document.body.addEventListener('keydown', move);
  window.addEventListener('click', click, true);
  window.addEventListener('pointerup', turned, true);
  guard.stop = () => {
    window.removeEventListener('pointerup', turned, true);
    window.removeEventListener('keydown', key, true);
    document.body.removeEventListener('keydown', move);
    window.removeEventListener('click', click, true);
    clearTimeout(guard.timer);
  };
  return guard;
}

export default component(({ data, parentElement }) => {
  const guard = (parentElement.guard ??= start(parentElement)), now = performance.now();
  if (guard.seen !== data.card) guard.since = now;
  if (data.heard < guard.heard || now - guard.at > GIVE_UP) guard.due = 0; // another session, or a press that got lost
  Object.assign(guard, { seen: data.card, heard: data.heard, keys: data.keys, others: data.others, free: data.free, box: data.box });
  return () => {
    guard.stop();
    delete parentElement.guard;
  };
}, STYLE);

import { element } from '../shared/dom.js';
import { component } from '../shared/start.js';
import STYLE from './component.css.js';

const SEEN = 'influence-tour'; // in localStorage: the step to show next, or 'done'

function remember(value) {
  try {
    localStorage.setItem(SEEN, value);
  } catch { /* without storage the tour lasts as long as the session */ }
}

function recalled() {
  try {
    return localStorage.getItem(SEEN);
  } catch {
    return null;
  }
}

// The element a step speaks of may be painted seconds after the card, or be replaced.
function point(card, selector) {
  const mark = () => {
    const here = selector && document.querySelector(selector);
    for (const old of document.querySelectorAll('.if-tour-here')) if (old !== here) old.classList.remove('if-tour-here');
    here?.classList.add('if-tour-here');
  };
  clearInterval(card.timer);
  mark();
  if (selector) card.timer = setInterval(mark, 500);
}

function end(card) {
  remember('done');
  card.hidden = true;
  point(card, null);
}

const button = (text, onclick) => element('button', { type: 'button', onclick }, text);

// The card is there before the sidebar on the first run of a server.
function leadTo(page, tries = 300) {
  const link = document.querySelector(`[data-testid="stSidebar"] a[href*="${page}"]`);
  if (link) link.click();
  else if (tries) setTimeout(leadTo, 200, page, tries - 1);
}

// Each step belongs to a page: on another page the next step waits there, and its card leads to it.
function show(card, steps, page, at, focus = false) {
  if (!steps[at]) return end(card);
  remember(String(at));
  const step = steps[at];
  const title = element('strong', {}, `${at + 1} of ${steps.length} · ${step.title}`);
  const words = element('p', {}, step.words);
  const last = at === steps.length - 1;
  const next = button(last ? 'Done' : 'Next', () => {
    const following = steps[at + 1];
    if (!following) return end(card);
    show(card, steps, page, at + 1, true);
    if (following.page !== page) leadTo(following.page);
  });
  card.replaceChildren(title, words, next, ...(last ? [] : [button('Skip', () => end(card))]));
  card.hidden = false;
  point(card, step.page === page ? step.at : null);
  if (focus) next.focus();
}

export default component(({ parentElement, data: { page, steps } }) => {
  const card = parentElement.querySelector('.if-tour');
  card.onkeydown = (event) => { // returning false would take every other key from the browser, Tab and Enter among them
    if (event.key === 'Escape') end(card);
  };
  const memory = recalled();
  if (memory !== 'done' && card.page !== page) {
    card.page = page;
    const here = steps.findIndex((step) => step.page === page);
    show(card, steps, page, Math.max(Number(memory ?? 0), here, 0));
  }
  return () => {
    clearInterval(card.timer);
    for (const old of document.querySelectorAll('.if-tour-here')) old.classList.remove('if-tour-here');
  };
}, STYLE);

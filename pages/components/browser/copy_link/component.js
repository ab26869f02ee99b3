import { element } from '../shared/dom.js';
import { component } from '../shared/start.js';
import FRAME from './component.html.js';
import STYLE from './component.css.js';

// Outside https and localhost a page may not use navigator.clipboard; a selected text field does it there.
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = element('textarea', { value: text, readOnly: true, style: 'position:fixed;opacity:0' });
    document.body.append(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    return done;
  }
}

// A page's own link names no choices, and a new tab would start anew: it gets those of the address when it is pointed at.
function carryChoices(event) {
  const link = event.target.closest?.('[data-testid="stSidebar"] [data-testid="stPageLink-NavLink"]');
  if (link) link.search = location.search;
}

// A lesson link is the address without the lesson it may have come from, and with what it says and hides.
function address(look) {
  if (look === undefined) return location.href;
  const url = new URL(location.href);
  for (const [name, value] of Object.entries({ lesson: '', step: '', tune: '', ...look })) {
    if (value) url.searchParams.set(name, value);
    else url.searchParams.delete(name);
  }
  return url.href;
}

export default component(({ parentElement, data }) => {
  for (const kind of ['pointerover', 'focusin']) document.addEventListener(kind, carryChoices); // once: it is one function
  const root = parentElement.querySelector('.if-copy-link');
  if (!root.childElementCount) root.innerHTML = FRAME;
  const [button, status] = root.children;
  const usual = data?.words ?? 'The address bar holds the same link.';
  button.textContent = data?.label ?? 'Copy link';
  if (!button.timer) status.textContent = usual;
  button.onclick = async () => {
    const done = await toClipboard(address(data?.look));
    clearTimeout(button.timer);
    status.textContent = done ? 'Copied.' : 'The browser did not allow it: copy the address from the address bar.';
    button.focus();
    button.timer = setTimeout(() => {
      status.textContent = usual;
      button.timer = 0;
    }, 6000);
  };
}, STYLE);

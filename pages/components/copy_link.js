// Outside https and localhost a page may not use navigator.clipboard; a selected text field does it there.
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    field.setAttribute('readonly', '');
    field.style.cssText = 'position:fixed;opacity:0';
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

export default function (component) {
  for (const kind of ['pointerover', 'focusin']) document.addEventListener(kind, carryChoices); // once: it is one function
  const button = component.parentElement.querySelector('.if-copy');
  const status = component.parentElement.querySelector('.if-copied');
  const usual = (button.usual ??= status.textContent);
  button.onclick = async () => {
    const done = await toClipboard(location.href);
    clearTimeout(button.timer);
    status.textContent = done ? 'Copied.' : 'The browser did not allow it: copy the address from the address bar.';
    button.focus();
    button.timer = setTimeout(() => (status.textContent = usual), 6000);
  };
  button.disabled = false; // only a button that hears takes a click
}

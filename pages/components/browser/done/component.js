// Names of finished lessons, in the local storage of this browser: they are a courtesy and prove nothing.
import { component } from '../shared/start.js';

const KEPT = 'influence-lessons-done';

function remembered() {
  try {
    const names = JSON.parse(localStorage.getItem(KEPT) ?? '[]');
    return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
  } catch {
    return []; // without storage nothing is remembered
  }
}

export default component(({ data: { now }, parentElement, setStateValue }) => {
  const names = remembered();
  if (now && !names.includes(now)) {
    names.push(now);
    try {
      localStorage.setItem(KEPT, JSON.stringify(names));
    } catch { /* full or forbidden: no tick */ }
  }
  const told = names.join();
  if (told === (parentElement.told ?? '')) return;
  parentElement.told = told;
  setStateValue('names', names);
});

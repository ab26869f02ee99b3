// Streamlit has no autofocus.  Whoever has begun to work elsewhere is left alone.
import { component } from '../shared/start.js';

export default component(({ data, parentElement }) => {
  let last = null;
  // On a busy machine the field is drawn after this, or once more.
  const give = () => {
    const field = document.querySelector(`.st-key-${data.field} input`);
    if (!field || field === last || ![document.body, null].includes(document.activeElement)) return;
    (last = field).focus();
  };
  if (!parentElement.watch) {
    parentElement.watch = new MutationObserver(give);
    parentElement.watch.observe(document.body, { childList: true, subtree: true });
    give();
  }
  return () => parentElement.watch.disconnect();
});

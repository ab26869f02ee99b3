// What every component of our own is: a function of the newest data.  Streamlit calls a script at every change of data, also
// while the module of an earlier call is still on its way, and then cleans up after the overtaken call although its element
// stays.  So every call has a turn (starter.js gives it): the newest one counts, and only its cleanup cleans.
import { element } from './dom.js';

export function component(show, style) {
  return (handle, turn) => {
    const at = handle.parentElement;
    const current = () => turn === at.turn;
    if (!current()) return undefined;
    at.failed?.remove();
    if (style && !at.styled) at.append((at.styled = element('style', {}, style)));
    const leave = show(handle, current);
    return () => {
      if (!current()) return;
      at.turn += 1; // what it still waits for comes too late
      leave?.();
    };
  };
}

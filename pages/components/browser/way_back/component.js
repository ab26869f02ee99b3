// A login ends at the home page: the address that was asked for waits in this tab, and is gone once it was used.
import { component } from '../shared/start.js';

const WANTED = 'influence-wanted';

export default component(({ data }) => {
  try {
    if (data.known) {
      const address = sessionStorage.getItem(WANTED);
      sessionStorage.removeItem(WANTED);
      if (address?.startsWith(location.origin + '/') && address !== location.href) location.replace(address);
    } else {
      sessionStorage.setItem(WANTED, location.href);
    }
  } catch { /* without storage one starts at the home page */ }
});

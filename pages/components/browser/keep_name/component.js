// A cookie, because the server sees it before the first paint; it says who sat here last and proves nothing.
import { component } from '../shared/start.js';

const YEAR = 31536000;

export default component(({ data: { cookie, name } }) => {
  const age = name ? YEAR : 0;
  document.cookie = `${cookie}=${encodeURIComponent(name)}; Max-Age=${age}; Path=/; SameSite=Lax`;
});

// A cookie, because the server sees it before the first paint; it says who sat here last and proves nothing.
const YEAR = 31536000;

export default function (component) {
  const { cookie, name } = component.data;
  const age = name ? YEAR : 0;
  document.cookie = `${cookie}=${encodeURIComponent(name)}; Max-Age=${age}; Path=/; SameSite=Lax`;
}

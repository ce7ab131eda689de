// What the server's own pages do beside the player. It runs before the player's
// script, which reads the attributes set here.
const player = document.querySelector("vitascope-player");

// Tokens come in the fragment, which browsers send to nobody. They leave the
// address bar before anything else can read it.
const fragment = new URLSearchParams(location.hash.slice(1));
for (const name of ["token", "viewer-token"]) {
  const value = fragment.get(name);
  if (value && player) player.setAttribute(name, value);
  fragment.delete(name);
}
if (location.hash) {
  const rest = fragment.toString();
  history.replaceState(history.state, "", location.pathname + location.search + (rest && "#" + rest));
}

// A page that was served before it was known what for learns the name from the player.
player?.addEventListener("api-ready", () => {
  const name = player.config?.name;
  const title = document.querySelector("h1[data-unnamed]");
  if (!name || !title) return;
  title.textContent = name;
  title.hidden = false;
  document.title = name;
}, { once: true });

import type { Facade } from "../contract";

const css = /* css */ `
form { position: relative; display: grid; gap: 10px; width: min(280px, 86cqi); font: inherit }
label { display: grid; gap: 6px; text-align: center }
input {
  box-sizing: border-box; width: 100%; padding: 9px 12px; border: 1px solid #ffffff80; border-radius: 8px;
  background: #0006; color: #fff; font: inherit;
}
form button {
  all: unset; padding: 9px 12px; border-radius: 8px; background: var(--vitascope-accent, #6457f9); color: #fff;
  font-weight: 600; text-align: center; cursor: pointer;
}
input:focus-visible, form button:focus-visible { outline: 2px solid #fff; outline-offset: 2px }
.wrong { margin: 0; color: #ffb4ab }
`;

/** Asks for the password of a video, in the box. It is sent in a body, and kept nowhere. */
export function askPassword(facade: Facade, wrong: boolean): void {
  const { box, root, line } = facade;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  line.textContent = "";
  box.querySelector("form")?.remove();
  const form = document.createElement("form");
  const label = document.createElement("label");
  const input = document.createElement("input");
  const button = document.createElement("button");
  const note = document.createElement("p");
  Object.assign(input, { type: "password", required: true, autocomplete: "current-password" });
  label.append("This video has a password", input);
  button.textContent = "Watch";
  note.className = "wrong";
  note.setAttribute("role", "alert");
  note.textContent = wrong ? "That is not the password. Try again." : "";
  form.append(label, button, note);
  form.onsubmit = (event) => {
    event.preventDefault();
    facade.credentials = { ...facade.credentials, password: input.value };
    button.textContent = "…";
    facade.load(true);
  };
  void facade.playable.then(() => form.remove());
  box.append(form);
  if (wrong) input.focus();
}

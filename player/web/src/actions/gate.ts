import type { ActionConfig } from "../contract";
import type { Player } from "../player/part";
import type { Shown } from "./actions";
import { element, panel } from "./panel";

const KEY = "vitascope-gates";
/** Gates answered on this page, for viewers of whom nothing may be kept. */
const answered = new Set<string>();

/** Whether this viewer has answered the gate before. */
export function wasAsked(id: string): boolean {
  return answered.has(id) || kept().includes(id);
}

/** Asks for an email address; playback waits for it, or for "skip" where that is offered. */
export function emailGate(player: Player, action: ActionConfig, done: () => void): Shown {
  const { host, config } = player;
  player.act("gate", action.id, "impression", action.text);
  const form = element("form", "", "card");
  form.noValidate = true;
  const email = field("Email", { type: "email", name: "email", autocomplete: "email", required: true, maxLength: 200 });
  email.input.value = host.getAttribute("email") ?? "";
  const first = field("First name", { name: "first_name", autocomplete: "given-name", maxLength: 200 });
  const last = field("Last name", { name: "last_name", autocomplete: "family-name", maxLength: 200 });
  const problem = element("p", "", "problem");
  problem.setAttribute("role", "alert");
  const send = element("button", action.button || "Watch", "main");
  const row = element("div", "", "row");
  row.append(send);
  const close = (): void => {
    shown.close();
    done();
  };
  const pass = (): void => {
    player.act("gate", action.id, "skip");
    keep(player, action.id);
    close();
  };
  if (action.skippable) {
    const skip = element("button", "Skip");
    skip.type = "button";
    skip.onclick = pass;
    row.append(skip);
  }
  form.append(element("h2", action.text));
  if (action.description) form.append(element("p", action.description));
  form.append(...(action.ask_name ? [first.label, last.label] : []), email.label, problem, row);
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (!email.input.validity.valid) {
      problem.textContent = email.input.value ? "That does not look like an email address." : "Enter your email address to go on.";
      email.input.setAttribute("aria-invalid", "true");
      email.input.focus();
      return;
    }
    send.disabled = true;
    const sent = await submit(config.leads_url ?? "", {
      view_token: config.view_token, action_id: action.id, email: email.input.value.trim(),
      first_name: first.input.value.trim(), last_name: last.input.value.trim(),
    });
    send.disabled = false;
    if (sent !== "") {
      problem.textContent = sent;
      return;
    }
    player.act("gate", action.id, "convert");
    player.flush();
    player.emit("conversion", { type: "gate", id: action.id });
    keep(player, action.id);
    close();
  };
  const shown = panel(player, action.text, form, action.skippable ? pass : undefined);
  return shown;
}

// Hands the lead in; returns what is wrong, or nothing.
async function submit(url: string, lead: Record<string, string>): Promise<string> {
  if (!url) return "";
  try {
    const res = await fetch(url, { method: "POST", body: JSON.stringify(lead), credentials: "omit" });
    if (res.ok) return "";
    if (res.status === 422) return "That could not be taken. Check the address.";
    return "That could not be sent. Try again in a moment.";
  } catch {
    return "That could not be sent. Check the connection and try again.";
  }
}

function field(text: string, values: Partial<HTMLInputElement>): { label: HTMLLabelElement; input: HTMLInputElement } {
  const label = element("label");
  const input = element("input");
  Object.assign(input, values);
  label.append(text, input);
  return { label, input };
}

// That a gate was answered is kept on the site only with consent; else for this page.
function keep(player: Player, id: string): void {
  answered.add(id);
  if (!player.consents()) return;
  try {
    localStorage.setItem(KEY, JSON.stringify([...new Set([...kept(), id])].slice(-100)));
  } catch {
    // Storage is full or refused: it is asked again next time.
  }
}

function kept(): string[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(value) ? value.filter((id): id is string => typeof id === "string") : [];
  } catch {
    return [];
  }
}

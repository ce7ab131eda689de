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
  const more = [
    field("First name", { name: "first_name", autocomplete: "given-name", maxLength: 100 }, "name"),
    field("Last name", { name: "last_name", autocomplete: "family-name", maxLength: 100 }, "name"),
    field("Company", { name: "company", autocomplete: "organization", maxLength: 100 }, "company"),
    field("Phone", { type: "tel", name: "phone", autocomplete: "tel", maxLength: 40 }, "phone"),
  ].filter(({ asked }) => action.fields?.includes(asked as "name"));
  const agree = field(action.consent ?? "", { type: "checkbox", name: "consent" });
  agree.label.className = "agree";
  const problem = element("p", "", "problem");
  problem.setAttribute("role", "alert");
  const send = element("button", action.button || "Watch", "main");
  const skip = element("button", "Skip");
  const row = element("div", "", "row");
  row.append(send);
  let failures = 0;
  let sending = false;
  const close = (): void => {
    shown.close();
    done();
  };
  const pass = (): void => {
    player.act("gate", action.id, "skip");
    keep(player, action.id);
    close();
  };
  skip.type = "button";
  skip.onclick = pass;
  if (action.skippable) row.append(skip);
  form.append(element("h2", action.text));
  if (action.description) form.append(element("p", action.description));
  form.append(email.label, ...more.map(({ label }) => label), ...(action.consent ? [agree.label] : []), problem, row);
  const wrong = (input: HTMLInputElement, text: string): void => {
    problem.textContent = text;
    input.setAttribute("aria-invalid", "true");
    input.focus();
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (sending) return;
    for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
    problem.textContent = "";
    if (!email.input.validity.valid) {
      return wrong(email.input, email.input.value ? "That does not look like an email address." : "Enter your email address to go on.");
    }
    if (action.consent && !agree.input.checked) return wrong(agree.input, "Agree to go on.");
    // Not disabled: that would take the focus from it.
    sending = true;
    send.ariaDisabled = "true";
    const answer = await submit(config.leads_url ?? "", {
      view_token: config.view_token, action_id: action.id, email: email.input.value.trim(),
      ...Object.fromEntries(more.map(({ input }) => [input.name, input.value.trim()])),
      ...(action.consent && { consent: action.consent }), page: location.origin + location.pathname,
    });
    sending = false;
    send.ariaDisabled = null;
    if (answer.problem) {
      problem.textContent = answer.problem;
      // Nobody is locked out because the server is away.
      if (answer.away && ++failures > 1 && !action.skippable) {
        skip.textContent = "Watch without";
        row.append(skip);
      }
      return;
    }
    player.act("gate", action.id, "convert");
    if (answer.viewer_token) player.identify(answer.viewer_token);
    player.flush();
    player.emit("conversion", { type: "gate", id: action.id });
    keep(player, action.id);
    close();
  };
  const shown = panel(player, action.text, form, action.skippable ? pass : undefined);
  return shown;
}

/** What became of a lead: nothing is wrong when there is no problem. */
interface Answer {
  problem?: string;
  /** Not the viewer's fault. */
  away?: boolean;
  /** Names the viewer in what is reported from now on, if there is consent. */
  viewer_token?: string;
}

// Hands the lead in, in a body: it is in no address.
async function submit(url: string, lead: Record<string, string | undefined>): Promise<Answer> {
  if (!url) return {};
  try {
    const res = await fetch(url, { method: "POST", body: JSON.stringify(lead), credentials: "omit" });
    if (res.ok) return (await res.json().catch(() => ({}))) as Answer;
    if (res.status === 422) return { problem: "That could not be taken. Check the address." };
    if (res.status === 429) return { problem: "Too many answers from this network. Wait a minute and try again.", away: true };
    return { problem: "That could not be sent. Try again in a moment.", away: true };
  } catch {
    return { problem: "That could not be sent. Check the connection and try again.", away: true };
  }
}

function field(text: string, values: Partial<HTMLInputElement>, asked = ""): { label: HTMLLabelElement; input: HTMLInputElement; asked: string } {
  const label = element("label");
  const input = element("input");
  Object.assign(input, values);
  const words = element("span", text);
  label.append(...(values.type === "checkbox" ? [input, words] : [words, input]));
  return { label, input, asked };
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

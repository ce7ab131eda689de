// The theme: as the system says until the person says otherwise.

type Theme = "light" | "dark";
const key = "vitascope-theme";

class ThemeState {
  #system = $state<Theme>("light");
  #chosen = $state<Theme | undefined>();
  /** current is the theme in use. */
  current = $derived(this.#chosen ?? this.#system);

  /** start reads both sources, applies the theme and follows the system. */
  start(): void {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const stored = readStored();
    this.#chosen = stored === "light" || stored === "dark" ? stored : undefined;
    this.#system = dark.matches ? "dark" : "light";
    dark.addEventListener("change", () => {
      this.#system = dark.matches ? "dark" : "light";
      this.#apply();
    });
    this.#apply();
  }

  /** toggle switches the theme; choosing what the system says follows it again. */
  toggle(): void {
    const next: Theme = this.current === "dark" ? "light" : "dark";
    this.#chosen = next === this.#system ? undefined : next;
    writeStored(this.#chosen);
    this.#apply();
  }

  #apply(): void {
    document.documentElement.dataset.theme = this.current;
  }
}

function readStored(): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // storage is forbidden: the choice lasts for this page
  }
}

function writeStored(theme: Theme | undefined): void {
  try {
    if (theme) localStorage.setItem(key, theme);
    else localStorage.removeItem(key);
  } catch {
    // storage is forbidden: the choice lasts for this page
  }
}

export const theme = new ThemeState();

import { message } from "../api/client";

// Task is something a form or a list asks of the server: whether it runs, what went
// wrong, and what is to be said of it once it has ended.
export class Task {
  busy = $state(false);
  problem = $state("");
  said = $state("");

  // run gives what the action gave, and nothing where it failed.
  async run<T>(action: () => Promise<T>): Promise<{ value: T } | undefined> {
    this.problem = this.said = "";
    this.busy = true;
    try {
      return { value: await action() };
    } catch (error) {
      this.problem = message(error);
    } finally {
      this.busy = false;
    }
  }

  // refuse says what is wrong before anything is asked.
  refuse(problem: string) {
    this.said = "";
    this.problem = problem;
  }
}

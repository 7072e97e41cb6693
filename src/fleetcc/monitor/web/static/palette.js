// The canvas takes its colours from the style sheet, and again when the browser goes dark or light.

const NAMES = [
  "ground", "text", "faint", "line", "stripe", "running", "here", "done", "done-here", "failed", "cancelled",
  "moving", "on-bar", "on-strong", "focus",
];

export class Palette {
  constructor(changed) {
    this.read();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.read();
      changed();
    });
  }

  read() {
    const style = getComputedStyle(document.documentElement);
    for (const name of NAMES) this[name] = style.getPropertyValue(`--${name}`).trim();
  }

  of(stay, isHere) {
    if (stay.end === null) return isHere ? this.here : this.running;
    const { job } = stay;
    if (job.state === "failed") return this.failed;
    if (job.state === "cancelled" || job.host !== stay.host) return this.cancelled; // it left for another host
    return isHere ? this["done-here"] : this.done;
  }

  // Of text on what `of` answers.
  on(stay) {
    return stay.end === null || stay.job.state === "failed" ? this["on-strong"] : this["on-bar"];
  }
}

export const LEGEND = [
  ["running", "running"],
  ["here", "running here"],
  ["done", "done"],
  ["done-here", "done here"],
  ["failed", "failed"],
  ["cancelled", "cancelled or moved"],
];

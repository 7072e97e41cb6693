// What is known of one job: in short for the pointer, in full in a pane that stays up to date.

import { bytes, clock, count, exit, seconds } from "./format.js";
import { nameOf } from "./paint.js";
import { ENDED, HERE } from "./picture.js";
import { element } from "./table.js";

const MODES = { files: "files of the source tree", text: "preprocessed text", pump: "files, by distcc's pump" };

export function placeOf(job) {
  if (!job.host) return "";
  const host = job.host === HERE ? "here" : job.host;
  return job.slot >= 0 ? `${host}, slot ${job.slot + 1}` : host;
}

export function lifeOf(job, now) {
  return seconds(Math.max(0, ENDED.has(job.state) ? job.seconds : now - job.started));
}

export function inShort(job, now) {
  const parts = [nameOf(job), job.state, placeOf(job), lifeOf(job, now)];
  if (job.reason && job.reason !== "remote") parts.push(job.reason);
  return parts.filter(Boolean).join(" · ");
}

// Its state; of a compiler that did not succeed also how it ended.
export function endOf(job) {
  return ENDED.has(job.state) && job.status > 0 ? `${job.state}, ${exit(job.status)}` : job.state;
}

// Names and texts, only of what is known.
function facts(job, now, reasons) {
  const all = [
    ["State", endOf(job)],
    ["Where", placeOf(job)],
    ["Why there", job.reason && `${job.reason}: ${reasons[job.reason] ?? ""}`],
    ["More", job.detail],
    ["Source", job.label],
    ["Directory", job.directory],
    ["Build", job.build],
    ["Client", job.client],
    ["Travels as", MODES[job.mode]],
    ["Files", job.files && count(job.files)],
    ["Began", clock(job.started)],
    ["Took", lifeOf(job, now)],
    ["Predicted", job.predicted && seconds(job.predicted)],
    ["Compiler ran", job.run_seconds && seconds(job.run_seconds)],
    ["Processor time", job.cpu_seconds && seconds(job.cpu_seconds)],
    ["Peak memory", job.peak_bytes && bytes(job.peak_bytes)],
    ["Sent", job.sent && bytes(job.sent)],
    ["Received", job.received && bytes(job.received)],
  ];
  return all.filter(([, text]) => text);
}

export class Details {
  constructor(pane, picture, reasons) {
    Object.assign(this, { pane, picture, reasons });
    this.title = element("h3", { id: "details-title" });
    this.close = element("button", { type: "button", className: "close", textContent: "Close", title: "Escape" });
    this.facts = element("dl");
    this.life = element("ol");
    this.close.addEventListener("click", () => this.hide());
    pane.append(this.title, this.close, this.facts, this.life);
    pane.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.hide();
    });
  }

  // `from` gets the focus back.
  show(job, from) {
    this.job = job;
    this.from = from;
    this.pane.hidden = false;
    this.update();
    this.pane.focus({ preventScroll: true });
  }

  hide() {
    this.pane.hidden = true;
    this.job = null;
    if (this.from?.isConnected) this.from.focus();
  }

  update() {
    const { job } = this;
    if (!job) return;
    const now = this.picture.now();
    this.title.textContent = nameOf(job);
    refill(this.facts, facts(job, now, this.reasons).flatMap(([name, text]) => [["dt", name], ["dd", text]]));
    refill(this.life, job.phases.map((phase, at) => ["li", this.phase(phase, job.phases[at + 1], now)]));
  }

  phase({ state, time, host }, next, now) {
    if (ENDED.has(state)) return `${state} at ${clock(time)}`;
    const span = seconds(Math.max(0, (next?.time ?? now) - time));
    return `${state}${host ? ` (${host === HERE ? "here" : host})` : ""}: ${span}`;
  }
}

// The children become these; one that says it already stays.
export function refill(parent, wanted) {
  wanted.forEach(([name, text], at) => {
    let child = parent.children[at];
    if (child?.localName !== name) {
      const made = element(name);
      if (child) child.replaceWith(made);
      else parent.append(made);
      child = made;
    }
    if (child.textContent !== text) child.textContent = text;
  });
  while (parent.children.length > wanted.length) parent.lastElementChild.remove();
}

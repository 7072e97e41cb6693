// The tables of the page.

import { endOf, lifeOf, placeOf } from "./details.js";
import { bytes, clock, count, plural, seconds } from "./format.js";
import { HERE } from "./picture.js";
import { Table, element } from "./table.js";

const MOST_SQUARES = 64; // of one host
const MOST_ENDED = 100; // rows that may all be new each time

export function hostTable(parent, picture, open) {
  return new Table(parent, {
    id: "host-table",
    key: (host) => host.name,
    open,
    empty: "No job has named any host yet.",
    columns: [
      { title: "Host", text: (host) => titleOf(host), by: (host) => host.name, wide: true },
      { title: "State", text: stateOf, by: stateOf, kind: "state" },
      { title: "Slots", cell: squares, by: (host) => host.running, number: true, kind: "squares" },
      { title: "Done", text: (host) => count(host.done), by: (host) => host.done, number: true },
      { title: "Failed", text: (host) => count(host.failed), by: (host) => host.failed, number: true },
      { title: "Speed", text: speedOf, by: (host) => host.event.speed ?? 0, number: true },
      { title: "Busy", text: (host) => busyOf(host, picture), by: (host) => host.busy, number: true },
    ],
  });
}

export function clientTable(parent, open) {
  const waiting = (client) => client.now.size - running(client);
  return new Table(parent, {
    id: "host-table",
    key: (client) => client.name,
    open,
    empty: "No client has had a job here since this page was opened.",
    columns: [
      { title: "Client", text: (client) => client.name, by: (client) => client.name, wide: true },
      { title: "Running", text: (client) => count(running(client)), by: running, number: true },
      { title: "Waiting", text: (client) => count(waiting(client)), by: waiting, number: true },
      { title: "Done", text: (client) => count(client.done), by: (client) => client.done, number: true },
      { title: "Failed", text: (client) => count(client.failed), by: (client) => client.failed, number: true },
      { title: "Compiled for", text: (client) => seconds(client.busy), by: (client) => client.busy, number: true },
    ],
  });
}

export function nowTable(parent, picture, open) {
  return new Table(parent, {
    id: "now-table",
    key: (job) => job.job,
    open,
    empty: "No job is here now.",
    columns: [
      { title: "Job", text: (job) => job.label || `job ${job.job}`, by: (job) => job.label ?? "", wide: true },
      { title: "State", text: (job) => job.state, by: (job) => job.state },
      { title: "Where", text: placeOf, by: placeOf, kind: "place" },
      { title: "Since", text: (job) => lifeOf(job, picture.now()), by: (job) => -job.started, number: true },
      { title: "Predicted", text: (job) => span(job.predicted), by: (job) => job.predicted ?? 0, number: true, kind: "agents" },
      { title: "Sent", text: (job) => size(job.sent), by: (job) => job.sent ?? 0, number: true },
    ],
  });
}

export function endedTable(parent, open) {
  return new Table(parent, {
    id: "ended-table",
    key: (job) => job.job,
    open,
    empty: "None yet.",
    most: MOST_ENDED,
    steady: true,
    columns: [
      { title: "Job", text: (job) => job.label || `job ${job.job}`, by: (job) => job.label ?? "", wide: true },
      { title: "End", text: endOf, by: endOf },
      { title: "Where", text: placeOf, by: placeOf, kind: "place" },
      { title: "Why", text: (job) => job.reason ?? "", by: (job) => job.reason ?? "", kind: "agents" },
      { title: "Took", text: (job) => span(job.seconds), by: (job) => job.seconds, number: true },
      { title: "Sent", text: (job) => size(job.sent), by: (job) => job.sent ?? 0, number: true },
      { title: "At", text: (job) => clock(job.ended), by: (job) => job.ended, number: true },
    ],
  });
}

export function reasonTable(parent, reasons) {
  return new Table(parent, {
    id: "reason-table",
    key: ([reason]) => reason,
    empty: "Every job so far ran on a host.",
    columns: [
      { title: "Jobs", text: ([, jobs]) => count(jobs), by: ([, jobs]) => jobs, number: true },
      { title: "Reason", text: ([reason]) => reason, by: ([reason]) => reason },
      { title: "What it means", text: ([reason]) => reasons[reason] ?? "", wide: true },
    ],
  });
}

export function titleOf(host) {
  return host.name === HERE ? "here (this machine)" : host.name;
}

export function stateOf(host) {
  const { state = "", pause = 0, why = "" } = host.event;
  return (pause > 0 ? `${state}, left alone ${seconds(pause)}` : state) + (why ? `: ${why}` : "");
}

function running(client) {
  let number = 0;
  for (const job of client.now) number += job.slot >= 0 ? 1 : 0;
  return number;
}

function speedOf(host) {
  return host.event.speed ? host.event.speed.toFixed(2) : "";
}

// Of the time that its slots had since the watching began.
export function busyOf(host, picture) {
  const now = picture.now();
  const had = (now - picture.since) * host.slots;
  let busy = host.busy;
  for (const lane of host.lanes) if (lane.job) busy += now - lane.job.stay.start;
  return had > 0 ? `${Math.min(100, (100 * busy) / had).toFixed(0)} %` : "";
}

function span(value) {
  return value ? seconds(value) : "";
}

function size(value) {
  return value ? bytes(value) : "";
}

// One square for each slot, and the numbers in words.
function squares(cell, host) {
  if (!cell.words) {
    cell.drawing = element("span", { className: "slots" });
    cell.drawing.setAttribute("aria-hidden", "true");
    cell.append(cell.drawing, (cell.words = element("span")));
  }
  const words = `${plural(host.running, "job")} on ${host.slots}`;
  if (cell.words.textContent !== words) cell.words.textContent = words;
  const lanes = host.lanes.slice(0, MOST_SQUARES).filter((lane) => lane.job || lane.slot < host.slots);
  while (cell.drawing.children.length > lanes.length) cell.drawing.lastElementChild.remove();
  lanes.forEach((lane, at) => {
    const square = cell.drawing.children[at] ?? cell.drawing.appendChild(element("i"));
    const state = lane.job ? `busy ${lane.job.state}` : "";
    if (square.className !== state) square.className = state;
  });
}

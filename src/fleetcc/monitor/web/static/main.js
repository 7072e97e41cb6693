// The page: events go into the picture, the picture onto the screen. `#/` shows all, `#/host/NAME` and
// `#/client/NAME` one of them.

import { Details, inShort, refill } from "./details.js";
import { Feed } from "./feed.js";
import { bytes, count, plural, seconds } from "./format.js";
import { busyOf, clientTable, endedTable, hostTable, nowTable, reasonTable, stateOf, titleOf } from "./lists.js";
import { LEGEND, Palette } from "./palette.js";
import { HERE, Picture } from "./picture.js";
import { element } from "./table.js";
import { Timeline } from "./timeline.js";

const PART_MS = 70; // one part of the page is brought up to date so often
const SPOKEN_MS = 10000; // a screen reader hears the summary at most so often
const BY_NAME = new Intl.Collator("en", { numeric: true });

const byId = (id) => document.getElementById(id);
const picture = new Picture();
const reasons = {};
let route = { kind: "all", name: "" };
let hosts = null; // the table; of a server: its clients

const details = new Details(byId("details"), picture, reasons);
const colours = new Palette(() => timeline.touch());
const timeline = new Timeline(byId("timeline"), picture, colours, {
  hosts: hostsInView,
  isOther: (job) => route.kind === "client" && job.client !== route.name,
  chose,
  over,
});
const now = nowTable(byId("now"), picture, openJob);
const why = reasonTable(byId("why"), reasons);
const ended = endedTable(byId("ended"), openJob);
const parts = [figures, showHosts, showNow, showWhy, showEnded, () => details.update()];

function openJob(job, row) {
  details.show(job, row);
}

function open(kind) {
  return (view) => (location.hash = `#/${kind}/${encodeURIComponent(view.name)}`);
}

// -- what is in view

function hostsInView() {
  const all = [...picture.hosts.values()];
  if (route.kind === "host") return all.filter((host) => host.name === route.name);
  return all.sort((a, b) => (b.name === HERE) - (a.name === HERE) || BY_NAME.compare(a.name, b.name));
}

function isInView(job) {
  if (route.kind === "host") return job.host === route.name;
  return route.kind !== "client" || job.client === route.name;
}

function recent() {
  const place = { host: picture.hosts, client: picture.clients }[route.kind]?.get(route.name);
  const list = place ? place.recent : route.kind === "all" ? picture.finished : [];
  const words = byId("find").value.toLowerCase();
  const found = [];
  for (let at = list.length - 1; at >= 0 && list[at]; at -= 1) {
    if (!words || isFound(list[at], words)) found.push(list[at]);
  }
  return found;
}

function isFound(job, words) {
  const { label = "", reason = "", state, host } = job;
  return `${label} ${reason} ${state} ${host}`.toLowerCase().includes(words);
}

// -- the parts

function figures() {
  const time = picture.now();
  const jobs = [...picture.jobs.values()].filter(isInView);
  const placed = jobs.filter((job) => job.host);
  const tellsHere = route.kind === "all" && !picture.isServer;
  const here = tellsHere ? placed.filter((job) => job.host === HERE).length : 0;
  const all = [
    ["Running", count(placed.length - here)],
    ...(tellsHere ? [["Here", count(here)]] : []),
    ...(route.kind === "host" ? [] : [["Waiting", count(jobs.length - placed.length)]]),
    ...(route.kind === "all" ? wholeFigures(time) : placeFigures(time)),
  ];
  showPairs(byId("figures"), all);
}

function showPairs(list, pairs) {
  while (list.children.length > pairs.length) list.lastElementChild.remove();
  pairs.forEach(([name, text], at) => {
    const pair = list.children[at] ?? list.appendChild(element("div"));
    refill(pair, [["dt", name], ["dd", text]]);
  });
}

function wholeFigures(time) {
  const local = picture.local;
  return [
    ["Done", count(picture.done)],
    ["Failed", count(picture.failed)],
    ["Jobs a second", picture.rate(time).toFixed(1)],
    ["Sent", bytes(picture.sent)],
    ["Received", bytes(picture.received)],
    ["Load", (local.load ?? 0).toFixed(1)],
    ...(local.limited_by ? [["Limited by", local.limited_by]] : []),
    ...(local.store_bytes ? [["Store", bytes(local.store_bytes)]] : []),
  ];
}

function placeFigures() {
  const host = picture.hosts.get(route.name);
  const client = picture.clients.get(route.name);
  if (route.kind === "client") {
    if (!client) return [];
    return [["Done", count(client.done)], ["Failed", count(client.failed)], ["Compiled for", seconds(client.busy)]];
  }
  if (!host) return [];
  const { event } = host;
  return [
    ["Slots", count(host.slots)],
    ["Done", count(host.done)],
    ["Failed", count(host.failed)],
    ["Busy", busyOf(host, picture) || "0 %"],
    ["Speed", event.speed ? event.speed.toFixed(2) : "not known yet"],
    ["Takes", event.takes_files ? "files" : host.name === HERE ? "all" : "preprocessed text"],
  ];
}

function showPlace() {
  const place = byId("place");
  const { kind, name } = route;
  const host = picture.hosts.get(name);
  const isKnown = kind === "host" ? host : picture.clients.has(name);
  const told = host ? [stateOf(host), host.event.server].filter(Boolean).join(" · ") : "";
  const unknown = kind === "host" ? "No host of this name is known." : "No job of this client has been seen.";
  const text = isKnown ? told : unknown;
  place.hidden = kind === "all" || !text;
  if (place.textContent !== text) place.textContent = text;
}

function showHosts() {
  showPlace();
  if (!picture.hello || route.kind !== "all") return;
  const isServer = picture.isServer;
  if (hosts?.isServer !== isServer) {
    byId("host-table")?.parentElement.remove();
    hosts?.note.remove();
    byId("hosts-title").textContent = isServer ? "Clients" : "Hosts";
    hosts = isServer ? clientTable(byId("hosts"), open("client")) : hostTable(byId("hosts"), picture, open("host"));
    hosts.isServer = isServer;
    document.body.dataset.source = picture.hello.source;
  }
  const clients = () => [...picture.clients.values()].sort((a, b) => BY_NAME.compare(a.name, b.name));
  hosts.show(isServer ? clients() : hostsInView());
}

function showNow() {
  const jobs = [...picture.jobs.values()].filter(isInView);
  now.show([...jobs.filter((job) => job.host), ...jobs.filter((job) => !job.host)]);
}

function showWhy() {
  const local = [...picture.byReason].filter(([reason]) => reason !== "remote");
  byId("why").hidden = picture.isServer || route.kind !== "all";
  why.show(local.sort((a, b) => b[1] - a[1]));
}

function showEnded() {
  ended.show(recent());
}

function speak() {
  if (!picture.hello || document.hidden) return;
  const { size } = picture.jobs;
  const waiting = [...picture.jobs.values()].filter((job) => !job.host).length;
  const failed = picture.failed ? `, ${count(picture.failed)} failed` : "";
  const text = `${count(size - waiting)} running, ${count(waiting)} waiting, ${count(picture.done)} done${failed}`;
  if (byId("spoken").textContent !== text) byId("spoken").textContent = text;
}

// -- the timeline

function chose(found, isOpened) {
  byId("said").textContent = found ? inShort(found.stay.job, picture.now()) : "";
  if (found && isOpened) details.show(found.stay.job, timeline.canvas);
}

function over(found, x, y) {
  const tip = byId("tip");
  tip.hidden = !found;
  if (!found) return;
  tip.textContent = inShort(found.stay.job, picture.now());
  tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${y + 18 + tip.offsetHeight > innerHeight ? y - tip.offsetHeight - 8 : y + 18}px`;
}

function setUpTimeline() {
  const buttons = [...document.querySelectorAll("[data-do]")];
  for (const button of buttons) button.addEventListener("click", () => timeline.do(button.dataset.do));
  timeline.windowChanged = (follows) => {
    buttons.find((button) => button.dataset.do === "now").setAttribute("aria-pressed", String(follows));
  };
  for (const [name, text] of LEGEND) {
    const entry = element("span", { className: `entry-${name}`, textContent: text });
    entry.prepend(element("i", { className: `bar-${name}` }));
    byId("legend").append(entry);
  }
}

// -- where we are

function navigate() {
  const found = /^#\/(host|client)\/(.+)$/.exec(location.hash);
  route = { kind: "all", name: "" };
  if (found) {
    try {
      route = { kind: found[1], name: decodeURIComponent(found[2]) };
    } catch {
      // not of our making: all is shown
    }
  }
  const title = route.kind === "all" ? "Overview" : route.name === HERE ? titleOf({ name: HERE }) : route.name;
  byId("title").textContent = title;
  document.title = route.kind === "all" ? "fleetcc" : `${title} - fleetcc`;
  byId("hosts").hidden = route.kind !== "all";
  byId("now-title").textContent = route.kind === "all" ? "Jobs now" : "Its jobs now";
  byId("ended-title").textContent = route.kind === "all" ? "Jobs that ended" : "Its jobs that ended";
  timeline.chosen = null;
  timeline.top = 0;
  timeline.touch();
  for (const part of parts) part();
}

function became(state) {
  const banner = byId("banner");
  const texts = {
    broken: "Disconnected: what is shown may be old. Trying to connect again…",
    away: "No agent runs; the first compile starts one. Waiting for it…",
  };
  banner.hidden = !texts[state];
  banner.textContent = texts[state] ?? "";
  document.body.dataset.state = state;
}

function drained() {
  const { hello, lost } = picture;
  const who = hello ? `${hello.program}, ${hello.source} with pid ${hello.pid}` : "";
  if (byId("who").textContent !== who) byId("who").textContent = who;
  if (!lost) return;
  byId("lost").hidden = false;
  byId("lost").textContent = `This browser was too slow: ${plural(lost, "event")} lost, so counts may be too small.`;
}

let due = 0;
let nextPart = 0;
function frame(time) {
  requestAnimationFrame(frame);
  timeline.frame();
  if (time < due) return;
  due = time + PART_MS;
  parts[nextPart]();
  nextPart = (nextPart + 1) % parts.length;
}

byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address keeps saying which page this is
  byId("main").focus();
});
byId("find").addEventListener("input", () => ended.show(recent(), true));
addEventListener("hashchange", () => {
  details.hide();
  navigate();
  byId("main").focus();
  scrollTo(0, 0);
});
setUpTimeline();
navigate();
setInterval(speak, SPOKEN_MS);
requestAnimationFrame(frame);
fetch("/reasons.json").then(async (answer) => Object.assign(reasons, answer.ok ? await answer.json() : {}), () => {});
new Feed("/events", { take: (event) => picture.take(event), drained, became });

// Draws a timeline's window: only lanes and stays that are in it, and of those thinner than a pixel one each.

import { clock } from "./format.js";
import { HERE } from "./picture.js";

export const AXIS = 22; // height of the axis above the lanes
const FONT = "11px system-ui, sans-serif";
const CHARACTER = 6.2; // mean width in FONT, near enough to cut names without measuring each
const LABEL = 64; // width of the longest time on the axis
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 43200, 86400];

// `window` is { left, span, top, gutter, width, height, laneHeight, lanes, isOther, chosen }: times in seconds, the
// rest in pixels.
export function paint(context, window, colours, now) {
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, window.width, window.height);
  grid(context, window, colours);
  context.save();
  context.beginPath();
  context.rect(0, AXIS, window.width, window.height - AXIS);
  context.clip();
  lanes(context, window, colours, now);
  context.restore();
  scrollMark(context, window, colours);
}

function grid(context, { left, span, gutter, width, height }, colours) {
  const perSecond = (width - gutter) / span;
  const step = STEPS.find((each) => each * perSecond >= 90) ?? STEPS.at(-1);
  for (let time = Math.ceil(left / step) * step; time < left + span; time += step) {
    const x = Math.round(gutter + (time - left) * perSecond);
    context.fillStyle = colours.line;
    context.fillRect(x, AXIS - 5, 1, height);
    context.fillStyle = colours.faint;
    if (x + LABEL < width) context.fillText(label(time, step), x + 4, AXIS / 2);
  }
}

function label(time, step) {
  if (step >= 1) return clock(time);
  return clock(time) + (time % 1).toFixed(1).slice(1);
}

function lanes(context, window, colours, now) {
  const { lanes: all, laneHeight, top, height } = window;
  const first = Math.max(0, Math.floor(top / laneHeight));
  const last = Math.min(all.length, Math.ceil((top + height - AXIS) / laneHeight));
  for (let at = first; at < last; at += 1) {
    const y = AXIS + at * laneHeight - top;
    if (at % 2) {
      context.fillStyle = colours.stripe;
      context.fillRect(window.gutter, y, window.width, laneHeight);
    }
    stays(context, window, colours, all[at], y, now);
  }
  hostNames(context, window, colours, first, last);
}

function hostNames(context, window, colours, first, last) {
  const { lanes: all, laneHeight, top, gutter } = window;
  context.fillStyle = colours.ground;
  context.fillRect(0, AXIS, gutter, window.height);
  let bottom = -Infinity; // of the name before
  for (let at = first; at < last; at += 1) {
    const { host } = all[at];
    if (at > first && all[at - 1].host === host) continue;
    const y = AXIS + at * laneHeight - top;
    context.fillStyle = colours.line;
    if (all[at].slot === 0) context.fillRect(0, y, window.width, 1);
    const middle = Math.max(y, AXIS) + Math.max(laneHeight / 2, 7);
    if (middle - 6 < bottom) continue;
    bottom = middle + 6;
    context.fillStyle = host.event.state === "up" || host.event.state === undefined ? colours.text : colours.faint;
    context.fillText(cut(host.name === HERE ? "here" : host.name, gutter - 10), 4, middle);
  }
}

function stays(context, window, colours, lane, y, now) {
  const { left, span, gutter, width, laneHeight, isOther, chosen } = window;
  const perSecond = (width - gutter) / span;
  const inside = laneHeight > 7 ? laneHeight - 2 : laneHeight - 1;
  const isHere = lane.host.name === HERE;
  let covered = gutter - 1; // up to this x something is drawn
  for (let at = lane.search(left); at < lane.stays.length; at += 1) {
    const stay = lane.stays[at];
    if (stay.start > left + span) break;
    const from = Math.max(gutter, gutter + (stay.start - left) * perSecond);
    const to = Math.min(width, gutter + ((stay.end ?? now) - left) * perSecond);
    if (to < covered + 0.5 && stay !== chosen) continue;
    const wide = Math.max(1, to - from - (to - from > 4 ? 1 : 0));
    context.fillStyle = isOther(stay.job) ? colours.line : colours.of(stay, isHere);
    context.fillRect(from, y + 1, wide, inside);
    covered = from + wide;
    if (wide > 10) moving(context, window, colours, stay, y, inside);
    if (wide > 40 && laneHeight >= 12) {
      context.fillStyle = isOther(stay.job) ? colours.text : colours.on(stay);
      context.fillText(cut(nameOf(stay.job), wide - 6), from + 3, y + laneHeight / 2 + 0.5);
    }
    if (stay === chosen) {
      context.strokeStyle = colours.focus;
      context.lineWidth = 2;
      context.strokeRect(from - 1, y, wide + 2, inside + 2);
    }
  }
}

// The time in which bytes travel is paler.
function moving(context, { left, span, gutter, width }, colours, stay, y, inside) {
  const perSecond = (width - gutter) / span;
  const { phases } = stay.job;
  context.fillStyle = colours.moving;
  for (let at = 0; at < phases.length; at += 1) {
    const { state, time } = phases[at];
    if (state !== "uploading" && state !== "returning") continue;
    const end = phases[at + 1]?.time ?? stay.end;
    if (end === null || time < stay.start || (stay.end !== null && time > stay.end)) continue;
    const from = Math.max(gutter, gutter + (time - left) * perSecond);
    const to = Math.min(width, gutter + (end - left) * perSecond);
    if (to - from >= 1) context.fillRect(from, y + 1, to - from, inside);
  }
}

function scrollMark(context, { lanes: all, laneHeight, top, width, height }, colours) {
  const whole = all.length * laneHeight;
  const seen = height - AXIS;
  if (whole <= seen) return;
  context.fillStyle = colours.faint;
  context.fillRect(width - 4, AXIS + (top / whole) * seen, 3, Math.max(12, (seen / whole) * seen));
}

export function nameOf(job) {
  const label = job.label ?? "";
  return label.slice(label.lastIndexOf("/") + 1) || `job ${job.job}`;
}

function cut(text, width) {
  const most = Math.floor(width / CHARACTER);
  return text.length <= most ? text : most < 2 ? "" : text.slice(0, most - 1) + "…";
}

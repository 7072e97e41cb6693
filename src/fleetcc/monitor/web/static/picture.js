// How things are, put together from the events; fleetcc.monitor.picture is its twin in Python. Beside what that
// keeps, each lane remembers who was on it and when: the timeline.

import { HostView, MOST_LANES } from "./lanes.js";

export const ENDED = new Set(["done", "failed", "cancelled"]);
export const HERE = "localhost";
export const MOST_FINISHED = 10000;
const UNPLACED = new Set(["planning", "scanning", "waiting"]); // such a job has no host (any more)
const MERGED = [
  "label", "directory", "build", "client", "mode", "reason", "detail", "predicted", "files", "sent", "received",
  "status", "seconds", "run_seconds", "cpu_seconds", "peak_bytes",
];

export class Picture {
  constructor() {
    this.hello = null;
    this.local = {};
    this.changed = 0; // counts changes; whoever draws remembers what it has seen
    this.lost = 0;
    this.forget();
  }

  forget() {
    this.hosts = new Map();
    this.clients = new Map();
    this.jobs = new Map(); // that have not ended
    this.finished = []; // the latest, by end; those before `first` are forgotten
    this.first = 0;
    this.byReason = new Map();
    this.total = this.done = this.failed = this.cancelled = 0;
    this.sent = this.received = 0;
    this.since = 0; // when the watching began
    this.latest = 0;
  }

  get isServer() {
    return this.hello?.source === "server";
  }

  // The source's time: its clock need not be this machine's.
  now() {
    return Math.max(this.latest, performance.now() / 1000 + this.offset || 0);
  }

  take(event) {
    this.changed += 1;
    if (event.time > this.latest) this.latest = event.time;
    if (event.event === "job") this.takeJob(event);
    else if (event.event === "host") this.takeHost(event);
    else if (event.event === "local") this.takeLocal(event);
    else if (event.event === "lost") this.lost += event.count;
    else if (event.event === "hello") this.takeHello(event);
  }

  // Jobs ended per second in the last `span` seconds, or since the watching began.
  rate(now, span = 10) {
    let ended = 0;
    for (let at = this.finished.length - 1; at >= this.first; at -= 1) {
      if (this.finished[at].ended < now - span) break;
      ended += 1;
    }
    return ended / Math.max(1, Math.min(span, now - this.since));
  }

  takeHello(hello) {
    const before = this.hello;
    if (!before || before.source !== hello.source || before.pid !== hello.pid) {
      this.forget();
      this.since = hello.time;
    }
    this.hello = hello;
    this.latest = hello.time;
    this.offset = hello.time - performance.now() / 1000;
    const known = this.jobs;
    this.jobs = new Map();
    const still = new Set((hello.jobs ?? []).map((job) => job.job));
    for (const [number, job] of known) {
      if (still.has(number)) this.jobs.set(number, job);
      else this.drop(job, hello.time); // it ended unseen
    }
    for (const host of this.hosts.values()) host.event = { ...host.event, state: "gone" };
    for (const host of hello.hosts ?? []) this.takeHost(host);
    this.takeLocal(hello.local);
    for (const job of hello.jobs ?? []) this.takeJob(job);
    this.dropGone();
    this.total = hello.total ?? 0;
    this.byReason = new Map(Object.entries(hello.by_reason ?? {}));
  }

  takeHost(event) {
    let host = this.hosts.get(event.host);
    if (!host && event.state === "gone") return;
    if (!host) this.hosts.set(event.host, (host = new HostView(event.host)));
    host.became(event);
    if (event.state === "gone") this.dropGone();
  }

  takeLocal(local) {
    this.local = local;
    if (!this.isServer) {
      this.takeHost({ ...this.hosts.get(HERE)?.event, host: HERE, state: "up", slots: local.slots ?? 0 });
    }
  }

  dropGone() {
    for (const [name, host] of this.hosts) {
      if (host.event.state === "gone" && !host.running && !host.recent.length) this.hosts.delete(name);
    }
  }

  // Where a job with a slot and no host is: an agent's here, a server's on that one host.
  home() {
    return this.isServer ? (this.hosts.keys().next().value ?? HERE) : HERE;
  }

  takeJob(event) {
    let job = this.jobs.get(event.job);
    if (!job) {
      job = { job: event.job, started: event.time - (event.seconds ?? 0), host: "", slot: -1, phases: [] };
      this.jobs.set(event.job, job);
      this.total += 1;
    }
    const [host, slot] = this.place(event, job);
    const moved = host !== job.host || slot !== job.slot;
    if (moved) {
      this.leave(job, event.time);
      job.host = host;
      job.slot = slot;
    }
    this.merge(job, event);
    if (ENDED.has(event.state)) this.end(job, event.time);
    else if (moved && host) this.enter(job, event.time);
  }

  place(event, job) {
    const slot = (event.slot ?? -1) < MOST_LANES ? (event.slot ?? -1) : -1;
    if (event.host && event.host !== job.host) return [event.host, slot];
    if (UNPLACED.has(event.state)) return [event.host ?? "", slot];
    if (slot < 0) return [job.host, job.slot];
    return [job.host || this.home(), slot];
  }

  merge(job, event) {
    const { sent = 0, received = 0 } = job;
    for (const name of MERGED) if (event[name] !== undefined) job[name] = event[name];
    const client = job.client && this.client(job);
    for (const [name, more] of [["sent", (job.sent ?? 0) - sent], ["received", (job.received ?? 0) - received]]) {
      if (more > 0) this[name] += more;
      if (more > 0 && client) client[name] += more;
    }
    job.state = event.state;
    const last = job.phases[job.phases.length - 1];
    if (last?.state !== job.state || last.host !== job.host) {
      job.phases.push({ state: job.state, time: event.time, host: job.host });
    }
  }

  client(job) {
    let client = this.clients.get(job.client);
    if (!client) {
      client = { name: job.client, now: new Set(), done: 0, failed: 0, busy: 0, sent: 0, received: 0, recent: [] };
      this.clients.set(job.client, client);
    }
    if (!ENDED.has(job.state)) client.now.add(job);
    return client;
  }

  enter(job, time) {
    let host = this.hosts.get(job.host);
    if (!host) this.hosts.set(job.host, (host = new HostView(job.host))); // its own event is lost
    if (job.slot < 0) return;
    const lane = host.lane(job.slot);
    if (!lane.job) host.running += 1;
    lane.enter(job, time);
  }

  leave(job, time) {
    const host = this.hosts.get(job.host);
    if (!host || job.slot < 0 || !host.lanes[job.slot]?.leave(job, time)) return;
    host.running -= 1;
    host.busy += job.stay.end - job.stay.start;
  }

  drop(job, time) {
    this.leave(job, time);
    this.clients.get(job.client)?.now.delete(job);
    job.forgotten = true;
  }

  end(job, time) {
    job.ended = time;
    job.seconds ||= time - job.started;
    this.leave(job, time);
    this.jobs.delete(job.job);
    this.finished.push(job);
    const outcome = { failed: "failed", cancelled: "cancelled" }[job.state] ?? "done";
    this[outcome] += 1;
    if (outcome !== "cancelled" && job.reason) {
      this.byReason.set(job.reason, (this.byReason.get(job.reason) ?? 0) + 1);
    }
    for (const place of [this.hosts.get(job.host), job.client && this.clients.get(job.client)]) {
      if (!place) continue;
      if (outcome !== "cancelled") place[outcome] += 1;
      place.now?.delete(job);
      if (place.now) place.busy += job.run_seconds ?? 0;
      place.recent.push(job);
      if (place.recent.length > 1000) place.recent.splice(0, 500);
    }
    this.trim();
  }

  trim() {
    while (this.finished.length - this.first > MOST_FINISHED) {
      const old = this.finished[this.first];
      this.finished[this.first++] = null;
      old.forgotten = true;
      this.hosts.get(old.host)?.lanes[old.slot]?.forget();
    }
    if (this.first > MOST_FINISHED) {
      this.finished.splice(0, this.first);
      this.first = 0;
    }
  }
}

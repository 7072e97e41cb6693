// A host's lanes, one for each slot, with who is on it and who was, and when.

export const MOST_LANES = 4096; // a slot beyond is not shown

// A stay of a job on a lane, from `start` to `end`; null: it is still there.
class Stay {
  constructor(job, start) {
    this.job = job;
    this.host = job.host;
    this.start = start;
    this.end = null;
  }
}

class Lane {
  constructor(host, slot) {
    this.host = host;
    this.slot = slot;
    this.job = null;
    this.stays = []; // by time; those before `first` are forgotten
    this.first = 0;
  }

  enter(job, time) {
    if (this.job) this.leave(this.job, time); // it left unseen
    this.job = job;
    job.stay = new Stay(job, time);
    this.stays.push(job.stay);
  }

  leave(job, time) {
    if (this.job !== job) return false;
    this.job = null;
    job.stay.end = Math.max(time, job.stay.start);
    return true;
  }

  forget() {
    while (this.first < this.stays.length && this.stays[this.first].job.forgotten) this.first += 1;
    if (this.first > 512) {
      this.stays.splice(0, this.first);
      this.first = 0;
    }
  }

  // The index of the first stay that ends after this time.
  search(time) {
    let low = this.first;
    let high = this.stays.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const end = this.stays[middle].end;
      if (end !== null && end <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export class HostView {
  constructor(name) {
    this.name = name;
    this.event = { host: name, state: "gone" };
    this.lanes = [];
    this.slots = 0;
    this.running = 0;
    this.done = 0;
    this.failed = 0;
    this.busy = 0; // seconds of all slots together, by jobs that have left
    this.recent = []; // jobs that ended here
  }

  lane(slot) {
    while (this.lanes.length <= slot) this.lanes.push(new Lane(this, this.lanes.length));
    return this.lanes[slot];
  }

  became(event) {
    this.event = event;
    this.slots = Math.min(event.slots ?? 0, MOST_LANES);
    if (this.slots) this.lane(this.slots - 1);
  }
}

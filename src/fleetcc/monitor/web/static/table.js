// Tables that are brought up to date in place: a row keeps its element, a cell is touched when its text changes.
// One row can be reached with Tab; arrows, Home and End move from there, Enter opens. Column heads sort.

export const MOST_ROWS = 200;

export class Table {
  // Columns: { title, text(row), by(row) to sort, wide, number, cell(td, row) in place of text }.
  // key(row) tells rows apart, open(row) is what Enter and a click do, empty is said when there is none.
  constructor(parent, { columns, key, open, empty, most = MOST_ROWS, steady = false, id }) {
    Object.assign(this, { columns, key, open, most, steady });
    this.rows = new Map();
    this.sorted = null; // { column, down }
    const frame = element("div", { className: "table" });
    this.table = element("table", { id });
    const labelled = parent.getAttribute("aria-labelledby");
    if (labelled) this.table.setAttribute("aria-labelledby", labelled);
    this.table.append(this.head(), (this.body = element("tbody")));
    this.note = element("p", { className: "note", textContent: empty });
    this.empty = empty;
    frame.append(this.table);
    parent.append(frame, this.note);
    this.body.addEventListener("keydown", (event) => this.pressed(event));
    this.body.addEventListener("click", (event) => this.opened(event.target.closest("tr")));
    this.body.addEventListener("focusin", (event) => this.rove(event.target.closest("tr")));
  }

  head() {
    const row = element("tr");
    for (const column of this.columns) {
      const cell = element("th", { scope: "col", className: classOf(column) });
      const button = element("button", { type: "button", textContent: column.title });
      button.addEventListener("click", () => this.sortBy(column));
      column.head = cell;
      cell.append(column.by ? button : column.title);
      row.append(cell);
    }
    const head = element("thead");
    head.append(row);
    return head;
  }

  sortBy(column) {
    const was = this.sorted?.column === column ? this.sorted : null;
    if (was && was.down !== Boolean(column.number)) this.sorted = null; // the third time: as it came
    else this.sorted = { column, down: was ? !was.down : Boolean(column.number) };
    for (const each of this.columns) each.head.removeAttribute("aria-sort");
    if (this.sorted) column.head.setAttribute("aria-sort", this.sorted.down ? "descending" : "ascending");
    this.show(this.all ?? [], true);
    this.rove(this.body.firstElementChild);
  }

  // A steady table stays as it is while somebody reads in it.
  get isBeingRead() {
    return this.steady && (this.body.contains(document.activeElement) || this.body.matches(":hover"));
  }

  show(rows, anyway = false) {
    if (this.isBeingRead && !anyway) return;
    this.all = rows;
    const shown = this.inOrder(rows).slice(0, this.most);
    const hadFocus = this.body.contains(document.activeElement) ? document.activeElement : null;
    const keys = new Set(shown.map(this.key));
    for (const [key, held] of this.rows) if (!keys.has(key)) this.remove(key, held);
    let next = this.body.firstElementChild; // those that go are gone: who stays is mostly in place
    for (const row of shown) next = this.place(row, next);
    if (hadFocus?.isConnected && document.activeElement !== hadFocus) hadFocus.focus({ preventScroll: true });
    const more = rows.length - shown.length;
    const note = rows.length === 0 ? this.empty : more > 0 ? `and ${more.toLocaleString("en-US")} more` : "";
    if (this.note.textContent !== note) this.note.textContent = note;
    this.keepOneReachable();
  }

  inOrder(rows) {
    if (!this.sorted) return rows;
    const { column, down } = this.sorted;
    const sign = down ? -1 : 1;
    const keyed = rows.map((row) => [column.by(row), row]);
    keyed.sort(([a], [b]) => sign * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b));
    return keyed.map(([, row]) => row);
  }

  // Before this element, which is the next of those that are there; answers what is next then.
  place(row, next) {
    const key = this.key(row);
    const held = this.rows.get(key) ?? this.make();
    this.rows.set(key, held);
    held.row = row;
    this.columns.forEach((column, at) => {
      const cell = held.cells[at];
      if (column.cell) column.cell(cell, row);
      else {
        const text = column.text(row);
        if (cell.shown !== text) cell.textContent = cell.shown = text;
        if ((column.wide || column.kind) && cell.title !== text) cell.title = text; // it may be cut
      }
    });
    if (held.element === next) return next.nextElementSibling;
    this.body.insertBefore(held.element, next);
    return next;
  }

  make() {
    const row = element("tr", { tabIndex: -1 });
    const cells = this.columns.map((column) => element("td", { className: classOf(column) }));
    row.append(...cells);
    const held = { element: row, cells };
    row.held = held;
    return held;
  }

  // The row that has the focus hands it on when it goes.
  remove(key, held) {
    this.rows.delete(key);
    const next = held.element.nextElementSibling ?? held.element.previousElementSibling;
    const hadFocus = held.element.contains(document.activeElement);
    held.element.remove();
    if (hadFocus) next?.focus();
  }

  keepOneReachable() {
    if (!this.body.contains(this.reachable ?? null)) this.rove(this.body.firstElementChild);
  }

  rove(row) {
    if (!row || row === this.reachable) return;
    if (this.reachable) this.reachable.tabIndex = -1;
    row.tabIndex = 0;
    this.reachable = row;
  }

  pressed(event) {
    const row = event.target.closest("tr");
    const next = {
      ArrowDown: () => row.nextElementSibling,
      ArrowUp: () => row.previousElementSibling,
      Home: () => this.body.firstElementChild,
      End: () => this.body.lastElementChild,
      PageDown: () => this.body.children[Math.min(this.indexOf(row) + 10, this.body.children.length - 1)],
      PageUp: () => this.body.children[Math.max(this.indexOf(row) - 10, 0)],
    }[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (next) next()?.focus();
    else if (event.key === "Enter" || event.key === " ") this.opened(row);
    else return;
    event.preventDefault();
  }

  indexOf(row) {
    return Array.prototype.indexOf.call(this.body.children, row);
  }

  opened(row) {
    if (row?.held && this.open) this.open(row.held.row, row);
  }
}

export function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

function classOf(column) {
  return [column.number && "number", column.wide && "wide", column.kind].filter(Boolean).join(" ");
}

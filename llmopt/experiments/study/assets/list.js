// A list of any length: only the rows in sight are there. The focus stays on the grid, which names the active row.
class List {
  constructor(fill, choose) {
    this.grid = byId("grid");
    this.scroller = byId("scroller");
    this.rows = byId("rows");
    this.fill = fill;
    this.choose = choose;
    this.items = [];
    this.active = -1;
    this.height = 0;
    this.scroller.addEventListener("scroll", () => this.draw());
    this.rows.addEventListener("click", (event) => {
      const row = event.target.closest("[data-place]");
      if (row) this.go(Number(row.dataset.place), !matchMedia("(min-width: 56rem)").matches); // there it is out of sight
    });
    this.grid.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.draw()).observe(this.scroller);
  }

  show(items, keep) {
    this.items = items;
    this.height = parseFloat(getComputedStyle(document.documentElement).fontSize) * 3.5;
    this.rows.style.height = items.length * this.height + "px";
    this.active = items.indexOf(keep);
    if (this.active < 0) this.scroller.scrollTop = 0;
    this.grid.setAttribute("aria-rowcount", items.length + 1);
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.height) - 4);
    const last = Math.min(this.items.length, Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / this.height) + 4);
    const drawn = [];
    for (let place = first; place < last; place += 1) {
      const row = this.fill(this.items[place]);
      row.id = "row-" + place;
      row.dataset.place = place;
      row.setAttribute("aria-rowindex", place + 2);
      row.setAttribute("aria-selected", place === this.active);
      row.style.transform = "translateY(" + place * this.height + "px)";
      drawn.push(row);
    }
    this.rows.replaceChildren(...drawn);
    const seen = this.active >= first && this.active < last;
    if (seen) this.grid.setAttribute("aria-activedescendant", "row-" + this.active);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  go(place, open) {
    if (!this.items.length) return;
    this.active = Math.min(this.items.length - 1, Math.max(0, place));
    const top = this.active * this.height;
    const bottom = top + this.height - this.scroller.clientHeight;
    if (this.scroller.scrollTop > top) this.scroller.scrollTop = top;
    else if (this.scroller.scrollTop < bottom) this.scroller.scrollTop = bottom;
    this.draw();
    this.choose(this.items[this.active], open);
  }

  press(event) {
    if (event.target !== this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity, Enter: 0, " ": 0 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const from = this.active < 0 && steps[event.key] === 1 ? -1 : Math.max(0, this.active);
    this.go(from + steps[event.key], event.key === "Enter" || event.key === " ");
  }
}

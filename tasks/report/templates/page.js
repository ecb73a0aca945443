"use strict";
// What every page can do: light and dark, charts, tables that sort and filter, texts to copy, and
// lists that are loaded when they are wanted. A page opened as a file may not fetch(), so they come
// as scripts that call Nightmark.put().
const Nightmark = (() => {
  const values = new Map();
  const loading = new Map();
  const drawing = new Map();
  const system = matchMedia("(prefers-color-scheme: dark)");
  const KEPT = "nightmark-theme";

  function put(name, value) {
    values.set(name, value);
  }

  // The value that the script at `source` puts under `name`; loaded once.
  function load(source, name) {
    if (!loading.has(source)) {
      loading.set(source, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = source;
        script.onload = () => values.has(name) ? resolve(values.get(name)) : reject(new Error(`${source} holds no ${name}`));
        script.onerror = () => reject(new Error(`${source} cannot be read`));
        document.head.append(script);
      }));
    }
    return loading.get(source);
  }

  // What a page carries along in <script type="application/json" id="…">.
  function carried(id) {
    return JSON.parse(document.getElementById(id).textContent);
  }

  function remembered() {
    try {
      return localStorage.getItem(KEPT);
    } catch {
      return null; // some browsers keep nothing for files
    }
  }

  function remember(theme) {
    try {
      // The system's own choice is followed again from then on.
      theme === systemTheme() ? localStorage.removeItem(KEPT) : localStorage.setItem(KEPT, theme);
    } catch {
      // then it holds for this page
    }
  }

  const systemTheme = () => system.matches ? "dark" : "light";

  function show(theme) {
    document.documentElement.dataset.theme = theme;
    for (const button of document.querySelectorAll("button.theme")) {
      button.textContent = theme === "dark" ? "Light" : "Dark";
      button.setAttribute("aria-label", theme === "dark" ? "Show on light" : "Show on dark");
    }
  }

  show(remembered() ?? systemTheme());
  system.addEventListener("change", () => show(remembered() ?? systemTheme()));

  // A night that was sent alone has no nights around it, and what leads there is not shown. A page
  // opened as a file may not look whether they are there, but knows the folder it lies in.
  function isAlone() {
    const within = document.querySelector("[data-within]")?.dataset.within;
    return within && location.protocol === "file:" && location.pathname.split("/").at(-3) !== within;
  }

  function showAlone() {
    document.querySelectorAll("[data-within]").forEach((part) => { part.hidden = true; });
    document.querySelectorAll("[data-alone]").forEach((part) => { part.hidden = false; });
  }

  function draw(place) {
    const { data, layout } = carried(place.dataset.chart);
    const config = { displaylogo: false, displayModeBar: false, responsive: true, ...layout.meta?.config };
    return Plotly.newPlot(place, data, layout, config).then(() => {
      place.dataset.drawn = "yes";
      const target = (point) => point.data.meta?.hrefs?.[point.pointIndex];
      if (data.some((trace) => trace.meta?.hrefs) && !isAlone()) {
        place.on("plotly_click", ({ points }) => target(points[0]) && location.assign(target(points[0])));
      }
    });
  }

  // Undefined figures stand at the end, whichever way a table is sorted.
  function sortRows(table, column, ascending) {
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value ?? cell.textContent.trim();
    };
    // A figure is read from its start: "85.0 % [82.1, 87.5]", "1,000".
    const figures = table.tHead.rows[0].cells[column].classList.contains("number");
    const number = (text) => figures ? parseFloat(text.replaceAll(",", "")) : Number(text);
    const compare = (one, other) => {
      const [a, b] = [key(one), key(other)];
      if (a === "" || b === "") return (a === "") - (b === "");
      const difference = number(a) - number(b);
      const order = Number.isNaN(difference) ? a.localeCompare(b, "en", { numeric: true }) : difference;
      return ascending ? order : -order;
    };
    const body = table.tBodies[0];
    body.append(...[...body.rows].sort(compare));
  }

  function makeSortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.hasAttribute("data-unsorted")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        // Figures are read from the largest down, names from A to Z, unless a column says otherwise.
        const first = head.dataset.first ?? (head.classList.contains("number") ? "descending" : "ascending");
        const other = first === "ascending" ? "descending" : "ascending";
        const next = head.getAttribute("aria-sort") === first ? other : first;
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", next);
        sortRows(table, column, next === "ascending");
      });
    });
  }

  function makeFilter(field) {
    const table = document.getElementById(field.dataset.filters);
    const said = document.getElementById(`${field.id}-said`);
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.cells[0].textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      said.textContent = words.length ? `${shown.toLocaleString("en")} of ${table.tBodies[0].rows.length.toLocaleString("en")}` : "";
    });
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  function start() {
    show(document.documentElement.dataset.theme);
    for (const button of document.querySelectorAll("button.theme")) {
      button.hidden = false;
      button.addEventListener("click", () => {
        const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
        remember(next);
        show(next);
      });
    }
    if (isAlone()) showAlone();
    document.querySelectorAll("table.sortable").forEach(makeSortable);
    document.querySelectorAll("input[data-filters]").forEach((field) => { field.closest(".filter").hidden = false; makeFilter(field); });
    document.querySelectorAll("button[data-copies]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", () => copy(button));
    });
    document.querySelectorAll("[data-chart]").forEach((place) => drawing.set(place, draw(place)));
  }

  // Charts are drawn for the screen, and paper is narrower; on paper nothing can be opened.
  const plots = () => document.querySelectorAll(".js-plotly-plot");
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not(.receipt):not([open])")];
    opened.forEach((part) => { part.open = true; });
    plots().forEach((plot) => Plotly.relayout(plot, { width: 640 }));
  });
  addEventListener("afterprint", () => {
    opened.forEach((part) => { part.open = false; });
    plots().forEach((plot) => Plotly.relayout(plot, { width: null, autosize: true }));
  });
  addEventListener("DOMContentLoaded", start);

  // Kept when the chart of a place is drawn.
  const drawn = (place) => drawing.get(place);

  return { put, load, carried, drawn };
})();

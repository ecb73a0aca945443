"use strict";
// The page of one evaluation: images, the confusion of many classes, thresholds. Texts that came
// from outside are only ever set as text; Plotly reads markup in labels, so they are escaped there.
addEventListener("DOMContentLoaded", () => {
  const given = document.getElementById("evaluation");
  if (!given) return;
  const { names, support, cells, order, places, folder, lists, copies, matrix } = JSON.parse(given.textContent);
  const AT_ONCE = 60;
  // As many decimals as it takes to be told from 0 and 100 %; shares are carried with four digits.
  const isHair = (part) => part > 0 && part < 0.0006;
  const percent = (share) => `${(100 * share).toFixed(isHair(share) || isHair(1 - share) ? 2 : share < 0.0995 || share >= 0.995 ? 1 : 0)} %`;
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const plural = (n, one, many) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

  function element(tag, text = "", kind = "") {
    const made = document.createElement(tag);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  // ---- images ----

  const grid = document.getElementById("pictures");
  const said = document.getElementById("pictures-said");
  const more = document.getElementById("pictures-more");
  const choice = document.getElementById("gallery-list");
  const classChoice = document.getElementById("gallery-class");
  let rest = [];

  function pictureOf(source, words, missing) {
    if (!source) return element("div", missing || "no thumbnail kept", "nothing");
    const image = document.createElement("img");
    image.loading = "lazy";
    image.src = source;
    image.alt = words;
    return image;
  }

  // An image and its copy stand side by side, each with its key below.
  function sideBySide(image, key, [other, where, likeness, source, fault]) {
    const sides = element("div", "", "sides");
    const own = element("div");
    own.append(image, element("p", key, "key code"));
    const twin = element("div");
    twin.append(pictureOf(source, `${other} of ${where}, the copy of ${key}`, fault), element("p", other, "key code"), element("p", `in ${where}`, "key"));
    sides.append(own, twin);
    return [sides, element("p", likeness, "likeness")];
  }

  function card([key, target, classes, shares, past, picture, twin]) {
    const item = element("li", "", twin ? "shot twins" : "shot");
    const right = classes[0] === target;
    const words = `${key}: shows ${names[target]}, model said ${names[classes[0]]} with ${percent(shares[0])}`;
    const image = pictureOf(picture && folder + picture, words);
    item.append(...(twin ? sideBySide(image, key, twin) : [image]));
    item.append(element("p", `${right ? "✓" : "✕"} ${names[classes[0]]}`, right ? "said right" : "said wrong"));
    item.append(element("p", `shows ${names[target]}`, "truth"));
    const ranks = element("ol", "", "ranks");
    classes.forEach((index, place) => {
      const rank = element("li", "", index === target ? "target" : "");
      rank.style.setProperty("--share", shares[place]);
      rank.append(element("span", names[index]), element("span", percent(shares[place])));
      ranks.append(rank);
    });
    item.append(ranks);
    if (past) item.append(element("p", past, "past"));
    if (!twin) item.append(element("p", key, "key code"));
    return item;
  }

  function showMore() {
    const next = rest.slice(0, AT_ONCE);
    rest = rest.slice(AT_ONCE);
    grid.append(...next.map(card));
    more.hidden = !rest.length;
    more.textContent = `Show ${Math.min(AT_ONCE, rest.length)} more of ${rest.length.toLocaleString("en")}`;
  }

  function show(rows, sentence) {
    grid.replaceChildren();
    rest = rows;
    said.textContent = sentence;
    showMore();
  }

  const mistakesIn = (file) => Nightmark.load(`mistakes-${file}.js`, `mistakes-${file}`);
  const surest = (one, other) => other[3][0] - one[3][0];

  async function showClass(index) {
    const rows = (await mistakesIn(places[index])).filter((row) => row[1] === index);
    show(rows, `${plural(rows.length, "mistake", "mistakes")} among ${plural(support[index], "image", "images")} of ${names[index]}, the surest first.`);
  }

  async function showCell(target, prediction) {
    if (!places.length) return;
    choice.value = "class";
    classChoice.value = String(target);
    classChoice.closest(".choice").hidden = false;
    if (target === prediction) return goTo(showClass(target));
    const rows = (await mistakesIn(places[target])).filter((row) => row[1] === target && row[2][0] === prediction);
    show(rows, `${plural(rows.length, "image", "images")} of ${names[target]} taken for ${names[prediction]}.`);
    return goTo();
  }

  async function goTo(before) {
    await before;
    const heading = document.getElementById("images");
    heading.tabIndex = -1;
    heading.scrollIntoView();
    heading.focus({ preventScroll: true });
  }

  const SAID = {
    broken: (n) => `${plural(n, "image is", "images are")} wrong now that the baseline had right.`,
    fixed: (n) => `${plural(n, "image is", "images are")} right now that the baseline had wrong.`,
    suspects: (n) => `${plural(n, "label", "labels")} that the model contradicts with confidence; look before you believe either.`,
    copies: (n) => `${copies > n ? `The surest ${n.toLocaleString("en")} of ${plural(copies, "pair", "pairs")}` : plural(n, "pair", "pairs")} of an image and its copy, side by side.`,
  };

  async function showList() {
    classChoice.closest(".choice").hidden = choice.value !== "class";
    if (choice.value === "class") return showClass(Number(classChoice.value));
    if (choice.value === "worst") {
      const rows = (await Promise.all([...new Set(places)].map(mistakesIn))).flat().sort(surest);
      return show(rows, `${plural(rows.length, "mistake", "mistakes")}, the surest first.`);
    }
    const rows = (await Nightmark.load("gallery.js", "gallery"))[choice.value];
    return show(rows, SAID[choice.value](rows.length));
  }

  if (grid) {
    const byName = names.map((_, index) => index).filter((index) => support[index]).sort((a, b) => names[a].localeCompare(names[b], "en"));
    classChoice.append(...byName.map((index) => { const option = element("option", names[index]); option.value = String(index); return option; }));
    for (const control of [choice, classChoice]) control.addEventListener("change", showList);
    more.addEventListener("click", showMore);
    document.querySelector(".choices").hidden = false;
    choice.value = lists.broken ? "broken" : "worst";
    // The first list is loaded when it comes near the screen.
    const near = new IntersectionObserver((seen) => {
      if (seen.some((one) => one.isIntersecting)) { near.disconnect(); if (!grid.children.length) showList(); }
    }, { rootMargin: "300px" });
    near.observe(grid.parentElement);
    for (const button of document.querySelectorAll("button[data-list]")) {
      button.hidden = false;
      button.addEventListener("click", () => { choice.value = button.dataset.list; goTo(showList()); });
    }
    for (const button of document.querySelectorAll("button[data-cell]")) {
      button.hidden = false;
      button.addEventListener("click", () => showCell(...button.dataset.cell.split(",").map(Number)));
    }
  }

  // ---- thresholds ----

  const tool = document.getElementById("threshold-tool");
  if (tool) {
    const chosen = document.getElementById("threshold-class");
    const slider = document.getElementById("threshold");
    const curvePlot = document.getElementById("threshold-plot");
    const told = document.getElementById("threshold-said");
    const one = (share) => `${(100 * share).toFixed(1)} %`;
    let curve = null;

    function tellThreshold() {
      const [n, rows] = curve;
      const [threshold, hits, taken, low, high, least, most] = rows[Number(slider.value)];
      told.textContent = `${names[Number(chosen.value)]} at ${threshold.toPrecision(3)}: recall ${one(hits / n)} (${hits.toLocaleString("en")} of ${n.toLocaleString("en")}; ${one(low)} to ${one(high)}), precision ${one(hits / taken)} (${hits.toLocaleString("en")} of ${taken.toLocaleString("en")} taken for it; ${one(least)} to ${one(most)}).`;
      slider.setAttribute("aria-valuetext", told.textContent);
      const line = { type: "scatter", mode: "lines+markers", x: rows.map((row) => 100 * row[1] / n), y: rows.map((row) => 100 * row[1] / row[2]), line: { color: "#0072B2", width: 1 }, marker: { color: "#0072B2", size: 4 }, hoverinfo: "skip", name: "thresholds" };
      const here = { type: "scatter", mode: "markers", x: [100 * hits / n], y: [100 * hits / taken], marker: { color: "#D55E00", size: 13, symbol: "diamond" }, hoverinfo: "skip", name: "this threshold" };
      const axis = (text) => ({ title: { text }, range: [-2, 102], ticksuffix: " %", gridcolor: "rgba(128,128,128,0.22)", zeroline: false, automargin: true, fixedrange: true });
      const layout = { height: 380, margin: { l: 8, r: 24, t: 8, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: "#7d7d7d", size: 13, family: "system-ui, sans-serif" }, showlegend: false, dragmode: false, xaxis: axis("Recall"), yaxis: axis("Precision") };
      Plotly.react(curvePlot, [line, here], layout, { displayModeBar: false, responsive: true, displaylogo: false });
    }

    async function showCurve() {
      const index = Number(chosen.value);
      const name = `${tool.dataset.name}-${Math.floor(index / Number(tool.dataset.classes))}`;
      curve = (await Nightmark.load(`${name}.js`, name))[index];
      const rows = curve[1];
      slider.max = String(rows.length - 1);
      // Where the class is the likelier answer of two, to begin with.
      slider.value = String(Math.max(0, rows.findLastIndex((row) => row[0] >= 0.5)));
      tellThreshold();
    }

    tool.hidden = false;
    chosen.addEventListener("change", showCurve);
    slider.addEventListener("input", tellThreshold);
    const close = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting)) { close.disconnect(); if (!curve) showCurve(); }
    }, { rootMargin: "300px" });
    close.observe(tool);
  }

  // ---- confusion: of few classes the chart is on the page, of many it is drawn in the depth looked at ----

  const small = document.getElementById("confusion-chart");
  if (small && places.length) {
    const wired = setInterval(() => {
      if (!small.dataset.drawn) return;
      clearInterval(wired);
      small.on("plotly_click", ({ points: [{ x, y, data }] }) => showCell(data.meta.classes[y], data.meta.classes[x]));
    }, 50);
  }

  const plot = document.getElementById("matrix");
  if (!plot || !matrix) return;
  const BLOCKS = 80;
  const CLOSE = 40;
  // What there is most of stands out most, on light and on dark.
  const SCALES = {
    light: [[0, "#c5def3"], [0.5, "#2f88c8"], [1, "#0b3c6b"]],
    dark: [[0, "#1d3f5f"], [0.5, "#3a8fd0"], [1, "#e4f2ff"]],
  };
  const place = new Array(names.length);
  order.forEach((index, position) => { place[index] = position; });
  const wrong = cells.filter(([target, prediction]) => target !== prediction);
  const WHOLE = { row: 0, column: 0, width: names.length };
  let view = WHOLE;

  function blocks({ row, column, width }) {
    const side = Math.max(1, Math.ceil(width / BLOCKS));
    const n = Math.ceil(width / side);
    const sums = Array.from({ length: n }, () => new Array(n).fill(0));
    for (const [target, prediction, count] of wrong) {
      const [down, right] = [place[target] - row, place[prediction] - column];
      if (down >= 0 && right >= 0 && down < width && right < width) sums[Math.floor(down / side)][Math.floor(right / side)] += count;
    }
    return { side, n, sums };
  }

  function label(from, side, to) {
    const first = escaped(names[order[from]]);
    const last = Math.min(from + side, to) - 1;
    return last === from ? first : `${first} … ${escaped(names[order[last]])}`;
  }

  function axis(from, side, n, more) {
    const room = plot.clientWidth < 500 ? 10 : side === 1 ? 60 : 20;
    const every = Math.ceil(n / room);
    const ticks = [...Array(n).keys()].filter((row) => row % every === 0);
    const short = (name) => escaped(name.length > 20 ? `${name.slice(0, 19)}…` : name);
    return { tickvals: ticks, ticktext: ticks.map((row) => short(names[order[from + row * side]])), showgrid: false, zeroline: false, automargin: true, fixedrange: true, ...more };
  }

  function drawMatrix() {
    const { row, column, width } = view;
    const { side, n, sums } = blocks(view);
    const shows = sums.map((_, place) => label(row + place * side, side, row + width));
    const said = sums.map((_, place) => label(column + place * side, side, column + width));
    const trace = {
      type: "heatmap",
      z: sums.map((row) => row.map((count) => count ? Math.log10(count + 1) : null)),
      text: sums.map((row, r) => row.map((count, c) => `${plural(count, "image", "images")} of ${shows[r]}<br>taken for ${said[c]}<br>${side > 1 ? "click to look closer" : "click to see them"}`)),
      hoverinfo: "text", hoverongaps: false, showscale: false, xgap: n <= 80 ? 1 : 0, ygap: n <= 80 ? 1 : 0,
      colorscale: SCALES[document.documentElement.dataset.theme],
    };
    const layout = {
      height: 680, margin: { l: 8, r: 8, t: 8, b: 8 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(128,128,128,0.10)",
      font: { color: "#7d7d7d", size: 12, family: "system-ui, sans-serif" }, dragmode: false,
      xaxis: axis(column, side, n, { tickangle: -60 }), yaxis: axis(row, side, n, { autorange: "reversed" }), hoverlabel: { align: "left" },
    };
    Plotly.react(plot, [trace], layout, { displayModeBar: false, responsive: true, displaylogo: false }).then(() => { plot.dataset.drawn = "yes"; });
    document.getElementById("matrix-said").textContent = side > 1
      ? `Each field is ${side} × ${side} classes; click one to look closer.`
      : `Each field is one class taken for another; click one to see the images.`;
    document.getElementById("matrix-out").disabled = width === names.length;
  }

  function lookAt(row, column, width) {
    const wide = Math.min(width, names.length);
    const from = (middle) => Math.max(0, Math.min(Math.round(middle - wide / 2), names.length - wide));
    view = { row: from(row), column: from(column), width: wide };
    drawMatrix();
  }

  drawMatrix();
  new MutationObserver(drawMatrix).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  plot.on("plotly_click", ({ points: [{ x, y }] }) => {
    const { side } = blocks(view);
    const [row, column] = [view.row + y * side, view.column + x * side];
    if (side === 1) return showCell(order[row], order[column]);
    return lookAt(row + side / 2, column + side / 2, CLOSE);
  });
  document.getElementById("matrix-out").addEventListener("click", () => {
    lookAt(view.row + view.width / 2, view.column + view.width / 2, view.width * 5);
  });
  const search = document.getElementById("matrix-class");
  search.addEventListener("change", () => {
    const found = names.findIndex((name) => name.toLowerCase() === search.value.trim().toLowerCase());
    if (found >= 0) lookAt(place[found], place[found], CLOSE);
  });
});

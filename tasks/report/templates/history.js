"use strict";
// The page of all nights: the trends show the metric that is chosen, and the address remembers it.
addEventListener("DOMContentLoaded", async () => {
  const choice = document.getElementById("metric");
  if (!choice) return;
  const metrics = Nightmark.carried("metrics");
  const title = document.getElementById("metric-title");
  const said = document.getElementById("metric-said");
  const receipt = document.querySelector(".receipt code");
  const cards = [...document.querySelectorAll(".trend")];
  const plotOf = (card) => card.querySelector("[data-chart]");
  const usual = choice.querySelector("option[selected]").value;
  const SIGN = "#metric=";

  function asked() {
    const name = location.hash.startsWith(SIGN) ? location.hash.slice(SIGN.length) : usual;
    return Object.hasOwn(metrics, name) ? name : usual;
  }

  function showIn(card, line, suffix) {
    const plot = plotOf(card);
    const back = card.hidden;
    card.hidden = !line;
    if (!line) return;
    const [values, down, up, texts, caption] = line;
    document.getElementById(`${plot.id}-caption`).textContent = caption;
    if (back) Plotly.Plots.resize(plot);
    Plotly.update(plot, { y: [values], text: [texts], "error_y.array": [up], "error_y.arrayminus": [down] }, { "yaxis.ticksuffix": suffix });
  }

  function show(name) {
    const metric = metrics[name];
    choice.value = name;
    title.textContent = metric.title;
    said.textContent = metric.said;
    receipt.textContent = metric.sql;
    const lines = metrics[metric.lines]?.lines ?? metric.lines;
    for (const card of cards) showIn(card, lines[plotOf(card).id], metric.suffix);
  }

  await Promise.all(cards.map((card) => Nightmark.drawn(plotOf(card))));
  choice.closest(".filter").hidden = false;
  if (asked() !== usual) show(asked());
  // Looking through the metrics by the arrow keys is no way that the browser should lead back.
  choice.addEventListener("change", () => { show(choice.value); history.replaceState(null, "", SIGN + choice.value); });
  addEventListener("hashchange", () => show(asked()));
});

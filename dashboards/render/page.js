// Draws every chart of the page, fitted to the width it has, in the light or the dark.
"use strict";
(() => {
  const page = JSON.parse(document.getElementById("charts").textContent);
  const night = window.matchMedia("(prefers-color-scheme: dark)");
  const places = [...document.querySelectorAll("[data-chart]")];
  const drawn = new Map();

  // A data set is kept as columns once a page; charts refer to it by number.
  const rows = page.data.map(({ columns, values }) =>
    values.map((value) => {
      const row = {};
      columns.forEach((name, i) => { if (value[i] !== null) row[name] = value[i]; });
      return row;
    }));

  // Panels wrap into as many columns as fit; a lone chart takes the width there is.
  function fit(spec, width) {
    const layout = spec.usermeta.attnbench;
    const legend = spec.config.legend;
    if (layout.legend_entry) {
      legend.columns = Math.max(1, Math.floor((width - 20) / layout.legend_entry));
    }
    legend.gradientLength = Math.min(240, width - 60);
    if (layout.message !== undefined) { spec.width = width - 20; return spec; }
    const each = layout.chrome_each || 0, gap = 18, room = width - 14 - layout.chrome;
    const fits = Math.floor((room + gap) / (layout.panel_width + each + gap));
    const most = Math.max(1, Math.min(layout.columns, layout.panels, fits));
    const columns = Math.ceil(layout.panels / Math.ceil(layout.panels / most));  // even rows
    const extra = each && columns > 1 ? each * (columns - 1) : 0;
    const share = Math.floor((room - extra - gap * (columns - 1)) / columns);
    const panel = Math.max(layout.least || 200, Math.min(560, layout.widest || 560, share));
    if (!spec.spec) { spec.width = panel; return spec; }
    spec.columns = columns;
    spec.spec.width = panel;
    // A long heading takes several lines, and is cut off only where one of them is too long.
    const header = spec.facet.header = { ...spec.facet.header, labelLimit: panel + 20 };
    const longest = Math.max(...spec.facet.sort.map((name) => name.length));
    if (longest * 7.6 > panel) header.labelExpr = "split(datum.label, ' · ')";
    if (columns === 1) {  // panels in one long column: the last one's axis is a scroll away
      spec.resolve = { ...spec.resolve, axis: { ...spec.resolve?.axis, x: "independent" } };
    }
    return spec;
  }

  async function draw(place) {
    const chart = page.charts[Number(place.dataset.chart)];
    const spec = fit(structuredClone(night.matches ? chart.dark : chart.light), place.clientWidth);
    spec.data = { values: structuredClone(rows[chart.data]) };
    try {
      const result = await vegaEmbed(place, spec, {
        actions: false, renderer: "svg", mode: "vega-lite",
        logLevel: 1,  // errors: a panel that lacks one of the layers is no cause for a warning
        tooltip: { theme: night.matches ? "dark" : "light" },
      });
      drawn.get(place)?.finalize();
      drawn.set(place, result);
    } catch (error) {
      console.error(error);
      place.textContent = `This chart could not be drawn: ${error.message}`;
      place.classList.add("failed");
    }
  }

  async function drawAll() {
    for (const place of places) await draw(place);
    document.documentElement.dataset.drawn = String(places.length);
  }

  let width = window.innerWidth, timer = 0;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(timer);
    timer = setTimeout(drawAll, 150);
  });
  night.addEventListener("change", drawAll);
  drawAll();
})();
